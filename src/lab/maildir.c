/* lab/maildir.c - see maildir.h. Every path is opened below the folder's descriptor; names are ours or encoded. */
#include "lab/maildir.h"
#include "base/defs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BOX_NAME = 3 * 64 + 4, FILE_NAME = 160, TRIES = 16 };

struct maildir {
	char *root;
	char host[64];
	uint64_t count;
	unsigned open; /* messages under way */
};

struct message {
	FILE *file;
	char name[FILE_NAME];
	uint32_t n_boxes, n_placed;
	int boxes[]; /* descriptors of the mailboxes; the file is in the first one's tmp/ */
};

/* The mailbox's folder name. */
static void box_name(const char *mailbox, char out[BOX_NAME])
{
	size_t n = 0;
	for (const char *s = mailbox; *s && n + 4 < BOX_NAME; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || strchr("_-+=", *s) || (*s == '.' && n > 0);
		n += (size_t)snprintf(out + n, BOX_NAME - n, plain ? "%c" : "%%%02x", (unsigned char)*s);
	}
	out[n] = 0;
}

/* The folder's entries, to the disk. */
static int folder_sync(int box, const char *name)
{
	int fd = openat(box, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

/* Open folder `name` below `at`; if it is not there it is made, for good. A descriptor or -errno. */
static int folder_get(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	if (mkdirat(at, name, 0700) && errno != EEXIST)
		return -errno;
	if (fsync(at))
		return -errno;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* The folder of all mailboxes, made if its parent is there. */
static int root_get(const struct maildir *d)
{
	int fd = open(d->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	if (mkdir(d->root, 0700) && errno != EEXIST)
		return -errno;
	fd = open(d->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : folder_sync(fd, "..");
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

/* A mailbox with its three folders. A descriptor or -errno. */
static int box_get(int root, const char *mailbox)
{
	static const char *const parts[] = {"tmp", "new", "cur"};
	char name[BOX_NAME];
	box_name(mailbox, name);
	int box = folder_get(root, name);
	for (size_t i = 0; i < ARRAY_LEN(parts) && box >= 0; i++) {
		int part = folder_get(box, parts[i]);
		if (part < 0) {
			close(box);
			box = part;
		} else {
			close(part);
		}
	}
	return box;
}

static void in_folder(const struct message *m, const char *folder, char out[FILE_NAME + 8])
{
	snprintf(out, FILE_NAME + 8, "%s/%s", folder, m->name);
}

static void message_free(struct message *m)
{
	if (m->file)
		fclose(m->file);
	for (uint32_t i = 0; i < m->n_boxes; i++)
		close(m->boxes[i]);
	free(m);
}

/* A file of its own in the first mailbox's tmp/, named as Maildir has it: time, process, count, host. 0 or -errno. */
static int message_create(struct maildir *d, struct message *m)
{
	char path[FILE_NAME + 8];
	int fd = -1;
	for (int i = 0; i < TRIES && fd < 0; i++) {
		struct timespec t;
		clock_gettime(CLOCK_REALTIME, &t);
		snprintf(m->name, sizeof m->name, "%lld.M%06ldP%ldQ%llu.%s", (long long)t.tv_sec, t.tv_nsec / 1000, (long)getpid(),
			(unsigned long long)++d->count, d->host);
		in_folder(m, "tmp", path);
		fd = openat(m->boxes[0], path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
	}
	m->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (m->file)
		return 0;
	int e = -errno;
	if (fd >= 0) {
		close(fd);
		unlinkat(m->boxes[0], path, 0);
	}
	return e;
}

static int maildir_begin(void *ctx, const char *const *mailboxes, uint32_t n, uint64_t *token)
{
	struct maildir *d = ctx;
	struct message *m = calloc(1, sizeof *m + n * sizeof m->boxes[0]);
	int root = root_get(d), rc = !m ? -ENOMEM : root < 0 ? root : 0;
	for (uint32_t i = 0; i < n && !rc; i++) {
		int box = box_get(root, mailboxes[i]);
		if (box < 0)
			rc = box;
		else
			m->boxes[m->n_boxes++] = box;
	}
	if (!rc)
		rc = message_create(d, m);
	if (root >= 0)
		close(root);
	if (rc && m)
		message_free(m);
	if (rc)
		return rc;
	d->open++;
	*token = (uintptr_t)m;
	return 0;
}

static int maildir_write(void *ctx, uint64_t token, const void *data, size_t n)
{
	struct message *m = (struct message *)(uintptr_t)token;
	errno = 0;
	return fwrite(data, 1, n, m->file) == n ? 0 : errno ? -errno : -EIO;
}

static void maildir_abort(void *ctx, uint64_t token)
{
	struct maildir *d = ctx;
	struct message *m = (struct message *)(uintptr_t)token;
	char path[FILE_NAME + 8];
	in_folder(m, "new", path);
	for (uint32_t i = 0; i < m->n_placed; i++)
		unlinkat(m->boxes[i], path, 0);
	in_folder(m, "tmp", path);
	unlinkat(m->boxes[0], path, 0);
	message_free(m);
	d->open--;
}

/* Into every mailbox's new/: links for all but the first, the file itself for that one. 0 or -errno. */
static int message_place(struct message *m)
{
	char tmp[FILE_NAME + 8], new[FILE_NAME + 8];
	in_folder(m, "tmp", tmp);
	in_folder(m, "new", new);
	for (uint32_t i = m->n_boxes; i-- > 0;) {
		int rc = i ? linkat(m->boxes[0], tmp, m->boxes[i], new, 0) : renameat(m->boxes[0], tmp, m->boxes[0], new);
		if (rc)
			return -errno;
		m->n_placed = m->n_boxes; /* what is not there yet is not found when all are taken back */
	}
	for (uint32_t i = 0; i < m->n_boxes; i++) {
		int rc = folder_sync(m->boxes[i], "new");
		if (rc)
			return rc;
	}
	return 0;
}

static int maildir_commit(void *ctx, uint64_t token)
{
	struct maildir *d = ctx;
	struct message *m = (struct message *)(uintptr_t)token;
	int rc = fflush(m->file) || fsync(fileno(m->file)) ? -errno : message_place(m);
	if (rc) {
		maildir_abort(ctx, token);
		return rc;
	}
	message_free(m);
	d->open--;
	return 0;
}

int maildir_open(const char *root, const char *host, struct serve_mail *out)
{
	struct maildir *d = calloc(1, sizeof *d);
	if (!d || !(d->root = strdup(root))) {
		free(d);
		return -ENOMEM;
	}
	snprintf(d->host, sizeof d->host, "%s", host);
	*out = (struct serve_mail){maildir_begin, maildir_write, maildir_commit, maildir_abort, d};
	return 0;
}

void maildir_close(struct serve_mail *mail)
{
	struct maildir *d = mail->ctx;
	if (d) {
		ASSERT(d->open == 0);
		free(d->root);
		free(d);
	}
	mail->ctx = NULL;
}
