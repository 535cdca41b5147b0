/*
 * coredump.h - core files (core(5)): of processes that a signal ends.
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct tgroup;
struct lx_siginfo;
struct user_regs;

/* Is the default action of @sig a core file too, and may this process have one? tg->mu is held. */
bool coredump_wanted_locked(const struct tgroup *tg, int sig);
/* By the task that got the signal; no lock is held. Was there one? */
bool coredump(struct task *t, const struct lx_siginfo *si, const struct user_regs *regs);

/* The name by kernel.core_pattern, for kfree(); NULL: no memory (core_name.c). */
char *core_name(struct task *t, int sig, u64 limit) must_check;
