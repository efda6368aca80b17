/* cmd/dump.h - reading pcapng, block by block, and what `via dump` and Wireshark's extcap have in common. */
#ifndef CMD_DUMP_H
#define CMD_DUMP_H

#include "cmd/cmd.h"

#define DUMP_BLOCK_MAX (1u << 20)

enum dump_kind { DUMP_OTHER, DUMP_FRAME, DUMP_END, DUMP_BAD };

/* What is read from a file or pipe of this machine's byte order. */
struct dump_reader {
	FILE *in; /* borrowed */
	uint8_t *block;
	uint32_t block_len;      /* the block read last, as it stands there */
	struct dump_iface { char name[64]; int dlt; uint64_t per_s; } *ifaces;
	uint32_t n_ifaces;
	/* Of a DUMP_FRAME: */
	const struct dump_iface *iface;
	const uint8_t *frame;
	uint32_t frame_len, wire_len;
	int64_t when;            /* ns */
	char comment[1024];
};

enum dump_kind dump_next(struct dump_reader *r);
void dump_reader_free(struct dump_reader *r);

struct dump_job {
	FILE *in;            /* taken */
	const char *filter;  /* libpcap's words, "" or NULL: all */
	FILE *raw;           /* pcapng goes there; NULL: text to stdout */
	const char *node, *iface; /* only frames that left these, NULL: any; for a file, which holds those of all */
	int64_t count;       /* frames at most; 0: any number */
	int64_t n_frames;    /* that came through */
};
/* Does libpcap understand the filter? False after a sentence. */
bool dump_filter_check(const char *filter);
/* All of it, until its end, the count, or SIGINT or SIGTERM. Exit status. */
int dump_run(struct dump_job *j);
/* Capture of a running lab: node as -n names it, "NODE" or "NODE:INTERFACE", NULL: all. The capture and *control, which ends it when it is
 * closed; NULL after a sentence, *status is the exit status then. */
FILE *dump_live(const char *lab, const char *node, int *control, int *status);

#endif
