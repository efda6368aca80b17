/* stack/sysctl.c - Linux's names of settings, for scripts and programs that speak of them.
 *
 * A row says which setting of ours a name is and which of the text's numbers counts; a name may have more rows, one after the
 * other. Numbers are decimal, octal or hexadecimal, as sysctl(8) takes them. Names that mean nothing here are told apart (-ENOENT)
 * from values that make no sense (-EINVAL). Names below net.ipv6.conf are an interface's, or with `all` those of all that are there. */
#include "stack/state.h"

#include <errno.h>

static const struct sysctl {
	const char *name;
	enum via_setting setting;
	int word; /* which of the numbers counts */
} sysctls[] = {
	{"ip_forward", VIA_SET_FORWARDING, 0},
	{"ip_default_ttl", VIA_SET_TTL, 0},
	{"conf.all.accept_redirects", VIA_SET_ACCEPT_REDIRECTS, 0},
	{"conf.all.send_redirects", VIA_SET_SEND_REDIRECTS, 0},
	{"tcp_rmem", VIA_SET_TCP_RMEM, 1},
	{"tcp_rmem", VIA_SET_TCP_RMEM_MAX, 2},
	{"tcp_wmem", VIA_SET_TCP_WMEM, 1},
	{"tcp_wmem", VIA_SET_TCP_WMEM_MAX, 2},
	{"tcp_moderate_rcvbuf", VIA_SET_TCP_MODERATE_RCVBUF, 0},
	{"tcp_notsent_lowat", VIA_SET_TCP_NOTSENT_LOWAT, 0},
	{"net.core.rmem_max", VIA_SET_RMEM_MAX, 0},
	{"net.core.wmem_max", VIA_SET_WMEM_MAX, 0},
	{"tcp_sack", VIA_SET_TCP_SACK, 0},
	{"tcp_ecn", VIA_SET_TCP_ECN, 0},
	{"tcp_mtu_probing", VIA_SET_TCP_MTU_PROBING, 0},
	{"tcp_base_mss", VIA_SET_TCP_BASE_MSS, 0},
	{"tcp_timestamps", VIA_SET_TCP_TIMESTAMPS, 0},
	{"tcp_window_scaling", VIA_SET_TCP_SCALING, 0},
	{"tcp_syn_retries", VIA_SET_TCP_SYN_RETRIES, 0},
	{"tcp_fastopen", VIA_SET_TCP_FASTOPEN, 0},
	{"tcp_fastopen_key", VIA_SET_TCP_FASTOPEN_KEY, 0},
	{"tcp_syncookies", VIA_SET_TCP_SYNCOOKIES, 0},
	{"tcp_fin_timeout", VIA_SET_TCP_FIN_TIMEOUT, 0},
	{"tcp_max_orphans", VIA_SET_TCP_MAX_ORPHANS, 0},
	{"tcp_synack_retries", VIA_SET_TCP_SYNACK_RETRIES, 0},
};

/* Below net.ipv6.conf.INTERFACE. */
static const struct sysctl sysctls6[] = {
	{"accept_ra", VIA_SET_ACCEPT_RA, 0},
	{"autoconf", VIA_SET_AUTOCONF, 0},
	{"dad_transmits", VIA_SET_DAD_TRANSMITS, 0},
};
static const char *const all6[] = {"net.ipv6.conf.all.accept_ra", "net.ipv6.conf.all.autoconf", "net.ipv6.conf.all.dad_transmits",
	"net.ipv6.conf.all.forwarding"};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
}

/* The number at *s, which is moved behind it. False: there is none, or it is too large. */
static bool number(const char **s, int64_t *out)
{
	const char *p = *s;
	while (is_space(*p))
		p++;
	bool minus = *p == '-';
	p += minus;
	int base = p[0] != '0' ? 10 : (p[1] | 32) == 'x' ? 16 : 8;
	p += base == 16 ? 2 : 0;
	const char *first = p;
	int64_t v = 0;
	for (; digit(*p) < base && v < INT64_MAX / 32; p++)
		v = v * base + digit(*p);
	*s = p;
	*out = minus ? -v : v;
	return p > first && (!*p || is_space(*p));
}

/* One or two keys, each four words of hexadecimal digits with dashes between, into key. Returns the bytes they take, 0: they are none.
 * Each word lies there with its lowest byte first (Linux: proc_tcp_fastopen_key). */
static uint32_t keys(const char *p, uint8_t key[static 32])
{
	uint32_t n = 0;

	for (;; p++) {
		uint32_t word = 0, digits = 0;
		for (; digit(*p) < 16 && digits < 9; p++, digits++)
			word = word << 4 | (uint32_t)digit(*p);
		if (digits < 1 || digits > 8)
			return 0;
		for (int i = 0; i < 4; i++, word >>= 8)
			key[n++] = (uint8_t)word;
		if (n == 32 || *p != (n == 16 ? ',' : '-'))
			break;
	}
	while (is_space(*p))
		p++;
	return n % 16 == 0 && !*p ? n : 0;
}

static int keys_set(struct via *v, const char *value)
{
	uint8_t key[32];
	uint32_t n = keys(value, key);
	const struct via_change c = {.kind = VIA_SET, .setting = VIA_SET_TCP_FASTOPEN_KEY, .value = n, .key = key};

	return n ? via_configure(v, &c) : -EINVAL;
}

static int sysctl_set(struct via *v, const struct sysctl *s, int ifindex, const char *value)
{
	struct via_change c = {.kind = VIA_SET, .setting = s->setting, .ifindex = ifindex};
	if (s->setting == VIA_SET_TCP_FASTOPEN_KEY)
		return keys_set(v, value);
	for (int w = 0; w <= s->word; w++)
		if (!number(&value, &c.value))
			return -EINVAL;
	return via_configure(v, &c);
}

/* name: "INTERFACE.KEY", of which an interface's name may hold dots. */
static int sysctl_set6(struct via *v, const char *name, const char *value)
{
	const char *key = strrchr(name, '.');
	size_t len = key ? (size_t)(key - name) : 0;
	bool is_all = len == 3 && memcmp(name, "all", 3) == 0;
	int e = -ENOENT;
	int64_t none;
	if (is_all && strcmp(key, ".forwarding") == 0) /* one setting for both families */
		return sysctl_set(v, &(struct sysctl){"", VIA_SET_FORWARDING, 0}, 0, value);
	for (size_t s = 0; s < ARRAY_LEN(sysctls6) && key; s++) {
		if (is_all && strcmp(key + 1, sysctls6[s].name) == 0)
			e = number(&(const char *){value}, &none) ? 0 : -EINVAL;
		for (uint32_t i = IFINDEX_LO + 1; i < v->st->iface_end && strcmp(key + 1, sysctls6[s].name) == 0 && (e == -ENOENT || e == 0); i++) {
			const struct iface *f = iface_at(v, i);
			bool is_meant = f && (is_all || (strlen(f->name) == len && memcmp(f->name, name, len) == 0));
			if (is_meant && f->l2 == VIA_L2_ETHER && f->mtu >= IP6_MTU_MIN)
				e = sysctl_set(v, &sysctls6[s], (int)i, value);
		}
	}
	return e;
}

int via_sysctl(struct via *v, const char *name, const char *value)
{
	static const char family[] = "net.ipv4.", conf6[] = "net.ipv6.conf.";
	int e = -ENOENT;
	if (strncmp(name, conf6, sizeof(conf6) - 1) == 0)
		return sysctl_set6(v, name + sizeof(conf6) - 1, value);
	if (strncmp(name, family, sizeof(family) - 1) == 0)
		name += sizeof(family) - 1;
	for (size_t i = 0; i < ARRAY_LEN(sysctls) && (e == -ENOENT || e == 0); i++)
		if (strcmp(sysctls[i].name, name) == 0)
			e = sysctl_set(v, &sysctls[i], 0, value);
	return e;
}

const char *via_sysctl_name(int n)
{
	const char *last = "";
	for (size_t i = 0; i < ARRAY_LEN(sysctls); i++) {
		if (strcmp(sysctls[i].name, last) != 0 && n-- == 0)
			return sysctls[i].name;
		last = sysctls[i].name;
	}
	return n >= 0 && n < (int)ARRAY_LEN(all6) ? all6[n] : NULL;
}
