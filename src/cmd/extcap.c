/* cmd/extcap.c - `via extcap`: Wireshark asks which interfaces there are and captures from one, by its extcap protocol (Wireshark's
 * doc/extcap.adoc). An interface is LAB:NODE:NAME. A script in Wireshark's extcap folder calls us: exec via extcap "$@". */
#include "cmd/ask.h"
#include "cmd/control.h"
#include "cmd/dump.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXTCAP_INTERFACES, EXTCAP_INTERFACE, EXTCAP_DLTS, EXTCAP_CONFIG, EXTCAP_CAPTURE, EXTCAP_FIFO, EXTCAP_FILTER, EXTCAP_VERSION };
static const struct cmd_option options[] = {
	[EXTCAP_INTERFACES] = {0, "extcap-interfaces", NULL, "list the interfaces of all labs that are up"},
	[EXTCAP_INTERFACE] = {0, "extcap-interface", "NAME", "the one that is meant: LAB:NODE:eth1"},
	[EXTCAP_DLTS] = {0, "extcap-dlts", NULL, "its link type"},
	[EXTCAP_CONFIG] = {0, "extcap-config", NULL, "what can be set about it: nothing"},
	[EXTCAP_CAPTURE] = {0, "capture", NULL, "capture from it"},
	[EXTCAP_FIFO] = {0, "fifo", "FILE", "into this"},
	[EXTCAP_FILTER] = {0, "extcap-capture-filter", "FILTER", "only these, in libpcap's words; alone: is it one?"},
	[EXTCAP_VERSION] = {0, "extcap-version", "N", "Wireshark's"},
	{0, NULL, NULL, NULL},
};

/* The interfaces of a lab; those of `via run` are none. */
static void list_lab(const char *lab)
{
	int fd = control_connect(lab); /* a dead one's socket is silent */
	json_t *all = NULL, *node, *iface;
	size_t i, k;
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && strncmp(lab, "run-", 4) != 0)
		all = ask_lab(lab, "inspect", NULL);
	json_array_foreach(json_object_get(all, "nodes"), i, node) {
		json_array_foreach(json_object_get(node, "interfaces"), k, iface) {
			const char *name = json_string_value(json_object_get(iface, "name")), *of = json_string_value(json_object_get(node, "name"));
			if (name && of && strcmp(name, "lo") != 0)
				printf("interface {value=%s:%s:%s}{display=Viaduct lab %s, %s:%s}\n", lab, of, name, lab, of, name);
		}
	}
	json_decref(all);
}

static int list_all(void)
{
	json_t *names = control_names(), *s;
	size_t i;
	puts("extcap {version=1.0}{help=https://www.wireshark.org/docs/wsug_html_chunked/}");
	json_array_foreach(names, i, s)
		list_lab(json_string_value(s));
	json_decref(names);
	return EXIT_WELL;
}

static int capture(const struct cmd_args *a)
{
	const char *name = a->opt[EXTCAP_INTERFACE], *colon = name ? strchr(name, ':') : NULL;
	struct dump_job j = {.filter = a->opt[EXTCAP_FILTER]};
	int control = -1, status;
	if (!colon || !a->opt[EXTCAP_FIFO])
		return cmd_fail(EXIT_USAGE, "--capture needs --extcap-interface LAB:NODE:eth1 and --fifo FILE");
	char *lab = strndup(name, (size_t)(colon - name));
	j.raw = fopen(a->opt[EXTCAP_FIFO], "we");
	if (!lab || !j.raw)
		status = cmd_fail(EXIT_FAILED, "%s: %s", a->opt[EXTCAP_FIFO], strerror(errno));
	else if ((j.in = dump_live(lab, colon + 1, &control, &status)))
		status = dump_run(&j);
	if (j.raw)
		fclose(j.raw);
	if (control >= 0)
		close(control);
	free(lab);
	return status;
}

static int extcap(const struct cmd_args *a)
{
	if (a->opt[EXTCAP_CAPTURE])
		return capture(a);
	if (a->opt[EXTCAP_DLTS])
		puts("dlt {number=1}{name=EN10MB}{display=Ethernet}");
	else if (a->opt[EXTCAP_CONFIG])
		return EXIT_WELL;
	else if (a->opt[EXTCAP_FILTER])
		return dump_filter_check(a->opt[EXTCAP_FILTER]) ? EXIT_WELL : EXIT_FAILED;
	else if (a->opt[EXTCAP_INTERFACES] || a->opt[EXTCAP_VERSION])
		return list_all();
	else
		return cmd_fail(EXIT_USAGE, "this is for Wireshark; see via extcap --help");
	return EXIT_WELL;
}

const struct cmd_command cmd_extcap = {
	.name = "extcap",
	.usage = "--extcap-interfaces | --capture --extcap-interface LAB:NODE:eth1 --fifo FILE",
	.summary = "interfaces of labs that are up, for Wireshark",
	.detail = "Wireshark shows them after: d=~/.local/lib/wireshark/extcap; mkdir -p $d; printf '#!/bin/sh\\nexec via extcap \"$@\"\\n' >\n"
		  "$d/via; chmod +x $d/via",
	.options = options,
	.words_min = 0,
	.words_max = 0,
	.run = extcap,
};
