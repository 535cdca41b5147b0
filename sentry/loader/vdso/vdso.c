/*
 * vdso.c - the code of the guest's vDSO (vdso(7)), mapped behind its data page.
 *
 * Clocks come from the host's own vDSO, which stays mapped outside the guest's
 * view, plus the sandbox's offsets: exact, without drift and without anything to
 * update.  Where the host has none, each function makes the real syscall.
 * No libc, no writable data, no relocations.
 */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include "sentry/loader/vdso/vdso_data.h"

#define NSEC 1000000000l
#define EXPORT __attribute__((visibility("default")))
#define ALIAS(f) __attribute__((weak, alias(#f), visibility("default")))

/* Placed by vdso.lds one page before the image. */
extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

int __vdso_clock_gettime(clockid_t clock, struct timespec *ts);
int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz);
time_t __vdso_time(time_t *ret);
int __vdso_clock_getres(clockid_t clock, struct timespec *ts);
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static long call3(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "0"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return r;
}

static void add_ns(struct timespec *ts, int64_t off)
{
	long s = off / NSEC, n = ts->tv_nsec + off % NSEC;

	if (n < 0) {
		n += NSEC;
		s--;
	} else if (n >= NSEC) {
		n -= NSEC;
		s++;
	}
	ts->tv_sec += s;
	ts->tv_nsec = n;
}

EXPORT int __vdso_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int (*host)(clockid_t, struct timespec *) =
		(int (*)(clockid_t, struct timespec *))vdso_data.host_clock_gettime;
	int64_t off;
	int r;

	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		off = vdso_data.mono_offset;
		break;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		off = vdso_data.real_offset;
		break;
	default:
		host = 0;
		off = 0;
	}
	if (!host)
		return (int)call3(SYS_clock_gettime, clock, (long)ts, 0);
	r = host(clock, ts);
	if (r == 0 && off != 0)
		add_ns(ts, off);
	return r;
}

EXPORT int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz)
{
	struct timespec ts;

	if (tv) {
		int r = __vdso_clock_gettime(CLOCK_REALTIME, &ts);

		if (r)
			return r;
		tv->tv_sec = ts.tv_sec;
		tv->tv_usec = ts.tv_nsec / 1000;
	}
	if (tz) {
		tz->tz_minuteswest = 0;
		tz->tz_dsttime = 0;
	}
	return 0;
}

EXPORT time_t __vdso_time(time_t *ret)
{
	struct timespec ts;

	if (__vdso_clock_gettime(CLOCK_REALTIME_COARSE, &ts))
		return call3(SYS_time, (long)ret, 0, 0);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}

EXPORT int __vdso_clock_getres(clockid_t clock, struct timespec *ts)
{
	switch (clock) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME:
	case CLOCK_TAI:
		if (ts) {
			ts->tv_sec = 0;
			ts->tv_nsec = 1;
		}
		return 0;
	default:
		return (int)call3(SYS_clock_getres, clock, (long)ts, 0);
	}
}

EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	long (*host)(unsigned *, unsigned *, void *) =
		(long (*)(unsigned *, unsigned *, void *))vdso_data.host_getcpu;
	unsigned n;
	long r;

	if (!host)
		return call3(SYS_getcpu, (long)cpu, (long)node, (long)unused);
	r = host(&n, 0, 0);
	if (r)
		return r;
	if (vdso_data.ncpus)
		n %= vdso_data.ncpus;
	if (cpu)
		*cpu = n;
	if (node)
		*node = 0;
	return 0;
}

int clock_gettime(clockid_t, struct timespec *) ALIAS(__vdso_clock_gettime);
int gettimeofday(struct timeval *__restrict, void *__restrict) ALIAS(__vdso_gettimeofday);
time_t time(time_t *) ALIAS(__vdso_time);
int clock_getres(clockid_t, struct timespec *) ALIAS(__vdso_clock_getres);
long getcpu(unsigned *, unsigned *, void *) ALIAS(__vdso_getcpu);
