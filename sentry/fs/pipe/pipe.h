/*
 * pipe.h - what splice, tee and fcntl need of pipes beyond the file verbs.
 */
#pragma once
#include "sentry/vfs/file.h"

bool file_is_pipe(const struct file *f);
bool pipe_is_same(struct file *a, struct file *b);                              /* two ends of one pipe? */
int pipe_get_size(struct file *f);                                              /* F_GETPIPE_SZ */
int pipe_set_size(struct task *t, struct file *f, u32 size) must_check;         /* F_SETPIPE_SZ: the new size */
/* Copy up to @n bytes from the front without taking them; 0 = end, -EAGAIN = empty. */
ssize_t pipe_peek(struct file *f, void *buf, size_t n) must_check;
void pipe_drop(struct file *f, size_t n);                                       /* what was peeked at is taken */
size_t pipe_room(struct file *f);
