/* test/fuzz/fuzz.h - what the fuzz targets share. A target reads bytes it is given and checks properties; it never prints.
 * CHECK stops the process, so that libFuzzer saves the input. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHECK(x)                    \
	do {                        \
		if (!(x))           \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
