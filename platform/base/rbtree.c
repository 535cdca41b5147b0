/*
 * rbtree.c - red-black balancing with parent links.
 *
 * Rules: the root is black, a red node has black children, and every path
 * down has the same number of black nodes.  Left and right cases are one
 * piece of code: child[dir] and child[!dir].
 */
#include "platform/base/rbtree.h"

#define RED 1u

static inline struct rb_node *parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_red & ~(uintptr_t)RED);
}

static inline bool is_red(const struct rb_node *n)
{
	return n && (n->parent_red & RED);
}

static inline void set_parent(struct rb_node *n, struct rb_node *p)
{
	n->parent_red = (uintptr_t)p | (n->parent_red & RED);
}

static inline void set_red(struct rb_node *n, bool red)
{
	n->parent_red = (n->parent_red & ~(uintptr_t)RED) | (red ? RED : 0);
}

/* Put @new where @old hangs below @p. */
static void replace_child(struct rb_root *root, struct rb_node *p, struct rb_node *old,
			  struct rb_node *new)
{
	if (p)
		p->child[p->child[1] == old] = new;
	else
		root->node = new;
}

/* child[!dir] of @n rises into its place; @n becomes its child[dir]. */
static void rotate(struct rb_root *root, struct rb_node *n, int dir)
{
	struct rb_node *up = n->child[!dir], *p = parent(n);

	n->child[!dir] = up->child[dir];
	if (up->child[dir])
		set_parent(up->child[dir], n);
	up->child[dir] = n;
	replace_child(root, p, n, up);
	set_parent(up, p);
	set_parent(n, up);
}

static void fix_after_add(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *p, *g;

	while ((p = parent(n)) && is_red(p)) {
		int dir;

		g = parent(p);          /* a red node is not the root */
		dir = g->child[1] == p;
		if (is_red(g->child[!dir])) {
			set_red(p, false);
			set_red(g->child[!dir], false);
			set_red(g, true);
			n = g;
			continue;
		}
		if (p->child[!dir] == n) {
			rotate(root, p, dir);
			p = n;
		}
		set_red(p, false);
		set_red(g, true);
		rotate(root, g, !dir);
		break;
	}
	set_red(root->node, false);
}

void rb_add(struct rb_root *root, struct rb_node *n, rb_less_fn *less)
{
	struct rb_node **link = &root->node, *p = NULL;

	while (*link) {
		p = *link;
		link = &p->child[!less(n, p)];
	}
	n->child[0] = n->child[1] = NULL;
	n->parent_red = (uintptr_t)p | RED;
	*link = n;
	fix_after_add(root, n);
}

/* Paths through @p's child @n (maybe NULL) lack one black node. */
static void fix_after_erase(struct rb_root *root, struct rb_node *n, struct rb_node *p)
{
	while (p && !is_red(n)) {
		int dir = p->child[1] == n;
		struct rb_node *s = p->child[!dir];     /* exists: its side has a black more */

		if (is_red(s)) {
			set_red(s, false);
			set_red(p, true);
			rotate(root, p, dir);
			s = p->child[!dir];
		}
		if (!is_red(s->child[0]) && !is_red(s->child[1])) {
			set_red(s, true);
			n = p;
			p = parent(n);
			continue;
		}
		if (!is_red(s->child[!dir])) {
			set_red(s->child[dir], false);
			set_red(s, true);
			rotate(root, s, !dir);
			s = p->child[!dir];
		}
		set_red(s, is_red(p));
		set_red(p, false);
		set_red(s->child[!dir], false);
		rotate(root, p, dir);
		return;
	}
	if (n)
		set_red(n, false);
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *gap, *p;        /* the node that moved up, and its new parent */
	bool red;

	if (n->child[0] && n->child[1]) {
		struct rb_node *s = n->child[1];        /* the successor takes n's place */

		while (s->child[0])
			s = s->child[0];
		red = is_red(s);
		gap = s->child[1];
		p = parent(s);
		if (p == n) {
			p = s;
		} else {
			p->child[0] = gap;
			if (gap)
				set_parent(gap, p);
			s->child[1] = n->child[1];
			set_parent(s->child[1], s);
		}
		s->child[0] = n->child[0];
		set_parent(s->child[0], s);
		replace_child(root, parent(n), n, s);
		s->parent_red = n->parent_red;
	} else {
		red = is_red(n);
		gap = n->child[0] ? n->child[0] : n->child[1];
		p = parent(n);
		replace_child(root, p, n, gap);
		if (gap)
			set_parent(gap, p);
	}
	if (!red)
		fix_after_erase(root, gap, p);
	rb_init_node(n);
}

struct rb_node *rb_find_first(const struct rb_root *root, const void *key, rb_from_fn *from)
{
	struct rb_node *n = root->node, *best = NULL;

	while (n) {
		if (from(n, key)) {
			best = n;
			n = n->child[0];
		} else {
			n = n->child[1];
		}
	}
	return best;
}

static struct rb_node *end(const struct rb_root *root, int dir)
{
	struct rb_node *n = root->node;

	while (n && n->child[dir])
		n = n->child[dir];
	return n;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return end(root, 0);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return end(root, 1);
}

static struct rb_node *step(const struct rb_node *n, int dir)
{
	struct rb_node *p;

	if (n->child[dir]) {
		p = n->child[dir];
		while (p->child[!dir])
			p = p->child[!dir];
		return p;
	}
	while ((p = parent(n)) && p->child[dir] == n)
		n = p;
	return p;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	return step(n, 1);
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	return step(n, 0);
}
