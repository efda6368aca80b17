/* packetdrill/table.h - the table of functions that google/packetdrill asks of a stack under test.
 *
 * A declaration of our own, by what the tool documents: it loads a shared object (--so_filename), calls its
 * packetdrill_interface_init(flags, table) with the text of --so_flags, and from then on makes every system call of a script, every
 * packet and every look at the clock through the table. Order and types are the tool's; userdata is handed to each function. */
#ifndef PACKETDRILL_TABLE_H
#define PACKETDRILL_TABLE_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <viaduct/types.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);
	int (*socket)(void *userdata, int domain, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *len);
	int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t len);
	ssize_t (*read)(void *userdata, int fd, void *data, size_t len);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int n);
	ssize_t (*recv)(void *userdata, int fd, void *data, size_t len, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *data, size_t len, int flags, struct sockaddr *addr, socklen_t *alen);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *data, size_t len);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int n);
	ssize_t (*send)(void *userdata, int fd, const void *data, size_t len, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *data, size_t len, int flags, const struct sockaddr *addr, socklen_t alen);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
	int (*fcntl)(void *userdata, int fd, int cmd, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *val, socklen_t *len);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *val, socklen_t len);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout);
	/* An IP packet for the stack. 0 or -1. */
	int (*netdev_send)(void *userdata, const void *packet, size_t len);
	/* The next IP packet that leaves the stack: *len in: room, out: its length, 0 if none comes; *usecs: when it left. 0 or -1. */
	int (*netdev_receive)(void *userdata, void *packet, size_t *len, long long *usecs);
	int (*usleep)(void *userdata, useconds_t usecs);
	int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *event);
	int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int max, int timeout);
	int (*pipe)(void *userdata, int fds[2]);
	int (*splice)(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t len, unsigned int flags);
};

/* Fill the table with a stack of its own. Ends the process with a word on stderr if `flags` make no sense or memory is out. */
VIA_API void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table);

#endif
