/* gate/names.c - which server answers questions for names: the owner's choice, or those of the machine's /etc/resolv.conf.
 *
 * The file is looked at again when it has changed, at most once a second. One that does not answer gives way to the next. */
#include "gate/inside.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/stat.h>

enum { PORT_DNS = 53 };
#define LOOK_NS NS_PER_S
#define RESOLV_CONF "/etc/resolv.conf"

/* An address, "fe80::1%eth0" too. 0 or -EINVAL. */
static int addr_read(const char *text, size_t len, struct via_addr *out)
{
	const char *percent = memchr(text, '%', len);
	char name[IF_NAMESIZE] = "";
	size_t n = percent ? len - (size_t)(percent + 1 - text) : 0;
	if (!percent || n >= sizeof(name) || via_addr_parse(text, (size_t)(percent - text), out))
		return via_addr_parse(text, len, out);
	memcpy(name, percent + 1, n);
	out->scope = if_nametoindex(name);
	return out->scope ? 0 : via_addr_parse(text, len, out);
}

/* "nameserver 127.0.0.53". False: another line. */
static bool server_read(const char *line, struct via_sockaddr *out)
{
	static const char key[] = "nameserver";
	if (strncmp(line, key, sizeof(key) - 1) != 0)
		return false;
	line += sizeof(key) - 1;
	size_t gap = strspn(line, " \t"), len = strcspn(line + gap, " \t\r\n");
	out->port = PORT_DNS;
	return gap && addr_read(line + gap, len, &out->addr) == 0;
}

static void read_file(struct gate_names *n, FILE *f)
{
	char line[256];
	n->n = n->at = 0;
	while (n->n < (int)ARRAY_LEN(n->servers) && fgets(line, sizeof(line), f))
		n->n += server_read(line, &n->servers[n->n]);
	if (!n->n) /* resolv.conf(5): none listed means the one on this machine */
		n->servers[n->n++] = (struct via_sockaddr){via_addr_v4(0x7f000001), PORT_DNS};
}

static void look(struct gate_names *n)
{
	struct stat st;
	FILE *f = stat(RESOLV_CONF, &st) == 0 ? fopen(RESOLV_CONF, "re") : NULL;
	if (!f) {
		n->n = 0;
		return;
	}
	if (!n->n || n->stamp.s != st.st_mtim.tv_sec || n->stamp.ns != st.st_mtim.tv_nsec || n->stamp.ino != st.st_ino) {
		n->stamp.s = st.st_mtim.tv_sec;
		n->stamp.ns = st.st_mtim.tv_nsec;
		n->stamp.ino = st.st_ino;
		read_file(n, f);
	}
	fclose(f);
}

bool gate_names_server(struct gate *g, struct via_sockaddr *out)
{
	struct gate_names *n = &g->names;
	int64_t now = loop_now();
	if (!via_addr_is_any(&g->cfg.resolver.addr)) {
		*out = g->cfg.resolver;
		return true;
	}
	if (!n->looked || now - n->looked >= LOOK_NS) {
		n->looked = now;
		look(n);
	}
	if (n->n)
		*out = n->servers[n->at];
	return n->n > 0;
}

void gate_names_failed(struct gate *g, const struct via_sockaddr *server)
{
	struct gate_names *n = &g->names;
	if (n->n && n->servers[n->at].port == server->port && via_addr_eq(&n->servers[n->at].addr, &server->addr))
		n->at = (n->at + 1) % n->n;
}
