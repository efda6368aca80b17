/* test/sim/sim_examples.c - the stories that the shipped labs tell (examples/) come true, and the demo's internet survives the loss of one
 * of its two ways in mid-transfer: each byte of each connection is checked. */
#include "test/sim/sim.h"

#include "lab/job.h"
#include "wire/eth.h"
#include <netinet/in.h>
#include <netinet/tcp.h>

static struct lab *example(const char *name, bool clean)
{
	char path[512];
	const char *src = getenv("SRC");
	struct lab_error err;
	snprintf(path, sizeof path, "%s/examples/%s.yaml", src ? src : ".", name);
	struct lab *l = lab_load(path, &(struct lab_opts){.arena_bytes = 32u << 20, .packet_bytes = 256u << 20, .no_impairments = clean}, &err);
	if (!l) {
		printf("Bail out! %s:%d: %s\n", err.file, err.line, err.text);
		exit(1);
	}
	return l;
}

/* Frames that left by this interface. */
static uint64_t sent_by(struct lab *l, const char *end)
{
	struct lab_link_stats st;
	for (int i = 0; lab_link_get(l, i, &st); i++)
		if (strcmp(st.from, end) == 0)
			return st.sent;
	return 0;
}

static bool change(struct lab *l, const char *link, const char *word)
{
	char err[256];
	return lab_link_change(l, link, word, false, err) == 0;
}

static bool run_on(struct sim_run *r, struct lab *l, int64_t seconds)
{
	lab_run(l, lab_now(l) + seconds * NS_PER_S, sim_run_done, r);
	return sim_run_done(r) && !sim_run_error(r);
}

/* --- internet.yaml --- */

struct half {
	struct sim_run *r;
	uint64_t least;
};

static bool is_half_way(void *ctx)
{
	struct half *h = ctx;
	for (int i = 0; i < h->r->n; i++)
		if (h->r->client[i].received < h->least || h->r->client[i].done)
			return false;
	return true;
}

/* One of the two ways goes while 8 connections each carry 400 kB down and 100 kB up over both. */
static bool path_loss(const char *link, const char *dead_end)
{
	enum { DOWN = 400000, UP = 100000 };
	struct lab *l = example("internet", false);
	struct sim_run r;
	sim_run_start(&r, l, "home", "sina", 7000, SIM_CONNS, UP, DOWN, 5);
	struct half h = {&r, DOWN / 10};
	lab_run(l, 60 * NS_PER_S, is_half_way, &h);
	bool began = is_half_way(&h) && sent_by(l, "r2:eth1") > 20 && sent_by(l, "r3:eth1") > 20;
	bool cut = change(l, link, "down");
	uint64_t before = sent_by(l, dead_end);
	bool over = run_on(&r, l, 300);
	bool silent = sent_by(l, dead_end) == before;
	uint64_t got = 0;
	for (int i = 0; i < r.n; i++)
		got += r.client[i].received;
	bool whole = over && got == SIM_CONNS * (uint64_t)DOWN && r.server.received == SIM_CONNS * (uint64_t)UP;
	bool back = change(l, link, "up");
	lab_run(l, lab_now(l) + NS_PER_S, NULL, NULL);
	back &= sent_by(l, dead_end) > before; /* its ends announce themselves */
	sim_run_stop(&r);
	lab_free(l);
	return sim_ok(began && cut && whole && silent && back,
		      "internet: %s goes in mid-transfer: began %d, whole %d, unused from then on %d, back %d", link, began, whole, silent, back);
}

/* --- dual-stack.yaml --- */

static struct via_sockaddr addr6_of(struct lab *l, const char *node, uint16_t port)
{
	struct via_addr_info a = {.size = sizeof a};
	for (int i = 0; via_addr_get(lab_node(l, node)->stack, i, &a); i++)
		if (a.addr.b[0] == 0x20)
			return (struct via_sockaddr){a.addr, port};
	return (struct via_sockaddr){.port = 0};
}

/* Over IPv6: 8 connections go on when one way goes, and both were used. */
static bool dual_stack(void)
{
	enum { DOWN = 200000, UP = 50000 };
	struct lab *l = example("dual-stack", false);
	struct sim_run r;
	sim_run_start_to(&r, l, "ann", "web", addr6_of(l, "web", 7000), SIM_CONNS, UP, DOWN, 6);
	struct half h = {&r, DOWN / 10};
	lab_run(l, lab_now(l) + 60 * NS_PER_S, is_half_way, &h);
	bool began = is_half_way(&h) && sent_by(l, "r2:eth1") > 20 && sent_by(l, "r3:eth1") > 20;
	bool over = change(l, "r1-r2", "down") && change(l, "r2-r4", "down") && run_on(&r, l, 300);
	uint64_t got = 0;
	for (int i = 0; i < r.n; i++)
		got += r.client[i].received;
	bool whole = over && got == SIM_CONNS * (uint64_t)DOWN && r.server.received == SIM_CONNS * (uint64_t)UP;
	sim_run_stop(&r);
	lab_free(l);
	return sim_ok(began && whole, "dual-stack: over IPv6 both ways are used, one goes in mid-transfer: began %d, whole %d", began, whole);
}

/* --- clos-ecmp.yaml --- */

static bool clos(void)
{
	struct lab *l = example("clos-ecmp", false);
	struct sim_run r[4];
	bool over = true, spread, moved;
	for (int i = 0; i < 4; i++)
		sim_run_start(&r[i], l, "web", "store", (uint16_t)(7000 + i), SIM_CONNS, 20000, 200000, (uint64_t)i);
	for (int i = 0; i < 4; i++)
		over &= run_on(&r[i], l, 60);
	uint64_t one = sent_by(l, "leaf4:eth1"), two = sent_by(l, "leaf4:eth2"), all = one + two;
	spread = one > all / 5 && two > all / 5;
	for (int i = 0; i < 4; i++)
		sim_run_stop(&r[i]);
	bool good = sim_ok(over && spread, "clos-ecmp: 32 connections use both spines (%llu and %llu frames)", (unsigned long long)one,
			   (unsigned long long)two);
	sim_run_start(&r[0], l, "web", "store", 7100, SIM_CONNS, 20000, 2000000, 9);
	struct half h = {&r[0], 10000};
	lab_run(l, lab_now(l) + 60 * NS_PER_S, is_half_way, &h);
	change(l, "leaf1-spine1", "down");
	one = sent_by(l, "leaf4:eth1");
	moved = run_on(&r[0], l, 60) && sent_by(l, "leaf4:eth1") == one;
	good &= sim_ok(moved, "clos-ecmp: without leaf1-spine1 all goes by the other spine, and no connection breaks");
	sim_run_stop(&r[0]);
	lab_free(l);
	return good;
}

/* --- satellite.yaml --- */

/* 60 MB to the ship by this algorithm; share of the link's rate while it lasted, in per mille. */
static int64_t by_satellite(const char *cc, const char *rmem_max, int64_t *connected)
{
	enum { BYTES = 60000000 };
	struct lab *l = example("satellite", false);
	struct sim_run r;
	if (rmem_max)
		via_configure(lab_node(l, "bridge")->stack, &(struct via_change){.kind = VIA_SET, .setting = VIA_SET_TCP_RMEM_MAX,
										   .value = atoi(rmem_max)});
	sim_run_start(&r, l, "land", "bridge", 7000, 1, BYTES, 1, 3);
	via_setsockopt(r.client[0].via, r.client[0].sock, IPPROTO_TCP, TCP_CONGESTION, cc, (uint32_t)strlen(cc));
	while (!r.client[0].connected && lab_now(l) < 10 * NS_PER_S)
		lab_run(l, lab_now(l) + NS_PER_MS, NULL, NULL);
	*connected = lab_now(l);
	bool over = run_on(&r, l, 600);
	int64_t share = over ? (int64_t)(BYTES * 8.0 * 1e9 / (double)lab_now(l) / 20e6 * 1000) : 0;
	sim_run_stop(&r);
	lab_free(l);
	return share;
}

static bool satellite(void)
{
	int64_t connected, narrow, wide, bbr;
	wide = by_satellite("cubic", NULL, &connected);
	bool good = sim_ok(connected >= 560 * NS_PER_MS && connected <= 1700 * NS_PER_MS, "satellite: a handshake takes %lld ms",
			   (long long)(connected / NS_PER_MS));
	narrow = by_satellite("cubic", "131072", &connected);
	bbr = by_satellite("bbr", NULL, &connected);
	good &= sim_ok(narrow > 20 && narrow < 60, "satellite: a window of 64 KiB carries 0.9 of 20 Mbit/s (%lld per mille)",
		       (long long)narrow);
	good &= sim_ok(wide > 5 * narrow, "satellite: windows that grow carry more than five times that (CUBIC: %lld per mille)",
		       (long long)wide);
	good &= sim_ok(bbr > 700 && bbr > wide, "satellite: BBR minds the fades less (%lld per mille)", (long long)bbr);
	return good;
}

/* --- blackhole-mtu.yaml --- */

struct heard {
	json_int_t received, errors;
	bool is_over;
};

static void on_message(void *ctx, const json_t *msg)
{
	struct heard *h = ctx;
	h->is_over = json_is_true(json_object_get(msg, "done"));
	h->received = json_integer_value(json_object_get(msg, "received"));
	h->errors = json_integer_value(json_object_get(msg, "errors"));
}

static bool has_heard(void *ctx)
{
	return ((struct heard *)ctx)->is_over;
}

static struct heard ping_from(struct lab *l, const char *node, const char *to, int bytes)
{
	char err[256];
	struct heard h = {0};
	json_t *what = json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:I, s:i}", "job", "ping", "node", node, "to", to, "count", 3,
				 "interval_ns", (json_int_t)NS_PER_S, "bytes", bytes, "wait_ns", (json_int_t)NS_PER_S, "discover", IP_PMTUDISC_DO);
	struct lab_job *j = lab_job_new(l, what, on_message, &h, err);
	json_decref(what);
	lab_run(l, lab_now(l) + 100 * NS_PER_S, has_heard, &h);
	lab_job_free(j);
	return h;
}

static struct heard ping(struct lab *l, int bytes)
{
	return ping_from(l, "home", "far", bytes);
}

static bool black_hole(void)
{
	struct lab *l = example("blackhole-mtu", false);
	struct sim_run r;
	struct heard fits = ping(l, 1172), too_long = ping(l, 1173);
	bool good = sim_ok(fits.received == 3 && too_long.received == 0 && too_long.errors == 0,
			   "blackhole-mtu: 1200 bytes are answered (%d of 3), 1201 vanish without a word (%d, %d errors)", (int)fits.received,
			   (int)too_long.received, (int)too_long.errors);
	sim_run_start(&r, l, "home", "far", 7000, 2, 100000, 300000, 1);
	good &= sim_ok(run_on(&r, l, 120), "blackhole-mtu: TCP finds the size by itself");
	sim_run_stop(&r);
	lab_free(l);
	l = example("blackhole-mtu", false);
	via_sysctl(lab_node(l, "far")->stack, "tcp_mtu_probing", "0");
	sim_run_start(&r, l, "home", "far", 7000, 1, 1, 300000, 1);
	lab_run(l, 120 * NS_PER_S, sim_run_done, &r);
	good &= sim_ok(r.client[0].received == 0 && !r.client[0].done, "blackhole-mtu: without that nothing comes");
	sim_run_stop(&r);
	lab_free(l);
	return good;
}

/* --- office-dhcp.yaml --- */

static bool has_address(struct lab *l, const char *node)
{
	struct via_addr_info a = {.size = sizeof a};
	for (int i = 0; via_addr_get(lab_node(l, node)->stack, i, &a); i++)
		if (!via_addr_is_loopback(&a.addr))
			return true;
	return false;
}

static bool office(void)
{
	struct lab *l = example("office-dhcp", false);
	struct sim_run r;
	bool good = sim_ok(lab_settle(l) && has_address(l, "desk") && has_address(l, "laptop"), "office-dhcp: desk and laptop get addresses");
	sim_run_start(&r, l, "laptop", "www", 7000, 2, 100000, 300000, 1);
	bool over = run_on(&r, l, 120);
	sim_run_stop(&r);
	lab_run(l, 1000 * NS_PER_S, NULL, NULL);
	good &= sim_ok(over && has_address(l, "laptop"),
		       "office-dhcp: the laptop reaches www, and leases of two minutes last a quarter of an hour");
	change(l, "gw-switch", "down");
	lab_run(l, 1100 * NS_PER_S, NULL, NULL);
	bool gone = !has_address(l, "laptop") || !has_address(l, "desk");
	lab_run(l, 1125 * NS_PER_S, NULL, NULL);
	gone &= !has_address(l, "laptop") && !has_address(l, "desk");
	change(l, "gw-switch", "up");
	lab_run(l, 1250 * NS_PER_S, NULL, NULL);
	good &= sim_ok(gone && has_address(l, "laptop") && has_address(l, "desk"), "office-dhcp: no server, no address; and back again");
	lab_free(l);
	return good;
}

/* --- home-nat.yaml --- */

/* Whom the node's connections at this port are with: true if all peers are `only`, and there are some. */
static bool sees_only(struct lab *l, const char *node, uint16_t port, const char *only, int *n)
{
	struct via_sock_info s = {.size = sizeof s};
	struct via_addr want;
	bool all = via_addr_parse(only, strlen(only), &want) == 0;
	*n = 0;
	for (uint64_t cursor = 0; via_sock_next(lab_node(l, node)->stack, &cursor, &s);)
		if (s.type == VIA_STREAM && s.tcp_state == 1 && s.local.port == port) {
			all &= via_addr_eq(&s.remote.addr, &want);
			++*n;
		}
	return all && *n;
}

/* What comes back when `node` connects to this and asks for a page: the first byte, 0 for a refusal, or -1: silence for a minute. */
static int ask_for_page(struct lab *l, const char *node, const char *address, uint16_t port)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct host_node *hn = lab_node(l, node);
	struct via_sockaddr to = {.port = port};
	via_sock s;
	char byte = 0;
	int64_t n = -EAGAIN;
	via_addr_parse(address, strlen(address), &to.addr);
	if (via_open(hn->stack, VIA_STREAM, 0, &s) || via_connect(hn->stack, s, &to) != -EINPROGRESS)
		return -2;
	for (int i = 0, sent = 0; i < 600 && n == -EAGAIN; i++) {
		hn->touched(hn);
		lab_run(l, lab_now(l) + 100 * NS_PER_MS, NULL, NULL);
		if (!sent)
			sent = via_send(hn->stack, s, request, sizeof request - 1, 0) > 0;
		n = via_recv(hn->stack, s, &byte, 1, 0);
		if (n == -ENOTCONN && !(via_ready(hn->stack, s) & VIA_ERR))
			n = -EAGAIN;
	}
	via_abort(hn->stack, s);
	return n == 1 ? byte : n == -EAGAIN ? -1 : 0;
}

static bool home(void)
{
	struct lab *l = example("home-nat", false);
	struct sim_run desk, phone;
	int n[2];
	sim_run_start(&desk, l, "desk", "web", 7000, 4, 100000, 300000, 1);
	sim_run_start(&phone, l, "phone", "web", 7001, 4, 100000, 300000, 2);
	struct half h = {&desk, 10000};
	lab_run(l, 60 * NS_PER_S, is_half_way, &h);
	bool hidden = sees_only(l, "web", 7000, "203.0.113.2", &n[0]);
	hidden &= sees_only(l, "web", 7001, "203.0.113.2", &n[1]);
	bool over = run_on(&desk, l, 120);
	over &= run_on(&phone, l, 120);
	bool good = sim_ok(hidden && over, "home-nat: web serves two hosts and knows the router only (%d and %d connections)", n[0], n[1]);
	sim_run_stop(&desk);
	sim_run_stop(&phone);
	good &= sim_ok(ask_for_page(l, "stranger", "203.0.113.2", 8080) == 'H', "home-nat: the forwarded port is the server at home");
	good &= sim_ok(ask_for_page(l, "phone", "203.0.113.2", 8080) == 'H', "home-nat: by that name it is found from inside, too");
	bool silent = ask_for_page(l, "stranger", "203.0.113.2", 80) == -1 && ask_for_page(l, "stranger", "203.0.113.2", 7) == -1 &&
		      ask_for_page(l, "isp", "192.168.1.20", 80) != 'H';
	json_t *o = lab_filter(l, "gate"), *input = json_array_get(json_object_get(o, "filter"), 0);
	json_int_t dropped = json_integer_value(json_object_get(input, "packets"));
	good &= sim_ok(silent && dropped >= 2, "home-nat: all else from outside is dropped in silence (%lld by INPUT's policy)",
		       (long long)dropped);
	json_decref(o);
	lab_run(l, lab_now(l) + 8000 * NS_PER_S, NULL, NULL);
	o = lab_filter(l, "gate");
	good &= sim_ok(json_array_size(json_object_get(o, "connections")) == 0, "home-nat: when all is over the router remembers nothing");
	json_decref(o);
	lab_free(l);
	return good;
}

/* --- campus-vlan.yaml --- */

/* What leaves by each end: tags, broadcasts, the longest. */
struct ear {
	void (*next)(struct link_env *e, const struct link_sent *s);
	struct {
		uint64_t n, untagged, shouts, longest;
		uint64_t tagged[4096];
	} by[32];
};
static struct ear ear;

static void on_frame(struct link_env *e, const struct link_sent *s)
{
	uint8_t b[18];
	struct eth_hdr h;
	if (s->dir->end < 32 && eth_parse(b, pkt_copy_out(e->mem, s->pkt, 0, b, sizeof b), &h) == 0) {
		ear.by[s->dir->end].n++;
		ear.by[s->dir->end].untagged += !h.tagged;
		ear.by[s->dir->end].tagged[h.vlan]++;
		ear.by[s->dir->end].shouts += mac_is_multicast(h.dst);
		ear.by[s->dir->end].longest = MAX(ear.by[s->dir->end].longest, s->pkt->len);
	}
	if (ear.next)
		ear.next(e, s);
}

static int end_named(struct lab *l, const char *name)
{
	for (int e = 0; e < l->topo->n_ends; e++)
		if (strcmp(l->end_names[e], name) == 0)
			return e;
	return -1;
}

static struct lab *campus_new(void)
{
	struct lab *l = example("campus-vlan", false);
	memset(&ear, 0, sizeof ear);
	ear.next = l->env.sent;
	l->env.sent = on_frame;
	return l;
}

static bool campus_stream(const char *from, const char *to, uint16_t port)
{
	struct lab *l = campus_new();
	struct sim_run r;
	sim_run_start(&r, l, from, to, port, 2, 100000, 400000, 1);
	bool over = run_on(&r, l, 60);
	sim_run_stop(&r);
	lab_free(l);
	return over;
}

static bool campus(void)
{
	bool over = campus_stream("alice", "dave", 7000);
	int core = 14, core_in = 15, alice = 0, to_alice = 1, to_carol = 3, to_bob = 7, to_dave = 9, trunk = 12;
	uint64_t in10 = ear.by[core_in].tagged[10], out20 = ear.by[core].tagged[20];
	bool stick = in10 > 100 && out20 > 100 && ear.by[core].untagged == 0 && ear.by[core_in].untagged == 0 && ear.by[core].tagged[30] < 9;
	bool bare = ear.by[alice].untagged == ear.by[alice].n && ear.by[to_dave].untagged == ear.by[to_dave].n && ear.by[alice].n > 100;
	bool good = sim_ok(over && stick && bare, "campus-vlan: staff reach students by the router only, in by tag 10 (%d), out by 20 (%d)",
			   (int)in10, (int)out20);
	over = campus_stream("alice", "bob", 7000);
	good &= sim_ok(over && ear.by[trunk].tagged[10] > 100 && ear.by[trunk].untagged == 0 && ear.by[core_in].n < 20,
		       "campus-vlan: within a VLAN they need no router, on the trunk each frame has the tag");
	struct lab *l = campus_new();
	lab_run(l, NS_PER_S, NULL, NULL);
	memset(&ear.by, 0, sizeof ear.by);
	struct heard h = ping_from(l, "alice", "10.10.0.99", 56); /* nobody: ARP asks for it three times */
	good &= sim_ok(h.received == 0 && ear.by[to_bob].shouts >= 3 && ear.by[core_in].tagged[10] >= 3 && ear.by[to_carol].n == 0 &&
		       ear.by[to_dave].n == 0 && ear.by[to_alice].shouts == 0, "campus-vlan: what staff shout, students do not hear");
	h = ping_from(l, "disk1", "disk2", 8972);
	struct heard longer = ping_from(l, "disk1", "disk2", 8973), mixed = ping_from(l, "disk1", "alice", 8972);
	good &= sim_ok(h.received == 3 && ear.by[trunk].longest == 9018 && longer.received == 0 && mixed.received == 0 && mixed.errors > 0,
		       "campus-vlan: jumbo frames of 9000 bytes pass from machine to machine (%d of 3), and the router says where they do not",
		       (int)h.received);
	good &= sim_ok(end_named(l, "core:eth1") == core && end_named(l, "sw1:sw2") == trunk && end_named(l, "sw2:p2") == to_dave,
		       "campus-vlan: these ends were listened to");
	lab_free(l);
	return good;
}

int main(void)
{
	bool good = true;
	puts("1..25");
	good &= path_loss("r1-r2", "r2:eth1");
	good &= path_loss("r2-r4", "r2:eth2");
	good &= dual_stack();
	good &= clos();
	good &= satellite();
	good &= black_hole();
	good &= office();
	good &= home();
	good &= campus();
	return !good;
}
