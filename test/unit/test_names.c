/* Every drop and every reason to send has a name of its own and a sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pkt/pkt.h"

static void names__all_are_there(void **state)
{
	for (unsigned d = 0; d < DROP_COUNT; d++) {
		assert_true(strlen(drop_name((enum drop)d)) > 0 && strlen(drop_text((enum drop)d)) > 0);
		for (unsigned e = 0; e < d; e++)
			assert_string_not_equal(drop_name((enum drop)d), drop_name((enum drop)e));
	}
	for (unsigned w = 0; w < WHY_COUNT; w++) {
		assert_true(strlen(why_name((enum why)w)) > 0 && why_text((enum why)w));
		for (unsigned v = 0; v < w; v++)
			assert_string_not_equal(why_name((enum why)w), why_name((enum why)v));
	}
	assert_string_equal(drop_name(DROP_TCP_PAWS), "tcp.paws");
	assert_string_equal(why_name(WHY_SYN_ACK), "syn-ack");
	assert_string_equal(drop_name((enum drop)DROP_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(names__all_are_there)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
