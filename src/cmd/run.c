/* cmd/run.c - `via run`: an unmodified program on its own stack; behind the gateway to the outside (run_wan.c), or on a TAP
 * or TUN device. */
#include "cmd/cmd.h"
#include "cmd/edge.h"
#include "cmd/program.h"
#include "cmd/run_wan.h"
#include "cmd/tell.h"
#include "lab/lab.h"
#include "serve/dns.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#define ARENA_BYTES ((size_t)16 << 20)

static const struct cmd_option options[] = {
	[RUN_LINK] = {'l', "link", "KEY=VALUE,...", "impair the link to the gateway: delay=20ms,loss=1%,rate=10mbit (doc/lab.md)"},
	[RUN_DEVICE] = {'i', "interface", "tap:NAME", "run on this device instead, without the gateway"},
	[RUN_ADDRESS] = {'a', "address", "ADDR/LEN", "the program's address, or dhcp (default, behind the gateway: 192.0.0.2/29)"},
	[RUN_GATEWAY] = {0, "gw", "ADDR", "default gateway (default, behind the gateway: 192.0.0.1)"},
	[RUN_MTU] = {'m', "mtu", "BYTES", "of the link to the gateway (default: 1500)"},
	[RUN_DNS] = {0, "dns", "ADDR[:PORT]", "name server to ask, in IPv6 [ADDR]:PORT (default: the machine's; with -i: none)"},
	[RUN_LOOPBACK] = {0, "host-loopback", "ADDR,...", "let ADDR mean the machine's 127.0.0.1, or one of IPv6 ::1; not reached otherwise"},
	[RUN_TCP] = {'t', "tcp-ports", "HOST:GUEST,...", "lead TCP ports of this machine to the program: 8080:80, [ADDR]:8080:80"},
	[RUN_UDP] = {'u', "udp-ports", "HOST:GUEST,...", "the same for UDP"},
	[RUN_SEED] = {'s', "seed", "N", "seed of loss, delay and all randomness of the link (default: 1)"},
	[RUN_PCAPNG] = {0, "pcapng", "FILE", "capture the link to the gateway into FILE"},
	[RUN_REPORT] = {0, "report", NULL, "tell in full what was taken and what not, even under -q"},
	{0, NULL, NULL, NULL},
};

struct session {
	struct edge edge;
	struct program *program;
	struct arena *arena; /* the resolver's */
	struct dns_zone zone;
	struct serve_dns dns;
	struct loop_task tick; /* the resolver's clock */
	bool has_dns;
};

static int64_t on_tick(void *ctx, int64_t now)
{
	serve_dns_tick(ctx, now);
	return now + NS_PER_S;
}

static void on_ended(void *ctx, int status)
{
	struct session *s = ctx;
	loop_stop(s->edge.loop, status);
}

static void on_signal(void *ctx, int signo)
{
	struct session *s = ctx;
	program_pass(s->program, s->edge.loop, signo);
}

/* A resolver on this host's 127.0.0.53 that knows the host alone, so that every question is answered at once. */
static int resolver_start(struct session *s, struct via_addr *out)
{
	void *mem = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	s->arena = mem == MAP_FAILED ? NULL : arena_init(mem, ARENA_BYTES);
	*out = via_addr_v4(0x7f000035);
	if (!s->arena)
		return -ENOMEM;
	struct prf_key key;
	if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
		return -EIO;
	int err = dns_zone_init(s->arena, &s->zone, "lab", 60, key);
	if (!err)
		err = dns_zone_add(s->arena, &s->zone, "via", &s->edge.local.addr);
	const struct serve_dns_config c = {.arena = s->arena,
		.via = s->edge.stack,
		.zone_arena = s->arena,
		.zone = &s->zone,
		.local = {.addr = *out, .port = 53}};
	if (!err)
		err = serve_dns_start(&s->dns, &c);
	s->has_dns = !err;
	s->tick = (struct loop_task){.run = on_tick, .ctx = &s->dns};
	if (!err)
		loop_task_add(s->edge.loop, &s->tick);
	return err;
}

static json_t *on_ss(void *ctx, const char *node)
{
	const struct session *s = ctx;
	const char *name = via_name(s->edge.stack);
	return !node || strcmp(node, name) == 0 ? stack_sockets(s->edge.stack, name) : NULL;
}

static int run_program(struct session *s, const struct cmd_args *a)
{
	char err[256];
	struct door_config c = {
		.loop = s->edge.loop, .node = host_runner_node(s->edge.runner), .argv = a->program, .ended = on_ended, .ctx = s};
	if (a->opt[RUN_DNS]) {
		if (via_addr_parse(a->opt[RUN_DNS], strlen(a->opt[RUN_DNS]), &c.resolver) < 0)
			return cmd_fail(EXIT_OURS, "--dns wants an address, not '%s'", a->opt[RUN_DNS]);
	} else if (!via_addr_is_any(&s->edge.dns)) {
		c.resolver = s->edge.dns;
	} else if (resolver_start(s, &c.resolver) < 0) {
		return cmd_fail(EXIT_OURS, "cannot start the resolver");
	}
	program_signals(s->edge.loop, on_signal, s); /* first: what comes from now on is the program's */
	int e = program_start(&c, &s->program, err);
	if (e)
		return program_failed(e, err);
	struct tell *tell = tell_start(s->edge.loop, on_ss, s);
	int status = loop_run(s->edge.loop);
	tell_stop(tell);
	json_t *summary = program_summary(s->program);
	program_tell(summary, a->opt[RUN_REPORT] != NULL);
	json_decref(summary);
	program_free(s->program);
	return status;
}

static int run(const struct cmd_args *a)
{
	struct session s = {0};
	static const int of_gateway[] = {RUN_LINK, RUN_MTU, RUN_LOOPBACK, RUN_TCP, RUN_UDP, RUN_SEED, RUN_PCAPNG};
	if (!a->opt[RUN_DEVICE])
		return run_wan(a);
	for (size_t i = 0; i < ARRAY_LEN(of_gateway); i++)
		if (a->opt[of_gateway[i]])
			return cmd_fail(EXIT_USAGE, "--%s is for the link to the gateway; there is none with -i", options[of_gateway[i]].name);
	if (!a->opt[RUN_ADDRESS])
		return cmd_fail(EXIT_OURS, "usage: via run -i tap:NAME -a ADDR/LEN|dhcp [--gw ADDR] -- CMD...");
	int status = edge_open(&s.edge, a->opt[RUN_DEVICE], a->opt[RUN_ADDRESS], a->opt[RUN_GATEWAY]);
	if (status)
		return EXIT_OURS;
	status = run_program(&s, a);
	if (s.has_dns) {
		loop_task_del(s.edge.loop, &s.tick);
		serve_dns_stop(&s.dns);
	}
	edge_close(&s.edge);
	if (s.arena)
		munmap(s.arena, ARENA_BYTES);
	return status;
}

const struct cmd_command cmd_run = {
	.name = "run",
	.usage = "-- CMD...   |   -i tap:NAME -a ADDR/LEN|dhcp [--gw ADDR] -- CMD...",
	.summary = "run a program on a stack of its own, joined to the real internet",
	.detail = "The program is unmodified; its sockets are sockets of the stack. Its exit status is ours. A gateway carries its\n"
		  "connections, datagrams and echo requests on this machine's own sockets; no root is needed. Servers on this machine's\n"
		  "loopback are out of its reach, but for --host-loopback.",
	.options = options,
	.words_min = 0,
	.words_max = 0,
	.takes_program = true,
	.run = run,
};
