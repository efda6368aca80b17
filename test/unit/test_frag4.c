/* IPv4's part of fragments: which are refused, the header of the whole, cutting and cutting again, options, ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "base/csum.h"
#include "net/frag4.h"
#include "reasm_world.h"
#include "wire/tcp.h"

static uint8_t noise[70000];

/* A packet with `opts` (a multiple of 4 bytes) and `n` bytes behind its header; some of them in blocks. */
static struct pkt *packet(struct world *x, uint8_t proto, uint16_t frag, const uint8_t *opts, uint32_t n_opts, uint32_t n)
{
	struct pkt *p = pkt_new(&x->mem, PKT_HEADROOM);
	struct ip4_hdr h = {.ttl = 64, .proto = proto, .total_len = (uint16_t)(IP4_HLEN + n_opts + n), .id = 0x1234, .frag = frag,
			    .src = 0x0a000001, .dst = 0x0a000002, .tos = 2};
	uint8_t *ip = pkt_put(p, IP4_HLEN + n_opts);
	ip4_emit(ip, &h);
	if (n_opts)
		memcpy(ip + IP4_HLEN, opts, n_opts);
	ip[0] = (uint8_t)(0x40 | (IP4_HLEN + n_opts) / 4);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_field(csum_add(0, ip, IP4_HLEN + n_opts)));
	assert_int_equal(pkt_append(&x->mem, p, noise, n), 0);
	p->m.l2 = p->m.l3 = p->head;
	p->m.l4 = (uint16_t)(p->head + IP4_HLEN + n_opts);
	p->m.owner = 0;
	return p;
}

static struct ip4_hdr header_of(struct pkt *p)
{
	struct ip4_hdr h;
	assert_int_equal(ip4_parse(pkt_data(p), p->len, false, &h), 0);
	assert_int_equal(h.total_len, p->len);
	return h;
}

/* Put all of q together again. NULL if that is not what it was. */
static struct pkt *join(struct world *x, struct pktq *q, struct ip4_hdr *h)
{
	struct reasm_whole w = {0};
	for (struct pkt *p; (p = pktq_pop(&x->mem, q)) != NULL;) {
		struct reasm_key k;
		struct reasm_fragment f;
		*h = header_of(p);
		struct ip_hdr view = ip_hdr_of4(h);
		assert_true(ip_is_fragment(&view));
		assert_int_equal(frag4_read(&x->mem, p, &view, &k, &f), DROP_NONE);
		pkt_pull(p, h->hlen);
		assert_null(w.p);
		assert_int_equal(reasm_input(&x->e, x->r, &k, &f, p, &w, &x->dropped), DROP_NONE);
	}
	assert_non_null(w.p);
	struct ip_hdr whole;
	assert_int_equal(frag4_whole(w.p, w.ecn, &whole), DROP_NONE);
	assert_false(ip_is_fragment(&whole));
	*h = header_of(w.p);
	assert_int_equal(whole.len, h->total_len);
	return w.p;
}

static void req_RT4_010__cut_and_cut_again_is_whole_again(void **state)
{
	struct world x;
	struct rng r;
	rng_seed(&r, 3);
	world_new(&x, HOME_BYTES);
	for (int i = 0; i < 400; i++) {
		static uint8_t got[70000];
		uint32_t n = 100 + (uint32_t)rng_below(&r, i % 10 ? 5000 : 65415), mtu = 68 + (uint32_t)rng_below(&r, 1500);
		uint32_t mtu2 = 68 + (uint32_t)rng_below(&r, 700), count = 0, at = 0;
		struct pktq q = {0}, all = {0};
		struct pkt *p = packet(&x, IPPROTO_N_UDP, 0, NULL, 0, n);
		assert_int_equal(frag4_cut(&x.mem, p, mtu, &q), 0);
		assert_true(q.n <= frag4_count(n + IP4_HLEN, IP4_HLEN, mtu));
		while ((p = pktq_pop(&x.mem, &q)) != NULL) {
			struct ip4_hdr h = header_of(p);
			assert_true(p->len <= mtu);
			assert_int_equal((h.frag & 0x1fff) * 8, at); /* one behind the other */
			assert_int_equal((h.frag & IP4_MF) != 0, q.n > 0);
			assert_int_equal(h.frag & IP4_DF, 0);
			assert_int_equal(h.id, 0x1234);
			assert_int_equal(h.ttl, 64);
			at += p->len - h.hlen;
			count++;
			if (p->len > mtu2)
				assert_int_equal(frag4_cut(&x.mem, p, mtu2, &all), 0);
			else
				pktq_push(&x.mem, &all, p);
		}
		assert_int_equal(at, n);
		assert_true(count > 0);
		struct ip4_hdr h;
		if (all.n == 1)
			p = pktq_pop(&x.mem, &all);
		else
			p = join(&x, &all, &h);
		h = header_of(p);
		assert_int_equal(h.frag, 0);
		assert_int_equal(p->len, n + IP4_HLEN);
		pkt_copy_out(&x.mem, p, IP4_HLEN, got, n);
		assert_memory_equal(got, noise, n);
		pkt_free(&x.mem, p);
	}
	world_free(&x);
}

static void req_IP4_013__options_go_by_their_copy_bit(void **state)
{
	/* record route (7), NOP, a stream id (136: copied), NOP NOP, an unknown copied one (0x9e) of 3, end */
	static const uint8_t opts[] = {7, 7, 4, 0, 0, 0, 0, 1, 136, 4, 0xab, 0xcd, 1, 0x9e, 3, 0x55, 0, 0, 0, 0};
	static const uint8_t later[] = {136, 4, 0xab, 0xcd, 0x9e, 3, 0x55, 0};
	struct world x;
	struct pktq q = {0};
	struct pkt *p;
	world_new(&x, HOME_BYTES);
	p = packet(&x, IPPROTO_N_UDP, 0, opts, sizeof(opts), 1000);
	assert_int_equal(frag4_cut(&x.mem, p, 300, &q), 0);
	for (uint32_t i = 0; (p = pktq_pop(&x.mem, &q)) != NULL; i++) {
		struct ip4_hdr h = header_of(p);
		assert_int_equal(h.hlen, IP4_HLEN + (i ? sizeof(later) : sizeof(opts)));
		if (i)
			assert_memory_equal(pkt_data(p) + IP4_HLEN, later, sizeof(later));
		else
			assert_memory_equal(pkt_data(p) + IP4_HLEN, opts, sizeof(opts));
		assert_true(p->len <= 300);
		pkt_free(&x.mem, p);
	}
	/* options that cannot be read: what was read goes, no byte beyond the header is looked at */
	static const uint8_t bad[] = {136, 4, 1, 2, 0x9e, 9, 1, 2};
	p = packet(&x, IPPROTO_N_UDP, 0, bad, sizeof(bad), 1000);
	assert_int_equal(frag4_cut(&x.mem, p, 300, &q), 0);
	pkt_free(&x.mem, pktq_pop(&x.mem, &q));
	assert_int_equal(header_of(pktq_peek(&x.mem, &q)).hlen, 24);
	pktq_clear(&x.mem, &q);
	world_free(&x);
}

static void frag4_cut__fails_clean(void **state)
{
	struct world x;
	struct pktq q = {0};
	static struct pkt *hog[1 << 16];
	uint32_t n = 0;
	world_new(&x, 4 << 20);
	struct pkt *p = packet(&x, IPPROTO_N_UDP, 0, NULL, 0, 1000);
	assert_int_equal(frag4_cut(&x.mem, p, 27, &q), -EMSGSIZE);
	while ((hog[n] = pkt_new(&x.mem, 0)) != NULL)
		n++;
	pkt_free(&x.mem, hog[--n]);
	assert_int_equal(frag4_cut(&x.mem, p, 600, &q), -ENOMEM); /* one of two */
	assert_int_equal(q.n, 0);
	assert_int_equal(p->len, 1020);
	pkt_free(&x.mem, p);
	while (n > 0)
		pkt_free(&x.mem, hog[--n]);
	world_free(&x);
}

/* RFC 1858, RFC 3128: the whole transport header is in the first fragment, and none begins inside TCP's. */
static void req_IP4_010__tiny_first_fragments(void **state)
{
	static const struct { uint8_t proto; uint32_t off, len; bool is_fine; } at[] = {
		{IPPROTO_N_TCP, 0, 8, false}, {IPPROTO_N_TCP, 0, 16, false}, {IPPROTO_N_TCP, 0, 24, false}, {IPPROTO_N_TCP, 0, 32, true},
		{IPPROTO_N_TCP, 8, 100, false}, {IPPROTO_N_TCP, 16, 100, false}, {IPPROTO_N_TCP, 24, 96, true}, {IPPROTO_N_UDP, 0, 8, true},
		{IPPROTO_N_UDP, 8, 8, true}, {IPPROTO_N_ICMP, 0, 8, true}, {IPPROTO_N_ICMP, 0, 0, false}, {IPPROTO_N_UDP, 0, 0, false},
		{99, 0, 8, true},
	};
	struct world x;
	world_new(&x, HOME_BYTES);
	noise[12] = 0x80; /* a TCP header of 32 bytes */
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct pkt *p = packet(&x, at[i].proto, (uint16_t)(IP4_MF | at[i].off / 8), NULL, 0, at[i].len);
		struct ip4_hdr h = header_of(p);
		struct reasm_key k;
		struct reasm_fragment f;
		struct ip_hdr view = ip_hdr_of4(&h);
		assert_int_equal(frag4_read(&x.mem, p, &view, &k, &f), at[i].is_fine ? DROP_NONE : DROP_FRAG_TINY);
		assert_int_equal(f.off, at[i].off);
		assert_int_equal(f.len, at[i].len);
		assert_int_equal(f.ecn, 2);
		assert_true(f.more);
		assert_int_equal(k.id, 0x1234);
		assert_int_equal(k.proto, at[i].proto);
		pkt_free(&x.mem, p);
	}
	world_free(&x);
}

/* RFC 6864 §4.3: no id twice within 65,536 packets of a triple, whatever others send; and none can be told from others. */
static void req_IP4_012__ids_of_a_triple_do_not_repeat(void **state)
{
	static struct frag4_ids ids, other;
	static uint8_t seen[65536];
	struct rng r;
	uint32_t steps = 0, equal = 0;
	rng_seed(&r, 1);
	ids.key = (struct prf_key){5, 6};
	other.key = (struct prf_key){5, 7};
	uint16_t last = 0;
	for (uint32_t i = 0; i < 30000; i++) {
		uint16_t id = frag4_id(&ids, 1, 2, 17);
		assert_false(seen[id]);
		seen[id] = 1;
		steps += i && (uint16_t)(id - last) == 1;
		last = id;
		for (int k = 0; k < 20; k++)
			frag4_id(&ids, 1, (uint32_t)rng_u64(&r), (uint8_t)rng_below(&r, 256));
	}
	assert_true(steps > 10000);
	/* first ids of neighbouring triples, and of another key, are unrelated */
	memset(&ids.next, 0, sizeof(ids.next));
	uint64_t sum = 0;
	for (uint32_t i = 0; i < 4096; i++) {
		uint16_t a = frag4_id(&ids, 1, i, 17), b = frag4_id(&ids, 1, i, 1), c = frag4_id(&other, 1, i, 17);
		equal += a == b || a == c;
		sum += a;
	}
	assert_true(equal < 10);
	assert_true(sum / 4096 > 30000 && sum / 4096 < 35500); /* uniform: 32768 +- 6 sigma of 296 */
}

static void frag4_whole__header(void **state)
{
	static const uint8_t opts[] = {7, 7, 4, 0, 0, 0, 0, 0};
	struct world x;
	struct pktq q = {0};
	struct ip4_hdr h;
	world_new(&x, HOME_BYTES);
	struct pkt *p = packet(&x, IPPROTO_N_UDP, 0, opts, sizeof(opts), 3000);
	assert_int_equal(frag4_cut(&x.mem, p, 500, &q), 0);
	p = join(&x, &q, &h);
	assert_int_equal(h.hlen, 28); /* the first fragment's options stay */
	assert_memory_equal(pkt_data(p) + 20, opts, sizeof(opts));
	assert_int_equal(h.total_len, 3028);
	assert_int_equal(h.tos, 2);
	pkt_free(&x.mem, p);
	/* 65,535 bytes with 28 of header are too many if the later ones had only 20 */
	struct reasm_whole w;
	struct reasm_key k = key_of(1, 1);
	struct reasm_fragment f = {.off = 0, .len = 1000, .room = 65507, .more = true};
	p = packet(&x, IPPROTO_N_UDP, IP4_MF, opts, sizeof(opts), 1000);
	pkt_pull(p, 28);
	assert_int_equal(reasm_input(&x.e, x.r, &k, &f, p, &w, &x.dropped), DROP_NONE);
	for (uint32_t off = 1000, n; off < 65515; off += n) {
		n = MIN(65515 - off, 8000u);
		f = (struct reasm_fragment){.off = off, .len = n, .room = 65515, .more = off + n < 65515};
		assert_int_equal(reasm_input(&x.e, x.r, &k, &f, packet_of(&x, noise, n), &w, &x.dropped), DROP_NONE);
	}
	assert_non_null(w.p);
	struct ip_hdr whole;
	assert_int_equal(frag4_whole(w.p, 0, &whole), DROP_FRAG_BAD);
	pkt_free(&x.mem, w.p);
	world_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(req_RT4_010__cut_and_cut_again_is_whole_again),
		cmocka_unit_test(req_IP4_013__options_go_by_their_copy_bit),
		cmocka_unit_test(frag4_cut__fails_clean),
		cmocka_unit_test(req_IP4_010__tiny_first_fragments),
		cmocka_unit_test(req_IP4_012__ids_of_a_triple_do_not_repeat),
		cmocka_unit_test(frag4_whole__header),
	};
	for (uint32_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
