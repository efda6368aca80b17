/* cmd/lab_link.c - `via lab link`: change a link of a lab that is up. */
#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/lab_host.h"
#include <stdlib.h>

enum { LINK_ONE_WAY };
static const struct cmd_option options[] = {
	[LINK_ONE_WAY] = {'1', "one-way", NULL, "impair only what goes from the end named first"},
	{0, NULL, NULL, NULL},
};

/* Each word may be several, between commas. Gives. */
static json_t *words_of(const struct cmd_args *a)
{
	json_t *words = json_array();
	for (int i = 2; i < a->n_words; i++)
		for (const char *w = a->words[i]; *w;) {
			size_t n = strcspn(w, ",");
			json_array_append_new(words, json_stringn(w, n));
			w += n + (w[n] == ',');
		}
	return words;
}

static int lab_link(const struct cmd_args *a)
{
	json_t *request = json_pack("{s:s, s:s, s:o, s:b}", "op", "link", "link", a->words[1], "words", words_of(a), "one_way",
				    a->opt[LINK_ONE_WAY] != NULL);
	json_t *answer = request ? ask_lab_for(a->words[0], request) : NULL;
	int status = answer ? ask_refused(answer) : EXIT_FAILED;
	if (!status && cmd_global.json)
		lab_host_print(answer);
	json_decref(answer);
	json_decref(request);
	return status;
}

const struct cmd_command cmd_lab_link = {
	.name = "lab link",
	.usage = "NAME A-B down | up | clean | KEY=VALUE,...",
	.summary = "change a link of a running lab: down, up, delay=20ms,loss=1%",
	.detail = "A-B are the nodes that the link joins, or NODE:INTERFACE-NODE:INTERFACE where several do. down: what is under way is lost,\n"
		  "routes go another way if there is one. clean takes all impairments away; KEY=VALUE are those of a topology file\n"
		  "(doc/lab.md), over what the link has, in both directions.",
	.options = options,
	.words_min = 3,
	.words_max = 32,
	.run = lab_link,
};
