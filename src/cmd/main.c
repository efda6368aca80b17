/* cmd/main.c - where the process begins, and what holds for every command: descriptors 0, 1 and 2 are taken, so that no
 * socket of ours can become a program's standard stream, and output that could not be written is a failure. */
#include "cmd/cmd.h"
#include <errno.h>
#include <fcntl.h>

/* Closed standard streams become /dev/null here. Closed on execution: a program we start finds them closed, as it would
 * without us. */
static void hold_stdio(void)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR | O_CLOEXEC) < 0)
			return;
	}
}

int main(int argc, char **argv)
{
	hold_stdio();
	int status = cmd_main(argc, argv);
	if (fflush(stdout) || ferror(stdout)) {
		if (errno != EPIPE) /* a reader that has seen enough, such as head */
			cmd_fail(EXIT_FAILED, "cannot write the output: %s", strerror(errno));
		status = status ? status : EXIT_FAILED;
	}
	return status;
}
