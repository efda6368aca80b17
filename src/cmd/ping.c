/* cmd/ping.c - `via ping`: echo requests from a node of a lab, or behind a gateway to the outside, told as iputils' ping tells them.
 *
 * Words, flags and exit status are iputils': 0 if anything answered, 1 if not (or with -w fewer than -c), 2 if it could not be done. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/icmp_text.h"
#include "cmd/job.h"
#include "cmd/lab_host.h"
#include "cmd/run_wan.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { PING_COUNT, PING_INTERVAL, PING_SIZE, PING_TTL, PING_WAIT, PING_DEADLINE, PING_DISCOVER, PING_TOPOLOGY, PING_SHAPE, PING_SEED,
	PING_LINK, PING_LOOPBACK };
static const struct cmd_option options[] = {
	[PING_COUNT] = {'c', "count", "N", "stop after N requests"},
	[PING_INTERVAL] = {'i', "interval", "SECONDS", "between requests (1)"},
	[PING_SIZE] = {'s', "size", "BYTES", "of data (56)"},
	[PING_TTL] = {'t', "ttl", "N", "time to live"},
	[PING_WAIT] = {'W', "timeout", "SECONDS", "wait for the first answer after the last request (10)"},
	[PING_DEADLINE] = {'w', "deadline", "SECONDS", "end by then"},
	[PING_DISCOVER] = {'M', "pmtudisc", "do|want|dont", "may requests be fragmented: never; as path MTU discovery says; always"},
	[PING_TOPOLOGY] = {0, "topology", "FILE", "in a lab of this file, made for it, in virtual time; -n names the node"},
	[PING_SHAPE] = {0, "topo", "SHAPE", "the same of one line: line,3  ring,5  clos,2,4  tree,3,10"},
	[PING_SEED] = {0, "seed", "N", "of such a lab, or of the link"},
	[PING_LINK] = {'l', "link", "KEY=VALUE,...", "behind the gateway: impair the way there: delay=20ms,loss=1%"},
	[PING_LOOPBACK] = {0, "host-loopback", "ADDR,...", "behind the gateway: let ADDR mean the machine's 127.0.0.1, or one of IPv6 ::1"},
	{0, NULL, NULL, NULL},
};

struct ping {
	const char *to;
	json_t *events; /* for -j */
	char address[64];
	int64_t sent_most, deadline;
};

/* As iputils writes a time: three digits that matter. */
static void put_time(int64_t us)
{
	if (us >= 100000)
		printf("%" PRId64, us / 1000);
	else if (us >= 10000)
		printf("%" PRId64 ".%01" PRId64, us / 1000, us % 1000 / 100);
	else if (us >= 1000)
		printf("%" PRId64 ".%02" PRId64, us / 1000, us % 1000 / 10);
	else
		printf("0.%03" PRId64, us);
}

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static void tell_start(struct ping *p, const json_t *msg)
{
	int64_t bytes = int_of(msg, "bytes"), headers = strchr(text_of(msg, "address"), ':') ? 48 : 28;
	snprintf(p->address, sizeof p->address, "%s", text_of(msg, "address"));
	if (cmd_global.json)
		return;
	printf("PING %s (%s) %" PRId64 "(%" PRId64 ") bytes of data.\n", p->to, p->address, bytes, bytes + headers);
	fflush(stdout);
}

static void tell_event(struct ping *p, const json_t *msg)
{
	const char *event = text_of(msg, "event");
	char text[64];
	if (cmd_global.json || cmd_global.quiet)
		return;
	if (strcmp(event, "reply") == 0) {
		printf("%" PRId64 " bytes from %s: icmp_seq=%" PRId64, int_of(msg, "bytes"), text_of(msg, "from"), int_of(msg, "seq"));
		if (int_of(msg, "ttl"))
			printf(" ttl=%" PRId64, int_of(msg, "ttl"));
		fputs(" time=", stdout);
		put_time(int_of(msg, "rtt_us"));
		puts(json_is_true(json_object_get(msg, "duplicate")) ? " ms (DUP!)" : " ms");
	} else if (strcmp(event, "error") == 0) {
		printf("From %s icmp_seq=%" PRId64 " %s\n", text_of(msg, "from"), int_of(msg, "seq"),
		       icmp_text(strchr(text_of(msg, "from"), ':') != NULL, (int)int_of(msg, "type"), (int)int_of(msg, "code"),
				 (int)int_of(msg, "mtu"), text));
	} else {
		printf("ping: sendmsg: %s\n", strerror((int)int_of(msg, "errno")));
	}
	fflush(stdout);
}

static void on_message(void *ctx, const json_t *msg)
{
	struct ping *p = ctx;
	if (strcmp(text_of(msg, "event"), "start") == 0)
		tell_start(p, msg);
	else
		tell_event(p, msg);
	if (p->events)
		json_array_append(p->events, (json_t *)(uintptr_t)msg);
}

/* The last lines; the exit status. */
static int tell_end(struct ping *p, json_t *sums)
{
	int64_t sent = int_of(sums, "transmitted"), got = int_of(sums, "received");
	bool is_well = got > 0 && !(p->deadline && p->sent_most && got < p->sent_most);
	json_object_del(sums, "done");
	if (cmd_global.json) {
		json_object_set_new(sums, "address", json_string(p->address));
		json_object_set(sums, "events", p->events);
		lab_host_print(sums);
		return is_well ? EXIT_WELL : EXIT_FAILED;
	}
	printf("\n--- %s ping statistics ---\n%" PRId64 " packets transmitted, %" PRId64 " received", p->to, sent, got);
	if (int_of(sums, "duplicates"))
		printf(", +%" PRId64 " duplicates", int_of(sums, "duplicates"));
	if (int_of(sums, "errors"))
		printf(", +%" PRId64 " errors", int_of(sums, "errors"));
	if (sent)
		printf(", %g%% packet loss, time %" PRId64 "ms", (double)((float)(sent - got) * 100 / (float)sent), int_of(sums, "time_ms"));
	putchar('\n');
	if (got) {
		static const char *const keys[] = {"min_us", "avg_us", "max_us", "mdev_us"};
		fputs("rtt min/avg/max/mdev = ", stdout);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			printf("%s%" PRId64 ".%03" PRId64, i ? "/" : "", int_of(sums, keys[i]) / 1000, int_of(sums, keys[i]) % 1000);
		puts(" ms");
	}
	return is_well ? EXIT_WELL : EXIT_FAILED;
}

/* {"job": "ping", ...}; gives. NULL after a sentence. */
static json_t *request(const struct cmd_args *a, bool is_virtual, int64_t *count, int64_t *deadline)
{
	static const struct { const char *word; int value; } discover[] = {{"dont", IP_PMTUDISC_DONT}, {"want", IP_PMTUDISC_WANT},
		{"do", IP_PMTUDISC_DO}, {"probe", IP_PMTUDISC_PROBE}};
	int64_t interval = job_seconds(a->opt[PING_INTERVAL], "-i", NS_PER_S), wait = job_seconds(a->opt[PING_WAIT], "-W", 10 * NS_PER_S);
	int64_t size = job_number(a->opt[PING_SIZE], "-s", 0, 65507, 56), ttl = job_number(a->opt[PING_TTL], "-t", 1, 255, 0);
	int how = -1;
	*deadline = job_seconds(a->opt[PING_DEADLINE], "-w", 0);
	*count = job_number(a->opt[PING_COUNT], "-c", 1, INT64_MAX / 2, is_virtual && !a->opt[PING_DEADLINE] ? 5 : 0);
	if (interval < 0 || wait < 0 || size < 0 || ttl < 0 || *deadline < 0 || *count < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(discover) && a->opt[PING_DISCOVER]; i++)
		if (strcmp(discover[i].word, a->opt[PING_DISCOVER]) == 0)
			how = discover[i].value;
	if (a->opt[PING_DISCOVER] && how < 0) {
		cmd_fail(EXIT_USAGE, "-M is do, want, dont or probe, not '%s'", a->opt[PING_DISCOVER]);
		return NULL;
	}
	return json_pack("{s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "job", "ping", "to", a->words[0], "family", cmd_global.family,
			 "count", (json_int_t)*count,
			 "interval_ns", (json_int_t)MAX(interval, 2 * NS_PER_MS), "bytes", (json_int_t)size, "ttl", (json_int_t)ttl, "wait_ns",
			 (json_int_t)wait, "deadline_ns", (json_int_t)*deadline, "discover", how);
}

/* Outside, names are the machine's. False after a sentence. */
static bool name_outside(json_t *what, const char *name)
{
	struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_DGRAM};
	char text[INET6_ADDRSTRLEN];
	hints.ai_family = cmd_global.family == 6 ? AF_INET6 : cmd_global.family == 4 ? AF_INET : AF_UNSPEC;
	int rc = getaddrinfo(name, NULL, &hints, &found);
	if (rc || !found || getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST)) {
		cmd_fail(EXIT_USAGE, "%s: %s", name, rc ? gai_strerror(rc) : "no address");
		if (found)
			freeaddrinfo(found);
		return false;
	}
	freeaddrinfo(found);
	json_object_set_new(what, "to", json_string(text));
	json_object_set_new(what, "node", json_string("program"));
	return true;
}

/* Where: a lab that is up (-n), one made for it (--topo), or behind a gateway. 0, or an exit status after a sentence. */
static int place_of(const struct cmd_args *a, json_t *what, struct job_place *p, char **name)
{
	const char *node = cmd_global.node;
	int status = lab_host_seed(a->opt[PING_SEED], &p->opts);
	if (status)
		return status;
	p->file = a->opt[PING_TOPOLOGY];
	p->shape = a->opt[PING_SHAPE];
	if (p->file || p->shape) {
		if (!node)
			return cmd_fail(EXIT_USAGE, "from which node? via -n NODE ping ...");
	} else if (node) {
		*name = ask_which(&node);
		p->name = *name;
		if (!p->name)
			return EXIT_USAGE;
	} else if (!name_outside(what, a->words[0])) {
		return EXIT_USAGE;
	} else {
		const struct cmd_args gateway = {.opt = {[RUN_LINK] = a->opt[PING_LINK], [RUN_SEED] = a->opt[PING_SEED],
			[RUN_LOOPBACK] = a->opt[PING_LOOPBACK]}};
		p->lab = run_wan_lab(&gateway, &status);
		return p->lab ? 0 : EXIT_USAGE;
	}
	if (a->opt[PING_LINK] || a->opt[PING_LOOPBACK])
		return cmd_fail(EXIT_USAGE, "--link and --host-loopback are for the way to the gateway, without -n");
	json_object_set_new(what, "node", json_string(node ? node : ""));
	return 0;
}

static int ping(const struct cmd_args *a)
{
	struct ping p = {.to = a->words[0], .events = cmd_global.json ? json_array() : NULL};
	struct job_place where = {0};
	char *name = NULL;
	json_t *what = request(a, a->opt[PING_TOPOLOGY] || a->opt[PING_SHAPE], &p.sent_most, &p.deadline);
	int status = what ? place_of(a, what, &where, &name) : EXIT_USAGE;
	if (!status) {
		json_t *sums = job_run(&where, what, on_message, &p, &status);
		status = sums ? tell_end(&p, sums) : EXIT_USAGE;
		json_decref(sums);
	}
	json_decref(p.events);
	json_decref(what);
	free(name);
	return status;
}

const struct cmd_command cmd_ping = {
	.name = "ping",
	.usage = "[-c N] ADDRESS|NAME",
	.summary = "ping from a node of a lab (via -n NODE ping), or to the outside",
	.detail = "From a node of a lab that is up: via -n NODE ping, or -n LAB:NODE when several labs are. With --topo or --topology the lab\n"
		  "is made for it and runs in virtual time (5 requests, unless -c). Without -n: from behind a gateway to the outside, as\n"
		  "`via run` has it. -q, in front of the command, says only the sums. Exit status as iputils': 0, 1 nothing answered, 2.",
	.options = options,
	.words_min = 1,
	.words_max = 1,
	.run = ping,
};
