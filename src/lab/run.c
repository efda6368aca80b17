/* lab/run.c - time: virtual (as fast as the machine goes, replayed by the seed) and real (paced by the loop's clock).
 *
 * One event: the node that is due first is polled at its due time, its sockets' events are given to their handlers, and
 * its next deadline goes back into the heap. A packet on a link counts as the receiving node's. Under real time the lab
 * is one task of the loop: it does everything that was due up to now, each at its own time, so a late turn does not bend
 * the simulation; nodes that programs touched are polled at the time of the turn. */
#include "driver/tap.h"
#include "gate/gate.h"
#include "lab/state.h"
#include <errno.h>
#include <sys/epoll.h>

enum { BUDGET = 256, ROUNDS = 16, EVENTS_PER_TURN = 512, SPINS_MAX = 10000 };
#define SETTLE_NS (30 * NS_PER_S)
#define SETTLE_LOOK_NS (50 * NS_PER_MS)

/* Guard: a node that asks for the same instant without end is pushed a microsecond on, so time always passes. */
static int64_t next_time(struct lab_node *n, int64_t next)
{
	int64_t now = n->lab->env.now;
	if (next > now)
		return next;
	if (n->spin_at != now) {
		n->spin_at = now;
		n->spins = 0;
	}
	return ++n->spins < SPINS_MAX ? now : now + NS_PER_US;
}

static void stack_run(struct lab_node *n)
{
	struct lab *l = n->lab;
	bool again = true;
	for (int round = 0; round < ROUNDS && again; round++) {
		again = via_poll(n->stack, l->env.now, BUDGET) == VIA_AGAIN;
		if (n->services)
			lab_services_tick(n->services, l->env.now);
		if (n->dhcp)
			lab_dhcp_tick(n);
		again |= via_dispatch(n->stack) > 0;
	}
	int64_t next = n->dhcp ? lab_dhcp_next(n) : TIME_NEVER;
	if (n->services)
		next = MIN(next, lab_services_next(n->services));
	sched_set(&l->sched, n->index, next_time(n, again ? l->env.now : MIN(next, via_next_deadline(n->stack))));
}

void lab_node_run(struct lab_node *n)
{
	if (n->stack)
		stack_run(n);
	else if (n->sw)
		sched_set(&n->lab->sched, n->index, lab_switch_run(n->sw));
	else if (n->tap)
		lab_tap_run(n);
	else
		sched_set(&n->lab->sched, n->index, TIME_NEVER);
}

void lab_node_touched(struct host_node *hn)
{
	struct lab_node *n = (struct lab_node *)hn;
	struct lab *l = n->lab;
	if (!l->loop || l->is_running) {
		sched_lower(&l->sched, n->index, l->env.now);
	} else if (!n->touched) {
		n->touched = true;
		l->touched[l->n_touched++] = n->index;
		l->task.deadline = 0; /* a task after ours in this turn may have made the calls */
	}
}

/* The first event, if it is due by `until`. */
static bool run_one(struct lab *l, int64_t until)
{
	int i;
	int64_t when = sched_first(&l->sched, &i);
	if (when == TIME_NEVER || when > until)
		return false;
	l->env.now = MAX(l->env.now, when);
	if (l->capture)
		capture_flush(l->capture, l->env.now);
	if (l->dumps)
		lab_dumps_flush(l, l->env.now, false);
	if (i < l->topo->n_nodes)
		lab_node_run(&l->nodes[i]);
	else
		lab_tasks_run(l);
	return true;
}

void lab_run(struct lab *l, int64_t until, bool (*done)(void *ctx), void *ctx)
{
	l->is_running = true;
	while (!(done && done(ctx)))
		if (!run_one(l, until)) {
			if (until != TIME_NEVER)
				l->env.now = MAX(l->env.now, until);
			break;
		}
	l->is_running = false;
}

int64_t lab_now(const struct lab *l)
{
	return l->env.now;
}

/* --- real time --- */

/* What programs touched since the last turn is due at `when`. */
static void touched_schedule(struct lab *l, int64_t when)
{
	for (int i = 0; i < l->n_touched; i++) {
		l->nodes[l->touched[i]].touched = false;
		sched_lower(&l->sched, l->touched[i], when);
	}
	l->n_touched = 0;
}

static int64_t lab_turn(void *ctx, int64_t now)
{
	struct lab *l = ctx;
	int64_t target = MAX(now - l->start, l->env.now);
	l->is_running = true;
	touched_schedule(l, target);
	int n = 0;
	while (n < EVENTS_PER_TURN && run_one(l, target))
		n++;
	l->is_running = false;
	if (n == EVENTS_PER_TURN)
		return now; /* descriptors get their turn, then more */
	l->env.now = target;
	if (l->capture)
		capture_flush(l->capture, target);
	if (l->dumps)
		lab_dumps_flush(l, target, true);
	int64_t next = sched_first(&l->sched, NULL);
	return next == TIME_NEVER ? TIME_NEVER : next + l->start;
}

void lab_node_present(struct host_node *hn)
{
	struct lab_node *n = (struct lab_node *)hn;
	if (!n->lab->loop || n->lab->is_running)
		return;
	lab_turn(n->lab, loop_now());
	via_flush(n->stack, n->lab->env.now);
}

static bool is_settled(void *lab)
{
	return lab_dhcp_is_over(lab);
}

bool lab_settle(struct lab *l)
{
	int64_t until = l->env.now + SETTLE_NS;
	if (!l->loop && !is_settled(l))
		lab_run(l, until, is_settled, l);
	while (l->loop && !is_settled(l) && l->env.now < until)
		loop_turn(l->loop, loop_now() + SETTLE_LOOK_NS);
	return is_settled(l);
}

static void on_tap(void *ctx, uint32_t events)
{
	lab_node_touched(ctx);
}

const char *lab_attach_error(const struct lab *l)
{
	return l && l->attach_error[0] ? l->attach_error : strerror(errno);
}

int lab_attach(struct lab *l, struct loop *loop)
{
	l->attach_error[0] = 0;
	l->loop = loop;
	l->start = loop_now() - l->env.now;
	l->task = (struct loop_task){.run = lab_turn, .ctx = l};
	for (int i = 0; i < l->topo->n_nodes; i++) {
		int rc = l->nodes[i].tap ? loop_fd_add(loop, tap_fd(l->nodes[i].tap), EPOLLIN, on_tap, &l->nodes[i]) : 0;
		if (rc) {
			while (i-- > 0)
				if (l->nodes[i].tap)
					loop_fd_del(loop, tap_fd(l->nodes[i].tap));
			l->loop = NULL;
			return rc;
		}
	}
	loop_task_add(loop, &l->task);
	int rc = lab_wan_attach(l);
	if (rc)
		lab_detach(l);
	errno = -rc;
	return rc;
}

/* Data that is not acknowledged, or a FIN. */
static bool stack_is_busy(struct via *v)
{
	struct via_sock_info i = {.size = sizeof(i)};
	uint64_t cursor = 0;
	enum { FIN_WAIT_1 = 4, LAST_ACK = 9, LISTEN = 10, CLOSING = 11 };
	while (via_sock_next(v, &cursor, &i))
		if (i.type == VIA_STREAM && (i.tcp_state == FIN_WAIT_1 || i.tcp_state == LAST_ACK || i.tcp_state == CLOSING ||
					     (i.tcp_state && i.tcp_state != LISTEN && i.snd_queue)))
			return true;
	return false;
}

static bool has_gate(const struct lab *l)
{
	for (int i = 0; i < l->topo->n_nodes; i++)
		if (l->nodes[i].gate)
			return true;
	return false;
}

bool lab_is_busy(struct lab *l)
{
	if (!has_gate(l))
		return false;
	for (int i = 0; i < 2 * l->topo->n_links; i++)
		if (l->links[i / 2].dir[i % 2].q.n)
			return true;
	for (int i = 0; i < l->topo->n_nodes; i++)
		if ((l->nodes[i].stack && stack_is_busy(l->nodes[i].stack)) || (l->nodes[i].gate && gate_is_busy(l->nodes[i].gate)))
			return true;
	return false;
}

void lab_detach(struct lab *l)
{
	if (!l->loop)
		return;
	lab_wan_detach(l);
	loop_task_del(l->loop, &l->task);
	for (int i = 0; i < l->topo->n_nodes; i++)
		if (l->nodes[i].tap)
			loop_fd_del(l->loop, tap_fd(l->nodes[i].tap));
	touched_schedule(l, l->env.now);
	l->loop = NULL;
}
