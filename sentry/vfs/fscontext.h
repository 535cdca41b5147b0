/*
 * fscontext.h - a file system being configured: fsopen(2), fspick(2), fsconfig(2), fsmount(2).
 *
 * Life: as the file.  Locks: its own mu (RANK_FPOS) makes calls one at a time.
 */
#pragma once
#include "sentry/vfs/vfs.h"

int fscontext_new(struct task *t, const struct fstype *type, struct file **ret) must_check;
/* To reconfigure what is mounted at @at. */
int fscontext_pick(struct task *t, const struct path *at, struct file **ret) must_check;
bool is_fscontext(const struct file *f);
/* Both of at most a page; @value NULL: a flag. */
int fscontext_set(struct file *f, const char *key, const char *value) must_check;
int fscontext_create(struct task *t, struct file *f) must_check;
int fscontext_reconfigure(struct task *t, struct file *f) must_check;
/* A detached mount of what was created. */
int fscontext_mount(struct task *t, struct file *f, u32 mnt_flags, struct mnt_ns **ret) must_check;
