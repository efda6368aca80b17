/* cmd/program.c - one program behind the door. The stack's retransmission counter is read before and after, so that the
 * summary tells what happened during the program's life on its host. */
#include "cmd/program.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

struct program {
	struct door *door;
	struct via *stack;
	uint64_t retrans_before;
	int64_t started;
};

static uint64_t counter(struct via *v, const char *wanted)
{
	const char *name;
	uint64_t value;
	for (int i = 0; via_counter_get(v, i, &name, &value); i++) {
		if (strcmp(name, wanted) == 0)
			return value;
	}
	return 0;
}

int program_start(const struct door_config *c, struct program **out, char err[256])
{
	struct program *p = calloc(1, sizeof *p);
	err[0] = 0;
	if (!p)
		return -ENOMEM;
	p->stack = c->node->stack;
	p->retrans_before = counter(p->stack, "tcp.retrans_segs");
	p->started = loop_now();
	int e = door_spawn(c, &p->door, err);
	if (e) {
		free(p);
		return e;
	}
	*out = p;
	return 0;
}

void program_signal(struct program *p, int signo)
{
	door_signal(p->door, signo);
}

bool program_hangs_up(void)
{
	struct sigaction now;
	return sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler != SIG_IGN;
}

void program_signals(struct loop *loop, void (*cb)(void *ctx, int signo), void *ctx)
{
	loop_signal(loop, SIGINT, cb, ctx);
	loop_signal(loop, SIGTERM, cb, ctx);
	if (program_hangs_up())
		loop_signal(loop, SIGHUP, cb, ctx);
}

void program_pass(struct program *p, const struct loop *loop, int signo)
{
	if (signo == SIGHUP || !loop_signal_by_terminal(loop))
		program_signal(p, signo);
}

void program_free(struct program *p)
{
	door_free(p->door);
	free(p);
}

json_t *program_summary(const struct program *p)
{
	struct door_stats s;
	door_stats_get(p->door, &s);
	return json_pack("{s:{s:I,s:I,s:{s:I,s:I,s:I,s:I}}, s:{s:I,s:I}, s:{s:I,s:I}, s:I, s:I, s:I, s:I, s:I, s:b, s:f}",
		"sockets", "taken", (json_int_t)s.sockets_taken, "taken_udp", (json_int_t)s.sockets_udp,
		"left", "unix", (json_int_t)s.left_unix, "netlink", (json_int_t)s.left_netlink, "other", (json_int_t)s.left_other,
		"inet6_refused", (json_int_t)s.refused_inet6,
		"calls", "notified", (json_int_t)s.notifications, "sendmsg_recvmsg", (json_int_t)s.sendmsg_recvmsg,
		"bytes", "sent", (json_int_t)s.bytes_out, "received", (json_int_t)s.bytes_in,
		"connects", (json_int_t)s.connects, "accepts", (json_int_t)s.accepts, "dns_questions", (json_int_t)s.dns_questions,
		"retransmissions", (json_int_t)(counter(p->stack, "tcp.retrans_segs") - p->retrans_before),
		"processes_left", (json_int_t)s.processes_left, "sync_wake_up", s.has_sync_wake_up,
		"seconds", (double)(loop_now() - p->started) / 1e9);
}

static json_int_t number(const json_t *o, const char *group, const char *key)
{
	return json_integer_value(json_object_get(group ? json_object_get(o, group) : o, key));
}

/* A server put into the background by a shell that ends, say. */
static void print_orphans(json_int_t n)
{
	if (n == 1)
		fputs("via: 1 process is left behind without a network\n", stderr);
	else if (n > 1)
		fprintf(stderr, "via: %" JSON_INTEGER_FORMAT " processes are left behind without a network\n", n);
}

/* "via: 3 sockets taken (1 UDP), 2 left to the kernel (2 unix), 1 IPv6 refused; " */
static void print_left(const json_t *s, const json_t *left)
{
	static const char *const kinds[][2] = {{"unix", "unix"}, {"netlink", "netlink"}, {"other", "other families"}};
	json_int_t kept = 0, refused = number(left, NULL, "inet6_refused"), taken = number(s, "sockets", "taken");
	const char *between = " (";
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		kept += number(left, NULL, kinds[i][0]);
	fprintf(stderr,
		"via: %" JSON_INTEGER_FORMAT " socket%s taken (%" JSON_INTEGER_FORMAT " UDP), %" JSON_INTEGER_FORMAT
		" left to the kernel",
		taken, taken == 1 ? "" : "s", number(s, "sockets", "taken_udp"), kept);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_int_t n = number(left, NULL, kinds[i][0]);
		if (n)
			fprintf(stderr, "%s%" JSON_INTEGER_FORMAT " %s", between, n, kinds[i][1]);
		between = n ? ", " : between;
	}
	fputs(kept ? ")" : "", stderr);
	if (refused)
		fprintf(stderr, ", %" JSON_INTEGER_FORMAT " IPv6 refused", refused);
	fputs("; ", stderr);
}

/* The lines of --report: what was taken, what not, and why. */
static void print_report(const json_t *s)
{
	const json_t *left = json_object_get(json_object_get(s, "sockets"), "left");
	const struct {
		const char *text;
		json_int_t n;
	} rows[] = {
		{"sockets taken by the node's stack", number(s, "sockets", "taken")},
		{"  of these UDP", number(s, "sockets", "taken_udp")},
		{"  connect calls, TCP and UDP", number(s, NULL, "connects")},
		{"  connections accepted", number(s, NULL, "accepts")},
		{"  questions for names", number(s, NULL, "dns_questions")},
		{"left to the kernel: UNIX sockets, which stay on this machine", number(left, NULL, "unix")},
		{"left to the kernel: netlink, which asks the kernel itself", number(left, NULL, "netlink")},
		{"left to the kernel: other families", number(left, NULL, "other")},
		{"IPv6 sockets refused (EAFNOSUPPORT)", number(left, NULL, "inet6_refused")},
		{"bytes sent by the program", number(s, "bytes", "sent")},
		{"bytes received by the program", number(s, "bytes", "received")},
		{"segments retransmitted by its node", number(s, NULL, "retransmissions")},
		{"system calls answered", number(s, "calls", "notified")},
		{"  of these sendmsg and recvmsg, of all families", number(s, "calls", "sendmsg_recvmsg")},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		fprintf(stderr, "via: %12" JSON_INTEGER_FORMAT "  %s\n", rows[i].n, rows[i].text);
	fprintf(stderr, "via: %12.2f  seconds; synchronous wake-ups: %s\n", json_real_value(json_object_get(s, "seconds")),
		json_is_true(json_object_get(s, "sync_wake_up")) ? "yes" : "no (Linux 6.6 has them)");
}

void program_tell(const json_t *s, bool report)
{
	if (cmd_global.quiet && !report)
		return;
	if (!cmd_global.json)
		print_orphans(number(s, NULL, "processes_left"));
	if (cmd_global.json) {
		json_dumpf(s, stderr, cmd_global.pretty ? JSON_INDENT(2) : JSON_COMPACT);
		fputc('\n', stderr);
	} else if (report || cmd_global.verbose) {
		print_report(s);
	} else {
		print_left(s, json_object_get(json_object_get(s, "sockets"), "left"));
		fprintf(stderr,
			"%" JSON_INTEGER_FORMAT " bytes sent, %" JSON_INTEGER_FORMAT " received, %" JSON_INTEGER_FORMAT
			" segments retransmitted by its host\n",
			number(s, "bytes", "sent"), number(s, "bytes", "received"), number(s, NULL, "retransmissions"));
	}
}

int program_failed(int error, const char *err)
{
	if (err[0])
		return cmd_fail(EXIT_OURS, "%s", err);
	return cmd_fail(EXIT_OURS, "cannot start the program: %s", strerror(-error));
}
