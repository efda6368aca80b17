/* door/ioctl.c - ioctl() on a taken socket: queue sizes, and the interfaces of the stack as the program's own.
 *
 * FIONREAD and SIOCOUTQ count what lies in the pair and what lies in the stack. SIOCGIF* answer for IPv4 as Linux does,
 * by name or index, on any socket of the program; setting anything is EPERM. Requests that are not about sockets go on in the kernel. */
#include "door/inside.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { IOCTL_IFACES_MAX = 256 };

static int64_t ioctl_int(struct door *d, struct call *c, int64_t value)
{
	int32_t v = (int32_t)MIN(value, INT32_MAX);
	return value < 0 ? value : door_target_write(d, c, c->arg[2], &v, sizeof(v));
}

static int64_t ioctl_readable(struct door *d, struct call *c, struct dsock *s)
{
	int n = 0;
	if (s->type != VIA_STREAM)
		return ANSWER_CONTINUE; /* the head is the next datagram, and in the pair */
	if (s->state == DS_LISTEN)
		return -EINVAL;
	int fd = door_target_borrow(d, c, s);
	if (fd < 0)
		return fd;
	if (ioctl(fd, SIOCINQ, &n) < 0)
		n = 0;
	close(fd);
	int64_t more = s->state == DS_OPEN ? via_inq(d->v, s->s) : 0;
	return ioctl_int(d, c, n + MAX(more, 0));
}

static int64_t ioctl_unsent(struct door *d, struct call *c, struct dsock *s)
{
	if (s->state == DS_LISTEN)
		return -EINVAL;
	int64_t n = s->state == DS_OPEN || s->type != VIA_STREAM ? via_outq(d->v, s->s) : 0;
	return ioctl_int(d, c, MAX(n, 0) + (s->type == VIA_STREAM && s->state == DS_OPEN ? door_stream_waiting(s) : 0));
}

static void ioctl_sockaddr(struct sockaddr *out, uint32_t addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr)};
	memcpy(out, &in, sizeof(in));
}

/* First IPv4 address of an interface. */
static bool ioctl_addr(struct door *d, int ifindex, struct via_addr_info *a)
{
	a->size = sizeof(*a);
	for (int i = 0; via_addr_get(d->v, i, a); i++) {
		if (a->ifindex == ifindex && via_addr_is_v4(&a->addr))
			return true;
	}
	return false;
}

static bool ioctl_iface(struct door *d, const struct ifreq *r, bool by_index, struct via_iface_info *f)
{
	f->size = sizeof(*f);
	for (int i = 0; via_iface_get(d->v, i, f); i++) {
		if (by_index ? f->ifindex == r->ifr_ifindex : strncmp(f->name, r->ifr_name, IFNAMSIZ) == 0)
			return true;
	}
	return false;
}

static uint32_t ioctl_mask(uint8_t plen)
{
	return plen ? UINT32_MAX << (32 - plen) : 0;
}

static int64_t ioctl_ifconf(struct door *d, struct call *c)
{
	struct ifconf conf;
	struct ifreq r;
	struct via_iface_info f = {.size = sizeof(f)};
	struct via_addr_info a;
	int err = door_target_read(d, c, c->arg[2], &conf, sizeof(conf));
	if (err < 0)
		return err;
	int used = 0, room = conf.ifc_len;
	uint64_t at = (uintptr_t)conf.ifc_buf;
	for (int i = 0; i < IOCTL_IFACES_MAX && via_iface_get(d->v, i, &f); i++) {
		if (!ioctl_addr(d, f.ifindex, &a))
			continue;
		memset(&r, 0, sizeof(r));
		memcpy(r.ifr_name, f.name, MIN(sizeof(f.name), sizeof(r.ifr_name)));
		ioctl_sockaddr(&r.ifr_addr, via_addr_to_v4(&a.addr));
		if (at && used + (int)sizeof(r) > room)
			break;
		if (at && door_target_write(d, c, at + (uint64_t)used, &r, sizeof(r)) < 0)
			return -EFAULT;
		used += (int)sizeof(r);
	}
	conf.ifc_len = used;
	return door_target_write(d, c, c->arg[2], &conf, sizeof(conf));
}

/* Fill in what `request` asks about interface f. 0 or -errno. */
static int ioctl_answer(struct door *d, unsigned request, const struct via_iface_info *f, struct ifreq *r)
{
	struct via_addr_info a;
	bool has_addr = ioctl_addr(d, f->ifindex, &a), loop = f->ifindex == 1;
	uint32_t addr = has_addr ? via_addr_to_v4(&a.addr) : 0;
	switch (request) {
	case SIOCGIFNAME:
		memcpy(r->ifr_name, f->name, sizeof(f->name));
		return 0;
	case SIOCGIFINDEX:
		r->ifr_ifindex = f->ifindex;
		return 0;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)((f->up ? IFF_UP | IFF_RUNNING : 0) | (loop ? IFF_LOOPBACK : IFF_BROADCAST));
		return 0;
	case SIOCGIFMTU:
		r->ifr_mtu = (int)f->mtu;
		return 0;
	case SIOCGIFMETRIC:
		r->ifr_metric = 0;
		return 0;
	case SIOCGIFHWADDR:
		r->ifr_hwaddr.sa_family = loop ? ARPHRD_LOOPBACK : f->l2 == VIA_L2_ETHER ? ARPHRD_ETHER : ARPHRD_NONE;
		memcpy(r->ifr_hwaddr.sa_data, f->mac, sizeof(f->mac));
		return 0;
	case SIOCGIFADDR:
		ioctl_sockaddr(&r->ifr_addr, addr);
		return has_addr ? 0 : -EADDRNOTAVAIL;
	case SIOCGIFNETMASK:
		ioctl_sockaddr(&r->ifr_netmask, has_addr ? ioctl_mask(a.plen) : 0);
		return has_addr ? 0 : -EADDRNOTAVAIL;
	case SIOCGIFBRDADDR:
		ioctl_sockaddr(&r->ifr_broadaddr, has_addr && !loop ? addr | ~ioctl_mask(a.plen) : 0);
		return has_addr ? 0 : -EADDRNOTAVAIL;
	default:
		return request >= SIOCGIFNAME && request <= SIOCSIFHWBROADCAST ? -EPERM : -ENOTTY;
	}
}

int64_t door_call_iface(struct door *d, struct call *c)
{
	unsigned request = (unsigned)c->arg[1];
	struct ifreq r;
	struct via_iface_info f;
	if (request == SIOCGIFCONF)
		return ioctl_ifconf(d, c);
	if (request < SIOCGIFNAME || request > 0x8970)
		return ANSWER_CONTINUE;
	int err = door_target_read(d, c, c->arg[2], &r, sizeof(r));
	if (err < 0)
		return err;
	if (!ioctl_iface(d, &r, request == SIOCGIFNAME, &f))
		return -ENODEV;
	err = ioctl_answer(d, request, &f, &r);
	return err < 0 ? err : door_target_write(d, c, c->arg[2], &r, sizeof(r));
}

int64_t door_call_ioctl(struct door *d, struct call *c, struct dsock *s)
{
	switch ((unsigned)c->arg[1]) {
	case FIONREAD:
		return ioctl_readable(d, c, s);
	case SIOCOUTQ:
		return ioctl_unsent(d, c, s);
	case SIOCATMARK:
		return ioctl_int(d, c, 0);
	}
	int64_t r = door_call_iface(d, c);
	return r == ANSWER_CONTINUE ? -ENOTTY : r;
}
