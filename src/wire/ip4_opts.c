/* wire/ip4_opts.c - record route and timestamp: what a node writes, what an echo takes along (RFC 791 §3.1, RFC 781,
 * RFC 1812 §5.3.13.3, §5.3.13.4).
 *
 * Both are filled from the front; an octet of theirs says where the next entry begins, counted from 1. Every option is at least
 * one byte, and one whose length is not all there ends the walk (HARD-02). */
#include "wire/ip4_opts.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_RR = 7, OPT_TS = 68, TS_ONLY = 0, TS_ADDR = 1, TS_PRESPECIFIED = 3 };

/* Bytes of the option at opts[i], or 0: the walk ends. */
static size_t opt_len(const uint8_t *opts, size_t len, size_t i)
{
	if (i >= len || opts[i] == OPT_END)
		return 0;
	if (opts[i] == OPT_NOP)
		return 1;
	return len - i < 2 || opts[i + 1] < 2 || opts[i + 1] > len - i ? 0 : opts[i + 1];
}

/* o: a record route option of n bytes. */
static bool record_route(uint8_t *o, size_t n, const struct ip4_opts_node *node)
{
	if (n < 3 || o[2] < 4 || o[2] + 3u > n)
		return false;
	put_be32(o + o[2] - 1, node->addr);
	o[2] = (uint8_t)(o[2] + 4);
	return true;
}

/* o: a timestamp option of n bytes. */
static bool record_time(uint8_t *o, size_t n, const struct ip4_opts_node *node)
{
	if (n < 4 || o[2] < 5)
		return false;
	uint8_t kind = o[3] & 15, missed = o[3] >> 4;
	uint32_t need = kind == TS_ONLY ? 4 : 8, at = o[2] - 1u;
	if (kind != TS_ONLY && kind != TS_ADDR && kind != TS_PRESPECIFIED)
		return false;
	if (at + need > n) {
		bool is_full = at >= n && kind != TS_PRESPECIFIED && missed < 15;
		o[3] = (uint8_t)(o[3] + (is_full ? 16 : 0));
		return is_full;
	}
	if (kind == TS_PRESPECIFIED && !node->is_ours(node->ctx, get_be32(o + at)))
		return false;
	if (kind == TS_ADDR)
		put_be32(o + at, node->addr);
	put_be32(o + at + need - 4, node->time);
	o[2] = (uint8_t)(o[2] + need);
	return true;
}

bool ip4_opts_record(uint8_t *opts, size_t len, const struct ip4_opts_node *n)
{
	bool changed = false;
	for (size_t i = 0, k; (k = opt_len(opts, len, i)) > 0; i += k) {
		if (opts[i] == OPT_RR)
			changed |= record_route(opts + i, k, n);
		else if (opts[i] == OPT_TS)
			changed |= record_time(opts + i, k, n);
	}
	return changed;
}

uint32_t ip4_opts_echo(uint8_t out[IP4_OPTS_MAX], const uint8_t *opts, size_t len)
{
	uint32_t n = 0;
	for (size_t i = 0, k; (k = opt_len(opts, MIN(len, IP4_OPTS_MAX), i)) > 0; i += k) {
		if (opts[i] != OPT_RR && opts[i] != OPT_TS)
			continue;
		memcpy(out + n, opts + i, k);
		n += (uint32_t)k;
	}
	while (n % 4)
		out[n++] = OPT_END;
	return n;
}
