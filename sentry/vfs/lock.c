/*
 * lock.c - advisory locks: flock(2), POSIX record locks, open-file-description
 * record locks (fcntl(2)).
 *
 * Files without an inode have locks too: those of one pipe or socket (anon_ino) are found in vfs->anon_locks while
 * a file that has used them is open.
 *
 * A record lock belongs to a descriptor table (POSIX) or an open file (OFD);
 * a flock to an open file.  The locks of an inode are a list, as Linux has it, since
 * F_GETLK names the first that is in the way: owners by when they came, those of one owner together, sorted by start.
 * They never overlap: setting a range cuts what was there.
 *
 * Everything is guarded by vfs->locks_mu: locks are rare, and deadlock detection
 * follows the graph of waiters over all inodes.  Waiters sleep on the inode's
 * queue and try again; there is no hand-over.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include "platform/base/alloc.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/mount_int.h"

#define LOCK_MAND_BIT 32                /* mandatory locks: gone, and nothing happens */

struct lock {
	struct list_head node;
	const void *owner;              /* identity only: a descriptor table or a file */
	s64 start, end;                 /* inclusive; flock: all */
	s16 type;                       /* F_RDLCK or F_WRLCK */
	bool is_flock, ofd;
	int pid;                        /* for F_GETLK */
};

struct flock_state {
	struct list_head locks;         /* in the order said above */
	struct waitq wq;
	struct list_head node;          /* without an inode: in vfs->anon_locks */
	struct vfs *vfs;
	u64 ino;
	u32 files;                      /* that point here */
};

struct lock_wait {                      /* one sleeping F_SETLKW */
	struct list_head node;          /* in vfs->lock_waiters */
	const void *owner, *blocker;
};

static struct vfs *vfs_of(const struct inode *i)
{
	return i->sb->kernel->vfs;
}

/* What stands for the pipe or socket, or for the file itself. */
static u64 anon_key(const struct file *f)
{
	return f->anon_ino ? f->anon_ino : (u64)(uintptr_t)f;
}

static struct flock_state *anon_find_locked(struct vfs *v, const struct file *f)
{
	struct flock_state *s;

	if (f->flocks)
		return f->flocks;
	list_for_each(s, &v->anon_locks, node)
		if (s->ino == anon_key(f))
			return s;
	return NULL;
}

static struct flock_state *anon_state(struct vfs *v, struct file *f)
{
	struct flock_state *fresh = knew(struct flock_state), *s;

	mutex_lock(&v->locks_mu);
	s = anon_find_locked(v, f);
	if (!s && fresh) {
		s = fresh;
		fresh = NULL;
		list_init(&s->locks);
		waitq_init(&s->wq);
		s->vfs = v;
		s->ino = anon_key(f);
		list_add_tail(&s->node, &v->anon_locks);
	}
	if (!f->flocks && s) {
		s->files++;
		f->flocks = s;
	}
	mutex_unlock(&v->locks_mu);
	kfree(fresh);
	return s;
}

static struct flock_state *state_of(struct inode *i)
{
	struct flock_state *s = __atomic_load_n(&i->flocks, __ATOMIC_ACQUIRE), *none = NULL;

	if (s)
		return s;
	s = knew(struct flock_state);
	if (!s)
		return NULL;
	list_init(&s->locks);
	waitq_init(&s->wq);
	if (!__atomic_compare_exchange_n(&i->flocks, &none, s, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		kfree(s);
		s = none;
	}
	return s;
}

/* What has been locked so far; NULL: nothing. */
static struct flock_state *state_locked(struct vfs *v, const struct file *f)
{
	return f->inode ? __atomic_load_n(&f->inode->flocks, __ATOMIC_ACQUIRE) : anon_find_locked(v, f);
}

void locks_free(struct inode *i)
{
	struct flock_state *s = i->flocks;

	if (!s)
		return;
	while (!list_empty(&s->locks)) {
		struct lock *l = list_first(&s->locks, struct lock, node);

		list_del_init(&l->node);
		kfree(l);
	}
	kfree(s);
	i->flocks = NULL;
}

static bool conflicts(const struct lock *a, const struct lock *b)
{
	if (a->is_flock != b->is_flock || a->owner == b->owner)
		return false;
	return (a->type == F_WRLCK || b->type == F_WRLCK) && a->start <= b->end && b->start <= a->end;
}

static struct lock *find_conflict_locked(struct flock_state *s, const struct lock *want)
{
	struct lock *l;

	list_for_each(l, &s->locks, node)
		if (conflicts(l, want))
			return l;
	return NULL;
}

/* F_OFD_GETLK with F_UNLCK: what the file itself has there. */
static struct lock *find_own_locked(struct flock_state *s, const struct lock *want)
{
	struct lock *l;

	list_for_each(l, &s->locks, node)
		if (!l->is_flock && l->owner == want->owner && l->start <= want->end && want->start <= l->end)
			return l;
	return NULL;
}

static bool same_owner(const struct lock *a, const struct lock *b)
{
	return a->owner == b->owner && a->is_flock == b->is_flock;
}

/* Among those of its owner, before what does not begin before it; behind all if there are none. */
static void insert_locked(struct flock_state *s, struct lock *n)
{
	bool own = false;
	struct lock *l;

	list_for_each(l, &s->locks, node) {
		if (same_owner(l, n) ? l->start >= n->start : own)
			break;
		own = own || same_owner(l, n);
	}
	list_add_tail(&n->node, &l->node);
}

static void remove_locked(struct lock *l)
{
	list_del_init(&l->node);
	kfree(l);
}

/*
 * Give @want's range to its owner, cutting the owner's older locks but @fresh, which is in its place.  @spare is
 * used when one of them is split in two; *used_spare tells.
 */
static void carve_locked(struct flock_state *s, const struct lock *want, const struct lock *fresh, struct lock *spare,
                         bool *used_spare)
{
	struct lock *l, *n;

	list_for_each_safe(l, n, &s->locks, node) {
		if (l == fresh || !same_owner(l, want) || l->start > want->end || l->end < want->start)
			continue;
		if (l->start >= want->start && l->end <= want->end) {
			remove_locked(l);
		} else if (l->start < want->start && l->end > want->end) {
			*spare = *l;
			spare->start = want->end + 1;
			l->end = want->start - 1;
			insert_locked(s, spare);
			*used_spare = true;
		} else if (l->start < want->start) {
			l->end = want->start - 1;
		} else {
			l->start = want->end + 1;
		}
	}
}

/* Join @l with neighbours of the same owner and type. */
static void merge_locked(struct flock_state *s, struct lock *l)
{
	struct lock *o, *n;

	list_for_each_safe(o, n, &s->locks, node) {
		if (o == l || !same_owner(o, l) || o->type != l->type)
			continue;
		if (o->end != INT64_MAX && o->end + 1 == l->start)
			l->start = o->start;
		else if (l->end != INT64_MAX && l->end + 1 == o->start)
			l->end = o->end;
		else
			continue;
		remove_locked(o);
	}
}

/* Would @owner, waiting for @blocker, close a ring of waiters? */
static bool deadlock_locked(struct vfs *v, const void *owner, const void *blocker)
{
	for (int hops = 0; hops < 128; hops++) {
		struct lock_wait *w;
		const void *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each(w, &v->lock_waiters, node)
			if (w->owner == blocker)
				next = w->blocker;
		if (!next)
			return false;
		blocker = next;
	}
	return false;
}

/* 0: done. -EAGAIN: *blocker holds it. */
static int try_locked(struct flock_state *s, const struct lock *want, struct lock *fresh,
                      struct lock *spare, bool *used_fresh, bool *used_spare, const void **blocker)
{
	struct lock *c = want->type == F_UNLCK ? NULL : find_conflict_locked(s, want);

	if (c) {
		*blocker = c->owner;
		return -EAGAIN;
	}
	if (want->type != F_UNLCK) {
		*fresh = *want;
		insert_locked(s, fresh);
		*used_fresh = true;
	}
	carve_locked(s, want, fresh, spare, used_spare);
	if (want->type != F_UNLCK)
		merge_locked(s, fresh);
	return 0;
}

static int set_lock(struct task *t, struct file *f, const struct lock *want, bool wait)
{
	struct vfs *v = t->kernel->vfs;
	struct flock_state *s = f->inode ? state_of(f->inode) : anon_state(v, f);
	struct lock *fresh = knew(struct lock), *spare = knew(struct lock);
	bool used_fresh = false, used_spare = false, queued = false;
	struct lock_wait lw = { .owner = want->owner };
	struct task_waiter tw;
	int r = s && fresh && spare ? 0 : -ENOLCK;

	list_init(&lw.node);
	while (r == 0) {
		mutex_lock(&v->locks_mu);
		list_del_init(&lw.node);
		r = try_locked(s, want, fresh, spare, &used_fresh, &used_spare, &lw.blocker);
		if (r == -EAGAIN && wait && !want->is_flock && !want->ofd &&
		    deadlock_locked(v, want->owner, lw.blocker))
			r = -EDEADLK;
		else if (r == -EAGAIN && wait)
			list_add_tail(&lw.node, &v->lock_waiters);
		mutex_unlock(&v->locks_mu);
		if (r != -EAGAIN || !wait)
			break;
		r = 0;
		if (!queued) {          /* queue first, then look once more: no wake-up is lost */
			task_waiter_init(&tw, t, POLLOUT);
			waitq_add(&s->wq, &tw.w);
			queued = true;
			continue;
		}
		r = task_sleep(t, KTIME_MAX);
	}
	if (queued)
		waitq_del(&s->wq, &tw.w);
	mutex_lock(&v->locks_mu);
	list_del_init(&lw.node);
	mutex_unlock(&v->locks_mu);
	if (!used_fresh)
		kfree(fresh);
	if (!used_spare)
		kfree(spare);
	if (r == 0 && s)
		waitq_wake(&s->wq, POLLOUT);
	return r;
}

/* ---- the calls ---- */

int file_flock(struct task *t, struct file *f, int op)
{
	struct lock want = { .owner = f, .end = INT64_MAX, .is_flock = true, .pid = t->tg->tgid };
	bool wait = !(op & LOCK_NB) && !(op & LOCK_UN);

	if (op & LOCK_MAND_BIT)
		return 0;
	switch (op & ~LOCK_NB) {
	case LOCK_SH:
		want.type = F_RDLCK;
		break;
	case LOCK_EX:
		want.type = F_WRLCK;
		break;
	case LOCK_UN:
		want.type = F_UNLCK;
		break;
	default:
		return -EINVAL;
	}
	if (!f)
		return -EBADF;
	return set_lock(t, f, &want, wait);
}

/* struct flock to an inclusive range, by SEEK_SET, CUR or END. */
static int range_of(struct task *t, struct file *f, const struct lx_flock *fl, struct lock *l)
{
	struct kstat st;
	s64 start = fl->start, base = 0, end;
	int r = 0;

	switch (fl->whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		mutex_lock(&f->pos_mu);
		base = f->pos;
		mutex_unlock(&f->pos_mu);
		break;
	case SEEK_END:
		st.size = 0;
		r = f->inode ? inode_getattr(t, f->inode, &st) : 0;
		base = (s64)st.size;
		break;
	default:
		return -EINVAL;
	}
	if (r < 0)
		return r;
	if (add_overflows(base, start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	end = INT64_MAX;
	if (fl->len > 0 && add_overflows(start, fl->len - 1, &end))
		return -EOVERFLOW;
	if (fl->len < 0) {
		end = start - 1;
		if (add_overflows(start, fl->len, &start) || start < 0)
			return -EINVAL;
	}
	l->start = start;
	l->end = end;
	return 0;
}

static int lock_of(struct task *t, struct file *f, const struct lx_flock *fl, bool ofd, struct lock *l)
{
	if (f->kind & FILE_PATH)
		return -EBADF;
	if (ofd && fl->pid)
		return -EINVAL;
	*l = (struct lock){
		.owner = ofd ? (const void *)f : (const void *)t->files,
		.type = fl->type, .ofd = ofd, .pid = ofd ? -1 : t->tg->tgid,
	};
	return range_of(t, f, fl, l);
}

int file_set_lock(struct task *t, struct file *f, const struct lx_flock *fl, bool ofd, bool wait)
{
	u32 acc = f->flags & O_ACCMODE;
	struct lock want;
	int r = lock_of(t, f, fl, ofd, &want);

	if (r < 0)
		return r;
	switch (fl->type) {
	case F_RDLCK:
		if (acc == O_WRONLY)
			return -EBADF;
		break;
	case F_WRLCK:
		if (acc == O_RDONLY)
			return -EBADF;
		break;
	case F_UNLCK:
		break;
	default:
		return -EINVAL;
	}
	return set_lock(t, f, &want, wait);
}

int file_get_lock(struct task *t, struct file *f, struct lx_flock *fl, bool ofd)
{
	struct vfs *v = t->kernel->vfs;
	struct flock_state *s;
	struct lock want, *c = NULL;
	int r = lock_of(t, f, fl, ofd, &want);

	if (r < 0)
		return r;
	if (fl->type != F_RDLCK && fl->type != F_WRLCK && !(ofd && fl->type == F_UNLCK))
		return -EINVAL;
	mutex_lock(&v->locks_mu);
	s = state_locked(v, f);
	if (s)
		c = fl->type == F_UNLCK ? find_own_locked(s, &want) : find_conflict_locked(s, &want);
	if (c) {
		fl->type = c->type;
		fl->whence = SEEK_SET;
		fl->start = c->start;
		fl->len = c->end == INT64_MAX ? 0 : c->end - c->start + 1;
		fl->pid = c->pid > 0 ? pid_nr(t, c->pid) : c->pid;
	} else {
		fl->type = F_UNLCK;
	}
	mutex_unlock(&v->locks_mu);
	return 0;
}

static void drop_owned_locked(struct flock_state *s, const void *owner)
{
	struct lock *l, *n;
	bool any = false;

	list_for_each_safe(l, n, &s->locks, node)
		if (l->owner == owner) {
			remove_locked(l);
			any = true;
		}
	if (any)
		waitq_wake(&s->wq, POLLOUT);
}

void locks_close_posix(struct task *t, struct file *f, const void *owner)
{
	/* Without a task these are the files of a process that never ran: it has no locks. */
	struct vfs *v = t ? t->kernel->vfs : NULL;
	struct flock_state *s;

	/* Most files were never locked. */
	if (!v || (f->inode ? !__atomic_load_n(&f->inode->flocks, __ATOMIC_ACQUIRE) : list_empty(&v->anon_locks)))
		return;
	mutex_lock(&v->locks_mu);
	s = state_locked(v, f);
	if (s)
		drop_owned_locked(s, owner);
	mutex_unlock(&v->locks_mu);
}

void locks_release_file(struct file *f)
{
	struct flock_state *s = f->inode ? __atomic_load_n(&f->inode->flocks, __ATOMIC_ACQUIRE) : f->flocks;
	struct vfs *v = !s ? NULL : f->inode ? vfs_of(f->inode) : s->vfs;

	if (!s)
		return;
	mutex_lock(&v->locks_mu);
	drop_owned_locked(s, f);
	if (f->flocks && --s->files == 0) {
		list_del_init(&s->node);
		while (!list_empty(&s->locks))
			remove_locked(list_first(&s->locks, struct lock, node));
	} else {
		s = NULL;
	}
	f->flocks = NULL;
	mutex_unlock(&v->locks_mu);
	kfree(s);
}
