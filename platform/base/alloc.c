/*
 * alloc.c - slabs of one type each, and spans of pages for what is large.
 *
 * The arena is one reservation: header, one struct page per 4 KiB page, then
 * the pages.  A class is a (type, size) pair; its slabs never serve another
 * class, so a stale pointer can only meet its own type, and only the memory
 * behind an empty slab goes back to the host, never its address.  Free
 * objects are known by a bitmap in struct page, not by links inside them,
 * which an overflow could reach.  Large spans are reused and merged among
 * themselves.
 *
 * Locks:  class->mu (RANK_SLAB) guards the class and the struct pages of its
 *         slabs; arena->mu (RANK_ARENA) the spans and the making of classes.
 * State:  all of it lies in the arena, except the pointer to it and a cache
 *         of type names' addresses, which both can be made again.
 */
#include "platform/base/alloc.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "platform/base/alloc_int.h"
#include "platform/base/bitmap.h"
#include "platform/base/bug.h"
#include "platform/base/lock.h"
#include "platform/base/str.h"

static struct arena *arena;

/* Type name addresses seen so far; two names of one text lead to one class. */
static struct {
	_Atomic(const char *) type;
	u32 size;
	u32 cls;
} type_cache[512];

#define CACHE_PROBES 8

int alloc_init(size_t bytes)
{
	size_t npages = bytes / PAGE_BYTES, meta;
	struct arena *a;

	if (arena)
		return 0;
	if (npages < 64 || npages > UINT32_MAX)
		return -EINVAL;
	a = mmap(NULL, npages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a == MAP_FAILED)
		return -errno;
	/* A huge page for the first byte would cost an idle sandbox 2 MiB. */
	(void)!madvise(a, npages * PAGE_BYTES, MADV_NOHUGEPAGE);
	meta = ALIGN_UP(sizeof(*a) + npages * sizeof(struct page), (size_t)PAGE_BYTES) / PAGE_BYTES;
	if (meta >= npages)
		return -EINVAL;
	a->base = (char *)a;
	a->npages = (u32)npages;
	a->next_page = (u32)meta;
	a->nr_classes = KBUF_CLASSES;
	mutex_init(&a->mu, RANK_ARENA);
	for (u32 i = 0; i < KBUF_CLASSES; i++)
		class_setup(&a->classes[i], "kbuf", 0, kbuf_class_size(i));
	arena = a;
	return 0;
}

/* ---- classes --------------------------------------------------------------- */

/* Sizes 16, 32, ..., 128, then four steps to each doubling, up to 32 KiB. */
u32 kbuf_class_size(u32 i)
{
	u32 step, doubling;

	if (i < 8)
		return (i + 1) * 16;
	doubling = (i - 8) / 4;
	step = (i - 8) % 4;
	return (128u << doubling) + (step + 1) * (32u << doubling);
}

u32 kbuf_class_of(size_t n)
{
	u32 log;

	if (n <= 128)
		return n == 0 ? 0 : (u32)(n - 1) / 16;
	log = 63 - (u32)__builtin_clzll(n - 1);         /* 2^log < n <= 2^(log+1), log >= 7 */
	return 8 + (log - 7) * 4 + (u32)((n - 1 - ((size_t)1 << log)) >> (log - 2));
}

void class_setup(struct slab_class *c, const char *type, u64 type_hash, u32 size)
{
	u32 pages = 1;

	/* The fewest pages that waste at most a 32nd and hold at most MAX_OBJS. */
	while (pages < MAX_SLAB_PAGES &&
	       (pages * PAGE_BYTES < size || pages * PAGE_BYTES % size > pages * PAGE_BYTES / 32))
		pages++;
	mutex_init(&c->mu, RANK_SLAB);
	c->size = size;
	c->pages = pages;
	c->per_slab = MIN(pages * PAGE_BYTES / size, MAX_OBJS);
	c->type_hash = type_hash;
	c->partial = c->spare = c->bare = 0;
	(void)str_copy(c->type, sizeof(c->type), type);
}

static u64 name_hash(const char *s)
{
	u64 h = 0xcbf29ce484222325u;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

/* The class of this text and size, made if it is new; NULL when there are too many. */
static struct slab_class *class_by_name(const char *type, u32 size)
{
	u64 h = name_hash(type);
	struct slab_class *c;

	for (u32 i = KBUF_CLASSES; i < arena->nr_classes; i++) {
		c = &arena->classes[i];
		if (c->type_hash == h && c->size == size)
			return c;
	}
	if (arena->nr_classes == MAX_CLASSES)
		return NULL;
	c = &arena->classes[arena->nr_classes++];
	class_setup(c, type, h, size);
	return c;
}

static struct slab_class *class_of_type(const char *type, u32 size)
{
	size_t mask = ARRAY_SIZE(type_cache) - 1;
	size_t h = ((uintptr_t)type >> 2 ^ (uintptr_t)type >> 11) + size;
	struct slab_class *c;

	for (size_t i = h; i < h + CACHE_PROBES; i++) {
		const char *t = atomic_load_explicit(&type_cache[i & mask].type, memory_order_acquire);

		if (t == type && type_cache[i & mask].size == size)
			return &arena->classes[type_cache[i & mask].cls];
		if (!t)
			break;
	}
	mutex_lock(&arena->mu);
	c = class_by_name(type, size);
	for (size_t i = h; c && i < h + CACHE_PROBES; i++) {
		if (atomic_load_explicit(&type_cache[i & mask].type, memory_order_relaxed))
			continue;
		type_cache[i & mask].size = size;
		type_cache[i & mask].cls = (u32)(c - arena->classes);
		atomic_store_explicit(&type_cache[i & mask].type, type, memory_order_release);
		break;
	}
	mutex_unlock(&arena->mu);
	return c;
}

/* ---- slabs ----------------------------------------------------------------- */

static void slab_unlink(u32 *list, u32 i)
{
	struct page *p = page_at(arena, i);

	*(p->prev ? &page_at(arena, p->prev)->next : list) = p->next;
	if (p->next)
		page_at(arena, p->next)->prev = p->prev;
	p->next = p->prev = 0;
}

static void slab_link(u32 *list, u32 i)
{
	struct page *p = page_at(arena, i);

	p->prev = 0;
	p->next = *list;
	if (*list)
		page_at(arena, *list)->prev = i;
	*list = i;
}

static bool slab_grow(struct slab_class *c)
{
	u32 first = arena_bump(arena, c->pages);

	if (first == 0)
		return false;
	for (u32 i = 0; i < c->pages; i++) {
		struct page *p = page_at(arena, first + i);

		p->kind = PAGE_SLAB;
		p->cls = (u16)(c - arena->classes);
		p->back = (u16)i;
	}
	slab_link(&c->bare, first);
	return true;
}

/* An empty slab goes into use: one with memory if there is any.  0: the arena is full. */
static u32 slab_take(struct slab_class *c)
{
	u32 first = c->spare;

	if (first) {
		slab_unlink(&c->spare, first);
		c->stock--;
	} else {
		if (c->bare == 0 && !slab_grow(c))
			return 0;
		first = c->bare;
		slab_unlink(&c->bare, first);
		c->backed++;
	}
	slab_link(&c->partial, first);
	return first;
}

/* What is in use is filled up before an empty slab is begun, lest a few objects each hold many. */
static void *slab_alloc(struct slab_class *c)
{
	struct page *p;
	size_t obj;
	u32 first;
	char *ret;

	mutex_lock(&c->mu);
	first = c->partial ? c->partial : slab_take(c);
	if (first == 0) {
		mutex_unlock(&c->mu);
		return NULL;
	}
	p = page_at(arena, first);
	obj = bitmap_next_clear(p->used, c->per_slab, 0);
	bitmap_set(p->used, obj);
	p->inuse++;
	c->live++;
	if (p->inuse == c->per_slab)
		slab_unlink(&c->partial, first);
	mutex_unlock(&c->mu);

	ret = page_addr(arena, first) + obj * c->size;
	arena_unpoison(ret, c->size);
	memset(ret, 0, c->size);
	return ret;
}

/*
 * An empty slab keeps its memory while the class has few such: an eighth of what it uses *now*, so that
 * what a burst took is given back when the burst is over.
 */
static void slab_is_empty(struct slab_class *c, u32 first)
{
	slab_unlink(&c->partial, first);
	slab_link(&c->spare, first);
	c->stock++;
	while (c->stock > c->backed / 8 + 1) {
		u32 next = page_at(arena, c->spare)->next, i = next ? next : c->spare; /* the first is warm */

		slab_unlink(&c->spare, i);
		slab_link(&c->bare, i);
		pages_to_host(arena, i, c->pages);
		c->stock--;
		c->backed--;
	}
}

static void slab_free(u32 idx, char *ptr)
{
	u32 first = idx - page_at(arena, idx)->back;
	struct page *p = page_at(arena, first);
	struct slab_class *c = &arena->classes[p->cls];
	size_t off = (size_t)(ptr - page_addr(arena, first)), obj = off / c->size;

	mutex_lock(&c->mu);
	BUG_ON(off % c->size != 0 || obj >= c->per_slab || !bitmap_test(p->used, obj));
	arena_poison(ptr, c->size);
	bitmap_clear(p->used, obj);
	c->live--;
	if (p->inuse == c->per_slab)
		slab_link(&c->partial, first);
	if (--p->inuse == 0)
		slab_is_empty(c, first);
	mutex_unlock(&c->mu);
}

/* ---- the interface --------------------------------------------------------- */

static bool fail_this_one(void)
{
	u64 n = atomic_load_explicit(&arena->fail_nth, memory_order_relaxed);

	return unlikely(n != 0) && atomic_fetch_sub(&arena->fail_nth, 1) == 1;
}

void *kmem_zalloc(size_t size, const char *type)
{
	struct slab_class *c;
	void *p;

	if (fail_this_one())
		return NULL;
	if (size > MAX_SLAB_OBJ)
		return span_alloc(arena, size);
	c = class_of_type(type, (u32)ALIGN_UP(MAX(size, (size_t)1), (size_t)16));
	p = c ? slab_alloc(c) : NULL;
	if (p)
		arena_poison_tail(p, size, c->size);
	return p;
}

void *kbuf_alloc(size_t n)
{
	void *p;

	if (fail_this_one())
		return NULL;
	if (n > MAX_SLAB_OBJ)
		return span_alloc(arena, n);
	p = slab_alloc(&arena->classes[kbuf_class_of(n)]);
	if (p)
		arena_poison_tail(p, n, kbuf_class_size(kbuf_class_of(n)));
	return p;
}

void *kbuf_array(size_t n, size_t elem)
{
	size_t bytes;

	return mul_overflows(n, elem, &bytes) ? NULL : kbuf_alloc(bytes);
}

static u32 index_of(const void *p)
{
	size_t i = (size_t)((const char *)p - arena->base) / PAGE_BYTES;

	BUG_ON((const char *)p < arena->base || i >= arena->npages);
	return (u32)i;
}

static size_t usable(const void *p)
{
	const struct page *pg = page_at(arena, index_of(p));

	if (pg->kind == PAGE_SLAB)
		return arena->classes[pg->cls].size;
	BUG_ON(pg->kind != PAGE_SPAN);
	return (size_t)pg->npages * PAGE_BYTES;
}

void *kbuf_realloc(void *p, size_t n)
{
	size_t have;
	void *q;

	if (!p)
		return kbuf_alloc(n);
	have = usable(p);
	if (n <= have && n > have / 4) {
		/* Zero what a later growth in place would uncover. */
		arena_unpoison(p, have);
		memset((char *)p + n, 0, have - n);
		arena_poison_tail(p, n, have);
		return p;
	}
	q = kbuf_alloc(n);
	if (!q)
		return NULL;
	arena_unpoison(p, have);
	memcpy(q, p, MIN(n, have));
	kfree(p);
	return q;
}

char *kbuf_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = kbuf_alloc(n);

	if (p)
		memcpy(p, s, n);
	return p;
}

void kfree(void *p)
{
	u32 i;

	if (!p)
		return;
	i = index_of(p);
	if (page_at(arena, i)->kind == PAGE_SLAB)
		slab_free(i, p);
	else
		span_free(arena, i, p);
}

void alloc_fail_nth(u64 n)
{
	atomic_store(&arena->fail_nth, n);
}

u64 alloc_live(void)
{
	u64 n = 0;
	u32 classes;

	mutex_lock(&arena->mu);
	n += arena->spans;
	classes = arena->nr_classes;
	mutex_unlock(&arena->mu);
	for (u32 i = 0; i < classes; i++) {
		mutex_lock(&arena->classes[i].mu);
		n += arena->classes[i].live;
		mutex_unlock(&arena->classes[i].mu);
	}
	return n;
}
