/* test_drill_parse.c - the script language: tokens, times, packets, calls, and where errors are said to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "drill/packet.h"
#include "drill/script.h"
#include "wire/tcp.h"

static struct drill_script *parsed(const char *text)
{
	struct drill_error err;
	struct drill_script *s = drill_parse(text, strlen(text), &err);
	if (!s)
		fail_msg("%d:%d: %s", err.line, err.column, err.text);
	return s;
}

static void refused(const char *text, int line, int column, const char *part)
{
	struct drill_error err;
	assert_null(drill_parse(text, strlen(text), &err));
	if (!strstr(err.text, part))
		fail_msg("'%s' is not in '%s'", part, err.text);
	assert_int_equal(err.line, line);
	assert_int_equal(err.column, column);
}

static void drill_parse__times(void **state)
{
	struct drill_script *s = parsed("0 close(3) = 0\n+.25 close(3) = 0\n1.000001...2 read(3, ..., 1) = 1\n* > . 1:1(0) ack 1\n"
					"1~1.5 > . 1:1(0) ack 1\n+.21~+.215 > . 1:1(0) ack 1\n+0...0.200 read(3, ..., 9) = 9\n");
	const struct drill_event *e = s->events;
	assert_int_equal(e->when, DRILL_ABSOLUTE);
	assert_int_equal(e->at_ns, 0);
	e = e->next;
	assert_int_equal(e->when, DRILL_RELATIVE);
	assert_int_equal(e->at_ns, 250000000);
	e = e->next;
	assert_int_equal(e->at_ns, 1000001000);
	assert_true(e->call->blocks);
	assert_int_equal(e->call->end_ns, 2000000000);
	e = e->next;
	assert_int_equal(e->when, DRILL_ANY);
	e = e->next;
	assert_int_equal(e->when, DRILL_ABSOLUTE_RANGE);
	assert_int_equal(e->end_ns, 1500000000);
	e = e->next;
	assert_int_equal(e->when, DRILL_RELATIVE_RANGE);
	assert_int_equal(e->at_ns, 210000000);
	assert_int_equal(e->end_ns, 215000000);
	e = e->next;
	assert_int_equal(e->at_ns, 0);
	assert_int_equal(e->call->end_ns, 200000000);
	assert_null(e->next);
	assert_int_equal(s->n_events, 7);
	drill_script_free(s);
}

static void drill_parse__options_comments_commands(void **state)
{
	struct drill_script *s = parsed("--tolerance_usecs=10000 // a comment\n--local_ip=10.0.0.9\n--tcp_ts_ecr_scaled\n/* two\nlines */\n"
					"`sysctl -q net.ipv4.tcp_sack=1`\n+0 %{ assert 1 == 1 }%\n+0 `true`\n");
	assert_string_equal(s->options->name, "tolerance_usecs");
	assert_string_equal(s->options->value, "10000");
	assert_string_equal(s->options->next->value, "10.0.0.9");
	assert_null(s->options->next->next->value);
	assert_int_equal(s->events->kind, DRILL_COMMAND);
	assert_int_equal(s->events->line, 6);
	assert_string_equal(s->events->text, "sysctl -q net.ipv4.tcp_sack=1");
	assert_int_equal(s->events->next->kind, DRILL_CODE);
	assert_string_equal(s->events->next->text, " assert 1 == 1 ");
	drill_script_free(s);
}

/* What is parsed and printed again is the same text. */
static void drill_parse__packets_round_trip(void **state)
{
	static const char *const packets[] = {
		"< S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
		"> S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>",
		"> [ect0] P. 1:1001(1000) ack 1",
		"< [ce] . 1:1(0) ack 1001 win 257 <nop,nop,sack 2001:3001 4001:5001>",
		"< - 1:1001(1000) win 20000",
		"> FP. 4294967295:9(10) ack 1",
		"< SEW 0:0(0) win 5",
		"> R 1:1(0)",
		"> SE. 0:0(0) ack 1 <...>",
		"< 40000 > 8080 U. 1:101(100) ack 1 win 257 urg 100",
		"> (tos 0x28) . 1:1(0) ack 1",
		"< (ttl 3) . 1:1(0) ack 1 win 1",
		"> S 0:0(0) <mss 1460,nop,wscale 8,FO,nop,nop>",
		"< S. 0:0(0) ack 1 win 9 <FO abcd1234abcd1234,nop,nop>",
		"< S 0:0(0) win 9 <eol,nop,nop,nop>",
		"< A. 1:1(0) ack 1 win 1",
		"< udp (100)",
		"> udp (0)",
		"< icmp unreachable frag_needed mtu 1200 [1:1001(1000)]",
		"< icmp unreachable port_unreachable [udp (100)]",
		"> icmp echo_reply id 7",
		"< icmp type_40 code_3",
	};
	char text[DRILL_LINE_MAX], script[DRILL_LINE_MAX];
	for (size_t i = 0; i < ARRAY_LEN(packets); i++) {
		snprintf(script, sizeof(script), "+1 %s", packets[i]);
		struct drill_script *s = parsed(script);
		drill_packet_text(s->events->packet, text);
		if (strncmp(packets[i], "< A.", 4) == 0)
			assert_string_equal(text, "< A. 1:1(0) ack 1 win 1");
		else
			assert_string_equal(text, packets[i]);
		drill_script_free(s);
	}
}

static void drill_parse__call_values(void **state)
{
	struct drill_script *s = parsed(
		"0 recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 1000}, {NULL, 5}], msg_flags=MSG_TRUNC|MSG_PEEK}, 0) = -1 EAGAIN (Try it "
		"again)\n+0 bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"10.0.0.1\")}, ...) = 0\n"
		"+0 write(3, \"ab\" \"cd\", 4) = 4\n");
	const struct drill_call *c = s->events->call;
	assert_string_equal(c->name, "recvmsg");
	assert_int_equal(c->n_args, 3);
	assert_int_equal(c->error, EAGAIN);
	const struct drill_expr *m = c->args->next;
	assert_int_equal(m->kind, EX_FIELDS);
	const struct drill_expr *iov = m->first->next, *flags = iov->next;
	assert_string_equal(iov->name, "msg_iov");
	assert_int_equal(iov->first->first->next->num, 1000);
	assert_int_equal(iov->first->next->first->kind, EX_NULL);
	assert_int_equal(flags->num, MSG_TRUNC | MSG_PEEK);
	const struct drill_expr *a = s->events->next->call->args->next;
	assert_int_equal(a->first->num, AF_INET);
	assert_int_equal(a->first->next->num, 8080);
	assert_int_equal(a->first->next->next->num, 0x0a000001);
	assert_string_equal(s->events->next->next->call->args->next->text, "abcd");
	drill_script_free(s);
}

static void drill_parse__says_where_and_what(void **state)
{
	refused("", 1, 1, "no events");
	refused("0 close(3) = 0\n+0 < S 0:1(0) win 5\n", 2, 10, "not of 0 bytes");
	refused("0 close(3) = 0\n+0 > Q 0:0(0)\n", 2, 6, "no TCP flag");
	refused("0 socket(..., SOCK_STREEM, 0) = 3\n", 1, 15, "unknown name 'SOCK_STREEM'");
	refused("0 close(3) = -1 EWRONG (x)\n", 1, 17, "no errno");
	refused("0 close(3) = 1 EBADF (x)\n", 1, 16, "goes with the result -1");
	refused("0 close(3 = 0\n", 1, 11, "expected ')'");
	refused("0 < S 0:0(0) win 65536\n", 1, 18, "out of range");
	refused("0 < S 0:0(0) win 1 <mss 1000,nop>\n", 1, 20, "no multiple of 4");
	refused("0 < S 0:0(0) win 1 <mss 1000,what 3>\n", 1, 30, "unknown TCP option 'what'");
	refused("0 < S 0:0(0) win 1 <...>\n", 1, 20, "expected packets only");
	refused("* close(3) = 0\n", 1, 1, "expected packets only");
	refused("0 `sysctl\n", 1, 3, "never ends");
	refused("0 /* close\n", 1, 3, "never ends");
	refused("2~1 > . 1:1(0) ack 1\n", 1, 1, "backwards");
	refused("1...0.5 close(3) = 0\n", 1, 1, "ends before it begins");
	refused("0 > ipv6 ::1 > ::2: . 1:1(0)\n", 1, 5, "ipv6");
	refused("0 < icmp unreachable nonsense\n", 1, 10, "unknown ICMP");
	refused("0 close([[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]) = 0\n", 1, 25, "nested deeper");
	refused("soon close(3) = 0\n", 1, 1, "expected a time");
	refused("99999999999999999999 close(3) = 0\n", 1, 1, "too large");
}

/* Checksums of what is injected are right, and what is read back is what was written. */
static void drill_packet__build_and_read(void **state)
{
	static uint8_t bytes[DRILL_WIRE_MAX];
	struct drill_script *s = parsed("0 < [ce] P. 100:1101(1001) ack 7 win 99 <nop,nop,TS val 5 ecr 6>\n");
	const struct drill_wire w = {.t = {0xc0000201, 0xc0a80001, 8080, 40000}, .payload_at = 100};
	size_t n = drill_packet_build(s->events->packet, &w, bytes);
	assert_int_equal(n, 20 + 32 + 1001);
	struct drill_packet k;
	struct drill_tuple t;
	const uint8_t *body;
	const char *why;
	assert_true(drill_packet_read(bytes, n, &k, &t, &body, &why));
	assert_int_equal(k.seq, 100);
	assert_int_equal(k.ack, 7);
	assert_int_equal(k.flags, TCP_PSH | TCP_ACK);
	assert_int_equal(k.wnd, 99);
	assert_int_equal(k.payload, 1001);
	assert_int_equal(k.tos & 3, 3);
	assert_int_equal(k.n_opts, 12);
	assert_int_equal(t.sport, 8080);
	assert_int_equal(body[0], drill_byte(100));
	assert_int_equal(body[1000], drill_byte(1100));
	bytes[60] ^= 1;
	assert_false(drill_packet_read(bytes, n, &k, &t, &body, &why));
	assert_string_equal(why, "its checksum is wrong");
	drill_script_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drill_parse__times),
		cmocka_unit_test(drill_parse__options_comments_commands),
		cmocka_unit_test(drill_parse__packets_round_trip),
		cmocka_unit_test(drill_parse__call_values),
		cmocka_unit_test(drill_parse__says_where_and_what),
		cmocka_unit_test(drill_packet__build_and_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
