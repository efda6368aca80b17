/* cmd/nat.c - `via nat` and `via filter`: a node's rules with counters as `iptables-save -c` prints the kernel's, and the connections
 * that they know as `conntrack -L` does. Only showing: the lab's file says which rules there are. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include <inttypes.h>
#include <stdlib.h>

enum { NAT_TOPOLOGY };
static const struct cmd_option options[] = {
	[NAT_TOPOLOGY] = {0, "topology", "FILE", "of a lab that is not up, from its file"},
	{0, NULL, NULL, NULL},
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* "[5:300] -A INPUT ...", and a policy as iptables-save has it: ":INPUT DROP [5:300]". */
static void print_rules(const json_t *rules)
{
	const json_t *r;
	size_t i;
	json_array_foreach(rules, i, r) {
		const char *rule = text_of(r, "rule");
		bool is_policy = strncmp(rule, "-P ", 3) == 0;
		if (is_policy)
			printf(":%s [%" PRId64 ":%" PRId64 "]\n", rule + 3, int_of(r, "packets"), int_of(r, "bytes"));
		else
			printf("[%" PRId64 ":%" PRId64 "] %s\n", int_of(r, "packets"), int_of(r, "bytes"), rule);
	}
}

static const char *proto_name(int64_t proto, char number[24])
{
	snprintf(number, 24, "%" PRId64, proto);
	return proto == 6 ? "tcp" : proto == 17 ? "udp" : proto == 1 ? "icmp" : proto == 58 ? "icmpv6" : "unknown";
}

static void print_direction(const json_t *d, bool has_ports)
{
	printf("src=%s dst=%s ", text_of(d, "src"), text_of(d, "dst"));
	if (has_ports)
		printf("sport=%" PRId64 " dport=%" PRId64 " ", int_of(d, "sport"), int_of(d, "dport"));
	else if (int_of(d, "sport") || int_of(d, "dport"))
		printf("id=%" PRId64 " ", int_of(d, "sport") ? int_of(d, "sport") : int_of(d, "dport"));
	printf("packets=%" PRId64 " bytes=%" PRId64 " ", int_of(d, "packets"), int_of(d, "bytes"));
}

static void print_connections(const json_t *all)
{
	const json_t *c;
	char number[24];
	size_t i;
	json_array_foreach(all, i, c) {
		int64_t proto = int_of(c, "protocol");
		bool answered = json_is_true(json_object_get(c, "answered"));
		const char *nat = text_of(c, "nat");
		printf("%-8s %" PRId64 " %" PRId64 " ", proto_name(proto, number), proto, int_of(c, "timeout_s"));
		if (proto == 6 && answered)
			printf("ESTABLISHED ");
		print_direction(json_object_get(c, "original"), proto == 6 || proto == 17);
		if (!answered)
			printf("[UNREPLIED] ");
		print_direction(json_object_get(c, "reply"), proto == 6 || proto == 17);
		printf("%s%s\n", nat, nat[0] ? " " : "");
	}
}

/* What the node's lab knows of it; gives. NULL after a sentence, with the exit status. */
static json_t *node_of(const struct cmd_args *a, int *status)
{
	const char *node = cmd_global.node;
	const struct lab_opts opts = {.real_time = false};
	json_t *o = NULL;
	*status = EXIT_USAGE;
	if (!a->opt[NAT_TOPOLOGY]) {
		char *name = ask_which(&node);
		o = name ? ask_lab(name, "filter", node) : NULL;
		*status = o ? ask_refused(o) : EXIT_FAILED;
		free(name);
	} else if (!node) {
		cmd_fail(EXIT_USAGE, "of which node? via -n NODE ...");
	} else {
		struct lab *lab = lab_host_load(a->opt[NAT_TOPOLOGY], NULL, &opts);
		o = lab ? lab_filter(lab, node) : NULL;
		*status = o ? EXIT_WELL : lab ? lab_host_no_node(lab, node) : EXIT_USAGE;
		lab_free(lab);
	}
	if (*status) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* rules: the key of those that are meant. */
static int show(const struct cmd_args *a, const char *rules)
{
	int status;
	if (a->n_words && strcmp(a->words[0], "show") != 0 && strcmp(a->words[0], "list") != 0 && strcmp(a->words[0], "ls") != 0)
		return cmd_fail(EXIT_USAGE, "it only shows: [show]");
	json_t *o = node_of(a, &status);
	if (!o)
		return status;
	if (cmd_global.json) {
		json_t *shown = json_pack("{s:O, s:O, s:O}", "node", json_object_get(o, "node"), "rules", json_object_get(o, rules),
					  "connections", json_object_get(o, "connections"));
		lab_host_print(shown);
		json_decref(shown);
	} else {
		print_rules(json_object_get(o, rules));
		print_connections(json_object_get(o, "connections"));
	}
	json_decref(o);
	return EXIT_WELL;
}

static int nat_run(const struct cmd_args *a)
{
	return show(a, "nat");
}

static int filter_run(const struct cmd_args *a)
{
	return show(a, "filter");
}

#define WHICH "Which stack: via -n NODE, or -n LAB:NODE when several labs are up. Counters are [packets:bytes]; those of a NAT's rules\n" \
	"count what began a connection by them. The lab's file says which rules there are (doc/lab.md)."
const struct cmd_command cmd_nat = {"nat", "[show]", "the NAT of a node: rules as iptables-save -c, connections as conntrack -L", WHICH,
	options, 0, 1, false, nat_run};
const struct cmd_command cmd_filter = {"filter", "[show]", "the filter of a node: rules as iptables-save -c, connections as conntrack -L",
	WHICH, options, 0, 1, false, filter_run};
