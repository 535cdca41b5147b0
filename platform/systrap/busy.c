/*
 * busy.c - a lock that may be held while its owner waits for a stub.
 *
 * Unlike a mutex it has no rank and no spinning: who must wait first lets another
 * worker receive, since what it waits for may need that.
 * The word is 0 (free), 1 (held) or 2 (held, and somebody sleeps).
 */
#include "platform/host/futex.h"
#include "platform/systrap/systrap.h"

bool busy_trylock(_Atomic u32 *word)
{
	u32 free = 0;

	return atomic_compare_exchange_strong(word, &free, 1);
}

void busy_lock(struct systrap *p, _Atomic u32 *word)
{
	if (busy_trylock(word))
		return;
	(void)platform_block_begin(&p->base);
	while (atomic_exchange(word, 2) != 0)
		(void)host_futex_wait(word, 2, INT64_MAX);
	platform_block_end(&p->base, false);
}

void busy_unlock(_Atomic u32 *word)
{
	if (atomic_exchange(word, 0) == 2)
		host_futex_wake(word, 1);
}
