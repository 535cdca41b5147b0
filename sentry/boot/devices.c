/*
 * devices.c - what the runtime specification wants in /dev beyond its mounts.
 *
 * Nodes are made in the sandbox's own /dev (a tmpfs); a /dev that is bind-mounted from the host is
 * left as it is.  A device node is a number that the sandbox's kernel knows or not; no host device is behind any.
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

static int make_node(struct boot *b, const struct boot_device *d)
{
	u32 type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
	struct iattr a = { .valid = IATTR_MODE | IATTR_UID | IATTR_GID, .mode = d->mode, .uid = d->uid, .gid = d->gid };
	char dir[256], *slash;
	struct path p;
	int r;

	if (!str_copy(dir, sizeof(dir), d->path))
		return -ENAMETOOLONG;
	slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = 0;
		r = boot_mkdir_p(b, dir);
		if (r < 0)
			return r;
	}
	r = vfs_mknod(b->hands, AT_FDCWD, d->path, type | d->mode, d->major, d->minor);
	if (r == -EEXIST)
		return 0;
	if (r == 0)
		r = vfs_lookup(b->hands, AT_FDCWD, d->path, 0, &p);
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
