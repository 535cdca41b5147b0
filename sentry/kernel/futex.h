/*
 * futex.h - the part of futex(2) that the sentry serves.
 *
 * Waits and wake-ups run natively in the application (the platform lets them
 * through), so the host's queues are the only ones.  What the host cannot do for us is here:
 * priority-inheriting operations, whose words hold thread ids of the guest,
 * and the list of robust futexes of a dying thread.
 */
#pragma once
#include "platform/base/compiler.h"
#include "sentry/time/ktime.h"

struct task;
struct futex_table;

struct futex_table *futex_table_new(void) must_check;

/* LOCK_PI, LOCK_PI2 (@realtime false), TRYLOCK_PI, UNLOCK_PI. */
long futex_lock_pi(struct task *t, gaddr_t uaddr, ktime_t deadline, bool try_only) must_check;
long futex_unlock_pi(struct task *t, gaddr_t uaddr) must_check;
/* The word at @uaddr lost its owner, who died; and @t, marked as exiting, is no longer one to wait for. */
void futex_pi_died(struct task *t, gaddr_t uaddr);
void futex_pi_exit(struct task *t);
/* A thread dies: mark what it holds FUTEX_OWNER_DIED and wake a waiter of each. */
void futex_exit_robust(struct task *t);
/* Does its list name any?  (One of a corrupt list may be none.) */
bool futex_robust_held(struct task *t) must_check;
