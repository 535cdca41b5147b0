/*
 * alloc_int.h - the arena's inside, shared by alloc.c (slabs) and alloc_span.c.
 *
 * Pages are named by their index from the arena's base; index 0 is the header
 * and so can mean "none".
 */
#pragma once
#include <stdatomic.h>
#include "platform/base/lock.h"

#define PAGE_BYTES     4096u
#define MAX_SLAB_OBJ   32768u           /* larger objects are spans */
#define MAX_SLAB_PAGES 16u
#define MAX_OBJS       256u             /* in one slab: bits in struct page */
#define MAX_CLASSES    512u
#define KBUF_CLASSES   40u              /* 16 bytes to 32 KiB */
#define SPAN_BINS      32u

enum page_kind { PAGE_NONE, PAGE_SLAB, PAGE_SPAN, PAGE_FREE };

struct page {
	u8 kind;                /* enum page_kind; of a span only the first and last page count */
	bool dirty;             /* free span: not known to be zero */
	u16 cls;                /* slab: its class */
	u16 back;               /* slab: pages back to the slab's first */
	u16 inuse;              /* slab, first page: objects in use */
	u32 next, prev;         /* slab: a list of the class; free span: its bin */
	u32 npages;             /* span: length */
	u32 pad;
	u64 used[MAX_OBJS / 64];
};

struct slab_class {
	struct mutex mu;        /* RANK_SLAB */
	u32 size, pages, per_slab;      /* immutable */
	u32 partial;            /* slabs with room that are in use */
	u32 spare;              /* empty slabs that still have memory */
	u32 bare;               /* empty slabs that have none */
	u32 backed;             /* slabs with memory */
	u32 stock;              /* in spare */
	u64 live;
	u64 type_hash;          /* immutable */
	char type[32];          /* immutable; for the debugger */
};

struct arena {
	char *base;             /* immutable */
	u32 npages;             /* immutable */
	struct mutex mu;        /* RANK_ARENA: everything below but the insides of classes */
	u32 next_page;          /* pages from here on were never used */
	u32 nr_classes;
	u64 spans;              /* live */
	u64 dirty_pages;        /* in free spans */
	_Atomic u64 fail_nth;
	u32 bins[SPAN_BINS];
	struct slab_class classes[MAX_CLASSES];
	struct page pages[];
};

static inline struct page *page_at(struct arena *a, u32 i) { return &a->pages[i]; }
static inline char *page_addr(struct arena *a, u32 i) { return a->base + (size_t)i * PAGE_BYTES; }

u32 kbuf_class_size(u32 i);
u32 kbuf_class_of(size_t n);
void class_setup(struct slab_class *c, const char *type, u64 type_hash, u32 size);

u32 arena_bump(struct arena *a, u32 n);         /* n fresh pages; 0: the arena is full */
void pages_to_host(struct arena *a, u32 first, u32 n);
void *span_alloc(struct arena *a, size_t bytes);
void span_free(struct arena *a, u32 first, const char *ptr);

/* Under the address sanitizer, what is free is out of bounds. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define arena_poison(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define arena_unpoison(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define arena_poison(p, n)   ((void)(p), (void)(n))
#define arena_unpoison(p, n) ((void)(p), (void)(n))
#endif

static inline void arena_poison_tail(void *p, size_t n, size_t have)
{
	n = ALIGN_UP(n, (size_t)8);
	if (n < have)
		arena_poison((char *)p + n, have - n);
}
