/*
 * inotify.c - marks on inodes, event queues, the inotify file.
 *
 * A mark ties one inode to one inotify file and holds a reference to the inode.
 * It is in two lists: the inode's and the file's.  All marks and queues are
 * guarded by vfs->notify_mu; wake-ups happen under it, references are dropped after.
 */
#include "sentry/vfs/inotify.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/dnotify.h"
#include "sentry/vfs/fasync.h"
#include "sentry/vfs/mount_int.h"


/* struct inotify_event without its name, which follows it in what read(2) gives. */
struct lx_inotify_event { s32 wd; u32 mask, cookie, len; };

struct inotify_marks {                          /* guarded by notify_mu */
	struct list_head list;
	struct list_head dnotify;       /* dnotify.c's */
};

struct mark {
	struct list_head in_inode, in_file;
	struct inode *inode;            /* immutable: a reference */
	struct inotify *owner;          /* immutable: borrowed, outlives the mark */
	int wd;                         /* immutable */
	u32 mask;                       /* guarded by notify_mu */
};

struct event {
	struct list_head node;
	struct lx_inotify_event ev;
	size_t len;                     /* of name, without padding */
	char name[];
};

/* What one user has: bounded by fs.inotify.max_user_*. Guarded by notify_mu; gone with the last instance. */
struct inotify_user {
	struct list_head node;
	u32 uid;                        /* immutable */
	u32 instances, marks;
};

struct inotify {
	struct file f;
	struct vfs *vfs;                /* immutable */
	const struct settings *settings;        /* immutable, borrowed */
	struct inotify_user *user;      /* immutable: one of its instances */
	u32 max_events;                 /* immutable: the setting when this was made */
	struct waitq wq;
	struct list_head marks;         /* guarded by notify_mu, like all below */
	struct list_head events;
	u32 nevents;
	int next_wd;
	size_t bytes;                   /* of the queued events, as read(2) gives them */
};

static struct inotify *inotify_of(const struct file *f) { return container_of(f, struct inotify, f); }
static struct vfs *vfs_of(const struct inode *i) { return i->sb->kernel->vfs; }

static u32 padded(size_t len)
{
	return len ? (u32)ALIGN_UP(len + 1, sizeof(struct lx_inotify_event)) : 0;
}

/* ---- queues ---- */

static bool same_event(const struct event *e, int wd, u32 mask, const char *name, size_t len, u32 cookie)
{
	return e->ev.wd == wd && e->ev.mask == mask && e->ev.cookie == cookie && e->len == len &&
	       (len == 0 || memcmp(e->name, name, len) == 0);
}

static void queue_locked(struct inotify *in, int wd, u32 mask, const char *name, size_t len, u32 cookie)
{
	struct event *e;

	if (!list_empty(&in->events) &&
	    same_event(list_last(&in->events, struct event, node), wd, mask, name, len, cookie))
		return;
	if (in->nevents > in->max_events)
		return;
	if (in->nevents == in->max_events) {         /* the last one says that others are lost */
		wd = -1;
		mask = IN_Q_OVERFLOW;
		cookie = 0;
		len = 0;
	}
	e = kbuf_alloc(sizeof(*e) + len);
	if (!e)
		return;
	e->ev = (struct lx_inotify_event){ .wd = wd, .mask = mask, .cookie = cookie, .len = padded(len) };
	e->len = len;
	if (len)
		memcpy(e->name, name, len);
	list_add_tail(&e->node, &in->events);
	in->nevents++;
	in->bytes += sizeof(e->ev) + e->ev.len;
	waitq_wake(&in->wq, POLLIN | POLLRDNORM | ASYNC_IN);
}

static void drop_event_locked(struct inotify *in, struct event *e)
{
	list_del_init(&e->node);
	in->nevents--;
	in->bytes -= sizeof(e->ev) + e->ev.len;
	kfree(e);
}

/* ---- marks ---- */

/* Out of both lists; the caller drops the inode after the lock and frees. */
static void unlink_mark_locked(struct mark *m)
{
	list_del_init(&m->in_inode);
	list_del_init(&m->in_file);
	m->owner->user->marks--;
	atomic_fetch_sub(&m->inode->sb->nmarks, 1);
}

static void put_marks(struct list_head *gone)
{
	while (!list_empty(gone)) {
		struct mark *m = list_first(gone, struct mark, in_file);

		list_del_init(&m->in_file);
		inode_unref(m->inode);
		kfree(m);
	}
}

static void end_mark_locked(struct mark *m, struct list_head *gone)
{
	unlink_mark_locked(m);
	queue_locked(m->owner, m->wd, IN_IGNORED, NULL, 0, 0);
	list_add_tail(&m->in_file, gone);
}

/* @unlinked: by a name that is gone, which those with IN_EXCL_UNLINK do not want to hear of. */
static void send_marks(struct inode *i, u32 mask, const char *name, size_t len, u32 cookie, bool unlinked)
{
	struct inotify_marks *ms = __atomic_load_n(&i->marks, __ATOMIC_ACQUIRE);
	struct list_head gone = LIST_INIT(gone);
	struct mark *m, *n;

	if (!ms)
		return;
	mutex_lock(&vfs_of(i)->notify_mu);
	if (unlikely(!list_empty(&ms->dnotify)) && S_ISDIR(i->mode))
		dnotify_tell_locked(i, &ms->dnotify, mask);
	list_for_each_safe(m, n, &ms->list, in_inode) {
		if (!(m->mask & mask & IN_ALL_EVENTS) || (unlinked && (m->mask & IN_EXCL_UNLINK)))
			continue;
		queue_locked(m->owner, m->wd, mask, name, len, cookie);
		if (m->mask & IN_ONESHOT)
			end_mark_locked(m, &gone);
	}
	mutex_unlock(&vfs_of(i)->notify_mu);
	put_marks(&gone);
}

void marks_send(struct inode *i, u32 mask, const char *name, size_t len, u32 cookie)
{
	send_marks(i, mask, name, len, cookie, false);
}

void marks_send_child(struct inode *dir, u32 mask, const char *name, size_t len, bool unlinked)
{
	send_marks(dir, mask, name, len, 0, unlinked);
}

void marks_drop(struct inode *i)
{
	struct inotify_marks *ms = __atomic_load_n(&i->marks, __ATOMIC_ACQUIRE);
	struct list_head gone = LIST_INIT(gone);

	if (!ms)
		return;
	mutex_lock(&vfs_of(i)->notify_mu);
	while (!list_empty(&ms->list))
		end_mark_locked(list_first(&ms->list, struct mark, in_inode), &gone);
	mutex_unlock(&vfs_of(i)->notify_mu);
	put_marks(&gone);
}

void marks_free(struct inode *i)
{
	kfree(i->marks);
	i->marks = NULL;
}

static struct inotify_marks *marks_of(struct inode *i)
{
	struct inotify_marks *ms = __atomic_load_n(&i->marks, __ATOMIC_ACQUIRE), *none = NULL;

	if (ms)
		return ms;
	ms = knew(struct inotify_marks);
	if (!ms)
		return NULL;
	list_init(&ms->list);
	list_init(&ms->dnotify);
	if (!__atomic_compare_exchange_n(&i->marks, &none, ms, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		kfree(ms);
		ms = none;
	}
	return ms;
}

struct list_head *marks_dnotify(struct inode *i, bool make)
{
	struct inotify_marks *ms = make ? marks_of(i) : __atomic_load_n(&i->marks, __ATOMIC_ACQUIRE);

	return ms ? &ms->dnotify : NULL;
}

static struct mark *find_locked(struct inotify *in, const struct inode *i)
{
	struct mark *m;

	list_for_each(m, &i->marks->list, in_inode)
		if (m->owner == in)
			return m;
	return NULL;
}

static int update_locked(struct mark *m, u32 mask)
{
	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	m->mask = mask & IN_MASK_ADD ? m->mask | mask : mask;
	return m->wd;
}

int inotify_watch(struct file *f, struct inode *i, u32 mask)
{
	struct inotify *in = inotify_of(f);
	struct mark *fresh = knew(struct mark), *m;
	int r;

	if (!fresh || !marks_of(i)) {
		kfree(fresh);
		return -ENOMEM;
	}
	mutex_lock(&in->vfs->notify_mu);
	m = find_locked(in, i);
	if (m) {
		r = update_locked(m, mask);
	} else if (in->user->marks >= setting_get(in->settings, SETTING_INOTIFY_WATCHES)) {
		r = -ENOSPC;
	} else {
		fresh->inode = inode_ref(i);
		fresh->owner = in;
		fresh->wd = r = in->next_wd++;
		fresh->mask = mask;
		list_add_tail(&fresh->in_inode, &i->marks->list);
		list_add_tail(&fresh->in_file, &in->marks);
		in->user->marks++;
		atomic_fetch_add(&i->sb->nmarks, 1);
		fresh = NULL;
	}
	mutex_unlock(&in->vfs->notify_mu);
	kfree(fresh);
	return r;
}

int inotify_watch_path(struct file *f, const struct path *p, u32 mask)
{
	auto_dentry *up = dentry_parent(p->dentry);
	struct inode *i = path_inode(p);
	int r = inotify_watch(f, i, mask);

	if (r >= 0 && up && up->inode && up->inode->ops->watched)
		up->inode->ops->watched(up->inode);
	if (r >= 0 && i->ops->watched)
		i->ops->watched(i);
	return r;
}

int inotify_unwatch(struct file *f, int wd)
{
	struct inotify *in = inotify_of(f);
	struct list_head gone = LIST_INIT(gone);
	struct mark *m, *n;
	int r = -EINVAL;

	mutex_lock(&in->vfs->notify_mu);
	list_for_each_safe(m, n, &in->marks, in_file)
		if (m->wd == wd) {
			end_mark_locked(m, &gone);
			r = 0;
			break;
		}
	mutex_unlock(&in->vfs->notify_mu);
	put_marks(&gone);
	return r;
}

/* ---- the file ---- */

/* One event to the reader: all of it or nothing. */
static ssize_t put_event(struct iobuf *b, const struct event *e)
{
	u8 buf[sizeof(struct lx_inotify_event) + 272];
	size_t n = sizeof(e->ev) + e->ev.len;
	ssize_t r;

	memset(buf, 0, n);
	memcpy(buf, &e->ev, sizeof(e->ev));
	memcpy(buf + sizeof(e->ev), e->name, e->len);
	r = iobuf_put(b, buf, n);
	if (r > 0 && (size_t)r < n) {
		iobuf_rewind(b, (size_t)r);
		return -EFAULT;
	}
	return r;
}

static ssize_t inotify_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct inotify *in = inotify_of(f);
	ssize_t done = 0, r = 0;

	(void)t;
	(void)pos;
	mutex_lock(&in->vfs->notify_mu);
	while (!list_empty(&in->events)) {
		struct event *e = list_first(&in->events, struct event, node);

		if (sizeof(e->ev) + e->ev.len > b->left) {
			r = -EINVAL;
			break;
		}
		r = put_event(b, e);
		if (r < 0)
			break;
		done += r;
		drop_event_locked(in, e);
	}
	mutex_unlock(&in->vfs->notify_mu);
	if (done > 0)
		return done;
	return r < 0 ? r : -EAGAIN;
}

static u32 inotify_poll(struct file *f)
{
	struct inotify *in = inotify_of(f);
	u32 ev;

	mutex_lock(&in->vfs->notify_mu);
	ev = in->nevents ? POLLIN | POLLRDNORM : 0;
	mutex_unlock(&in->vfs->notify_mu);
	return ev;
}

static long inotify_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct inotify *in = inotify_of(f);
	int n;

	if (cmd != 0x541b)      /* FIONREAD */
		return -ENOTTY;
	mutex_lock(&in->vfs->notify_mu);
	n = (int)in->bytes;
	mutex_unlock(&in->vfs->notify_mu);
	return copy_out(t, arg, &n, sizeof(n));
}

static void inotify_fdinfo(struct file *f, struct strbuf *s)
{
	struct inotify *in = inotify_of(f);
	struct mark *m;

	mutex_lock(&in->vfs->notify_mu);
	list_for_each(m, &in->marks, in_file)
		strbuf_printf(s, "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0\n", m->wd,
		              (unsigned long long)m->inode->ino, m->inode->sb->dev_minor,
			      m->mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT));
	mutex_unlock(&in->vfs->notify_mu);
}

/* ---- how many ---- */

/* One more instance of @uid's: -EMFILE, -ENOMEM. */
static int user_take(struct vfs *v, const struct settings *s, u32 uid, struct inotify_user **ret)
{
	struct inotify_user *fresh = knew(struct inotify_user), *u = NULL, *it;
	int r = 0;

	if (!fresh)
		return -ENOMEM;
	mutex_lock(&v->notify_mu);
	list_for_each(it, &v->inotify_users, node)
		if (it->uid == uid)
			u = it;
	if ((u ? u->instances : 0) >= setting_get(s, SETTING_INOTIFY_INSTANCES)) {
		r = -EMFILE;
	} else {
		if (!u) {
			u = fresh;
			fresh = NULL;
			u->uid = uid;
			list_add_tail(&u->node, &v->inotify_users);
		}
		u->instances++;
		*ret = u;
	}
	mutex_unlock(&v->notify_mu);
	kfree(fresh);
	return r;
}

/* The user, if it has none any more: for kfree() after the lock. */
static struct inotify_user *user_give_locked(struct inotify_user *u)
{
	if (--u->instances)
		return NULL;
	list_del_init(&u->node);
	return u;
}

static void inotify_release(struct file *f)
{
	struct inotify *in = inotify_of(f);
	struct list_head gone = LIST_INIT(gone);
	struct inotify_user *u;

	mutex_lock(&in->vfs->notify_mu);
	while (!list_empty(&in->marks)) {
		struct mark *m = list_first(&in->marks, struct mark, in_file);

		unlink_mark_locked(m);
		list_add_tail(&m->in_file, &gone);
	}
	while (!list_empty(&in->events))
		drop_event_locked(in, list_first(&in->events, struct event, node));
	u = user_give_locked(in->user);
	mutex_unlock(&in->vfs->notify_mu);
	kfree(u);
	put_marks(&gone);
	file_done(f);
	kfree(in);
}

static const struct file_ops inotify_ops = {
	.lseek = file_lseek_none,
	.name = "inotify",
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.fdinfo = inotify_fdinfo,
	.release = inotify_release,
};

bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

int inotify_create(struct task *t, u32 flags, struct file **ret)
{
	const struct settings *s = &t->kernel->settings;
	struct inotify_user *u;
	struct inotify *in;
	int r = user_take(t->kernel->vfs, s, task_cred(t)->euid, &u);

	if (r < 0)
		return r;
	in = knew(struct inotify);
	if (!in) {
		mutex_lock(&t->kernel->vfs->notify_mu);
		u = user_give_locked(u);
		mutex_unlock(&t->kernel->vfs->notify_mu);
		kfree(u);
		return -ENOMEM;
	}
	in->user = u;
	in->settings = s;
	in->max_events = setting_get(s, SETTING_INOTIFY_EVENTS);
	file_init(&in->f, &inotify_ops, O_RDONLY | (flags & O_NONBLOCK), FILE_STREAM | FILE_ASYNC, NULL, NULL, task_cred(t));
	in->f.wq = &in->wq;
	in->f.anon_name = "anon_inode:inotify";
	in->f.anon_ino = kernel_next_ino(t->kernel);
	in->vfs = t->kernel->vfs;
	waitq_init(&in->wq);
	list_init(&in->marks);
	list_init(&in->events);
	in->next_wd = 1;
	*ret = &in->f;
	return 0;
}
