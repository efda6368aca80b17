/* door/filter.c: a child installs the filter; a supervisor in the test answers every notification with CONTINUE and
 * notes its number. What must notify does, what must not stop does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door/inside.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEN_MAX = 64 };

/* Interpret the program as the kernel does. */
static uint32_t filter_run(const struct seccomp_data *data)
{
	struct sock_filter f[DOOR_FILTER_MAX];
	int n = door_filter_build(f);
	uint32_t a = 0;
	for (int pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail();
		}
	}
	fail_msg("the program runs past its end");
	return 0;
}

static uint32_t verdict(uint32_t arch, int nr, uint64_t arg1, uint64_t arg4)
{
	struct seccomp_data d = {.nr = nr, .arch = arch, .args = {0, arg1, 0, 0, arg4, 0}};
	return filter_run(&d);
}

#if defined(__x86_64__)
#define HERE AUDIT_ARCH_X86_64
#else
#define HERE AUDIT_ARCH_AARCH64
#endif

static void filter__socket_calls_notify(void **state)
{
	static const int calls[] = {__NR_socket, __NR_connect, __NR_bind, __NR_listen, __NR_accept, __NR_accept4,
				    __NR_getsockname, __NR_getpeername, __NR_getsockopt, __NR_setsockopt, __NR_shutdown,
				    __NR_sendmsg, __NR_recvmsg, __NR_sendmmsg, __NR_recvmmsg};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_int_equal(verdict(HERE, calls[i], 0, 0), SECCOMP_RET_USER_NOTIF);
}

static void filter__data_path_goes_on(void **state)
{
	static const int calls[] = {__NR_read, __NR_write, __NR_readv, __NR_writev, __NR_close, __NR_dup, __NR_sendfile,
				    __NR_splice, __NR_epoll_ctl, __NR_execve, __NR_clone, __NR_socketpair, __NR_fcntl, __NR_io_uring_enter};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		assert_int_equal(verdict(HERE, calls[i], 0, 0), SECCOMP_RET_ALLOW);
}

static void filter__address_decides_sendto_and_recvfrom(void **state)
{
	static const int calls[] = {__NR_sendto, __NR_recvfrom};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		assert_int_equal(verdict(HERE, calls[i], 5, 0), SECCOMP_RET_ALLOW);
		assert_int_equal(verdict(HERE, calls[i], 5, 1), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(verdict(HERE, calls[i], 5, UINT64_C(0x7fff00000000)), SECCOMP_RET_USER_NOTIF);
	}
}

static void filter__ioctl_by_request(void **state)
{
	assert_int_equal(verdict(HERE, __NR_ioctl, FIONREAD, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(HERE, __NR_ioctl, SIOCOUTQ, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(HERE, __NR_ioctl, SIOCGIFCONF, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(HERE, __NR_ioctl, SIOCGIFADDR, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(HERE, __NR_ioctl, FIONBIO, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(HERE, __NR_ioctl, TIOCGWINSZ, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(HERE, __NR_ioctl, 0x5401 /* TCGETS */, 0), SECCOMP_RET_ALLOW);
}

static void filter__no_way_around(void **state)
{
	const uint32_t enosys = SECCOMP_RET_ERRNO | ENOSYS;
	assert_int_equal(verdict(HERE, __NR_io_uring_setup, 0, 0), enosys);
#if defined(__x86_64__)
	assert_int_equal(verdict(HERE, 0x40000000 | 41, 0, 0), enosys); /* x32 */
	static const int i386[] = {102, 337, 345, 359, 361, 362, 364, 369, 373, 425};
	for (size_t i = 0; i < ARRAY_LEN(i386); i++)
		assert_int_equal(verdict(AUDIT_ARCH_I386, i386[i], 0, 0), enosys);
	static const int i386_free[] = {1, 3, 4, 5, 6, 11, 54, 101, 103, 358, 374};
	for (size_t i = 0; i < ARRAY_LEN(i386_free); i++)
		assert_int_equal(verdict(AUDIT_ARCH_I386, i386_free[i], 0, 0), SECCOMP_RET_ALLOW);
#endif
}

/* The kernel takes the program, and the calls of the child come here in order. */
static void filter__in_the_kernel(void **state)
{
	int *fd = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int talk[2], seen[SEEN_MAX], n = 0, status;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, talk), 0);
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		*fd = door_filter_install();
		if (*fd < 0 || write(talk[1], "", 1) != 1 || read(talk[1], &c, 1) != 1)
			_exit(1);
		int s = socket(AF_UNIX, SOCK_STREAM, 0), on = 1;
		bool ok = s >= 0 && setsockopt(s, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0;
		ok = ok && send(talk[1], "x", 1, 0) == 1; /* not seen */
		ok = ok && syscall(__NR_io_uring_setup, 1, NULL) < 0 && errno == ENOSYS;
		ok = ok && door_filter_install() == -EBUSY; /* one listener per process */
		_exit(ok ? 0 : 2);
	}
	char c;
	assert_int_equal(read(talk[0], &c, 1), 1);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int l = (int)syscall(SYS_pidfd_getfd, pidfd, *fd, 0);
	assert_true(l >= 0);
	assert_int_equal(write(talk[0], "", 1), 1);
	struct pollfd p = {.fd = l, .events = POLLIN};
	while (poll(&p, 1, 5000) == 1 && (p.revents & POLLIN)) {
		struct seccomp_notif q = {0};
		if (ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &q) < 0)
			continue;
		if (n < SEEN_MAX)
			seen[n++] = q.data.nr;
		struct seccomp_notif_resp r = {.id = q.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
		ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, &r);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(n, 2);
	assert_int_equal(seen[0], __NR_socket);
	assert_int_equal(seen[1], __NR_setsockopt);
	close(l);
	close(pidfd);
	close(talk[0]);
	close(talk[1]);
	munmap(fd, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filter__socket_calls_notify), cmocka_unit_test(filter__data_path_goes_on),
		cmocka_unit_test(filter__address_decides_sendto_and_recvfrom), cmocka_unit_test(filter__ioctl_by_request),
		cmocka_unit_test(filter__no_way_around), cmocka_unit_test(filter__in_the_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
