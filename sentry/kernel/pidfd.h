/*
 * pidfd.h - descriptors that name a process (pidfd_open(2)).
 *
 * The file holds a reference on the process, so its number cannot be reused
 * under the holder; it is readable (POLLIN) once the process has become a zombie.
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct tgroup;
struct file;

/* @flags: O_NONBLOCK. */
int pidfd_file(struct task *t, struct tgroup *tg, u32 flags, struct file **ret) must_check;
/* The process of a pidfd (a reference), or NULL if @f is another kind. */
struct tgroup *pidfd_tgroup(struct file *f) must_check;
