/* test/unit/test_tap.c - TAP and TUN against the kernel, in a network namespace of this process's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "driver/tap.h"
#include "host/node.h"
#include "pkt/pkt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEM_BYTES = 8 << 20, BIG = 8000 };

static struct pktmem *mem;
static bool may; /* have a namespace in which devices can be made */

static int group_setup(void **s)
{
	mem = host_pktmem_new(MEM_BYTES);
	may = unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || unshare(CLONE_NEWNET) == 0;
	if (may) {
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		may = fd >= 0;
		if (fd >= 0)
			close(fd);
	}
	return mem ? 0 : -1;
}

static int group_teardown(void **s)
{
	int left = (int)pktmem_pkts_used(mem) + (int)pktmem_blks_used(mem);
	host_pktmem_free(mem);
	return left;
}

static void need_namespace(void)
{
	if (!may) {
		print_message("# SKIP no right to make a network namespace, or no /dev/net/tun\n");
		skip();
	}
}

static void if_set(const char *name, unsigned long what, struct ifreq *ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	strcpy(ifr->ifr_name, name);
	assert_int_equal(ioctl(s, what, ifr), 0);
	close(s);
}

static void if_addr(const char *name, const char *addr)
{
	struct ifreq ifr = {0};
	struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&ifr.ifr_addr;
	sin->sin_family = AF_INET;
	inet_pton(AF_INET, addr, &sin->sin_addr);
	if_set(name, SIOCSIFADDR, &ifr);
	inet_pton(AF_INET, "255.255.255.0", &sin->sin_addr);
	if_set(name, SIOCSIFNETMASK, &ifr);
}

/* The next packet whose byte `at` is `v` (the kernel sends others, unasked), within 2 s. */
static struct pkt *receive(struct via_driver *d, uint32_t at, uint8_t v)
{
	for (int i = 0; i < 200; i++) {
		struct pollfd pfd = {tap_fd(d), POLLIN, 0};
		poll(&pfd, 1, 10);
		struct pkt *p;
		while (d->ops->rx_burst(d, &p, 1) == 1) {
			uint8_t b = 0;
			if (pkt_copy_out(mem, p, at, &b, 1) == 1 && b == v)
				return p;
			pkt_free(mem, p);
		}
	}
	return NULL;
}

static int udp_socket(const char *addr)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(5000)};
	inet_pton(AF_INET, addr, &sin.sin_addr);
	assert_int_equal(bind(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return s;
}

static void udp_send(int s, const char *to, const void *data, size_t n)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(6000)};
	inet_pton(AF_INET, to, &sin.sin_addr);
	assert_int_equal(sendto(s, data, n, 0, (struct sockaddr *)&sin, sizeof(sin)), n);
}

static void tap__tun_carries_jumbo_packets_both_ways(void **s)
{
	need_namespace();
	struct via_driver *d = tap_open("tun7", true);
	assert_non_null(d);
	assert_int_equal(d->l2, VIA_L2_NONE);
	assert_int_equal(d->mtu, 1500);
	d->mem = mem;
	struct ifreq ifr = {.ifr_mtu = 9000};
	if_set("tun7", SIOCSIFMTU, &ifr);
	if_addr("tun7", "10.9.7.1");
	int u = udp_socket("10.9.7.1");
	uint8_t out[BIG], in[BIG + 1];
	for (int i = 0; i < BIG; i++)
		out[i] = (uint8_t)(i % 253);
	udp_send(u, "10.9.7.2", out, BIG);
	struct pkt *p = receive(d, 0, 0x45);
	assert_non_null(p);
	assert_int_equal(p->len, 28 + BIG);
	assert_true(p->m.rx_ns > 0);
	assert_int_equal(pkt_copy_out(mem, p, 28, in, BIG), BIG);
	assert_memory_equal(in, out, BIG);

	/* Send it back: addresses and ports change places, which leaves both checksums right. */
	uint8_t *ip = pkt_data(p);
	uint32_t src = get_be32(ip + 12);
	uint16_t sport = get_be16(ip + 20);
	put_be32(ip + 12, get_be32(ip + 16));
	put_be32(ip + 16, src);
	put_be16(ip + 20, get_be16(ip + 22));
	put_be16(ip + 22, sport);
	assert_int_equal(d->ops->tx_burst(d, &p, 1, 0), 1);
	struct pollfd pfd = {u, POLLIN, 0};
	assert_int_equal(poll(&pfd, 1, 2000), 1);
	assert_int_equal(recv(u, in, sizeof(in), 0), BIG);
	assert_memory_equal(in, out, BIG);
	close(u);
	tap_close(d);
}

static void tap__tap_carries_frames(void **s)
{
	need_namespace();
	struct via_driver *d = tap_open("tap7", false);
	assert_non_null(d);
	assert_int_equal(d->l2, VIA_L2_ETHER);
	assert_int_equal(d->mac[0] & 3, 2); /* unicast, locally administered */
	d->mem = mem;
	if_addr("tap7", "10.9.8.1");
	int u = udp_socket("10.9.8.1");
	udp_send(u, "10.9.8.2", "x", 1);
	struct pkt *p = receive(d, 13, 6); /* EtherType 0x0806: the kernel asks for 10.9.8.2 */
	assert_non_null(p);
	uint8_t f[42];
	assert_int_equal(pkt_copy_out(mem, p, 0, f, 42), 42);
	assert_int_equal(get_be32(f + 38), 0x0a090802);
	assert_int_not_equal(memcmp(f + 6, d->mac, 6), 0); /* the kernel's end has another MAC address */
	pkt_free(mem, p);
	close(u);
	tap_close(d);
}

static void tap__mtu_is_the_devices(void **s)
{
	need_namespace();
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_name = "tap8", .ifr_flags = IFF_TAP | IFF_NO_PI};
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
	struct ifreq mtu = {.ifr_mtu = 4321};
	if_set("tap8", SIOCSIFMTU, &mtu);
	struct via_driver *d = tap_open("tap8", false);
	assert_non_null(d);
	assert_int_equal(d->mtu, 4321);
	ioctl(tap_fd(d), TUNSETPERSIST, 0);
	tap_close(d);
}

static void tap__device_that_takes_no_more_pushes_back(void **s)
{
	need_namespace();
	struct via_driver *d = tap_open("tap9", false);
	assert_non_null(d);
	d->mem = mem;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_true(dup2(pair[0], tap_fd(d)) >= 0); /* a device that fills up */
	int sent = 0;
	for (;;) {
		struct pkt *p = pkt_new(mem, 0);
		*pkt_put(p, 1) = (uint8_t)sent;
		int r = d->ops->tx_burst(d, &p, 1, 1000);
		if (r == 0)
			pkt_free(mem, p); /* kept by the caller */
		if (r == 0)
			break;
		sent++;
		assert_true(sent < 100000);
	}
	assert_true(sent > 0);
	assert_int_equal(d->ops->tx_room(d), 0);
	assert_int_equal(d->ops->next(d), 1000 + 1000000);
	uint8_t b;
	for (int i = 0; i < sent; i++) {
		assert_int_equal(recv(pair[1], &b, 1, 0), 1);
		assert_int_equal(b, (uint8_t)i);
	}
	assert_true(d->ops->tx_room(d) > 0);
	assert_int_equal(d->ops->next(d), INT64_MAX);
	close(pair[0]);
	close(pair[1]);
	tap_close(d);
}

static void tap__no_memory_does_not_leave_the_descriptor_readable(void **s)
{
	need_namespace();
	struct via_driver *d = tap_open("tap10", false);
	assert_non_null(d);
	struct pktmem *full = host_pktmem_new(1 << 20);
	d->mem = full;
	struct pkt *hog[1024];
	int n = 0;
	while (n < 1024 && (hog[n] = pkt_new(full, 0)) != NULL)
		n++;
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_true(dup2(pair[0], tap_fd(d)) >= 0);
	assert_int_equal(write(pair[1], "abc", 3), 3);
	struct pkt *p;
	assert_int_equal(d->ops->rx_burst(d, &p, 1), 0);
	struct pollfd pfd = {tap_fd(d), POLLIN, 0};
	assert_int_equal(poll(&pfd, 1, 0), 0);
	while (n > 0)
		pkt_free(full, hog[--n]);
	close(pair[0]);
	close(pair[1]);
	tap_close(d);
	host_pktmem_free(full);
}

static void tap__bad_name(void **s)
{
	errno = 0;
	assert_null(tap_open("a-name-far-too-long-for-a-device", false));
	assert_int_equal(errno, EINVAL);
	assert_null(tap_open("", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tap__tun_carries_jumbo_packets_both_ways),
		cmocka_unit_test(tap__tap_carries_frames),
		cmocka_unit_test(tap__mtu_is_the_devices),
		cmocka_unit_test(tap__device_that_takes_no_more_pushes_back),
		cmocka_unit_test(tap__no_memory_does_not_leave_the_descriptor_readable),
		cmocka_unit_test(tap__bad_name),
	};
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
