/*
 * file.c - regular files: reads and writes go straight to a host descriptor
 * that the gofer donated.
 *
 * An inode keeps at most two: rfd (read-only) and wfd (both ways).  A file
 * that may write counts in nwrite and uses wfd for everything; others count in
 * nread and use rfd.  wfd is closed with the last writer, as a file open
 * for writing cannot be executed on the host.  rfd stays, in a list of idle ones of
 * bounded length, so that opening again costs no call to the gofer.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/kernel/cred.h"

#define SMALL 8192
#define CHUNK (256 * 1024)

struct gfile {
	struct file f;
	hostfd_t fd;                    /* immutable: the inode's, counted there */
	bool writer;                    /* immutable */
};

static struct gfile *gfile_of(struct file *f) { return container_of(f, struct gfile, f); }

/* ---- descriptors of an inode ---- */

static void not_idle(struct ginode *g)
{
	mutex_lock(&g->c->mu);
	if (!list_empty(&g->idle)) {
		list_del_init(&g->idle);
		g->c->nidle--;
	}
	mutex_unlock(&g->c->mu);
}

/* Close what nobody uses.  g->fd_mu is held by the caller. */
static void close_unused(struct ginode *g, bool rfd_too)
{
	if (g->nwrite == 0) {
		host_close(g->wfd);
		g->wfd = HOSTFD_NONE;
	}
	if (g->nread == 0 && rfd_too) {
		host_close(g->rfd);
		g->rfd = HOSTFD_NONE;
	}
}

/* @g keeps a descriptor without need; close those of the oldest beyond the bound. */
static void now_idle(struct ginode *g)
{
	struct gofer_conn *c = g->c;
	struct ginode *old = NULL;

	mutex_lock(&c->mu);
	if (list_empty(&g->idle)) {
		list_add_tail(&g->idle, &c->idle);
		c->nidle++;
	}
	if (c->nidle > c->idle_max) {
		old = list_first(&c->idle, struct ginode, idle);
		list_del_init(&old->idle);
		c->nidle--;
		if (!ref_get_unless_zero(&old->i.ref))
			old = NULL;
	}
	mutex_unlock(&c->mu);
	if (!old)
		return;
	mutex_lock(&old->fd_mu);
	close_unused(old, true);
	mutex_unlock(&old->fd_mu);
	inode_unref(&old->i);
}

bool gfile_let_go(struct ginode *g)
{
	bool unused;

	mutex_lock(&g->fd_mu);
	unused = g->nread == 0 && g->nwrite == 0;
	if (unused)
		close_unused(g, true);
	mutex_unlock(&g->fd_mu);
	return unused;
}

void gfile_done(struct ginode *g)
{
	host_close(g->rfd);
	host_close(g->wfd);
}

void gfile_keep(struct ginode *g, hostfd_t fd)
{
	bool kept = false;

	if (g && fd.fd >= 0) {
		mutex_lock(&g->fd_mu);
		kept = g->wfd.fd < 0;
		if (kept)
			g->wfd = fd;
		mutex_unlock(&g->fd_mu);
	}
	if (kept)
		now_idle(g);
	else
		host_close(fd);
}

static void attr_of_stat(const struct stat *st, struct gw_attr *ret)
{
	*ret = (struct gw_attr){
		.size = (u64)st->st_size, .blocks = (u64)st->st_blocks, .mode = st->st_mode,
		.nlink = (u32)st->st_nlink, .blksize = (u32)st->st_blksize,
		.atime = st->st_atim.tv_sec * NSEC_PER_SEC + st->st_atim.tv_nsec,
		.mtime = st->st_mtim.tv_sec * NSEC_PER_SEC + st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec * NSEC_PER_SEC + st->st_ctim.tv_nsec,
		.btime = GW_TIME_NONE,
	};
}

bool gfile_stat(struct ginode *g, struct gw_attr *ret)
{
	struct stat st;
	hostfd_t fd;
	bool r;

	mutex_lock(&g->fd_mu);
	fd = g->wfd.fd >= 0 ? g->wfd : g->rfd;
	r = fd.fd >= 0 && host_fstat(fd, &st) == 0;
	mutex_unlock(&g->fd_mu);
	if (r) {
		attr_of_stat(&st, ret);
		ret->attributes = g->attributes;
		ret->uid = g->i.uid;
		ret->gid = g->i.gid;
	}
	return r;
}

bool gfile_in_use(struct ginode *g)
{
	bool r;

	mutex_lock(&g->fd_mu);
	r = g->nread || g->nwrite;
	mutex_unlock(&g->fd_mu);
	return r;
}

int gfile_truncate(struct ginode *g, u64 size)
{
	int r = 0;

	mutex_lock(&g->fd_mu);
	if (g->wfd.fd >= 0) {
		r = host_ftruncate(g->wfd, size);
		r = r < 0 ? r : 1;
	}
	mutex_unlock(&g->fd_mu);
	return r;
}

/* Count a user of rfd or wfd, asking for it first if need be. */
static int get_fd(struct ginode *g, bool write, hostfd_t *ret)
{
	hostfd_t *fd = write ? &g->wfd : &g->rfd;
	struct gw_attr a;
	int r = 0;

	mutex_lock(&g->fd_mu);
	if (fd->fd < 0)
		r = grpc_open(&g->c->rpc, g->handle, write ? GW_OPEN_READ | GW_OPEN_WRITE : GW_OPEN_READ, &a, fd);
	if (r == 0) {
		if (write)
			g->nwrite++;
		else
			g->nread++;
		*ret = *fd;
		not_idle(g);
	}
	mutex_unlock(&g->fd_mu);
	return r;
}

static void put_fd(struct ginode *g, bool write)
{
	struct gw_attr a;
	bool idle, last_writer;

	mutex_lock(&g->fd_mu);
	if (write)
		g->nwrite--;
	else
		g->nread--;
	last_writer = write && g->nwrite == 0;
	mutex_unlock(&g->fd_mu);
	/* What it has become, while it can still be had for nothing. */
	if (last_writer) {
		u64 inval = ginode_inval(g);

		if (gfile_stat(g, &a))
			ginode_apply_data(g, &a, inval);
	}
	mutex_lock(&g->fd_mu);
	close_unused(g, atomic_load(&g->unlinked));
	idle = g->nread == 0 && g->rfd.fd >= 0;
	mutex_unlock(&g->fd_mu);
	if (idle)
		now_idle(g);
}

/* ---- operations ---- */

/* A buffer of ours between host and guest: on the stack when small. */
static ssize_t read_with(struct gfile *gf, struct iobuf *b, s64 *pos, u8 *buf, size_t cap)
{
	ssize_t done = 0, n, put;

	while (b->left) {
		size_t want = MIN(b->left, cap);

		n = host_pread(gf->fd, buf, want, (u64)*pos);
		if (n <= 0)
			return done ? done : n;
		put = iobuf_put(b, buf, (size_t)n);
		if (put < 0)
			return done ? done : put;
		*pos += put;
		done += put;
		if (put < n || (size_t)n < want)
			break;
	}
	return done;
}

static ssize_t gfile_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct gfile *gf = gfile_of(f);
	u8 small[SMALL] no_init;
	ssize_t r;
	u8 *buf;

	(void)t;
	if (b->left <= SMALL)
		return read_with(gf, b, pos, small, SMALL);
	buf = kbuf_alloc(MIN(b->left, (size_t)CHUNK));
	if (!buf)
		return read_with(gf, b, pos, small, SMALL);
	r = read_with(gf, b, pos, buf, MIN(b->left, (size_t)CHUNK));
	kfree(buf);
	return r;
}

static s64 gfile_view(struct file *f, hostfd_t *ret_fd)
{
	hostfd_t fd = gfile_of(f)->fd;

	if (ret_fd)
		*ret_fd = fd;
	return host_lseek(fd, 0, SEEK_END);     /* its position is of no use to anybody */
}

static ssize_t put_some(struct gfile *gf, const u8 *buf, size_t n, s64 *pos, bool append)
{
	struct stat st;
	ssize_t w;

	if (!append) {
		w = host_pwrite(gf->fd, buf, n, (u64)*pos);
		if (w > 0)
			*pos += w;
		return w;
	}
	w = host_append(gf->fd, buf, n);
	/* Others may append too: the end is where the host says. */
	if (w > 0)
		*pos = host_fstat(gf->fd, &st) == 0 ? st.st_size : *pos + w;
	return w;
}

static ssize_t write_with(struct gfile *gf, struct iobuf *b, s64 *pos, u8 *buf, size_t cap, bool append)
{
	ssize_t done = 0, got, w;

	while (b->left) {
		got = iobuf_get(b, buf, MIN(b->left, cap));
		if (got <= 0)
			return done ? done : got;
		w = put_some(gf, buf, (size_t)got, pos, append);
		if (w < got)
			iobuf_rewind(b, (size_t)(got - MAX(w, 0)));
		if (w <= 0)
			return done ? done : w;
		done += w;
		if (w < got)
			break;
	}
	return done;
}

static ssize_t write_out(struct gfile *gf, struct iobuf *b, s64 *pos)
{
	bool append = (file_flags(&gf->f) & O_APPEND) && !b->noappend;
	u8 small[SMALL] no_init;
	ssize_t r;
	u8 *buf;

	if (b->left <= SMALL)
		return write_with(gf, b, pos, small, SMALL, append);
	buf = kbuf_alloc(MIN(b->left, (size_t)CHUNK));
	if (!buf)
		return write_with(gf, b, pos, small, SMALL, append);
	r = write_with(gf, b, pos, buf, MIN(b->left, (size_t)CHUNK), append);
	kfree(buf);
	return r;
}

static ssize_t gfile_write(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct ginode *g = ginode_of(f->inode);
	ssize_t r;

	(void)t;
	gnotice_mine_begins(g);
	r = write_out(gfile_of(f), b, pos);
	gnotice_mine(g);
	return r;
}

static s64 gfile_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	struct kstat st;
	s64 base = 0;
	int r;

	switch (whence) {
	case SEEK_DATA:
	case SEEK_HOLE:
		return host_lseek(gfile_of(f)->fd, off, whence);
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		r = g_getattr(t, f->inode, &st);
		if (r < 0)
			return r;
		base = (s64)st.size;
		break;
	case SEEK_SET:
		break;
	default:
		return -EINVAL;
	}
	return add_overflows(base, off, &off) || off < 0 ? -EINVAL : off;
}

static int gfile_map(struct task *t, struct file *f, u64 off, u64 len, int prot, int flags,
                     struct mapping *ret)
{
	struct gfile *gf = gfile_of(f);

	(void)t;
	(void)len;
	if ((flags & MAP_TYPE) != MAP_PRIVATE && (prot & PROT_WRITE) && !gf->writer)
		return -EACCES;
	*ret = (struct mapping){ .fd = gf->fd, .offset = off };
	return 0;
}

static int gfile_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t;
	return host_fsync(gfile_of(f)->fd, data_only);
}

static int gfile_fallocate(struct task *t, struct file *f, int mode, s64 off, s64 len)
{
	int r = host_fallocate(gfile_of(f)->fd, mode, (u64)off, (u64)len);

	(void)t;
	ginode_stale(ginode_of(f->inode));
	gnotice_mine(ginode_of(f->inode));
	return r;
}

static void gfile_release(struct file *f)
{
	struct gfile *gf = gfile_of(f);

	put_fd(ginode_of(f->inode), gf->writer);
	file_done(f);
	kfree(gf);
}

static const struct file_ops gfile_ops = {
	.name = "gofer", .read = gfile_read, .write = gfile_write, .lseek = gfile_lseek, .map = gfile_map,
	.view = gfile_view, .fsync = gfile_fsync, .fallocate = gfile_fallocate, .release = gfile_release,
};

int gfile_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	struct gfile *gf = knew(struct gfile);
	int r;

	if (!gf)
		return -ENOMEM;
	r = get_fd(ginode_of(i), write, &gf->fd);
	if (r < 0) {
		kfree(gf);
		return r;
	}
	gf->writer = write;
	file_init(&gf->f, &gfile_ops, flags, 0, p, i, task_cred(t));
	*ret = &gf->f;
	return 0;
}
