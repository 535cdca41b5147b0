/*
 * inode.c - attributes, opening, links' targets, extended attributes and access control lists of files on the host.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include "platform/base/alloc.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/time/ktime.h"
#include "sentry/vfs/posix_acl.h"

#define TICK_NS 4000000

/*
 * By the donated descriptor, if there is one.  Owners can't be had so (the sentry's user
 * namespace has no names for them): a changed ctime where changes aren't told means to ask.
 */
static bool fetch_by_fd(struct ginode *g, struct gw_attr *a)
{
	struct gofer_conn *c = g->c;
	bool owner_known;
	u64 inval;

	if (!S_ISREG(g->i.mode))
		return false;
	mutex_lock(&c->mu);
	inval = g->inval;
	owner_known = !g->mode_stale;
	mutex_unlock(&c->mu);
	if (!owner_known || !gfile_stat(g, a) || (a->mode & 07777) != (g->i.mode & 07777))
		return false;
	mutex_lock(&c->mu);
	owner_known = g->coherent || a->ctime == g->i.ctime;
	mutex_unlock(&c->mu);
	if (owner_known)
		ginode_apply(g, a, inval);
	return owner_known;
}

/* What the host says now. */
static int fetch(struct ginode *g, struct gw_attr *a)
{
	bool watched;
	u64 inval;
	int r;

	if (fetch_by_fd(g, a))
		return 0;
	inval = ginode_inval(g);
	r = grpc_getattr(&g->c->rpc, g->handle, true, a, &watched);
	if (r < 0)
		return r;
	if (S_ISDIR(g->i.mode)) {
		bool before;

		gdir_names_seq(g, &before);
		if (before != watched) {
			gdir_set_watched(g, watched);
			inval = ginode_inval(g);
		}
	}
	ginode_apply(g, a, inval);
	return 0;
}

static void stat_of_fields(struct ginode *g, struct kstat *ret)
{
	struct inode *i = &g->i;

	mutex_lock(&i->mu);
	*ret = (struct kstat){
		.ino = i->ino, .size = i->size, .blocks = g->blocks, .mode = i->mode, .nlink = i->nlink,
		.uid = i->uid, .gid = i->gid, .blksize = g->blksize, .dev_minor = i->sb->dev_minor,
		.rdev_major = i->rdev_major, .rdev_minor = i->rdev_minor,
		.atime = i->atime, .mtime = i->mtime, .ctime = i->ctime, .btime = i->btime,
		.has_btime = g->has_btime, .attributes = g->attributes,
	};
	mutex_unlock(&i->mu);
}

int g_getattr(struct task *t, struct inode *i, struct kstat *ret)
{
	struct ginode *g = ginode_of(i);
	struct gw_attr a;
	bool valid;
	int r;

	(void)t;
	valid = ginode_valid(g);
	/* An open file may be written through a mapping, of which nobody tells. */
	if (valid && !(S_ISREG(i->mode) && gfile_in_use(g))) {
		stat_of_fields(g, ret);
		return 0;
	}
	r = fetch(g, &a);
	if (r < 0)
		return r;
	stat_of_fields(g, ret);
	/* If something happened meanwhile, the fields are not what was fetched. */
	ret->size = a.size;
	ret->blocks = a.blocks;
	ret->mode = (i->mode & S_IFMT) | (a.mode & 07777);
	ret->nlink = a.nlink;
	ret->uid = a.uid;
	ret->gid = a.gid;
	ret->atime = a.atime;
	ret->mtime = a.mtime;
	ret->ctime = a.ctime;
	return 0;
}

bool g_revalidate(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *i, bool attrs)
{
	struct ginode *g = i ? ginode_of(i) : NULL;
	struct gw_attr a;
	bool stale;

	(void)t;
	if (!gname_agrees(ginode_of(dir), name, len, g, &stale))
		return false;
	/* vfs is about to check permissions by the fields, or to count names down. */
	return !stale || (!attrs && i->nlink <= 1) || fetch(g, &a) == 0;
}

/* ---- setattr ---- */

static u32 wire_valid(u32 v)
{
	return (v & IATTR_MODE ? GW_SET_MODE : 0) | (v & IATTR_UID ? GW_SET_UID : 0) |
	       (v & IATTR_GID ? GW_SET_GID : 0) | (v & IATTR_SIZE ? GW_SET_SIZE : 0) |
	       (v & IATTR_ATIME ? GW_SET_ATIME : 0) | (v & IATTR_MTIME ? GW_SET_MTIME : 0) |
	       (v & IATTR_ATIME_NOW ? GW_SET_ATIME_NOW : 0) | (v & IATTR_MTIME_NOW ? GW_SET_MTIME_NOW : 0);
}

/*
 * Owner and mode as they are already (tar, cp -p): then all that would change is ctime, and not even that
 * within one tick of the host's clock.
 */
static bool nothing_to_set(struct ginode *g, const struct iattr *a)
{
	struct inode *i = &g->i;
	ktime_t age;
	bool same;

	if ((a->valid & ~(u32)(IATTR_MODE | IATTR_UID | IATTR_GID)) || !S_ISREG(i->mode) || !ginode_valid(g))
		return false;
	mutex_lock(&i->mu);
	age = ktime_real(i->sb->kernel) - i->ctime;
	same = !(i->mode & (S_ISUID | S_ISGID)) &&
	       (!(a->valid & IATTR_MODE) || (a->mode & 07777) == (i->mode & 07777)) &&
	       (!(a->valid & IATTR_UID) || a->uid == i->uid) && (!(a->valid & IATTR_GID) || a->gid == i->gid) &&
	       age >= 0 && age < TICK_NS;
	mutex_unlock(&i->mu);
	return same;
}

int g_setattr(struct task *t, struct inode *i, const struct iattr *a)
{
	struct ginode *g = ginode_of(i);
	struct gw_setattr_req q = {
		.handle = g->handle, .valid = wire_valid(a->valid), .mode = a->mode & 07777, .uid = a->uid,
		.gid = a->gid, .size = a->size, .atime = a->atime, .mtime = a->mtime,
	};
	struct gw_attr now;
	int r = 0;

	(void)t;
	if (nothing_to_set(g, a))
		return 0;
	gnotice_mine_begins(g);
	if (q.valid & GW_SET_SIZE) {
		r = gfile_truncate(g, a->size);
		if (r > 0)
			q.valid &= ~(u32)GW_SET_SIZE;
		r = r < 0 ? r : 0;
	}
	if (r == 0 && q.valid)
		r = grpc_setattr(&g->c->rpc, &q, &now);
	ginode_stale(g);
	gnotice_mine(g);
	if (r == 0 && q.valid)
		ginode_apply(g, &now, ginode_inval(g));
	else if (r == 0)
		r = fetch(g, &now);
	return r;
}

/* ---- open ---- */

int g_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		return gfile_open(t, i, p, flags, ret);
	case S_IFDIR:
		return gdir_open(t, i, p, flags, ret);
	case S_IFCHR:
		return chardev_open(t, i, p, flags, ret);
	default:
		return -ENXIO;
	}
}

/* The target of a link never changes: it is fetched once. */
ssize_t g_readlink(struct task *t, struct inode *i, char *buf, size_t cap)
{
	struct ginode *g = ginode_of(i);
	char *known = __atomic_load_n(&g->target, __ATOMIC_ACQUIRE), *mine;
	char text[4097];
	ssize_t n;

	(void)t;
	if (!known) {
		n = grpc_readlink(&g->c->rpc, g->handle, text, sizeof(text) - 1);
		if (n < 0)
			return n;
		text[n] = '\0';
		mine = kbuf_strdup(text);
		if (mine && !__sync_bool_compare_and_swap(&g->target, NULL, mine))
			kfree(mine);
		memcpy(buf, text, MIN(cap, (size_t)n));
		return (ssize_t)MIN(cap, (size_t)n);
	}
	n = (ssize_t)MIN(cap, strlen(known));
	memcpy(buf, known, (size_t)n);
	return n;
}

/* ---- extended attributes ---- */

ssize_t g_getxattr(struct task *t, struct inode *i, const char *name, void *buf, size_t cap)
{
	(void)t;
	return grpc_getxattr(&ginode_of(i)->c->rpc, ginode_of(i)->handle, name, buf, cap);
}

int g_setxattr(struct task *t, struct inode *i, const char *name, const void *v, size_t n, int flags)
{
	int r = grpc_setxattr(&ginode_of(i)->c->rpc, ginode_of(i)->handle, name, v, n, flags);

	(void)t;
	ginode_stale(ginode_of(i));
	gnotice_mine(ginode_of(i));
	return r;
}

ssize_t g_listxattr(struct task *t, struct inode *i, char *buf, size_t cap)
{
	(void)t;
	return grpc_listxattr(&ginode_of(i)->c->rpc, ginode_of(i)->handle, buf, cap);
}

int g_removexattr(struct task *t, struct inode *i, const char *name)
{
	int r = grpc_removexattr(&ginode_of(i)->c->rpc, ginode_of(i)->handle, name);

	(void)t;
	ginode_stale(ginode_of(i));
	gnotice_mine(ginode_of(i));
	return r;
}

/* ---- access control lists ---- */

static int fetch_acl(struct ginode *g, enum acl_type type, struct posix_acl **ret)
{
	struct gofer_rpc *rpc = &g->c->rpc;
	auto_kfree void *much = NULL;
	u8 little[512];
	void *bytes = little;
	ssize_t n = grpc_getxattr(rpc, g->handle, acl_xattr_name[type], little, sizeof(little));
	int r;

	if (n == -ERANGE) {
		bytes = much = kbuf_alloc(ACL_MAX_BYTES);
		n = much ? grpc_getxattr(rpc, g->handle, acl_xattr_name[type], much, ACL_MAX_BYTES) : -ENOMEM;
	}
	if (n == 0 || n == -ENODATA || n == -EOPNOTSUPP)
		return 0;
	r = n < 0 ? (int)n : acl_parse_host(bytes, (size_t)n, ret);
	if (r == 0 && *ret && !acl_valid(*ret)) {
		acl_unref(*ret);
		*ret = NULL;
		r = -EIO;
	}
	return r == -EINVAL ? -EIO : r;
}

int g_get_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl **ret)
{
	struct ginode *g = ginode_of(i);
	u64 inval = ginode_inval(g);
	int r = fetch_acl(g, type, ret);

	(void)t;
	if (r == 0)
		ginode_keep_acl(g, type, *ret, inval);
	return r;
}

static int store_acl(struct ginode *g, enum acl_type type, const struct posix_acl *a)
{
	auto_kfree void *bytes = NULL;
	int r;

	if (!a) {
		r = grpc_removexattr(&g->c->rpc, g->handle, acl_xattr_name[type]);
		return r == -ENODATA ? 0 : r;
	}
	bytes = kbuf_alloc(acl_size(a));
	if (!bytes)
		return -ENOMEM;
	acl_format(NULL, a, bytes);
	return grpc_setxattr(&g->c->rpc, g->handle, acl_xattr_name[type], bytes, acl_size(a), 0);
}

/* The host makes mode and list agree, but takes the set-gid bit from nobody as capable as the gofer. */
int g_set_acl(struct task *t, struct inode *i, enum acl_type type, struct posix_acl *a)
{
	struct ginode *g = ginode_of(i);
	struct iattr strip = { .valid = IATTR_MODE };
	struct gw_attr now;
	int r;

	gnotice_mine_begins(g);
	r = store_acl(g, type, a);
	ginode_stale(g);
	gnotice_mine(g);
	if (r == 0)
		r = fetch(g, &now);
	if (r < 0 || type != ACL_ACCESS || !a || !(now.mode & S_ISGID) || inode_keeps_setgid(t, i))
		return r;
	strip.mode = now.mode & 07777 & ~(u32)S_ISGID;
	return g_setattr(t, i, &strip);
}

/* ---- tables ---- */

const struct inode_ops gofer_dir_ops = {
	.lookup = g_lookup, .create = g_create, .tmpfile = g_tmpfile, .mkdir = g_mkdir, .mknod = g_mknod, .symlink = g_symlink,
	.link = g_link, .unlink = g_unlink, .rmdir = g_rmdir, .rename = g_rename,
	.open = g_open, .getattr = g_getattr, .setattr = g_setattr,
	.getxattr = g_getxattr, .setxattr = g_setxattr, .listxattr = g_listxattr, .removexattr = g_removexattr,
	.get_acl = g_get_acl, .set_acl = g_set_acl, .revalidate = g_revalidate, .watched = g_watched, .release = ginode_release,
};

const struct inode_ops gofer_node_ops = {
	.open = g_open, .getattr = g_getattr, .setattr = g_setattr, .get_acl = g_get_acl, .set_acl = g_set_acl,
	.getxattr = g_getxattr, .setxattr = g_setxattr, .listxattr = g_listxattr, .removexattr = g_removexattr,
	.watched = g_watched, .release = ginode_release,
};

const struct inode_ops gofer_link_ops = {
	.readlink = g_readlink, .getattr = g_getattr, .setattr = g_setattr,
	.getxattr = g_getxattr, .setxattr = g_setxattr, .listxattr = g_listxattr, .removexattr = g_removexattr,
	.watched = g_watched, .release = ginode_release,
};
