/* cmd/serve.c - `via serve`: a folder over HTTP on our own TCP/IP, on a TAP or TUN device. */
#include "cmd/cmd.h"
#include "cmd/edge.h"
#include "lab/folder.h"
#include "serve/http.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define ARENA_BYTES ((size_t)256 << 20)

enum { OPT_LINK, OPT_ADDRESS, OPT_GATEWAY, OPT_PORT };
static const struct cmd_option options[] = {
	[OPT_LINK] = {'i', "interface", "tap:NAME", "the device to serve on"},
	[OPT_ADDRESS] = {'a', "address", "ADDR/LEN", "our address there"},
	[OPT_GATEWAY] = {0, "gw", "ADDR", "default gateway"},
	[OPT_PORT] = {'p', "port", "N", "port (80)"},
	{0, NULL, NULL, NULL},
};

static void on_signal(void *ctx, int signo)
{
	loop_stop(ctx, EXIT_WELL);
}

/* The time since 1970 as the clock stood when we began, moving on steadily: a step of the clock must not age connections. */
static int64_t epoch_now(void)
{
	static int64_t offset;
	struct timespec t;
	if (!offset) {
		clock_gettime(CLOCK_REALTIME, &t);
		offset = (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec - loop_now();
	}
	return offset + loop_now();
}

static int64_t tick(void *ctx, int64_t now)
{
	serve_http_tick(ctx, epoch_now());
	return now + NS_PER_S;
}

static int serve_on(struct edge *e, const char *dir, uint16_t port)
{
	struct serve_http http;
	struct serve_files files;
	int err = folder_open(dir, &files);
	if (err)
		return cmd_fail(EXIT_FAILED, "cannot serve %s: %s", dir, strerror(-err));
	void *mem = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct arena *arena = mem == MAP_FAILED ? NULL : arena_init(mem, ARENA_BYTES);
	int status = EXIT_FAILED;
	if (!arena) {
		cmd_fail(status, "out of memory");
		goto out;
	}
	const struct serve_http_config cfg = {
		.arena = arena, .via = e->stack, .files = files, .local = {.addr = via_addr_v4(0), .port = port}};
	err = serve_http_start(&http, &cfg, epoch_now());
	if (err) {
		cmd_fail(status, "cannot listen on port %u: %s", port, strerror(-err));
		goto out;
	}
	struct loop_task task = {.run = tick, .ctx = &http};
	char text[VIA_ADDR_STRLEN];
	loop_task_add(e->loop, &task);
	loop_signal(e->loop, SIGINT, on_signal, e->loop);
	loop_signal(e->loop, SIGTERM, on_signal, e->loop);
	fprintf(stderr, "via: serving %s at http://%s:%u/\n", dir, via_addr_format(&e->local.addr, text), port);
	status = loop_run(e->loop);
	loop_task_del(e->loop, &task);
	if (!cmd_global.quiet)
		fprintf(stderr, "via: %" PRIu64 " connections, %" PRIu64 " requests, %" PRIu64 " bytes\n", http.conns.n_accepted,
			http.n_requests, http.n_bytes);
	serve_http_stop(&http);
out:
	if (mem != MAP_FAILED)
		munmap(mem, ARENA_BYTES);
	folder_close(&files);
	return status;
}

static int serve(const struct cmd_args *a)
{
	struct edge e;
	char *end;
	long port = a->opt[OPT_PORT] ? strtol(a->opt[OPT_PORT], &end, 10) : 80;
	if (a->opt[OPT_PORT] && (*end || end == a->opt[OPT_PORT] || port < 1 || port > 65535))
		return cmd_fail(EXIT_USAGE, "-p wants a port from 1 to 65535, not '%s'", a->opt[OPT_PORT]);
	if (!a->opt[OPT_LINK] || !a->opt[OPT_ADDRESS])
		return cmd_fail(EXIT_USAGE, "usage: via serve DIR -i tap:NAME -a ADDR/LEN|dhcp [-p 80]");
	int status = edge_open(&e, a->opt[OPT_LINK], a->opt[OPT_ADDRESS], a->opt[OPT_GATEWAY]);
	if (status)
		return status;
	status = serve_on(&e, a->words[0], (uint16_t)port);
	edge_close(&e);
	return status;
}

const struct cmd_command cmd_serve = {
	.name = "serve",
	.usage = "DIR -i tap:NAME -a ADDR/LEN|dhcp [-p 80]",
	.summary = "serve a folder over HTTP on our own TCP/IP",
	.options = options,
	.words_min = 1,
	.words_max = 1,
	.run = serve,
};
