/* door/report.c - what the door did, and what it cannot do: counters and sentences. */
#include "door/inside.h"

static const char *const limits[] = {
#define LIMIT(name, sentence) sentence,
#include "door/limits.def"
#undef LIMIT
};

const char *door_limit(unsigned n)
{
	return n < ARRAY_LEN(limits) ? limits[n] : NULL;
}

void door_stats_get(const struct door *d, struct door_stats *out)
{
	*out = d->stats;
}
