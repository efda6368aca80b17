/* tcp/cc.c - the table of congestion controls. */
#include "tcp/cc.h"

static const struct tcp_cc_algo *const table[] = {&tcp_cc_cubic, &tcp_cc_newreno, &tcp_cc_bbr};

const struct tcp_cc_algo *tcp_cc_at(uint8_t index)
{
	return table[index < ARRAY_LEN(table) ? index : 0];
}

int tcp_cc_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(table); i++)
		if (strcmp(table[i]->name, name) == 0)
			return (int)i;
	return -1;
}

uint32_t tcp_cc_initial_window(uint32_t mss)
{
	return MIN(10 * mss, MAX(2 * mss, 14600u));
}

uint32_t tcp_cc_slow_start(const struct tcp_cc_sample *s)
{
	return MIN(s->acked, s->mss);
}
