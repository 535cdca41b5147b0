/*
 * resident.c - see resident.h.
 *
 * The host tells page by page, by move_pages(2) with nowhere to move them, in some 0.3 us each.  So some two thousand at
 * most are asked for, some of each map and more of larger ones, one of each part of equal length, anywhere in it (programs
 * touch each 16th page, too), and the others are taken to be like them: what is told of small programs is exact, of large ones
 * mostly within a few in a hundred.  Of a map so vast that a hit would stand for more than REACH
 * it counts for that much: those are sparse.
 *
 * It says what the process has in its page tables, never what others have of the file beneath.
 */
#include "sentry/mm/resident.h"

#include <errno.h>
#include <unistd.h>
#include "platform/platform.h"
#include "sentry/mm/mm.h"

#define EACH_MAX 256u                   /* of a map, whatever its size */
#define ALL_MAX  1024u                  /* about, in these parts of all maps together; */
#define BY_SIZE  1024u                  /* and so many are shared out by size, */
#define LARGE    (1ul << 18)            /* of which no more counts (pages) */
#define REACH    4096u                  /* pages */
#define BATCH    PRESENT_MAX

struct survey {
	struct aspace *as;
	u64 total;                      /* pages of all maps, LARGE of each at most */
	u64 each;                       /* of every map at least so many, if it has them */
	u64 at[BATCH];
	u32 n, hits;
};

static u64 pages_of(const struct resident_range *r) { return (r->end - r->start) / PAGE_SIZE; }

static void plan(struct survey *s, const struct resident_range *r, size_t n)
{
	u64 sum;

	s->total = 1;
	for (size_t i = 0; i < n; i++)
		s->total += MIN(pages_of(&r[i]), LARGE);
	for (s->each = EACH_MAX; s->each > 1; s->each /= 2) {
		sum = 0;
		for (size_t i = 0; i < n; i++)
			sum += MIN(pages_of(&r[i]), s->each);
		if (sum <= ALL_MAX)
			break;
	}
}

static int ask(struct survey *s)
{
	u32 hits = 0;
	int r = s->n ? aspace_present(s->as, s->at, s->n, &hits) : 0;

	s->n = 0;
	s->hits += hits;
	return r;
}

static int count_one(struct survey *s, struct resident_range *r)
{
	u64 pages = pages_of(r), k = MIN(pages, s->each + MIN(pages, LARGE) * BY_SIZE / s->total);
	int e = 0;

	s->hits = 0;
	for (u64 i = 0; i < k && e == 0; i++) {
		u64 from = i * pages / k, part = (i + 1) * pages / k - from;

		s->at[s->n++] = r->start + (from + (i * 0x9e3779b1u >> 7) % part) * PAGE_SIZE;
		if (s->n == BATCH)
			e = ask(s);
	}
	if (e == 0)
		e = ask(s);
	r->ret = k ? MIN(s->hits * MIN(pages / k, REACH) + s->hits * (pages % k) / k, pages) * PAGE_SIZE : 0;
	return e;
}

int resident_count(struct aspace *as, struct resident_range *r, size_t n)
{
	struct survey s = { .as = as };
	int e = 0;

	plan(&s, r, n);
	for (size_t i = 0; i < n && e == 0; i++)
		e = count_one(&s, &r[i]);
	return e;
}
