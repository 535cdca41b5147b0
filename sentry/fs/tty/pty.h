/*
 * pty.h - pseudo terminals inside: the object, its two kinds of files, devpts (pty(7)).
 *
 * A pty has a master side (a guest's ptmx file, or a host descriptor for the
 * container's own terminal) and a slave side (any number of files).  What is
 * typed at the master passes the line discipline (ntty.h) to the slave's readers.
 *
 * Files:  pty.c        life, opening and closing both sides, hangup, /dev/tty
 *         pty_io.c     read, write, poll of both sides
 *         pty_ioctl.c  termios, window size, job control, packet mode
 *         pty_host.c   a master that is a host descriptor
 *         ../devpts/   names in /dev/pts, numbers
 *
 * Life:   link.ref: the table of numbers until the master is closed, every file, the inode.
 * Locks:  mu (RANK_FILE) guards what is not marked otherwise.  Signals are sent and queues
 *         are woken after it is dropped.
 */
#pragma once
#include "sentry/fs/hostfile/hostpoll.h"
#include "sentry/fs/tty/ntty.h"
#include "sentry/kernel/session.h"
#include "sentry/vfs/inode.h"

struct lx_winsize { u16 row, col, xpixel, ypixel; };

struct pty {
	struct tty_link link;
	struct kernel *kernel;                  /* immutable */
	u32 index;                              /* immutable */
	char name[24];                          /* immutable: "/dev/pts/N" */
	struct inode *inode;                    /* borrowed: devpts clears it when the inode goes */

	struct mutex mu;                        /* RANK_FILE */
	struct ntty n;
	struct lx_termios2 lock;                /* TIOCSLCKTRMIOS: bits that stay as they are */
	struct lx_winsize ws;
	struct waitq slave_wq, master_wq;
	u32 nslaves;                            /* open slave files */
	bool master_open;                       /* a ptmx file, or the host side */
	bool slave_seen;                        /* a slave has been opened: its absence is a hangup */
	bool hungup;                            /* the line is gone: reads end, writes fail */
	bool locked;                            /* TIOCSPTLCK */
	bool exclusive;                         /* TIOCEXCL */
	bool packet; u8 packet_status;          /* TIOCPKT */

	bool host;                              /* immutable: the master is hostfd */
	hostfd_t hostfd;                        /* immutable, owned */
	struct hostpoll_item item;
	u32 host_armed;                         /* EPOLL* bits asked for */
};

struct pty_file {                               /* either side */
	struct file f;
	struct pty *pty;                        /* immutable; a reference */
	bool master;                            /* immutable */
	bool hungup;                            /* guarded by pty->mu: opened before the line was hung up */
};

/* pty.c */
u32 pty_dev(const struct pty *p);                       /* device number */
int pty_new(struct kernel *k, struct pty **ret) must_check;
struct pty *pty_ref(struct pty *p);
void pty_unref(struct pty *p);                          /* NULL is fine */
struct pty_file *pty_file_of(struct file *f);           /* NULL: no terminal */
int pty_open_slave(struct task *t, struct pty *p, const struct path *path, struct inode *i, u32 flags,
		   struct file **ret) must_check;
void pty_master_gone(struct pty *p);                    /* SIGHUP and all that */

/* pty_io.c */
extern const struct file_ops pty_slave_ops, pty_master_ops;
void pty_file_release(struct file *f);                  /* pty.c */
/* Feed what was typed at the master; sends signals, wakes both sides. How much was taken. */
size_t pty_input(struct pty *p, const u8 *buf, size_t len);
/* In packet mode the master is told that output stopped or goes on; @was: it had been stopped. */
void pty_tell_flow(struct pty *p, bool was) REQUIRES(p->mu);

/* pty_ioctl.c */
long pty_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg);
void pty_set_winsize(struct pty *p, const struct lx_winsize *ws);

/* pty_host.c: the host side has something for us, or room: never blocks. mu held. */
void pty_host_flush(struct pty *p) REQUIRES(p->mu);
void pty_host_resume(struct pty *p) REQUIRES(p->mu);    /* the reader has made room */
void pty_host_done(struct pty *p);

/* devpts */
int devpts_add(struct pty *p) must_check;               /* gives the index; -ENOSPC */
void devpts_remove(struct pty *p);
int devpts_find(struct kernel *k, u32 index, struct pty **ret) must_check;
int devpts_inode(struct pty *p, struct inode **ret) must_check;        /* counted */
