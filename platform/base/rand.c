/*
 * rand.c - getrandom(2), retried over interruption and short answers.
 */
#include "platform/base/rand.h"

#include <errno.h>
#include <sys/random.h>

#include "platform/base/bug.h"

void rand_bytes(void *p, size_t n)
{
	char *c = p;

	while (n > 0) {
		ssize_t r = getrandom(c, n, 0);

		BUG_ON(r < 0 && errno != EINTR);
		if (r > 0) {
			c += r;
			n -= (size_t)r;
		}
	}
}

u64 rand_u64(void)
{
	u64 v = 0;

	rand_bytes(&v, sizeof(v));
	return v;
}

u64 rand_below(u64 limit)
{
	/* Values under 2^64 mod limit would be favoured: draw again. */
	u64 reject = -limit % limit, v;

	do {
		v = rand_u64();
	} while (v < reject);
	return v % limit;
}
