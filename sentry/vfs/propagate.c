/*
 * propagate.c - peer groups, masters and slaves: what happens at one mount happens at others (mount_namespaces(7)).
 *
 * Mounts of one peer group lie in a ring (peers) and bear its number (group; 0: not shared).  A slave names any
 * member of its master's group (master) and lies in that one's list (slaves); it may have a group of its own below.
 * Only members of trees are in rings and lists: who leaves his namespace leaves them too.
 *
 * A new mount below a member is copied to all members, as peers of each other, and down to the slaves, as slaves of
 * those copies.  Groups wait in a work list, so that a chain of slaves of any length needs no stack.
 * What was made or seen by the operation at hand bears v->stamp.
 *
 * Locks: everything under vfs->mu.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "sentry/vfs/mount_int.h"

/* ---- membership ---- */

static struct mount *next_peer(const struct mount *m)
{
	return list_entry(m->peers.next, struct mount, peers);
}

void prop_init(struct mount *m)
{
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave_node);
	list_init(&m->prop_node);
}

static void set_master(struct mount *m, struct mount *master)
{
	list_del_init(&m->slave_node);
	m->master = master;
	if (master)
		list_add(&m->slave_node, &master->slaves);
}

/* Whom the group's other members, or else the group's own master, make: the slaves of @m go with it. */
static struct mount *heir(struct mount *m)
{
	struct mount *p;

	if (list_empty(&m->peers))
		return m->master;
	for (p = next_peer(m); p != m; p = next_peer(p))
		if (p->root == m->root)
			return p;
	return next_peer(m);
}

static void leave_group_locked(struct mount *m)
{
	struct mount *up = heir(m);

	list_del_init(&m->peers);
	m->group = 0;
	while (!list_empty(&m->slaves))
		set_master(list_first(&m->slaves, struct mount, slave_node), up);
	set_master(m, up);
}

void prop_leave_locked(struct mount *m)
{
	if (m->group)
		leave_group_locked(m);
	set_master(m, NULL);
}

void prop_set_locked(struct vfs *v, struct mount *m, enum propagation prop)
{
	switch (prop) {
	case PROP_SHARED:
		if (!m->group)
			m->group = v->next_group++;
		m->unbindable = false;
		return;
	case PROP_SLAVE:
		if (m->group)
			leave_group_locked(m);
		m->unbindable = false;
		return;
	default:
		prop_leave_locked(m);
		m->unbindable = prop == PROP_UNBINDABLE;
	}
}

void prop_copied_locked(struct vfs *v, struct mount *m, struct mount *from, u32 how)
{
	m->stamp = v->stamp;
	if ((how & COPY_SLAVE) || ((how & COPY_SHARED_TO_SLAVE) && from->group)) {
		set_master(m, from);
	} else {
		m->group = from->group;
		if (from->group)
			list_add(&m->peers, &from->peers);
		set_master(m, from->master);
	}
	if ((how & COPY_MAKE_SHARED) && !m->group)
		m->group = v->next_group++;
	m->unbindable = from->unbindable;
}

int prop_from_locked(const struct mount *m)
{
	for (struct mount *up = m->master; up; up = up->master) {
		struct mount *p = up;

		do {
			if (p->ns == m->ns)
				return p->group;
			p = next_peer(p);
		} while (p != up);
	}
	return 0;
}

/* ---- whom it concerns ---- */

static bool takes_part(const struct vfs *v, const struct mount *p, struct dentry *point)
{
	return p->stamp != v->stamp && p->ns && !p->ns->detached && dentry_is_below(point, p->root);
}

/* The groups of slaves of @rep's group go to @work, once each. */
static void queue_slaves(struct vfs *v, struct mount *rep, struct mount *src, struct list_head *work)
{
	struct mount *p = rep, *s, *q;

	do {
		list_for_each(s, &p->slaves, slave_node) {
			if (s->stamp == v->stamp || s->queued == v->stamp)
				continue;
			q = s;
			do {
				q->queued = v->stamp;
				q = next_peer(q);
			} while (q != s);
			s->prop_src = src;
			list_add_tail(&s->prop_node, work);
		}
		p = next_peer(p);
	} while (p != rep);
}

static struct mount *take_group(struct list_head *work)
{
	struct mount *m = list_first(work, struct mount, prop_node);

	list_del_init(&m->prop_node);
	return m;
}

/* ---- mounting ---- */

/* Copies for the members of @rep's group; *first: the one that the others are peers of. */
static int copy_to_group(struct vfs *v, struct mount *rep, struct mount *dest, struct dentry *point,
                         struct mount **first, struct user_ns *owner, struct list_head *fresh)
{
	struct mount *p = rep, *c;
	u32 how;
	int r;

	do {
		if (p != dest && takes_part(v, p, point)) {
			how = (*first ? 0 : COPY_SLAVE) | (p->group ? COPY_MAKE_SHARED : 0);
			r = mount_copy_tree_locked(v, *first ? *first : rep->prop_src, how, p->ns, owner, &c);
			if (r < 0)
				return r;
			c->prop_src = p;
			list_add_tail(&c->prop_node, fresh);
			if (!*first)
				*first = c;
		}
		p = next_peer(p);
	} while (p != rep);
	return 0;
}

static int copy_to_all(struct vfs *v, struct mount *m, struct mount *dest, struct dentry *point,
                       struct list_head *fresh)
{
	struct list_head work = LIST_INIT(work);
	int r = 0;

	dest->prop_src = m;
	list_add_tail(&dest->prop_node, &work);
	while (!list_empty(&work)) {
		struct mount *rep = take_group(&work), *src = rep->prop_src, *first = rep == dest ? m : NULL;

		if (r == 0)
			r = copy_to_group(v, rep, dest, point, &first, dest->ns->ns.owner, fresh);
		if (r == 0)
			queue_slaves(v, rep, first ? first : src, &work);
	}
	return r;
}

struct mount *mount_next_locked(struct mount *m, const struct mount *top)
{
	return list_empty(&m->children) ? mount_past_locked(m, top) : list_first(&m->children, struct mount, sibling);
}

struct mount *mount_past_locked(struct mount *m, const struct mount *top)
{
	while (m != top && m->sibling.next == &m->parent->children)
		m = m->parent;
	return m == top ? NULL : list_entry(m->sibling.next, struct mount, sibling);
}

int prop_mount_locked(struct vfs *v, struct mount *m, struct mount *dest, struct dentry *point,
                      struct list_head *fresh, struct list_head *gone)
{
	int first_new = v->next_group, r;
	struct mount *x;

	if (!dest->group)
		return 0;
	v->stamp++;
	for (x = m; x; x = mount_next_locked(x, m)) {
		x->stamp = v->stamp;
		if (!x->group)
			x->group = v->next_group++;
	}
	r = copy_to_all(v, m, dest, point, fresh);
	if (r == 0)
		return 0;
	while (!list_empty(fresh))
		mount_dissolve_locked(take_group(fresh), gone);
	for (x = m; x; x = mount_next_locked(x, m))
		if (x->group >= first_new && list_empty(&x->peers))
			x->group = 0;
	return r;
}

void prop_commit_locked(struct list_head *fresh, struct dentry *point)
{
	while (!list_empty(fresh)) {
		struct mount *c = take_group(fresh);

		mount_link_below_locked(c, c->prop_src, point);
	}
}

bool prop_has_unbindable_locked(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top))
		if (m->unbindable)
			return true;
	return false;
}

/* ---- unmounting ---- */

/* What covers @m wholly, if nothing else is mounted in it. */
static struct mount *cover_of(const struct mount *m)
{
	struct mount *c = list_empty(&m->children) ? NULL : list_first(&m->children, struct mount, sibling);

	return c && c->point == m->root && c->sibling.next == &m->children ? c : NULL;
}

/* The mounts at the same point of all that follow @m's parent. */
static void find_copies(struct vfs *v, struct mount *m, void (*fn)(void *arg, struct mount *c), void *arg)
{
	struct list_head work = LIST_INIT(work);

	if (!m->parent || !m->parent->group)
		return;
	v->stamp++;
	list_add_tail(&m->parent->prop_node, &work);
	while (!list_empty(&work)) {
		struct mount *rep = take_group(&work), *p = rep, *c;

		do {
			c = p != m->parent && p->ns ? mount_child_locked(p, m->point) : NULL;
			if (c && c != m)
				fn(arg, c);
			p = next_peer(p);
		} while (p != rep);
		queue_slaves(v, rep, NULL, &work);
	}
}

static void check_busy(void *arg, struct mount *c)
{
	struct mount *cover = cover_of(c);

	if (!cover && !list_empty(&c->children))
		return;         /* stays */
	*(bool *)arg |= atomic_load(&c->ref.n) > (cover ? 2 : 1);
}

bool prop_busy_locked(struct vfs *v, struct mount *m)
{
	bool busy = false;

	find_copies(v, m, check_busy, &busy);
	return busy;
}

static void add_victim(void *arg, struct mount *c)
{
	if (c->victim || c->locked)
		return;
	c->victim = true;
	list_add_tail(&c->victim_node, arg);
}

static bool may_go(const struct mount *m)
{
	const struct mount *c;

	if (cover_of(m))
		return true;
	list_for_each(c, &m->children, sibling)
		if (!c->victim)
			return false;
	return true;
}

/* Those with something else mounted inside stay, and so what holds them in turn. */
static void spare_some(struct list_head *victims)
{
	struct list_head seen = LIST_INIT(seen);

	while (!list_empty(victims)) {
		struct mount *m = list_first(victims, struct mount, victim_node);

		list_del_init(&m->victim_node);
		list_add_tail(&m->victim_node, &seen);
		for (; m && !list_empty(&m->victim_node) && !may_go(m); m = m->parent) {
			m->victim = false;
			list_del_init(&m->victim_node);
		}
	}
	list_splice_tail_init(&seen, victims);
}

void prop_umount_locked(struct vfs *v, struct mount *top, struct list_head *gone)
{
	struct list_head victims = LIST_INIT(victims);
	struct mount *m;

	for (m = top; m; m = mount_next_locked(m, top)) {
		m->victim = true;       /* goes anyway */
		find_copies(v, m, add_victim, &victims);
	}
	spare_some(&victims);
	while (!list_empty(&victims)) {
		struct mount *cover;

		m = list_first(&victims, struct mount, victim_node);
		list_del_init(&m->victim_node);
		if (!m->ns)
			continue;       /* went with one above it */
		cover = cover_of(m);
		if (cover && !cover->victim)
			mount_relink_locked(cover, m->parent, m->point);
		mount_dissolve_locked(m, gone);
	}
}
