/* fuzz_frame_text.c - any frame, whole or cut off, becomes one printable line that ends within its room. */
#include "test/fuzz/fuzz.h"
#include "lab/lab.h"

/* The first byte: of Ethernet or of IP; how much longer the frame was than what is here. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char out[LAB_FRAME_TEXT];
	if (!len)
		return 0;
	memset(out, 0xff, sizeof(out));
	lab_frame_text(data + 1, len - 1, len - 1 + (data[0] >> 1) * 9u, data[0] & 1 ? 101 : 1, out);
	size_t n = strnlen(out, sizeof(out));
	CHECK(n > 0 && n < sizeof(out));
	for (size_t i = 0; i < n; i++)
		CHECK(out[i] >= ' ' && out[i] < 127);
	return 0;
}
