/*
 * ktime.c - reading the sandbox's clocks; see ktime.h.
 *
 * The C library reads the host's clocks through the vDSO, so no host call is made.
 */
#include "sentry/time/ktime.h"

#include <errno.h>

#include "sentry/kernel/kernel.h"

static ktime_t host_clock(clockid_t id)
{
	struct timespec ts = { 0 };

	clock_gettime(id, &ts);
	return (ktime_t)ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

ktime_t ktime_mono(struct kernel *k)
{
	return host_clock(CLOCK_MONOTONIC) + k->mono_offset;
}

ktime_t ktime_real(struct kernel *k)
{
	return host_clock(CLOCK_REALTIME) + k->real_offset;
}

/* A suspended host machine counts as time that passed, as on Linux. */
ktime_t ktime_boot(struct kernel *k)
{
	return host_clock(CLOCK_BOOTTIME) + k->mono_offset;
}

int ktime_get(struct kernel *k, clockid_t id, ktime_t *ret)
{
	switch (id) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		*ret = ktime_real(k);
		return 0;
	case CLOCK_REALTIME_COARSE:
		*ret = host_clock(CLOCK_REALTIME_COARSE) + k->real_offset;
		return 0;
	case CLOCK_TAI:
		*ret = host_clock(CLOCK_TAI) + k->real_offset;
		return 0;
	case CLOCK_MONOTONIC:
		*ret = ktime_mono(k);
		return 0;
	case CLOCK_MONOTONIC_RAW:
		*ret = host_clock(CLOCK_MONOTONIC_RAW) + k->mono_offset;
		return 0;
	case CLOCK_MONOTONIC_COARSE:
		*ret = host_clock(CLOCK_MONOTONIC_COARSE) + k->mono_offset;
		return 0;
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ret = ktime_boot(k);
		return 0;
	}
	return -EINVAL;
}

int ktime_from_timespec(const struct timespec *ts, ktime_t *ret)
{
	ktime_t s;

	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (mul_overflows((ktime_t)ts->tv_sec, (ktime_t)NSEC_PER_SEC, &s))
		s = KTIME_MAX;
	*ret = ktime_add(s, ts->tv_nsec);
	return 0;
}
