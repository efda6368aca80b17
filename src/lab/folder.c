/* lab/folder.c - see folder.h. Paths are resolved by the kernel below the folder's descriptor (openat2, RESOLVE_BENEATH);
 * where that call is missing, symbolic links are not followed at all. */
#include "lab/folder.h"
#include "base/defs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A file as it was when it was opened. */
struct copy {
	struct copy *next;
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	uint64_t size;  /* as stat told it; bytes mapped */
	uint64_t len;   /* read; less than size if the file was cut meanwhile */
	void *data;     /* NULL when size is 0 */
	unsigned users;
};

struct folder {
	int fd;
	struct copy *copies;
	uint64_t bytes; /* sum of their sizes */
};

/* Open `path`, which begins with '/', below the folder. */
static int open_below(const struct folder *f, const char *path, int flags)
{
	struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC | O_NONBLOCK), .resolve = RESOLVE_BENEATH};
	while (*path == '/')
		path++;
	if (!*path)
		path = ".";
	long fd = syscall(SYS_openat2, f->fd, path, &how, sizeof how);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = openat(f->fd, path, flags | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	return fd < 0 ? -errno : (int)fd;
}

static bool copy_is_of(const struct copy *c, const struct stat *st)
{
	return c->dev == st->st_dev && c->ino == st->st_ino && c->size == (uint64_t)st->st_size && c->mtime.tv_sec == st->st_mtim.tv_sec &&
	       c->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* Read the file into fresh memory. 0 or -errno. */
static int copy_read(struct copy *c, int fd)
{
	if (!c->size)
		return 0;
	void *p = mmap(NULL, c->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	ssize_t n = 1;
	while (c->len < c->size && n != 0) {
		n = pread(fd, (char *)p + c->len, c->size - c->len, (off_t)c->len);
		if (n < 0 && errno != EINTR) {
			int e = -errno;
			munmap(p, c->size);
			return e;
		}
		c->len += n > 0 ? (uint64_t)n : 0;
	}
	c->data = p;
	return 0;
}

/* The copy of the open file: a shared or a fresh one, counted. NULL with errno. */
static struct copy *copy_get(struct folder *f, int fd, const struct stat *st)
{
	struct copy *c;
	for (c = f->copies; c; c = c->next)
		if (copy_is_of(c, st)) {
			c->users++;
			return c;
		}
	uint64_t size = (uint64_t)st->st_size;
	c = size <= FOLDER_COPIES_MAX - f->bytes ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		errno = ENOMEM;
		return NULL;
	}
	*c = (struct copy){.next = f->copies, .dev = st->st_dev, .ino = st->st_ino, .mtime = st->st_mtim, .size = size, .users = 1};
	int rc = copy_read(c, fd);
	if (rc) {
		free(c);
		errno = -rc;
		return NULL;
	}
	f->copies = c;
	f->bytes += size;
	return c;
}

static void copy_drop(struct folder *f, struct copy *c)
{
	struct copy **at = &f->copies;
	if (--c->users)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	f->bytes -= c->size;
	if (c->data)
		munmap(c->data, c->size);
	free(c);
}

static int folder_file_open(void *ctx, const char *path, struct serve_file *out)
{
	struct stat st;
	struct copy *c = NULL;
	int fd = open_below(ctx, path, O_RDONLY), rc = 0;
	if (fd < 0)
		return fd == -EXDEV || fd == -ELOOP ? -ENOENT : fd;
	if (fstat(fd, &st))
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		rc = -EACCES;
	else if (!(c = copy_get(ctx, fd, &st)))
		rc = -errno;
	close(fd);
	if (rc)
		return rc;
	*out = (struct serve_file){.data = c->data ? c->data : "", .len = c->len, .mtime = st.st_mtime, .token = (uintptr_t)c};
	return 0;
}

static void folder_file_close(void *ctx, struct serve_file *f)
{
	copy_drop(ctx, (struct copy *)(uintptr_t)f->token);
}

static int64_t folder_list(void *ctx, const char *path, char *out, size_t cap)
{
	int fd = open_below(ctx, path, O_RDONLY | O_DIRECTORY);
	struct dirent **names = NULL;
	size_t used = 0;
	if (fd < 0)
		return fd;
	int n = scandirat(fd, ".", &names, NULL, alphasort);
	int rc = n < 0 ? -errno : 0;
	bool full = false;
	for (int i = 0; i < n; i++) {
		const char *name = names[i]->d_name;
		struct stat st;
		if (!full && name[0] != '.' && fstatat(fd, name, &st, 0) == 0) {
			int len = snprintf(out + used, cap - used, "%s%s\n", name, S_ISDIR(st.st_mode) ? "/" : "");
			full = len <= 0 || (size_t)len >= cap - used;
			used += full ? 0 : (size_t)len;
		}
		free(names[i]);
	}
	free(names);
	close(fd);
	return rc ? rc : (int64_t)used;
}

int folder_open(const char *root, struct serve_files *out)
{
	struct folder *f = calloc(1, sizeof *f);
	if (!f)
		return -ENOMEM;
	f->fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->fd < 0) {
		int e = -errno;
		free(f);
		return e;
	}
	*out = (struct serve_files){folder_file_open, folder_file_close, folder_list, f};
	return 0;
}

void folder_close(struct serve_files *f)
{
	struct folder *folder = f->ctx;
	if (folder) {
		ASSERT(!folder->copies);
		close(folder->fd);
		free(folder);
	}
	f->ctx = NULL;
}
