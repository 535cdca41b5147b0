/*
 * file.c - open files of an overlay: a shell around the layer's own file.
 *
 * A file opened for reading in a lower layer goes on with the upper one once it
 * was copied up, so that readers see what writers write (mappings stay, as on
 * Linux).  The first file is kept until release: mappings may use its host file.
 */
#include <errno.h>
#include <fcntl.h>
#include "platform/base/alloc.h"
#include "sentry/fs/overlay/overlay_int.h"
#include "sentry/kernel/task.h"

struct ofile {
	struct file f;
	struct file *real;                      /* immutable: a reference */
	_Atomic(struct file *) later;           /* the upper one, opened after a copy; a reference */
	bool lower;                             /* immutable: real is in a lower layer */
};

static struct ofile *ofile_of(struct file *f) { return container_of(f, struct ofile, f); }

/* The file to use now. Borrowed. */
static int real_file(struct task *t, struct ofile *of, struct file **ret)
{
	struct inode *u;
	struct file *f, *none = NULL;
	int r;

	*ret = of->real;
	if (likely(!of->lower))
		return 0;
	u = onode_upper(onode_of(of->f.inode));
	if (!u)
		return 0;
	f = atomic_load(&of->later);
	if (!f) {
		r = u->ops->open(t, u, NULL, of->f.flags & ~(u32)(O_TRUNC | O_CREAT), &f);
		if (r < 0)
			return r;
		if (!atomic_compare_exchange_strong(&of->later, &none, f)) {
			file_unref(f);
			f = none;
		}
	}
	*ret = f;
	return 0;
}

static ssize_t ovl_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->read ? real->ops->read(t, real, b, pos) : -EINVAL;
}

static ssize_t ovl_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->write ? real->ops->write(t, real, b, pos) : -EINVAL;
}

static s64 ovl_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	struct file *real;
	struct kstat st;
	s64 base = 0;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	if ((whence == SEEK_DATA || whence == SEEK_HOLE) && real->ops->lseek)
		return real->ops->lseek(t, real, off, whence);
	r = inode_getattr(t, f->inode, &st);
	if (r < 0)
		return r;
	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (off < 0 || off >= (s64)st.size)
			return -ENXIO;
		return whence == SEEK_DATA ? off : (s64)st.size;
	}
	if (whence == SEEK_CUR)
		base = f->pos;
	else if (whence == SEEK_END)
		base = (s64)st.size;
	return add_overflows(base, off, &off) || off < 0 ? -EINVAL : off;
}

static int ovl_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->map ? real->ops->map(t, real, off, len, prot, flags, ret) : -ENODEV;
}

static int ovl_fsync(struct task *t, struct file *f, bool data_only)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->fsync ? real->ops->fsync(t, real, data_only) : -EINVAL;
}

static int ovl_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->fallocate ? real->ops->fallocate(t, real, mode, off, len) : -EOPNOTSUPP;
}

static long ovl_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct file *real;
	int r = real_file(t, ofile_of(f), &real);

	if (r < 0)
		return r;
	return real->ops->ioctl ? real->ops->ioctl(t, real, cmd, arg) : -ENOTTY;
}

static int ovl_flush(struct task *t, struct file *f)
{
	struct file *real = ofile_of(f)->real;

	return real->ops->flush ? real->ops->flush(t, real) : 0;
}

static void ofile_release(struct file *f)
{
	struct ofile *of = ofile_of(f);

	file_unref(of->real);
	file_unref(atomic_load(&of->later));
	file_done(f);
	kfree(of);
}

static const struct file_ops ovl_file_file_ops = {
	.name = "overlay",
	.read = ovl_read,
	.write = ovl_write,
	.lseek = ovl_lseek,
	.map = ovl_map,
	.fsync = ovl_fsync,
	.fallocate = ovl_fallocate,
	.ioctl = ovl_ioctl,
	.flush = ovl_flush,
	.release = ofile_release,
};

int ovl_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct onode *n = onode_of(i);
	struct inode *real;
	struct ofile *of;
	int r = 0;

	if ((flags & O_ACCMODE) != O_RDONLY && S_ISREG(i->mode))
		r = ovl_copy_up(t, n, true);
	if (r < 0)
		return r;
	real = onode_real(n);
	if (!real->ops->open)
		return -ENXIO;
	if (!S_ISREG(i->mode))
		return real->ops->open(t, real, p, flags, ret);
	of = knew(struct ofile);
	if (!of)
		return -ENOMEM;
	r = real->ops->open(t, real, NULL, flags, &of->real);
	if (r < 0) {
		kfree(of);
		return r;
	}
	of->lower = real != onode_upper(n);
	file_init(&of->f, &ovl_file_file_ops, flags, of->real->kind, p, i, task_cred(t));
	*ret = &of->f;
	return 0;
}
