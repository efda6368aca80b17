/* cmd/linger.c - see linger.h. */
#include "cmd/linger.h"

#define LINGER_NS (5 * NS_PER_S)
#define LOOK_NS (5 * NS_PER_MS)

static int64_t on_look(void *ctx, int64_t now)
{
	struct linger *l = ctx;
	if (now < l->until && lab_is_busy(l->lab))
		return now + LOOK_NS;
	loop_task_del(l->loop, &l->task);
	loop_stop(l->loop, l->status);
	return TIME_NEVER;
}

void linger_begin(struct linger *l, struct loop *loop, struct lab *lab, int status)
{
	*l = (struct linger){.task = {.run = on_look, .ctx = l}, .loop = loop, .lab = lab, .until = loop_now() + LINGER_NS, .status = status};
	loop_task_add(loop, &l->task);
}
