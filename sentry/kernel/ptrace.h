/*
 * ptrace.h - tracing of guests by guests (ptrace(2)).
 *
 * A tracer is a process, a tracee a thread.  A tracee stops in its own worker, inside
 * ptrace_stop(), and serves there what its tracer asks of it: registers and memory
 * are the owner's to touch.  So nothing of a tracee is read or written while it runs.
 *
 * Life:  struct ptrace is made when a task is first traced and lives as long as it.
 *        The tracer's list holds a reference on each tracee, which may be dead but not yet waited for.
 * Locks: kernel->mu guards who traces whom; tg->mu of the tracee its stop, request and options.
 */
#pragma once
#include "platform/arch/x86_64/regs.h"
#include "platform/base/list.h"
#include "sentry/kernel/signal.h"

struct task;
struct tgroup;
struct sysargs;
struct clone_req;
struct wait_req;

enum pt_mode { PTM_RUN, PTM_CALLS, PTM_STEP, PTM_EMU, PTM_EMU_STEP };   /* EMU: calls are stopped at and not made */
enum pt_call { PT_NO_CALL, PT_ENTRY, PT_EXIT, PT_SECCOMP };            /* as PTRACE_SYSCALL_INFO_* */

struct ptrace {
	struct tgroup *tracer;                  /* guarded by kernel->mu and, for reading, either; NULL: not traced */
	struct task *task;                      /* immutable: whose it is */
	struct list_head node;                  /* guarded by kernel->mu: tracer->tracees */
	bool seized, exited;                    /* guarded by kernel->mu; exited: only exit_status is left */
	int exit_status;
	/* guarded by tg->mu of the tracee */
	u32 options;
	bool stopped, reported, resumed;
	bool trap_pending, listening;           /* PTRACE_INTERRUPT, or first stop of a seized child; PTRACE_LISTEN */
	u32 stop_code;                          /* signal | event << 8, as WSTOPSIG and beyond */
	int resume_sig;
	u64 message;                            /* PTRACE_GETEVENTMSG */
	struct lx_siginfo info;
	bool info_set;                          /* by PTRACE_SETSIGINFO */
	struct pt_request *request;
	/* owner */
	enum pt_mode mode;
	bool exit_told;
	enum pt_call call;                      /* the present stop is at a call (as PTRACE_GET_SYSCALL_INFO sees it) */
	long call_result;
	struct user_regs *regs;                 /* of the present stop */
	bool regs_set;                          /* the tracer wrote them */
};

/* What a tracer asks a stopped tracee to do: @fn runs in the tracee's worker. */
struct pt_request {
	long (*fn)(struct task *tracee, struct pt_request *q);
	u64 addr, size;
	void *buf;
	struct task *by;                        /* whose it is */
	long result;
	bool taken, done;                       /* guarded by tg->mu of the tracee */
};

static inline bool ptrace_on(const struct ptrace *pt) { return pt && __atomic_load_n(&pt->tracer, __ATOMIC_ACQUIRE); }

/* ---- ptrace.c: who traces whom ---- */
int ptrace_traceme(struct task *t) must_check;
int ptrace_attach(struct task *t, struct task *x, bool seize, u32 options) must_check;
int ptrace_detach(struct task *t, struct task *x, int sig) must_check;
/* Is @t allowed them? -EINVAL, -EPERM. */
int ptrace_check_options(struct task *t, u64 options) must_check;
int ptrace_set_options(struct task *t, struct task *x, u32 options) must_check;
int ptrace_resume(struct task *t, struct task *x, enum pt_mode mode, int sig) must_check;
int ptrace_interrupt(struct task *t, struct task *x) must_check;
int ptrace_listen(struct task *t, struct task *x) must_check;
bool ptrace_is_stopped(struct task *x);
/* @n, which @t has just made, gets @t's tracer. */
int ptrace_adopt(struct task *t, struct task *n) must_check;
bool ptrace_is_tracer(struct task *t, struct task *x);
int ptrace_tracer_pid(struct task *x);          /* as the first pid namespace counts; 0: none */
/* Run @q in the tracee: its result, or -ESRCH if it is not stopped. */
long ptrace_ask(struct task *x, struct pt_request *q);
/* A stopped tracee's siginfo and message: -ESRCH; siginfo: -EINVAL at a stop that has none. */
int ptrace_siginfo(struct task *x, struct lx_siginfo *si, bool set) must_check;
int ptrace_message(struct task *x, u64 *ret) must_check;

/* A tracer ends: its tracees run on, or die (PTRACE_O_EXITKILL). */
void ptrace_tracer_exit(struct tgroup *tg);
/* A tracee ends: kernel->mu held.  The reference to drop afterwards, or NULL. */
struct task *ptrace_exited_locked(struct task *t, int wstatus) must_check;
/* Another thread takes a leader's place by exec: nobody will hear of @x any more. kernel->mu held; the same. */
struct task *ptrace_replaced_locked(struct task *x) must_check;
/* wait(2), kernel->mu held: 1 filled, 0 there are tracees to wait for, -ECHILD. *ret_gone: a reference to drop. */
int ptrace_wait_locked(struct task *t, struct wait_req *q, struct task **ret_gone) must_check;

/* SIGCONT: who listens stops again to tell. tg->mu held. */
void ptrace_continued_locked(struct task *x);

/* ---- ptrace_stop.c: the tracee's side; all by the owner ---- */
/* Before a signal is acted on: the one to act on now (0: none); *si may change. @regs: to be shown and changed. */
int ptrace_signal(struct task *t, int sig, struct lx_siginfo *si, struct user_regs *regs);
/* The process stops (job control): true if the tracer has seen to it. */
bool ptrace_group_stop(struct task *t, int sig, struct user_regs *regs);
/* PTRACE_INTERRUPT is pending: stop for it. */
void ptrace_trap(struct task *t, struct user_regs *regs);
bool ptrace_trap_pending_locked(struct task *t);
/* Does the tracer want to see calls begin, and end? */
bool ptrace_wants_calls(struct task *t);
bool ptrace_wants_call_ends(struct task *t);
/* With a frame: before the call (false: it is not to be made, *ret is its result), and after it. */
bool ptrace_call_entry(struct task *t, u64 *nr, u64 args[6], long *ret);
long ptrace_call_exit(struct task *t, long result);
/* A filter leaves the call to the tracer: as ptrace_call_entry(). With a frame. */
bool ptrace_seccomp(struct task *t, u64 *nr, u64 args[6], u32 data, long *ret);
/* PTRACE_O_SUSPEND_SECCOMP is on. */
bool ptrace_suspends_seccomp(const struct task *t);
/* After a single-stepped call: the trap that Linux gives. */
void ptrace_step_done(struct task *t);
/* PTRACE_EVENT_*: stops if the tracer asked for it. */
void ptrace_event(struct task *t, int event, u64 message);
/* The thread is about to end: told once, and before it is among the killed. */
void ptrace_exit_event(struct task *t, int wstatus);
bool ptrace_wants_event(struct task *t, int event);
/* execve worked. */
void ptrace_exec(struct task *t, int old_tid);
/* A new child or thread, not running yet, made with @flags: the event that tells of it (0: none). It is traced too if so. */
int ptrace_clone(struct task *t, struct task *n, u64 flags, int exit_signal);
