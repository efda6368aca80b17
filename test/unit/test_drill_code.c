/* test_drill_code.c - assertions of scripts: the part of Python that they use, and what is refused. Expectations are Python's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "drill/code.h"

static bool lookup(void *ctx, const char *name, int64_t *value)
{
	*value = 10;
	return strcmp(name, "tcpi_snd_cwnd") == 0;
}

static struct drill_code_result res;
static char out[512];

static bool run(const char *text)
{
	struct drill_vars vars = {0};
	bool well = drill_code_run(text, &vars, lookup, NULL, out, sizeof(out), &res);
	drill_vars_free(&vars);
	return well;
}

static void drill_code__true_in_python(void **state)
{
	static const char *const truths[] = {
		"2 + 3 * 4 == 14", "(2 + 3) * 4 == 20", "-7 // 2 == -4", "-7 % 3 == 2", "7 % -3 == -2", "7 / 2 == 3.5",
		"(1 | 2) == 3", "6 & 3 == 2", "1 << 4 == 16", "5 ^ 1 == 4", "~0 == -1", "1 < 2 < 3", "not 1 < 3 < 2", "1 < 2 and 2 < 3",
		"0 or 1", "not 0", "not (1 and 0)", "'a' == \"a\"", "'a' != 'b'", "'x' != 1", "0x7fffffff == 2147483647", "1.5 * 2 == 3",
		"tcpi_snd_cwnd == 10", "9 <= tcpi_snd_cwnd <= 10", "'n=%d' % 4 == 'n=4'", "'%d %s' % (1, 'z') == '1 z'",
		"'%05.1f%%' % 2.25 == '002.2%'",
		"True", "not False", "10 - 3 - 2 == 5", "2 * 3 % 4 == 2", "8 >> 1 << 1 == 8", "--3 == 3", "1 == 1.0",
	};
	char text[200];
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++) {
		snprintf(text, sizeof(text), " assert %s, 'no' ", truths[i]);
		if (!run(text))
			fail_msg("%s: %s", truths[i], res.text);
		snprintf(text, sizeof(text), "assert not (%s)", truths[i]);
		assert_false(run(text));
		assert_true(res.is_assertion);
	}
}

static void drill_code__assertion_says_what(void **state)
{
	assert_false(run("pass\n\nassert tcpi_snd_cwnd == 11, 'cwnd=%d' % tcpi_snd_cwnd"));
	assert_true(res.is_assertion);
	assert_int_equal(res.line, 3);
	assert_string_equal(res.text, "assert tcpi_snd_cwnd == 11: cwnd=10");
	/* What comes after is not reached. */
	assert_false(run("assert 0; print(1)"));
	assert_string_equal(out, "");
}

static void drill_code__variables_live_on(void **state)
{
	struct drill_vars vars = {0};
	assert_true(drill_code_run("cwnd = 10", &vars, lookup, NULL, out, sizeof(out), &res));
	assert_true(drill_code_run(" print(tcpi_snd_cwnd, cwnd); cwnd += 5; assert cwnd == 15 # fine\ncwnd -= 1; cwnd *= 2",
		&vars, lookup, NULL, out,
				   sizeof(out), &res));
	assert_string_equal(out, "10 10\n");
	assert_true(drill_code_run("assert cwnd == 28, cwnd; \\\n assert 1", &vars, lookup, NULL, out, sizeof(out), &res));
	drill_vars_free(&vars);
}

static void drill_code__refuses_the_rest(void **state)
{
	static const struct {
		const char *text, *part;
	} bad[] = {
		{"import os", "known here"}, {"if 1: pass", "known here"}, {"x.y = 3", "known here"}, {"assert foo == 1", "unknown name 'foo'"},
		{"assert len(3)", "known here"}, {"assert 1 +", "expected a value"}, {"assert (1", "not closed"}, {"assert 'a", "never ends"},
		{"assert 1 / 0", "division by zero"}, {"assert 1 1", "end of the statement"}, {"assert 'a' + 1", "string"},
		{"assert 1 < 'a'", "string"},
		{"y += 1", "unknown name 'y'"}, {"assert '%d %d' % 1", "more values"}, {"assert '%q' % 1", "conversion"}, {"assert 12ab",
		"no number"},
		{"assert ((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))", "nested deeper"},
		{"assert ----------------------------------------1", "nested deeper"}, {"assert 1 << 64", "bits"}, {"assert 1 << 1.5", "bits"},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(run(bad[i].text));
		assert_false(res.is_assertion);
		if (!strstr(res.text, bad[i].part))
			fail_msg("%s: '%s' is not in '%s'", bad[i].text, bad[i].part, res.text);
	}
}

static void drill_code__numbers_at_the_edges(void **state)
{
	assert_true(run("assert 9223372036854775807 + 1 == -9223372036854775807 - 1"));
	assert_true(run("assert (-9223372036854775807 - 1) // -1 == -9223372036854775807 - 1"));
	assert_true(run("assert (-9223372036854775807 - 1) % -1 == 0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drill_code__true_in_python),
		cmocka_unit_test(drill_code__assertion_says_what),
		cmocka_unit_test(drill_code__variables_live_on),
		cmocka_unit_test(drill_code__refuses_the_rest),
		cmocka_unit_test(drill_code__numbers_at_the_edges),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
