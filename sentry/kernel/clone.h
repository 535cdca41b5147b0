/*
 * clone.h - making tasks: what clone(2), clone3(2), fork(2) and vfork(2) ask for.
 */
#pragma once
#include "platform/base/compiler.h"

struct cgroup;
struct task;

struct clone_req {
	u64 flags;                              /* CLONE_*, without the signal */
	int exit_signal;
	gaddr_t stack_top;                      /* 0: the parent's stack pointer */
	gaddr_t tls;
	gaddr_t parent_tid, child_tid;
	gaddr_t pidfd;
	int want_tid[33];                       /* clone3's set_tid, innermost namespace first; beyond nwant: the next free */
	u32 nwant;
	struct cgroup *cgroup;                  /* borrowed: CLONE_INTO_CGROUP; NULL: the parent's */
};

/* The new tid, or -errno.  The caller has a frame.  Waits for the child if CLONE_VFORK. */
long task_clone(struct task *t, const struct clone_req *q) must_check;
