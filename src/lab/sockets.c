/* lab/sockets.c - the sockets of a lab's nodes, for `via ss`: what a stack tells, as JSON with Linux's names. */
#include "lab/state.h"

#include <linux/inet_diag.h>
#include <viaduct/tcp_info.h>

static json_t *tcp_info_json(const struct via_tcp_info *i)
{
	json_t *o = json_object();
#define F(name) json_object_set_new(o, #name, json_integer((json_int_t)i->tcpi_##name));
#include "lab/tcp_info.def"
#undef F
	json_object_set_new(o, "snd_wscale", json_integer(i->tcpi_snd_wscale));
	json_object_set_new(o, "rcv_wscale", json_integer(i->tcpi_rcv_wscale));
	json_object_set_new(o, "delivery_rate_app_limited", json_integer(i->tcpi_delivery_rate_app_limited));
	json_object_set_new(o, "fastopen_client_fail", json_integer(i->tcpi_fastopen_client_fail));
	return o;
}

/* BBR's, the only one with anything to tell; by the names of Linux's struct. */
static json_t *bbr_json(const struct tcp_bbr_info *b)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "bw", (json_int_t)((uint64_t)b->bbr_bw_hi << 32 | b->bbr_bw_lo), "min_rtt",
		(json_int_t)b->bbr_min_rtt, "pacing_gain", (json_int_t)b->bbr_pacing_gain, "cwnd_gain", (json_int_t)b->bbr_cwnd_gain);
}

/* As getnameinfo() has them for the socket's family: of an AF_INET6 one IPv4 is mapped; a scope is an interface's name. */
static void put_end(struct via *v, json_t *o, const char *address, const char *port, const struct via_sockaddr *a, bool is_v6)
{
	char text[VIA_ADDR_STRLEN], full[VIA_ADDR_STRLEN + 16] = "";
	struct via_addr addr = a->addr;
	struct via_iface_info i = {.size = sizeof i};
	const char *dev = "";
	for (int n = 0; addr.scope && !dev[0] && via_iface_get(v, n, &i); n++)
		if (i.ifindex == (int)addr.scope)
			dev = i.name;
	if (dev[0])
		addr.scope = 0;
	bool is_any = via_addr_is_any(&addr), is_mapped = is_v6 && via_addr_is_v4(&addr);
	snprintf(full, sizeof full, "%s%s%s%s", is_mapped ? "::ffff:" : "", via_addr_format(&addr, text), dev[0] ? "%" : "", dev);
	json_object_set_new(o, address, json_string(is_any ? (is_v6 ? "::" : "0.0.0.0") : full));
	json_object_set_new(o, port, json_integer(a->port));
}

static json_t *socket_json(struct via *v, const char *node, const struct via_sock_info *s)
{
	static const char *const types[] = {[VIA_STREAM] = "tcp", [VIA_DGRAM] = "udp", [VIA_PING] = "icmp"};
	static const char *const timers[] = {"off", "on", "keepalive", "timewait", "persist"};
	json_t *o = json_pack("{s:s, s:s, s:i, s:I, s:I}", "node", node, "type", types[s->type], "state", (int)s->tcp_state, "recv_q",
			      (json_int_t)s->rcv_queue, "send_q", (json_int_t)s->snd_queue);
	put_end(v, o, "local", "local_port", &s->local, s->is_v6);
	put_end(v, o, "peer", "peer_port", &s->remote, s->is_v6);
	json_object_set_new(o, "family", json_integer(s->is_v6 ? 6 : 4));
	json_object_set_new(o, "v6only", json_boolean(s->v6_only));
	json_object_set_new(o, "timer", json_pack("{s:s, s:I, s:i}", "name", timers[s->timer], "expires_ms",
						  (json_int_t)(s->timer_ns / NS_PER_MS), "retrans", (int)s->retries));
	if (s->cc[0])
		json_object_set_new(o, "cc", json_string(s->cc));
	if (s->tcp_info_len)
		json_object_set_new(o, "tcp_info", tcp_info_json(s->tcp_info));
	if (s->cc_info_len)
		json_object_set_new(o, "bbr", bbr_json(s->cc_info));
	return o;
}

static json_t *counters_json(struct via *v)
{
	json_t *o = json_object();
	const char *name;
	uint64_t value;
	for (int i = 0; via_counter_get(v, i, &name, &value); i++)
		json_object_set_new(o, name, json_integer((json_int_t)value));
	return o;
}

/* v's sockets behind those in the list. */
static void add_sockets(json_t *sockets, struct via *v, const char *name)
{
	struct via_tcp_info i = {0};
	union tcp_cc_info cc = {0};
	struct via_sock_info s = {.size = sizeof s, .tcp_info = &i, .tcp_info_len = sizeof i, .cc_info = &cc, .cc_info_len = sizeof cc};
	for (uint64_t cursor = 0; via_sock_next(v, &cursor, &s); s.tcp_info_len = sizeof i, s.cc_info_len = sizeof cc)
		json_array_append_new(sockets, socket_json(v, name, &s));
}

json_t *stack_sockets(struct via *v, const char *name)
{
	json_t *sockets = json_array();
	add_sockets(sockets, v, name);
	return json_pack("{s:o, s:{s:o}}", "sockets", sockets, "counters", name, counters_json(v));
}

json_t *lab_sockets(struct lab *l, const char *node)
{
	json_t *sockets = json_array(), *counters = json_object();
	for (int n = 0; n < l->topo->n_nodes; n++) {
		struct via *v = l->nodes[n].stack;
		const char *name = l->nodes[n].t->name;
		if (!v || (node && strcmp(node, name) != 0))
			continue;
		add_sockets(sockets, v, name);
		json_object_set_new(counters, name, counters_json(v));
	}
	return json_pack("{s:o, s:o}", "sockets", sockets, "counters", counters);
}
