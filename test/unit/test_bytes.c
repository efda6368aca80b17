/* The bounded reader and writer: every value, and every way to run past the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"

static const uint8_t text[7] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd};

static void reader__values(void **state)
{
	struct reader r = reader_of(text, sizeof(text));

	assert_int_equal(rd_u8(&r), 0x01);
	assert_int_equal(rd_be16(&r), 0x2345);
	assert_int_equal(rd_be32(&r), 0x6789abcd);
	assert_int_equal(rd_left(&r), 0);
	assert_false(r.bad);
}

static void req_HARD_01__reader_past_the_end(void **state)
{
	for (size_t n = 0; n < 4; n++) {
		struct reader r = reader_of(text, n);
		assert_int_equal(rd_be32(&r), 0);
		assert_true(r.bad);
		assert_int_equal(rd_left(&r), n); /* nothing moved */
		assert_int_equal(rd_u8(&r), 0);   /* and it stays bad */
		assert_null(rd_bytes(&r, 0));
	}
	struct reader r = reader_of(text, sizeof(text));
	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_true(r.bad);
}

static void writer__values_and_end(void **state)
{
	uint8_t out[8];

	memset(out, 0xee, sizeof(out));
	struct writer w = writer_of(out, 7);
	wr_u8(&w, 0x01);
	wr_be16(&w, 0x2345);
	wr_be32(&w, 0x6789abcd);
	assert_false(w.bad);
	assert_memory_equal(out, text, 7);
	wr_u8(&w, 1);
	assert_true(w.bad);
	assert_int_equal(out[7], 0xee);
	w = writer_of(out, 3);
	wr_be32(&w, 0);
	wr_u8(&w, 0);
	assert_true(w.bad);
	assert_memory_equal(out, text, 7);
	w = writer_of(out, 3);
	wr_bytes(&w, "abc", 3);
	assert_false(w.bad);
	assert_memory_equal(out, "abc", 3);
	assert_null(wr_room(&w, SIZE_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reader__values),
		cmocka_unit_test(req_HARD_01__reader_past_the_end),
		cmocka_unit_test(writer__values_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
