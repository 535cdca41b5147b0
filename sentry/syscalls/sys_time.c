/*
 * sys_time.c - reading clocks and sleeping.
 *
 * The clocks are the host's; nothing in a sandbox may set them.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sys/time.h>
#include <sys/timex.h>

#include "sentry/core/usercopy.h"
#include "sentry/kernel/clocks.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static long put_time(struct task *t, gaddr_t addr, ktime_t v)
{
	struct timespec ts = ktime_to_timespec(v);

	return copy_out(t, addr, &ts, sizeof(ts));
}

long sys_clock_gettime(struct task *t, const struct sysargs *a)
{
	ktime_t now;
	int r = clock_read(t, arg_s32(a, 0), &now);

	return r < 0 ? r : put_time(t, arg_addr(a, 1), now);
}

long sys_clock_getres(struct task *t, const struct sysargs *a)
{
	ktime_t res;
	int r = clock_resolution(t, arg_s32(a, 0), &res);

	if (r < 0 || !arg_addr(a, 1).v)
		return r;
	return put_time(t, arg_addr(a, 1), res);
}

long sys_clock_settime(struct task *t, const struct sysargs *a)
{
	clockid_t clock = arg_s32(a, 0);
	struct timespec ts;
	ktime_t v;
	int r;

	if (clock > 0)
		return -EINVAL;
	if (copy_in(t, &ts, arg_addr(a, 1), sizeof(ts)) < 0)
		return -EFAULT;
	if (clock != CLOCK_REALTIME)
		return clock_read(t, clock, &v) < 0 ? -EINVAL : -EPERM;
	r = ktime_from_timespec(&ts, &v);
	return r < 0 ? r : -EPERM;
}

long sys_gettimeofday(struct task *t, const struct sysargs *a)
{
	ktime_t now = ktime_real(t->kernel);
	struct timeval tv = { .tv_sec = now / NSEC_PER_SEC, .tv_usec = now % NSEC_PER_SEC / 1000 };
	s32 tz[2] = { 0, 0 };

	if (arg_addr(a, 0).v && copy_out(t, arg_addr(a, 0), &tv, sizeof(tv)) < 0)
		return -EFAULT;
	if (arg_addr(a, 1).v && copy_out(t, arg_addr(a, 1), tz, sizeof(tz)) < 0)
		return -EFAULT;
	return 0;
}

long sys_settimeofday(struct task *t, const struct sysargs *a)
{
	struct timeval tv = { 0 };
	struct timezone tz = { 0 };

	if (arg_addr(a, 0).v && copy_in(t, &tv, arg_addr(a, 0), sizeof(tv)) < 0)
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec > 1000000)
		return -EINVAL;
	if (arg_addr(a, 1).v && copy_in(t, &tz, arg_addr(a, 1), sizeof(tz)) < 0)
		return -EFAULT;
	/* 1000000 is one too many, which Linux notices later. */
	if (tv.tv_usec == 1000000 || tv.tv_sec < 0)
		return -EINVAL;
	return capable(t, CAP_SYS_TIME) && (tz.tz_minuteswest < -15 * 60 || tz.tz_minuteswest > 15 * 60) ? -EINVAL : -EPERM;
}

long sys_time(struct task *t, const struct sysargs *a)
{
	s64 now = ktime_real(t->kernel) / NSEC_PER_SEC;

	if (arg_addr(a, 0).v && copy_out(t, arg_addr(a, 0), &now, sizeof(now)) < 0)
		return -EFAULT;
	return now;
}

#define ADJ_ADJTIME 0x8000              /* ADJ_OFFSET_SINGLESHOT and ADJ_OFFSET_SS_READ have it */
#define ADJ_READONLY 0x2000
#define TICK_MIN 9000                   /* us, of 100 in a second */
#define TICK_MAX 11000

/* May the clock be changed so?  What is valid is -EPERM all the same. */
static int check_timex(struct task *t, const struct timex *tx)
{
	u32 m = tx->modes;

	if (m & ADJ_ADJTIME) {
		if (!(m & ADJ_OFFSET))
			return -EINVAL;
		if (m & ADJ_READONLY)
			return 0;
		return -EPERM;
	}
	if (m && !capable(t, CAP_SYS_TIME))
		return -EPERM;
	if ((m & ADJ_TICK) && (tx->tick < TICK_MIN || tx->tick > TICK_MAX))
		return -EINVAL;
	if ((m & ADJ_SETOFFSET) && (tx->time.tv_usec < 0 || tx->time.tv_usec >= (m & ADJ_NANO ? NSEC_PER_SEC : 1000000)))
		return -EINVAL;
	return m ? -EPERM : 0;
}

/* Reading the state of the clock is allowed to all; changing it to nobody. */
static long read_timex(struct task *t, gaddr_t addr, clockid_t clock)
{
	struct timex tx;
	ktime_t now = ktime_real(t->kernel);
	int r;

	if (copy_in(t, &tx, addr, sizeof(tx)) < 0)
		return -EFAULT;
	if (clock != CLOCK_REALTIME) {
		bool some = clock < 0 ? !clock_is_dynamic(clock) : clock_read(t, clock, &now) == 0;

		return some ? -EOPNOTSUPP : -EINVAL;
	}
	r = check_timex(t, &tx);
	if (r < 0)
		return r;
	tx = (struct timex){ .tick = 10000, .maxerror = 16000000, .esterror = 16000000, .status = STA_UNSYNC,
			     .constant = 2, .precision = 1, .tolerance = 32768000 };
	tx.time.tv_sec = now / NSEC_PER_SEC;
	tx.time.tv_usec = now % NSEC_PER_SEC / 1000;
	return copy_out(t, addr, &tx, sizeof(tx)) < 0 ? -EFAULT : TIME_ERROR;
}

long sys_adjtimex(struct task *t, const struct sysargs *a)
{
	return read_timex(t, arg_addr(a, 0), CLOCK_REALTIME);
}

long sys_clock_adjtime(struct task *t, const struct sysargs *a)
{
	return read_timex(t, arg_addr(a, 1), arg_s32(a, 0));
}

/* ---- sleeping ---- */

/* Until @deadline on CLOCK_MONOTONIC; a CPU clock looks again as its time cannot pass faster. */
static int sleep_until(struct task *t, ktime_t deadline)
{
	int r;

	do
		r = task_sleep(t, deadline);
	while (r == 0);
	return r == -ETIMEDOUT ? 0 : r;
}

static int sleep_cpu(struct task *t, clockid_t clock, ktime_t until)
{
	for (;;) {
		ktime_t now;
		int r = clock_read(t, clock, &now);

		if (r < 0 || now >= until)
			return r;
		r = sleep_until(t, ktime_add(ktime_mono(t->kernel), MAX(until - now, 1000000)));
		if (r < 0)
			return r;
	}
}

/* restart_data: deadline, address for the rest. */
static long relative_sleep(struct task *t)
{
	ktime_t deadline = (ktime_t)t->restart_data[0], left;
	gaddr_t rem = GADDR(t->restart_data[1]);

	if (sleep_until(t, deadline) == 0)
		return 0;
	left = deadline - ktime_mono(t->kernel);
	if (left <= 0)
		return 0;
	if (rem.v && put_time(t, rem, left) < 0)
		return -EFAULT;
	t->restart_fn = relative_sleep;
	return -ERESTART_RESTARTBLOCK;
}

static long start_relative(struct task *t, ktime_t d, gaddr_t rem)
{
	t->restart_data[0] = (u64)ktime_add(ktime_mono(t->kernel), d);
	t->restart_data[1] = rem.v;
	return relative_sleep(t);
}

static int get_interval(struct task *t, gaddr_t addr, ktime_t *ret)
{
	struct timespec ts;

	if (copy_in(t, &ts, addr, sizeof(ts)) < 0)
		return -EFAULT;
	return ktime_from_timespec(&ts, ret);
}

long sys_nanosleep(struct task *t, const struct sysargs *a)
{
	ktime_t d;
	int r = get_interval(t, arg_addr(a, 0), &d);

	return r < 0 ? r : start_relative(t, d, arg_addr(a, 1));
}

static long cpu_clock_sleep(struct task *t, clockid_t clock, bool absolute, ktime_t d)
{
	ktime_t now;
	int r;

	r = clock_read(t, clock, &now);
	if (r < 0)
		return r;
	r = sleep_cpu(t, clock, absolute ? d : ktime_add(now, d));
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

long sys_clock_nanosleep(struct task *t, const struct sysargs *a)
{
	clockid_t clock = arg_s32(a, 0);
	bool absolute = arg_u32(a, 1) & TIMER_ABSTIME;
	ktime_t d, now;
	int r;

	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_THREAD_CPUTIME_ID:
		return -EOPNOTSUPP;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		if (!capable(t, CAP_WAKE_ALARM))
			return -EPERM;
	}
	if (clock_is_dynamic(clock))
		return -EOPNOTSUPP;
	if (clock >= 0 && clock_read(t, clock, &now) < 0)
		return -EINVAL;
	r = get_interval(t, arg_addr(a, 2), &d);
	if (r < 0)
		return r;
	if (clock_is_cpu(clock))
		return cpu_clock_sleep(t, clock, absolute, d);
	if (!absolute)
		return start_relative(t, d, arg_addr(a, 3));
	r = sleep_until(t, clock_to_mono(t->kernel, clock, d));
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}
