/* cmd/dump.c - `via dump`: the frames of a lab, or of a capture, as text or pcapng, with the reasons we keep; tcpdump's words.
 *
 * A running lab writes pcapng into a pipe of ours; this process filters (libpcap compiles and runs the filter) and tells. So the lab
 * does nothing but copy, and a file of `--pcapng` is read the same way. */
#include "cmd/dump.h"
#include "cmd/ask.h"
#include "cmd/control.h"
#include "cmd/job.h"
#include "lab/lab.h"
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { DUMP_IFACE, DUMP_WRITE, DUMP_READ, DUMP_COUNT };
enum { PIPE_BYTES = 1 << 20, DLTS = 2 };
static const struct cmd_option options[] = {
	[DUMP_IFACE] = {'i', "interface", "NAME", "one interface of the node: eth1"},
	[DUMP_WRITE] = {'w', "write", "FILE|-", "write pcapng instead of text"},
	[DUMP_READ] = {'r', "read", "FILE|-", "read a capture, as --pcapng wrote it, instead of a lab that is up"},
	[DUMP_COUNT] = {'c', "count", "N", "stop after N frames"},
	{0, NULL, NULL, NULL},
};

static volatile sig_atomic_t is_told_to_end;

static void on_signal(int signo)
{
	is_told_to_end = 1;
}

/* One program per link type there is: Ethernet and bare IP. False after a sentence. */
static bool filter_compile(const char *filter, struct bpf_program out[DLTS])
{
	static const int dlts[DLTS] = {DLT_EN10MB, DLT_RAW};
	int n = 0;
	for (; n < DLTS; n++) {
		pcap_t *p = pcap_open_dead(dlts[n], 65535);
		if (!p || pcap_compile(p, &out[n], filter, 1, PCAP_NETMASK_UNKNOWN)) {
			bool is_ether_only = p && n > 0; /* such as "arp": no IP packet is one */
			if (!is_ether_only)
				cmd_fail(EXIT_USAGE, "filter '%s': %s", filter, p ? pcap_geterr(p) : "out of memory");
			else
				out[n] = (struct bpf_program){0};
			if (p)
				pcap_close(p);
			if (!is_ether_only)
				return false;
			continue;
		}
		pcap_close(p);
	}
	return true;
}

static void filter_free(struct bpf_program f[DLTS])
{
	for (int i = 0; i < DLTS; i++)
		if (f[i].bf_insns)
			pcap_freecode(&f[i]);
}

bool dump_filter_check(const char *filter)
{
	struct bpf_program f[DLTS] = {{0}};
	bool good = !filter || !filter[0] || filter_compile(filter, f);
	filter_free(f);
	return good;
}

static bool filter_takes(struct bpf_program f[DLTS], const struct dump_reader *r)
{
	struct bpf_program *p = &f[r->iface->dlt != 1];
	struct pcap_pkthdr h = {.caplen = r->frame_len, .len = r->wire_len};
	return p->bf_insns && pcap_offline_filter(p, &h, r->frame) > 0;
}

/* Did it leave an interface that is meant? They are called NODE:INTERFACE. */
static bool is_meant(const struct dump_job *j, const char *name)
{
	const char *colon = strchrnul(name, ':');
	size_t n = (size_t)(colon - name);
	if (j->node && (strlen(j->node) != n || memcmp(j->node, name, n) != 0))
		return false;
	return !j->iface || (*colon && strcmp(j->iface, colon + 1) == 0);
}

/* A file without the interface that is meant is a mistake, not an empty answer. */
static int check_meant(const struct dump_job *j, const struct dump_reader *r)
{
	uint32_t n = 0;
	if (!j->node && !j->iface)
		return EXIT_WELL;
	while (n < r->n_ifaces && !is_meant(j, r->ifaces[n].name))
		n++;
	return n < r->n_ifaces ? EXIT_WELL : cmd_fail(EXIT_USAGE, "the capture has no interface %s%s%s", j->node ? j->node : "",
						      j->node && j->iface ? ":" : "", j->iface ? j->iface : "");
}

static void tell_frame(const struct dump_reader *r)
{
	char text[LAB_FRAME_TEXT];
	lab_frame_text(r->frame, r->frame_len, r->wire_len, r->iface->dlt, text);
	if (cmd_global.json) {
		json_t *o = json_pack("{s:I, s:s, s:i, s:s, s:s}", "time_ns", (json_int_t)r->when, "interface", r->iface->name, "bytes",
				      (int)r->wire_len, "frame", text, "comment", r->comment);
		char *line = o ? json_dumps(o, JSON_COMPACT) : NULL;
		puts(line ? line : "{}");
		free(line);
		json_decref(o);
	} else {
		printf("%lld.%06lld %s %s%s%s\n", (long long)(r->when / NS_PER_S), (long long)(r->when % NS_PER_S / NS_PER_US), r->iface->name,
		       text, r->comment[0] ? "  # " : "", r->comment);
	}
	fflush(stdout);
}

/* False: it cannot be written any more. */
static bool pass_on(const struct dump_reader *r, FILE *raw)
{
	return fwrite(r->block, 1, r->block_len, raw) == r->block_len && fflush(raw) == 0;
}

static int dump_all(struct dump_job *j, struct dump_reader *r, struct bpf_program f[DLTS])
{
	bool has_filter = j->filter && j->filter[0];
	while (!is_told_to_end && (!j->count || j->n_frames < j->count)) {
		enum dump_kind kind = dump_next(r);
		if (kind == DUMP_END || is_told_to_end)
			break;
		if (kind == DUMP_BAD)
			return cmd_fail(EXIT_FAILED, "this is no pcapng, or it is cut off");
		if (kind == DUMP_FRAME && (!is_meant(j, r->iface->name) || (has_filter && !filter_takes(f, r))))
			continue;
		j->n_frames += kind == DUMP_FRAME;
		if (j->raw && !pass_on(r, j->raw))
			return errno == EPIPE ? EXIT_WELL : cmd_fail(EXIT_FAILED, "cannot write: %s", strerror(errno));
		if (!j->raw && kind == DUMP_FRAME)
			tell_frame(r);
	}
	return is_told_to_end ? EXIT_WELL : check_meant(j, r);
}

int dump_run(struct dump_job *j)
{
	struct bpf_program f[DLTS] = {{0}};
	struct dump_reader r = {.in = j->in};
	const struct sigaction end = {.sa_handler = on_signal}; /* no SA_RESTART: reading ends too */
	int status = EXIT_USAGE;
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (!j->filter || !j->filter[0] || filter_compile(j->filter, f))
		status = dump_all(j, &r, f);
	filter_free(f);
	dump_reader_free(&r);
	fclose(j->in);
	return status;
}

FILE *dump_live(const char *lab, const char *node, int *control, int *status)
{
	int ends[2] = {-1, -1}, fd = control_connect(lab);
	FILE *in = NULL;
	*status = EXIT_FAILED;
	if (fd < 0)
		return control_fail(EXIT_FAILED, lab, fd), NULL;
	if (pipe2(ends, O_CLOEXEC) == 0 && (in = fdopen(ends[0], "r"))) {
		fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
		json_t *what = json_pack("{s:s, s:s?}", "op", "dump", "node", node);
		control_send(fd, what, &ends[1], 1);
		json_decref(what);
		close(ends[1]);
		json_t *answer = control_recv(fd, NULL, NULL);
		if (!answer)
			cmd_fail(EXIT_FAILED, "lab '%s' did not answer", lab);
		int refused = answer ? ask_refused(answer) : EXIT_FAILED;
		json_decref(answer);
		*control = fd;
		*status = refused;
		if (!refused)
			return in;
	} else {
		cmd_fail(EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
	}
	if (in)
		fclose(in);
	close(fd);
	return NULL;
}

/* The words behind the options are the filter, as tcpdump's; gives. */
static char *filter_words(const struct cmd_args *a)
{
	size_t n = 1;
	for (int i = 0; i < a->n_words; i++)
		n += strlen(a->words[i]) + 1;
	char *out = calloc(n, 1);
	for (int i = 0; out && i < a->n_words; i++)
		sprintf(out + strlen(out), "%s%s", i ? " " : "", a->words[i]);
	return out;
}

/* The capture that is meant. NULL after a sentence. */
static FILE *source(const struct cmd_args *a, int *control, int *status)
{
	const char *file = a->opt[DUMP_READ], *node;
	char what[128];
	*status = EXIT_USAGE;
	if (file) {
		FILE *in = strcmp(file, "-") == 0 ? fdopen(dup(0), "r") : fopen(file, "re");
		if (!in)
			cmd_fail(EXIT_USAGE, "%s: %s", file, strerror(errno));
		return in;
	}
	char *lab = ask_which(&node);
	FILE *in = NULL;
	if (lab && a->opt[DUMP_IFACE] && !node) {
		cmd_fail(EXIT_USAGE, "of which node? via -n NODE dump -i %s", a->opt[DUMP_IFACE]);
	} else if (lab) {
		snprintf(what, sizeof what, "%.60s%s%.60s", node ? node : "", a->opt[DUMP_IFACE] ? ":" : "",
			 a->opt[DUMP_IFACE] ? a->opt[DUMP_IFACE] : "");
		in = dump_live(lab, node ? what : NULL, control, status);
	}
	free(lab);
	return in;
}

static int dump(const struct cmd_args *a)
{
	const char *to = a->opt[DUMP_WRITE];
	int control = -1, status = EXIT_USAGE;
	struct dump_job j = {.count = job_number(a->opt[DUMP_COUNT], "-c", 1, INT64_MAX / 2, 0)};
	char *filter = filter_words(a);
	if (!filter)
		return cmd_fail(EXIT_FAILED, "out of memory");
	j.filter = filter;
	if (a->opt[DUMP_READ]) {
		j.node = cmd_global.node;
		j.iface = a->opt[DUMP_IFACE];
	}
	if (j.count < 0 || !dump_filter_check(filter) || !(j.in = source(a, &control, &status))) {
		free(filter);
		return status;
	}
	if (to && !(j.raw = strcmp(to, "-") == 0 ? stdout : fopen(to, "we"))) {
		fclose(j.in);
		status = cmd_fail(EXIT_USAGE, "%s: %s", to, strerror(errno));
	} else {
		if (!cmd_global.quiet && control >= 0)
			fputs("via: capturing; the first number is seconds since the lab's start\n", stderr);
		status = dump_run(&j);
		if (!cmd_global.quiet)
			fprintf(stderr, "via: %lld frames\n", (long long)j.n_frames);
	}
	if (j.raw && j.raw != stdout && fclose(j.raw) && !status)
		status = cmd_fail(EXIT_FAILED, "%s: %s", to, strerror(errno));
	if (control >= 0)
		close(control);
	free(filter);
	return status;
}

const struct cmd_command cmd_dump = {
	.name = "dump",
	.usage = "[FILTER]",
	.summary = "the frames of a node, as tcpdump shows the kernel's, with the reasons for them",
	.detail = "Of a lab that is up: `via -n NODE dump`, or without -n of all nodes. Or, with -r, of a file that --pcapng wrote. Each\n"
		  "frame is shown once per link, on the interface it leaves by; of a node also those that leave its neighbours towards it,\n"
		  "but with -r only what it sent. Behind # stands why it was sent, what held it back, and whether the link lost it or a\n"
		  "node dropped it. FILTER is libpcap's.",
	.options = options,
	.words_min = 0,
	.words_max = 64,
	.run = dump,
};
