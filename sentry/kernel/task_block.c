/*
 * task_block.c - the one wait primitive of the sentry; see task.h.
 *
 * A task sleeps on its own wake_word.  Whoever has something for it stores
 * WAKE_DUE and, only if it found WAKE_SLEEPER, makes the host call.  The word is looked at before
 * the signals, and a sleeper announces itself by compare-and-swap, so a
 * wake-up or a signal that comes at any moment is seen.
 */
#include <errno.h>

#include "platform/host/futex.h"
#include "platform/platform.h"
#include "sentry/kernel/task_int.h"

static bool interrupted(struct task *t, bool killable_only)
{
	return killable_only ? task_killed(t) : signal_pending(t);
}

/* Take a due wake-up. */
static bool take_wake(struct task *t)
{
	u32 old = WAKE_DUE;

	return atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_NONE);
}

/* @woken: somebody's platform_waking() was for us. */
static int wait_here(struct task *t, ktime_t deadline, bool killable_only, bool *woken)
{
	s64 host = deadline == KTIME_MAX ? deadline : deadline - t->kernel->mono_offset;

	*woken = false;
	for (;;) {
		u32 old = WAKE_NONE;
		bool announced;
		int r = 0;

		/* Announce first, then look at the signals: their sender wakes us. */
		announced = atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_SLEEPER);
		if (announced) {
			if (interrupted(t, killable_only))
				r = -ERESTARTSYS;
			else
				r = host_futex_wait(&t->wake_word, WAKE_SLEEPER, host);
		}
		*woken = announced;
		if (take_wake(t))
			return 0;
		old = WAKE_SLEEPER;
		if (!atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_NONE) && take_wake(t))
			return 0;
		*woken = false;
		if (r == -ERESTARTSYS || r == -ETIMEDOUT)
			return r;
	}
}

static int sleep_on(struct task *t, ktime_t deadline, bool killable_only)
{
	struct platform *p = t->kernel->platform;
	int r, old = atomic_load(&t->state);
	bool woken;

	if (take_wake(t))
		return 0;
	if (interrupted(t, killable_only))
		return -ERESTARTSYS;
	if (deadline != KTIME_MAX && deadline <= ktime_mono(t->kernel))
		return -ETIMEDOUT;
	task_account(t, false);
	t->nvcsw++;
	if (old == TASK_RUNNING)
		atomic_store(&t->state, TASK_SLEEPING);
	atomic_store(&t->sleeper, platform_block_begin(p));
	r = wait_here(t, deadline, killable_only, &woken);
	platform_block_end(p, woken);
	atomic_store(&t->state, old);
	t->acct_mark = ktime_mono(t->kernel);
	return r;
}

int task_sleep(struct task *t, ktime_t deadline)
{
	return sleep_on(t, deadline, false);
}

int task_sleep_killable(struct task *t, ktime_t deadline)
{
	return sleep_on(t, deadline, true);
}

void task_wake(struct task *t)
{
	if (atomic_exchange(&t->wake_word, WAKE_DUE) != WAKE_SLEEPER)
		return;
	platform_waking(t->kernel->platform, atomic_load(&t->sleeper));
	host_futex_wake(&t->wake_word, 1);
}
