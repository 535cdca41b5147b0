/*
 * ns.h - namespaces(7): what they have in common, and the set a task is in.
 *
 * A namespace embeds struct ns first.  A task's set (struct nsset) is immutable once published, like
 * struct cred: unshare, setns and clone make another.  The mount namespace hangs from
 * task->mnt_ns, the user namespace from the credentials; their slots here are NULL.
 * NS_PID is the namespace of a task's future children; its own is tgroup->pid_ns.
 *
 * Locks: none.  Counted; the last ns_unref() runs release, which frees the embedding object.
 */
#pragma once
#include "platform/base/ref.h"

struct kernel;
struct task;
struct cred;
struct user_ns;

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NS_KINDS };
#define NS_MAX 256                      /* of one kind, as user.max_*_namespaces */
#define NS_NET_MAX 32

struct ns {
	struct ref ref;
	enum ns_kind kind;              /* immutable */
	u64 ino;                        /* immutable: "uts:[4026531838]" */
	struct kernel *kernel;          /* immutable */
	struct user_ns *owner;          /* immutable: a reference; whose capabilities count here */
	void (*release)(struct ns *);   /* immutable */
};

/* One more of @kind is counted: -ENOSPC at the limit.  @owner NULL: the first user namespace's own. */
int ns_init(struct ns *ns, struct kernel *k, enum ns_kind kind, struct user_ns *owner,
	    void (*release)(struct ns *)) must_check;
void ns_done(struct ns *ns);            /* for release */

static inline struct ns *ns_ref(struct ns *ns)
{
	ref_get(&ns->ref);
	return ns;
}

static inline void ns_unref(struct ns *ns)      /* NULL is fine */
{
	if (ns && ref_put(&ns->ref))
		ns->release(ns);
}

const char *ns_name(enum ns_kind kind); /* "uts" */
u64 ns_flag(enum ns_kind kind);         /* CLONE_NEWUTS */

struct nsset {
	struct ref ref;
	struct ns *of[NS_KINDS];        /* references; NULL: see above */
};
struct nsset *nsset_new(void) must_check;
struct nsset *nsset_ref(struct nsset *s);
void nsset_unref(struct nsset *s);      /* NULL is fine */
/* A copy in which those of @flags (CLONE_NEW*) are new; @cred will own them. */
int nsset_copy(struct task *t, u64 flags, const struct cred *cred, struct nsset **ret) must_check;
/* The first set of a kernel, without network. */
int nsset_first(struct kernel *k, struct nsset **ret) must_check;

/* The namespace of another task: a reference, or NULL (it is dead, or without a network). */
struct ns *task_ns_get(struct task *t, enum ns_kind kind) must_check;
/* setns(2): what @ns is decides. 0 or -errno. */
int task_setns(struct task *t, struct ns *const *list, int n) must_check;

/* ---- uts.c ---- */
struct uts;
int uts_first(struct kernel *k, struct ns **ret) must_check;
int uts_copy(struct kernel *k, struct uts *from, struct user_ns *owner, struct ns **ret) must_check;
struct uts *task_uts(struct task *t);   /* borrowed */
