/* packetdrill/adapter.c - a stack for google/packetdrill: made from flags, with a wire to the tool, and Linux's settings.
 *
 * One host with one interface without link layer; every address lies behind it. What it sends is kept for netdev_receive(); packets
 * in may be longer than the MTU, as those a kernel has merged. Its seed is fixed: two runs are the same.
 *
 * Scripts set things with sysctl(8), in the kernel of the network namespace the tool runs in. So before a socket is made,
 * listens or connects, the files of that kernel's settings are read, and those that have another value than before are set
 * in the stack (via_sysctl()). */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define START_NS (1000 * NS_PER_S)

/* --- the wire --- */

static int wire_out(void *ctx, const void *packet, size_t len)
{
	struct adapter *a = ctx;
	struct leaving *l = malloc(sizeof(*l) + len);
	if (!l)
		return 0; /* lost */
	*l = (struct leaving){.when = adapter_now(a), .len = len};
	memcpy(l->bytes, packet, len);
	pthread_mutex_lock(&a->lock);
	*a->last = l;
	a->last = &l->next;
	pthread_cond_broadcast(&a->news);
	pthread_mutex_unlock(&a->lock);
	return 0;
}

static int adapter_netdev_send(void *userdata, const void *packet, size_t len)
{
	struct adapter *a = userdata;
	adapter_enter(a);
	via_posix_enter(a->p);
	int e = via_buffer_push(a->wire, packet, len, adapter_now(a));
	via_posix_leave(a->p);
	adapter_leave(a);
	errno = -e;
	return e ? -1 : 0;
}

static int adapter_netdev_receive(void *userdata, void *packet, size_t *len, long long *usecs)
{
	struct adapter *a = userdata;
	struct leaving *l = adapter_next_packet(a);
	*usecs = (l ? l->when : adapter_now(a)) / 1000;
	*len = l ? MIN(*len, l->len) : 0;
	if (l)
		memcpy(packet, l->bytes, *len);
	free(l);
	return 0;
}

/* --- settings --- */

static void setting_read(struct adapter *a, int n, const char *name)
{
	char path[256], text[SETTING_LEN] = "";
	snprintf(path, sizeof(path), "%s/%s", a->sysctl, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0 || strcmp(text, a->settings[n]) == 0)
		return;
	memcpy(a->settings[n], text, sizeof(text));
	via_sysctl(a->v, name, text);
}

void adapter_settings(struct adapter *a)
{
	const char *name;
	if (!*a->sysctl)
		return;
	via_posix_enter(a->p);
	for (int n = 0; n < SETTINGS_MAX && (name = via_sysctl_name(n)) != NULL; n++)
		setting_read(a, n, name);
	via_posix_leave(a->p);
}

/* --- making it --- */

struct flags {
	const char *local, *prefix, *mtu, *time, *sysctl;
};

static void fail(const char *what, const char *which)
{
	fprintf(stderr, "libviaduct-packetdrill: %s%s\n", what, which);
	exit(EXIT_FAILURE);
}

/* "name=value,..." cut up in place. */
static struct flags flags_parse(char *text)
{
	struct flags f = {.local = "192.168.0.1", .prefix = "16", .mtu = "1500", .time = "virtual", .sysctl = "/proc/sys/net/ipv4"};
	const struct {
		const char *name;
		const char **value;
	} known[] = {{"local", &f.local}, {"prefix", &f.prefix}, {"mtu", &f.mtu}, {"time", &f.time}, {"sysctl", &f.sysctl}};
	char *rest = NULL;
	for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
		char *is = strchr(word, '=');
		size_t i = 0;
		while (i < ARRAY_LEN(known) && !(is && strncmp(word, known[i].name, strlen(known[i].name)) == 0 &&
						 (size_t)(is - word) == strlen(known[i].name)))
			i++;
		if (i == ARRAY_LEN(known))
			fail("flags are local=, prefix=, mtu=, time= and sysctl=, not ", word);
		*known[i].value = is + 1;
	}
	return f;
}

static uint32_t flag_number(const char *name, const char *text, uint32_t lo, uint32_t hi)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end || n < lo || n > hi)
		fail(name, text);
	return (uint32_t)n;
}

/* The stack with its one interface. */
static void adapter_stack(struct adapter *a, const struct flags *f)
{
	static const uint8_t seed[32] = "packetdrill";
	struct via_buffer_config wire = {.size = sizeof(wire), .mtu = flag_number("bad mtu: ", f->mtu, 68, 65535), .longest = 65535,
					 .out = wire_out, .ctx = a};
	struct via_change addr = {.kind = VIA_ADDR_ADD, .plen = (uint8_t)flag_number("bad prefix: ", f->prefix, 0, 32)};
	if (via_addr_parse(f->local, strlen(f->local), &addr.addr))
		fail("bad local address: ", f->local);
	a->real = strcmp(f->time, "real") == 0;
	if (!a->real && strcmp(f->time, "virtual") != 0)
		fail("time is virtual or real, not ", f->time);
	a->now = START_NS;
	a->sysctl = f->sysctl;
	a->v = via_host_stack_new(&(struct via_host_config){.size = sizeof(struct via_host_config), .name = "packetdrill", .seed = seed,
							    .now = adapter_now(a)});
	a->wire = via_buffer_new(&wire);
	if (!a->v || !a->wire)
		fail("no memory", "");
	addr.ifindex = via_iface_add(a->v, via_buffer_driver(a->wire), "tun0");
	struct via_change route = {.kind = VIA_ROUTE_ADD, .ifindex = addr.ifindex, .addr = via_addr_v4(0), .gateway = via_addr_v4(0)};
	if (addr.ifindex < 0 || via_configure(a->v, &addr) || via_configure(a->v, &route))
		fail("the stack does not take the address ", f->local);
	a->p = a->real ? via_posix_new(a->v) : via_posix_new_told(a->v, a->now);
	if (!a->p)
		fail("no thread or descriptor", "");
}

static void adapter_free(void *userdata)
{
	struct adapter *a = userdata;
	via_posix_free(a->p);
	via_host_stack_free(a->v);
	via_buffer_free(a->wire);
	while (a->first) {
		struct leaving *l = a->first;
		a->first = l->next;
		free(l);
	}
	pthread_cond_destroy(&a->news);
	pthread_mutex_destroy(&a->lock);
	free(a->flags);
	free(a);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table)
{
	struct adapter *a = calloc(1, sizeof(*a));
	char *text = strdup(flags ? flags : "");
	if (!a || !text)
		fail("no memory", "");
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->news, NULL);
	a->last = &a->first;
	a->flags = text;
	struct flags f = flags_parse(text);
	adapter_stack(a, &f);
	*table = (struct packetdrill_interface){.userdata = a, .free = adapter_free, .netdev_send = adapter_netdev_send,
						.netdev_receive = adapter_netdev_receive, .usleep = adapter_usleep,
						.gettimeofday = adapter_gettimeofday};
	adapter_calls(table);
}
