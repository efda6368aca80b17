/* cmd/linger.h - after its program's end a lab goes on until what was sent to the outside has left, as the kernel would see to. */
#ifndef CMD_LINGER_H
#define CMD_LINGER_H

#include "lab/lab.h"

struct linger {
	struct loop_task task;
	struct loop *loop;
	struct lab *lab;
	int64_t until;
	int status;
};
/* Stop the loop with `status`: at once if nothing is under way to a wan node, else when it has left, at most 5 s later. */
void linger_begin(struct linger *l, struct loop *loop, struct lab *lab, int status);

#endif
