/* Every option against this machine's kernel: the same set and get on an unconnected socket of each, the same results.
 * Defaults that depend on sysctls, and names of congestion controls, are the kernel's own business and left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock_fake.h"
#include "tcp/conn.h"

static int setup(void **state)
{
	*state = fake_new(16u << 20);
	return 0;
}

static int teardown(void **state)
{
	fake_free(*state);
	return 0;
}

struct pair {
	struct fake *f;
	int fd;
	via_sock s;
	const char *what;
};

static struct pair pair_new(struct fake *f, enum via_type type)
{
	int fd = socket(AF_INET, type == VIA_STREAM ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (fd < 0) {
		print_message("no AF_INET sockets here: %s\n", strerror(errno));
		skip();
	}
	return (struct pair){f, fd, fake_open(f, type), type == VIA_STREAM ? "tcp" : "udp"};
}

static void pair_close(struct pair *p)
{
	close(p->fd);
	sock_close(&p->f->env, p->s);
}

static int both_set(struct pair *p, int level, int name, const void *val, uint32_t len)
{
	int want = setsockopt(p->fd, level, name, val, len) ? -errno : 0;
	int got = sock_setopt(&p->f->env, p->s, level, name, val, len);
	if (want != got)
		fail_msg("%s: set level %d name %d len %u: kernel %d, ours %d", p->what, level, name, len, want, got);
	return got;
}

static void both_get(struct pair *p, int level, int name, uint32_t room)
{
	uint8_t kv[64] = {0}, ov[64] = {0};
	socklen_t klen = room;
	uint32_t olen = room;
	int want = getsockopt(p->fd, level, name, kv, &klen) ? -errno : 0;
	int got = sock_getopt(&p->f->env, p->s, level, name, ov, &olen);
	if (want != got || (!want && (klen != olen || memcmp(kv, ov, klen))))
		fail_msg("%s: get level %d name %d room %u: kernel %d (%d bytes, %d), ours %d (%d bytes, %d)", p->what, level, name, room, want,
			 (int)klen, *(int *)(void *)kv, got, (int)olen, *(int *)(void *)ov);
}

/* SYSCTL: the default is a setting of the kernel's, so is what 0 and -1 mean. */
enum { PLAIN, SYSCTL };
static const struct {
	int level, name, kind;
} ints[] = {
	{SOL_SOCKET, SO_REUSEADDR, PLAIN}, {SOL_SOCKET, SO_REUSEPORT, PLAIN}, {SOL_SOCKET, SO_KEEPALIVE, PLAIN},
	{SOL_SOCKET, SO_BROADCAST, PLAIN}, {SOL_SOCKET, SO_OOBINLINE, PLAIN}, {SOL_SOCKET, SO_DONTROUTE, PLAIN},
	{SOL_SOCKET, SO_RCVLOWAT, PLAIN}, {SOL_SOCKET, SO_SNDLOWAT, PLAIN}, {SOL_SOCKET, SO_SNDBUF, SYSCTL},
	{SOL_SOCKET, SO_RCVBUF, SYSCTL}, {SOL_SOCKET, SO_ERROR, PLAIN}, {SOL_SOCKET, SO_TYPE, PLAIN}, {SOL_SOCKET, SO_DOMAIN, PLAIN},
	{SOL_SOCKET, SO_PROTOCOL, PLAIN}, {SOL_SOCKET, SO_ACCEPTCONN, PLAIN}, {SOL_SOCKET, SO_MAX_PACING_RATE, PLAIN},
	{IPPROTO_TCP, TCP_NODELAY, PLAIN}, {IPPROTO_TCP, TCP_CORK, PLAIN}, {IPPROTO_TCP, TCP_MAXSEG, PLAIN},
	{IPPROTO_TCP, TCP_QUICKACK, PLAIN}, {IPPROTO_TCP, TCP_KEEPIDLE, SYSCTL}, {IPPROTO_TCP, TCP_KEEPINTVL, SYSCTL},
	{IPPROTO_TCP, TCP_KEEPCNT, SYSCTL}, {IPPROTO_TCP, TCP_SYNCNT, SYSCTL}, {IPPROTO_TCP, TCP_USER_TIMEOUT, PLAIN},
	{IPPROTO_TCP, TCP_DEFER_ACCEPT, PLAIN}, {IPPROTO_TCP, TCP_NOTSENT_LOWAT, PLAIN}, {IPPROTO_TCP, TCP_LINGER2, PLAIN},
	{IPPROTO_IP, IP_TTL, SYSCTL}, {IPPROTO_IP, IP_TOS, PLAIN}, {IPPROTO_IP, IP_MTU_DISCOVER, SYSCTL}, {IPPROTO_IP, IP_RECVERR, PLAIN},
	{IPPROTO_IP, IP_PKTINFO, PLAIN}, {IPPROTO_IP, IP_RECVTTL, PLAIN}, {IPPROTO_IP, IP_RECVTOS, PLAIN},
	{IPPROTO_IP, IP_MULTICAST_TTL, PLAIN}, {IPPROTO_IP, IP_MULTICAST_LOOP, PLAIN}, {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, PLAIN},
	{IPPROTO_IP, IP_MTU, PLAIN}, {IPPROTO_TCP, TCP_INQ, PLAIN}, {SOL_SOCKET, SO_ZEROCOPY, PLAIN},
};
static const int values[] = {0, 1, 2, 3, 5, -1, -2, 7, 10, 87, 88, 127, 128, 100, 255, 256, 1000, 1500, 4096, 32767, 32768, 65536, 100000};

/* Does a sysctl decide what get tells after v was set? */
static bool is_sysctl(size_t i, enum via_type type, bool was_set, int v)
{
	bool tcp_buf = ints[i].level == SOL_SOCKET && type == VIA_STREAM && (ints[i].name == SO_RCVLOWAT);
	if (ints[i].kind == SYSCTL && !was_set)
		return true;
	return v < 0 && (tcp_buf || (ints[i].kind == SYSCTL));
}

static void options__ints_as_the_kernel(void **state)
{
	for (int type = VIA_STREAM; type <= VIA_DGRAM; type++) {
		for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
			struct pair p = pair_new(*state, (enum via_type)type);
			int level = ints[i].level, name = ints[i].name;
			bool was_set = false;
			for (uint32_t room = 0; ints[i].kind == PLAIN && room <= 8; room++)
				both_get(&p, level, name, room);
			for (size_t k = 0; k < ARRAY_LEN(values); k++) {
				was_set |= both_set(&p, level, name, &values[k], sizeof(int)) == 0;
				if (is_sysctl(i, (enum via_type)type, was_set, values[k]))
					continue;
				both_get(&p, level, name, 4);
				both_get(&p, level, name, 1);
			}
			for (uint32_t len = 0; len < 4; len++)
				both_set(&p, level, name, &values[3], len);
			pair_close(&p);
		}
	}
}

static void options__unknown_as_the_kernel(void **state)
{
	static const struct { int level, name; } odd[] = {
		{SOL_SOCKET, 9999}, {IPPROTO_TCP, 9999}, {IPPROTO_IP, 9999}, {IPPROTO_IPV6, 26}, {77, 1}, {SOL_SOCKET, -1},
	};
	for (int type = VIA_STREAM; type <= VIA_DGRAM; type++) {
		struct pair p = pair_new(*state, (enum via_type)type);
		for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
			both_set(&p, odd[i].level, odd[i].name, &values[1], 4);
			both_set(&p, odd[i].level, odd[i].name, &values[1], 3);
			both_get(&p, odd[i].level, odd[i].name, 4);
		}
		pair_close(&p);
	}
}

static void options__linger_as_the_kernel(void **state)
{
	for (int type = VIA_STREAM; type <= VIA_DGRAM; type++) {
		struct pair p = pair_new(*state, (enum via_type)type);
		static const struct linger l[] = {{1, 5}, {0, 9}, {1, 0}, {2, 100}, {0, 0}};
		both_get(&p, SOL_SOCKET, SO_LINGER, 8);
		for (size_t i = 0; i < ARRAY_LEN(l); i++) {
			both_set(&p, SOL_SOCKET, SO_LINGER, &l[i], sizeof(l[i]));
			both_get(&p, SOL_SOCKET, SO_LINGER, 8);
			both_get(&p, SOL_SOCKET, SO_LINGER, 6);
			both_get(&p, SOL_SOCKET, SO_LINGER, 12);
		}
		both_set(&p, SOL_SOCKET, SO_LINGER, &l[0], 7);
		both_set(&p, SOL_SOCKET, SO_LINGER, &l[0], 4);
		pair_close(&p);
	}
}

static void options__timeouts_as_the_kernel(void **state)
{
	static const struct timeval tv[] = {{0, 0}, {3, 0}, {-1, 0}, {5, 500000}, {1, -1}, {1, 1000000}, {86400, 0}};
	struct pair p = pair_new(*state, VIA_STREAM);
	for (int name = SO_RCVTIMEO; name <= SO_SNDTIMEO; name++) {
		both_get(&p, SOL_SOCKET, name, 16);
		for (size_t i = 0; i < ARRAY_LEN(tv); i++) {
			both_set(&p, SOL_SOCKET, name, &tv[i], sizeof(tv[i]));
			both_get(&p, SOL_SOCKET, name, 16);
		}
		both_set(&p, SOL_SOCKET, name, &tv[1], 15);
		both_set(&p, SOL_SOCKET, name, &tv[1], 8);
	}
	pair_close(&p);
}

static void assert_congestion(struct fake *f, via_sock s, const char *want)
{
	char name[16];
	uint32_t n = sizeof(name);
	memset(name, 'x', sizeof(name));
	assert_int_equal(sock_getopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
	assert_int_equal(n, 16); /* TCP_CA_NAME_MAX, zeros behind the name */
	assert_string_equal(name, want);
	assert_int_equal(name[15], 0);
}

static void options__congestion(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM), u = fake_open(f, VIA_DGRAM);
	char name[16] = "";
	uint32_t n = sizeof(name);
	struct tcp_opts o;
	assert_congestion(f, s, "cubic");
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
	assert_congestion(f, s, "reno");
	ep_tcp_opts(&f->env, ep_of(&f->env, s), &ep_of(&f->env, s)->remote, &o);
	assert_string_equal(tcp_cc_at(o.cc)->name, "reno");
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "cubic\0junk", 10), 0); /* to the first zero */
	assert_congestion(f, s, "cubic");
	ep_tcp_opts(&f->env, ep_of(&f->env, s), &ep_of(&f->env, s)->remote, &o);
	assert_int_equal(o.cc, 0);
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), -ENOENT);
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "cubi", 4), -ENOENT);
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "cubic-with-a-long-name", 22), -ENOENT);
	assert_int_equal(sock_setopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, "", 0), -EINVAL);
	assert_congestion(f, s, "cubic");
	n = 3;
	assert_int_equal(sock_getopt(&f->env, s, IPPROTO_TCP, TCP_CONGESTION, name, &n), 0);
	assert_int_equal(n, 3);
	assert_memory_equal(name, "cub", 3);
	assert_int_equal(sock_getopt(&f->env, u, IPPROTO_TCP, TCP_CONGESTION, name, &n), -EOPNOTSUPP); /* as Linux */
}

static void req_TX_013__options_and_the_setting(void **state)
{
	struct fake *f = *state;
	struct sock_env *e = &f->env;
	via_sock s = fake_open(f, VIA_STREAM);
	int v = 1;
	uint32_t n = sizeof(v);
	struct via_sockaddr to = at(PEER, 80);
	uint8_t key[32] = {1, 2, 3};
	/* off by default */
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &v, 4), -EOPNOTSUPP);
	assert_int_equal(sock_sendto(e, s, "x", 1, VIA_FASTOPEN, &to), -EOPNOTSUPP);
	tcp_settings_of(e->tcp)->fastopen = TCP_FASTOPEN_CLIENT;
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){2}, 4), -EINVAL);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &v, 4), 0);
	assert_int_equal(sock_getopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &v, &n), 0);
	assert_int_equal(v, 1);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN, &(int){-1}, 4), -EINVAL);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN, &(int){100000}, 4), 0);
	assert_int_equal(sock_getopt(e, s, IPPROTO_TCP, TCP_FASTOPEN, &v, &n), 0);
	assert_int_equal(v, SOCK_BACKLOG_MAX);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &(int){3}, 4), -EINVAL);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &(int){1}, 4), 0);
	static const uint32_t lens[] = {0, 3, 4, 15, 17, 31, 33};
	for (unsigned i = 0; i < ARRAY_LEN(lens); i++)
		assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, lens[i]), -EINVAL);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 16), 0);
	assert_int_equal(sock_setopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32), 0);
	uint8_t got[64] = {0};
	n = sizeof(got);
	assert_int_equal(sock_getopt(e, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n), 0);
	assert_int_equal(n, 32);
	assert_memory_equal(got, key, 32);
	/* a datagram socket knows none of them */
	assert_int_equal(sock_setopt(e, fake_open(f, VIA_DGRAM), IPPROTO_TCP, TCP_FASTOPEN, &v, 4), -ENOPROTOOPT);
}

static void options__info_of_an_idle_socket(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM);
	struct tcp_info i;
	uint32_t n = sizeof(i);
	assert_int_equal(sock_getopt(&f->env, s, IPPROTO_TCP, TCP_INFO, &i, &n), 0);
	assert_int_equal(n, sizeof(i));
	assert_int_equal(i.tcpi_state, TCP_CLOSED);
	n = 5;
	assert_int_equal(sock_getopt(&f->env, s, IPPROTO_TCP, TCP_INFO, &i, &n), 0);
	assert_int_equal(n, 5);
}

/* What has no kernel beside it here: sizes and words of SO_MEMINFO and TCP_CC_INFO (linux/sock_diag.h; cubic has no info). */
static void options__told_only(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM);
	uint32_t m[SK_MEMINFO_VARS + 1], n = sizeof(m);
	int v = 50000;
	assert_int_equal(sock_setopt(&f->env, s, SOL_SOCKET, SO_RCVBUF, &v, 4), 0);
	assert_int_equal(sock_getopt(&f->env, s, SOL_SOCKET, SO_MEMINFO, m, &n), 0);
	assert_int_equal(n, SK_MEMINFO_VARS * 4);
	assert_int_equal(m[SK_MEMINFO_RCVBUF], 100000);
	assert_int_equal(m[SK_MEMINFO_RMEM_ALLOC], 0);
	n = sizeof(m);
	assert_int_equal(sock_getopt(&f->env, s, IPPROTO_TCP, TCP_CC_INFO, m, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(sock_setopt(&f->env, s, SOL_SOCKET, SO_MEMINFO, &v, 4), -ENOPROTOOPT);
}

/* Hop limit and class are options of each family's own: a socket of both has both. */
static void tcp_opts__by_the_peers_family(void **state)
{
	struct fake *f = *state;
	via_sock s;
	struct tcp_opts o;
	struct via_addr v4 = via_addr_v4(PEER), v6 = {.b = {0x20, 1, [15] = 1}};
	static const struct { int level, name, v; } set[] = {
		{IPPROTO_IP, IP_TTL, 9}, {IPPROTO_IP, IP_TOS, 0x10}, {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 6}, {IPPROTO_IPV6, IPV6_TCLASS, 0x60},
	};
	assert_int_equal(sock_open(&f->env, (enum via_type)((int)VIA_STREAM | (int)VIA_V6), 0, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		assert_int_equal(sock_setopt(&f->env, s, set[i].level, set[i].name, &set[i].v, 4), 0);
	ep_tcp_opts(&f->env, ep_of(&f->env, s), &v4, &o);
	assert_int_equal(o.ttl, 9);
	assert_int_equal(o.tos, 0x10);
	ep_tcp_opts(&f->env, ep_of(&f->env, s), &v6, &o);
	assert_int_equal(o.ttl, 6);
	assert_int_equal(o.tos, 0x60);
}

/* What the user set is what TCP is given. */
static void tcp_opts__follow_the_options(void **state)
{
	struct fake *f = *state;
	via_sock s = fake_open(f, VIA_STREAM);
	struct endpoint *ep = ep_of(&f->env, s);
	struct tcp_opts o;
	ep_tcp_opts(&f->env, ep, &ep->remote, &o);
	assert_false(tcp_opts_are_rare(&o)); /* all default, so a connection needs no rare struct */
	assert_true(!o.rcvbuf && !o.sndbuf && !o.nodelay && !o.cork && !o.keepalive && !o.quickack);
	static const struct { int level, name, v; } set[] = {
		{SOL_SOCKET, SO_RCVBUF, 50000}, {SOL_SOCKET, SO_SNDBUF, 60000}, {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_CORK, 1}, {IPPROTO_TCP, TCP_MAXSEG, 500}, {IPPROTO_TCP, TCP_KEEPIDLE, 11}, {IPPROTO_TCP, TCP_KEEPINTVL, 12},
		{IPPROTO_TCP, TCP_KEEPCNT, 13}, {IPPROTO_TCP, TCP_SYNCNT, 4}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 9000}, {IPPROTO_TCP, TCP_QUICKACK, 1},
		{IPPROTO_IP, IP_TTL, 9}, {IPPROTO_IP, IP_TOS, 0x13},
	};
	for (size_t i = 0; i < ARRAY_LEN(set); i++)
		assert_int_equal(sock_setopt(&f->env, s, set[i].level, set[i].name, &set[i].v, 4), 0);
	ep_tcp_opts(&f->env, ep, &ep->remote, &o);
	assert_int_equal(o.rcvbuf, 50000);
	assert_int_equal(o.sndbuf, 120000); /* true size, as Linux counts; a half of the other is window */
	assert_true(o.keepalive && o.nodelay && o.cork && o.quickack);
	assert_int_equal(o.mss_clamp, 500);
	assert_int_equal(o.keep_idle_s, 11);
	assert_int_equal(o.keep_intvl_s, 12);
	assert_int_equal(o.keep_cnt, 13);
	assert_int_equal(o.syn_retries, 4);
	assert_int_equal(o.user_timeout_ms, 9000);
	assert_int_equal(o.ttl, 9);
	assert_int_equal(o.tos, 0x10); /* the ECN bits are TCP's */
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(options__ints_as_the_kernel), T(options__unknown_as_the_kernel), T(options__linger_as_the_kernel),
	T(options__timeouts_as_the_kernel),
		T(options__congestion), T(req_TX_013__options_and_the_setting), T(options__info_of_an_idle_socket), T(options__told_only),
		T(tcp_opts__by_the_peers_family),
		T(tcp_opts__follow_the_options),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
