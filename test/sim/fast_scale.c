/* test/sim/fast_scale.c - memory: an empty host stack touches at most 256 KiB; a line of 1,000 nodes stays below 512 MiB
 * resident, is built in seconds, and carries packets end to end (in stages: an IP packet makes at most 255 hops). */
#include "test/sim/sim.h"
#include "wire/icmp4.h"
#include "base/csum.h"
#include <time.h>
#include <unistd.h>

static size_t resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool empty_stacks(void)
{
	enum { N = 64 };
	struct via *v[N];
	struct pktmem *mem = host_pktmem_new(64u << 20);
	v[0] = host_stack_new(&(struct host_stack_opts){.name = "warm", .mem = mem});
	size_t before = resident();
	for (int i = 1; i < N; i++)
		v[i] = host_stack_new(&(struct host_stack_opts){.name = "empty", .mem = mem});
	size_t each = (resident() - before) / (N - 1);
	for (int i = 0; i < N; i++)
		host_stack_free(v[i]);
	host_pktmem_free(mem);
	return sim_ok(each <= 256u << 10, "an empty host stack touches %zu KiB", each >> 10);
}

static char *line_text(int n)
{
	char *text;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	fprintf(f, "name: line\ntopology:\n  nodes:\n");
	for (int i = 0; i < n; i++)
		fprintf(f, "    n%d: {kind: %s}\n", i, i && i < n - 1 ? "router" : "host");
	fprintf(f, "  links:\n");
	for (int i = 0; i + 1 < n; i++)
		fprintf(f, "    - {endpoints: [\"n%d:b\", \"n%d:a\"], impairments: {delay: 100us}}\n", i, i + 1);
	fclose(f);
	return text;
}

struct ping {
	struct via *v;
	via_sock s;
	int type; /* of the answer, -1: none */
};

static bool ping_answered(void *ctx)
{
	struct ping *p = ctx;
	uint8_t b[64];
	int64_t n = via_recv(p->v, p->s, b, sizeof b, 0);
	if (n >= (int64_t)ICMP4_HLEN)
		p->type = b[0];
	return p->type >= 0;
}

/* From node to node; true when the echo comes back. */
static bool ping(struct lab *l, int from, int to)
{
	char name[16], dst[16];
	uint8_t m[ICMP4_HLEN + 8] = {ICMP4_ECHO};
	snprintf(name, sizeof name, "n%d", from);
	snprintf(dst, sizeof dst, "n%d", to);
	struct host_node *n = lab_node(l, name);
	struct ping p = {.v = n->stack, .type = -1};
	struct via_sockaddr a = sim_addr(l, dst, 0);
	via_configure(n->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TTL, .value = 255});
	via_configure(lab_node(l, dst)->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TTL, .value = 255});
	if (via_open(n->stack, VIA_PING, 0, &p.s))
		return false;
	put_be16(m + 6, 1);
	put_be16(m + 2, csum_field(csum_add(0, m, sizeof m)));
	int64_t sent = via_sendto(n->stack, p.s, m, sizeof m, 0, &a);
	n->touched(n);
	lab_run(l, lab_now(l) + 60 * NS_PER_S, ping_answered, &p);
	via_close(n->stack, p.s);
	n->touched(n);
	return sent == sizeof m && p.type == ICMP4_ECHO_REPLY;
}

int main(void)
{
	enum { NODES = 1000, STAGE = 200 };
	bool good = true;
	puts("1..4");
	good &= empty_stacks();
	char *text = line_text(NODES);
	size_t before = resident();
	double start = seconds();
	struct lab *l = sim_lab(text, &(struct lab_opts){.seed = 1, .has_seed = true});
	double took = seconds() - start;
	good &= sim_ok(took < 20, "1,000 nodes built in %.1f s", took);
	bool all = true;
	for (int at = 0; at < NODES - 1; at += STAGE)
		all &= ping(l, at, at + STAGE < NODES ? at + STAGE : NODES - 1);
	good &= sim_ok(all, "echo over the whole line, %d nodes at a time", STAGE);
	size_t used = resident() - before;
	good &= sim_ok(resident() < 512u << 20, "resident %zu MiB, %zu KiB a node", resident() >> 20, used / NODES >> 10);
	lab_free(l);
	free(text);
	return !good;
}
