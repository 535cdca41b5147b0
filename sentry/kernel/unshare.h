/*
 * unshare.h - giving a running task its own copies of what it shares (unshare(2)).
 */
#pragma once
#include "platform/base/compiler.h"

struct task;

bool task_is_alone(struct task *t);             /* the only thread of its process */
/* All of it or -ENOMEM with nothing changed. */
int task_unshare(struct task *t, bool files, bool fs, bool mounts) must_check;
