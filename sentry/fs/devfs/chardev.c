/*
 * chardev.c - the character devices that live in the sentry (mem(4), random(4), tty(4), and the way to others).
 *
 * A device node is only a number, whatever file system holds it; opening one comes here.
 * Numbers that are not in the table have no device behind them: ENXIO.
 */
#include <errno.h>
#include <linux/random.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/rand.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

#define CHUNK 4096u

static ssize_t null_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	(void)t;
	(void)f;
	(void)b;
	(void)pos;
	return 0;
}

static ssize_t null_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	size_t n = b->left;

	(void)t;
	(void)f;
	(void)pos;
	iobuf_advance(b, n);
	return (ssize_t)n;
}

static ssize_t zero_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	(void)t;
	(void)f;
	(void)pos;
	return iobuf_put_zero(b, b->left);
}

static ssize_t full_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	(void)t;
	(void)f;
	(void)b;
	(void)pos;
	return -ENOSPC;         /* also of nothing */
}

static ssize_t random_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	u8 buf[CHUNK];
	ssize_t total = 0;

	(void)f;
	(void)pos;
	while (b->left) {
		size_t n = MIN(b->left, sizeof(buf));
		ssize_t r;

		rand_bytes(buf, n);
		r = iobuf_put(b, buf, n);
		if (r < 0)
			return total ? total : r;
		total += r;
		if ((size_t)r < n || signal_pending(t))
			break;
	}
	return total;
}

/* Read, as faults count, and forgotten: the pool is the host's. */
static ssize_t random_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	u8 buf[CHUNK];
	ssize_t total = 0;

	(void)f;
	(void)pos;
	while (b->left) {
		size_t n = MIN(b->left, sizeof(buf));
		ssize_t r = iobuf_get(b, buf, n);

		if (r < 0)
			return total ? total : r;
		total += r;
		if ((size_t)r < n || signal_pending(t))
			break;
	}
	return total;
}

/* /dev/zero mapped privately is anonymous memory (HOSTFD_NONE); shared, it would need an object of its own. */
static int zero_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags,
                    struct mapping *ret)
{
	(void)t;
	(void)f;
	(void)len;
	(void)prot;
	(void)flags;                    /* shared: mm_mmap makes memory for it */
	*ret = (struct mapping){ .fd = HOSTFD_NONE, .offset = off };
	return 0;
}

static ssize_t kmsg_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	(void)t;
	(void)f;
	(void)b;
	(void)pos;
	return -EAGAIN;
}

static s64 dev_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	(void)f;
	(void)off;
	(void)whence;
	return 0;
}

/* The pool is always full: the host's is behind it. As in /proc/sys/kernel/random. */
static long random_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	const int bits = 256;

	(void)f;
	if (cmd != RNDGETENTCNT)
		return _IOC_TYPE(cmd) == 'R' ? -EPERM : -EINVAL;
	return copy_out(t, arg, &bits, sizeof(bits));
}

static void dev_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

#define OPS(nm, rd, wr, mp, io) static const struct file_ops nm##_ops = { \
	.name = #nm, .read = rd, .write = wr, .lseek = dev_lseek, .map = mp, .ioctl = io, .release = dev_release }
OPS(null, null_read, null_write, NULL, NULL);
OPS(zero, zero_read, null_write, zero_map, NULL);
OPS(full, zero_read, full_write, NULL, NULL);
OPS(random, random_read, random_write, NULL, random_ioctl);
OPS(kmsg, kmsg_read, null_write, NULL, NULL);

static const struct { u32 major, minor; const struct file_ops *ops; } devices[] = {
	{ 1, 3, &null_ops }, { 1, 5, &zero_ops }, { 1, 7, &full_ops }, { 1, 8, &random_ops },
	{ 1, 9, &random_ops }, { 1, 11, &kmsg_ops },
};

int chardev_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f;

	if (i->rdev_major == 5 && i->rdev_minor == 2)
		return ptmx_open(t, i, p, flags, ret);
	if (i->rdev_major == 5 && i->rdev_minor < 2)
		return tty_open_current(t, p, flags, ret);
	if (i->rdev_major == 10 && i->rdev_minor == 200)
		return tun_open(t, i, p, flags, ret);
	for (size_t k = 0; k < ARRAY_SIZE(devices); k++) {
		if (devices[k].major != i->rdev_major || devices[k].minor != i->rdev_minor)
			continue;
		f = knew(struct file);
		if (!f)
			return -ENOMEM;
		file_init(f, devices[k].ops, flags, devices[k].ops == &random_ops ? FILE_ASYNC : 0, p, i, task_cred(t));
		*ret = f;
		return 0;
	}
	return -ENXIO;
}
