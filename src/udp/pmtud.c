/* udp/pmtud.c - datagram packetization-layer path MTU discovery. See viaduct/pmtud.h. Names, states and times are RFC 8899's (§5.1, §5.2).
 *
 * The search asks for the largest size first, which is the answer on most paths, then halves what is left. */
#include <viaduct/pmtud.h>

#include "base/defs.h"

#define PROBE_TIMER (15 * NS_PER_S)      /* §5.1.1: should be more than 15 s; who knows sooner says so */
#define PMTU_RAISE_TIMER (600 * NS_PER_S)

static uint32_t base_of(const struct via_pmtud *d) { return MIN(d->max, VIA_PMTUD_BASE); }

static void enter(struct via_pmtud *d, enum via_pmtud_state state, uint32_t probe, int64_t at)
{
	d->state = state;
	d->probed = probe;
	d->count = 0;
	d->is_out = false;
	d->at = at;
}

static void complete(struct via_pmtud *d, int64_t now)
{
	enter(d, VIA_PMTUD_COMPLETE, 0, d->plpmtu < d->max ? now + PMTU_RAISE_TIMER : INT64_MAX);
}

/* The next size between what is known to arrive and what is not known to be too large; none: the search is complete. */
static void search(struct via_pmtud *d, int64_t now)
{
	if (d->limit <= d->plpmtu)
		complete(d, now);
	else
		enter(d, VIA_PMTUD_SEARCHING, d->limit == d->max ? d->max : d->plpmtu + (d->limit - d->plpmtu + 1) / 2, now);
}

static void confirm_base(struct via_pmtud *d, int64_t now)
{
	d->limit = d->max;
	d->plpmtu = base_of(d);
	enter(d, VIA_PMTUD_BASE_STATE, base_of(d), now);
}

void via_pmtud_init(struct via_pmtud *d, uint32_t max, int64_t now)
{
	*d = (struct via_pmtud){.max = MAX(max, VIA_PMTUD_MIN)};
	confirm_base(d, now);
}

uint32_t via_pmtud_size(const struct via_pmtud *d) { return d->plpmtu; }

int64_t via_pmtud_at(const struct via_pmtud *d) { return d->at; }

static void count_lost(struct via_pmtud *d, int64_t now)
{
	d->is_out = false;
	d->at = now;
	if (++d->count < VIA_PMTUD_MAX_PROBES)
		return;
	if (d->state == VIA_PMTUD_SEARCHING) {
		d->limit = d->probed - 1;
		search(d, now);
		return;
	}
	/* Not even the base: the least, and the base is asked for now and then (§5.2). */
	d->plpmtu = VIA_PMTUD_MIN;
	enter(d, VIA_PMTUD_ERROR, base_of(d), now + PROBE_TIMER);
}

uint32_t via_pmtud_probe(struct via_pmtud *d, int64_t now)
{
	if (d->is_out && now >= d->at)
		count_lost(d, now);
	if (now < d->at)
		return 0;
	if (d->state == VIA_PMTUD_COMPLETE) { /* PMTU_RAISE_TIMER: the path may carry more by now */
		d->limit = d->max;
		search(d, now);
	}
	d->is_out = true;
	d->at = now + PROBE_TIMER;
	return d->probed;
}

void via_pmtud_acked(struct via_pmtud *d, uint32_t size, int64_t now)
{
	if (!d->is_out || size != d->probed)
		return;
	d->plpmtu = size;
	search(d, now);
}

void via_pmtud_lost(struct via_pmtud *d, uint32_t size, int64_t now)
{
	if (d->is_out && size == d->probed)
		count_lost(d, now);
}

void via_pmtud_black_hole(struct via_pmtud *d, int64_t now)
{
	if (d->state == VIA_PMTUD_SEARCHING || d->state == VIA_PMTUD_COMPLETE)
		confirm_base(d, now);
}

bool via_pmtud_too_big(struct via_pmtud *d, uint32_t size, int64_t now)
{
	bool is_search = d->state == VIA_PMTUD_SEARCHING;

	if (size < base_of(d) || (!is_search && size >= d->plpmtu) || (is_search && size >= d->probed))
		return false;
	if (size < d->plpmtu) {
		confirm_base(d, now);
		d->limit = size;
	} else { /* between what arrives and what was asked: that is the next question, or the answer */
		d->limit = size;
		if (size == d->plpmtu)
			complete(d, now);
		else
			enter(d, VIA_PMTUD_SEARCHING, size, now);
	}
	return true;
}
