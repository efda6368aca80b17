/* packetdrill/preload.c - the two functions of libc that the tool calls past its table, for LD_PRELOAD.
 *
 * packetdrill asks for TCP_INFO with getsockopt() and sends files with sendfile(). Preloaded, these see the sockets of the stack and
 * hand every other descriptor to the kernel. In no static library, so that no program links it unasked. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

VIA_API int getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int e = errno, r = via_posix_getsockopt(fd, level, name, val, len);
	if (r == 0 || errno != ENOTSOCK)
		return r;
	errno = e;
	return (int)syscall(SYS_getsockopt, fd, level, name, val, len);
}

/* With 64-bit offsets, libc's header calls sendfile() sendfile64; both symbols are needed. */
VIA_API ssize_t preload_sendfile(int out, int in, off_t *off, size_t n) __asm__("sendfile");

ssize_t preload_sendfile(int out, int in, off_t *off, size_t n)
{
	int type, e = errno;
	socklen_t len = sizeof(type);
	if (via_posix_getsockopt(out, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
		return adapter_sendfile(out, in, off, n);
	errno = e;
	return syscall(SYS_sendfile, out, in, off, n);
}

_Static_assert(sizeof(off_t) == 8, "sendfile is sendfile64");

VIA_API ssize_t sendfile64(int out, int in, off64_t *off, size_t n) /* what sendfile is renamed to */
{
	return preload_sendfile(out, in, (off_t *)off, n);
}
