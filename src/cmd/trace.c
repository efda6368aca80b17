/* cmd/trace.c - `via trace`: the routers on the way from a node of a lab, as traceroute prints them, or with --report as mtr does. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/job.h"
#include "cmd/lab_host.h"
#include <inttypes.h>
#include <stdlib.h>

enum { TRACE_ICMP, TRACE_TCP, TRACE_UDP, TRACE_PORT, TRACE_MAX, TRACE_QUERIES, TRACE_WAIT, TRACE_NUMERIC, TRACE_REPORT, TRACE_CYCLES,
	TRACE_INTERVAL, TRACE_TOPOLOGY, TRACE_SHAPE, TRACE_SEED };
static const struct cmd_option options[] = {
	[TRACE_ICMP] = {'I', "icmp", NULL, "probe by echo requests"},
	[TRACE_TCP] = {'T', "tcp", NULL, "probe by TCP SYNs (port 80, or -p)"},
	[TRACE_UDP] = {'U', "udp", NULL, "probe by datagrams to ports that count up from 33434, or -p (default)"},
	[TRACE_PORT] = {'p', "port", "PORT", "of the target"},
	[TRACE_MAX] = {'m', "max-hops", "N", "go no further (30)"},
	[TRACE_QUERIES] = {'q', "queries", "N", "probes per hop (3)"},
	[TRACE_WAIT] = {'w', "wait", "SECONDS", "for an answer (5)"},
	[TRACE_NUMERIC] = {'n', "numeric", NULL, "addresses, not names"},
	[TRACE_REPORT] = {'r', "report", NULL, "rounds of probes, then statistics per hop, as mtr"},
	[TRACE_CYCLES] = {'c', "report-cycles", "N", "rounds of --report (10)"},
	[TRACE_INTERVAL] = {'i', "interval", "SECONDS", "between rounds (1)"},
	[TRACE_TOPOLOGY] = {0, "topology", "FILE", "in a lab of this file, made for it, in virtual time; -n names the node"},
	[TRACE_SHAPE] = {0, "topo", "SHAPE", "the same of one line: line,3  ring,5  clos,2,4  tree,3,10"},
	[TRACE_SEED] = {0, "seed", "N", "of such a lab"},
	{0, NULL, NULL, NULL},
};

enum { HEADERS = 28, HEADERS6 = 48, BYTES = 32, NAME_WIDTH = 30 };

struct trace {
	const char *to;
	bool is_numeric, is_report;
	int64_t max;
};

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

/* "r1 (10.0.1.1)", of a node without a name "10.0.1.1 (10.0.1.1)"; numeric "10.0.1.1". */
static void put_host(const struct trace *t, const json_t *probe)
{
	const char *address = text_of(probe, "from"), *name = text_of(probe, "name");
	if (t->is_numeric)
		printf(" %s", address);
	else
		printf(" %s (%s)", name[0] ? name : address, address);
}

static void tell_hop(const struct trace *t, const json_t *msg)
{
	const json_t *probe;
	const char *last = "";
	size_t i;
	printf("%2" PRId64 " ", int_of(msg, "ttl"));
	json_array_foreach(json_object_get(msg, "probes"), i, probe) {
		const char *from = text_of(probe, "from"), *flag = text_of(probe, "flag");
		if (!from[0]) {
			printf(" *");
			continue;
		}
		if (strcmp(from, last) != 0)
			put_host(t, probe);
		last = from;
		printf("  %" PRId64 ".%03" PRId64 " ms", int_of(probe, "rtt_us") / 1000, int_of(probe, "rtt_us") % 1000);
		printf(flag[0] ? " %s" : "%s", flag);
	}
	putchar('\n');
	fflush(stdout);
}

static void on_message(void *ctx, const json_t *msg)
{
	const struct trace *t = ctx;
	if (cmd_global.json)
		return;
	if (strcmp(text_of(msg, "event"), "hop") == 0)
		tell_hop(t, msg);
	else if (!t->is_report)
		printf("traceroute to %s (%s), %" PRId64 " hops max, %d byte packets\n", t->to, text_of(msg, "address"), t->max,
		       (strchr(text_of(msg, "address"), ':') ? HEADERS6 : HEADERS) + BYTES);
}

static void tell_report(const struct trace *t, const char *node, const json_t *hops)
{
	static const char *const keys[] = {"last_us", "avg_us", "best_us", "worst_us", "stdev_us"};
	const json_t *hop;
	size_t i, k;
	printf("HOST: %-*s Loss%%   Snt   Last   Avg  Best  Wrst StDev\n", NAME_WIDTH + 1, node);
	json_array_foreach(hops, i, hop) {
		const json_t *first = json_array_get(json_object_get(hop, "addresses"), 0);
		const char *name = t->is_numeric ? "" : text_of(first, "name"), *address = text_of(first, "address");
		int64_t sent = int_of(hop, "sent"), lost = sent - int_of(hop, "received");
		printf("%3" PRId64 ".|-- %-*s", int_of(hop, "ttl"), NAME_WIDTH, !address[0] ? "???" : name[0] ? name : address);
		printf("%5.1f%% %5" PRId64, sent ? 100.0 * (double)lost / (double)sent : 0.0, sent);
		for (k = 0; k < ARRAY_LEN(keys); k++)
			printf(k ? " %5.1f" : " %6.1f", (double)int_of(hop, keys[k]) / 1000);
		putchar('\n');
		for (k = 1; k < json_array_size(json_object_get(hop, "addresses")); k++) {
			const json_t *other = json_array_get(json_object_get(hop, "addresses"), k);
			const char *other_name = t->is_numeric ? "" : text_of(other, "name");
			printf("    |  `|-- %s\n", other_name[0] ? other_name : text_of(other, "address"));
		}
	}
}

/* {"job": "trace", ...}; gives. NULL after a sentence. */
static json_t *request(const struct cmd_args *a, struct trace *t)
{
	bool is_icmp = a->opt[TRACE_ICMP], is_tcp = a->opt[TRACE_TCP];
	int64_t port = job_number(a->opt[TRACE_PORT], "-p", 1, 65535, is_tcp ? 80 : 33434);
	int64_t wait = job_seconds(a->opt[TRACE_WAIT], "-w", 5 * NS_PER_S);
	int64_t queries = job_number(a->opt[TRACE_QUERIES], "-q", 1, 10, 3), cycles = job_number(a->opt[TRACE_CYCLES], "-c", 1, 1000, 10);
	int64_t interval = job_seconds(a->opt[TRACE_INTERVAL], "-i", NS_PER_S);
	t->max = job_number(a->opt[TRACE_MAX], "-m", 1, 64, 30);
	t->is_report = a->opt[TRACE_REPORT] || a->opt[TRACE_CYCLES];
	t->is_numeric = a->opt[TRACE_NUMERIC] != NULL;
	if (port < 0 || wait < 0 || queries < 0 || cycles < 0 || interval < 0 || t->max < 0)
		return NULL;
	if (is_icmp + is_tcp + (a->opt[TRACE_UDP] != NULL) > 1) {
		cmd_fail(EXIT_USAGE, "probes are of one kind: -I, -T or -U");
		return NULL;
	}
	return json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:b, s:I, s:I, s:i}", "job", "trace", "to", t->to, "family",
			 cmd_global.family, "kind", is_icmp ? "icmp" : is_tcp ? "tcp" : "udp",
			 "port", (json_int_t)port, "max", (json_int_t)t->max, "queries",
			 (json_int_t)(t->is_report ? cycles : queries), "is_report", t->is_report, "interval_ns", (json_int_t)interval, "wait_ns",
			 (json_int_t)wait, "bytes", BYTES);
}

static int trace(const struct cmd_args *a)
{
	struct trace t = {.to = a->words[0]};
	struct job_place where = {.file = a->opt[TRACE_TOPOLOGY], .shape = a->opt[TRACE_SHAPE]};
	const char *node = cmd_global.node;
	char *name = NULL;
	int status = lab_host_seed(a->opt[TRACE_SEED], &where.opts);
	json_t *what = status ? NULL : request(a, &t);
	if (!what)
		return EXIT_USAGE;
	if (!where.file && !where.shape)
		where.name = name = ask_which(&node);
	if (!node && (where.file || where.shape || where.name))
		cmd_fail(EXIT_USAGE, "from which node? via -n NODE trace ...");
	json_t *result = NULL;
	if (node && (where.file || where.shape || where.name)) {
		json_object_set_new(what, "node", json_string(node));
		result = job_run(&where, what, on_message, &t, &status);
	}
	bool is_reached = json_is_true(json_object_get(result, "reached"));
	json_object_del(result, "done");
	if (result && cmd_global.json)
		lab_host_print(result);
	else if (result && t.is_report)
		tell_report(&t, node, json_object_get(result, "hops"));
	status = !result ? EXIT_USAGE : is_reached ? EXIT_WELL : EXIT_FAILED;
	json_decref(result);
	json_decref(what);
	free(name);
	return status;
}

const struct cmd_command cmd_trace = {
	.name = "trace",
	.usage = "[-I|-T|-U] [--report] ADDRESS|NAME",
	.summary = "the routers on the way from a node of a lab (via -n NODE trace)",
	.detail = "As traceroute prints them, with --report as mtr does. From a node of a lab that is up: via -n NODE trace, or -n LAB:NODE\n"
		  "when several labs are; with --topo or --topology the lab is made for it and runs in virtual time. Exit status 0 if the\n"
		  "target answered, 1 if not.",
	.options = options,
	.words_min = 1,
	.words_max = 1,
	.run = trace,
};
