/*
 * mqueue_fs.c - the names of POSIX message queues: mq_open and mq_unlink, and the mqueue file system.
 *
 * Both work on one table.  The calls change it behind the name cache of mounts, which therefore asks
 * (revalidate) before it believes an entry.  What a user's queues may take (RLIMIT_MSGQUEUE) is counted for all
 * namespaces together, until the last file of a queue is closed.  See mqueue_int.h for life and locks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/mqueue_int.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/notify.h"

#define MQUEUE_MAGIC 0x19800202
#define HARD_MAXMSG 65536
#define HARD_SIZE   (16 << 20)
#define MAX_BYTES   (64u << 20)
#define HARD_QUEUES 4096u
#define MSG_COST    48u         /* sizeof(struct msg_msg), sizeof(struct posix_msg_tree_node) on Linux */
#define DIRENT_SIZE 20          /* what a name adds to the size of the directory */
#define FILE_SIZE   80

/* ---- what a user's queues take ---- */

struct mq_user {
	struct list_head node;          /* kernel->mq_users */
	u32 uid;                        /* immutable */
	u64 bytes;
};

static struct mq_user *user_locked(struct kernel *k, u32 uid)
{
	struct mq_user *u;

	list_for_each(u, &k->mq_users, node)
		if (u->uid == uid)
			return u;
	u = knew(struct mq_user);
	if (u) {
		u->uid = uid;
		list_add_tail(&u->node, &k->mq_users);
	}
	return u;
}

static void drop_user_locked(struct mq_user *u)
{
	if (u->bytes)
		return;
	list_del_init(&u->node);
	kfree(u);
}

static int charge(struct task *t, u32 uid, u64 bytes)
{
	u64 limit = task_rlimit(t, RLIMIT_MSGQUEUE);
	struct kernel *k = t->kernel;
	struct mq_user *u;
	int r = 0;

	mutex_lock(&k->mq_mu);
	u = user_locked(k, uid);
	if (!u)
		r = -ENOMEM;
	else if (bytes > limit || u->bytes > limit - bytes)
		r = -EMFILE;
	else
		u->bytes += bytes;
	if (u)
		drop_user_locked(u);
	mutex_unlock(&k->mq_mu);
	return r;
}

static void uncharge(struct kernel *k, u32 uid, u64 bytes)
{
	struct mq_user *u;

	mutex_lock(&k->mq_mu);
	u = user_locked(k, uid);
	if (u) {
		u->bytes -= MIN(u->bytes, bytes);
		drop_user_locked(u);
	}
	mutex_unlock(&k->mq_mu);
}

/* ---- queues ---- */

static void mq_release(struct inode *i)
{
	struct mq *q = mq_of_inode(i);

	mq_empty(q);
	if (q->charge)
		uncharge(i->sb->kernel, q->payer, q->charge);
	inode_done(i);
	kfree(q);
}

static int node_setattr(struct task *t unused_ok, struct inode *i, const struct iattr *a)
{
	mutex_lock(&i->mu);
	inode_apply_attr(i, a);
	mutex_unlock(&i->mu);
	return 0;
}

static const struct inode_ops queue_ops = { .open = mq_open_inode, .setattr = node_setattr, .release = mq_release };

/* The settings of the namespace; false: it has ended. */
static bool limits(struct mqfs *fs, u64 ret[IPC_LIMITS])
{
	bool there;

	mutex_lock(&fs->mu);
	there = fs->ns != NULL;
	for (int l = LIM_MQ_QUEUES; there && l < IPC_LIMITS; l++)
		ret[l] = ipc_limit(fs->ns, (enum ipc_limit)l);
	mutex_unlock(&fs->mu);
	return there;
}

/* @q's size, from @a or the defaults; what it costs goes to q->charge. */
static int set_size(struct task *t, struct mq *q, const u64 lim[IPC_LIMITS], const struct lx_mq_attr *a)
{
	bool big = capable(t, CAP_SYS_RESOURCE);
	u64 bytes;
	int r;

	if (!a) {
		q->maxmsg = (s64)MIN(lim[LIM_MQ_MSGS], lim[LIM_MQ_DEF_MSGS]);
		q->msgsize = (s64)MIN(lim[LIM_MQ_SIZE], lim[LIM_MQ_DEF_SIZE]);
	} else if (a->maxmsg <= 0 || a->msgsize <= 0 ||
		   (u64)a->maxmsg > (big ? HARD_MAXMSG : lim[LIM_MQ_MSGS]) ||
		   (u64)a->msgsize > (big ? HARD_SIZE : lim[LIM_MQ_SIZE])) {
		return -EINVAL;
	} else {
		q->maxmsg = a->maxmsg;
		q->msgsize = a->msgsize;
	}
	if (mul_overflows((u64)q->maxmsg, (u64)q->msgsize, &bytes) || bytes > MAX_BYTES)
		return -ENOMEM;
	bytes += ((u64)q->maxmsg + MIN((u64)q->maxmsg, MQ_PRIOS)) * MSG_COST;
	q->payer = task_cred(t)->uid;
	r = charge(t, q->payer, bytes);
	if (r == 0)
		q->charge = bytes;
	return r;
}

static struct mq *find_locked(struct mqfs *fs, const char *name, size_t len)
{
	struct mq *q;

	list_for_each(q, &fs->queues, node)
		if (strlen(mq_name(q)) == len && !memcmp(mq_name(q), name, len))
			return q;
	return NULL;
}

static struct mq *find(struct mqfs *fs, const char *name, size_t len)
{
	struct mq *q;

	mutex_lock(&fs->mu);
	q = find_locked(fs, name, len);
	if (q)
		inode_ref(&q->i);
	mutex_unlock(&fs->mu);
	return q;
}

static struct mq *queue_new(struct task *t, struct mqfs *fs, const char *name, size_t len, u32 mode)
{
	struct mq *q = knew(struct mq);
	u32 uid, gid;

	if (!q)
		return NULL;
	inode_new_owner(t, fs->root, &mode, &uid, &gid);
	inode_init(&q->i, &queue_ops, &fs->sb, kernel_next_ino(t->kernel), mode, uid, gid);
	q->i.size = FILE_SIZE;
	list_init(&q->node);
	list_init(&q->msgs);
	waitq_init(&q->wq);
	q->path[0] = '/';
	memcpy(q->path + 1, name, len);
	return q;
}

static int enter(struct task *t, struct mqfs *fs, struct mq *q, u64 max)
{
	int r = 0;

	mutex_lock(&fs->mu);
	if (!fs->ns) {
		r = -EACCES;
	} else if (find_locked(fs, mq_name(q), strlen(mq_name(q)))) {
		r = -EEXIST;
	} else if (fs->count >= HARD_QUEUES || (fs->count >= max && !capable(t, CAP_SYS_RESOURCE))) {
		r = -ENOSPC;
	} else {
		inode_ref(&q->i);               /* the name's */
		q->cookie = fs->next_cookie++;
		list_add_tail(&q->node, &fs->queues);
		fs->count++;
	}
	mutex_unlock(&fs->mu);
	return r;
}

static void touch_root(struct mqfs *fs, s64 by)
{
	fs->root->size += (u64)by;
	fs->root->atime = fs->root->mtime = fs->root->ctime = inode_now(fs->root);
}

/* A new queue under a new name; @mode with type. The root's lock is held, as by vfs. */
static int make(struct task *t, struct mqfs *fs, const char *name, size_t len, u32 mode,
		const struct lx_mq_attr *attr, struct mq **ret)
{
	u64 lim[IPC_LIMITS];
	struct mq *q;
	int r;

	if (len > MQ_NAME)
		return -ENAMETOOLONG;
	if (!limits(fs, lim))
		return -EACCES;
	q = queue_new(t, fs, name, len, mode);
	if (!q)
		return -ENOMEM;
	r = set_size(t, q, lim, attr);
	if (r == 0)
		r = enter(t, fs, q, lim[LIM_MQ_QUEUES]);
	if (r < 0) {
		inode_unref(&q->i);
		return r;
	}
	touch_root(fs, DIRENT_SIZE);
	*ret = q;
	return 0;
}

/* The name's reference is the caller's to drop, after the locks. */
static int leave(struct mqfs *fs, struct mq *q)
{
	bool there;

	mutex_lock(&fs->mu);
	there = !list_empty(&q->node);
	list_del_init(&q->node);
	fs->count -= there;
	mutex_unlock(&fs->mu);
	if (!there)
		return -ENOENT;
	__atomic_store_n(&q->i.nlink, 0, __ATOMIC_RELAXED);
	q->i.ctime = inode_now(&q->i);
	touch_root(fs, -DIRENT_SIZE);
	return 0;
}

/* ---- the directory ---- */

static int root_lookup(struct task *t unused_ok, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	struct mq *q = find(mqfs_of(dir), name, len);

	if (!q)
		return -ENOENT;
	*ret = &q->i;
	return 0;
}

static bool root_revalidate(struct task *t unused_ok, struct inode *dir, const char *name, size_t len, struct inode *i,
                            bool attrs unused_ok)
{
	struct mqfs *fs = mqfs_of(dir);
	struct mq *q;

	mutex_lock(&fs->mu);
	q = find_locked(fs, name, len);
	mutex_unlock(&fs->mu);
	return i == (q ? &q->i : NULL);
}

static int root_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret)
{
	struct mq *q;
	int r = make(t, mqfs_of(dir), name, len, mode, NULL, &q);

	if (r == 0)
		*ret = &q->i;
	return r;
}

static int root_unlink(struct task *t unused_ok, struct inode *dir, const char *name unused_ok, size_t len unused_ok,
		       struct inode *victim)
{
	int r = leave(mqfs_of(dir), mq_of_inode(victim));

	if (r == 0)
		inode_unref(victim);            /* the name's; the walk has another */
	return r;
}

static int root_readdir(struct task *t unused_ok, struct file *f, struct dir_ctx *c)
{
	struct mqfs *fs = mqfs_of(f->inode);
	struct mq *q;

	for (; c->pos < 2; c->pos++)
		if (!c->emit(c, "..", (size_t)c->pos + 1, f->inode->ino, DT_DIR, c->pos + 1))
			return 0;
	mutex_lock(&fs->mu);
	list_for_each(q, &fs->queues, node) {
		if (q->cookie < c->pos)
			continue;
		if (!c->emit(c, mq_name(q), strlen(mq_name(q)), q->i.ino, DT_REG, q->cookie + 1))
			break;
		c->pos = q->cookie + 1;
	}
	mutex_unlock(&fs->mu);
	return 0;
}

static s64 dir_lseek(struct task *t unused_ok, struct file *f, s64 off, int whence)
{
	if (whence == SEEK_CUR && !add_overflows(f->pos, off, &off))
		whence = SEEK_SET;
	return whence == SEEK_SET && off >= 0 ? off : -EINVAL;
}

static int dir_fsync(struct task *t unused_ok, struct file *f unused_ok, bool data_only unused_ok) { return 0; }

static void dir_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops dir_ops = {
	.name = "mqueue-dir", .readdir = root_readdir, .lseek = dir_lseek, .fsync = dir_fsync, .release = dir_release,
};

static int root_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &dir_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}

static void root_release(struct inode *i)
{
	inode_done(i);
	kfree(i);
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup, .revalidate = root_revalidate, .create = root_create, .unlink = root_unlink,
	.open = root_open, .setattr = node_setattr, .release = root_release,
};

/* ---- the file system ---- */

static void super_release(struct super *sb) { kfree(container_of(sb, struct mqfs, sb)); }

static const struct super_ops super_ops = { .fstype = "mqueue", .release = super_release };

static struct mqfs *mqfs_new(struct kernel *k, struct ipc_ns *ns)
{
	struct mqfs *fs = knew(struct mqfs);
	struct inode *root = fs ? knew(struct inode) : NULL;
	const struct user_ns *u = ipc_owner(ns);

	if (!root) {
		kfree(fs);
		return NULL;
	}
	super_init(&fs->sb, &super_ops, k, MQUEUE_MAGIC);
	fs->sb.source = "mqueue";
	mutex_init(&fs->mu, RANK_FILE);
	list_init(&fs->queues);
	fs->next_cookie = 2;
	fs->ns = ns;
	fs->root = root;
	inode_init(root, &root_ops, &fs->sb, kernel_next_ino(k), S_IFDIR | 01777, u ? u->uid : 0, u ? u->gid : 0);
	root->size = (u64)2 * DIRENT_SIZE;
	super_unref(&fs->sb);                   /* the root has another */
	return fs;
}

/* That of @ns, which must stay; made on first use. */
static int mqfs_get(struct kernel *k, struct ipc_ns *ns, struct mqfs **ret)
{
	struct mqfs *fresh, *fs;

	mutex_lock(ipc_lock(ns));
	fs = *ipc_mqfs(ns);
	mutex_unlock(ipc_lock(ns));
	if (!fs) {
		fresh = mqfs_new(k, ns);
		if (!fresh)
			return -ENOMEM;
		mutex_lock(ipc_lock(ns));
		fs = *ipc_mqfs(ns);
		if (!fs)
			*ipc_mqfs(ns) = fs = fresh;
		mutex_unlock(ipc_lock(ns));
		if (fs != fresh)
			inode_unref(fresh->root);
	}
	*ret = fs;
	return 0;
}

void mq_forget_all(struct ipc_ns *ns)
{
	struct list_head gone = LIST_INIT(gone);
	struct mqfs *fs = *ipc_mqfs(ns);

	if (!fs)
		return;
	mutex_lock(&fs->mu);
	fs->ns = NULL;
	fs->count = 0;
	list_splice_tail_init(&fs->queues, &gone);
	mutex_unlock(&fs->mu);
	while (!list_empty(&gone)) {
		struct mq *q = list_first(&gone, struct mq, node);

		list_del_init(&q->node);
		inode_unref(&q->i);
	}
	inode_unref(fs->root);
}

int mqfs_make(struct task *t, struct kernel *k, const char *source unused_ok, const char *opts, struct super **ret_sb,
	      struct inode **ret_root)
{
	struct ipc_ns *ns = task_ipc_ns(t);
	struct mqfs *fs;
	int r;

	if (opts && *opts)
		return -EINVAL;                 /* there are none */
	if (!ns_capable(t, ipc_owner(ns), CAP_SYS_ADMIN))
		return -EPERM;
	r = mqfs_get(k, ns, &fs);
	if (r < 0)
		return r;
	*ret_sb = super_ref(&fs->sb);
	*ret_root = inode_ref(fs->root);
	return 0;
}

/* ---- mq_open, mq_unlink ---- */

static int check_name(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return strlen(name) > MQ_NAME ? -ENAMETOOLONG : 0;
}

static int may_use(struct task *t, struct mq *q, int flags)
{
	static const int need[] = { [O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK };

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return inode_permission(t, &q->i, need[flags & O_ACCMODE]);
}

static int find_or_make(struct task *t, struct mqfs *fs, const char *name, int flags, u32 mode,
			const struct lx_mq_attr *attr, struct mq **ret)
{
	struct mq *q;
	bool made = false;
	int r;

	mutex_lock(&fs->root->mu);              /* no name comes or goes */
	q = find(fs, name, strlen(name));
	if (q) {
		r = may_use(t, q, flags);
	} else {
		r = flags & O_CREAT ? inode_permission(t, fs->root, W_OK | X_OK) : -ENOENT;
		if (r == 0)
			r = make(t, fs, name, strlen(name), mode, attr, &q);
		made = r == 0;
	}
	mutex_unlock(&fs->root->mu);
	if (made)
		notify_child(fs->root, &q->i, name, strlen(name), IN_CREATE, 0);
	if (r < 0 && q)
		inode_unref(&q->i);
	if (r == 0)
		*ret = q;
	return r;
}

int mq_file_open(struct task *t, const char *name, int flags, u32 mode, const struct lx_mq_attr *attr,
		 struct file **ret)
{
	struct mqfs *fs;
	struct mq *q = NULL;
	int r = check_name(name);

	if (r == 0)
		r = mqfs_get(t->kernel, task_ipc_ns(t), &fs);
	if (r == 0)
		r = find_or_make(t, fs, name, flags, S_IFREG | (mode & 07777 & ~fs_umask(t->fs)), attr, &q);
	if (r < 0)
		return r;
	r = mq_open_inode(t, &q->i, NULL, (u32)flags & (O_ACCMODE | O_NONBLOCK), ret);
	inode_unref(&q->i);
	return r;
}

/* What mounts know of the name; root's lock held, as by vfs. */
static void drop_name(struct mqfs *fs, struct mq *q)
{
	auto_dentry *root = NULL, *d = NULL;

	if (dentry_root(&fs->sb, fs->root, &root) < 0)
		return;                         /* then it asks before it believes */
	d = dentry_find(root, mq_name(q), strlen(mq_name(q)));
	if (d && d->inode == &q->i)
		dentry_drop(d, true);
}

static int may_remove(struct task *t, struct inode *dir, struct mq *q)
{
	int r = inode_permission(t, dir, W_OK | X_OK);

	if (r == 0 && (dir->mode & S_ISVTX) && task_cred(t)->fsuid != dir->uid && !inode_owner_or_capable(t, &q->i))
		r = -EPERM;
	return r;
}

int mq_remove(struct task *t, const char *name)
{
	struct mqfs *fs;
	struct mq *q;
	int r = check_name(name);

	if (r == 0)
		r = mqfs_get(t->kernel, task_ipc_ns(t), &fs);
	if (r < 0)
		return r;
	mutex_lock(&fs->root->mu);
	q = find(fs, name, strlen(name));
	r = q ? may_remove(t, fs->root, q) : -ENOENT;
	if (r == 0)
		r = leave(fs, q);
	if (r == 0)
		drop_name(fs, q);
	mutex_unlock(&fs->root->mu);
	if (r == 0) {
		notify_child(fs->root, &q->i, name, strlen(name), IN_DELETE, 0);
		notify_removed(&q->i);
		notify_inode(&q->i, IN_DELETE_SELF);
		inode_unref(&q->i);             /* the name's */
	}
	if (q)
		inode_unref(&q->i);
	return r;
}
