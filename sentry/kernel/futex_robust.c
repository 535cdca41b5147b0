/*
 * futex_robust.c - robust futexes of a dying thread (get_robust_list(2)).
 *
 * The list lives in the application's memory and is hostile: at most
 * ROBUST_LIST_LIMIT entries are followed, and every access may fail.
 */
#include <errno.h>
#include <linux/futex.h>

#include "platform/platform.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/futex.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"

#define LIMIT 2048

struct robust_head { u64 next; s64 futex_offset; u64 pending; };

/* The word says who owns it: if that is @t, mark it and wake one waiter. */
static void handle_death(struct task *t, u64 uaddr, bool pi, bool pending_op)
{
	u32 val, self = (u32)pid_nr(t, t->tid);

	if ((uaddr & 3) || copy_in(t, &val, GADDR(uaddr), sizeof(val)) < 0)
		return;
	/* An unlock was in progress and the word is free already: a waiter may still sleep. */
	if (pending_op && !pi && val == 0) {
		(void)!aspace_futex_wake(t->ctx, GADDR(uaddr), 1, true);
		return;
	}
	while ((val & FUTEX_TID_MASK) == self) {
		u32 found = val, want = (val & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if (aspace_cas_u32(t->ctx, GADDR(uaddr), &found, want) < 0)
			return;
		if (found == val) {
			if (pi)
				futex_pi_died(t, GADDR(uaddr));
			else if (val & FUTEX_WAITERS)
				(void)!aspace_futex_wake(t->ctx, GADDR(uaddr), 1, true);
			return;
		}
		val = found;
	}
}

bool futex_robust_held(struct task *t)
{
	struct robust_head h;

	if (t->robust_list.v == 0 || copy_in(t, &h, t->robust_list, sizeof(h)) < 0)
		return false;
	return (h.next & ~1ull) != t->robust_list.v || (h.pending & ~1ull) != 0;
}

void futex_exit_robust(struct task *t)
{
	struct robust_head h;
	u64 entry, pending;

	if (t->robust_list.v == 0 || copy_in(t, &h, t->robust_list, sizeof(h)) < 0)
		return;
	entry = h.next;
	pending = h.pending & ~1ull;
	for (int n = 0; n < LIMIT && (entry & ~1ull) != t->robust_list.v; n++) {
		u64 next = 0, e = entry & ~1ull;
		bool ok = copy_in(t, &next, GADDR(e), sizeof(next)) == 0;

		/* The pending one is handled last, and once. */
		if (e != pending)
			handle_death(t, e + (u64)h.futex_offset, entry & 1, false);
		if (!ok)
			return;
		entry = next;
	}
	if (pending)
		handle_death(t, pending + (u64)h.futex_offset, h.pending & 1, true);
}
