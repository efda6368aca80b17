/* cmd/run_wan.c - `via run -- CMD`: a lab of two nodes, made for the life of the program: its host, and a wan node, the gateway.
 *
 * The lab's file is written here from the options, so that a link's words mean what they mean in every lab (doc/lab.md). The
 * network between the two is 192.0.0.0/29, which RFC 7335 keeps for the inside of such translators: no network outside has it; and,
 * where the machine has ways to anywhere in IPv6 (ways6.h) or an IPv6 address means its loopback, a /64 of a prefix of our own (RFC 4193).
 * Without those there is no IPv6 inside, as outside: who tries it hears ENETUNREACH at once. Names with addresses of both families are
 * tried in IPv4 first by what RFC 6724 says of such a prefix. */
#include "cmd/run_wan.h"
#include "cmd/lab_host.h"
#include "cmd/linger.h"
#include "cmd/program.h"
#include "cmd/tell.h"
#include "cmd/ways6.h"
#include "lab/lab.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#define ADDRESS "192.0.0.2/29"
#define GATEWAY "192.0.0.1"
#define ADDRESS6 "fd76:6961:6475::2/64"
#define GATEWAY6 "fd76:6961:6475::1"
enum { MTU6_MIN = 1280 };

struct session {
	struct loop *loop;
	struct lab *lab;
	struct program *program;
	struct tell *tell;
	struct linger linger;
};

/* --- the lab's file --- */

/* A value in single quotes: no word of it is YAML. */
static void put_value(FILE *f, const char *s, size_t len)
{
	fputc('\'', f);
	for (size_t i = 0; i < len; i++)
		fprintf(f, s[i] == '\'' ? "''" : "%c", s[i]);
	fputc('\'', f);
}

static void put_key(FILE *f, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(f, ", %s: ", key);
	put_value(f, value, strlen(value));
}

/* "delay=20ms,loss=1%". 0, or an exit status after a sentence. */
static int put_link(FILE *f, const char *words)
{
	const char *between = "";
	fputs("      impairments: {", f);
	while (*words) {
		size_t len = strcspn(words, ","), key = strcspn(words, "=,");
		if (words[key] != '=' || !key)
			return cmd_fail(EXIT_OURS, "--link wants KEY=VALUE,... such as delay=20ms,loss=1%%, not '%.*s'", (int)len, words);
		fputs(between, f);
		put_value(f, words, key);
		fputs(": ", f);
		put_value(f, words + key + 1, len - key - 1);
		between = ", ";
		words += len + (words[len] == ',');
	}
	fputs("}\n", f);
	return 0;
}

/* Where the program has a way to in IPv6. */
static void ways6_inside(const struct cmd_args *a, struct ways6 *w)
{
	struct via_addr addr;
	ways6_of_machine(w);
	for (const char *s = a->opt[RUN_LOOPBACK] ? a->opt[RUN_LOOPBACK] : ""; *s;) {
		size_t len = strcspn(s, ",");
		if (via_addr_parse(s, len, &addr) == 0 && !via_addr_is_v4(&addr))
			ways6_add(w, &addr, 128);
		s += len + (s[len] == ',');
	}
	if (a->opt[RUN_MTU] && strtoul(a->opt[RUN_MTU], NULL, 10) < MTU6_MIN) /* too little for IPv6 (RFC 8200 §5) */
		w->n = 0;
}

static void put_routes(FILE *f, const char *gw, const struct ways6 *w)
{
	char addr[VIA_ADDR_STRLEN];
	fputs("routes: [{to: default, via: ", f);
	put_value(f, gw, strlen(gw));
	for (int i = 0; i < w->n; i++)
		fprintf(f, "}, {to: '%s/%u', via: '" GATEWAY6 "'", via_addr_format(&w->to[i].addr, addr), w->to[i].plen);
	fputs("}]", f);
}

static int put_file(FILE *f, const struct cmd_args *a)
{
	struct ways6 ways6;
	const char *address = a->opt[RUN_ADDRESS] ? a->opt[RUN_ADDRESS] : ADDRESS, *gw = a->opt[RUN_GATEWAY] ? a->opt[RUN_GATEWAY] : GATEWAY;
	const char *slash = strchr(address, '/');
	if (!slash)
		return cmd_fail(EXIT_OURS, "-a wants ADDRESS/LENGTH such as " ADDRESS ", not '%s'", address);
	ways6_inside(a, &ways6);
	fputs("name: run\ntopology:\n  nodes:\n    program: {kind: host, ", f);
	put_routes(f, gw, &ways6);
	fputs("}\n    gateway: {kind: wan", f);
	put_key(f, "loopback", a->opt[RUN_LOOPBACK]);
	put_key(f, "dns", a->opt[RUN_DNS]);
	put_key(f, "tcp", a->opt[RUN_TCP]);
	put_key(f, "udp", a->opt[RUN_UDP]);
	fputs("}\n  links:\n    - endpoints: ['program:eth0', 'gateway:eth0']\n      ipv4: [", f);
	put_value(f, address, strlen(address));
	fprintf(f, ", '%s%s']\n", gw, slash);
	if (ways6.n)
		fputs("      ipv6: ['" ADDRESS6 "', '" GATEWAY6 "/64']\n", f);
	if (a->opt[RUN_MTU])
		fprintf(f, "      mtu: '%s'\n", a->opt[RUN_MTU]);
	return a->opt[RUN_LINK] ? put_link(f, a->opt[RUN_LINK]) : 0;
}

struct lab *run_wan_lab(const struct cmd_args *a, int *status)
{
	struct lab_opts o = {.real_time = true, .pcapng = a->opt[RUN_PCAPNG]};
	struct lab_error err;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	*status = f ? lab_host_seed(a->opt[RUN_SEED], &o) : EXIT_OURS;
	if (!*status)
		*status = put_file(f, a);
	if (f)
		fclose(f);
	struct lab *lab = *status ? NULL : lab_load_text(text, len, "run", &o, &err);
	if (!lab && !*status)
		*status = cmd_fail(EXIT_OURS, "%s", err.text);
	free(text);
	return lab;
}

/* --- the program --- */

static void on_ended(void *ctx, int status)
{
	struct session *s = ctx;
	linger_begin(&s->linger, s->loop, s->lab, status);
}

static void on_signal(void *ctx, int signo)
{
	struct session *s = ctx;
	program_pass(s->program, s->loop, signo);
}

/* What the gateway could not do, and why. */
static void tell_denied(struct lab *lab)
{
	struct lab_wan_stats w;
	if (cmd_global.quiet || !lab_wan_get(lab, "gateway", &w))
		return;
	if (w.ping_denied)
		fputs("via: this machine allows no echo requests to you (sysctl net.ipv4.ping_group_range): ping was told \"prohibited\"\n",
		      stderr);
	if (w.refused)
		fprintf(stderr, "via: %" PRIu64 " connections were refused for want of descriptors or memory (ulimit -n)\n", w.refused);
}

static json_t *on_ss(void *ctx, const char *node)
{
	struct session *s = ctx;
	return !node || lab_node(s->lab, node) ? lab_sockets(s->lab, node ? node : "program") : NULL;
}

static int run_program(struct session *s, const struct cmd_args *a)
{
	const char *gw = a->opt[RUN_GATEWAY] ? a->opt[RUN_GATEWAY] : GATEWAY;
	struct door_config c = {.loop = s->loop, .node = lab_node(s->lab, "program"), .argv = a->program, .ended = on_ended, .ctx = s};
	char err[256];
	via_addr_parse(gw, strlen(gw), &c.resolver);
	program_signals(s->loop, on_signal, s); /* first: what comes from now on is the program's */
	int e = program_start(&c, &s->program, err);
	if (e)
		return program_failed(e, err);
	s->tell = tell_start(s->loop, on_ss, s);
	int status = loop_run(s->loop);
	tell_stop(s->tell);
	json_t *summary = program_summary(s->program);
	program_tell(summary, a->opt[RUN_REPORT] != NULL);
	json_decref(summary);
	tell_denied(s->lab);
	program_free(s->program);
	return status;
}

int run_wan(const struct cmd_args *a)
{
	struct session s = {.loop = loop_new()};
	int status = EXIT_OURS;
	s.lab = s.loop ? run_wan_lab(a, &status) : NULL;
	if (s.lab && lab_attach(s.lab, s.loop) < 0)
		status = cmd_fail(EXIT_OURS, "cannot start the gateway: %s", lab_attach_error(s.lab));
	else if (s.lab)
		status = run_program(&s, a);
	lab_free(s.lab);
	if (s.loop)
		loop_free(s.loop);
	return status;
}
