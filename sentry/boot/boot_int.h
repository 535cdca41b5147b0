/*
 * boot_int.h - what the files of sentry/boot share.
 */
#pragma once
#include <signal.h>
#include "platform/base/lock.h"
#include "runsc-cli/ctl/ctl.h"
#include "sentry/boot/boot.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/vfs.h"

struct gofer_conn;
struct control;

/*
 * A container.  kernel->boot is the first one, whose end is the sandbox's; members (member.c) come and go.
 */
struct boot {
	const struct boot_config *cfg;
	struct kernel *kernel;
	struct platform *platform;
	struct gofer_conn *gofer;
	struct mnt_ns *mnt_ns;
	struct fs *fs;                  /* root and working directory "/" of the container */
	struct task *hands;             /* main thread only */
	struct control *control;
	struct seccomp_prog *seccomp;   /* linux.seccomp: of all that is started from outside; NULL: none */
	bool held;                      /* main thread only: the first process is made, hooks run before it does */
	bool started;                   /* main thread only */
	bool fds_taken;                 /* main thread only: its standard files are used up */
	s32 init_pid;                   /* main thread only: its first process once held or started */
	struct file *tty;               /* main thread only: of that process, or NULL */
	u32 number;                     /* immutable: 0 = the first; that of its processes (tgroup.container) */
	struct nsset *nsset;            /* immutable: of its processes; NULL: the kernel's first */
	struct member *member;          /* immutable: NULL in the first */
	char error[512];                /* main thread only: why a step failed */
};

/* Record text for the launcher or the client; returns @code. */
int boot_fail(struct boot *b, int code, const char *fmt, ...) printf_like(3, 4);

/* boot.c: build a member's tree from b->cfg; its parts are b's to free in any case. */
int boot_member(struct boot *b) must_check;

/* ---- mounts.c, devices.c: the container's tree as its description wants it ---- */
int boot_mounts(struct boot *b) must_check;
int boot_devices(struct boot *b) must_check;
/* mkdir -p, as the host's root. 0 or -errno. */
int boot_mkdir_p(struct boot *b, const char *path) must_check;
/* An empty file, and the directories that lead to it; one that is there stays. 0 or -errno. */
int boot_make_file(struct boot *b, const char *path) must_check;
/* Masked and read-only paths, and last the root itself. */
int boot_cover(struct boot *b) must_check;
/* sysctls.c: linux.sysctl, while /proc can still be written to. */
int boot_sysctls(struct boot *b) must_check;

/* copyup.c: the directory @to of a new tmpfs gets what is in @from. */
int boot_copy_up(struct boot *b, struct inode *from, struct inode *to) must_check;

/* ---- process.c ---- */
/* Is there a program to run?  Sets the error as runc words it. 0 or -errno. */
int boot_check_program(struct boot *b, const struct ctl_process *p) must_check;
/* The host's descriptors for a process: three, or a terminal (stdio then -1), and those that become 3, 4, ... */
struct boot_fds { const int *stdio; int tty; const int *extra; u32 nextra; };
/*
 * Start a process; all of @fds are taken over.  @hold: it runs only after process_release().
 * *ret_tty (may be NULL) gets a counted terminal file or NULL.  The pid or -errno.
 */
int boot_process(struct boot *b, const struct ctl_process *p, const struct boot_fds *fds, bool hold,
                 struct file **ret_tty) must_check;

/* ---- control.c ---- */
int control_new(struct boot *b) must_check;
/* Add those that our host process passes on: they must be blocked before there are threads. */
void control_signals(sigset_t *set);
/* Serves until the sandbox ends. */
noreturn_fn void control_run(struct boot *b);
void control_task_exit(struct kernel *k, int pid, int wstatus);
noreturn_fn void control_init_exit(struct kernel *k, int wstatus);

/* ---- member.c ---- */
#define MEMBERS_MAX 64
/* @fds are taken over and set to -1 on success. @number: > 0, never used before. */
int member_new(struct boot *first, u32 number, const void *payload, size_t n, int *fds, size_t nfds,
               struct boot **ret) must_check;
/* End its processes and forget it. */
void member_free(struct boot *b);
int member_listen_fd(const struct boot *b);
/* Each process of the container of @b. */
void boot_for_each_process(struct boot *b, void (*fn)(void *arg, struct tgroup *tg), void *arg);

/* ---- filters.c ---- */
int boot_filter(struct boot *b) must_check;

/* ---- crash.c ---- */
int boot_crash_handlers(struct boot *b) must_check;

/* links.c: an interface over a packet socket, which is taken over on success. */
struct ctl_link;
/* Makes -1 of the descriptors in fds[] that it keeps. */
int boot_add_link(struct boot *b, const struct ctl_link *l, int *fds, size_t nfds) must_check;

/* resolver.c: serve DNS at 127.0.0.11 through the helper behind @fd, which is taken over on success. */
int boot_add_resolver(struct boot *b, hostfd_t fd) must_check;
