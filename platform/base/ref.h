/*
 * ref.h - a reference count that cannot be raised from the dead.
 *
 * Creation gives one reference, owned by the creator.  Each type writes its
 * own x_ref() and x_unref() in two lines, so that both can be grepped.
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/bug.h"

struct ref { _Atomic u32 n; };

static inline void ref_init(struct ref *r) { atomic_init(&r->n, 1); }

static inline void ref_get(struct ref *r)
{
	u32 old = atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);

	BUG_ON(old == 0 || old >= (1u << 30));
}

/* For caches that hold no reference: false when the object is already dying. */
static inline bool must_check ref_get_unless_zero(struct ref *r)
{
	u32 old = atomic_load_explicit(&r->n, memory_order_relaxed);

	while (old != 0)
		if (atomic_compare_exchange_weak(&r->n, &old, old + 1))
			return true;
	return false;
}

/* Is the caller's reference the only one?  Where nothing finds the object without one, nobody takes another then. */
static inline bool must_check ref_is_last(const struct ref *r)
{
	return atomic_load_explicit(&r->n, memory_order_acquire) == 1;
}

static inline bool must_check ref_put(struct ref *r)    /* true: that was the last one */
{
	u32 old = atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel);

	BUG_ON(old == 0);
	return old == 1;
}
