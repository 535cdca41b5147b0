/*
 * unshare.h - parting from what a task shares (unshare(2)).
 */
#pragma once
#include "sentry/kernel/ns.h"

#define NS_FLAGS (0x80ull | 0x00020000ull | 0x7e000000ull)      /* CLONE_NEW* */

struct task;
struct fs;
struct mnt_ns;

/*
 * What @flags (CLONE_NEW*) ask for, made for a task that will have @cred's rights: -EPERM unless
 * they allow it.  @fs is moved along into a new mount namespace.
 */
struct ns_parts {
	struct cred *cred;              /* NULL: as before */
	struct nsset *set;              /* same */
	struct mnt_ns *mnt;             /* same */
};
int ns_parts_make(struct task *t, u64 flags, struct fs *fs, struct ns_parts *ret) must_check;
void ns_parts_drop(struct ns_parts *p);

/* @flags: CLONE_FILES, CLONE_FS, CLONE_SYSVSEM, CLONE_NEW*. */
int task_unshare(struct task *t, u64 flags) must_check;
