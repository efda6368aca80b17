/* tools/idle-budget.c - prints what one idle established connection costs, one "name bytes" per line, for tools/check-idle.
 *
 * Counted: what a connection owns alone. Not counted: the path it shares with all connections between the same two
 * addresses. Pool objects take multiples of 16 bytes. */
#include "sock/endpoint.h"
#include "tcp/conn.h"

#include <stdio.h>

static size_t pool_bytes(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

int main(void)
{
	const struct {
		const char *name;
		size_t bytes;
	} rows[] = {
		{"connection", pool_bytes(sizeof(struct tcp_conn))},
		{"endpoint", pool_bytes(sizeof(struct endpoint))},
		{"handle", sizeof(struct sock_slot)},
		{"demux", 2 * sizeof(ref_t)}, /* buckets: the table holds up to twice as many as connections */
		{"timer", 0},                 /* the connection's first member */
	};
	size_t total = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		printf("%s %zu\n", rows[i].name, rows[i].bytes);
		total += rows[i].bytes;
	}
	printf("total %zu\n", total);
	return 0;
}
