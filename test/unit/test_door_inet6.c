/* door/target.c, make.c, opts.c: AF_INET6 through the door is as on Linux: names, IPv4 as mapped, IPV6_V6ONLY, options. See
 * door_child.h. */
#include "door_child.h"

static struct sockaddr_in6 at6(const struct in6_addr *a, uint16_t port)
{
	return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *a};
}

static struct in6_addr mapped(uint32_t ip)
{
	struct in6_addr a = {.s6_addr = {[10] = 0xff, [11] = 0xff, (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip}};
	return a;
}

/* Bound to a port of `a`, 0: a free one; a stream listens. */
static int bound6(int type, const struct in6_addr *a, uint16_t port, int v6only)
{
	struct sockaddr_in6 sa = at6(a, port);
	int fd = socket(AF_INET6, type, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || (type == SOCK_STREAM && listen(fd, 16) < 0)) {
		int e = errno;
		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int connect6(int fd, const struct in6_addr *a, uint16_t port)
{
	struct sockaddr_in6 sa = at6(a, port);
	return connect(fd, (struct sockaddr *)&sa, sizeof(sa));
}

static bool is_named(const struct sockaddr_in6 *sa, socklen_t len, const struct in6_addr *a, uint16_t port)
{
	return len == sizeof(*sa) && sa->sin6_family == AF_INET6 && ntohs(sa->sin6_port) == port &&
	       memcmp(&sa->sin6_addr, a, 16) == 0 && sa->sin6_scope_id == 0;
}

static int option(int fd, int name)
{
	int v = -99;
	socklen_t len = sizeof(v);
	return getsockopt(fd, IPPROTO_IPV6, name, &v, &len) == 0 && len == sizeof(v) ? v : -99;
}

static int set(int fd, int name, int v)
{
	return setsockopt(fd, IPPROTO_IPV6, name, &v, sizeof(v)) == 0 ? 0 : errno;
}

static int stream__by_the_loopback(void)
{
	struct sockaddr_in6 a, b;
	socklen_t la = sizeof(a), lb = sizeof(b);
	char buf[8];
	int l = bound6(SOCK_STREAM, &in6addr_loopback, 0, 0), fd = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(l >= 0 && getsockname(l, (struct sockaddr *)&a, &la) == 0);
	uint16_t port = ntohs(a.sin6_port);
	CHECK(is_named(&a, la, &in6addr_loopback, port) && port);
	CHECK(connect6(fd, &in6addr_loopback, port) == 0);
	la = sizeof(a);
	int c = accept(l, (struct sockaddr *)&a, &la);
	CHECK(c >= 0 && getsockname(fd, (struct sockaddr *)&b, &lb) == 0);
	CHECK(la == lb && memcmp(&a, &b, la) == 0);
	CHECK(getpeername(fd, (struct sockaddr *)&b, &lb) == 0 && is_named(&b, lb, &in6addr_loopback, port));
	CHECK(write(fd, "sixsix", 6) == 6 && read(c, buf, sizeof(buf)) == 6 && memcmp(buf, "sixsix", 6) == 0);
	int v = 0;
	socklen_t lv = sizeof(v);
	CHECK(getsockopt(c, SOL_SOCKET, SO_DOMAIN, &v, &lv) == 0 && v == AF_INET6);
	return 0;
}

static int stream__refused(void)
{
	int l = bound6(SOCK_STREAM, &in6addr_loopback, 0, 0), fd = socket(AF_INET6, SOCK_STREAM, 0);
	uint16_t port = port_of(l); /* both families have the port at the same place */
	close(l);
	CHECK(connect6(fd, &in6addr_loopback, port) < 0 && errno == ECONNREFUSED);
	return 0;
}

/* A server of both families sees its IPv4 clients as mapped, and talks to them so. */
static int dual__takes_both(void)
{
	struct sockaddr_in6 a;
	socklen_t la = sizeof(a);
	struct in6_addr v4 = mapped(INADDR_LOOPBACK);
	int l = bound6(SOCK_STREAM, &in6addr_any, 0, 0), c4 = socket(AF_INET, SOCK_STREAM, 0), c6 = socket(AF_INET6, SOCK_STREAM, 0);
	uint16_t port = port_of(l);
	CHECK(connect_to(c4, port) == 0);
	int s = accept(l, (struct sockaddr *)&a, &la);
	CHECK(s >= 0 && is_named(&a, la, &v4, port_of(c4)));
	CHECK(getsockname(s, (struct sockaddr *)&a, &la) == 0 && is_named(&a, la, &v4, port));
	CHECK(connect6(c6, &in6addr_loopback, port) == 0);
	s = accept(l, (struct sockaddr *)&a, &la);
	CHECK(s >= 0 && is_named(&a, la, &in6addr_loopback, port_of(c6)));
	/* And an AF_INET6 client reaches IPv4. */
	int l4 = bound(SOCK_STREAM), m = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(connect6(m, &v4, port_of(l4)) == 0 && getpeername(m, (struct sockaddr *)&a, &la) == 0 && is_named(&a, la, &v4, port_of(l4)));
	return 0;
}

static int dual__has_the_port_of_both(void)
{
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		struct sockaddr_in any = {.sin_family = AF_INET};
		int l = bound6(type, &in6addr_any, 0, 0), fd = socket(AF_INET, type, 0);
		any.sin_port = htons(port_of(l));
		CHECK(bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 && errno == EADDRINUSE);
		CHECK(bound6(type, &in6addr_any, port_of(l), 1) < 0 && errno == EADDRINUSE);
	}
	return 0;
}

/* With IPV6_V6ONLY two servers share the port, each its family. */
static int v6only__beside_ipv4(void)
{
	char c;
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		struct sockaddr_in any = {.sin_family = AF_INET};
		int l6 = bound6(type, &in6addr_any, 0, 1), l4 = socket(AF_INET, type, 0);
		uint16_t port = port_of(l6);
		any.sin_port = htons(port);
		CHECK(l6 >= 0 && bind(l4, (struct sockaddr *)&any, sizeof(any)) == 0);
		CHECK(type != SOCK_STREAM || listen(l4, 1) == 0);
		int c4 = socket(AF_INET, type, 0), c6 = socket(AF_INET6, type, 0);
		CHECK(connect_to(c4, port) == 0 && write(c4, "4", 1) == 1);
		CHECK(connect6(c6, &in6addr_loopback, port) == 0 && write(c6, "6", 1) == 1);
		int a4 = type == SOCK_STREAM ? accept(l4, NULL, NULL) : l4, a6 = type == SOCK_STREAM ? accept(l6, NULL, NULL) : l6;
		CHECK(read(a4, &c, 1) == 1 && c == '4' && read(a6, &c, 1) == 1 && c == '6');
		CHECK(polled(l4, POLLIN, 0) == 0 && polled(l6, POLLIN, 0) == 0);
	}
	return 0;
}

static int v6only__shuns_ipv4(void)
{
	struct in6_addr v4 = mapped(INADDR_LOOPBACK);
	struct sockaddr_in6 to = at6(&v4, 9);
	int l = bound6(SOCK_STREAM, &in6addr_any, 0, 1), fd = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET6, SOCK_DGRAM, 0);
	CHECK(connect_to(fd, port_of(l)) < 0 && errno == ECONNREFUSED);
	CHECK(bound6(SOCK_STREAM, &v4, 0, 1) < 0 && errno == EINVAL);
	int s = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(set(s, IPV6_V6ONLY, 1) == 0 && option(s, IPV6_V6ONLY) == 1);
	CHECK(connect6(s, &v4, 9) < 0 && errno == ENETUNREACH);
	CHECK(set(u, IPV6_V6ONLY, 1) == 0);
	CHECK(sendto(u, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == ENETUNREACH);
	CHECK(set(l, IPV6_V6ONLY, 0) == EINVAL); /* too late */
	return 0;
}

static int families__do_not_mix(void)
{
	struct sockaddr_storage big = {.ss_family = AF_INET};
	struct sockaddr_in6 to = at6(&in6addr_loopback, 9);
	struct sockaddr_in to4 = at_port(9);
	int s4 = socket(AF_INET, SOCK_STREAM, 0), s6 = socket(AF_INET6, SOCK_STREAM, 0), u4 = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(connect(s4, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EAFNOSUPPORT);
	CHECK(bind(s4, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EAFNOSUPPORT);
	CHECK(sendto(u4, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EAFNOSUPPORT);
	CHECK(connect(s6, (struct sockaddr *)&to4, sizeof(to4)) < 0 && errno == EINVAL); /* too short */
	CHECK(bind(s6, (struct sockaddr *)&to4, sizeof(to4)) < 0 && errno == EINVAL);
	CHECK(bind(s6, (struct sockaddr *)&big, sizeof(big)) < 0 && errno == EAFNOSUPPORT);
	CHECK(setsockopt(s4, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int)) < 0 && errno == ENOPROTOOPT);
	int v;
	socklen_t len = sizeof(v);
	CHECK(getsockopt(s4, IPPROTO_IPV6, IPV6_V6ONLY, &v, &len) < 0 && errno == EOPNOTSUPP);
	return 0;
}

static int dgram__names_and_pktinfo(void)
{
	struct sockaddr_in6 from, to;
	struct sockaddr_in to4;
	struct in6_addr v4 = mapped(INADDR_LOOPBACK);
	char buf[8], control[128];
	struct iovec iov = {buf, sizeof(buf)};
	int s = bound6(SOCK_DGRAM, &in6addr_any, 0, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
	CHECK(set(s, IPV6_RECVPKTINFO, 1) == 0);
	to = at6(&in6addr_loopback, port_of(s));
	to4 = at_port(port_of(s));
	for (int is_v4 = 0; is_v4 < 2; is_v4++) {
		struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				   .msg_controllen = sizeof(control)};
		const void *at = is_v4 ? (const void *)&to4 : &to; /* a datagram may be given either */
		CHECK(sendto(c, "words", 5, 0, at, is_v4 ? sizeof(to4) : sizeof(to)) == 5);
		CHECK(recvmsg(s, &m, 0) == 5 && is_named(&from, m.msg_namelen, is_v4 ? &v4 : &in6addr_loopback, port_of(c)));
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		struct in6_pktinfo p;
		CHECK(h && h->cmsg_level == IPPROTO_IPV6 && h->cmsg_type == IPV6_PKTINFO && h->cmsg_len == CMSG_LEN(sizeof(p)));
		memcpy(&p, CMSG_DATA(h), sizeof(p));
		CHECK(memcmp(&p.ipi6_addr, is_v4 ? &v4 : &in6addr_loopback, 16) == 0 && p.ipi6_ifindex == 1);
		CHECK(sendto(s, "back", 4, 0, (struct sockaddr *)&from, m.msg_namelen) == 4 && read(c, buf, sizeof(buf)) == 4);
	}
	return 0;
}

static int dgram__refused_when_connected(void)
{
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	char c;
	int l = bound6(SOCK_DGRAM, &in6addr_loopback, 0, 0), fd = socket(AF_INET6, SOCK_DGRAM, 0);
	uint16_t port = port_of(l);
	close(l);
	CHECK(connect6(fd, &in6addr_loopback, port) == 0 && write(fd, "x", 1) == 1);
	CHECK(polled(fd, POLLIN, 2000));
	CHECK(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &len) < 0 && errno == ECONNREFUSED);
	return 0;
}

static int options__have_linuxs_ranges(void)
{
	static const struct { int name, given, want; int err; } rows[] = {
		{IPV6_UNICAST_HOPS, 7, 7, 0}, {IPV6_UNICAST_HOPS, -1, 64, 0}, {IPV6_UNICAST_HOPS, 256, 64, EINVAL},
		{IPV6_UNICAST_HOPS, -2, 64, EINVAL}, {IPV6_MULTICAST_HOPS, 255, 255, 0}, {IPV6_MULTICAST_HOPS, -1, 1, 0},
		{IPV6_MULTICAST_HOPS, 256, 1, EINVAL}, {IPV6_TCLASS, 0xb8, 0xb8, 0}, {IPV6_TCLASS, -1, 0, 0}, {IPV6_TCLASS, 256, 0, EINVAL},
		{IPV6_MULTICAST_LOOP, 0, 0, 0}, {IPV6_MULTICAST_LOOP, 2, 0, EINVAL}, {IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, IPV6_PMTUDISC_DO, 0},
		{IPV6_MTU_DISCOVER, 6, IPV6_PMTUDISC_DO, EINVAL}, {IPV6_RECVERR, 1, 1, 0}, {IPV6_DONTFRAG, 1, 1, 0}, {IPV6_RECVTCLASS, 1, 1, 0},
		{IPV6_RECVHOPLIMIT, 1, 1, 0}, {IPV6_RECVPKTINFO, 5, 1, 0}, {IPV6_V6ONLY, 3, 1, 0},
	};
	int u = socket(AF_INET6, SOCK_DGRAM, 0), s = socket(AF_INET6, SOCK_STREAM, 0);
	CHECK(option(u, IPV6_UNICAST_HOPS) == 64 && option(u, IPV6_MULTICAST_HOPS) == 1 && option(u, IPV6_MULTICAST_LOOP) == 1);
	CHECK(option(u, IPV6_TCLASS) == 0 && option(u, IPV6_MTU_DISCOVER) == IPV6_PMTUDISC_WANT);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(set(u, rows[i].name, rows[i].given) == rows[i].err);
		CHECK(option(u, rows[i].name) == rows[i].want);
	}
	CHECK(set(s, IPV6_MULTICAST_HOPS, 3) == ENOPROTOOPT && set(s, IPV6_MULTICAST_IF, 0) == ENOPROTOOPT);
	CHECK(set(s, IPV6_TCLASS, 0x2f) == 0 && option(s, IPV6_TCLASS) == 0x2c); /* the ECN bits are TCP's */
	char byte = 1;
	CHECK(setsockopt(u, IPPROTO_IPV6, IPV6_TCLASS, &byte, 1) < 0 && errno == EINVAL);
	int mtu;
	socklen_t len = sizeof(mtu);
	CHECK(getsockopt(s, IPPROTO_IPV6, IPV6_MTU, &mtu, &len) < 0 && errno == ENOTCONN);
	return 0;
}

static const struct scenario all[] = {
	{"stream__by_the_loopback", stream__by_the_loopback, 0},
	{"stream__refused", stream__refused, 0},
	{"dual__takes_both", dual__takes_both, 0},
	{"dual__has_the_port_of_both", dual__has_the_port_of_both, 0},
	{"v6only__beside_ipv4", v6only__beside_ipv4, 0},
	{"v6only__shuns_ipv4", v6only__shuns_ipv4, 0},
	{"families__do_not_mix", families__do_not_mix, 0},
	{"dgram__names_and_pktinfo", dgram__names_and_pktinfo, 0},
	{"dgram__refused_when_connected", dgram__refused_when_connected, 0},
	{"options__have_linuxs_ranges", options__have_linuxs_ranges, 0},
};

int main(int argc, char **argv)
{
	return scenarios_main(argc, argv, all, sizeof(all) / sizeof(all[0]), NULL);
}
