/* ptrace(2) and system calls: emulation, seccomp events, what a stop tells, pending signals. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/user.h>
#include "tests/lib/harness.h"

#define SYSEMU 31
#define SYSEMU_SINGLESTEP 32
#define GET_FILTER 0x420c
#define GET_METADATA 0x420d

static long pt(long req, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, req, pid, addr, data);
}

static int wait_for(pid_t pid)
{
	int st = -1;

	EXPECT_EQ(waitpid(pid, &st, __WALL), pid);
	return st;
}

#define STOPPED(sig) ((sig) << 8 | 0x7f)
#define EVENT(e) (STOPPED(SIGTRAP) | (e) << 16)
#define CALL STOPPED(SIGTRAP | 0x80)

static pid_t traced(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		if (pt(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(99);
		kill(getpid(), SIGSTOP);
		fn();
		_exit(7);
	}
	REQUIRE(pid > 0);
	REQUIRE(wait_for(pid) == STOPPED(SIGSTOP));
	return pid;
}

static struct user_regs_struct get(pid_t pid)
{
	struct user_regs_struct r;

	EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
	return r;
}

static void put(pid_t pid, const struct user_regs_struct *r)
{
	EXPECT_OK(pt(PTRACE_SETREGS, pid, 0, (unsigned long)r));
}

/* The return of the call that the child stopped itself in is no call's beginning. */
static void two_calls(void)
{
	long a = syscall(700, 1, 2, 3), b = syscall(SYS_getppid);

	_exit(a == 4242 && b == -1 && errno == ENOSYS ? 3 : 4);
}

TEST(emulated_calls_are_not_made)
{
	pid_t pid = traced(two_calls);
	struct user_regs_struct r;
	struct ptrace_syscall_info info;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	EXPECT_OK(pt(SYSEMU, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	r = get(pid);
	EXPECT_EQ(r.orig_rax, 700);
	EXPECT_EQ(r.rdx, 3);
	EXPECT_EQ((long)r.rax, -ENOSYS);
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 80);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
	r.rax = 4242;
	put(pid, &r);
	EXPECT_OK(pt(SYSEMU, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);         /* one stop a call */
	EXPECT_EQ(get(pid).orig_rax, SYS_getppid);
	EXPECT_OK(pt(SYSEMU, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	r = get(pid);
	EXPECT_EQ(r.orig_rax, SYS_exit_group);
	EXPECT_EQ(r.rdi, 3);
	/* It went on as if it had exited: glibc tries again, by exit. */
	EXPECT_OK(pt(PTRACE_KILL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

TEST(an_emulated_call_ends_with_a_stop_if_asked_then)
{
	pid_t pid = traced(two_calls);
	struct ptrace_syscall_info info;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	EXPECT_OK(pt(SYSEMU, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 33);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	EXPECT_EQ(info.exit.rval, -ENOSYS);
	EXPECT_EQ(info.exit.is_error, 1);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 4 << 8);
}

static void step_calls(void)
{
	long a, b;

	__asm__ volatile("mov $700, %%eax; syscall; mov %%rax, %0; mov $701, %%eax; syscall"
			 : "=&r"(a), "=a"(b) : : "rcx", "r11", "memory");
	_exit(a == 11 && b == 12 ? 5 : 6);
}

TEST(emulation_and_single_steps_go_together)
{
	pid_t pid = traced(step_calls);
	struct user_regs_struct r;
	int st, steps = 0, calls = 0;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (int i = 0; i < 400 && calls < 2; i++) {
		EXPECT_OK(pt(SYSEMU_SINGLESTEP, pid, 0, 0));
		st = wait_for(pid);
		if (st == CALL) {
			r = get(pid);
			EXPECT_EQ(r.orig_rax, 700 + calls);
			r.rax = (unsigned long)(11 + calls++);
			put(pid, &r);
		} else if (st == STOPPED(SIGTRAP)) {
			steps += calls == 1;
		} else {
			break;
		}
	}
	EXPECT_EQ(calls, 2);
	EXPECT(steps >= 1 && steps <= 2);       /* the two moves */
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 5 << 8);
}

/* ---- seccomp ---- */

static void filter_one(int nr, unsigned verdict)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, verdict),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p) < 0)
		_exit(98);
}

static void filtered_getppid(void)
{
	long r;

	filter_one(SYS_getppid, SECCOMP_RET_TRACE | 77);
	errno = 0;
	r = syscall(SYS_getppid, 1, 2, 3, 4, 5, 6);
	_exit(r == -1 && errno == ENOSYS ? 10 : r == getpid() ? 11 : r == 1234 ? 12 : r > 0 ? 13 : 14);
}

TEST(a_call_left_to_no_tracer_fails)
{
	pid_t pid;

	EXPECT_EQ(in_child(filtered_getppid), 10);
	pid = traced(filtered_getppid);         /* one that does not ask */
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 10 << 8);
}

static pid_t at_filter(void)
{
	pid_t pid = traced(filtered_getppid);

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	REQUIRE(wait_for(pid) == EVENT(PTRACE_EVENT_SECCOMP));
	return pid;
}

TEST(a_filter_leaves_a_call_to_the_tracer)
{
	pid_t pid = at_filter();
	struct ptrace_syscall_info info;
	struct user_regs_struct r = get(pid);
	siginfo_t si;
	unsigned long msg = 0;

	EXPECT_EQ(r.orig_rax, SYS_getppid);
	EXPECT_EQ((long)r.rax, -ENOSYS);
	EXPECT_OK(pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg));
	EXPECT_EQ(msg, 77);
	EXPECT_OK(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	EXPECT_EQ(si.si_signo, SIGTRAP);
	EXPECT_EQ(si.si_code, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
	memset(&info, 0xff, sizeof(info));
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 84);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
	EXPECT_EQ(info.arch, AUDIT_ARCH_X86_64);
	EXPECT_EQ(info.seccomp.nr, SYS_getppid);
	EXPECT_EQ(info.seccomp.args[5], 6);
	EXPECT_EQ(info.seccomp.ret_data, 77);
	EXPECT_EQ(info.instruction_pointer, r.rip);
	EXPECT_EQ(info.stack_pointer, r.rsp);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 13 << 8);
}

TEST(the_tracer_changes_a_filtered_call)
{
	pid_t pid = at_filter();
	struct user_regs_struct r = get(pid);

	r.orig_rax = SYS_getpid;
	put(pid, &r);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 11 << 8);

	pid = at_filter();
	r = get(pid);
	r.orig_rax = -1ul;
	r.rax = 1234;
	put(pid, &r);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 12 << 8);
}

TEST(the_end_of_a_filtered_call_is_seen_if_asked_then)
{
	pid_t pid = at_filter();
	struct ptrace_syscall_info info;
	struct user_regs_struct r;

	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 33);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	EXPECT_EQ(info.exit.rval, getpid());
	r = get(pid);
	r.rax = 1234;
	put(pid, &r);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 12 << 8);
}

TEST(the_entry_stop_comes_before_the_filter)
{
	pid_t pid = traced(filtered_getppid);
	int st, last = 0;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD));
	for (;;) {
		EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
		st = wait_for(pid);
		if (st != CALL)
			break;
		last = (int)get(pid).orig_rax;
	}
	EXPECT_EQ(st, EVENT(PTRACE_EVENT_SECCOMP));
	EXPECT_EQ(last, SYS_getppid);
	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 13 << 8);
}

static void filtered_twice(void)
{
	filter_one(SYS_getpgrp, SECCOMP_RET_ERRNO | EXDEV);
	filtered_getppid();
}

TEST(a_changed_call_is_filtered_again)
{
	pid_t pid = traced(filtered_twice);
	struct user_regs_struct r;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	REQUIRE(wait_for(pid) == EVENT(PTRACE_EVENT_SECCOMP));
	r = get(pid);
	r.orig_rax = SYS_getpgrp;
	put(pid, &r);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 14 << 8);
}

TEST(a_tracee_killed_at_a_filter_dies)
{
	pid_t pid = at_filter();

	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

TEST(filters_are_read_back)
{
	struct sock_filter f[8];
	struct { unsigned long long off, flags; } m = { 0, 99 };
	pid_t pid = traced(filtered_twice), none;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	REQUIRE(wait_for(pid) == EVENT(PTRACE_EVENT_SECCOMP));
	errno = 0;
	if (pt(GET_FILTER, pid, 0, 0) < 0 && (errno == EIO || errno == EACCES))
		SKIP("no checkpointing of filters");
	EXPECT_EQ(pt(GET_FILTER, pid, 0, 0), 4);
	EXPECT_EQ(pt(GET_FILTER, pid, 0, (unsigned long)f), 4);
	EXPECT_EQ(f[1].k, SYS_getpgrp);
	EXPECT_EQ(pt(GET_FILTER, pid, 1, (unsigned long)f), 4);
	EXPECT_EQ(f[1].k, SYS_getppid);
	EXPECT_EQ(f[2].k, SECCOMP_RET_TRACE | 77);
	EXPECT_ERR(pt(GET_FILTER, pid, 2, (unsigned long)f), ENOENT);
	EXPECT_ERR(pt(GET_FILTER, pid, -1ul, (unsigned long)f), ENOENT);
	EXPECT_ERR(pt(GET_FILTER, pid, 0, 8), EFAULT);
	EXPECT_EQ(pt(GET_METADATA, pid, sizeof(m), (unsigned long)&m), sizeof(m));
	EXPECT_EQ(m.flags, 0);
	EXPECT_ERR(pt(GET_METADATA, pid, 7, (unsigned long)&m), EINVAL);
	m.off = 5;
	EXPECT_ERR(pt(GET_METADATA, pid, sizeof(m), (unsigned long)&m), ENOENT);
	EXPECT_ERR(pt(GET_METADATA, pid, sizeof(m), 8), EFAULT);
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
	none = traced(two_calls);
	EXPECT_ERR(pt(GET_FILTER, none, 0, (unsigned long)f), EINVAL);
	kill(none, SIGKILL);
	EXPECT_EQ(wait_for(none), SIGKILL);
}

static void filtered_errno(void)
{
	filter_one(SYS_getppid, SECCOMP_RET_ERRNO | EXDEV);
	kill(getpid(), SIGSTOP);
	_exit(syscall(SYS_getppid) > 0 ? 20 : 21);
}

TEST(filters_are_suspended_for_a_privileged_tracer)
{
	for (int on = 0; on < 2; on++) {
		pid_t pid = traced(filtered_errno);

		EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
		EXPECT_EQ(wait_for(pid), STOPPED(SIGSTOP));
		if (on && pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP) < 0) {
			kill(pid, SIGKILL);
			SKIP("no checkpointing of filters");
		}
		EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
		EXPECT_EQ(wait_for(pid), (on ? 20 : 21) << 8);
	}
}

/* ---- what a stop tells ---- */

TEST(without_the_option_a_call_stop_is_told_as_none)
{
	pid_t pid = traced(two_calls);
	struct ptrace_syscall_info info;

	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP));
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 24);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_NONE);
	memset(&info, 0xee, sizeof(info));
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, 1, (unsigned long)&info), 24);
	EXPECT_EQ(info.arch, 0xeeeeeeee);       /* no more than asked for */
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, 0, 8), 24);
	EXPECT_ERR(pt(PTRACE_GET_SYSCALL_INFO, pid, 8, 8), EFAULT);
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

static void fork_only(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	_exit(8);
}

TEST(after_an_event_the_end_of_its_call_is_seen_if_asked)
{
	pid_t pid = traced(fork_only);
	struct ptrace_syscall_info info;
	unsigned long child = 0;
	int st;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_EXITKILL));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), EVENT(PTRACE_EVENT_FORK));
	EXPECT_OK(pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&child));
	EXPECT_EQ(wait_for((pid_t)child), STOPPED(SIGSTOP));
	EXPECT_OK(pt(PTRACE_DETACH, (pid_t)child, 0, 0));
	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), CALL);
	EXPECT_EQ(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info), 33);
	EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	EXPECT_EQ(info.exit.rval, child);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	st = wait_for(pid);
	if (st == STOPPED(SIGCHLD)) {
		EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
		st = wait_for(pid);
	}
	EXPECT_EQ(st, 8 << 8);
}

/* ---- pending signals ---- */

static void pend_some(void)
{
	sigset_t s;
	union sigval v = { .sival_int = 31 };

	sigfillset(&s);
	sigprocmask(SIG_BLOCK, &s, NULL);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 1, v);
	v.sival_int = 32;
	sigqueue(getpid(), SIGRTMIN + 1, v);
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2);
	raise(SIGSTOP);
}

TEST(pending_signals_are_looked_at)
{
	pid_t pid = traced(pend_some);
	struct { unsigned long long off; unsigned flags; int nr; } q = { 0, 1, 10 };
	siginfo_t si[10];
	unsigned long long mask = 0;

	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGSTOP));
	EXPECT_EQ(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), 3);
	EXPECT_EQ(si[0].si_signo, SIGUSR1);
	EXPECT_EQ(si[0].si_pid, pid);
	EXPECT_EQ(si[1].si_signo, SIGRTMIN + 1);
	EXPECT_EQ(si[1].si_code, SI_QUEUE);
	EXPECT_EQ(si[1].si_value.sival_int, 31);
	EXPECT_EQ(si[2].si_value.sival_int, 32);
	q.off = 1;
	q.nr = 1;
	EXPECT_EQ(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), 1);
	EXPECT_EQ(si[0].si_value.sival_int, 31);
	q.off = 3;
	EXPECT_EQ(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), 0);
	q.off = -1ull;
	EXPECT_EQ(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), 0);
	q.off = 0;
	q.flags = 0;
	q.nr = 10;
	EXPECT_EQ(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), 1);
	EXPECT_EQ(si[0].si_signo, SIGUSR2);
	EXPECT_EQ(si[0].si_code, SI_TKILL);
	EXPECT_ERR(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, 8), EFAULT);
	EXPECT_ERR(pt(PTRACE_PEEKSIGINFO, pid, 8, (unsigned long)si), EFAULT);
	q.nr = -1;
	EXPECT_ERR(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), EINVAL);
	q.nr = 1;
	q.flags = 2;
	EXPECT_ERR(pt(PTRACE_PEEKSIGINFO, pid, (unsigned long)&q, (unsigned long)si), EINVAL);
	EXPECT_OK(pt(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&mask));
	EXPECT_EQ(mask, ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 3ull << 31));
	EXPECT_ERR(pt(PTRACE_GETSIGMASK, pid, 4, (unsigned long)&mask), EINVAL);
	mask = ~(1ull << (SIGUSR1 - 1));
	EXPECT_OK(pt(PTRACE_SETSIGMASK, pid, 8, (unsigned long)&mask));
	EXPECT_OK(pt(PTRACE_GETSIGMASK, pid, 8, (unsigned long)&mask));
	EXPECT_EQ(mask, ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << (SIGUSR1 - 1)));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGUSR1));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 7 << 8);
}

/* Only who has all that the child may do can be its tracer. */
TEST(a_parent_without_the_childs_capabilities_is_no_tracer)
{
	int gate[2], st = 0;
	pid_t pid;
	char c = 0;

	if (getuid() != 0)
		SKIP("needs root");
	REQUIRE_OK(pipe(gate));
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		(void)!read(gate[0], &c, 1);
		_exit(syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
	}
	REQUIRE_OK(setresuid(65534, 65534, 65534));
	close(gate[1]);
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(WEXITSTATUS(st), EPERM);
}

/* Only the low half of the number counts. */
static void asks_who_it_is(void)
{
	long r = syscall(SYS_getppid), s = syscall(SYS_getppid);

	_exit(r == getppid() && s == -1 && errno == ENOSYS ? 3 : 4);
}

TEST(the_high_half_of_a_number_is_the_tracers_to_choose)
{
	pid_t pid = traced(asks_who_it_is);
	struct ptrace_syscall_info info;
	struct user_regs_struct r;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	/* The first is still the call that stopped it. */
	do {
		EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
		REQUIRE(wait_for(pid) == CALL);
		r = get(pid);
	} while (r.orig_rax != SYS_getppid);
	r.orig_rax |= 0x1234567800000000ul;
	put(pid, &r);
	EXPECT_EQ(get(pid).orig_rax, 0x1234567800000000l | SYS_getppid);
	EXPECT(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) > 0);
	EXPECT_EQ(info.entry.nr, SYS_getppid);
	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	REQUIRE(wait_for(pid) == CALL);
	r = get(pid);
	EXPECT_EQ(r.orig_rax, 0x1234567800000000l | SYS_getppid);
	EXPECT_EQ(r.rax, getpid());
	EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
	REQUIRE(wait_for(pid) == CALL);
	r = get(pid);
	EXPECT_EQ(r.orig_rax, SYS_getppid);
	/* There is no such call, however many bits say so. */
	r.orig_rax = 0xffffffff;
	r.rax = (unsigned long)-ENOSYS;
	put(pid, &r);
	EXPECT(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) > 0);
	EXPECT_EQ(info.entry.nr, -1);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 3 << 8);
}

TEST_MAIN()
