/*
 * cred.h - who a task is: ids, groups, capabilities (credentials(7), capabilities(7)).
 *
 * A struct cred is immutable once published; a change makes a new one
 * (cred_dup, edit, task_set_cred).  Readers hold a reference.  Capabilities are
 * the guest's, emulated: none of them exists on the host.
 */
#pragma once
#include "platform/base/ref.h"

struct task;
struct user_ns;
struct landlock;

struct cred {
	struct ref ref;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u32 ngroups;
	u32 *groups;                            /* owned */
	u64 cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	u32 securebits;
	struct user_ns *user_ns;                /* a reference: where the capabilities hold; NULL: the first */
	struct landlock *landlock;              /* a reference, or NULL (vfs/landlock.h) */
};

struct cred *cred_new(void) must_check;
struct cred *cred_dup(const struct cred *from) must_check;      /* private copy to edit */
const struct cred *cred_ref(const struct cred *c);
void cred_unref(const struct cred *c);

/* The task's current credentials: borrowed, valid while the task runs this call. */
const struct cred *task_cred(struct task *t);
/* Those of another task: a new reference. */
const struct cred *task_cred_get(struct task *t) must_check;
void task_set_cred(struct task *t, struct cred *c);             /* takes the reference */

bool capable(struct task *t, int cap);                          /* CAP_* in the sandbox's first user namespace */
bool self_capable(struct task *t, int cap);                     /* in the task's own */
bool ns_capable(struct task *t, const struct user_ns *u, int cap);      /* in @u (NULL: the first) */
bool cred_ns_capable(const struct cred *c, const struct user_ns *u, int cap);
bool cred_in_group(const struct cred *c, u32 gid);
/* Replace the supplementary groups of a private copy; takes the array. */
void cred_take_groups(struct cred *c, u32 n, u32 *groups);

/* ---- cred_change.c: set*id(2), setgroups(2), capset(2); 0 or -EPERM, -EINVAL, -ENOMEM ---- */
int cred_setuid(struct task *t, u32 uid) must_check;
int cred_setgid(struct task *t, u32 gid) must_check;
int cred_setreuid(struct task *t, u32 ruid, u32 euid) must_check;
int cred_setregid(struct task *t, u32 rgid, u32 egid) must_check;
int cred_setresuid(struct task *t, u32 r, u32 e, u32 s) must_check;
int cred_setresgid(struct task *t, u32 r, u32 e, u32 s) must_check;
long cred_setfsuid(struct task *t, u32 uid);            /* the old one */
long cred_setfsgid(struct task *t, u32 gid);
int cred_set_groups(struct task *t, u32 n, u32 *groups) must_check;     /* takes the array on success */
int cred_set_caps(struct task *t, u64 eff, u64 prm, u64 inh) must_check;
