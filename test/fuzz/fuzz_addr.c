/* fuzz_addr.c - text to address as inet_pton does it; address to text as inet_ntop does it; masks are idempotent. */
#include "test/fuzz/fuzz.h"
#include "wire/addr.h"

#include <arpa/inet.h>

static void check_text(const char *text, size_t len)
{
	struct via_addr a;
	char copy[64], back[VIA_ADDR_STRLEN];
	uint8_t plen;
	bool ours = via_addr_parse(text, len, &a) == 0;
	if (len < sizeof(copy) && !memchr(text, 0, len) && !memchr(text, '%', len)) {
		struct in_addr in;
		struct in6_addr in6;
		memcpy(copy, text, len);
		copy[len] = 0;
		bool is4 = inet_pton(AF_INET, copy, &in) == 1, is6 = inet_pton(AF_INET6, copy, &in6) == 1;
		CHECK(ours == (is4 || is6));
		CHECK(!is4 || via_addr_to_v4(&a) == ntohl(in.s_addr));
		CHECK(!is6 || (memcmp(a.b, &in6, 16) == 0 && a.scope == 0));
	}
	if (ours && !memchr(text, ':', len))
		CHECK(strlen(via_addr_format(&a, back)) == len && memcmp(back, text, len) == 0);
	if (addr_parse_prefix(text, len, &a, &plen) == 0) {
		struct via_addr m = addr_mask(&a, plen), twice = addr_mask(&m, plen);
		CHECK(plen <= (via_addr_is_v4(&a) ? 32 : 128) && via_addr_eq(&m, &twice) && addr_in_prefix(&a, &m, plen));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	check_text((const char *)data, len);
	if (len < 17)
		return 0;
	struct via_addr a = {0};
	char got[VIA_ADDR_STRLEN], want[INET6_ADDRSTRLEN];
	memcpy(a.b, data, 16);
	via_addr_format(&a, got);
	bool v4 = via_addr_is_v4(&a), embeds = memcmp(a.b, (const uint8_t[10]){0}, 10) == 0; /* inet_ntop prints those with dots */
	if (v4)
		CHECK(strcmp(got, inet_ntop(AF_INET, a.b + 12, want, sizeof(want))) == 0);
	else if (!embeds)
		CHECK(strcmp(got, inet_ntop(AF_INET6, a.b, want, sizeof(want))) == 0);
	struct via_addr m = addr_mask(&a, data[16]), twice = addr_mask(&m, data[16]);
	CHECK(via_addr_eq(&m, &twice) && addr_in_prefix(&a, &m, data[16]));
	return 0;
}
