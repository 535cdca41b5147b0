/*
 * test_systrap.c - hostile and delicate guests on the systrap platform, without a sentry.
 *
 * Each guest is a few instructions, run through platform.h alone by a worker that logs
 * what traps.  The guests do what escape_* programs would: jump into the stub,
 * forge its calls, use other system call entries, die.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "tests/unit/unit.h"
#include "platform/base/alloc.h"
#include "platform/host/futex.h"
#include "platform/systrap/systrap.h"

#define CODE 0x400000ull
#define STACK 0x500000ull
#define MAX_TRAPS 12

/* What the worker saw of one guest, and how it is told to go on. */
struct run {
	struct trap trap[MAX_TRAPS];
	_Atomic u32 n;
	_Atomic u32 over;               /* futex: the guest has ended */
	bool patch_mmap;                /* answer mmap with a real change, to exercise commands */
	struct run *other;              /* answer mmap with the run of another guest, started by a worker */
	struct aspace *other_as;
	struct run *twin;               /* answer clone with another thread, which this is the run of */
	bool forks;                     /* answer fork with a child, which is not to come about */
	int forked;
	bool rests;                     /* set the unknown call NR_WAIT aside, as a call that waits */
	struct run *wakes;              /* in NR_WAIT: wait as a task does, and wake that one meanwhile */
	_Atomic u32 stage;              /* futex: 1: was set aside; 2: was woken */
	_Atomic(struct ctx *) ctx;
	struct user_regs last;
};

#define NR_WAIT 5555

static struct platform *plat;
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;     /* a context that is interrupted is not freed: in the sentry tgroup.mu */

static void start_other(struct run *r);

static void await(_Atomic u32 *word, u32 old)
{
	while (atomic_load(word) == old)
		(void)host_futex_wait(word, old, INT64_MAX);
}

static void tell(_Atomic u32 *word, u32 v)
{
	atomic_store(word, v);
	host_futex_wake(word, 1);
}

static void start_twin(struct run *r, struct ctx *c)
{
	struct ctx *twin = NULL;

	if (ctx_clone(c, &twin) < 0)
		return;
	ctx_set_owner(twin, r->twin);
	atomic_store(&r->twin->ctx, twin);
	ctx_start(twin);
}

static void fork_in_vain(struct run *r, struct ctx *c)
{
	struct aspace *as;
	struct ctx *child;

	r->forked = aspace_fork(c, &as, &child);
	if (r->forked < 0)
		return;
	ctx_free(child);
	aspace_unref(as);
}

/* A task that waits, and whose worker takes in what another one waits for.  It took turns with others before. */
static void wake_in_wait(struct ctx *c, struct run *other)
{
	to_ctx(c)->turns = 1000;
	(void)platform_block_begin(plat);
	ctx_again(atomic_load(&other->ctx));
	await(&other->stage, 1);
	platform_block_end(plat, false);
}

static bool step(struct run *r, struct ctx *c, const struct trap *t)
{
	u32 i = atomic_load(&r->n);

	if (t->kind == TRAP_START || t->kind == TRAP_AGAIN) {
		if (t->kind == TRAP_AGAIN)
			tell(&r->stage, 2);
		return true;
	}
	if (i < MAX_TRAPS) {
		r->trap[i] = *t;
		atomic_store(&r->n, i + 1);
	}
	if (ctx_has_frame(c) && t->kind != TRAP_DEAD)
		(void)!ctx_get_regs(c, &r->last);
	if (t->kind == TRAP_DEAD || t->kind == TRAP_FAULT || (t->kind == TRAP_SYSCALL && t->nr == SYS_exit))
		return false;
	if (t->kind == TRAP_SYSCALL && t->nr == SYS_mmap && r->patch_mmap) {
		struct as_op op = { .kind = AS_MAP, .addr = GADDR(0x600000), .len = 4096,
				    .prot = PROT_READ | PROT_WRITE, .flags = MAP_PRIVATE, .file = HOSTFD_NONE };

		ctx_set_result(c, aspace_apply(c, &op, 1, NULL) == 0 ? 0x600000 : -1);
		return true;
	}
	if (t->kind == TRAP_SYSCALL && t->nr == SYS_mmap && r->other)
		start_other(r);
	if (t->kind == TRAP_SYSCALL && t->nr == SYS_clone && r->twin)
		start_twin(r, c);
	if (t->kind == TRAP_SYSCALL && t->nr == SYS_fork && r->forks)
		fork_in_vain(r, c);
	if (t->kind == TRAP_SYSCALL && t->nr == NR_WAIT && r->wakes)
		wake_in_wait(c, r->wakes);
	if (t->kind == TRAP_SYSCALL)
		ctx_set_result(c, (long)(1000 + t->nr));
	return true;
}

static void *worker(void *arg)
{
	struct ctx *c = NULL;
	struct trap t;

	(void)arg;
	for (;;) {
		struct run *r;

		c = platform_switch(plat, c, &t);
		r = ctx_owner(c);
		if (step(r, c, &t) && !(r->rests && t.kind == TRAP_SYSCALL && t.nr == NR_WAIT))
			continue;
		if (r->rests && !atomic_load(&r->stage)) {
			atomic_store(&r->ctx, c);
			ctx_rest(c);
			c = NULL;
			tell(&r->stage, 1);
			continue;
		}
		pthread_mutex_lock(&keeping);
		ctx_free(c);
		pthread_mutex_unlock(&keeping);
		c = NULL;
		atomic_store(&r->over, 1);
		host_futex_wake(&r->over, 1);
	}
	return NULL;
}

static void start_guest(struct run *r, const void *code, size_t len, struct aspace **ret_as)
{
	const struct as_op ops[] = {
		{ .kind = AS_MAP, .addr = GADDR(CODE), .len = 4096, .prot = PROT_READ | PROT_WRITE,
		  .flags = MAP_PRIVATE, .file = HOSTFD_NONE },
		{ .kind = AS_MAP, .addr = GADDR(STACK), .len = 65536, .prot = PROT_READ | PROT_WRITE,
		  .flags = MAP_PRIVATE, .file = HOSTFD_NONE },
	};
	const struct as_op exec = { .kind = AS_PROTECT, .addr = GADDR(CODE), .len = 4096,
				    .prot = PROT_READ | PROT_EXEC };
	struct user_regs regs = { .ip = CODE, .sp = STACK + 65536, .flags = 0x202,
				  .r15 = ((struct systrap *)plat)->stub };
	struct ctx *c;

	assert_int_equal(aspace_new(plat, ret_as, &c), 0);
	assert_int_equal(aspace_apply(c, ops, 2, NULL), 0);
	assert_int_equal(aspace_copy_out(*ret_as, GADDR(CODE), code, len), len);
	assert_int_equal(aspace_apply(c, &exec, 1, NULL), 0);
	assert_int_equal(ctx_set_regs(c, &regs), 0);
	assert_int_equal(ctx_set_fp(c, NULL, 0), 0);
	ctx_set_owner(c, r);
	ctx_start(c);
}

static void run_guest(struct run *r, const void *code, size_t len)
{
	struct aspace *as;

	start_guest(r, code, len, &as);
	await(&r->over, 0);
	aspace_unref(as);
}

/* Guest code: assembled here, copied there; position independent. r15 = the stub's address. */
#define GUEST(name, text) \
	extern const u8 guest_##name[], guest_##name##_end[]; \
	__asm__(".pushsection .rodata\n.globl guest_" #name "\nguest_" #name ":\n" text \
		"\n.globl guest_" #name "_end\nguest_" #name "_end:\n.popsection\n")
#define RUN(r, name) run_guest(r, guest_##name, (size_t)(guest_##name##_end - guest_##name))
#define START(r, name, as) start_guest(r, guest_##name, (size_t)(guest_##name##_end - guest_##name), as)

/* The first "syscall; ret" of the stub: what hostile code looks for. */
#define FIND_SYSCALL \
	" mov %r15, %rbx\n" \
	"1: cmpl $0x00c3050f, (%rbx)\n jne 2f\n jmp 3f\n" \
	"2: movl (%rbx), %eax\n and $0xffffff, %eax\n cmp $0xc3050f, %eax\n je 3f\n inc %rbx\n jmp 2b\n3:\n"

GUEST(jump_mmap, FIND_SYSCALL
      " xor %edi, %edi\n mov $4096, %esi\n mov $7, %edx\n mov $0x22, %r10d\n mov $-1, %r8\n xor %r9d, %r9d\n"
      " mov $9, %eax\n call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(jump_clone, FIND_SYSCALL
      " mov $17, %edi\n xor %esi, %esi\n xor %edx, %edx\n xor %r10d, %r10d\n xor %r8d, %r8d\n mov $56, %eax\n"
      " call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(jump_open, FIND_SYSCALL " mov $2, %eax\n xor %edi, %edi\n call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(jump_futex, FIND_SYSCALL      /* FUTEX_LOCK_PI of a word that is free */
      " movl $0, -64(%rsp)\n lea -64(%rsp), %rdi\n mov $6, %esi\n xor %edx, %edx\n xor %r10d, %r10d\n mov $202, %eax\n"
      " call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(forge_done, FIND_SYSCALL
      " mov $0x57b5, %eax\n mov $3, %edi\n xor %esi, %esi\n call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(forge_frame, FIND_SYSCALL
      " mov $0x57b5, %eax\n mov $2, %edi\n mov $0x10, %esi\n mov $31, %edx\n call *%rbx\n mov $60, %eax\n syscall\n");
GUEST(forge_register, FIND_SYSCALL
      " mov $0x57b5, %eax\n mov $1, %edi\n mov $1, %esi\n call *%rbx\n mov $60, %eax\n syscall\n");
/* Hostile code that obeys commands itself: it forges frames at 0x500000, in which it makes a call. */
#define FORGED_CALL(nr) \
	" movl $0xc000003e, 0x50014c\n movq $" #nr ", 0x500090\n" \
	" mov $0x57b5, %eax\n mov $2, %edi\n mov $0x500000, %esi\n mov $31, %edx\n call *%rbx\n"
/* The one call of a command, as it stands in the first slot. */
#define OBEY \
	" mov 0x1000068(%r15), %rax\n mov 0x1000070(%r15), %rdi\n mov 0x1000078(%r15), %rsi\n mov 0x1000080(%r15), %rdx\n" \
	" mov 0x1000088(%r15), %r10\n mov 0x1000090(%r15), %r8\n mov 0x1000098(%r15), %r9\n call *%rbx\n" FORGED_DONE(0x10000)
#define FORGED_DONE(r) " mov $0x57b5, %eax\n mov $3, %edi\n mov $" #r ", %rsi\n call *%rbx\n"
/* A thread that its clone, told to have failed, has made all the same says that it is the child of a later fork. */
GUEST(thread_as_child, FIND_SYSCALL FORGED_CALL(56) OBEY      /* room for slots */
      " lea 5f(%rip), %rax\n mov %rax, 0x508000\n mov $0x250f00, %edi\n mov $0x508000, %esi\n xor %edx, %edx\n"
      " mov $0x500800, %r10d\n xor %r8d, %r8d\n mov $56, %eax\n call *%rbx\n" FORGED_DONE(-11) FORGED_CALL(57)
      " movl $1, 0x500900\n" FORGED_DONE(0x3ffffe) " mov $60, %eax\n syscall\n"
      "5: pause\n cmpl $0, 0x500900\n je 5b\n mov 0x1000018(%r15), %rsi\n mov $1, %edi\n mov $0x57b5, %eax\n call *%rbx\n"
      "6: jmp 6b\n");
/* Nothing was made: who waits for the child learns that its maker has ended. */
GUEST(no_child, FIND_SYSCALL FORGED_CALL(57) FORGED_DONE(0x3ffffe) " mov $60, %eax\n syscall\n");
/* No signal of the host's interrupts it any more: it returns from a signal that blocked them all.  To 0x500904 it writes that it is there. */
#define STAYS " movl $1, 0x500904\n6: jmp 6b\n"
#define DEAFEN FIND_SYSCALL \
	" mov %rbx, 0x500080\n movq $6, 0x500000\n movl $2, 0x500018\n movq $0x508000, 0x5000a0\n lea 5f(%rip), %rax\n mov %rax, 0x5000a8\n" \
	" movq $0x202, 0x5000b0\n movw $0x33, 0x5000b8\n movw $0x2b, 0x5000be\n movq $-1, 0x500128\n" \
	" mov $0x500000, %esp\n mov $15, %eax\n jmp *%rbx\n5:"
GUEST(deaf, DEAFEN STAYS);
/* Nor does it ever answer the command that its mmap leads to. */
GUEST(silent, DEAFEN FORGED_CALL(9) STAYS);
GUEST(own_number, " mov $0x57b5, %eax\n mov $2, %edi\n syscall\n mov $60, %eax\n syscall\n");
GUEST(x32, " mov $0x40000027, %eax\n syscall\n mov $60, %eax\n syscall\n");
GUEST(int80, " mov $20, %eax\n int $0x80\n mov $60, %eax\n syscall\n");
GUEST(null_deref, " movq $1, 0x18\n");
GUEST(wipe_stub, " movb $0x90, (%r15)\n mov $60, %eax\n syscall\n");
GUEST(spin, "1: jmp 1b\n");
GUEST(wait, " mov $5555, %eax\n syscall\n mov $60, %eax\n syscall\n");
/* One of two threads ends, once both run, by a host call of its own, of which nobody hears. */
#define UNASKED_EXIT(ends) \
	" movl $0, -64(%rsp)\n mov $56, %eax\n syscall\n test %eax, %eax\n jnz 7f\n movl $1, -64(%rsp)\n" \
	"7: cmpl $0, -64(%rsp)\n je 7b\n test %eax, %eax\n " ends " 9f\n8: jmp 8b\n9:\n" FIND_SYSCALL \
	" xor %edi, %edi\n mov $60, %eax\n call *%rbx\n"
GUEST(second_leaves, UNASKED_EXIT("jz"));
GUEST(first_leaves, UNASKED_EXIT("jnz"));
GUEST(vectors,
      " mov $0x1122334455667788, %rax\n movq %rax, %xmm7\n vinserti128 $1, %xmm7, %ymm7, %ymm7\n"
      " movl $0x7f80, -8(%rsp)\n ldmxcsr -8(%rsp)\n movw $0x27f, -16(%rsp)\n fldcw -16(%rsp)\n"
      " mov $9, %eax\n syscall\n"
      " mov %rax, %r12\n movq $5, (%rax)\n"
      " vextracti128 $1, %ymm7, %xmm1\n movq %xmm1, %r13\n stmxcsr -8(%rsp)\n movl -8(%rsp), %r14d\n"
      " fnstcw -16(%rsp)\n movzwl -16(%rsp), %ebp\n mov $60, %eax\n syscall\n");

static void expect_death(const u8 *code, const u8 *end)
{
	struct run r = { 0 };

	run_guest(&r, code, (size_t)(end - code));
	assert_true(atomic_load(&r.n) >= 1);
	assert_int_equal(r.trap[atomic_load(&r.n) - 1].kind, TRAP_DEAD);
}

static void a_jump_into_the_stub_maps_nothing(void **state)
{
	(void)state;
	expect_death(guest_jump_mmap, guest_jump_mmap_end);
}

static void a_jump_into_the_stub_clones_nothing(void **state)
{
	(void)state;
	expect_death(guest_jump_clone, guest_jump_clone_end);
}

static void a_jump_into_the_stub_opens_nothing(void **state)
{
	(void)state;
	expect_death(guest_jump_open, guest_jump_open_end);
}

static void a_jump_into_the_stub_inherits_no_priority(void **state)
{
	(void)state;
	expect_death(guest_jump_futex, guest_jump_futex_end);
}

static void a_forged_completion_is_fatal(void **state)
{
	(void)state;
	expect_death(guest_forge_done, guest_forge_done_end);
}

static void a_forged_registration_is_fatal(void **state)
{
	(void)state;
	expect_death(guest_forge_register, guest_forge_register_end);
}

/* Else what is copied for the child would be read and written by a number that the host gives to any other process some day. */
static void a_thread_is_not_taken_for_a_new_process(void **state)
{
	struct run twin = { 0 }, r = { .twin = &twin, .forks = true };

	(void)state;
	RUN(&r, thread_as_child);
	assert_null(atomic_load(&twin.ctx));
	assert_int_equal(atomic_load(&r.n), 3);
	assert_int_equal(r.trap[1].nr, SYS_fork);
	assert_true(r.forked < 0);
	assert_int_equal(r.trap[2].kind, TRAP_DEAD);
}

static void a_frame_at_a_bad_address_harms_only_its_process(void **state)
{
	(void)state;
	expect_death(guest_forge_frame, guest_forge_frame_end);
}

static void the_trap_number_from_elsewhere_is_an_unknown_call(void **state)
{
	struct run r = { 0 };

	(void)state;
	RUN(&r, own_number);
	assert_int_equal(r.trap[0].kind, TRAP_SYSCALL);
	assert_int_equal(r.trap[0].nr, 0x57b5);
	assert_int_equal(r.trap[1].nr, SYS_exit);
}

static void x32_numbers_arrive_as_they_are(void **state)
{
	struct run r = { 0 };

	(void)state;
	RUN(&r, x32);
	assert_int_equal(r.trap[0].kind, TRAP_SYSCALL);
	assert_int_equal(r.trap[0].nr, 0x40000027);
}

static void int_0x80_faults_as_without_32_bit_entry(void **state)
{
	struct run r = { 0 };

	(void)state;
	RUN(&r, int80);
	assert_int_equal(r.trap[0].kind, TRAP_FAULT);
	assert_int_equal(r.trap[0].fault.signo, SIGSEGV);
}

static void a_fault_tells_where_and_why(void **state)
{
	struct run r = { 0 };

	(void)state;
	RUN(&r, null_deref);
	assert_int_equal(r.trap[0].kind, TRAP_FAULT);
	assert_int_equal(r.trap[0].fault.signo, SIGSEGV);
	assert_int_equal(r.trap[0].fault.code, SEGV_MAPERR);
	assert_int_equal(r.trap[0].fault.addr, 0x18);
	assert_int_equal(r.trap[0].fault.trapno, 14);
	assert_int_equal(r.trap[0].fault.err, 6);
	assert_int_equal(r.last.ip, CODE);
}

static void the_stubs_text_cannot_be_written(void **state)
{
	struct run r = { 0 };

	(void)state;
	RUN(&r, wipe_stub);
	assert_int_equal(r.trap[0].kind, TRAP_FAULT);
	assert_int_equal(r.trap[0].fault.code, SEGV_ACCERR);
}

static void a_command_keeps_extended_state(void **state)
{
	struct run r = { .patch_mmap = true };

	(void)state;
	RUN(&r, vectors);
	assert_int_equal(r.trap[0].nr, SYS_mmap);
	assert_int_equal(r.trap[1].nr, SYS_exit);
	assert_int_equal(r.last.r12, 0x600000);
	assert_true(r.last.r13 == 0x1122334455667788ull);
	assert_int_equal(r.last.r14, 0x7f80);
	assert_int_equal(r.last.bp, 0x27f);
}

static void killing_a_computing_stub_is_reported_once(void **state)
{
	struct run r = { 0 };
	struct aspace *as;
	u8 byte;

	(void)state;
	start_guest(&r, guest_spin, (size_t)(guest_spin_end - guest_spin), &as);
	usleep(20000);
	kill(to_as(as)->pid, SIGKILL);
	while (!atomic_load(&r.over))
		(void)host_futex_wait(&r.over, 0, INT64_MAX);
	assert_int_equal(atomic_load(&r.n), 1);
	assert_int_equal(r.trap[0].kind, TRAP_DEAD);
	assert_int_equal(aspace_copy_in(as, &byte, GADDR(CODE), 1), 0);
	aspace_unref(as);
}

static void maps_over_the_platform_are_refused(void **state)
{
	struct aspace *as;
	struct ctx *c;
	struct as_op op = { .kind = AS_UNMAP, .len = 4096 };
	u64 lo, hi;

	(void)state;
	platform_user_range(plat, &lo, &hi);
	assert_int_equal(aspace_new(plat, &as, &c), 0);
	op.addr = GADDR(hi - 4096);
	op.len = 8192;
	assert_int_equal(aspace_apply(c, &op, 1, NULL), -EINVAL);
	op.addr = GADDR(hi);
	op.len = 4096;
	assert_int_equal(aspace_apply(c, &op, 1, NULL), -EINVAL);
	op.addr = GADDR(~0ull & ~4095ull);
	op.len = 8192;
	assert_int_equal(aspace_apply(c, &op, 1, NULL), -EINVAL);
	ctx_free(c);
	aspace_unref(as);
}

/* Whoever makes commands at the same time: a file for one of them must not be there under the number that another names. */
static void files_of_two_commands_never_have_the_same_number(void **state)
{
	static struct systrap_ctx via[65];
	struct aspace *as;
	struct ctx *c;
	u64 last = 3;

	(void)state;
	assert_int_equal(aspace_new(plat, &as, &c), 0);
	for (u32 i = 0; i < 65; i++) {
		via[i].base = *c;
		via[i].slot = i * 512;
	}
	for (u32 i = 0; i < 64; i++) {
		u64 number = as_file_number(&via[i]);

		assert_true(number > last);
		assert_int_equal(as_file_number(&via[i]), number);
		last = number + SLOT_CALLS / 2 - 1;
	}
	assert_int_equal(as_file_number(&via[64]), 0);
	as_file_done(&via[17]);
	assert_int_not_equal(as_file_number(&via[64]), 0);
	for (u32 i = 0; i < 65; i++)
		as_file_done(&via[i]);
	ctx_free(c);
	aspace_unref(as);
}

/* A command that is not made after all gives its number back. */
static void a_map_that_is_refused_keeps_no_number(void **state)
{
	struct as_op op = { .kind = AS_MAP, .len = 4096, .prot = PROT_READ, .flags = MAP_SHARED };
	struct aspace *as;
	struct ctx *c;
	u64 lo, hi;

	(void)state;
	platform_user_range(plat, &lo, &hi);
	assert_int_equal(aspace_new(plat, &as, &c), 0);
	op.addr = GADDR(hi);
	op.file = HOSTFD(0);
	assert_int_equal(aspace_apply(c, &op, 1, NULL), -EINVAL);
	assert_int_equal(to_ctx(c)->file_number, 0);
	assert_true(to_as(as)->file_groups == 0);
	ctx_free(c);
	aspace_unref(as);
}

static struct systrap *lane_of_new(struct aspace **ret_as, struct ctx **ret_c)
{
	assert_int_equal(aspace_new(plat, ret_as, ret_c), 0);
	return to_systrap((*ret_as)->p);
}

static void a_program_takes_the_other_lane_than_the_youngest(void **state)
{
	struct lanes *lanes = ((struct systrap *)plat)->lanes;
	struct aspace *as[4];
	struct ctx *c[4];
	struct systrap *l;

	(void)state;
	if (!lanes->lane[1])
		skip();
	l = lane_of_new(&as[0], &c[0]);
	assert_ptr_not_equal(lane_of_new(&as[1], &c[1]), l);
	assert_ptr_equal(lane_of_new(&as[2], &c[2]), l);
	assert_ptr_equal(((struct systrap *)plat)->stub, l->stub);
	for (int i = 1; i < 3; i++) {
		ctx_free(c[i]);
		aspace_unref(as[i]);
	}
	assert_ptr_not_equal(lane_of_new(&as[3], &c[3]), l);
	ctx_free(c[0]);
	ctx_free(c[3]);
	aspace_unref(as[0]);
	aspace_unref(as[3]);
}

static void start_other(struct run *r)
{
	start_guest(r->other, guest_vectors, (size_t)(guest_vectors_end - guest_vectors), &r->other_as);
}

/* As execve does: what is commanded and resumed makes notifications that other workers than the caller receive. */
static void a_worker_commands_both_lanes(void **state)
{
	struct run other[8], r[8];

	(void)state;
	memset(other, 0, sizeof(other));
	memset(r, 0, sizeof(r));
	for (int i = 0; i < 8; i++) {
		other[i].patch_mmap = true;
		r[i].other = &other[i];
		RUN(&r[i], vectors);
		while (!atomic_load(&other[i].over))
			(void)host_futex_wait(&other[i].over, 0, INT64_MAX);
		assert_int_equal(other[i].trap[0].nr, SYS_mmap);
		assert_int_equal(other[i].trap[1].nr, SYS_exit);
		aspace_unref(r[i].other_as);
	}
}

static void interrupt(struct ctx *c)
{
	pthread_mutex_lock(&keeping);
	ctx_interrupt(c);
	pthread_mutex_unlock(&keeping);
}

/* The second thread of a process, or the first, has ended, and its context is still taken for one that runs. */
static void start_leaver(struct run r[2], bool first, struct aspace **ret_as)
{
	u8 byte;

	memset(r, 0, 2 * sizeof(*r));
	r[0].twin = &r[1];
	if (first) {
		START(&r[0], first_leaves, ret_as);
		while (aspace_copy_in(*ret_as, &byte, GADDR(CODE), 1) == 1)
			usleep(1000);
	} else {
		START(&r[0], second_leaves, ret_as);
		while (!atomic_load(&r[1].ctx) ||
		       syscall(SYS_tgkill, to_as(*ret_as)->pid, to_ctx(atomic_load(&r[1].ctx))->tid, 0) == 0)
			usleep(1000);
	}
}

static void end_leaver(struct run r[2], struct aspace *as)
{
	await(&r[0].over, 0);
	await(&r[1].over, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(r[i].trap[atomic_load(&r[i].n) - 1].kind, TRAP_DEAD);
	aspace_unref(as);
}

static void expect_end_when_overdue(struct run *r, struct aspace *as)
{
	struct systrap_ctx *c;
	u32 there = 0;

	while (!there) {
		assert_int_equal(aspace_copy_in(as, &there, GADDR(0x500904), 4), 4);
		usleep(1000);
	}
	mutex_lock(&to_as(as)->mu);
	c = list_first(&to_as(as)->ctxs, struct systrap_ctx, node);
	mutex_unlock(&to_as(as)->mu);
	interrupt(&c->base);
	usleep(10000);
	assert_int_equal(atomic_load(&r->over), 0);
	pthread_mutex_lock(&keeping);
	ctx_overdue(&c->base);
	pthread_mutex_unlock(&keeping);
	await(&r->over, 0);
	assert_int_equal(r->trap[atomic_load(&r->n) - 1].kind, TRAP_DEAD);
	aspace_unref(as);
}

static void who_cannot_be_interrupted_can_be_ended(void **state)
{
	struct run r = { 0 };
	struct aspace *as;

	(void)state;
	START(&r, deaf, &as);
	expect_end_when_overdue(&r, as);
}

static void who_does_not_obey_can_be_ended(void **state)
{
	struct run r = { .patch_mmap = true };
	struct aspace *as;

	(void)state;
	START(&r, silent, &as);
	expect_end_when_overdue(&r, as);
}

static bool child_is_expected(pid_t pid)
{
	struct lanes *lanes = ((struct systrap *)plat)->lanes;
	struct systrap_ctx *c;
	bool found = false;

	mutex_lock(&lanes->mu);
	list_for_each(c, &lanes->pending, pending)
		found |= c->expect == pid;
	mutex_unlock(&lanes->mu);
	return found;
}

/* What was to be made by a stub that has died will never be, whatever it has said. */
static void a_fork_ends_with_its_process(void **state)
{
	struct run r = { .forks = true };
	struct aspace *as;

	(void)state;
	START(&r, no_child, &as);
	while (!child_is_expected(0x3ffffe))
		usleep(1000);
	kill(to_as(as)->pid, SIGKILL);
	await(&r.over, 0);
	assert_true(r.forked < 0);
	assert_int_equal(r.trap[1].kind, TRAP_DEAD);
	aspace_unref(as);
}

static void a_thread_that_left_unasked_can_be_ended(void **state)
{
	struct aspace *as;
	struct run r[2];

	(void)state;
	start_leaver(r, false, &as);
	interrupt(atomic_load(&r[1].ctx));
	end_leaver(r, as);
}

static void a_first_thread_that_left_unasked_can_be_ended(void **state)
{
	struct systrap_ctx *first;
	struct aspace *as;
	struct run r[2];

	(void)state;
	start_leaver(r, true, &as);
	mutex_lock(&to_as(as)->mu);
	first = list_first(&to_as(as)->ctxs, struct systrap_ctx, node);
	mutex_unlock(&to_as(as)->mu);
	interrupt(&first->base);
	end_leaver(r, as);
}

static struct lanes *lanes_of(void) { return ((struct systrap *)plat)->lanes; }

/* The ids that the host gives out next and that lead nowhere lead to @c, or no more. */
static void mark_ids(struct systrap *p, u32 from, struct systrap_ctx *c, bool on)
{
	for (u32 i = from; i < MIN(from + 20000, TIDMAP_MAX); i++)
		if (!on)
			tidmap_take(&p->by_tid, i, c);
		else if (!tidmap_get(&p->by_tid, i))
			tidmap_set(&p->by_tid, i, c);
}

/* The host gives the id of a thread that has left unasked to a new process. */
static void an_id_that_comes_again_is_not_taken_for_the_old_thread(void **state)
{
	struct aspace *as, *fresh;
	struct systrap_ctx *gone;
	struct ctx *c;
	struct run r[2];

	(void)state;
	start_leaver(r, false, &as);
	gone = to_ctx(atomic_load(&r[1].ctx));
	for (u32 l = 0; l < LANES && lanes_of()->lane[l]; l++) {
		struct systrap *p = lanes_of()->lane[l];

		mark_ids(p, (u32)gone->tid + 1, gone, true);
		busy_lock(p, &p->zygote_busy);
		assert_int_equal(as_from_zygote(p, &fresh, &c), 0);
		busy_unlock(&p->zygote_busy);
		assert_ptr_equal(tidmap_get(&p->by_tid, to_as(fresh)->pid), to_ctx(c));
		mark_ids(p, (u32)gone->tid + 1, gone, false);
		ctx_free(c);
		aspace_unref(fresh);
	}
	kill(to_as(as)->pid, SIGKILL);
	end_leaver(r, as);
}

/* Its threads wait in the sentry, which would not hear of it. */
static void the_ids_of_a_process_that_was_killed_lead_nowhere(void **state)
{
	struct run r = { .rests = true };
	struct aspace *as;
	struct systrap_ctx *c;
	pid_t pid;

	(void)state;
	START(&r, wait, &as);
	await(&r.stage, 0);
	c = to_ctx(atomic_load(&r.ctx));
	pid = to_as(as)->pid;
	assert_ptr_equal(tidmap_get(&ctx_systrap(c)->by_tid, pid), c);
	kill(pid, SIGKILL);
	while (kill(pid, 0) == 0)
		usleep(1000);
	assert_null(tidmap_get(&ctx_systrap(c)->by_tid, pid));
	ctx_again(&c->base);
	await(&r.over, 0);
	aspace_unref(as);
}

/* Two workers that are not needed, so that one may keep a context of the other lane. */
static void spare_workers(struct systrap *p)
{
	struct aspace *as[2];
	struct ctx *c[2];

	busy_lock(p, &p->zygote_busy);
	for (int i = 0; i < 2; i++)
		assert_int_equal(as_from_zygote(p, &as[i], &c[i]), 0);
	busy_unlock(&p->zygote_busy);
	for (int i = 0; i < 2; i++) {
		ctx_free(c[i]);
		aspace_unref(as[i]);
	}
}

/* It will not come to serve them itself. */
static void who_is_woken_by_a_waiting_worker_is_served(void **state)
{
	(void)state;
	for (int same = 0; same < 2; same++) {
		struct run waits = { .rests = true }, wakes = { .wakes = &waits }, between = { 0 };
		struct aspace *as[3];

		START(&waits, wait, &as[0]);
		await(&waits.stage, 0);
		if (same)
			START(&between, spin, &as[2]);
		spare_workers(to_systrap(as[0]->p));
		if (lanes_of()->lane[1])
			spare_workers(lanes_of()->lane[1]);
		START(&wakes, wait, &as[1]);
		await(&waits.over, 0);
		await(&wakes.over, 0);
		if (same) {
			kill(to_as(as[2])->pid, SIGKILL);
			await(&between.over, 0);
		}
		for (int i = 0; i < 2 + same; i++)
			aspace_unref(as[i]);
	}
}

/* The host may kill it, too.  The last test: there is only the other lane from now on. */
static void a_lane_without_its_first_stub_is_not_used(void **state)
{
	struct systrap *first = (struct systrap *)plat;
	pid_t pid = to_as(first->zygote->base.as)->pid;
	struct aspace *as[4];
	struct ctx *c[4];

	(void)state;
	if (!lanes_of()->lane[1])
		skip();
	kill(pid, SIGKILL);
	while (kill(pid, 0) == 0)
		usleep(1000);
	for (int i = 0; i < 4; i++)
		(void)lane_of_new(&as[i], &c[i]);
	assert_ptr_equal(as[3]->p, &lanes_of()->lane[1]->base);
	for (int i = 0; i < 4; i++) {
		ctx_free(c[i]);
		aspace_unref(as[i]);
	}
}

static int setup(void **state)
{
	const struct platform_config cfg = { .name = "systrap" };

	(void)state;
	if (alloc_init(1ull << 32) < 0 || platform_new(&cfg, &plat) < 0)
		return -1;
	return platform_start_workers(plat, worker, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_jump_into_the_stub_maps_nothing),
		cmocka_unit_test(a_jump_into_the_stub_clones_nothing),
		cmocka_unit_test(a_jump_into_the_stub_opens_nothing),
		cmocka_unit_test(a_jump_into_the_stub_inherits_no_priority),
		cmocka_unit_test(a_forged_completion_is_fatal),
		cmocka_unit_test(a_forged_registration_is_fatal),
		cmocka_unit_test(a_thread_is_not_taken_for_a_new_process),
		cmocka_unit_test(a_fork_ends_with_its_process),
		cmocka_unit_test(who_cannot_be_interrupted_can_be_ended),
		cmocka_unit_test(who_does_not_obey_can_be_ended),
		cmocka_unit_test(a_frame_at_a_bad_address_harms_only_its_process),
		cmocka_unit_test(the_trap_number_from_elsewhere_is_an_unknown_call),
		cmocka_unit_test(x32_numbers_arrive_as_they_are),
		cmocka_unit_test(int_0x80_faults_as_without_32_bit_entry),
		cmocka_unit_test(a_fault_tells_where_and_why),
		cmocka_unit_test(the_stubs_text_cannot_be_written),
		cmocka_unit_test(a_command_keeps_extended_state),
		cmocka_unit_test(killing_a_computing_stub_is_reported_once),
		cmocka_unit_test(maps_over_the_platform_are_refused),
		cmocka_unit_test(files_of_two_commands_never_have_the_same_number),
		cmocka_unit_test(a_map_that_is_refused_keeps_no_number),
		cmocka_unit_test(a_program_takes_the_other_lane_than_the_youngest),
		cmocka_unit_test(a_worker_commands_both_lanes),
		cmocka_unit_test(a_thread_that_left_unasked_can_be_ended),
		cmocka_unit_test(a_first_thread_that_left_unasked_can_be_ended),
		cmocka_unit_test(an_id_that_comes_again_is_not_taken_for_the_old_thread),
		cmocka_unit_test(the_ids_of_a_process_that_was_killed_lead_nowhere),
		cmocka_unit_test(who_is_woken_by_a_waiting_worker_is_served),
		cmocka_unit_test(a_lane_without_its_first_stub_is_not_used),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
