/* lab/capture.c - see capture.h. Frames wait as clones in a heap by (time they left, order), WAITING_MAX of them at most: beyond that the
 * oldest is written before it is known whether it will be dropped. */
#include "lab/capture.h"
#include "driver/pcapng.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITING_MAX = 16384 };

struct waiting {
	int64_t when, until; /* left; is known to have been looked at after */
	uint64_t order;
	struct pkt *pkt;
	int iface;
	unsigned fate;
	enum drop dropped;
	const char *node;    /* by whom */
};
struct capture {
	struct pcapng *w;
	struct pktmem *mem;
	int *iface; /* by end; -1: not captured */
	struct waiting *heap;
	size_t n, cap;
	uint64_t order;
	int failed;
};

struct capture *capture_open_fd(int fd, struct pktmem *m, int n)
{
	struct capture *c = calloc(1, sizeof *c);
	struct pcapng *w = pcapng_open_fd(fd, "viaduct lab");
	int *iface = malloc(((size_t)n + 1) * sizeof *iface);
	if (!c || !w || !iface) {
		if (w)
			pcapng_close(w);
		free(iface);
		free(c);
		errno = ENOMEM;
		return NULL;
	}
	for (int i = 0; i <= n; i++)
		iface[i] = -1;
	*c = (struct capture){.w = w, .mem = m, .iface = iface};
	return c;
}

struct capture *capture_open(const char *path, struct pktmem *m, int n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? NULL : capture_open_fd(fd, m, n);
}

int capture_iface(struct capture *c, int end, const char *name)
{
	int id = pcapng_iface(c->w, name, VIA_L2_ETHER);
	if (id < 0)
		return id;
	c->iface[end] = id;
	return 0;
}

static const struct {
	unsigned fate;
	const char *word;
} fate_words[] = {
	{FATE_LOST, "loss: the link lost it"},
	{FATE_LIMITED, "limit: the link's queue was full, or its policer had no token"},
	{FATE_REORDERED, "reorder: overtakes those before it"},
	{FATE_DUPLICATED, "duplicate: the link delivers it twice"},
	{FATE_CORRUPTED, "corrupt: the link flips a bit"},
};

/* Why it left, and why not before: of the packets that are the sender's own. */
static int why_words(const struct pkt_meta *m, char out[CAPTURE_COMMENT])
{
	enum held first = (enum held)(m->held & 15), last = (enum held)(m->held >> 4);
	int n = snprintf(out, CAPTURE_COMMENT, "%s: %s", why_name((enum why)m->why), why_text((enum why)m->why));
	if (m->lost_us)
		n += snprintf(out + n, (size_t)(CAPTURE_COMMENT - n), "; was found lost %.1f ms before", m->lost_us / 1e3);
	if (first && m->held_us)
		n += snprintf(out + n, (size_t)(CAPTURE_COMMENT - n), "; was held %.1f ms by %s%s%s", m->held_us / 1e3, held_name(first),
			      last == first ? "" : ", in the end by ", last == first ? "" : held_name(last));
	return n;
}

static void comment_of(const struct pkt_meta *m, unsigned fate, char out[CAPTURE_COMMENT])
{
	int n = 0;
	out[0] = 0;
	if (m->why != WHY_NONE && m->why != WHY_FORWARD && m->why < WHY_COUNT)
		n = why_words(m, out);
	for (size_t i = 0; i < ARRAY_LEN(fate_words); i++)
		if ((fate & fate_words[i].fate) && n < CAPTURE_COMMENT)
			n += snprintf(out + n, (size_t)(CAPTURE_COMMENT - n), "%s%s", n ? "; " : "", fate_words[i].word);
}

void capture_comment(const struct link_sent *s, char out[CAPTURE_COMMENT])
{
	comment_of(&s->pkt->m, s->fate, out);
}

static void write_out(struct capture *c, const struct waiting *w)
{
	char text[CAPTURE_COMMENT];
	comment_of(&w->pkt->m, w->fate, text);
	size_t n = strlen(text);
	if (w->dropped)
		snprintf(text + n, sizeof text - n, "%s%s dropped it: %s (%s)", n ? "; " : "", w->node, drop_text(w->dropped),
			 drop_name(w->dropped));
	int rc = pcapng_packet(c->w, w->iface, w->when, c->mem, w->pkt, true, text[0] ? text : NULL);
	if (rc < 0 && !c->failed)
		c->failed = rc;
}

static bool held_before(const struct waiting *a, const struct waiting *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void hold(struct capture *c, struct waiting h)
{
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct waiting *more = realloc(c->heap, cap * sizeof *more);
		if (!more) {
			c->failed = -ENOMEM;
			pkt_free(c->mem, h.pkt);
			return;
		}
		c->heap = more;
		c->cap = cap;
	}
	size_t at = c->n++;
	for (; at && held_before(&h, &c->heap[(at - 1) / 2]); at = (at - 1) / 2)
		c->heap[at] = c->heap[(at - 1) / 2];
	c->heap[at] = h;
}

static struct waiting unhold(struct capture *c)
{
	struct waiting first = c->heap[0], last = c->heap[--c->n];
	size_t at = 0, child;
	while ((child = 2 * at + 1) < c->n) {
		if (child + 1 < c->n && held_before(&c->heap[child + 1], &c->heap[child]))
			child++;
		if (!held_before(&c->heap[child], &last))
			break;
		c->heap[at] = c->heap[child];
		at = child;
	}
	c->heap[at] = last;
	return first;
}

void capture_flush(struct capture *c, int64_t now)
{
	while (c->n && (c->heap[0].until < now || c->n > WAITING_MAX)) {
		struct waiting h = unhold(c);
		write_out(c, &h);
		pkt_free(c->mem, h.pkt);
	}
}

void capture_add(struct capture *c, const struct link_sent *s)
{
	if (c->iface[s->dir->end] < 0)
		return;
	struct pkt *copy = pkt_clone(c->mem, s->pkt);
	if (!copy) {
		c->failed = -ENOMEM;
		return;
	}
	int64_t until = s->fate & FATE_DROPPED ? s->leaves : MAX(s->leaves, s->arrives);
	hold(c, (struct waiting){.when = s->leaves, .until = until, .order = c->order++, .pkt = copy, .iface = c->iface[s->dir->end],
		.fate = s->fate});
}

void capture_dropped(struct capture *c, int end, uint64_t id, enum drop why, const char *node)
{
	for (size_t i = 0; i < c->n; i++) {
		struct waiting *w = &c->heap[i];
		if (w->pkt->m.id != id || w->iface != c->iface[end] || w->fate & FATE_DROPPED)
			continue;
		w->dropped = why;
		w->node = node;
		return;
	}
}

int capture_push(struct capture *c)
{
	int rc = pcapng_flush(c->w);
	return c->failed ? c->failed : rc;
}

int capture_close(struct capture *c)
{
	capture_flush(c, TIME_NEVER);
	int rc = pcapng_close(c->w);
	if (c->failed)
		rc = c->failed;
	free(c->heap);
	free(c->iface);
	free(c);
	return rc;
}
