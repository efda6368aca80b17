/* echo_pair.c - a TCP echo server and its client in one process, over a TCP/IP stack in that same process.
 *
 *   cc echo_pair.c $(pkg-config --cflags --libs viaduct) -o echo_pair && ./echo_pair
 *
 * Ordinary blocking sockets, only with a prefix. The kernel sees none of it: the connection goes over the stack's loopback. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <viaduct/posix.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static void *serve_one(void *arg)
{
	char buf[1024];
	ssize_t n;
	int fd = via_posix_accept(*(int *)arg, NULL, NULL);
	must(fd >= 0, "accept");
	while ((n = via_posix_recv(fd, buf, sizeof(buf), 0)) > 0)
		must(via_posix_send(fd, buf, (size_t)n, 0) == n, "echo");
	via_posix_close(fd);
	return NULL;
}

int main(void)
{
	struct via *stack = via_host_stack_new(NULL); /* a host with 127.0.0.1 */
	must(stack != NULL, "stack");
	struct via_posix *runner = via_posix_new(stack);
	must(runner != NULL, "runner");

	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = via_posix_socket(stack, AF_INET, SOCK_STREAM, 0);
	must(via_posix_bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0, "bind");
	must(via_posix_listen(listener, 8) == 0, "listen");
	pthread_t server;
	must(pthread_create(&server, NULL, serve_one, &listener) == 0, "thread");

	int fd = via_posix_socket(stack, AF_INET, SOCK_STREAM, 0);
	must(via_posix_connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	char reply[32] = "";
	must(via_posix_send(fd, "hello, stack", 12, 0) == 12, "send");
	must(via_posix_recv(fd, reply, 12, MSG_WAITALL) == 12, "recv");
	printf("echo says: %s\n", reply);

	via_posix_close(fd);
	pthread_join(server, NULL);
	via_posix_free(runner); /* closes the listener too */
	via_host_stack_free(stack);
	return 0;
}
