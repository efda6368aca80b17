/* test/sim/shrink.c - see shrink.h. Greedy: each step is tried, kept if the scene still fails (however it does), until a whole
 * round of steps keeps none. */
#include "test/sim/shrink.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_S = 120 };

/* All of a result, or what became of the child. */
static void collect(int fd, pid_t child, unsigned limit_s, struct play_result *out)
{
	size_t got = 0;
	int status;
	struct pollfd pf = {.fd = fd, .events = POLLIN};
	bool hangs = false;
	while (got < sizeof *out && !hangs) {
		hangs = poll(&pf, 1, (int)limit_s * 1000) == 0;
		ssize_t n = hangs ? 0 : read(fd, (char *)out + got, sizeof *out - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (hangs)
		kill(child, SIGKILL);
	waitpid(child, &status, 0);
	if (got == sizeof *out)
		return;
	*out = (struct play_result){0};
	if (hangs)
		snprintf(out->why, sizeof out->why, "hangs: not done after %u s", limit_s);
	else
		snprintf(out->why, sizeof out->why, "crashes (wait status 0x%x)", (unsigned)status);
}

bool play_apart(const struct scene *s, const struct play_how *how, unsigned limit_s, struct play_result *out)
{
	int fd[2];
	fflush(NULL);
	if (pipe(fd))
		abort();
	pid_t child = fork();
	if (child < 0)
		abort();
	if (child == 0) {
		struct play_result r;
		close(fd[0]);
		play(s, how, &r);
		fflush(NULL);
		_exit(write(fd[1], &r, sizeof r) != sizeof r);
	}
	close(fd[1]);
	collect(fd[0], child, limit_s, out);
	close(fd[0]);
	return out->good;
}

struct search {
	struct scene *best;
	int left; /* tries */
	FILE *f;
};

/* Keep c if it fails. */
static bool keep(struct search *x, const struct scene *c)
{
	struct play_result r;
	struct play_how quiet = {0};
	if (x->left <= 0 || memcmp(c, x->best, sizeof *c) == 0)
		return false;
	x->left--;
	if (play_apart(c, &quiet, LIMIT_S, &r))
		return false;
	*x->best = *c;
	fprintf(x->f, "# smaller: %u flows, %u faults: %s\n", c->n_flows, c->n_faults, r.why);
	fflush(x->f);
	return true;
}

static bool shrink_lists(struct search *x)
{
	bool any = false;
	for (int i = x->best->n_flows - 1; i >= 0 && x->best->n_flows > 1; i--) {
		struct scene c = *x->best;
		memmove(&c.flows[i], &c.flows[i + 1], (size_t)(c.n_flows - i - 1) * sizeof c.flows[0]);
		c.n_flows--;
		any |= keep(x, &c);
	}
	for (int i = x->best->n_faults - 1; i >= 0; i--) {
		struct scene c = *x->best;
		memmove(&c.faults[i], &c.faults[i + 1], (size_t)(c.n_faults - i - 1) * sizeof c.faults[0]);
		c.n_faults--;
		any |= keep(x, &c);
	}
	return any;
}

static bool shrink_links(struct search *x)
{
	bool any = false;
	for (int i = 0; i < x->best->n_links; i++) {
		struct scene c = *x->best;
		c.links[i].mtu = 1500;
		any |= keep(x, &c);
		for (int d = 0; d < 2; d++) {
			static const struct lab_impair none;
			const struct lab_impair *im = &x->best->links[i].im[d];
			struct lab_impair less[] = {none, *im, *im, *im, *im, *im, *im, *im, *im, *im};
			less[1].loss_ppb = 0;
			less[2].ge = none.ge;
			less[3].reorder_ppb = 0;
			less[4].duplicate_ppb = 0;
			less[5].corrupt_ppb = 0;
			less[6].rate_bps = 0;
			less[7].police_bps = 0;
			less[8].jitter_ns = 0;
			less[9].delay_ns = less[9].delay_ns ? NS_PER_MS : 0;
			for (size_t k = 0; k < ARRAY_LEN(less); k++) {
				c = *x->best;
				c.links[i].im[d] = less[k];
				any |= keep(x, &c);
			}
		}
	}
	return any;
}

static bool shrink_flow(struct search *x, int i)
{
	bool any = false;
	const struct scene_flow *f = &x->best->flows[i];
	struct scene_flow less[] = {*f, *f, *f, *f, *f, *f, *f};
	less[0].conns = 1;
	less[1].up = f->up > 1 ? f->up / 2 : 1;
	less[2].down = f->down / 2;
	less[3].o[0] = (struct scene_opts){0};
	less[4].o[1] = (struct scene_opts){0};
	less[5].at = 0;
	less[6].work = WORK_BULK;
	for (size_t k = 0; k < ARRAY_LEN(less); k++) {
		struct scene c = *x->best;
		c.flows[i] = less[k];
		any |= keep(x, &c);
	}
	return any;
}

void shrink(struct scene *s, int tries, FILE *f)
{
	struct search x = {s, tries, f};
	bool any = true;
	while (any && x.left > 0) {
		any = shrink_lists(&x);
		any |= shrink_links(&x);
		for (int i = 0; i < s->n_flows; i++)
			any |= shrink_flow(&x, i);
		struct scene c = *s;
		c.whole_frames = true;
		any |= keep(&x, &c);
	}
	fprintf(f, "# shrunk with %d tries left\n", x.left);
}
