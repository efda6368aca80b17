/* lab/trace.c - which routers lie on the way: probes whose TTL runs out at each of them, as traceroute; or many rounds of them with
 * statistics per hop, as mtr's report.
 *
 * Some probes are under way at once, in the order of traceroute (by hop) or mtr (by round); none goes further than the nearest
 * hop known to be the last one. Asked for as {"job": "trace", "node", "to", "family": 4, 6 or 0: any, "kind": "udp" | "icmp" |
 * "tcp", "port": of the target,
 * UDP's counts up from it, "max": hops, "queries": probes per hop or rounds, "is_report", "interval_ns": between rounds,
 * "wait_ns": for an answer, "bytes": of data}. Messages: {"event": "start", "address", "name"}; unless is_report, in order,
 * {"event": "hop", "ttl", "probes": [{"from", "name", "rtt_us", "flag"} or {}]}; last {"done", "reached", "hops": [{"ttl", "sent",
 * "received", "addresses": [{"address", "name"}], "last_us", "avg_us", "best_us", "worst_us", "stdev_us"}]}. */
#include "lab/job.h"
#include "lab/probe.h"
#include "wire/icmp6.h"
#include <errno.h>
#include <stdlib.h>

enum { HOPS_MAX = 64, PROBES_MAX = 32768, WINDOW = 16, FIRST_WINDOW = 4 };

enum state { UNSENT, SENT, ANSWERED, LOST };

struct probe {
	int64_t sent;
	struct via_addr from;
	uint32_t rtt_us;
	uint8_t state, type, code;
	bool is_flagged; /* the way ends there, not at its target */
};

struct trace_job {
	struct lab_job job; /* first */
	struct prober prober;
	char name[64];
	int max, queries, last;  /* last: the hop that is the end of the way, max until known */
	bool is_report, has_begun, is_reached;
	int64_t interval, wait, begin;
	int n_open, at, told;    /* under way; the next in order; hops told */
	struct probe *probe;     /* by number - 1: by hop, or of a report by round */
};

static int ttl_of(const struct trace_job *t, int n)
{
	return (t->is_report ? n % t->max : n / t->queries) + 1;
}

static int number_of(const struct trace_job *t, int ttl, int query)
{
	return t->is_report ? query * t->max + ttl - 1 : (ttl - 1) * t->queries + query;
}

/* How a target answers a datagram. */
static bool is_port_closed(const struct trace_job *t, const struct probe_answer *a)
{
	bool is_v4 = via_addr_is_v4(&a->from);
	return t->prober.kind == PROBE_UDP && (is_v4 ? a->code == 3 : a->type == ICMP6_UNREACH && a->code == ICMP6_NO_PORT);
}

static void on_answer(struct prober *p, const struct probe_answer *a)
{
	struct trace_job *t = (struct trace_job *)((char *)p - offsetof(struct trace_job, prober));
	int n = a->n - 1;
	struct probe *q = n >= 0 && n < t->max * t->queries ? &t->probe[n] : NULL;
	if (!q || q->state != SENT)
		return;
	bool is_end = !a->is_error || a->is_end;
	q->state = ANSWERED;
	q->from = a->from;
	q->rtt_us = (uint32_t)((t->job.lab->env.now - q->sent) / NS_PER_US);
	q->is_flagged = a->is_error && a->is_end && !is_port_closed(t, a);
	q->type = a->type;
	q->code = a->code;
	t->n_open--;
	if (is_end && ttl_of(t, n) <= t->last) {
		t->last = ttl_of(t, n);
		t->is_reached |= via_addr_eq(&a->from, &p->to);
	}
	lab_task_wake(t->job.lab, &t->job.task);
}

/* Why the way ends there, in traceroute's marks; "" for the target itself and routers on the way. RFC 1812 §5.2.7.1. */
static const char *flag_of(const struct probe *q, char text[16])
{
	static const char *const marks[][16] = {
		{[0] = "!N", [1] = "!H", [2] = "!P", [4] = "!F", [5] = "!S", [13] = "!X", [14] = "!V", [15] = "!C"},
		{[ICMP6_NO_ROUTE] = "!N", [ICMP6_PROHIBITED] = "!X", [ICMP6_BEYOND_SCOPE] = "!S", [ICMP6_NO_ADDRESS] = "!H"},
	};
	bool is_v6 = !via_addr_is_v4(&q->from);
	text[0] = 0;
	if (!q->is_flagged)
		return text;
	if (is_v6 && q->type == ICMP6_TOO_BIG)
		return "!F";
	if (q->code < ARRAY_LEN(marks[0]) && marks[is_v6][q->code])
		return marks[is_v6][q->code];
	snprintf(text, 16, "!<%u>", q->code);
	return text;
}

/* --- sending --- */

static void send_probe(struct trace_job *t, int n, int64_t now)
{
	struct probe *q = &t->probe[n];
	q->state = SENT;
	q->sent = now;
	t->n_open++;
	if (prober_send(&t->prober, (uint16_t)(n + 1), ttl_of(t, n))) { /* no route, no memory: as silent as one that was lost */
		q->state = LOST;
		t->n_open--;
	}
}

/* As many as may be under way now. When the next may leave if time alone holds it back, else TIME_NEVER. */
static int64_t send_more(struct trace_job *t, int64_t now)
{
	int total = t->max * t->queries, window = t->last == t->max ? FIRST_WINDOW * (t->is_report ? 1 : 4) : WINDOW;
	for (; t->at < total && t->n_open < window; t->at++) {
		int64_t due = t->is_report ? t->begin + t->at / t->max * t->interval : now;
		if (due > now)
			return due;
		if (ttl_of(t, t->at) <= t->last)
			send_probe(t, t->at, now);
	}
	return TIME_NEVER;
}

/* Those that were not answered in time; when the next one will be late. */
static int64_t give_up(struct trace_job *t, int64_t now)
{
	int64_t next = TIME_NEVER;
	for (int n = 0; n < t->at; n++) {
		struct probe *q = &t->probe[n];
		if (q->state != SENT)
			continue;
		if (q->sent + t->wait > now) {
			next = MIN(next, q->sent + t->wait);
			continue;
		}
		q->state = LOST;
		t->n_open--;
		prober_forget(&t->prober, (uint16_t)(n + 1));
	}
	return next;
}

/* --- telling --- */

static void set_from(const struct trace_job *t, json_t *o, const char *key, const struct via_addr *a)
{
	char text[VIA_ADDR_STRLEN];
	const char *name = probe_name(t->job.lab, a);
	json_object_set_new(o, key, json_string(via_addr_format(a, text)));
	if (name)
		json_object_set_new(o, "name", json_string(name));
}

static bool hop_is_over(const struct trace_job *t, int ttl)
{
	for (int k = 0; k < t->queries; k++) {
		const struct probe *q = &t->probe[number_of(t, ttl, k)];
		if (q->state == SENT || (q->state == UNSENT && !t->job.is_stopped))
			return false;
	}
	return true;
}

static void tell_hop(struct trace_job *t, int ttl)
{
	json_t *probes = json_array();
	char text[16];
	for (int k = 0; k < t->queries; k++) {
		const struct probe *q = &t->probe[number_of(t, ttl, k)];
		json_t *o = json_object();
		if (q->state == ANSWERED) {
			set_from(t, o, "from", &q->from);
			json_object_set_new(o, "rtt_us", json_integer(q->rtt_us));
			json_object_set_new(o, "flag", json_string(flag_of(q, text)));
		}
		json_array_append_new(probes, o);
	}
	lab_job_tell(&t->job, json_pack("{s:s, s:i, s:o}", "event", "hop", "ttl", ttl, "probes", probes));
}

static void add_address(const struct trace_job *t, json_t *all, const struct via_addr *a)
{
	json_t *o = json_object(), *other;
	size_t i;
	set_from(t, o, "address", a);
	json_array_foreach(all, i, other)
		if (json_equal(o, other)) {
			json_decref(o);
			return;
		}
	json_array_append_new(all, o);
}

static json_t *hop_sums(const struct trace_job *t, int ttl)
{
	json_t *addresses = json_array();
	int64_t sent = 0, n = 0, last = 0, sum = 0, best = 0, worst = 0, square = 0;
	for (int k = 0; k < t->queries; k++) {
		const struct probe *q = &t->probe[number_of(t, ttl, k)];
		sent += q->state != UNSENT;
		if (q->state != ANSWERED)
			continue;
		add_address(t, addresses, &q->from);
		last = q->rtt_us;
		best = n ? MIN(best, last) : last;
		worst = MAX(worst, last);
		sum += last;
		n++;
	}
	int64_t avg = n ? sum / n : 0;
	for (int k = 0; k < t->queries; k++) {
		const struct probe *q = &t->probe[number_of(t, ttl, k)];
		if (q->state == ANSWERED)
			square += ((int64_t)q->rtt_us - avg) * ((int64_t)q->rtt_us - avg);
	}
	return json_pack("{s:i, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "ttl", ttl, "sent", (json_int_t)sent, "received", (json_int_t)n,
			 "addresses", addresses, "last_us", (json_int_t)last, "avg_us", (json_int_t)avg, "best_us", (json_int_t)best, "worst_us",
			 (json_int_t)worst, "stdev_us", (json_int_t)(n > 1 ? lab_job_root(square / (n - 1)) : 0));
}

static json_t *result(const struct trace_job *t)
{
	json_t *hops = json_array();
	for (int ttl = 1; ttl <= t->last; ttl++)
		json_array_append_new(hops, hop_sums(t, ttl));
	return json_pack("{s:b, s:b, s:o}", "done", 1, "reached", (int)t->is_reached, "hops", hops);
}

static int64_t run(struct lab_task *task, int64_t now)
{
	struct trace_job *t = (struct trace_job *)task;
	if (!t->has_begun) {
		json_t *o = json_pack("{s:s, s:s}", "event", "start", "name", t->name);
		set_from(t, o, "address", &t->prober.to);
		json_object_set_new(o, "name", json_string(t->name));
		t->has_begun = true;
		t->begin = now;
		lab_job_tell(&t->job, o);
	}
	lab_task_calls(t->prober.node);
	give_up(t, now);
	int64_t more = t->job.is_stopped ? TIME_NEVER : send_more(t, now), late = give_up(t, now);
	for (; !t->is_report && t->told < t->last && hop_is_over(t, t->told + 1); t->told++)
		tell_hop(t, t->told + 1);
	bool is_over = t->job.is_stopped || (t->at == t->max * t->queries && !t->n_open);
	if (is_over || (!t->is_report && t->told >= t->last)) {
		lab_job_tell(&t->job, result(t));
		return TIME_NEVER;
	}
	return MIN(late, more);
}

/* --- life --- */

static void trace_free(struct lab_job *j)
{
	struct trace_job *t = (struct trace_job *)j;
	prober_close(&t->prober);
	free(t->probe);
	free(t);
}

static int64_t int_of(const json_t *o, const char *key, int64_t least, int64_t most)
{
	return MIN(MAX((int64_t)json_integer_value(json_object_get(o, key)), least), most);
}

static struct lab_job *trace_make(struct lab *l, const json_t *what, char err[256])
{
	const char *to = json_string_value(json_object_get(what, "to")), *kind = json_string_value(json_object_get(what, "kind"));
	struct lab_node *n = lab_job_node(l, what, err);
	struct trace_job *t = n ? calloc(1, sizeof *t) : NULL;
	if (!t)
		return NULL;
	*t = (struct trace_job){.job = {.task.run = run, .lab = l}, .prober = {.node = n, .answered = on_answer},
		.max = (int)int_of(what, "max", 1, HOPS_MAX), .is_report = json_is_true(json_object_get(what, "is_report")),
		.interval = int_of(what, "interval_ns", NS_PER_MS, INT64_C(1) << 50), .wait = int_of(what, "wait_ns", NS_PER_MS, INT64_C(1) << 50)};
	t->last = t->max;
	t->queries = (int)int_of(what, "queries", 1, PROBES_MAX / t->max);
	t->prober.kind = !kind || strcmp(kind, "udp") == 0 ? PROBE_UDP : strcmp(kind, "tcp") == 0 ? PROBE_TCP : PROBE_ICMP;
	t->prober.port = (uint16_t)(int_of(what, "port", 1, 65535) - (t->prober.kind == PROBE_UDP)); /* the first is number 1 */
	t->prober.bytes = (uint32_t)int_of(what, "bytes", 0, PROBE_BYTES_MAX);
	snprintf(t->name, sizeof t->name, "%s", to ? to : "");
	t->probe = calloc((size_t)t->max * (size_t)t->queries, sizeof *t->probe);
	int rc = t->probe ? -EINVAL : -ENOMEM;
	if (t->probe && probe_target(l, t->name, (int)int_of(what, "family", 0, 6), &t->prober.to))
		snprintf(err, 256, "%.64s: no such name or address in lab '%s'", t->name, lab_name(l));
	else if (t->probe && (rc = prober_open(&t->prober)))
		snprintf(err, 256, "cannot open a socket on '%s': %s", n->t->name, strerror(-rc));
	if (!rc)
		return &t->job;
	free(t->probe);
	free(t);
	return NULL;
}

const struct lab_job_kind lab_job_trace = {"trace", trace_make, trace_free};
