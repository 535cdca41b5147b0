/*
 * statmount.c - what statmount(2) and listmount(2) tell of the caller's mount namespace.
 *
 * Ids are those that are never used again: MOUNT_UNIQUE above the number that mountinfo shows.
 * Everything is read under one hold of vfs->mu.  Who may not see a mount from his root needs
 * CAP_SYS_ADMIN over the namespace.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/mount_ops.h"

#define MOUNT_UNIQUE (1ull << 32)

u64 mount_unique_id(const struct mount *m)
{
	return MOUNT_UNIQUE + (u64)(u32)m->id;
}

/* Is @m's root seen below @from? */
static bool below_locked(const struct mount *m, const struct path *from)
{
	struct dentry *d = m->root;

	for (; m != from->mnt && m->parent; m = m->parent)
		d = m->point;
	return m == from->mnt && dentry_is_below(d, from->dentry);
}

static struct mount *find_locked(struct mnt_ns *ns, u64 id)
{
	struct mount *m;

	list_for_each(m, &ns->mounts, ns_node)
		if (mount_unique_id(m) == id)
			return m;
	return NULL;
}

static bool may_see_locked(struct task *t, const struct mount *m, const struct path *root)
{
	return below_locked(m, root) || ns_capable(t, t->mnt_ns->ns.owner, CAP_SYS_ADMIN);
}

/* ---- one mount ---- */

static u64 attr_of(u32 flags)
{
	static const struct { u32 mnt; u64 attr; } map[] = {
		{ MNT_READONLY, 0x1 }, { MNT_NOSUID, 0x2 }, { MNT_NODEV, 0x4 }, { MNT_NOEXEC, 0x8 }, { MNT_NODIRATIME, 0x80 },
		{ MNT_NOSYMFOLLOW, 0x200000 },
	};
	u64 attr = flags & MNT_NOATIME ? 0x10 : flags & MNT_RELATIME ? 0 : 0x20;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (flags & map[i].mnt)
			attr |= map[i].attr;
	return attr;
}

static void fill_basic(const struct mount *m, struct lx_statmount *ret)
{
	ret->mnt_id = mount_unique_id(m);
	ret->mnt_id_old = (u32)m->id;
	ret->mnt_parent_id = m->parent ? mount_unique_id(m->parent) : MOUNT_UNIQUE + 1;
	ret->mnt_parent_id_old = m->parent ? (u32)m->parent->id : 1;
	ret->mnt_attr = attr_of(mount_flags(m));
	ret->mnt_propagation = (m->group ? MS_SHARED : 0) | (m->master ? MS_SLAVE : 0) | (m->unbindable ? MS_UNBINDABLE : 0);
	if (!ret->mnt_propagation)
		ret->mnt_propagation = MS_PRIVATE;
	ret->mnt_peer_group = (u64)m->group;
	ret->mnt_master = m->master ? (u64)m->master->group : 0;
}

/* One more string; offset 0 is the empty one. */
static void put_text(struct lx_statmount *sm, u64 bit, u32 *off, struct strbuf *out, const char *text)
{
	if (!*text)
		return;
	if (!out->len)
		strbuf_putc(out, '\0');
	*off = (u32)out->len;
	strbuf_puts(out, text);
	strbuf_putc(out, '\0');
	sm->mask |= bit;
}

static void fill_locked(const struct mount *m, u64 mask, const struct path *root, struct lx_statmount *ret,
			struct strbuf *out)
{
	char buf[PATH_MAX] no_init;

	ret->mask = mask & (STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | STATMOUNT_PROPAGATE_FROM | STATMOUNT_MNT_NS_ID);
	if (mask & STATMOUNT_SB_BASIC) {
		ret->sb_dev_minor = m->sb->dev_minor;
		ret->sb_magic = m->sb->magic;
	}
	if (mask & STATMOUNT_MNT_BASIC)
		fill_basic(m, ret);
	if (mask & STATMOUNT_PROPAGATE_FROM)
		ret->propagate_from = (u64)prop_from_locked(m);
	if (mask & STATMOUNT_MNT_NS_ID)
		ret->mnt_ns_id = m->ns->ns.ino;
	if (mask & STATMOUNT_FS_TYPE)
		put_text(ret, STATMOUNT_FS_TYPE, &ret->fs_type, out, m->sb->ops->fstype);
	if (mask & STATMOUNT_MNT_ROOT)
		put_text(ret, STATMOUNT_MNT_ROOT, &ret->mnt_root, out, mount_root_name(m, buf, sizeof(buf)));
	if (mask & STATMOUNT_MNT_POINT)
		put_text(ret, STATMOUNT_MNT_POINT, &ret->mnt_point, out, mount_point_name_locked(m, root, buf, sizeof(buf)));
}

int mount_stat(struct task *t, u64 id, u64 mask, struct lx_statmount *ret, struct strbuf *out)
{
	struct path root = fs_root(t->fs);
	struct vfs *v = t->kernel->vfs;
	struct mount *m;
	int r = 0;

	*ret = (struct lx_statmount){ 0 };
	mutex_lock(&v->mu);
	m = find_locked(t->mnt_ns, id);
	if (!m)
		r = -ENOENT;
	else if (!may_see_locked(t, m, &root))
		r = -EPERM;
	else
		fill_locked(m, mask, &root, ret, out);
	mutex_unlock(&v->mu);
	path_put(&root);
	return r < 0 ? r : strbuf_err(out);
}

/* ---- all of them ---- */

static void sift(u64 *v, size_t at, size_t n)
{
	for (size_t big; (big = 2 * at + 1) < n; at = big) {
		u64 x = v[at];

		if (big + 1 < n && v[big + 1] > v[big])
			big++;
		if (v[big] <= x)
			return;
		v[at] = v[big];
		v[big] = x;
	}
}

/* In place, and never slower than n log n: a guest chooses the order. */
static void sort(u64 *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0; )
		sift(v, i, n);
	for (size_t left = n; left > 1; ) {
		u64 x = v[--left];

		v[left] = v[0];
		v[0] = x;
		sift(v, 0, left);
	}
}

static size_t collect_locked(struct mnt_ns *ns, const struct path *from, u64 skip, u64 after, bool reverse, u64 *ids)
{
	struct mount *top = from->mnt, *m;
	size_t n = 0;

	if (top->ns != ns)
		return 0;
	for (m = top; m; ) {
		u64 id = mount_unique_id(m);
		bool direct = m == top || m->parent == top;

		if (direct && !dentry_is_below(m == top ? m->root : m->point, from->dentry)) {
			/* What lies on the mount, but not below the place, is passed over. */
			m = m == top ? mount_next_locked(m, top) : mount_past_locked(m, top);
			continue;
		}
		if (id != skip && (!after || (reverse ? id < after : id > after)))
			ids[n++] = id;
		m = mount_next_locked(m, top);
	}
	return n;
}

long mount_list(struct task *t, u64 id, u64 after, bool reverse, u64 **ret)
{
	struct path root = fs_root(t->fs), from = root;
	struct vfs *v = t->kernel->vfs;
	u64 *ids = NULL;
	size_t n = 0;
	struct mount *m;
	int r = 0;

	mutex_lock(&v->mu);
	if (id != MOUNT_LIST_ROOT) {
		m = find_locked(t->mnt_ns, id);
		if (m)
			from = (struct path){ m, m->root };
		r = !m ? -ENOENT : may_see_locked(t, m, &root) ? 0 : -EPERM;
	}
	if (r == 0) {
		ids = kbuf_array(t->mnt_ns->count + 1, sizeof(*ids));
		r = ids ? 0 : -ENOMEM;
	}
	if (r == 0)
		n = collect_locked(t->mnt_ns, &from, id, after, reverse, ids);
	mutex_unlock(&v->mu);
	path_put(&root);
	if (r < 0)
		return r;
	sort(ids, n);
	for (size_t i = 0; reverse && i < n / 2; i++) {
		u64 x = ids[i];

		ids[i] = ids[n - 1 - i];
		ids[n - 1 - i] = x;
	}
	*ret = ids;
	return (long)n;
}
