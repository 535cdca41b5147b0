/*
 * alloc.h - the arena: where every kernel object lives.
 *
 * One reserved range per process, cut into slabs that hold one type and one
 * size each, so that a stale pointer can only meet an object of its own type.
 * Memory is zeroed.  Failure is NULL, never an abort.  alloc_init() comes
 * first in every process and test; tests may make the n-th allocation fail.
 */
#pragma once
#include "platform/base/compiler.h"

/* Reserve the arena (@bytes of address space). 0 or -errno. */
int alloc_init(size_t bytes) must_check;

/* A zeroed object of @size bytes from the slabs of @type (a string literal). */
void *kmem_zalloc(size_t size, const char *type) must_check;
#define knew(T) ((T *)kmem_zalloc(sizeof(T), #T))

/* Zeroed bytes of any size (buffers, strings, arrays). */
void *kbuf_alloc(size_t n) must_check;
/* Array of n elements; NULL on overflow. */
void *kbuf_array(size_t n, size_t elem) must_check;
/* Grow or shrink; new bytes are zero. NULL: the old buffer stays. */
void *kbuf_realloc(void *p, size_t n) must_check;
char *kbuf_strdup(const char *s) must_check;

void kfree(void *p);                            /* NULL is fine; any of the above */

/* Tests: let the n-th allocation from now fail (0 = never), and count live ones. */
void alloc_fail_nth(u64 n);
u64 alloc_live(void);

static inline void kfree_p(void *p) { kfree(*(void **)p); }
#define auto_kfree cleanup_with(kfree_p)
