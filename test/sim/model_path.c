/* test/sim/model_path.c - see model_path.h. */
#include "test/sim/model_path.h"

#include <stdlib.h>

#define DELACK (40 * MS) /* Linux */
#define QUICK_ACKS 16    /* Linux */

static void put(struct fifo *f, struct arrival a)
{
	if (f->n == RING)
		abort();
	AT(f->ring, f->head + f->n++) = a;
}

static int64_t next_at(const struct fifo *f) { return f->n ? AT(f->ring, f->head).at : NEVER; }

static struct arrival take(struct fifo *f)
{
	f->n--;
	return AT(f->ring, f->head++);
}

void model_path_send(struct model_path *p, int64_t now, uint32_t seg, bool is_cwr)
{
	int64_t waits = p->busy_until > now ? p->busy_until - now : 0;
	if (waits > (p->buffer - 1) * p->service)
		return;
	p->busy_until = now + waits + p->service;
	bool is_lost = p->n && p->lost[p->passed % p->n];
	p->passed++;
	if (!is_lost)
		put(&p->data, (struct arrival){p->busy_until + p->half_rtt, seg, 0, is_cwr});
}

static void send_ack(struct model_path *p, int64_t now, uint32_t seg)
{
	put(&p->acks, (struct arrival){now + p->half_rtt, seg, p->rcv_nxt, false});
	p->pending = 0;
	p->delack_at = NEVER;
}

static void receive(struct model_path *p, int64_t now, struct arrival a)
{
	uint32_t seg = a.seg;
	bool had_hole = p->held > 0;
	if (seg < p->rcv_nxt || AT(p->got, seg)) {
		send_ack(p, now, seg);
		return;
	}
	AT(p->got, seg) = true;
	p->held++;
	for (; AT(p->got, p->rcv_nxt); p->held--)
		AT(p->got, p->rcv_nxt++) = false;
	p->pending++;
	if (had_hole || p->held || p->pending >= 2 || a.is_cwr || p->rcv_nxt <= QUICK_ACKS)
		send_ack(p, now, seg);
	else
		p->delack_at = now + DELACK;
}

int64_t model_path_next(const struct model_path *p)
{
	int64_t data = next_at(&p->data), acks = next_at(&p->acks), at = data < acks ? data : acks;
	return p->delack_at < at ? p->delack_at : at;
}

bool model_path_step(struct model_path *p, int64_t now, struct arrival *ack)
{
	if (next_at(&p->data) == now) {
		receive(p, now, take(&p->data));
	} else if (next_at(&p->acks) == now) {
		*ack = take(&p->acks);
		return true;
	} else {
		send_ack(p, now, p->rcv_nxt - 1);
	}
	return false;
}
