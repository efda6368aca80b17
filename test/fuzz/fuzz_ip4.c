/* fuzz_ip4.c - lengths of a header that was read are consistent; what is emitted reads the same; the TTL goes down and the
 * checksum stays right. Inputs are tried as they are and with the checksum put right, or few would pass. */
#include "test/fuzz/fuzz.h"
#include "base/csum.h"
#include "wire/ip4.h"
#include "wire/ip4_opts.h"

static void check_header(uint8_t *p, size_t len)
{
	struct ip4_hdr h, again;
	uint8_t out[IP4_HLEN];
	if (ip4_parse(p, len, false, &h) < 0)
		return;
	CHECK(p[0] >> 4 == 4 && h.hlen >= 20 && h.hlen <= 60 && h.hlen <= h.total_len && h.total_len <= len);
	int opts = ip4_options_check(p + IP4_HLEN, (size_t)h.hlen - IP4_HLEN);
	CHECK(opts <= 1);
	ip4_emit(out, &h);
	CHECK(ip4_parse(out, 65535, false, &again) == 0);
	CHECK(again.tos == h.tos && again.ttl == h.ttl && again.proto == h.proto && again.total_len == h.total_len);
	CHECK(again.id == h.id && again.frag == h.frag && again.src == h.src && again.dst == h.dst && again.hlen == IP4_HLEN);
	if (h.ttl == 0)
		return;
	ip4_ttl_lower(p);
	CHECK(ip4_parse(p, len, false, &again) == 0 && again.ttl == h.ttl - 1 && again.src == h.src && again.proto == h.proto);
}

static bool is_ours(const void *ctx, uint32_t addr)
{
	return ctx == NULL && (addr & 1);
}

/* What is written stays inside; options keep their lengths; an echo takes no more than there was. */
static void check_options(const uint8_t *data, size_t len)
{
	uint8_t opts[IP4_OPTS_MAX], out[IP4_OPTS_MAX];
	struct ip4_opts_node n = {.addr = 0x0a000001, .time = 0x80000001, .is_ours = is_ours};
	size_t room = len < sizeof(opts) ? len / 4 * 4 : sizeof(opts);
	memcpy(opts, data, room);
	int before = ip4_options_check(opts, room);
	ip4_opts_record(opts, room, &n);
	CHECK(ip4_options_check(opts, room) == before);
	uint32_t echoed = ip4_opts_echo(out, opts, room);
	CHECK(echoed <= room && echoed % 4 == 0 && ip4_options_check(out, echoed) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t copy[128];
	struct ip4_hdr h;
	size_t n = len < sizeof(copy) ? len : sizeof(copy);
	if (ip4_parse(data, len, true, &h) == 0)
		CHECK(h.total_len <= len);
	if (len > 0)
		ip4_options_check(data, len);
	check_options(data, len);
	memcpy(copy, data, n);
	check_header(copy, n);
	size_t hlen = n > 0 ? (data[0] & 15) * 4u : 0;
	if (hlen < IP4_HLEN || hlen > n)
		return 0;
	memcpy(copy, data, n);
	put_be16(copy + 10, 0);
	put_be16(copy + 10, csum_field(csum_add(0, copy, hlen)));
	check_header(copy, n);
	return 0;
}
