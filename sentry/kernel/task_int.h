/*
 * task_int.h - what the files of sentry/kernel share about tasks and signals.
 *
 * Nothing outside this directory includes it.
 */
#pragma once
#include <poll.h>
#include "platform/platform.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/session.h"
#include "sentry/kernel/task.h"

/* A vforking parent and its child share one; the child sets done by exec or exit. */
struct vfork_done {
	struct ref ref;
	_Atomic bool done;
	struct task *parent;                    /* a reference */
};
void vfork_complete(struct task *t);            /* owner: the parent may go on */
void vfork_done_unref(struct vfork_done *vd);

/* ---- task.c, tgroup.c ---- */
struct task *task_new(struct kernel *k, struct tgroup *tg) must_check;   /* one reference; nothing shared yet */
struct tgroup *tgroup_new(struct kernel *k) must_check;
/* Link a new thread into its process; kernel->mu and tg->mu held. */
void tgroup_add_thread_locked(struct tgroup *tg, struct task *t) REQUIRES(tg->mu);
/* Membership of group and session, with the holds on the numbers; kernel->mu held. */
void tgroup_join_locked(struct tgroup *tg, int pgid, struct session *s);
void tgroup_set_pgid_locked(struct tgroup *tg, int pgid);
void tgroup_leave_locked(struct tgroup *tg);

/* Drop mm, files, fs, mount namespace of an exiting or never started task. */
void task_drop_shared(struct task *t);
/* Charge the time since the last mark to user (from application code) or system. */
void task_account(struct task *t, bool user);
u64 task_utime(struct task *t, ktime_t now);
/* Before an image goes, and when a new one is taken over (@old may be NULL): tg->mu held. */
void tgroup_cpu_sample_locked(struct tgroup *tg, struct aspace *as);
void tgroup_cpu_new_image_locked(struct tgroup *tg, struct aspace *old, struct aspace *fresh);

/* ---- task_block.c ---- */
enum wake { WAKE_NONE, WAKE_DUE, WAKE_SLEEPER, WAKE_NET_SLEEPER, WAKE_RECEIVER, WAKE_PARKED, WAKE_NET_PARKED };
/* Of those who wait for the network without looking at the links themselves whoever ends the wait takes one off, be it the waker. */
void task_net_luck(struct task *t, bool by_frame);        /* what ended a wait for the network */
void task_count_asleep(struct task *t, enum wake how, int n);

/* ---- task_park.c ---- */
/* The call ended with -EPARKED.  The task is nobody's from here on: its caller must not touch what is the owner's. */
void task_park(struct task *t);
void task_unpark(struct task *t);               /* the new owner: before the call is made again */
void task_park_done(struct task *t);            /* after it */
void task_park_timer(struct ktimer *tm);

/* ---- signal.c ---- */
/* With tg->mu held: */
sigmask_t signal_blocked_locked(struct task *t);        /* what it blocks, from now on: a lent mask is taken back */
void task_attention_locked(struct task *t);             /* recompute t->attention */
void task_kill_locked(struct task *t);                  /* it dies at its next look */
int signal_send_locked(struct tgroup *tg, struct task *t, int sig, const struct lx_siginfo *info)
	REQUIRES(tg->mu);
/* End all threads with @wstatus (first caller wins). */
void tgroup_exit_locked(struct tgroup *tg, int wstatus, struct task *except) REQUIRES(tg->mu);
int signal_dequeue_locked(struct task *t, sigmask_t set, struct lx_siginfo *ret);
void sigpending_init(struct sigpending *p);
void sigpending_flush(struct sigpending *p, sigmask_t set);
/* exec: handlers back to default (ignored ones stay). May fail only by memory. */
int signal_reset_for_exec(struct task *t) must_check;
/* exit: what this thread would have taken goes to its siblings. */
void signal_retarget_locked(struct task *t, sigmask_t which);
bool signal_default_ignores(int sig);
bool signal_default_stops(int sig);

/* ---- signal_send.c ---- */
void signal_pgrp_locked(struct kernel *k, int pgid, int sig);   /* kernel->mu held; from the kernel */

/* ---- session.c: kernel->mu held ---- */
bool pgrp_orphaned_without_locked(struct kernel *k, int pgid, struct tgroup *ignored) must_check;
bool pgrp_has_stopped_locked(struct kernel *k, int pgid) must_check;

/* ---- signal_stop.c ---- */
bool signal_stop_complete_locked(struct tgroup *tg) REQUIRES(tg->mu) must_check;
void signal_begin_stop_locked(struct task *t, int sig) REQUIRES(t->tg->mu);
void signal_continue_locked(struct tgroup *tg) REQUIRES(tg->mu);
/* Take part in a stop of the group: sleeps until continued or killed. */
void signal_stop_here(struct task *t);
/* Tell the parent of a stop or continue (CLD_*). No lock held. */
bool signal_tells_stops(const struct tgroup *tg);
void notify_parent_stop(struct tgroup *tg, int why);

/* ---- signal_frame.c ---- */
/* *ret: what may be lent of it; uc is NULL if its end changes more than registers and mask. */
int sigframe_setup(struct task *t, struct user_regs *regs, const struct lx_siginfo *info,
		   const struct lx_sigaction *act, sigmask_t old_mask, struct sigframe_at *ret) must_check;

/* ---- task_exit.c ---- */
/* The group is ending, or exec of another thread wants this one gone: die with what was decided. */
void task_exit_killed(struct task *t);
/* Would an exit now have words to change in memory that somebody else uses?  That takes a frame. */
bool task_exit_needs_frame(struct task *t) must_check;
/* Before the old memory goes (exec, exit): robust futexes, clear_child_tid, the vfork parent. */
void task_release_memory(struct task *t);
/* A zombie with all threads gone is forgotten: kernel->mu held; the reference to drop afterwards. */
struct tgroup *tgroup_release_locked(struct tgroup *tg) must_check;

/* ---- ptimer.c, itimer.c ---- */
void ptimers_signal_dequeued_locked(struct tgroup *tg, struct lx_siginfo *si);
void ptimers_delete_all(struct tgroup *tg);             /* exec, exit; no lock held */
void itimer_stop(struct tgroup *tg);                    /* exit; no lock held */
void itimers_init(struct tgroup *tg);
/* ---- cpulimit.c ---- */
void cpulimit_init(struct tgroup *tg);
void cpulimit_set_locked(struct tgroup *tg) REQUIRES(tg->mu);   /* rlim[RLIMIT_CPU] is new */
void cpulimit_stop(struct tgroup *tg);                  /* exit; no lock held */
void overdue_init(struct tgroup *tg);
void overdue_watch_locked(struct tgroup *tg) REQUIRES(tg->mu);  /* it was killed, and is to end soon */
void overdue_stop(struct tgroup *tg);                   /* exit; no lock held */
/* Timers whose queued signal was dropped (now ignored) go on. */
void ptimers_signal_lost_locked(struct tgroup *tg);
