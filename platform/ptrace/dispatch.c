/*
 * dispatch.c - the dispatcher: the one thread that may ptrace the stubs.
 *
 * Its loop does what workers have queued, then waits for a stop of any stub
 * or of the bell.  A stop becomes a trap for some worker, unless it only needs to go on.
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "platform/base/log.h"
#include "platform/host/futex.h"

#define ATTACH_TRIES 5000                /* milliseconds */

/* The kernel's codes for a call that a signal ended. */
#define K_ERESTARTSYS 512
#define K_ERESTARTNOINTR 513
#define K_ERESTARTNOHAND 514
#define K_ERESTART_RESTARTBLOCK 516

void pt_queue(struct pt *p, struct pt_req *q)
{
	mutex_lock(&p->req_mu);
	list_add_tail(&q->node, &p->reqs);
	mutex_unlock(&p->req_mu);
	if (!atomic_exchange(&p->rung, true))
		kill(p->bell, PT_SIGNAL);
}

void pt_call(struct pt *p, struct pt_req *q)
{
	q->sync = true;
	atomic_store(&q->done, 0);
	pt_queue(p, q);
	while (!atomic_load(&q->done))
		(void)host_futex_wait(&q->done, 0, INT64_MAX);
}

static void run_requests(struct pt *p)
{
	for (;;) {
		struct pt_req *q = NULL;
		bool sync;

		mutex_lock(&p->req_mu);
		if (!list_empty(&p->reqs)) {
			q = list_first(&p->reqs, struct pt_req, node);
			list_del_init(&q->node);
		}
		mutex_unlock(&p->req_mu);
		if (!q)
			return;
		/* An asynchronous request may be gone when fn returns. */
		sync = q->sync;
		q->fn(p, q);
		if (sync) {
			atomic_store(&q->done, 1);
			host_futex_wake(&q->done, 1);
		}
	}
}

static void trapped(struct pt *p, struct pt_ctx *c, const struct trap *t)
{
	c->state = PT_TRAPPED;
	pt_post(p, c, t);
}

void pt_forget(struct pt *p, struct pt_ctx *c)
{
	struct pt_as *as = to_pt_as(c->base.as);

	tidmap_take(&p->by_tid, (u32)c->tid, NULL);
	c->dead = true;
	if (c->tid == as->pid)
		atomic_store(&as->dead, true);
}

/* Let @c run application code.  If its process has died meanwhile, that stop is on its way. */
static void go_on(struct pt *p, struct pt_ctx *c)
{
	if (c->dead) {
		trapped(p, c, &(struct trap){ .kind = TRAP_DEAD });
		return;
	}
	if (c->want_interrupt) {
		c->want_interrupt = false;
		trapped(p, c, &(struct trap){ .kind = TRAP_INTERRUPT, .ip = c->regs.ip });
		return;
	}
	if (c->dirty) {
		c->regs.orig_ax = (u64)-1;
		(void)!pt_write_regs(c, &c->regs);
		c->dirty = false;
	}
	c->state = PT_RUNNING;
	ptrace(PTRACE_SYSEMU, c->tid, NULL, NULL);
}

void pt_resume_fn(struct pt *p, struct pt_req *q)
{
	go_on(p, container_of(q, struct pt_ctx, resume));
}

/* Calls that touch nothing but the caller's own memory and registers: see systrap's filter. */
static bool is_native(const struct trap *t)
{
	switch ((u32)t->nr) {
	case SYS_sched_yield:
	case SYS_rseq:
	case 449:                       /* futex_waitv, futex_wake, futex_wait, futex_requeue */
	case 454:
	case 455:
	case 456:
		return true;
	case SYS_futex:
		switch (t->args[1] & ~(u64)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) {
		case FUTEX_WAIT:
		case FUTEX_WAKE:
		case FUTEX_REQUEUE:
		case FUTEX_CMP_REQUEUE:
		case FUTEX_WAKE_OP:
		case FUTEX_WAIT_BITSET:
		case FUTEX_WAKE_BITSET:
			return true;
		}
		return false;
	case SYS_membarrier:
		return (t->args[0] <= 64 || t->args[0] == 512) && !(t->args[0] & (t->args[0] - 1));     /* as systrap/filter.c */
	case SYS_arch_prctl:
		return t->args[0] >= 0x1001 && t->args[0] <= 0x1004;
	default:
		return false;
	}
}

static void start_native(struct pt *p, struct pt_ctx *c, const struct trap *t)
{
	struct user_regs r;

	pt_call_regs(p, c, (long)t->nr, t->args, &r);
	(void)!pt_write_regs(c, &r);
	c->dirty = true;
	c->state = PT_NATIVE;
	ptrace(PTRACE_CONT, c->tid, NULL, NULL);
}

/* A system call stop of PTRACE_SYSEMU. */
static void on_call(struct pt *p, struct pt_ctx *c)
{
	struct __ptrace_syscall_info i = { 0 };
	struct trap t = { .kind = TRAP_SYSCALL };

	if (pt_read_regs(c, &c->regs) < 0 ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, c->tid, sizeof(i), &i) < 0)
		return;                 /* killed: its end is on its way */
	t.nr = c->regs.orig_ax;
	t.ip = c->regs.ip;
	t.args[0] = c->regs.di;
	t.args[1] = c->regs.si;
	t.args[2] = c->regs.dx;
	t.args[3] = c->regs.r10;
	t.args[4] = c->regs.r8;
	t.args[5] = c->regs.r9;
	if (i.arch != AUDIT_ARCH_X86_64) {
		/* int $0x80 where there is no such gate: a general protection fault at the instruction. */
		t.kind = TRAP_FAULT;
		t.fault.signo = SIGSEGV;
		t.fault.code = SI_KERNEL;
		t.fault.trapno = 13;
		t.fault.err = 0x80 * 8 + 2;
		c->regs.ax = c->regs.orig_ax;
		c->regs.ip -= 2;
		t.ip = c->regs.ip;
		c->dirty = true;
	} else if (is_native(&t)) {
		start_native(p, c, &t);
		return;
	}
	trapped(p, c, &t);
}

static u64 trap_number(int signo, int code)
{
	switch (signo) {
	case SIGSEGV:
		return code == SEGV_MAPERR || code == SEGV_ACCERR ? 14 : 13;
	case SIGBUS:
		return code == BUS_ADRALN ? 17 : 14;
	case SIGFPE:
		return code == FPE_INTDIV ? 0 : 19;
	case SIGILL:
		return 6;
	default:
		return code == TRAP_TRACE ? 1 : 3;
	}
}

static void on_fault(struct pt *p, struct pt_ctx *c, const siginfo_t *si)
{
	struct trap t = {
		.kind = TRAP_FAULT,
		.fault = {
			.signo = si->si_signo, .code = si->si_code,
			.trapno = trap_number(si->si_signo, si->si_code),
		},
	};

	if (si->si_signo != SIGTRAP || si->si_code == TRAP_TRACE)
		t.fault.addr = (u64)si->si_addr;
	if (t.fault.trapno == 14)
		t.fault.err = 4 | (si->si_code == SEGV_ACCERR);
	/* In a call in our page the kernel could not write to the rseq area: those are not its registers. */
	if (c->state != PT_NATIVE && pt_read_regs(c, &c->regs) < 0)
		return;
	t.ip = c->regs.ip;
	trapped(p, c, &t);
}

/* A native call has ended, and @r is what it left. */
static void native_done(struct pt_ctx *c, const struct user_regs *r)
{
	const struct user_regs *call = &c->regs;

	/* The kernel writes to this area whenever the thread returns to user mode: see pt_retire(). */
	if ((u32)call->orig_ax == SYS_rseq && r->ax == 0)
		memcpy(c->rseq, (const u64[4]){ call->di, call->dx ? 0 : call->si, 0, call->r10 }, sizeof(c->rseq));
	c->regs.ax = r->ax;
	c->regs.fs_base = r->fs_base;
	c->regs.gs_base = r->gs_base;
	c->dirty = true;
}

/* The interrupt has found @c in a native call: as after a signal whose handler has SA_RESTART. */
static void interrupt_native(struct pt *p, struct pt_ctx *c)
{
	struct user_regs r;
	u64 nr = c->regs.orig_ax;
	bool again;

	if (pt_read_regs(c, &r) < 0)
		return;
	again = r.ip == p->stub + PT_STUB_CALL;
	switch ((long)r.ax) {
	case -K_ERESTARTSYS:
	case -K_ERESTARTNOINTR:
		again = true;
		break;
	case -K_ERESTARTNOHAND:
	case -K_ERESTART_RESTARTBLOCK:
		r.ax = (u64)-EINTR;
	}
	if (again) {
		c->regs.ax = nr;
		c->regs.ip -= 2;
		c->dirty = true;
	} else {
		native_done(c, &r);
	}
}

static void on_signal(struct pt *p, struct pt_ctx *c, int sig)
{
	siginfo_t si;

	if (ptrace(PTRACE_GETSIGINFO, c->tid, NULL, &si) < 0)
		return;
	if (sig == PT_SIGNAL) {
		if (c->state == PT_NATIVE)
			interrupt_native(p, c);
		else if (pt_read_regs(c, &c->regs) < 0)
			return;
		trapped(p, c, &(struct trap){ .kind = TRAP_INTERRUPT, .ip = c->regs.ip });
		return;
	}
	if (c->state == PT_NATIVE && sig == SIGTRAP) {
		struct user_regs r;

		if (pt_read_regs(c, &r) < 0)
			return;
		native_done(c, &r);
		go_on(p, c);
		return;
	}
	if (si.si_code > 0 &&
	    (sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGTRAP)) {
		on_fault(p, c, &si);
		return;
	}
	/* Somebody on the host sent it; nothing of the sandbox's. */
	ptrace(c->state == PT_NATIVE ? PTRACE_CONT : PTRACE_SYSEMU, c->tid, NULL, NULL);
}

static void on_end(struct pt *p, struct pt_ctx *c)
{
	struct pt_as *as = to_pt_as(c->base.as);
	bool running = c->state == PT_RUNNING || c->state == PT_NATIVE;

	pt_forget(p, c);
	if (running)
		trapped(p, c, &(struct trap){ .kind = TRAP_DEAD });
	else if (c->state == PT_PARKED && as->released)
		pt_as_gone(as);
}

static void on_stop(struct pt *p, pid_t tid, int st)
{
	struct pt_ctx *c = tidmap_get(&p->by_tid, tid);

	if (tid == p->bell) {
		atomic_store(&p->rung, false);
		ptrace(PTRACE_CONT, tid, NULL, NULL);
		return;
	}
	if (!c)
		return;                 /* the end of a thread that was freed */
	if (!WIFSTOPPED(st))
		on_end(p, c);
	else if (WSTOPSIG(st) == (SIGTRAP | 0x80))
		on_call(p, c);
	else if (st >> 16)
		ptrace(c->state == PT_NATIVE ? PTRACE_CONT : PTRACE_SYSEMU, tid, NULL, NULL);
	else
		on_signal(p, c, WSTOPSIG(st));
}

static int stop(pid_t pid)
{
	int st;

	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return -errno;
	while (waitpid(pid, &st, __WALL) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFSTOPPED(st))
		return 0;
	log_error("ptrace: the first stub ended with wait status %#x", st);
	return -ESRCH;
}

/* Take over one of the two processes that pt_create() forked, once it waits in our page. */
static int attach(struct pt *p, pid_t pid)
{
	const long opts = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	const struct timespec nap = { .tv_nsec = 1000000 };
	struct user_regs r;
	int e;

	/* Until it has made itself dumpable it must not be traced. */
	for (int tries = 0; ptrace(PTRACE_SEIZE, pid, NULL, opts) < 0; tries++) {
		if (errno != EPERM || tries == ATTACH_TRIES)
			return -errno;
		nanosleep(&nap, NULL);
	}
	for (;;) {
		e = stop(pid);
		if (e < 0)
			return e;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
			return -errno;
		if (r.ip >= p->stub && r.ip < p->stub + PT_STUB_LEN)
			return 0;
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
			return -errno;
		nanosleep(&nap, NULL);
	}
}

/* The zygote keeps nothing but our pages. */
static int strip_zygote(struct pt *p)
{
	u64 end = p->stub + PT_STUB_LEN;
	const u64 below[6] = { 0, p->stub }, above[6] = { end, PT_USER_END - end };
	long v = 0;
	int r = pt_read_regs(p->zygote, &p->zygote->regs);

	if (r == 0)
		r = pt_inject(p, p->zygote, SYS_munmap, below, &v);
	if (r == 0 && v == 0 && end < PT_USER_END)
		r = pt_inject(p, p->zygote, SYS_munmap, above, &v);
	return r < 0 ? r : (int)v;
}

static int attach_all(struct pt *p)
{
	int r = attach(p, p->bell);

	if (r == 0)
		r = attach(p, p->zygote->tid);
	if (r == 0)
		r = pt_learn_xstate(p, p->zygote->tid);
	if (r == 0)
		r = strip_zygote(p);
	if (r == 0 && ptrace(PTRACE_CONT, p->bell, NULL, NULL) < 0)
		r = -errno;
	return r;
}

void *pt_dispatch_main(void *pt)
{
	struct pt *p = pt;
	int st, r = attach_all(p);

	p->ready_error = r;
	atomic_store(&p->ready, 1);
	host_futex_wake(&p->ready, 1);
	if (r < 0) {
		log_error("ptrace: cannot trace the first stub (error %d); does kernel.yama.ptrace_scope forbid it?",
			  -r);
		return NULL;
	}
	for (;;) {
		pid_t tid;

		run_requests(p);
		tid = waitpid(-1, &st, __WALL);
		if (tid > 0)
			on_stop(p, tid, st);
		else if (errno != EINTR)
			return NULL;    /* the bell and the zygote are gone: so is the sandbox */
	}
}
