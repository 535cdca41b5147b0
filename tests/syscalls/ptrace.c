/* ptrace(2): stops, registers, memory, calls, events, steps. */
#include <elf.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/user.h>
#include "tests/lib/harness.h"

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

/* A child that stops itself once it is traced, then runs @fn. */
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

static void nothing(void) { }

TEST(a_traced_child_stops_for_signals)
{
	siginfo_t si;
	pid_t pid = traced(nothing);

	EXPECT_OK(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si));
	EXPECT_EQ(si.si_signo, SIGSTOP);
	EXPECT_EQ(si.si_pid, pid);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 7 << 8);
}

static void die_of_term(void)
{
	kill(getpid(), SIGTERM);
}

TEST(the_tracer_decides_about_signals)
{
	pid_t pid = traced(die_of_term);

	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTERM));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 7 << 8);
	pid = traced(die_of_term);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTERM));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, SIGUSR1));
	EXPECT_EQ(wait_for(pid), SIGUSR1);
}

static volatile long cell = 41;

static void leave_cell(void)
{
	_exit((int)cell);
}

TEST(memory_is_read_and_written)
{
	pid_t pid = traced(leave_cell);
	long v = 0;

	EXPECT_OK(pt(PTRACE_PEEKDATA, pid, (unsigned long)&cell, (unsigned long)&v));
	EXPECT_EQ(v, 41);
	EXPECT_OK(pt(PTRACE_POKEDATA, pid, (unsigned long)&cell, 42));
	EXPECT_ERR(pt(PTRACE_PEEKDATA, pid, 8, (unsigned long)&v), EIO);
	EXPECT_ERR(pt(PTRACE_POKEDATA, pid, 8, 1), EIO);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 42 << 8);
	EXPECT_EQ(cell, 41);
}

static __attribute__((noinline)) void breakpoint_here(void)
{
	__asm__ volatile("nop; nop; nop");
}

static void run_breakpoint(void)
{
	breakpoint_here();
	_exit(3);
}

TEST(breakpoints_in_text_work)
{
	struct user_regs_struct r;
	unsigned long at = (unsigned long)breakpoint_here;
	pid_t pid = traced(run_breakpoint);
	long old = 0;

	EXPECT_OK(pt(PTRACE_PEEKTEXT, pid, at, (unsigned long)&old));
	EXPECT_OK(pt(PTRACE_POKETEXT, pid, at, ((unsigned long)old & ~0xfful) | 0xcc));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP));
	EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
	EXPECT_EQ(r.rip, at + 1);
	EXPECT_OK(pt(PTRACE_POKETEXT, pid, at, (unsigned long)old));
	r.rip = at;
	EXPECT_OK(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&r));
	EXPECT_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP));
	EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
	EXPECT(r.rip > at && r.rip < at + 16);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 3 << 8);
}

static void call_getppid(void)
{
	_exit(syscall(SYS_getppid) == 5555 ? 1 : 2);
}

TEST(calls_are_seen_and_changed)
{
	struct ptrace_syscall_info info;
	struct user_regs_struct r;
	pid_t pid = traced(call_getppid);
	int seen = 0, st;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (;;) {
		EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
		st = wait_for(pid);
		if (st != STOPPED(SIGTRAP | 0x80))
			break;
		EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
		EXPECT(pt(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), (unsigned long)&info) > 0);
		if (r.orig_rax != SYS_getppid)
			continue;
		if (++seen == 1) {
			EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
			EXPECT_EQ(info.entry.nr, SYS_getppid);
			EXPECT_EQ((long)r.rax, -ENOSYS);
		} else {
			EXPECT_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
			EXPECT_EQ(r.rax, getpid());
			r.rax = 5555;
			EXPECT_OK(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&r));
		}
	}
	EXPECT_EQ(seen, 2);
	EXPECT_EQ(st, 1 << 8);
}

static void call_getpid(void)
{
	_exit(syscall(SYS_getpid) == syscall(SYS_getppid) ? 1 : 2);
}

TEST(a_call_can_be_replaced)
{
	struct user_regs_struct r;
	pid_t pid = traced(call_getpid);
	int st, entry = 1;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (;;) {
		EXPECT_OK(pt(PTRACE_SYSCALL, pid, 0, 0));
		st = wait_for(pid);
		if (st != STOPPED(SIGTRAP | 0x80))
			break;
		EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
		if (entry && r.orig_rax == SYS_getpid) {
			r.orig_rax = SYS_getppid;
			EXPECT_OK(pt(PTRACE_SETREGS, pid, 0, (unsigned long)&r));
		}
		entry = !entry;
	}
	EXPECT_EQ(st, 1 << 8);
}

static void fork_and_exec(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(4);
	waitpid(pid, NULL, 0);
	execl("/proc/self/exe", "ptrace", "--none-such-test", NULL);
}

TEST(forks_and_execs_are_events)
{
	unsigned long msg = 0;
	pid_t pid = traced(fork_and_exec), child;
	int st;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
		     PTRACE_O_EXITKILL));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP) | PTRACE_EVENT_FORK << 16);
	EXPECT_OK(pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg));
	child = (pid_t)msg;
	EXPECT_EQ(wait_for(child), STOPPED(SIGSTOP));
	EXPECT_OK(pt(PTRACE_CONT, child, 0, 0));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(child), STOPPED(SIGTRAP) | PTRACE_EVENT_EXIT << 16);
	EXPECT_OK(pt(PTRACE_GETEVENTMSG, child, 0, (unsigned long)&msg));
	EXPECT_EQ(msg, 4 << 8);
	EXPECT_OK(pt(PTRACE_CONT, child, 0, 0));
	EXPECT_EQ(wait_for(child), 4 << 8);
	st = wait_for(pid);
	if (st == STOPPED(SIGCHLD)) {
		EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
		st = wait_for(pid);
	}
	EXPECT_EQ(st, STOPPED(SIGTRAP) | PTRACE_EVENT_EXEC << 16);
	EXPECT_OK(pt(PTRACE_DETACH, pid, 0, 0));
	waitpid(pid, &st, 0);
	EXPECT(WIFEXITED(st));
}

TEST(a_plain_tracee_traps_after_exec)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		pt(PTRACE_TRACEME, 0, 0, 0);
		execl("/proc/self/exe", "ptrace", "--none-such-test", NULL);
		_exit(99);
	}
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	st = wait_for(pid);
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) != 99);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	sleep_ms(20);
	return pid;
}

TEST(attach_and_detach)
{
	pid_t pid = sleeper();
	struct user_regs_struct r;
	char path[64], buf[4096];
	int st, fd;

	EXPECT_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	EXPECT_OK(pt(PTRACE_ATTACH, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGSTOP));
	EXPECT_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	st = (int)read(fd, buf, sizeof(buf) - 1);
	buf[st > 0 ? st : 0] = 0;
	snprintf(path, sizeof(path), "TracerPid:\t%d\n", getpid());
	EXPECT(strstr(buf, path) != NULL);
	EXPECT(strstr(buf, "t (tracing stop)") != NULL);
	EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
	EXPECT_EQ(r.orig_rax, SYS_pause);
	EXPECT_OK(pt(PTRACE_DETACH, pid, 0, 0));
	EXPECT_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT_EQ(st, SIGKILL);
	EXPECT_ERR(pt(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	EXPECT_ERR(pt(PTRACE_ATTACH, 999999, 0, 0), ESRCH);
}

TEST(seize_interrupt_and_listen)
{
	pid_t pid = sleeper();

	EXPECT_OK(pt(PTRACE_SEIZE, pid, 0, 0));
	EXPECT_EQ(waitpid(pid, NULL, WNOHANG | __WALL), 0);
	EXPECT_OK(pt(PTRACE_INTERRUPT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP) | PTRACE_EVENT_STOP << 16);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGSTOP);
	EXPECT_EQ(wait_for(pid), STOPPED(SIGSTOP));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGSTOP) | PTRACE_EVENT_STOP << 16);
	EXPECT_OK(pt(PTRACE_LISTEN, pid, 0, 0));
	kill(pid, SIGCONT);
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP) | PTRACE_EVENT_STOP << 16);
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGCONT));
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

TEST(register_sets_are_read_and_written)
{
	struct user_regs_struct r;
	struct user_fpregs_struct fp;
	struct iovec v = { &r, sizeof(r) };
	char big[8192];
	pid_t pid = traced(nothing);
	unsigned long word;

	EXPECT_OK(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v));
	EXPECT_EQ(v.iov_len, sizeof(r));
	EXPECT_OK(pt(PTRACE_PEEKUSR, pid, offsetof(struct user, regs.rip), (unsigned long)&word));
	EXPECT_EQ(word, r.rip);
	EXPECT_ERR(pt(PTRACE_PEEKUSR, pid, 3, (unsigned long)&word), EIO);
	EXPECT_OK(pt(PTRACE_POKEUSR, pid, offsetof(struct user, regs.r15), 0x1234));
	EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
	EXPECT_EQ(r.r15, 0x1234);
	EXPECT_OK(pt(PTRACE_GETFPREGS, pid, 0, (unsigned long)&fp));
	EXPECT_EQ(fp.cwd, 0x37f);
	fp.xmm_space[0] = 0x77;
	EXPECT_OK(pt(PTRACE_SETFPREGS, pid, 0, (unsigned long)&fp));
	memset(&fp, 0, sizeof(fp));
	EXPECT_OK(pt(PTRACE_GETFPREGS, pid, 0, (unsigned long)&fp));
	EXPECT_EQ(fp.xmm_space[0], 0x77);
	v = (struct iovec){ big, sizeof(big) };
	EXPECT_OK(pt(PTRACE_GETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
	EXPECT(v.iov_len >= 576);
	EXPECT_OK(pt(PTRACE_SETREGSET, pid, NT_X86_XSTATE, (unsigned long)&v));
	EXPECT_ERR(pt(PTRACE_GETREGSET, pid, 0x99, (unsigned long)&v), EINVAL);
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

TEST(single_steps_go_one_instruction_each)
{
	struct user_regs_struct r;
	pid_t pid = traced(nothing);
	unsigned long last = 0;

	for (int i = 0; i < 12; i++) {
		EXPECT_OK(pt(PTRACE_SINGLESTEP, pid, 0, 0));
		REQUIRE(wait_for(pid) == STOPPED(SIGTRAP));
		EXPECT_OK(pt(PTRACE_GETREGS, pid, 0, (unsigned long)&r));
		EXPECT(r.rip != last);
		EXPECT_EQ(r.eflags & 0x100, 0);
		last = r.rip;
	}
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), 7 << 8);
}

static void *idle(void *arg)
{
	(void)arg;
	return NULL;
}

static void start_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, idle, NULL);
	pthread_join(t, NULL);
	_exit(6);
}

TEST(threads_are_traced_and_waited_for)
{
	unsigned long msg = 0;
	pid_t pid = traced(start_thread), tid;
	int st;

	EXPECT_OK(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	EXPECT_EQ(wait_for(pid), STOPPED(SIGTRAP) | PTRACE_EVENT_CLONE << 16);
	EXPECT_OK(pt(PTRACE_GETEVENTMSG, pid, 0, (unsigned long)&msg));
	tid = (pid_t)msg;
	EXPECT_EQ(wait_for(tid), STOPPED(SIGSTOP));
	EXPECT_OK(pt(PTRACE_CONT, tid, 0, 0));
	EXPECT_OK(pt(PTRACE_CONT, pid, 0, 0));
	st = wait_for(tid);
	EXPECT(st == 0 || st == 6 << 8);      /* its own end, or that of all */
	st = wait_for(pid);
	EXPECT_EQ(st, 6 << 8);
}

TEST(a_tracer_that_ends_lets_go)
{
	pid_t pid = sleeper(), tracer = fork();
	int st;

	if (tracer == 0) {
		if (pt(PTRACE_ATTACH, pid, 0, 0) < 0)
			_exit(1);
		waitpid(pid, &st, __WALL);
		_exit(st == STOPPED(SIGSTOP) ? 0 : 2);
	}
	EXPECT_EQ(waitpid(tracer, &st, 0), tracer);
	EXPECT_EQ(st, 0);
	kill(pid, SIGTERM);
	EXPECT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT_EQ(st, SIGTERM);
}

TEST(bad_requests)
{
	pid_t pid = traced(nothing);
	struct iovec v = { (void *)8, 4096 };

	EXPECT_ERR(pt(0x7777, pid, 0, 0), EIO);
	EXPECT_ERR(pt(PTRACE_SETOPTIONS, pid, 0, 1ul << 31), EINVAL);
	EXPECT_ERR(pt(PTRACE_CONT, pid, 0, 1000), EIO);
	EXPECT_ERR(pt(PTRACE_GETREGS, pid, 0, 8), EFAULT);
	EXPECT_ERR(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, (unsigned long)&v), EFAULT);
	EXPECT_ERR(pt(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8), EFAULT);
	EXPECT_ERR(pt(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	kill(pid, SIGKILL);
	EXPECT_EQ(wait_for(pid), SIGKILL);
}

/* Text, which a tracer may write and the tracee may not. */
static void poke_for_ever(int go)
{
	pid_t pid = traced(nothing);
	unsigned long at = (unsigned long)breakpoint_here & ~7ul;
	long word;

	REQUIRE_OK(pt(PTRACE_PEEKTEXT, pid, at, (unsigned long)&word));
	REQUIRE(write(go, "", 1) == 1);
	while (pt(PTRACE_POKETEXT, pid, at, (unsigned long)word) == 0)
		;
	_exit(1);
}

TEST(a_tracer_can_be_killed_at_any_moment)
{
	for (int i = 0; i < 400; i++) {
		int p[2];
		char c;
		pid_t pid;

		REQUIRE_OK(pipe(p));
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			poke_for_ever(p[1]);
		}
		REQUIRE(pid > 0);
		REQUIRE(read(p[0], &c, 1) == 1);
		for (volatile int k = 0; k < i % 60 * 2000; k++)
			;
		EXPECT_OK(kill(pid, SIGKILL));
		EXPECT_EQ(wait_for(pid), SIGKILL);
		close(p[0]);
		close(p[1]);
	}
}

TEST_MAIN()
