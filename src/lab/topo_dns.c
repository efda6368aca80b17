/* lab/topo_dns.c - the dns service of a topology file: forward and records; doc/lab.md is its reference. */
#include "lab/yaml.h"
#include "svc/dns.h"
#include "wire/dns.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static int read_forward(struct yaml_tree *y, const ynode *n, struct topo_service *s)
{
	const ynode *item;
	if (!yaml_is_list(n)) {
		s->n_forward = 1;
		return topo_wan_server(y, n, &s->forward[0]);
	}
	for (int i = 0; (item = yaml_item(y, n, i)); i++) {
		if (i == (int)ARRAY_LEN(s->forward))
			return yaml_fail(y, item, "more than %d servers", (int)ARRAY_LEN(s->forward));
		if (topo_wan_server(y, item, &s->forward[s->n_forward++]))
			return -EINVAL;
	}
	return 0;
}

/* Letters, digits, '-' and '_' in labels of 1 to 63. */
static bool is_name(const char *s)
{
	size_t label = 0, n = strlen(s);
	for (; *s; s++) {
		label = *s == '.' ? 0 : label + 1;
		if (*s == '.' ? s[1] == '.' || s[1] == 0 : (!isalnum((unsigned char)*s) && *s != '-' && *s != '_') || label > 63)
			return false;
	}
	return n > 0 && n <= DNS_HOST_MAX && s[-(ptrdiff_t)n] != '.';
}

static int read_name(struct yaml_tree *y, const ynode *n, const char *what, char **out)
{
	const char *s;
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	if (!is_name(s))
		return yaml_fail(y, n, "'%s' is no name", s);
	*out = strdup(s);
	return *out ? 0 : yaml_fail(y, n, "no memory");
}

static int read_text(struct yaml_tree *y, const ynode *n, char **out)
{
	const char *s;
	if (yaml_text(y, n, "txt", &s))
		return -EINVAL;
	if (strlen(s) > DNS_TEXT_MAX)
		return yaml_fail(y, n, "a text has at most %d bytes", DNS_TEXT_MAX);
	*out = strdup(s);
	return *out ? 0 : yaml_fail(y, n, "no memory");
}

static int read_address(struct yaml_tree *y, const ynode *n, struct via_addr *a)
{
	const char *s;
	if (yaml_text(y, n, "address", &s))
		return -EINVAL;
	return via_addr_parse(s, strlen(s), a) ? yaml_fail(y, n, "'%s' is no address", s) : 0;
}

static int read_record(struct yaml_tree *y, const ynode *n, struct topo_record *r)
{
	enum { NAME, ADDRESS, CNAME, MX, TXT, PREFERENCE };
	static const char *const keys[] = {"name", "address", "cname", "mx", "txt", "preference", NULL};
	struct yaml_map m;
	uint64_t preference = 10;
	r->mark = yaml_mark(n);
	if (yaml_map_read(y, n, "a record", keys, &m))
		return -EINVAL;
	if (!m.val[NAME] || !m.val[ADDRESS] + !m.val[CNAME] + !m.val[MX] + !m.val[TXT] != 3)
		return yaml_fail(y, n, "a record needs 'name', and one of address, cname, mx and txt");
	if (m.val[PREFERENCE] && (!m.val[MX] || yaml_uint(y, m.val[PREFERENCE], "preference", 0, 65535, &preference)))
		return m.val[MX] ? -EINVAL : yaml_fail(y, m.val[PREFERENCE], "a preference is an mx record's");
	r->preference = (uint16_t)preference;
	r->type = m.val[CNAME] ? DNS_CNAME : m.val[MX] ? DNS_MX : m.val[TXT] ? DNS_TXT : 0;
	if (read_name(y, m.val[NAME], "name", &r->name))
		return -EINVAL;
	return m.val[ADDRESS] ? read_address(y, m.val[ADDRESS], &r->addr) : m.val[TXT] ? read_text(y, m.val[TXT], &r->text) :
	       read_name(y, m.val[CNAME] ? m.val[CNAME] : m.val[MX], "a name", &r->text);
}

int topo_dns_read(struct yaml_tree *y, const ynode *forward, const ynode *records, struct topo_service *s)
{
	const ynode *item;
	if (forward && read_forward(y, forward, s))
		return -EINVAL;
	if (!records)
		return 0;
	if (!yaml_is_list(records))
		return yaml_fail(y, records, "records is a list, such as [{name: www, cname: sina}]");
	for (int i = 0; (item = yaml_item(y, records, i)); i++) {
		struct topo_record *more = realloc(s->records, (size_t)(i + 1) * sizeof *more);
		if (!more)
			return yaml_fail(y, records, "no memory");
		s->records = more;
		memset(&more[i], 0, sizeof more[i]);
		s->n_records = i + 1;
		if (read_record(y, item, &more[i]))
			return -EINVAL;
	}
	return 0;
}

void topo_dns_free(struct topo_service *s)
{
	for (int i = 0; i < s->n_records; i++) {
		free(s->records[i].name);
		free(s->records[i].text);
	}
	free(s->records);
}

/* Has anybody but r a record of r's name? */
static bool is_taken(const struct topo *t, const struct topo_record *r)
{
	for (int i = 0; i < t->n_nodes; i++)
		for (int k = 0; k < t->nodes[i].n_services; k++)
			for (int e = 0; e < t->nodes[i].services[k].n_records; e++) {
				const struct topo_record *o = &t->nodes[i].services[k].records[e];
				if (o != r && strcasecmp(o->name, r->name) == 0)
					return true;
			}
	return topo_node_find(t, r->name) >= 0;
}

int topo_dns_check(const struct topo *t, struct lab_error *err)
{
	for (int i = 0; i < t->n_nodes; i++)
		for (int k = 0; k < t->nodes[i].n_services; k++)
			for (int e = 0; e < t->nodes[i].services[k].n_records; e++) {
				const struct topo_record *r = &t->nodes[i].services[k].records[e];
				if (r->type == DNS_CNAME && is_taken(t, r))
					return topo_fail(err, t->file, r->mark, "'%s' is an alias, and something else, too", r->name);
			}
	return 0;
}
