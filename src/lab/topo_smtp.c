/* lab/topo_smtp.c - an smtp service in a topology file: maildir, domains, mailboxes, size; doc/lab.md is its reference. */
#include "app/smtp/smtp.h"
#include "lab/yaml.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE_MAX_ALLOWED (UINT64_C(1) << 30)

/* One domain, or one mailbox as it stands before the '@'. */
static int read_word(struct yaml_tree *y, const ynode *n, const char *what, bool is_domain, char **out)
{
	const char *s;
	struct smtp_path p;
	char full[SMTP_PATH_MAX];
	if (yaml_text(y, n, what, &s))
		return -EINVAL;
	snprintf(full, sizeof full, is_domain ? "a@%s" : "%s@a", s);
	if (strlen(s) + 3 > sizeof full || smtp_mailbox_parse(full, strlen(full), &p) != SMTP_SYNTAX_OK)
		return yaml_fail(y, n, "'%s' is no %s", s, is_domain ? "domain, such as mail.lab" : "mailbox, such as alice");
	*out = strdup(is_domain ? p.domain : p.local);
	return *out ? 0 : yaml_fail(y, n, "no memory");
}

/* A list, or one word alone; NULL-terminated. Gives, also when it fails. */
static int read_words(struct yaml_tree *y, const ynode *n, const char *what, bool is_domain, char ***out)
{
	size_t cap = yaml_is_list(n) ? (size_t)(n->data.sequence.items.top - n->data.sequence.items.start) : 1;
	*out = calloc(cap + 1, sizeof **out);
	if (!*out)
		return yaml_fail(y, n, "no memory");
	if (cap == 0)
		return yaml_fail(y, n, "%s is a list of at least one", what);
	if (!yaml_is_list(n))
		return read_word(y, n, what, is_domain, &(*out)[0]);
	for (size_t i = 0; i < cap; i++)
		if (read_word(y, yaml_item(y, n, (int)i), what, is_domain, &(*out)[i]))
			return -EINVAL;
	return 0;
}

/* Unless the file names them: NODE.lab, and NODE as programs on nodes may call it. */
static int usual_domains(struct yaml_tree *y, const ynode *n, const char *node, char ***out)
{
	char **d = *out = calloc(3, sizeof *d), full[SMTP_DOMAIN_MAX];
	snprintf(full, sizeof full, "%s.lab", node);
	return d && (d[0] = strdup(full)) && (d[1] = strdup(node)) ? 0 : yaml_fail(y, n, "no memory");
}

int topo_smtp_read(struct yaml_tree *y, const ynode *n, const ynode *const val[3], const char *node, struct topo_service *s)
{
	if (val[0] ? read_words(y, val[0], "domains", true, &s->domains) : usual_domains(y, n, node, &s->domains))
		return -EINVAL;
	if (val[1] && read_words(y, val[1], "mailboxes", false, &s->mailboxes))
		return -EINVAL;
	return val[2] ? yaml_uint(y, val[2], "size", SMTP_SIZE_MIN, SIZE_MAX_ALLOWED, &s->size) : 0;
}

void topo_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}
