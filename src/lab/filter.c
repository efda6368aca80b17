/* lab/filter.c - the filter and NAT of a lab's nodes: what the file asks for is configured, and what there is is told. */
#include "lab/rule_text.h"
#include "lab/state.h"
#include <errno.h>

int lab_filter_start(struct lab_node *n, struct lab_error *err)
{
	for (int i = 0; i < n->t->n_rules; i++) {
		const struct topo_rule *r = &n->t->rules[i];
		int rc = via_configure(n->stack, &(struct via_change){.kind = r->kind, .filter = &r->filter, .nat = &r->nat});
		if (rc)
			return topo_fail(err, n->lab->topo->file, r->mark, "node '%s' cannot have this rule: %s", n->t->name, strerror(-rc));
	}
	return 0;
}

/* --- what there is --- */

static json_t *rule_json(const char *text, uint64_t packets, uint64_t bytes)
{
	return json_pack("{s:s, s:I, s:I}", "rule", text, "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

/* Policies first, as iptables -S has them. */
static json_t *filter_json(struct via *v)
{
	json_t *policies = json_array(), *rules = json_array();
	struct via_filter_info f = {.size = sizeof f};
	char text[RULE_TEXT_MAX];
	for (int i = 0; via_filter_get(v, i, &f); i++)
		json_array_append_new(f.is_policy ? policies : rules, rule_json(rule_text(&f.rule, f.is_policy, text), f.packets, f.bytes));
	json_array_extend(policies, rules);
	json_decref(rules);
	return policies;
}

static json_t *nat_json(struct via *v)
{
	json_t *all = json_array();
	struct via_nat_info r = {.size = sizeof r};
	char text[RULE_TEXT_MAX];
	for (int i = 0; via_nat_get(v, i, &r); i++)
		json_array_append_new(all, rule_json(rule_text_nat(&r.rule, text), r.packets, r.bytes));
	return all;
}

static json_t *direction_json(const struct via_ct_info *c, int d)
{
	char src[VIA_ADDR_STRLEN], dst[VIA_ADDR_STRLEN];
	return json_pack("{s:s, s:s, s:i, s:i, s:I, s:I}", "src", via_addr_format(&c->from[d].addr, src), "dst",
			 via_addr_format(&c->to[d].addr, dst), "sport", (int)c->from[d].port, "dport", (int)c->to[d].port, "packets",
			 (json_int_t)c->packets[d], "bytes", (json_int_t)c->bytes[d]);
}

static json_t *connections_json(struct via *v)
{
	json_t *all = json_array();
	struct via_ct_info c = {.size = sizeof c};
	for (int i = 0; via_ct_get(v, i, &c); i++) {
		json_t *o = json_pack("{s:i, s:I, s:b, s:o, s:o}", "protocol", (int)c.proto, "timeout_s",
			(json_int_t)(c.expires_ns / NS_PER_S), "answered", (c.ctstate & VIA_CT_ESTABLISHED) != 0, "original",
			direction_json(&c, 0), "reply", direction_json(&c, 1));
		json_object_set_new(o, "nat", c.ctstate & VIA_CT_SNAT ? json_string("SNAT") : c.ctstate & VIA_CT_DNAT ? json_string("DNAT") :
			json_null());
		json_array_append_new(all, o);
	}
	return all;
}

json_t *lab_filter(struct lab *l, const char *node)
{
	struct host_node *hn = lab_node(l, node);
	return hn ? json_pack("{s:s, s:o, s:o, s:o}", "node", node, "filter", filter_json(hn->stack), "nat", nat_json(hn->stack),
			      "connections", connections_json(hn->stack)) : NULL;
}
