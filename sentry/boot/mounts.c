/*
 * mounts.c - build the container's mount tree from its description.
 *
 * Mount points that are missing are made, as runc does.  All names are resolved by our own
 * vfs inside the container's tree, so no symlink of an image leads to the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "sentry/boot/boot_int.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/vfs/mount_ops.h"

int boot_mkdir_p(struct boot *b, const char *path)
{
	char *copy = kbuf_strdup(path);
	int r = 0;

	if (!copy)
		return -ENOMEM;
	for (char *p = copy; *p && r == 0; ) {
		char c;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		c = *p;
		*p = 0;
		r = vfs_mkdir(b->hands, AT_FDCWD, copy, 0755);
		if (r == -EEXIST)
			r = 0;
		*p = c;
	}
	kfree(copy);
	return r;
}

int boot_make_file(struct boot *b, const char *path)
{
	struct file *f;
	char *dir = kbuf_strdup(path), *slash;
	int r = 0;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = 0;
		r = boot_mkdir_p(b, dir);
	}
	kfree(dir);
	if (r == 0)
		r = vfs_open(b->hands, AT_FDCWD, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644, 0, &f);
	if (r == 0)
		file_unref(f);
	return r;
}

/* The place to mount on, made if need be. */
static int mount_point(struct boot *b, const struct boot_mount *m, bool *ret_made, struct path *ret)
{
	int r = vfs_lookup(b->hands, AT_FDCWD, m->dest, LOOKUP_FOLLOW, ret);

	*ret_made = r == -ENOENT;
	if (r != -ENOENT)
		return r;
	if (m->root >= 0 && !m->is_dir)
		r = boot_make_file(b, m->dest);
	else
		r = boot_mkdir_p(b, m->dest);
	if (r == -EROFS)
		return boot_fail(b, r, "mounts: %s does not exist in the read-only root file system; make it there, or set "
		                 "root.readonly to false", m->dest);
	return r < 0 ? r : vfs_lookup(b->hands, AT_FDCWD, m->dest, LOOKUP_FOLLOW, ret);
}

/* Options with no meaning in the sandbox: SELinux labels, and what docker adds for cgroup mounts. */
static int make_super(struct boot *b, const struct boot_mount *m, struct super **sb, struct inode **root)
{
	static const char *const as_tmpfs[] = { "devpts", "devtmpfs", "cgroup", "cgroup2" };
	const struct fstype *t = fstype_find(m->type);

	if (t)
		return t->make(b->hands, b->kernel, m->source, m->data, sb, root);
	for (size_t i = 0; i < ARRAY_SIZE(as_tmpfs); i++) {
		if (strcmp(m->type, as_tmpfs[i]) != 0)
			continue;
		t = fstype_find("tmpfs");
		if (t)
			return t->make(b->hands, b->kernel, m->source, "mode=755", sb, root);
	}
	return boot_fail(b, -ENODEV, "mounts: %s: the sandbox has no file system of type \"%.64s\"", m->dest, m->type);
}

static int add_bind(struct boot *b, const struct boot_mount *m, struct super **sb, struct inode **root)
{
	int r = goferfs_new(b->kernel, b->gofer, (u32)m->root, m->flags & MNT_READONLY, sb, root);

	return r < 0 ? boot_fail(b, r, "mounts: cannot serve the source of %s: %s", m->dest, strerror(-r)) : 0;
}

/* As runc: a tmpfs whose mode nobody gave has that of the directory that it covers. */
static void keep_mode(struct boot *b, const struct boot_mount *m, const struct path *at, struct inode *root)
{
	struct kstat st;

	if (str_eq(m->type, "tmpfs") && !(m->data && strstr(m->data, "mode=")) && inode_getattr(b->hands, path_inode(at), &st) == 0)
		root->mode = (root->mode & S_IFMT) | (st.mode & 07777);
}

/* What a new file system takes from the directory @at that it covers. */
static int fill(struct boot *b, const struct boot_mount *m, const struct path *at, struct inode *root)
{
	int r = 0;

	if (m->copy_up && str_eq(m->type, "tmpfs"))
		r = boot_copy_up(b, path_inode(at), root);
	else
		keep_mode(b, m, at, root);
	return r < 0 ? boot_fail(b, r, "mounts: %s: cannot copy what is there (tmpcopyup): %s", m->dest, strerror(-r)) : 0;
}

/* Things are made and mounted in it before it becomes what it is to be. */
static bool late_readonly(const struct boot_mount *m)
{
	return (m->flags & MNT_READONLY) && m->root < 0 && str_eq(m->type, "tmpfs");
}

static int add_mount(struct boot *b, const struct boot_mount *m)
{
	struct super *sb = NULL;
	struct inode *root = NULL;
	struct path at;
	bool made;
	int r = mount_point(b, m, &made, &at);

	if (r < 0)
		return boot_fail(b, r, "mounts: cannot mount on %s: %s", m->dest, strerror(-r));
	r = m->root >= 0 ? add_bind(b, m, &sb, &root) : make_super(b, m, &sb, &root);
	if (r == 0) {
		if (!made && m->root < 0)
			r = fill(b, m, &at, root);
		if (r == 0)
			r = mount_add(b->hands, &at, sb, root, late_readonly(m) ? m->flags & ~(u32)MNT_READONLY : m->flags,
			              *m->source ? m->source : m->type);
		super_unref(sb);
		inode_unref(root);
	}
	path_put(&at);
	return r < 0 ? boot_fail(b, r, "mounts: cannot mount %s on %s: %s", m->type, m->dest, strerror(-r)) : 0;
}

/* Places to mount on could still be made; from now on the root itself takes no change. */
static int protect_root(struct boot *b)
{
	struct path root = mnt_ns_root(b->mnt_ns);
	int r = mount_remount(b->hands, &root, MNT_READONLY | MNT_RELATIME);

	path_put(&root);
	return r;
}

int boot_mounts(struct boot *b)
{
	const struct boot_config *c = b->cfg;
	bool have_dev = false;
	int r;

	for (u32 i = 0; i < c->nmounts; i++) {
		/* Over the root itself nothing can be mounted: that is root.path's place. */
		r = str_eq(c->mounts[i].dest, "/") ? 0 : add_mount(b, &c->mounts[i]);

		if (r < 0)
			return r;
		have_dev |= str_eq(c->mounts[i].dest, "/dev");
	}
	if (!have_dev) {
		static const struct boot_mount dev = {
			.dest = "/dev", .type = "tmpfs", .source = "tmpfs", .data = "mode=755", .flags = MNT_NOSUID, .root = -1,
		};

		r = add_mount(b, &dev);
		if (r < 0)
			return r;
	}
	return c->root_readonly ? protect_root(b) : 0;
}

static int cover_one(struct boot *b, const char *name)
{
	struct path at, null;
	struct super *sb;
	struct inode *root;
	int r = vfs_lookup(b->hands, AT_FDCWD, name, LOOKUP_FOLLOW, &at);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	if (S_ISDIR(path_inode(&at)->mode)) {
		const struct fstype *t = fstype_find("tmpfs");

		r = t ? t->make(b->hands, b->kernel, "tmpfs", "mode=755,size=0", &sb, &root) : -ENODEV;
		if (r == 0) {
			r = mount_add(b->hands, &at, sb, root, MNT_READONLY, "tmpfs");
			super_unref(sb);
			inode_unref(root);
		}
	} else {
		r = vfs_lookup(b->hands, AT_FDCWD, "/dev/null", LOOKUP_FOLLOW, &null);
		if (r == 0) {
			r = mount_bind(b->hands, &null, &at, false, 0);
			path_put(&null);
		}
	}
	path_put(&at);
	return r;
}

static int make_readonly(struct boot *b, const char *name)
{
	struct path at;
	int r = vfs_lookup(b->hands, AT_FDCWD, name, LOOKUP_FOLLOW, &at);

	if (r < 0)
		return r == -ENOENT || r == -ENOTDIR ? 0 : r;
	r = mount_bind(b->hands, &at, &at, true, 0);
	path_put(&at);
	if (r == 0)
		r = vfs_lookup(b->hands, AT_FDCWD, name, LOOKUP_FOLLOW, &at);
	if (r < 0)
		return r;
	r = mount_remount(b->hands, &at, mount_flags(at.mnt) | MNT_READONLY);
	path_put(&at);
	return r;
}

static int protect_tmpfs(struct boot *b)
{
	for (u32 i = 0; i < b->cfg->nmounts; i++) {
		const struct boot_mount *m = &b->cfg->mounts[i];
		struct path at;
		int r;

		if (!late_readonly(m) || vfs_lookup(b->hands, AT_FDCWD, m->dest, LOOKUP_FOLLOW, &at) < 0)
			continue;
		r = mount_remount(b->hands, &at, m->flags);
		path_put(&at);
		if (r < 0)
			return boot_fail(b, r, "mounts: cannot make %s read-only: %s", m->dest, strerror(-r));
	}
	return 0;
}

static int share(struct boot *b, const struct path *at, u32 propagation, const char *what)
{
	int r = propagation & 0xf ? mount_set_propagation(b->hands, at, (int)(propagation & 0xf) - 1, propagation & 0x10) : 0;

	return r < 0 ? boot_fail(b, r, "mounts: cannot set the propagation of %s: %s", what, strerror(-r)) : 0;
}

static int share_all(struct boot *b)
{
	struct path at = mnt_ns_root(b->mnt_ns);
	int r = share(b, &at, b->cfg->root_propagation, "/");

	path_put(&at);
	for (u32 i = 0; i < b->cfg->nmounts && r == 0; i++) {
		const struct boot_mount *m = &b->cfg->mounts[i];

		if (!m->propagation || vfs_lookup(b->hands, AT_FDCWD, m->dest, LOOKUP_FOLLOW, &at) < 0)
			continue;
		if (path_is_mount_root(&at))
			r = share(b, &at, m->propagation, m->dest);
		path_put(&at);
	}
	return r;
}

int boot_cover(struct boot *b)
{
	const struct boot_config *c = b->cfg;
	struct path root;
	int r;

	r = boot_sysctls(b);
	if (r == 0)
		r = protect_tmpfs(b);
	for (u32 i = 0; i < c->nmasked && r == 0; i++) {
		r = cover_one(b, c->masked[i]);
		if (r < 0)
			return boot_fail(b, r, "maskedPaths: cannot mask %s: %s", c->masked[i], strerror(-r));
	}
	for (u32 i = 0; i < c->nreadonly && r == 0; i++) {
		r = make_readonly(b, c->readonly[i]);
		if (r < 0)
			return boot_fail(b, r, "readonlyPaths: cannot make %s read-only: %s", c->readonly[i], strerror(-r));
	}
	if (r == 0)
		r = share_all(b);
	if (r < 0 || !c->root_readonly)
		return r;
	root = mnt_ns_root(b->mnt_ns);
	r = mount_remount(b->hands, &root, mount_flags(root.mnt) | MNT_READONLY);
	path_put(&root);
	return r;
}
