/* cmd/ask.c - see the header. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/control.h"
#include "cmd/tell.h"
#include <stdlib.h>
#include <unistd.h>

json_t *ask_lab(const char *name, const char *op, const char *node)
{
	json_t *request = json_pack("{s:s, s:s?}", "op", op, "node", node), *answer = ask_lab_for(name, request);
	json_decref(request);
	return answer;
}

json_t *ask_lab_for(const char *name, const json_t *request)
{
	int fd = control_connect(name);
	if (fd < 0) {
		control_fail(EXIT_FAILED, name, fd);
		return NULL;
	}
	control_send(fd, request, NULL, 0);
	json_t *answer = control_recv(fd, NULL, NULL);
	close(fd);
	if (!answer)
		cmd_fail(EXIT_FAILED, "lab '%s' did not answer", name);
	return answer;
}

int ask_refused(const json_t *answer)
{
	const char *text = json_string_value(json_object_get(answer, "error"));
	return text ? cmd_fail((int)json_integer_value(json_object_get(answer, "status")), "%s", text) : 0;
}

/* The only lab that is up; without one, the only program of `via run`. */
static char *only_lab(void)
{
	json_t *names = control_names(), *s;
	char *only[2] = {NULL}; /* labs, runs */
	int n[2] = {0};
	size_t i;
	json_array_foreach(names, i, s) {
		int fd = control_connect(json_string_value(s));
		if (fd < 0)
			continue;
		close(fd);
		bool is_run = strncmp(json_string_value(s), TELL_PREFIX, strlen(TELL_PREFIX)) == 0;
		if (n[is_run]++ == 0)
			only[is_run] = strdup(json_string_value(s));
	}
	json_decref(names);
	int kind = n[0] == 0;
	free(only[!kind]);
	if (n[kind] == 1 && only[kind])
		return only[kind];
	free(only[kind]);
	if (n[0])
		cmd_fail(EXIT_FAILED, "%d labs are up; say which: via -n LAB:NODE", n[0]);
	else if (n[1])
		cmd_fail(EXIT_FAILED, "%d programs of `via run` are there; say which: via -n run-PID:", n[1]);
	else
		cmd_fail(EXIT_FAILED, "no lab is up, and no program of `via run`; via lab up -t FILE starts a lab");
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
