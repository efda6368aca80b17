/* drill/flow.c - between the script's numbers and the stack's.
 *
 * Sequence numbers of a SYN are absolute in a script, all others count from the SYN, whatever its number was. The peer's are
 * injected as they are written. The stack's timestamps count from the first one that the script expects; an echo injected
 * is the live value of the timestamp with which the script expected it. */
#include "drill/state.h"

#include "wire/tcp.h"

struct drill_flow *drill_flow_of(struct drill_run *r, enum drill_proto proto, const struct drill_tuple *t)
{
	for (int i = r->n_flows - 1; i >= 0; i--) {
		struct drill_flow *f = &r->flows[i];
		if (f->proto == proto && f->lport == t->sport && f->rport == t->dport && f->remote == t->dst)
			return f;
	}
	return NULL;
}

struct drill_flow *drill_flow_new(struct drill_run *r, enum drill_proto proto, uint32_t remote, uint16_t lport, uint16_t rport, int fd)
{
	if (r->n_flows == DRILL_FLOWS) {
		drill_fail(r, r->e->line, "more than %d connections", DRILL_FLOWS);
		return NULL;
	}
	r->flow = r->n_flows++;
	struct drill_flow *f = &r->flows[r->flow];
	*f = (struct drill_flow){.proto = proto, .remote = remote, .lport = lport, .rport = rport, .fd = fd};
	return f;
}

struct drill_flow *drill_flow_now(struct drill_run *r)
{
	return r->flow >= 0 ? &r->flows[r->flow] : NULL;
}

struct drill_flow *drill_flow_for(struct drill_run *r, const struct drill_packet *k)
{
	if (k->sport) {
		struct drill_tuple t = {.dst = r->cfg.remote, .sport = k->is_out ? k->sport : k->dport, .dport = k->is_out ? k->dport : k->sport};
		struct drill_flow *f = drill_flow_of(r, k->proto, &t);
		if (f)
			return f;
	}
	return drill_flow_now(r);
}

/* What is added to a script's number of the stack's sequence space. */
static uint32_t local_offset(const struct drill_flow *f, bool is_syn)
{
	return is_syn ? f->live_isn - f->script_isn : f->live_isn;
}

static uint32_t remote_offset(const struct drill_flow *f, bool is_syn)
{
	return is_syn ? f->live_irs - f->script_irs : f->live_irs;
}

static void shift_sacks(struct drill_packet *k, uint32_t by)
{
	uint32_t at = 0, len;
	for (; drill_opt_next(k, &at, &len); at += len)
		for (uint32_t i = 2; k->opts[at] == 5 && i + 4 <= len; i += 4)
			put_be32(k->opts + at + i, get_be32(k->opts + at + i) + by);
}

static bool live_echo(struct drill_run *r, const struct drill_flow *f, uint8_t *ts)
{
	uint32_t ecr = get_be32(ts + 6);
	for (uint32_t i = f->n_stamps; i-- > 0;) {
		if (f->stamps[i].script == ecr) {
			put_be32(ts + 6, f->stamps[i].live);
			return true;
		}
	}
	if (!r->cfg.ecr_scaled || !f->has_ts)
		return drill_fail(r, r->e->line, "TS ecr %u echoes no TS val that was expected before (--tcp_ts_ecr_scaled counts on)", ecr);
	put_be32(ts + 6, ecr - f->script_ts + f->live_ts);
	return true;
}

bool drill_flow_inject(struct drill_run *r, struct drill_flow *f, struct drill_packet *k)
{
	bool is_syn = k->flags & TCP_SYN;
	if (k->proto == DRILL_ICMP) {
		if (k->has_quote && k->quoted == DRILL_TCP)
			k->seq += local_offset(f, false);
		return true;
	}
	if (k->proto != DRILL_TCP)
		return true;
	if (is_syn && !f->has_irs) {
		f->has_irs = true;
		f->script_irs = f->live_irs = k->seq;
	}
	if (is_syn && !(k->flags & TCP_ACK)) { /* perhaps a new connection of the same ports: the SYN-ACK will tell */
		f->has_isn = false;
		f->syn_seq = k->seq;
	}
	k->seq += remote_offset(f, is_syn);
	if (k->flags & TCP_ACK)
		k->ack += local_offset(f, is_syn);
	shift_sacks(k, local_offset(f, is_syn));
	uint8_t *ts = drill_opt_ts(k);
	return !ts || !(k->flags & TCP_ACK) || live_echo(r, f, ts);
}

static void stamp_keep(struct drill_flow *f, uint32_t script, uint32_t live)
{
	if (f->n_stamps == DRILL_STAMPS) {
		memmove(f->stamps, f->stamps + 1, sizeof(f->stamps) - sizeof(f->stamps[0]));
		f->n_stamps--;
	}
	f->stamps[f->n_stamps].script = script;
	f->stamps[f->n_stamps++].live = live;
}

static void seen_ts(struct drill_flow *f, uint8_t *seen, uint8_t *want)
{
	uint32_t live = get_be32(seen + 2);
	if (want && !f->has_ts) {
		f->has_ts = true;
		f->script_ts = get_be32(want + 2);
		f->live_ts = live;
	}
	if (want)
		stamp_keep(f, get_be32(want + 2), live);
	put_be32(seen + 2, live - f->live_ts + f->script_ts);
}

void drill_flow_seen(struct drill_flow *f, const struct drill_packet *want, struct drill_packet *k)
{
	bool is_syn = k->flags & TCP_SYN;
	if (is_syn && want && want->flags & TCP_SYN && !f->has_isn) {
		f->has_isn = true;
		f->live_isn = k->seq;
		f->script_isn = want->seq;
		if (k->flags & TCP_ACK)
			f->script_irs = f->live_irs = f->syn_seq;
	}
	k->seq -= local_offset(f, is_syn);
	if (k->flags & TCP_ACK)
		k->ack -= remote_offset(f, is_syn);
	shift_sacks(k, 0u - remote_offset(f, is_syn));
	struct drill_packet expected = want ? *want : (struct drill_packet){0};
	uint8_t *ts = drill_opt_ts(k), *wts = drill_opt_ts(&expected);
	if (ts)
		seen_ts(f, ts, wts);
}
