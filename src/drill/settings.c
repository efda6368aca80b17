/* drill/settings.c - option lines of a script, and the commands that set up the machine: sysctl, tc, ethtool.
 *
 * No command is run. `sysctl -q NAME=VALUE...`, set_sysctls.py with /proc paths, and defaults.sh (by its usual meaning) are
 * mapped to the stack's settings; what the stack does in one way only may be set to that way. Commands about the device and
 * about caches that a fresh stack has not are nothing to do. Everything else fails the script with a sentence: an assumption
 * that does not hold must not pass as one that does. */
#include "drill/state.h"

#include <errno.h>
#include <stdlib.h>

enum { WORDS_MAX = 96, WORD_MAX = 256 };

/* What via_sysctl() does not know, but a script may say: what the stack does in one way only, and what means nothing to it. */
static const struct setting {
	const char *name;
	bool is_fixed;
	int64_t fixed;
} settings[] = {
	{"tcp_dsack", true, 1},
	{"tcp_fack", true, 0},
	{"tcp_reordering", true, 3},
	{"tcp_rfc1337", true, 1},
	/* How Linux forms large segments and paces them over its device: our link cuts everything. */
	{"tcp_min_tso_segs", false, 0},
	{"tcp_tso_win_divisor", false, 0},
	{"tcp_pacing_ss_ratio", false, 0},
	{"tcp_pacing_ca_ratio", false, 0},
	/* There is no cache of measurements between connections. */
	{"tcp_no_metrics_save", false, 0},
	{"tcp_ecn_option", false, 0}, /* of AccECN */
};

/* What defaults.sh means. Those that the stack cannot follow are passed over: they are about what a script does not test. */
static const char defaults[] =
	"tcp_rmem=4096 540000 15728640\0tcp_wmem=4096 262144 4194304\0tcp_timestamps=1\0tcp_syn_retries=5\0tcp_synack_retries=5\0"
	"tcp_sack=1\0tcp_dsack=1\0tcp_reordering=3\0tcp_congestion_control=cubic\0tcp_slow_start_after_idle=0\0tcp_ecn=0\0"
	"tcp_notsent_lowat=4294967295\0tcp_fastopen=459779\0"
	"tcp_syncookies=1\0";

/* name=value without its prefix. A sentence, or NULL. */
static const char *apply(struct drill_run *r, const char *name, const char *value)
{
	char *end;
	int err = via_sysctl(r->v, name, value);
	if (err != -ENOENT)
		return err ? "the stack refuses this value" : NULL;
	if (strcmp(name, "tcp_congestion_control") == 0) {
		snprintf(r->cc, sizeof(r->cc), "%s", value);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		if (strcmp(settings[i].name, name) != 0)
			continue;
		int64_t v = strtoll(value, &end, 0);
		return !settings[i].is_fixed || (!*end && end != value && v == settings[i].fixed) ? NULL : "the stack does this in one way only";
	}
	return "the stack has no such setting";
}

/* net.ipv4.NAME, net/ipv4/NAME or /proc/sys/net/ipv4/NAME, =VALUE. */
static bool apply_word(struct drill_run *r, char *word)
{
	static const char *const prefixes[] = {"net.ipv4.", "net/ipv4/", "/proc/sys/net/ipv4/"};
	char *eq = strchr(word, '='), *name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(word, prefixes[i], strlen(prefixes[i])) == 0)
			name = word + strlen(prefixes[i]);
	if (!eq || !name)
		return drill_fail(r, r->e->line, "'%.80s' is no setting of net.ipv4", word);
	*eq = 0;
	const char *why = apply(r, name, eq + 1);
	return why ? drill_fail(r, r->e->line, "%.60s = %.60s cannot be mapped: %s", name, eq + 1, why) : true;
}

static void apply_defaults(struct drill_run *r)
{
	char line[64];
	for (const char *s = defaults; *s; s += strlen(s) + 1) {
		snprintf(line, sizeof(line), "%s", s);
		char *eq = strchr(line, '=');
		*eq = 0;
		apply(r, line, eq + 1);
	}
}

/* The next word of a command line, quotes taken off; \ before a newline is a blank. False at the end of the line. */
static bool next_word(const char **s, char out[WORD_MAX])
{
	size_t n = 0;
	char quote = 0;
	while (**s == ' ' || **s == '\t' || (**s == '\\' && (*s)[1] == '\n'))
		*s += **s == '\\' ? 2 : 1;
	if (!**s || **s == '\n' || **s == ';' || **s == '#')
		return false;
	for (; **s && (quote || !strchr(" \t\n;", **s)); (*s)++) {
		if (!quote && **s == '\\' && (*s)[1] == '\n')
			break;
		if (**s == quote || (!quote && (**s == '"' || **s == '\'')))
			quote = quote ? 0 : **s;
		else if (n < WORD_MAX - 1)
			out[n++] = **s;
	}
	out[n] = 0;
	return true;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);
	return n >= m && strcmp(s + n - m, end) == 0;
}

/* The device's queue: only one that drops everything, or one that does not, makes a difference. */
static void queue_discipline(struct drill_run *r, const char *line)
{
	size_t n = strcspn(line, "\n;");
	const char *limit = strstr(line, "limit 0");
	r->link_is_shut = limit && limit < line + n;
}

/* One command. *s is moved to its end. */
static bool run_line(struct drill_run *r, const char **s)
{
	char word[WORD_MAX], verb[WORD_MAX] = "";
	const char *line = *s;
	bool is_first = true, sets = false;
	while (next_word(s, word) && !r->has_failed) {
		if (is_first) {
			snprintf(verb, sizeof(verb), "%s", word);
			sets = strcmp(verb, "sysctl") == 0 || ends_in(verb, "set_sysctls.py");
		} else if (sets && word[0] != '-' && !strchr(word, '>')) {
			apply_word(r, word);
		}
		is_first = false;
	}
	if (r->has_failed || is_first || sets || strncmp(verb, "/tmp/sysctl_restore_", 20) == 0 || strcmp(verb, "ethtool") == 0)
		return !r->has_failed;
	if (ends_in(verb, "defaults.sh"))
		apply_defaults(r);
	else if (strcmp(verb, "tc") == 0)
		queue_discipline(r, line);
	else if (strcmp(verb, "ip") != 0 || !strstr(line, "tcp_metrics flush"))
		return drill_fail(r, r->e->line, "the command '%.60s' cannot be mapped: commands are not run", verb);
	return true;
}

bool drill_command(struct drill_run *r, const struct drill_event *e)
{
	const char *s = e->text;
	while (*s) {
		if (!run_line(r, &s))
			return false;
		if (*s == '#')
			s += strcspn(s, "\n");
		else if (*s)
			s++;
	}
	return true;
}

static bool option_number(struct drill_run *r, const struct drill_option *o, int64_t lo, int64_t hi, int64_t *out)
{
	char *end;
	*out = o->value ? strtoll(o->value, &end, 10) : lo - 1;
	if (o->value && *end == 0 && *out >= lo && *out <= hi)
		return true;
	return drill_fail(r, o->line, "--%s wants a number from %lld to %lld", o->name, (long long)lo, (long long)hi);
}

static bool option_address(struct drill_run *r, const struct drill_option *o, uint32_t *out)
{
	struct via_addr a;
	if (!o->value || via_addr_parse(o->value, strlen(o->value), &a) || !via_addr_is_v4(&a))
		return drill_fail(r, o->line, "--%s wants an IPv4 address", o->name);
	*out = via_addr_to_v4(&a);
	return true;
}

static bool option(struct drill_run *r, const struct drill_option *o)
{
	static const char *const nothing[] = {"strict_segments", "non_fatal", "netmask_ip", "gateway_ip", "mss", "send_omit_free", "debug",
					      "verbose"};
	struct drill_config *c = &r->cfg;
	int64_t v = 0;
	bool ok = true;
	if (strcmp(o->name, "local_ip") == 0)
		return option_address(r, o, &c->local);
	if (strcmp(o->name, "remote_ip") == 0)
		return option_address(r, o, &c->remote);
	if (strcmp(o->name, "ip_version") == 0)
		return o->value && strcmp(o->value, "ipv4") == 0 ? true : drill_fail(r, o->line, "only IPv4 is built");
	if (strcmp(o->name, "tolerance_usecs") == 0 && (ok = option_number(r, o, 1, 1000000000, &v)))
		c->tolerance_ns = v * NS_PER_US;
	else if (strcmp(o->name, "tolerance_percent") == 0 && (ok = option_number(r, o, 0, 100, &v)))
		c->tolerance_permille = v * 10;
	else if (strcmp(o->name, "tcp_ts_tick_usecs") == 0 && (ok = option_number(r, o, 0, 1000000, &v)))
		c->ts_tick_ns = v * NS_PER_US;
	else if (strcmp(o->name, "tcp_ts_ecr_scaled") == 0)
		c->ecr_scaled = true;
	else if (strcmp(o->name, "mtu") == 0 && (ok = option_number(r, o, 68, 65535, &v)))
		c->mtu = (uint32_t)v;
	else if (strcmp(o->name, "bind_port") == 0 && (ok = option_number(r, o, 1, 65535, &v)))
		c->bind_port = (uint16_t)v;
	else if (strcmp(o->name, "connect_port") == 0 && (ok = option_number(r, o, 1, 65535, &v)))
		c->connect_port = (uint16_t)v;
	else if (ok) {
		for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
			if (strcmp(o->name, nothing[i]) == 0)
				return true;
		return drill_fail(r, o->line, "the option --%.40s is not known here", o->name);
	}
	return ok;
}

bool drill_options(struct drill_run *r)
{
	r->cfg = (struct drill_config){.local = 0xc0a80001, .remote = 0xc0000201, .bind_port = 8080, .connect_port = 8080,
				       .tolerance_ns = 4 * NS_PER_MS, .tolerance_permille = 125, .mtu = 1500};
	for (const struct drill_option *o = r->s->options; o; o = o->next)
		if (!option(r, o))
			return false;
	if (r->how->tolerance_ns >= 0) {
		r->cfg.tolerance_ns = r->how->tolerance_ns;
		r->cfg.tolerance_permille = 0;
	}
	return true;
}
