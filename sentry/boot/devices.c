/*
 * devices.c - what the runtime specification wants in /dev beyond its mounts.
 *
 * Nodes are made in the sandbox's own /dev (a tmpfs); a /dev that is bind-mounted from the host is
 * left as it is.  Elsewhere in the root, where the gofer makes no nodes, one is mounted over an empty file, as runc does in user
 * namespaces.  A device node is a number that the sandbox's kernel knows or not; no host device is behind any.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/base/str.h"
#include "sentry/boot/boot_int.h"

static const struct boot_device standard[] = {
	{ "/dev/null", 'c', 1, 3, 0666, 0, 0 }, { "/dev/zero", 'c', 1, 5, 0666, 0, 0 },
	{ "/dev/full", 'c', 1, 7, 0666, 0, 0 }, { "/dev/random", 'c', 1, 8, 0666, 0, 0 },
	{ "/dev/urandom", 'c', 1, 9, 0666, 0, 0 }, { "/dev/tty", 'c', 5, 0, 0666, 0, 0 },
};

static const struct { const char *name, *target; } links[] = {
	{ "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" }, { "/dev/stdout", "/proc/self/fd/1" },
	{ "/dev/stderr", "/proc/self/fd/2" }, { "/dev/ptmx", "pts/ptmx" },
};

static u32 type_bits(const struct boot_device *d)
{
	return d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
}

/* In a tmpfs of its own, over the file @at. */
static int mount_node(struct boot *b, const struct boot_device *d, const struct path *at)
{
	struct iattr a = { .valid = IATTR_MODE | IATTR_UID | IATTR_GID, .mode = d->mode, .uid = d->uid, .gid = d->gid };
	const struct fstype *t = fstype_find("tmpfs");
	auto_inode *dir = NULL, *node = NULL;
	struct super *sb;
	int r = t ? t->make(b->hands, b->kernel, "tmpfs", "mode=755", &sb, &dir) : -ENODEV;

	if (r < 0)
		return r;
	mutex_lock(&dir->mu);
	r = dir->ops->mknod(b->hands, dir, "node", 4, type_bits(d) | d->mode, d->major, d->minor, &node);
	mutex_unlock(&dir->mu);
	if (r == 0)
		r = node->ops->setattr(b->hands, node, &a);
	if (r == 0)
		r = mount_add(b->hands, at, sb, node, MNT_NOSUID | MNT_NOEXEC, "tmpfs");
	super_unref(sb);
	return r;
}

/* @name is there already, or can be no node: a regular file is mounted over. */
static int cover_file(struct boot *b, const struct boot_device *d, const char *name)
{
	struct path p;
	int r = vfs_lookup(b->hands, AT_FDCWD, name, LOOKUP_FOLLOW, &p);

	if (r == -ENOENT) {
		r = boot_make_file(b, name);
		if (r == 0)
			r = vfs_lookup(b->hands, AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	}
	if (r < 0)
		return r;
	if (S_ISREG(path_inode(&p)->mode))
		r = mount_node(b, d, &p);
	path_put(&p);
	return r;
}

static int make_node(struct boot *b, const struct boot_device *d)
{
	struct iattr a = { .valid = IATTR_MODE | IATTR_UID | IATTR_GID, .mode = d->mode, .uid = d->uid, .gid = d->gid };
	char name[256], *slash;
	struct path p;
	int r = 0;

	if (!str_copy(name, sizeof(name), d->path))
		return -ENAMETOOLONG;
	for (size_t n = strlen(name); n > 1 && name[n - 1] == '/'; n--)
		name[n - 1] = 0;
	slash = strrchr(name, '/');
	if (slash && slash != name) {
		*slash = 0;
		r = boot_mkdir_p(b, name);
		*slash = '/';
	}
	if (r == 0)
		r = vfs_mknod(b->hands, AT_FDCWD, name, type_bits(d) | d->mode, d->major, d->minor);
	if (r == -EEXIST || r == -EPERM || r == -EROFS)
		return cover_file(b, d, name);
	if (r == 0)
		r = vfs_lookup(b->hands, AT_FDCWD, name, 0, &p);
	if (r < 0)
		return r;
	r = vfs_setattr(b->hands, &p, &a);
	path_put(&p);
	return r;
}

static bool dev_is_ours(const struct boot_config *c)
{
	for (u32 i = 0; i < c->nmounts; i++)
		if (str_eq(c->mounts[i].dest, "/dev") && c->mounts[i].root >= 0)
			return false;
	return true;
}

int boot_devices(struct boot *b)
{
	const struct boot_config *c = b->cfg;
	int r = 0;

	if (!dev_is_ours(c))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(standard) && r == 0; i++) {
		r = make_node(b, &standard[i]);
		if (r < 0)
			return boot_fail(b, r, "cannot make %s: %s", standard[i].path, strerror(-r));
	}
	if (c->tty_fd >= 0) {
		static const struct boot_device console = { "/dev/console", 'c', 5, 1, 0620, 0, 0 };

		r = make_node(b, &console);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		r = vfs_symlink(b->hands, links[i].target, AT_FDCWD, links[i].name);
		if (r < 0 && r != -EEXIST)
			return boot_fail(b, r, "cannot make %s: %s", links[i].name, strerror(-r));
	}
	for (u32 i = 0; i < c->ndevices; i++) {
		r = make_node(b, &c->devices[i]);
		if (r < 0)
			return boot_fail(b, r, "linux.devices: cannot make %s: %s", c->devices[i].path, strerror(-r));
	}
	return 0;
}
