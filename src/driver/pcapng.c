/* driver/pcapng.c - write pcapng: IETF draft-ietf-opsawg-pcapng, sections 4.1 to 4.3.
 *
 * One section in this machine's byte order; one interface block per interface, with its name and nanosecond resolution;
 * one enhanced packet block per frame, with the direction and, where there is something to say, a comment. A superframe
 * is written as the frames a wire would carry (driver/flat.h). Blocks are gathered in a buffer and written when it is
 * full and at the end; the first failed write is remembered and ends the writing. */
#include "driver/pcapng.h"

#include "driver/flat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK_SHB = 0x0a0d0d0a, BLOCK_IDB = 1, BLOCK_EPB = 6, MAGIC = 0x1a2b3c4d };
enum { OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_SHB_USERAPPL = 4, OPT_IF_TSRESOL = 9, OPT_EPB_FLAGS = 2 };
enum { LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101 };
enum { FLAG_INBOUND = 1, FLAG_OUTBOUND = 2 };
enum { BUF_BYTES = 256 * 1024, WAIT_MS = 1000, IFACES_MAX = 65536, STR_MAX = 1024 };

struct pcapng {
	int fd;
	int err; /* first failure, negative errno */
	uint32_t n_ifaces;
	enum via_l2 *l2; /* per interface */
	struct flat flat;
	/* The packet being written, for the emit function. */
	uint32_t iface, flags;
	uint64_t when;
	const char *comment;
	size_t used;
	uint8_t buf[BUF_BYTES];
};

static void pcapng_write(struct pcapng *w, const uint8_t *p, size_t n)
{
	while (n > 0 && w->err == 0) {
		ssize_t r = write(w->fd, p, n);
		bool is_full = r < 0 && errno == EAGAIN;
		if (is_full && poll(&(struct pollfd){.fd = w->fd, .events = POLLOUT}, 1, WAIT_MS) == 0)
			w->err = -ETIMEDOUT;
		else if (r < 0 && !is_full && errno != EINTR)
			w->err = -errno;
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
}

int pcapng_flush(struct pcapng *w)
{
	pcapng_write(w, w->buf, w->used);
	w->used = 0;
	return w->err;
}

static void put(struct pcapng *w, const void *p, size_t n)
{
	if (n > BUF_BYTES - w->used)
		pcapng_flush(w);
	if (n > BUF_BYTES) {
		pcapng_write(w, p, n);
		return;
	}
	if (n)
		memcpy(w->buf + w->used, p, n);
	w->used += n;
}

static void put16(struct pcapng *w, uint16_t v) { put(w, &v, 2); }
static void put32(struct pcapng *w, uint32_t v) { put(w, &v, 4); }

static uint32_t padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

static void put_padded(struct pcapng *w, const void *p, uint32_t n)
{
	static const uint8_t zero[4];
	put(w, p, n);
	put(w, zero, padded(n) - n);
}

static void put_option(struct pcapng *w, uint16_t code, const void *val, uint32_t n)
{
	put16(w, code);
	put16(w, (uint16_t)n);
	put_padded(w, val, n);
}

/* Bytes an option of n value bytes takes; a string that is absent takes none. */
static uint32_t option_bytes(uint32_t n)
{
	return 4 + padded(n);
}

static uint32_t str_bytes(const char *s)
{
	return s ? (uint32_t)strnlen(s, STR_MAX) : 0;
}

static void pcapng_section(struct pcapng *w, const char *application)
{
	uint32_t n = str_bytes(application);
	uint32_t total = 28 + (n ? option_bytes(n) + 4 : 0);
	put32(w, BLOCK_SHB);
	put32(w, total);
	put32(w, MAGIC);
	put16(w, 1); /* version 1.0 */
	put16(w, 0);
	put32(w, UINT32_MAX); /* section length: not said */
	put32(w, UINT32_MAX);
	if (n) {
		put_option(w, OPT_SHB_USERAPPL, application, n);
		put32(w, OPT_END);
	}
	put32(w, total);
}

struct pcapng *pcapng_open_fd(int fd, const char *application)
{
	struct pcapng *w = calloc(1, sizeof(*w));
	if (!w) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	w->fd = fd;
	pcapng_section(w, application);
	return w;
}

struct pcapng *pcapng_open(const char *path, const char *application)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? NULL : pcapng_open_fd(fd, application);
}

int pcapng_close(struct pcapng *w)
{
	pcapng_flush(w);
	if (close(w->fd) < 0 && w->err == 0)
		w->err = -errno;
	int err = w->err;
	flat_free(&w->flat);
	free(w->l2);
	free(w);
	return err;
}

int pcapng_iface(struct pcapng *w, const char *name, enum via_l2 l2)
{
	if (w->n_ifaces >= IFACES_MAX)
		return -ENOSPC;
	enum via_l2 *grown = realloc(w->l2, (w->n_ifaces + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	w->l2 = grown;
	w->l2[w->n_ifaces] = l2;
	uint32_t n = str_bytes(name);
	uint8_t resolution = 9; /* 10^-9 s */
	uint32_t total = 20 + option_bytes(n) + option_bytes(1) + 4;
	put32(w, BLOCK_IDB);
	put32(w, total);
	put16(w, l2 == VIA_L2_ETHER ? LINKTYPE_ETHERNET : LINKTYPE_RAW);
	put16(w, 0);
	put32(w, 0); /* snap length: no limit */
	put_option(w, OPT_IF_NAME, name, n);
	put_option(w, OPT_IF_TSRESOL, &resolution, 1);
	put32(w, OPT_END);
	put32(w, total);
	return w->err ? w->err : (int)w->n_ifaces++;
}

static int pcapng_frame(void *ctx, const uint8_t *frame, uint32_t len)
{
	struct pcapng *w = ctx;
	uint32_t n = str_bytes(w->comment);
	uint32_t total = 32 + padded(len) + option_bytes(4) + (n ? option_bytes(n) : 0) + 4;
	put32(w, BLOCK_EPB);
	put32(w, total);
	put32(w, w->iface);
	put32(w, (uint32_t)(w->when >> 32));
	put32(w, (uint32_t)w->when);
	put32(w, len);
	put32(w, len);
	put_padded(w, frame, len);
	put_option(w, OPT_EPB_FLAGS, &w->flags, 4);
	if (n)
		put_option(w, OPT_COMMENT, w->comment, n);
	put32(w, OPT_END);
	put32(w, total);
	return w->err;
}

int pcapng_packet(struct pcapng *w, int iface, int64_t when, const struct pktmem *m, const struct pkt *p, bool outbound,
	const char *comment)
{
	if (iface < 0 || (uint32_t)iface >= w->n_ifaces)
		return -EINVAL;
	w->iface = (uint32_t)iface;
	w->when = (uint64_t)when;
	w->flags = outbound ? FLAG_OUTBOUND : FLAG_INBOUND;
	w->comment = comment;
	return flat_frames(&w->flat, m, p, w->l2[iface], pcapng_frame, w);
}
