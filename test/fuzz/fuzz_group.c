/* fuzz_group.c - IGMP and MLD: what is read is of a known version, its groups are groups, its sources lie in the message. */
#include "test/fuzz/fuzz.h"
#include "base/csum.h"
#include "wire/igmp.h"
#include "wire/mld.h"

static void check(const struct group_msg *m, size_t len, size_t fixed, size_t each)
{
	CHECK(m->version >= 1 && m->version <= 3);
	CHECK(m->kind == GROUP_REPORT3 || via_addr_is_multicast(&m->group) || (m->kind == GROUP_QUERY && via_addr_is_any(&m->group)));
	CHECK(m->kind == GROUP_QUERY || !m->n_sources);
	CHECK(!m->n_sources || fixed + m->n_sources * each <= len);
	CHECK(m->max_resp_ns >= 0 && m->robustness < 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t copy[65536];
	struct group_msg m;
	if (len > sizeof(copy))
		return 0;
	if (mld_parse(data, len, &m) == 0)
		check(&m, len, 28, 16);
	memcpy(copy, data, len);
	if (len >= 8) { /* the checksum is no obstacle */
		put_be16(copy + 2, 0);
		put_be16(copy + 2, csum_field(csum_add(0, copy, len)));
	}
	if (igmp_parse(copy, len, &m) == 0)
		check(&m, len, 12, 4);
	struct group_report r = {.version = (uint8_t)(m.version ? m.version : 3), .n = 1,
				 .record = {{.type = GROUP_IS_IN, .group = m.group, .source = m.source,
					     .n_sources = (uint8_t)(m.n_sources < GROUP_SOURCES_MAX ? m.n_sources : GROUP_SOURCES_MAX)}}};
	CHECK(igmp_emit(copy, sizeof(copy), &r) > 0 && mld_emit(copy, sizeof(copy), &r) > 0);
	return 0;
}
