/* embed.c - a TCP/IP stack inside your program: packets in and out are your buffers, the clock is yours.
 *
 *   cc embed.c $(pkg-config --cflags --libs viaduct) -o embed && ./embed
 *
 * What a VPN, a sandbox or an emulator does: hand over each packet that came out of the tunnel, carry away each one that the
 * stack sends. No thread, no descriptor, no real time: here the tunnel is one UDP datagram made by hand, and a second lasts as
 * long as we say. A service on the stack (UDP echo, port 7) answers it. */
#include <stdio.h>
#include <string.h>
#include <viaduct/viaduct.h>

struct tunnel {
	unsigned char in[128], out[1500]; /* the packet that waits for the stack; the last one it sent */
	size_t in_len, out_len;
};

/* The stack asks: has the tunnel a packet for me? */
static size_t packet_in(void *ctx, void *packet, size_t room)
{
	struct tunnel *t = ctx;
	size_t len = t->in_len <= room ? t->in_len : 0;
	memcpy(packet, t->in, len);
	t->in_len = 0;
	return len;
}

/* The stack sends. To say "not now", return -EAGAIN. */
static int packet_out(void *ctx, const void *packet, size_t len)
{
	struct tunnel *t = ctx;
	memcpy(t->out, packet, len);
	t->out_len = len;
	return 0;
}

/* An IPv4 packet with a UDP datagram from 10.9.0.1 port 4000 to 10.9.0.2 port 7 (RFC 791; RFC 768: checksum 0 is none). */
static void tunnel_receives(struct tunnel *t, const char *text)
{
	static const unsigned char ip[20] = {0x45, [8] = 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2};
	size_t n = strlen(text), len = 28 + n;
	unsigned sum = 0;
	memcpy(t->in, ip, 20);
	memcpy(t->in + 20, (unsigned char[]){4000 >> 8, 4000 & 255, 0, 7, 0, (unsigned char)(8 + n), 0, 0}, 8);
	memcpy(t->in + 28, text, n);
	t->in[3] = (unsigned char)len;
	for (int i = 0; i < 20; i += 2)
		sum += (unsigned)t->in[i] << 8 | t->in[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16));
	t->in[10] = (unsigned char)(sum >> 8);
	t->in[11] = (unsigned char)sum;
	t->in_len = len;
}

/* What is on the stack's sockets: a datagram goes back to its sender. */
static void serve(struct via *v, via_sock s)
{
	char data[1024];
	struct via_sockaddr from;
	int64_t n;
	while ((n = via_recvfrom(v, s, data, sizeof(data), 0, &from, NULL)) >= 0)
		via_sendto(v, s, data, (uint32_t)n, 0, &from);
}

int main(void)
{
	struct tunnel t = {0};
	int64_t now = 1000000000; /* ns; any clock that never goes back */
	struct via *v = via_host_stack_new(&(struct via_host_config){.size = sizeof(struct via_host_config), .now = now});
	struct via_buffer *tun = via_buffer_new(&(struct via_buffer_config){.size = sizeof(struct via_buffer_config), .mtu = 1400,
		.in = packet_in, .out = packet_out, .ctx = &t});
	if (!v || !tun)
		return 1;
	int ifindex = via_iface_add(v, via_buffer_driver(tun), "tun0");
	via_configure(v, &(struct via_change){.kind = VIA_ADDR_ADD, .ifindex = ifindex, .addr = via_addr_v4(0x0a090002), .plen = 24});
	via_sock echo;
	if (via_open(v, VIA_DGRAM, 0, &echo) || via_bind(v, echo, &(struct via_sockaddr){.addr = via_addr_v4(0), .port = 7}))
		return 1;

	tunnel_receives(&t, "hello, stack");
	for (int turn = 0; turn < 10 && !t.out_len; turn++) {
		via_poll(v, now, 64);  /* takes packets, fires timers, sends */
		serve(v, echo);
		via_flush(v, now);     /* what the service sent */
		now += 1000000;        /* a program that waits sleeps until via_next_deadline(v) or its next packet */
	}
	printf("%zu bytes out, from port %d: %.*s\n", t.out_len, t.out[20] << 8 | t.out[21], (int)t.out_len - 28, (char *)t.out + 28);
	via_host_stack_free(v);
	via_buffer_free(tun);
	return t.out_len == 40 ? 0 : 1;
}
