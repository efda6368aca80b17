/* lab/folder.c: files are given whole and stay as they were, folders are listed, and nothing outside the folder is reachable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct serve_files files;

static void put(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", root, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	char path[128];
	snprintf(root, sizeof root, "/tmp/viaduct-folder-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof path, "%s/www", root);
	mkdir(path, 0755);
	snprintf(path, sizeof path, "%s/www/sub", root);
	mkdir(path, 0755);
	put("secret", "hidden");
	put("www/a.txt", "hello");
	put("www/empty", "");
	put("www/.hidden", "x");
	snprintf(path, sizeof path, "%s/www/out", root);
	if (symlink("../secret", path))
		return -1;
	snprintf(path, sizeof path, "%s/www/in", root);
	if (symlink("a.txt", path))
		return -1;
	snprintf(path, sizeof path, "%s/www", root);
	return folder_open(path, &files);
}

static int teardown(void **state)
{
	static const char *const names[] = {"www/out", "www/in", "www/a.txt", "www/empty", "www/.hidden", "secret"};
	char path[128];
	folder_close(&files);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", root, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/www/sub", root);
	rmdir(path);
	snprintf(path, sizeof path, "%s/www", root);
	rmdir(path);
	return rmdir(root);
}

static void folder__gives_a_file(void **state)
{
	struct serve_file f;
	assert_int_equal(files.open(files.ctx, "/a.txt", &f), 0);
	assert_int_equal(f.len, 5);
	assert_memory_equal(f.data, "hello", 5);
	assert_true(f.mtime > 1000000000);
	files.close(files.ctx, &f);
	assert_int_equal(files.open(files.ctx, "/empty", &f), 0);
	assert_int_equal(f.len, 0);
	files.close(files.ctx, &f);
}

/* Whoever edits a file while it is served must not be able to kill the server, nor change what is under way. */
static void folder__a_file_cut_or_overwritten_while_open_stays_whole(void **state)
{
	enum { BYTES = 100000 };
	char path[128], *text = malloc(BYTES + 1);
	struct serve_file f, twin, next;
	memset(text, 'x', BYTES);
	text[BYTES] = 0;
	put("www/a.txt", text);
	assert_int_equal(files.open(files.ctx, "/a.txt", &f), 0);
	assert_int_equal(files.open(files.ctx, "/a.txt", &twin), 0);
	assert_int_equal(f.len, BYTES);
	snprintf(path, sizeof path, "%s/www/a.txt", root);
	assert_int_equal(truncate(path, 0), 0);
	assert_memory_equal(f.data, text, BYTES);
	put("www/a.txt", "hello");
	assert_memory_equal(f.data, text, BYTES);
	assert_int_equal(files.open(files.ctx, "/a.txt", &next), 0);
	assert_int_equal(next.len, 5);
	assert_memory_equal(next.data, "hello", 5);
	files.close(files.ctx, &f);
	assert_memory_equal(twin.data, text, BYTES);
	files.close(files.ctx, &next);
	files.close(files.ctx, &twin);
	free(text);
}

static void folder__says_what_is_not_a_file(void **state)
{
	struct serve_file f;
	assert_int_equal(files.open(files.ctx, "/none", &f), -ENOENT);
	assert_int_equal(files.open(files.ctx, "/", &f), -EISDIR);
	assert_int_equal(files.open(files.ctx, "/sub", &f), -EISDIR);
	assert_int_equal(files.open(files.ctx, "/sub/", &f), -EISDIR);
}

static void folder__nothing_outside(void **state)
{
	struct serve_file f;
	assert_true(files.open(files.ctx, "/../secret", &f) < 0);
	assert_true(files.open(files.ctx, "/sub/../../secret", &f) < 0);
	assert_true(files.open(files.ctx, "/out", &f) < 0); /* a link that leads out */
	if (files.open(files.ctx, "/in", &f) == 0) { /* one that stays in may work */
		assert_memory_equal(f.data, "hello", 5);
		files.close(files.ctx, &f);
	}
}

static void folder__lists(void **state)
{
	char text[256] = "", one[10];
	int64_t n = files.list(files.ctx, "/", text, sizeof text - 1);
	assert_true(n > 0);
	assert_string_equal(text, "a.txt\nempty\nin\nout\nsub/\n");
	assert_int_equal(n, strlen(text));
	assert_int_equal(files.list(files.ctx, "/", one, sizeof one), 6); /* as many as fit, whole */
	assert_memory_equal(one, "a.txt\n", 6);
	assert_int_equal(files.list(files.ctx, "/none/", text, sizeof text), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folder__gives_a_file),
		cmocka_unit_test(folder__a_file_cut_or_overwritten_while_open_stays_whole),
		cmocka_unit_test(folder__says_what_is_not_a_file),
		cmocka_unit_test(folder__nothing_outside),
		cmocka_unit_test(folder__lists),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
