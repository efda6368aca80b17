/* fuzz_smtp_client.c - the client engine: whatever the server says and however it is cut, the same is said back; that is
 * made of whole lines without bare CR or LF; its text ends in one lone dot at most. The first byte chooses the cut, the
 * second the message. */
#include "test/fuzz/fuzz.h"
#include "app/smtp/client.h"

enum { SAID = 65536, RCPTS = 60 };

struct seen {
	size_t n;
	enum smtp_stage stage;
	bool has_failed;
	uint16_t code;
	char said[SAID];
};

static void keep(struct smtp_client *c, struct seen *o)
{
	CHECK(o->n + c->out_len <= SAID);
	memcpy(o->said + o->n, c->out, c->out_len);
	o->n += c->out_len;
	smtp_client_sent(c, c->out_len);
}

static void run(const uint8_t *data, size_t len, size_t piece, uint8_t choice, struct seen *o)
{
	static const char *const texts[] = {"", "a\r\n", ".\r\n..\r\n", "\n.\n\r.\r", "no end", "\r"};
	static struct smtp_client c;
	static struct smtp_path from = {"me", "home.lab"}, to[RCPTS];
	static uint16_t codes[RCPTS];
	const char *text = texts[choice % 6];
	for (int i = 0; i < RCPTS && !to[i].local[0]; i++)
		to[i] = (struct smtp_path){"you there", "mail.lab"};
	smtp_client_init(&c, &(struct smtp_client_config){.name = "home.lab", .from = &from, .to = to,
		.n_to = choice & 64 ? RCPTS : 1 + choice % 3u,
		.codes = codes, .size = strlen(text) + (choice & 32 ? 1000 : 0), .is_8bit = choice & 16});
	o->n = 0;
	for (size_t at = 0, k; at < len && !smtp_client_is_done(&c); at += k) {
		k = len - at < piece ? len - at : piece;
		const uint8_t *end = memchr(data + at, '\n', k); /* a reply at a time: what comes before its question counts otherwise */
		k = end ? (size_t)(end - (data + at)) + 1 : k;
		smtp_client_feed(&c, data + at, k);
		CHECK(c.out_len <= sizeof(c.out));
		do {
			keep(&c, o);
		} while (c.out_len);
		if (smtp_client_wants_text(&c)) {
			CHECK(smtp_client_text(&c, text, strlen(text)) == strlen(text));
			smtp_client_text_end(&c);
			keep(&c, o);
		}
	}
	o->stage = c.stage;
	o->has_failed = c.has_failed;
	o->code = c.code;
	CHECK(strlen(c.said) <= SMTP_REPLY_MAX && (!smtp_client_is_done(&c) || c.has_failed || c.code / 100 == 2));
	CHECK(smtp_client_wait(&c) >= SMTP_WAIT_DATA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct seen one, two;
	size_t dots = 0;
	if (len < 2)
		return 0;
	run(data + 2, len - 2, len, data[1], &one);
	run(data + 2, len - 2, data[0] % 32 + 1u, data[1], &two);
	CHECK(one.n == two.n && memcmp(one.said, two.said, one.n) == 0 && one.stage == two.stage && one.code == two.code);
	CHECK(one.has_failed == two.has_failed);
	for (size_t i = 0; i < one.n; i++) {
		CHECK(one.said[i] != '\r' || (i + 1 < one.n && one.said[i + 1] == '\n'));
		CHECK(one.said[i] != '\n' || (i > 0 && one.said[i - 1] == '\r'));
		dots += one.said[i] == '.' && i >= 2 && one.said[i - 1] == '\n' && i + 2 < one.n && one.said[i + 1] == '\r';
	}
	CHECK(dots <= 1 && (one.n == 0 || one.said[one.n - 1] == '\n'));
	return 0;
}
