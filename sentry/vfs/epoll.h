/*
 * epoll.h - event polls: a file that tells which of many files are ready (epoll(7)).
 */
#pragma once
#include "sentry/vfs/file.h"

struct lx_epoll_event {         /* packed on x86-64 */
	u32 events;
	u64 data;
} __attribute__((packed));

int eventpoll_create(struct task *t, u32 flags, struct file **ret) must_check;
bool file_is_epoll(const struct file *f);
/* @op EPOLL_CTL_*; @fd is the number by which the guest names @target. */
int eventpoll_ctl(struct task *t, struct file *ep, int op, int fd, struct file *target,
	      const struct lx_epoll_event *ev) must_check;
/* Events copied to @dst, 0 at the deadline, or -EINTR, -EFAULT. */
int eventpoll_wait(struct task *t, struct file *ep, gaddr_t dst, int max, ktime_t deadline) must_check;
/* What the item of number @fd is for, after @nth others of that number: for comparing only. -EINVAL, -ENOENT. */
int eventpoll_target(struct file *ep, int fd, u32 nth, const struct file **ret) must_check;
/* file_unref() calls it before release when f->epitems is not empty. */
void epoll_file_gone(struct file *f);
