/* cmd/ss_export.c - `via ss --export DIR`: a stack's sockets and counters in the files that Linux tools read.
 *
 * DIR/net/{tcp,tcp6,udp,udp6,raw,raw6,snmp,netstat,snmp6,sockstat} have the kernel's formats (net/ipv4/tcp_ipv4.c, udp.c, proc.c), so
 * PROC_ROOT=DIR makes ss and nstat show them. Of TCP's state that text carries little; DIR/tcp.diag holds all of it as the netlink
 * messages of sock_diag(7), which ss reads from $TCPDIAG_FILE. */
#include "cmd/ss.h"
#include "cmd/cmd.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <viaduct/tcp_info.h>
#include <sys/stat.h>

enum { USER_HZ = 100, STATE_LISTEN = 10 };

/* Linux's number of what the socket's timer is. */
static int timer_number(const json_t *socket)
{
	static const char *const names[] = {"off", "on", "keepalive", "timewait", "persist"};
	const char *name = ss_text(json_object_get(socket, "timer"), "name");
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return 0;
}

/* One word, in IPv6 four. */
static int address(const json_t *s, const char *key, uint32_t out[4])
{
	char text[INET6_ADDRSTRLEN];
	bool is_v6 = ss_int(s, "family") == 6;
	memset(out, 0, 4 * sizeof *out);
	snprintf(text, sizeof text, "%.*s", (int)strcspn(ss_text(s, key), "%"), ss_text(s, key));
	inet_pton(is_v6 ? AF_INET6 : AF_INET, text, out);
	return is_v6 ? 4 : 1;
}

/* --- DIR/net --- */

static void put_end(FILE *f, const json_t *s, const char *key, const char *port)
{
	uint32_t word[4];
	int n = address(s, key, word);
	for (int i = 0; i < n; i++)
		fprintf(f, "%08X", word[i]);
	fprintf(f, ":%04X ", (unsigned)ss_int(s, port));
}

static void put_socket(FILE *f, const json_t *s, int n)
{
	const json_t *timer = json_object_get(s, "timer"), *i = json_object_get(s, "tcp_info");
	int64_t ssthresh = ss_int(i, "snd_ssthresh");
	fprintf(f, "%4d: ", n);
	put_end(f, s, "local", "local_port");
	put_end(f, s, "peer", "peer_port");
	fprintf(f, "%02X %08X:%08X %02X:%08" PRIX64 " %08X %5u %8d %d %d %016x", (unsigned)ss_state(s),
		(unsigned)ss_int(s, "send_q"), (unsigned)ss_int(s, "recv_q"), (unsigned)timer_number(s),
		(uint64_t)(ss_int(timer, "expires_ms") * USER_HZ / 1000), (unsigned)ss_int(timer, "retrans"), 0u, 0, n + 1, 1, 0u);
	if (i)
		fprintf(f, " %" PRId64 " %" PRId64 " %d %" PRId64 " %" PRId64, ss_int(i, "rto") * USER_HZ / 1000000,
			ss_int(i, "ato") * USER_HZ / 1000000, 0, ss_int(i, "snd_cwnd"), ssthresh < 0xffff ? ssthresh : -1);
	fputc('\n', f);
}

/* name: "tcp", "udp6", ... */
static void put_sockets(FILE *f, const json_t *sockets, const char *name)
{
	const json_t *s;
	size_t i;
	int n = 0, family = name[3] == '6' ? 6 : 4;
	if (family == 6)
		fprintf(f, "  sl  %-37s %-37s st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", "local_address",
			"remote_address");
	else
		fprintf(f, "%-*s\n", strcmp(name, "tcp") == 0 ? 149 : 127,
			"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
	json_array_foreach(sockets, i, s)
		if (strncmp(ss_text(s, "type"), name, 3) == 0 && ss_int(s, "family") == family)
			put_socket(f, s, n++);
}

static int64_t count_states(const json_t *sockets, const char *type, int a, int b)
{
	const json_t *s;
	size_t i;
	int64_t n = 0;
	json_array_foreach(sockets, i, s)
		n += strcmp(ss_text(s, "type"), type) == 0 && (!a || ss_state(s) == a || ss_state(s) == b);
	return n;
}

/* A counter of the kernel's and ours that mean the same; several of ours add up. */
struct mib {
	const char *name, *ours[4];
};

/* "Ip: NAMES" and "Ip: VALUES". */
static void put_mib(FILE *f, const char *prefix, const struct mib *m, const json_t *counters)
{
	fprintf(f, "%s:", prefix);
	for (const struct mib *x = m; x->name; x++)
		fprintf(f, " %s", x->name);
	fprintf(f, "\n%s:", prefix);
	for (const struct mib *x = m; x->name; x++) {
		int64_t sum = 0;
		for (int k = 0; k < 4 && x->ours[k]; k++)
			sum += ss_int(counters, x->ours[k]);
		fprintf(f, " %" PRId64, sum);
	}
	fputc('\n', f);
}

static void put_snmp(FILE *f, const json_t *sockets, json_t *counters)
{
	static const struct mib ip[] = {{"InReceives", {"ip.in"}}, {"InHdrErrors", {"drop.ip.bad", "drop.ip.checksum", "drop.ip.ttl"}},
		{"InAddrErrors", {"drop.ip.not_ours", "drop.ip.source"}}, {"ForwDatagrams", {"ip.forwarded"}}, {"InDelivers", {"ip.local"}},
		{"OutRequests", {"ip.out"}}, {"OutNoRoutes", {"drop.ip.no_route"}}, {NULL, {NULL}}};
	static const struct mib icmp[] = {{"OutMsgs", {"icmp.echo_answered", "icmp.errors_sent"}}, {"OutEchoReps", {"icmp.echo_answered"}},
		{"InCsumErrors", {"drop.icmp.checksum"}}, {NULL, {NULL}}};
	static const struct mib tcp[] = {{"ActiveOpens", {"tcp.active_opens"}}, {"PassiveOpens", {"tcp.passive_opens"}},
		{"AttemptFails", {"tcp.attempt_fails"}}, {"EstabResets", {"tcp.estab_resets"}}, {"CurrEstab", {"tcp.curr_estab"}},
		{"InSegs", {"tcp.in_segs"}}, {"OutSegs", {"tcp.out_segs"}}, {"RetransSegs", {"tcp.retrans_segs"}},
		{"InErrs", {"drop.tcp.bad", "drop.tcp.checksum"}}, {"OutRsts", {"tcp.out_rsts"}},
		{"InCsumErrors", {"drop.tcp.checksum"}}, {NULL, {NULL}}};
	static const struct mib udp[] = {{"InDatagrams", {"udp.in"}}, {"NoPorts", {"drop.udp.no_socket"}},
		{"InErrors", {"drop.udp.bad", "drop.udp.checksum"}}, {"OutDatagrams", {"udp.out"}}, {"RcvbufErrors", {"drop.udp.rcvbuf"}},
		{"InCsumErrors", {"drop.udp.checksum"}}, {NULL, {NULL}}};
	json_object_set_new(counters, "tcp.curr_estab", json_integer(count_states(sockets, "tcp", 1, 8)));
	put_mib(f, "Ip", ip, counters);
	put_mib(f, "Icmp", icmp, counters);
	put_mib(f, "Tcp", tcp, counters);
	put_mib(f, "Udp", udp, counters);
}

static void put_netstat(FILE *f, const json_t *counters)
{
	static const struct mib ext[] = {{"PAWSEstab", {"drop.tcp.paws"}}, {"TCPRcvQDrop", {"drop.tcp.rcvbuf"}}, {NULL, {NULL}}};
	put_mib(f, "TcpExt", ext, counters);
}

static void put_sockstat(FILE *f, const json_t *sockets)
{
	fprintf(f, "sockets: used %zu\n", json_array_size(sockets));
	fprintf(f, "TCP: inuse %" PRId64 " orphan 0 tw %" PRId64 " alloc %" PRId64 " mem 0\n",
		count_states(sockets, "tcp", 0, 0) - count_states(sockets, "tcp", 6, 6), count_states(sockets, "tcp", 6, 6),
		count_states(sockets, "tcp", 0, 0));
	fprintf(f, "UDP: inuse %" PRId64 " mem 0\n", count_states(sockets, "udp", 0, 0));
	fputs("UDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n", f);
}

/* --- DIR/tcp.diag --- */

static void put_attr(uint8_t *msg, uint16_t type, const void *data, size_t len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)msg;
	struct rtattr *a = (struct rtattr *)(msg + NLMSG_ALIGN(h->nlmsg_len));
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
}

static struct via_tcp_info tcp_info_of(const json_t *o)
{
	struct via_tcp_info i = {0};
#define F(name) i.tcpi_##name = (__typeof__(i.tcpi_##name))ss_int(o, #name);
#include "lab/tcp_info.def"
#undef F
	i.tcpi_snd_wscale = ss_int(o, "snd_wscale") & 15;
	i.tcpi_rcv_wscale = ss_int(o, "rcv_wscale") & 15;
	i.tcpi_delivery_rate_app_limited = ss_int(o, "delivery_rate_app_limited") & 1;
	i.tcpi_fastopen_client_fail = ss_int(o, "fastopen_client_fail") & 3;
	return i;
}

static struct tcp_bbr_info bbr_info_of(const json_t *o)
{
	uint64_t bw = (uint64_t)ss_int(o, "bw");
	return (struct tcp_bbr_info){.bbr_bw_lo = (uint32_t)bw, .bbr_bw_hi = (uint32_t)(bw >> 32),
		.bbr_min_rtt = (uint32_t)ss_int(o, "min_rtt"), .bbr_pacing_gain = (uint32_t)ss_int(o, "pacing_gain"),
		.bbr_cwnd_gain = (uint32_t)ss_int(o, "cwnd_gain")};
}

static void put_diag(FILE *f, const json_t *s)
{
	_Alignas(struct nlmsghdr) uint8_t msg[1024] = {0};
	struct nlmsghdr *h = (struct nlmsghdr *)msg;
	struct inet_diag_msg *d = NLMSG_DATA(h);
	const json_t *timer = json_object_get(s, "timer"), *info = json_object_get(s, "tcp_info"),
		     *bbr = json_object_get(s, "bbr");
	const char *cc = ss_text(s, "cc");
	const uint8_t v6_only = json_is_true(json_object_get(s, "v6only"));
	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_MULTI;
	h->nlmsg_len = NLMSG_LENGTH(sizeof *d);
	d->idiag_family = ss_int(s, "family") == 6 ? AF_INET6 : AF_INET;
	d->idiag_state = (uint8_t)ss_state(s);
	d->idiag_timer = (uint8_t)timer_number(s);
	d->idiag_retrans = (uint8_t)ss_int(timer, "retrans");
	d->idiag_expires = (uint32_t)ss_int(timer, "expires_ms");
	d->idiag_rqueue = (uint32_t)ss_int(s, "recv_q");
	d->idiag_wqueue = (uint32_t)ss_int(s, "send_q");
	d->id.idiag_sport = htons((uint16_t)ss_int(s, "local_port"));
	d->id.idiag_dport = htons((uint16_t)ss_int(s, "peer_port"));
	address(s, "local", d->id.idiag_src);
	address(s, "peer", d->id.idiag_dst);
	if (d->idiag_family == AF_INET6 && d->idiag_state == STATE_LISTEN)
		put_attr(msg, INET_DIAG_SKV6ONLY, &v6_only, sizeof v6_only);
	if (info) {
		struct via_tcp_info i = tcp_info_of(info);
		put_attr(msg, INET_DIAG_INFO, &i, sizeof i);
	}
	if (cc[0])
		put_attr(msg, INET_DIAG_CONG, cc, strlen(cc) + 1);
	if (bbr) {
		struct tcp_bbr_info b = bbr_info_of(bbr);
		put_attr(msg, INET_DIAG_BBRINFO, &b, sizeof b);
	}
	fwrite(msg, 1, h->nlmsg_len, f);
}

static void put_diags(FILE *f, const json_t *sockets)
{
	struct {
		struct nlmsghdr h;
		int error;
	} end = {{.nlmsg_len = NLMSG_LENGTH(sizeof(int)), .nlmsg_type = NLMSG_DONE, .nlmsg_flags = NLM_F_MULTI}, 0};
	const json_t *s;
	size_t i;
	for (int family = 4; family <= 6; family += 2)
		json_array_foreach(sockets, i, s)
			if (strcmp(ss_text(s, "type"), "tcp") == 0 && ss_int(s, "family") == family)
				put_diag(f, s);
	fwrite(&end, 1, sizeof end, f);
}

/* --- the folder --- */

static void put_file(FILE *f, const char *name, const json_t *sockets, json_t *counters)
{
	if (strcmp(name, "tcp.diag") == 0)
		put_diags(f, sockets);
	else if (strcmp(name, "net/snmp") == 0)
		put_snmp(f, sockets, counters);
	else if (strcmp(name, "net/netstat") == 0)
		put_netstat(f, counters);
	else if (strcmp(name, "net/sockstat") == 0)
		put_sockstat(f, sockets);
	else if (strcmp(name, "net/snmp6") != 0)
		put_sockets(f, sockets, name + strlen("net/"));
}

int ss_export(const char *dir, const json_t *answer)
{
	static const char *const names[] = {"net/tcp", "net/tcp6", "net/udp", "net/udp6", "net/raw", "net/raw6", "net/snmp", "net/snmp6",
		"net/netstat", "net/sockstat", "tcp.diag"};
	const json_t *sockets = json_object_get(answer, "sockets");
	json_t *counters = json_object_iter_value(json_object_iter(json_object_get(answer, "counters")));
	char path[4096];
	snprintf(path, sizeof path, "%s/net", dir);
	if ((mkdir(dir, 0777) && errno != EEXIST) || (mkdir(path, 0777) && errno != EEXIST))
		return cmd_fail(EXIT_FAILED, "cannot make the folder %s: %s", path, strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		FILE *f = fopen(path, "w");
		if (!f)
			return cmd_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
		put_file(f, names[i], sockets, counters);
		bool is_bad = ferror(f);
		if (fclose(f) || is_bad)
			return cmd_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
	}
	return EXIT_WELL;
}
