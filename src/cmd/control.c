/* cmd/control.c - framing and addressing of the control socket. Messages are bounded at 64 MiB: some 50,000 sockets. */
#include "cmd/control.h"
#include "cmd/cmd.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX (64u << 20)

static void folder_name(char *out, size_t cap)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	if (run && run[0] == '/')
		snprintf(out, cap, "%s/viaduct", run);
	else
		snprintf(out, cap, "/tmp/viaduct-%u", (unsigned)getuid());
}

int control_path(const char *lab, bool make_folder, char *out, size_t cap)
{
	char folder[256];
	struct stat st;
	folder_name(folder, sizeof folder);
	if (make_folder && mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(folder, &st) == 0 && (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077)))
		return -ENOTDIR;
	return (size_t)snprintf(out, cap, "%s/%s.sock", folder, lab) >= cap ? -ENAMETOOLONG : 0;
}

int control_fail(int status, const char *lab, int err)
{
	char folder[256];
	folder_name(folder, sizeof folder);
	switch (err) {
	case -EADDRINUSE: return cmd_fail(status, "a lab named '%s' is already up", lab);
	case -ENOENT:
	case -ECONNREFUSED: return cmd_fail(status, "no lab named '%s' is running", lab);
	case -ENOTDIR: return cmd_fail(status, "%s must be a folder of yours with mode 0700", folder);
	case -ENAMETOOLONG: return cmd_fail(status, "the name of lab '%.64s...' is too long for a socket in %s", lab, folder);
	default: return cmd_fail(status, "cannot use the socket of lab '%s' in %s: %s", lab, folder, strerror(-err));
	}
}

static int address_of(const char *lab, bool make_folder, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	return control_path(lab, make_folder, sa->sun_path, sizeof sa->sun_path);
}

int control_connect(const char *lab)
{
	struct sockaddr_un sa;
	int err = address_of(lab, false, &sa);
	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int control_listen(const char *lab)
{
	struct sockaddr_un sa;
	int err = address_of(lab, true, &sa);
	if (err)
		return err;
	int live = control_connect(lab);
	if (live >= 0) {
		close(live);
		return -EADDRINUSE;
	}
	unlink(sa.sun_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 64) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

json_t *control_names(void)
{
	char folder[256];
	json_t *names = json_array();
	folder_name(folder, sizeof folder);
	DIR *d = opendir(folder);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		if (n > 5 && strcmp(e->d_name + n - 5, ".sock") == 0)
			json_array_append_new(names, json_stringn(e->d_name, n - 5));
	}
	if (d)
		closedir(d);
	return names;
}

json_t *control_bytes(const char *bytes)
{
	char *text = malloc(2 * strlen(bytes) + 1), *p = text;
	if (!text)
		return NULL;
	for (; *bytes; bytes++) {
		unsigned char c = (unsigned char)*bytes;
		if (c >= 0x80)
			*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	*p = 0;
	json_t *o = json_string(text);
	free(text);
	return o;
}

char *control_bytes_of(const json_t *text)
{
	const char *in = json_string_value(text);
	char *bytes = in ? malloc(strlen(in) + 1) : NULL, *p = bytes;
	if (!bytes)
		return NULL;
	for (; *in; in++) {
		unsigned char c = (unsigned char)*in;
		if ((c & 0xfc) == 0xc0) { /* jansson has checked that another byte follows */
			c = (unsigned char)((c & 3) << 6 | (in[1] & 0x3f));
			in++;
		} else if (c >= 0x80) {
			free(bytes);
			return NULL;
		}
		*p++ = (char)c;
	}
	*p = 0;
	return bytes;
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int control_send(int fd, const json_t *msg, const int *fds, int n_fds)
{
	char *text = json_dumps(msg, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	uint32_t len = (uint32_t)strlen(text);
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {&len, sizeof len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	if (n_fds > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE((size_t)n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)n_fds * sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	int err = n == (ssize_t)sizeof len ? write_all(fd, text, len) : n < 0 ? -errno : -EPIPE;
	free(text);
	return err;
}

static int read_all(int fd, void *data, size_t len)
{
	char *p = data;
	while (len) {
		ssize_t n = recv(fd, p, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The 4-byte length, and the descriptors that came with it. */
static int recv_length(int fd, uint32_t *len, int *fds, int *n_fds)
{
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {len, sizeof *len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control};
	ssize_t n;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	int got = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		int count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (int i = 0; i < count; i++) {
			int f;
			memcpy(&f, CMSG_DATA(c) + (size_t)i * sizeof f, sizeof f);
			if (fds && n_fds && got < *n_fds)
				fds[got++] = f;
			else
				close(f);
		}
	}
	if (n_fds)
		*n_fds = got;
	return (size_t)n == sizeof *len ? 0 : read_all(fd, (char *)len + n, sizeof *len - (size_t)n);
}

json_t *control_recv(int fd, int *fds, int *n_fds)
{
	uint32_t len;
	int none = 0;
	if (recv_length(fd, &len, fds, n_fds ? n_fds : &none) < 0 || len > MESSAGE_MAX)
		return NULL;
	char *text = malloc(len + 1u);
	json_t *msg = NULL;
	if (text && read_all(fd, text, len) == 0)
		msg = json_loadb(text, len, 0, NULL);
	free(text);
	return msg;
}
