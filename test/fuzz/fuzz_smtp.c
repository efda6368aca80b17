/* fuzz_smtp.c - the server engine: the same replies and mail come out however the bytes are cut; replies are whole lines;
 * what is kept has CRLF alone, no NUL and no long line; a path that was read is read the same from what we write of it.
 * The first byte chooses the cut, the second what the owner answers. */
#include "test/fuzz/fuzz.h"
#include "app/smtp/server.h"

enum { KEPT = 8192 };

struct seen {
	size_t n_kept, n_said, n_mails;
	bool closed;
	char kept[KEPT], said[16 * KEPT];
};

static void check_path(const struct smtp_path *p)
{
	struct smtp_path again;
	char text[4 * SMTP_PATH_MAX];
	struct writer w = writer_of(text, sizeof(text));
	smtp_path_put(&w, p);
	CHECK(!w.bad);
	struct reader r = reader_of(text, (size_t)(w.p - (uint8_t *)text));
	enum smtp_syntax s = smtp_path_read(&r, &again);
	if (s == SMTP_SYNTAX_LONG) /* quotes that were not needed are gone, but what needs a backslash had one: never longer */
		CHECK(false);
	CHECK(s == SMTP_SYNTAX_OK && rd_left(&r) == 0);
	CHECK(strcmp(p->local, again.local) == 0 && strcmp(p->domain, again.domain) == 0);
}

static void check_kept(const char *p, size_t n)
{
	size_t line = 0;
	for (size_t i = 0; i < n; i++) {
		CHECK(p[i] != 0 && ++line <= SMTP_TEXT_MAX);
		if (p[i] == '\r')
			CHECK(i + 1 < n && p[i + 1] == '\n');
		if (p[i] != '\n')
			continue;
		CHECK(i > 0 && p[i - 1] == '\r');
		line = 0;
	}
	CHECK(line == 0);
}

static void check_said(const char *p, size_t n)
{
	size_t line = 0;
	for (size_t i = 0; i < n; i++, line++) {
		CHECK(line < SMTP_REPLY_MAX && (line > 2 || (p[i] >= '0' && p[i] <= '9')));
		if (p[i] != '\n')
			continue;
		CHECK(line > 4 && p[i - 1] == '\r');
		line = SIZE_MAX; /* counted up to 0 */
	}
	CHECK(line == 0);
}

static void on_event(struct smtp_server *s, enum smtp_event what, uint8_t choice, struct seen *o)
{
	static size_t begun;
	switch (what) {
	case SMTP_RCPT:
		check_path(&s->to);
		smtp_server_answer(s, (enum smtp_answer)((choice & 7) < 4 ? SMTP_YES : (choice & 7) - 3));
		break;
	case SMTP_BEGIN:
		check_path(&s->from);
		CHECK(s->n_rcpts > 0 && s->n_rcpts <= SMTP_RCPTS_MAX);
		begun = o->n_kept;
		smtp_server_answer(s, choice & 16 ? SMTP_NO_SPACE : SMTP_YES);
		break;
	case SMTP_TEXT:
		CHECK(s->text_len > 0 && o->n_kept + s->text_len <= KEPT);
		memcpy(o->kept + o->n_kept, s->text, s->text_len);
		o->n_kept += s->text_len;
		break;
	case SMTP_DROP:
		o->n_kept = begun;
		break;
	case SMTP_END:
		check_kept(o->kept + begun, o->n_kept - begun);
		o->n_mails++;
		smtp_server_answer(s, choice & 8 ? SMTP_FAILED : SMTP_YES);
		break;
	case SMTP_CLOSE:
		o->closed = true;
		break;
	case SMTP_MORE:
		break;
	}
}

static void run(const uint8_t *data, size_t len, size_t piece, uint8_t choice, struct seen *o)
{
	static struct smtp_server s;
	o->n_kept = o->n_said = o->n_mails = 0;
	o->closed = false;
	smtp_server_init(&s, &(struct smtp_server_config){.name = "mail.lab"});
	for (size_t at = 0; at < len && !o->closed;) {
		enum smtp_event what;
		size_t want = len - at < piece ? len - at : piece, k = smtp_server_feed(&s, data + at, want, &what);
		CHECK(k <= want && (k > 0 || what != SMTP_MORE || s.out_len > 0));
		at += k;
		on_event(&s, what, choice, o);
		size_t n = o->n_said + s.out_len < sizeof(o->said) ? s.out_len : sizeof(o->said) - o->n_said;
		memcpy(o->said + o->n_said, s.out, n);
		o->n_said += n;
		smtp_server_sent(&s, s.out_len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct seen whole, cut;
	if (len < 2)
		return 0;
	run(data + 2, len - 2, len, data[1], &whole);
	run(data + 2, len - 2, data[0] % 32 + 1u, data[1], &cut);
	check_said(whole.said, whole.n_said);
	CHECK(whole.n_said == cut.n_said && memcmp(whole.said, cut.said, cut.n_said) == 0 && whole.n_mails == cut.n_mails);
	/* of a message that is under way at the end, a cut may have handed out more before a flaw */
	CHECK(whole.closed == cut.closed);
	return 0;
}
