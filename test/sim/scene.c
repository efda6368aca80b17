/* test/sim/scene.c - see scene.h. One draw after the other: the order of arguments would be the compiler's. */
#include "test/sim/scene.h"

#include <stdlib.h>

static uint32_t below(struct rng *r, uint32_t n)
{
	return (uint32_t)rng_below(r, n);
}

static bool one_in(struct rng *r, uint32_t n)
{
	return below(r, n) == 0;
}

static uint64_t log_uniform(struct rng *r, uint64_t lo, uint32_t doublings)
{
	uint64_t base = lo << below(r, doublings);
	return base + rng_below(r, base);
}

/* Hundredths of a percent to parts per 10^9. */
static uint32_t share(struct rng *r, uint32_t most)
{
	return below(r, most + 1) * 100000u;
}

/* --- links --- */

static void link_add(struct scene *s, int a, int b)
{
	s->links[s->n_links++] = (struct scene_link){.a = (uint8_t)a, .b = (uint8_t)b, .mtu = 1500};
}

/* Hosts are nodes 0 to n_hosts-1; the others follow. */
static void draw_topology(struct scene *s, struct rng *r)
{
	s->shape = (uint8_t)below(r, SHAPE_COUNT);
	int n = 2 + (int)below(r, SCENE_HOSTS - 1), ways = 2 + (int)below(r, 2);
	if (s->shape == SHAPE_PAIR || s->shape == SHAPE_CHAIN)
		n = 2;
	s->n_hosts = (uint8_t)n;
	switch ((enum scene_shape)s->shape) {
	case SHAPE_PAIR:
		s->n_nodes = 2;
		link_add(s, 0, 1);
		break;
	case SHAPE_STAR:
	case SHAPE_SWITCH:
		s->n_nodes = (uint8_t)(n + 1);
		for (int i = 0; i < n; i++)
			link_add(s, i, n);
		break;
	case SHAPE_DUMBBELL:
		s->n_nodes = (uint8_t)(n + 2);
		link_add(s, n, n + 1);
		for (int i = 0; i < n; i++)
			link_add(s, i, n + i % 2);
		break;
	case SHAPE_PATHS:
		s->n_nodes = (uint8_t)(n + 2 + ways);
		for (int i = 0; i < ways; i++) {
			link_add(s, n, n + 2 + i);
			link_add(s, n + 2 + i, n + 1);
		}
		for (int i = 0; i < n; i++)
			link_add(s, i, n + i % 2);
		break;
	case SHAPE_CHAIN:
		s->n_nodes = 5;
		link_add(s, 0, 2);
		link_add(s, 2, 3);
		link_add(s, 3, 4);
		link_add(s, 4, 1);
		break;
	case SHAPE_COUNT:
		break;
	}
}

enum flavour { CLEAN, MILD, LOSSY, HEAVY, BURSTS, NOISY, SLOW, BLOAT, SHALLOW, POLICED, FLAVOURS };

/* One direction. Delays are up to 50 ms. */
static struct lab_impair draw_impair(struct rng *r)
{
	static const uint8_t weights[] = {CLEAN, CLEAN, CLEAN, MILD, MILD, LOSSY, LOSSY, BURSTS, BURSTS, NOISY, NOISY, SLOW, BLOAT, SHALLOW,
		POLICED, HEAVY, HEAVY};
	struct lab_impair im = {0};
	unsigned f = weights[below(r, sizeof weights)];
	if (f == CLEAN)
		return im;
	im.delay_ns = (int64_t)log_uniform(r, 50 * NS_PER_US, 10);
	im.jitter_ns = one_in(r, 2) ? (int64_t)rng_below(r, (uint64_t)im.delay_ns) : 0;
	if (f == MILD || f == NOISY)
		im.loss_ppb = share(r, 200);
	if (f == LOSSY)
		im.loss_ppb = share(r, 1000);
	if (f == HEAVY)
		im.loss_ppb = 100000000 + share(r, 4000);
	if (f == BURSTS) {
		im.ge = (struct lab_gemodel){.p_ppb = 1 + share(r, 300), .r_ppb = 100000000 + share(r, 5000)};
		im.ge.bad_ppb = 300000000 + share(r, 7000);
		im.ge.good_ppb = share(r, 100);
	}
	if (f == NOISY) {
		im.reorder_ppb = share(r, 1000);
		im.duplicate_ppb = share(r, 500);
		im.corrupt_ppb = share(r, 200);
	}
	if (f == SLOW || f == BLOAT || f == SHALLOW)
		im.rate_bps = log_uniform(r, 250000, 6);
	if (f == BLOAT)
		im.limit = 300 + below(r, 700);
	if (f == SHALLOW)
		im.limit = 4 + below(r, 20);
	if (f == POLICED) {
		im.police_bps = log_uniform(r, 500000, 5);
		im.burst = 3000 + below(r, 30000);
	}
	return im;
}

static void draw_links(struct scene *s, struct rng *r)
{
	static const uint32_t mtus[] = {1500, 1500, 1500, 1500, 1280, 1006, 576, 9000};
	bool has_mtus = s->shape != SHAPE_SWITCH; /* a switch has no ICMP to tell of a smaller MTU behind it */
	bool corrupts = false;                    /* some link does */
	unsigned impaired = 3;                    /* at most: paths stay short enough for the loss of all together */
	for (int i = 0; i < s->n_links; i++) {
		struct scene_link *l = &s->links[i];
		if (has_mtus)
			l->mtu = mtus[below(r, ARRAY_LEN(mtus))];
		if (s->shape != SHAPE_PAIR && (impaired == 0 || one_in(r, 3)))
			continue;
		impaired--;
		l->im[0] = draw_impair(r);
		l->im[1] = one_in(r, 3) ? draw_impair(r) : l->im[0];
		if (corrupts) /* two flipped bits in one packet can cancel each other in its checksum */
			l->im[0].corrupt_ppb = l->im[1].corrupt_ppb = 0;
		corrupts |= l->im[0].corrupt_ppb || l->im[1].corrupt_ppb;
	}
	if (one_in(r, 25)) {
		s->has_mangled = true;
		s->links[0].im[below(r, 2)].mangle_ppb = 1000000 + share(r, 200);
	}
}

static void draw_faults(struct scene *s, struct rng *r)
{
	s->n_faults = one_in(r, 3) ? 0 : (uint8_t)(1 + below(r, SCENE_FAULTS));
	for (int i = 0; i < s->n_faults; i++) {
		struct scene_fault *f = &s->faults[i];
		f->kind = (uint8_t)below(r, FAULT_COUNT);
		f->link = (uint8_t)below(r, s->n_links);
		f->dirs = (uint8_t)(one_in(r, 3) ? 1 + below(r, 2) : 3);
		f->at = (int64_t)log_uniform(r, 4 * NS_PER_MS, 11);
		f->ns = (int64_t)log_uniform(r, 20 * NS_PER_MS, one_in(r, 6) ? 14 : 9);
		f->value = 600 + below(r, 800);
		if (f->kind == FAULT_LOSS)
			f->value = 200000000 + share(r, 3000);
		if (f->kind == FAULT_BLOAT)
			f->value = 100000 + below(r, 400000);
		if (f->kind == FAULT_MTU && s->shape == SHAPE_SWITCH)
			f->kind = FAULT_CUT;
	}
}

/* --- flows --- */

static void draw_opts(struct scene_opts *o, struct rng *r)
{
	o->nodelay = one_in(r, 4);
	o->cork = one_in(r, 10);
	o->quickack = one_in(r, 8);
	o->cc = (uint8_t)below(r, 4);
	if (one_in(r, 3))
		o->sndbuf = (uint32_t)log_uniform(r, 2500, 7);
	if (one_in(r, 3))
		o->rcvbuf = (uint32_t)log_uniform(r, 2500, 7);
	if (one_in(r, 8))
		o->maxseg = 88 + below(r, 1400);
	if (one_in(r, 20))
		o->user_timeout_ms = 2000 + below(r, 60000);
	if (one_in(r, 8))
		o->notsent_lowat = 1 + below(r, 20000);
	if (one_in(r, 10))
		o->keepalive = true, o->keepidle = 1 + below(r, 10), o->keepintvl = 1 + below(r, 5), o->keepcnt = 3 + below(r, 5);
	if (one_in(r, 20))
		o->defer_accept = 1 + below(r, 5);
}

static void draw_flow(struct scene *s, struct scene_flow *f, struct rng *r)
{
	f->work = (uint8_t)below(r, WORK_COUNT);
	f->from = (uint8_t)below(r, s->n_hosts);
	f->to = (uint8_t)((f->from + 1 + below(r, s->n_hosts - 1u)) % s->n_hosts);
	f->conns = (uint8_t)(f->work == WORK_SHORT ? 2 + below(r, 12) : 1u + one_in(r, 4));
	f->backlog = (uint8_t)(one_in(r, 4) ? 1 : 16);
	f->at = one_in(r, 2) ? 0 : (int64_t)log_uniform(r, NS_PER_MS, 11);
	f->up = log_uniform(r, 64, 13);
	f->down = one_in(r, 2) ? log_uniform(r, 64, 13) : below(r, 2000);
	if (f->work == WORK_BULK && one_in(r, 4))
		f->up = log_uniform(r, 300000, 3);
	if (f->work == WORK_SHORT)
		f->up = 1 + below(r, 4000), f->down = below(r, 4000);
	if (f->work == WORK_TINY)
		f->up = 1 + below(r, 1500);
	f->ask = 1 + below(r, 600);
	f->answer = 1 + below(r, 6000);
	if (f->work == WORK_ASK) { /* 2 to 30 turns */
		uint32_t turns = 2 + below(r, 29);
		f->up = (uint64_t)turns * f->ask;
		f->down = (uint64_t)turns * f->answer;
	}
	f->chunk = f->work == WORK_TINY ? 1u + below(r, 20) : 100u + below(r, 4000);
	f->gap = f->work == WORK_TINY || f->work == WORK_SLOW ? (int64_t)log_uniform(r, NS_PER_MS, 7) : 0;
	f->pause = (int64_t)log_uniform(r, 200 * NS_PER_MS, 8);
	for (int i = 0; i < 2; i++)
		draw_opts(&f->o[i], r);
	f->o[0].linger0 = f->work == WORK_RESET && one_in(r, 2);
	if (f->work == WORK_SLOW || f->work == WORK_ZERO)
		f->o[1].rcvbuf = (uint32_t)log_uniform(r, 2500, 5);
}

void scene_draw(struct scene *s, uint64_t seed)
{
	struct rng r;
	*s = (struct scene){.seed = seed};
	rng_seed(&r, seed);
	draw_topology(s, &r);
	draw_links(s, &r);
	draw_faults(s, &r);
	s->whole_frames = !one_in(&r, 3);
	s->calm = (int64_t)log_uniform(&r, 5 * NS_PER_S, 6);
	s->n_flows = (uint8_t)(1 + below(&r, SCENE_FLOWS));
	for (int i = 0; i < s->n_flows; i++)
		draw_flow(s, &s->flows[i], &r);
}

/* --- what may be expected --- */

static bool gives_up(const struct scene_opts *o)
{
	return o->user_timeout_ms || o->keepalive;
}

bool scene_may_fail(const struct scene *s)
{
	for (int i = 0; i < s->n_links; i++)
		for (int d = 0; d < 2; d++) {
			const struct lab_impair *im = &s->links[i].im[d];
			if (im->loss_ppb > 100000000 || (im->ge.p_ppb && im->ge.bad_ppb) || im->mangle_ppb)
				return true;
		}
	for (int i = 0; i < s->n_faults; i++)
		if (s->faults[i].ns > 20 * NS_PER_S)
			return true;
	for (int i = 0; i < s->n_flows; i++)
		if (gives_up(&s->flows[i].o[0]) || gives_up(&s->flows[i].o[1]))
			return true;
	return false;
}

/* --- as text --- */

bool scene_is_switch(const struct scene *s, int node)
{
	return s->shape == SHAPE_SWITCH && node == s->n_hosts;
}

void scene_node_name(const struct scene *s, int node, char out[8])
{
	char kind = node < s->n_hosts ? 'h' : scene_is_switch(s, node) ? 's' : 'r';
	snprintf(out, 8, "%c%u", kind, (unsigned)node & 15);
}

char *scene_topology(const struct scene *s)
{
	char *text, a[8], b[8];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fprintf(f, "name: seed\ntopology:\n  nodes:\n");
	for (int i = 0; i < s->n_nodes; i++) {
		scene_node_name(s, i, a);
		fprintf(f, "    %s: {kind: %s}\n", a, *a == 'h' ? "host" : *a == 's' ? "switch" : "router");
	}
	fprintf(f, "  links:\n");
	for (int i = 0; i < s->n_links; i++) {
		scene_node_name(s, s->links[i].a, a);
		scene_node_name(s, s->links[i].b, b);
		fprintf(f, "    - {endpoints: [\"%s:e%d\", \"%s:e%d\"], mtu: %u}\n", a, i, b, i, s->links[i].mtu);
	}
	fclose(f);
	return text;
}

static void print_impair(const struct lab_impair *im, FILE *f)
{
	const struct {
		const char *name;
		uint32_t ppb;
	} shares[] = {{"loss", im->loss_ppb}, {"reorder", im->reorder_ppb}, {"duplicate", im->duplicate_ppb}, {"corrupt", im->corrupt_ppb},
		{"mangle", im->mangle_ppb}};
	fprintf(f, "delay: %gms", (double)im->delay_ns / 1e6);
	if (im->jitter_ns)
		fprintf(f, ", jitter: %gms", (double)im->jitter_ns / 1e6);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++)
		if (shares[i].ppb)
			fprintf(f, ", %s: %g%%", shares[i].name, shares[i].ppb / 1e7);
	if (im->ge.p_ppb)
		fprintf(f, ", loss: gemodel %g%% %g%% %g%% %g%%", im->ge.p_ppb / 1e7, im->ge.r_ppb / 1e7, im->ge.bad_ppb / 1e7,
			im->ge.good_ppb / 1e7);
	if (im->rate_bps)
		fprintf(f, ", rate: %gkbit", (double)im->rate_bps / 1e3);
	if (im->limit)
		fprintf(f, ", limit: %u", im->limit);
	if (im->police_bps)
		fprintf(f, ", police: %gkbit, burst: %u", (double)im->police_bps / 1e3, im->burst);
}

static void print_opts(const struct scene_opts *o, FILE *f)
{
	const struct {
		const char *name;
		uint32_t v;
	} v[] = {{"nodelay", o->nodelay}, {"cork", o->cork}, {"quickack", o->quickack}, {"linger0", o->linger0}, {"cc", o->cc},
		{"sndbuf", o->sndbuf}, {"rcvbuf", o->rcvbuf}, {"maxseg", o->maxseg}, {"user_timeout_ms", o->user_timeout_ms},
		{"notsent_lowat", o->notsent_lowat}, {"defer_accept", o->defer_accept}, {"keepalive", o->keepalive},
		{"keepidle", o->keepidle}, {"keepintvl", o->keepintvl}, {"keepcnt", o->keepcnt}};
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (v[i].v)
			fprintf(f, " %s=%u", v[i].name, v[i].v);
}

void scene_print(const struct scene *s, FILE *f)
{
	static const char *const works[] = {"bulk", "ask and answer", "short", "half-close", "reset", "slow reader", "tiny writes",
		"zero window"};
	static const char *const faults[] = {"cut", "loss", "bloat", "mtu"};
	char *text = scene_topology(s);
	fprintf(f, "# seed %llu, %s, calm after %g s\n", (unsigned long long)s->seed, s->whole_frames ? "whole frames" : "superframes",
		(double)s->calm / 1e9);
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		fprintf(f, "# %.*s\n", (int)(end - line), line);
	}
	free(text);
	for (int i = 0; i < s->n_links; i++)
		for (int d = 0; d < 2; d++)
			if (memcmp(&s->links[i].im[d], &(struct lab_impair){0}, sizeof(struct lab_impair)) != 0) {
				fprintf(f, "# link %d %s: ", i, d ? "b-to-a" : "a-to-b");
				print_impair(&s->links[i].im[d], f);
				fputc('\n', f);
			}
	for (int i = 0; i < s->n_faults; i++)
		fprintf(f, "# fault: %s %u on link %d, directions %u, at %g s for %g s\n", faults[s->faults[i].kind], s->faults[i].value,
			s->faults[i].link, s->faults[i].dirs, (double)s->faults[i].at / 1e9, (double)s->faults[i].ns / 1e9);
	for (int i = 0; i < s->n_flows; i++) {
		const struct scene_flow *w = &s->flows[i];
		fprintf(f, "# flow %d: %s h%u to h%u at %g ms, %u connections, %llu up, %llu down, turns %u/%u, chunk %u, gap %g ms, "
			"pause %g ms\n", i, works[w->work], w->from, w->to, (double)w->at / 1e6, w->conns, (unsigned long long)w->up,
			(unsigned long long)w->down,
			w->ask, w->answer, w->chunk, (double)w->gap / 1e6, (double)w->pause / 1e6);
		for (int k = 0; k < 2; k++) {
			fprintf(f, "#   %s:", k ? "server" : "client");
			print_opts(&w->o[k], f);
			fputc('\n', f);
		}
	}
}
