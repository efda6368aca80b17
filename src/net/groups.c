/* net/groups.c - the membership machine, see groups.h (RFC 3376 §5, §7.2; RFC 3810 §6, §8.2; RFC 2236 §3, §6; RFC 2710 §4). */
#include "net/groups.h"

#include <errno.h>

static struct group *group_at(const struct arena *a, ref_t r) { return arena_at(a, r); }
static struct groups_link *link_at(const struct arena *a, ref_t r) { return arena_at(a, r); }
static bool is_member(const struct group *m) { return m->users || m->is_own; }

void groups_init(struct groups_env *e, struct groups *g, struct prf_key key, uint8_t wheel_kind)
{
	memset(g, 0, sizeof(*g));
	pool_init(e->arena, &g->pool, "group", sizeof(struct group), GROUPS_MAX);
	pool_init(e->arena, &g->links, "groups", sizeof(struct groups_link), 2 * GROUPS_IFACES_MAX);
	g->random.key = key;
	g->kind = wheel_kind;
}

/* Random in (0, most]. */
static int64_t random_ns(struct groups *g, int64_t most)
{
	return most > 0 ? 1 + (int64_t)(prf_next(&g->random) % (uint64_t)most) : 0;
}

/* Does nobody ever report it (RFC 3376 §5, RFC 3810 §6)? */
static bool is_silent(const struct via_addr *a)
{
	static const struct via_addr all_nodes = {.b = {0xff, 2, [15] = 1}};
	if (via_addr_is_v4(a))
		return via_addr_to_v4(a) == 0xe0000001;
	return (a->b[1] & 15) < 2 || memcmp(a->b, all_nodes.b, 16) == 0;
}

/* ---- the table ---- */

static struct groups_link *link_of(struct groups_env *e, struct groups *g, uint16_t ifindex, bool is_v6, bool is_to_be)
{
	ref_t *r = &g->link[ifindex][is_v6];
	if (*r || !is_to_be)
		return *r ? link_at(e->arena, *r) : NULL;
	*r = pool_take(e->arena, &g->links);
	if (!*r)
		return NULL;
	struct groups_link *l = link_at(e->arena, *r);
	l->timer.kind = g->kind;
	l->ifindex = ifindex;
	l->is_v6 = is_v6;
	l->version = 3;
	l->robustness = GROUP_ROBUSTNESS;
	l->interval_s = GROUP_QUERY_INTERVAL_S;
	l->answer_at = l->change_at = TIME_NEVER;
	return l;
}

static struct group *find(const struct arena *a, const struct groups_link *l, const struct via_addr *addr)
{
	for (ref_t r = l ? l->first : 0; r; r = group_at(a, r)->next)
		if (memcmp(group_at(a, r)->addr.b, addr->b, 16) == 0)
			return group_at(a, r);
	return NULL;
}

bool groups_has(const struct arena *a, const struct groups *g, uint32_t ifindex, const struct via_addr *addr)
{
	bool is_v6 = !via_addr_is_v4(addr);
	uint32_t from = ifindex ? ifindex : 1, to = ifindex ? ifindex : GROUPS_IFACES_MAX - 1;
	for (uint32_t i = from; i <= to && i < GROUPS_IFACES_MAX; i++) {
		const struct group *m = g->link[i][is_v6] ? find(a, link_at(a, g->link[i][is_v6]), addr) : NULL;
		if (m && is_member(m))
			return true;
	}
	return false;
}

bool groups_get(const struct arena *a, const struct groups *g, uint32_t n, uint16_t *ifindex, struct via_addr *addr, uint32_t *users)
{
	for (uint32_t i = 0; i < 2 * GROUPS_IFACES_MAX; i++)
		for (ref_t r = g->link[i / 2][i & 1] ? link_at(a, g->link[i / 2][i & 1])->first : 0; r; r = group_at(a, r)->next) {
			const struct group *m = group_at(a, r);
			if (!is_member(m) || n-- > 0)
				continue;
			*ifindex = (uint16_t)(i / 2);
			*addr = m->addr;
			*users = m->users + m->is_own;
			return true;
		}
	return false;
}

/* Groups that are nobody's and of which nothing is to be told go. */
static void link_sweep(struct groups_env *e, struct groups *g, struct groups_link *l)
{
	for (ref_t *at = &l->first; *at;) {
		ref_t r = *at;
		struct group *m = group_at(e->arena, r);
		if (is_member(m) || m->changes) {
			at = &m->next;
			continue;
		}
		*at = m->next;
		pool_give(e->arena, &g->pool, r);
	}
}

static void link_rearm(struct groups_env *e, const struct groups *g, struct groups_link *l)
{
	ref_t r = g->link[l->ifindex][l->is_v6];
	int64_t next = MIN(l->answer_at, l->change_at);
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next)
		next = MIN(next, group_at(e->arena, k)->answer_at);
	if (next == TIME_NEVER)
		wheel_disarm(e->arena, e->wheel, r);
	else
		wheel_arm(e->arena, e->wheel, r, next);
}

/* ---- out ---- */

static void flush(struct groups_env *e, const struct groups_link *l, struct group_report *r)
{
	if (r->n)
		e->ops->report(e->ctx, l->ifindex, l->is_v6, r);
	r->n = 0;
}

/* One more record, in a report of its own in the older versions and if it lists sources. */
static void put(struct groups_env *e, const struct groups_link *l, struct group_report *r, const struct group *m, uint8_t type)
{
	bool lists = type == GROUP_IS_IN, is_alone = l->version < 3 || lists;
	if (is_silent(&m->addr) || (l->version == 1 && type == GROUP_TO_IN)) /* version 1 knows no leave */
		return;
	if (is_alone)
		flush(e, l, r);
	r->version = l->version;
	r->record[r->n++] = (struct group_record){.type = type, .group = m->addr, .n_sources = lists ? m->n_asked : 0, .source = m->asked};
	if (is_alone || r->n == GROUP_RECORDS_MAX)
		flush(e, l, r);
}

/* Tell of all changes, and when again. */
static void link_tell(struct groups_env *e, struct groups *g, struct groups_link *l)
{
	struct group_report r = {.n = 0};
	bool again = false;
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		struct group *m = group_at(e->arena, k);
		if (!m->changes)
			continue;
		if (is_member(m) || l->version == 3 || m->was_last)
			put(e, l, &r, m, is_member(m) ? GROUP_TO_EX : GROUP_TO_IN);
		m->was_last = true;
		m->changes = l->version == 3 || is_member(m) ? m->changes - 1 : 0; /* an older version's leave is said once */
		again |= m->changes > 0;
	}
	flush(e, l, &r);
	link_sweep(e, g, l);
	l->change_at = again ? e->now + random_ns(g, l->version == 3 ? GROUP_UNSOLICITED_NS : GROUP_UNSOLICITED_OLD_NS) : TIME_NEVER;
	link_rearm(e, g, l);
}

/* Does the version that is spoken end (§7.2.1)? What was to be said in it is not. */
static void link_version(struct groups_env *e, struct groups *g, struct groups_link *l)
{
	uint8_t version = e->now < l->older_until[1] ? 1 : e->now < l->older_until[2] ? 2 : 3;
	if (version == l->version)
		return;
	l->version = version;
	l->answer_at = l->change_at = TIME_NEVER;
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		group_at(e->arena, k)->answer_at = TIME_NEVER;
		group_at(e->arena, k)->changes = 0;
	}
	link_sweep(e, g, l);
}

/* m is wanted, or not any more. */
static void changed(struct groups_env *e, struct groups *g, struct groups_link *l, struct group *m)
{
	const struct via_addr addr = m->addr;
	if (!is_member(m))
		m->answer_at = TIME_NEVER;
	link_version(e, g, l);
	m = find(e->arena, l, &addr); /* one that was left may have gone with the version */
	if (m && !is_silent(&m->addr))
		m->changes = l->robustness;
	link_tell(e, g, l);
}

/* ---- users ---- */

static struct group *group_new(struct groups_env *e, struct groups *g, struct groups_link *l, const struct via_addr *addr)
{
	ref_t r = l ? pool_take(e->arena, &g->pool) : 0;
	if (!r) {
		g->refused++;
		return NULL;
	}
	struct group *m = group_at(e->arena, r);
	m->addr = *addr;
	m->answer_at = TIME_NEVER;
	m->next = l->first;
	l->first = r;
	return m;
}

/* The group, to be held by one more; is_first: by nobody before. */
static struct group *group_get(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr, bool *is_first)
{
	struct groups_link *l = link_of(e, g, ifindex, !via_addr_is_v4(addr), true);
	struct group *m = find(e->arena, l, addr);
	if (!m)
		m = group_new(e, g, l, addr);
	*is_first = m && !is_member(m);
	if (*is_first) {
		g->last_id += g->last_id == UINT32_MAX ? 2 : 1;
		m->id = g->last_id;
	}
	return m;
}

int groups_join(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr, uint32_t *id)
{
	bool is_first;
	struct group *m = group_get(e, g, ifindex, addr, &is_first);
	if (!m)
		return -ENOBUFS;
	m->users++;
	*id = m->id;
	if (is_first)
		changed(e, g, link_at(e->arena, g->link[ifindex][!via_addr_is_v4(addr)]), m);
	return 0;
}

void groups_leave(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr, uint32_t id)
{
	struct groups_link *l = link_of(e, g, ifindex, !via_addr_is_v4(addr), false);
	struct group *m = find(e->arena, l, addr);
	if (!m || m->id != id || !m->users)
		return;
	m->users--;
	if (!is_member(m))
		changed(e, g, l, m);
}

void groups_own_begin(struct groups_env *e, struct groups *g)
{
	for (uint32_t i = 0; i < GROUPS_IFACES_MAX; i++)
		for (ref_t r = g->link[i][1] ? link_at(e->arena, g->link[i][1])->first : 0; r; r = group_at(e->arena, r)->next)
			group_at(e->arena, r)->is_wanted = false;
}

void groups_own(struct groups_env *e, struct groups *g, uint16_t ifindex, const struct via_addr *addr)
{
	bool is_first;
	struct group *m = group_get(e, g, ifindex, addr, &is_first);
	if (!m)
		return;
	m->is_own = m->is_wanted = true;
	if (is_first)
		changed(e, g, link_at(e->arena, g->link[ifindex][!via_addr_is_v4(addr)]), m);
}

void groups_own_end(struct groups_env *e, struct groups *g)
{
	for (uint32_t i = 0; i < GROUPS_IFACES_MAX; i++) {
		struct groups_link *l = g->link[i][1] ? link_at(e->arena, g->link[i][1]) : NULL;
		bool any = false;
		for (ref_t r = l ? l->first : 0; r; r = group_at(e->arena, r)->next) {
			struct group *m = group_at(e->arena, r);
			if (!m->is_own || m->is_wanted)
				continue;
			m->is_own = false;
			m->answer_at = is_member(m) ? m->answer_at : TIME_NEVER;
			m->changes = is_member(m) || is_silent(&m->addr) ? m->changes : l->robustness;
			any = true;
		}
		if (any)
			link_tell(e, g, l);
	}
}

void groups_again(struct groups_env *e, struct groups *g, uint16_t ifindex, bool is_v6)
{
	struct groups_link *l = link_of(e, g, ifindex, is_v6, false);
	if (!l)
		return;
	link_version(e, g, l);
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		struct group *m = group_at(e->arena, k);
		m->changes = is_silent(&m->addr) ? 0 : l->robustness;
	}
	link_tell(e, g, l);
}

void groups_forget(struct groups_env *e, struct groups *g, uint16_t ifindex)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		ref_t r = g->link[ifindex][is_v6], next;
		if (!r)
			continue;
		for (ref_t k = link_at(e->arena, r)->first; k; k = next) {
			next = group_at(e->arena, k)->next;
			pool_give(e->arena, &g->pool, k);
		}
		wheel_disarm(e->arena, e->wheel, r);
		pool_give(e->arena, &g->links, r);
		g->link[ifindex][is_v6] = 0;
	}
}

void groups_fini(struct groups_env *e, struct groups *g)
{
	for (uint16_t i = 0; i < GROUPS_IFACES_MAX; i++)
		groups_forget(e, g, i);
}

/* ---- in ---- */

/* Version 3's rules 3 to 5 (RFC 3376 §5.2): what a query about a group adds to what was asked before. */
static void asked(struct group *m, const struct group_msg *q, int64_t at)
{
	bool is_pending = m->answer_at != TIME_NEVER, is_whole = q->n_sources == 0 || q->n_sources > GROUP_SOURCES_MAX;
	if (is_whole || (is_pending && !m->n_asked)) {
		m->n_asked = 0;
		m->answer_at = MIN(m->answer_at, at);
		return;
	}
	if (!is_pending)
		m->n_asked = 0;
	m->answer_at = MIN(m->answer_at, at);
	for (int i = 0; i < q->n_sources; i++) {
		int k = 0;
		while (k < m->n_asked && memcmp(m->asked[k].b, q->source[i].b, 16) != 0)
			k++;
		if (k < m->n_asked)
			continue;
		if (k == GROUP_SOURCES_MAX) { /* more than is kept: the answer is about all of them */
			m->n_asked = 0;
			return;
		}
		m->asked[m->n_asked++] = q->source[i];
	}
}

/* The older versions: each group has a time of its own, which is moved only forward (RFC 2236 §3). */
static void asked_old(struct groups_env *e, struct groups *g, struct groups_link *l, const struct group_msg *q)
{
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		struct group *m = group_at(e->arena, k);
		bool is_meant = via_addr_is_any(&q->group) || memcmp(m->addr.b, q->group.b, 16) == 0;
		if (!is_meant || !is_member(m) || is_silent(&m->addr))
			continue;
		m->n_asked = 0;
		if (m->answer_at - e->now > q->max_resp_ns)
			m->answer_at = e->now + random_ns(g, q->max_resp_ns);
	}
}

static void query(struct groups_env *e, struct groups *g, struct groups_link *l, const struct group_msg *q)
{
	if (q->version == 3) {
		l->robustness = q->robustness ? q->robustness : GROUP_ROBUSTNESS;
		l->interval_s = q->interval_s ? q->interval_s : GROUP_QUERY_INTERVAL_S;
	} else {
		l->older_until[q->version] = e->now + l->robustness * (int64_t)l->interval_s * NS_PER_S + GROUP_RESPONSE_NS;
	}
	link_version(e, g, l);
	int64_t at = e->now + random_ns(g, q->max_resp_ns);
	if (l->version < 3)
		asked_old(e, g, l, q);
	else if (l->answer_at <= at)
		return; /* rule 1: it will be told anyway */
	else if (via_addr_is_any(&q->group))
		l->answer_at = at;
	else {
		struct group *m = find(e->arena, l, &q->group);
		if (m && is_member(m) && !is_silent(&m->addr))
			asked(m, q, at);
	}
	link_rearm(e, g, l);
}

void groups_hear(struct groups_env *e, struct groups *g, uint16_t ifindex, bool is_v6, const struct group_msg *m)
{
	struct groups_link *l = link_of(e, g, ifindex, is_v6, m->kind == GROUP_QUERY);
	if (!l)
		return;
	if (m->kind == GROUP_QUERY) {
		query(e, g, l, m);
		return;
	}
	struct group *mine = find(e->arena, l, &m->group);
	link_version(e, g, l);
	if (m->kind != GROUP_REPORT || l->version == 3 || !mine || !is_member(mine))
		return;
	mine->answer_at = TIME_NEVER; /* somebody has said it */
	mine->changes = 0;
	mine->was_last = false;
	link_rearm(e, g, l);
}

/* A general query's answer: all groups. */
static void link_answer(struct groups_env *e, struct groups_link *l)
{
	struct group_report r = {.n = 0};
	l->answer_at = TIME_NEVER;
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		if (!is_member(group_at(e->arena, k)))
			continue;
		group_at(e->arena, k)->answer_at = TIME_NEVER;
		put(e, l, &r, group_at(e->arena, k), GROUP_IS_EX);
	}
	flush(e, l, &r);
}

void groups_timeout(struct groups_env *e, struct groups *g, ref_t link)
{
	struct groups_link *l = link_at(e->arena, link);
	struct group_report r = {.n = 0};
	link_version(e, g, l);
	if (l->answer_at <= e->now)
		link_answer(e, l);
	for (ref_t k = l->first; k; k = group_at(e->arena, k)->next) {
		struct group *m = group_at(e->arena, k);
		if (m->answer_at > e->now)
			continue;
		m->answer_at = TIME_NEVER;
		m->was_last = true;
		put(e, l, &r, m, m->n_asked ? GROUP_IS_IN : GROUP_IS_EX);
	}
	flush(e, l, &r);
	if (l->change_at <= e->now)
		link_tell(e, g, l);
	link_rearm(e, g, l);
}
