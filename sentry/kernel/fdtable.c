/*
 * fdtable.c - descriptor numbers of a process; see fdtable.h.
 *
 * A number is free (used bit clear), reserved (used, no file) or open.  Files are
 * referenced under ft->mu and dropped after it, as the last unref may run
 * any file's release.  The arrays double when they are too small.
 */
#include "sentry/kernel/fdtable.h"
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/bitmap.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/file.h"

#define FD_FIRST_CAP 64u
#define FD_MAX       (1u << 20)         /* fs.nr_open */

struct fdtable {
	struct ref ref;
	struct mutex mu;                /* RANK_FDTABLE */
	struct file **files GUARDED_BY(mu);     /* cap of them; NULL: free or reserved */
	u64 *used GUARDED_BY(mu);               /* bitmaps of cap bits */
	u64 *cloexec GUARDED_BY(mu);
	u32 cap GUARDED_BY(mu);                 /* a multiple of 64 */
	u32 first_free GUARDED_BY(mu);          /* no lower number is free */
};

static int grow_locked(struct fdtable *ft, u32 need)
{
	u32 cap = MAX(ft->cap, FD_FIRST_CAP);
	struct file **files;
	u64 *used, *cloexec;

	while (cap < need)
		cap *= 2;
	if (cap == ft->cap)
		return 0;
	files = kbuf_array(cap, sizeof(*files));
	used = kbuf_array(cap / 64, sizeof(*used));
	cloexec = kbuf_array(cap / 64, sizeof(*cloexec));
	if (!files || !used || !cloexec) {
		kfree(files);
		kfree(used);
		kfree(cloexec);
		return -ENOMEM;
	}
	if (ft->cap) {
		memcpy(files, ft->files, ft->cap * sizeof(*files));
		memcpy(used, ft->used, ft->cap / 8);
		memcpy(cloexec, ft->cloexec, ft->cap / 8);
	}
	kfree(ft->files);
	kfree(ft->used);
	kfree(ft->cloexec);
	ft->files = files;
	ft->used = used;
	ft->cloexec = cloexec;
	ft->cap = cap;
	return 0;
}

static void free_table(struct fdtable *ft)
{
	kfree(ft->files);
	kfree(ft->used);
	kfree(ft->cloexec);
	kfree(ft);
}

struct fdtable *fdtable_new(void)
{
	struct fdtable *ft = knew(struct fdtable);

	if (!ft)
		return NULL;
	ref_init(&ft->ref);
	mutex_init(&ft->mu, RANK_FDTABLE);
	if (grow_locked(ft, FD_FIRST_CAP) < 0) {
		kfree(ft);
		return NULL;
	}
	return ft;
}

struct fdtable *fdtable_copy(struct fdtable *from)
{
	struct fdtable *ft = fdtable_new();
	int r;

	if (!ft)
		return NULL;
	mutex_lock(&from->mu);
	r = grow_locked(ft, from->cap);
	for (u32 fd = 0; r == 0 && fd < from->cap; fd++) {
		if (!from->files[fd])
			continue;
		ft->files[fd] = file_ref(from->files[fd]);
		bitmap_set(ft->used, fd);
		if (bitmap_test(from->cloexec, fd))
			bitmap_set(ft->cloexec, fd);
	}
	mutex_unlock(&from->mu);
	if (r < 0) {
		free_table(ft);
		return NULL;
	}
	return ft;
}

struct fdtable *fdtable_ref(struct fdtable *ft)
{
	ref_get(&ft->ref);
	return ft;
}

/* Take the file out of an open number; NULL if it is not open. */
static struct file *take_locked(struct fdtable *ft, u32 fd)
{
	struct file *f = fd < ft->cap ? ft->files[fd] : NULL;

	if (!f)
		return NULL;
	ft->files[fd] = NULL;
	bitmap_clear(ft->used, fd);
	bitmap_clear(ft->cloexec, fd);
	ft->first_free = MIN(ft->first_free, fd);
	return f;
}

static int put_file(struct task *t, struct fdtable *ft, struct file *f)
{
	int r = file_close(t, f, ft);

	file_unref(f);
	return r;
}

void fdtable_unref(struct task *t, struct fdtable *ft)
{
	if (!ft || !ref_put(&ft->ref))
		return;
	for (u32 fd = 0; fd < ft->cap; fd++)
		if (ft->files[fd])
			(void)put_file(t, ft, ft->files[fd]);
	free_table(ft);
}

void fdtable_close_on_exec(struct task *t, struct fdtable *ft)
{
	for (u32 fd = 0;; fd++) {
		struct file *f;

		mutex_lock(&ft->mu);
		fd = (u32)bitmap_next_set(ft->cloexec, ft->cap, fd);
		f = take_locked(ft, fd);
		if (fd >= ft->cap) {
			mutex_unlock(&ft->mu);
			return;
		}
		mutex_unlock(&ft->mu);
		if (f)
			(void)put_file(t, ft, f);
	}
}

bool fdtable_is_shared(struct fdtable *ft)
{
	return atomic_load(&ft->ref.n) > 1;
}

int fd_unshare(struct task *t)
{
	struct fdtable *old = t->files, *own;

	if (!fdtable_is_shared(old))
		return 0;
	own = fdtable_copy(old);
	if (!own)
		return -ENOMEM;
	mutex_lock(&t->mu);
	t->files = own;
	mutex_unlock(&t->mu);
	fdtable_unref(t, old);
	return 0;
}

/* ---- looking up ---- */

struct file *fdtable_get(struct fdtable *ft, int fd)
{
	struct file *f;

	if (fd < 0)
		return NULL;
	mutex_lock(&ft->mu);
	f = (u32)fd < ft->cap ? ft->files[fd] : NULL;
	if (f)
		file_ref(f);
	mutex_unlock(&ft->mu);
	return f;
}

struct file *fd_get_path(struct task *t, int fd)
{
	return fdtable_get(t->files, fd);
}

struct file *fd_get(struct task *t, int fd)
{
	struct file *f = fdtable_get(t->files, fd);

	if (f && (f->kind & FILE_PATH))
		return file_unref(f);
	return f;
}

int fdtable_for_each(struct fdtable *ft, int (*fn)(void *arg, int fd, struct file *f, bool cloexec), void *arg)
{
	int r = 0;

	for (u32 fd = 0; r == 0; fd++) {
		struct file *f;
		bool cloexec;

		mutex_lock(&ft->mu);
		fd = (u32)bitmap_next_set(ft->used, ft->cap, fd);
		if (fd >= ft->cap) {
			mutex_unlock(&ft->mu);
			break;
		}
		f = ft->files[fd] ? file_ref(ft->files[fd]) : NULL;
		cloexec = bitmap_test(ft->cloexec, fd);
		mutex_unlock(&ft->mu);
		if (!f)
			continue;
		r = fn(arg, (int)fd, f, cloexec);
		file_unref(f);
	}
	return r;
}

/* ---- reserving and publishing ---- */

static u32 fd_limit(struct task *t)
{
	u64 limit = task_rlimit(t, RLIMIT_NOFILE);

	return (u32)MIN(limit, (u64)FD_MAX);
}

static int reserve_locked(struct fdtable *ft, u32 min, u32 limit, bool cloexec)
{
	u32 from = MAX(min, ft->first_free);
	u32 fd = from < ft->cap ? (u32)bitmap_next_clear(ft->used, ft->cap, from) : from;

	if (fd >= limit)
		return -EMFILE;
	if (fd >= ft->cap) {
		int r = grow_locked(ft, fd + 1);

		if (r < 0)
			return r;
	}
	bitmap_set(ft->used, fd);
	if (cloexec)
		bitmap_set(ft->cloexec, fd);
	else
		bitmap_clear(ft->cloexec, fd);
	if (min <= ft->first_free)
		ft->first_free = fd + 1;
	return (int)fd;
}

int fd_reserve(struct task *t, int min, bool cloexec)
{
	struct fdtable *ft = t->files;
	int fd;

	if (min < 0)
		return -EINVAL;
	mutex_lock(&ft->mu);
	fd = reserve_locked(ft, (u32)min, fd_limit(t), cloexec);
	mutex_unlock(&ft->mu);
	return fd;
}

void fd_unreserve(struct task *t, int fd)
{
	struct fdtable *ft = t->files;

	mutex_lock(&ft->mu);
	bitmap_clear(ft->used, (size_t)fd);
	bitmap_clear(ft->cloexec, (size_t)fd);
	ft->first_free = MIN(ft->first_free, (u32)fd);
	mutex_unlock(&ft->mu);
}

void fd_publish(struct task *t, int fd, struct file *f)
{
	struct fdtable *ft = t->files;

	file_ref(f);
	mutex_lock(&ft->mu);
	ft->files[fd] = f;
	mutex_unlock(&ft->mu);
}

int fd_install(struct task *t, struct file *f, bool cloexec)
{
	int fd = fd_reserve(t, 0, cloexec);

	if (fd >= 0)
		fd_publish(t, fd, f);
	return fd;
}

/* ---- closing and copying ---- */

int fd_close(struct task *t, int fd)
{
	struct fdtable *ft = t->files;
	struct file *f;

	if (fd < 0)
		return -EBADF;
	mutex_lock(&ft->mu);
	f = take_locked(ft, (u32)fd);
	mutex_unlock(&ft->mu);
	return f ? put_file(t, ft, f) : -EBADF;
}

int fd_close_range(struct task *t, unsigned lo, unsigned hi, bool only_cloexec)
{
	struct fdtable *ft = t->files;

	for (u32 fd = lo; fd <= hi; fd++) {
		struct file *f = NULL;

		mutex_lock(&ft->mu);
		fd = (u32)bitmap_next_set(ft->used, ft->cap, MIN(fd, ft->cap));
		if (fd >= ft->cap || fd > hi) {
			mutex_unlock(&ft->mu);
			break;
		}
		if (!only_cloexec)
			f = take_locked(ft, fd);
		else if (ft->files[fd])
			bitmap_set(ft->cloexec, fd);
		mutex_unlock(&ft->mu);
		if (f)
			(void)put_file(t, ft, f);
	}
	return 0;
}

int fd_put_at(struct task *t, struct file *f, int newfd, bool cloexec)
{
	struct fdtable *ft = t->files;
	struct file *old = NULL;
	int r = 0;

	if (newfd < 0 || (u32)newfd >= fd_limit(t))
		return -EBADF;
	file_ref(f);
	mutex_lock(&ft->mu);
	if ((u32)newfd >= ft->cap)
		r = grow_locked(ft, (u32)newfd + 1);
	if (r == 0 && bitmap_test(ft->used, (size_t)newfd) && !ft->files[newfd])
		r = -EBUSY;             /* another thread is opening that very number */
	if (r == 0) {
		old = ft->files[newfd];
		ft->files[newfd] = f;
		bitmap_set(ft->used, (size_t)newfd);
		if (cloexec)
			bitmap_set(ft->cloexec, (size_t)newfd);
		else
			bitmap_clear(ft->cloexec, (size_t)newfd);
	}
	mutex_unlock(&ft->mu);
	if (r < 0)
		file_unref(f);
	if (old)
		(void)put_file(t, ft, old);
	return r < 0 ? r : newfd;
}

int fd_dup_to(struct task *t, int oldfd, int newfd, bool cloexec)
{
	auto_file *f = NULL;

	if (newfd < 0 || (u32)newfd >= fd_limit(t))
		return -EBADF;
	f = fdtable_get(t->files, oldfd);
	return f ? fd_put_at(t, f, newfd, cloexec) : -EBADF;
}

int fd_dup_min(struct task *t, int oldfd, int min, bool cloexec)
{
	auto_file *f = fdtable_get(t->files, oldfd);
	int fd;

	if (!f)
		return -EBADF;
	if (min < 0 || (u32)min >= fd_limit(t))
		return -EINVAL;
	fd = fd_reserve(t, min, cloexec);
	if (fd >= 0)
		fd_publish(t, fd, f);
	return fd;
}

int fd_get_cloexec(struct task *t, int fd)
{
	struct fdtable *ft = t->files;
	int r = -EBADF;

	if (fd < 0)
		return r;
	mutex_lock(&ft->mu);
	if ((u32)fd < ft->cap && ft->files[fd])
		r = bitmap_test(ft->cloexec, (size_t)fd);
	mutex_unlock(&ft->mu);
	return r;
}

int fd_set_cloexec(struct task *t, int fd, bool on)
{
	struct fdtable *ft = t->files;
	int r = -EBADF;

	if (fd < 0)
		return r;
	mutex_lock(&ft->mu);
	if ((u32)fd < ft->cap && ft->files[fd]) {
		if (on)
			bitmap_set(ft->cloexec, (size_t)fd);
		else
			bitmap_clear(ft->cloexec, (size_t)fd);
		r = 0;
	}
	mutex_unlock(&ft->mu);
	return r;
}
