/*
 * file.c - the verbs on open files: modes, positions, waiting.
 *
 * Everything that holds for all kinds of files is here and nowhere else:
 * EBADF by open mode, the shared position, -EAGAIN turned into sleep, the file
 * size limit, O_APPEND and the loss of set-id bits by writing.
 *
 * Locks: pos_mu (position) and inode->wr_mu (writers) are held over the op of a
 * file with a position; such ops do not wait for the guest.  Streams are called
 * without any lock, and only here does a task sleep for them.
 */
#include "sentry/vfs/file.h"
#include <fcntl.h>
#include <linux/capability.h>
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/perm.h"
#include "sentry/vfs/dnotify.h"
#include "sentry/vfs/epoll.h"
#include "sentry/vfs/fasync.h"
#include "sentry/vfs/lease.h"
#include "sentry/vfs/notify.h"
#include "sentry/vfs/vfs.h"

#define LX_FALLOC_WRITE_ZEROES 0x80     /* Linux 6.17; no file system here has it */
#define VIEW_LEAST 1024u        /* bytes: less travels with the trap as well */
#define READ_EVENTS  (POLLIN | POLLRDNORM | POLLRDHUP)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM)

void file_init(struct file *f, const struct file_ops *ops, u32 flags, u32 kind,
               const struct path *path, struct inode *inode, const struct cred *cred)
{
	f->ops = ops;
	ref_init(&f->ref);
	mutex_init(&f->mu, RANK_FILE);
	mutex_init(&f->pos_mu, RANK_FPOS);
	list_init(&f->epitems);
	f->flags = flags;
	f->kind = kind;
	if (path && path->dentry) {
		f->path = *path;
		path_get(path);
	}
	f->inode = inode ? inode_ref(inode) : NULL;
	f->cred = cred ? cred_ref(cred) : NULL;
}

void file_done(struct file *f)
{
	locks_release_file(f);
	if (f->path.dentry)
		path_put(&f->path);
	if (f->inode && (f->kind & FILE_WRITER))
		inode_drop_writer(f->inode);
	if (f->inode && (f->kind & FILE_READER))
		atomic_fetch_sub(&f->inode->readers, 1);
	f->inode = inode_unref(f->inode);
	if (f->cred)
		cred_unref(f->cred);
	f->cred = NULL;
}

struct file *file_ref(struct file *f)
{
	ref_get(&f->ref);
	return f;
}

struct file *file_unref(struct file *f)
{
	if (!f || !ref_put(&f->ref))
		return NULL;
	if (f->path.dentry && !(f->kind & FILE_PATH))
		notify_file(f, (f->flags & O_ACCMODE) != O_RDONLY ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
	epoll_file_gone(f);             /* always: it also waits for one who is just leaving f->epitems */
	lease_file_gone(f);
	dnotify_close(f, NULL);
	fowner_file_gone(f);
	f->ops->release(f);
	return NULL;
}

u32 file_flags(struct file *f)
{
	return __atomic_load_n(&f->flags, __ATOMIC_RELAXED);
}

int file_set_flags(struct file *f, u32 flags, u32 mask)
{
	u32 old, new_flags;
	int r = 0;

	mutex_lock(&f->mu);
	old = f->flags;
	new_flags = (old & ~mask) | (flags & mask);
	if (f->ops->set_flags)
		r = f->ops->set_flags(f, old, new_flags);
	if (r >= 0)
		__atomic_store_n(&f->flags, new_flags, __ATOMIC_RELAXED);
	mutex_unlock(&f->mu);
	return r < 0 ? r : 0;
}

static bool readable(const struct file *f)
{
	return !(f->kind & FILE_PATH) && ((f->flags & O_ACCMODE) == O_RDONLY || (f->flags & O_ACCMODE) == O_RDWR);
}

static bool writable(const struct file *f)
{
	return !(f->kind & FILE_PATH) && ((f->flags & O_ACCMODE) == O_WRONLY || (f->flags & O_ACCMODE) == O_RDWR);
}

int file_check_io(const struct file *f, bool write, bool at)
{
	if (at && (f->kind & FILE_STREAM))
		return -ESPIPE;
	if (!(write ? writable(f) : readable(f)))
		return -EBADF;
	return write ? (f->ops->write ? 0 : -EINVAL) : f->ops->read || (f->inode && S_ISDIR(f->inode->mode)) ? 0 : -EINVAL;
}

/* A range that leaves the positions there are: refused whatever the kind, and even if O_APPEND then goes elsewhere. */
static bool beyond(const s64 *pos, const struct iobuf *b)
{
	return pos && (*pos < 0 || (s64)((u64)*pos + b->left) < 0);
}

static bool is_dir(const struct file *f)
{
	return f->inode && S_ISDIR(f->inode->mode);
}

static bool is_regular(const struct file *f)
{
	return f->inode && S_ISREG(f->inode->mode);
}

/* Is -EAGAIN of an op to be slept over here? */
static bool may_wait(struct file *f, bool nowait)
{
	return f->wq && !nowait && !(f->kind & FILE_OWN_WAIT) && !(file_flags(f) & O_NONBLOCK);
}

static u32 mnt_flags_of(const struct file *f)
{
	return f->path.mnt ? mount_flags(f->path.mnt) : MNT_NOATIME;
}

int file_wait(struct task *t, struct file *f, u32 events, ktime_t deadline)
{
	struct task_waiter tw;
	struct waitq *wq;
	int r = 0;

	events |= POLLERR | POLLHUP;
	task_waiter_init(&tw, t, events);
	(void)file_poll_for(t, f, &wq);
	waitq_add(wq, &tw.w);
	while (!(file_poll_for(t, f, NULL) & events)) {
		r = task_sleep(t, deadline);
		if (r < 0)
			break;
	}
	waitq_del(wq, &tw.w);
	return r;
}

/* ---- reading ---- */

/* The op said -EAGAIN once: queue, try again, sleep. */
static ssize_t read_wait(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct waitq *wq = f->wq;
	struct task_waiter tw;
	ssize_t n;

	if (f->ops->poll_for)
		(void)f->ops->poll_for(f, t, &wq);
	task_waiter_init(&tw, t, READ_EVENTS | POLLPRI | POLLERR | POLLHUP);
	waitq_add(wq, &tw.w);
	for (;;) {
		n = f->ops->read(t, f, b, pos);
		if (n != -EAGAIN)
			break;
		n = task_sleep(t, KTIME_MAX);
		if (n < 0)
			break;
	}
	waitq_del(wq, &tw.w);
	return n;
}

/* The same, with the call set aside rather than asleep. */
static ssize_t read_parked(struct task *t, struct file *f, struct iobuf *b)
{
	s64 none = 0;

	task_park_on(t, &(struct park_on){ .file = f, .wq = f->wq, .deadline = KTIME_MAX,
					   .interest = READ_EVENTS | POLLPRI | POLLERR | POLLHUP });
	return task_park_result(t, f->ops->read(t, f, b, &none));
}

static ssize_t read_stream(struct task *t, struct file *f, struct iobuf *b, bool nowait)
{
	s64 none = 0;
	ssize_t n = f->ops->read(t, f, b, &none);
	/* Set aside: it was to wait when the call began. */
	bool wait = (b->parks && task_call_again(t) && !(f->kind & FILE_OWN_WAIT)) || may_wait(f, nowait);

	if (n == -EAGAIN && b->parks && wait && !f->ops->poll_for && task_can_park(t))
		n = read_parked(t, f, b);
	if (n == -EAGAIN && wait)
		n = read_wait(t, f, b, &none);
	return n;
}

static u64 view_key(struct kernel *k, struct file *f)
{
	u64 none = 0, key = atomic_load(&f->view_key);

	if (key)
		return key;
	key = atomic_fetch_add(&k->next_view, 1) + 1;
	return atomic_compare_exchange_strong(&f->view_key, &none, key) ? key : none;
}

/* By the application's side itself, if its bytes can be had that way: as many, else 0. */
static ssize_t read_view(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	size_t n = b->left;
	hostfd_t fd;
	s64 size;
	u64 key;
	int r;

	if (!b->again || !f->ops->view || n < VIEW_LEAST || !copy_view_may(t))
		return 0;
	size = f->ops->view(f, NULL);
	if (size < 0 || n > (u64)size || (u64)*pos > (u64)size - n)
		return 0;
	key = view_key(t->kernel, f);
	r = copy_out_view(t, GADDR(b->one.base), key, (u64)*pos, n);
	if (r == -EAGAIN && f->ops->view(f, &fd) >= 0)
		copy_view_give(t, key, (u64)*pos, fd);
	if (r < 0)
		return 0;
	iobuf_advance(b, n);
	*pos += (s64)n;
	return (ssize_t)n;
}

static ssize_t read_at(struct task *t, struct file *f, struct iobuf *b, s64 *pos, bool nowait)
{
	ssize_t n;

	if (beyond(pos, b))
		return -EINVAL;
	n = read_view(t, f, b, pos);
	if (n)
		return n;
	n = f->ops->read(t, f, b, pos);
	if (n == -EAGAIN && may_wait(f, nowait))
		n = read_wait(t, f, b, pos);
	return n;
}

ssize_t file_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos, bool nowait)
{
	bool asked = b->left > 0;
	ssize_t n;

	n = file_check_io(f, false, pos);
	if (n < 0)
		return n;
	if (beyond(pos, b))
		return -EINVAL;
	if (is_dir(f))
		return -EISDIR;
	if (f->kind & FILE_STREAM)
		return read_stream(t, f, b, nowait);
	if (f->kind & FILE_NOPOSLOCK)
		return f->ops->read(t, f, b, pos);      /* always ready; NULL: at the position it keeps */
	if (pos) {
		n = read_at(t, f, b, pos, nowait);
	} else {
		mutex_lock(&f->pos_mu);
		n = read_at(t, f, b, &f->pos, nowait);
		mutex_unlock(&f->pos_mu);
	}
	/* At the end of the file, too. */
	if (n >= 0 && asked && f->inode && !(file_flags(f) & O_NOATIME))
		inode_touch_atime(f->inode, mnt_flags_of(f));
	if (n > 0 && f->inode)
		notify_file(f, IN_ACCESS);
	return n;
}

/* ---- writing ---- */

static ssize_t write_wait(struct task *t, struct file *f, struct iobuf *b, ssize_t done)
{
	struct task_waiter tw;
	s64 none = 0;
	ssize_t n;

	task_waiter_init(&tw, t, WRITE_EVENTS | POLLERR | POLLHUP);
	waitq_add(f->wq, &tw.w);
	for (;;) {
		n = f->ops->write(t, f, b, &none);
		if (n > 0) {
			done += n;
			if (!(f->kind & FILE_WRITE_ALL) || b->left == 0)
				break;
			continue;
		}
		if (n != -EAGAIN)
			break;
		n = task_sleep(t, KTIME_MAX);
		if (n < 0)
			break;
	}
	waitq_del(f->wq, &tw.w);
	return done > 0 ? done : n;
}

static ssize_t write_stream(struct task *t, struct file *f, struct iobuf *b, bool nowait)
{
	s64 none = 0;
	ssize_t n = f->ops->write(t, f, b, &none);
	bool more = n > 0 && (f->kind & FILE_WRITE_ALL) && b->left > 0;

	if ((n == -EAGAIN || more) && may_wait(f, nowait))
		n = write_wait(t, f, b, MAX(n, 0));
	return n;
}

/* The size limit, in one place: true beyond it (then over_limit() outside wr_mu), a short write up to it. */
static bool limit_size(struct task *t, s64 pos, struct iobuf *b)
{
	u64 limit = task_rlimit(t, RLIMIT_FSIZE);

	if (limit > INT64_MAX)
		return false;
	if ((u64)pos >= limit)
		return !b || b->left > 0;
	if (b)
		iobuf_limit(b, (size_t)MIN(limit - (u64)pos, (u64)b->left));
	return false;
}

static int over_limit(struct task *t)
{
	signal_send_task(t, SIGXFSZ, NULL);
	return -EFBIG;
}

static int shed_privileges(struct task *t, struct inode *i)
{
	u32 mode = i->mode, kept = mode & ~(u32)S_ISUID;
	struct iattr a = { .valid = IATTR_MODE };

	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		kept &= ~(u32)S_ISGID;
	if (kept == mode || !i->ops->setattr || inode_capable(t, i, CAP_FSETID))
		return 0;
	a.mode = kept & 07777;
	return i->ops->setattr(t, i, &a);
}

static ssize_t write_regular(struct task *t, struct file *f, struct iobuf *b, s64 *pos, bool append)
{
	struct inode *i = f->inode;
	struct kstat st;
	bool over = false;
	ssize_t n = 0;

	mutex_lock(&i->wr_mu);
	if (b->left > 0 && (append || ((file_flags(f) & O_APPEND) && !b->noappend))) {
		n = inode_getattr(t, i, &st);
		if (n == 0)
			*pos = (s64)st.size;
	}
	if (n == 0 && beyond(pos, b))
		n = -EINVAL;
	if (n == 0)
		over = limit_size(t, *pos, b);
	if (n == 0 && !over && b->left > 0)
		n = shed_privileges(t, i);
	if (n == 0 && !over && b->left > 0)
		n = f->ops->write(t, f, b, pos);
	mutex_unlock(&i->wr_mu);
	return over ? over_limit(t) : n;
}

static ssize_t write_at(struct task *t, struct file *f, struct iobuf *b, s64 *pos, u32 how)
{
	ssize_t n;

	if (is_regular(f) && !(f->kind & FILE_COMMAND))
		return write_regular(t, f, b, pos, how & WRITE_APPEND);
	if (beyond(pos, b))
		return -EINVAL;
	n = f->ops->write(t, f, b, pos);
	if (n == -EAGAIN && may_wait(f, how & WRITE_NOWAIT))
		n = write_wait(t, f, b, 0);
	return n;
}

ssize_t file_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos, u32 how)
{
	ssize_t n;

	n = file_check_io(f, true, pos);
	if (n < 0)
		return n;
	if (beyond(pos, b))
		return -EINVAL;
	b->noappend = how & WRITE_NOAPPEND;
	if (f->kind & FILE_STREAM)
		return write_stream(t, f, b, how & WRITE_NOWAIT);
	if (f->kind & FILE_NOPOSLOCK)
		return f->ops->write(t, f, b, pos);      /* always ready; NULL: at the position it keeps */
	if (pos) {
		n = write_at(t, f, b, pos, how);
	} else {
		mutex_lock(&f->pos_mu);
		n = write_at(t, f, b, &f->pos, how);
		mutex_unlock(&f->pos_mu);
	}
	if (n > 0)
		notify_file(f, IN_MODIFY);
	return n;
}

/* ---- the other verbs ---- */

static s64 lseek_by_size(struct task *t, struct file *f, s64 off, int whence)
{
	struct kstat st;
	s64 base = 0;
	int r;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
	case SEEK_DATA:
	case SEEK_HOLE:
		if (!f->inode)
			return -EINVAL;
		r = inode_getattr(t, f->inode, &st);
		if (r < 0)
			return r;
		base = (s64)st.size;
		if (whence == SEEK_END)
			break;
		if (off < 0 || off >= base)
			return -ENXIO;
		return whence == SEEK_DATA ? off : base;
	default:
		return -EINVAL;
	}
	return add_overflows(base, off, &off) || off < 0 ? -EINVAL : off;
}

s64 file_lseek_none(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}

s64 file_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	s64 r;

	if (f->kind & FILE_PATH)
		return -EBADF;
	if (whence < SEEK_SET || whence > SEEK_HOLE)
		return -EINVAL;
	if (f->kind & FILE_STREAM)
		return f->ops->lseek ? f->ops->lseek(t, f, off, whence) : -ESPIPE;
	mutex_lock(&f->pos_mu);
	r = f->ops->lseek ? f->ops->lseek(t, f, off, whence) : lseek_by_size(t, f, off, whence);
	if (r >= 0)
		f->pos = r;
	mutex_unlock(&f->pos_mu);
	return r;
}

u32 file_poll(struct file *f)
{
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f);
}

u32 file_poll_for(struct task *t, struct file *f, struct waitq **ret_wq)
{
	struct waitq *wq = f->wq;
	u32 ev = f->ops->poll_for && t ? f->ops->poll_for(f, t, &wq) : file_poll(f);

	if (ret_wq)
		*ret_wq = wq;
	return ev;
}

long file_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	if (f->kind & FILE_PATH)
		return -EBADF;
	return f->ops->ioctl ? f->ops->ioctl(t, f, cmd, arg) : -ENOTTY;
}

int file_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	int r;

	if (f->kind & FILE_PATH)
		return -EBADF;
	if (!f->ops->readdir)
		return -ENOTDIR;
	mutex_lock(&f->pos_mu);
	c->pos = f->pos;
	r = f->ops->readdir(t, f, c);
	f->pos = c->pos;
	mutex_unlock(&f->pos_mu);
	if (r >= 0) {
		if (f->inode && !(file_flags(f) & O_NOATIME))
			inode_touch_atime(f->inode, mnt_flags_of(f));
		notify_file(f, IN_ACCESS);
	}
	return r;
}

int file_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	int r;

	if (!readable(f))
		return -EACCES;
	if (!f->ops->map)
		return -ENODEV;
	r = f->ops->map(t, f, off, len, prot, flags, ret);
	if (r >= 0 && f->inode && !(file_flags(f) & O_NOATIME))
		inode_touch_atime(f->inode, mnt_flags_of(f));
	return r;
}

int file_fsync(struct task *t, struct file *f, bool data_only)
{
	if (f->kind & FILE_PATH)
		return -EBADF;
	return f->ops->fsync ? f->ops->fsync(t, f, data_only) : -EINVAL;
}

int file_truncate(struct task *t, struct file *f, u64 size)
{
	struct iattr a = { .valid = IATTR_SIZE, .size = size };
	struct inode *i = f->inode;
	bool over;
	int r = 0;

	if (f->kind & FILE_PATH)
		return -EBADF;
	if (!writable(f) || !is_regular(f) || (s64)size < 0)
		return -EINVAL;
	if (f->kind & FILE_NO_TRUNCATE)
		return -EACCES;
	if (!i->ops->setattr)
		return -EINVAL;
	mutex_lock(&i->wr_mu);
	over = size > i->size && size > task_rlimit(t, RLIMIT_FSIZE);
	if (!over)
		r = shed_privileges(t, i);
	if (!over && r == 0)
		r = i->ops->setattr(t, i, &a);
	mutex_unlock(&i->wr_mu);
	if (over)
		return over_limit(t);
	if (r == 0)
		notify_file(f, IN_MODIFY);
	return r;
}

/* Modes exclude each other, and each has its rule for the flag that keeps the size. */
static bool fallocate_known(int mode)
{
	bool keep = mode & FALLOC_FL_KEEP_SIZE;

	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
	case FALLOC_FL_UNSHARE_RANGE:
	case FALLOC_FL_ZERO_RANGE:
	case LX_FALLOC_WRITE_ZEROES:
		return true;
	case FALLOC_FL_PUNCH_HOLE:
		return keep;
	case FALLOC_FL_COLLAPSE_RANGE:
	case FALLOC_FL_INSERT_RANGE:
		return !keep;
	default:
		return false;
	}
}

int file_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len)
{
	s64 end;
	bool over;
	int r;

	if (f->kind & FILE_PATH)
		return -EBADF;
	if (off < 0 || len <= 0)
		return -EINVAL;
	if (!fallocate_known(mode))
		return -EOPNOTSUPP;
	if (!writable(f))
		return -EBADF;
	if (file_is_fifo(f))
		return -ESPIPE;
	if (is_dir(f))
		return -EISDIR;
	if (!is_regular(f))
		return -ENODEV;
	if (add_overflows(off, len, &end))
		return -EFBIG;
	if (!f->ops->fallocate || mode == LX_FALLOC_WRITE_ZEROES)
		return -EOPNOTSUPP;
	mutex_lock(&f->inode->wr_mu);
	over = !(mode & FALLOC_FL_KEEP_SIZE) && limit_size(t, end - 1, NULL);
	r = over ? 0 : shed_privileges(t, f->inode);
	if (r == 0 && !over)
		r = f->ops->fallocate(t, f, mode, off, len);
	mutex_unlock(&f->inode->wr_mu);
	if (over)
		return over_limit(t);
	if (r == 0)
		notify_file(f, IN_MODIFY);
	return r;
}

bool file_is_fifo(const struct file *f)
{
	return f->inode ? S_ISFIFO(f->inode->mode) : file_anon(f) == ANON_PIPE;
}

/* Files that have no inode look as their kinds do on Linux: pipes, sockets, anon_inode. */
int file_getattr(struct task *t, struct file *f, struct kstat *ret)
{
	enum file_anon kind = file_anon(f);
	u32 mode = kind == ANON_PIPE ? S_IFIFO | 0600 : kind == ANON_SOCKET ? S_IFSOCK | 0777 : kind == ANON_PIDFD ? 0700 : 0600;

	if (f->inode)
		return inode_getattr(t, f->inode, ret);
	*ret = (struct kstat){
		.ino = f->anon_ino, .mode = mode, .nlink = 1, .blksize = 4096, .dev_minor = 0xe,
		.uid = f->cred ? f->cred->fsuid : 0, .gid = f->cred ? f->cred->fsgid : 0,
	};
	ret->atime = ret->mtime = ret->ctime = ktime_real(t->kernel);
	return 0;
}

int file_close(struct task *t, struct file *f, const void *owner)
{
	if (f->kind & FILE_PATH)
		return 0;
	if (atomic_load(&f->view_key))
		copy_view_drop(t, atomic_load(&f->view_key));
	locks_close_posix(t, f, owner);
	dnotify_close(f, owner);
	return f->ops->flush ? f->ops->flush(t, f) : 0;
}
