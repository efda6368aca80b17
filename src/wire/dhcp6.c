/* wire/dhcp6.c - see dhcp6.h. Each option takes at least four bytes, so a walk ends (HARD-02). */
#include "wire/dhcp6.h"

#include <errno.h>

/* The next option behind *pos. False: none, or it leaves the message (*bad). */
static bool option_next(const uint8_t *p, size_t len, size_t *pos, uint16_t *code, uint16_t *n, bool *bad)
{
	*bad = false;
	if (*pos == len)
		return false;
	*bad = len - *pos < 4 || len - *pos - 4 < get_be16(p + *pos + 2);
	if (*bad)
		return false;
	*code = get_be16(p + *pos);
	*n = get_be16(p + *pos + 2);
	*pos += 4u + *n;
	return true;
}

int dhcp6_parse(const uint8_t *p, size_t len, struct dhcp6_msg *m)
{
	size_t pos = 0;
	uint16_t code, n;
	bool bad;
	if (len < DHCP6_HLEN)
		return -EINVAL;
	*m = (struct dhcp6_msg){.type = p[0], .xid = get_be32(p) & 0xffffff, .options = p + DHCP6_HLEN, .len = len - DHCP6_HLEN};
	while (option_next(m->options, m->len, &pos, &code, &n, &bad))
		;
	return bad ? -EINVAL : 0;
}

const uint8_t *dhcp6_option(const struct dhcp6_msg *m, uint16_t code, uint16_t *len)
{
	size_t pos = 0;
	uint16_t c, n;
	bool bad;
	while (option_next(m->options, m->len, &pos, &c, &n, &bad))
		if (c == code) {
			*len = n;
			return m->options + pos - n;
		}
	return NULL;
}

bool dhcp6_option_u32(const struct dhcp6_msg *m, uint16_t code, size_t bytes, uint32_t *out)
{
	uint16_t len;
	const uint8_t *p = dhcp6_option(m, code, &len);
	if (!p || len != bytes)
		return false;
	*out = bytes == 2 ? get_be16(p) : get_be32(p);
	return true;
}

struct writer dhcp6_begin(uint8_t *out, size_t cap, uint8_t type, uint32_t xid)
{
	struct writer w = writer_of(out, cap);
	wr_be32(&w, (uint32_t)type << 24 | (xid & 0xffffff));
	return w;
}

void dhcp6_put(struct writer *w, uint16_t code, const void *data, size_t len)
{
	wr_be16(w, code);
	wr_be16(w, (uint16_t)len);
	wr_bytes(w, data, len);
}
