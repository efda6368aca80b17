/* door/target.c - looking into the program: its memory, its descriptors, and whether we may.
 *
 * Memory goes by process_vm_readv/writev, descriptors by /proc/TID/fd (their inode) and pidfd_getfd (a duplicate). All
 * three need ptrace rights over the caller, which we have over descendants unless they made themselves undumpable. A
 * thread that was interrupted has left its call, and its memory means something else: every read is followed, and every
 * write preceded, by NOTIF_ID_VALID (seccomp_unotify(2)). */
#include "door/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIDFD_THREAD_FLAG O_EXCL /* Linux 6.9: a descriptor for one thread, whose table may be its own */

/* --- memory --- */

int door_target_read(struct door *d, const struct call *c, uint64_t addr, void *buf, size_t len)
{
	struct iovec here = {buf, len}, there = {(void *)(uintptr_t)addr, len};
	ssize_t n = len ? process_vm_readv(c->tid, &here, 1, &there, 1, 0) : 0;
	if (!door_call_valid(d, c))
		return WITHDRAWN;
	return n == (ssize_t)len ? 0 : -EFAULT;
}

int door_target_write(struct door *d, const struct call *c, uint64_t addr, const void *buf, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)buf, len}, there = {(void *)(uintptr_t)addr, len};
	if (!door_call_valid(d, c))
		return WITHDRAWN;
	return len == 0 || process_vm_writev(c->tid, &here, 1, &there, 1, 0) == (ssize_t)len ? 0 : -EFAULT;
}

/* The program's array of n spans into d->iov, cut to `cap` bytes in all. Bytes, or -errno. */
static int64_t target_iov(struct door *d, const struct call *c, uint64_t addr, uint64_t n, uint64_t cap)
{
	if (n > DOOR_UIO)
		return -EMSGSIZE;
	int err = door_target_read(d, c, addr, d->iov, n * sizeof(struct iovec));
	if (err < 0)
		return err;
	uint64_t sum = 0;
	for (uint64_t i = 0; i < n; i++) {
		if (d->iov[i].iov_len > (size_t)SSIZE_MAX)
			return -EINVAL;
		d->iov[i].iov_len = MIN(d->iov[i].iov_len, cap - sum);
		sum += d->iov[i].iov_len;
	}
	return (int64_t)sum;
}

int64_t door_target_room(struct door *d, const struct call *c, uint64_t addr, uint64_t n)
{
	return target_iov(d, c, addr, n, INT32_MAX);
}

int64_t door_target_gather(struct door *d, const struct call *c, uint64_t addr, uint64_t n, void *buf, size_t len)
{
	int64_t sum = target_iov(d, c, addr, n, len);
	if (sum <= 0)
		return sum;
	struct iovec here = {buf, (size_t)sum};
	ssize_t got = process_vm_readv(c->tid, &here, 1, d->iov, n, 0);
	if (!door_call_valid(d, c))
		return WITHDRAWN;
	return got == sum ? sum : -EFAULT;
}

int64_t door_target_scatter(struct door *d, const struct call *c, uint64_t addr, uint64_t n, const void *buf, size_t len)
{
	int64_t sum = target_iov(d, c, addr, n, len);
	if (sum <= 0)
		return sum;
	struct iovec here = {(void *)(uintptr_t)buf, (size_t)sum};
	if (!door_call_valid(d, c))
		return WITHDRAWN;
	return process_vm_writev(c->tid, &here, 1, d->iov, n, 0) == sum ? sum : -EFAULT;
}

static bool addr_is_of_a_link(const uint8_t b[16])
{
	return (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || (b[0] == 0xff && ((b[1] & 15) == 1 || (b[1] & 15) == 2));
}

static int addr_read_v6(const struct dsock *s, const struct sockaddr_storage *ss, uint64_t len, struct via_sockaddr *out)
{
	const uint64_t without_scope = offsetof(struct sockaddr_in6, sin6_scope_id); /* RFC 2133's */
	struct sockaddr_in6 in6;
	if (ss->ss_family == AF_INET && s->type != VIA_DGRAM)
		return len < without_scope ? -EINVAL : -EAFNOSUPPORT;
	if (len < without_scope)
		return -EINVAL;
	memcpy(&in6, ss, sizeof(in6));
	*out = (struct via_sockaddr){.port = ntohs(in6.sin6_port)};
	memcpy(out->addr.b, &in6.sin6_addr, 16);
	if (addr_is_of_a_link(out->addr.b))
		out->addr.scope = in6.sin6_scope_id;
	return 0;
}

int door_target_addr_read(const struct dsock *s, const struct call *c, uint64_t addr, uint64_t len, struct via_sockaddr *out, int *family)
{
	struct sockaddr_storage ss = {0};
	*family = AF_UNSPEC;
	if (len > sizeof(ss) || len < sizeof(sa_family_t))
		return -EINVAL;
	int err = door_target_read(s->d, c, addr, &ss, len);
	if (err < 0)
		return err;
	*family = ss.ss_family;
	if (ss.ss_family == AF_UNSPEC)
		return 0;
	if (ss.ss_family != AF_INET && !(ss.ss_family == AF_INET6 && s->is_v6))
		return -EAFNOSUPPORT;
	if (s->is_v6 && (ss.ss_family == AF_INET6 || s->type != VIA_DGRAM))
		return addr_read_v6(s, &ss, len, out);
	if (len < sizeof(struct sockaddr_in))
		return -EINVAL;
	struct sockaddr_in in;
	memcpy(&in, &ss, sizeof(in));
	*out = (struct via_sockaddr){via_addr_v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
	return 0;
}

int door_target_addr_write(const struct dsock *s, const struct call *c, uint64_t addr, uint64_t lenp, const struct via_sockaddr *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
	int32_t whole = s->is_v6 ? sizeof(in6) : sizeof(in), len;
	if (addr == 0)
		return 0;
	if (via_addr_is_v4(&a->addr))
		in.sin_addr.s_addr = htonl(via_addr_to_v4(&a->addr));
	memcpy(&in6.sin6_addr, a->addr.b, 16);
	in6.sin6_scope_id = addr_is_of_a_link(a->addr.b) ? a->addr.scope : 0;
	int err = door_target_read(s->d, c, lenp, &len, sizeof(len));
	if (err < 0)
		return err;
	if (len < 0)
		return -EINVAL;
	err = door_target_write(s->d, c, addr, s->is_v6 ? (const void *)&in6 : &in, (size_t)MIN(len, whole));
	return err < 0 ? err : door_target_write(s->d, c, lenp, &whole, sizeof(whole));
}

/* --- descriptors --- */

ino_t door_target_inode_at(pid_t pid, int fd, int *err)
{
	char path[48], link[48];
	unsigned long long ino;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	*err = 0;
	/* Not stat(): that would ask the file system behind the descriptor, which may hang. */
	ssize_t n = readlink(path, link, sizeof(link) - 1);
	if (n < 0) {
		*err = errno == EACCES || errno == EPERM ? -EACCES : -EBADF;
		return 0;
	}
	link[n] = '\0';
	return sscanf(link, "socket:[%llu]", &ino) == 1 ? (ino_t)ino : 0;
}

ino_t door_target_inode(struct door *d, const struct call *c, int fd, int *err)
{
	return door_target_inode_at(c->tid, fd, err);
}

static pid_t target_group_read(pid_t tid)
{
	char path[48], line[128];
	pid_t group = tid;
	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Tgid: %d", &group) != 1)
		;
	if (f)
		fclose(f);
	return group;
}

pid_t door_target_group(struct door *d, pid_t tid)
{
	unsigned i = (unsigned)tid % DOOR_PIDFDS;
	if (d->group[i].tid != tid) {
		d->group[i].group = target_group_read(tid);
		d->group[i].tid = tid;
	}
	return d->group[i].group;
}

static int target_pidfd_open(pid_t tid)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD_FLAG);
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_pidfd_open, target_group_read(tid), 0);
	return fd < 0 ? -errno : fd;
}

/* A descriptor of the caller's process, kept in a small cache: one that names a thread long gone only fails. */
static int target_pidfd(struct door *d, pid_t tid, bool fresh)
{
	unsigned i = (unsigned)tid % DOOR_PIDFDS;
	if (fresh)
		d->group[i].tid = 0; /* the number may have been given to a thread of another process */
	if (d->pidfd[i].fd > 0 && (fresh || d->pidfd[i].tid != tid)) {
		close(d->pidfd[i].fd);
		d->pidfd[i].fd = 0;
	}
	if (d->pidfd[i].fd <= 0) {
		int fd = target_pidfd_open(tid);
		if (fd < 0)
			return fd;
		d->pidfd[i].tid = tid;
		d->pidfd[i].fd = fd;
	}
	return d->pidfd[i].fd;
}

void door_target_forget(struct door *d)
{
	for (int i = 0; i < DOOR_PIDFDS; i++) {
		if (d->pidfd[i].fd > 0)
			close(d->pidfd[i].fd);
		d->pidfd[i].fd = 0;
	}
}

static int target_borrow_at(struct door *d, pid_t tid, int at, const struct dsock *s)
{
	int fd = -1;
	for (int fresh = 0; fd < 0 && fresh < 2; fresh++) {
		int pidfd = target_pidfd(d, tid, fresh);
		if (pidfd < 0)
			return pidfd;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, at, 0);
	}
	if (fd < 0)
		return -errno;
	struct stat st;
	if (fstat(fd, &st) < 0 || st.st_ino != s->ino) { /* another thread put something else there */
		close(fd);
		return -EBADF;
	}
	return fd;
}

int door_target_borrow(struct door *d, const struct call *c, struct dsock *s)
{
	int fd = target_borrow_at(d, c->tid, (int)c->arg[0], s);
	s->pid = door_target_group(d, c->tid); /* known better after a stale entry */
	return fd;
}

int door_target_borrow_known(struct door *d, struct dsock *s)
{
	return target_borrow_at(d, s->pid, s->fd, s);
}

/* Does process pid hold s? NULL: all broken ones that it holds. */
static bool target_search_in(struct door *d, pid_t pid, const struct dsock *s)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	bool found = false;
	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		int err, fd = atoi(e->d_name);
		ino_t ino = e->d_name[0] != '.' ? door_target_inode_at(pid, fd, &err) : 0;
		struct dsock *held = ino ? door_table_find(d, ino) : NULL;
		if (held && (held == s || (!s && held->state == DS_BROKEN))) {
			held->pid = pid;
			held->fd = fd;
			found = held == s;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Children of pid into out, which has room for max; how many. */
static int target_children(pid_t pid, pid_t *out, int max)
{
	char path[64];
	int n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	FILE *f = fopen(path, "re");
	while (f && n < max && fscanf(f, "%d", &out[n]) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

bool door_target_search(struct door *d, const struct dsock *s)
{
	pid_t tree[256];
	/* Orphans of the program are our children: we are the subreaper. */
	int n = target_children(getpid(), tree, ARRAY_LEN(tree));
	for (int i = 0; i < n; i++) {
		if (target_search_in(d, tree[i], s))
			return true;
		n += target_children(tree[i], tree + n, (int)ARRAY_LEN(tree) - n);
	}
	return false;
}

uint64_t door_target_born(pid_t pid)
{
	char path[48], line[512];
	unsigned long long ticks = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(line, 1, sizeof(line) - 1, f) : 0;
	line[n] = '\0';
	const char *at = strrchr(line, ')'); /* the name before it may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		sscanf(at, "%llu", &ticks);
	if (f)
		fclose(f);
	return ticks;
}

unsigned door_target_count(struct door *d)
{
	pid_t tree[256];
	unsigned alive = 0;
	int n = target_children(getpid(), tree, ARRAY_LEN(tree));
	for (int i = 0; i < n; i++) {
		char path[48], exe[8];
		/* Another program, a helper of ours, or what an earlier program left behind. */
		if (loop_has_child(d->loop, tree[i]) || door_target_born(tree[i]) < d->born)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/exe", tree[i]);
		alive += readlink(path, exe, sizeof(exe)) >= 0 || errno != ENOENT; /* a zombie has none */
		n += target_children(tree[i], tree + n, (int)ARRAY_LEN(tree) - n);
	}
	return alive;
}

bool door_target_nonblock(struct door *d, const struct call *c, struct dsock *s)
{
	int fd = door_target_borrow(d, c, s);
	if (fd < 0)
		return true; /* rather an answer than a wait */
	int flags = fcntl(fd, F_GETFL);
	close(fd);
	return flags >= 0 && (flags & O_NONBLOCK);
}

bool door_target_cloexec(pid_t pid, int fd)
{
	char path[48], line[128];
	unsigned flags = 0;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "flags: %o", &flags) != 1)
		;
	if (f)
		fclose(f);
	return flags & O_CLOEXEC;
}

bool door_target_may(struct door *d, const struct call *c)
{
	char path[48], exe[64], name[32] = "?";
	snprintf(path, sizeof(path), "/proc/%d/exe", c->tid);
	if (readlink(path, exe, sizeof(exe)) >= 0 || (errno != EACCES && errno != EPERM))
		return true;
	pid_t pid = door_target_group(d, c->tid);
	if (pid == d->refused)
		return false;
	d->refused = pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *f = fopen(path, "re");
	if (f) {
		if (!fgets(name, sizeof(name), f))
			name[0] = '\0';
		name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	fprintf(stderr, "via: process %d (%s) does not let us look into it (it is not dumpable, or not ours to trace); "
		"its sockets are refused\n", pid, name);
	return false;
}
