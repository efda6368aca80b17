/* fuzz_dump_read.c - pcapng of any bytes: a frame lies in its block, names are printable and end, and reading ends. */
#include "test/fuzz/fuzz.h"
#include "cmd/dump.h"
#include <stdlib.h>

static void check_text(const char *s, size_t cap)
{
	size_t n = strnlen(s, cap);
	CHECK(n < cap);
	for (size_t i = 0; i < n; i++)
		CHECK((unsigned char)s[i] >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct dump_reader r; /* its megabyte of block is kept: taking it anew for each input would be most of the time */
	enum dump_kind kind;
	volatile uint8_t last;
	if (!len || !(r.in = fmemopen((void *)data, len, "r")))
		return 0;
	free(r.ifaces);
	r.ifaces = NULL;
	r.n_ifaces = 0;
	for (size_t n = 0; (kind = dump_next(&r)) == DUMP_FRAME || kind == DUMP_OTHER; n++) {
		CHECK(n < len / 12 && r.block_len <= len);
		if (kind == DUMP_OTHER)
			continue;
		CHECK(r.frame >= r.block && r.frame + r.frame_len <= r.block + r.block_len && r.wire_len >= r.frame_len);
		CHECK(r.iface >= r.ifaces && r.iface < r.ifaces + r.n_ifaces && r.iface->per_s);
		check_text(r.comment, sizeof(r.comment));
		check_text(r.iface->name, sizeof(r.iface->name));
		last = r.frame_len ? r.frame[r.frame_len - 1] : 0;
	}
	(void)last;
	fclose(r.in);
	return 0;
}
