/*
 * tidmap.h - pointers by the host's thread or process ids.
 *
 * A table of all ids there can be, in memory that is there only where it is used.
 * The kernel hands ids out in ascending order, so a sandbox that lives long goes through all of
 * them: a page whose ids have all gone is given back, once the newest id is in another one.
 *
 * Reading takes no lock.  The map owns none of the pointers, and lives as long as its process.
 *
 * Locks: mu (LEAF) guards the counts, and that no page with a pointer is given back.
 */
#pragma once
#include "platform/base/lock.h"

#define TIDMAP_MAX (1u << 22)           /* PID_MAX_LIMIT of 64-bit Linux: no id reaches it */

struct tidmap {
	_Atomic(void *) *at;            /* immutable; [TIDMAP_MAX] */
	u16 *live;                      /* guarded by mu: pointers in each page */
	struct mutex mu;
	u32 newest;                     /* guarded by mu: the page of the last id that was set; it stays */
};

int tidmap_init(struct tidmap *m) must_check;           /* -ENOMEM */
/* @id < TIDMAP_MAX, @v not NULL; whoever had this id before is replaced. */
void tidmap_set(struct tidmap *m, u32 id, void *v);
/* Take away what @id has, or only @v if that is not NULL. What was taken, or NULL. */
void *tidmap_take(struct tidmap *m, u32 id, void *v);

/* NULL, also for what is no id. */
static inline void *tidmap_get(const struct tidmap *m, s64 id)
{
	return id > 0 && id < TIDMAP_MAX ? atomic_load(&m->at[id]) : NULL;
}
