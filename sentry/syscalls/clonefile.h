/*
 * clonefile.h - FICLONE and FICLONERANGE: what they refuse, and in which order.
 */
#pragma once
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

/* No file system here shares blocks: all ends in an error. */
int clonefile(struct task *t, int src_fd, struct file *dst) must_check;
