/*
 * exec.h - replacing a task's program (execve(2)).
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct exec_args;

/*
 * 0 with the task in its new image (its context is another one, all registers
 * set), or -errno with nothing changed.  A failure after the point of no return
 * kills the process.
 */
int task_exec(struct task *t, const struct exec_args *a) must_check;
