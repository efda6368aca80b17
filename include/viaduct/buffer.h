/* viaduct/buffer.h - a driver made of two callbacks: packets in and packets out are plain buffers of the caller's.
 *
 * For a VPN, a sandbox, an emulator: whatever has its own way to carry packets. The stack calls `out` with each packet it
 * sends, and gets those for it from via_buffer_push(), from the `in` callback, or from both. Packets are whole: cut to
 * the MTU, checksums finished. Callbacks run inside via_poll(), via_flush() and via_rx_burst() of the stack the driver is
 * attached to; they must not call that stack. Not thread-safe: whoever may call the stack may call these. */
#ifndef VIADUCT_BUFFER_H
#define VIADUCT_BUFFER_H

#include <stddef.h>
#include <viaduct/driver.h>

struct via_buffer;

struct via_buffer_config {
	uint32_t size;  /* sizeof(struct via_buffer_config) */
	enum via_l2 l2; /* 0 or VIA_L2_NONE: packets begin with an IP header; VIA_L2_ETHER: frames */
	uint32_t mtu;   /* largest IP packet, bytes, 68 to 65535; 0: 1500 */
	uint8_t mac[6]; /* of an Ethernet interface; all zero: 02:00:00:00:00:01 */
	uint32_t queue; /* packets via_buffer_push() may put ahead of the stack; 0: 256 */
	uint32_t longest; /* longest IP packet that may come in, bytes; 0: the MTU. A link may carry longer ones to us than we may send. */
	/* A packet leaves. [packet, packet+len) is valid during the call. 0: taken, sent or lost; -EAGAIN: not now, it is offered again
	 * with the next via_poll(), which via_next_deadline() wants within 1 ms, or at once after via_buffer_ready(). */
	int (*out)(void *ctx, const void *packet, size_t len);
	/* A packet for the stack, written to [packet, packet+room): its length, or 0: none waits. NULL: only push. A stack that
	 * sleeps is not woken by it: say via_poll() when a packet is there. */
	size_t (*in)(void *ctx, void *packet, size_t room);
	void *ctx;
};

/* NULL with errno: EINVAL, ENOMEM. */
VIA_API struct via_buffer *via_buffer_new(const struct via_buffer_config *cfg);
/* After the stack it is attached to is gone, or has removed it. Packets still queued are dropped. */
VIA_API void via_buffer_free(struct via_buffer *b);
/* Borrowed: what via_iface_add() takes. */
VIA_API struct via_driver *via_buffer_driver(struct via_buffer *b);
/* A packet came in at `now` (the stack's clock): copied; the stack takes it with its next via_poll(). 0, -EINVAL: no
 * bytes, -EMSGSIZE: longer than `longest` allows, -ENOBUFS: the queue is full. */
VIA_API int via_buffer_push(struct via_buffer *b, const void *packet, size_t len, int64_t now);
/* `out` takes packets again. */
VIA_API void via_buffer_ready(struct via_buffer *b);

#endif
