/* fuzz_dhcp.c - a message that was read has its options inside it; server and client survive any message, answer with
 * well-formed ones only, and a client believes nothing that does not carry its id. First byte: which client state. */
#include "base/arena.h"
#include "svc/dhcp_client.h"
#include "svc/dhcp_server.h"
#include "test/fuzz/fuzz.h"

enum { REGION = 8 * ARENA_PAGE_SIZE, COPY_MAX = 2048 };
static _Alignas(ARENA_PAGE_SIZE) uint8_t region[REGION];
static struct arena *arena;

static void check_msg(const uint8_t *p, size_t len)
{
	struct dhcp_msg m;
	CHECK(len <= DHCP_REPLY_MAX && dhcp_parse(p, len, &m) == 0);
}

static void check_options(const uint8_t *data, size_t len)
{
	struct dhcp_msg m;
	uint8_t buf[COPY_MAX];
	if (dhcp_parse(data, len, &m))
		return;
	CHECK(len >= DHCP_HLEN && m.n_fields >= 1 && m.n_fields <= 3);
	static const uint8_t codes[] = {0, 1, 3, 6, 12, 50, 51, 53, 54, 61, 121, 255};
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		uint8_t code = codes[i];
		int n = dhcp_option(&m, code, buf, sizeof(buf));
		CHECK(n == -2 || (n >= 0 && (size_t)n <= len));
		CHECK(n <= 0 || dhcp_option(&m, code, buf, (size_t)n - 1) < 0);
	}
}

static void check_server(const uint8_t *data, size_t len)
{
	struct dhcp_server s;
	struct dhcp_reply out;
	if (!arena)
		arena = arena_init(region, sizeof(region));
	size_t before = arena_bytes_used(arena);
	const struct dhcp_server_config cfg = {.arena = arena, .server = 0x0a000001, .plen = 24, .first = 0x0a000064, .last = 0x0a000066};
	CHECK(dhcp_server_init(&s, &cfg) == 0);
	for (int i = 0; i < 3; i++) {
		dhcp_server_input(&s, data, len, i * 700 * NS_PER_S, &out);
		if (out.len)
			check_msg(out.msg, out.len);
	}
	CHECK(s.list[0].n + s.list[1].n + s.list[2].n + s.list[3].n == 3);
	dhcp_server_free(&s);
	CHECK(arena_bytes_used(arena) == before);
}

static void check_client(uint8_t how, const uint8_t *data, size_t len)
{
	struct dhcp_client c;
	struct dhcp_do out;
	const struct dhcp_client_config cfg = {.mac = {2, 0, 0, 0, 0, 1}, .known = how & 1 ? 0x0a000064 : 0};
	dhcp_client_start(&c, &cfg, 0, &out);
	check_msg(out.msg, out.len);
	if (how & 2 && len >= 8 && len < COPY_MAX) { /* let it have the right id and address */
		static uint8_t copy[COPY_MAX];
		memcpy(copy, data, len);
		put_be32(copy + 4, c.xid);
		if (len >= 44)
			memcpy(copy + 28, cfg.mac, 6), memset(copy + 34, 0, 10);
		data = copy;
	}
	enum dhcp_state before = c.state;
	dhcp_client_input(&c, data, len, 0x0a000001, 67, NS_PER_S, &out);
	CHECK(c.state == before || (len >= DHCP_HLEN && get_be32(data + 4) != 0));
	for (int i = 0; i < 12 && c.deadline < TIME_NEVER; i++) {
		if (out.len)
			check_msg(out.msg, out.len);
		CHECK(!c.has_addr || (c.lease.t1 <= c.lease.t2 && c.lease.t2 <= c.lease.expiry));
		if (out.act == DHCP_ACT_CHECK)
			dhcp_client_checked(&c, how & 4, NS_PER_S, &out);
		else
			dhcp_client_timeout(&c, c.deadline, &out);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 1)
		return 0;
	check_options(data + 1, len - 1);
	check_server(data + 1, len - 1);
	check_client(data[0], data + 1, len - 1);
	return 0;
}
