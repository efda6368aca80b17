/* stack/ops.c - how tcp/ and sock/ reach the rest of the stack: their tables of functions, filled. */
#include "stack/state.h"

ref_t stack_get_path(void *ctx, const struct via_addr *local, const struct via_addr *remote)
{
	ref_t r;
	return path_get(ctx, local, remote, &r) ? 0 : r;
}

static void op_path_hold(void *ctx, ref_t path)
{
	path_hold(ctx, path);
}

static void op_path_drop(void *ctx, ref_t path)
{
	path_drop(ctx, path);
}

static const struct tcp_path *op_path_at(void *ctx, ref_t path)
{
	return &path_at(ctx, path)->p;
}

static int op_path_get(void *ctx, const struct via_addr *local, const struct via_addr *remote, ref_t *path)
{
	return path_get(ctx, local, remote, path);
}

static bool op_addr_is_ours(void *ctx, const struct via_addr *a)
{
	return stack_addr_is_taken(ctx, a);
}

static void count_tcp_out(struct via *v, const struct pkt *p)
{
	v->st->counts[COUNT_TCP_OUT] += MAX(p->m.gso_segs, 1);
	v->st->counts[COUNT_TCP_RST_OUT] += p->linear[p->m.l4 + 13] >> 2 & 1;
}

static void op_tx(void *ctx, struct pkt *p, ref_t path, uint8_t ttl, uint8_t tos)
{
	count_tcp_out(ctx, p);
	tx_path(ctx, p, path_at(ctx, path), IPPROTO_N_TCP, ttl, tos);
}

static void op_tx_reply(void *ctx, struct pkt *p, const struct via_addr *local, const struct via_addr *remote)
{
	count_tcp_out(ctx, p);
	tx_datagram(ctx, p, IPPROTO_N_TCP, local, remote, 0, 0, false);
}

static int op_tx_datagram(void *ctx, struct pkt *p, uint8_t proto, const struct via_addr *local, const struct via_addr *remote, uint8_t ttl,
			  uint8_t tos)
{
	((struct via *)ctx)->st->counts[COUNT_UDP_OUT] += proto == IPPROTO_N_UDP;
	return tx_datagram(ctx, p, proto, local, remote, ttl, tos, true); /* SO_BROADCAST is sock/'s to ask for */
}

static int op_group_join(void *ctx, uint32_t ifindex, const struct via_addr *group, uint32_t *id)
{
	return mcast_join(ctx, ifindex, group, id);
}

static void op_group_leave(void *ctx, uint32_t ifindex, const struct via_addr *group, uint32_t id)
{
	mcast_leave(ctx, ifindex, group, id);
}

static uint32_t op_group_iface(void *ctx, const struct via_addr *group)
{
	return mcast_iface(ctx, group);
}

static uint32_t op_addr_iface(void *ctx, const struct via_addr *addr)
{
	const struct via *v = ctx;
	const struct addr_entry *e = addrs_find(v->arena, &v->st->addrs, addr);
	return e ? e->ifindex : 0;
}

static uint32_t op_tx_room(void *ctx, ref_t path)
{
	return tx_room(ctx, path_at(ctx, path));
}

/* The neighbour that the path goes by now, if that is certain: with several equal hops the flow's is not known here. */
static ref_t ops_neigh(const struct via *v, ref_t path)
{
	const struct path *pa = path_at(v, path);
	return pa->is_multi || pa->neigh_gen != v->st->neigh.gen ? 0 : pa->neigh;
}

static void op_path_confirm(void *ctx, ref_t path)
{
	struct via *v = ctx;
	struct neigh_env ne = stack_neigh_env(v);
	ref_t n = ops_neigh(v, path);
	if (n)
		neigh_confirm(&ne, &v->st->neigh, n);
}

static void op_path_suspect(void *ctx, ref_t path)
{
	struct via *v = ctx;
	struct neigh_env ne = stack_neigh_env(v);
	ref_t n = ops_neigh(v, path);
	if (n)
		neigh_doubt(&ne, &v->st->neigh, n);
}

static void op_demux_add(void *ctx, ref_t node)
{
	sock_demux_add(&((struct via *)ctx)->sock, node);
}

static void op_demux_del(void *ctx, ref_t node)
{
	sock_demux_del(&((struct via *)ctx)->sock, node);
}

static void op_notify(void *ctx, ref_t owner, uint32_t events)
{
	sock_tcp_notify(&((struct via *)ctx)->sock, owner, events);
}

const struct tcp_ops stack_tcp_ops = {
	.path_hold = op_path_hold, .path_drop = op_path_drop, .tx = op_tx, .tx_reply = op_tx_reply, .tx_room = op_tx_room,
	.demux_add = op_demux_add, .demux_del = op_demux_del, .notify = op_notify, .path_suspect = op_path_suspect,
	.path_confirm = op_path_confirm,
};

const struct sock_ops stack_sock_ops = {
	.path_get = op_path_get, .path_drop = op_path_drop, .path_at = op_path_at, .addr_is_ours = op_addr_is_ours,
	.tx_datagram = op_tx_datagram, .group_join = op_group_join, .group_leave = op_group_leave, .group_iface = op_group_iface,
	.addr_iface = op_addr_iface,
};
