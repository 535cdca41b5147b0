/*
 * inject.c - making a stopped stub execute something of ours.
 *
 * Its registers are replaced, it runs in our page until the int3 there, and
 * its own registers are put back when it is resumed (they stay in c->regs).
 * A signal that arrives meanwhile is an interrupt and is kept for later.
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

_Static_assert(sizeof(struct user_regs) == sizeof(struct user_regs_struct), "struct user_regs");

int pt_read_regs(struct pt_ctx *c, struct user_regs *r)
{
	return ptrace(PTRACE_GETREGS, c->tid, NULL, r) < 0 ? -ESRCH : 0;
}

int pt_write_regs(struct pt_ctx *c, const struct user_regs *r)
{
	return ptrace(PTRACE_SETREGS, c->tid, NULL, r) < 0 ? -ESRCH : 0;
}

void pt_call_regs(const struct pt *p, const struct pt_ctx *c, long nr, const u64 a[6],
		  struct user_regs *ret)
{
	*ret = c->regs;
	ret->ip = p->stub + PT_STUB_CALL;
	ret->ax = (u64)nr;
	ret->orig_ax = (u64)-1;
	ret->di = a[0];
	ret->si = a[1];
	ret->dx = a[2];
	ret->r10 = a[3];
	ret->r8 = a[4];
	ret->r9 = a[5];
	ret->flags = 0x202;
	ret->cs = 0x33;
	ret->ss = 0x2b;
}

/* Run until our int3.  0; -EFAULT: our instruction faulted; -ESRCH: the thread ended. */
static int run_to_trap(struct pt *p, struct pt_ctx *c)
{
	unsigned long msg;
	int st;

	c->dirty = true;
	for (;;) {
		pid_t r;

		if (ptrace(PTRACE_CONT, c->tid, NULL, NULL) < 0 && errno != ESRCH)
			return -ESRCH;
		do
			r = waitpid(c->tid, &st, __WALL);
		while (r < 0 && errno == EINTR);
		if (r < 0 || !WIFSTOPPED(st)) {
			pt_forget(p, c);
			return -ESRCH;
		}
		switch (st >> 16) {
		case PTRACE_EVENT_FORK:
		case PTRACE_EVENT_VFORK:
		case PTRACE_EVENT_CLONE:
			if (ptrace(PTRACE_GETEVENTMSG, c->tid, NULL, &msg) == 0)
				c->new_child = (pid_t)msg;
			continue;
		case PTRACE_EVENT_STOP:
			continue;
		}
		switch (WSTOPSIG(st)) {
		case SIGTRAP:
			return 0;
		case SIGSEGV:
		case SIGBUS:
			return -EFAULT;
		case PT_SIGNAL:
			c->want_interrupt = true;
		}
	}
}

int pt_inject(struct pt *p, struct pt_ctx *c, long nr, const u64 a[6], long *ret)
{
	struct user_regs r;
	int e;

	if (c->dead)
		return -ESRCH;
	pt_call_regs(p, c, nr, a, &r);
	e = pt_write_regs(c, &r);
	if (e == 0)
		e = run_to_trap(p, c);
	if (e == 0)
		e = pt_read_regs(c, &r);
	if (e < 0)
		return e;
	*ret = (long)r.ax;
	return 0;
}

int pt_inject_cas(struct pt *p, struct pt_ctx *c, u64 addr, u32 *val, u32 new_val)
{
	const u64 args[6] = { addr, 0, new_val };
	struct user_regs r;
	int e;

	if (c->dead)
		return -EFAULT;
	pt_call_regs(p, c, (long)*val, args, &r);
	r.ip = p->stub + PT_STUB_CAS;
	e = pt_write_regs(c, &r);
	if (e == 0)
		e = run_to_trap(p, c);
	if (e == 0)
		e = pt_read_regs(c, &r);
	if (e < 0)
		return -EFAULT;
	*val = (u32)r.ax;
	return 0;
}
