/*
 * mounts.c - /proc/PID/{mounts,mountinfo,mountstats}: the mounts of a process as text, and a file
 * to wait on for changes (POLLPRI and POLLERR once for each look after one).
 *
 * The namespace and root are those that the process had at open, as on Linux.
 * Locks: text is guarded by the file's pos_mu; seen is atomic.
 */
#include <errno.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/proc/pid_int.h"
#include "sentry/kernel/task.h"

struct mounts_file {
	struct file f;
	int kind;                               /* immutable: as mounts_show() counts */
	struct mnt_ns *ns;                      /* immutable; a reference */
	struct fs *fs;                          /* immutable; a reference */
	_Atomic u64 seen;                       /* the change that poll has told of */
	struct strbuf text;
	bool made;
};

static struct mounts_file *mf_of(struct file *f) { return container_of(f, struct mounts_file, f); }

/* With pos_mu: pread and sendfile come without it. */
static ssize_t read_locked(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct mounts_file *mf = mf_of(f);
	ssize_t r;

	if (!mf->made || *pos == 0) {
		strbuf_clear(&mf->text);
		mf->made = false;
		r = mounts_show(t, mf->ns, mf->fs, mf->kind, &mf->text);
		if (r == 0)
			r = strbuf_err(&mf->text);
		if (r < 0)
			return r;
		mf->made = true;
	}
	if (*pos < 0 || (u64)*pos >= mf->text.len)
		return 0;
	r = iobuf_put(b, mf->text.p + *pos, MIN(b->left, mf->text.len - (size_t)*pos));
	if (r > 0)
		*pos += r;
	return r;
}

static ssize_t mounts_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	bool locked = file_lock_pos(f, pos);
	ssize_t r = read_locked(t, f, b, pos);

	file_unlock_pos(f, locked);
	return r;
}

static s64 mounts_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	if (whence == SEEK_CUR && add_overflows(off, f->pos, &off))
		return -EOVERFLOW;
	return off < 0 ? -EINVAL : off;
}

static u32 mounts_poll(struct file *f)
{
	struct mounts_file *mf = mf_of(f);
	u64 now = mnt_ns_changes(mf->ns);

	return POLLIN | POLLRDNORM | (atomic_exchange(&mf->seen, now) != now ? POLLERR | POLLPRI : 0);
}

static void mounts_release(struct file *f)
{
	struct mounts_file *mf = mf_of(f);

	strbuf_done(&mf->text);
	fs_unref(mf->fs);
	mnt_ns_unref(mf->ns);
	file_done(f);
	kfree(mf);
}

static const struct file_ops mounts_ops = {
	.name = "mounts",
	.read = mounts_read,
	.lseek = mounts_lseek,
	.poll = mounts_poll,
	.release = mounts_release,
};

static int open_kind(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, int kind,
		     struct file **ret)
{
	struct fs *fs = task_fs_get(n->task);
	struct mounts_file *mf;
	struct mnt_ns *ns;

	mutex_lock(&n->task->mu);
	ns = n->task->mnt_ns ? mnt_ns_ref(n->task->mnt_ns) : NULL;
	mutex_unlock(&n->task->mu);
	mf = fs && ns ? knew(struct mounts_file) : NULL;
	if (!mf) {
		int r = fs && ns ? -ENOMEM : -EINVAL;

		mnt_ns_unref(ns);
		if (fs)
			fs_unref(fs);
		return r;
	}
	file_init(&mf->f, &mounts_ops, flags, 0, p, &n->inode, task_cred(t));
	mf->f.wq = mnt_ns_wq(ns);
	mf->kind = kind;
	mf->ns = ns;
	mf->fs = fs;
	atomic_init(&mf->seen, mnt_ns_changes(ns));
	strbuf_init_limit(&mf->text, 64u << 20);
	*ret = &mf->f;
	return 0;
}

int pid_mounts_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret)
{
	return open_kind(t, n, p, flags, 0, ret);
}

int pid_mountinfo_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret)
{
	return open_kind(t, n, p, flags, 1, ret);
}

int pid_mountstats_open(struct task *t, struct pseudo_node *n, const struct path *p, u32 flags, struct file **ret)
{
	return open_kind(t, n, p, flags, 2, ret);
}
