/*
 * anon.c - files that never had a name: memfd_create(2), shared anonymous
 * memory, SysV shared memory.
 *
 * They live in one unlimited tmpfs that is mounted nowhere, made when the first
 * one is wanted and kept for the life of the kernel.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "platform/host/hostfile.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/kernel/task.h"

/* Made outside any lock; whoever is second drops his. */
static int shm_super(struct kernel *k, struct tmpfs **ret)
{
	struct super *sb = __atomic_load_n(&k->shm, __ATOMIC_ACQUIRE), *none = NULL;
	struct inode *root;
	int r;

	if (!sb) {
		r = tmpfs_make(NULL, k, "tmpfs", "nr_blocks=0,nr_inodes=0", &sb, &root);
		if (r < 0)
			return r;
		inode_unref(root);
		if (!__atomic_compare_exchange_n(&k->shm, &none, sb, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			super_unref(sb);
			sb = none;
		}
	}
	*ret = container_of(sb, struct tmpfs, sb);
	return 0;
}

static char *shown_name(const char *name)
{
	struct strbuf s;

	strbuf_init(&s);
	strbuf_printf(&s, "/%s (deleted)", name);
	return strbuf_take(&s);
}

int tmpfs_anon_file(struct task *t, const char *name, u64 size, u32 seals, struct file **ret)
{
	const struct cred *c = task_cred(t);
	struct tmpfs *ts;
	struct tnode *n;
	int r = shm_super(t->kernel, &ts);

	if (r == 0)
		r = tnode_new(ts, S_IFREG | 0777, c->fsuid, c->fsgid, &n);
	if (r < 0)
		return r;
	n->i.nlink = 0;
	n->anon_name = shown_name(name);
	r = n->anon_name ? 0 : -ENOMEM;
	mutex_lock(&n->i.mu);
	if (r == 0 && size > 0)
		r = tmpfs_resize_locked(n, size);
	n->seals = seals;
	mutex_unlock(&n->i.mu);
	if (r == 0)
		r = tmpfs_file_open(t, &n->i, NULL, O_RDWR | 0100000, ret);
	if (r == 0) {
		(*ret)->anon_name = n->anon_name;
		(*ret)->anon_ino = n->i.ino;
	}
	inode_unref(&n->i);
	return r;
}

static struct tnode *memfd_of(struct file *f)
{
	struct tnode *n;

	if (f->ops != &tmpfs_reg_ops)
		return NULL;
	n = tnode_of(f->inode);
	return n->anon_name && str_starts(n->anon_name, "/memfd:") ? n : NULL;
}

static bool is_tmpfs_file(const struct file *f) { return f->ops == &tmpfs_reg_ops; }

int tmpfs_get_seals(struct file *f)
{
	struct tnode *n = memfd_of(f);

	if (!n)
		return is_tmpfs_file(f) ? F_SEAL_SEAL : -EINVAL;
	return (int)__atomic_load_n(&n->seals, __ATOMIC_RELAXED);
}

/* The host's memfd is sealed too: only it knows of writable mappings (-EBUSY). */
int tmpfs_add_seals(struct file *f, u32 seals)
{
	const u32 known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | 0x10 | 0x20;
	struct tnode *n = memfd_of(f);
	int r = 0;

	if ((f->flags & O_ACCMODE) == O_RDONLY)
		return -EPERM;
	if (seals & ~known)
		return -EINVAL;
	if (!n)
		return is_tmpfs_file(f) ? -EPERM : -EINVAL;     /* a file with a name is sealed against seals */
	mutex_lock(&n->i.mu);
	if (n->seals & F_SEAL_SEAL)
		r = -EPERM;
	if (r == 0 && (seals & (F_SEAL_WRITE | 0x10))) {
		r = tmpfs_promote_locked(n);
		if (r == 0)
			r = host_add_seals(n->fd, seals & (F_SEAL_WRITE | 0x10));
	}
	if (r == 0)
		n->seals |= seals;
	mutex_unlock(&n->i.mu);
	return r;
}
