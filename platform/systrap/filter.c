/*
 * filter.c - what an application thread may do on the host.
 *
 * The filter is the boundary.  Everything that it lets through unasked must be
 * harmless with any argument from any instruction, since hostile code can jump
 * to any syscall instruction.  The instruction pointer only routes: without it
 * the application's own close or exit would run natively.
 *
 *   from the stub's text  rt_sigreturn close sigaltstack exit, futex wait/wake kinds, unregistering rseq: allowed
 *                         mmap munmap mprotect mremap madvise mincore clone, trap and wait calls: asked
 *                         kick call: SIGSYS
 *                         anything else: killed
 *   from anywhere else    futex wait/wake kinds, sched_yield, private
 *                         membarriers, FS base: native; GS base, calls that need registers: SIGSYS;
 *                         rseq: asked, and let through (notify.c); the rest, unknown numbers too: asked, and answered by the sentry
 * Another architecture's entry (int 0x80) is SIGSYS, and becomes what Linux without it does.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define MAX_INSNS 256

struct prog {
	struct sock_filter insn[MAX_INSNS];
	u16 n;
	bool overflow;
};

static void emit(struct prog *p, u16 code, u32 k, u8 jt, u8 jf)
{
	if (p->n == MAX_INSNS) {
		p->overflow = true;
		return;
	}
	p->insn[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

#define FIELD(f) ((u32)offsetof(struct seccomp_data, f))
#define ARG_LO(i) ((u32)offsetof(struct seccomp_data, args) + 8 * (i))

static void load(struct prog *p, u32 off) { emit(p, BPF_LD | BPF_W | BPF_ABS, off, 0, 0); }
static void ret(struct prog *p, u32 action) { emit(p, BPF_RET | BPF_K, action, 0, 0); }

/* if (A == k) return action; */
static void ret_if(struct prog *p, u32 k, u32 action)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
	ret(p, action);
}

/* if (nr == k) { if ((args[arg] & mask) is one of v) allow; else @action }: @n values. */
static void allow_arg(struct prog *p, u32 nr, u32 arg, u32 mask, const u32 *v, u8 n, u32 action)
{
	/* Skipped as a whole when the number differs. */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, nr, 0, (u8)(2 * n + 3));
	load(p, ARG_LO(arg));
	emit(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	for (u8 i = 0; i < n; i++)
		ret_if(p, v[i], SECCOMP_RET_ALLOW);
	ret(p, action);
}

/* No kind that inherits priorities: what the host does for those is intricate, and no stub needs one. */
static void allow_futex(struct prog *p, u32 action)
{
	static const u32 ops[] = { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE,
				   FUTEX_WAKE_OP, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET };

	allow_arg(p, SYS_futex, 1, ~(u32)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME), ops, ARRAY_SIZE(ops), action);
}

static void stub_part(struct prog *p)
{
	static const u32 allowed[] = { SYS_rt_sigreturn, SYS_close, SYS_sigaltstack, SYS_exit };
	static const u32 asked[] = { STUBCALL_NR, STUBWAIT_NR, STUBFRAME_NR, SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap,
				     SYS_madvise, SYS_mincore, SYS_clone };
	static const u32 unregister[] = { 1 };

	load(p, FIELD(nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		ret_if(p, allowed[i], SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		ret_if(p, asked[i], SECCOMP_RET_USER_NOTIF);
	ret_if(p, STUBKICK_NR, SECCOMP_RET_TRAP);
	allow_futex(p, SECCOMP_RET_KILL_PROCESS);
	allow_arg(p, SYS_rseq, 2, ~0u, unregister, ARRAY_SIZE(unregister), SECCOMP_RET_KILL_PROCESS);
	ret(p, SECCOMP_RET_KILL_PROCESS);
}

static void app_part(struct prog *p)
{
	static const u32 futexes[] = { 449, 454, 455, 456 };    /* futex_waitv, futex_{wake,wait,requeue} */
	static const u32 barriers[] = { 0, 1, 2, 4, 8, 16, 32, 64, 512 };       /* QUERY, GLOBAL*, PRIVATE_EXPEDITED*, GET_REGISTRATIONS */
	static const u32 bases[] = { 0x1002, 0x1003 };          /* ARCH_{SET_FS,GET_FS}; GS is the stub's (mail.c) */

	load(p, FIELD(nr));
#define FRAME_CALL(nr, name) ret_if(p, nr, SECCOMP_RET_TRAP);
#include "syscall-tables/frame_calls.def"
#undef FRAME_CALL
	ret_if(p, SYS_sched_yield, SECCOMP_RET_ALLOW);
	for (u32 i = 0; i < ARRAY_SIZE(futexes); i++)
		ret_if(p, futexes[i], SECCOMP_RET_ALLOW);
	allow_futex(p, SECCOMP_RET_USER_NOTIF);
	allow_arg(p, SYS_membarrier, 0, ~0u, barriers, ARRAY_SIZE(barriers),
		  SECCOMP_RET_USER_NOTIF);
	allow_arg(p, SYS_arch_prctl, 0, ~0u, bases, ARRAY_SIZE(bases), SECCOMP_RET_TRAP);
	ret(p, SECCOMP_RET_USER_NOTIF);
}

int filter_install(u64 text_start, u64 text_end)
{
	struct prog p = { .n = 0 };
	struct sock_fprog fp;
	u16 to_app[3];
	long r;

	load(&p, FIELD(arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	ret(&p, SECCOMP_RET_TRAP);
	load(&p, FIELD(instruction_pointer) + 4);
	to_app[0] = p.n;
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, (u32)(text_start >> 32), 0, 0);
	load(&p, FIELD(instruction_pointer));
	to_app[1] = p.n;
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, (u32)text_start, 0, 0);
	to_app[2] = p.n;
	emit(&p, BPF_JMP | BPF_JGT | BPF_K, (u32)text_end, 0, 0);
	stub_part(&p);
	p.insn[to_app[0]].jf = (u8)(p.n - to_app[0] - 1);
	p.insn[to_app[1]].jf = (u8)(p.n - to_app[1] - 1);
	p.insn[to_app[2]].jt = (u8)(p.n - to_app[2] - 1);
	app_part(&p);
	if (p.overflow)
		return -E2BIG;

	fp = (struct sock_fprog){ .len = p.n, .filter = p.insn };
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &fp);
	return r < 0 ? -errno : (int)r;
}
