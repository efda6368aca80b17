/* lab/maildir.c: whole messages in new/ and nothing else, one file in several mailboxes, names that stay inside, trouble; and the
 * smtp service's keys in a topology file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/maildir.h"
#include "lab/topo.h"
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 600 };
static char root[64], mail_root[80];
static struct serve_mail mail;

static int setup(void **state)
{
	snprintf(root, sizeof root, "/tmp/viaduct-maildir-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(mail_root, sizeof mail_root, "%s/mail", root); /* not there yet */
	return maildir_open(mail_root, "mail.lab", &mail);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *w)
{
	return remove(path);
}

static int teardown(void **state)
{
	maildir_close(&mail);
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* How many entries BOX/PART has; the path of the last one in out. -1: no such folder. */
static int entries(const char *box, const char *part, char out[PATH])
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s/%s", mail_root, box, part);
	DIR *d = opendir(path);
	int n = 0;
	if (!d)
		return -1;
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		snprintf(out, PATH, "%s/%s", path, e->d_name);
	}
	closedir(d);
	return n;
}

static uint64_t begin(const char *const *boxes, uint32_t n)
{
	uint64_t token = 0;
	assert_int_equal(mail.begin(mail.ctx, boxes, n, &token), 0);
	assert_true(token != 0);
	return token;
}

static void maildir__a_message_appears_whole(void **state)
{
	static const char *const boxes[] = {"alice"};
	char path[PATH], text[64];
	uint64_t t = begin(boxes, 1);
	assert_int_equal(mail.write(mail.ctx, t, "hello\r\n", 7), 0);
	assert_int_equal(entries("alice", "new", path), 0);
	assert_int_equal(entries("alice", "cur", path), 0);
	assert_int_equal(entries("alice", "tmp", path), 1);
	assert_int_equal(mail.write(mail.ctx, t, "world\r\n", 7), 0);
	assert_int_equal(mail.commit(mail.ctx, t), 0);
	assert_int_equal(entries("alice", "tmp", path), 0);
	assert_int_equal(entries("alice", "new", path), 1);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	assert_int_equal(n, 14);
	assert_memory_equal(text, "hello\r\nworld\r\n", 14);
	assert_string_equal(path + strlen(path) - 9, ".mail.lab");
}

static void maildir__many_at_once_have_names_of_their_own(void **state)
{
	static const char *const boxes[] = {"alice"};
	uint64_t t[50];
	char path[PATH];
	for (int i = 0; i < 50; i++)
		t[i] = begin(boxes, 1);
	assert_int_equal(entries("alice", "tmp", path), 50);
	for (int i = 0; i < 50; i += 2)
		mail.abort(mail.ctx, t[i]);
	for (int i = 1; i < 50; i += 2)
		assert_int_equal(mail.commit(mail.ctx, t[i]), 0);
	assert_int_equal(entries("alice", "tmp", path), 0);
	assert_int_equal(entries("alice", "new", path), 25);
}

static void maildir__several_mailboxes_or_none(void **state)
{
	static const char *const boxes[] = {"alice", "bob", "carol"};
	char path[PATH], away[512], hidden[512];
	uint64_t t = begin(boxes, 3);
	assert_int_equal(mail.write(mail.ctx, t, "x", 1), 0);
	assert_int_equal(mail.commit(mail.ctx, t), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(entries(boxes[i], "new", path), 1);
		assert_int_equal(entries(boxes[i], "tmp", path), 0);
		unlink(path);
	}
	t = begin(boxes, 3);
	snprintf(away, sizeof away, "%s/bob/new", mail_root);
	snprintf(hidden, sizeof hidden, "%s/bob/away", mail_root);
	for (int i = 0; i < 3; i++)
		if (entries(boxes[i], "new", path) > 0)
			unlink(path);
	assert_int_equal(rename(away, hidden), 0); /* one of them cannot take it */
	assert_int_equal(mail.commit(mail.ctx, t), -ENOENT);
	assert_int_equal(entries("alice", "new", path), 0);
	assert_int_equal(entries("carol", "new", path), 0);
	assert_int_equal(entries("alice", "tmp", path), 0);
}

static void maildir__names_stay_inside(void **state)
{
	static const char *const boxes[] = {"../x", ".", "a/b", "%2e", "a.b+c"},
		*const folders[] = {"%2e.%2fx", "%2e", "a%2fb", "%252e", "a.b+c"};
	char path[PATH], longest[65];
	for (int i = 0; i < 5; i++) {
		assert_int_equal(mail.commit(mail.ctx, begin(&boxes[i], 1)), 0);
		assert_int_equal(entries(folders[i], "new", path), 1);
	}
	memset(longest, '/', 64);
	longest[64] = 0;
	const char *one = longest;
	assert_int_equal(mail.commit(mail.ctx, begin(&one, 1)), 0);
	longest[63] = '!'; /* another mailbox, though it differs in the last octet only */
	assert_int_equal(mail.commit(mail.ctx, begin(&one, 1)), 0);
	char folder[200] = "";
	for (int i = 0; i < 64; i++)
		strcat(folder, "%2f");
	assert_int_equal(entries(folder, "new", path), 1);
}

static void maildir__a_link_in_the_place_of_a_mailbox_is_not_followed(void **state)
{
	static const char *const boxes[] = {"eve"};
	char path[200];
	uint64_t t;
	mkdir(mail_root, 0700);
	snprintf(path, sizeof path, "%s/eve", mail_root);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(mail.begin(mail.ctx, boxes, 1, &t) < 0);
}

static void maildir__no_parent_no_mail(void **state)
{
	static const char *const boxes[] = {"alice"};
	struct serve_mail m;
	uint64_t t;
	char path[200];
	snprintf(path, sizeof path, "%s/none/mail", root);
	assert_int_equal(maildir_open(path, "h", &m), 0);
	assert_int_equal(m.begin(m.ctx, boxes, 1, &t), -ENOENT);
	maildir_close(&m);
}

static struct topo *parse(const char *service, struct lab_error *err)
{
	char text[512];
	snprintf(text, sizeof text, "name: t\ntopology:\n  nodes:\n    post:\n      kind: host\n      services: {smtp: {%s}}\n", service);
	return topo_parse(text, strlen(text), "dir/t.yaml", err);
}

static void topo_smtp__keys(void **state)
{
	struct lab_error err;
	struct topo *t = parse("maildir: m", &err);
	assert_non_null(t);
	const struct topo_service *s = &t->nodes[0].services[0];
	assert_int_equal(s->kind, TOPO_SMTP);
	assert_int_equal(s->port, 25);
	assert_string_equal(s->root, "dir/m");
	assert_string_equal(s->domains[0], "post.lab");
	assert_string_equal(s->domains[1], "post");
	assert_null(s->domains[2]);
	assert_null(s->mailboxes);
	topo_free(t);
	t = parse("maildir: /m, port: 2525, domains: [a.lab, b], mailboxes: alice, size: 100000", &err);
	assert_non_null(t);
	s = &t->nodes[0].services[0];
	assert_string_equal(s->root, "/m");
	assert_string_equal(s->domains[1], "b");
	assert_string_equal(s->mailboxes[0], "alice");
	assert_null(s->mailboxes[1]);
	assert_int_equal(s->size, 100000);
	topo_free(t);
}

static void topo_smtp__mistakes(void **state)
{
	static const struct {
		const char *service, *says;
	} all[] = {
		{"port: 25", "needs 'maildir'"}, {"maildir: m, domains: [a..b]", "'a..b' is no domain"},
		{"maildir: m, domains: []", "at least one"},
		{"maildir: m, mailboxes: [alice, \"b c\"]", "'b c' is no mailbox"}, {"maildir: m, size: 1000", "size"},
		{"maildir: m, domain: a", "domain"},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		struct lab_error err;
		assert_null(parse(all[i].service, &err));
		assert_int_equal(err.line, 6);
		assert_non_null(strstr(err.text, all[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(maildir__a_message_appears_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(maildir__many_at_once_have_names_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(maildir__several_mailboxes_or_none, setup, teardown),
		cmocka_unit_test_setup_teardown(maildir__names_stay_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(maildir__a_link_in_the_place_of_a_mailbox_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(maildir__no_parent_no_mail, setup, teardown),
		cmocka_unit_test(topo_smtp__keys),
		cmocka_unit_test(topo_smtp__mistakes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
