/* test/unit/test_node.c - stacks with their memory, and one run under the real clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host/node.h"
#include "pkt/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MEM_BYTES = 8 << 20, ARENA_MIB = 77 };

/* KiB resident of the mapping of exactly mib MiB, from /proc/self/smaps; -1 when there is none. */
static long resident_kib(int mib)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	assert_non_null(f);
	char line[512];
	long size = 0, rss = -1, value;
	while (rss < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Size: %ld kB", &value) == 1)
			size = value;
		else if (sscanf(line, "Rss: %ld kB", &value) == 1 && size == (long)mib * 1024)
			rss = value;
	}
	fclose(f);
	return rss;
}

static void host_pktmem__is_whole_and_gone_again(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	assert_non_null(m);
	assert_int_equal((uintptr_t)m->home % 65536, 0);
	blk_t b = blk_new(m);
	assert_int_not_equal(b, 0);
	memset(blk_data(m, b), 0xff, BLK_ROOM);
	blk_drop(m, b);
	host_pktmem_free(m);
	host_pktmem_free(NULL);
}

static void host_stack__empty_touches_little(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = "idle", .mem = m, .arena_bytes = (size_t)ARENA_MIB << 20});
	assert_non_null(v);
	assert_string_equal(via_name(v), "idle");
	assert_int_equal((uintptr_t)v % 64, 0);
	long kib = resident_kib(ARENA_MIB);
	assert_in_range(kib, 1, 256);
	host_stack_free(v);
	assert_int_equal(resident_kib(ARENA_MIB), -1);
	host_pktmem_free(m);
}

static void host_stack__arena_too_small_is_refused(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	errno = 0;
	assert_null(host_stack_new(&(struct host_stack_opts){.name = "tiny", .mem = m, .arena_bytes = 1}));
	assert_int_equal(errno, ENOMEM);
	host_pktmem_free(m);
}

static void host_stack__trim_gives_memory_back(void **s)
{
	enum { SOCKS = 4000 };
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = "busy", .mem = m, .arena_bytes = (size_t)ARENA_MIB << 20});
	static via_sock socks[SOCKS];
	size_t used = via_arena_used(v);
	for (int i = 0; i < SOCKS; i++)
		assert_int_equal(via_open(v, VIA_DGRAM, 0, &socks[i]), 0);
	long busy = resident_kib(ARENA_MIB);
	for (int i = 0; i < SOCKS; i++)
		assert_int_equal(via_close(v, socks[i]), 0);
	assert_true(host_stack_trim(v) >= 256 * 1024); /* 4,000 endpoints of at least 64 bytes */
	assert_true(resident_kib(ARENA_MIB) <= busy - 256);
	assert_true(via_arena_used(v) < used + SOCKS * 16); /* the handle table may stay */
	via_sock again;
	assert_int_equal(via_open(v, VIA_DGRAM, 0, &again), 0);
	host_stack_free(v);
	host_pktmem_free(m);
}

struct listener {
	struct via_handler h;
	struct loop *l;
	char got[8];
	int n;
};

static void heard(struct via_handler *h, struct via *v, via_sock sock, uint32_t edges)
{
	struct listener *me = (struct listener *)(void *)h;
	if (edges & VIA_IN) {
		me->n = (int)via_recv(v, sock, me->got, sizeof(me->got), 0);
		loop_stop(me->l, 0);
	}
}

/* A datagram over loopback: sent by a call outside the runner, carried and told by the runner. */
static void host_runner__carries_what_touched_tells_of(void **s)
{
	struct pktmem *m = host_pktmem_new(MEM_BYTES);
	struct via *v = host_stack_new(&(struct host_stack_opts){.name = "one", .mem = m, .now = loop_now()});
	struct loop *l = loop_new();
	struct host_runner *r = host_runner_new(l, v, "one");
	assert_non_null(r);
	struct listener me = {.h = {heard}, .l = l};
	struct via_sockaddr at = {via_addr_v4(0x7f000001), 7000};
	via_sock in, out;
	assert_int_equal(via_open(v, VIA_DGRAM, via_cookie(&me.h), &in), 0);
	assert_int_equal(via_bind(v, in, &at), 0);
	assert_int_equal(via_open(v, VIA_DGRAM, 0, &out), 0);
	loop_turn(l, loop_now()); /* the runner is asleep now */
	assert_int_equal(via_sendto(v, out, "hi", 2, 0, &at), 2);
	host_runner_node(r)->touched(host_runner_node(r));
	assert_ptr_equal(host_runner_node(r)->stack, v);
	loop_run(l);
	assert_int_equal(me.n, 2);
	assert_memory_equal(me.got, "hi", 2);
	host_runner_free(r);
	loop_free(l);
	host_stack_free(v);
	host_pktmem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_pktmem__is_whole_and_gone_again),
		cmocka_unit_test(host_stack__empty_touches_little),
		cmocka_unit_test(host_stack__arena_too_small_is_refused),
		cmocka_unit_test(host_stack__trim_gives_memory_back),
		cmocka_unit_test(host_runner__carries_what_touched_tells_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
