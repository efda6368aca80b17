/* drill/run.c - the clock and the events of a running script.
 *
 * Between two events time moves from deadline to deadline of the stack, of a call under way, and to the next event: via_poll()
 * is called at each of them until nothing is left to do at that time, then a call under way is tried again. An expected
 * packet is waited for at once, so its event ends when the packet leaves, early or late; that is judged afterwards.
 *
 * Limits: one call under way at a time, as in packetdrill; a stack that finds work for ever at one instant fails the script. */
#include "drill/state.h"

#include <stdarg.h>
#include <stdlib.h>

enum { TURNS_MAX = 10000, MTU_LARGEST = 65535 };
#define ARENA_BYTES ((size_t)64 << 20)
#define PACKET_BYTES ((size_t)128 << 20)
/* Where the stack's clock stands when a script begins: past the age at which a clock of 0 would look special. */
#define CLOCK_BEGIN (1000 * NS_PER_S)

const char *drill_seconds(int64_t ns)
{
	static _Thread_local char text[4][32];
	static _Thread_local unsigned n;
	char *s = text[n++ % 4];
	snprintf(s, sizeof(text[0]), "%lld.%06lld", (long long)(ns / NS_PER_S), (long long)(ns % NS_PER_S / NS_PER_US));
	return s;
}

bool drill_fail(struct drill_run *r, int line, const char *format, ...)
{
	if (r->has_failed)
		return false;
	r->has_failed = true;
	va_list ap;
	va_start(ap, format);
	fprintf(r->how->err, "%s:%d: ", r->name, line);
	vfprintf(r->how->err, format, ap);
	fputc('\n', r->how->err);
	va_end(ap);
	return false;
}

void drill_sides(struct drill_run *r, const char *expected, const char *seen)
{
	fprintf(r->how->err, "  expected  %s\n  seen      %s\n", expected, seen);
}

bool drill_in_time(struct drill_run *r, const struct drill_event *e, int64_t from, int64_t to, int64_t at, const char *what)
{
	int64_t slack = r->cfg.tolerance_ns;
	slack = MAX(slack, (from - r->last_at) / 1000 * r->cfg.tolerance_permille);
	if (at >= from - slack && at <= to + slack)
		return true;
	drill_fail(r, e->line, "%s at the wrong time", what);
	fprintf(r->how->err, "  expected  at %s%s%s (within %s)\n  seen      at %s\n", drill_seconds(from), to == from ? "" : " to ",
		to == from ? "" : drill_seconds(to), drill_seconds(slack), drill_seconds(at));
	return false;
}

/* The stack's link: keep what it sends. */
static int link_out(void *ctx, const void *packet, size_t len)
{
	struct drill_run *r = ctx;
	if (r->link_is_shut)
		return 0;
	struct drill_sent *s = r->n_sent < DRILL_QUEUE_MAX ? malloc(sizeof(*s) + len) : NULL;
	if (!s) {
		drill_fail(r, r->e ? r->e->line : 0, "the stack sent more than %d packets that nobody expects", DRILL_QUEUE_MAX);
		return 0;
	}
	s->next = NULL;
	s->at = r->now;
	s->len = len;
	memcpy(s->bytes, packet, len);
	*r->sent_end = s;
	r->sent_end = &s->next;
	r->n_sent++;
	return 0;
}

/* Edges of readiness, for epoll. */
static void take_edges(struct drill_run *r)
{
	struct via_event ev[16];
	int n;
	while ((n = via_events(r->v, ev, ARRAY_LEN(ev))) > 0)
		for (int i = 0; i < n; i++)
			for (int fd = 0; fd < DRILL_FILES; fd++)
				for (int w = 0; r->files[fd].kind == FILE_EPOLL && w < DRILL_WATCHES; w++)
					r->files[fd].watches[w].is_new |= r->files[fd].watches[w].fd == (int)ev[i].cookie;
}

/* All that is to be done at this instant. */
static bool settle(struct drill_run *r)
{
	for (int turn = 0; turn < TURNS_MAX && !r->has_failed; turn++) {
		bool more = via_poll(r->v, r->now, 1024) == VIA_AGAIN;
		take_edges(r);
		if (more || via_next_deadline(r->v) <= r->now)
			continue;
		if (!r->under.e || !drill_call_again(r))
			return !r->has_failed;
	}
	return drill_fail(r, r->e->line, "the stack does not come to rest at %s", drill_seconds(drill_time(r)));
}

bool drill_pass(struct drill_run *r, int64_t until, bool stop_at_packet)
{
	while (settle(r)) {
		if (r->now >= until || (stop_at_packet && r->sent))
			return true;
		int64_t next = MIN(via_next_deadline(r->v), until);
		if (r->under.e)
			next = MIN(next, r->under.deadline);
		if (next == TIME_NEVER)
			return true;
		r->now = MAX(r->now, next);
	}
	return false;
}

/* When the event happens; relative times become absolute ones. */
static void fix_times(struct drill_run *r, struct drill_event *e, struct drill_call *c)
{
	if (e->when != DRILL_RELATIVE && e->when != DRILL_RELATIVE_RANGE)
		return;
	e->at_ns += drill_time(r);
	e->end_ns += drill_time(r);
	if (c && c->blocks)
		c->end_ns += drill_time(r);
}

static bool begin_event(struct drill_run *r, const struct drill_event *e)
{
	if (e->kind == DRILL_PACKET && e->packet->is_out)
		return true;
	if (r->begin + e->at_ns > r->now && !drill_pass(r, r->begin + e->at_ns, false))
		return false;
	if (e->kind == DRILL_CALL && r->under.e && !drill_call_finish(r))
		return false;
	return drill_in_time(r, e, e->at_ns, e->at_ns, drill_time(r), "this event comes");
}

static bool do_event(struct drill_run *r, const struct drill_event *e)
{
	switch (e->kind) {
	case DRILL_PACKET:
		return e->packet->is_out ? drill_expect(r, e) : drill_inject(r, e);
	case DRILL_CALL:
		return drill_call_begin(r, e);
	case DRILL_COMMAND:
		return drill_command(r, e);
	default:
		return drill_code(r, e);
	}
}

static void tell(struct drill_run *r, const struct drill_event *e)
{
	char line[DRILL_LINE_MAX];
	if (!r->how->verbose)
		return;
	const char *text = e->kind == DRILL_PACKET ? drill_packet_text(e->packet, line) : e->kind == DRILL_CALL ? e->call->head : e->text;
	fprintf(r->how->out, "%s:%d: %s %s\n", r->name, e->line, drill_seconds(drill_time(r)), text);
}

/* A copy of the event, with its times fixed, that lives as long as the run: a call outlives its event. */
static struct drill_event *keep_event(struct drill_run *r, const struct drill_event *e)
{
	struct drill_event *kept = drill_alloc(r->kept, sizeof(*kept));
	struct drill_call *c = drill_alloc(r->kept, sizeof(*c));
	if (!kept || !c)
		return NULL;
	*kept = *e;
	if (e->call) {
		*c = *e->call;
		kept->call = c;
	}
	fix_times(r, kept, kept->call);
	return kept;
}

static bool run_events(struct drill_run *r)
{
	for (const struct drill_event *next = r->s->events; next; next = next->next) {
		struct drill_event *e = keep_event(r, next);
		if (!e)
			return drill_fail(r, next->line, "out of memory");
		r->e = e;
		r->n_events++;
		if (!begin_event(r, e) || !do_event(r, e) || !drill_pass(r, r->now, false))
			return false;
		tell(r, e);
		r->last_at = e->when == DRILL_ANY ? drill_time(r) : e->at_ns;
	}
	return (!r->under.e || drill_call_finish(r)) && (!r->how->strict || drill_nothing_left(r));
}

static bool make_stack(struct drill_run *r)
{
	static const uint8_t seed[32] = {7};
	struct via_host_config c = {.size = sizeof(c), .name = "drill", .arena_bytes = ARENA_BYTES, .packet_bytes = PACKET_BYTES,
				    .seed = seed, .now = r->now};
	/* A script's packets may be longer than what the stack may send: the link carries anything, the stack is told less. */
	struct via_buffer_config b = {.size = sizeof(b), .l2 = VIA_L2_NONE, .mtu = MTU_LARGEST, .out = link_out, .ctx = r};
	r->v = via_host_stack_new(&c);
	r->link = via_buffer_new(&b);
	if (!r->v || !r->link)
		return false;
	struct via_driver *d = via_buffer_driver(r->link);
	d->mtu = r->cfg.mtu;
	int i = via_iface_add(r->v, d, "tun0");
	struct via_change local = {.kind = VIA_ADDR_ADD, .ifindex = i, .addr = via_addr_v4(r->cfg.local), .plen = 16};
	struct via_change all = {.kind = VIA_ROUTE_ADD, .ifindex = i, .addr = via_addr_v4(0), .plen = 0};
	return i > 0 && via_configure(r->v, &local) == 0 && via_configure(r->v, &all) == 0;
}

static void end_run(struct drill_run *r)
{
	if (r->v)
		drill_files_close(r);
	via_host_stack_free(r->v);
	via_buffer_free(r->link);
	while (r->sent)
		drill_sent_drop(r);
	drill_vars_free(&r->vars);
	drill_script_free(r->kept);
	free(r->flows);
}

static enum drill_status run_script(const char *name, const struct drill_script *s, const struct drill_how *how, struct drill_done *done)
{
	struct drill_run *r = calloc(1, sizeof(*r));
	if (!r)
		return DRILL_FAILED;
	*r = (struct drill_run){.name = name, .s = s, .how = how, .begin = CLOCK_BEGIN, .now = CLOCK_BEGIN, .flow = -1, .next_port = 40001};
	r->sent_end = &r->sent;
	r->flows = calloc(DRILL_FLOWS, sizeof(*r->flows));
	r->kept = calloc(1, sizeof(*r->kept));
	bool options = drill_options(r);
	enum drill_status status = options ? DRILL_FAILED : DRILL_WRONG;
	if (options && (!r->flows || !r->kept || !make_stack(r)))
		drill_fail(r, 1, "out of memory");
	else if (options && run_events(r))
		status = DRILL_PASSED;
	*done = (struct drill_done){r->n_events, drill_time(r)};
	end_run(r);
	free(r);
	return status;
}

enum drill_status drill_run(const char *name, const char *text, size_t len, const struct drill_how *how, struct drill_done *done)
{
	struct drill_error err;
	*done = (struct drill_done){0};
	struct drill_script *s = drill_parse(text, len, &err);
	if (!s) {
		fprintf(how->err, "%s:%d:%d: %s\n", name, err.line, err.column, err.text);
		return DRILL_WRONG;
	}
	enum drill_status status = run_script(name, s, how, done);
	drill_script_free(s);
	return status;
}
