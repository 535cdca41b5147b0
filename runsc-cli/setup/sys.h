/*
 * sys.h - host system calls of the set-up code that libc has no good wrapper for.
 *
 * All return >= 0 or -errno.
 */
#pragma once
#include <sys/types.h>
#include "platform/base/compiler.h"

int setup_pidfd_open(pid_t pid) must_check;
int setup_pidfd_signal(int pidfd, int sig);
/*
 * fork with CLONE_NEW* flags and CLONE_PARENT.  *ret_pidfd (may be NULL) gets a pidfd.  The
 * child's libc knows its new thread id.  Single-threaded callers only.
 */
pid_t setup_fork(u64 flags, int *ret_pidfd) must_check;
/* The caller's environment, of which a child has a copy, is nobody else's business: it may hold secrets. */
void setup_forget_env(void);
int setup_openat2(int dirfd, const char *path, u64 flags, u64 resolve) must_check;
int setup_pivot_root(const char *new_root, const char *put_old) must_check;
int setup_close_range(unsigned lo, unsigned hi);
/* Only the bounding set: before ids are changed, which costs root the right to. */
int setup_drop_bounding(void) must_check;
int setup_drop_caps(void) must_check;             /* all sets, the bounding set too */
/* A detached tmpfs as an O_PATH descriptor; read-only. */
int setup_empty_tmpfs(void) must_check;
/* Exchange the root of this mount namespace for such a tmpfs.  *ret_what: the step that failed. */
int setup_empty_root(const char **ret_what) must_check;
int setup_move_mount(int fd, const char *to) must_check;
