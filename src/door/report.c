/* door/report.c - what the door did: counters, and the lines of --report. */
#include "door/inside.h"

#include <inttypes.h>

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

void door_report(const struct door *d, FILE *out)
{
	const struct door_stats *s = &d->stats;
	fprintf(out, "sockets taken: %" PRIu64 " (%" PRIu64 " of them UDP); connects %" PRIu64 ", accepts %" PRIu64
		", DNS questions %" PRIu64 "\n", s->sockets_taken, s->sockets_udp, s->connects, s->accepts, s->dns_questions);
	fprintf(out, "sockets left to the kernel: %" PRIu64 " (UNIX %" PRIu64 ", netlink %" PRIu64 ", other families %" PRIu64
		"); IPv6 sockets refused: %" PRIu64 "\n", s->sockets_left, s->left_unix, s->left_netlink, s->left_other, s->refused_inet6);
	fprintf(out, "bytes to the program %" PRIu64 ", from the program %" PRIu64 "\n", s->bytes_in, s->bytes_out);
	fprintf(out, "system calls answered: %" PRIu64 " (%" PRIu64 " sendmsg and recvmsg of all families); synchronous wake-up: %s\n",
		s->notifications, s->sendmsg_recvmsg, s->has_sync_wake_up ? "yes" : "no, this kernel is older than 6.6");
}
