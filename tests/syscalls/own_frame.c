/*
 * rt_sigreturn, made so often that a sandbox may undo a frame on the spot: what a handler changed in its frame counts, what
 * it must not change stays, no signal is lost or handled while it is blocked, and nobody who looks at the call is deceived.
 */
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <ucontext.h>
#include "tests/lib/forbid.h"
#include "tests/lib/harness.h"

#define MANY 400
#define BIT(sig) (1ull << ((sig) - 1))

typedef uint64_t mask_t;

static mask_t mask_now(void)
{
	mask_t m = ~0ull;

	EXPECT_EQ(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &m, sizeof(m)), 0);
	return m;
}

static void set_mask(mask_t m)
{
	EXPECT_EQ(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &m, NULL, sizeof(m)), 0);
}

static void send_self(int sig)
{
	syscall(SYS_tgkill, getpid(), gettid(), sig);
}

typedef void action_fn(int, siginfo_t *, void *);

static void on(int sig, action_fn *fn, int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	REQUIRE_OK(sigaction(sig, &sa, NULL));
}

static volatile sig_atomic_t runs, round_no;

static void count(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
	runs++;
}

/* So often that whatever is done to a busy program has been done. */
static void warm_up(void)
{
	on(SIGURG, count, 0);
	for (int i = 0; i < MANY; i++)
		send_self(SIGURG);
	runs = 0;
}

static void use_up_vectors(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	__asm__ volatile("pxor %%xmm0, %%xmm0; pxor %%xmm7, %%xmm7; pcmpeqb %%xmm15, %%xmm15; fldpi" ::: "xmm0", "xmm7", "xmm15", "st");
	_mm_setcsr(0x9fc0);
	__asm__ volatile("emms");
}

TEST(registers_and_vectors_come_back)
{
	long pid = getpid(), tid = gettid(), bad = 0;

	warm_up();
	on(SIGUSR1, use_up_vectors, 0);
	for (long i = 1; i <= MANY; i++) {
		long rbx = i, r12 = i * 3, r15 = i * 7, rax = SYS_tgkill, rdx = SIGUSR1;
		long x0, x7, x15;

		_mm_setcsr(0x1f80 | (unsigned)(i & 3) << 13);
		__asm__ volatile("movq %[b], %%xmm0; movq %[c], %%xmm7; movq %[d], %%xmm15; stc; syscall\n\t"
				 "movq %%xmm0, %[x0]; movq %%xmm7, %[x7]; movq %%xmm15, %[x15]"
				 : "+a"(rax), [x0] "=&r"(x0), [x7] "=&r"(x7), [x15] "=&r"(x15), "+d"(rdx)
				 : "D"(pid), "S"(tid), [b] "r"(rbx), [c] "r"(r12), [d] "r"(r15)
				 : "rcx", "r11", "memory", "xmm0", "xmm7", "xmm15", "cc");
		bad += rax != 0 || rdx != SIGUSR1 || x0 != i || x7 != i * 3 || x15 != i * 7;
		bad += _mm_getcsr() != (0x1f80 | (unsigned)(i & 3) << 13);
	}
	_mm_setcsr(0x1f80);
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(runs, MANY);
}

static void edit(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	count(sig, si, uc);
	uc->uc_mcontext.gregs[REG_RAX] = 1000 + round_no;
	uc->uc_mcontext.gregs[REG_RBX] = 2000 + round_no;
	uc->uc_mcontext.gregs[REG_R14] = 3000 + round_no;
	uc->uc_mcontext.fpregs->_xmm[3].element[0] = 4000u + (unsigned)round_no;
	((uint64_t *)uc->uc_mcontext.fpregs)[512 / 8] |= 2;     /* the header says which parts are there */
	sigaddset(&uc->uc_sigmask, round_no % 2 ? SIGUSR2 : SIGWINCH);
	sigaddset(&uc->uc_sigmask, SIGKILL);
	sigaddset(&uc->uc_sigmask, SIGSTOP);
}

TEST(what_a_handler_writes_in_its_frame_counts)
{
	long pid = getpid(), tid = gettid(), bad = 0;

	warm_up();
	on(SIGUSR1, edit, 0);
	for (round_no = 0; round_no < MANY; round_no++) {
		register long r14 __asm__("r14") = 0;
		long rax = SYS_tgkill, rbx = 0, x3;

		set_mask(0);
		__asm__ volatile("syscall; movq %%xmm3, %[x3]" : "+a"(rax), "+b"(rbx), "+r"(r14), [x3] "=&r"(x3)
				 : "D"(pid), "S"(tid), "d"((long)SIGUSR1) : "rcx", "r11", "memory", "xmm3");
		bad += rax != 1000 + round_no || rbx != 2000 + round_no || r14 != 3000 + round_no;
		bad += (unsigned)x3 != 4000u + (unsigned)round_no;
		bad += mask_now() != BIT(round_no % 2 ? SIGUSR2 : SIGWINCH);
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(runs, MANY);
}

static stack_t first, second;

static stack_t new_stack(void)
{
	stack_t s = { .ss_size = 65536 };

	s.ss_sp = mmap(NULL, s.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(s.ss_sp != MAP_FAILED);
	return s;
}

static void change_stack(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	count(sig, si, uc);
	if (round_no % 3 == 0)
		EXPECT_OK(sigaltstack(&second, NULL));
	else if (round_no % 3 == 1)
		uc->uc_stack = second;
}

TEST(the_alternate_stack_is_what_the_frame_says)
{
	stack_t now;
	long bad = 0;

	first = new_stack();
	second = new_stack();
	warm_up();
	on(SIGUSR1, change_stack, 0);
	for (round_no = 0; round_no < MANY; round_no++) {
		REQUIRE_OK(sigaltstack(&first, NULL));
		send_self(SIGUSR1);
		REQUIRE_OK(sigaltstack(NULL, &now));
		bad += now.ss_sp != (round_no % 3 == 1 ? second : first).ss_sp;
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(runs, MANY);
}

TEST(a_stack_that_is_disarmed_comes_back)
{
	stack_t now;
	long bad = 0;

	first = new_stack();
	first.ss_flags = (int)(1u << 31);       /* SS_AUTODISARM */
	warm_up();
	REQUIRE_OK(sigaltstack(&first, NULL));
	on(SIGUSR1, count, SA_ONSTACK);
	for (int i = 0; i < MANY; i++) {
		send_self(SIGUSR1);
		REQUIRE_OK(sigaltstack(NULL, &now));
		bad += now.ss_sp != first.ss_sp;
	}
	EXPECT_EQ(bad, 0);
}

static volatile sig_atomic_t depth, deepest, wrong;

static void outer(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	wrong += mask_now() != BIT(SIGUSR1);
	depth++;
	send_self(SIGUSR2);
	depth--;
	wrong += mask_now() != BIT(SIGUSR1);
}

static void inner(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	if (depth > deepest)
		deepest = depth;
	wrong += mask_now() != (BIT(SIGUSR1) | BIT(SIGUSR2));
}

TEST(handlers_in_handlers)
{
	warm_up();
	on(SIGUSR1, outer, 0);
	on(SIGUSR2, inner, 0);
	for (int i = 0; i < MANY; i++) {
		send_self(SIGUSR1);
		wrong += mask_now() != 0;
	}
	EXPECT_EQ(runs, 2 * MANY);
	EXPECT_EQ(deepest, 1);
	EXPECT_EQ(wrong, 0);
}

static void asks_for_more(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)si, (void)uc;
	depth++;
	if (runs % 2 == 0)
		send_self(SIGUSR2);     /* blocked by the action */
	depth--;
}

static void late(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	wrong += depth != 0;
}

TEST(what_came_while_it_was_blocked_is_next)
{
	struct sigaction sa = { .sa_sigaction = asks_for_more, .sa_flags = SA_SIGINFO };
	int before;

	warm_up();
	on(SIGUSR2, late, 0);
	sigaddset(&sa.sa_mask, SIGUSR2);
	REQUIRE_OK(sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < MANY; i++) {
		runs = i % 2;
		before = runs;
		send_self(SIGUSR1);
		wrong += runs != (before == 0 ? 1 : before);
	}
	EXPECT_EQ(wrong, 0);
}

static volatile long got[2], sent[2];
static _Atomic int done;

static void tally(int sig, siginfo_t *si, void *uc)
{
	(void)si, (void)uc;
	wrong += depth != 0;
	depth++;
	got[sig - SIGRTMIN]++;
	depth--;
}

static void *shoot(void *arg)
{
	union sigval v = { 0 };

	for (int i = 0; i < 2 * MANY; i++) {
		while (pthread_sigqueue(*(pthread_t *)arg, SIGRTMIN + i % 2, v) == EAGAIN)
			sched_yield();
		sent[i % 2]++;
	}
	done = 1;
	return NULL;
}

TEST(signals_from_elsewhere_meet_every_moment)
{
	struct sigaction sa = { .sa_sigaction = tally, .sa_flags = SA_SIGINFO };
	pthread_t me = pthread_self(), th;

	warm_up();
	sigaddset(&sa.sa_mask, SIGRTMIN);
	sigaddset(&sa.sa_mask, SIGRTMIN + 1);
	REQUIRE_OK(sigaction(SIGRTMIN, &sa, NULL));
	REQUIRE_OK(sigaction(SIGRTMIN + 1, &sa, NULL));
	REQUIRE(pthread_create(&th, NULL, shoot, &me) == 0);
	while (!done)
		send_self(SIGURG);
	pthread_join(th, NULL);
	EXPECT_EQ(got[0], sent[0]);
	EXPECT_EQ(got[1], sent[1]);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(mask_now(), 0);
}

static char *edge;              /* a page boundary within the extended state */
static sigjmp_buf out;

static void lose_a_page(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v;

	count(sig, si, uc);
	REQUIRE((char *)uc->uc_mcontext.fpregs < edge && (char *)(uc + 1) < edge);
	REQUIRE_OK(mprotect(edge, 4096, PROT_NONE));
}

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	(void)sig, (void)uc;
	deepest = si->si_code;
	siglongjmp(out, 1);
}

TEST(a_frame_that_cannot_be_read_is_a_fault)
{
	stack_t s = new_stack();
	volatile int faults = 0;

	edge = (char *)s.ss_sp + 32768;
	s.ss_size = 32768 + 1024;
	warm_up();
	REQUIRE_OK(sigaltstack(&s, NULL));
	on(SIGUSR1, lose_a_page, SA_ONSTACK);
	on(SIGSEGV, on_segv, 0);
	for (volatile int i = 0; i < 200; i++) {
		deepest = 0;
		if (sigsetjmp(out, 1) == 0)
			send_self(SIGUSR1);
		else
			faults++;
		EXPECT_EQ(deepest, SI_KERNEL);
		REQUIRE_OK(mprotect(edge, 4096, PROT_READ | PROT_WRITE));
		for (int j = 0; j < 10; j++)
			send_self(SIGURG);
	}
	EXPECT_EQ(faults, 200);
	EXPECT_EQ(mask_now(), 0);
}

static void leaves(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	siglongjmp(out, 1);
}

TEST(handlers_that_are_left_by_a_jump)
{
	warm_up();
	on(SIGUSR1, leaves, 0);
	for (volatile int i = 0; i < MANY; i++) {
		if (sigsetjmp(out, 1) == 0)
			send_self(SIGUSR1);
		wrong += mask_now() != 0;
		send_self(SIGURG);
	}
	EXPECT_EQ(runs, 2 * MANY);
	EXPECT_EQ(wrong, 0);
}

static char copy_of_frame[16384] __attribute__((aligned(64)));

/* Goes back through a copy of its frame, in which rbx is another. */
static void moves(int sig, siginfo_t *si, void *v)
{
	ucontext_t *uc = v, *at;
	size_t fp = (size_t)((char *)uc->uc_mcontext.fpregs - (char *)uc), head = 64 - fp % 64;
	uint32_t size = ((uint32_t *)uc->uc_mcontext.fpregs)[468 / 4];

	count(sig, si, uc);
	REQUIRE(head + fp + size <= sizeof(copy_of_frame));
	at = (ucontext_t *)(copy_of_frame + head % 64);
	memcpy(at, uc, fp + size);
	at->uc_mcontext.fpregs = (void *)((char *)at + fp);
	at->uc_mcontext.gregs[REG_RBX] = 77;
	/* The first frame is there still, and says something else. */
	uc->uc_mcontext.gregs[REG_RBX] = 66;
	__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" :: "r"(at) : "memory");
	__builtin_unreachable();
}

TEST(a_frame_elsewhere_is_as_good)
{
	long pid = getpid(), tid = gettid(), bad = 0;

	warm_up();
	on(SIGUSR1, moves, 0);
	for (int i = 0; i < MANY; i++) {
		long rax = SYS_tgkill, rbx = 0;

		__asm__ volatile("syscall" : "+a"(rax), "+b"(rbx)
				 : "D"(pid), "S"(tid), "d"((long)SIGUSR1) : "rcx", "r11", "memory");
		bad += rax != 0 || rbx != 77;
		send_self(SIGURG);
	}
	EXPECT_EQ(bad, 0);
	EXPECT_EQ(runs, 2 * MANY);
}

static void step_on(int sig, siginfo_t *si, void *v)
{
	count(sig, si, v);
	((ucontext_t *)v)->uc_mcontext.gregs[REG_EFL] |= 0x100;
}

static void stepped(int sig, siginfo_t *si, void *v)
{
	(void)sig;
	wrong += si->si_code != TRAP_TRACE;
	depth++;
	((ucontext_t *)v)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

TEST(single_steps_begin_at_the_end_of_a_handler)
{
	warm_up();
	on(SIGUSR1, step_on, 0);
	on(SIGTRAP, stepped, 0);
	for (int i = 0; i < 500; i++)
		send_self(SIGUSR1);
	EXPECT_EQ(runs, 500);
	EXPECT_EQ(depth, 500);
	EXPECT_EQ(wrong, 0);
}

static void to_nowhere(int sig, siginfo_t *si, void *v)
{
	count(sig, si, v);
	((ucontext_t *)v)->uc_mcontext.gregs[REG_RIP] = round_no % 2 ? 0x10 : (greg_t)0x8000000000000000ull;
}

TEST(a_place_where_nothing_is_faults)
{
	stack_t s = new_stack();

	warm_up();
	REQUIRE_OK(sigaltstack(&s, NULL));
	on(SIGUSR1, to_nowhere, 0);
	on(SIGSEGV, on_segv, SA_ONSTACK);
	for (round_no = 0; round_no < 500; round_no++) {
		deepest = 0;
		if (sigsetjmp(out, 1) == 0)
			send_self(SIGUSR1);
		wrong += deepest != (round_no % 2 ? SEGV_MAPERR : SI_KERNEL);
	}
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(runs, 500);
}

/* ---- who looks at the call ---- */

void refused_return(void);
__asm__(".text\n.globl refused_return\nrefused_return: mov $15, %eax; syscall\n\t"
	"mov $42, %edi; mov $231, %eax; syscall; hlt");

static void forbids(int sig, siginfo_t *si, void *uc)
{
	count(sig, si, uc);
	if (runs == 100)
		REQUIRE_OK(forbid(SYS_rt_sigreturn, 0));
}

TEST(a_filter_of_the_handlers_own_refuses_its_end)
{
	struct { void *fn; unsigned long flags; void *restorer; mask_t mask; } sa = {
		(void *)forbids, SA_SIGINFO | 0x04000000, (void *)refused_return, 0,
	};
	pid_t child;
	int st;

	child = fork();
	if (child == 0) {
		warm_up();
		REQUIRE_OK(syscall(SYS_rt_sigaction, SIGUSR1, &sa, NULL, 8));
		for (int i = 0; i < 100; i++)
			send_self(SIGUSR1);
		_exit(1);
	}
	REQUIRE_OK(waitpid(child, &st, 0));
	EXPECT(WIFEXITED(st) && WEXITSTATUS(st) == 42);
}

TEST(a_tracer_sees_each_end_of_a_handler)
{
	struct user_regs_struct r;
	long ends = 0, sends = 0;
	int pipes[2], st;
	pid_t child;
	char c = 0;

	REQUIRE_OK(pipe(pipes));
	child = fork();
	if (child == 0) {
		warm_up();
		REQUIRE_OK(write(pipes[1], &c, 1));
		for (;;)
			send_self(SIGURG);
	}
	REQUIRE_OK(read(pipes[0], &c, 1));
	REQUIRE_OK(ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_TRACESYSGOOD));
	REQUIRE_OK(ptrace(PTRACE_INTERRUPT, child, NULL, NULL));
	REQUIRE_OK(waitpid(child, &st, 0));
	for (int i = 0, sig = 0; i < 600; i++) {
		REQUIRE_OK(ptrace(PTRACE_SYSCALL, child, NULL, (void *)(long)sig));
		REQUIRE_OK(waitpid(child, &st, 0));
		REQUIRE(WIFSTOPPED(st));
		sig = WSTOPSIG(st) == SIGURG ? SIGURG : 0;
		if (WSTOPSIG(st) != (SIGTRAP | 0x80))
			continue;
		REQUIRE_OK(ptrace(PTRACE_GETREGS, child, NULL, &r));
		ends += r.orig_rax == SYS_rt_sigreturn;
		sends += r.orig_rax == SYS_tgkill;
	}
	/* A round has nine stops, and where they began is not known. */
	EXPECT(ends > 60 && sends > 120);
	REQUIRE_OK(kill(child, SIGKILL));
	REQUIRE_OK(waitpid(child, &st, 0));
}

TEST_MAIN()
