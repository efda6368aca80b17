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

struct folder {
	int fd;
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

static int folder_file_open(void *ctx, const char *path, struct serve_file *out)
{
	struct stat st;
	int fd = open_below(ctx, path, O_RDONLY), rc = 0;
	if (fd < 0)
		return fd == -EXDEV || fd == -ELOOP ? -ENOENT : fd;
	*out = (struct serve_file){.data = "", .mtime = INT64_MIN};
	if (fstat(fd, &st))
		rc = -errno;
	else if (S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else if (!S_ISREG(st.st_mode))
		rc = -EACCES;
	else if (st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		rc = p == MAP_FAILED ? -errno : 0;
		out->data = p;
	}
	close(fd);
	if (rc)
		return rc;
	out->len = out->token = (uint64_t)st.st_size;
	out->mtime = st.st_mtime;
	return 0;
}

static void folder_file_close(void *ctx, struct serve_file *f)
{
	union {
		const void *in;
		void *out;
	} p = {f->data};
	if (f->token)
		munmap(p.out, (size_t)f->token);
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
		close(folder->fd);
		free(folder);
	}
	f->ctx = NULL;
}
