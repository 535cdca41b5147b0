/*
 * test_platform.c - tiny guests on every platform, through platform.h alone.
 *
 * A platform lives once in a process, so each test runs in a child: the child
 * makes the platform, starts workers and a guest, and its handler decides on
 * every trap what happens next, until it calls pass() or a CHECK fails.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/lock.h"
#include "platform/platform.h"

#define CODE 0x400000ul
#define DATA 0x500000ul
#define PAGE 4096ul
#define REPORT 1000                     /* an ordinary call that no kernel has */
#define REPORT2 1001
#define FRAMED 9                        /* a call that always comes with registers */
#define FRAMED2 11

static struct {
	struct platform *p;
	struct aspace *as;
	struct ctx *c;
	struct mutex mu;                                        /* one trap at a time */
	bool (*on_trap)(struct ctx *c, struct trap *t);         /* false: keep it, do not resume */
	int step;
	struct aspace *child_as;
	struct ctx *child;
} T = { .mu = MUTEX_INIT(KERNEL) };

#define CHECK(c) do { if (!(c)) fail_at(__LINE__, #c); } while (0)
#define CHECK_EQ(a, b) do { s64 a_ = (s64)(a), b_ = (s64)(b); \
	if (a_ != b_) { fprintf(stderr, "%#lx != %#lx\n", a_, b_); fail_at(__LINE__, #a " == " #b); } } while (0)

static noreturn_fn void fail_at(int line, const char *what)
{
	fprintf(stderr, "step %d: line %d: %s\n", T.step, line, what);
	_exit(1);
}

static noreturn_fn void pass(void) { _exit(0); }

/* Code that runs in the guest: position-independent, copied to CODE. */
#define GUEST(name, text) \
	extern const char name[], name##_end[]; \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection\n")
#define CALL(nr) "mov $" #nr ", %eax\n syscall\n"

static void *worker(void *arg)
{
	struct ctx *c = NULL;
	struct trap t;

	(void)arg;
	for (;;) {
		c = platform_switch(T.p, c, &t);
		mutex_lock(&T.mu);
		if (!T.on_trap(c, &t))
			c = NULL;
		mutex_unlock(&T.mu);
	}
	return NULL;
}

static struct as_op anon(u64 addr, u64 len, int prot)
{
	return (struct as_op){ .kind = AS_MAP, .addr = GADDR(addr), .len = len, .prot = prot,
			       .flags = MAP_PRIVATE, .file = HOSTFD_NONE };
}

static int apply1(struct ctx *c, struct as_op op)
{
	return aspace_apply(c, &op, 1, NULL);
}

/* The guest, ready to start, with DATA mapped; its stack pointer is the end of DATA. */
static void begin(const char *platform, const char *code, const char *end, bool (*on_trap)(struct ctx *, struct trap *))
{
	struct platform_config cfg = { .name = platform };
	struct as_op ops[] = { anon(CODE, PAGE, PROT_READ | PROT_WRITE), anon(DATA, 16 * PAGE, PROT_READ | PROT_WRITE) };
	struct user_regs r = { .ip = CODE, .sp = DATA + 16 * PAGE, .flags = 0x200, .cs = 0x33, .ss = 0x2b };

	CHECK_EQ(platform_new(&cfg, &T.p), 0);
	T.on_trap = on_trap;
	CHECK_EQ(platform_start_workers(T.p, worker, NULL), 0);
	mutex_lock(&T.mu);
	CHECK_EQ(aspace_new(T.p, &T.as, &T.c), 0);
	CHECK(ctx_aspace(T.c) == T.as);
	CHECK_EQ(aspace_apply(T.c, ops, 2, NULL), 0);
	CHECK_EQ(aspace_copy_out(T.as, GADDR(CODE), code, (size_t)(end - code)), end - code);
	CHECK_EQ(apply1(T.c, (struct as_op){ .kind = AS_PROTECT, .addr = GADDR(CODE), .len = PAGE,
					     .prot = PROT_READ | PROT_EXEC, .file = HOSTFD_NONE }), 0);
	CHECK_EQ(ctx_set_regs(T.c, &r), 0);
	CHECK_EQ(ctx_set_fp(T.c, NULL, 0), 0);
	ctx_start(T.c);
	mutex_unlock(&T.mu);
}

static void wait_for_end(void)
{
	for (;;)
		pause();
}

/* ---- calls ---- */

GUEST(g_calls,
	"movabs $0x1111222233334444, %rbx\n mov %rbx, %r15\n mov %rbx, %r12\n"
	"pcmpeqd %xmm7, %xmm7\n"
	"mov $1, %edi\n mov $2, %esi\n mov $3, %edx\n mov $4, %r10d\n mov $5, %r8d\n mov $6, %r9d\n"
	CALL(1000)
	"mov %rax, %rdi\n mov %rbx, %rsi\n movq %xmm7, %rdx\n mov %r15, %r10\n mov %r12, %r8\n mov %rsp, %r9\n"
	CALL(1001)
	"mov $0x40000027, %eax\n syscall\n"
	"ud2");

static bool on_calls(struct ctx *c, struct trap *t)
{
	switch (T.step++) {
	case 0:
		CHECK_EQ(t->kind, TRAP_START);
		return true;
	case 1:
		CHECK_EQ(t->kind, TRAP_SYSCALL);
		CHECK_EQ(t->nr, REPORT);
		for (int i = 0; i < 6; i++)
			CHECK_EQ(t->args[i], i + 1);
		CHECK(t->ip > CODE && t->ip < CODE + PAGE);
		ctx_set_result(c, -4095);
		return true;
	case 2:
		CHECK_EQ(t->nr, REPORT2);
		CHECK_EQ(t->args[0], -4095);
		CHECK_EQ(t->args[1], 0x1111222233334444);
		CHECK_EQ(t->args[2], -1);
		CHECK_EQ(t->args[3], 0x1111222233334444);
		CHECK_EQ(t->args[4], 0x1111222233334444);
		CHECK_EQ(t->args[5], DATA + 16 * PAGE);
		ctx_set_result(c, 0);
		return true;
	default:
		CHECK_EQ(t->kind, TRAP_SYSCALL);
		CHECK_EQ(t->nr, 0x40000027);
		pass();
	}
}

static void calls(const char *platform) { begin(platform, g_calls, g_calls_end, on_calls); }

/* ---- faults ---- */

GUEST(g_faults,
	"mov $0x600123, %edi\n mov (%rdi), %rsi\n"
	"mov $0x600008, %edi\n movl $1, (%rdi)\n"
	"ud2\n int3\n"
	"xor %edx, %edx\n xor %ecx, %ecx\n mov $1, %eax\n div %ecx\n"
	"mov $20, %eax\n int $0x80\n"
	"movabs $0x8000000000000000, %rdi\n mov (%rdi), %rsi\n"
	CALL(1000));

static void step_over(struct ctx *c, u64 n)
{
	struct user_regs r;

	CHECK_EQ(ctx_get_regs(c, &r), 0);
	r.ip += n;
	CHECK_EQ(ctx_set_regs(c, &r), 0);
}

static bool on_faults(struct ctx *c, struct trap *t)
{
	if (T.step > 0 && T.step < 8)
		CHECK_EQ(t->kind, TRAP_FAULT);
	switch (T.step++) {
	case 0:
		return true;
	case 1:
		CHECK_EQ(t->fault.signo, SIGSEGV);
		CHECK_EQ(t->fault.code, SEGV_MAPERR);
		CHECK_EQ(t->fault.addr, 0x600123);
		CHECK_EQ(t->fault.trapno, 14);
		CHECK_EQ(apply1(c, anon(0x600000, PAGE, PROT_READ)), 0);
		return true;
	case 2:
		CHECK_EQ(t->fault.signo, SIGSEGV);
		CHECK_EQ(t->fault.code, SEGV_ACCERR);
		CHECK_EQ(t->fault.addr, 0x600008);
		CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_PROTECT, .addr = GADDR(0x600000), .len = PAGE,
						   .prot = PROT_READ | PROT_WRITE, .file = HOSTFD_NONE }), 0);
		return true;
	case 3:
		CHECK_EQ(t->fault.signo, SIGILL);
		step_over(c, 2);
		return true;
	case 4:
		CHECK_EQ(t->fault.signo, SIGTRAP);
		return true;
	case 5:
		CHECK_EQ(t->fault.signo, SIGFPE);
		CHECK_EQ(t->fault.code, FPE_INTDIV);
		step_over(c, 2);
		return true;
	case 6:
		CHECK_EQ(t->fault.signo, SIGSEGV);
		CHECK_EQ(t->fault.trapno, 13);
		step_over(c, 2);
		return true;
	case 7:
		CHECK_EQ(t->fault.signo, SIGSEGV);
		CHECK_EQ(t->fault.trapno, 13);
		step_over(c, 3);
		return true;
	default:
		CHECK_EQ(t->kind, TRAP_SYSCALL);
		pass();
	}
}

static void faults(const char *platform) { begin(platform, g_faults, g_faults_end, on_faults); }

/* ---- maps and copies ---- */

GUEST(g_maps, CALL(9) "mov (%rdi), %rdi\n" CALL(1000));

static void check_maps(struct ctx *c)
{
	const u64 A = 0x700000, B = 0x900000;
	int fd = memfd_create("t", MFD_CLOEXEC);
	struct as_op map = { .kind = AS_MAP, .addr = GADDR(A), .len = 2 * PAGE, .prot = PROT_READ | PROT_WRITE,
			     .flags = MAP_SHARED, .file = HOSTFD(fd), .offset = PAGE };
	struct as_op two[2];
	char buf[64] = "";
	size_t done = 99;
	u64 lo, hi;

	CHECK(fd >= 0 && ftruncate(fd, 3 * PAGE) == 0 && pwrite(fd, "hello", 6, PAGE) == 6);
	CHECK_EQ(apply1(c, map), 0);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(A), 6), 6);
	CHECK(strcmp(buf, "hello") == 0);
	CHECK_EQ(aspace_copy_out(T.as, GADDR(A + PAGE), "there", 6), 6);
	CHECK(pread(fd, buf, 6, 2 * PAGE) == 6 && strcmp(buf, "there") == 0);
	close(fd);
	/* A copy stops at the first page that is missing. */
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(A + 2 * PAGE - 10), 20), 10);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(A - 10), 20), 0);
	/* Moved with its contents, replacing what was there. */
	CHECK_EQ(apply1(c, anon(B, 4 * PAGE, PROT_READ)), 0);
	CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_MOVE, .addr = GADDR(A), .len = 2 * PAGE, .new_addr = GADDR(B),
					   .new_len = 2 * PAGE, .file = HOSTFD_NONE }), 0);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(A), 6), 0);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(B), 6), 6);
	CHECK(strcmp(buf, "hello") == 0);
	/* Resized in place; with something behind it that is impossible. */
	CHECK_EQ(apply1(c, anon(A, PAGE, PROT_READ | PROT_WRITE)), 0);
	CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_MOVE, .addr = GADDR(A), .len = PAGE, .new_addr = GADDR(A),
					   .new_len = 3 * PAGE, .file = HOSTFD_NONE }), 0);
	CHECK_EQ(aspace_copy_out(T.as, GADDR(A + 2 * PAGE), "x", 1), 1);
	CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_MOVE, .addr = GADDR(B), .len = PAGE, .new_addr = GADDR(B),
					   .new_len = 2 * PAGE, .file = HOSTFD_NONE }), -ENOMEM);
	/* No access, and dropped contents. */
	CHECK_EQ(aspace_copy_out(T.as, GADDR(A), "secret", 7), 7);
	CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_ADVISE, .addr = GADDR(A), .len = PAGE, .advice = MADV_DONTNEED,
					   .file = HOSTFD_NONE }), 0);
	CHECK(aspace_copy_in(T.as, buf, GADDR(A), 6) == 6 && buf[0] == 0);
	/* The first failure ends a batch; what was before it is done. */
	two[0] = anon(0xa00000, PAGE, PROT_READ);
	two[1] = (struct as_op){ .kind = AS_PROTECT, .addr = GADDR(0xb00000), .len = PAGE, .prot = PROT_READ,
				 .file = HOSTFD_NONE };
	CHECK_EQ(aspace_apply(c, two, 2, &done), -ENOMEM);
	CHECK_EQ(done, 1);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(0xa00000), 1), 1);
	CHECK_EQ(aspace_copy_out(T.as, GADDR(0xa00000), buf, 1), 0);
	CHECK_EQ(apply1(c, (struct as_op){ .kind = AS_UNMAP, .addr = GADDR(A), .len = 3 * PAGE, .file = HOSTFD_NONE }), 0);
	CHECK_EQ(aspace_copy_in(T.as, buf, GADDR(A), 1), 0);
	/* The platform's own range is out of reach. */
	platform_user_range(T.p, &lo, &hi);
	CHECK(lo <= CODE && hi > 1ul << 40);
	CHECK(apply1(c, anon(hi, PAGE, PROT_READ)) < 0);
	CHECK(apply1(c, anon(hi - PAGE, 2 * PAGE, PROT_READ)) < 0);
	CHECK(apply1(c, (struct as_op){ .kind = AS_UNMAP, .addr = GADDR(hi), .len = PAGE, .file = HOSTFD_NONE }) < 0);
	CHECK_EQ(apply1(c, anon(hi - PAGE, PAGE, PROT_READ)), 0);
}

static bool on_maps(struct ctx *c, struct trap *t)
{
	struct user_regs r;
	u64 word = 0x1234;

	switch (T.step++) {
	case 0:
		return true;
	case 1:
		CHECK_EQ(t->nr, FRAMED);
		CHECK(ctx_has_frame(c));
		check_maps(c);
		CHECK_EQ(aspace_copy_out(T.as, GADDR(DATA + 8), &word, 8), 8);
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		r.di = DATA + 8;
		CHECK_EQ(ctx_set_regs(c, &r), 0);
		return true;
	default:
		CHECK_EQ(t->kind, TRAP_SYSCALL);
		CHECK_EQ(t->args[0], 0x1234);
		pass();
	}
}

static void maps(const char *platform) { begin(platform, g_maps, g_maps_end, on_maps); }

/* ---- fork ---- */

GUEST(g_fork,
	"pcmpeqd %xmm3, %xmm3\n mov $0x500000, %ebx\n movq $7, (%rbx)\n"
	CALL(57)
	"add %rax, (%rbx)\n mov %rax, %rdi\n mov (%rbx), %rsi\n movq %xmm3, %rdx\n"
	CALL(9));

static bool on_fork(struct ctx *c, struct trap *t)
{
	static int seen;
	u64 v;

	if (t->kind == TRAP_START) {
		if (T.step++ > 0)
			CHECK(c == T.child);
		return true;
	}
	CHECK_EQ(t->kind, TRAP_SYSCALL);
	if (t->nr == SYS_fork) {
		CHECK(c == T.c);
		CHECK_EQ(aspace_fork(c, &T.child_as, &T.child), 0);
		CHECK(ctx_aspace(T.child) == T.child_as);
		ctx_set_owner(T.child, &T);
		ctx_set_result(c, 1000);
		ctx_start(T.child);
		return true;
	}
	CHECK_EQ(t->args[2], -1);
	if (c == T.child) {
		CHECK(ctx_owner(c) == &T);
		CHECK_EQ(t->args[0], 0);
		CHECK_EQ(t->args[1], 7);
	} else {
		CHECK_EQ(t->args[0], 1000);
		CHECK_EQ(t->args[1], 1007);
	}
	if (++seen < 2)
		return false;
	CHECK(aspace_copy_in(T.child_as, &v, GADDR(DATA), 8) == 8 && v == 7);
	CHECK(aspace_copy_in(T.as, &v, GADDR(DATA), 8) == 8 && v == 1007);
	ctx_free(T.child);
	aspace_unref(T.child_as);
	ctx_free(T.c);
	aspace_unref(T.as);
	pass();
}

static void forks(const char *platform) { begin(platform, g_fork, g_fork_end, on_fork); }

/* ---- threads and native futexes ---- */

GUEST(g_threads,
	CALL(56)
	"test %rax, %rax\n jz 1f\n"
	CALL(9)                                         /* the parent is kept here */
	"ud2\n"
	"1: mov %rsp, %rdi\n mov %fs:0, %rsi\n" CALL(1001)
	/* futex(DATA, FUTEX_WAIT_PRIVATE, 5) */
	"mov $0x500000, %edi\n mov $128, %esi\n mov $5, %edx\n xor %r10d, %r10d\n"
	CALL(202)
	"mov %rax, %rdi\n" CALL(11));

static bool on_threads(struct ctx *c, struct trap *t)
{
	struct user_regs r;
	u32 five = 5;
	u64 tls = 0xfeed;

	if (t->kind == TRAP_START)
		return true;
	CHECK_EQ(t->kind, TRAP_SYSCALL);
	switch (t->nr) {
	case SYS_clone:
		CHECK_EQ(ctx_clone(c, &T.child), 0);
		CHECK(ctx_aspace(T.child) == T.as);
		CHECK_EQ(aspace_copy_out(T.as, GADDR(DATA), &five, 4), 4);
		CHECK_EQ(aspace_copy_out(T.as, GADDR(DATA + 256), &tls, 8), 8);
		CHECK_EQ(ctx_get_regs(T.child, &r), 0);
		CHECK_EQ(r.ax, 0);
		r.sp = DATA + PAGE;
		r.fs_base = DATA + 256;
		CHECK_EQ(ctx_set_regs(T.child, &r), 0);
		ctx_set_result(c, 55);
		ctx_start(T.child);
		return true;
	case FRAMED:
		CHECK(c == T.c);
		T.step |= 2;
		return false;
	case REPORT2:
		CHECK(c == T.child);
		CHECK_EQ(t->args[0], DATA + PAGE);
		CHECK_EQ(t->args[1], 0xfeed);
		T.step |= 1;
		return true;
	case FRAMED2:
		CHECK(c == T.child);
		CHECK_EQ(t->args[0], 0);
		ctx_free(c);
		CHECK_EQ(aspace_copy_in(T.as, &five, GADDR(DATA), 4), 4);
		ctx_free(T.c);
		aspace_unref(T.as);
		pass();
	}
	CHECK(false);
	return false;
}

/* The child waits natively; the kept parent's context wakes it. */
static void threads(const char *platform)
{
	begin(platform, g_threads, g_threads_end, on_threads);
	for (;;) {
		usleep(20000);
		mutex_lock(&T.mu);
		if (T.step == 3)
			CHECK_EQ(aspace_futex_wake(T.c, GADDR(DATA), 1, false), 0);
		mutex_unlock(&T.mu);
	}
}

/* ---- interrupts ---- */

GUEST(g_spin, "1: pause\n jmp 1b\n nop\n" CALL(1000));

static bool on_spin(struct ctx *c, struct trap *t)
{
	struct user_regs r;

	switch (T.step++) {
	case 0:
		return true;
	case 1:
		CHECK_EQ(t->kind, TRAP_INTERRUPT);
		CHECK(ctx_has_frame(c));
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		CHECK(r.ip >= CODE && r.ip < CODE + 4);
		r.ip = CODE + 4;
		r.di = 99;
		CHECK_EQ(ctx_set_regs(c, &r), 0);
		return true;
	default:
		if (t->kind == TRAP_INTERRUPT)
			return true;
		CHECK_EQ(t->kind, TRAP_SYSCALL);
		pass();
	}
}

static void interrupts(const char *platform)
{
	begin(platform, g_spin, g_spin_end, on_spin);
	usleep(50000);
	ctx_interrupt(T.c);
}

/* futex(DATA, FUTEX_WAIT_PRIVATE, 0): interrupted, it either starts again or ends with EINTR. */
GUEST(g_wait,
	"mov $0x500000, %edi\n mov $128, %esi\n xor %edx, %edx\n xor %r10d, %r10d\n"
	CALL(202)
	"mov %rax, %rdi\n" CALL(1000));

static bool on_wait(struct ctx *c, struct trap *t)
{
	struct user_regs r;
	u32 one = 1;

	switch (T.step++) {
	case 0:
		return true;
	case 1:
		CHECK_EQ(t->kind, TRAP_INTERRUPT);
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		CHECK(r.ax == SYS_futex || (long)r.ax == -EINTR);
		/* Started again, it finds another value. */
		CHECK_EQ(aspace_copy_out(T.as, GADDR(DATA), &one, 4), 4);
		CHECK_EQ(aspace_futex_wake(c, GADDR(DATA), 1, false), 0);
		return true;
	default:
		if (t->kind == TRAP_INTERRUPT)
			return true;
		CHECK_EQ(t->nr, REPORT);
		CHECK((long)t->args[0] == -EAGAIN || (long)t->args[0] == -EINTR);
		pass();
	}
}

static void interrupted_waits(const char *platform)
{
	begin(platform, g_wait, g_wait_end, on_wait);
	usleep(50000);
	ctx_interrupt(T.c);
}

/* ---- extended state ---- */

GUEST(g_fp,
	"pcmpeqd %xmm0, %xmm0\n" CALL(9)
	"movq %xmm0, %rdi\n stmxcsr (%rsp)\n mov (%rsp), %esi\n" CALL(11)
	"movq %xmm0, %rdi\n stmxcsr (%rsp)\n mov (%rsp), %esi\n" CALL(1000));

static bool on_fp(struct ctx *c, struct trap *t)
{
	static u8 fp[16384];
	size_t n = platform_fp_size(T.p);
	u64 v = 0xabcdef;
	u32 magic, mxcsr = 0x7f80;
	struct user_regs r;

	switch (T.step++) {
	case 0:
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		r.sp -= 64;
		CHECK_EQ(ctx_set_regs(c, &r), 0);
		return true;
	case 1:
		CHECK_EQ(t->nr, FRAMED);
		CHECK(n >= 576 && n <= sizeof(fp));
		CHECK(ctx_get_fp(c, fp, n - 1) < 0);
		CHECK_EQ(ctx_get_fp(c, fp, sizeof(fp)), n);
		memcpy(&magic, fp + 464, 4);
		CHECK_EQ(magic, 0x46505853);
		memcpy(&magic, fp + n - 4, 4);
		CHECK_EQ(magic, 0x46505845);
		for (int i = 0; i < 16; i++)
			CHECK_EQ(fp[160 + i], 0xff);
		memcpy(fp + 160, &v, 8);
		memcpy(fp + 24, &mxcsr, 4);
		/* Garbage in the header must not hurt. */
		memset(fp + 520, 0xff, 16);
		CHECK_EQ(ctx_set_fp(c, fp, n), 0);
		return true;
	case 2:
		CHECK_EQ(t->args[0], 0xabcdef);
		CHECK_EQ(t->args[1], 0x7f80);
		CHECK_EQ(ctx_set_fp(c, NULL, 0), 0);
		return true;
	default:
		CHECK_EQ(t->args[0], 0);
		CHECK_EQ(t->args[1], 0x1f80);
		pass();
	}
}

static void extended_state(const char *platform) { begin(platform, g_fp, g_fp_end, on_fp); }

/* ---- compare-and-swap; a frame on request ---- */

GUEST(g_frame, "mov $42, %ebx\n" CALL(1000) "mov %rax, %rdi\n" CALL(9));

static bool on_frame(struct ctx *c, struct trap *t)
{
	struct user_regs r;
	u8 there[1];
	u32 val;

	if (t->kind == TRAP_INTERRUPT) {
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		CHECK_EQ(r.bx, 42);
		CHECK_EQ(r.ax, 77);
		T.step = 2;
		return true;
	}
	switch (T.step++) {
	case 0:
		return true;
	case 1:
		CHECK_EQ(t->nr, REPORT);
		ctx_set_result(c, 77);
		ctx_need_frame(c);
		return true;
	default:
		CHECK_EQ(t->nr, FRAMED);
		CHECK_EQ(t->args[0], 77);
		val = 3;
		CHECK_EQ(aspace_cas_u32(c, GADDR(DATA), &val, 8), 0);
		CHECK_EQ(val, 0);
		CHECK_EQ(aspace_cas_u32(c, GADDR(DATA), &val, 8), 0);
		CHECK_EQ(val, 0);
		CHECK_EQ(aspace_copy_in(T.as, &val, GADDR(DATA), 4), 4);
		CHECK_EQ(val, 8);
		CHECK_EQ(aspace_cas_u32(c, GADDR(0x10000), &val, 1), -EFAULT);
		CHECK_EQ(aspace_cas_u32(c, GADDR(DATA + 2), &val, 1), -EFAULT);
		/* One page is mapped and was touched; the next is not mapped. */
		CHECK_EQ(aspace_resident(c, GADDR(DATA), 1, there), 0);
		CHECK_EQ(there[0] & 1, 1);
		CHECK_EQ(aspace_resident(c, GADDR(DATA), 0, there), -EINVAL);
		CHECK_EQ(aspace_resident(c, GADDR(DATA), RESIDENT_MAX + 1, there), -EINVAL);
		CHECK_EQ(aspace_resident(c, GADDR(0x10000), 1, there), -ENOMEM);
		CHECK_EQ(aspace_resident(c, GADDR(0x7ffffffff000), 1, there), -EINVAL);
		CHECK_EQ(ctx_get_regs(c, &r), 0);
		CHECK_EQ(r.bx, 42);
		pass();
	}
}

static void frames_on_request(const char *platform) { begin(platform, g_frame, g_frame_end, on_frame); }

/* ---- many of them ---- */

GUEST(g_many, "1: " CALL(57) "test %rax, %rax\n jz 2f\n dec %r14\n jmp 1b\n 2: " CALL(1000));

static bool on_many(struct ctx *c, struct trap *t)
{
	static int ended, made;
	struct aspace *as;
	struct ctx *child;

	if (t->kind == TRAP_START)
		return true;
	CHECK_EQ(t->kind, TRAP_SYSCALL);
	if (t->nr == REPORT) {
		as = ctx_owner(c);
		ctx_free(c);
		aspace_unref(as);
		if (++ended == 60)
			pass();
		return false;
	}
	if (made++ == 60)
		return false;
	CHECK_EQ(aspace_fork(c, &as, &child), 0);
	ctx_set_owner(child, as);
	ctx_set_result(c, made);
	ctx_start(child);
	return true;
}

static void many_processes(const char *platform) { begin(platform, g_many, g_many_end, on_many); }

/* The host makes a clone anew that meets a stop or a freezer (ERESTARTNOINTR), which the filter sees as another one. */
static void *stopper(void *arg)
{
	(void)arg;
	for (;;) {
		kill(aspace_host_pid(T.as), SIGSTOP);
		usleep(100);
		kill(aspace_host_pid(T.as), SIGCONT);
		usleep(100);
	}
	return NULL;
}

static void stopped_forks(const char *platform)
{
	pthread_t th;

	begin(platform, g_many, g_many_end, on_many);
	CHECK_EQ(pthread_create(&th, NULL, stopper, NULL), 0);
}

/* ---- a thread whose rseq area is gone, so that it cannot even end ---- */

GUEST(g_area,
	CALL(57) "test %rax, %rax\n jnz 1f\n"
	"mov $0x500000, %edi\n mov $32, %esi\n xor %edx, %edx\n mov $0x1234, %r10d\n" CALL(334)
	"mov %rax, %rdi\n" CALL(9)
	"1: " CALL(11)
	"2: " CALL(1000) "jmp 2b\n");

/* @parent and @child are trapped.  The child's end must not touch who takes its place. */
static void end_without_area(struct ctx *parent, struct ctx *child)
{
	struct aspace *as;
	struct ctx *next;
	int r;

	CHECK_EQ(apply1(parent, (struct as_op){ .kind = AS_UNMAP, .addr = GADDR(DATA), .len = PAGE,
						.file = HOSTFD_NONE }), 0);
	ctx_free(child);
	r = aspace_fork(parent, &as, &next);
	if (r == -ESRCH)
		pass();         /* it took its own process along */
	CHECK_EQ(r, 0);
	ctx_free(parent);
	aspace_unref(T.as);
	T.step = 0;
	ctx_start(next);
}

static bool on_area(struct ctx *c, struct trap *t)
{
	if (t->kind == TRAP_START || t->kind == TRAP_INTERRUPT)         /* the latter: a call site is hot */
		return true;
	CHECK_EQ(t->kind, TRAP_SYSCALL);
	if (t->nr == REPORT) {
		if (++T.step == 300)
			pass();
		return true;
	}
	if (t->nr == SYS_fork) {
		CHECK_EQ(ctx_clone(c, &T.child), 0);
		ctx_set_result(c, 1);
		ctx_start(T.child);
		return true;
	}
	if (t->nr == FRAMED)
		CHECK_EQ(t->args[0], 0);
	if (T.step++)
		end_without_area(c == T.child ? T.c : c, T.child);
	return false;
}

static void a_lost_rseq_area(const char *platform) { begin(platform, g_area, g_area_end, on_area); }

/* ---- the harness ---- */

static void run(const char *platform, void (*body)(const char *))
{
	int st;
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		alarm(30);
		if (alloc_init((size_t)1 << 30) < 0)
			_exit(2);
		body(platform);
		wait_for_end();
	}
	setpgid(pid, pid);
	assert_int_equal(waitpid(pid, &st, 0), pid);
	kill(-pid, SIGKILL);                    /* stubs are in its group */
	if (!WIFEXITED(st) || WEXITSTATUS(st) != 0)
		fail_msg("%s: wait status %#x", platform, st);
}

#define ON_BOTH(name) \
	static void systrap_##name(void **state) { (void)state; run("systrap", name); } \
	static void ptrace_##name(void **state) { (void)state; run("ptrace", name); }
#define TESTS(X) \
	X(calls) X(faults) X(maps) X(forks) X(threads) X(interrupts) X(interrupted_waits) \
	X(extended_state) X(frames_on_request) X(many_processes) X(a_lost_rseq_area)
TESTS(ON_BOTH)

static void systrap_stopped_forks(void **state) { (void)state; run("systrap", stopped_forks); }

int main(void)
{
	const struct CMUnitTest tests[] = {
#define LIST(name) cmocka_unit_test(systrap_##name), cmocka_unit_test(ptrace_##name),
		TESTS(LIST)
		cmocka_unit_test(systrap_stopped_forks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
