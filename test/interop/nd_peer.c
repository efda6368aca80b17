/* nd_peer.c - our side of nd_tap.sh and mcast_tap.sh: a stack on a TAP that configures itself by IPv6 (host), or is a
 * router that advertises (router).
 *
 *   nd-peer host TAP
 *   nd-peer router TAP ADDRESS       advertises the /64 of ADDRESS, which it has itself
 *
 * It answers TCP on port 7 with what it was sent, and takes one command a line, each of which prints one line: "addr" the first address
 * from a prefix, "router" the default router, "ping ADDR", "tcp ADDR PORT" (a megabyte there and back, compared), "probe ADDR" (is it
 * taken?), "stop" (advertise no more); "ip4 ADDR" (have it, /24), "join GROUP PORT" and "leave GROUP" (one socket for all), "heard" (the
 * next datagram it got), "say GROUP PORT TEXT". Ends with its input. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/tap.h"
#include "host/node.h"
#include "wire/addr.h"
#include "wire/icmp6.h"

enum { ECHO_PORT = 7, CONNS = 8, BULK = 1 << 20 };

static struct via *v;
static int ifindex, tap;
static via_sock listener, conns[CONNS], groups;

static struct via_addr addr_of(const char *text)
{
	struct via_addr a;
	if (via_addr_parse(text, strlen(text), &a)) {
		fprintf(stderr, "no address: %s\n", text);
		exit(2);
	}
	return a;
}

static void set(enum via_setting s, int64_t value)
{
	int err = via_configure(v, &(struct via_change){.kind = VIA_SET, .ifindex = ifindex, .setting = s, .value = value});
	if (err) {
		fprintf(stderr, "setting %d: %s\n", s, strerror(-err));
		exit(2);
	}
}

/* What came goes back. */
static void echo(void)
{
	static uint8_t buf[65536];
	via_sock s;
	for (int k = 0; k < CONNS; k++) {
		if (!conns[k] && via_accept(v, listener, 0, &s, NULL) == 0)
			conns[k] = s;
		int64_t n = conns[k] ? via_recv(v, conns[k], buf, sizeof(buf), MSG_PEEK) : -1;
		int64_t sent = n > 0 ? via_send(v, conns[k], buf, (uint32_t)n, 0) : 0;
		if (sent > 0)
			via_recv(v, conns[k], buf, (uint32_t)sent, 0);
		if (n == 0 || (n < 0 && conns[k] && via_ready(v, conns[k]) & (VIA_ERR | VIA_HUP))) {
			via_close(v, conns[k]);
			conns[k] = 0;
		}
	}
}

/* Let the stack run until something may have changed, for `ms` at most. */
static void turn(int ms)
{
	int64_t now = loop_now(), next = via_next_deadline(v);
	int64_t wait = next <= now ? 0 : (next - now) / NS_PER_MS + 1;
	struct pollfd fds = {.fd = tap, .events = POLLIN};
	poll(&fds, 1, (int)MIN(wait, (int64_t)ms));
	via_poll(v, loop_now(), 256);
	echo();
	via_flush(v, loop_now());
}

static void say_addr(void)
{
	struct via_addr_info i = {.size = sizeof(i)};
	char text[VIA_ADDR_STRLEN] = "none";
	for (int n = 0; via_addr_get(v, n, &i); n++)
		if (i.autoconf)
			via_addr_format(&i.addr, text);
	puts(text);
}

static void say_router(void)
{
	struct via_route_info r = {.size = sizeof(r)};
	char text[VIA_ADDR_STRLEN] = "none";
	for (int n = 0; via_route_get(v, n, &r); n++) {
		if (r.plen == 0 && !via_addr_is_v4(&r.dst)) {
			r.gateway.scope = 0;
			via_addr_format(&r.gateway, text);
		}
	}
	puts(text);
}

static void ping(const char *to)
{
	struct via_sockaddr at = {.addr = addr_of(to)}, from;
	uint8_t out[64] = {ICMP6_ECHO, [7] = 1, 'h', 'e', 'l', 'l', 'o'}, in[128];
	via_sock s;
	int64_t end = loop_now() + 5 * NS_PER_S, n = -1;
	if (via_open(v, VIA_PING, 0, &s) || via_sendto(v, s, out, sizeof(out), 0, &at) < 0) {
		puts("failed");
		return;
	}
	while (n < 0 && loop_now() < end) {
		turn(50);
		n = via_recvfrom(v, s, in, sizeof(in), 0, &from, NULL);
	}
	via_close(v, s);
	bool is_right = n == sizeof(out) && in[0] == ICMP6_ECHO_REPLY && memcmp(in + 8, "hello", 5) == 0 &&
			memcmp(from.addr.b, at.addr.b, 16) == 0;
	puts(is_right ? "ok" : "failed");
}

static void tcp(const char *to, int port)
{
	static uint8_t out[BULK], in[BULK];
	struct via_sockaddr at = {.addr = addr_of(to), .port = (uint16_t)port};
	uint32_t sent = 0, back = 0;
	via_sock s;
	int64_t end = loop_now() + 12 * NS_PER_S, n;
	for (uint32_t k = 0; k < BULK; k++)
		out[k] = (uint8_t)(k * 31 + k / 997);
	if (via_open(v, VIA_STREAM, 0, &s) || via_connect(v, s, &at) != -EINPROGRESS) {
		puts("failed");
		return;
	}
	while (back < BULK && loop_now() < end) {
		turn(20);
		n = via_ready(v, s) & VIA_OUT ? via_send(v, s, out + sent, BULK - sent, 0) : 0;
		sent += n > 0 ? (uint32_t)n : 0;
		n = via_recv(v, s, in + back, BULK - back, 0);
		back += n > 0 ? (uint32_t)n : 0;
	}
	via_close(v, s);
	puts(back == BULK && memcmp(in, out, BULK) == 0 ? "ok" : "failed");
}

static void probe(const char *text)
{
	struct via_acd_info i = {.size = sizeof(i)};
	struct via_change c = {.kind = VIA_ADDR_PROBE, .ifindex = ifindex, .addr = addr_of(text), .plen = 64};
	int64_t end = loop_now() + 4 * NS_PER_S;
	enum via_acd_state state = VIA_ACD_PROBING;
	via_configure(v, &c);
	while (state == VIA_ACD_PROBING && loop_now() < end) {
		turn(50);
		for (int n = 0; via_acd_get(v, n, &i); n++)
			if (memcmp(i.addr.b, c.addr.b, 16) == 0)
				state = i.state;
	}
	puts(state == VIA_ACD_CONFLICT ? "taken" : state == VIA_ACD_IN_USE ? "free" : "unknown");
}

static void ip4(const char *text)
{
	struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = addr_of(text), .plen = 24};
	puts(via_configure(v, &c) ? "failed" : "ok");
}

/* port 0: leave. */
static void join(const char *text, int port)
{
	struct via_sockaddr at = {.port = (uint16_t)port};
	const struct via_addr g = addr_of(text);
	struct ip_mreqn m4 = {.imr_multiaddr.s_addr = via_addr_is_v4(&g) ? htonl(via_addr_to_v4(&g)) : 0, .imr_ifindex = ifindex};
	struct ipv6_mreq m6 = {.ipv6mr_interface = (unsigned)ifindex};
	memcpy(&m6.ipv6mr_multiaddr, g.b, 16);
	if (!groups && (via_open(v, VIA_DGRAM, 0, &groups) || via_bind(v, groups, &at)))
		puts("failed");
	else if (via_addr_is_v4(&g))
		puts(via_setsockopt(v, groups, IPPROTO_IP, port ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, &m4, sizeof(m4)) ? "failed" : "ok");
	else
		puts(via_setsockopt(v, groups, IPPROTO_IPV6, port ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, &m6, sizeof(m6)) ? "failed" : "ok");
}

static void heard(void)
{
	char text[100] = "nothing";
	int64_t end = loop_now() + 3 * NS_PER_S, n = -1;
	while (groups && n < 0 && loop_now() < end) {
		turn(20);
		n = via_recv(v, groups, text, sizeof(text) - 1, 0);
	}
	text[n > 0 ? n : (int64_t)strlen("nothing")] = 0;
	puts(text);
}

static void say(const char *text, int port, const char *what)
{
	struct via_sockaddr to = {.addr = addr_of(text), .port = (uint16_t)port};
	int name = via_addr_is_v4(&to.addr) ? IP_MULTICAST_IF : IPV6_MULTICAST_IF;
	struct ip_mreqn m4 = {.imr_ifindex = ifindex};
	int err = via_addr_is_v4(&to.addr) ? via_setsockopt(v, groups, IPPROTO_IP, name, &m4, sizeof(m4))
					   : via_setsockopt(v, groups, IPPROTO_IPV6, name, &ifindex, sizeof(ifindex));
	puts(err || via_sendto(v, groups, what, (uint32_t)strlen(what), 0, &to) < 0 ? "failed" : "ok");
}

/* Of groups; false: it is none of these. */
static bool group_command(const char *what, const char *arg, const char *port)
{
	if (strcmp(what, "heard") == 0)
		heard();
	else if (arg && strcmp(what, "ip4") == 0)
		ip4(arg);
	else if (arg && strcmp(what, "leave") == 0)
		join(arg, 0);
	else if (arg && port && strcmp(what, "join") == 0)
		join(arg, atoi(port));
	else if (arg && port && strcmp(what, "say") == 0)
		say(arg, atoi(port), strtok(NULL, "\n"));
	else
		return false;
	return true;
}

static void command(char *line)
{
	const char *what = strtok(line, " \n"), *arg = strtok(NULL, " \n"), *port = strtok(NULL, " \n");
	via_poll(v, loop_now(), 256); /* its clock stood still */
	if (what && group_command(what, arg, port)) {
		fflush(stdout);
		return;
	}
	if (what && strcmp(what, "addr") == 0)
		say_addr();
	else if (what && strcmp(what, "router") == 0)
		say_router();
	else if (what && arg && strcmp(what, "ping") == 0)
		ping(arg);
	else if (what && arg && port && strcmp(what, "tcp") == 0)
		tcp(arg, atoi(port));
	else if (what && arg && strcmp(what, "probe") == 0)
		probe(arg);
	else if (what && strcmp(what, "stop") == 0) {
		set(VIA_SET_RA, 0);
		puts("ok");
	} else
		puts("what?");
	fflush(stdout);
}

static void begin(const char *role, const char *device, const char *addr)
{
	bool is_router = strcmp(role, "router") == 0;
	struct host_stack_opts o = {.name = role, .mem = host_pktmem_new(64u << 20), .now = loop_now(), .forwarding = is_router};
	struct via_driver *d = tap_open(device, false);
	v = o.mem ? host_stack_new(&o) : NULL;
	ifindex = v && d ? via_iface_add(v, d, "eth0") : -1;
	if (ifindex < 0) {
		perror(device);
		exit(2);
	}
	tap = tap_fd(d);
	set(VIA_SET_IPV6, 1);
	if (is_router) {
		struct via_addr a = addr_of(addr);
		struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = a, .plen = 64};
		via_configure(v, &c);
		c = (struct via_change){.kind = VIA_SET, .ifindex = ifindex, .setting = VIA_SET_RA_PREFIX, .value = 1, .addr = a, .plen = 64};
		via_configure(v, &c);
		set(VIA_SET_RA_INTERVAL, 4);
		set(VIA_SET_RA, 1);
	}
	struct via_sockaddr any = {.port = ECHO_PORT};
	if (via_open(v, VIA_STREAM, 0, &listener) || via_bind(v, listener, &any) || via_listen(v, listener, CONNS)) {
		fputs("cannot listen\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	char line[256];
	if (argc < 3) {
		fputs("usage: nd-peer host|router TAP [ADDRESS]\n", stderr);
		return 2;
	}
	begin(argv[1], argv[2], argc > 3 ? argv[3] : "");
	for (;;) {
		struct pollfd in = {.fd = 0, .events = POLLIN};
		turn(20);
		if (poll(&in, 1, 0) > 0 && (!fgets(line, sizeof(line), stdin)))
			break;
		if (in.revents & POLLIN)
			command(line);
	}
	return 0;
}
