/* fuzz_rules.c - a rule of the filter that is understood is written as text that reads the same; a mistake names a place in the
 * text; a forward leads from ports to as many ports. */
#include "test/fuzz/fuzz.h"
#include "lab/rule_text.h"
#include <viaduct/stack.h>

/* Any text is read as a rule and as a forward. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[1024], again[RULE_TEXT_MAX];
	struct via_filter_error e = {0};
	struct via_filter_rule a, b;
	struct via_nat_rule f;
	int kind = -1, kind_again = -1;
	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	if (via_filter_parse(text, &kind, &a, &e))
		CHECK(e.what && e.what[0] && e.at + e.len <= strlen(text));
	else if (kind != VIA_FILTER_FLUSH) {
		CHECK(strnlen(a.in, sizeof(a.in)) < sizeof(a.in) && strnlen(a.out, sizeof(a.out)) < sizeof(a.out));
		rule_text(&a, kind == VIA_FILTER_POLICY, again);
		CHECK(via_filter_parse(again, &kind_again, &b, &e) == 0 && kind_again == kind && memcmp(&a, &b, sizeof(a)) == 0);
	}
	e = (struct via_filter_error){0};
	if (via_nat_parse_forward(text, &f, &e)) {
		CHECK(e.what && e.what[0] && e.at + e.len <= strlen(text));
		return 0;
	}
	CHECK((f.proto == 6 || f.proto == 17) && f.port[0] && f.port[0] <= f.port[1] && f.inner_port);
	CHECK(f.inner_port + (f.port[1] - f.port[0]) <= 65535);
	rule_text_nat(&f, again);
	CHECK(strlen(again) < RULE_TEXT_MAX);
	return 0;
}
