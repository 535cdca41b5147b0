/*
 * devpts.h - the file system type of /dev/pts; see devpts.c.
 */
#pragma once

struct task;
struct kernel;
struct super;
struct inode;

int devpts_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
		struct inode **ret_root) __attribute__((warn_unused_result));
