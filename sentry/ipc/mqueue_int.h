/*
 * mqueue_int.h - queues and the file system that holds their names: private to sentry/ipc/mqueue*.c.
 *
 * A namespace with queues has one struct mqfs, every mount of which shows the same super block.
 *
 * Life:  a queue is an inode: its name has one reference, the rest are files' and dentries'.  The
 *        namespace holds the root, inodes hold the super block; when the namespace ends, mounts that
 *        are left show an empty directory in which nothing can be made.
 * Locks: fs->mu (RANK_FILE) guards names and queues, inside the root's inode lock, under which names
 *        come and go.  Copies, signals and wake-ups happen outside both.
 */
#pragma once
#include "platform/base/list.h"
#include "sentry/ipc/mqueue.h"
#include "sentry/vfs/vfs.h"

#define MQ_NAME 255

struct ipc_ns;

struct mqfs {
	struct super sb;
	struct inode *root;                     /* immutable; borrowed: it holds us */
	struct mutex mu;                        /* RANK_FILE */
	struct list_head queues;                /* guarded by mu: in order of making; a reference to each */
	u32 count;                              /* guarded by mu */
	s64 next_cookie;                        /* guarded by mu */
	struct ipc_ns *ns;                      /* guarded by mu; borrowed; NULL: it has ended */
};

struct mq_msg {
	struct list_head node;
	u32 prio;
	size_t len;
	u8 data[];
};

struct mq {
	struct inode i;
	struct list_head node;                  /* fs->queues; empty once unlinked */
	s64 cookie;                             /* immutable: its place for readdir */
	char path[MQ_NAME + 2];                 /* immutable: "/name" */
	s64 maxmsg, msgsize;                    /* immutable */
	u32 payer;                              /* immutable: whose RLIMIT_MSGQUEUE */
	u64 charge;                             /* immutable */
	s64 curmsgs;
	u64 bytes;                              /* in messages */
	struct list_head msgs;                  /* highest priority first, oldest first in it */
	u32 receivers;                          /* asleep for a message */
	struct waitq wq;
	struct tgroup *notify_tg;               /* a reference; NULL: nobody asked */
	struct mq_event notify;                 /* its sock is a reference of ours */
};

static inline struct mqfs *mqfs_of(const struct inode *i) { return container_of(i->sb, struct mqfs, sb); }
static inline struct mq *mq_of_inode(struct inode *i) { return container_of(i, struct mq, i); }
static inline const char *mq_name(const struct mq *q) { return q->path + 1; }

/* mqueue.c: the file of a queue, and what is in one that goes. */
int mq_open_inode(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret) must_check;
void mq_empty(struct mq *q);
