/* base/defs.h - the few macros every file wants. */
#ifndef BASE_DEFS_H
#define BASE_DEFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define CONTAINER_OF(p, T, member) ((T *)(void *)((char *)(p) - offsetof(T, member)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
#define TIME_NEVER INT64_MAX

/* ASSERT(x): our own bug. Debug builds stop the process; release builds compile it away, so code that must survive a
 * broken invariant tests it and closes the one connection. */
#ifdef NDEBUG
#define ASSERT(x) ((void)(0 && (x)))
#else
#include <assert.h>
#define ASSERT(x) assert(x)
#endif

#endif
