/* test/sim/sim_seeds.c - the deterministic simulation over many seeds: random topologies, links, faults, programs and socket
 * options (scene.h), every event watched (watch.h), every end judged (play.h).
 *
 *   sim_seeds                          seeds 1 to 2000, a TAP case per 100
 *   sim_seeds --from M --count N       others (make soak SEEDS=N FIRST=M)
 *   sim_seeds --seed N [-v] [--pcap FILE] [--shrink]
 *
 * Seeds are shared out between two processes; one that crashes or hangs is one failed seed and another takes over. A failing
 * seed prints its reason and the command that replays it. */
#include "test/sim/shrink.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SEEDS = 2000, BLOCK = 100, WORKERS_MAX = 16, HANG_S = 120, FAILED_MAX = 64 };

/* What workers and their parent share. */
struct board {
	atomic_uint_fast64_t next, done, failed, events, bytes;
	atomic_uint_fast64_t n_ok, n_failed_conns, virtual_s;
	struct slot {
		_Atomic pid_t pid;
		atomic_uint_fast64_t seed;  /* under way; 0: none */
		atomic_int_fast64_t since;  /* seconds */
	} slots[WORKERS_MAX];
	atomic_uint_fast64_t failed_seeds[FAILED_MAX];
	atomic_uint_fast32_t n_failed_seeds;
};

static int64_t seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void note_failure(struct board *b, uint64_t seed, const char *why)
{
	char line[640];
	int n = snprintf(line, sizeof line, "# seed %llu: %s\n# replay: sim_seeds --seed %llu -v (--shrink for the smallest scene)\n",
		(unsigned long long)seed, why, (unsigned long long)seed);
	uint_fast32_t at = atomic_fetch_add(&b->n_failed_seeds, 1);
	if (at < FAILED_MAX)
		atomic_store(&b->failed_seeds[at], seed);
	atomic_fetch_add(&b->failed, 1);
	if (write(STDOUT_FILENO, line, (size_t)n) < 0)
		_exit(3);
}

static void work(struct board *b, struct slot *slot, uint64_t end)
{
	struct scene s;
	struct play_result r;
	struct play_how how = {0};
	for (;;) {
		uint64_t seed = atomic_fetch_add(&b->next, 1);
		if (seed >= end)
			_exit(0);
		atomic_store(&slot->since, seconds());
		atomic_store(&slot->seed, seed);
		scene_draw(&s, seed);
		play(&s, &how, &r);
		if (!r.good)
			note_failure(b, seed, r.why);
		atomic_fetch_add(&b->events, r.events);
		atomic_fetch_add(&b->bytes, r.bytes);
		atomic_fetch_add(&b->n_ok, r.n_ok);
		atomic_fetch_add(&b->n_failed_conns, r.n_failed);
		atomic_fetch_add(&b->virtual_s, (uint64_t)(r.ended / NS_PER_S));
		atomic_store(&slot->seed, 0);
		atomic_fetch_add(&b->done, 1);
	}
}

static bool spawn(struct board *b, struct slot *slot, uint64_t end)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		work(b, slot, end);
	atomic_store(&slot->pid, pid);
	return pid > 0;
}

/* A worker is gone. True: it was at a seed, so another is wanted. */
static bool reap(struct board *b, struct slot *slot, int status, bool hung)
{
	uint64_t seed = atomic_load(&slot->seed);
	char why[64];
	atomic_store(&slot->pid, 0);
	if (!seed)
		return false;
	snprintf(why, sizeof why, hung ? "hangs: not done after %u s" : "crashes (wait status 0x%x)", hung ? HANG_S : (unsigned)status);
	note_failure(b, seed, why);
	atomic_store(&slot->seed, 0);
	atomic_fetch_add(&b->done, 1);
	return true;
}

static int tend(struct board *b, int workers, uint64_t end)
{
	int alive = 0;
	for (int i = 0; i < workers; i++) {
		struct slot *slot = &b->slots[i];
		pid_t pid = atomic_load(&slot->pid);
		int status;
		bool hung = false;
		if (!pid)
			continue;
		if (atomic_load(&slot->seed) && seconds() - atomic_load(&slot->since) > HANG_S) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			hung = true;
		} else if (waitpid(pid, &status, WNOHANG) != pid) {
			alive++;
			continue;
		}
		if (reap(b, slot, status, hung))
			alive += spawn(b, slot, end);
	}
	return alive;
}

static void progress(const struct board *b, uint64_t from, uint64_t count, bool is_last)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%llu of %llu seeds from %llu, %llu failed%s", (unsigned long long)atomic_load(&b->done),
			(unsigned long long)count, (unsigned long long)from, (unsigned long long)atomic_load(&b->failed), is_last ? "\n" : " ");
}

static bool block_failed(const struct board *b, uint64_t from, uint64_t to)
{
	uint_fast32_t n = atomic_load(&b->n_failed_seeds);
	for (uint_fast32_t i = 0; i < n && i < FAILED_MAX; i++)
		if (atomic_load(&b->failed_seeds[i]) >= from && atomic_load(&b->failed_seeds[i]) < to)
			return true;
	return n > FAILED_MAX;
}

/* Plays seeds [from, from+count) by `workers` processes. Returns failures. */
static uint64_t play_many(uint64_t from, uint64_t count, int workers)
{
	struct board *b = mmap(NULL, sizeof *b, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned n = 0;
	if (b == MAP_FAILED)
		return puts("Bail out! no memory"), 1;
	atomic_store(&b->next, from);
	printf("1..%llu\n", (unsigned long long)((count + BLOCK - 1) / BLOCK));
	for (int i = 0; i < workers; i++)
		spawn(b, &b->slots[i], from + count);
	while (tend(b, workers, from + count)) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		progress(b, from, count, false);
	}
	progress(b, from, count, true);
	for (uint64_t at = from; at < from + count; at += BLOCK) {
		uint64_t to = MIN(at + BLOCK, from + count);
		bool all = atomic_load(&b->done) == count;
		printf("%sok %u - seeds %llu to %llu\n", block_failed(b, at, to) || !all ? "not " : "", ++n, (unsigned long long)at,
			(unsigned long long)(to - 1));
	}
	printf("# %llu events, %llu MB, %llu connections ended well, %llu failed by the rules, %llu h of virtual time\n",
		(unsigned long long)atomic_load(&b->events), (unsigned long long)(atomic_load(&b->bytes) / 1000000),
		(unsigned long long)atomic_load(&b->n_ok), (unsigned long long)atomic_load(&b->n_failed_conns),
		(unsigned long long)(atomic_load(&b->virtual_s) / 3600));
	uint64_t failed = atomic_load(&b->failed) + (count - atomic_load(&b->done));
	munmap(b, sizeof *b);
	return failed;
}

static int play_one(uint64_t seed, bool loud, const char *pcapng, bool shrinks)
{
	struct scene s;
	struct play_result r;
	struct play_how how = {.tell = loud ? stdout : NULL, .pcapng = pcapng};
	scene_draw(&s, seed);
	puts("1..1");
	scene_print(&s, stdout);
	play_apart(&s, &how, HANG_S, &r);
	printf("# %llu events, %llu bytes, %.3f s of virtual time, %u connections ended well, %u failed, %u connects repeated\n",
		(unsigned long long)r.events, (unsigned long long)r.bytes, (double)r.ended / 1e9, r.n_ok, r.n_failed, r.n_again);
	printf("%sok 1 - seed %llu%s%s\n", r.good ? "" : "not ", (unsigned long long)seed, r.good ? "" : ": ", r.why);
	if (!r.good && shrinks) {
		shrink(&s, 400, stdout);
		puts("# the smallest that fails:");
		scene_print(&s, stdout);
		how.tell = stdout;
		play_apart(&s, &how, HANG_S, &r);
		printf("# %s\n", r.why);
	}
	return !r.good;
}

int main(int argc, char **argv)
{
	uint64_t from = 1, count = SEEDS, seed = 0;
	const char *pcapng = NULL;
	bool loud = false, shrinks = false;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int jobs = cpus > 1 ? 2 : 1;
	for (int i = 1; i < argc; i++) {
		const char *v = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "-v") == 0)
			loud = true;
		else if (strcmp(argv[i], "--shrink") == 0)
			shrinks = true;
		else if (v && strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[++i], NULL, 0);
		else if (v && strcmp(argv[i], "--from") == 0)
			from = strtoull(argv[++i], NULL, 0);
		else if (v && strcmp(argv[i], "--count") == 0)
			count = strtoull(argv[++i], NULL, 0);
		else if (v && strcmp(argv[i], "--jobs") == 0)
			jobs = (int)strtol(argv[++i], NULL, 0);
		else if (v && strcmp(argv[i], "--pcap") == 0)
			pcapng = argv[++i];
		else
			return fprintf(stderr, "sim_seeds: unknown argument '%s'; see the head of sim_seeds.c\n", argv[i]), 2;
	}
	if (seed)
		return play_one(seed, loud, pcapng, shrinks);
	return play_many(MAX(from, UINT64_C(1)), count, MIN(MAX(jobs, 1), WORKERS_MAX)) != 0;
}
