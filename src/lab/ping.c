/* lab/ping.c - ping from a node of a lab, with iputils' manners: one request an interval, whether answers come or not; after the
 * last one it waits twice the longest round trip, or `wait` if there was none.
 *
 * Asked for as {"job": "ping", "node", "to": address or name in the lab, "family": 4, 6 or 0: any, "count": 0 without end,
 * "interval_ns", "bytes": of data,
 * "ttl": 0 the stack's, "wait_ns", "deadline_ns": 0 none, "discover": IP_MTU_DISCOVER's value, -1 the stack's}. Messages:
 * {"event": "start", "address", "name", "bytes"}; {"event": "reply", "seq", "from", "bytes", "ttl", "rtt_us", "duplicate"};
 * {"event": "error", "seq", "from", "type", "code", "mtu"}; {"event": "local", "errno"}; last {"done", "transmitted", "received",
 * "duplicates", "errors", "time_ms", "min_us", "avg_us", "max_us", "mdev_us"}. */
#include "lab/job.h"
#include "lab/probe.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { KEPT = 4096 }; /* probes whose answers are known as such */

struct kept {
	int64_t sent;
	uint16_t seq;
	bool is_sent, is_answered;
};

struct ping {
	struct lab_job job; /* first */
	struct prober prober;
	struct kept kept[KEPT];
	char name[64];
	int64_t count, interval, wait, deadline;
	int ttl;
	bool has_begun;
	int64_t begin, next, active; /* active: when something was sent or came last */
	int64_t transmitted, received, duplicates, errors;
	int64_t min_us, max_us, sum_us, sum2_us;
};

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void set_addr(json_t *o, const char *key, const struct via_addr *a)
{
	char text[VIA_ADDR_STRLEN];
	json_object_set_new(o, key, json_string(via_addr_format(a, text)));
}

/* Counts a round trip. */
static void add_rtt(struct ping *g, int64_t us)
{
	g->min_us = g->received ? MIN(g->min_us, us) : us;
	g->max_us = MAX(g->max_us, us);
	g->sum_us += us;
	g->sum2_us += us * us;
	g->received++;
}

static void on_answer(struct prober *p, const struct probe_answer *a)
{
	struct ping *g = (struct ping *)((char *)p - offsetof(struct ping, prober));
	struct kept *k = &g->kept[a->n % KEPT];
	int64_t now = g->job.lab->env.now;
	if (k->seq != a->n || !k->is_sent)
		return;
	json_t *o = json_pack("{s:s, s:i}", "event", a->is_error ? "error" : "reply", "seq", (int)a->n);
	set_addr(o, "from", &a->from);
	g->active = now;
	if (a->is_error) {
		g->errors++;
		json_object_set_new(o, "type", json_integer(a->type));
		json_object_set_new(o, "code", json_integer(a->code));
		json_object_set_new(o, "mtu", json_integer(a->mtu));
	} else {
		int64_t us = (now - k->sent) / NS_PER_US;
		json_object_set_new(o, "bytes", json_integer(a->bytes));
		json_object_set_new(o, "ttl", json_integer(a->ttl));
		json_object_set_new(o, "rtt_us", json_integer(us));
		json_object_set_new(o, "duplicate", json_boolean(k->is_answered));
		if (k->is_answered)
			g->duplicates++;
		else
			add_rtt(g, us);
		k->is_answered = true;
	}
	lab_job_tell(&g->job, o);
	lab_task_wake(g->job.lab, &g->job.task);
}

static void send_one(struct ping *g, int64_t now)
{
	uint16_t seq = (uint16_t)(g->transmitted + 1);
	g->kept[seq % KEPT] = (struct kept){.sent = now, .seq = seq, .is_sent = true};
	lab_task_calls(g->prober.node);
	int rc = prober_send(&g->prober, seq, g->ttl);
	g->transmitted++;
	g->active = now;
	if (rc) {
		g->errors++;
		lab_job_tell(&g->job, json_pack("{s:s, s:i}", "event", "local", "errno", -rc));
	}
}

static json_t *summary(const struct ping *g)
{
	int64_t n = g->received, avg = n ? g->sum_us / n : 0, var = n ? g->sum2_us / n - avg * avg : 0;
	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "done", 1, "transmitted", (json_int_t)g->transmitted,
			 "received", (json_int_t)n, "duplicates", (json_int_t)g->duplicates, "errors", (json_int_t)g->errors, "time_ms",
			 (json_int_t)((g->active - g->begin) / NS_PER_MS), "min_us", (json_int_t)g->min_us, "avg_us", (json_int_t)avg, "max_us",
			 (json_int_t)g->max_us, "mdev_us", (json_int_t)lab_job_root(MAX(var, 0)));
}

/* When it is over at the latest, as things are. */
static int64_t end_time(const struct ping *g)
{
	int64_t end = g->deadline ? g->begin + g->deadline : TIME_NEVER;
	if (!g->count || g->transmitted < g->count)
		return end;
	if (g->received + g->errors >= g->count)
		return g->active;
	int64_t sent = g->next - g->interval;
	return MIN(end, sent + (g->received ? MAX(2 * g->max_us * NS_PER_US, g->interval) : g->wait));
}

static int64_t run(struct lab_task *t, int64_t now)
{
	struct ping *g = (struct ping *)t;
	if (!g->has_begun) {
		json_t *o = json_pack("{s:s, s:s, s:I}", "event", "start", "name", g->name, "bytes", (json_int_t)g->prober.bytes);
		set_addr(o, "address", &g->prober.to);
		g->has_begun = true;
		g->begin = g->next = now;
		lab_job_tell(&g->job, o);
	}
	if (g->next <= now && !g->job.is_stopped && end_time(g) > now && (!g->count || g->transmitted < g->count)) {
		send_one(g, now);
		g->next = MAX(g->next + g->interval, now + 1);
	}
	if (g->job.is_stopped || end_time(g) <= now) {
		lab_job_tell(&g->job, summary(g));
		return TIME_NEVER;
	}
	return g->count && g->transmitted >= g->count ? end_time(g) : MIN(g->next, end_time(g));
}

/* --- life --- */

static void ping_free(struct lab_job *j)
{
	struct ping *g = (struct ping *)j;
	prober_close(&g->prober);
	free(g);
}

static struct lab_job *ping_make(struct lab *l, const json_t *what, char err[256])
{
	const char *to = json_string_value(json_object_get(what, "to"));
	const json_t *discover = json_object_get(what, "discover");
	struct lab_node *n = lab_job_node(l, what, err);
	struct ping *g = n ? calloc(1, sizeof *g) : NULL;
	if (!g)
		return NULL;
	*g = (struct ping){.job = {.task.run = run, .lab = l}, .prober = {.node = n, .kind = PROBE_ICMP, .answered = on_answer},
		.count = MAX(int_of(what, "count"), 0), .interval = MAX(int_of(what, "interval_ns"), NS_PER_MS), .wait = int_of(what, "wait_ns"),
		.deadline = int_of(what, "deadline_ns"), .ttl = (int)int_of(what, "ttl")};
	g->prober.bytes = (uint32_t)MIN(MAX(int_of(what, "bytes"), 0), (int64_t)PROBE_BYTES_MAX);
	snprintf(g->name, sizeof g->name, "%s", to ? to : "");
	int rc = -EINVAL;
	if (probe_target(l, g->name, (int)int_of(what, "family"), &g->prober.to))
		snprintf(err, 256, "%.64s: no such name or address in lab '%s'", g->name, lab_name(l));
	else if ((rc = prober_open(&g->prober)))
		snprintf(err, 256, "cannot open a socket on '%s': %s", n->t->name, strerror(-rc));
	if (!rc && json_integer_value(discover) >= 0 && discover)
		prober_option(&g->prober, IP_MTU_DISCOVER, (int)json_integer_value(discover));
	if (!rc)
		return &g->job;
	free(g);
	return NULL;
}

const struct lab_job_kind lab_job_ping = {"ping", ping_make, ping_free};
