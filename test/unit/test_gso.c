/* Cutting superframes: every cut is a packet of its own that says the same, checked by a naive reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "net/gso.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/tcp.h"
#include "region.h"

enum { HOME = 256 * 65536, MAX = 65536 };

static struct pktmem mem;
static void *home;
static uint8_t text[MAX];

static int setup(void **state)
{
	home = aligned_alloc(ARENA_PAGE_SIZE, HOME);
	memset(home, 0, HOME);
	pktmem_init(&mem, home, HOME);
	struct rng r;
	rng_seed(&r, 11);
	for (int i = 0; i < MAX; i++)
		text[i] = (uint8_t)rng_u64(&r);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(pktmem_pkts_used(&mem), 0);
	assert_int_equal(pktmem_blks_used(&mem), 0);
	pktmem_fini(&mem);
	free(home);
	return 0;
}

/* The checksum of RFC 1071 as its text says it, over whole bytes. */
static uint16_t naive_sum(const uint8_t *p, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8, sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A superframe of n payload bytes: `linear` of them in the linear part, the rest in slices of odd sizes. */
static struct pkt *super(uint32_t n, uint32_t linear, uint16_t mss, uint8_t flags, bool ts, bool ether)
{
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	struct tcp_hdr t = {.sport = 80, .dport = 5000, .seq = 0xfffff000u, .ack = 77, .wnd = 500, .flags = flags,
			    .has_ts = ts, .tsval = 9, .tsecr = 8};
	uint32_t thl = tcp_emit_len(&t);
	if (ether) {
		static const uint8_t a[6] = {2, 1}, b[6] = {2, 2};
		eth_emit(pkt_put(p, ETH_HLEN), a, b, ETHERTYPE_IP4);
	}
	struct ip4_hdr h = {.ttl = 64, .proto = IPPROTO_N_TCP, .id = 0xfffe, .frag = IP4_DF, .src = 0x0a000001, .dst = 0x0a000002, .tos = 2,
			    .total_len = (uint16_t)(IP4_HLEN + thl + n)};
	p->m.l2 = p->head;
	p->m.l3 = (uint16_t)(p->head + p->head_len);
	ip4_emit(pkt_put(p, IP4_HLEN), &h);
	p->m.l4 = (uint16_t)(p->head + p->head_len);
	tcp_emit(pkt_put(p, thl), &t);
	if (linear)
		memcpy(pkt_put(p, linear), text, linear);
	for (uint32_t off = linear; off < n;) {
		blk_t b = blk_new(&mem);
		uint32_t k = n - off < 4001 ? n - off : 4001;
		memcpy(blk_data(&mem, b) + 5, text + off, k);
		assert_int_equal(pkt_append_slice(&mem, p, b, 5, k), 0);
		blk_drop(&mem, b);
		off += k;
	}
	p->m.gso = PKT_GSO_TCP4;
	p->m.gso_size = mss;
	p->m.gso_segs = (uint16_t)((n + mss - 1) / mss);
	p->m.csum = PKT_CSUM_PARTIAL;
	p->m.csum_start = p->m.l4;
	p->m.csum_offset = 16;
	p->m.owner = 42;
	p->m.owner_gen = 3;
	p->m.owner_seq_end = 99;
	return p;
}

static void check_cuts(uint32_t n, uint32_t linear, uint16_t mss, uint8_t flags, bool ts, bool ether)
{
	struct pktq q = {0};
	uint32_t segs = (n + mss - 1) / mss, off = 0;
	static uint8_t bytes[70000];
	assert_int_equal(gso_cut(&mem, super(n, linear, mss, flags, ts, ether), &q), 0);
	assert_int_equal(q.n, segs);
	for (uint32_t i = 0; i < segs; i++) {
		struct pkt *p = pktq_pop(&mem, &q);
		uint32_t l2 = ether ? ETH_HLEN : 0, len = pkt_copy_out(&mem, p, 0, bytes, sizeof(bytes));
		struct ip4_hdr h;
		struct tcp_hdr t;
		bool last = i == segs - 1;
		assert_int_equal(len, p->len);
		if (ether)
			assert_int_equal(get_be16(bytes + 12), ETHERTYPE_IP4);
		assert_int_equal(ip4_parse(bytes + l2, len - l2, false, &h), 0);
		assert_int_equal(h.total_len, len - l2);
		assert_int_equal(h.id, (uint16_t)(0xfffe + i));
		assert_int_equal(h.frag, IP4_DF);
		assert_int_equal(h.tos, 2);
		assert_int_equal(naive_sum(bytes + l2, h.hlen, 0), 0xffff);
		const uint8_t *l4 = bytes + l2 + h.hlen;
		uint32_t l4_len = h.total_len - h.hlen;
		assert_int_equal(tcp_parse(l4, l4_len, &t), 0);
		assert_int_equal(naive_sum(l4, l4_len, naive_sum(bytes + l2 + 12, 8, 6 + l4_len)), 0xffff);
		uint32_t payload = l4_len - t.hlen;
		assert_int_equal(payload, last ? n - off : mss);
		assert_int_equal(t.seq, 0xfffff000u + off);
		assert_int_equal(t.ack, 77);
		assert_int_equal(t.has_ts, ts);
		uint8_t want = flags;
		if (i)
			want &= (uint8_t)~TCP_CWR;
		if (!last)
			want &= (uint8_t)~(TCP_FIN | TCP_PSH);
		assert_int_equal(t.flags, want);
		assert_memory_equal(l4 + t.hlen, text + off, payload);
		assert_int_equal(p->m.gso_size, 0);
		assert_int_equal(p->m.csum, PKT_CSUM_NONE);
		assert_int_equal(p->m.owner, last ? 42 : 0);
		if (last)
			assert_int_equal(p->m.owner_seq_end, 99);
		off += payload;
		pkt_free(&mem, p);
	}
	assert_int_equal(off, n);
}

static void gso_cut__sizes(void **state)
{
	static const uint32_t sizes[] = {1449, 2896, 2897, 5000, 14480, 40001, 64000};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		check_cuts(sizes[i], 0, 1448, TCP_ACK, true, true);
		check_cuts(sizes[i], 0, 1448, TCP_ACK | TCP_PSH, true, false);
		check_cuts(sizes[i], 700, 1448, TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR, true, true);
		check_cuts(sizes[i], 3, 1460, TCP_ACK | TCP_CWR | TCP_FIN, false, true);
		check_cuts(sizes[i], 0, 536, TCP_ACK | TCP_PSH, true, true);
		check_cuts(sizes[i], 0, 9001, TCP_ACK | TCP_PSH, true, true);
	}
	check_cuts(3000, 1000, 88, TCP_ACK, true, true);
}

static void gso_cut__payload_is_shared_not_copied(void **state)
{
	struct pktq q = {0};
	struct pkt *p = super(40000, 0, 1448, TCP_ACK, true, true);
	uint32_t blks = pktmem_blks_used(&mem);
	assert_int_equal(gso_cut(&mem, p, &q), 0);
	assert_int_equal(pktmem_blks_used(&mem), blks);
	pktq_clear(&mem, &q);
}

static void gso_cut__refuses_what_it_cannot_cut(void **state)
{
	struct pktq q = {0};
	struct pkt *p = super(4000, 0, 1448, TCP_ACK, true, true);
	p->m.gso = PKT_GSO_UDP;
	assert_int_equal(gso_cut(&mem, p, &q), -EINVAL);
	assert_int_equal(q.n, 0);
}

/* Packet memory ends at each cut in turn: -ENOMEM, the cuts before it are whole, and all of it comes back (see teardown). */
static void gso_cut__without_memory(void **state)
{
	static struct pkt *all[HOME / PKT_BYTES];
	for (uint32_t room = 0; room < 8; room++) {
		struct pktq q = {0};
		struct pkt *p = super(10 * 1000, 0, 1000, TCP_ACK, true, true);
		uint32_t n = 0;
		while (n < ARRAY_LEN(all) && (all[n] = pkt_new(&mem, 0)) != NULL)
			n++;
		assert_true(n > room && n < ARRAY_LEN(all));
		for (uint32_t i = 0; i < room; i++)
			pkt_free(&mem, all[--n]);
		assert_int_equal(gso_cut(&mem, p, &q), -ENOMEM);
		assert_int_equal(q.n, room);
		for (uint32_t i = 0; i < room; i++) {
			struct pkt *s = pktq_pop(&mem, &q);
			assert_int_equal(s->m.owner, 0);
			assert_int_equal(get_be32(s->linear + s->m.l4 + 4), 0xfffff000u + i * 1000);
			pkt_free(&mem, s);
		}
		while (n > 0)
			pkt_free(&mem, all[--n]);
		assert_int_equal(pktmem_pkts_used(&mem), 0);
		assert_int_equal(pktmem_blks_used(&mem), 0);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(gso_cut__sizes), T(gso_cut__payload_is_shared_not_copied), T(gso_cut__refuses_what_it_cannot_cut),
					    T(gso_cut__without_memory)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
