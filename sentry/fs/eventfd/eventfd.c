/*
 * eventfd.c - a counter to wait for (eventfd(2)).
 *
 * Locks: ed->mu (RANK_FILE) guards the counter; the copy to the reader happens
 *        under it, so that a fault leaves the counter alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct file f;
	struct waitq wq;
	bool semaphore;                         /* immutable */
	struct mutex mu;                        /* RANK_FILE */
	u64 count GUARDED_BY(mu);
};

static struct eventfd *ed_of(struct file *f) { return container_of(f, struct eventfd, f); }

static ssize_t eventfd_fop_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct eventfd *ed = ed_of(f);
	ssize_t r;
	u64 v;

	(void)t, (void)pos;
	if (b->left < sizeof(v))
		return -EINVAL;
	mutex_lock(&ed->mu);
	if (ed->count == 0) {
		mutex_unlock(&ed->mu);
		return -EAGAIN;
	}
	v = ed->semaphore ? 1 : ed->count;
	r = iobuf_put(b, &v, sizeof(v));
	if (r == sizeof(v))
		ed->count -= v;
	else
		r = -EFAULT;
	mutex_unlock(&ed->mu);
	if (r > 0)
		waitq_wake(&ed->wq, POLLOUT | POLLWRNORM);
	return r;
}

static ssize_t eventfd_fop_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct eventfd *ed = ed_of(f);
	ssize_t r;
	u64 v;

	(void)t, (void)pos;
	if (b->left != sizeof(v))
		return -EINVAL;
	r = iobuf_peek(b, &v, sizeof(v));
	if (r != sizeof(v))
		return -EFAULT;
	if (v == UINT64_MAX)
		return -EINVAL;
	mutex_lock(&ed->mu);
	if (ed->count > COUNT_MAX || v > COUNT_MAX - ed->count) {
		mutex_unlock(&ed->mu);
		return -EAGAIN;
	}
	ed->count += v;
	mutex_unlock(&ed->mu);
	iobuf_advance(b, sizeof(v));
	waitq_wake(&ed->wq, POLLIN | POLLRDNORM);
	return sizeof(v);
}

void eventfd_signal(struct file *f)
{
	struct eventfd *ed = ed_of(f);

	mutex_lock(&ed->mu);
	ed->count += ed->count < UINT64_MAX;
	mutex_unlock(&ed->mu);
	waitq_wake(&ed->wq, POLLIN | POLLRDNORM);
}

static u32 eventfd_fop_poll(struct file *f)
{
	struct eventfd *ed = ed_of(f);
	u32 ev = 0;

	mutex_lock(&ed->mu);
	if (ed->count > 0)
		ev |= POLLIN;                   /* no POLLRDNORM */
	if (ed->count > COUNT_MAX)
		ev |= POLLERR;                  /* signals were lost */
	if (ed->count < COUNT_MAX)
		ev |= POLLOUT;
	mutex_unlock(&ed->mu);
	return ev;
}

static void eventfd_fop_fdinfo(struct file *f, struct strbuf *out)
{
	struct eventfd *ed = ed_of(f);

	mutex_lock(&ed->mu);
	strbuf_printf(out, "eventfd-count: %16llx\n", (unsigned long long)ed->count);
	mutex_unlock(&ed->mu);
	strbuf_printf(out, "eventfd-semaphore: %d\n", ed->semaphore);
}

static void eventfd_fop_release(struct file *f)
{
	struct eventfd *ed = ed_of(f);

	file_done(f);
	kfree(ed);
}

static const struct file_ops eventfd_ops = {
	.lseek = file_lseek_none,
	.name = "eventfd",
	.read = eventfd_fop_read,
	.write = eventfd_fop_write,
	.poll = eventfd_fop_poll,
	.fdinfo = eventfd_fop_fdinfo,
	.release = eventfd_fop_release,
};

bool file_is_eventfd(const struct file *f) { return f->ops == &eventfd_ops; }

int eventfd_create(struct task *t, u32 count, u32 flags, struct file **ret)
{
	struct eventfd *ed;

	if (flags & ~(u32)(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	ed = knew(struct eventfd);
	if (!ed)
		return -ENOMEM;
	file_init(&ed->f, &eventfd_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	ed->f.anon_name = "anon_inode:[eventfd]";
	ed->f.wq = &ed->wq;
	waitq_init(&ed->wq);
	mutex_init(&ed->mu, RANK_FILE);
	ed->semaphore = flags & EFD_SEMAPHORE;
	ed->count = count;
	*ret = &ed->f;
	return 0;
}
