/* serve/files.h - where a file server's files come from: the owner's table of functions, so that serve/ stays pure.
 *
 * The owner (host side) maps files into memory. Paths come from app/http: they begin with '/', are decoded, and have no
 * empty, "." or ".." segment. Symbolic links are the owner's decision. */
#ifndef SERVE_FILES_H
#define SERVE_FILES_H

#include <stddef.h>
#include <stdint.h>

struct serve_file {
	const void *data;  /* the whole file; valid until close() */
	uint64_t len;      /* bytes */
	int64_t mtime;     /* seconds since 1970; INT64_MIN when unknown */
	const char *type;  /* Content-Type, or NULL: by the path's extension */
	uint64_t token;    /* the owner's */
};

struct serve_files {
	/* 0 and *out, or -ENOENT, -EISDIR (a folder; path has no '/' at its end or has), -EACCES, -ENOMEM, ... */
	int (*open)(void *ctx, const char *path, struct serve_file *out);
	void (*close)(void *ctx, struct serve_file *f);
	/* Names in folder `path` (which ends in '/'), sorted, each ended by '\n', folders' by "/\n", hidden ones left out,
	 * as many as fit. Returns bytes or -errno. NULL: folders are not listed (403). */
	int64_t (*list)(void *ctx, const char *path, char *out, size_t cap);
	void *ctx;
};

#endif
