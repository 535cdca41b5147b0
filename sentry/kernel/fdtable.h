/*
 * fdtable.h - descriptor numbers of a process (Linux: files_struct).
 *
 * Numbers are reserved, told to the guest, and only then given files, so that no
 * failure path closes a number that another guest thread may already use.
 */
#pragma once
#include "platform/base/lock.h"
#include "platform/base/ref.h"

struct task;
struct file;
struct fdtable;

struct fdtable *fdtable_new(void) must_check;
struct fdtable *fdtable_copy(struct fdtable *from) must_check;          /* fork without CLONE_FILES */
struct fdtable *fdtable_ref(struct fdtable *ft);
void fdtable_unref(struct task *t, struct fdtable *ft);                 /* last one closes all */
bool fdtable_is_shared(struct fdtable *ft);                             /* another task uses it too: exec makes a copy */
void fdtable_close_on_exec(struct task *t, struct fdtable *ft);

/* A table of its own for @t, if others share the present one. */
int fd_unshare(struct task *t) must_check;

/* A strong reference, or NULL (caller returns -EBADF).  fd_get refuses O_PATH files. */
struct file *fd_get(struct task *t, int fd) must_check;
struct file *fd_get_path(struct task *t, int fd) must_check;            /* O_PATH allowed */
struct file *fdtable_get(struct fdtable *ft, int fd) must_check;        /* of another task: /proc, pidfd_getfd */
/* Calls fn for each open number in order until it returns non-zero; fn runs without the lock. */
int fdtable_for_each(struct fdtable *ft, int (*fn)(void *arg, int fd, struct file *f, bool cloexec), void *arg);

/* Lowest free number >= @min under RLIMIT_NOFILE, or -EMFILE/-ENOMEM. */
int fd_reserve(struct task *t, int min, bool cloexec) must_check;
void fd_unreserve(struct task *t, int fd);
void fd_publish(struct task *t, int fd, struct file *f);                /* takes its own reference */
/* reserve + publish: for calls with nothing to copy out. The number or -errno. */
int fd_install(struct task *t, struct file *f, bool cloexec) must_check;

int fd_close(struct task *t, int fd) must_check;
int fd_close_range(struct task *t, unsigned lo, unsigned hi, bool only_cloexec) must_check;
int fd_dup_to(struct task *t, int oldfd, int newfd, bool cloexec) must_check;   /* dup2/dup3 */
/* @f under that very number, in place of what is there. */
int fd_put_at(struct task *t, struct file *f, int newfd, bool cloexec) must_check;
int fd_dup_min(struct task *t, int oldfd, int min, bool cloexec) must_check;    /* F_DUPFD */
int fd_get_cloexec(struct task *t, int fd) must_check;                          /* 0/1 or -EBADF */
int fd_set_cloexec(struct task *t, int fd, bool on) must_check;
