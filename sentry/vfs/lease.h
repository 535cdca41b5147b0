/*
 * lease.h - leases on files (fcntl(2): F_SETLEASE): their holder is told before another opens the file.
 *
 * A lease belongs to an open file.  Who opens the file in a way that conflicts makes it break: the holder gets
 * the signal of its file's owner (vfs/fasync.h), and the opener waits until the holder has
 * given it up, or for fs.lease-break-time seconds.
 *
 * Locks: vfs->locks_mu guards the leases of all inodes.
 */
#pragma once
#include "sentry/vfs/inode.h"

/* F_RDLCK, F_WRLCK, F_UNLCK by descriptor @fd. */
int lease_set(struct task *t, struct file *f, int fd, u64 type) must_check;
int lease_get(struct task *t, struct file *f);
/* @f was opened, or its inode is to be truncated (O_WRONLY): 0, -EAGAIN with O_NONBLOCK, -ERESTARTSYS. */
int lease_break_slow(struct task *t, struct inode *i, u32 flags) must_check;
void lease_file_gone(struct file *f);
void lease_free(struct inode *i);

static inline int lease_break(struct task *t, struct inode *i, u32 flags)
{
	return likely(!__atomic_load_n(&i->leases, __ATOMIC_ACQUIRE)) ? 0 : lease_break_slow(t, i, flags);
}
