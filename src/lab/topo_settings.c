/* lab/topo_settings.c - settings of a node's stack in a topology file: icmp, and any by Linux's name (sysctl). */
#include "lab/yaml.h"
#include <errno.h>
#include <stdlib.h>

int topo_icmp(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const char *s;
	if (yaml_text(y, n, "icmp", &s))
		return -EINVAL;
	if (strcmp(s, "on") != 0 && strcmp(s, "off") != 0)
		return yaml_fail(y, n, "icmp is on or off, not '%s': whether the node sends and forwards ICMP errors", s);
	node->no_icmp = strcmp(s, "off") == 0;
	return 0;
}

/* The name of a setting that is nearest to `name`, without "net.ipv4."; NULL: none is near. */
static const char *nearest_sysctl(const char *name)
{
	enum { NAMES_MAX = 128 };
	const char *names[NAMES_MAX + 1] = {NULL};
	for (int i = 0; i < NAMES_MAX && (names[i] = via_sysctl_name(i)); i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return nearest_word(name, names);
}

/* One setting: the name is checked here, whether the value is one of it when the node is made. */
static int read_sysctl(struct yaml_tree *y, const ynode *key, const ynode *val, struct topo_sysctl *c)
{
	static const char family[] = "net.ipv4.", conf6[] = "net.ipv6.conf.";
	const char *name, *value, *known;
	char all[128];
	if (yaml_text(y, key, "a setting's name", &name) || yaml_text(y, val, name, &value))
		return -EINVAL;
	if (strncmp(name, family, sizeof family - 1) == 0)
		name += sizeof family - 1;
	if (strncmp(name, conf6, sizeof conf6 - 1) == 0 && strchr(name + sizeof conf6 - 1, '.')) { /* of an interface: known as that of all */
		snprintf(all, sizeof all, "%sall%s", conf6, strrchr(name, '.'));
		known = all;
	} else {
		known = name;
	}
	const char *near = nearest_sysctl(known);
	if (!near || strcmp(near, known) != 0)
		return near ? yaml_fail(y, key, "a stack has no setting '%s', did you mean '%s'?", name, near) :
			      yaml_fail(y, key, "a stack has no setting '%s'", name);
	c->mark = yaml_mark(val);
	c->name = strdup(name);
	c->value = strdup(value);
	return c->name && c->value ? 0 : yaml_fail(y, key, "no memory");
}

int topo_sysctls(struct yaml_tree *y, const ynode *n, struct topo_node *node)
{
	const ynode *key, *val;
	if (!yaml_is_map(n))
		return yaml_fail(y, n, "sysctl is a mapping of settings to values, such as {tcp_fastopen: 3}");
	size_t cap = (size_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
	node->sysctls = calloc(cap + 1, sizeof *node->sysctls);
	if (!node->sysctls)
		return yaml_fail(y, n, "no memory");
	for (int i = 0; yaml_pair(y, n, i, &key, &val); i++) {
		node->n_sysctls = i + 1;
		if (read_sysctl(y, key, val, &node->sysctls[i]))
			return -EINVAL;
	}
	return 0;
}
