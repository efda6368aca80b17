/* cmd/edge.c - one stack on a TAP or TUN device of this machine. */
#include "cmd/edge.h"
#include "driver/tap.h"
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define DHCP_WAIT_NS (30 * NS_PER_S)
#define DHCP_LOOK_NS (50 * NS_PER_MS)

/* "10.0.0.2/24" into address and length. */
static int prefix_parse(const char *text, struct via_addr *a, uint8_t *plen)
{
	const char *slash = strchr(text, '/');
	char *end;
	if (!slash || via_addr_parse(text, (size_t)(slash - text), a) < 0)
		return -EINVAL;
	long n = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || *end || n < 1 || n > (via_addr_is_v4(a) ? 32 : 128))
		return -EINVAL;
	*plen = (uint8_t)n;
	return 0;
}

static const char *user_name(void)
{
	const struct passwd *p = getpwuid(getuid());
	return p ? p->pw_name : "YOU";
}

static int link_open(struct edge *e, const char *link)
{
	bool is_tun = strncmp(link, "tun:", 4) == 0;
	if ((!is_tun && strncmp(link, "tap:", 4) != 0) || !link[4])
		return cmd_fail(EXIT_USAGE, "-i wants tap:NAME or tun:NAME, not '%s'", link);
	e->driver = tap_open(link + 4, is_tun);
	if (e->driver)
		return 0;
	if (errno == EPERM || errno == EACCES)
		return cmd_fail(EXIT_FAILED, "no right to open %s; as root: ip tuntap add dev %s mode %s user %s", link, link + 4,
			is_tun ? "tun" : "tap", user_name());
	if (errno == EBUSY)
		return cmd_fail(EXIT_FAILED, "%s is in use by another program", link);
	return cmd_fail(EXIT_FAILED, "cannot open %s: %s", link, strerror(errno));
}

static int addresses_set(struct edge *e, int ifindex, const char *prefix, const char *gateway)
{
	struct via_change c = {.kind = VIA_ADDR_ADD, .ifindex = ifindex};
	if (prefix_parse(prefix, &c.addr, &c.plen) < 0)
		return cmd_fail(EXIT_USAGE, "-a wants ADDRESS/LENGTH such as 10.0.0.2/24, not '%s'", prefix);
	int err = via_configure(e->stack, &c);
	if (err)
		return cmd_fail(EXIT_FAILED, "cannot take the address %s: %s", prefix, strerror(-err));
	e->local.addr = c.addr;
	if (!gateway)
		return 0;
	struct via_change r = {.kind = VIA_ROUTE_ADD, .ifindex = ifindex, .addr = via_addr_v4(0)};
	if (via_addr_parse(gateway, strlen(gateway), &r.gateway) < 0)
		return cmd_fail(EXIT_USAGE, "--gw wants an address, not '%s'", gateway);
	err = via_configure(e->stack, &r);
	return err ? cmd_fail(EXIT_FAILED, "cannot route through %s: %s", gateway, strerror(-err)) : 0;
}

/* --- by DHCP --- */

static int64_t on_dhcp(void *ctx, int64_t now)
{
	struct edge *e = ctx;
	serve_dhcp_client_tick(&e->dhcp, now);
	return serve_dhcp_client_next(&e->dhcp);
}

static void on_mail(void *ctx)
{
	((struct edge *)ctx)->dhcp_task.deadline = 0;
}

/* Ask, and wait for the address. 0 or an exit status after a sentence. */
static int address_ask(struct edge *e, const char *link)
{
	struct serve_dhcp_client_config c = {.via = e->stack, .hostname = "via", .wake = on_mail, .ctx = e};
	int64_t until = loop_now() + DHCP_WAIT_NS;
	if (getrandom(&c.key, sizeof c.key, 0) != (ssize_t)sizeof c.key)
		return cmd_fail(EXIT_FAILED, "no random numbers");
	int err = serve_dhcp_client_start(&e->dhcp, &c);
	e->has_dhcp = err == 0;
	if (!err)
		err = serve_dhcp_client_add(&e->dhcp, &e->dhcp_iface, e->ifindex, 0, loop_now());
	if (err)
		return cmd_fail(err == -EINVAL ? EXIT_USAGE : EXIT_FAILED,
			err == -EINVAL ? "-a dhcp wants a tap; %s has no Ethernet" : "cannot ask for an address on %s", link);
	e->dhcp_task = (struct loop_task){.run = on_dhcp, .ctx = e};
	loop_task_add(e->loop, &e->dhcp_task);
	const struct dhcp_lease *l;
	while (!(l = serve_dhcp_client_lease(&e->dhcp, e->ifindex)) && loop_now() < until)
		loop_turn(e->loop, loop_now() + DHCP_LOOK_NS);
	if (!l)
		return cmd_fail(EXIT_FAILED, "nobody gave an address by DHCP on %s", link);
	e->local.addr = via_addr_v4(l->addr);
	if (l->n_dns)
		e->dns = via_addr_v4(l->dns[0]);
	return 0;
}

static int edge_open_all(struct edge *e, const char *link, const char *prefix, const char *gateway)
{
	int status = link_open(e, link);
	if (status)
		return status;
	e->loop = loop_new();
	e->mem = host_pktmem_new((size_t)1 << 30);
	const struct host_stack_opts o = {.name = "via", .mem = e->mem, .now = loop_now()};
	e->stack = e->loop && e->mem ? host_stack_new(&o) : NULL;
	if (!e->stack)
		return cmd_fail(EXIT_FAILED, "cannot make a stack: %s", strerror(errno));
	via_sysctl(e->stack, "tcp_fastopen", "1"); /* programs expect Linux's default */
	e->ifindex = via_iface_add(e->stack, e->driver, "eth0");
	if (e->ifindex < 0)
		return cmd_fail(EXIT_FAILED, "cannot attach %s: %s", link, strerror(-e->ifindex));
	bool asks = strcmp(prefix, "dhcp") == 0;
	if (asks && gateway)
		return cmd_fail(EXIT_USAGE, "--gw is for a given address; with -a dhcp the server names the gateway");
	status = asks ? 0 : addresses_set(e, e->ifindex, prefix, gateway);
	if (status)
		return status;
	e->runner = host_runner_new(e->loop, e->stack, "via");
	if (!e->runner || host_runner_watch(e->runner, tap_fd(e->driver)) < 0)
		return cmd_fail(EXIT_FAILED, "cannot watch %s: %s", link, strerror(errno));
	return asks ? address_ask(e, link) : 0;
}

int edge_open(struct edge *e, const char *link, const char *prefix, const char *gateway)
{
	*e = (struct edge){0};
	int status = edge_open_all(e, link, prefix, gateway);
	if (status)
		edge_close(e);
	return status;
}

void edge_close(struct edge *e)
{
	if (e->dhcp_task.run)
		loop_task_del(e->loop, &e->dhcp_task);
	if (e->has_dhcp)
		serve_dhcp_client_stop(&e->dhcp, true, loop_now());
	if (e->runner)
		host_runner_free(e->runner);
	if (e->stack)
		host_stack_free(e->stack);
	if (e->driver)
		tap_close(e->driver);
	if (e->mem)
		host_pktmem_free(e->mem);
	if (e->loop)
		loop_free(e->loop);
	*e = (struct edge){0};
}
