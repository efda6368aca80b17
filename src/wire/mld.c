/* wire/mld.c - MLD to fields and back. A query tells its version by its length (RFC 3810 §8.1). */
#include "wire/mld.h"

#include <errno.h>

enum { LEN1 = 24, LEN2 = 28 };

static struct via_addr addr_at(const uint8_t *p)
{
	struct via_addr a = {.scope = 0};
	memcpy(a.b, p, 16);
	return a;
}

int mld_parse(const uint8_t *p, size_t len, struct group_msg *m)
{
	memset(m, 0, sizeof(*m));
	if (len < 8)
		return -EINVAL;
	m->version = 3;
	m->kind = GROUP_REPORT3;
	if (p[0] == MLD_REPORT2)
		return 0;
	if (len < LEN1 || !mld_is(p[0]))
		return -EINVAL;
	m->version = 2;
	m->kind = p[0] == MLD_QUERY ? GROUP_QUERY : p[0] == MLD_DONE ? GROUP_LEAVE : GROUP_REPORT;
	m->group = addr_at(p + 8);
	bool is_general = via_addr_is_any(&m->group) && m->kind == GROUP_QUERY;
	if (m->group.b[0] != 0xff && !is_general)
		return -EINVAL;
	uint32_t code = get_be16(p + 4);
	m->max_resp_ns = code * NS_PER_MS;
	if (m->kind != GROUP_QUERY || len == LEN1)
		return 0;
	if (len < LEN2)
		return -EINVAL;
	m->version = 3;
	m->max_resp_ns = group_code(code, 16) * NS_PER_MS;
	m->robustness = p[24] & 7;
	m->interval_s = group_code(p[25], 8);
	m->n_sources = get_be16(p + 26);
	if ((len - LEN2) / 16 < m->n_sources || (m->n_sources && is_general))
		return -EINVAL;
	for (uint32_t i = 0; i < MIN(m->n_sources, GROUP_SOURCES_MAX); i++)
		m->source[i] = addr_at(p + LEN2 + 16 * i);
	return 0;
}

size_t mld_emit(uint8_t *out, size_t cap, const struct group_report *r)
{
	struct writer w = writer_of(out, cap);
	const struct group_record *one = &r->record[0];
	wr_u8(&w, r->version == 3 ? MLD_REPORT2 : one->type == GROUP_TO_IN ? MLD_DONE : MLD_REPORT);
	wr_u8(&w, 0);
	wr_be32(&w, 0);
	wr_be16(&w, r->version == 3 ? r->n : 0);
	if (r->version < 3)
		wr_bytes(&w, one->group.b, 16);
	for (int i = 0; r->version == 3 && i < r->n; i++) {
		const struct group_record *g = &r->record[i];
		wr_u8(&w, g->type);
		wr_u8(&w, 0);
		wr_be16(&w, g->n_sources);
		wr_bytes(&w, g->group.b, 16);
		for (int k = 0; k < g->n_sources; k++)
			wr_bytes(&w, g->source[k].b, 16);
	}
	return w.bad ? 0 : (size_t)(w.p - out);
}
