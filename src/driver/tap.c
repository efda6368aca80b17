/* driver/tap.c - Linux TAP and TUN devices, one packet per system call, no offloads.
 *
 * Non-blocking. A packet is read straight into the linear part of a fresh packet; what does not fit (MTU above about
 * 1,600) goes through a bounce buffer into blocks. Sending gathers linear part and slices with writev; EAGAIN and ENOBUFS
 * push back, any other failure is the device's to lose the packet with (EIO: the device is down). The kernel end keeps
 * the device's own MAC address; ours is a random locally administered one. Receive stamps are CLOCK_MONOTONIC. */
#include "driver/tap.h"

#include "pkt/pkt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { TAP_BOUNCE = 65536 + 64, TAP_MTU_MAX = 65521, TAP_BURST_ROOM = 256 };
#define TAP_RETRY_NS NS_PER_MS

struct tap {
	struct via_driver d; /* first */
	int fd;
	bool pushed_back; /* the device would not take more */
	int64_t retry;    /* then: when to ask again */
	uint8_t bounce[TAP_BOUNCE];
};

static struct tap *tap_of(struct via_driver *d)
{
	return CONTAINER_OF(d, struct tap, d);
}

/* One packet off the device. NULL when there is none, or no memory for it (errno tells: EAGAIN, ENOMEM, EMSGSIZE). */
static struct pkt *tap_read(struct tap *t)
{
	struct pkt *p = pkt_new(t->d.mem, PKT_HEADROOM);
	if (!p) {
		/* Take it off the device all the same, else a level-triggered descriptor spins. */
		ssize_t lost = read(t->fd, t->bounce, sizeof(t->bounce));
		errno = lost < 0 ? errno : ENOMEM;
		return NULL;
	}
	uint32_t room = pkt_tailroom(p);
	struct iovec iov[2] = {{p->linear + p->head, room}, {t->bounce, TAP_BOUNCE}};
	ssize_t n = readv(t->fd, iov, 2);
	int err = n < 0 ? errno : 0;
	if (n == (ssize_t)room + TAP_BOUNCE)
		err = EMSGSIZE; /* the kernel cuts without a word */
	if (err == 0) {
		pkt_put(p, MIN((uint32_t)n, room));
		if ((uint32_t)n > room && pkt_append(t->d.mem, p, t->bounce, (uint32_t)n - room) < 0)
			err = ENOMEM;
	}
	if (err == 0)
		return p;
	pkt_free(t->d.mem, p);
	errno = err;
	return NULL;
}

static int tap_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct tap *t = tap_of(d);
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	int n = 0;
	for (int tries = 0; tries < max; tries++) {
		struct pkt *p = tap_read(t);
		if (p) {
			p->m.rx_ns = ts.tv_sec * NS_PER_S + ts.tv_nsec;
			pkts[n++] = p;
		} else if (errno != ENOMEM && errno != EMSGSIZE && errno != EINTR) {
			break;
		}
	}
	return n;
}

/* 1 sent, 0 pushed back, -errno lost. */
static int tap_write(struct tap *t, struct pkt *p)
{
	struct iovec iov[1 + PKT_SLICES_MAX];
	int n = 0;
	iov[n++] = (struct iovec){pkt_data(p), p->head_len};
	for (unsigned i = 0; i < p->n_slices; i++)
		iov[n++] = (struct iovec){blk_data(t->d.mem, p->slices[i].blk) + p->slices[i].off, p->slices[i].len};
	ssize_t r;
	do
		r = writev(t->fd, iov, n);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return 1;
	return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

static int tap_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct tap *t = tap_of(d);
	int taken = 0;
	t->pushed_back = false;
	while (taken < n) {
		if (tap_write(t, pkts[taken]) == 0) {
			t->pushed_back = true;
			t->retry = now + TAP_RETRY_NS;
			break;
		}
		pkt_free(d->mem, pkts[taken++]);
	}
	return taken;
}

static int tap_tx_room(struct via_driver *d)
{
	struct tap *t = tap_of(d);
	if (t->pushed_back) {
		struct pollfd pfd = {t->fd, POLLOUT, 0};
		if (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT))
			t->pushed_back = false;
	}
	return t->pushed_back ? 0 : TAP_BURST_ROOM;
}

static int64_t tap_next(struct via_driver *d)
{
	struct tap *t = tap_of(d);
	return t->pushed_back ? t->retry : TIME_NEVER;
}

static const struct via_driver_ops tap_ops = {tap_rx_burst, tap_tx_burst, tap_tx_room, tap_next};

/* Brings the device up, where it is not, and learns its MTU. 0 or -errno. */
static int tap_setup(struct tap *t, const char *ifname)
{
	struct ifreq ifr = {0};
	memcpy(ifr.ifr_name, ifname, strlen(ifname));
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	int err = 0;
	if (ioctl(s, SIOCGIFFLAGS, &ifr) < 0) {
		err = -errno;
	} else if (!(ifr.ifr_flags & IFF_UP)) {
		ifr.ifr_flags |= IFF_UP;
		err = ioctl(s, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
	}
	if (err == 0 && ioctl(s, SIOCGIFMTU, &ifr) < 0)
		err = -errno;
	if (err == 0)
		t->d.mtu = (uint32_t)MIN(ifr.ifr_mtu, TAP_MTU_MAX);
	close(s);
	return err;
}

/* Attach to the device ifname, making it if it is not there. 0 or -errno. */
static int tap_attach(struct tap *t, const char *ifname, bool tun)
{
	struct ifreq ifr = {.ifr_flags = (short)((tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI)};
	if (strlen(ifname) >= IFNAMSIZ || ifname[0] == '\0')
		return -EINVAL;
	memcpy(ifr.ifr_name, ifname, strlen(ifname));
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0 || ioctl(t->fd, TUNSETIFF, &ifr) < 0)
		return -errno;
	return tap_setup(t, ifname);
}

struct via_driver *tap_open(const char *ifname, bool tun)
{
	struct tap *t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->fd = -1;
	t->d = (struct via_driver){.ops = &tap_ops, .l2 = tun ? VIA_L2_NONE : VIA_L2_ETHER, .up = true};
	int err = tap_attach(t, ifname, tun);
	if (err == 0 && !tun && getrandom(t->d.mac, 6, 0) != 6)
		err = -EIO;
	if (err < 0) {
		tap_close(&t->d);
		errno = -err;
		return NULL;
	}
	if (!tun)
		t->d.mac[0] = (uint8_t)((t->d.mac[0] & ~1) | 2); /* unicast, locally administered */
	return &t->d;
}

void tap_close(struct via_driver *d)
{
	if (!d)
		return;
	struct tap *t = tap_of(d);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

int tap_fd(const struct via_driver *d)
{
	return ((const struct tap *)(const void *)d)->fd; /* d is its first member */
}
