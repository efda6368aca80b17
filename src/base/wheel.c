/* base/wheel.c - hierarchical timer wheel.
 *
 * A timer belongs to the first tick at or after its deadline. Level L has 64 slots of 64^L ticks; a timer stands in the
 * level of the highest 6-bit digit in which its tick and the wheel's differ, so level 0 holds what comes in the current
 * 64 ticks, level 1 the rest of the current 4096, and so on; five levels reach 13 days, what lies beyond waits in one
 * list. When the wheel's tick enters a slot of level 1 or more, that slot is dealt out to the levels below, before
 * anything can be armed there directly: that keeps the order of arming within a tick. Idle time is skipped, not walked. */
#include "base/wheel.h"

#define DIGIT 6
#define ROW_DUE (WHEEL_LEVELS * WHEEL_SLOTS)
#define ROW_BEYOND (ROW_DUE + 1)
#define SPAN_SHIFT (DIGIT * WHEEL_LEVELS)

_Static_assert(WHEEL_SLOTS == 1 << DIGIT, "a slot is a 6-bit digit");

static int64_t tick_of(int64_t ns) { return ns >> WHEEL_TICK_SHIFT; }
static int64_t tick_up(int64_t ns) { return tick_of(ns) + ((ns & ((INT64_C(1) << WHEEL_TICK_SHIFT) - 1)) != 0); }
static ref_t *row_head(struct wheel *w, unsigned slot) { return &w->head[slot / WHEEL_SLOTS][slot % WHEEL_SLOTS]; }
static ref_t *row_tail(struct wheel *w, unsigned slot) { return &w->tail[slot / WHEEL_SLOTS][slot % WHEEL_SLOTS]; }

void wheel_init(struct wheel *w, int64_t now)
{
	memset(w, 0, sizeof(*w));
	w->tick = tick_of(now);
}

static unsigned slot_for(const struct wheel *w, int64_t tick)
{
	if (tick < w->tick)
		return ROW_DUE;
	uint64_t diff = (uint64_t)(tick ^ w->tick);
	unsigned level = diff ? (63u - (unsigned)__builtin_clzll(diff)) / DIGIT : 0;
	if (level >= WHEEL_LEVELS)
		return ROW_BEYOND;
	return level * WHEEL_SLOTS + (unsigned)((tick >> (level * DIGIT)) & (WHEEL_SLOTS - 1));
}

static void put(struct arena *a, struct wheel *w, ref_t obj, struct wheel_node *n, unsigned slot)
{
	ref_t *head = row_head(w, slot), *tail = row_tail(w, slot);

	n->where = (uint16_t)(slot + 1);
	n->next = 0;
	n->prev = *tail;
	if (*tail)
		((struct wheel_node *)arena_at(a, *tail))->next = obj;
	else
		*head = obj;
	*tail = obj;
	if (slot < ROW_DUE)
		w->busy[slot / WHEEL_SLOTS] |= UINT64_C(1) << (slot % WHEEL_SLOTS);
}

void wheel_arm(struct arena *a, struct wheel *w, ref_t obj, int64_t deadline)
{
	struct wheel_node *n = arena_at(a, obj);

	if (n->where)
		wheel_disarm(a, w, obj);
	n->deadline = deadline;
	put(a, w, obj, n, slot_for(w, tick_up(deadline)));
	w->n_armed++;
}

void wheel_disarm(struct arena *a, struct wheel *w, ref_t obj)
{
	struct wheel_node *n = arena_at(a, obj);

	if (!n->where)
		return;
	unsigned slot = n->where - 1u;
	ref_t *head = row_head(w, slot), *tail = row_tail(w, slot);
	if (n->prev)
		((struct wheel_node *)arena_at(a, n->prev))->next = n->next;
	else
		*head = n->next;
	if (n->next)
		((struct wheel_node *)arena_at(a, n->next))->prev = n->prev;
	else
		*tail = n->prev;
	if (!*head && slot < ROW_DUE)
		w->busy[slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (slot % WHEEL_SLOTS));
	n->next = n->prev = 0;
	n->where = 0;
	w->n_armed--;
}

/* Deal the timers of a slot out again, in their order. */
static void deal(struct arena *a, struct wheel *w, unsigned slot, bool due)
{
	ref_t obj = *row_head(w, slot);

	*row_head(w, slot) = *row_tail(w, slot) = 0;
	if (slot < ROW_DUE)
		w->busy[slot / WHEEL_SLOTS] &= ~(UINT64_C(1) << (slot % WHEEL_SLOTS));
	while (obj) {
		struct wheel_node *n = arena_at(a, obj);
		ref_t next = n->next;
		put(a, w, obj, n, due ? ROW_DUE : slot_for(w, tick_up(n->deadline)));
		obj = next;
	}
}

/* Go on to `tick`; nothing fires or is dealt out between here and there. */
static void advance(struct arena *a, struct wheel *w, int64_t tick)
{
	w->tick = tick;
	if (tick & (WHEEL_SLOTS - 1))
		return;
	if (!(tick & ((INT64_C(1) << SPAN_SHIFT) - 1)))
		deal(a, w, ROW_BEYOND, false);
	for (unsigned level = WHEEL_LEVELS - 1; level > 0; level--) {
		unsigned i = (unsigned)((tick >> (level * DIGIT)) & (WHEEL_SLOTS - 1));
		bool enters = !(tick & ((INT64_C(1) << (level * DIGIT)) - 1));
		if (enters && (w->busy[level] >> i & 1))
			deal(a, w, level * WHEEL_SLOTS + i, false);
	}
}

/* The next tick at which a slot fires or is dealt out; INT64_MAX when nothing is armed. */
static int64_t next_tick(const struct wheel *w)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		if (!w->busy[level])
			continue;
		unsigned shift = level * DIGIT;
		int64_t turn = (w->tick >> (shift + DIGIT)) << DIGIT;
		return (turn | __builtin_ctzll(w->busy[level])) << shift;
	}
	if (w->head[WHEEL_LEVELS][1])
		return ((w->tick >> SPAN_SHIFT) + 1) << SPAN_SHIFT;
	return INT64_MAX;
}

ref_t wheel_expire(struct arena *a, struct wheel *w, int64_t now)
{
	int64_t now_tick = tick_of(now);
	ref_t *due = row_head(w, ROW_DUE);

	while (!*due) {
		int64_t t = next_tick(w);
		if (t > now_tick) {
			if (w->tick <= now_tick)
				advance(a, w, now_tick + 1);
			return 0;
		}
		if (t > w->tick)
			advance(a, w, t);
		if (w->busy[0] >> (t & (WHEEL_SLOTS - 1)) & 1) {
			deal(a, w, (unsigned)(t & (WHEEL_SLOTS - 1)), true);
			advance(a, w, t + 1);
		}
	}
	ref_t obj = *due;
	wheel_disarm(a, w, obj);
	return obj;
}

int64_t wheel_next(const struct wheel *w)
{
	int64_t t = w->head[WHEEL_LEVELS][0] ? w->tick - 1 : next_tick(w);

	return t > INT64_MAX >> WHEEL_TICK_SHIFT ? TIME_NEVER : t * (INT64_C(1) << WHEEL_TICK_SHIFT);
}
