/*
 * cgroup.h - control groups, version 2: the sandbox's own tree (cgroups(7), Linux' admin-guide/cgroup-v2.rst).
 *
 * The root is the group that the engine made for the container: its limits are the host's to enforce,
 * and are told here.  Groups below it are the guest's.  In those, pids.max holds; CPU time and memory
 * are counted, and a limit of them is refused (fs/cgroup).  A process is in one group with all its
 * threads: there is no threaded mode.
 *
 * Life:  a group has a reference to the one around it, a process to its own, until nobody knows the process.
 *        rmdir makes a group dead, once no process lives in it; zombies may keep it.
 * Locks: kernel->cgroups.mu (RANK_LEAF) guards the tree, its counters, and tgroup->cgroup.  What a change
 *        means for watchers is told afterwards, without any lock: cgroup_tell().
 */
#pragma once
#include "platform/base/list.h"
#include "sentry/kernel/ns.h"

struct bpf_prog;
struct cgroup_nodes;
struct strbuf;
struct task;
struct tgroup;

#define CGROUP_LEVELS 64                        /* what deeper trees get is -EAGAIN, as from cgroup.max.depth */
#define CGROUP_GROUPS 4096u                     /* in all; likewise */
#define CGROUP_ROOT_ID 1

enum cgroup_ctl { CGROUP_CPUSET = 1, CGROUP_CPU = 2, CGROUP_MEMORY = 4, CGROUP_PIDS = 8, CGROUP_CTLS = 15 };

enum cgroup_event { CGROUP_POPULATED = 1, CGROUP_FROZEN = 2 };

struct cgroup {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct cgroup *parent;                  /* immutable: a reference; NULL: the root */
	u64 id;                                 /* immutable: inode number, and place in listings */
	u32 level;                              /* immutable: 0 the root */
	const char *name;                       /* immutable: owned */

	/* guarded by kernel->cgroups.mu */
	struct list_head children, sibling;     /* oldest first */
	bool dead;
	u32 controls;                           /* of enum cgroup_ctl: subtree_control */
	u32 nprocs, nlive;                      /* live processes in it; and those below it, too */
	u32 ntasks, peak;                       /* at and below it, zombies too; the most there were */
	u32 pids_max, max_depth, max_below;     /* UINT32_MAX: none */
	u64 pids_refused;
	u32 nbelow;                             /* groups below it */
	bool freeze;                            /* cgroup.freeze */
	u32 nfreeze;                            /* of it and those around it: how many are told to freeze */
	u32 nfrozen;                            /* of nlive */
	u32 told;                               /* of enum cgroup_event: what watchers know */
	u64 utime, stime;                       /* ns: of processes that ended at or below it */
	struct bpf_prog **progs;                /* cgroup_bpf.h: nprogs references, NULL: never any */
	u32 nprogs, prog_flags;
	struct cgroup_nodes *nodes;             /* its files: fs/cgroup's; NULL: none yet, or dead */
};

int cgroup_first(struct kernel *k) must_check;  /* kernel->cgroups; in kernel_new() */
struct cgroup *cgroup_ref(struct cgroup *cg);
void cgroup_unref(struct cgroup *cg);           /* NULL is fine */
static inline void cgroup_unref_p(struct cgroup **p) { cgroup_unref(*p); }
#define auto_cgroup cleanup_with(cgroup_unref_p) struct cgroup

/* A group in @up. -ENODEV: @up is dead; -EAGAIN: too deep, or too many. */
int cgroup_mkdir(struct cgroup *up, const char *name, size_t len, struct cgroup **ret) must_check;
/* -EBUSY: processes live in it, or there are groups below. */
int cgroup_rmdir(struct cgroup *cg) must_check;
/* Is @cg @up, or below it? */
bool cgroup_is_below(const struct cgroup *cg, const struct cgroup *up);
/* The nearest that both are below: borrowed from either. */
struct cgroup *cgroup_common(struct cgroup *a, struct cgroup *b);
/* "/a/b" as who has @root for root calls it ("/../c": outside), " (deleted)" if it is. */
void cgroup_path(struct strbuf *s, struct cgroup *root, struct cgroup *cg);
/* The controllers of its own files: those that the group around it hands on. */
u32 cgroup_controllers_locked(const struct cgroup *cg);
/* Hand controllers on to groups below: -ENOENT not among its own, -EBUSY in use below, or processes live in it. */
int cgroup_control(struct cgroup *cg, u32 on, u32 off) must_check;

/* ---- processes ---- */
struct cgroup *tgroup_cgroup(struct tgroup *tg) must_check;     /* a reference */
/* One more task of @tg, which is new if it has no group: it joins @into, or (NULL) @from's. -EAGAIN: pids.max. */
int cgroup_add_task(struct tgroup *tg, struct tgroup *from, struct cgroup *into) must_check;
/* A task is gone for good, or its add is undone. */
void cgroup_drop_task(struct tgroup *tg);
/* All its threads have ended. */
void cgroup_process_ended(struct tgroup *tg);
/* Move @tg. -ENODEV: @cg is dead; -EBUSY: it hands controllers on; -ESTALE: the process is not in @from any more. */
int cgroup_attach(struct cgroup *cg, struct tgroup *tg, const struct cgroup *from) must_check;
/* SIGKILL for everybody at and below it, and whom they are making. */
void cgroup_kill(struct cgroup *cg);
/* What cgroup.events tells: of enum cgroup_event. */
u32 cgroup_events_locked(const struct cgroup *cg);
/* Tell watchers of it, where @cg or one around it has changed. */
void cgroup_tell(struct cgroup *cg);
/* Where what `csandbox exec` starts goes: the root, or init's if processes may not be in that. A reference. */
struct cgroup *cgroup_for_exec(struct kernel *k) must_check;

/* ---- cgroup_freeze.c ---- */
void cgroup_freeze(struct cgroup *cg, bool on);
/* Around what keeps @t from running its application: with that, too, its group is frozen. */
void cgroup_enter_frozen(struct task *t);
void cgroup_leave_frozen(struct task *t);
/* Rest until the group thaws, or something goes before: the task is killed, is to stop, its tracer calls. */
void cgroup_freeze_here(struct task *t);
/* Have the threads of @tg look at tg->freeze. */
void cgroup_freeze_changed(struct tgroup *tg);
/* tg->mu held, after its threads changed. True: cgroup_tell_frozen() is due, without locks. */
bool cgroup_count_held_locked(struct tgroup *tg) must_check;
void cgroup_tell_frozen(struct tgroup *tg);
/* Set tg->freeze to what its group is told: has it changed? */
bool cgroup_set_freeze_locked(struct tgroup *tg);
void cgroup_count_frozen_locked(struct cgroup *from, int n);
static inline bool cgroup_untold_locked(const struct cgroup *cg) { return cgroup_events_locked(cg) != cg->told; }

/* ---- cgroup_namespaces(7) ---- */
int cgroup_ns_new(struct kernel *k, struct cgroup *root, struct user_ns *owner, struct ns **ret) must_check;
struct cgroup *task_cgroup_root(struct task *t);        /* borrowed from its namespace */
