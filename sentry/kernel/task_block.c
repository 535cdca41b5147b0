/*
 * task_block.c - the one wait primitive of the sentry; see task.h.
 *
 * A task sleeps on its own wake_word.  Whoever has something for it stores
 * WAKE_DUE and, only if it found WAKE_SLEEPER, makes the host call.  The word is looked at before
 * the signals, and a sleeper announces itself by compare-and-swap, so a
 * wake-up or a signal that comes at any moment is seen.
 *
 * A task that waits for the network may receive from the links meanwhile: it is then a
 * WAKE_RECEIVER, and its own wake-up costs no host call when it took the frame in itself.
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

void task_count_asleep(struct task *t, enum wake how, int n)
{
	if (how == WAKE_NET_SLEEPER || how == WAKE_NET_PARKED)
		t->kernel->receive->asleep(t->kernel, n);
}

/* @woken: somebody's platform_waking() was for us.  @how: what we are meanwhile. */
static int wait_here(struct task *t, ktime_t deadline, bool killable_only, enum wake how, bool *woken)
{
	s64 host = deadline == KTIME_MAX ? deadline : deadline - t->kernel->mono_offset;

	*woken = false;
	for (;;) {
		u32 old = WAKE_NONE;
		bool announced;
		int r = 0;

		/* Announce first, then look at the signals: their sender wakes us. */
		task_count_asleep(t, how, 1);
		announced = atomic_compare_exchange_strong(&t->wake_word, &old, how);
		if (announced) {
			if (interrupted(t, killable_only))
				r = -ERESTARTSYS;
			else
				r = host_futex_wait(&t->wake_word, how, host);
		} else {
			task_count_asleep(t, how, -1);
		}
		*woken = announced;
		if (take_wake(t))
			return 0;
		old = how;
		if (!announced || atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_NONE))
			task_count_asleep(t, announced ? how : WAKE_NONE, -1);
		else if (take_wake(t))
			return 0;
		*woken = false;
		if (r == -ERESTARTSYS || r == -ETIMEDOUT)
			return r;
	}
}

/*
 * As wait_here(), by a task that receives from the links while it waits; -EAGAIN: it should not any more.
 * @also: see platform_block_watch().
 */
static int wait_receiving(struct task *t, ktime_t deadline, bool killable_only, u32 *ticket, hostfd_t also, bool *woken)
{
	s64 host = deadline == KTIME_MAX ? deadline : deadline - t->kernel->mono_offset;
	const struct receive_ops *rx = t->kernel->receive;
	int r = 0;

	*woken = false;
	for (;;) {
		u32 old = WAKE_NONE;
		bool announced;

		r = 0;
		announced = atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_RECEIVER);
		if (announced)
			r = interrupted(t, killable_only) ? -ERESTARTSYS : rx->wait(t->kernel, ticket, host, also);
		*woken = announced;
		if (take_wake(t))
			return 0;
		old = WAKE_RECEIVER;
		if (!atomic_compare_exchange_strong(&t->wake_word, &old, WAKE_NONE) && take_wake(t))
			return 0;
		*woken = false;
		if (announced && r >= 0 && r != RECEIVE_ALSO)
			task_net_luck(t, r & RECEIVE_FRAME);
		if (r > 0 && (r & RECEIVE_ALSO)) {
			(void)platform_block_begin(t->kernel->platform);
			also = HOSTFD_NONE;
		}
		if (r > 0 && (r & RECEIVE_FRAME) && !rx->receive(t->kernel))
			r = -EAGAIN;
		if (take_wake(t))
			return 0;
		if (r == -EAGAIN)
			return r;
		if (r == -ERESTARTSYS || r == -ETIMEDOUT)
			return r;
	}
}

/* Somewhere to sleep: at the links when the network is waited for and nobody is there, else on the word. */
static int wait_somewhere(struct task *t, ktime_t deadline, bool killable_only, bool *woken)
{
	const struct receive_ops *rx = t->by_net ? t->kernel->receive : NULL;
	struct platform *p = t->kernel->platform;
	u32 ticket = rx ? rx->begin(t->kernel) : 0;
	hostfd_t also;
	int r;

	if (!ticket) {
		atomic_store(&t->sleeper, platform_block_begin(p));
		return wait_here(t, deadline, killable_only, rx ? WAKE_NET_SLEEPER : WAKE_SLEEPER, woken);
	}
	atomic_store(&t->sleeper, platform_block_watch(p, &also));
	r = wait_receiving(t, deadline, killable_only, &ticket, also, woken);
	if (ticket)
		rx->end(t->kernel, ticket);
	if (r == -EAGAIN) {
		(void)platform_block_begin(p);
		r = wait_here(t, deadline, killable_only, WAKE_NET_SLEEPER, woken);
	}
	return r;
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
	r = wait_somewhere(t, deadline, killable_only, &woken);
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
	u32 old = atomic_exchange(&t->wake_word, WAKE_DUE);

	if (old == WAKE_NONE || old == WAKE_DUE)
		return;
	task_count_asleep(t, old, -1);
	if (old == WAKE_PARKED || old == WAKE_NET_PARKED) {
		ctx_again(t->ctx);      /* nobody's until now, so it is there.  Not so afterwards. */
		return;
	}
	platform_waking(t->kernel->platform, atomic_load(&t->sleeper));
	if (old == WAKE_RECEIVER)
		t->kernel->receive->poke(t->kernel);
	else
		host_futex_wake(&t->wake_word, 1);
}
