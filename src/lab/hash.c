/* lab/hash.c - see hash.h. Each frame is hashed with the value so far as part of the key, so order counts. */
#include "lab/hash.h"
#include "base/bytes.h"
#include "base/prf.h"
#include <errno.h>
#include <stdlib.h>

enum { HEADER = 32, BUF = HEADER + 65536 + 256 };

int trace_hash_init(struct trace_hash *h)
{
	h->value = 0;
	h->buf = malloc(BUF);
	return h->buf ? 0 : -ENOMEM;
}

void trace_hash_fini(struct trace_hash *h)
{
	free(h->buf);
	h->buf = NULL;
}

void trace_hash_add(struct trace_hash *h, const struct pktmem *m, const struct link_sent *s)
{
	struct prf_key key = {h->value, UINT64_C(0x7669616475637431)};
	uint8_t *b = h->buf;
	put_be32(b, (uint32_t)s->dir->end);
	put_be32(b + 4, s->fate);
	put_be32(b + 8, (uint32_t)((uint64_t)s->leaves >> 32));
	put_be32(b + 12, (uint32_t)s->leaves);
	put_be32(b + 16, (uint32_t)((uint64_t)s->arrives >> 32));
	put_be32(b + 20, (uint32_t)s->arrives);
	put_be32(b + 24, s->pkt->len);
	put_be32(b + 28, s->pkt->m.csum);
	uint32_t n = pkt_copy_out(m, s->pkt, 0, b + HEADER, BUF - HEADER);
	h->value = siphash_1_3(key, b, HEADER + n);
}
