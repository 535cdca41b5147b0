/* Signals: delivery, masks, queues, frames, restarts. */
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include "tests/lib/harness.h"

static volatile sig_atomic_t count, last_sig;
static siginfo_t last_info;
static volatile sig_atomic_t order[64];

static void on_signal(int sig)
{
	if (count < 64)
		order[count] = sig;
	count++;
	last_sig = sig;
}

static void on_info(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	last_info = *si;
	on_signal(sig);
}

static void catch_info(int sig, int flags)
{
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO | flags };

	REQUIRE_OK(sigaction(sig, &sa, NULL));
}

TEST(handlers_run_and_dispositions_are_told)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

	sigaddset(&sa.sa_mask, SIGUSR2);
	EXPECT_OK(sigaction(SIGUSR1, &sa, &old));
	EXPECT(old.sa_handler == SIG_DFL);
	EXPECT_OK(raise(SIGUSR1));
	EXPECT_EQ(count, 1);
	EXPECT_OK(sigaction(SIGUSR1, NULL, &old));
	EXPECT(old.sa_handler == on_signal && (old.sa_flags & SA_RESTART));
	EXPECT(sigismember(&old.sa_mask, SIGUSR2));
	EXPECT_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	EXPECT_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	EXPECT_OK(sigaction(SIGKILL, NULL, &old));
	EXPECT_ERR(sigaction(65, &sa, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &sa, NULL, 4), EINVAL);
	EXPECT_ERR(syscall(SYS_rt_sigaction, SIGUSR1, BAD_PTR, NULL, 8), EFAULT);
}

TEST(blocked_signals_wait)
{
	sigset_t set, old;

	signal(SIGUSR1, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &set, &old));
	raise(SIGUSR1);
	raise(SIGUSR1);
	EXPECT_EQ(count, 0);
	EXPECT_OK(sigpending(&set));
	EXPECT(sigismember(&set, SIGUSR1));
	EXPECT_OK(sigprocmask(SIG_SETMASK, &old, NULL));
	EXPECT_EQ(count, 1);            /* standard signals do not queue */
	EXPECT_OK(sigpending(&set));
	EXPECT(!sigismember(&set, SIGUSR1));
	EXPECT_ERR(sigprocmask(99, &set, NULL), EINVAL);
	sigfillset(&set);
	EXPECT_OK(sigprocmask(SIG_SETMASK, &set, NULL));
	EXPECT_OK(sigprocmask(SIG_SETMASK, NULL, &set));
	EXPECT(!sigismember(&set, SIGKILL) && !sigismember(&set, SIGSTOP));
}

TEST(realtime_signals_queue_in_order_with_values)
{
	union sigval v;
	sigset_t set;

	catch_info(SIGRTMIN, 0);
	catch_info(SIGRTMIN + 1, 0);
	sigfillset(&set);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	for (int i = 0; i < 3; i++) {
		v.sival_int = i;
		EXPECT_OK(sigqueue(getpid(), SIGRTMIN + 1, v));
		EXPECT_OK(sigqueue(getpid(), SIGRTMIN, v));
	}
	EXPECT_OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	EXPECT_EQ(count, 6);
	EXPECT_EQ(last_info.si_code, SI_QUEUE);
	EXPECT_EQ(last_info.si_pid, getpid());
	EXPECT_EQ(last_info.si_uid, getuid());
}

TEST(siginfo_names_the_sender)
{
	pid_t pid;

	catch_info(SIGUSR1, 0);
	EXPECT_OK(kill(getpid(), SIGUSR1));
	EXPECT_EQ(last_info.si_code, SI_USER);
	EXPECT_EQ(last_info.si_pid, getpid());
	EXPECT_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	EXPECT_EQ(last_info.si_code, SI_TKILL);
	EXPECT_ERR(syscall(SYS_tgkill, getpid(), 999999, SIGUSR1), ESRCH);
	EXPECT_ERR(syscall(SYS_tgkill, -1, gettid(), SIGUSR1), EINVAL);
	EXPECT_OK(syscall(SYS_tkill, gettid(), SIGUSR1));
	EXPECT_EQ(count, 3);
	catch_info(SIGCHLD, 0);
	pid = fork();
	if (pid == 0)
		_exit(9);
	while (last_sig != SIGCHLD)
		sleep_ms(1);
	EXPECT_EQ(last_info.si_code, CLD_EXITED);
	EXPECT_EQ(last_info.si_pid, pid);
	EXPECT_EQ(last_info.si_status, 9);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

static void nested(int sig)
{
	sigset_t now;

	count++;
	sigprocmask(SIG_BLOCK, NULL, &now);
	EXPECT_EQ(sigismember(&now, sig), sig == SIGUSR1);
	if (sig == SIGUSR1 && count == 1) {
		raise(SIGUSR1);         /* blocked until we return */
		EXPECT_EQ(count, 1);
	}
	if (sig == SIGUSR2 && count < 3)
		raise(SIGUSR2);         /* SA_NODEFER: at once */
}

TEST(a_signal_is_blocked_in_its_handler_unless_nodefer)
{
	struct sigaction sa = { .sa_handler = nested };

	EXPECT_OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	EXPECT_EQ(count, 2);
	count = 0;
	sa.sa_flags = SA_NODEFER;
	EXPECT_OK(sigaction(SIGUSR2, &sa, NULL));
	raise(SIGUSR2);
	EXPECT_EQ(count, 3);
}

TEST(resethand_restores_the_default)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	EXPECT_OK(sigaction(SIGURG, &sa, NULL));
	raise(SIGURG);
	raise(SIGURG);
	EXPECT_EQ(count, 1);
	EXPECT_OK(sigaction(SIGURG, NULL, &sa));
	EXPECT(sa.sa_handler == SIG_DFL);
}


/* A child that waits until this process sleeps, signals it, then writes a byte. */
static pid_t poke(int sig, int wfd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		wait_until_asleep(parent);
		kill(parent, sig);
		sleep_ms(50);
		if (wfd >= 0)
			(void)!write(wfd, "x", 1);
		_exit(0);
	}
	return pid;
}

TEST(sa_restart_restarts_a_read_and_others_get_eintr)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int p[2];
	char c = 0;

	REQUIRE_OK(pipe(p));
	EXPECT_OK(sigaction(SIGUSR1, &sa, NULL));
	poke(SIGUSR1, -1);
	EXPECT_ERR(read(p[0], &c, 1), EINTR);
	EXPECT_EQ(count, 1);
	wait(NULL);
	sa.sa_flags = SA_RESTART;
	EXPECT_OK(sigaction(SIGUSR1, &sa, NULL));
	poke(SIGUSR1, p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(count, 2);
	wait(NULL);
}

TEST(ignored_and_default_ignored_signals_do_not_interrupt)
{
	int p[2];
	char c = 0;

	REQUIRE_OK(pipe(p));
	signal(SIGUSR1, SIG_IGN);
	poke(SIGUSR1, p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	wait(NULL);
	poke(SIGWINCH, p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	wait(NULL);
}

TEST(a_stop_and_continue_does_not_interrupt_a_read)
{
	pid_t me = getpid(), pid;
	int p[2];
	char c = 0;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		wait_until_asleep(me);
		kill(me, SIGSTOP);
		sleep_ms(50);
		kill(me, SIGCONT);
		sleep_ms(50);
		(void)!write(p[1], "x", 1);
		_exit(0);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
}

static char state_of(pid_t pid)
{
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	p = strrchr(get_file(path), ')');
	REQUIRE(p != NULL);
	return p[2];
}

TEST(who_is_told_of_a_stop_sees_it_and_who_ends_it_does_not)
{
	pid_t pid = fork();
	siginfo_t si;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			;
	}
	for (int i = 0; i < 300; i++) {
		EXPECT_OK(kill(pid, SIGSTOP));
		REQUIRE_OK(waitid(P_PID, (id_t)pid, &si, WSTOPPED));
		EXPECT_EQ(state_of(pid), 'T');
		EXPECT_OK(kill(pid, SIGCONT));
		EXPECT(state_of(pid) != 'T');
		REQUIRE_OK(waitid(P_PID, (id_t)pid, &si, WCONTINUED));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(pause_returns_after_a_handler)
{
	signal(SIGALRM, on_signal);
	poke(SIGALRM, -1);
	EXPECT_ERR(pause(), EINTR);
	EXPECT_EQ(count, 1);
	wait(NULL);
}

TEST(sigsuspend_swaps_the_mask_atomically)
{
	sigset_t block, wait_mask, now;

	signal(SIGUSR1, on_signal);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	raise(SIGUSR1);
	EXPECT_EQ(count, 0);
	sigemptyset(&wait_mask);
	EXPECT_ERR(sigsuspend(&wait_mask), EINTR);
	EXPECT_EQ(count, 1);
	EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	EXPECT(sigismember(&now, SIGUSR1));
}

TEST(sigtimedwait_takes_signals_without_handlers)
{
	struct timespec zero = { 0, 0 }, bad = { 0, -1 };
	siginfo_t si;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	EXPECT_ERR(sigtimedwait(&set, &si, &zero), EAGAIN);
	EXPECT_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 5 }));
	raise(SIGUSR1);
	EXPECT_EQ(sigtimedwait(&set, &si, &zero), SIGUSR1);
	EXPECT_EQ(sigtimedwait(&set, &si, NULL), SIGRTMIN);
	EXPECT_EQ(si.si_value.sival_int, 5);
	EXPECT_ERR(sigtimedwait(&set, &si, &bad), EINVAL);
	poke(SIGUSR1, -1);
	EXPECT_EQ(sigwaitinfo(&set, &si), SIGUSR1);
	EXPECT_EQ(si.si_code, SI_USER);
	wait(NULL);
}

static jmp_buf env;
static void *volatile fault_addr;

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	last_info = *si;
	fault_addr = (void *)u->uc_mcontext.gregs[REG_CR2];
	last_sig = sig;
	siglongjmp(env, 1);
}

static void catch_faults(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	REQUIRE_OK(sigaction(sig, &sa, NULL));
}

TEST(segv_says_where_and_why)
{
	char *m = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(m != MAP_FAILED);
	catch_faults(SIGSEGV);
	if (!sigsetjmp(env, 1)) {
		*(volatile char *)(m + 100) = 1;
		FAIL("no fault");
	}
	EXPECT_EQ(last_info.si_code, SEGV_ACCERR);
	EXPECT(last_info.si_addr == m + 100);
	EXPECT(fault_addr == m + 100);
	if (!sigsetjmp(env, 1)) {
		(void)*(volatile char *)BAD_PTR;
		FAIL("no fault");
	}
	EXPECT_EQ(last_info.si_code, SEGV_MAPERR);
	EXPECT(last_info.si_addr == BAD_PTR);
	if (!sigsetjmp(env, 1)) {
		((void (*)(void))m)();
		FAIL("no fault");
	}
	EXPECT_EQ(last_info.si_code, SEGV_ACCERR);
	EXPECT(last_info.si_addr == m);
	if (!sigsetjmp(env, 1)) {
		(void)*(volatile char *)OPAQUE(0x8000000000000000ul);
		FAIL("no fault");
	}
	EXPECT_EQ(last_info.si_code, SI_KERNEL);
	EXPECT(last_info.si_addr == NULL);
}

TEST(arithmetic_and_illegal_instructions_have_their_codes)
{
	catch_faults(SIGFPE);
	catch_faults(SIGILL);
	catch_faults(SIGTRAP);
	if (!sigsetjmp(env, 1)) {
		volatile int zero = 0;

		(void)OPAQUE(1000 / zero);
		FAIL("no fault");
	}
	EXPECT_EQ(last_sig, SIGFPE);
	EXPECT_EQ(last_info.si_code, FPE_INTDIV);
	if (!sigsetjmp(env, 1)) {
		__asm__ volatile("ud2");
		FAIL("no fault");
	}
	EXPECT_EQ(last_sig, SIGILL);
	EXPECT_EQ(last_info.si_code, ILL_ILLOPN);
	if (!sigsetjmp(env, 1)) {
		__asm__ volatile("int3");
		FAIL("no fault");
	}
	EXPECT_EQ(last_sig, SIGTRAP);
	EXPECT_EQ(last_info.si_code, SI_KERNEL);
}

TEST(reading_past_a_file_is_sigbus)
{
	char *m;
	int fd;

	put_file("f", "x");
	fd = open("f", O_RDWR);
	m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	catch_faults(SIGBUS);
	EXPECT_EQ(m[0], 'x');
	EXPECT_EQ(m[4095], 0);
	if (!sigsetjmp(env, 1)) {
		(void)*(volatile char *)(m + 4096);
		FAIL("no fault");
	}
	EXPECT_EQ(last_sig, SIGBUS);
	EXPECT_EQ(last_info.si_code, BUS_ADRERR);
	EXPECT(last_info.si_addr == m + 4096);
}

static void fault_in_child(void)
{
	*(volatile int *)BAD_PTR = 1;
}

static void blocked_fault(void)
{
	sigset_t set;

	signal(SIGSEGV, on_signal);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*(volatile int *)BAD_PTR = 1;
}

static void ignored_fault(void)
{
	signal(SIGSEGV, SIG_IGN);
	*(volatile int *)BAD_PTR = 1;
}

TEST(faults_kill_unless_they_can_be_handled)
{
	EXPECT_EQ(in_child(fault_in_child), 128 + SIGSEGV);
	EXPECT_EQ(in_child(blocked_fault), 128 + SIGSEGV);
	EXPECT_EQ(in_child(ignored_fault), 128 + SIGSEGV);
}

static char alt[65536] __attribute__((aligned(16)));
static volatile bool on_alt;
static stack_t ss_in_handler;

static void where_am_i(int sig)
{
	char here;

	(void)sig;
	on_alt = &here >= alt && &here < alt + sizeof(alt);
	sigaltstack(NULL, &ss_in_handler);
	count++;
}

TEST(sigaltstack_is_used_and_told)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;
	struct sigaction sa = { .sa_handler = where_am_i, .sa_flags = SA_ONSTACK };

	EXPECT_OK(sigaltstack(&ss, &old));
	EXPECT_EQ(old.ss_flags, SS_DISABLE);
	EXPECT_OK(sigaction(SIGUSR1, &sa, NULL));
	raise(SIGUSR1);
	EXPECT(on_alt);
	EXPECT_EQ(ss_in_handler.ss_flags, SS_ONSTACK);
	EXPECT_OK(sigaltstack(NULL, &old));
	EXPECT(old.ss_sp == alt && old.ss_size == sizeof(alt) && old.ss_flags == 0);
	ss.ss_size = 100;
	EXPECT_ERR(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 77;
	EXPECT_ERR(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = SS_DISABLE;
	EXPECT_OK(sigaltstack(&ss, NULL));
	raise(SIGUSR1);
	EXPECT(!on_alt);
	EXPECT_EQ(count, 2);
}

static int recurse(int n)
{
	volatile char pad[4096];

	pad[0] = (char)n;
	return recurse(n + 1) + pad[0];
}

TEST(stack_overflow_can_be_caught_on_the_altstack)
{
	stack_t ss = { .ss_sp = alt, .ss_size = sizeof(alt) };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	EXPECT_OK(sigaltstack(&ss, NULL));
	EXPECT_OK(sigaction(SIGSEGV, &sa, NULL));
	if (!sigsetjmp(env, 1)) {
		recurse(0);
		FAIL("no overflow");
	}
	EXPECT_EQ(last_sig, SIGSEGV);
}

static void edit_context(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig;
	(void)si;
	u->uc_mcontext.gregs[REG_RBX] = 0x1122334455667788;
	u->uc_mcontext.gregs[REG_RIP] += 2;     /* over ud2 */
	sigaddset(&u->uc_sigmask, SIGUSR2);
	if (u->uc_mcontext.fpregs) {
		u->uc_mcontext.fpregs->_xmm[7].element[0] = 0xabcd;
		u->uc_mcontext.fpregs->_xmm[7].element[1] = 0x1234;
	}
}

TEST(a_handler_can_edit_registers_vectors_and_mask)
{
	struct sigaction sa = { .sa_sigaction = edit_context, .sa_flags = SA_SIGINFO };
	unsigned long rbx = 0, xmm = 0;
	sigset_t now;

	EXPECT_OK(sigaction(SIGILL, &sa, NULL));
	__asm__ volatile("pxor %%xmm7, %%xmm7\n\txor %%ebx, %%ebx\n\tud2\n\tmov %%rbx, %0\n\tmovq %%xmm7, %1"
			 : "=r"(rbx), "=r"(xmm) : : "rbx", "xmm7", "memory");
	EXPECT_EQ(rbx, 0x1122334455667788);
	EXPECT_EQ(xmm, 0x12340000abcd);
	EXPECT_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	EXPECT(sigismember(&now, SIGUSR2));
}

static void clobber_vectors(int sig)
{
	(void)sig;
	count++;
	__asm__ volatile("pcmpeqd %%xmm3, %%xmm3\n\tfninit" : : : "xmm3", "memory");
}

TEST(vectors_and_modes_survive_signals_and_calls)
{
	unsigned long in = 0x0123456789abcdef, out = 0;
	unsigned int mxcsr = 0x7f80, mxcsr_after = 0;
	unsigned short cw = 0x27f, cw_after = 0;

	long tid = gettid();

	signal(SIGUSR1, clobber_vectors);
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(cw));
	for (int i = 0; i < 100; i++) {
		register long rax __asm__("rax") = i % 2 ? SYS_tkill : SYS_getppid;
		register long rdi __asm__("rdi") = tid;
		register long rsi __asm__("rsi") = SIGUSR1;

		__asm__ volatile("movq %2, %%xmm3\n\tsyscall\n\tmovq %%xmm3, %0"
				 : "=r"(out), "+r"(rax) : "r"(in), "r"(rdi), "r"(rsi)
				 : "rcx", "r11", "xmm3", "memory");
		EXPECT_EQ(out, in);
	}
	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr_after), "=m"(cw_after));
	EXPECT_EQ(mxcsr_after & ~0x3fu, mxcsr & ~0x3fu);
	EXPECT_EQ(cw_after, cw);
	EXPECT_EQ(count, 50);
}

TEST(a_call_changes_only_rax_rcx_and_r11)
{
	unsigned long r[6];

	__asm__ volatile("mov $0x1111, %%rbx\n\tmov $0x2222, %%r12\n\tmov $0x3333, %%r13\n\t"
			 "mov $0x4444, %%r8\n\tmov $0x5555, %%r9\n\tmov $0x6666, %%r10\n\t"
			 "mov $39, %%eax\n\tsyscall\n\t"
			 "mov %%rbx, 0(%0)\n\tmov %%r12, 8(%0)\n\tmov %%r13, 16(%0)\n\t"
			 "mov %%r8, 24(%0)\n\tmov %%r9, 32(%0)\n\tmov %%r10, 40(%0)"
			 : : "D"(r)
			 : "rax", "rcx", "r11", "rbx", "r12", "r13", "r8", "r9", "r10", "memory");
	EXPECT_EQ(r[0], 0x1111);
	EXPECT_EQ(r[1], 0x2222);
	EXPECT_EQ(r[2], 0x3333);
	EXPECT_EQ(r[3], 0x4444);
	EXPECT_EQ(r[4], 0x5555);
	EXPECT_EQ(r[5], 0x6666);
}

static volatile bool stop;

static void *hammer(void *arg)
{
	pid_t tid = *(pid_t *)arg;

	for (int i = 0; i < 3000 && !stop; i++)
		syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	stop = true;
	return NULL;
}

TEST(a_storm_of_signals_disturbs_no_computation)
{
	pid_t tid = gettid();
	unsigned long sum = 0;
	pthread_t t;

	stop = false;
	signal(SIGUSR1, on_signal);
	EXPECT_EQ(pthread_create(&t, NULL, hammer, &tid), 0);
	for (unsigned long n = 0; !stop; n++) {
		double d = (double)n;

		for (int i = 0; i < 100; i++)
			d = d * 1.0 + 0.0;
		sum += d != (double)n;
		if (n % 16 == 0)
			sum += getppid() <= 0 && getpid() != 1;
	}
	pthread_join(t, NULL);
	EXPECT_EQ(sum, 0);
	EXPECT(count > 0);
}

static sigset_t waited;
static volatile int got[2];

static void *waiter(void *arg)
{
	int sig = 0;

	sigwait(&waited, &sig);
	*(volatile int *)arg = sig;
	return NULL;
}

TEST(a_process_signal_goes_to_one_thread_that_wants_it)
{
	pthread_t t;

	sigemptyset(&waited);
	sigaddset(&waited, SIGUSR1);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &waited, NULL));
	EXPECT_EQ(pthread_create(&t, NULL, waiter, (void *)&got[0]), 0);
	EXPECT_OK(kill(getpid(), SIGUSR1));
	pthread_join(t, NULL);
	EXPECT_EQ(got[0], SIGUSR1);
}

TEST(masks_and_altstacks_are_inherited_by_fork_not_pending)
{
	sigset_t set;
	int status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	EXPECT_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	raise(SIGUSR1);
	pid = fork();
	if (pid == 0) {
		sigpending(&set);
		EXPECT(!sigismember(&set, SIGUSR1));
		sigprocmask(SIG_BLOCK, NULL, &set);
		EXPECT(sigismember(&set, SIGUSR1));
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST_MAIN()
