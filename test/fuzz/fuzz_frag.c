/* fuzz_frag.c - IPv4 fragments that the input describes, six bytes each, are read, put together, and what became whole is cut
 * again: a whole holds the bytes of its offsets, its header agrees with it, its pieces fit and are all of it; nothing of memory
 * is left when the engine is emptied. Memory is small, so that caps and failing allocations are met. */
#include "test/fuzz/fuzz.h"

#include "base/csum.h"
#include "net/frag4.h"
#include "net/ip_input.h"

enum { HOME = 1 << 20, ARENA = 1 << 20 };

static _Alignas(65536) uint8_t home[HOME];
static _Alignas(65536) uint8_t arena_bytes[ARENA];
static struct pktmem mem;
static struct arena *arena;
static struct wheel *wheel;
static struct reasm *engine;
static uint64_t drops[DROP_COUNT];

static uint8_t byte_at(uint32_t offset)
{
	return (uint8_t)(offset * 2654435761u >> 17);
}

static struct reasm_env prepare(void)
{
	struct reasm_env e = {.arena = arena, .wheel = wheel, .mem = &mem, .now = 0, .drops = drops};
	if (arena)
		return e;
	CHECK(pktmem_init(&mem, home, sizeof(home)) == 0);
	arena = arena_init(arena_bytes, sizeof(arena_bytes));
	wheel = arena_at(arena, arena_buf_take(arena, sizeof(*wheel)));
	engine = arena_at(arena, arena_buf_take(arena, sizeof(*engine)));
	memset(wheel, 0, sizeof(*wheel));
	wheel_init(wheel, 0);
	e = (struct reasm_env){.arena = arena, .wheel = wheel, .mem = &mem, .now = 0, .drops = drops};
	reasm_init(&e, engine, (struct prf_key){1, 2}, 1);
	return e;
}

/* A packet of an IPv4 fragment; NULL when memory is out. */
static struct pkt *fragment(const uint8_t op[6])
{
	static uint8_t bytes[4096];
	uint8_t n_opts = (uint8_t)((op[4] >> 4 & 3) * 4), hlen = (uint8_t)(IP4_HLEN + n_opts), ip[60] = {0};
	uint32_t off = (get_be16(op + 1) & 0x1fff) * 8u, n = op[3] * (op[4] & 0x80 ? 8u : 1u) + (op[5] >> 6);
	static const uint8_t proto[] = {IPPROTO_N_UDP, IPPROTO_N_TCP, IPPROTO_N_ICMP, 99};
	struct ip4_hdr h = {.tos = op[5] & 3, .ttl = 9, .proto = proto[op[0] >> 2 & 3], .total_len = (uint16_t)(hlen + n), .id = op[0] & 3,
			    .frag = get_be16(op + 1) & (IP4_MF | 0x1fff), .src = 0x0a000001 + (op[0] >> 4 & 3), .dst = 0x0a000009};
	struct pkt *p = pkt_new(&mem, PKT_HEADROOM);
	if (!p)
		return NULL;
	ip4_emit(ip, &h);
	memset(ip + IP4_HLEN, op[5] & 4 ? 1 : op[5], n_opts);
	ip[0] = (uint8_t)(0x40 | hlen / 4);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_field(csum_add(0, ip, hlen)));
	memcpy(pkt_put(p, hlen), ip, hlen);
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = byte_at(off + i);
	if (pkt_append(&mem, p, bytes, n) == 0)
		return p;
	pkt_free(&mem, p);
	return NULL;
}

/* p is whole: what it says and what it holds. Takes. */
static void check_whole(struct pkt *p, uint32_t mtu)
{
	static uint8_t bytes[65536];
	struct ip4_hdr h;
	struct pktq q = {0};
	uint32_t n = pkt_copy_out(&mem, p, 0, bytes, sizeof(bytes)), at = 0;
	CHECK(n == p->len && ip4_parse(bytes, n, false, &h) == 0 && h.total_len == n && !(h.frag & (IP4_MF | 0x1fff)));
	for (uint32_t i = h.hlen; i < n; i++)
		CHECK(bytes[i] == byte_at(i - h.hlen));
	if (frag4_cut(&mem, p, mtu, &q)) {
		CHECK(q.n == 0);
		pkt_free(&mem, p);
		return;
	}
	while ((p = pktq_pop(&mem, &q)) != NULL) {
		CHECK(p->len <= mtu && ip4_parse(pkt_data(p), p->len, false, &h) == 0 && h.total_len == p->len);
		CHECK((h.frag & 0x1fff) * 8u == at && ((h.frag & IP4_MF) != 0) == (q.n > 0));
		at += p->len - h.hlen;
		pkt_free(&mem, p);
	}
	CHECK(at == n - ((bytes[0] & 15) * 4u));
}

static void one(struct reasm_env *e, const uint8_t op[6])
{
	struct ip_hdr h;
	struct reasm_key k;
	struct reasm_fragment f;
	struct reasm_whole w = {0};
	struct pktq dropped = {0};
	struct pkt *p = fragment(op);
	if (!p)
		return;
	enum drop why = ip_input(&mem, p, 0, 0, &h);
	if (!why && ip_is_fragment(&h))
		why = frag4_read(&mem, p, &h, &k, &f);
	else
		why = DROP_IP_BAD;
	if (!why) {
		pkt_pull(p, h.hlen);
		why = reasm_input(e, engine, &k, &f, p, &w, &dropped);
	}
	if (why)
		pkt_free(&mem, p);
	pktq_clear(&mem, &dropped);
	CHECK(engine->bytes <= engine->bytes_max);
	if (w.p && frag4_whole(w.p, w.ecn, &h) == DROP_NONE)
		check_whole(w.p, 28 + op[3] * 8u);
	else
		pkt_free(&mem, w.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reasm_env e = prepare();
	size_t used = arena_bytes_used(arena);
	for (size_t i = 0; i + 6 <= len; i += 6)
		one(&e, data + i);
	reasm_fini(&e, engine);
	CHECK(engine->bytes == 0 && arena_bytes_used(arena) == used);
	CHECK(pktmem_pkts_used(&mem) == 0 && pktmem_blks_used(&mem) == 0);
	return 0;
}
