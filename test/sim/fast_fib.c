/* test/sim/fast_fib.c - the table of routes at the size of the internet's: 5 million random changes and 5 million look-ups against
 * a naive table; a million IPv4 and 250,000 IPv6 prefixes fit their memory; and how fast that is, beside DIR-24-8 in the same run. */
#include "test/sim/sim.h"
#include "test/unit/fib_model.h"
#include "base/bytes.h"
#include "wire/addr.h"
#include <sys/mman.h>
#include <time.h>

enum { V4 = 1000000, V6 = 250000, KEYS = 1 << 20, REPEAT = 7 };

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *map(size_t bytes)
{
	void *p = mmap(NULL, bytes + ARENA_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return (void *)(((uintptr_t)p + ARENA_PAGE_SIZE - 1) & ~(uintptr_t)(ARENA_PAGE_SIZE - 1));
}

static bool property(void)
{
	enum { ROUNDS = 10, STEPS = 5000000 / ROUNDS };
	size_t bytes = (size_t)256 << 20;
	struct arena *a = arena_init(map(bytes), bytes);
	struct fib_model m = model_new(1 << 18);
	struct rng r;
	int wrong = 0;
	double start = seconds();
	rng_seed(&r, 23);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	size_t empty = arena_bytes_used(a);
	for (int round = 0; round < ROUNDS; round++)
		for (int k = 0; k < STEPS; k++)
			wrong += model_change(&r, &m, a, fib, 60000, round % 2) != 0 || model_lookup(&r, &m, a, fib) != 0;
	uint32_t most = m.n;
	while (m.n)
		wrong += model_change(&r, &m, a, fib, 0, true) != 0;
	bool back = arena_bytes_used(a) == empty;
	fib_free(a, fib);
	model_free(&m);
	return sim_ok(wrong == 0 && back && arena_bytes_used(a) == 0,
		"10^7 random changes and look-ups, %u prefixes at the end: %d differ from the naive table (%.1f s)", most, wrong,
		seconds() - start);
}

/* ---- DIR-24-8, the yardstick: 16-bit entries, groups of 256 behind them ---- */

struct dir {
	uint16_t *t24, *t8;
	uint32_t groups;
};

static void dir_add(struct dir *d, uint32_t net, int plen, uint16_t value) /* shorter prefixes first */
{
	uint32_t i = net >> 8, n = plen < 24 ? 1u << (24 - plen) : 1;
	if (plen <= 24) {
		for (uint32_t k = 0; k < n; k++)
			if (!(d->t24[i + k] & 0x8000))
				d->t24[i + k] = value;
		return;
	}
	if (!(d->t24[i] & 0x8000)) {
		for (int k = 0; k < 256; k++)
			d->t8[d->groups * 256 + (uint32_t)k] = d->t24[i];
		d->t24[i] = (uint16_t)(0x8000 | d->groups++);
	}
	n = 1u << (32 - plen);
	for (uint32_t k = 0; k < n; k++)
		d->t8[(d->t24[i] & 0x7fffu) * 256 + (net & 255) + k] = value;
}

static inline uint16_t dir_find(const struct dir *d, uint32_t a)
{
	uint16_t e = d->t24[a >> 8];
	return e & 0x8000 ? d->t8[(e & 0x7fffu) * 256 + (a & 255)] : e;
}

/* ---- full tables ---- */

struct full {
	uint32_t net[V4];
	uint8_t len[V4];
	struct via_addr six[V6], keys[KEYS];
	uint8_t len6[V6];
};

/* A million distinct prefixes with the lengths of yardsticks' lpmlimit.c: 60 % /24, 39 % /16 to /23, 1 % longer, anywhere. */
static void full_make(struct full *f, struct rng *r)
{
	for (int i = 0; i < V4; i++) {
		uint64_t k = rng_below(r, 100);
		f->len[i] = (uint8_t)(k < 60 ? 24 : k < 99 ? 16 + rng_below(r, 8) : 25 + rng_below(r, 8));
		f->net[i] = (uint32_t)rng_below(r, 0xe0000000u) & (0xffffffffu << (32 - f->len[i]));
	}
	/* 30,000 allocations of /32 and /29 in eight blocks, the rest /36 to /48 within them. */
	for (int i = 0; i < V6; i++) {
		uint64_t hi = (UINT64_C(0x2001) + (rng_below(r, 8) << 9)) << 48 | rng_below(r, 65536) << 32;
		f->len6[i] = (uint8_t)(i < 30000 ? (i % 5 ? 32 : 29) : 48 - (rng_below(r, 3) ? 0 : rng_below(r, 4) * 4));
		if (i >= 30000)
			hi = (uint64_t)get_be32(f->six[rng_below(r, 30000)].b) << 32 | rng_below(r, 65536) << 16;
		model_dst(&f->six[i], hi, 0, false);
	}
}

static double fill(struct arena *a, ref_t fib, const struct full *f, bool four, int *n)
{
	double start = seconds();
	*n = 0;
	for (int i = 0; i < (four ? V4 : V6); i++) {
		struct via_addr dst = four ? via_addr_v4(f->net[i]) : f->six[i];
		uint8_t plen = four ? f->len[i] : f->len6[i];
		struct via_addr net = addr_mask(&dst, plen); /* the same prefix twice: one gateway */
		uint32_t gw = (net.b[2] + net.b[4] + net.b[13] * 256u + net.b[14] * 7u) % 1000;
		struct fib_hop hop = {.gateway = via_addr_v4(0x0a000001u + gw), .ifindex = 2};
		*n += fib_add(a, fib, &dst, plen, &hop) == 0;
	}
	return seconds() - start;
}

static double lookups(const struct arena *a, ref_t fib, const struct full *f, uint64_t *sum)
{
	double start = seconds();
	for (int i = 0; i < KEYS; i++) {
		const struct hop_set *s = fib_match(a, fib, &f->keys[i], 0);
		*sum += s ? s->id : 0;
	}
	return KEYS / (seconds() - start) / 1e6;
}

static bool four(struct full *f, struct rng *r)
{
	size_t bytes = (size_t)512 << 20;
	struct arena *a = arena_init(map(bytes), bytes);
	struct dir d = {.t24 = map(2 << 24), .t8 = map(32768 * 512)};
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	uint64_t sum = 0, table;
	uint32_t prefixes;
	int n;
	double took = fill(a, fib, f, true, &n), ours = 0, peer = 0;
	for (int len = 1; len <= 32; len++)
		for (int i = 0; i < V4; i++)
			if (f->len[i] == len)
				dir_add(&d, f->net[i], len, (uint16_t)(1 + i % 1000));
	uint32_t *raw = malloc(KEYS * sizeof(uint32_t));
	for (int i = 0; i < KEYS; i++) {
		raw[i] = (uint32_t)rng_below(r, 0xe0000000u);
		f->keys[i] = via_addr_v4(raw[i]);
	}
	for (int k = 0; k < REPEAT; k++) {
		double start = seconds();
		for (int i = 0; i < KEYS; i++)
			sum += dir_find(&d, raw[i]);
		peer = MAX(peer, KEYS / (seconds() - start) / 1e6);
		ours = MAX(ours, lookups(a, fib, f, &sum));
	}
	fib_size(a, fib, &prefixes, &table);
	printf("# IPv4: %d prefixes added in %.2f s, %.1f M look-ups/s, DIR-24-8 %.1f M/s (%llu)\n", n, took, ours, peer,
		(unsigned long long)sum);
	printf("# IPv4: arena %.1f MB, of them the table for look-ups %.1f MB\n", (double)arena_bytes_used(a) / 1e6,
		(double)(table - prefixes * UINT64_C(32)) / 1e6);
	bool good = sim_ok(n > 900000 && prefixes == (uint32_t)n && arena_bytes_used(a) < (size_t)64 << 20, "a million IPv4 prefixes");
	double start = seconds();
	fib_free(a, fib);
	printf("# IPv4: freed in %.2f s\n", seconds() - start);
	free(raw);
	return good & (arena_bytes_used(a) == 0);
}

static bool six(struct full *f, struct rng *r)
{
	size_t bytes = (size_t)256 << 20;
	struct arena *a = arena_init(map(bytes), bytes);
	ref_t fib = fib_new(a, (struct prf_key){1, 2});
	uint64_t sum = 0, table;
	uint32_t prefixes;
	int n;
	double took = fill(a, fib, f, false, &n), ours = 0;
	for (int i = 0; i < KEYS; i++) {
		f->keys[i] = f->six[rng_below(r, V6)];
		f->keys[i].b[7 + rng_below(r, 8)] = (uint8_t)rng_u64(r);
	}
	for (int k = 0; k < REPEAT; k++)
		ours = MAX(ours, lookups(a, fib, f, &sum));
	fib_size(a, fib, &prefixes, &table);
	printf("# IPv6: %d prefixes added in %.2f s, %.1f M look-ups/s; arena %.1f MB (%llu)\n", n, took, ours,
		(double)arena_bytes_used(a) / 1e6, (unsigned long long)sum);
	bool good = sim_ok(n > 200000 && prefixes == (uint32_t)n && arena_bytes_used(a) < (size_t)64 << 20, "250,000 IPv6 prefixes");
	fib_free(a, fib);
	return good & (arena_bytes_used(a) == 0);
}

int main(int argc, char **argv)
{
	struct full *f = calloc(1, sizeof(*f));
	struct rng r;
	bool good = true;
	const char *which = argc > 1 ? argv[1] : "46p"; /* for profiles: some of them only */
	puts("1..3");
	rng_seed(&r, 29);
	full_make(f, &r);
	if (strchr(which, '4'))
		good &= four(f, &r);
	if (strchr(which, '6'))
		good &= six(f, &r);
	if (strchr(which, 'p'))
		good &= property();
	free(f);
	return !good;
}
