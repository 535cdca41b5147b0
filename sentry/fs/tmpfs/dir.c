/*
 * dir.c - directories of a tmpfs: entries, and the calls that change them.
 *
 * vfs holds the directory's inode lock over changing calls and has checked
 * permissions; ts->mu guards the tables.  Nodes set free are dropped after it.
 * An entry's cookie is its place for readdir: it never changes, so removals and
 * additions during a listing neither repeat nor skip other entries.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/fs/tmpfs/tmpfs_int.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/posix_acl.h"

/* ---- the table ---- */

static struct tentry *find_locked(struct tmpfs *ts, struct tnode *dir, const char *name, size_t len)
{
	u64 h = hash_bytes(&ts->key, name, len);

	for (struct hnode *n = htable_find(&dir->names, h); n; n = htable_find_next(n)) {
		struct tentry *e = hnode_entry(n, struct tentry, by_name);

		if (e->len == len && memcmp(e->name, name, len) == 0)
			return e;
	}
	return NULL;
}

static bool cookie_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct tentry, by_cookie)->cookie < rb_entry(b, struct tentry, by_cookie)->cookie;
}

static bool cookie_from(const struct rb_node *n, const void *key)
{
	return rb_entry(n, struct tentry, by_cookie)->cookie >= *(const s64 *)key;
}

static struct tentry *entry_new(const char *name, size_t len)
{
	struct tentry *e = kbuf_alloc(sizeof(*e) + len + 1);

	if (!e)
		return NULL;
	memcpy(e->name, name, len);
	e->len = (u32)len;
	rb_init_node(&e->by_cookie);
	return e;
}

static void touch_dir(struct tnode *dir)
{
	dir->i.mtime = dir->i.ctime = inode_now(&dir->i);
}

/* @node's reference is handed to the entry. */
static void enter_locked(struct tmpfs *ts, struct tnode *dir, struct tentry *e, struct tnode *node)
{
	e->node = node;
	e->cookie = dir->next_cookie++;
	htable_add(&dir->names, &e->by_name, hash_bytes(&ts->key, e->name, e->len));
	rb_add(&dir->order, &e->by_cookie, cookie_less);
	dir->i.size += DIRENT_SIZE;
	if (S_ISDIR(node->i.mode))
		node->up = dir;
	touch_dir(dir);
}

static void leave_locked(struct tnode *dir, struct tentry *e)
{
	htable_del(&dir->names, &e->by_name);
	rb_erase(&dir->order, &e->by_cookie);
	dir->i.size -= DIRENT_SIZE;
	e->node->up = NULL;
	touch_dir(dir);
}

static void add_link(struct inode *i, int n)
{
	__atomic_fetch_add(&i->nlink, (u32)n, __ATOMIC_RELAXED);
	i->ctime = inode_now(i);
}

/* Directories that nobody else holds go to @todo, as they are. */
static void drop_entries(struct tmpfs *ts, struct tnode *n, struct tentry **todo)
{
	struct hnode *h;

	while ((h = htable_any(&n->names))) {
		struct tentry *e = hnode_entry(h, struct tentry, by_name);

		htable_del(&n->names, h);
		if (S_ISDIR(e->node->i.mode)) {
			mutex_lock(&ts->mu);
			e->node->up = NULL;     /* whoever holds it may look upwards */
			mutex_unlock(&ts->mu);
		}
		if (S_ISDIR(e->node->i.mode) && ref_is_last(&e->node->i.ref)) {
			e->next = *todo;
			*todo = e;
			continue;
		}
		inode_unref(&e->node->i);
		kfree(e);
	}
}

/* A loop, not a recursion: how deep the tree is says the guest. */
void tmpfs_dir_done(struct tnode *n)
{
	struct tmpfs *ts = tmpfs_of(&n->i);
	struct tentry *todo = NULL, *e;

	drop_entries(ts, n, &todo);
	while ((e = todo)) {
		todo = e->next;
		drop_entries(ts, e->node, &todo);
		inode_unref(&e->node->i);
		kfree(e);
	}
	htable_done(&n->names);
}

/* ---- calls ---- */

static int tmpfs_lookup(struct task *t, struct inode *dir, const char *name, size_t len, struct inode **ret)
{
	struct tmpfs *ts = tmpfs_of(dir);
	struct tentry *e;

	(void)t;
	mutex_lock(&ts->mu);
	e = find_locked(ts, tnode_of(dir), name, len);
	if (e)
		*ret = inode_ref(&e->node->i);
	mutex_unlock(&ts->mu);
	return e ? 0 : -ENOENT;
}

/* Put a new or linked node (its reference taken) under @name. */
static int add_entry(struct inode *dir, const char *name, size_t len, struct tnode *node)
{
	struct tmpfs *ts = tmpfs_of(dir);
	struct tentry *e = entry_new(name, len);
	int r = 0;

	if (!e)
		return -ENOMEM;
	mutex_lock(&ts->mu);
	if (dir->nlink == 0)
		r = -ENOENT;
	else if (find_locked(ts, tnode_of(dir), name, len))
		r = -EEXIST;
	else
		enter_locked(ts, tnode_of(dir), e, node);
	mutex_unlock(&ts->mu);
	if (r < 0)
		kfree(e);
	return r;
}

/* A new node with what it gets from the directory it is made in. */
static int node_in(struct task *t, struct inode *dir, u32 mode, struct tnode **ret)
{
	auto_heritage h = { 0 };
	u32 uid, gid;
	int r;

	inode_new_owner(t, dir, &mode, &uid, &gid);
	r = acl_inherit(t, dir, &mode, &h);
	if (r == 0)
		r = tnode_new(tmpfs_of(dir), mode, uid, gid, ret);
	for (int type = 0; r == 0 && type < ACL_TYPES; type++)
		if (h.acl[type])
			inode_keep_acl(&(*ret)->i, (enum acl_type)type, acl_ref(h.acl[type]));
	return r;
}

static int make(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, const char *target,
                u32 major, u32 minor, struct inode **ret)
{
	struct tnode *n;
	int r = node_in(t, dir, mode, &n);

	if (r < 0)
		return r;
	n->i.rdev_major = major;
	n->i.rdev_minor = minor;
	if (target) {
		n->target = kbuf_strdup(target);
		n->i.size = strlen(target);
		if (!n->target)
			r = -ENOMEM;
	}
	inode_ref(&n->i);               /* the entry's */
	if (r == 0)
		r = add_entry(dir, name, len, n);
	if (r < 0) {
		inode_unref(&n->i);
		inode_unref(&n->i);
		return r;
	}
	if (S_ISDIR(mode))
		add_link(dir, 1);
	*ret = &n->i;
	return 0;
}

static int tmpfs_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode,
                        struct inode **ret)
{
	return make(t, dir, name, len, mode, NULL, 0, 0, ret);
}

static int tmpfs_tmpfile(struct task *t, struct inode *dir, u32 mode, struct inode **ret)
{
	struct tnode *n;
	int r = node_in(t, dir, mode, &n);

	if (r < 0)
		return r;
	n->i.nlink = 0;
	*ret = &n->i;
	return 0;
}

static int tmpfs_mknod(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, u32 major,
                       u32 minor, struct inode **ret)
{
	return make(t, dir, name, len, mode, NULL, major, minor, ret);
}

static int tmpfs_symlink(struct task *t, struct inode *dir, const char *name, size_t len, const char *target,
                         struct inode **ret)
{
	return make(t, dir, name, len, S_IFLNK | 0777, target, 0, 0, ret);
}

static int tmpfs_link(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *target)
{
	int r;

	(void)t;
	inode_ref(target);
	r = add_entry(dir, name, len, tnode_of(target));
	if (r < 0)
		inode_unref(target);
	else
		add_link(target, 1);
	return r;
}

static int remove_entry(struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	struct tmpfs *ts = tmpfs_of(dir);
	struct tentry *e;
	int r = 0;

	mutex_lock(&ts->mu);
	e = find_locked(ts, tnode_of(dir), name, len);
	if (!e || &e->node->i != victim)
		r = -ENOENT;
	else if (S_ISDIR(victim->mode) && tnode_of(victim)->names.count > 0)
		r = -ENOTEMPTY;
	if (r == 0) {
		leave_locked(tnode_of(dir), e);
		if (S_ISDIR(victim->mode)) {
			__atomic_store_n(&victim->nlink, 0, __ATOMIC_RELAXED);
			add_link(dir, -1);
		} else {
			add_link(victim, -1);
		}
	}
	mutex_unlock(&ts->mu);
	if (r == 0) {
		inode_unref(victim);
		kfree(e);
	}
	return r;
}

static int tmpfs_remove(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	(void)t;
	return remove_entry(dir, name, len, victim);
}

/* The links that ".." makes, when a directory changes its parent. */
static void move_dotdot(struct inode *from, struct inode *to, struct inode *dir)
{
	if (from == to || !S_ISDIR(dir->mode))
		return;
	add_link(from, -1);
	add_link(to, 1);
}

/*
 * Would @node come to lie below itself in @dir?  vfs has asked the names that it knows; an overlay's
 * may have been moved here, underneath it.
 */
static bool makes_loop_locked(const struct tnode *node, const struct tnode *dir)
{
	if (!S_ISDIR(node->i.mode))
		return false;
	while (dir && dir != node)
		dir = dir->up;
	return dir != NULL;
}

static int exchange_locked(struct inode *odir, struct tentry *a, struct inode *ndir, struct tentry *b)
{
	struct tnode *n = a->node;

	if (makes_loop_locked(n, tnode_of(ndir)) || makes_loop_locked(b->node, tnode_of(odir)))
		return -EINVAL;
	a->node = b->node;
	b->node = n;
	if (S_ISDIR(n->i.mode))
		n->up = tnode_of(ndir);
	if (S_ISDIR(a->node->i.mode))
		a->node->up = tnode_of(odir);
	move_dotdot(odir, ndir, &n->i);
	move_dotdot(ndir, odir, &a->node->i);
	touch_dir(tnode_of(odir));
	touch_dir(tnode_of(ndir));
	n->i.ctime = a->node->i.ctime = inode_now(odir);
	return 0;
}

/* @moved is the entry under the new name; the one it replaces, if any, goes to *gone. */
static int move_locked(struct tmpfs *ts, struct inode *odir, struct tentry *old, struct inode *ndir,
                       struct tentry *target, struct tentry *moved, struct tentry **gone)
{
	struct inode *i = &old->node->i;

	if (makes_loop_locked(old->node, tnode_of(ndir)))
		return -EINVAL;
	if (target && S_ISDIR(target->node->i.mode) && target->node->names.count > 0)
		return -ENOTEMPTY;
	if (target) {
		leave_locked(tnode_of(ndir), target);
		if (S_ISDIR(target->node->i.mode)) {
			__atomic_store_n(&target->node->i.nlink, 0, __ATOMIC_RELAXED);
			add_link(ndir, -1);
		} else {
			add_link(&target->node->i, -1);
		}
		*gone = target;
	}
	leave_locked(tnode_of(odir), old);
	enter_locked(ts, tnode_of(ndir), moved, old->node);
	move_dotdot(odir, ndir, i);
	i->ctime = inode_now(i);
	return 0;
}

static int tmpfs_rename(struct task *t, struct inode *odir, const char *oname, size_t olen, struct inode *victim,
                        struct inode *ndir, const char *nname, size_t nlen, struct inode *target, u32 flags)
{
	struct tmpfs *ts = tmpfs_of(odir);
	struct tentry *moved = entry_new(nname, nlen), *white = NULL, *old, *over, *gone = NULL;
	struct tnode *wnode = NULL;
	int r = moved ? 0 : -ENOMEM;

	if (r == 0 && (flags & RENAME_WHITEOUT)) {
		white = entry_new(oname, olen);
		r = white ? tnode_new(ts, S_IFCHR, task_cred(t)->fsuid, task_cred(t)->fsgid, &wnode) : -ENOMEM;
	}
	if (r < 0)
		goto out;
	mutex_lock(&ts->mu);
	old = find_locked(ts, tnode_of(odir), oname, olen);
	over = find_locked(ts, tnode_of(ndir), nname, nlen);
	if (!old || &old->node->i != victim || (over ? &over->node->i : NULL) != target || ndir->nlink == 0)
		r = -ENOENT;
	else if (flags & RENAME_EXCHANGE)
		r = exchange_locked(odir, old, ndir, over);
	else if (old != over)
		r = move_locked(ts, odir, old, ndir, over, moved, &gone);
	else
		old = NULL;             /* two directories of an overlay may come to be the same one here: it has that name */
	if (r == 0 && old && white) {
		enter_locked(ts, tnode_of(odir), white, wnode);
		white = NULL;
		wnode = NULL;
	}
	mutex_unlock(&ts->mu);
	if (r == 0 && old && !(flags & RENAME_EXCHANGE)) {
		kfree(old);
		moved = NULL;
	}
	if (gone) {
		inode_unref(&gone->node->i);
		kfree(gone);
	}
out:
	kfree(moved);
	kfree(white);
	if (wnode)
		inode_unref(&wnode->i);
	return r;
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.tmpfile = tmpfs_tmpfile,
	.mkdir = tmpfs_create,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_remove,
	.rmdir = tmpfs_remove,
	.rename = tmpfs_rename,
	.open = tmpfs_dir_open,
	.set_acl = inode_set_acl_here,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.listxattr = tmpfs_listxattr,
	.removexattr = tmpfs_removexattr,
	.release = tmpfs_node_release,
};

/* ---- listing ---- */

static u64 parent_ino(struct file *f)
{
	auto_dentry *up = f->path.dentry ? dentry_parent(f->path.dentry) : NULL;

	return up ? up->inode->ino : f->inode->ino;
}

static int dir_readdir(struct task *t, struct file *f, struct dir_ctx *c)
{
	struct tmpfs *ts = tmpfs_of(f->inode);
	struct tnode *dir = tnode_of(f->inode);
	u64 up = parent_ino(f);

	(void)t;
	if (c->pos == 0) {
		if (!c->emit(c, ".", 1, f->inode->ino, DT_DIR, 1))
			return 0;
		c->pos = 1;
	}
	if (c->pos == 1) {
		if (!c->emit(c, "..", 2, up, DT_DIR, 2))
			return 0;
		c->pos = 2;
	}
	mutex_lock(&ts->mu);
	for (struct rb_node *n = rb_find_first(&dir->order, &c->pos, cookie_from); n; n = rb_next(n)) {
		struct tentry *e = rb_entry(n, struct tentry, by_cookie);

		if (!c->emit(c, e->name, e->len, e->node->i.ino, IFTODT(e->node->i.mode), e->cookie + 1))
			break;
		c->pos = e->cookie + 1;
	}
	mutex_unlock(&ts->mu);
	return 0;
}

static s64 dir_lseek(struct task *t, struct file *f, s64 off, int whence)
{
	(void)t;
	if (whence == SEEK_CUR && !add_overflows(f->pos, off, &off))
		whence = SEEK_SET;
	return whence == SEEK_SET && off >= 0 ? off : -EINVAL;
}

static int dir_fsync(struct task *t, struct file *f, bool data_only)
{
	(void)t;
	(void)f;
	(void)data_only;
	return 0;               /* memory is as durable as it gets */
}

static void dir_release(struct file *f)
{
	file_done(f);
	kfree(f);
}

static const struct file_ops dir_file_ops = {
	.name = "tmpfs-dir",
	.readdir = dir_readdir,
	.lseek = dir_lseek,
	.fsync = dir_fsync,
	.release = dir_release,
};

int tmpfs_dir_open(struct task *t, struct inode *i, const struct path *p, u32 flags, struct file **ret)
{
	struct file *f = knew(struct file);

	if (!f)
		return -ENOMEM;
	file_init(f, &dir_file_ops, flags, 0, p, i, task_cred(t));
	*ret = f;
	return 0;
}
