/* posix/mirror.c - readiness of a socket as readiness of a real descriptor.
 *
 * The user's descriptor is one end of an AF_UNIX stream pair through which no data of theirs goes. We hold the other end:
 *
 *   VIA_IN     a byte lies in the pair for the user's end            poll: POLLIN
 *   no VIA_OUT junk sent through the user's end fills its buffer     poll: no POLLOUT (which it is at a quarter of SO_SNDBUF)
 *   VIA_RDHUP  our end has shut its sending side                     poll: POLLIN | POLLRDHUP
 *   VIA_HUP    our end has shut both                                 poll: POLLHUP besides
 *   VIA_ERR    our end was closed over unread bytes                  poll: POLLERR besides
 *
 * An edge while the level is up is shown by taking the byte and putting it anew (IN), or by sending and draining (OUT): each
 * wakes the kernel's waiters. RDHUP and HUP cannot be taken back but by a new pair (mirror_renew). HUP of a stream that was
 * never connected comes without RDHUP, and is not shown. While a call sleeps for input (room), input (room) is
 * not shown: the call takes it, or shows it when it ends. Failure here can only be of memory in the kernel, and shows less
 * than there is. */
#include "posix/posix.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIRROR_JUNK = 2048 };

static int mirror_pair(int flags, int fd[2])
{
	int one = 1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0)
		return -errno;
	if (!(flags & SOCK_CLOEXEC))
		fcntl(fd[0], F_SETFD, 0);
	if (flags & SOCK_NONBLOCK)
		fcntl(fd[0], F_SETFL, O_RDWR | O_NONBLOCK);
	/* The smallest there is, so that little junk fills it. */
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	return 0;
}

int mirror_new(struct psock *ps, int flags)
{
	int fd[2];
	int e = mirror_pair(flags, fd);
	if (e)
		return e;
	ps->held = fcntl(fd[0], F_DUPFD_CLOEXEC, 0);
	if (ps->held < 0) {
		e = -errno;
		close(fd[0]);
		close(fd[1]);
		return e;
	}
	ps->fd = fd[0];
	ps->own = fd[1];
	ps->shown = VIA_OUT;
	return 0;
}

static void mirror_send(int fd, size_t n)
{
	static const char junk[MIRROR_JUNK];
	send(fd, junk, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void mirror_drain(int fd)
{
	char junk[2 * MIRROR_JUNK];
	while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) == (ssize_t)sizeof(junk))
		;
}

static void mirror_in(struct psock *ps, bool want, bool edge)
{
	if (want == !!(ps->shown & VIA_IN) && !(want && edge))
		return;
	if (ps->shown & VIA_IN)
		mirror_drain(ps->held);
	if (want)
		mirror_send(ps->own, 1);
	ps->shown = want ? ps->shown | VIA_IN : ps->shown & ~(uint32_t)VIA_IN;
}

static void mirror_out(struct psock *ps, bool want, bool edge)
{
	if (want == !!(ps->shown & VIA_OUT) && !(want && edge))
		return;
	if (want) {
		if (ps->shown & VIA_OUT)
			mirror_send(ps->held, 1);
		mirror_drain(ps->own);
		ps->shown |= VIA_OUT;
		return;
	}
	struct pollfd pfd = {ps->held, POLLOUT, 0};
	for (int i = 0; i < 8 && poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT); i++)
		mirror_send(ps->held, MIRROR_JUNK);
	ps->shown &= ~(uint32_t)VIA_OUT;
}

/* The end of one or both directions, and an error with the latter. */
static void mirror_end(struct psock *ps, uint32_t ready)
{
	if (ready & VIA_HUP && !(ps->shown & VIA_HUP)) {
		mirror_drain(ps->own);
		mirror_send(ps->held, 1); /* unread for ever: what makes a close an error, should one come */
		shutdown(ps->own, SHUT_RDWR);
		ps->shown |= VIA_IN | VIA_OUT | VIA_RDHUP | VIA_HUP;
	} else if (!(ps->shown & VIA_RDHUP)) {
		shutdown(ps->own, SHUT_WR);
		ps->shown |= VIA_IN | VIA_RDHUP;
	}
	if (ready & VIA_ERR && ps->shown & VIA_HUP && ps->own >= 0) {
		close(ps->own);
		ps->own = -1;
		ps->shown |= VIA_ERR;
	}
	if (!(ready & VIA_ERR) && ps->shown & VIA_ERR) {
		int error;
		socklen_t len = sizeof(error);
		getsockopt(ps->held, SOL_SOCKET, SO_ERROR, &error, &len); /* takes the kernel's too */
		ps->shown &= ~(uint32_t)VIA_ERR;
	}
}

void mirror_sync(struct psock *ps)
{
	if (ps->closed)
		return;
	uint32_t ready = via_ready(ps->v, ps->s);
	/* A call that sleeps was woken by the same event; what it leaves is shown when it ends. */
	bool in = !ps->readers && !(ps->shown & VIA_RDHUP), out = !ps->writers && !(ps->shown & VIA_HUP);
	if (in)
		mirror_in(ps, ready & VIA_IN, ps->owed & VIA_IN);
	if (out)
		mirror_out(ps, ready & VIA_OUT, ps->owed & VIA_OUT);
	ps->owed &= (in ? 0 : (uint32_t)VIA_IN) | (out ? 0 : (uint32_t)VIA_OUT);
	if (ready & VIA_RDHUP)
		mirror_end(ps, ready);
}

void mirror_renew(struct psock *ps)
{
	int fd[2];
	if (!(ps->shown & (VIA_RDHUP | VIA_HUP)))
		return;
	int fl = fcntl(ps->held, F_GETFL);
	bool cloexec = fcntl(ps->fd, F_GETFD) & FD_CLOEXEC;
	if (mirror_pair(SOCK_CLOEXEC | (fl & O_NONBLOCK ? SOCK_NONBLOCK : 0), fd) < 0)
		return;
	if (dup3(fd[0], ps->fd, cloexec ? O_CLOEXEC : 0) < 0) {
		close(fd[0]);
		close(fd[1]);
		return;
	}
	close(ps->held);
	if (ps->own >= 0)
		close(ps->own);
	ps->held = fd[0];
	ps->own = fd[1];
	ps->shown = VIA_OUT;
}

void mirror_close(struct psock *ps)
{
	struct stat number, ours;
	/* Not if close(2) was called on it and the number is another file's by now. */
	if (fstat(ps->fd, &number) == 0 && fstat(ps->held, &ours) == 0 && number.st_dev == ours.st_dev && number.st_ino == ours.st_ino)
		close(ps->fd);
	close(ps->held);
	if (ps->own >= 0)
		close(ps->own);
	ps->fd = ps->held = ps->own = -1;
}
