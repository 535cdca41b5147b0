/*
 * sigset_arg.h - arguments that several waiting calls share: a signal mask for the time of the call,
 * and a relative struct timespec.
 */
#pragma once
#include "platform/base/compiler.h"
#include "sentry/time/ktime.h"

struct task;

/* Swap in the mask at @addr until the call ends; a null @addr changes nothing. 0, -EINVAL, -EFAULT. */
int sigset_arg_use(struct task *t, gaddr_t addr, size_t size) must_check;
/*
 * The deadline on CLOCK_MONOTONIC that the timespec at @addr means.  Null: KTIME_MAX;
 * zero: 0, so that nobody reads the clock for it.
 */
int timeout_arg(struct task *t, gaddr_t addr, ktime_t *ret) must_check;
/* The same of one that was copied in already. */
int timeout_of(struct task *t, const struct timespec *ts, ktime_t *ret) must_check;
