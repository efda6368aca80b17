/* fuzz_drill.c - scripts: the parser ends, frees what it made, says where an error is, and prints packets that parse again
 * to themselves; code between %{ and }% ends, too. */
#include <stdio.h>
#include <stdlib.h>

#include "drill/code.h"
#include "drill/packet.h"
#include "drill/script.h"
#include "fuzz.h"

static bool lookup(void *ctx, const char *name, int64_t *value)
{
	*value = 7;
	return name[0] == 't';
}

static void check_packet(const struct drill_packet *k)
{
	static uint8_t bytes[DRILL_WIRE_MAX];
	char text[DRILL_LINE_MAX], again[DRILL_LINE_MAX], script[DRILL_LINE_MAX + 8];
	struct drill_error err;
	drill_packet_text(k, text);
	if (strlen(text) > DRILL_LINE_MAX - 40)
		return;
	snprintf(script, sizeof(script), "0 %s", text);
	struct drill_script *s = drill_parse(script, strlen(script), &err);
	CHECK(s && s->events->kind == DRILL_PACKET);
	drill_packet_text(s->events->packet, again);
	CHECK(strcmp(text, again) == 0);
	const struct drill_wire w = {.t = {1, 2, 3, 4}, .payload_at = 1};
	struct drill_packet back;
	struct drill_tuple t;
	const uint8_t *body;
	const char *why;
	size_t n = drill_packet_build(k, &w, bytes);
	if (n && n <= 65535 && drill_packet_read(bytes, n, &back, &t, &body, &why) && k->proto == DRILL_TCP)
		CHECK(back.seq == k->seq && back.payload == k->payload && back.flags == k->flags && back.n_opts == k->n_opts);
	drill_script_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct drill_error err;
	struct drill_script *s = drill_parse((const char *)data, len, &err);
	CHECK(!s == !!err.text[0]);
	if (!s) {
		CHECK(err.line >= 1 && err.column >= 1);
		return 0;
	}
	for (const struct drill_event *e = s->events; e; e = e->next) {
		struct drill_vars vars = {0};
		struct drill_code_result res;
		char out[64];
		if (e->kind == DRILL_PACKET)
			check_packet(e->packet);
		else if (e->kind == DRILL_CODE)
			drill_code_run(e->text, &vars, lookup, NULL, out, sizeof(out), &res);
		drill_vars_free(&vars);
	}
	drill_script_free(s);
	return 0;
}
