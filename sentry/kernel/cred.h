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

struct cred {
	struct ref ref;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u32 ngroups;
	u32 *groups;                            /* owned */
	u64 cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
	u32 securebits;
	bool no_new_privs;                      /* per task in Linux; inherited alike */
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

bool capable(struct task *t, int cap);                          /* CAP_* in the sandbox's user namespace */
bool cred_in_group(const struct cred *c, u32 gid);
