/*
 * hostfile.c - standard streams given by the engine, as files of the guest.
 *
 * The host descriptor may be a pipe, a socket, a regular file, /dev/null or
 * any other device but never a directory.  It is shared with processes outside: its
 * flags are never changed, and a regular file is read and written at the host's
 * own offset, so that appends of a shell that shares it stay in order; but
 * /dev/stdout opened anew begins at 0, as on Linux.
 *
 * Layout: struct host_inode owns the descriptor and is what fstat, /dev/stdout
 *         and /proc/self/fd reopen; every open makes a struct file on it.
 * Waiting, and what a faulting reader could not take: hoststream.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "platform/host/hostio.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/hostfile/hoststream.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define CHUNK_SMALL 4096
#define CHUNK_MAX   (64u << 10)
#define HOSTFILE_MAGIC 0x09041934           /* anon_inodefs */

struct host_super {
	struct super sb;
};

struct host_inode {
	struct inode inode;
	struct hoststream io;
	bool regular;                           /* immutable: seekable, always ready */
};

struct host_file {
	struct file f;
	struct host_inode *hi;                  /* immutable: f.inode, kept alive by it */
};

static struct host_inode *hi_of(struct file *f) { return container_of(f, struct host_file, f)->hi; }

static u32 host_poll(struct file *f) { return hoststream_poll(&hi_of(f)->io); }

/* The reader's memory ended early: the rest is for the next one. */
static void keep_rest(struct host_inode *hi, const u8 *p, size_t n)
{
	if (hi->regular)
		(void)!host_lseek(hi->io.fd, -(s64)n, SEEK_CUR);
	else
		hoststream_keep(&hi->io, p, n);
}

static ssize_t stdio_read_some(struct host_inode *hi, struct iobuf *b, u8 *buf, size_t cap, const s64 *at)
{
	size_t want = MIN(b->left, cap);
	ssize_t n, put;

	if (at)
		n = host_pread(hi->io.fd, buf, want, (u64)*at);
	else
		n = hi->regular ? host_read(hi->io.fd, buf, want)
			: hostio_read_nowait(hi->io.fd, buf, want);
	if (n <= 0)
		return n;
	put = iobuf_put(b, buf, (size_t)n);
	if (put < n && !at) {
		size_t given = put > 0 ? (size_t)put : 0;

		keep_rest(hi, buf + given, (size_t)n - given);
	}
	return put;
}

static ssize_t stdio_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct host_inode *hi = hi_of(f);
	u8 small[CHUNK_SMALL], *buf = small;
	size_t cap = sizeof(small);
	ssize_t n, total = 0;
	s64 at = pos ? *pos : 0;

	(void)t;
	if (!b->left)
		return 0;
	n = hoststream_take(&hi->io, b);
	if (n != 0)
		return n;
	if (b->left > cap) {
		u8 *big = kbuf_alloc(MIN(b->left, (size_t)CHUNK_MAX));

		if (big) {
			buf = big;
			cap = MIN(b->left, (size_t)CHUNK_MAX);
		}
	}
	do {
		n = stdio_read_some(hi, b, buf, cap, pos && hi->regular ? &at : NULL);
		if (n <= 0)
			break;
		total += n;
		at += n;
	} while (hi->regular && b->left);
	if (pos && total)
		*pos = at;
	if (buf != small)
		kfree(buf);
	if (!total && n == -EAGAIN)
		hoststream_arm(&hi->io);        /* of use to who is queued, and asks for the second time */
	return total ? total : n;
}

static ssize_t stdio_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct host_inode *hi = hi_of(f);
	u8 small[CHUNK_SMALL], *buf = small;
	size_t cap = sizeof(small);
	ssize_t n = 0, total = 0;
	s64 at = pos ? *pos : 0;

	if (b->left > cap) {
		u8 *big = kbuf_alloc(MIN(b->left, (size_t)CHUNK_MAX));

		if (big) {
			buf = big;
			cap = MIN(b->left, (size_t)CHUNK_MAX);
		}
	}
	while (b->left) {
		ssize_t got = iobuf_peek(b, buf, MIN(b->left, cap));

		if (got <= 0) {
			n = got;
			break;
		}
		if (pos && hi->regular)
			n = host_pwrite(hi->io.fd, buf, (size_t)got, (u64)at);
		else
			n = hi->regular ? host_write(hi->io.fd, buf, (size_t)got)
				: hostio_write_nowait(hi->io.fd, buf, (size_t)got);
		if (n <= 0)
			break;
		iobuf_advance(b, (size_t)n);
		total += n;
		at += n;
		if (n < got)
			break;
	}
	if (buf != small)
		kfree(buf);
	if (pos && total)
		*pos = at;
	if (total)
		return total;
	if (n == -EAGAIN)
		hoststream_arm(&hi->io);
	if (n == -EPIPE && t)
		(void)signal_send_task(t, SIGPIPE, NULL);
	return n;
}

static s64 stdio_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	return hi_of(f)->regular ? host_lseek(hi_of(f)->io.fd, off, whence) : -ESPIPE;
}

static long host_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	int v = 0, r;

	if (cmd != FIONREAD)
		return -ENOTTY;
	r = hostio_ioctl(hi_of(f)->io.fd, FIONREAD, &v);
	if (r < 0)
		return r;
	return copy_out(t, arg, &v, sizeof(v));
}

static int host_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags,
		    struct mapping *ret)
{
	(void)t, (void)len, (void)prot, (void)flags;
	if (!hi_of(f)->regular)
		return -ENODEV;
	*ret = (struct mapping){ .fd = hi_of(f)->io.fd, .offset = off };
	return 0;
}

static int stdio_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t;
	return host_fsync(hi_of(f)->io.fd, data_only);
}

static int stdio_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len)
{
	(void)t;
	return hi_of(f)->regular ? host_fallocate(hi_of(f)->io.fd, mode, off, len) : -ESPIPE;
}

static void host_release(struct file *f)
{
	struct host_file *hf = container_of(f, struct host_file, f);

	file_done(f);
	kfree(hf);
}

#define COMMON_OPS .read = stdio_read, .write = stdio_write, .ioctl = host_ioctl, \
	.fsync = stdio_fsync, .release = host_release
static const struct file_ops host_stream_ops = { .name = "hoststream", COMMON_OPS, .poll = host_poll };
static const struct file_ops host_regular_ops = {
	.name = "hostfile", COMMON_OPS, .lseek = stdio_lseek, .map = host_map, .fallocate = stdio_fallocate,
};
/* The same file with an offset of its own. */
static const struct file_ops host_reopened_ops = {
	.name = "hostfile", COMMON_OPS, .map = host_map, .fallocate = stdio_fallocate,
};

/* What the descriptor that we were given allows, all opens are held to. */
static int check_mode(struct host_inode *hi, u32 flags)
{
	int have = host_get_flags(hi->io.fd);

	if (have < 0)
		return have;
	have &= O_ACCMODE;
	return have == O_RDWR || have == (int)(flags & O_ACCMODE) ? 0 : -EACCES;
}

static int host_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct host_inode *hi = container_of(i, struct host_inode, inode);
	bool again = p && hi->regular;
	struct host_file *hf;
	int r = again ? check_mode(hi, flags) : 0;

	if (r < 0)
		return r;
	hf = knew(struct host_file);
	if (!hf)
		return -ENOMEM;
	hf->hi = hi;
	file_init(&hf->f, again ? &host_reopened_ops : hi->regular ? &host_regular_ops : &host_stream_ops,
		  flags & ~(u32)O_CLOEXEC,
		  again ? 0 : hi->regular ? FILE_NOPOSLOCK : FILE_STREAM | FILE_WRITE_ALL, p, i,
		  t ? task_cred(t) : NULL);
	if (hi->io.watched)
		hf->f.wq = &hi->io.wq;
	*ret = &hf->f;
	return 0;
}

static ktime_t from_ts(const struct timespec *ts) { return ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec; }

static int host_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	struct host_inode *hi = container_of(i, struct host_inode, inode);
	struct stat st;
	int r = host_fstat(hi->io.fd, &st);

	(void)t;
	if (r < 0)
		return r;
	*ret = (struct kstat){
		.ino = st.st_ino, .size = (u64)st.st_size, .blocks = (u64)st.st_blocks,
		.mode = i->mode, .nlink = (u32)st.st_nlink, .blksize = (u32)st.st_blksize,
		.dev_minor = i->sb->dev_minor, .rdev_major = i->rdev_major, .rdev_minor = i->rdev_minor,
		.uid = i->uid, .gid = i->gid,
		.atime = from_ts(&st.st_atim), .mtime = from_ts(&st.st_mtim), .ctime = from_ts(&st.st_ctim),
	};
	return 0;
}

/* Owner and mode live here (entry points chown their stdio); the size is the host's. */
static int host_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	struct host_inode *hi = container_of(i, struct host_inode, inode);
	int r;

	(void)t;
	if (a->valid & IATTR_SIZE) {
		r = hi->regular ? host_ftruncate(hi->io.fd, a->size) : -EINVAL;
		if (r < 0)
			return r;
	}
	mutex_lock(&i->mu);
	inode_apply_attr(i, a);
	mutex_unlock(&i->mu);
	return 0;
}

/* O_TRUNC through /dev/stdout truncates a regular file and nothing else. */
static int host_truncate_open(struct task *t, struct inode *i)
{
	struct host_inode *hi = container_of(i, struct host_inode, inode);

	(void)t;
	return hi->regular ? host_ftruncate(hi->io.fd, 0) : 0;
}

static void host_inode_release(struct inode *i)
{
	struct host_inode *hi = container_of(i, struct host_inode, inode);

	hoststream_done(&hi->io);
	inode_done(i);
	kfree(hi);
}

static const struct inode_ops host_inode_ops = {
	.open = host_open,
	.getattr = host_getattr,
	.setattr = host_setattr,
	.truncate_open = host_truncate_open,
	.release = host_inode_release,
};

static void host_super_release(struct super *sb) { kfree(container_of(sb, struct host_super, sb)); }
static const struct super_ops host_super_ops = { .fstype = "hostfs", .release = host_super_release };

static int host_inode_new(struct kernel *k, hostfd_t fd, const struct stat *st, struct host_inode **ret)
{
	struct host_super *hs = knew(struct host_super);
	struct host_inode *hi = hs ? knew(struct host_inode) : NULL;
	int r;

	if (!hi) {
		kfree(hs);
		return -ENOMEM;
	}
	super_init(&hs->sb, &host_super_ops, k, HOSTFILE_MAGIC);
	hs->sb.source = "none";
	/* Readable and writable by all in the sandbox: the engine gave it to the container, whatever user that runs. */
	inode_init(&hi->inode, &host_inode_ops, &hs->sb, st->st_ino, (st->st_mode & S_IFMT) | 0666, 0, 0);
	super_unref(&hs->sb);
	hi->inode.nlink = 1;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		hi->inode.rdev_major = (u32)(st->st_rdev >> 8 & 0xfff);
		hi->inode.rdev_minor = (u32)((st->st_rdev & 0xff) | (st->st_rdev >> 12 & 0xfff00));
	}
	hi->regular = S_ISREG(st->st_mode);
	r = hoststream_init(&hi->io, k, fd, !hi->regular);
	if (r < 0) {
		inode_unref(&hi->inode);
		return r;
	}
	*ret = hi;
	return 0;
}

int hostfile_new(struct kernel *k, hostfd_t fd, struct file **ret)
{
	struct host_inode *hi;
	struct stat st;
	int r, fl;

	r = host_fstat(fd, &st);
	if (r < 0)
		return r;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	fl = host_get_flags(fd);
	if (fl < 0)
		return fl;
	r = host_inode_new(k, fd, &st, &hi);
	if (r < 0)
		return r;
	r = host_open(NULL, &hi->inode, NULL, (u32)fl & (O_ACCMODE | O_APPEND), ret);
	if (r < 0)
		hi->io.fd = HOSTFD_NONE;           /* a failure leaves the descriptor to the caller */
	inode_unref(&hi->inode);
	return r;
}
