/* tcp/ranges.c - ordered ranges of what is in flight: push, split, mark, cut. See the header. */
#include "tcp/ranges.h"

void tcp_ranges_init(struct tcp_ranges *s)
{
	memset(s, 0, sizeof(*s));
	s->cap = TCP_RANGES_INLINE;
}

void tcp_ranges_free(struct arena *a, struct tcp_ranges *s)
{
	if (s->more)
		arena_buf_give(a, s->more, s->cap * sizeof(struct tcp_range));
	tcp_ranges_init(s);
}

/* Take a range out of the byte totals (sign -1) or put it in (+1). */
static void account(struct tcp_ranges *s, const struct tcp_range *r, int sign)
{
	uint32_t len = (r->end - r->seq) * (uint32_t)sign;

	if (r->flags & TCP_RANGE_SACKED)
		s->sacked += len;
	if (r->flags & TCP_RANGE_LOST)
		s->lost += len;
	if (r->flags & TCP_RANGE_QUEUED)
		s->queued += len;
	if ((r->flags & (TCP_RANGE_EVER | TCP_RANGE_SACKED)) == TCP_RANGE_EVER)
		s->ever += len;
}

/* Room for one more range. */
static bool room(struct arena *a, struct tcp_ranges *s)
{
	if (s->n < s->cap)
		return true;
	uint16_t cap = s->more ? (uint16_t)MIN(s->cap * 2u, TCP_RANGES_MAX) : 16;
	if (cap <= s->cap)
		return false;
	ref_t r = arena_buf_take(a, cap * sizeof(struct tcp_range));
	if (!r)
		return false;
	memcpy(arena_at(a, r), tcp_ranges_at(a, s), s->n * sizeof(struct tcp_range));
	if (s->more)
		arena_buf_give(a, s->more, s->cap * sizeof(struct tcp_range));
	s->more = r;
	s->cap = cap;
	return true;
}

/* Replace ranges [i, j) by nothing. */
static void erase(struct arena *a, struct tcp_ranges *s, unsigned i, unsigned j)
{
	struct tcp_range *v = tcp_ranges_at(a, s);

	memmove(&v[i], &v[j], (s->n - j) * sizeof(*v));
	s->n = (uint16_t)(s->n - (j - i));
}

void tcp_ranges_push(struct arena *a, struct tcp_ranges *s, uint32_t seq, uint32_t end, uint8_t flags, int64_t at)
{
	ASSERT(s->n == 0 || tcp_ranges_at(a, s)[s->n - 1].end == seq);
	if (!room(a, s)) { /* join the last one; it then counts as the newer, un-SACKed and not lost */
		struct tcp_range *l = &tcp_ranges_at(a, s)[s->n - 1];
		account(s, l, -1);
		l->end = end;
		l->flags = (uint8_t)((l->flags & (TCP_RANGE_EVER | TCP_RANGE_APP_LIMITED)) | flags);
		l->sent_at = at;
		account(s, l, 1);
		return;
	}
	struct tcp_range *r = &tcp_ranges_at(a, s)[s->n++];
	*r = (struct tcp_range){.seq = seq, .end = end, .sent_at = at, .mark = seq, .flags = flags};
	account(s, r, 1);
}

void tcp_ranges_note(struct arena *a, struct tcp_ranges *s, uint16_t i, int64_t now, uint32_t flight)
{
	struct tcp_range *r = &tcp_ranges_at(a, s)[i];

	tcp_rate_sent(&s->rate, &r->note, now, flight, r->end - r->seq, s->n == 1 && !(r->flags & TCP_RANGE_EVER));
	r->flags = (uint8_t)((r->flags & ~TCP_RANGE_APP_LIMITED) | (s->rate.is_app_limited ? TCP_RANGE_APP_LIMITED : 0));
}

static uint32_t segments(const struct tcp_ranges *s, uint32_t bytes)
{
	return s->seg_size ? (bytes + s->seg_size - 1) / s->seg_size : 0;
}

/* [.., end) of r, len bytes of it, have reached the peer. */
static void delivered(struct tcp_ranges *s, const struct tcp_range *r, uint32_t len, uint32_t end)
{
	s->delivered_segs += segments(s, len + (r->end - end)) - segments(s, r->end - end);
	tcp_rate_delivered(&s->rate, &r->note, len, end, r->sent_at, !(r->flags & TCP_RANGE_EVER), r->flags & TCP_RANGE_APP_LIMITED);
}

void tcp_ranges_mark(struct arena *a, struct tcp_ranges *s, uint16_t i, uint8_t set, uint8_t clear)
{
	struct tcp_range *r = &tcp_ranges_at(a, s)[i];

	if (set & ~r->flags & TCP_RANGE_LOST)
		tcp_rate_lost(&s->rate, &r->note, r->end - r->seq);
	account(s, r, -1);
	r->flags = (uint8_t)((r->flags | set) & ~clear);
	account(s, r, 1);
}

bool tcp_ranges_split(struct arena *a, struct tcp_ranges *s, uint16_t i, uint32_t seq)
{
	if (!room(a, s))
		return false;
	struct tcp_range *v = tcp_ranges_at(a, s);
	ASSERT(seq_lt(v[i].seq, seq) && seq_lt(seq, v[i].end));
	memmove(&v[i + 1], &v[i], (s->n - i) * sizeof(*v));
	v[i].end = v[i + 1].seq = seq;
	s->n++;
	return true;
}

uint16_t tcp_ranges_find(const struct arena *a, struct tcp_ranges *s, uint32_t seq)
{
	const struct tcp_range *v = tcp_ranges_at(a, s);
	unsigned lo = 0, hi = s->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (seq_lt(seq, v[mid].end))
			hi = mid;
		else
			lo = mid + 1;
	}
	return (uint16_t)lo;
}

void tcp_ranges_cut_below(struct arena *a, struct tcp_ranges *s, uint32_t una)
{
	struct tcp_range *v = tcp_ranges_at(a, s);
	unsigned i = 0;

	for (; i < s->n && seq_le(v[i].end, una); i++) {
		if (!(v[i].flags & TCP_RANGE_SACKED))
			delivered(s, &v[i], v[i].end - v[i].seq, v[i].end);
		account(s, &v[i], -1);
	}
	if (i < s->n && seq_lt(v[i].seq, una)) {
		if (!(v[i].flags & TCP_RANGE_SACKED))
			delivered(s, &v[i], una - v[i].seq, una);
		account(s, &v[i], -1);
		v[i].seq = una;
		account(s, &v[i], 1);
	}
	if (i)
		erase(a, s, 0, i);
}

/* Join SACKed neighbours around [i, j). */
static void merge_sacked(struct arena *a, struct tcp_ranges *s, unsigned i, unsigned j)
{
	struct tcp_range *v = tcp_ranges_at(a, s);
	unsigned from = i ? i - 1 : 0, to = MIN(j + 1, s->n), w = from;

	for (unsigned k = from + 1; k < to; k++) {
		if ((v[w].flags & v[k].flags & TCP_RANGE_SACKED) && !((v[w].flags | v[k].flags) & TCP_RANGE_QUEUED)) {
			v[w].end = v[k].end;
			v[w].sent_at = MAX(v[w].sent_at, v[k].sent_at);
			v[w].flags |= v[k].flags;
		} else {
			v[++w] = v[k];
		}
	}
	if (to > from && w + 1 < to)
		erase(a, s, w + 1, to);
}

uint32_t tcp_ranges_sack(struct arena *a, struct tcp_ranges *s, uint32_t lo, uint32_t hi)
{
	unsigned i = tcp_ranges_find(a, s, lo), j;
	uint32_t fresh = 0;

	if (i < s->n && seq_lt(tcp_ranges_at(a, s)[i].seq, lo) && !(tcp_ranges_at(a, s)[i].flags & TCP_RANGE_SACKED)) {
		tcp_ranges_split(a, s, (uint16_t)i, lo);
		i++; /* with no room to split, this range is passed over: it lies only partly inside */
	}
	for (j = i; j < s->n; j++) {
		struct tcp_range *r = &tcp_ranges_at(a, s)[j];
		if (!seq_lt(r->seq, hi))
			break;
		if (r->flags & TCP_RANGE_SACKED)
			continue;
		if (seq_lt(hi, r->end) && !tcp_ranges_split(a, s, (uint16_t)j, hi))
			break;
		r = &tcp_ranges_at(a, s)[j];
		fresh += r->end - r->seq;
		delivered(s, r, r->end - r->seq, r->end);
		tcp_ranges_mark(a, s, (uint16_t)j, TCP_RANGE_SACKED, TCP_RANGE_LOST);
	}
	if (fresh)
		merge_sacked(a, s, i, j);
	return fresh;
}

uint16_t tcp_ranges_first_lost(const struct arena *a, struct tcp_ranges *s)
{
	const struct tcp_range *v = tcp_ranges_at(a, s);
	unsigned i = 0;

	if (!s->lost)
		return s->n;
	while (i < s->n && !(v[i].flags & TCP_RANGE_LOST))
		i++;
	return (uint16_t)i;
}

void tcp_ranges_taken(struct arena *a, struct tcp_ranges *s, uint32_t end, int64_t at)
{
	struct tcp_range *v = tcp_ranges_at(a, s);
	unsigned i = tcp_ranges_find(a, s, end - 1);

	if (i == s->n || !seq_lt(v[i].seq, end)) /* acknowledged meanwhile */
		return;
	for (;; i--) {
		if (!(v[i].flags & TCP_RANGE_QUEUED))
			return;
		tcp_ranges_mark(a, s, (uint16_t)i, 0, TCP_RANGE_QUEUED);
		v[i].sent_at = at;
		if (i == 0)
			return;
	}
}
