/* door/filter.c - the seccomp filter: which system calls of the program come to us.
 *
 * Classic BPF over (arch, nr, args). Socket calls notify; sendto and recvfrom only with an address, so that send and recv
 * of the data path never stop; ioctl only for requests that sockets answer. io_uring would make sockets behind our back:
 * ENOSYS, as container runtimes answer. The other ABIs of the machine (i386, x32; 32-bit ARM) must not reach the kernel's
 * network unseen: their socket calls get ENOSYS, everything else of them goes on. A filter sees no memory and no socket
 * family: sendmsg and its kin notify for all families. */
#include "door/inside.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define DOOR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define DOOR_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp door knows x86-64 and 64-bit ARM"
#endif

#define X32_BIT 0x40000000u
#define LOW 0 /* both machines are little-endian */
#define HIGH 4

/* Socket calls that always notify. */
static const int filter_always[] = {
	__NR_socket, __NR_connect, __NR_bind, __NR_listen, __NR_accept, __NR_accept4, __NR_getsockname, __NR_getpeername,
	__NR_getsockopt, __NR_setsockopt, __NR_shutdown, __NR_sendmsg, __NR_recvmsg, __NR_sendmmsg, __NR_recvmmsg,
};

/* Socket calls of the 32-bit ABI this kernel may also run, as inclusive ranges, and its io_uring_setup. */
static const uint32_t filter_foreign[][2] = {
#if defined(__x86_64__)
	{102, 102} /* socketcall */, {337, 337} /* recvmmsg */, {345, 345} /* sendmmsg */, {359, 373} /* socket..shutdown */,
	{417, 417} /* recvmmsg_time64 */,
#else
	{281, 297} /* socket..recvmsg */, {365, 366} /* recvmmsg, accept4 */, {374, 374} /* sendmmsg */, {417, 417},
#endif
	{425, 425},
};

struct program {
	struct sock_filter *f;
	int n;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n < DOOR_FILTER_MAX)
		p->f[p->n++] = (struct sock_filter){code, jt, jf, k};
}

static void emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* If the loaded value is k: action. */
static void emit_if(struct program *p, uint32_t k, uint32_t action)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	emit_return(p, action);
}

static void emit_if_between(struct program *p, uint32_t lo, uint32_t hi, uint32_t action)
{
	emit(p, BPF_JMP | BPF_JGE | BPF_K, lo, 0, 2);
	emit(p, BPF_JMP | BPF_JGT | BPF_K, hi, 1, 0);
	emit_return(p, action);
}

/* nr == call: notify if the pointer in argument 4 is not NULL. The number stays loaded otherwise. */
static void emit_if_address(struct program *p, uint32_t call)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 6);
	emit_load(p, offsetof(struct seccomp_data, args[4]) + LOW);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
	emit_load(p, offsetof(struct seccomp_data, args[4]) + HIGH);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
	emit_return(p, SECCOMP_RET_USER_NOTIF);
	emit_return(p, SECCOMP_RET_ALLOW);
}

/* ioctl requests that ask about sockets and interfaces. Last: the number is lost. */
static void emit_ioctl(struct program *p)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, __NR_ioctl, 1, 0);
	emit_return(p, SECCOMP_RET_ALLOW);
	emit_load(p, offsetof(struct seccomp_data, args[1]) + LOW);
	emit_if(p, FIONREAD, SECCOMP_RET_USER_NOTIF);
	emit_if(p, SIOCOUTQ, SECCOMP_RET_USER_NOTIF);
	emit_if_between(p, SIOCATMARK, 0x89ff, SECCOMP_RET_USER_NOTIF);
	emit_return(p, SECCOMP_RET_ALLOW);
}

int door_filter_build(struct sock_filter *f)
{
	const uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS;
	struct program p = {f, 0};
	emit_load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, DOOR_ARCH, (uint8_t)(2 + 3 * ARRAY_LEN(filter_foreign)), 0);
	emit_load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_LEN(filter_foreign); i++)
		emit_if_between(&p, filter_foreign[i][0], filter_foreign[i][1], enosys);
	emit_return(&p, SECCOMP_RET_ALLOW);

	emit_load(&p, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	emit_if_between(&p, X32_BIT, UINT32_MAX, enosys);
#endif
	for (size_t i = 0; i < ARRAY_LEN(filter_always); i++)
		emit_if(&p, (uint32_t)filter_always[i], SECCOMP_RET_USER_NOTIF);
	emit_if(&p, __NR_io_uring_setup, enosys);
	emit_if_address(&p, __NR_sendto);
	emit_if_address(&p, __NR_recvfrom);
	emit_ioctl(&p);
	return p.n;
}

int door_filter_install(void)
{
	struct sock_filter f[DOOR_FILTER_MAX];
	struct sock_fprog prog = {(unsigned short)door_filter_build(f), f};
	long fd = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	return fd < 0 ? -errno : (int)fd;
}
