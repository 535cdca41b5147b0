/*
 * alloc_span.c - runs of pages for objects over 32 KiB.
 *
 * Free runs hang in bins by the power of two of their length and are merged
 * with their neighbours at once.  They keep their memory until more than
 * DIRTY_MAX pages are free; then all of it goes back to the host.  A clean
 * run is zero, so only dirty ones are cleared when reused.
 */
#include <string.h>
#include <sys/mman.h>

#include "platform/base/alloc_int.h"
#include "platform/base/bug.h"

#define DIRTY_MAX 256u          /* pages: 1 MiB */

void pages_to_host(struct arena *a, u32 first, u32 n)
{
	/* Failure keeps the memory: slabs are cleared on use anyway, spans stay dirty below. */
	(void)!madvise(page_addr(a, first), (size_t)n * PAGE_BYTES, MADV_DONTNEED);
}

static u32 bump_locked(struct arena *a, u32 n)
{
	u32 first = a->next_page;

	if (n > a->npages - first)
		return 0;
	a->next_page += n;
	return first;
}

u32 arena_bump(struct arena *a, u32 n)
{
	u32 first;

	mutex_lock(&a->mu);
	first = bump_locked(a, n);
	mutex_unlock(&a->mu);
	return first;
}

static u32 bin_of(u32 n)
{
	return 31 - (u32)__builtin_clz(n);
}

static void bin_add(struct arena *a, u32 first, u32 n, bool dirty)
{
	struct page *p = page_at(a, first), *last = page_at(a, first + n - 1);
	u32 *head = &a->bins[bin_of(n)];

	p->kind = last->kind = PAGE_FREE;
	p->npages = last->npages = n;
	p->dirty = dirty;
	p->prev = 0;
	p->next = *head;
	if (*head)
		page_at(a, *head)->prev = first;
	*head = first;
	if (dirty)
		a->dirty_pages += n;
}

static void bin_del(struct arena *a, u32 first)
{
	struct page *p = page_at(a, first);

	*(p->prev ? &page_at(a, p->prev)->next : &a->bins[bin_of(p->npages)]) = p->next;
	if (p->next)
		page_at(a, p->next)->prev = p->prev;
	if (p->dirty)
		a->dirty_pages -= p->npages;
	page_at(a, first + p->npages - 1)->kind = PAGE_NONE;
	p->kind = PAGE_NONE;
}

/* A free run of at least @n pages, cut to size; 0 if there is none. */
static u32 take_free(struct arena *a, u32 n, bool *ret_dirty)
{
	for (u32 b = bin_of(n); b < SPAN_BINS; b++) {
		for (u32 i = a->bins[b]; i; i = page_at(a, i)->next) {
			struct page *p = page_at(a, i);
			u32 have = p->npages;

			if (have < n)
				continue;
			*ret_dirty = p->dirty;
			bin_del(a, i);
			if (have > n)
				bin_add(a, i + n, have - n, *ret_dirty);
			return i;
		}
	}
	return 0;
}

void *span_alloc(struct arena *a, size_t bytes)
{
	size_t want = bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
	struct page *p;
	bool dirty = false;
	u32 first, n;
	char *ret;

	if (want >= a->npages)
		return NULL;
	n = (u32)want;
	mutex_lock(&a->mu);
	first = take_free(a, n, &dirty);
	if (first == 0)
		first = bump_locked(a, n);
	if (first != 0) {
		p = page_at(a, first);
		p->kind = PAGE_SPAN;
		page_at(a, first + n - 1)->kind = PAGE_SPAN;
		page_at(a, first + n - 1)->npages = 0;
		p->npages = n;
		a->spans++;
	}
	mutex_unlock(&a->mu);
	if (first == 0)
		return NULL;
	ret = page_addr(a, first);
	arena_unpoison(ret, (size_t)n * PAGE_BYTES);
	if (dirty)
		memset(ret, 0, (size_t)n * PAGE_BYTES);
	arena_poison_tail(ret, bytes, (size_t)n * PAGE_BYTES);
	return ret;
}

static void purge(struct arena *a)
{
	for (u32 b = 0; b < SPAN_BINS; b++) {
		for (u32 i = a->bins[b]; i; i = page_at(a, i)->next) {
			struct page *p = page_at(a, i);

			if (!p->dirty || madvise(page_addr(a, i), (size_t)p->npages * PAGE_BYTES,
						 MADV_DONTNEED) < 0)
				continue;
			p->dirty = false;
			a->dirty_pages -= p->npages;
		}
	}
}

void span_free(struct arena *a, u32 first, const char *ptr)
{
	struct page *p = page_at(a, first), *nb;
	u32 n;

	mutex_lock(&a->mu);
	BUG_ON(p->kind != PAGE_SPAN || ptr != page_addr(a, first) || p->npages == 0);
	n = p->npages;
	arena_poison(page_addr(a, first), (size_t)n * PAGE_BYTES);
	p->kind = PAGE_NONE;
	page_at(a, first + n - 1)->kind = PAGE_NONE;
	p->npages = 0;
	a->spans--;
	nb = page_at(a, first + n);
	if (first + n < a->next_page && nb->kind == PAGE_FREE) {
		u32 more = nb->npages;

		bin_del(a, first + n);
		n += more;
	}
	nb = page_at(a, first - 1);
	if (nb->kind == PAGE_FREE) {
		u32 less = nb->npages;

		bin_del(a, first - less);
		first -= less;
		n += less;
	}
	bin_add(a, first, n, true);
	if (a->dirty_pages > DIRTY_MAX)
		purge(a);
	mutex_unlock(&a->mu);
}
