/* fuzz_dhcp6.c - a message of DHCPv6 to a client that awaits one, and to a server: options lie inside the message, what a client believes
 * is bounded, what a server answers is a message. The first byte chooses who hears it. */
#include "svc/dhcp6_info.h"
#include "test/fuzz/fuzz.h"

static void check_parse(const uint8_t *p, size_t len)
{
	struct dhcp6_msg m;
	uint16_t n;
	if (dhcp6_parse(p, len, &m))
		return;
	for (uint16_t code = 0; code < 90; code++) {
		const uint8_t *o = dhcp6_option(&m, code, &n);
		CHECK(!o || (o >= p + DHCP6_HLEN + 4 && o + n <= p + len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	uint8_t out[DHCP6_MSG_MAX], in[600];
	struct dhcp6_client c;
	struct dhcp6_msg m;
	if (len < 1 + DHCP6_HLEN || len - 1 > sizeof(in))
		return 0;
	memcpy(in, data + 1, --len);
	check_parse(in, len);
	if (data[0] & 1) {
		struct dhcp6_server_config s = {.mac = {2, 0, 0, 0, 0, 9}, .info = {.n_dns = 1, .refresh_s = 600}};
		size_t n = dhcp6_server_input(&s, in, len, out);
		CHECK(n <= sizeof(out) && (n == 0 || dhcp6_parse(out, n, &m) == 0));
		CHECK(n == 0 || (m.type == DHCP6_REPLY && m.xid == (get_be32(in) & 0xffffff)));
		return 0;
	}
	dhcp6_client_start(&c, mac, (struct prf_key){1, 2}, 0);
	CHECK(dhcp6_client_timeout(&c, c.deadline, out) > 0);
	put_be32(in, (uint32_t)in[0] << 24 | c.xid);
	if (!dhcp6_client_input(&c, in, len, c.began))
		return 0;
	CHECK(in[0] == DHCP6_REPLY && c.info.n_dns <= DHCP6_DNS_MAX && c.info.refresh_s >= DHCP6_REFRESH_MIN_S);
	CHECK(c.deadline > c.began && c.max_rt_s >= 60 && c.max_rt_s <= 86400);
	return 0;
}
