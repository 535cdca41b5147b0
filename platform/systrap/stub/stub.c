/*
 * stub.c - the few lines that live in every application address space.
 *
 * A signal frame on the thread's alternate stack holds the application's
 * registers.  The handler reports the frame to the sentry by a trap call, whose
 * return value is a command, and at last goes back through rt_sigreturn, always:
 * Linux resets extended state on signal delivery.  Everything here may be read,
 * rewritten or jumped to by hostile code; the seccomp filter and approve.c are
 * the boundary.  Freestanding, general registers only, no writable data.
 */
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <ucontext.h>
#include "platform/systrap/stub/stub.h"

#define NR_rt_sigprocmask 14
#define NR_rt_sigreturn 15
#define NR_sigaltstack 131
#define NR_clone 56
#define NR_exit 60

#define SPINS 5000              /* as in fast.S */
#define NKINDS 440
#define EFAULT 14
#define FLAG_ZERO 0x40
#define FP_EXTENDED_SIZE 468    /* in the legacy area, as the kernel writes it: after magic1 */

const uint8_t stub_in_kind[NKINDS] = {
#define IN_STR(nr, name, arg) [nr] = (arg) + 1,
#define IN_SIZED(nr, name, arg) [nr] = IN_KIND_SIZED | ((arg) + 1),
#define IN_BYTES(nr, name, arg, n) [nr] = (n) / 8 * IN_KIND_WORDS | ((arg) + 1),
#define OUT_ONLY(nr, name) [nr] = IN_KIND_OUT,
#include "syscall-tables/call_data.def"
};
const uint32_t stub_nkinds = NKINDS;

static long trap_call(long kind, long a, long b)
{
	return stub_syscall(STUBCALL_NR, kind, a, b, 0, 0, 0);
}

static struct slot *slot_of(const void *p)
{
	return (struct slot *)((uint64_t)p & ~(SLOT_SIZE - 1));
}

/* Report a frame: in the mailbox if the sentry looks there, as fast.S does with a call. */
static long report(struct slot *s, long uc, long sig)
{
	struct mail *m = (struct mail *)s->mail;
	int i = 0;

	if (!m || !__atomic_load_n(&m->hot, __ATOMIC_RELAXED))
		return trap_call(STUB_TRAPPED, uc, sig);
	m->nr = STUBCALL_NR;
	m->a[0] = STUB_TRAPPED;
	m->a[1] = (uint64_t)uc;
	m->a[2] = (uint64_t)sig;
	__atomic_exchange_n(&m->state, MAIL_POSTED, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&m->hot, __ATOMIC_SEQ_CST) && i++ < SPINS) {
		uint32_t state = __atomic_load_n(&m->state, __ATOMIC_ACQUIRE);

		if (state == MAIL_DONE)
			return (long)m->a[0];
		if (state > MAIL_DONE)
			break;
		__builtin_ia32_pause();
	}
	return stub_syscall(STUBFRAME_NR, 0, 0, 0, 0, 0, 0);
}

static long run_calls(struct slot *s)
{
	struct window *w = (struct window *)s->window;
	const struct stub_call *calls = w ? w->calls : s->calls;
	uint32_t n = w ? w->ncalls : s->ncalls;

	for (uint32_t i = 0; i < n && i < SLOT_CALLS; i++) {
		const struct stub_call *c = &calls[i];
		long r = stub_syscall(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4], c->a[5]);

		if (r < 0 && r >= -4095)
			return ((long)i << 16) | -r;
	}
	return (long)n << 16;
}

static void copy(void *to, const void *from, uint64_t n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

/* A thread starts as a copy of its parent's whole frame, extended state included. */
static long clone_thread(struct slot *s, char *uc)
{
	struct slot *ns = (struct slot *)s->new_slot;
	long delta = (char *)ns - (char *)s;
	char *nframe = uc - 8 + delta;
	ucontext_t *nuc = (ucontext_t *)(nframe + 8);

	copy(nframe, uc - 8, (uint64_t)((char *)ns + SLOT_SIZE - nframe));
	nuc->uc_mcontext.fpregs = (void *)((char *)nuc->uc_mcontext.fpregs + delta);
	nuc->uc_stack.ss_sp = (char *)nuc->uc_stack.ss_sp + delta;
	ns->fs_base = s->fs_base;
	ns->gs_base = s->gs_base;
	ns->cookie = s->cookie;
	ns->mail = 0;
	ns->window = 0;
	ns->kick = 0;
	ns->tid_word = 1;
	return stub_clone_thread(CLONE_FLAGS_THREAD, (void *)(((uint64_t)nframe - 256) & ~15ull),
				 &ns->tid_word, nuc);
}

static void save_bases(struct slot *s)
{
	uint64_t fs, gs;

	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	__asm__ volatile("rdgsbase %0" : "=r"(gs));
	s->fs_base = fs;
	s->gs_base = gs;
	s->set_bases = 0;
}

static void load_bases(struct slot *s)
{
	if (!s->set_bases)
		return;
	__asm__ volatile("wrfsbase %0" :: "r"(s->fs_base));
	__asm__ volatile("wrgsbase %0" :: "r"(s->gs_base));
	s->set_bases = 0;
}

/* The sentry looks at the frame in the window, if there is one. */
static void show_frame(struct slot *s, const ucontext_t *uc)
{
	struct window *w = (struct window *)s->window;
	const void *fp = uc->uc_mcontext.fpregs;
	uint32_t n;

	if (!w)
		return;
	w->fs_base = s->fs_base;
	w->gs_base = s->gs_base;
	copy(w->frame, uc, FRAME_HEAD);
	n = *(const uint32_t *)((const char *)fp + FP_EXTENDED_SIZE);
	w->fp_len = n <= WIN_FP_MAX ? n : 0;
	copy(w->fp, fp, w->fp_len);
}

/* What the sentry has changed in the window. */
static void take_over(struct slot *s, ucontext_t *uc)
{
	struct window *w = (struct window *)s->window;
	uint32_t changed = w ? w->changed : 0;
	const uint64_t *o;

	if (!changed)
		return;
	w->changed = 0;
	if (changed & WIN_DATA)
		for (o = w->out; o[0]; o += 2 + (o[1] + 7) / 8)
			(void)stub_copy((void *)o[0], o + 2, o[1]);
	if (changed & WIN_REGS)
		copy((char *)uc + FRAME_REGS, (char *)w->frame + FRAME_REGS, FRAME_NREGS * 8);
	if (changed & WIN_FP)
		copy(uc->uc_mcontext.fpregs, w->fp, w->fp_len);
	if (changed & WIN_BASES) {
		s->fs_base = w->fs_base;
		s->gs_base = w->gs_base;
		s->set_bases = 1;
	}
}

/* Obey the sentry until it says to go back to the application. */
void stub_loop(char *uc, long cmd)
{
	struct slot *s = slot_of(uc);
	long r;

	for (;;) {
		switch (cmd) {
		case CMD_RESUME:
			take_over(s, (ucontext_t *)uc);
			load_bases(s);
			return;
		case CMD_CALLS_RESUME:
			r = run_calls(s);
			if (!(r & 0xffff)) {
				((ucontext_t *)uc)->uc_mcontext.gregs[REG_RAX] = s->result;
				return;
			}
			break;
		case CMD_CALLS:
		case CMD_WAKE:
			r = run_calls(s);
			break;
		case CMD_FORK:
			r = stub_syscall(NR_clone, CLONE_FLAGS_PROCESS, 0, 0, 0, 0, 0);
			if (r == 0) {
				s->mail = 0;    /* the parent's; not mapped here */
				s->window = 0;
				s->kick = 0;
				cmd = trap_call(STUB_REGISTER, s->cookie, 0);
				continue;
			}
			break;
		case CMD_CLONE:
			r = clone_thread(s, uc);
			break;
		case CMD_CAS: {
			uint32_t old = s->cas_old;

			__atomic_compare_exchange_n((uint32_t *)s->cas_addr, &old, s->cas_new, 0,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
			s->cas_old = old;
			r = 0;
			break;
		}
		case CMD_EXIT:
		default:
			for (;;)
				stub_syscall(NR_exit, 0, 0, 0, 0, 0, 0);
		}
		cmd = trap_call(STUB_DONE, r, 0);
	}
}

/* The stub is linked at 0 and runs elsewhere: places in it are told as offsets. */
static uint64_t text_start(void)
{
	uint64_t start;

	__asm__("lea stub_start(%%rip), %0" : "=r"(start));
	return start;
}

#define AT(place) ((uint64_t)stub_fast_##place - (uint64_t)stub_start)

/*
 * An interrupt may meet a call on its fast path.  Before it was posted it was never made,
 * and after its result is the application's the frame is made to say so; in between
 * the call is left alone and traps again at its end (fast.S).  A fault there is that of a copy, if
 * it is not the application's own.  False: go on.
 */
static int settle(struct slot *s, ucontext_t *uc, int *sig)
{
	greg_t *reg = uc->uc_mcontext.gregs;
	uint64_t ip = (uint64_t)reg[REG_RIP] - text_start();
	struct mail *m = (struct mail *)s->mail;

	if (ip == AT(end) && *sig == SIGSYS) {
		reg[REG_RAX] = (greg_t)s->result;
		reg[REG_RIP] = (greg_t)s->back;
		*sig = STUB_SIGNAL;
	} else if (ip < AT(pass) || ip >= AT(end)) {
		return 1;
	} else if (*sig != STUB_SIGNAL) {
		if (ip >= AT(mask) && ip < AT(mask_tried)) {
			reg[REG_RIP] += (greg_t)(AT(mask_slow) - ip);
		} else if (ip == AT(mask_out)) {
			reg[REG_RAX] = -EFAULT;
			reg[REG_RIP] += (greg_t)(AT(mask_told) - ip);
		} else if (ip >= AT(in) && ip < AT(no_in)) {
			reg[REG_RIP] += (greg_t)(AT(no_in) - ip);
		} else if (ip >= AT(view) && ip < AT(out_done)) {
			/* The file has become shorter, or the memory is gone: the call is made once more, by notification. */
			s->kick |= m->state == MAIL_KICK;
			reg[REG_R11] = (greg_t)m;
			reg[REG_RIP] += (greg_t)(AT(slow) - ip);
		} else if (ip >= AT(out) && ip < AT(out_done)) {
			m->a[0] = (uint64_t)-EFAULT;
			reg[REG_RIP] += (greg_t)(AT(out_done) - ip);
		} else {
			return 1;
		}
		return 0;
	} else if (ip >= AT(answer) && ip < AT(own)) {
		reg[REG_RAX] = (uint32_t)reg[REG_R11];
		reg[REG_RIP] = reg[REG_RCX];
	} else if (ip >= AT(mask) && ip < AT(asked)) {
		if (ip >= AT(mask_tried) && ip < AT(mask_slow) && (ip > AT(mask_tried) || (reg[REG_EFL] & FLAG_ZERO))) {
			s->kick = 1;            /* the mask is changed */
			return 0;
		}
		reg[REG_RAX] = NR_rt_sigprocmask;
		reg[REG_RIP] = (greg_t)s->back;
	} else if (ip <= AT(saved)) {
		reg[REG_RIP] = reg[REG_RCX];
	} else if (ip <= AT(stored)) {
		reg[REG_RIP] = (greg_t)s->back;
	} else if (ip < AT(posted)) {
		reg[REG_RAX] = m->nr;
		reg[REG_RIP] = (greg_t)s->back;
	} else if (ip >= AT(refused) && ip < AT(kicked)) {
		reg[REG_RIP] = (greg_t)s->back;
	} else if (ip >= AT(checked) && ip < AT(slow)) {
		reg[REG_RIP] = (greg_t)s->back + 2;
	} else {
		s->kick = 1;
		return 0;
	}
	s->kick = 0;
	return 1;
}

/* A fault of the handler's own: of a copy, or the end. */
static void own_fault(ucontext_t *uc)
{
	greg_t *ip = &uc->uc_mcontext.gregs[REG_RIP];

	if ((uint64_t)*ip - text_start() != (uint64_t)stub_copying - (uint64_t)stub_start)
		__builtin_trap();
	*ip += stub_copy_failed - stub_copying;
}

static int is_sigreturn(const siginfo_t *info, const ucontext_t *uc, int sig)
{
	return sig == SIGSYS && info->si_arch == AUDIT_ARCH_X86_64 && uc->uc_mcontext.gregs[REG_RAX] == NR_rt_sigreturn;
}

void stub_handler(int sig, void *info, void *uc)
{
	struct slot *s = slot_of(uc);

	if (slot_of((void *)((ucontext_t *)uc)->uc_mcontext.gregs[REG_RSP]) == s) {
		own_fault(uc);
		return;
	}
	if (!settle(s, uc, &sig))
		return;
	if (is_sigreturn(info, uc, sig) && s->window && stub_undo((struct window *)s->window, uc))
		return;
	save_bases(s);
	show_frame(s, uc);
	stub_loop(uc, report(s, (long)uc, sig));
}

static void use_altstack(struct slot *s)
{
	stack_t st = {
		.ss_sp = (char *)s + sizeof(struct slot),
		.ss_size = SLOT_SIZE - sizeof(struct slot),
	};

	stub_syscall(NR_sigaltstack, (long)&st, 0, 0, 0, 0, 0);
}

void stub_thread(void *uc)
{
	struct slot *s = slot_of(uc);

	use_altstack(s);
	stub_loop(uc, trap_call(STUB_REGISTER, s->cookie, 0));
	stub_sigreturn((char *)uc - 8);
}
