/*
 * sys_ptrace.c - ptrace(2): requests decoded; see sentry/kernel/ptrace.h.
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace_regs.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#define LX_GET_SYSCALL_INFO 0x420e
#define LX_SYSEMU 31
#define LX_SYSEMU_SINGLESTEP 32
#define LX_SECCOMP_GET_FILTER 0x420c
#define LX_SECCOMP_GET_METADATA 0x420d
#define SET_MAX 16384u

struct lx_call_info {
	u8 op, pad[3];
	u32 arch;
	u64 ip, sp;
	union {
		struct { u64 nr, args[6]; u32 data; } entry;    /* data: seccomp's */
		struct { s64 rval; u8 is_error; } exit;
	};
};

static long peek(struct task *t, struct task *x, u64 addr, gaddr_t to)
{
	struct mm *mm = task_mm_get(x);
	u64 word;
	size_t n;

	if (!mm)
		return -EIO;
	n = mm_copy_in(mm, &word, GADDR(addr), sizeof(word));
	mm_unref(mm);
	return n < sizeof(word) ? -EIO : copy_out(t, to, &word, sizeof(word));
}

static long peek_user(struct task *t, struct task *x, u64 off, gaddr_t to)
{
	u64 word;
	long r = ptrace_peek_user(t, x, off, &word);

	return r < 0 ? r : copy_out(t, to, &word, sizeof(word));
}

static long regs(struct task *t, struct task *x, gaddr_t at, bool set)
{
	struct user_regs r;
	long e;

	if (set) {
		if (copy_in(t, &r, at, sizeof(r)) < 0)
			return -EFAULT;
		return ptrace_set_regs(t, x, &r);
	}
	e = ptrace_get_regs(t, x, &r);
	return e < 0 ? e : copy_out(t, at, &r, sizeof(r));
}

/* GETREGSET and SETREGSET, and the floating point registers by their old names. */
static long regset(struct task *t, struct task *x, u32 type, gaddr_t base, size_t len, bool set, u64 *ret_len)
{
	size_t n = MIN(len, (size_t)SET_MAX);
	auto_kfree void *buf = kbuf_alloc(MAX(n, 8ul));
	long r;

	if (!buf)
		return -ENOMEM;
	if (set) {
		if (copy_in(t, buf, base, n) < 0)
			return -EFAULT;
		r = ptrace_set_set(t, x, type, buf, n);
		*ret_len = n;
		return r < 0 ? r : 0;
	}
	r = ptrace_get_set(t, x, type, buf, n);
	if (r < 0)
		return r;
	*ret_len = (u64)r;
	return copy_out(t, base, buf, (size_t)r);
}

static long regset_iov(struct task *t, struct task *x, u32 type, gaddr_t at, bool set)
{
	struct { u64 base, len; } v;
	long r;

	if (copy_in(t, &v, at, sizeof(v)) < 0)
		return -EFAULT;
	r = regset(t, x, type, GADDR(v.base), v.len, set, &v.len);
	return r < 0 ? r : copy_out(t, gaddr_add(at, 8), &v.len, sizeof(v.len));
}

static long siginfo(struct task *t, struct task *x, gaddr_t at, bool set)
{
	struct lx_siginfo si;
	int r;

	if (set && copy_in(t, &si, at, sizeof(si)) < 0)
		return -EFAULT;
	r = ptrace_siginfo(x, &si, set);
	return r < 0 || set ? r : copy_out(t, at, &si, sizeof(si));
}

static long message(struct task *t, struct task *x, gaddr_t at)
{
	u64 v;
	int r = ptrace_message(x, &v);

	return r < 0 ? r : copy_out(t, at, &v, sizeof(v));
}

static long blocked(struct task *t, struct task *x, u64 size, gaddr_t at, bool set)
{
	sigmask_t m;

	if (size != sizeof(m))
		return -EINVAL;
	if (set) {
		if (copy_in(t, &m, at, sizeof(m)) < 0)
			return -EFAULT;
		signal_set_mask(x, m);
		return 0;
	}
	m = signal_mask(x);
	return copy_out(t, at, &m, sizeof(m));
}

static long call_info(struct task *t, struct task *x, u64 size, gaddr_t at)
{
	struct lx_call_info i = { .arch = AUDIT_ARCH_X86_64 };
	enum pt_call which = x->pt->call;
	struct user_regs r;
	long e = ptrace_get_regs(t, x, &r), n = 24;

	if (e < 0)
		return e;
	i.ip = r.ip;
	i.sp = r.sp;
	i.op = (u8)which;
	if (which == PT_ENTRY || which == PT_SECCOMP) {
		const u64 args[6] = { r.di, r.si, r.dx, r.r10, r.r8, r.r9 };
		u64 data;

		i.entry.nr = (u64)(s64)(s32)r.orig_ax;
		memcpy(i.entry.args, args, sizeof(args));
		n = 80;
		if (which == PT_SECCOMP) {
			e = ptrace_message(x, &data);
			if (e < 0)
				return e;
			i.entry.data = (u32)data;
			n = 84;
		}
	} else if (which == PT_EXIT) {
		i.exit.rval = (s64)r.ax;
		i.exit.is_error = r.ax > (u64)-4096;
		n = 33;
	}
	if (copy_out(t, at, &i, MIN(size, (u64)n)) < 0)
		return -EFAULT;
	return n;
}

/* Signals that wait, without taking them. */
static long peek_signals(struct task *t, struct task *x, gaddr_t args, gaddr_t to)
{
	struct { u64 off; u32 flags; s32 nr; } q;
	struct lx_siginfo si;
	long n = 0;

	if (copy_in(t, &q, args, sizeof(q)) < 0)
		return -EFAULT;
	if ((q.flags & ~1u) || q.nr < 0)
		return -EINVAL;
	while (n < q.nr && q.off + (u64)n >= q.off && signal_peek(x, q.flags & 1, q.off + (u64)n, &si)) {
		signal_info_out(t, &si);
		if (copy_out(t, gaddr_add(to, (u64)n * sizeof(si)), &si, sizeof(si)) < 0)
			return n ? n : -EFAULT;
		n++;
	}
	return n;
}

static long options(struct task *t, struct task *x, u64 data)
{
	int r = ptrace_check_options(t, data);

	return r < 0 ? r : ptrace_set_options(t, x, (u32)data);
}

/* How to go on: true, *ret_mode. */
static bool resumes(u32 req, enum pt_mode *ret_mode)
{
	switch (req) {
	case PTRACE_CONT: *ret_mode = PTM_RUN; return true;
	case PTRACE_SYSCALL: *ret_mode = PTM_CALLS; return true;
	case PTRACE_SINGLESTEP: *ret_mode = PTM_STEP; return true;
	case LX_SYSEMU: *ret_mode = PTM_EMU; return true;
	case LX_SYSEMU_SINGLESTEP: *ret_mode = PTM_EMU_STEP; return true;
	}
	return false;
}

/* Of a tracee that must be stopped. */
static long request(struct task *t, struct task *x, u32 req, u64 addr, u64 data)
{
	enum pt_mode mode;
	u64 len;

	if (resumes(req, &mode))
		return ptrace_resume(t, x, mode, (int)MIN(data, 65ul));
	switch (req) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(t, x, addr, GADDR(data));
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return ptrace_poke(t, x, addr, data);
	case PTRACE_PEEKUSER:
		return peek_user(t, x, addr, GADDR(data));
	case PTRACE_POKEUSER:
		return ptrace_poke_user(t, x, addr, data);
	case PTRACE_DETACH:
		return ptrace_detach(t, x, (int)MIN(data, 65ul));
	case PTRACE_GETREGS:
	case PTRACE_SETREGS:
		return regs(t, x, GADDR(data), req == PTRACE_SETREGS);
	case PTRACE_GETFPREGS:
	case PTRACE_SETFPREGS:
		return regset(t, x, 2, GADDR(data), 512, req == PTRACE_SETFPREGS, &len);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset_iov(t, x, (u32)addr, GADDR(data), req == PTRACE_SETREGSET);
	case PTRACE_SETOPTIONS:
		return options(t, x, data);
	case PTRACE_GETEVENTMSG:
		return message(t, x, GADDR(data));
	case PTRACE_GETSIGINFO:
	case PTRACE_SETSIGINFO:
		return siginfo(t, x, GADDR(data), req == PTRACE_SETSIGINFO);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return blocked(t, x, addr, GADDR(data), req == PTRACE_SETSIGMASK);
	case PTRACE_LISTEN:
		return ptrace_listen(t, x);
	case LX_GET_SYSCALL_INFO:
		return call_info(t, x, addr, GADDR(data));
	case PTRACE_PEEKSIGINFO:
		return peek_signals(t, x, GADDR(addr), GADDR(data));
	case LX_SECCOMP_GET_FILTER:
		return seccomp_dump(t, x, addr, GADDR(data));
	case LX_SECCOMP_GET_METADATA:
		return seccomp_metadata(t, x, addr, GADDR(data));
	}
	return -EIO;
}

static long seize(struct task *t, struct task *x, u64 addr, u64 data)
{
	int r = addr ? -EIO : ptrace_check_options(t, data);

	if (r < 0)
		return r == -EINVAL ? -EIO : r;
	return ptrace_attach(t, x, true, (u32)data);
}

long sys_ptrace(struct task *t, const struct sysargs *a)
{
	u64 req = arg_u64(a, 0), addr = arg_u64(a, 2), data = arg_u64(a, 3);
	auto_task *x = NULL;

	if (req == PTRACE_TRACEME)
		return ptrace_traceme(t);
	x = task_find_nr(t, arg_s32(a, 1));
	if (!x)
		return -ESRCH;
	if (req == PTRACE_ATTACH)
		return ptrace_attach(t, x, false, 0);
	if (req == PTRACE_SEIZE)
		return seize(t, x, addr, data);
	if (!ptrace_is_tracer(t, x))
		return -ESRCH;
	if (req == PTRACE_KILL)
		return signal_send_tgroup(x->tg, SIGKILL, NULL);
	if (req == PTRACE_INTERRUPT)
		return ptrace_interrupt(t, x);
	if (!ptrace_is_stopped(x))
		return -ESRCH;
	return request(t, x, (u32)MIN(req, (u64)UINT32_MAX), addr, data);
}
