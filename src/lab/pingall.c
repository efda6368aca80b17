/* lab/pingall.c - do all hosts of a lab answer each other? As mininet's pingall, and ends with the same sums.
 *
 * Each host has a ping socket and asks others by echo requests, a few at a time: three tries of a second each, since links may
 * lose packets and only who never answers is meant. With few hosts all ordered pairs are asked; beyond PAIRS_MAX a sample of
 * them: the hosts stand in a circle of random order, each asks those that stand the same few random distances on, so that each
 * host asks and is asked, equally often. Everything random comes from the lab's seed.
 *
 * Asked for as {"job": "pingall", "pairs": most (optional), "family": 4 (default) or 6}. One message: {"done", "hosts", "routers",
 * "pairs", "answered",
 * "sampled", "results": [{"from", "to": [names], "silent": [those of them that never answered]}]}. */
#include "base/rng.h"
#include "lab/job.h"
#include "lab/state.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include <errno.h>
#include <stdlib.h>

enum { PAIRS_MAX = 10000, TRIES = 3, WINDOW = 4 };
#define PATIENCE_NS NS_PER_S
#define STAGGER_NS (100 * NS_PER_US) /* between the first requests of two hosts */

struct asker;

struct probe {
	struct asker *from;
	int to; /* index of pingall.asker */
	uint8_t tries;
	bool answered, is_over;
	int64_t gives_up;
	struct probe *next; /* of those under way, by gives_up */
};

struct asker {
	struct via_handler handler; /* first */
	struct pingall *all;
	struct lab_node *node;
	struct via_addr addr;
	via_sock sock;
	int open, begun; /* probes under way; its probes that have begun, in order */
	bool has_answer; /* the first one has come or was given up: the way there is known */
};

struct pingall {
	struct lab_job job; /* first */
	bool is_v6;
	struct asker *asker; /* one per host */
	int n_hosts, n_routers, each; /* each: probes per host */
	int n_started, n_over;
	int64_t begin;
	struct probe *probe; /* asker i's are [i * each, (i + 1) * each) */
	struct probe *first, *last;
};

/* --- who asks whom --- */

/* Random order of n numbers, the first k of which are wanted. */
static void shuffle(struct rng *r, int *v, int n, int k)
{
	for (int i = 0; i < k; i++) {
		int with = i + (int)rng_below(r, (uint64_t)(n - i)), keep = v[i];
		v[i] = v[with];
		v[with] = keep;
	}
}

/* Fills in who is asked. False: no memory. */
static bool choose(struct pingall *a)
{
	int n = a->n_hosts, *circle = malloc((size_t)(n + 1) * sizeof *circle), *far = malloc((size_t)(n + 1) * sizeof *far);
	bool all = a->each == n - 1;
	struct rng r;
	rng_seed(&r, lab_seed(a->job.lab, "pingall", ""));
	for (int i = 0; i < n && circle && far; i++) {
		circle[i] = i;
		far[i] = i + 1; /* the first n - 1 are distances between two */
	}
	if (circle && far && !all) {
		shuffle(&r, circle, n, n);
		shuffle(&r, far, n - 1, a->each);
	}
	for (int i = 0; i < n && circle && far; i++)
		for (int k = 0; k < a->each; k++)
			a->probe[circle[i] * a->each + k] =
				(struct probe){.from = &a->asker[circle[i]], .to = all ? k + (k >= i) : circle[(i + far[k]) % n]};
	bool good = circle && far;
	free(circle);
	free(far);
	return good;
}

/* --- asking --- */

static void ask(struct pingall *a, struct probe *p, int64_t now)
{
	uint8_t m[ICMP4_HLEN + 8] = {a->is_v6 ? ICMP6_ECHO : ICMP4_ECHO};
	struct asker *from = p->from;
	int seq = (int)(p - &a->probe[(from - a->asker) * a->each]);
	struct via_sockaddr to = {a->asker[p->to].addr, 0};
	m[6] = (uint8_t)(seq >> 8);
	m[7] = (uint8_t)seq;
	via_sendto(from->node->stack, from->sock, m, sizeof m, 0, &to); /* what could not be sent is asked again, as what was lost */
	p->tries++;
	p->gives_up = now + PATIENCE_NS;
	p->next = NULL;
	if (a->last)
		a->last->next = p;
	else
		a->first = p;
	a->last = p;
}

/* As many as may be under way; the stack is in the present. */
static void ask_more(struct pingall *a, struct asker *h, int64_t now)
{
	while (h->begun < a->each && h->open < (h->has_answer ? WINDOW : 1)) {
		h->open++;
		ask(a, &a->probe[(h - a->asker) * a->each + h->begun++], now);
	}
}

/* p has been answered, or given up. */
static void probe_over(struct pingall *a, struct probe *p, int64_t now)
{
	p->is_over = true;
	p->from->open--;
	p->from->has_answer = true;
	a->n_over++;
	ask_more(a, p->from, now);
}

static void on_event(struct via_handler *handler, struct via *v, via_sock s, uint32_t edges)
{
	struct asker *h = (struct asker *)handler;
	struct pingall *a = h->all;
	uint8_t m[64];
	struct via_sockaddr from;
	int64_t n;
	while ((n = via_recvfrom(v, s, m, sizeof m, 0, &from, NULL)) != -EAGAIN && n != -EBADF) {
		int seq = n >= ICMP4_HLEN && m[0] == (a->is_v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY) ? m[6] << 8 | m[7] : a->each;
		if (seq >= a->each) /* an error, or not for us */
			continue;
		struct probe *p = &a->probe[(h - a->asker) * a->each + seq];
		if (!p->tries || p->is_over || !via_addr_eq(&from.addr, &a->asker[p->to].addr))
			continue;
		p->answered = true;
		probe_over(a, p, a->job.lab->env.now);
		if (a->n_over == a->n_hosts * a->each)
			lab_task_wake(a->job.lab, &a->job.task);
	}
}

/* Those whose time has come: once more, or given up. */
static void give_up(struct pingall *a, int64_t now)
{
	while (a->first && (a->first->is_over || a->first->gives_up <= now)) {
		struct probe *p = a->first;
		a->first = p->next;
		if (!a->first)
			a->last = NULL;
		if (p->is_over)
			continue;
		lab_task_calls(p->from->node);
		if (p->tries < TRIES)
			ask(a, p, now);
		else
			probe_over(a, p, now);
	}
}

/* --- the result --- */

static json_t *names_of(const struct pingall *a, int host, bool only_silent)
{
	json_t *names = json_array();
	for (int k = 0; k < a->each; k++) {
		const struct probe *p = &a->probe[host * a->each + k];
		if (!only_silent || !p->answered)
			json_array_append_new(names, json_string(a->asker[p->to].node->t->name));
	}
	return names;
}

static json_t *result(const struct pingall *a)
{
	json_t *results = json_array();
	int n = a->n_hosts * a->each, answered = 0;
	for (int i = 0; i < n; i++)
		answered += a->probe[i].answered;
	for (int i = 0; i < a->n_hosts; i++)
		json_array_append_new(results, json_pack("{s:s, s:o, s:o}", "from", a->asker[i].node->t->name, "to", names_of(a, i, false),
							 "silent", names_of(a, i, true)));
	return json_pack("{s:b, s:i, s:i, s:i, s:i, s:b, s:o}", "done", 1, "hosts", a->n_hosts, "routers", a->n_routers, "pairs", n, "answered",
			 answered, "sampled", a->each < a->n_hosts - 1, "results", results);
}

static int64_t run(struct lab_task *t, int64_t now)
{
	struct pingall *a = (struct pingall *)t;
	if (a->begin < 0)
		a->begin = now;
	give_up(a, now);
	for (; a->n_started < a->n_hosts && a->begin + a->n_started * STAGGER_NS <= now; a->n_started++) {
		lab_task_calls(a->asker[a->n_started].node);
		ask_more(a, &a->asker[a->n_started], now);
	}
	if (a->n_over == a->n_hosts * a->each || a->job.is_stopped) {
		lab_job_tell(&a->job, result(a));
		return TIME_NEVER;
	}
	int64_t start = a->n_started < a->n_hosts ? a->begin + a->n_started * STAGGER_NS : TIME_NEVER;
	return MIN(start, a->first ? a->first->gives_up : TIME_NEVER);
}

/* --- life --- */

static void pingall_free(struct lab_job *j)
{
	struct pingall *a = (struct pingall *)j;
	for (int i = 0; i < a->n_hosts && a->asker; i++)
		if (a->asker[i].sock) {
			via_close(a->asker[i].node->stack, a->asker[i].sock);
			a->asker[i].node->hn.touched(&a->asker[i].node->hn);
		}
	free(a->asker);
	free(a->probe);
	free(a);
}

static bool is_asked(const struct lab_node *n, bool is_v6)
{
	return n->t->kind == TOPO_HOST && n->t->n_ends && (!is_v6 || topo_ip6_is_on(n->lab->topo, n->t->ends[0]));
}

static bool open_sockets(struct pingall *a)
{
	struct lab *l = a->job.lab;
	int at = 0;
	for (int i = 0; i < l->topo->n_nodes; i++) {
		struct lab_node *n = &l->nodes[i];
		if (!is_asked(n, a->is_v6))
			continue;
		struct asker *h = &a->asker[at++];
		*h = (struct asker){.handler = {on_event}, .all = a, .node = n};
		if (a->is_v6)
			lab_ip6_end_addr(n, 0, &h->addr);
		else
			lab_end_addr(n, 0, &h->addr);
		if (via_open(n->stack, VIA_PING, via_cookie(&h->handler), &h->sock))
			return false;
	}
	return true;
}

static struct lab_job *pingall_make(struct lab *l, const json_t *what, char err[256])
{
	json_int_t most = json_integer_value(json_object_get(what, "pairs"));
	struct pingall *a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	a->job = (struct lab_job){.task.run = run, .lab = l};
	a->begin = -1;
	a->is_v6 = json_integer_value(json_object_get(what, "family")) == 6;
	for (int i = 0; i < l->topo->n_nodes; i++) {
		a->n_hosts += is_asked(&l->nodes[i], a->is_v6);
		a->n_routers += l->nodes[i].t->kind == TOPO_ROUTER;
	}
	most = most > 0 && most < PAIRS_MAX ? most : PAIRS_MAX;
	a->each = a->n_hosts > 1 ? (int)MIN(MAX(most / a->n_hosts, 1), a->n_hosts - 1) : 0;
	a->asker = calloc((size_t)a->n_hosts + 1, sizeof *a->asker);
	a->probe = calloc((size_t)a->n_hosts * (size_t)a->each + 1, sizeof *a->probe);
	if (!a->asker || !a->probe || !open_sockets(a) || !choose(a)) {
		pingall_free(&a->job);
		return NULL;
	}
	return &a->job;
}

const struct lab_job_kind lab_job_pingall = {"pingall", pingall_make, pingall_free};
