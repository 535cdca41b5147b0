/*
 * sys_mount_new.c - mounting by descriptor: fsopen, fspick, fsconfig, fsmount, open_tree, move_mount, mount_setattr.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/fscontext.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/mount_ops.h"

/* linux/mount.h, which does not go together with sys/mount.h everywhere. */
#define LX_FSOPEN_CLOEXEC 1u
#define LX_FSMOUNT_CLOEXEC 1u
#define LX_PICK_KNOWN 0xfu              /* CLOEXEC, SYMLINK_NOFOLLOW, NO_AUTOMOUNT, EMPTY_PATH */
#define LX_TREE_CLONE 1u
#define LX_AT_RECURSIVE 0x8000u
#define LX_MOVE_KNOWN 0x377u
#define LX_ATTR_ATIME 0x70u
enum { CFG_FLAG, CFG_STRING, CFG_BINARY, CFG_PATH, CFG_PATH_EMPTY, CFG_FD, CFG_CREATE, CFG_RECONFIGURE, CFG_CREATE_EXCL };

struct lx_mount_attr { u64 set, clear, propagation, userns_fd; };

/* MOUNT_ATTR_* -> MNT_*.  The access time's kind is a field, not a bit. */
static int attrs_from(u64 attr, u32 *ret)
{
	static const struct { u64 attr; u32 mnt; } map[] = {
		{ 0x1, MNT_READONLY }, { 0x2, MNT_NOSUID }, { 0x4, MNT_NODEV }, { 0x8, MNT_NOEXEC },
		{ 0x10, MNT_NOATIME }, { 0x20, 0 }, { 0x80, MNT_NODIRATIME },
		{ 0x200000, MNT_NOSYMFOLLOW },
	};

	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
		if (attr & map[i].attr)
			*ret |= map[i].mnt;
		attr &= ~map[i].attr;
	}
	return attr ? -EINVAL : 0;
}

static int lookup_at(struct task *t, const struct sysargs *a, int i, u32 look, struct path *ret)
{
	char name[PATH_MAX] no_init;
	int r = path_arg(t, a, i + 1, name);

	return r < 0 ? r : vfs_lookup(t, arg_fd(a, i), name, look, ret);
}

static int string_arg(struct task *t, gaddr_t p, char **ret)
{
	ssize_t n;

	*ret = kbuf_alloc(257);
	if (!*ret)
		return -ENOMEM;
	n = copy_in_str(t, *ret, p, 256);
	return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? (int)n : 0;
}

/* ---- making ---- */

long sys_fsopen(struct task *t, const struct sysargs *a)
{
	auto_kfree char *name = NULL;
	auto_file *f = NULL;
	const struct fstype *type;
	int r;

	if (!mount_may_admin(t))
		return -EPERM;
	if (arg_u32(a, 1) & ~LX_FSOPEN_CLOEXEC)
		return -EINVAL;
	r = string_arg(t, arg_addr(a, 0), &name);
	if (r < 0)
		return r;
	type = fstype_find(name);
	if (!type)
		return -ENODEV;
	r = fscontext_new(t, type, &f);
	return r < 0 ? r : fd_install(t, f, arg_u32(a, 1) & LX_FSOPEN_CLOEXEC);
}

long sys_fspick(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 2);
	auto_path p = { 0 };
	auto_file *f = NULL;
	int r;

	if (!mount_may_admin(t))
		return -EPERM;
	if (flags & ~LX_PICK_KNOWN)
		return -EINVAL;
	r = lookup_at(t, a, 0, (flags & 2 ? 0 : LOOKUP_FOLLOW) | (flags & 8 ? LOOKUP_EMPTY : 0), &p);
	if (r == 0)
		r = fscontext_pick(t, &p, &f);
	return r < 0 ? r : fd_install(t, f, flags & 1);
}

static int config(struct task *t, struct file *f, const struct sysargs *a, u32 cmd)
{
	auto_kfree char *key = NULL, *value = NULL;
	int r = string_arg(t, arg_addr(a, 2), &key);

	if (r == 0 && cmd == CFG_STRING)
		r = string_arg(t, arg_addr(a, 3), &value);
	return r < 0 ? r : fscontext_set(f, key, value);
}

long sys_fsconfig(struct task *t, const struct sysargs *a)
{
	u32 cmd = arg_u32(a, 1);
	auto_file *f = NULL;
	bool key = arg_addr(a, 2).v, value = arg_addr(a, 3).v, aux = arg_s32(a, 4) != 0;

	if (arg_fd(a, 0) < 0)
		return -EINVAL;
	if (cmd > CFG_CREATE_EXCL)
		return -EOPNOTSUPP;
	if ((cmd == CFG_FLAG && (!key || value || aux)) || (cmd == CFG_STRING && (!key || !value || aux)) ||
	    (cmd >= CFG_CREATE && (key || value || aux)))
		return -EINVAL;
	f = fd_get(t, arg_fd(a, 0));
	if (!f)
		return -EBADF;
	if (!is_fscontext(f))
		return -EINVAL;
	switch (cmd) {
	case CFG_FLAG:
	case CFG_STRING:
		return config(t, f, a, cmd);
	case CFG_CREATE:
	case CFG_CREATE_EXCL:
		return mount_may_admin(t) ? fscontext_create(t, f) : -EPERM;
	case CFG_RECONFIGURE:
		return mount_may_admin(t) && landlock_mounts(t) == 0 ? fscontext_reconfigure(t, f) : -EPERM;
	}
	return -EINVAL;         /* no file system here takes blobs, paths or descriptors */
}

/* @ns is taken over. */
static long install_tree(struct task *t, struct mnt_ns *ns, bool cloexec)
{
	auto_file *f = NULL;
	int r = mountfd_new(t, ns, &f);

	if (r < 0) {
		mnt_ns_unref(ns);
		return r;
	}
	return fd_install(t, f, cloexec);
}

long sys_fsmount(struct task *t, const struct sysargs *a)
{
	auto_file *f = NULL;
	struct mnt_ns *ns;
	u32 flags;
	int r;

	if (!mount_may_admin(t))
		return -EPERM;
	if ((arg_u32(a, 1) & ~LX_FSMOUNT_CLOEXEC) || attrs_from(arg_u32(a, 2), &flags) < 0)
		return -EINVAL;
	if (!(arg_u32(a, 2) & LX_ATTR_ATIME))
		flags |= MNT_RELATIME;
	f = fd_get(t, arg_fd(a, 0));
	if (!f)
		return -EBADF;
	if (!is_fscontext(f))
		return -EINVAL;
	r = fscontext_mount(t, f, flags, &ns);
	return r < 0 ? r : install_tree(t, ns, arg_u32(a, 1) & LX_FSMOUNT_CLOEXEC);
}

/* ---- placing ---- */

/* @attrs: what the copy is to have, or NULL. */
static long do_open_tree(struct task *t, const struct sysargs *a, const struct mount_attrs *attrs)
{
	u32 flags = arg_u32(a, 2), at = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW | LX_AT_RECURSIVE;
	u32 look = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) | (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	auto_path p = { 0 };
	auto_file *f = NULL;
	struct mnt_ns *ns;
	int r;

	if ((flags & ~(at | LX_TREE_CLONE | O_CLOEXEC)) || ((flags & LX_AT_RECURSIVE) && !(flags & LX_TREE_CLONE)))
		return -EINVAL;
	if ((flags & LX_TREE_CLONE) && !mount_may_admin(t))
		return -EPERM;
	r = lookup_at(t, a, 0, look, &p);
	if (r < 0)
		return r;
	if (!(flags & LX_TREE_CLONE)) {
		r = vfs_open_path(t, &p, O_PATH, false, &f);
		return r < 0 ? r : fd_install(t, f, flags & O_CLOEXEC);
	}
	r = mount_clone(t, &p, flags & LX_AT_RECURSIVE, &ns);
	if (r == 0 && attrs) {
		auto_path root = mnt_ns_root(ns);

		r = mount_set_attr(t, &root, attrs, flags & LX_AT_RECURSIVE);
		if (r < 0)
			mnt_ns_unref(ns);
	}
	return r < 0 ? r : install_tree(t, ns, flags & O_CLOEXEC);
}

long sys_open_tree(struct task *t, const struct sysargs *a)
{
	return do_open_tree(t, a, NULL);
}

long sys_move_mount(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 4);
	auto_path from = { 0 }, to = { 0 };
	struct mnt_ns *ns;
	int r;

	if (!mount_may_admin(t) || landlock_mounts(t) < 0)
		return -EPERM;
	if (flags & ~LX_MOVE_KNOWN)
		return -EINVAL;
	if (flags & 0x300)
		return -EINVAL;         /* MOVE_MOUNT_SET_GROUP, MOVE_MOUNT_BENEATH: not there */
	r = lookup_at(t, a, 0, (flags & 1 ? LOOKUP_FOLLOW : 0) | (flags & 4 ? LOOKUP_EMPTY : 0), &from);
	if (r == 0)
		r = lookup_at(t, a, 2, (flags & 0x10 ? LOOKUP_FOLLOW : 0) | (flags & 0x40 ? LOOKUP_EMPTY : 0), &to);
	if (r < 0)
		return r;
	ns = mount_detached_root(&from);
	if (!ns)
		return mount_move(t, &from, &to);
	r = mount_attach(t, from.mnt, ns, &to);
	mnt_ns_unref(ns);
	return r;
}

static int get_attr(struct task *t, const struct sysargs *a, struct lx_mount_attr *m)
{
	size_t n = arg_size(a, 4);

	if (n < sizeof(*m))
		return -EINVAL;
	return n > PAGE_SIZE ? -E2BIG : copy_struct_in(t, m, sizeof(*m), arg_addr(a, 3), n);
}

static int decode_attr(const struct lx_mount_attr *m, struct mount_attrs *ret)
{
	static const u64 props[] = { MS_PRIVATE, MS_SHARED, MS_SLAVE, MS_UNBINDABLE };
	u64 atime = m->set & LX_ATTR_ATIME;

	/* The kind of access time is replaced as a whole. */
	if ((atime && (m->clear & LX_ATTR_ATIME) != LX_ATTR_ATIME) || (atime & (atime - 1)) ||
	    ((m->clear & LX_ATTR_ATIME) && (m->clear & LX_ATTR_ATIME) != LX_ATTR_ATIME))
		return -EINVAL;
	if (attrs_from(m->set, &ret->set) < 0 || attrs_from(m->clear & ~0x40ull, &ret->clear) < 0)
		return -EINVAL;
	if (m->clear & LX_ATTR_ATIME) {
		ret->clear |= MNT_NOATIME | MNT_RELATIME;
		if (!atime)
			ret->set |= MNT_RELATIME;
	}
	ret->prop = -1;
	for (size_t i = 0; i < ARRAY_SIZE(props); i++)
		if (m->propagation == props[i])
			ret->prop = (int)i;
	return m->propagation && ret->prop < 0 ? -EINVAL : 0;
}

long sys_mount_setattr(struct task *t, const struct sysargs *a)
{
	u32 flags = arg_u32(a, 2);
	struct lx_mount_attr m;
	struct mount_attrs attrs;
	auto_path p = { 0 };
	int r;

	if (flags & ~(AT_EMPTY_PATH | LX_AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	r = get_attr(t, a, &m);
	if (r < 0)
		return r;
	if (!mount_may_admin(t))
		return -EPERM;
	if (!m.set && !m.clear && !m.propagation)
		return 0;
	r = decode_attr(&m, &attrs);
	if (r == 0)
		r = lookup_at(t, a, 0, (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
			      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0), &p);
	return r < 0 ? r : mount_set_attr(t, &p, &attrs, flags & LX_AT_RECURSIVE);
}

long sys_open_tree_attr(struct task *t, const struct sysargs *a)
{
	struct lx_mount_attr m = { 0 };
	struct mount_attrs attrs;
	int r;

	if (!arg_addr(a, 3).v && arg_size(a, 4))
		return -EINVAL;
	if (!arg_addr(a, 3).v)
		return do_open_tree(t, a, NULL);
	if (!(arg_u32(a, 2) & LX_TREE_CLONE))
		return -EINVAL;
	r = get_attr(t, a, &m);
	if (r == 0 && !mount_may_admin(t))
		r = -EPERM;
	if (r == 0)
		r = decode_attr(&m, &attrs);
	return r < 0 ? r : do_open_tree(t, a, m.set || m.clear || m.propagation ? &attrs : NULL);
}
