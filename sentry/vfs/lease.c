/*
 * lease.c - leases: granting, breaking, running out; see lease.h.
 *
 * A lease that is being broken stays until its holder gives it up or its time is over; whoever looks at
 * the leases of the inode next ends those (expire_locked()).  Openers count
 * themselves (writers, readers) before they look for leases, and a lease looks at the counts once it is
 * in the list, so one of the two sees the other.
 */
#include "sentry/vfs/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/fasync.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/perm.h"

struct lease {
	struct list_head node;
	struct file *file;              /* borrowed: the lease goes first */
	int fd;                         /* by which it was set */
	short type;                     /* F_RDLCK, F_WRLCK */
	ktime_t unlock_by, downgrade_by;        /* being broken: when its time is over; 0: not */
};

struct leases {
	struct list_head list;
	struct waitq wq;                /* POLLOUT: one has changed */
};

static struct vfs *vfs_of(const struct inode *i) { return i->sb->kernel->vfs; }

static struct leases *leases_of(struct inode *i)
{
	struct leases *ls = __atomic_load_n(&i->leases, __ATOMIC_ACQUIRE), *none = NULL;

	if (ls)
		return ls;
	ls = knew(struct leases);
	if (!ls)
		return NULL;
	list_init(&ls->list);
	waitq_init(&ls->wq);
	if (!__atomic_compare_exchange_n(&i->leases, &none, ls, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		kfree(ls);
		ls = none;
	}
	return ls;
}

void lease_free(struct inode *i)
{
	kfree(i->leases);
	i->leases = NULL;
}

static struct lease *find_locked(struct leases *ls, const struct file *f)
{
	struct lease *l;

	list_for_each(l, &ls->list, node)
		if (l->file == f)
			return l;
	return NULL;
}

static void end_locked(struct leases *ls, struct lease *l)
{
	list_del_init(&l->node);
	kfree(l);
	waitq_wake(&ls->wq, POLLOUT);
}

static void downgrade_locked(struct leases *ls, struct lease *l)
{
	l->type = F_RDLCK;
	l->downgrade_by = 0;
	waitq_wake(&ls->wq, POLLOUT);
}

static void expire_locked(struct leases *ls, ktime_t now)
{
	struct lease *l, *n;

	list_for_each_safe(l, n, &ls->list, node) {
		if (l->unlock_by && l->unlock_by <= now)
			end_locked(ls, l);
		else if (l->downgrade_by && l->downgrade_by <= now)
			downgrade_locked(ls, l);
	}
}

/* ---- granting ---- */

/* Is the file open elsewhere in a way that such a lease may not be? */
static bool open_elsewhere(const struct file *f, short type)
{
	s32 writers = atomic_load(&f->inode->writers), mine_w = f->kind & FILE_WRITER ? 1 : 0;
	u32 readers = atomic_load(&f->inode->readers), mine_r = f->kind & FILE_READER ? 1 : 0;

	if (type == F_RDLCK)
		return writers > 0;
	return writers != mine_w || readers != mine_r;
}

static int add_locked(struct leases *ls, struct file *f, struct lease *fresh)
{
	struct lease *l, *mine = NULL;

	if (open_elsewhere(f, fresh->type))
		return -EAGAIN;
	list_for_each(l, &ls->list, node) {
		if (l->file == f)
			mine = l;
		else if (fresh->type == F_WRLCK || l->unlock_by)
			return -EAGAIN;
	}
	if (mine) {
		mine->type = fresh->type;
		mine->downgrade_by = 0;
		if (mine->type == F_RDLCK)
			waitq_wake(&ls->wq, POLLOUT);
		return 1;
	}
	list_add_tail(&fresh->node, &ls->list);
	if (!open_elsewhere(f, fresh->type))
		return 0;
	list_del_init(&fresh->node);
	return -EAGAIN;
}

static int add(struct task *t, struct file *f, int fd, short type)
{
	struct leases *ls = leases_of(f->inode);
	struct lease *fresh = knew(struct lease);
	int r = ls && fresh ? fowner_default(t, f, 0) : -ENOMEM;

	if (r < 0) {
		kfree(fresh);
		return r;
	}
	list_init(&fresh->node);
	fresh->file = f;
	fresh->fd = fd;
	fresh->type = type;
	mutex_lock(&vfs_of(f->inode)->locks_mu);
	expire_locked(ls, ktime_mono(t->kernel));
	r = add_locked(ls, f, fresh);
	mutex_unlock(&vfs_of(f->inode)->locks_mu);
	if (r != 0)
		kfree(fresh);
	return r < 0 ? r : 0;
}

static int give_up(struct file *f)
{
	struct leases *ls = __atomic_load_n(&f->inode->leases, __ATOMIC_ACQUIRE);
	struct lease *l;

	if (!ls)
		return -EAGAIN;
	mutex_lock(&vfs_of(f->inode)->locks_mu);
	l = find_locked(ls, f);
	if (l)
		end_locked(ls, l);
	mutex_unlock(&vfs_of(f->inode)->locks_mu);
	if (l)
		fowner_clear(f);
	return l ? 0 : -EAGAIN;
}

int lease_set(struct task *t, struct file *f, int fd, u64 type)
{
	struct inode *i = f->inode;

	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (!i)
		return -EINVAL;
	if (i->uid != task_cred(t)->fsuid && !inode_capable(t, i, CAP_LEASE))
		return -EACCES;
	if (!S_ISREG(i->mode) || !f->path.dentry)
		return -EINVAL;
	if (type != F_UNLCK && !setting_get(&t->kernel->settings, SETTING_LEASES))
		return -EINVAL;
	return type == F_UNLCK ? give_up(f) : add(t, f, fd, (short)type);
}

int lease_get(struct task *t, struct file *f)
{
	struct leases *ls = f->inode ? __atomic_load_n(&f->inode->leases, __ATOMIC_ACQUIRE) : NULL;
	struct lease *l;
	int type = F_UNLCK;

	if (!ls)
		return type;
	mutex_lock(&vfs_of(f->inode)->locks_mu);
	expire_locked(ls, ktime_mono(t->kernel));
	l = find_locked(ls, f);
	if (l)
		type = l->unlock_by ? F_UNLCK : l->downgrade_by ? F_RDLCK : l->type;
	mutex_unlock(&vfs_of(f->inode)->locks_mu);
	return type;
}

void lease_file_gone(struct file *f)
{
	if (f->inode && __atomic_load_n(&f->inode->leases, __ATOMIC_ACQUIRE))
		(void)!give_up(f);
}

/* ---- breaking ---- */

static bool in_the_way(const struct lease *l, bool writes)
{
	return writes || l->type == F_WRLCK;
}

/* Tell the holders who have not been told. When to look again, or 0: nobody is in the way. */
static ktime_t break_locked(struct leases *ls, bool writes, ktime_t now, u32 secs)
{
	ktime_t end = secs ? now + secs * NSEC_PER_SEC : KTIME_MAX, first = 0;
	struct lease *l;

	list_for_each(l, &ls->list, node) {
		bool told = l->unlock_by || (!writes && l->downgrade_by);

		if (!in_the_way(l, writes))
			continue;
		if (!told) {
			*(writes ? &l->unlock_by : &l->downgrade_by) = end;
			fowner_tell(l->file, l->fd, POLL_MSG);
		}
		now = l->unlock_by && (writes || !l->downgrade_by) ? l->unlock_by : l->downgrade_by;
		first = first ? MIN(first, now) : now;
	}
	return first;
}

int lease_break_slow(struct task *t, struct inode *i, u32 flags)
{
	struct leases *ls = i->leases;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	struct task_waiter tw;
	ktime_t until;
	int r = 0;

	task_waiter_init(&tw, t, POLLOUT);
	waitq_add(&ls->wq, &tw.w);
	for (;;) {
		mutex_lock(&vfs_of(i)->locks_mu);
		expire_locked(ls, ktime_mono(t->kernel));
		until = break_locked(ls, writes, ktime_mono(t->kernel),
				     setting_get(&t->kernel->settings, SETTING_LEASE_BREAK));
		mutex_unlock(&vfs_of(i)->locks_mu);
		if (!until)
			break;
		if (flags & O_NONBLOCK) {
			r = -EAGAIN;
			break;
		}
		if (sigio_pending(t->kernel))
			sigio_flush(t->kernel);
		r = task_sleep(t, until);
		if (r < 0 && r != -ETIMEDOUT)
			break;
		r = 0;
	}
	waitq_del(&ls->wq, &tw.w);
	return r;
}
