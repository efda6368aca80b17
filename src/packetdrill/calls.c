/* packetdrill/calls.c - the table's system calls: a socket's go to the stack, any other descriptor's to the kernel.
 *
 * Which of the two it is, the stack's call tells: ENOTSOCK. Each call is counted while it is under way, for the clock. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* CALL is made under count; KERNEL instead if the descriptor is not a socket of ours. */
#define CALL(call, kernel)                                                     \
	({                                                                     \
		struct adapter *adapter_ = userdata;                           \
		adapter_enter(adapter_);                                       \
		ssize_t result_ = (call);                                      \
		if (result_ < 0 && errno == ENOTSOCK)                          \
			result_ = (kernel);                                    \
		adapter_leave(adapter_);                                       \
		result_;                                                       \
	})
#define NOT_OURS (errno = ENOTSOCK, -1)

static int call_socket(void *userdata, int domain, int type, int protocol)
{
	struct adapter *a = userdata;
	adapter_settings(a);
	return (int)CALL(via_posix_socket(a->v, domain, type, protocol), NOT_OURS);
}

static int call_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)CALL(via_posix_bind(fd, addr, len), NOT_OURS);
}

static int call_listen(void *userdata, int fd, int backlog)
{
	adapter_settings(userdata);
	return (int)CALL(via_posix_listen(fd, backlog), NOT_OURS);
}

static int call_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)CALL(via_posix_accept(fd, addr, len), NOT_OURS);
}

static int call_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
	adapter_settings(userdata);
	return (int)CALL(via_posix_connect(fd, addr, len), NOT_OURS);
}

static ssize_t call_read(void *userdata, int fd, void *data, size_t len)
{
	return CALL(via_posix_read(fd, data, len), read(fd, data, len));
}

static ssize_t call_readv(void *userdata, int fd, const struct iovec *iov, int n)
{
	return CALL(via_posix_readv(fd, iov, n), readv(fd, iov, n));
}

static ssize_t call_recvfrom(void *userdata, int fd, void *data, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	return CALL(via_posix_recvfrom(fd, data, len, flags, addr, alen), NOT_OURS);
}

static ssize_t call_recv(void *userdata, int fd, void *data, size_t len, int flags)
{
	return call_recvfrom(userdata, fd, data, len, flags, NULL, NULL);
}

static ssize_t call_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
	return CALL(via_posix_recvmsg(fd, msg, flags), NOT_OURS);
}

static ssize_t call_write(void *userdata, int fd, const void *data, size_t len)
{
	return CALL(via_posix_write(fd, data, len), write(fd, data, len));
}

static ssize_t call_writev(void *userdata, int fd, const struct iovec *iov, int n)
{
	return CALL(via_posix_writev(fd, iov, n), writev(fd, iov, n));
}

static ssize_t call_sendto(void *userdata, int fd, const void *data, size_t len, int flags, const struct sockaddr *addr, socklen_t alen)
{
	if (flags & MSG_FASTOPEN)
		adapter_settings(userdata);
	return CALL(via_posix_sendto(fd, data, len, flags, addr, alen), NOT_OURS);
}

static ssize_t call_send(void *userdata, int fd, const void *data, size_t len, int flags)
{
	return call_sendto(userdata, fd, data, len, flags, NULL, 0);
}

static ssize_t call_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
	if (flags & MSG_FASTOPEN)
		adapter_settings(userdata);
	return CALL(via_posix_sendmsg(fd, msg, flags), NOT_OURS);
}

/* A socket's flags are its descriptor's. */
static int call_fcntl(void *userdata, int fd, int cmd, ...)
{
	va_list ap;
	va_start(ap, cmd);
	long arg = va_arg(ap, long);
	va_end(ap);
	return fcntl(fd, cmd, arg);
}

static int call_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	return (int)CALL(via_posix_ioctl(fd, request, arg), ioctl(fd, request, arg));
}

static int call_close(void *userdata, int fd)
{
	struct adapter *a = userdata;
	adapter_enter(a);
	int r = via_posix_close(fd);
	if (r < 0 && errno == EBADF) /* none of ours, at least */
		r = close(fd);
	adapter_leave(a);
	return r;
}

static int call_shutdown(void *userdata, int fd, int how)
{
	return (int)CALL(via_posix_shutdown(fd, how), NOT_OURS);
}

static int call_getsockopt(void *userdata, int fd, int level, int name, void *val, socklen_t *len)
{
	return (int)CALL(via_posix_getsockopt(fd, level, name, val, len), NOT_OURS);
}

static int call_setsockopt(void *userdata, int fd, int level, int name, const void *val, socklen_t len)
{
	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_CONNECT)
		adapter_settings(userdata);
	return (int)CALL(via_posix_setsockopt(fd, level, name, val, len), NOT_OURS);
}

static int call_epoll_create(void *userdata, int size)
{
	return epoll_create(size);
}

static int call_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *event)
{
	return epoll_ctl(epfd, op, fd, event);
}

static int call_pipe(void *userdata, int fds[2])
{
	return pipe(fds);
}

/* --- between descriptors --- */

enum { CHUNK = 65536 };

ssize_t adapter_sendfile(int out, int in, off_t *off, size_t n)
{
	static _Thread_local char chunk[CHUNK];
	ssize_t sent = 0;
	while ((size_t)sent < n) {
		size_t want = MIN(n - (size_t)sent, sizeof(chunk));
		off_t at = off ? *off : lseek(in, 0, SEEK_CUR);
		ssize_t got = pread(in, chunk, want, at);
		if (got <= 0)
			return sent ? sent : got;
		ssize_t r = via_posix_send(out, chunk, (size_t)got, (size_t)(sent + got) < n ? MSG_MORE : 0);
		if (r < 0)
			return sent ? sent : r;
		sent += r;
		if (off)
			*off += r;
		else
			lseek(in, r, SEEK_CUR);
		if (r < got)
			break;
	}
	return sent;
}

/* From a pipe to a socket: what the socket does not take stays in the pipe, so it is copied to a pipe of ours first. */
static ssize_t splice_out(int in, int out, size_t len, unsigned int flags)
{
	char chunk[CHUNK];
	int copy[2];
	if (pipe2(copy, O_CLOEXEC) < 0)
		return -1;
	ssize_t r = tee(in, copy[1], MIN(len, sizeof(chunk)), flags & SPLICE_F_NONBLOCK);
	if (r > 0)
		r = read(copy[0], chunk, (size_t)r);
	if (r > 0)
		r = via_posix_send(out, chunk, (size_t)r, (flags & SPLICE_F_MORE ? MSG_MORE : 0) | (flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0));
	if (r > 0)
		r = read(in, chunk, (size_t)r);
	int e = errno;
	close(copy[0]);
	close(copy[1]);
	errno = e;
	return r;
}

static ssize_t splice_in(int in, int out, size_t len, unsigned int flags)
{
	char chunk[CHUNK];
	int room = fcntl(out, F_GETPIPE_SZ), full = 0;
	if (room < 0 || ioctl(out, FIONREAD, &full) < 0)
		return -1;
	size_t most = MIN(MIN(len, sizeof(chunk)), (size_t)MAX(room - full, 0));
	ssize_t r = via_posix_recv(in, chunk, most, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0);
	return r > 0 ? write(out, chunk, (size_t)r) : r;
}

/* The tool gives addresses of offsets where it means none; sockets and pipes have none. */
static int call_splice(void *userdata, int in, loff_t *off_in, int out, loff_t *off_out, size_t len, unsigned int flags)
{
	int type;
	socklen_t n = sizeof(type);
	bool to_us = via_posix_getsockopt(out, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
	bool from_us = via_posix_getsockopt(in, SOL_SOCKET, SO_TYPE, &type, &n) == 0;
	if (to_us)
		return (int)CALL(splice_out(in, out, len, flags), NOT_OURS);
	if (from_us)
		return (int)CALL(splice_in(in, out, len, flags), NOT_OURS);
	return (int)splice(in, off_in, out, off_out, len, flags);
}

void adapter_calls(struct packetdrill_interface *t)
{
	t->socket = call_socket;
	t->bind = call_bind;
	t->listen = call_listen;
	t->accept = call_accept;
	t->connect = call_connect;
	t->read = call_read;
	t->readv = call_readv;
	t->recv = call_recv;
	t->recvfrom = call_recvfrom;
	t->recvmsg = call_recvmsg;
	t->write = call_write;
	t->writev = call_writev;
	t->send = call_send;
	t->sendto = call_sendto;
	t->sendmsg = call_sendmsg;
	t->fcntl = call_fcntl;
	t->ioctl = call_ioctl;
	t->close = call_close;
	t->shutdown = call_shutdown;
	t->getsockopt = call_getsockopt;
	t->setsockopt = call_setsockopt;
	t->poll = adapter_poll;
	t->epoll_create = call_epoll_create;
	t->epoll_ctl = call_epoll_ctl;
	t->epoll_wait = adapter_epoll_wait;
	t->pipe = call_pipe;
	t->splice = call_splice;
}
