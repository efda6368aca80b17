/* base/bytes.h - bounded reader and writer. A read or write past the end sets `bad`, returns zero, moves nothing. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/defs.h"

struct reader {
	const uint8_t *p, *end;
	bool bad;
};
struct writer {
	uint8_t *p, *end;
	bool bad;
};

static inline uint16_t get_be16(const void *p) { const uint8_t *b = p; return (uint16_t)(b[0] << 8 | b[1]); }
static inline uint32_t get_be32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline void put_be16(void *p, uint16_t v) { uint8_t *b = p; b[0] = (uint8_t)(v >> 8); b[1] = (uint8_t)v; }
static inline void put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)(v >> 24), b[1] = (uint8_t)(v >> 16), b[2] = (uint8_t)(v >> 8), b[3] = (uint8_t)v;
}

static inline struct reader reader_of(const void *p, size_t n) { return (struct reader){p, (const uint8_t *)p + n, false}; }
static inline struct writer writer_of(void *p, size_t n) { return (struct writer){p, (uint8_t *)p + n, false}; }
static inline size_t rd_left(const struct reader *r) { return (size_t)(r->end - r->p); }

static inline const uint8_t *rd_bytes(struct reader *r, size_t n)
{
	if (r->bad || n > rd_left(r)) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->p;
	r->p += n;
	return p;
}
static inline uint8_t rd_u8(struct reader *r) { const uint8_t *p = rd_bytes(r, 1); return p ? *p : 0; }
static inline uint16_t rd_be16(struct reader *r) { const uint8_t *p = rd_bytes(r, 2); return p ? get_be16(p) : 0; }
static inline uint32_t rd_be32(struct reader *r) { const uint8_t *p = rd_bytes(r, 4); return p ? get_be32(p) : 0; }

static inline uint8_t *wr_room(struct writer *w, size_t n)
{
	if (w->bad || n > (size_t)(w->end - w->p)) {
		w->bad = true;
		return NULL;
	}
	uint8_t *p = w->p;
	w->p += n;
	return p;
}
static inline void wr_u8(struct writer *w, uint8_t v) { uint8_t *p = wr_room(w, 1); if (p) *p = v; }
static inline void wr_be16(struct writer *w, uint16_t v) { uint8_t *p = wr_room(w, 2); if (p) put_be16(p, v); }
static inline void wr_be32(struct writer *w, uint32_t v) { uint8_t *p = wr_room(w, 4); if (p) put_be32(p, v); }
static inline void wr_bytes(struct writer *w, const void *s, size_t n) { uint8_t *p = wr_room(w, n); if (p && n) memcpy(p, s, n); }

#endif
