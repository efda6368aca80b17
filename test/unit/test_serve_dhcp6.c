/* test_serve_dhcp6.c - stateless DHCPv6 on two real stacks that made their link-local addresses themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "serve/dhcp6.h"
#include "test/unit/stacks.h"

struct world {
	struct net *net;
	struct via *client, *server;
	int ci, si, n_changed;
	struct serve_dhcp6_client c;
	struct serve_dhcp6_server s;
	struct serve_dhcp6_link link;
	struct dhcp6_info told;
	bool has_server;
};

static void changed(void *ctx, int ifindex, const struct dhcp6_info *info)
{
	struct world *w = ctx;
	w->n_changed++;
	w->told = *info;
}

static void run(struct world *w, int64_t ns)
{
	struct net *t = w->net;
	int64_t until = t->now + ns;
	for (int steps = 0; steps < 1000000; steps++) {
		int64_t next = TIME_NEVER;
		for (int i = 0; i < t->n; i++) {
			bool again = via_poll(t->v[i], t->now, 256) == VIA_AGAIN;
			if (t->v[i] == w->client)
				serve_dhcp6_client_tick(&w->c, t->now);
			else if (w->has_server)
				serve_dhcp6_server_tick(&w->s, t->now);
			again |= via_dispatch(t->v[i]) > 0;
			next = again ? t->now : next;
		}
		for (int i = 0; i < t->n; i++)
			next = MIN(next, MAX(via_next_deadline(t->v[i]), t->now));
		next = MIN(next, MAX(serve_dhcp6_client_next(&w->c), t->now));
		if (w->has_server)
			next = MIN(next, MAX(serve_dhcp6_server_next(&w->s), t->now));
		if (next > until) {
			t->now = until;
			return;
		}
		t->now = next;
	}
	fail_msg("it never comes to rest");
}

static struct dhcp6_info info(uint8_t last)
{
	return (struct dhcp6_info){.n_dns = 1, .dns = {{.b = {0x20, 1, 0xd, 0xb8, [15] = last}}}, .refresh_s = 900};
}

static void server_start(struct world *w, uint8_t last)
{
	const struct dhcp6_info i = info(last);
	assert_int_equal(serve_dhcp6_server_start(&w->s, w->server, NULL, NULL), 0);
	assert_int_equal(serve_dhcp6_server_add(&w->s, &w->link, w->si, &i), 0);
	w->has_server = true;
}

static void server_stop(struct world *w)
{
	serve_dhcp6_server_stop(&w->s);
	w->has_server = false;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	w->net = net_new();
	w->client = net_stack(w->net, "client", false);
	w->server = net_stack(w->net, "server", true);
	net_link(w->net, w->client, w->server, 64, 1500, 0, 0, &w->ci, &w->si);
	for (int i = 0; i < 2; i++) {
		struct via_change on = {.kind = VIA_SET, .setting = VIA_SET_IPV6, .ifindex = i ? w->si : w->ci, .value = 1};
		assert_int_equal(via_configure(i ? w->server : w->client, &on), 0);
	}
	assert_int_equal(serve_dhcp6_client_start(&w->c, w->client, w->ci, (struct prf_key){1, 2}, w->net->now, changed, NULL, w), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	serve_dhcp6_client_stop(&w->c);
	if (w->has_server)
		server_stop(w);
	net_free(w->net);
	free(w);
	return 0;
}

static void dhcp6__name_servers_are_told_and_refreshed(void **state)
{
	struct world *w = *state;
	server_start(w, 0x53);
	run(w, 10 * NS_PER_S);
	assert_int_equal(w->n_changed, 1);
	assert_int_equal(w->told.n_dns, 1);
	assert_int_equal(w->told.dns[0].b[15], 0x53);
	server_stop(w);
	server_start(w, 0x54);
	run(w, 880 * NS_PER_S);
	assert_int_equal(w->n_changed, 1);
	run(w, 30 * NS_PER_S);
	assert_int_equal(w->n_changed, 2);
	assert_int_equal(w->told.dns[0].b[15], 0x54);
}

static void dhcp6__a_server_that_comes_later_is_found(void **state)
{
	struct world *w = *state;
	run(w, 100 * NS_PER_S);
	assert_int_equal(w->n_changed, 0);
	server_start(w, 0x53);
	run(w, 100 * NS_PER_S);
	assert_int_equal(w->n_changed, 1);
}

static void dhcp6__no_server_on_what_has_no_ethernet(void **state)
{
	struct world *w = *state;
	struct serve_dhcp6_link l;
	struct serve_dhcp6_client c;
	const struct dhcp6_info i = info(1);
	server_start(w, 0x53);
	assert_int_equal(serve_dhcp6_server_add(&w->s, &l, 1, &i), -EINVAL);
	assert_int_equal(serve_dhcp6_server_add(&w->s, &l, 9, &i), -ENODEV);
	assert_int_equal(serve_dhcp6_client_start(&c, w->client, 9, (struct prf_key){1, 2}, 0, NULL, NULL, NULL), -ENODEV);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(dhcp6__name_servers_are_told_and_refreshed),
		CASE(dhcp6__a_server_that_comes_later_is_found),
		CASE(dhcp6__no_server_on_what_has_no_ethernet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
