/* cmd/dump_read.c - pcapng block by block (draft-ietf-opsawg-pcapng, sections 3 and 4): interfaces, enhanced packets with their
 * comments; all other blocks are passed over. A block is DUMP_BLOCK_MAX long at most; every length is checked against it. */
#include "cmd/dump.h"
#include <stdlib.h>

enum { BLOCK_SHB = 0x0a0d0d0a, BLOCK_IDB = 1, BLOCK_EPB = 6, MAGIC = 0x1a2b3c4d };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_IF_TSRESOL = 9 };
enum { IFACES_MAX = 65536 };

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}

/* The option of that number between `at` and the block's end. NULL: it is not there. */
static const uint8_t *option(const struct dump_reader *r, uint32_t at, uint16_t code, uint16_t *len)
{
	uint32_t end = r->block_len - 4;
	while (at + 4 <= end) {
		uint16_t c = get16(r->block + at), n = get16(r->block + at + 2);
		if (c == OPT_END || n > end - at - 4)
			return NULL;
		*len = n;
		if (c == code)
			return r->block + at + 4;
		at += 4 + (((uint32_t)n + 3) & ~3u);
	}
	return NULL;
}

static void text_of(const uint8_t *p, uint16_t n, char *out, size_t cap)
{
	n = p ? (uint16_t)MIN((size_t)n, cap - 1) : 0;
	if (n)
		memcpy(out, p, n);
	out[n] = 0;
	for (char *s = out; *s; s++)
		if ((unsigned char)*s < ' ')
			*s = ' ';
}

static bool add_iface(struct dump_reader *r)
{
	uint16_t n = 0;
	struct dump_iface *more = r->n_ifaces < IFACES_MAX ? realloc(r->ifaces, (r->n_ifaces + 1) * sizeof *more) : NULL;
	if (!more || r->block_len < 20)
		return r->ifaces = more ? more : r->ifaces, false;
	r->ifaces = more;
	struct dump_iface *i = &more[r->n_ifaces++];
	*i = (struct dump_iface){.dlt = get16(r->block + 8), .per_s = 1000000};
	const uint8_t *p = option(r, 16, OPT_IF_NAME, &n);
	text_of(p, n, i->name, sizeof i->name);
	p = option(r, 16, OPT_IF_TSRESOL, &n);
	if (p && n == 1 && *p <= 9)
		for (i->per_s = 1; i->per_s < 1000000000 && n <= *p; n++)
			i->per_s *= 10;
	return true;
}

static bool read_frame(struct dump_reader *r)
{
	uint16_t n = 0;
	const uint8_t *b = r->block;
	if (r->block_len < 32 || get32(b + 8) >= r->n_ifaces || get32(b + 20) > r->block_len - 32)
		return false;
	r->iface = &r->ifaces[get32(b + 8)];
	uint64_t t = (uint64_t)get32(b + 12) << 32 | get32(b + 16);
	r->when = (int64_t)(t / r->iface->per_s * 1000000000 + t % r->iface->per_s * (1000000000 / r->iface->per_s));
	r->frame_len = get32(b + 20);
	r->wire_len = MAX(get32(b + 24), r->frame_len);
	r->frame = b + 28;
	const uint8_t *p = option(r, 28 + ((r->frame_len + 3) & ~3u), OPT_COMMENT, &n);
	text_of(p, n, r->comment, sizeof r->comment);
	return true;
}

enum dump_kind dump_next(struct dump_reader *r)
{
	uint8_t head[12];
	if (!r->block && !(r->block = malloc(DUMP_BLOCK_MAX)))
		return DUMP_BAD;
	size_t n = fread(head, 1, 8, r->in);
	if (n < 8)
		return n ? DUMP_BAD : DUMP_END;
	uint32_t type = get32(head), len = get32(head + 4);
	if (len < 12 || len % 4 || len > DUMP_BLOCK_MAX)
		return DUMP_BAD;
	memcpy(r->block, head, 8);
	if (fread(r->block + 8, 1, len - 8, r->in) != len - 8 || get32(r->block + len - 4) != len)
		return DUMP_BAD;
	r->block_len = len;
	if (type == BLOCK_SHB) {
		r->n_ifaces = 0;
		return len >= 28 && get32(r->block + 8) == MAGIC ? DUMP_OTHER : DUMP_BAD;
	}
	if (type == BLOCK_IDB)
		return add_iface(r) ? DUMP_OTHER : DUMP_BAD;
	return type != BLOCK_EPB ? DUMP_OTHER : read_frame(r) ? DUMP_FRAME : DUMP_BAD;
}

void dump_reader_free(struct dump_reader *r)
{
	free(r->block);
	free(r->ifaces);
}
