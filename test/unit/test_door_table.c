/* door/table.c against a plain array: sockets are found by inode, and only while they are in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door/inside.h"

#include <stdlib.h>

enum { N = 3000 };

static void table__finds_what_is_in(void **state)
{
	struct door *d = calloc(1, sizeof(*d));
	struct dsock *s = calloc(N, sizeof(*s));
	bool in[N] = {false};
	uint32_t x = 1;
	for (int round = 0; round < 20000; round++) {
		x = x * 1664525u + 1013904223u;
		int i = (int)(x >> 8) % N;
		/* Many inodes share a bucket. */
		ino_t ino = (ino_t)i * 64 + 1;
		if (in[i])
			door_table_del(d, &s[i]);
		else
			door_table_add(d, &s[i], ino);
		in[i] = !in[i];
		int k = (int)(x >> 4) % N;
		ino_t want = s[k].ino;
		assert_int_equal(want != 0, in[k]);
		if (in[k])
			assert_ptr_equal(door_table_find(d, want), &s[k]);
	}
	for (int i = 0; i < N; i++) {
		ino_t ino = s[i].ino;
		door_table_del(d, &s[i]);
		assert_null(ino ? door_table_find(d, ino) : NULL);
		door_table_del(d, &s[i]); /* once more is harmless */
	}
	free(s);
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table__finds_what_is_in)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
