/*
 * futex.h - sleeping on a word of the sentry's own memory.
 *
 * Deadlines are absolute CLOCK_MONOTONIC nanoseconds of the host; INT64_MAX
 * means none.  All words are private to the process.
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/compiler.h"

/* Sleep while *word == val. 0 (maybe spurious), -EAGAIN, -EINTR or -ETIMEDOUT. */
int host_futex_wait(_Atomic u32 *word, u32 val, s64 deadline);
void host_futex_wake(_Atomic u32 *word, int n);
