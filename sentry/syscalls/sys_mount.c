/*
 * sys_mount.c - mount, umount2, pivot_root.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/patharg.h"
#include "sentry/vfs/landlock.h"
#include "sentry/vfs/mount_ops.h"

#define LX_MS_NOSYMFOLLOW 256           /* newer than libc */

static u32 mount_flags_from(u64 ms)
{
	static const struct { u64 ms; u32 mnt; } map[] = {
		{ MS_RDONLY, MNT_READONLY }, { MS_NOSUID, MNT_NOSUID }, { MS_NODEV, MNT_NODEV },
		{ MS_NOEXEC, MNT_NOEXEC }, { MS_NOATIME, MNT_NOATIME }, { MS_NODIRATIME, MNT_NODIRATIME },
		{ LX_MS_NOSYMFOLLOW, MNT_NOSYMFOLLOW },
	};
	u32 r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (ms & map[i].ms)
			r |= map[i].mnt;
	if (!(ms & (MS_NOATIME | MS_STRICTATIME)))
		r |= MNT_RELATIME;
	return r;
}

/* A string of the guest, at most a page; NULL stays NULL. */
static int opt_string(struct task *t, gaddr_t p, char **ret)
{
	*ret = NULL;
	return p.v ? copy_in_path(t, p, ret) : 0;
}

static int new_mount(struct task *t, const struct path *at, const char *type, const char *source, u64 ms,
                     const char *data)
{
	const struct fstype *fs = type ? fstype_find(type) : NULL;
	auto_inode *root = NULL;
	struct super *sb;
	int r;

	if (!type)
		return -EINVAL;
	if (!fs)
		return -ENODEV;
	r = fs->make(t, t->kernel, source, data, &sb, &root);
	if (r < 0)
		return r;
	r = mount_add(t, at, sb, root, mount_flags_from(ms), source ? source : "none");
	super_unref(sb);
	return r;
}

static int bind_mount(struct task *t, const char *source, const struct path *at, u64 ms)
{
	auto_path from = { 0 };
	int r;

	if (!source || !*source)
		return -EINVAL;
	r = vfs_lookup(t, AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	return r < 0 ? r : mount_bind(t, &from, at, ms & MS_REC, 0);
}

static int move(struct task *t, const char *source, const struct path *at)
{
	auto_path from = { 0 };
	int r;

	if (!source || !*source)
		return -EINVAL;
	r = vfs_lookup(t, AT_FDCWD, source, LOOKUP_FOLLOW, &from);
	return r < 0 ? r : mount_move(t, &from, at);
}

static int propagation(u64 ms)
{
	switch (ms & ~(u64)(MS_REC | MS_SILENT)) {
	case MS_PRIVATE:
		return 0;
	case MS_SHARED:
		return 1;
	case MS_SLAVE:
		return 2;
	case MS_UNBINDABLE:
		return 3;
	default:
		return -1;      /* one of them, and nothing else */
	}
}

static int do_mount(struct task *t, const char *source, const struct path *at, const char *type, u64 ms,
                    const char *data)
{
	if (ms & MS_REMOUNT)
		return mount_remount(t, at, mount_flags_from(ms));
	if (ms & MS_BIND)
		return bind_mount(t, source, at, ms);
	if (ms & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE))
		return propagation(ms) < 0 ? -EINVAL : mount_set_propagation(t, at, propagation(ms), ms & MS_REC);
	if (ms & MS_MOVE)
		return move(t, source, at);
	return new_mount(t, at, type, source, ms, data);
}

long sys_mount(struct task *t, const struct sysargs *a)
{
	char target[PATH_MAX] no_init;
	auto_kfree char *source = NULL, *type = NULL, *data = NULL;
	auto_path at = { 0 };
	int r = opt_string(t, arg_addr(a, 2), &type);

	if (r == 0)
		r = opt_string(t, arg_addr(a, 0), &source);
	if (r == 0)
		r = opt_string(t, arg_addr(a, 4), &data);
	if (r == 0)
		r = path_arg(t, a, 1, target);
	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, target, LOOKUP_FOLLOW, &at);
	if (r < 0)
		return r;
	if (!mount_may_admin(t) || landlock_mounts(t) < 0)
		return -EPERM;
	return do_mount(t, source, &at, type, arg_u64(a, 3), data);
}

#define UMOUNT_KNOWN (MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)

long sys_umount2(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path at = { 0 };
	u32 flags = arg_u32(a, 1);
	int r;

	if (flags & ~(u32)UMOUNT_KNOWN)
		return -EINVAL;
	r = path_arg(t, a, 0, name);
	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &at);
	if (r < 0)
		return r;
	if (!mount_may_admin(t) || landlock_mounts(t) < 0)
		return -EPERM;
	return mount_umount(t, &at, flags);
}

/* ---- pivot_root: every process that was at the old root goes to the new one ---- */

struct pivot { struct path from, to; };

static int move_task(void *arg, struct task *t)
{
	struct pivot *pv = arg;
	struct fs *fs = task_fs_get(t);

	if (fs) {
		fs_replace(fs, &pv->from, &pv->to);
		fs_unref(fs);
	}
	return 0;
}

static int move_tgroup(void *arg, struct tgroup *tg)
{
	return tgroup_for_each_task(tg, move_task, arg);
}

long sys_pivot_root(struct task *t, const struct sysargs *a)
{
	char name[PATH_MAX] no_init;
	auto_path new = { 0 }, put_old = { 0 }, root = fs_root(t->fs);
	struct pivot pv;
	int r;

	if (!mount_may_admin(t) || landlock_mounts(t) < 0)
		return -EPERM;
	r = path_arg(t, a, 0, name);
	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &new);
	if (r == 0)
		r = path_arg(t, a, 1, name);
	if (r == 0)
		r = vfs_lookup(t, AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &put_old);
	if (r == 0)
		r = mount_pivot(t, &root, &new, &put_old);
	if (r < 0)
		return r;
	pv = (struct pivot){ .from = root, .to = new };
	tgroup_for_each(t->kernel, move_tgroup, &pv);
	return 0;
}

/* sysfs(2), which is older than the file system of that name: the registered types by name and number. */
long sys_sysfs(struct task *t, const struct sysargs *a)
{
	const struct fstype *fs;
	char name[64];
	size_t n = 0;
	ssize_t r;

	switch (arg_s32(a, 0)) {
	case 1:
		r = copy_in_str(t, name, arg_addr(a, 1), sizeof(name));
		if (r < 0)
			return r == -ENAMETOOLONG ? -EINVAL : r;
		for (; (fs = fstype_at(n)); n++)
			if (strcmp(fs->name, name) == 0)
				return (long)n;
		return -EINVAL;
	case 2:
		fs = arg_u64(a, 1) <= INT_MAX ? fstype_at((size_t)arg_u64(a, 1)) : NULL;
		return fs ? copy_out(t, arg_addr(a, 2), fs->name, strlen(fs->name) + 1) : -EINVAL;
	case 3:
		while (fstype_at(n))
			n++;
		return (long)n;
	default:
		return -EINVAL;
	}
}
