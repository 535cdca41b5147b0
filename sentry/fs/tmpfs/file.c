/*
 * file.c - content of a tmpfs file: in the arena while small, then in a memfd.
 *
 * i.mu guards data, cap, fd, charged and i.size.  A file that has a memfd keeps it, so
 * its descriptor can be used after the lock was dropped: reads go without it.
 * Blocks are counted when a file grows; holes that are filled later, and pages
 * touched through mappings, are counted when it next grows.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "sentry/fs/hostio.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/kernel/task.h"

#define BLOCK 4096u
#define WRITE_SEALS (F_SEAL_WRITE | 0x10)        /* 0x10: F_SEAL_FUTURE_WRITE */

static u64 blocks_of(u64 bytes)
{
	return bytes / BLOCK + (bytes % BLOCK != 0);
}

int tmpfs_charge_locked(struct tnode *n, u64 want)
{
	struct tmpfs *ts = tmpfs_of(&n->i);
	int r = 0;

	mutex_lock(&ts->mu);
	if (want > n->charged && ts->max_blocks && want - n->charged > ts->max_blocks - MIN(ts->blocks, ts->max_blocks)) {
		r = -ENOSPC;
	} else {
		ts->blocks += want - n->charged;
		n->charged = want;
	}
	mutex_unlock(&ts->mu);
	n->i.blocks = n->charged * (BLOCK / 512);
	return r;
}

static void lower_charge_locked(struct tnode *n, u64 want)
{
	if (want < n->charged && tmpfs_charge_locked(n, want) < 0)
		return;         /* giving back cannot fail */
}

/* What the host really uses, after holes came or went. */
static void recount_locked(struct tnode *n)
{
	struct stat st;

	if (n->fd.fd >= 0 && host_fstat(n->fd, &st) == 0)
		lower_charge_locked(n, (u64)st.st_blocks / (BLOCK / 512));
}

static bool empty_block(const struct tnode *n, u64 off)
{
	size_t len = (size_t)MIN(BLOCK, n->i.size - off);

	return n->data[off] == 0 && memcmp(n->data + off, n->data + off + 1, len - 1) == 0;
}

/* From @off, in the arena, up to the next block of zeros, which need no memory: maps of the file show them as not there (mincore). */
static u64 data_until(const struct tnode *n, u64 off)
{
	u64 end = off;

	while (end < n->i.size && !(empty_block(n, ALIGN_DOWN(end, BLOCK))))
		end = MIN(ALIGN_DOWN(end, BLOCK) + BLOCK, n->i.size);
	return end;
}

int tmpfs_promote_locked(struct tnode *n)
{
	hostfd_t fd;
	int r;

	if (n->fd.fd >= 0)
		return 0;
	r = host_memfd("tmpfs", &fd);
	if (r == 0)
		r = host_ftruncate(fd, n->i.size);
	else
		return r == -EMFILE || r == -ENFILE ? -ENOSPC : r;
	for (u64 off = 0; r == 0 && n->data && off < n->i.size;) {
		u64 len = data_until(n, off) - off;
		ssize_t w = len ? host_pwrite(fd, n->data + off, len, off) : (ssize_t)MIN(BLOCK, n->i.size - off);

		if (w <= 0)
			r = w < 0 ? (int)w : -EIO;
		else
			off += (u64)w;
	}
	if (r < 0) {
		host_close(fd);
		return r;
	}
	n->fd = fd;
	kfree(n->data);
	n->data = NULL;
	n->cap = 0;
	return 0;
}

/* Room for @size bytes in the arena, or in a memfd when that is too much. */
static int make_room_locked(struct tnode *n, u64 size)
{
	size_t cap = MAX(n->cap, 64);
	u8 *p;

	if (n->fd.fd >= 0)
		return 0;
	if (size > TMPFS_SMALL)
		return tmpfs_promote_locked(n);
	while (cap < size)
		cap *= 2;
	if (cap == n->cap)
		return 0;
	p = kbuf_realloc(n->data, cap);
	if (!p)
		return -ENOMEM;
	n->data = p;
	n->cap = cap;
	return 0;
}

int tmpfs_resize_locked(struct tnode *n, u64 size)
{
	int r = 0;

	if ((size < n->i.size && (n->seals & F_SEAL_SHRINK)) || (size > n->i.size && (n->seals & F_SEAL_GROW)))
		return -EPERM;
	if (size > n->i.size)
		r = make_room_locked(n, size);
	if (r == 0 && n->fd.fd >= 0)
		r = host_ftruncate(n->fd, size);
	if (r < 0)
		return r;
	if (n->fd.fd < 0 && n->data && size < n->i.size)
		memset(n->data + size, 0, n->i.size - size);
	if (size < n->i.size)
		lower_charge_locked(n, blocks_of(size));
	n->i.size = size;
	return 0;
}

void tmpfs_file_done(struct tnode *n)
{
	struct tmpfs *ts = tmpfs_of(&n->i);

	mutex_lock(&ts->mu);
	ts->blocks -= n->charged;
	mutex_unlock(&ts->mu);
	host_close(n->fd);
	kfree(n->data);
}

/* ---- file operations ---- */

static ssize_t reg_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct tnode *n = tnode_of(f->inode);
	ssize_t r = 0;
	hostfd_t fd;

	(void)t;
	mutex_lock(&n->i.mu);
	fd = n->fd;
	if (fd.fd < 0 && (u64)*pos < n->i.size) {
		size_t want = (size_t)MIN((u64)b->left, n->i.size - (u64)*pos);

		/* What truncate made is a hole, not yet memory. */
		if ((u64)*pos + want <= n->cap)
			r = iobuf_put(b, n->data + *pos, want);
		else
			r = iobuf_put_zero(b, want);
	}
	mutex_unlock(&n->i.mu);
	if (fd.fd >= 0)
		r = hostio_read(fd, b, (u64)*pos);
	if (r > 0)
		*pos += r;
	return r;
}

/* As many of @len bytes at @pos as the limit of the file system allows; 0: none. */
static u64 clip_to_limit_locked(struct tnode *n, u64 pos, u64 len)
{
	u64 end = pos + len;

	if (blocks_of(end) <= n->charged || tmpfs_charge_locked(n, n->charged + blocks_of(len) + 1) == 0)
		return len;
	for (len = MIN(len, BLOCK - pos % BLOCK); len > 0; len = 0)
		if (tmpfs_charge_locked(n, n->charged + 1) == 0)
			return len;
	return 0;
}

static ssize_t write_locked(struct tnode *n, struct iobuf *b, u64 pos)
{
	u64 end, len = b->left;
	ssize_t r;

	if (n->seals & WRITE_SEALS)
		return -EPERM;
	if (add_overflows(pos, len, &end) || end > INT64_MAX)
		return -EFBIG;
	if ((n->seals & F_SEAL_GROW) && end > n->i.size) {
		if (pos >= n->i.size)
			return -EPERM;
		len = n->i.size - pos;
	}
	len = clip_to_limit_locked(n, pos, len);
	if (len == 0)
		return -ENOSPC;
	iobuf_limit(b, (size_t)len);
	r = make_room_locked(n, pos + len);
	if (r < 0)
		return r;
	r = n->fd.fd >= 0 ? hostio_write(n->fd, b, pos) : iobuf_get(b, n->data + pos, (size_t)len);
	if (r > 0) {
		n->i.size = MAX(n->i.size, pos + (u64)r);
		n->i.mtime = n->i.ctime = inode_now(&n->i);
		lower_charge_locked(n, blocks_of(n->i.size));
	}
	return r;
}

static ssize_t reg_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct tnode *n = tnode_of(f->inode);
	ssize_t r;

	(void)t;
	mutex_lock(&n->i.mu);
	r = write_locked(n, b, (u64)*pos);
	mutex_unlock(&n->i.mu);
	if (r > 0)
		*pos += r;
	return r;
}

static s64 reg_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	struct tnode *n = tnode_of(f->inode);
	s64 base = 0, size;
	hostfd_t fd;

	(void)t;
	mutex_lock(&n->i.mu);
	size = (s64)n->i.size;
	fd = n->fd;
	mutex_unlock(&n->i.mu);
	if (whence == SEEK_DATA || whence == SEEK_HOLE) {
		if (off < 0 || off >= size)
			return -ENXIO;
		if (fd.fd >= 0)
			return host_lseek(fd, off, whence);
		return whence == SEEK_DATA ? off : size;
	}
	if (whence == SEEK_CUR)
		base = f->pos;
	else if (whence == SEEK_END)
		base = size;
	return add_overflows(base, off, &off) || off < 0 ? -EINVAL : off;
}

static int reg_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags, struct mapping *ret)
{
	struct tnode *n = tnode_of(f->inode);
	int r;

	(void)t;
	(void)len;
	mutex_lock(&n->i.mu);
	r = tmpfs_promote_locked(n);
	if (r == 0 && (n->seals & WRITE_SEALS) && (flags & MAP_SHARED) && (prot & PROT_WRITE))
		r = -EPERM;
	if (r == 0)
		*ret = (struct mapping){ .fd = n->fd, .offset = off };
	mutex_unlock(&n->i.mu);
	return r;
}

static s64 reg_view(struct file *f, hostfd_t *ret_fd)
{
	struct tnode *n = tnode_of(f->inode);
	s64 r;

	mutex_lock(&n->i.mu);
	r = ret_fd ? tmpfs_promote_locked(n) : 0;
	if (r == 0)
		r = (s64)n->i.size;
	if (ret_fd)
		*ret_fd = n->fd;
	mutex_unlock(&n->i.mu);
	return r;
}

static int punch_locked(struct tnode *n, u64 off, u64 len)
{
	int r = 0;

	if (n->seals & WRITE_SEALS)
		return -EPERM;
	if (n->fd.fd >= 0) {
		r = host_fallocate(n->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		recount_locked(n);
	} else if (off < n->cap) {
		memset(n->data + off, 0, MIN(len, n->cap - off));
	}
	return r;
}

static int extend_locked(struct tnode *n, u64 off, u64 len, bool keep_size)
{
	u64 end = off + len;
	int r;

	if ((n->seals & F_SEAL_GROW) && end > n->i.size)
		return -EPERM;
	r = tmpfs_charge_locked(n, MAX(n->charged, blocks_of(end) - off / BLOCK));
	if (r == 0 && keep_size && end > n->i.size)
		r = tmpfs_promote_locked(n);
	if (r == 0)
		r = make_room_locked(n, end);
	if (r == 0 && n->fd.fd >= 0)
		r = host_fallocate(n->fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, off, len);
	if (r == 0 && !keep_size)
		n->i.size = MAX(n->i.size, end);
	return r;
}

static int reg_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len)
{
	struct tnode *n = tnode_of(f->inode);
	int r;

	(void)t;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	mutex_lock(&n->i.mu);
	if (!(mode & FALLOC_FL_PUNCH_HOLE))
		r = extend_locked(n, (u64)off, (u64)len, mode & FALLOC_FL_KEEP_SIZE);
	else
		r = mode & FALLOC_FL_KEEP_SIZE ? punch_locked(n, (u64)off, (u64)len) : -EOPNOTSUPP;
	if (r == 0)
		n->i.mtime = n->i.ctime = inode_now(&n->i);
	mutex_unlock(&n->i.mu);
	return r;
}

static int reg_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t;
	(void)f;
	(void)data_only;
	return 0;
}

static void reg_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

const struct file_ops tmpfs_reg_ops = {
	.name = "tmpfs",
	.read = reg_read,
	.write = reg_write,
	.lseek = reg_lseek,
	.map = reg_map,
	.view = reg_view,
	.fsync = reg_fsync,
	.fallocate = reg_fallocate,
	.release = reg_release,
};

int tmpfs_file_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &tmpfs_reg_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}
