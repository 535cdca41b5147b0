/*
 * signal.h - signals of one task and one process (signal(7)).
 *
 * Pending signals queue in the task or its tgroup; actions are shared through
 * struct sighand.  All of it is guarded by tgroup->mu (RANK_TGROUP), so that "who takes it" is one decision.
 * signal_deliver.c alone builds and undoes frames.
 */
#pragma once
#include <signal.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/base/ref.h"

struct task;
struct tgroup;
struct kernel;
struct user_regs;

#define NSIG_GUEST 64
typedef u64 sigmask_t;                          /* bit n-1 = signal n */
#define SIGBIT(n) (1ull << ((n) - 1))
#define SIG_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

/* The guest's siginfo_t, 128 bytes exactly as x86-64 Linux lays it out. */
struct lx_siginfo {
	s32 signo, err, code, pad;
	union {
		struct { s32 pid; u32 uid; u64 value; } rt;             /* kill, sigqueue */
		struct { s32 tid, overrun; u64 value; s32 sys_private; } timer;
		struct { s32 pid; u32 uid; s32 status; s32 pad2; s64 utime, stime; } chld;
		struct { u64 addr; s16 addr_lsb; u8 pad3[6]; u64 lower, upper; } fault;
		struct { s64 band; s32 fd; } poll;
		struct { u64 call_addr; s32 syscall; u32 arch; } sys;
		u8 raw[112];
	};
};
_Static_assert(sizeof(struct lx_siginfo) == 128, "siginfo_t");

struct lx_sigaction { u64 handler, flags, restorer; sigmask_t mask; };

struct sigqueue {                               /* one pending signal with its siginfo */
	struct list_head node;
	struct lx_siginfo info;
};

struct sigpending {
	sigmask_t set;
	struct list_head queue;
	u32 count;
};

struct sighand {                                /* shared by CLONE_SIGHAND */
	struct ref ref;
	struct lx_sigaction act[NSIG_GUEST];    /* guarded by the tgroups' mu (one tgroup, but for vfork) */
};

struct lx_sigaltstack { u64 sp; s32 flags; s32 pad; u64 size; };

/*
 * Send.  @info NULL = SI_KERNEL.  0 or -EAGAIN (queue full, rt with info only).
 * Permission is the caller's (signal_may_send).  Safe from any thread; takes tgroup->mu.
 */
int signal_send_task(struct task *to, int sig, const struct lx_siginfo *info);
int signal_send_tgroup(struct tgroup *to, int sig, const struct lx_siginfo *info);
int signal_send_pgrp(struct task *from, int pgid, int sig, const struct lx_siginfo *info);     /* -ESRCH if empty */
/* Look at each process of a group (kernel->mu held), or at one: @any stands for it. */
typedef void signal_visitor(void *arg, struct tgroup *tg, struct task *any);
void signal_visit_pgrp(struct kernel *k, int pgid, signal_visitor *fn, void *arg);
void signal_visit_tgroup(struct tgroup *tg, signal_visitor *fn, void *arg);
int signal_may_send(struct task *from, struct task *to, int sig) must_check;                  /* 0 or -EPERM */
/* A fault or other synchronous signal: cannot be ignored or blocked (force_sig). */
void signal_force(struct task *t, const struct lx_siginfo *info);

/* Has @t an unblocked signal, or must it stop or die?  What makes sleeping calls return. */
bool signal_pending(struct task *t);
bool task_killed(struct task *t);

/* rt_sigprocmask and friends: never blocks KILL and STOP; re-targets process signals. */
void signal_set_mask(struct task *t, sigmask_t mask);
sigmask_t signal_mask(struct task *t);                  /* what it blocks now; any caller, tgroup.mu not held */
/* For sigsuspend, ppoll, pselect, epoll_pwait: use @mask until the call's end, then restore the old one (after delivery). */
void signal_swap_mask(struct task *t, sigmask_t mask);
/* Take one pending signal of @set. The number, or 0. */
int signal_dequeue(struct task *t, sigmask_t set, struct lx_siginfo *ret);

/*
 * At the end of a trap, with a frame: act on what is pending (stop, die, build handler frames, restart the call).
 * @call_result is the result of the call just finished, or INT64_MIN if the trap was no call.
 */
void signal_deliver(struct task *t, long call_result);
struct sighand *sighand_new(void) must_check;
void sighand_unref(struct sighand *sh);

/* rt_sigaction: @act NULL = only ask.  A signal that is now ignored is no longer pending. */
void signal_action(struct task *t, int sig, const struct lx_sigaction *act, struct lx_sigaction *ret_old);
/* rt_sigtimedwait: take a pending one of @set, waiting until @deadline. The number, -EAGAIN, -EINTR. */
int signal_wait(struct task *t, sigmask_t set, s64 deadline, struct lx_siginfo *ret) must_check;
int signal_send_all(struct task *from, int sig, const struct lx_siginfo *info) must_check;      /* kill(-1) */

/* The pending signal after @nth others in @x's own queue or its process's: false, there is none. */
bool signal_peek(struct task *x, bool shared, u64 nth, struct lx_siginfo *ret);
/* For signalfd and /proc: everything pending for @t, blocked or not. tgroup->signal_wq tells of new ones. */
sigmask_t signal_pending_mask(struct task *t);
/* "Ign" and "Cgt" of /proc/PID/status. */
void signal_action_masks(struct task *t, sigmask_t *ret_ignored, sigmask_t *ret_caught);

/* rt_sigreturn: 0 with all registers set, or -EFAULT.  signal_frame.c */
int sigframe_restore(struct task *t) must_check;
/* sigaltstack(2): 0, -EPERM (in use at @sp), -EINVAL, -ENOMEM (too small). */
int sigstack_set(struct task *t, const struct lx_sigaltstack *ss, u64 sp) must_check;
bool sigstack_is_on(const struct lx_sigaltstack *ss, u64 sp);

/*
 * Numbers and ids in a queued siginfo are those of the first namespaces: from what @t wrote, and to what it reads.
 * pad tells in which pid namespace level the sender was, plus 1 (0: the kernel).
 */
void signal_info_in(struct task *t, struct lx_siginfo *si);
void signal_info_out(struct task *t, struct lx_siginfo *si);
/* A siginfo as kill(2) and tgkill(2) make it, and one from the kernel. */
void siginfo_user(struct lx_siginfo *si, struct task *from, int sig, int code);
void siginfo_kernel(struct lx_siginfo *si, int sig, int code);
