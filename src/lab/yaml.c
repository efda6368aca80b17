/* lab/yaml.c - schema-checked access to a libyaml tree; see yaml.h. Numbers are read without floating point, so that a
 * file means the same on every machine. */
#include "lab/yaml.h"
#include "wire/addr.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int topo_fail(struct lab_error *err, const char *file, struct topo_mark at, const char *fmt, ...)
{
	va_list ap;
	snprintf(err->file, sizeof err->file, "%s", file ? file : "");
	err->line = at.line;
	err->col = at.col;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

struct topo_mark yaml_mark(const ynode *n)
{
	return (struct topo_mark){(int)n->start_mark.line + 1, (int)n->start_mark.column + 1};
}

int yaml_tree_load(struct yaml_tree *y, const char *text, size_t len, const char *file, struct lab_error *err)
{
	yaml_parser_t p;
	y->file = file;
	y->err = err;
	if (!yaml_parser_initialize(&p))
		return topo_fail(err, file, (struct topo_mark){0, 0}, "no memory for the parser");
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	if (!yaml_parser_load(&p, &y->doc)) {
		struct topo_mark at = {(int)p.problem_mark.line + 1, (int)p.problem_mark.column + 1};
		topo_fail(err, file, at, "not well-formed YAML: %s%s%s", p.problem ? p.problem : "unreadable", p.context ? " " : "",
			  p.context ? p.context : "");
		yaml_parser_delete(&p);
		return -EINVAL;
	}
	yaml_parser_delete(&p);
	if (!yaml_document_get_root_node(&y->doc)) {
		yaml_document_delete(&y->doc);
		return topo_fail(err, file, (struct topo_mark){1, 1}, "the file is empty; a topology has 'name' and 'topology'");
	}
	return 0;
}

void yaml_tree_free(struct yaml_tree *y)
{
	yaml_document_delete(&y->doc);
}

bool yaml_is_map(const ynode *n)
{
	return n->type == YAML_MAPPING_NODE;
}

bool yaml_is_list(const ynode *n)
{
	return n->type == YAML_SEQUENCE_NODE;
}

bool yaml_is_null(const ynode *n)
{
	if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	const char *s = (const char *)n->data.scalar.value;
	return !*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0;
}

bool yaml_pair(struct yaml_tree *y, const ynode *map, int i, const ynode **key, const ynode **val)
{
	const yaml_node_pair_t *p = map->data.mapping.pairs.start + i;
	if (p >= map->data.mapping.pairs.top)
		return false;
	*key = yaml_document_get_node(&y->doc, p->key);
	*val = yaml_document_get_node(&y->doc, p->value);
	return true;
}

const ynode *yaml_item(struct yaml_tree *y, const ynode *seq, int i)
{
	const yaml_node_item_t *p = seq->data.sequence.items.start + i;
	return p < seq->data.sequence.items.top ? yaml_document_get_node(&y->doc, *p) : NULL;
}

/* Position of the key in `keys`, or the error. */
static int yaml_key_index(struct yaml_tree *y, const ynode *key, const char *what, const char *const keys[])
{
	const char *k, *near;
	if (yaml_text(y, key, "a key", &k))
		return -EINVAL;
	for (int i = 0; keys[i]; i++)
		if (strcmp(k, keys[i]) == 0)
			return i;
	near = nearest_word(k, keys);
	if (near)
		return yaml_fail(y, key, "unknown key '%s' in %s, did you mean '%s'?", k, what, near);
	return yaml_fail(y, key, "unknown key '%s' in %s", k, what);
}

int yaml_map_read(struct yaml_tree *y, const ynode *n, const char *what, const char *const keys[], struct yaml_map *out)
{
	const ynode *key, *val;
	memset(out, 0, sizeof *out);
	if (yaml_is_null(n))
		return 0;
	if (!yaml_is_map(n))
		return yaml_fail(y, n, "%s is a mapping of keys to values", what);
	for (int i = 0; yaml_pair(y, n, i, &key, &val); i++) {
		int at = yaml_key_index(y, key, what, keys);
		if (at < 0)
			return at;
		if (out->val[at])
			return yaml_fail(y, key, "key '%s' is given twice in %s", keys[at], what);
		out->val[at] = val;
	}
	return 0;
}

int yaml_text(struct yaml_tree *y, const ynode *n, const char *what, const char **out)
{
	if (n->type != YAML_SCALAR_NODE)
		return yaml_fail(y, n, "%s is a word, not a %s", what, yaml_is_map(n) ? "mapping" : "list");
	if (strlen((const char *)n->data.scalar.value) != n->data.scalar.length)
		return yaml_fail(y, n, "%s holds a zero byte", what);
	*out = (const char *)n->data.scalar.value;
	return 0;
}

int yaml_uint(struct yaml_tree *y, const ynode *n, const char *what, uint64_t lo, uint64_t hi, uint64_t *out)
{
	const char *s;
	uint64_t v = 0;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	bool good = *s != 0;
	for (const char *c = s; *c && good; c++)
		good = *c >= '0' && *c <= '9' && !__builtin_mul_overflow(v, 10u, &v) && !__builtin_add_overflow(v, (uint64_t)(*c - '0'), &v);
	if (!good || v < lo || v > hi)
		return yaml_fail(y, n, "%s is '%s', but must be a whole number from %llu to %llu", what, s, (unsigned long long)lo,
			(unsigned long long)hi);
	*out = v;
	return 0;
}

/* "12.5ms" with units to whole numbers of the smallest: value times the unit's factor. False: not a number, no such
 * unit, too large, or finer than the smallest unit. */
struct yaml_unit {
	const char *name;
	uint64_t factor;
};
static bool yaml_scaled(const char *s, const struct yaml_unit *units, uint64_t *out)
{
	uint64_t whole = 0, frac = 0, scale = 1;
	bool digits = false;
	for (; *s >= '0' && *s <= '9'; s++, digits = true)
		if (__builtin_mul_overflow(whole, 10u, &whole) || __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return false;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, digits = true) {
			if (scale >= 1000000000u)
				return false;
			scale *= 10;
			frac = frac * 10 + (uint64_t)(*s - '0');
		}
	if (!digits)
		return false;
	if (!*s && whole == 0 && frac == 0) {
		*out = 0;
		return true;
	}
	while (*s == ' ')
		s++;
	for (; units->name; units++)
		if (strcmp(s, units->name) == 0) {
			uint64_t v;
			if (__builtin_mul_overflow(whole, units->factor, &v) || frac * (__uint128_t)units->factor % scale)
				return false;
			return !__builtin_add_overflow(v, (uint64_t)(frac * (__uint128_t)units->factor / scale), out);
		}
	return false;
}

int yaml_time(struct yaml_tree *y, const ynode *n, const char *what, int64_t *ns)
{
	static const struct yaml_unit units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
	const char *s;
	uint64_t v;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!yaml_scaled(s, units, &v) || v > 3600 * (uint64_t)NS_PER_S)
		return yaml_fail(y, n, "%s is '%s', but must be a time such as 5ms (ns, us, ms or s, at most an hour)", what, s);
	*ns = (int64_t)v;
	return 0;
}

int yaml_seconds(struct yaml_tree *y, const ynode *n, const char *what, uint64_t lo, uint64_t hi, uint64_t *out)
{
	static const struct yaml_unit units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!yaml_scaled(s, units, out) || *out < lo || *out > hi)
		return yaml_fail(y, n, "%s is '%s', but must be a time such as 10m (s, m, h or d, at least %us)", what, s, (unsigned)lo);
	return 0;
}

static const struct yaml_unit shares[] = {{"%", 10000000}, {NULL, 0}};

int yaml_share(struct yaml_tree *y, const ynode *n, const char *what, uint32_t *ppb)
{
	const char *s;
	uint64_t v;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!yaml_scaled(s, shares, &v) || v > 1000000000)
		return yaml_fail(y, n, "%s is '%s', but must be a share such as 1%% (0%% to 100%%)", what, s);
	*ppb = (uint32_t)v;
	return 0;
}

int yaml_shares(struct yaml_tree *y, const ynode *n, const char *what, const char *word, uint32_t *ppb, int max)
{
	const char *s;
	char item[24];
	uint64_t v;
	int count = 0;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	bool good = strncmp(s, word, strlen(word)) == 0 && s[strlen(word)] == ' ';
	for (s += good ? strlen(word) : 0; good && *(s += strspn(s, " ")); s += strcspn(s, " ")) {
		snprintf(item, sizeof item, "%.*s", (int)strcspn(s, " "), s);
		good = count < max && strcspn(s, " ") < sizeof item && yaml_scaled(item, shares, &v) && v <= 1000000000;
		if (good)
			ppb[count++] = (uint32_t)v;
	}
	if (!good || !count)
		return yaml_fail(y, n, "%s is '%s', but must be '%s' and 1 to %d shares such as 1%%", what,
			(const char *)n->data.scalar.value, word, max);
	return 0;
}

int yaml_rate(struct yaml_tree *y, const ynode *n, const char *what, uint64_t *bps)
{
	static const struct yaml_unit units[] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {NULL, 0}};
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!yaml_scaled(s, units, bps) || *bps > UINT64_C(10000000000000) || *bps < 1000)
		return yaml_fail(y, n, "%s is '%s', but must be a rate such as 100mbit (bit, kbit, mbit or gbit a second, at least 1kbit)",
			what, s);
	return 0;
}

int yaml_ip4(struct yaml_tree *y, const ynode *n, const char *what, uint32_t *addr)
{
	const char *s = NULL;
	struct via_addr a;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (via_addr_parse(s, strlen(s), &a) || !via_addr_is_v4(&a))
		return yaml_fail(y, n, "%s is '%s', but must be an IPv4 address such as 10.0.1.1", what, s);
	*addr = via_addr_to_v4(&a);
	return 0;
}

int yaml_prefix(struct yaml_tree *y, const ynode *n, const char *what, struct topo_prefix *out)
{
	const char *s;
	struct via_addr a;
	uint8_t plen;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!strchr(s, '/') || addr_parse_prefix(s, strlen(s), &a, &plen) || !via_addr_is_v4(&a))
		return yaml_fail(y, n, "%s is '%s', but must be an IPv4 address with a prefix length such as 10.0.1.1/24", what, s);
	*out = (struct topo_prefix){via_addr_to_v4(&a), plen, true};
	return 0;
}

int yaml_net(struct yaml_tree *y, const ynode *n, const char *what, struct via_addr *addr, uint8_t *plen)
{
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!strchr(s, '/') || addr_parse_prefix(s, strlen(s), addr, plen))
		return yaml_fail(y, n, "%s is '%s', but must be an address with a prefix length such as 10.0.1.1/24 or fd00::1/64", what, s);
	return 0;
}

int yaml_addr(struct yaml_tree *y, const ynode *n, const char *what, struct via_addr *addr)
{
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (via_addr_parse(s, strlen(s), addr))
		return yaml_fail(y, n, "%s is '%s', but must be an address such as 10.0.1.1 or fd00::1", what, s);
	return 0;
}
