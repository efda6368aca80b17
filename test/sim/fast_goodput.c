/* test/sim/fast_goodput.c - what one bulk connection carries over loss x round trip x congestion control, in virtual time.
 *
 * Each cell is run with random loss, CUBIC and NewReno also with every 1/p-th data segment lost. Judged are
 *   full      without loss at least 97 % of the payload rate
 *   model     CUBIC and NewReno carry what a window-level model of their RFCs carries (model.h) that is given the same lost
 *             segments, within 10 %
 *   window    under periodic loss their average window is max(RFC 9438 eq. 5, sqrt(1.5/p)) within 10 %, where the rate allows it;
 *             told beside it is what the model's own window is of the same formula
 *   bbr       BBR carries at least 0.85 (1 - p) of the payload rate
 * A cell that does not hold stands in `known` with its value and the reason; it fails when it moves by more than 0.02, also to the
 * better. All figures are pinned by test/sim/goodput.txt, bit for bit, since a run is replayed by its seed: a change of TCP that
 * means to move them runs `make goodput`, which writes that file and doc/goodput.md anew. */
#include "test/sim/goodput.h"
#include "test/sim/model.h"
#include "test/sim/sim.h"

#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CCS = 3, RTTS = 4, LOSSES = 4, PER_CC = RTTS * (2 * LOSSES - 1), CELLS = 2 * PER_CC + RTTS * LOSSES, LINE = 200 };
static const char *const ccs[CCS] = {"cubic", "reno", "bbr"};
static const int rtts[RTTS] = {1, 20, 100, 300};
static const double losses[LOSSES] = {0, 0.001, 0.01, 0.05};

enum rule { RULE_FULL, RULE_MODEL, RULE_WINDOW, RULE_BBR, RULES };
static const char *const rule_names[RULES] = {"full", "model", "window", "bbr"};

struct outcome {
	bool is_there;
	double mbps, window, ratio[RULES]; /* to what is asked, NAN: not asked; at least 1, or 1 +- 0.1 */
	double model_window;               /* the model's to the formula, where RULE_WINDOW is asked */
	uint64_t queue_drops, retransmitted;
};

#include "test/sim/goodput_known.h"

static struct goodput_cell cell_at(int i)
{
	/* A window that is small because of loss needs time for its average; BBR's is not small. */
	static const int full[RTTS] = {20, 20, 60, 150}, lossy[RTTS] = {20, 60, 120, 300}, bbr[RTTS] = {10, 10, 20, 60};
	int c = i / PER_CC, at = i % PER_CC, r = at % RTTS, l = at / RTTS;
	bool is_periodic = l >= LOSSES;
	if (is_periodic)
		l -= LOSSES - 1;
	double bdp = GOODPUT_RATE / 8 / GOODPUT_FRAME * rtts[r] / 1000;
	return (struct goodput_cell){ccs[c], rtts[r], losses[l], is_periodic, !l ? full[r] : c == 2 ? bbr[r] : lossy[r],
		(int)fmax(bdp, 100)};
}

/* --- one cell --- */

static void judge(const struct goodput_cell *c, const struct goodput_result *r, struct outcome *o)
{
	bool is_cubic = strcmp(c->cc, "cubic") == 0, is_bbr = strcmp(c->cc, "bbr") == 0;
	struct model m = {is_cubic, c->rtt_ms / 1000.0, GOODPUT_RATE / 8 / GOODPUT_FRAME, c->buffer, c->seconds, r->lost, r->n};
	double most = m.rate * m.rtt + 1;
	if (c->loss <= 0)
		o->ratio[RULE_FULL] = r->bps / (0.97 * GOODPUT_PAYLOAD_RATE);
	if (is_bbr) {
		o->ratio[RULE_BBR] = r->bps / (0.85 * (1 - c->loss) * GOODPUT_PAYLOAD_RATE);
		return;
	}
	struct model_result by_model = model_run(&m);
	o->ratio[RULE_MODEL] = (double)r->bytes / (by_model.delivered * GOODPUT_MSS);
	double want = fmax(is_cubic ? model_cubic_window(m.rtt, c->loss) : 0, model_reno_window(c->loss));
	if (c->is_periodic && want * 1.5 < most) {
		o->ratio[RULE_WINDOW] = r->window / want;
		o->model_window = by_model.window / want;
	}
}

static struct outcome run_cell(int i)
{
	struct goodput_cell c = cell_at(i);
	struct goodput_result r;
	goodput_run(&c, &r);
	struct outcome o = {.is_there = r.is_there, .mbps = r.bps / 1e6, .window = r.window, .ratio = {NAN, NAN, NAN, NAN},
		.queue_drops = r.queue_drops, .retransmitted = r.retransmitted};
	if (r.is_there)
		judge(&c, &r, &o);
	free(r.lost);
	return o;
}

/* All cells, a process for each congestion control. */
static bool run_all(struct outcome *o)
{
	int fd[CCS][2], status;
	bool good = true;
	fflush(stdout);
	for (int c = 0; c < CCS; c++) {
		if (pipe(fd[c]))
			return false;
		if (fork() == 0) {
			for (int i = c * PER_CC; i < MIN((c + 1) * PER_CC, CELLS); i++) {
				struct outcome one = run_cell(i);
				if (write(fd[c][1], &one, sizeof one) != sizeof one)
					_exit(1);
			}
			_exit(0);
		}
		close(fd[c][1]);
	}
	for (int c = 0; c < CCS; c++) {
		for (int i = c * PER_CC; i < MIN((c + 1) * PER_CC, CELLS); i++)
			good &= read(fd[c][0], &o[i], sizeof *o) == sizeof *o;
		close(fd[c][0]);
	}
	while (wait(&status) > 0)
		good &= status == 0;
	return good;
}

/* --- as text --- */

static const char *line_of(int i, const struct outcome *o, char out[LINE])
{
	struct goodput_cell c = cell_at(i);
	int n = snprintf(out, LINE, "%-5s rtt %3d ms  loss %4.1f%% %-8s  %8.3f Mbit/s  window %8.2f  repeated %6llu  queue dropped %6llu", c.cc,
		c.rtt_ms, c.loss * 100, c.loss <= 0 ? "" : c.is_periodic ? "periodic" : "random", o->mbps, o->window,
		(unsigned long long)o->retransmitted, (unsigned long long)o->queue_drops);
	for (int k = 0; k < RULES; k++)
		if (!isnan(o->ratio[k]))
			n += snprintf(out + n, LINE - (size_t)n, "  %s %.3f", rule_names[k], o->ratio[k]);
	if (!isnan(o->ratio[RULE_WINDOW]))
		snprintf(out + n, LINE - (size_t)n, " (model's %.3f)", o->model_window);
	return out;
}

static const struct known *known_at(const struct goodput_cell *c, enum rule rule)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strcmp(known[i].cc, c->cc) == 0 && known[i].rtt_ms == c->rtt_ms && known[i].loss == c->loss &&
		    known[i].is_periodic == c->is_periodic && known[i].rule == rule)
			return &known[i];
	return NULL;
}

static bool holds(enum rule rule, double ratio)
{
	return rule == RULE_FULL || rule == RULE_BBR ? ratio >= 1 : fabs(ratio - 1) <= 0.1;
}

static FILE *open_source(const char *name, const char *mode)
{
	char path[512];
	const char *src = getenv("SRC");
	snprintf(path, sizeof path, "%s/%s", src ? src : ".", name);
	FILE *f = fopen(path, mode);
	if (!f)
		printf("# cannot open %s (SRC is the source folder)\n", path);
	return f;
}

/* --- the page --- */

static void page_table(FILE *f, const struct outcome *o, bool is_periodic)
{
	const char *more = is_periodic ? " | window | to formula | the model's" : "";
	fprintf(f, "| loss | round trip | CUBIC | to model%s | NewReno | to model%s |%s\n|---|---|---|---|---|---|%s\n", more, more,
		is_periodic ? "" : " BBR |", is_periodic ? "---|---|---|---|---|---|" : "---|");
	for (int at = 0; at < PER_CC; at++) {
		struct goodput_cell c = cell_at(at);
		if (c.is_periodic != is_periodic)
			continue;
		fprintf(f, "| %g %% | %d ms |", c.loss * 100, c.rtt_ms);
		for (int k = 0; k < 2; k++) {
			const struct outcome *x = &o[k * PER_CC + at];
			fprintf(f, " %.3f | %+.1f %% |", x->mbps, (x->ratio[RULE_MODEL] - 1) * 100);
			if (is_periodic && isnan(x->ratio[RULE_WINDOW]))
				fprintf(f, " %.1f | the rate ends it | |", x->window);
			else if (is_periodic)
				fprintf(f, " %.1f | %+.1f %% | %+.1f %% |", x->window, (x->ratio[RULE_WINDOW] - 1) * 100, (x->model_window - 1) * 100);
		}
		if (is_periodic)
			fputc('\n', f);
		else if (o[2 * PER_CC + at].is_there)
			fprintf(f, " %.3f |\n", o[2 * PER_CC + at].mbps);
		else
			fprintf(f, " - |\n");
	}
}

static void write_page(FILE *f, const struct outcome *o)
{
	fputs("# Goodput of one bulk connection\n\nMade by `make goodput` from a run of `test/sim/fast_goodput.c`, in virtual time: bit "
	      "for bit the same on every\nmachine.\n\nThe way: a bottleneck whose queue holds a bandwidth-delay product, at least 100 "
	      "packets; then half of the round trip; data\nsegments are lost behind the queue, ACKs never. Figures are Mbit/s of payload "
	      "that the receiver read, from connect() on.\n\n*To model*: compared with a model of the RFCs "
	      "(`test/sim/model.c`, written apart from the code) that\nloses the same segments. *To formula*: the average window compared with "
	      "max(RFC 9438 eq. 5, sqrt(1.5/p)); *the model's*:\nits average window compared with the same.\n\n", f);
	fprintf(f, "The bottleneck sends %g Mbit/s of frames of %d bytes, %d of them payload: %.2f Mbit/s at most. A cell lasts 20 to 300 "
		"s.\n\n", GOODPUT_RATE / 1e6, GOODPUT_FRAME, GOODPUT_MSS, GOODPUT_PAYLOAD_RATE / 1e6);
	fputs("![Part of the payload rate by round trip, loss and algorithm](goodput.svg)\n\n", f);
	fprintf(f, "## Random loss\n\n");
	page_table(f, o, false);
	fprintf(f, "\n## Every 1/p-th data segment lost\n\n");
	page_table(f, o, true);
	fputs("\n## What does not hold\n\nAsked for: without loss 97 % of the payload rate; to model and to formula within 10 %; BBR "
	      "0.85 (1 - p) of the payload\nrate.\n\n", f);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		fprintf(f, "- %s, %d ms, %g %% %s: *%s* is %.3f of what is asked. %s.\n", known[i].cc, known[i].rtt_ms, known[i].loss * 100,
				known[i].is_periodic ? "periodic" : "random", rule_names[known[i].rule], known[i].ratio, known[i].why);
}

static int write_all(const struct outcome *o)
{
	char line[LINE];
	FILE *snap = open_source("test/sim/goodput.txt", "w"), *page = open_source("doc/goodput.md", "w");
	if (!snap || !page)
		return 1;
	for (int i = 0; i < CELLS; i++)
		if (o[i].is_there)
			fprintf(snap, "%s\n", line_of(i, &o[i], line));
	write_page(page, o);
	for (int i = 0; i < CELLS; i++)
		for (int k = 0; k < RULES; k++) {
			struct goodput_cell c = cell_at(i);
			if (o[i].is_there && !isnan(o[i].ratio[k]) && !holds((enum rule)k, o[i].ratio[k]))
				printf("does not hold%s: {\"%s\", %d, %g, %s, RULE_%s, %.3f, ...}\n", known_at(&c, (enum rule)k) ? " (known)" : "", c.cc,
					c.rtt_ms, c.loss, c.is_periodic ? "true" : "false", rule_names[k], o[i].ratio[k]);
		}
	return fclose(snap) || fclose(page);
}

/* --- the test --- */

static bool check_cell(int i, const struct outcome *o, FILE *snap)
{
	struct goodput_cell c = cell_at(i);
	char line[LINE], was[LINE + 2] = "";
	bool good = true;
	if (!o->is_there) {
		printf("ok %d # SKIP there is no %s yet\n", ++sim_tap_n, c.cc);
		return true;
	}
	line_of(i, o, line);
	for (int k = 0; k < RULES; k++) {
		const struct known *x = known_at(&c, (enum rule)k);
		if (isnan(o->ratio[k]))
			continue;
		bool fine = x ? fabs(o->ratio[k] - x->ratio) <= 0.02 && !holds((enum rule)k, o->ratio[k]) : holds((enum rule)k, o->ratio[k]);
		if (!fine)
			printf("# %s is %.3f of what is asked%s\n", rule_names[k], o->ratio[k], x ? ", and not as known: mend goodput_known.h" : "");
		good &= fine;
	}
	bool has_line = snap && fgets(was, sizeof was, snap);
	was[strcspn(was, "\n")] = 0;
	if (!has_line || strcmp(was, line) != 0) {
		printf("# was %s\n# is  %s\n# if that is meant: make goodput\n", was, line);
		good = false;
	}
	return sim_ok(good, "%s", line);
}

/* The cells of one congestion control, one after the other as they end. */
static int tell_one(const char *cc)
{
	char line[LINE];
	for (int i = 0; i < CELLS; i++)
		if (strcmp(cell_at(i).cc, cc) == 0) {
			struct outcome o = run_cell(i);
			puts(line_of(i, &o, line));
			fflush(stdout);
		}
	return 0;
}

int main(int argc, char **argv)
{
	static struct outcome o[CELLS];
	if (argc > 2 && strcmp(argv[1], "--tell") == 0)
		return tell_one(argv[2]);
	bool good = true;
	bool writes = argc > 1 && strcmp(argv[1], "--write") == 0;
	if (!run_all(o))
		return puts("Bail out! a run did not end well"), 1;
	if (writes)
		return write_all(o);
	FILE *snap = open_source("test/sim/goodput.txt", "r");
	printf("1..%d\n", CELLS);
	for (int i = 0; i < CELLS; i++)
		good &= check_cell(i, &o[i], snap);
	if (snap)
		fclose(snap);
	return !good;
}
