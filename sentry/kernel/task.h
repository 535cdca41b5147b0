/*
 * task.h - a thread (struct task) and a process (struct tgroup) of the guest.
 *
 * A task lives in a platform context; the worker that owns the context runs
 * the task's kernel side (task_run.c) and is the only one to touch fields
 * marked "owner".  Shared parts (files, fs, sighand, mm, tgroup) are counted.
 *
 * Life:  pid tables, parents and calls in progress hold references.  exit makes
 *        a task dead (task_exit.c); a group leader stays as a zombie until waited for.
 * Locks: kernel->mu (RANK_KERNEL): pid tables, parent/children, pgrp, session, exit state.
 *        tgroup->mu (RANK_TGROUP): signals, stop state, threads list, timers, rusage sums.
 *        task->mu (RANK_TASK): comm, the cred, files, fs, mm pointers against other tasks.
 *        The owner reads its own pointers without a lock, as only it changes them.
 */
#pragma once
#include <pthread.h>
#include <sys/resource.h>
#include "sentry/core/errno.h"
#include "platform/base/waitq.h"
#include "sentry/kernel/cred.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/signal.h"
#include "sentry/mm/mempolicy.h"
#include "sentry/time/ktimer.h"

struct ctx;
struct trap;
struct mm;
struct fs;
struct mnt_ns;
struct cgroup;
struct fdtable;
struct file;
struct tty_link;
struct session;
struct seccomp_prog;
struct sched_start;
struct key;
struct ptrace;

struct pid_ns;
struct nsset;

struct rlimit64_g { u64 cur, max; };

/* A waiter that wakes its task: the usual one. */
struct task_waiter { struct waiter w; struct task *t; };
/* What the handler of a call that is set aside keeps until it is called again. */
struct park_kept {
	void (*leave)(struct park_kept *k);     /* leave the queues: the wait is over */
	void (*free)(struct park_kept *k);      /* nobody came for it */
};

struct tgroup {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	int tgid;                               /* immutable; as the first pid namespace counts, like every number here */
	struct pid_ns *pid_ns;                  /* immutable once published: a reference */

	/* guarded by kernel->mu */
	struct tgroup *parent;                  /* NULL for init, and what `csandbox exec` starts: nobody waits for it */
	struct list_head children, sibling;
	int pgid;
	struct session *session;                /* a reference */
	int exit_signal;                        /* told to the parent; 0 none, SIGCHLD usual */
	bool zombie, reaped, is_subreaper;
	int wstatus;                            /* wait(2) status once zombie */
	struct list_head tracees;               /* ptrace: pt->node of those traced by this process */
	struct waitq wait_children;             /* wait4: a child changed state */

	struct mutex mu;                        /* RANK_TGROUP */
	struct list_head threads GUARDED_BY(mu);        /* task->thread_node; leader first */
	u32 nthreads GUARDED_BY(mu);                    /* live ones */
	struct task *leader;                            /* guarded by mu; changes in exec */
	struct sighand *sighand;                        /* guarded by mu */
	struct sigpending pending GUARDED_BY(mu);
	bool group_exit GUARDED_BY(mu);                 /* all threads are to die with exit_code */
	int exit_code GUARDED_BY(mu);                   /* wait status of group_exit */
	int stop_signal GUARDED_BY(mu);                 /* != 0: stopped or stopping */
	bool stopped, continued, stop_reported, cont_reported;  /* guarded by mu: for wait4 */
	bool tell_continued GUARDED_BY(mu);             /* the parent has yet to hear CLD_CONTINUED */
	u32 nstopped GUARDED_BY(mu);                    /* threads that have stopped, of nthreads */
	u32 nheld GUARDED_BY(mu);                       /* threads that rest: cgroup_freeze.c */
	bool unkillable GUARDED_BY(mu);                 /* pid 1: default actions do not reach it */
	struct waitq signal_wq;                         /* signalfd: a signal was queued (POLLIN) */
	struct waitq exit_wq;                           /* pidfd: the process has become a zombie (POLLIN) */
	struct task *execing GUARDED_BY(mu);            /* exec waits for the others to die */
	struct rlimit64_g rlim[RLIM_NLIMITS];           /* guarded by mu */
	struct ktimer itimer_real;                      /* alarm, setitimer */
	ktime_t itimer_real_expiry, itimer_real_interval;       /* guarded by mu; expiry 0 = off */
	struct list_head ptimers GUARDED_BY(mu);        /* POSIX timers */
	int next_ptimer GUARDED_BY(mu);
	u32 nptimers GUARDED_BY(mu);
	struct itimer_cpu {                             /* ITIMER_VIRTUAL, ITIMER_PROF: ptimer.c */
		struct ktimer tm;
		struct tgroup *tg;
		ktime_t expiry, interval;               /* CPU time; guarded by mu; expiry 0 = off */
	} itimer_virt, itimer_prof;
	struct cpu_limit {                              /* RLIMIT_CPU: cpulimit.c */
		struct ktimer tm;
		ktime_t used, pause;                    /* guarded by mu: when last looked; pause 0: never */
		bool over;                              /* guarded by mu */
	} cpu_limit;
	struct overdue {                                /* overdue.c */
		struct ktimer tm;
		bool armed, over;                       /* guarded by mu */
	} overdue;
	struct rusage child_rusage GUARDED_BY(mu);
	u64 dead_utime, dead_stime, dead_nvcsw, dead_nivcsw;    /* guarded by mu: of threads that ended */
	u64 cpu_base, cpu_done, cpu_seen;               /* guarded by mu: cputime.c */
	ktime_t look_at; u64 look_cpu; bool look_idle;  /* guarded by mu: task_runs() */
	u64 maxrss_kb;                                  /* guarded by mu: of images that ended */
	ktime_t start_time;                             /* CLOCK_BOOTTIME; immutable */
	bool dumpable, did_exec;                        /* guarded by mu */
	bool dumping;                                   /* guarded by mu: a thread writes the core file */
	s32 oom_score_adj;
	bool exec_leader;                               /* immutable: made by `csandbox exec` or init: report exit to boot */
	u32 container;                                  /* immutable once published: boot's number of it, inherited */
	struct cgroup *cgroup;                  /* guarded by kernel->cgroups.mu, like the next three: a reference; NULL until published */
	bool in_cgroup, frozen;                 /* it has not ended; counted in nfrozen */
	u32 cgroup_tasks;                       /* how many of its tasks are counted there */
	_Atomic bool freeze;                    /* its group is to be frozen; changes under kernel->cgroups.mu */
};

struct task {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct tgroup *tg;                      /* immutable, a reference */
	int tid;                                /* changes only in exec by a non-leader, under kernel->mu */
	struct list_head thread_node;           /* guarded by tg->mu */

	struct ctx *ctx;                        /* owner; changed under tg->mu; NULL once the task has exited */
	struct mutex mu;                        /* RANK_TASK */
	struct mm *mm;                          /* changed by the owner under mu */
	struct fdtable *files;                  /* same */
	struct fs *fs;                          /* same */
	struct mnt_ns *mnt_ns;                  /* same */
	struct nsset *nsset;                    /* same: the other namespaces */
	const struct cred *cred;                /* same */
	struct {                                /* guarded by the lock of ipc/keys.h: references, NULL: none */
		struct key *thread, *process, *session;
		int reqkey;                     /* KEY_REQKEY_DEFL_* */
	} keys;
	char comm[16] GUARDED_BY(mu);

	/* Signals: guarded by tg->mu. */
	sigmask_t blocked;                      /* unless lent to the thread: read it by signal_mask() or signal_blocked_locked() */
	bool mask_lent;                         /* own_calls.h */
	sigmask_t saved_blocked;
	bool restore_blocked;
	struct sigpending pending;
	struct lx_sigaltstack altstack;         /* owner */
	sigmask_t waiting_for;                  /* sigtimedwait: blocked ones that wake it all the same */
	bool stop_pending, in_stop;             /* must join the group's stop; has done so */
	bool exiting;                           /* guarded by tg->mu: takes no more signals */
	_Atomic bool killed;                    /* set under tg->mu; read anywhere */
	_Atomic bool attention;                 /* set under tg->mu: signal_pending() is true */
	_Atomic bool in_app;                    /* resumed, or about to be: needs ctx_interrupt() */

	/* Sleeping: the one wait primitive, task_sleep(). */
	struct worker *_Atomic sleeper;         /* who waits on wake_word, for platform_waking() */
	_Atomic u32 wake_word;                  /* futex of this task's worker: enum wake (task_block.c) */
	bool by_net;                            /* owner: it waits for a socket of the stack */
	s32 net_luck;                           /* owner: >= 0: such waits were ended by frames lately, not by tasks of ours */
	_Atomic int state;                      /* TASK_* for /proc */

	struct {                                /* owner: task_park.c */
		bool may, waits, again;         /* the call may be set aside; is about to be; is served once more */
		struct file *file;              /* its file: a reference, or NULL */
		struct waitq *wq;               /* NULL: not queued there */
		struct task_waiter tw;
		struct park_kept *kept;         /* or NULL */
		ktime_t deadline;
		int id;                         /* wait4: whom, as it was when the call began */
		struct ktimer tm;
		u32 frames;                     /* of the network, when it was */
	} park;

	/* What the current call was: for restarts, tracing and /proc/PID/syscall. Owner. */
	u64 call_nr, call_args[6];              /* the number is 32 bits */
	u32 call_high;                          /* of the register that had it: means nothing, but is shown, and kept by restarts */
	long call_result;
	bool has_result;                        /* call_result still waits for a frame to be acted on */
	bool call_again, result_in_frame;       /* ENEEDFRAME: the call is to be served at the next trap; its result goes by frame */
	u64 out_start, out_end;                 /* owner: memory that the call's results are for (usercopy.c) */
	u64 fault_addr, fault_trapno, fault_err;        /* of the last fault: shown in signal frames */
	long (*restart_fn)(struct task *);      /* restart_syscall(2) */
	u64 restart_data[4];

	gaddr_t clear_child_tid;                /* owner */
	gaddr_t robust_list; u64 robust_len;    /* owner */
	struct vfork_done *vfork_done;          /* owner: a parent waits for exec or exit */
	int exit_status;                        /* wait status of this thread; owner */
	int pdeath_signal;                      /* owner */
	u32 personality;                        /* owner: personality(2) */
	struct mempolicy mempolicy;             /* owner: set_mempolicy(2) */
	_Atomic u64 timer_slack, timer_slack_def;       /* told, not enforced */
	struct ptrace *pt;                      /* set once: ptrace.h */
	bool traced_call;                       /* owner: call_again because a tracer is to see it (also: by a filter) */
	struct seccomp_prog *seccomp;           /* owner, or under tg->mu: the guest's own filters */
	int seccomp_mode;                       /* owner: SECCOMP_MODE_* */
	atomic_bool no_new_privs;               /* of the owner, and of others by a filter that they share (seccomp.c); never taken back */
	_Atomic u64 seccomp_allow[8];           /* of the filters: calls that need no look (seccomp.c); only ever shrinks */
	int nice, ioprio;
	int sched_policy, sched_prio;           /* answered, not enforced */
	u64 sched_dl[3];                        /* SCHED_DEADLINE: runtime, deadline, period; the same */
	bool sched_reset_on_fork;
	_Atomic u64 utime_ns, stime_ns;         /* accounting, best effort: written by the owner */
	u64 nvcsw, nivcsw, minflt, majflt;
	_Atomic ktime_t acct_mark;              /* when time was last charged: written by the owner */
	pthread_t acct_worker;                  /* owner thread: cputime.c, like the next two */
	u64 acct_cpu, acct_sum;
	ktime_t start_time;                     /* CLOCK_BOOTTIME; immutable */
	u64 cpu_mask[2];                        /* sched_setaffinity: answered, not enforced */
	gaddr_t set_child_tid;                  /* owner: written when the task starts (CLONE_CHILD_SETTID) */
	struct tgroup *real_parent_at_clone;    /* for PDEATHSIG: borrowed, compare only */
};

enum task_state { TASK_RUNNING, TASK_SLEEPING, TASK_TRACED, TASK_ZOMBIE, TASK_DEAD };

struct task *task_ref(struct task *t);
struct task *task_unref(struct task *t);
/* What the current call's number was given in, whole. */
static inline u64 task_call_ax(const struct task *t) { return (u64)t->call_high << 32 | t->call_nr; }
static inline void task_unref_p(struct task **p) { task_unref(*p); }
#define auto_task cleanup_with(task_unref_p) struct task
struct tgroup *tgroup_ref(struct tgroup *tg);
void tgroup_unref(struct tgroup *tg);
static inline void tgroup_unref_p(struct tgroup **p) { tgroup_unref(*p); }
#define auto_tgroup cleanup_with(tgroup_unref_p) struct tgroup

/* Lookups in the sandbox's pid namespace: strong references or NULL. */
struct task *task_find(struct kernel *k, int tid) must_check;
struct tgroup *tgroup_find(struct kernel *k, int tgid) must_check;
/* Calls fn for every process in pid order (a snapshot; strong references held during fn). */
int tgroup_for_each(struct kernel *k, int (*fn)(void *arg, struct tgroup *tg), void *arg);
int tgroup_for_each_task(struct tgroup *tg, int (*fn)(void *arg, struct task *t), void *arg);
int tgroup_ppid(struct tgroup *tg);             /* 0 for init */
bool tgroup_is_dying(struct tgroup *tg);        /* all threads are to end, or have */
bool tgroup_is_single(struct tgroup *tg);       /* has it one thread? */
/* Shared parts of another task, counted; NULL if it is dead or has none. */
struct mm *task_mm_get(struct task *t) must_check;
struct fdtable *task_files_get(struct task *t) must_check;
struct fs *task_fs_get(struct task *t) must_check;

/* CPU time in ns; cputime.c. */
void task_times(struct task *t, u64 *ret_utime, u64 *ret_stime);
void tgroup_times(struct tgroup *tg, u64 *ret_utime, u64 *ret_stime);
/* "R" for ps: on a CPU or ready, as far as can be told. */
bool task_runs(struct task *t);

/* Registers of the call in progress; -EPERM without a frame (return -ENEEDFRAME and be called again).  registers.c */
bool task_has_frame(struct task *t);
int task_get_regs(struct task *t, struct user_regs *ret) must_check;
int task_set_regs(struct task *t, const struct user_regs *r) must_check;

/* May @by read the memory and state of @x, as ptrace(2) would?  access.c */
bool task_may_access(struct task *by, struct task *x) must_check;

/* prctl(2): attributes.c. @name has 16 bytes, the last one 0. */
void task_set_comm(struct task *t, const char *name);
void task_set_dumpable(struct task *t, bool on);
void tgroup_set_subreaper(struct tgroup *tg, bool on);
long task_set_mm(struct task *t, u64 opt, u64 addr) must_check;        /* PR_SET_MM_* */

u64 task_rlimit(struct task *t, int resource);          /* RLIMIT_*: the soft limit */

/* ---- task_block.c: the one wait primitive ---- */
/*
 * Sleep until task_wake(), a reason for signal_pending(), or @deadline
 * (CLOCK_MONOTONIC; KTIME_MAX none).  0 (maybe spurious: re-check), -ETIMEDOUT,
 * -ERESTARTSYS.  No lock may be held.  Wake-ups before the call are not
 * lost: a waiter queues itself, re-checks its condition, then sleeps.
 */
int task_sleep(struct task *t, ktime_t deadline) must_check;
/* The same but only a killing signal interrupts it (vfork). */
int task_sleep_killable(struct task *t, ktime_t deadline) must_check;
void task_wake(struct task *t);

void task_waiter_init(struct task_waiter *tw, struct task *t, u32 interest);

/* ---- task_park.c: a call that waits without a worker ---- */
/*
 * May the handler of the call in progress end with -EPARKED?  It has done nothing yet then, and is called again.
 * park_on: wait as told.  The handler then tries once more, and park_result() makes of its -EAGAIN what
 * it is to end with: -EPARKED, -ERESTARTSYS, or -EAGAIN if it must task_sleep() after all.
 */
struct park_on {
	struct file *file;                      /* keeps wq; NULL: something else does */
	struct waitq *wq;
	u32 interest;                           /* POLL* */
	bool exclusive;
	ktime_t deadline;                       /* KTIME_MAX: none */
};
bool task_can_park(const struct task *t);
void task_park_on(struct task *t, const struct park_on *on);
/* The same for a handler that has queued itself in other places, with what it keeps. */
void task_park_with(struct task *t, struct park_kept *k, ktime_t deadline);
long task_park_result(struct task *t, long r) must_check;
/* For such handlers, the same each time the call is made: fd_get(), and a deadline that counts from the call's beginning. */
struct file *task_call_file(struct task *t, int fd) must_check;
bool task_call_again(const struct task *t);     /* is it being made again? */
struct park_kept *task_call_kept(struct task *t) must_check;    /* the caller's now; NULL: it is the first time */
ktime_t task_call_deadline(const struct task *t, ktime_t from_now);

/* ---- task_run.c ---- */
void task_worker(struct kernel *k);             /* the body of every worker thread; returns at shutdown */
/* The context to be resumed; NULL: none, the task has exited or waits. */
struct ctx *task_handle(struct task *t, struct trap *trap);
/* Make a task that runs application code look at its signals soon. */
void task_kick(struct task *t);

/* ---- life cycle: task_clone.c task_exec.c task_exit.c task_wait.c ---- */
void task_exit(struct task *t, int wstatus);            /* this thread ends: owner; ctx is freed */
void tgroup_kill(struct tgroup *tg);                     /* as by SIGKILL, from outside */
void tgroup_exit(struct tgroup *tg, int wstatus);       /* all threads are to end (exit_group, fatal signal) */

/* What a first process (or `exec`'d one) is made of; boot fills it in. */
struct exec_args {
	struct file *file;                      /* the program, or NULL: look up path */
	const char *path;                       /* resolved in the task's root and cwd (and PATH by boot) */
	char **argv, **envp;                    /* NULL-terminated */
	int argc, envc;
	bool hidden;                            /* the path leads through a descriptor that goes: no script can be read by it */
};
struct process_args {
	struct exec_args exec;
	struct cred *cred;                      /* taken */
	struct fs *fs;                          /* taken */
	struct mnt_ns *mnt_ns;                  /* taken */
	struct nsset *nsset;                    /* taken; NULL: the kernel's first */
	struct fdtable *files;                  /* taken */
	const struct rlimit64_g *rlim;          /* RLIM_NLIMITS of them */
	struct tty_link *ctty;                  /* controlling terminal (session.h), or NULL */
	int pid;                                /* 0 = next free */
	s32 oom_score_adj;
	const struct sched_start *sched;        /* or NULL */
	u32 personality;
	struct seccomp_prog *seccomp;           /* referenced; NULL = none */
	bool no_new_privs;
	u32 container;                          /* boot's number of the container: 0 = the first */
	bool hold;                              /* made, but runs only after process_release() */
};
/* Make and start a process. *ret_pid; 0 or -errno with everything taken freed. */
int process_create(struct kernel *k, struct process_args *a, int *ret_pid) must_check;
/* Let one that is held run: once. -ESRCH. */
int process_release(struct kernel *k, int pid) must_check;

/* ---- kernel_task.c ---- */
/* A task without application code, all-powerful, for boot's own file work. @fs, @ns, @files are referenced; may be NULL. */
struct task *task_new_kernel(struct kernel *k, struct fs *fs, struct mnt_ns *ns, struct fdtable *files) must_check;
void task_free_kernel(struct task *t);
/* Give it the namespaces of @set, as if it had been made there: before its first use. */
void task_enter_kernel(struct task *t, struct nsset *set);
