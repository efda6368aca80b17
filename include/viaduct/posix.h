/* viaduct/posix.h - BSD sockets over a stack of this process: blocking calls, threads, poll and epoll.
 *
 * via_posix_X() is X(2): its arguments, system types, result and errno; flags and options are Linux's. The prefix is longer
 * than via_ because via_bind(), via_send() and so on are the non-blocking calls of socket.h, which these stand on.
 *
 * One runner (struct via_posix) has one baton and one thread. The thread runs the stacks given to it under the real
 * clock; a call takes the baton, does its work there and then, down to the driver, and gives it back; a call that must
 * wait sleeps without it. So any thread may call any of these on any socket at any time. Signals do not interrupt calls.
 *
 * A socket is a real descriptor of the kernel's: a number no other file has, for poll, select and epoll beside any other
 * descriptor. Its readiness mirrors the socket's: POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR; each arrival is a new edge
 * for EPOLLET. fcntl(2) works: F_SETFL with O_NONBLOCK and F_SETFD with FD_CLOEXEC mean what they say, FIONBIO too.
 *
 * Limits: read(2), write(2), close(2), dup(2) and socket options of the kernel do not reach the stack: use the calls below.
 * A descriptor that was closed with close(2) is noticed when its number comes back. It is of no use to a forked child. Each
 * socket takes three descriptors of the process's limit.
 * A socket that was never connected polls as POLLOUT, without Linux's POLLHUP; POLLHUP and POLLRDHUP once shown stay until
 * connect() is called anew, which puts a new file behind the number: register it with epoll again. A pending error of a datagram
 * socket polls as POLLIN. No SIGPIPE is raised, only EPIPE. SO_RCVLOWAT and a lingering close() are not honoured (SO_LINGER with
 * 0 resets); sendmsg() takes no ancillary data, recvmsg() gives TCP_CM_INQ only. MSG_ZEROCOPY copies, and the error queue
 * (MSG_ERRQUEUE) says so at once; it holds nothing else, and does not show as POLLERR. IPv4 only. */
#ifndef VIADUCT_POSIX_H
#define VIADUCT_POSIX_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <viaduct/host.h>

struct via_posix;

/* Run a stack of via_host_stack_new() (borrowed until via_posix_free()). The stack belongs to the runner from now on:
 * other calls on it need the baton. NULL with errno. */
VIA_API struct via_posix *via_posix_new(struct via *v);
/* The same without a thread and a clock: its time is `now` until via_posix_tell() says otherwise, and nothing happens but within
 * calls. For virtual time. via_posix_watch() has no effect. NULL with errno. */
VIA_API struct via_posix *via_posix_new_told(struct via *v, int64_t now);
/* Make it `now` (what is earlier than its time is its time): what is due happens, and calls whose time-out is over wake up. When it
 * wants to be told again, ns: the earliest timer or time-out; INT64_MAX: none. Owners who go from one to the next lose no time. */
VIA_API int64_t via_posix_tell(struct via_posix *p, int64_t now);
/* How many calls sleep and nothing has happened yet that wakes them. */
VIA_API int via_posix_asleep(struct via_posix *p);
/* Run one more, under the same baton: for stacks that are joined by a driver within the process. 0, -ENOSPC, -EALREADY. */
VIA_API int via_posix_add(struct via_posix *p, struct via *v);
/* Close all its sockets, stop its thread. The stacks are their owner's again. No call may be under way. */
VIA_API void via_posix_free(struct via_posix *p);
/* Look at the stacks whenever fd (borrowed, of a driver) is readable. 0 or -errno. */
VIA_API int via_posix_watch(struct via_posix *p, int fd);
/* Take the baton, to configure a stack or push a packet; and give it back, which runs what became due. Not recursive;
 * no via_posix call in between. */
VIA_API void via_posix_enter(struct via_posix *p);
VIA_API void via_posix_leave(struct via_posix *p);

/* domain AF_INET or AF_INET6; type SOCK_STREAM or SOCK_DGRAM (protocol IPPROTO_ICMP, IPPROTO_ICMPV6: Linux's ping socket), with
 * SOCK_NONBLOCK, SOCK_CLOEXEC. */
VIA_API int via_posix_socket(struct via *v, int domain, int type, int protocol);
VIA_API int via_posix_bind(int fd, const struct sockaddr *addr, socklen_t len);
/* Waits at most SO_SNDTIMEO, then EINPROGRESS. */
VIA_API int via_posix_connect(int fd, const struct sockaddr *addr, socklen_t len);
VIA_API int via_posix_listen(int fd, int backlog);
VIA_API int via_posix_accept(int fd, struct sockaddr *addr, socklen_t *len);
VIA_API int via_posix_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
VIA_API int via_posix_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
VIA_API int via_posix_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

VIA_API ssize_t via_posix_send(int fd, const void *data, size_t len, int flags);
VIA_API ssize_t via_posix_sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *addr, socklen_t alen);
VIA_API ssize_t via_posix_sendmsg(int fd, const struct msghdr *msg, int flags);
VIA_API ssize_t via_posix_recv(int fd, void *data, size_t len, int flags);
VIA_API ssize_t via_posix_recvfrom(int fd, void *data, size_t len, int flags, struct sockaddr *addr, socklen_t *alen);
VIA_API ssize_t via_posix_recvmsg(int fd, struct msghdr *msg, int flags);
VIA_API ssize_t via_posix_read(int fd, void *data, size_t len);
VIA_API ssize_t via_posix_readv(int fd, const struct iovec *iov, int n);
VIA_API ssize_t via_posix_write(int fd, const void *data, size_t len);
VIA_API ssize_t via_posix_writev(int fd, const struct iovec *iov, int n);

VIA_API int via_posix_setsockopt(int fd, int level, int name, const void *val, socklen_t len);
VIA_API int via_posix_getsockopt(int fd, int level, int name, void *val, socklen_t *len);
/* FIONREAD, SIOCOUTQ, SIOCATMARK, FIONBIO; arg: int *. */
VIA_API int via_posix_ioctl(int fd, unsigned long request, void *arg);
VIA_API int via_posix_shutdown(int fd, int how);
/* Calls of other threads that wait on it end with EBADF. */
VIA_API int via_posix_close(int fd);

#endif
