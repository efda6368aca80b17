/* cmd/ss.c - `via ss`: the sockets of a lab's stacks as iproute2's ss prints the kernel's, with its flags.
 *
 * The columns, the words and the order of what -i and -o add are those of ss 6.1, so that eyes and scripts need not learn
 * anew; tests compare with the real one, which reads what --export writes. More than one node: their name stands first. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include "cmd/ss.h"
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SS_TCP, SS_UDP, SS_ALL, SS_LISTENING, SS_NUMERIC, SS_INFO, SS_OPTIONS, SS_SUMMARY, SS_NO_HEADER, SS_EXPORT };
static const struct cmd_option ss_options[] = {
	[SS_TCP] = {'t', "tcp", NULL, "TCP sockets"},
	[SS_UDP] = {'u', "udp", NULL, "UDP sockets"},
	[SS_ALL] = {'a', "all", NULL, "listening and closed ones too"},
	[SS_LISTENING] = {'l', "listening", NULL, "only listening ones"},
	[SS_NUMERIC] = {'n', "numeric", NULL, "numbers, not names of services and units"},
	[SS_INFO] = {'i', "info", NULL, "what TCP knows of each connection (Linux's tcp_info)"},
	[SS_OPTIONS] = {'o', "options", NULL, "timers, and the options agreed on"},
	[SS_SUMMARY] = {'s', "summary", NULL, "only how many there are"},
	[SS_NO_HEADER] = {'H', "no-header", NULL, "no header line"},
	[SS_EXPORT] = {0, "export", "DIR", "write DIR/net/tcp and others instead: PROC_ROOT=DIR lets the real ss and nstat show them"},
	{0, NULL, NULL, NULL},
};

enum { COL_NODE, COL_NETID, COL_STATE, COL_RECVQ, COL_SENDQ, COL_LOCAL, COL_LPORT, COL_PEER, COL_PPORT, COL_N };
static const struct {
	const char *header, *before;
	bool right;
} columns[COL_N] = {
	{"Node", "", false}, {"Netid", " ", false}, {"State", " ", false}, {"Recv-Q", " ", false}, {"Send-Q", " ", false},
	{"Local Address:", " ", true}, {"Port", "", false}, {"Peer Address:", " ", true}, {"Port", "", false},
};

static const char *const states[] = {"UNKNOWN", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
	"CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING"};

struct ss_row {
	char cell[COL_N][80];
	char extra[1024];
};

struct ss_view {
	const struct cmd_args *a;
	bool shows[COL_N];
	struct ss_row *rows;
	size_t n;
};

int64_t ss_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

const char *ss_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static bool is_any(const char *address)
{
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

int ss_state(const json_t *s)
{
	int64_t state = ss_int(s, "state");
	if (strcmp(ss_text(s, "type"), "tcp") != 0)
		return ss_int(s, "peer_port") || !is_any(ss_text(s, "peer")) ? 1 : 7;
	return state > 0 && state < (int64_t)ARRAY_LEN(states) ? (int)state : 0;
}

/* --- what -o and -i add --- */

struct text {
	char *p, *end;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	int n = vsnprintf(t->p, (size_t)(t->end - t->p), format, ap);
	va_end(ap);
	t->p = n < t->end - t->p ? t->p + n : t->end - 1;
}

static void add_timer(struct text *t, const json_t *timer)
{
	int64_t ms = ss_int(timer, "expires_ms"), s = ms / 1000, min = s / 60;
	char left[64] = "";
	struct text w = {left, left + sizeof left};
	if (strcmp(ss_text(timer, "name"), "off") == 0)
		return;
	s %= 60;
	ms %= 1000;
	if (min)
		add(&w, "%" PRId64 "min", min);
	if (min > 9)
		s = 0;
	if (min || s > 9)
		ms = 0;
	if (s)
		add(&w, "%" PRId64 "%s", s, ms ? "." : "sec");
	if (ms)
		add(&w, "%03" PRId64 "ms", ms);
	add(t, " timer:(%s,%s,%" PRId64 ")", ss_text(timer, "name"), left, ss_int(timer, "retrans"));
}

/* " NAME:VALUE" unless 0. */
static void add_count(struct text *t, const json_t *i, const char *name, const char *key)
{
	if (ss_int(i, key))
		add(t, " %s:%" PRId64, name, ss_int(i, key));
}

/* The same for microseconds, in milliseconds. */
static void add_ms(struct text *t, const json_t *i, const char *name, const char *key)
{
	if (ss_int(i, key))
		add(t, " %s:%g", name, (double)ss_int(i, key) / 1000);
}

/* " NAME 12.3Mbps"; bytes/s. */
static void add_rate(struct text *t, const char *name, double bytes, bool numeric)
{
	static const struct { double least; char unit; } units[] = {{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e3, 'k'}};
	double bits = bytes * 8;
	add(t, " %s", name);
	for (size_t u = 0; u < ARRAY_LEN(units) && !numeric; u++) {
		if (bits >= units[u].least) {
			add(t, "%.3g%cbps", bits / units[u].least, units[u].unit);
			return;
		}
	}
	add(t, numeric ? "%.0fbps" : "%gbps", bits);
}

static void add_agreed(struct text *t, const json_t *i)
{
	static const struct { int bit; const char *word; } opts[] = {{1, "ts"}, {2, "sack"}, {8, "ecn"}, {16, "ecnseen"}, {32, "fastopen"}};
	for (size_t k = 0; k < ARRAY_LEN(opts); k++)
		if (ss_int(i, "options") & opts[k].bit)
			add(t, " %s", opts[k].word);
}

static void add_time_limited(struct text *t, const json_t *i)
{
	static const char *const keys[] = {"rwnd_limited", "sndbuf_limited"};
	int64_t busy = ss_int(i, "busy_time");
	if (!busy)
		return;
	add(t, " busy:%" PRId64 "ms", busy / 1000);
	for (int k = 0; k < 2; k++)
		if (ss_int(i, keys[k]))
			add(t, " %s:%" PRId64 "ms(%.1f%%)", keys[k], ss_int(i, keys[k]) / 1000, 100.0 * (double)ss_int(i, keys[k]) / (double)busy);
}

static void add_bbr(struct text *t, const json_t *b, bool numeric)
{
	static const char *const gains[] = {"pacing_gain", "cwnd_gain"};
	if (!b)
		return;
	add_rate(t, "bbr:(bw:", (double)ss_int(b, "bw"), numeric);
	add(t, ",mrtt:%g", (double)ss_int(b, "min_rtt") / 1000);
	for (int k = 0; k < 2; k++)
		if (ss_int(b, gains[k]))
			add(t, ",%s:%g", gains[k], (double)ss_int(b, gains[k]) / 256);
	add(t, ")");
}

static void add_rates(struct text *t, const json_t *i, bool numeric)
{
	int64_t rtt = ss_int(i, "rtt"), mss = ss_int(i, "snd_mss"), cwnd = ss_int(i, "snd_cwnd"), pacing = ss_int(i, "pacing_rate");
	if (rtt && mss && cwnd)
		add_rate(t, "send ", (double)cwnd * (double)mss * 1e6 / (double)rtt, numeric);
	add_count(t, i, "lastsnd", "last_data_sent");
	add_count(t, i, "lastrcv", "last_data_recv");
	add_count(t, i, "lastack", "last_ack_recv");
	if (pacing && pacing != -1) {
		add_rate(t, "pacing_rate ", (double)pacing, numeric);
		if (ss_int(i, "max_pacing_rate") > 0)
			add_rate(t, "/", (double)ss_int(i, "max_pacing_rate"), numeric);
	}
	if (ss_int(i, "delivery_rate"))
		add_rate(t, "delivery_rate ", (double)ss_int(i, "delivery_rate"), numeric);
	add_count(t, i, "delivered", "delivered");
	add_count(t, i, "delivered_ce", "delivered_ce");
	if (ss_int(i, "delivery_rate_app_limited"))
		add(t, " app_limited");
}

static void add_sizes(struct text *t, const json_t *i)
{
	static const char *const counts[] = {"bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received", "segs_out", "segs_in",
		"data_segs_out", "data_segs_in"};
	add_count(t, i, "mss", "snd_mss");
	add_count(t, i, "pmtu", "pmtu");
	add_count(t, i, "rcvmss", "rcv_mss");
	add_count(t, i, "advmss", "advmss");
	add_count(t, i, "cwnd", "snd_cwnd");
	if (ss_int(i, "snd_ssthresh") < 0xffff)
		add_count(t, i, "ssthresh", "snd_ssthresh");
	for (size_t k = 0; k < ARRAY_LEN(counts); k++)
		add_count(t, i, counts[k], counts[k]);
}

static void add_losses(struct text *t, const json_t *i, int state)
{
	add_count(t, i, "unacked", "unacked");
	if (ss_int(i, "retrans") || ss_int(i, "total_retrans"))
		add(t, " retrans:%" PRId64 "/%" PRId64, ss_int(i, "retrans"), ss_int(i, "total_retrans"));
	add_count(t, i, "lost", "lost");
	if (state != 10)
		add_count(t, i, "sacked", "sacked");
	add_count(t, i, "dsack_dups", "dsack_dups");
	add_count(t, i, "fackets", "fackets");
	if (ss_int(i, "reordering") != 3)
		add(t, " reordering:%" PRId64, ss_int(i, "reordering"));
	add_count(t, i, "reord_seen", "reord_seen");
	add_ms(t, i, "rcv_rtt", "rcv_rtt");
	add_count(t, i, "rcv_space", "rcv_space");
	add_count(t, i, "rcv_ssthresh", "rcv_ssthresh");
	add_count(t, i, "notsent", "notsent_bytes");
	if (ss_int(i, "min_rtt") != UINT32_MAX)
		add_ms(t, i, "minrtt", "min_rtt");
	add_count(t, i, "rcv_ooopack", "rcv_ooopack");
	add_count(t, i, "snd_wnd", "snd_wnd");
}

static void add_info(struct text *t, const json_t *s, bool options, bool numeric)
{
	const json_t *i = json_object_get(s, "tcp_info");
	if (!i)
		return;
	if (options)
		add_agreed(t, i);
	if (ss_text(s, "cc")[0])
		add(t, " %s", ss_text(s, "cc"));
	if (ss_int(i, "options") & 4)
		add(t, " wscale:%" PRId64 ",%" PRId64, ss_int(i, "snd_wscale"), ss_int(i, "rcv_wscale"));
	if (ss_int(i, "rto") != 3000000)
		add_ms(t, i, "rto", "rto");
	add_count(t, i, "backoff", "backoff");
	if (ss_int(i, "rtt"))
		add(t, " rtt:%g/%g", (double)ss_int(i, "rtt") / 1000, (double)ss_int(i, "rttvar") / 1000);
	add_ms(t, i, "ato", "ato");
	add_sizes(t, i);
	add_bbr(t, json_object_get(s, "bbr"), numeric);
	add_rates(t, i, numeric);
	add_time_limited(t, i);
	add_losses(t, i, ss_state(s));
}

/* --- rows --- */

static void put_port(char *out, size_t cap, const struct ss_view *v, int64_t port, const char *proto)
{
	/* Ports that clients are given mean no service. */
	bool may_have_name = !v->a->opt[SS_NUMERIC] && (port < 32768 || port > 60999);
	const struct servent *e = port && may_have_name ? getservbyport(htons((uint16_t)port), proto) : NULL;
	if (e)
		snprintf(out, cap, "%s", e->s_name);
	else if (port)
		snprintf(out, cap, "%" PRId64, port);
	else
		snprintf(out, cap, "*");
}

/* In IPv6 in brackets, the interface of a link-local one behind them; "*" is IPv4, too. */
static void put_address(char *out, size_t cap, const json_t *s, const char *key)
{
	const char *a = ss_text(s, key);
	int len = (int)strcspn(a, "%");
	if (ss_int(s, "family") != 6)
		snprintf(out, cap, "%s:", a);
	else if (is_any(a) && !json_is_true(json_object_get(s, "v6only")))
		snprintf(out, cap, "*:");
	else
		snprintf(out, cap, "[%.*s]%s:", len, a, a + len);
}

static void row_fill(struct ss_row *r, const struct ss_view *v, const json_t *s)
{
	const char *type = ss_text(s, "type");
	struct text t = {r->extra, r->extra + sizeof r->extra};
	size_t cap = sizeof r->cell[0];
	snprintf(r->cell[COL_NODE], cap, "%s", ss_text(s, "node"));
	snprintf(r->cell[COL_NETID], cap, "%s", type);
	snprintf(r->cell[COL_STATE], cap, "%s", states[ss_state(s)]);
	snprintf(r->cell[COL_RECVQ], cap, "%" PRId64, ss_int(s, "recv_q"));
	snprintf(r->cell[COL_SENDQ], cap, "%" PRId64, ss_int(s, "send_q"));
	put_address(r->cell[COL_LOCAL], cap, s, "local");
	put_address(r->cell[COL_PEER], cap, s, "peer");
	put_port(r->cell[COL_LPORT], cap, v, ss_int(s, "local_port"), type);
	put_port(r->cell[COL_PPORT], cap, v, ss_int(s, "peer_port"), type);
	if (v->a->opt[SS_OPTIONS])
		add_timer(&t, json_object_get(s, "timer"));
	if (v->a->opt[SS_INFO] && strcmp(type, "tcp") == 0) {
		add(&t, "\n\t");
		add_info(&t, s, v->a->opt[SS_OPTIONS] != NULL, v->a->opt[SS_NUMERIC] != NULL);
	}
}

/* ss's choice: by kind, and without -a or -l only what is connected. */
static bool is_wanted(const struct ss_view *v, const json_t *s)
{
	const struct cmd_args *a = v->a;
	const char *type = ss_text(s, "type");
	int state = ss_state(s);
	if (cmd_global.family && cmd_global.family != ss_int(s, "family"))
		return false;
	if ((a->opt[SS_TCP] || a->opt[SS_UDP]) && !(a->opt[SS_TCP] && strcmp(type, "tcp") == 0) &&
		!(a->opt[SS_UDP] && strcmp(type, "udp") == 0))
		return false;
	if (a->opt[SS_ALL])
		return true;
	if (a->opt[SS_LISTENING])
		return state == 10 || state == 7;
	return state != 10 && state != 7 && state != 6 && state != 3;
}

static void rows_print(const struct ss_view *v)
{
	int width[COL_N] = {0};
	for (int c = 0; c < COL_N; c++) {
		width[c] = v->a->opt[SS_NO_HEADER] ? 0 : (int)strlen(columns[c].header);
		for (size_t i = 0; i < v->n; i++)
			width[c] = MAX(width[c], (int)strlen(v->rows[i].cell[c]));
	}
	for (size_t i = v->a->opt[SS_NO_HEADER] ? 1 : 0; i <= v->n; i++) { /* 0: the header */
		bool first = true;
		for (int c = 0; c < COL_N; c++) {
			if (!v->shows[c])
				continue;
			const char *cell = i ? v->rows[i - 1].cell[c] : columns[c].header;
			printf("%s%*s", first ? "" : columns[c].before, columns[c].right ? width[c] : c == COL_PPORT && !i ? 0 : -width[c], cell);
			first = false;
		}
		puts(i ? v->rows[i - 1].extra : "");
	}
}

static int summary(const json_t *sockets)
{
	int64_t n[12] = {0}, tcp = 0, udp = 0, other = 0;
	const json_t *s;
	size_t i;
	json_array_foreach(sockets, i, s) {
		if (strcmp(ss_text(s, "type"), "tcp") == 0) {
			tcp++;
			n[ss_state(s)]++;
		} else if (strcmp(ss_text(s, "type"), "udp") == 0) {
			udp++;
		} else {
			other++;
		}
	}
	if (cmd_global.json) {
		json_t *o = json_pack("{s:I, s:I, s:I, s:{}}", "total", (json_int_t)(tcp + udp + other), "tcp", (json_int_t)tcp, "udp",
				      (json_int_t)udp, "states");
		for (size_t k = 1; k < ARRAY_LEN(states); k++)
			json_object_set_new(json_object_get(o, "states"), states[k], json_integer(n[k]));
		lab_host_print(o);
		json_decref(o);
		return EXIT_WELL;
	}
	printf("Total: %" PRId64 "\n", tcp + udp + other);
	printf("TCP:   %" PRId64 " (estab %" PRId64 ", closed %" PRId64 ", timewait %" PRId64 ")\n", tcp, n[1], n[7] + n[6], n[6]);
	printf("UDP:   %" PRId64 "\n", udp);
	return EXIT_WELL;
}

static int show(const struct cmd_args *a, const json_t *sockets, bool one_node)
{
	struct ss_view v = {.a = a, .rows = calloc(json_array_size(sockets) + 1, sizeof *v.rows)};
	static const char *const order[] = {"icmp", "udp", "tcp"};
	json_t *wanted = json_array();
	json_t *s;
	size_t i;
	if (!v.rows)
		return cmd_fail(EXIT_FAILED, "out of memory");
	memset(v.shows, true, sizeof v.shows);
	v.shows[COL_NODE] = !one_node;
	v.shows[COL_NETID] = !a->opt[SS_TCP] == !a->opt[SS_UDP];
	for (size_t k = 0; k < 2 * ARRAY_LEN(order); k++) { /* of each kind first those of IPv4 */
		json_array_foreach(sockets, i, s) {
			if (strcmp(ss_text(s, "type"), order[k / 2]) != 0 || ss_int(s, "family") != (k % 2 ? 6 : 4) || !is_wanted(&v, s))
				continue;
			json_array_append(wanted, s);
			row_fill(&v.rows[v.n++], &v, s);
		}
	}
	if (cmd_global.json)
		lab_host_print(wanted);
	else
		rows_print(&v);
	json_decref(wanted);
	free(v.rows);
	return EXIT_WELL;
}

static int tell(const struct cmd_args *a, const json_t *answer)
{
	const json_t *sockets = json_object_get(answer, "sockets");
	bool one_node = json_object_size(json_object_get(answer, "counters")) == 1;
	if (a->opt[SS_EXPORT] && !one_node)
		return cmd_fail(EXIT_USAGE, "one stack fits a folder; say which: via -n NODE ss --export DIR");
	if (a->opt[SS_EXPORT])
		return ss_export(a->opt[SS_EXPORT], answer);
	return a->opt[SS_SUMMARY] ? summary(sockets) : show(a, sockets, one_node);
}

static int ss_run(const struct cmd_args *a)
{
	const char *node;
	char *lab = ask_which(&node);
	if (!lab)
		return EXIT_FAILED;
	json_t *answer = ask_lab(lab, "ss", node);
	int status = answer ? ask_refused(answer) : EXIT_FAILED;
	if (!status)
		status = tell(a, answer);
	json_decref(answer);
	free(lab);
	return status;
}

const struct cmd_command cmd_ss = {"ss", "", "show the sockets of a lab that is up, or of `via run`, as ss does",
	"Which stack: via -n NODE ss, or -n LAB:NODE when several labs are up; without -n those of all nodes. With no lab up, the\n"
	"program of `via run`; -n run-PID: when there are several.\n"
	"The real ss shows more with PROC_ROOT=DIR TCPDIAG_FILE=DIR/tcp.diag ss, after --export DIR.",
	ss_options, 0, 0, false, ss_run};
