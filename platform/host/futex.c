/*
 * futex.c - futex(2) on our own words; see futex.h.
 *
 * FUTEX_WAIT_BITSET is used for its absolute deadline.
 */
#include "platform/host/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int host_futex_wait(_Atomic u32 *word, u32 val, s64 deadline)
{
	struct timespec ts, *tsp = NULL;

	if (deadline != INT64_MAX) {
		deadline = MAX(deadline, 0);
		ts = (struct timespec){ .tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000 };
		tsp = &ts;
	}
	if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, val, tsp, NULL,
		    FUTEX_BITSET_MATCH_ANY) < 0)
		return -errno;
	return 0;
}

void host_futex_wake(_Atomic u32 *word, int n)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}
