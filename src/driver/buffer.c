/* driver/buffer.c - a driver made of two callbacks, for embedders: plain buffers in and out.
 *
 * Packets pushed wait as bytes in a ring of the driver's own, not in packet memory: so it may be filled before it is attached
 * and freed after its stack is gone. Ring slots are touched only when used. Each packet is copied once more on its way
 * into the stack, and flattened into one scratch buffer on its way out. An `out` that says -EAGAIN pushes the stack back; it is
 * asked again with the next poll, which is wanted within 1 ms, or at once after via_buffer_ready(). */
#include <viaduct/buffer.h>

#include "pkt/pkt.h"

#include <errno.h>
#include <stdlib.h>

enum { BUFFER_L2_MAX = 18, BUFFER_MTU_MIN = 68, BUFFER_MTU_MAX = 65535, BUFFER_QUEUE = 256, BUFFER_ROOM = 256 };
#define BUFFER_RETRY_NS NS_PER_MS

struct buffer_slot {
	int64_t when;
	uint32_t len;
};

struct via_buffer {
	struct via_driver d; /* first: the stack holds its address */
	struct via_buffer_config c;
	uint32_t most;     /* bytes of the longest frame in */
	uint32_t most_out; /* the same out */
	uint32_t head, n;  /* of the ring */
	struct buffer_slot *slots;
	uint8_t *bytes;    /* c.queue times `most` */
	uint8_t *scratch;  /* one frame */
	bool pushed_back;
	int64_t retry;     /* then: when to ask again */
};

static struct via_buffer *buffer_of(struct via_driver *d)
{
	return CONTAINER_OF(d, struct via_buffer, d);
}

/* A packet with these bytes, or NULL when memory is out: then it is lost, as in any card without descriptors. */
static struct pkt *buffer_packet(struct via_buffer *b, const void *data, uint32_t len, int64_t when)
{
	struct pkt *p = pkt_new(b->d.mem, PKT_HEADROOM);
	if (p && pkt_append(b->d.mem, p, data, len) < 0) {
		pkt_free(b->d.mem, p);
		return NULL;
	}
	if (p)
		p->m.rx_ns = when;
	return p;
}

static int buffer_rx_burst(struct via_driver *d, struct pkt **pkts, int max)
{
	struct via_buffer *b = buffer_of(d);
	int n = 0, tries = 0;
	b->pushed_back = false; /* every poll asks `out` again */
	while (n < max && b->n > 0) {
		const struct buffer_slot *s = &b->slots[b->head];
		struct pkt *p = buffer_packet(b, b->bytes + (size_t)b->head * b->most, s->len, s->when);
		b->head = (b->head + 1) % b->c.queue;
		b->n--;
		if (p)
			pkts[n++] = p;
	}
	while (b->c.in && n < max && tries++ < max) {
		size_t len = b->c.in(b->c.ctx, b->scratch, b->most);
		if (len == 0)
			break;
		struct pkt *p = len <= b->most ? buffer_packet(b, b->scratch, (uint32_t)len, 0) : NULL;
		if (p)
			pkts[n++] = p;
	}
	return n;
}

static int buffer_tx_burst(struct via_driver *d, struct pkt **pkts, int n, int64_t now)
{
	struct via_buffer *b = buffer_of(d);
	int taken = 0;
	b->pushed_back = false;
	while (taken < n) {
		uint32_t len = pkts[taken]->len;
		if (d->up && len <= b->most_out) {
			pkt_copy_out(d->mem, pkts[taken], 0, b->scratch, len);
			if (b->c.out(b->c.ctx, b->scratch, len) == -EAGAIN) {
				b->pushed_back = true;
				b->retry = now + BUFFER_RETRY_NS;
				break;
			}
		}
		pkt_free(d->mem, pkts[taken++]);
	}
	return taken;
}

static int buffer_tx_room(struct via_driver *d)
{
	return buffer_of(d)->pushed_back ? 0 : BUFFER_ROOM;
}

static int64_t buffer_next(struct via_driver *d)
{
	const struct via_buffer *b = buffer_of(d);
	int64_t next = b->pushed_back ? b->retry : TIME_NEVER;
	return b->n > 0 ? MIN(next, b->slots[b->head].when) : next;
}

static const struct via_driver_ops buffer_ops = {buffer_rx_burst, buffer_tx_burst, buffer_tx_room, buffer_next};

/* The config with its defaults filled in. False when it makes no sense. */
static bool buffer_config(const struct via_buffer_config *in, struct via_buffer_config *c)
{
	static const uint8_t none[6], some[6] = {2, 0, 0, 0, 0, 1};
	if (!in || in->size != sizeof(*in) || !in->out)
		return false;
	*c = *in;
	c->l2 = c->l2 ? c->l2 : VIA_L2_NONE;
	c->mtu = c->mtu ? c->mtu : 1500;
	c->longest = MAX(c->longest, c->mtu);
	c->queue = c->queue ? c->queue : BUFFER_QUEUE;
	if (memcmp(c->mac, none, 6) == 0)
		memcpy(c->mac, some, 6);
	return (c->l2 == VIA_L2_NONE || c->l2 == VIA_L2_ETHER) && c->mtu >= BUFFER_MTU_MIN && c->longest <= BUFFER_MTU_MAX &&
	       c->queue <= 1u << 16;
}

struct via_buffer *via_buffer_new(const struct via_buffer_config *cfg)
{
	struct via_buffer_config c;
	if (!buffer_config(cfg, &c)) {
		errno = EINVAL;
		return NULL;
	}
	struct via_buffer *b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->c = c;
	b->most_out = c.mtu + (c.l2 == VIA_L2_ETHER ? BUFFER_L2_MAX : 0);
	b->most = c.longest + (b->most_out - c.mtu);
	b->slots = calloc(c.queue, sizeof(*b->slots));
	b->bytes = malloc((size_t)c.queue * b->most);
	b->scratch = malloc(b->most);
	if (!b->slots || !b->bytes || !b->scratch) {
		via_buffer_free(b);
		errno = ENOMEM;
		return NULL;
	}
	b->d = (struct via_driver){.ops = &buffer_ops, .l2 = c.l2, .mtu = c.mtu, .up = true};
	memcpy(b->d.mac, c.mac, 6);
	return b;
}

void via_buffer_free(struct via_buffer *b)
{
	if (!b)
		return;
	free(b->slots);
	free(b->bytes);
	free(b->scratch);
	free(b);
}

struct via_driver *via_buffer_driver(struct via_buffer *b)
{
	return &b->d;
}

int via_buffer_push(struct via_buffer *b, const void *packet, size_t len, int64_t now)
{
	if (len == 0)
		return -EINVAL;
	if (len > b->most)
		return -EMSGSIZE;
	if (b->n == b->c.queue)
		return -ENOBUFS;
	uint32_t at = (b->head + b->n) % b->c.queue;
	memcpy(b->bytes + (size_t)at * b->most, packet, len);
	b->slots[at] = (struct buffer_slot){now, (uint32_t)len};
	b->n++;
	return 0;
}

void via_buffer_ready(struct via_buffer *b)
{
	b->pushed_back = false;
}
