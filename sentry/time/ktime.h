/*
 * ktime.h - the sandbox's clocks, in signed 64-bit nanoseconds.
 *
 * Host clocks plus the offsets of struct kernel, so that a restored sandbox
 * can go on where it was.  KTIME_MAX means "never".
 */
#pragma once
#include <time.h>
#include "platform/base/compiler.h"

struct kernel;

typedef s64 ktime_t;
#define KTIME_MAX INT64_MAX
#define NSEC_PER_SEC 1000000000ll

ktime_t ktime_mono(struct kernel *k);           /* CLOCK_MONOTONIC */
ktime_t ktime_real(struct kernel *k);           /* CLOCK_REALTIME */
ktime_t ktime_boot(struct kernel *k);           /* CLOCK_BOOTTIME */
/* Any host clock id the kernel knows how to read directly; -EINVAL otherwise. */
int ktime_get(struct kernel *k, clockid_t id, ktime_t *ret) must_check;

/* Saturating; a negative or non-normalised timespec is -EINVAL. */
int ktime_from_timespec(const struct timespec *ts, ktime_t *ret) must_check;
static inline struct timespec ktime_to_timespec(ktime_t t)
{
	s64 s = t / NSEC_PER_SEC, n = t % NSEC_PER_SEC;

	if (n < 0) {
		n += NSEC_PER_SEC;
		s--;
	}
	return (struct timespec){ .tv_sec = s, .tv_nsec = n };
}
static inline ktime_t ktime_add(ktime_t a, ktime_t b)
{
	ktime_t r;

	return add_overflows(a, b, &r) ? KTIME_MAX : r;
}
