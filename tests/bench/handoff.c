/*
 * handoff.c - what it costs to hand a system call to another process, path by path.
 *
 * The measurement behind docs/decisions/0001.  Each row times an empty call
 * (getppid) from one process to a server in another, in ns a call:
 *   native      no hand-off
 *   futex       a word in shared memory, futex both ways, no signal frame
 *   sigsys      SIGSYS handler, then as futex
 *   spin        SIGSYS handler, server spinning on the other CPU
 *   notif       SECCOMP_RET_USER_NOTIF with SYNC_WAKE_UP
 * Run it on an idle machine: build/.../handoff [calls].
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ull
#endif

enum path { NATIVE, FUTEX, SIGSYS_FUTEX, SIGSYS_SPIN, NOTIF };

struct shared {
	_Alignas(64) int state;         /* 0 free, 1 a call waits */
	int ready;                      /* the client runs under its filter */
	long result;
	double ns;
};

static struct shared *sh;
static enum path path;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t s;

	CPU_ZERO(&s);
	CPU_SET(cpu, &s);
	if (cpu >= 0)
		sched_setaffinity(0, sizeof(s), &s);
}

static void wait_for(int not_this)
{
	while (__atomic_load_n(&sh->state, __ATOMIC_ACQUIRE) == not_this)
		if (path == SIGSYS_SPIN)
			__builtin_ia32_pause();
		else
			syscall(SYS_futex, &sh->state, FUTEX_WAIT, not_this, NULL, NULL, 0);
}

static void post(int state)
{
	__atomic_store_n(&sh->state, state, __ATOMIC_SEQ_CST);
	if (path != SIGSYS_SPIN)
		syscall(SYS_futex, &sh->state, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void call(void)
{
	post(1);
	wait_for(1);
}

static void on_sigsys(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	call();
	((ucontext_t *)uc)->uc_mcontext.gregs[REG_RAX] = sh->result;
}

static int filter(unsigned action, unsigned flags)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static void client(int cpu, long calls)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	double start = 0;

	pin(cpu);
	if (path == SIGSYS_FUTEX || path == SIGSYS_SPIN) {
		sigfillset(&sa.sa_mask);
		sigaction(SIGSYS, &sa, NULL);
		filter(SECCOMP_RET_TRAP, 0);
	}
	if (path == NOTIF && filter(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER) != 3)
		exit(1);                /* the server fetches descriptor 3 */
	__atomic_store_n(&sh->ready, 1, __ATOMIC_SEQ_CST);
	for (long i = -calls / 10; i < calls; i++) {
		if (i == 0)
			start = now();
		if (path == FUTEX)
			call();
		else
			syscall(SYS_getppid);
	}
	sh->ns = (now() - start) / (double)calls;
	_exit(0);
}

static void serve_words(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		wait_for(0);
		sh->result = 42;
		post(0);
	}
}

static void serve_notifications(pid_t child)
{
	unsigned long long flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP;
	int fd;

	while (!__atomic_load_n(&sh->ready, __ATOMIC_SEQ_CST))
		sched_yield();
	fd = (int)syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, child, 0), 3, 0);
	ioctl(fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
	for (;;) {
		struct seccomp_notif n;
		struct seccomp_notif_resp r;

		memset(&n, 0, sizeof(n));
		if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0) {
			if (errno == EINTR)
				continue;
			_exit(0);
		}
		r = (struct seccomp_notif_resp){ .id = n.id, .val = 42 };
		ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &r);
	}
}

static double measure(enum path p, int client_cpu, int server_cpu, long calls)
{
	pid_t child, server;

	path = p;
	memset(sh, 0, sizeof(*sh));
	closefrom(3);
	child = fork();
	if (child == 0)
		client(client_cpu, calls);
	server = p == NATIVE ? 0 : fork();
	if (server == 0 && p != NATIVE) {
		pin(server_cpu);
		if (p == NOTIF)
			serve_notifications(child);
		serve_words();
	}
	waitpid(child, NULL, 0);
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	return sh->ns;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; enum path p; int client, server; } rows[] = {
		{ "native", NATIVE, -1, -1 },
		{ "futex, one CPU", FUTEX, 0, 0 },
		{ "sigsys + futex, one CPU", SIGSYS_FUTEX, 0, 0 },
		{ "sigsys + futex, free", SIGSYS_FUTEX, -1, -1 },
		{ "sigsys + spinning server", SIGSYS_SPIN, 0, 1 },
		{ "notification, one CPU", NOTIF, 0, 0 },
		{ "notification, free", NOTIF, -1, -1 },
	};
	long calls = argc > 1 ? atol(argv[1]) : 50000;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		double best = 0;

		for (int k = 0; k < 3; k++) {
			double ns = measure(rows[i].p, rows[i].client, rows[i].server, calls);

			if (!k || ns < best)
				best = ns;
		}
		printf("%-26s %8.0f ns\n", rows[i].name, best);
		fflush(stdout);
	}
	return 0;
}
