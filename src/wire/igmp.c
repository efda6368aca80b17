/* wire/igmp.c - IGMP to fields and back. A query tells its version by its length and its response time (RFC 3376 §7.1). */
#include "wire/igmp.h"

#include <errno.h>

#include "base/csum.h"

enum { QUERY = 0x11, REPORT1 = 0x12, REPORT2 = 0x16, LEAVE = 0x17, REPORT3 = 0x22, LEN2 = 8, LEN3 = 12 };
#define TENTH_NS (NS_PER_S / 10)

static bool is_group(uint32_t a) { return a >> 28 == 0xe; }

static int query_parse(const uint8_t *p, size_t len, struct group_msg *m)
{
	uint32_t group = get_be32(p + 4);
	m->kind = GROUP_QUERY;
	m->group = via_addr_v4(group);
	if ((len > LEN2 && len < LEN3) || (group && !is_group(group)))
		return -EINVAL;
	if (len == LEN2) {
		m->version = p[1] ? 2 : 1;
		m->max_resp_ns = p[1] ? p[1] * TENTH_NS : 10 * NS_PER_S;
		return 0;
	}
	m->version = 3;
	m->max_resp_ns = group_code(p[1], 8) * TENTH_NS;
	m->robustness = p[8] & 7;
	m->interval_s = group_code(p[9], 8);
	m->n_sources = get_be16(p + 10);
	if ((len - LEN3) / 4 < m->n_sources || (m->n_sources && !group))
		return -EINVAL;
	for (uint32_t i = 0; i < MIN(m->n_sources, GROUP_SOURCES_MAX); i++)
		m->source[i] = via_addr_v4(get_be32(p + LEN3 + 4 * i));
	return 0;
}

int igmp_parse(const uint8_t *p, size_t len, struct group_msg *m)
{
	memset(m, 0, sizeof(*m));
	if (len < LEN2)
		return -EINVAL;
	if (csum_fold(csum_add(0, p, len)) != 0xffff)
		return -EBADMSG;
	if (p[0] == QUERY)
		return query_parse(p, len, m);
	m->group = via_addr_v4(get_be32(p + 4));
	m->version = p[0] == REPORT1 ? 1 : p[0] == REPORT3 ? 3 : 2;
	m->kind = p[0] == LEAVE ? GROUP_LEAVE : p[0] == REPORT3 ? GROUP_REPORT3 : GROUP_REPORT;
	if (p[0] == REPORT3)
		m->group = via_addr_v4(0);
	else if ((p[0] != REPORT1 && p[0] != REPORT2 && p[0] != LEAVE) || !is_group(get_be32(p + 4)))
		return -EINVAL;
	return 0;
}

size_t igmp_emit(uint8_t *out, size_t cap, const struct group_report *r)
{
	struct writer w = writer_of(out, cap);
	const struct group_record *one = &r->record[0];
	if (r->version < 3) {
		wr_u8(&w, one->type == GROUP_TO_IN ? LEAVE : r->version == 2 ? REPORT2 : REPORT1);
		wr_u8(&w, 0);
		wr_be16(&w, 0);
		wr_be32(&w, via_addr_to_v4(&one->group));
	} else {
		wr_be16(&w, REPORT3 << 8);
		wr_be32(&w, 0);
		wr_be16(&w, r->n);
	}
	for (int i = 0; r->version == 3 && i < r->n; i++) {
		const struct group_record *g = &r->record[i];
		wr_u8(&w, g->type);
		wr_u8(&w, 0);
		wr_be16(&w, g->n_sources);
		wr_be32(&w, via_addr_to_v4(&g->group));
		for (int k = 0; k < g->n_sources; k++)
			wr_be32(&w, via_addr_to_v4(&g->source[k]));
	}
	if (w.bad)
		return 0;
	size_t n = (size_t)(w.p - out);
	put_be16(out + 2, csum_field(csum_add(0, out, n)));
	return n;
}
