/* test_drill_run.c - the runner finds what is wrong: each test breaks one expectation of a script that passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill/run.h"

static char err_text[8192], out_text[65536];
static struct drill_done done;

static enum drill_status run_with(const char *text, bool strict)
{
	FILE *err = fmemopen(err_text, sizeof(err_text), "w"), *out = fmemopen(out_text, sizeof(out_text), "w");
	memset(err_text, 0, sizeof(err_text));
	memset(out_text, 0, sizeof(out_text));
	const struct drill_how how = {.out = out, .err = err, .verbose = true, .strict = strict, .tolerance_ns = -1};
	enum drill_status s = drill_run("t.pkt", text, strlen(text), &how, &done);
	fclose(err);
	fclose(out);
	return s;
}

static void passes(const char *text)
{
	if (run_with(text, true) != DRILL_PASSED)
		fail_msg("%s", err_text);
	assert_string_equal(err_text, "");
}

static void fails(const char *text, const char *part)
{
	assert_int_equal(run_with(text, true), DRILL_FAILED);
	if (!strstr(err_text, part))
		fail_msg("'%s' is not in '%s'", part, err_text);
}

/* A connection to a listener, 7 lines. */
#define OPEN                                                            \
	"0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                  \
	"+0 bind(3, ..., ...) = 0\n"                                     \
	"+0 listen(3, 1) = 0\n"                                          \
	"+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop>\n"           \
	"+0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>\n"               \
	"+.1 < . 1:1(0) ack 1 win 32792\n"                               \
	"+0 accept(3, ..., ...) = 4\n"

static void drill_run__right_expectations(void **state)
{
	passes(OPEN "+0 write(4, ..., 1500) = 1500\n+0 > P. 1:1501(1500) ack 1\n+.1 < P. 1:11(10) ack 1501 win 32792\n"
		    "+0 read(4, ..., 100) = 10\n+0~+.2 > . 1501:1501(0) ack 11\n+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n");
	assert_int_equal(done.n_events, 13);
	assert_in_range(done.virtual_ns, 300 * NS_PER_MS, 500 * NS_PER_MS);
}

static void drill_run__wrong_sequence_number(void **state)
{
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 2:102(100) ack 1\n",
	      "t.pkt:9: the packet sent is not the one expected: another sequence number\n"
	      "  expected  0.200000   > P. 2:102(100) ack 1\n"
	      "  seen      0.200000   > P. 1:101(100) ack 1\n");
}

static void drill_run__wrong_fields(void **state)
{
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 2\n", "another ACK number");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:100(99) ack 1\n", "another length");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:102(101) ack 1\n", "another length");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > . 1:101(100) ack 1\n", "other flags");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 win 1\n", "another window");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,nop,nop>\n", "other TCP options");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > [ce] P. 1:101(100) ack 1\n", "another ECN field");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > (ttl 9) P. 1:101(100) ack 1\n", "another TTL");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > udp (100)\n", "another protocol");
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
	      "+0 < S 0:0(0) win 32792 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1461>\n",
	      "other TCP options");
}

static void drill_run__missing_packet(void **state)
{
	fails(OPEN "+0 > P. 1:101(100) ack 1\n",
	      "t.pkt:8: no packet was sent\n  expected  0.200000   > P. 1:101(100) ack 1\n  seen      nothing\n");
}

static void drill_run__unexpected_packet(void **state)
{
	const char *text = OPEN "+0 write(4, ..., 100) = 100\n";
	fails(text, "t.pkt:8: a packet was sent that no event expects\n  expected  nothing\n"
		"  seen      0.200000   > P. 1:101(100) ack 1 win");
	assert_int_equal(run_with(text, false), DRILL_PASSED); /* as packetdrill, unless strict */
	fails(OPEN "+0 write(4, ..., 100) = 100\n+.1 close(4) = 0\n+0 > F. 101:101(0) ack 1\n", "other flags");
}

static void drill_run__wrong_time(void **state)
{
	fails(OPEN "+0 write(4, ..., 100) = 100\n+.1 > P. 1:101(100) ack 1\n",
	      "t.pkt:9: this packet was sent at the wrong time\n  expected  at 0.300000 (within 0.012500)\n  seen      at 0.200000\n");
	/* Retransmitted after 200 ms (the RTO floor is 200 ms on a first RTT of 100 ms: RTTVAR makes it 300 ms). */
	passes("--tolerance_usecs=3000\n--tolerance_percent=0\n" OPEN
	       "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1\n* > P. 1:101(100) ack 1\n");
	fails(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1\n+.01~+.05 > P. 1:101(100) ack 1\n", "at the wrong time");
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+1 close(3) = 0\n.5 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n",
		"t.pkt:3: this event comes at the wrong time");
}

static void drill_run__wrong_result_or_errno(void **state)
{
	fails(OPEN "+0 write(4, ..., 100) = 99\n",
	      "t.pkt:8: write() gave another result\n  expected  write(4, ..., 100) = 99\n  seen      write(4, ..., 100) = 100\n");
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(9, 1) = -1 EINVAL (x)\n",
	      "expected  listen(9, 1) = -1 EINVAL\n  seen      listen(9, 1) = -1 EBADF\n");
	passes("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 listen(9, 1) = -1 EBADF (x)\n+0 close(9) = -1\n");
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n", "open already");
	fails("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = -1 EINVAL (x)\n", "seen      socket(..., SOCK_STREAM, IPPROTO_TCP) = 3");
}

static void drill_run__wrong_values_of_calls(void **state)
{
	fails(OPEN "+0 getsockopt(4, SOL_TCP, TCP_NODELAY, [1], [4]) = 0\n", "gave another value\n  expected  1\n  seen      0\n");
	fails(OPEN "+0 ioctl(4, SIOCINQ, [5]) = 0\n", "gave another value\n  expected  5\n  seen      0\n");
	fails(OPEN "+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN}], 1, 0) = 1\n",
		"another revents\n  expected  0x1\n  seen      0x4\n");
	fails(OPEN "+0 epoll_create(1) = 5\n+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0\n"
		   "+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1\n", "another events\n  expected  0x1\n  seen      0x4\n");
	fails(OPEN "+0 epoll_create(1) = 5\n+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLOUT, fd=4}) = 0\n"
		   "+0 epoll_wait(5, {events=EPOLLOUT, fd=7}, 1, 0) = 1\n", "another data of the event");
}

static void drill_run__wrong_assertion(void **state)
{
	fails(OPEN "+0 %{ assert tcpi_state == TCP_CLOSE, tcpi_state }%\n", "t.pkt:8: assert tcpi_state == TCP_CLOSE: 1\n");
	fails(OPEN "+0 %{\nx = 1\nassert x == tcpi_nonsense\n}%\n", "t.pkt:10: unknown name 'tcpi_nonsense'\n");
}

static void drill_run__blocking_calls(void **state)
{
	passes(OPEN "+0...0.1 read(4, ..., 100) = 10\n+.1 < P. 1:11(10) ack 1 win 32792\n* > . 1:1(0) ack 11\n");
	fails(OPEN "+0 read(4, ..., 100) = 10\n", "read() blocks: a script says so by START...END");
	fails(OPEN "+0...0.3 read(4, ..., 100) = 10\n+.1 < P. 1:11(10) ack 1 win 32792\n",
	      "this call returned at the wrong time\n  expected  at 0.500000");
	fails(OPEN "+0...0.1 read(4, ..., 100) = 10\n",
		"read() has not returned\n  expected  at 0.300000\n  seen      it still waits at 2.300000\n");
	fails(OPEN "+0...0.1 read(4, ..., 100) = 9\n+.1 < P. 1:11(10) ack 1 win 32792\n", "read() gave another result");
	passes(OPEN "+0...0.05 poll([{fd=4, events=POLLIN}], 1, 50) = 0\n");
	passes("--tolerance_usecs=1000\n" OPEN "+0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, [0, 30000], 16) = 0\n"
	       "+0...0.03 read(4, ..., 5) = -1 EAGAIN (x)\n");
}

static void drill_run__what_cannot_be_mapped_is_said(void **state)
{
	fails("0 `sysctl -q net.ipv4.tcp_nonsense=1`\n", "t.pkt:1: tcp_nonsense = 1 cannot be mapped: the stack has no such setting\n");
	fails("0 `sysctl -q net.ipv4.tcp_dsack=0`\n", "tcp_dsack = 0 cannot be mapped: the stack does this in one way only\n");
	fails("0 `rm -rf /`\n", "the command 'rm' cannot be mapped: commands are not run\n");
	passes("`sysctl -q net.ipv4.tcp_sack=1 \\\n net.ipv4.tcp_rmem=\"4096 100000 200000\"; ethtool -K tun0 gso off`\n"
		"+0 socket(..., SOCK_STREAM, 0) = 3\n");
	assert_int_equal(run_with("--ip_version=ipv6\n0 close(3) = 0\n", true), DRILL_WRONG);
	assert_int_equal(run_with("--whatever\n0 close(3) = 0\n", true), DRILL_WRONG);
	assert_int_equal(run_with("0 close(3 = 0\n", true), DRILL_WRONG);
	assert_string_equal(err_text, "t.pkt:1:11: expected ')', not '='\n");
	fails(OPEN "+0 send(4, ..., 1, MSG_FASTOPEN) = 1\n", "is not built");
	fails("0 frobnicate(3) = 0\n", "the call frobnicate() is not known here");
}

static void drill_run__udp_and_icmp(void **state)
{
	passes("0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 bind(3, ..., ...) = 0\n+0 < udp (100)\n"
	       "+0 recvfrom(3, ..., 1000, 0, ..., ...) = 100\n"
	       "+0 connect(3, ..., ...) = 0\n+0 write(3, ..., 200) = 200\n+0 > udp (200)\n");
	fails("0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+0 connect(3, ..., ...) = 0\n"
	      "+0 write(3, ..., 200) = 200\n+0 > udp (201)\n", "another length");
	passes("0 < udp (10)\n+0 > icmp unreachable port_unreachable\n");
	fails("0 < udp (10)\n+0 > icmp unreachable host_unreachable\n", "another ICMP message");
	passes(OPEN "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1\n+0 < icmp unreachable host_unreachable [1:101(100)]\n"
		    "+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EHOSTUNREACH], [4]) = 0\n+.01 < . 1:1(0) ack 101 win 32792\n");
}

/* The stack's own timestamps are unknown to a script; echoes and later values are compared by it. */
static void drill_run__timestamps(void **state)
{
#define OPEN_TS                                                                                       \
	"--tcp_ts_tick_usecs=1000\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n" \
	"+0 listen(3, 1) = 0\n+.1 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 900 ecr 0>\n"            \
	"+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 900>\n"
	const char *good = OPEN_TS "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 1000 ecr 100>\n+0 accept(3, ..., ...) = 4\n"
				   "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,TS val 200 ecr 1000>\n";
	passes(good);
	fails(OPEN_TS "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 1000 ecr 77>\n", "TS ecr 77 echoes no TS val");
	fails(OPEN_TS "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 1000 ecr 100>\n+0 accept(3, ..., ...) = 4\n"
		      "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,TS val 300 ecr 1000>\n", "another TS val");
	fails(OPEN_TS "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 1000 ecr 100>\n+0 accept(3, ..., ...) = 4\n"
		      "+0 write(4, ..., 100) = 100\n+0 > P. 1:101(100) ack 1 <nop,nop,TS val 200 ecr 900>\n", "another TS ecr");
}

static void drill_run__two_runs_are_identical(void **state)
{
	const char *text = OPEN "+0 write(4, ..., 30000) = 30000\n+0 > . 1:10001(10000) ack 1 win 1\n";
	char *first = malloc(sizeof(err_text));
	assert_non_null(first);
	assert_int_equal(run_with(text, true), DRILL_FAILED);
	memcpy(first, err_text, sizeof(err_text));
	int64_t t = done.virtual_ns;
	assert_int_equal(run_with(text, true), DRILL_FAILED);
	assert_memory_equal(first, err_text, sizeof(err_text));
	assert_int_equal(t, done.virtual_ns);
	free(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drill_run__right_expectations),
		cmocka_unit_test(drill_run__wrong_sequence_number),
		cmocka_unit_test(drill_run__wrong_fields),
		cmocka_unit_test(drill_run__missing_packet),
		cmocka_unit_test(drill_run__unexpected_packet),
		cmocka_unit_test(drill_run__wrong_time),
		cmocka_unit_test(drill_run__wrong_result_or_errno),
		cmocka_unit_test(drill_run__wrong_values_of_calls),
		cmocka_unit_test(drill_run__wrong_assertion),
		cmocka_unit_test(drill_run__blocking_calls),
		cmocka_unit_test(drill_run__what_cannot_be_mapped_is_said),
		cmocka_unit_test(drill_run__udp_and_icmp),
		cmocka_unit_test(drill_run__timestamps),
		cmocka_unit_test(drill_run__two_runs_are_identical),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
