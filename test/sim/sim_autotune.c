/* test/sim/sim_autotune.c - default buffers fill a path of 100 Mbit/s and 100 ms within a few seconds: both grow by themselves to
 * what the path holds; with autotuning of the receiver off its first window bounds the rate. Counted at the application. */
#include "test/sim/sim.h"

#include <sys/socket.h>

static const char path[] = "name: autotune\ntopology:\n  nodes: {a: {kind: host}, b: {kind: host}}\n  links:\n"
			   "    - {endpoints: [\"a:1\", \"b:1\"], mtu: 1500, impairments: {delay: 50ms, rate: 100mbit, limit: 2000}}\n";

static bool never(void *ctx)
{
	return false;
}

static int64_t buffer(struct via *v, via_sock s, int name)
{
	int val = 0;
	uint32_t len = sizeof(val);
	return via_getsockopt(v, s, SOL_SOCKET, name, &val, &len) ? -1 : val;
}

/* Bytes the client gets (down) or sends (up) from second 4 to second 8; its buffers at the end. */
static uint64_t run(bool down, bool moderate, int64_t *rcvbuf, int64_t *sndbuf)
{
	struct lab *l = sim_lab(path, &(struct lab_opts){.seed = 3, .has_seed = true});
	struct sim_run r;
	const char *const names[] = {"a", "b"};
	for (int i = 0; i < 2; i++)
		via_configure(lab_node(l, names[i])->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TCP_MODERATE_RCVBUF,
										 .value = moderate});
	sim_run_start(&r, l, "a", "b", 80, 1, down ? 0 : UINT64_C(1000000000), down ? UINT64_C(1000000000) : 0, 1);
	lab_run(l, 4 * NS_PER_S, never, NULL);
	uint64_t before = down ? r.client[0].received : r.client[0].sent;
	lab_run(l, 8 * NS_PER_S, never, NULL);
	uint64_t bytes = (down ? r.client[0].received : r.client[0].sent) - before;
	*rcvbuf = buffer(r.client[0].via, r.client[0].sock, SO_RCVBUF);
	*sndbuf = buffer(r.client[0].via, r.client[0].sock, SO_SNDBUF);
	sim_run_stop(&r);
	lab_free(l);
	return bytes;
}

int main(void)
{
	bool good = true;
	int64_t rcvbuf, sndbuf;
	const uint64_t payload = UINT64_C(12500000) * 4 * 1448 / 1514; /* of four seconds, headers taken off */
	puts("1..5");
	uint64_t n = run(true, true, &rcvbuf, &sndbuf);
	good &= sim_ok(n >= payload * 95 / 100, "down: %llu of %llu bytes in seconds 4 to 8", (unsigned long long)n,
		       (unsigned long long)payload);
	good &= sim_ok(rcvbuf >= 2 * 2 * 1250000 && rcvbuf <= 6 << 20, "the receive buffer became %lld", (long long)rcvbuf);
	n = run(false, true, &rcvbuf, &sndbuf);
	good &= sim_ok(n >= payload * 95 / 100, "up: %llu of %llu bytes", (unsigned long long)n, (unsigned long long)payload);
	good &= sim_ok(sndbuf >= 2 * 1250000 && sndbuf <= 4 << 20, "the send buffer became %lld", (long long)sndbuf);
	n = run(true, false, &rcvbuf, &sndbuf);
	good &= sim_ok(n <= 65536 * 40 * 11 / 10, "not autotuned: a window of 64 KiB each 100 ms (%llu)", (unsigned long long)n);
	return !good;
}
