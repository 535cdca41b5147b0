/*
 * fs.h - constructors of the sentry's own file systems and file kinds.
 *
 * One line each: what other parts of the sentry may make.  Everything else
 * about a kind is private to its directory.
 */
#pragma once
#include "sentry/vfs/vfs.h"

struct cgroup;
struct kernel;
struct tgroup;
struct tty_link;

/* sentry/fs/pipe: both ends. flags: O_NONBLOCK, O_DIRECT. */
int pipe_create(struct task *t, u32 flags, struct file **ret_read, struct file **ret_write) must_check;
/* sentry/fs/proc: the process of an open directory /proc/PID (a reference), or NULL: something else. */
struct tgroup *procfs_tgroup(struct file *f) must_check;
/* sentry/fs/hostfile: stdio given by the engine. @fd is taken over. @flags: guest O_ flags. */
int hostfile_new(struct kernel *k, hostfd_t fd, struct file **ret) must_check;
/*
 * sentry/fs/tmpfs: an unlinked file, for memfd_create ("memfd:x"), MAP_SHARED|MAP_ANONYMOUS ("dev/zero") and
 * SysV shm ("SYSV00000000").  /proc shows "/name (deleted)".  @seals: those already set; F_SEAL_SEAL = none may be added.
 */
int tmpfs_anon_file(struct task *t, const char *name, u64 size, u32 seals, struct file **ret) must_check;
int tmpfs_get_seals(struct file *f);                    /* F_SEAL_*, or -EINVAL: no memfd */
int tmpfs_add_seals(struct file *f, u32 seals) must_check;
/* mount(2)'s tmpfs, shmem of the kernel itself and memory overlays. opts as in tmpfs(5), or NULL. */
int tmpfs_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
               struct inode **ret_root) must_check;
/* sentry/fs/overlay: a fresh tmpfs over @lower, which gives the root its mode and owner. */
int overlay_memory(struct task *t, struct kernel *k, struct inode *lower, struct super **ret_sb,
                   struct inode **ret_root) must_check;
/* The directory "upper" in @store over @lower; changes are prepared in its "work". */
int overlay_kept(struct task *t, struct kernel *k, struct inode *lower, struct inode *store, struct super **ret_sb,
                 struct inode **ret_root) must_check;
/* Remove what one that was killed left in its "work". */
int overlay_tidy(struct task *t, struct super *sb) must_check;
/* mount -t overlay -o lowerdir=a:b,upperdir=c,workdir=d */
int overlay_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
                 struct inode **ret_root) must_check;
/* sentry/fs/devpts + tty: a terminal whose master side is the host descriptor @fd (taken over, set raw); its node is @uid's. */
int tty_from_host(struct kernel *k, hostfd_t fd, u32 uid, struct file **ret) must_check;
int tty_set_winsize(struct file *tty, u16 rows, u16 cols) must_check;           /* -ENOTTY; SIGWINCH if changed */
struct tty_link *tty_file_link(struct file *tty);                               /* borrowed; NULL: no terminal */
/* /dev/tty, /dev/console, /dev/ptmx: what chardev_open does for these numbers. */
int tty_open_current(struct task *t, const struct path *p, u32 flags, struct file **ret) must_check;
int ptmx_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
/* sentry/socket/tun.c: /dev/net/tun. */
int tun_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
/* sentry/ipc/mqueue_fs.c: the POSIX message queues of the caller's namespace. */
int mqfs_make(struct task *t, struct kernel *k, const char *source, const char *opts, struct super **ret_sb,
              struct inode **ret_root) must_check;
/* sentry/fs/cgroup: the group of an open directory (borrowed), or NULL: something else. */
struct cgroup *cgroupfs_group(const struct file *f);
/* May @c, who sees what is below @root, move a process from one group to the other? 0 or -errno. */
int cgroupfs_may_move(const struct cred *c, struct cgroup *root, struct cgroup *from, struct cgroup *to) must_check;
void cgroupfs_events_changed(struct cgroup *cg);        /* tell who watches cgroup.events */
/* character devices of devtmpfs by number: tun null zero full random urandom tty console ptmx kmsg. */
int chardev_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
bool file_is_eventfd(const struct file *f);
/* One more from the kernel itself; it never waits, and from UINT64_MAX on they are lost (POLLERR). */
void eventfd_signal(struct file *f);
int eventfd_create(struct task *t, u32 count, u32 flags, struct file **ret) must_check;
int timerfd_create_file(struct task *t, int clockid, u32 flags, struct file **ret) must_check;
struct itimerspec;
int timerfd_check(int flags, const struct itimerspec *its) must_check;
int timerfd_set(struct file *f, int flags, const struct itimerspec *its, struct itimerspec *ret_old) must_check;
int timerfd_get(struct file *f, struct itimerspec *ret) must_check;
int signalfd_set_mask(struct task *t, struct file *f, u64 mask) must_check;     /* -EINVAL: another kind */
int signalfd_create(struct task *t, u64 mask, u32 flags, struct file **ret) must_check;
