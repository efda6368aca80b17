/* test_app_smtp_parts.c - what SMTP's engines share: paths, dots, trace lines, each by the RFC's section. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "app/smtp/smtp.h"
#include "base/rng.h"

static void rfc5321_4_1_2__local_parts(void **state)
{
	static const struct {
		const char *text, *local, *again; /* as it is written by us; NULL: refused */
	} all[] = {
		{"<a@b>", "a", "<a@b>"}, {"<a.b.c@d>", "a.b.c", "<a.b.c@d>"}, {"<\"a\"@b>", "a", "<a@b>"}, {"<\"a b\"@c>", "a b", "<\"a b\"@c>"},
		{"<\"a\\\"b\\\\\"@c>", "a\"b\\", "<\"a\\\"b\\\\\"@c>"}, {"<\"\\a\"@c>", "a", "<a@c>"}, {"<\"x@y\"@c>", "x@y", "<\"x@y\"@c>"},
		{"<\"\"@c>", "", "<\"\"@c>"}, {"<\"a.\"@c>", "a.", "<\"a.\"@c>"},
		{"<!#$%&'*+-/=?^_`{|}~@c>", "!#$%&'*+-/=?^_`{|}~", "<!#$%&'*+-/=?^_`{|}~@c>"},
		{"<\"<>\"@c>", "<>", "<\"<>\"@c>"}, {"<a@[10.0.0.1]>", "a", "<a@[10.0.0.1]>"},
		{"<a b@c>", NULL, NULL}, {"<.a@c>", NULL, NULL}, {"<a.@c>", NULL, NULL}, {"<a..b@c>", NULL, NULL}, {"<a@>", NULL, NULL},
		{"<@c>", NULL, NULL}, {"<a>", NULL, NULL}, {"<a@b", NULL, NULL}, {"<\"a@c>", NULL, NULL}, {"<\"a\"b@c>", NULL, NULL},
		{"<a@b@c>", NULL, NULL},
		{"<\"a\nb\"@c>", NULL, NULL}, {"<\xc3\xa4@c>", NULL, NULL}, {"<a@\xc3\xa4>", NULL, NULL},
		{"<\"\\", NULL, NULL}, {"", NULL, NULL}, {"<", NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct smtp_path p;
		char out[SMTP_PATH_MAX * 2 + 1] = "";
		struct reader r = reader_of(all[i].text, strlen(all[i].text));
		struct writer w = writer_of(out, sizeof(out) - 1);
		bool good = smtp_path_read(&r, &p) == SMTP_SYNTAX_OK;
		assert_int_equal(good, all[i].local != NULL);
		if (!good)
			continue;
		assert_string_equal(p.local, all[i].local);
		smtp_path_put(&w, &p);
		assert_string_equal(out, all[i].again);
	}
}

static void rfc5321_4_4__trace_lines(void **state)
{
	struct smtp_path from = {"bob", "home.lab"}, to = {"alice b", "mail.lab"}, nobody = {"", ""};
	struct smtp_trace t = {.from = &from, .to = &to, .helo = "home.lab", .peer = "10.0.0.1", .id = "17.1", .name = "mail.lab",
		.is_esmtp = true, .date = 784111777};
	char out[SMTP_TRACE_MAX + 1];
	out[smtp_trace_emit(out, SMTP_TRACE_MAX, &t)] = 0;
	assert_string_equal(out, "Return-Path: <bob@home.lab>\r\nReceived: from home.lab ([10.0.0.1])\r\n\tby mail.lab with ESMTP id 17.1\r\n"
		"\tfor <\"alice b\"@mail.lab>;\r\n\tSun, 06 Nov 1994 08:49:37 +0000\r\n");
	t = (struct smtp_trace){.from = &nobody, .helo = "[IPv6:fd00::1]", .peer = "fd00::1", .id = "x", .name = "mail.lab"};
	out[smtp_trace_emit(out, SMTP_TRACE_MAX, &t)] = 0;
	assert_string_equal(out, "Return-Path: <>\r\nReceived: from [IPv6:fd00::1] ([IPv6:fd00::1])\r\n\tby mail.lab with SMTP id x;\r\n"
		"\tThu, 01 Jan 1970 00:00:00 +0000\r\n");
	assert_int_equal(smtp_trace_emit(out, 40, &t), 0);
}

static size_t cut(struct rng *r, unsigned max, size_t left)
{
	size_t k = 1 + rng_below(r, max);
	return MIN(k, left);
}

/* Stuffed in any cut, unstuffed in any cut: the same, if its lines end in CRLF; never a bare CR or LF on the wire. */
static void rfc5321_4_5_2__stuffing_and_back(void **state)
{
	static const char alphabet[] = "..\r\nab";
	struct rng r;
	rng_seed(&r, 8);
	for (int round = 0; round < 3000; round++) {
		uint8_t text[64], wire[400], back[400];
		size_t n = rng_below(&r, sizeof text), n_wire = 0, n_back = 0, at = 0;
		for (size_t i = 0; i < n; i++)
			text[i] = (uint8_t)alphabet[rng_below(&r, sizeof(alphabet) - 1)];
		struct smtp_stuffer s = {0};
		struct writer w = writer_of(wire, sizeof wire);
		while (at < n)
			at += smtp_stuff(&s, text + at, cut(&r, 9, n - at), &w);
		smtp_stuff_end(&s, &w);
		assert_false(w.bad);
		n_wire = (size_t)(w.p - wire);
		struct smtp_unstuffer u = {0};
		bool end = false;
		for (at = 0; at < n_wire && !end;) {
			const uint8_t *run;
			size_t len;
			at += smtp_unstuff(&u, wire + at, cut(&r, 9, n_wire - at), &run, &len, &end);
			memcpy(back + n_back, run, len);
			n_back += len;
		}
		assert_true(end && at == n_wire && u.flaw == SMTP_FLAW_NONE);
		/* The naive model: every line of the text, whatever ended it, then CRLF. */
		uint8_t want[400];
		size_t k = 0;
		for (size_t i = 0; i < n; i++) {
			if (text[i] == '\r' || text[i] == '\n') {
				want[k++] = '\r', want[k++] = '\n';
				i += text[i] == '\r' && i + 1 < n && text[i + 1] == '\n';
			} else {
				want[k++] = text[i];
			}
		}
		if (k && want[k - 1] != '\n')
			want[k++] = '\r', want[k++] = '\n';
		assert_int_equal(n_back, k);
		assert_memory_equal(back, want, k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5321_4_1_2__local_parts),
		cmocka_unit_test(rfc5321_4_4__trace_lines),
		cmocka_unit_test(rfc5321_4_5_2__stuffing_and_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
