/* lab/switch.c - see switch.h. A frame that a full link refuses, or that is longer than its MTU, is dropped there. */
#include "lab/switch.h"
#include "host/map.h"
#include "link/vlan.h"
#include <errno.h>
#include <stdlib.h>

struct lab_switch {
	struct link_env *env;
	struct link_port **ports;
	int n;
	struct host_map map;
	struct arena *arena;
	struct bridge bridge;
	uint64_t drops[DROP_COUNT];
};

struct lab_switch *lab_switch_new(struct link_env *env, struct link_port **ports, int n, uint64_t seed)
{
	struct lab_switch *s = calloc(1, sizeof *s);
	if (!s || !(s->ports = calloc((size_t)n + 1, sizeof(struct link_port *))) || host_map_new(&s->map, 1u << 20)) {
		if (s)
			free(s->ports);
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	memcpy(s->ports, ports, (size_t)n * sizeof(struct link_port *));
	s->env = env;
	s->n = n;
	s->arena = arena_init(s->map.at, s->map.bytes);
	uint64_t all = n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
	if (!s->arena || bridge_init(&s->bridge, s->arena, (struct prf_key){seed, ~seed}, all, 0)) {
		lab_switch_free(s);
		errno = ENOMEM;
		return NULL;
	}
	return s;
}

void lab_switch_free(struct lab_switch *s)
{
	if (!s)
		return;
	if (s->arena)
		arena_fini(s->arena);
	host_map_free(&s->map);
	free(s->ports);
	free(s);
}

int lab_switch_vlan(struct lab_switch *s, uint16_t vid, uint64_t tagged, uint64_t untagged)
{
	return bridge_vlan_add(&s->bridge, &(struct bridge_vlan){vid, tagged, untagged});
}

const uint64_t *lab_switch_drops(const struct lab_switch *s)
{
	return s->drops;
}

/* Give p, which came with header h, the tag that it leaves with. False: there is no room for it. */
static bool retag(struct pkt *p, const struct eth_hdr *h, uint16_t vid, bool untagged)
{
	if (!vid || (untagged && !h->tagged))
		return true;
	if (untagged)
		vlan_pop(p);
	else if (h->tagged)
		vlan_set(p, vid);
	else
		return vlan_push(p, vid);
	return true;
}

/* Takes p. */
static void forward(struct lab_switch *s, int port, struct pkt *p)
{
	struct eth_hdr h;
	struct bridge_way w = {.drop = DROP_ETH_SHORT};
	if (pkt_pullup(s->env->mem, p, MIN(p->len, ETH_HLEN + VLAN_TAG_LEN)) == 0 && eth_parse(pkt_data(p), p->head_len, &h) == 0)
		bridge_input(&s->bridge, s->arena, port, &h, s->env->now, &w);
	s->drops[w.drop] += w.drop != DROP_NONE;
	while (w.out) {
		int to = __builtin_ctzll(w.out);
		w.out &= w.out - 1;
		struct pkt *copy = w.out ? pkt_clone(s->env->mem, p) : p;
		if (!w.out)
			p = NULL;
		if (copy && retag(copy, &h, w.vid, w.untagged >> to & 1)) {
			link_pass(s->ports[to], copy, s->env->now);
		} else {
			s->drops[DROP_NO_MEMORY]++;
			pkt_free(s->env->mem, copy);
		}
	}
	pkt_free(s->env->mem, p);
}

int64_t lab_switch_run(struct lab_switch *s)
{
	int64_t next = TIME_NEVER;
	for (int i = 0; i < s->n; i++) {
		struct pkt *p;
		while ((p = link_receive(s->ports[i])))
			forward(s, i, p);
	}
	for (int i = 0; i < s->n; i++)
		next = MIN(next, link_next(s->ports[i]));
	return next;
}
