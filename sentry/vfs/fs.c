/*
 * fs.c - struct fs: a task's root, working directory and umask.
 *
 * Paths are changed by swapping under fs->mu; the old ones are dropped after.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "sentry/vfs/vfs.h"

struct fs *fs_new(const struct path *root, const struct path *cwd, u32 umask)
{
	struct fs *fs = knew(struct fs);

	if (!fs)
		return NULL;
	ref_init(&fs->ref);
	mutex_init(&fs->mu, RANK_FS);
	fs->root = *root;
	fs->cwd = *cwd;
	path_get(root);
	path_get(cwd);
	fs->umask = umask & 0777;
	return fs;
}

struct fs *fs_copy(struct fs *from)
{
	struct path root = fs_root(from), cwd = fs_cwd(from);
	struct fs *fs = fs_new(&root, &cwd, fs_umask(from));

	path_put(&root);
	path_put(&cwd);
	return fs;
}

struct fs *fs_ref(struct fs *fs)
{
	ref_get(&fs->ref);
	return fs;
}

void fs_unref(struct fs *fs)
{
	if (!fs || !ref_put(&fs->ref))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kfree(fs);
}

struct path fs_root(struct fs *fs)
{
	struct path p;

	mutex_lock(&fs->mu);
	p = fs->root;
	path_get(&p);
	mutex_unlock(&fs->mu);
	return p;
}

struct path fs_cwd(struct fs *fs)
{
	struct path p;

	mutex_lock(&fs->mu);
	p = fs->cwd;
	path_get(&p);
	mutex_unlock(&fs->mu);
	return p;
}

u32 fs_umask(struct fs *fs)
{
	return __atomic_load_n(&fs->umask, __ATOMIC_RELAXED);
}

u32 fs_set_umask(struct fs *fs, u32 mask)
{
	return __atomic_exchange_n(&fs->umask, mask & 0777, __ATOMIC_RELAXED);
}

static void set_path(struct fs *fs, struct path *slot, const struct path *p)
{
	struct path old;

	path_get(p);
	mutex_lock(&fs->mu);
	old = *slot;
	*slot = *p;
	mutex_unlock(&fs->mu);
	path_put(&old);
}

void fs_set_cwd(struct fs *fs, const struct path *p)
{
	set_path(fs, &fs->cwd, p);
}

void fs_set_root(struct fs *fs, const struct path *p)
{
	set_path(fs, &fs->root, p);
}

static bool same(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}

void fs_replace(struct fs *fs, const struct path *from, const struct path *to)
{
	struct path root = fs_root(fs), cwd = fs_cwd(fs);

	if (same(&root, from))
		fs_set_root(fs, to);
	if (same(&cwd, from))
		fs_set_cwd(fs, to);
	path_put(&root);
	path_put(&cwd);
}
