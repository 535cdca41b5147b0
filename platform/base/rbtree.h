/*
 * rbtree.h - a balanced search tree, embedded in what it orders.
 *
 * Insert with rb_add() and an ordering function; equal keys go after their
 * peers.  Look-ups walk the tree with rb_find_first(), which answers both
 * "find" and "first at or above".  The caller brings the lock.
 */
#pragma once
#include "platform/base/compiler.h"

struct rb_node {
	uintptr_t parent_red;   /* parent | 1 when red; an unlinked node points to itself */
	struct rb_node *child[2];
};

struct rb_root { struct rb_node *node; };

#define RB_ROOT ((struct rb_root){ NULL })
#define rb_entry(p, T, m) container_of(p, T, m)

static inline void rb_init_node(struct rb_node *n) { n->parent_red = (uintptr_t)n; }
static inline bool rb_is_linked(const struct rb_node *n) { return n->parent_red != (uintptr_t)n; }

/* True when @a comes before @b. */
typedef bool rb_less_fn(const struct rb_node *a, const struct rb_node *b);
/* False for the first part of the tree's order, true for the rest. */
typedef bool rb_from_fn(const struct rb_node *n, const void *key);

void rb_add(struct rb_root *root, struct rb_node *n, rb_less_fn *less);
void rb_erase(struct rb_root *root, struct rb_node *n);
/* The first node, in order, for which @from is true; NULL if there is none. */
struct rb_node *rb_find_first(const struct rb_root *root, const void *key, rb_from_fn *from);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
