/* cmd/ask.c - see the header. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include <stdlib.h>
#include <unistd.h>

json_t *ask_lab(const char *name, const char *op, const char *node)
{
	int fd = control_connect(name);
	if (fd < 0) {
		control_fail(EXIT_FAILED, name, fd);
		return NULL;
	}
	json_t *msg = json_pack("{s:s, s:s?}", "op", op, "node", node);
	control_send(fd, msg, NULL, 0);
	json_decref(msg);
	json_t *answer = control_recv(fd, NULL, NULL);
	close(fd);
	if (!answer)
		cmd_fail(EXIT_FAILED, "lab '%s' did not answer", name);
	return answer;
}

/* The only lab that is up. */
static char *only_lab(void)
{
	json_t *names = control_names(), *s;
	char *only = NULL;
	int n = 0;
	size_t i;
	json_array_foreach(names, i, s) {
		int fd = control_connect(json_string_value(s));
		if (fd < 0)
			continue;
		close(fd);
		if (n++ == 0)
			only = strdup(json_string_value(s));
	}
	json_decref(names);
	if (n == 1 && only)
		return only;
	free(only);
	cmd_fail(EXIT_FAILED, n ? "%d labs are up; say which: via -n LAB:NODE" : "no lab is up; via lab up -t FILE starts one", n);
	return NULL;
}

char *ask_which(const char **node)
{
	const char *said = cmd_global.node, *colon = said ? strchr(said, ':') : NULL;
	*node = colon ? colon + 1 : said;
	if (*node && !**node)
		*node = NULL;
	return colon ? strndup(said, (size_t)(colon - said)) : only_lab();
}
