/* test/unit/posix_world.h - one stack with BSD sockets over it, on its loopback: what the tests of posix/ begin with. */
#ifndef UNIT_POSIX_WORLD_H
#define UNIT_POSIX_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <viaduct/posix.h>

struct world {
	struct via *v;
	struct via_posix *p;
	int fds; /* descriptors of the process before */
};

static inline int open_fds(void)
{
	int n = 0;
	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static inline int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	w->fds = open_fds();
	w->v = via_host_stack_new(NULL);
	assert_non_null(w->v);
	w->p = via_posix_new(w->v);
	assert_non_null(w->p);
	*state = w;
	return 0;
}

/* Every descriptor is given back, whatever the test left open. */
static inline int teardown(void **state)
{
	struct world *w = *state;
	via_posix_free(w->p);
	via_host_stack_free(w->v);
	assert_int_equal(open_fds(), w->fds);
	free(w);
	return 0;
}

static inline struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	assert_int_equal(inet_pton(AF_INET, ip, &a.sin_addr), 1);
	return a;
}

#define SA(a) ((struct sockaddr *)(a))

static inline int listener(struct world *w, uint16_t port)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = via_posix_socket(w->v, AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(via_posix_bind(fd, SA(&a), sizeof(a)), 0);
	assert_int_equal(via_posix_listen(fd, 8), 0);
	return fd;
}

#endif
