/*
 * timerfd.c - timers that are read (timerfd_create(2)).
 *
 * A periodic timer is not re-armed when it fires: the missed periods are
 * counted, and the next deadline set, when somebody reads or asks.  So a timer
 * that nobody reads wakes nobody.
 *
 * TFD_TIMER_CANCEL_ON_SET is accepted; the clock is the host's, and its jumps are not told to us.
 *
 * Locks: td->mu (RANK_FILE).  The timer's callback takes it, so ktimer_cancel() is called without it;
 *        a callback of an earlier arming finds that the clock is not there yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/timerfd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"

#define TFD_IOC_SET_TICKS 0x40085400u

struct timerfd {
	struct file f;
	struct waitq wq;
	struct kernel *kernel;                  /* immutable */
	int clock;                              /* immutable */
	struct ktimer tm;
	struct mutex set_mu;                    /* RANK_INODE: one settime at a time, around cancel and arm */
	struct mutex mu;                        /* RANK_FILE */
	ktime_t next GUARDED_BY(mu);            /* CLOCK_MONOTONIC; 0 = disarmed or fired and not periodic */
	ktime_t interval GUARDED_BY(mu);
	u64 ticks GUARDED_BY(mu);
	bool fired GUARDED_BY(mu);              /* the callback has run for next */
	int settime_flags GUARDED_BY(mu);
};

static struct timerfd *td_of(struct file *f) { return container_of(f, struct timerfd, f); }

static ktime_t clock_now(const struct timerfd *td)
{
	switch (td->clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
		return ktime_real(td->kernel);
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		return ktime_boot(td->kernel);
	default:
		return ktime_mono(td->kernel);
	}
}

/* Who looks sees what the clock says, even if the callback is late. */
static void expire(struct timerfd *td) REQUIRES(td->mu)
{
	if (!td->next || td->fired || ktime_mono(td->kernel) < td->next)
		return;
	td->fired = true;
	td->ticks++;
}

static void timerfd_fire(struct ktimer *tm)
{
	struct timerfd *td = container_of(tm, struct timerfd, tm);
	bool ready;

	mutex_lock(&td->mu);
	expire(td);
	ready = td->ticks;
	mutex_unlock(&td->mu);
	if (ready)
		waitq_wake(&td->wq, POLLIN | POLLRDNORM);
}

/* Count the periods that have passed since it fired, and go on. */
static void catch_up(struct timerfd *td) REQUIRES(td->mu)
{
	ktime_t now, periods;

	if (!td->fired)
		return;
	if (!td->interval) {
		td->next = 0;
		return;
	}
	now = ktime_mono(td->kernel);
	periods = now > td->next ? (now - td->next) / td->interval : 0;
	td->ticks += (u64)periods;
	td->next = ktime_add(td->next, (periods + 1) * td->interval);
	td->fired = false;
	ktimer_arm(td->kernel, &td->tm, td->next);
}

static ssize_t timerfd_fop_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct timerfd *td = td_of(f);
	ssize_t r = -EAGAIN;

	(void)t, (void)pos;
	if (b->left < sizeof(u64))
		return -EINVAL;
	mutex_lock(&td->mu);
	expire(td);
	if (td->ticks) {
		catch_up(td);
		r = iobuf_put(b, &td->ticks, sizeof(u64));
		if (r == sizeof(u64))
			td->ticks = 0;
		else
			r = -EFAULT;
	}
	mutex_unlock(&td->mu);
	return r;
}

static u32 timerfd_fop_poll(struct file *f)
{
	struct timerfd *td = td_of(f);
	u32 ev;

	mutex_lock(&td->mu);
	expire(td);
	ev = td->ticks ? POLLIN | POLLRDNORM : 0;
	mutex_unlock(&td->mu);
	return ev;
}

static long timerfd_fop_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct timerfd *td = td_of(f);
	u64 ticks;
	int r;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	r = copy_in(t, &ticks, arg, sizeof(ticks));
	if (r < 0)
		return r;
	if (!ticks)
		return -EINVAL;
	mutex_lock(&td->mu);
	td->ticks = ticks;
	mutex_unlock(&td->mu);
	waitq_wake(&td->wq, POLLIN | POLLRDNORM);
	return 0;
}

static struct itimerspec current_setting(struct timerfd *td) REQUIRES(td->mu)
{
	ktime_t left = 0;

	expire(td);
	catch_up(td);
	if (td->next)
		left = MAX(td->next - ktime_mono(td->kernel), 1);
	return (struct itimerspec){
		.it_interval = ktime_to_timespec(td->interval), .it_value = ktime_to_timespec(left),
	};
}

static void timerfd_fop_fdinfo(struct file *f, struct strbuf *out)
{
	struct timerfd *td = td_of(f);
	struct itimerspec its;

	mutex_lock(&td->mu);
	its = current_setting(td);
	strbuf_printf(out, "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\n"
		      "it_interval: (%lld, %lld)\n", td->clock, (unsigned long long)td->ticks,
		      (unsigned)td->settime_flags, (long long)its.it_value.tv_sec,
		      (long long)its.it_value.tv_nsec, (long long)its.it_interval.tv_sec,
		      (long long)its.it_interval.tv_nsec);
	mutex_unlock(&td->mu);
}

static void timerfd_fop_release(struct file *f)
{
	struct timerfd *td = td_of(f);

	(void)ktimer_cancel(td->kernel, &td->tm);
	file_done(f);
	kfree(td);
}

static const struct file_ops timerfd_ops = {
	.lseek = file_lseek_none,
	.name = "timerfd",
	.read = timerfd_fop_read,
	.poll = timerfd_fop_poll,
	.ioctl = timerfd_fop_ioctl,
	.fdinfo = timerfd_fop_fdinfo,
	.release = timerfd_fop_release,
};

int timerfd_create_file(struct task *t, int clockid, u32 flags, struct file **ret)
{
	struct timerfd *td;

	if (flags & ~(u32)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EPERM;          /* CAP_WAKE_ALARM is nobody's here */
	default:
		return -EINVAL;
	}
	td = knew(struct timerfd);
	if (!td)
		return -ENOMEM;
	file_init(&td->f, &timerfd_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	td->f.anon_name = "anon_inode:[timerfd]";
	td->f.wq = &td->wq;
	td->kernel = t->kernel;
	td->clock = clockid;
	waitq_init(&td->wq);
	mutex_init(&td->mu, RANK_FILE);
	mutex_init(&td->set_mu, RANK_INODE);
	ktimer_init(&td->tm, timerfd_fire);
	*ret = &td->f;
	return 0;
}

/* On CLOCK_MONOTONIC; never 0, which means disarmed. */
static ktime_t to_deadline(const struct timerfd *td, ktime_t value, bool absolute)
{
	ktime_t now = ktime_mono(td->kernel), at;

	if (!absolute)
		at = ktime_add(now, value);
	else if (sub_overflows(value, clock_now(td), &at))
		at = KTIME_MAX;
	else
		at = ktime_add(at, now);
	return MAX(at, 1);
}

int timerfd_check(int flags, const struct itimerspec *its)
{
	ktime_t v;
	int r = flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET) ? -EINVAL : 0;

	if (r == 0)
		r = ktime_from_timespec(&its->it_value, &v);
	return r < 0 ? r : ktime_from_timespec(&its->it_interval, &v);
}

int timerfd_set(struct file *f, int flags, const struct itimerspec *its, struct itimerspec *ret_old)
{
	struct timerfd *td = td_of(f);
	ktime_t value, interval;
	int r;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	r = timerfd_check(flags, its);
	if (r == 0)
		r = ktime_from_timespec(&its->it_value, &value);
	if (r == 0)
		r = ktime_from_timespec(&its->it_interval, &interval);
	if (r < 0)
		return r;
	mutex_lock(&td->set_mu);
	(void)ktimer_cancel(td->kernel, &td->tm);
	mutex_lock(&td->mu);
	*ret_old = current_setting(td);
	td->ticks = 0;
	td->fired = false;
	td->interval = interval;
	td->settime_flags = flags;
	td->next = value ? to_deadline(td, value, flags & TFD_TIMER_ABSTIME) : 0;
	if (td->next)
		ktimer_arm(td->kernel, &td->tm, td->next);
	mutex_unlock(&td->mu);
	if (!value)
		(void)ktimer_cancel(td->kernel, &td->tm);       /* catch_up may have armed it again */
	mutex_unlock(&td->set_mu);
	return 0;
}

int timerfd_get(struct file *f, struct itimerspec *ret)
{
	struct timerfd *td = td_of(f);

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	mutex_lock(&td->mu);
	*ret = current_setting(td);
	mutex_unlock(&td->mu);
	return 0;
}
