/*
 * cgroup_int.h - the file system of control groups: private to sentry/fs/cgroup.
 *
 * cgroupfs.c  directories: a group each      files.c  what is in them: a row each
 *
 * There is one super block, whatever it is mounted on, so that watchers and owners find the same inodes.
 * A group owns its directory's inode, and those of its files that were looked up, until it is removed; they
 * have a reference to it.  struct cgroup_nodes is guarded by kernel->cgroups.mu.
 */
#pragma once
#include "sentry/fs/pseudo/pseudo.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/task.h"

struct cg_row {
	struct pseudo_entry e;                  /* first; its show and store are those of files.c */
	u32 ctl;                                /* of enum cgroup_ctl: which brings it; 0: it is always there */
	bool below_root;                        /* the root has none */
	bool delegated;                         /* may be written from within, also in the root of a namespace */
	u16 field;                              /* a u32 of struct cgroup that is shown, and set if it may be written; 0: none */
	const char *fixed;                      /* below the root: its only value; others are refused */
	int (*show)(struct task *t, struct cgroup *cg, struct strbuf *out);
	/* What was written, without white space around it. */
	int (*store)(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text);
};
#define CG_NROWS 31
extern const struct cg_row cg_rows[CG_NROWS];
/* Number of the row of that name, or -1. */
int cg_row_find(const char *name, size_t len);
bool cg_row_is_in_locked(const struct cg_row *r, const struct cgroup *cg);

struct cgroup_nodes {
	struct inode *dir;                      /* a reference, like those of file[] */
	struct inode *file[CG_NROWS];           /* NULL: not looked up yet */
};

/* Inode of a file of @cg: a reference. -ENODEV: it is dead. */
int cg_file_inode(struct cgroup *cg, int row, struct inode **ret) must_check;
