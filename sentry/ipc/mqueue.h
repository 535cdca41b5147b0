/*
 * mqueue.h - POSIX message queues (mq_overview(7)); see mqueue.c and mqueue_fs.c.
 */
#pragma once
#include "platform/base/compiler.h"
#include "sentry/time/ktime.h"

struct task;
struct file;

struct lx_mq_attr { s64 flags, maxmsg, msgsize, curmsgs, reserved[4]; };
struct lx_sigevent { u64 value; s32 signo, notify; u8 rest[48]; };

/* What is to happen when a message comes; SIGEV_THREAD: @post puts the cookie into @sock. */
#define MQ_COOKIE 32
#define MQ_PRIOS  32768u
enum { MQ_WOKENUP = 1, MQ_REMOVED = 2 };
struct mq_event {
	struct lx_sigevent se;
	struct file *sock;                      /* borrowed; NULL: no thread */
	void (*post)(struct file *sock, const void *data, u32 len);
	u8 cookie[MQ_COOKIE];
};

/* @attr NULL: the defaults. */
int mq_file_open(struct task *t, const char *name, int flags, u32 mode, const struct lx_mq_attr *attr,
		 struct file **ret) must_check;
int mq_remove(struct task *t, const char *name) must_check;
/* @deadline on CLOCK_MONOTONIC. -EBADF: no queue, or not open for this. */
int mq_send_msg(struct task *t, struct file *f, gaddr_t buf, size_t len, u32 prio, ktime_t deadline) must_check;
long mq_receive_msg(struct task *t, struct file *f, gaddr_t buf, size_t len, gaddr_t prio, ktime_t deadline)
	must_check;
int mq_notify_on(struct task *t, struct file *f, const struct mq_event *ev) must_check;     /* NULL: no more */
int mq_attr(struct file *f, const struct lx_mq_attr *set, struct lx_mq_attr *ret_old) must_check;
