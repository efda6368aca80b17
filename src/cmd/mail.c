/* cmd/mail.c - `via mail send`: one message by SMTP, with swaks' words, transcript and exit status.
 *
 * The conversation is app/smtp's pure client engine; here are a socket of the machine's, the time and the telling. It is a
 * program as any other: under `via lab exec` or `via run` its socket is ours, so that it can be started on any node.
 * Not here, of swaks: TLS, AUTH, pipes, the look-up of a domain's mail server (MX). */
#include "app/smtp/client.h"
#include "cmd/job.h"
#include "cmd/lab_host.h"
#include "cmd/mail_text.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAIL_TO, MAIL_FROM, MAIL_SERVER, MAIL_PORT, MAIL_HELO, MAIL_HEADER, MAIL_BODY, MAIL_DATA, MAIL_ATTACH, MAIL_TIMEOUT };
enum { MAIL_TO_MAX = 100, PATH_TEXT = 2 * SMTP_LOCAL_MAX + SMTP_DOMAIN_MAX + 8 /* as smtp_path_put() spells it */ };
/* swaks' (its manual page, EXIT CODES) */
enum { MAIL_NO_CONNECTION = 2, MAIL_LOST = 6, MAIL_BAD_GREETING = 21, MAIL_BAD_HELO, MAIL_BAD_FROM, MAIL_BAD_TO, MAIL_BAD_DATA,
	MAIL_BAD_TEXT };
static const struct cmd_option options[] = {
	[MAIL_TO] = {'t', "to", "ADDRESS,...", "who shall have it; may come again"},
	[MAIL_FROM] = {'f', "from", "ADDRESS", "who sends it (USER@HOST); <> is nobody"},
	[MAIL_SERVER] = {'s', "server", "NAME|ADDRESS[:PORT]", "the mail server (the domain of the first --to)"},
	[MAIL_PORT] = {'p', "port", "N", "its port (25)"},
	[MAIL_HELO] = {0, "helo", "NAME", "what we call ourselves"},
	[MAIL_HEADER] = {0, "header", "NAME: VALUE", "a line of the head, instead of the usual one; may come again"},
	[MAIL_BODY] = {0, "body", "TEXT|@FILE|-", "the text; \\n is a line end"},
	[MAIL_DATA] = {'d', "data", "TEXT|@FILE|-", "head and text as they are, instead of ours"},
	[MAIL_ATTACH] = {0, "attach", "@FILE", "a file besides the text; may come again"},
	[MAIL_TIMEOUT] = {0, "timeout", "SECONDS", "without a word from the server (30)"},
	{0, NULL, NULL, NULL},
};

struct mail {
	struct smtp_client client;
	struct smtp_path from, to[MAIL_TO_MAX];
	uint16_t codes[MAIL_TO_MAX];
	uint32_t n_to;
	const char *helo, *port;
	char host[SMTP_DOMAIN_MAX + 1], server[300], sender[SMTP_PATH_MAX];
	int64_t timeout;
	char *text;
	size_t text_len, text_sent;
	bool was_lost;
	struct { char text[1100]; size_t n; } said, heard; /* a line each, for the transcript */
};

static bool is_told(void)
{
	return !cmd_global.quiet && !cmd_global.json;
}

/* --- the transcript --- */

static void tell_line(const char *mark, char *text, size_t *n)
{
	printf("%s", mark);
	for (size_t i = 0; i < *n; i++)
		putchar((unsigned char)text[i] < ' ' && text[i] != '\t' ? '?' : text[i]); /* a server shall not steer the terminal */
	putchar('\n');
	*n = 0;
}

static void tell_said(struct mail *m, const char *d, size_t n)
{
	for (size_t i = 0; i < n && is_told(); i++) {
		if (d[i] == '\n' || m->said.n == sizeof m->said.text)
			tell_line(" -> ", m->said.text, &m->said.n);
		if (d[i] != '\r' && d[i] != '\n')
			m->said.text[m->said.n++] = d[i];
	}
}

static void tell_heard(struct mail *m, const char *d, size_t n)
{
	for (size_t i = 0; i < n && is_told(); i++) {
		if (d[i] == '\n' || m->heard.n == sizeof m->heard.text)
			tell_line(m->heard.n && m->heard.text[0] >= '4' ? "<** " : "<-  ", m->heard.text, &m->heard.n);
		if (d[i] != '\r' && d[i] != '\n')
			m->heard.text[m->heard.n++] = d[i];
	}
}

/* --- the connection --- */

/* Wait for `events`; 0, or -errno. */
static int wait_for(int fd, short events, int64_t ns, short *got)
{
	struct pollfd p = {.fd = fd, .events = events};
	int r = poll(&p, 1, (int)MIN(ns / NS_PER_MS, INT64_C(2000000000)));
	if (got)
		*got = p.revents;
	return r > 0 ? 0 : r == 0 ? -ETIMEDOUT : errno == EINTR ? 0 : -errno;
}

/* One address; a descriptor or -errno. */
static int connect_one(const struct addrinfo *a, int64_t timeout)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	if (fd < 0)
		return -errno;
	int e = connect(fd, a->ai_addr, a->ai_addrlen) ? errno : 0;
	if (e == EINPROGRESS) {
		short got = 0;
		do
			e = -wait_for(fd, POLLOUT, timeout, &got);
		while (!e && !got);
		if (!e && getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len))
			e = errno;
	}
	if (!e)
		return fd;
	close(fd);
	return -e;
}

/* A descriptor, or -1 after a sentence. */
static int connect_any(struct mail *m)
{
	struct addrinfo *all = NULL, hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	int rc = getaddrinfo(m->server, m->port, &hints, &all), fd = -ENOENT;
	if (is_told())
		printf("=== Trying %s:%s...\n", m->server, m->port);
	fflush(stdout);
	for (const struct addrinfo *a = all; a && !rc && fd < 0; a = a->ai_next)
		fd = connect_one(a, m->timeout);
	if (all)
		freeaddrinfo(all);
	if (rc || fd < 0) {
		cmd_fail(MAIL_NO_CONNECTION, "cannot connect to %s:%s: %s", m->server, m->port, rc ? gai_strerror(rc) : strerror(-fd));
		return -1;
	}
	if (is_told())
		printf("=== Connected to %s.\n", m->server);
	return fd;
}

static void lose(struct mail *m, const char *why)
{
	m->was_lost = !smtp_client_is_done(&m->client);
	smtp_client_lost(&m->client, why);
}

/* Text into the engine, its bytes into the socket, as much as goes. */
static void push(struct mail *m, int fd)
{
	struct smtp_client *c = &m->client;
	for (;;) {
		if (smtp_client_wants_text(c)) {
			m->text_sent += smtp_client_text(c, m->text + m->text_sent, m->text_len - m->text_sent);
			if (m->text_sent == m->text_len)
				smtp_client_text_end(c);
		}
		if (!c->out_len)
			return;
		ssize_t n = send(fd, c->out, c->out_len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE && errno != ECONNRESET)
			lose(m, strerror(errno));
		if (n <= 0)
			return; /* a reset is told where it is read: the server's last words may be there */
		tell_said(m, c->out, (size_t)n);
		smtp_client_sent(c, (size_t)n);
	}
}

static void pull(struct mail *m, int fd)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof buf, 0);
	if (n > 0) {
		tell_heard(m, buf, (size_t)n);
		smtp_client_feed(&m->client, buf, (size_t)n);
	} else if (n == 0) {
		lose(m, "the server closed the connection");
	} else if (errno != EAGAIN && errno != EINTR) {
		lose(m, strerror(errno));
	}
}

static void converse(struct mail *m, int fd)
{
	struct smtp_client *c = &m->client;
	while (push(m, fd), !smtp_client_is_done(c)) {
		short got = 0;
		int e = wait_for(fd, (short)(POLLIN | (c->out_len ? POLLOUT : 0)), MIN(m->timeout, smtp_client_wait(c)), &got);
		fflush(stdout);
		if (e)
			lose(m, e == -ETIMEDOUT ? "the server says nothing" : strerror(-e));
		else if (got & (POLLIN | POLLHUP | POLLERR))
			pull(m, fd);
	}
	close(fd);
	if (is_told())
		puts("=== Connection closed with remote host.");
}

/* --- what came of it --- */

/* What becomes of QUIT does not matter any more. */
static bool is_sent(const struct mail *m)
{
	return !m->client.has_failed || m->client.failed == SMTP_STAGE_QUIT;
}

static int status_of(const struct mail *m)
{
	static const uint8_t of[] = {[SMTP_STAGE_GREETING] = MAIL_BAD_GREETING, [SMTP_STAGE_EHLO] = MAIL_BAD_HELO,
		[SMTP_STAGE_HELO] = MAIL_BAD_HELO, [SMTP_STAGE_MAIL] = MAIL_BAD_FROM, [SMTP_STAGE_RCPT] = MAIL_BAD_TO,
		[SMTP_STAGE_DATA] = MAIL_BAD_DATA, [SMTP_STAGE_TEXT] = MAIL_BAD_TEXT, [SMTP_STAGE_END] = MAIL_BAD_TEXT};
	if (is_sent(m))
		return EXIT_WELL;
	return m->was_lost ? MAIL_LOST : of[m->client.failed];
}

static void path_text(const struct smtp_path *p, char out[PATH_TEXT])
{
	struct writer w = writer_of(out, PATH_TEXT - 1);
	smtp_path_put(&w, p);
	*w.p = 0;
}

static int tell_end(struct mail *m)
{
	const struct smtp_client *c = &m->client;
	int status = status_of(m);
	char to[PATH_TEXT];
	json_t *list = json_array();
	for (uint32_t i = 0; i < m->n_to; i++) {
		path_text(&m->to[i], to);
		json_array_append_new(list, json_pack("{s:s, s:i}", "to", to, "code", m->codes[i]));
		if (m->codes[i] / 100 > 2 && c->n_accepted)
			cmd_fail(0, "%s: not for this one: %d", to, m->codes[i]);
	}
	json_t *o = json_pack("{s:s, s:b, s:i, s:s, s:i, s:I, s:O}", "server", m->server, "sent", is_sent(m), "code", c->code, "said", c->said,
			      "status", status, "bytes", (json_int_t)m->text_len, "recipients", list);
	if (cmd_global.json && o)
		lab_host_print(o);
	else if (status && c->code)
		cmd_fail(0, "the server did not take the mail: %d %s", c->code, c->said);
	else if (status)
		cmd_fail(0, "the mail is not sent: %s", c->said);
	json_decref(o);
	json_decref(list);
	return status;
}

/* --- the words --- */

static bool add_to(struct mail *m, const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");
		if (m->n_to == MAIL_TO_MAX)
			return cmd_fail(EXIT_USAGE, "more than %d recipients", MAIL_TO_MAX), false;
		if (smtp_mailbox_parse(list, n, &m->to[m->n_to]) != SMTP_SYNTAX_OK || n == 0)
			return cmd_fail(EXIT_USAGE, "'%.*s' is no address, such as alice@mail.lab", (int)n, list), false;
		m->n_to++;
		list += n + (list[n] == ',');
	}
	return true;
}

static bool add_word(const char *words[MAIL_WORDS_MAX], int *n, const char *word, const char *what)
{
	if (*n == MAIL_WORDS_MAX)
		return cmd_fail(EXIT_USAGE, "more than %d times --%s", MAIL_WORDS_MAX, what), false;
	words[(*n)++] = word;
	return true;
}

static bool repeated_take(struct mail *m, struct mail_words *w, const struct cmd_args *a)
{
	for (int i = 0; i < a->n_seen; i++) {
		const char *arg = a->seen[i].arg;
		if (a->seen[i].opt == MAIL_TO && !add_to(m, arg))
			return false;
		if (a->seen[i].opt == MAIL_ATTACH && !add_word(w->attach, &w->n_attach, arg, "attach"))
			return false;
		if (a->seen[i].opt != MAIL_HEADER)
			continue;
		size_t n = strcspn(arg, ": \t\r\n");
		if (n == 0 || arg[n] != ':' || strpbrk(arg, "\r\n"))
			return cmd_fail(EXIT_USAGE, "--header is \"Name: value\", not '%s'", arg), false;
		if (!add_word(w->headers, &w->n_headers, arg, "header"))
			return false;
	}
	return m->n_to > 0 || (cmd_fail(EXIT_USAGE, "to whom? via mail send --to alice@mail.lab"), false);
}

/* Our name, the sender. False after a sentence. */
static bool names_take(struct mail *m, const struct cmd_args *a)
{
	const char *user = getenv("USER"), *from = a->opt[MAIL_FROM];
	bool is_known = gethostname(m->host, sizeof m->host - 1) == 0 && smtp_domain_check(m->host, strlen(m->host)) == SMTP_SYNTAX_OK;
	m->helo = a->opt[MAIL_HELO] ? a->opt[MAIL_HELO] : is_known ? m->host : "localhost";
	if (smtp_domain_check(m->helo, strlen(m->helo)) != SMTP_SYNTAX_OK)
		return cmd_fail(EXIT_USAGE, "--helo is a domain or [ADDRESS], not '%s'", m->helo), false;
	if (from && strcmp(from, "<>") == 0)
		from = "";
	if (from && strlen(from) >= sizeof m->sender)
		return cmd_fail(EXIT_USAGE, "--from is longer than an address may be"), false;
	if (from)
		snprintf(m->sender, sizeof m->sender, "%s", from);
	else
		snprintf(m->sender, sizeof m->sender, "%s@%.180s", user && strlen(user) < SMTP_LOCAL_MAX ? user : "nobody", m->helo);
	if (smtp_mailbox_parse(m->sender, strlen(m->sender), &m->from) != SMTP_SYNTAX_OK)
		return cmd_fail(EXIT_USAGE, "'%s' is no address; --from ADDRESS names one, <> is nobody", m->sender), false;
	return true;
}

/* "name", "name:port", "[::1]:port", or the first recipient's domain. */
static bool server_take(struct mail *m, const struct cmd_args *a)
{
	const char *s = a->opt[MAIL_SERVER] ? a->opt[MAIL_SERVER] : m->to[0].domain;
	const char *end = s[0] == '[' ? strchr(s, ']') : NULL, *colon = end ? strchr(end, ':') : strchr(s, ':');
	if (!end && colon && strchr(colon + 1, ':'))
		colon = NULL; /* an IPv6 address */
	size_t skip = end ? strncasecmp(s, "[IPv6:", 6) == 0 ? 6 : 1 : 0, n = end ? (size_t)(end - s) : colon ? (size_t)(colon - s) : strlen(s);
	m->port = a->opt[MAIL_PORT] ? a->opt[MAIL_PORT] : colon ? colon + 1 : "25";
	if (n <= skip || n - skip >= sizeof m->server)
		return cmd_fail(EXIT_USAGE, "which server? --server NAME"), false;
	memcpy(m->server, s + skip, n - skip);
	return job_number(m->port, "--port", 1, 65535, 25) > 0;
}

static bool words_take(struct mail *m, const struct cmd_args *a)
{
	struct mail_words w = {.data = a->opt[MAIL_DATA], .body = a->opt[MAIL_BODY]};
	char *to = NULL;
	size_t len;
	if (!repeated_take(m, &w, a) || !names_take(m, a) || !server_take(m, a))
		return false;
	m->timeout = job_seconds(a->opt[MAIL_TIMEOUT], "--timeout", 30 * NS_PER_S);
	if (m->timeout < 0)
		return false;
	FILE *f = open_memstream(&to, &len);
	for (uint32_t i = 0; i < m->n_to && f; i++) {
		char one[PATH_TEXT];
		path_text(&m->to[i], one);
		fprintf(f, "%s%.*s", i ? ", " : "", (int)strlen(one) - 2, one + 1);
	}
	if (!f || fclose(f)) {
		free(to);
		return cmd_fail(EXIT_FAILED, "out of memory"), false;
	}
	w.to = to;
	w.from = m->sender[0] ? m->sender : "<>";
	w.host = m->helo;
	m->text = mail_text(&w, &m->text_len);
	free(to);
	return m->text != NULL;
}

static bool is_8bit(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] > 127)
			return true;
	return false;
}

static int mail_send(const struct cmd_args *a)
{
	struct mail *m = calloc(1, sizeof *m);
	if (!m)
		return cmd_fail(EXIT_FAILED, "out of memory");
	int status = EXIT_USAGE, fd;
	if (words_take(m, a)) {
		fd = connect_any(m);
		status = fd < 0 ? MAIL_NO_CONNECTION : EXIT_WELL;
		if (fd >= 0) {
			const struct smtp_client_config c = {.name = m->helo, .from = &m->from, .to = m->to, .n_to = m->n_to,
				.codes = m->codes, .size = m->text_len, .is_8bit = is_8bit(m->text, m->text_len)};
			smtp_client_init(&m->client, &c);
			converse(m, fd);
			status = tell_end(m);
		}
	}
	free(m->text);
	free(m);
	return status;
}

const struct cmd_command cmd_mail = {
	.name = "mail send",
	.usage = "--to ADDRESS [--server NAME]",
	.summary = "send a mail by SMTP and show the conversation, as swaks does",
	.detail = "A program as any other: run it on a node as `via lab exec LAB NODE -- via mail send ...`, or behind the gateway as\n"
		  "`via run -- via mail send ...`. -q, in front of the command, shows no conversation. Exit status as swaks': 0; 2 no\n"
		  "connection (or wrong words), 6 it broke; refused were 21 we, 22 HELO, 23 the sender, 24 all recipients, 25 DATA, 26\n"
		  "the text.",
	.options = options,
	.words_min = 0,
	.words_max = 0,
	.run = mail_send,
};
