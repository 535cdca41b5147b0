/*
 * mount.c - mounts and mount namespaces: life, and the shape of the tree.
 *
 * The tree changes only here, under vfs->mu.  References that a change sets
 * free are collected and dropped after the lock, since the last one of a mount
 * may call into its file system.  What a change means elsewhere is propagate.c's.
 */
#include <errno.h>
#include <linux/capability.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/mount_ops.h"

int vfs_init(struct kernel *k)
{
	struct hash_key key;
	struct vfs *v;

	if (k->vfs)
		return 0;
	v = knew(struct vfs);
	if (!v)
		return -ENOMEM;
	mutex_init(&v->mu, RANK_MOUNT);
	mutex_init(&v->locks_mu, RANK_FILE);
	mutex_init(&v->notify_mu, RANK_NOTIFY);
	list_init(&v->inotify_users);
	list_init(&v->lock_waiters);
	list_init(&v->anon_locks);
	hash_key_init(&key);
	v->places_key = key.k[0];
	htable_init(&v->places);
	v->next_id = 20;
	v->next_group = 1;
	v->stamp = 1;
	k->vfs = v;
	return 0;
}

struct vfs *mount_vfs(const struct mount *m)
{
	return m->sb->kernel->vfs;
}

u32 mount_flags(const struct mount *m)
{
	return atomic_load_explicit(&m->flags, memory_order_relaxed);
}

/* In no tree yet; one reference. */
struct mount *mount_new(struct super *sb, struct dentry *root, u32 flags, const char *source)
{
	struct mount *m = knew(struct mount);

	if (!m)
		return NULL;
	m->source = kbuf_strdup(source ? source : "none");
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	ref_init(&m->ref);
	m->sb = super_ref(sb);
	atomic_fetch_add(&sb->nmounts, 1);
	m->root = dentry_ref(root);
	atomic_init(&m->flags, flags);
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->ns_node);
	list_init(&m->victim_node);
	prop_init(m);
	return m;
}

int mount_alone(struct super *sb, struct inode *i, struct path *ret)
{
	int r = -ENOMEM;

	*ret = (struct path){ 0 };
	if (i)
		r = dentry_root(sb, i, &ret->dentry);
	if (r < 0)
		return r;
	ret->mnt = mount_new(sb, ret->dentry, 0, sb->source);
	if (ret->mnt) {
		ret->mnt->internal = true;
		return 0;
	}
	dentry_unref(ret->dentry);
	return -ENOMEM;
}

struct mount *mount_ref(struct mount *m)
{
	ref_get(&m->ref);
	return m;
}

/* Those that were locked in a tree that was taken off are kept by what they cover: see mount_dissolve_locked(). */
static void drop_kept(struct mount *m, struct list_head *dead)
{
	while (!list_empty(&m->children)) {
		struct mount *c = list_first(&m->children, struct mount, sibling);

		list_del_init(&c->sibling);
		atomic_fetch_sub(&c->point->nmounts, 1);
		c->point = dentry_unref(c->point);
		if (ref_put(&c->ref))
			list_add(&c->ns_node, dead);
	}
}

struct mount *mount_unref(struct mount *m)
{
	struct list_head dead = LIST_INIT(dead);

	if (!m || !ref_put(&m->ref))
		return NULL;
	list_add(&m->ns_node, &dead);
	while (!list_empty(&dead)) {
		m = list_first(&dead, struct mount, ns_node);
		list_del_init(&m->ns_node);
		drop_kept(m, &dead);
		if (atomic_fetch_sub(&m->sb->nmounts, 1) == 1)
			dcache_drop_all(m->sb);
		dentry_unref(m->root);
		super_unref(m->sb);
		kfree(m->source);
		kfree(m);
	}
	return NULL;
}

void path_get(const struct path *p)
{
	mount_ref(p->mnt);
	dentry_ref(p->dentry);
}

void path_put(struct path *p)
{
	dentry_unref(p->dentry);
	mount_unref(p->mnt);
	*p = (struct path){ 0 };
}

struct inode *path_inode(const struct path *p)
{
	return p->dentry->inode;
}

bool path_is_deleted(const struct path *p)
{
	return dentry_is_deleted(p->dentry);
}

bool path_is_mount_root(const struct path *p)
{
	return p->dentry == p->mnt->root;
}

/* ---- crossing ---- */

static u64 place_hash(const struct vfs *v, const struct mount *parent, const struct dentry *point)
{
	/* Nobody outside chooses addresses, or learns them. */
	u64 h = ((u64)(uintptr_t)parent ^ v->places_key) * 0x9e3779b97f4a7c15ull ^ (u64)(uintptr_t)point * 0xc2b2ae3d27d4eb4full;

	return h ^ h >> 32;
}

struct mount *mount_child_locked(struct mount *m, const struct dentry *at)
{
	struct vfs *v = mount_vfs(m);

	struct mount *c;

	if (!m->ns) {           /* only what is kept from then, see mount_dissolve_locked() */
		list_for_each(c, &m->children, sibling)
			if (c->point == at)
				return c;
		return NULL;
	}
	for (struct hnode *n = htable_find(&v->places, place_hash(v, m, at)); n; n = htable_find_next(n)) {
		c = hnode_entry(n, struct mount, place);
		if (c->parent == m && c->point == at)
			return c;
	}
	return NULL;
}

/* What is seen at @p: the topmost mount there. No references. */
static struct path topmost_locked(struct path p)
{
	struct mount *c;

	while ((c = mount_child_locked(p.mnt, p.dentry)))
		p = (struct path){ c, c->root };
	return p;
}

bool mount_cross(struct path *p)
{
	bool crossed = false;

	while (atomic_load_explicit(&p->dentry->nmounts, memory_order_acquire) > 0) {
		struct vfs *v = mount_vfs(p->mnt);
		struct path old = *p;
		struct mount *c;

		mutex_lock(&v->mu);
		c = mount_child_locked(p->mnt, p->dentry);
		if (c) {
			p->mnt = mount_ref(c);
			p->dentry = dentry_ref(c->root);
		}
		mutex_unlock(&v->mu);
		if (!c)
			break;
		path_put(&old);
		crossed = true;
	}
	return crossed;
}

bool mount_up(struct path *p)
{
	struct vfs *v = mount_vfs(p->mnt);
	struct path up = { 0 };

	mutex_lock(&v->mu);
	if (p->mnt->parent) {
		up.mnt = mount_ref(p->mnt->parent);
		up.dentry = dentry_ref(p->mnt->point);
	}
	mutex_unlock(&v->mu);
	if (!up.mnt)
		return false;
	path_put(p);
	*p = up;
	return true;
}

/* ---- the tree ---- */

static void ns_changed_locked(struct mnt_ns *ns)
{
	atomic_fetch_add(&ns->changes, 1);
	waitq_wake(&ns->wq, POLLPRI | POLLERR);
}

static void enter_ns_locked(struct mount *m, struct mnt_ns *ns)
{
	m->ns = ns;
	list_add_tail(&m->ns_node, &ns->mounts);
	ns->count++;
	ns_changed_locked(ns);
}

static void link_locked(struct mount *m, struct mount *parent, struct dentry *point)
{
	struct vfs *v = mount_vfs(m);

	m->parent = mount_ref(parent);
	m->point = dentry_ref(point);
	atomic_fetch_add(&point->nmounts, 1);
	list_add(&m->sibling, &parent->children);
	htable_add(&v->places, &m->place, place_hash(v, parent, point));
}

/* What link_locked() did for the lists. */
static void leave_place_locked(struct mount *m)
{
	if (m->parent)
		htable_del(&mount_vfs(m)->places, &m->place);
	list_del_init(&m->sibling);
}

/* The parent and point that @m leaves are the caller's to drop. */
static struct path unlink_locked(struct mount *m)
{
	struct path old = { m->parent, m->point };

	leave_place_locked(m);
	if (m->point)
		atomic_fetch_sub(&m->point->nmounts, 1);
	m->parent = NULL;
	m->point = NULL;
	return old;
}

static struct mount *leaf_of(struct mount *m)
{
	while (!list_empty(&m->children))
		m = list_first(&m->children, struct mount, sibling);
	return m;
}

static void leave_ns_locked(struct mount *m)
{
	if (m->ns) {
		m->ns->count--;
		ns_changed_locked(m->ns);
		if (m->ns->root == m)
			m->ns->root = NULL;
		m->ns = NULL;
	}
	prop_leave_locked(m);
	list_del_init(&m->victim_node);
	list_del_init(&m->ns_node);
}

/*
 * Take @top and all below it out of their namespace, leaves first.  Nobody can walk into them any more, nor out of
 * them upwards: parent and point are put_tree()'s alone; but for locked ones, which keep
 * covering what they cover from those who hold the mount below.
 */
void mount_dissolve_locked(struct mount *top, struct list_head *gone)
{
	struct list_head kept = LIST_INIT(kept);
	struct mount *m, *up;

	for (m = leaf_of(top); m; m = m == top ? NULL : leaf_of(up)) {
		up = m->parent;
		leave_place_locked(m);
		leave_ns_locked(m);
		if (m != top && m->locked) {
			list_add_tail(&m->ns_node, &kept);
			continue;
		}
		if (m->point)
			atomic_fetch_sub(&m->point->nmounts, 1);
		m->parent = NULL;
		m->was_in = up;
		list_add_tail(&m->ns_node, gone);
	}
	while (!list_empty(&kept)) {
		m = list_first(&kept, struct mount, ns_node);
		up = m->parent;
		list_del_init(&m->ns_node);
		m->parent = NULL;
		list_add_tail(&m->sibling, &up->children);
		/* Never the last one: what was the namespace's is @gone's or its own parent's now. */
		mount_unref(up);
	}
}

static void put_tree(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct mount *m = list_first(gone, struct mount, ns_node);
		struct path up = { m->was_in, m->point };

		list_del_init(&m->ns_node);
		m->was_in = NULL;
		m->point = NULL;
		mount_unref(m);
		if (up.mnt)
			path_put(&up);
	}
}

/* The place that @m leaves is held by others, too: nothing is freed here. */
void mount_relink_locked(struct mount *m, struct mount *parent, struct dentry *point)
{
	struct path old = unlink_locked(m);

	link_locked(m, parent, point);
	path_put(&old);
}

void mount_link_below_locked(struct mount *m, struct mount *parent, struct dentry *point)
{
	struct mount *there = mount_child_locked(parent, point);
	struct path top = { m, m->root };

	top = topmost_locked(top);
	link_locked(m, parent, point);
	if (there)
		mount_relink_locked(there, top.mnt, top.dentry);
}

static struct mount *clone_locked(struct vfs *v, struct mount *from, struct dentry *root, u32 how)
{
	struct mount *m = mount_new(from->sb, root, mount_flags(from), from->source);

	if (m) {
		m->id = v->next_id++;
		prop_copied_locked(v, m, from, how);
		m->locked_flags = from->locked_flags;
	}
	return m;
}

/* Whoever owns the copy must not undo what the owner of the original arranged. */
static void lock_copy(struct mount *m, const struct mount *from, const struct mnt_ns *ns,
                      const struct user_ns *owner, bool top)
{
	bool foreign = !ns->detached && owner && owner != ns->ns.owner;

	if (foreign)
		m->locked_flags |= mount_flags(from) & MNT_LOCKABLE;
	m->locked = !top && (foreign || from->locked);
}

static bool has_locked_below(const struct mount *m, struct dentry *root)
{
	const struct mount *c;

	list_for_each(c, &m->children, sibling)
		if (c->locked && dentry_is_below(c->point, root))
			return true;
	return false;
}

/*
 * A copy of the tree at (@from, @root), in the namespace @ns (of which it becomes
 * no part of the tree yet).  Breadth first along ns->mounts, where each copy
 * remembers its original until the next copy starts.
 */
static int copy_tree_locked(struct vfs *v, struct mount *from, struct dentry *root, bool recursive, u32 how,
                            struct mnt_ns *ns, const struct user_ns *owner, struct mount **ret)
{
	bool named = !(how & COPY_NAMES) && nsfs_mnt_ns(root->inode);
	struct mount *top = !named && ns->count < MOUNTS_MAX ? clone_locked(v, from, root, how) : NULL, *m, *c;
	struct list_head gone = LIST_INIT(gone);
	int r;

	if (named)
		return -EINVAL;
	if (!top)
		return -ENOSPC;
	top->copy_of = from;
	lock_copy(top, from, ns, owner, true);
	enter_ns_locked(top, ns);
	for (m = top; recursive; m = list_entry(m->ns_node.next, struct mount, ns_node)) {
		list_for_each(c, &m->copy_of->children, sibling) {
			struct mount *n;

			if (m == top && !dentry_is_below(c->point, root))
				continue;
			if ((c->unbindable && !(how & COPY_UNBINDABLE) && !c->locked) ||
			    (!(how & COPY_NAMES) && nsfs_mnt_ns(c->root->inode)))
				continue;
			/* Without a locked one what it covers would be seen. */
			r = c->unbindable && !(how & COPY_UNBINDABLE) ? -EPERM : -ENOSPC;
			n = r != -EPERM && ns->count < MOUNTS_MAX ? clone_locked(v, c, c->root, how) : NULL;
			if (!n) {
				mount_dissolve_locked(top, &gone);
				put_tree(&gone);
				return r;
			}
			n->copy_of = c;
			lock_copy(n, c, ns, owner, false);
			enter_ns_locked(n, ns);
			link_locked(n, m, c->point);
		}
		if (m->ns_node.next == &ns->mounts)
			break;
	}
	*ret = top;
	return 0;
}

int mount_copy_tree_locked(struct vfs *v, struct mount *from, u32 how, struct mnt_ns *ns, struct user_ns *owner,
                           struct mount **ret)
{
	struct mount *m;
	int r = copy_tree_locked(v, from, from->root, true, how, ns, owner, ret);

	for (m = r < 0 ? NULL : *ret; m; m = mount_next_locked(m, *ret))
		m->copy_of = NULL;
	return r;
}

/* ---- namespaces ---- */

static void ns_release(struct ns *ns)
{
	struct mnt_ns *mn = container_of(ns, struct mnt_ns, ns);
	struct list_head gone = LIST_INIT(gone);

	mutex_lock(&mn->kernel->vfs->mu);
	while (!list_empty(&mn->mounts)) {
		struct mount *m = list_first(&mn->mounts, struct mount, ns_node);

		while (m->parent && m->parent->ns == mn)
			m = m->parent;
		mount_dissolve_locked(m, &gone);
	}
	mutex_unlock(&mn->kernel->vfs->mu);
	put_tree(&gone);
	ns_done(ns);
	kfree(mn);
}

/* @owner NULL: a tree that is in no namespace, or the first one's. */
static struct mnt_ns *ns_alloc(struct kernel *k, struct user_ns *owner)
{
	struct mnt_ns *ns = knew(struct mnt_ns);

	if (!ns)
		return NULL;
	if (ns_init(&ns->ns, k, NS_MNT, owner, ns_release) < 0) {
		kfree(ns);
		return NULL;
	}
	ns->kernel = k;
	list_init(&ns->mounts);
	waitq_init(&ns->wq);
	return ns;
}

static void ns_discard(struct mnt_ns *ns)
{
	ns_done(&ns->ns);
	kfree(ns);
}

struct ns *mnt_ns_common(struct mnt_ns *ns) { return &ns->ns; }
struct mnt_ns *mnt_ns_of(struct ns *ns) { return container_of(ns, struct mnt_ns, ns); }

int mnt_ns_new(struct kernel *k, struct super *sb, struct inode *root, u32 flags, struct mnt_ns **ret)
{
	auto_dentry *d = NULL;
	struct mnt_ns *ns;
	struct mount *m;
	int r = vfs_init(k);

	if (r == 0)
		r = dentry_root(sb, root, &d);
	if (r < 0)
		return r;
	ns = ns_alloc(k, NULL);
	m = ns ? mount_new(sb, d, flags, sb->source) : NULL;
	if (!m) {
		mnt_ns_unref(ns);
		return -ENOMEM;
	}
	mutex_lock(&k->vfs->mu);
	m->id = k->vfs->next_id++;
	ns->root = m;
	enter_ns_locked(m, ns);
	mutex_unlock(&k->vfs->mu);
	*ret = ns;
	return 0;
}

u64 mnt_ns_changes(struct mnt_ns *ns) { return atomic_load(&ns->changes); }
struct waitq *mnt_ns_wq(struct mnt_ns *ns) { return &ns->wq; }

struct mnt_ns *mnt_ns_ref(struct mnt_ns *ns)
{
	ns_ref(&ns->ns);
	return ns;
}

void mnt_ns_unref(struct mnt_ns *ns)
{
	if (ns)
		ns_unref(&ns->ns);
}

struct path mnt_ns_root(struct mnt_ns *ns)
{
	struct path p;

	mutex_lock(&ns->kernel->vfs->mu);
	p.mnt = mount_ref(ns->root);
	p.dentry = dentry_ref(ns->root->root);
	mutex_unlock(&ns->kernel->vfs->mu);
	mount_cross(&p);
	return p;
}

/* Where @p lies in the copy; the mount it leaves is the caller's to drop. */
static struct mount *switch_mount_locked(struct path *p, struct mnt_ns *ns)
{
	struct mount *old = p->mnt, *m;

	list_for_each(m, &ns->mounts, ns_node)
		if (m->copy_of == old) {
			p->mnt = mount_ref(m);
			return old;
		}
	return NULL;
}

int mnt_ns_copy(struct task *t, struct mnt_ns *from, struct user_ns *owner, struct fs *fs, struct mnt_ns **ret)
{
	struct vfs *v = t->kernel->vfs;
	struct mnt_ns *ns = ns_alloc(t->kernel, owner);
	struct mount *old[2] = { 0 }, *m;
	int r;

	if (!ns)
		return -ENOMEM;
	mutex_lock(&v->mu);
	v->stamp++;
	r = copy_tree_locked(v, from->root, from->root->root, true,
			     COPY_UNBINDABLE | (from->ns.owner != ns->ns.owner ? COPY_SHARED_TO_SLAVE : 0), ns,
			     from->ns.owner, &ns->root);
	if (r == 0) {
		mutex_lock(&fs->mu);
		old[0] = switch_mount_locked(&fs->root, ns);
		old[1] = switch_mount_locked(&fs->cwd, ns);
		mutex_unlock(&fs->mu);
		list_for_each(m, &ns->mounts, ns_node)
			m->copy_of = NULL;
	}
	mutex_unlock(&v->mu);
	mount_unref(old[0]);
	mount_unref(old[1]);
	if (r < 0) {
		ns_discard(ns);
		return r;
	}
	*ret = ns;
	return 0;
}

bool mount_may_admin(struct task *t)
{
	return ns_capable(t, t->mnt_ns->ns.owner, CAP_SYS_ADMIN);
}

/* ---- changes ---- */

/* Namespaces that hold each other's names would live for ever: one may hold those of younger ones only. */
static bool names_fit_locked(struct mount *top, const struct mnt_ns *into)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top))
		if (!nsfs_may_bind(m->root->inode, into))
			return false;
	return true;
}

/* The tree at @m goes where a directory is, or a file where a file is. */
static int check_place_locked(struct task *t, const struct path *at, struct mount *m)
{
	const struct dentry *root = m->root;

	if (!at->mnt->ns || (t && t->mnt_ns && at->mnt->ns != t->mnt_ns))
		return -EINVAL;
	if (!S_ISDIR(root->inode->mode) != !S_ISDIR(at->dentry->inode->mode))
		return -ENOTDIR;
	if (at->mnt->ns->count >= MOUNTS_MAX)
		return -ENOSPC;
	return names_fit_locked(m, at->mnt->ns) ? 0 : -ELOOP;
}

/* Move every mount of the tree at @top to the namespace @ns. */
static void change_ns_locked(struct mount *top, struct mnt_ns *ns)
{
	struct mnt_ns *old = top->ns;
	struct mount *m, *n;

	if (old == ns)
		return;
	if (!old) {
		enter_ns_locked(top, ns);
		return;
	}
	/* A namespace that is left holds nothing else: it was made for this tree. */
	list_for_each_safe(m, n, &old->mounts, ns_node) {
		list_del_init(&m->ns_node);
		old->count--;
		enter_ns_locked(m, ns);
	}
	if (old->root == top)
		old->root = NULL;
}

int mount_attach(struct task *t, struct mount *m, const struct mnt_ns *was, const struct path *at)
{
	struct vfs *v = mount_vfs(m);
	struct list_head fresh = LIST_INIT(fresh), gone = LIST_INIT(gone);
	struct path place = *at, top;
	int r;

	path_get(&place);
	mount_cross(&place);
	dentry_pin_path(place.dentry);
	/* Magic links come and go with what they stand for. */
	if (dentry_is_deleted(place.dentry) || (S_ISLNK(path_inode(&place)->mode) && path_inode(&place)->ops->follow)) {
		path_put(&place);
		return -ENOENT;
	}
	mutex_lock(&v->mu);
	/* Two may have seen the same place, and the same detached tree: it goes to one place, and once unmounted nowhere. */
	top = topmost_locked(place);
	r = m->parent || m->ns != was ? -EINVAL : check_place_locked(t, &top, m);
	if (r == 0)
		r = prop_mount_locked(v, m, top.mnt, top.dentry, &fresh, &gone);
	if (r == 0) {
		if (!m->id)
			m->id = v->next_id++;
		change_ns_locked(m, top.mnt->ns);
		link_locked(m, top.mnt, top.dentry);
		prop_commit_locked(&fresh, top.dentry);
	}
	mutex_unlock(&v->mu);
	put_tree(&gone);
	path_put(&place);
	return r;
}

int mount_add(struct task *t, const struct path *at, struct super *sb, struct inode *root, u32 flags,
              const char *source)
{
	auto_dentry *d = NULL;
	struct mount *m;
	int r = dentry_root(sb, root, &d);

	if (r < 0)
		return r;
	m = mount_new(sb, d, flags, source);
	if (!m)
		return -ENOMEM;
	r = mount_attach(t, m, NULL, at);       /* the namespace keeps our reference */
	if (r < 0)
		mount_unref(m);
	return r;
}

/* Of one's own namespace or of a tree on its way; of others only files that stand for namespaces. */
static bool may_clone_locked(struct task *t, const struct path *from, bool recursive)
{
	const struct mount *m = from->mnt;
	const struct inode *i = from->dentry->inode;

	if ((!m->ns || (m->ns != t->mnt_ns && !m->ns->detached)) && !nsfs_is(i))
		return false;
	return !m->unbindable && (recursive || !has_locked_below(m, from->dentry));
}

int mount_clone(struct task *t, const struct path *from, bool recursive, struct mnt_ns **ret)
{
	struct vfs *v = t->kernel->vfs;
	struct mnt_ns *ns = ns_alloc(t->kernel, NULL);
	struct mount *m;
	int r;

	if (!ns)
		return -ENOMEM;
	ns->detached = true;
	mutex_lock(&v->mu);
	if (!may_clone_locked(t, from, recursive))
		r = -EINVAL;
	else
		r = copy_tree_locked(v, from->mnt, from->dentry, recursive, COPY_NAMES, ns, NULL, &ns->root);
	list_for_each(m, &ns->mounts, ns_node)
		m->copy_of = NULL;
	mutex_unlock(&v->mu);
	if (r < 0) {
		ns_discard(ns);
		return r;
	}
	*ret = ns;
	return 0;
}

int mount_new_ns(struct task *t, struct super *sb, struct inode *root, u32 flags, const char *source,
                 struct mnt_ns **ret)
{
	int r = mnt_ns_new(t->kernel, sb, root, flags, ret);

	if (r == 0)
		(*ret)->detached = true;
	if (r == 0 && source) {
		char *s = kbuf_strdup(source);

		if (s) {
			kfree((*ret)->root->source);
			(*ret)->root->source = s;
		}
	}
	return r;
}

int mount_bind(struct task *t, const struct path *from, const struct path *at, bool recursive, u32 flags)
{
	struct mnt_ns *ns;
	int r = nsfs_may_bind(path_inode(from), t->mnt_ns) ? mount_clone(t, from, recursive, &ns) : -EINVAL;

	if (r < 0)
		return r;
	if (flags)
		atomic_fetch_or(&ns->root->flags, flags);
	r = mount_attach(t, ns->root, ns, at);
	mnt_ns_unref(ns);
	return r;
}

int mount_remount(struct task *t, const struct path *at, u32 flags)
{
	struct vfs *v = t->kernel->vfs;
	int r = 0;

	mutex_lock(&v->mu);
	if (at->dentry != at->mnt->root || at->mnt->ns != t->mnt_ns)
		r = -EINVAL;
	else if (at->mnt->locked_flags & ~flags)
		r = -EPERM;
	if (r == 0) {
		atomic_store(&at->mnt->flags, flags);
		ns_changed_locked(at->mnt->ns);
	}
	mutex_unlock(&v->mu);
	return r;
}

int mount_set_attr(struct task *t, const struct path *at, const struct mount_attrs *a, bool recursive)
{
	struct vfs *v = t->kernel->vfs;
	struct mount *top = at->mnt, *m;
	int r = 0;

	mutex_lock(&v->mu);
	if (at->dentry != top->root || !top->ns || (top->ns != t->mnt_ns && !top->ns->detached))
		r = -EINVAL;
	if (r < 0)
		goto out;
	for (m = top; m; m = recursive ? mount_next_locked(m, top) : NULL)
		if (m->locked_flags & a->clear & ~a->set)
			r = -EPERM;
	for (m = r < 0 ? NULL : top; m; m = recursive ? mount_next_locked(m, top) : NULL) {
		atomic_store(&m->flags, (mount_flags(m) & ~a->clear) | a->set);
		if (a->prop >= 0)
			prop_set_locked(v, m, (enum propagation)a->prop);
	}
out:
	mutex_unlock(&v->mu);
	return r;
}

int mount_set_propagation(struct task *t, const struct path *at, int prop, bool recursive)
{
	struct vfs *v = t->kernel->vfs;
	struct mount *m;
	int r = 0;

	mutex_lock(&v->mu);
	if (at->dentry != at->mnt->root || at->mnt->ns != t->mnt_ns) {
		r = -EINVAL;
	} else {
		for (m = at->mnt; m; m = recursive ? mount_next_locked(m, at->mnt) : NULL)
			prop_set_locked(v, m, (enum propagation)prop);
	}
	mutex_unlock(&v->mu);
	return r;
}

int mount_umount(struct task *t, const struct path *at, u32 umount_flags)
{
	struct vfs *v = t->kernel->vfs;
	struct list_head gone = LIST_INIT(gone);
	struct mount *m = at->mnt;
	int r = 0;

	if (umount_flags & MNT_EXPIRE)
		return at->dentry != m->root || (umount_flags & (MNT_FORCE | MNT_DETACH)) ? -EINVAL : -EAGAIN;
	mutex_lock(&v->mu);
	if (at->dentry != m->root || m->ns != t->mnt_ns || !m->parent || m->locked)
		r = -EINVAL;
	else if (!(umount_flags & MNT_DETACH) &&
	         (!list_empty(&m->children) || atomic_load(&m->ref.n) > 2 || prop_busy_locked(v, m)))
		r = -EBUSY;     /* held by more than the namespace and the caller's path */
	if (r == 0) {
		prop_umount_locked(v, m, &gone);
		mount_dissolve_locked(m, &gone);
	}
	mutex_unlock(&v->mu);
	put_tree(&gone);
	return r;
}

static bool mount_is_below_locked(const struct mount *m, const struct mount *anc)
{
	for (; m; m = m->parent)
		if (m == anc)
			return true;
	return false;
}

int mount_move(struct task *t, const struct path *from, const struct path *to)
{
	struct vfs *v = t->kernel->vfs;
	struct list_head fresh = LIST_INIT(fresh), gone = LIST_INIT(gone);
	struct mount *m = from->mnt;
	struct path old = { 0 }, top;
	int r;

	dentry_pin_path(to->dentry);
	mutex_lock(&v->mu);
	top = topmost_locked(*to);
	if (from->dentry != m->root || m->ns != t->mnt_ns || !m->parent || m->locked || m->parent->group ||
	    (top.mnt->group && prop_has_unbindable_locked(m)))
		r = -EINVAL;
	else if (mount_is_below_locked(top.mnt, m))
		r = -ELOOP;
	else
		r = check_place_locked(t, &top, m);
	if (r == 0)
		r = prop_mount_locked(v, m, top.mnt, top.dentry, &fresh, &gone);
	if (r == 0) {
		old = unlink_locked(m);
		link_locked(m, top.mnt, top.dentry);
		prop_commit_locked(&fresh, top.dentry);
	}
	mutex_unlock(&v->mu);
	put_tree(&gone);
	if (old.mnt)
		path_put(&old);
	return r;
}

/*
 * @new becomes the root of the namespace, the old root is seen at @put_old
 * (pivot_root(2)).  The caller then moves roots and working directories.
 */
int mount_pivot(struct task *t, const struct path *root, const struct path *new, const struct path *put_old)
{
	struct vfs *v = t->kernel->vfs;
	struct path old_new = { 0 }, old_root = { 0 }, place;
	int r = 0;

	dentry_pin_path(put_old->dentry);
	mutex_lock(&v->mu);
	place = topmost_locked(*put_old);
	if (new->mnt->ns != t->mnt_ns || root->mnt->ns != t->mnt_ns || place.mnt->ns != t->mnt_ns)
		r = -EINVAL;
	else if (new->mnt == root->mnt || place.mnt == root->mnt)
		r = -EBUSY;
	else if (root->dentry != root->mnt->root || new->dentry != new->mnt->root || !new->mnt->parent || new->mnt->locked)
		r = -EINVAL;
	else if (!mount_is_below_locked(new->mnt, root->mnt))
		r = -EINVAL;    /* who is in a chroot may hold what lies above: the tree would hang from itself */
	else if (!mount_is_below_locked(place.mnt, new->mnt) || place.mnt->group || new->mnt->parent->group ||
		 (root->mnt->parent && root->mnt->parent->group))
		r = -EINVAL;
	if (r == 0) {
		old_new = unlink_locked(new->mnt);
		old_root = unlink_locked(root->mnt);
		if (old_root.mnt)
			link_locked(new->mnt, old_root.mnt, old_root.dentry);
		else
			t->mnt_ns->root = new->mnt;
		link_locked(root->mnt, place.mnt, place.dentry);
		/* What may not be taken from its place is the new one now. */
		new->mnt->locked = root->mnt->locked;
		root->mnt->locked = false;
	}
	mutex_unlock(&v->mu);
	if (old_new.mnt)
		path_put(&old_new);
	if (old_root.mnt)
		path_put(&old_root);
	return r;
}
