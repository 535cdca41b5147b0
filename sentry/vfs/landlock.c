/*
 * landlock.c - see landlock.h: is it granted by every layer?
 *
 * Rights add up from a place to the root, through mounts; what stands hidden below a mount does not count.
 * A place that was moved out of what its mount shows has the rules of both.  One that has no way up (a tree taken out) has
 * only its own; what only the kernel mounts is free.
 */
#include "sentry/vfs/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/landlock_int.h"
#include "sentry/vfs/mount_int.h"

/* Not in every libc's headers. */
#define LX_FS_IOC_GETFSUUID      0x80111500u
#define LX_FS_IOC_GETFSSYSFSPATH 0x80811501u

struct landlock *landlock_ref(struct landlock *l)
{
	if (l)
		ref_get(&l->ref);
	return l;
}

void ll_rules_done(struct ll_rules *r)
{
	for (u32 i = 0; i < r->nrules; i++)
		dentry_unref(r->rule[i].at);
	kfree(r->rule);
	kfree(r->port);
}

void landlock_unref(struct landlock *l)
{
	while (l && ref_put(&l->ref)) {
		struct landlock *prev = l->prev;

		ll_rules_done(&l->r);
		kfree(l);
		l = prev;
	}
}

static int compare(const struct inode *a, const struct inode *b)
{
	if (a->sb != b->sb)
		return a->sb < b->sb ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

u32 ll_rule_find(const struct ll_rules *r, const struct inode *i, bool *ret_there)
{
	u32 lo = 0, hi = r->nrules;

	*ret_there = false;
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		int c = compare(r->rule[mid].at->inode, i);

		if (c == 0) {
			*ret_there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The rights that @r grants on the inode itself. */
static u32 rule_access(const struct ll_rules *r, const struct inode *i)
{
	bool there;
	u32 at = ll_rule_find(r, i, &there);

	return there ? r->rule[at].access : 0;
}

/* What each layer grants at a place; grant[0] is the newest's. */
struct grants { u32 n, grant[LANDLOCK_LAYERS]; };

static void add_grants(const struct landlock *l, const struct inode *i, struct grants *g)
{
	for (g->n = 0; l; l = l->prev)
		g->grant[g->n++] |= rule_access(&l->r, i);
}

static bool all_granted(const struct landlock *l, const struct grants *g, u32 access)
{
	for (u32 i = 0; l; l = l->prev, i++)
		if (access & l->r.on.fs & ~g->grant[i])
			return false;
	return true;
}

/* One step up: false at the top. */
static bool step_up(struct path *p, bool *ret_internal)
{
	struct dentry *up;

	while (p->dentry == p->mnt->root) {
		*ret_internal = p->mnt->internal;
		if (!mount_up(p))
			return false;
	}
	up = dentry_parent(p->dentry);
	/* At the top of the file system, but never in what its mount shows: it was moved out of that. */
	if (!up)
		up = dentry_ref(p->mnt->root);
	dentry_unref(p->dentry);
	p->dentry = up;
	return true;
}

/* All rights from @p up to the root; no further than needed for @enough (0: all the way). */
static void collect(const struct landlock *l, const struct path *p, u32 enough, struct grants *g)
{
	struct path at = *p;
	bool internal = false;

	*g = (struct grants){ 0 };
	path_get(&at);
	do {
		add_grants(l, path_inode(&at), g);
		if (enough && all_granted(l, g, enough))
			break;
	} while (step_up(&at, &internal));
	if (internal && at.dentry == at.mnt->root)
		memset(g->grant, 0xff, sizeof(g->grant));
	path_put(&at);
}

static bool handles(const struct landlock *l, u32 access)
{
	for (; l; l = l->prev)
		if (l->r.on.fs & access)
			return true;
	return false;
}

int landlock_path(struct task *t, const struct path *p, u32 access)
{
	const struct landlock *l = task_cred(t)->landlock;
	struct grants g;

	if (!l || !p->dentry || !handles(l, access))
		return 0;
	collect(l, p, access, &g);
	return all_granted(l, &g, access) ? 0 : -EACCES;
}

static bool is_device(const struct inode *i)
{
	return S_ISCHR(i->mode) || S_ISBLK(i->mode);
}

int landlock_open(struct task *t, const struct path *p, u32 flags, u32 *ret_denied)
{
	const struct landlock *l = task_cred(t)->landlock;
	struct inode *i = path_inode(p);
	u32 want = 0, later = LL_TRUNCATE, mode = flags & O_ACCMODE;
	struct grants g;

	*ret_denied = 0;
	if (!l || !handles(l, LL_ON_FILES | LL_READ_DIR))
		return 0;
	if (mode != O_WRONLY)
		want |= S_ISDIR(i->mode) ? LL_READ_DIR : LL_READ_FILE;
	if (mode != O_RDONLY)
		want |= LL_WRITE_FILE;
	if (is_device(i))
		later |= LL_IOCTL_DEV;
	collect(l, p, want | later, &g);
	if (!all_granted(l, &g, LL_TRUNCATE))
		*ret_denied |= FILE_NO_TRUNCATE;
	if (!all_granted(l, &g, later & LL_IOCTL_DEV))
		*ret_denied |= FILE_NO_IOCTL;
	if (!all_granted(l, &g, want))
		return -EACCES;
	return (flags & O_TRUNC) && S_ISREG(i->mode) && (*ret_denied & FILE_NO_TRUNCATE) ? -EACCES : 0;
}

bool landlock_ioctl_free(u32 cmd)
{
	switch (cmd) {
	case FIOCLEX: case FIONCLEX: case FIONBIO: case FIOASYNC:      /* of the descriptor */
	case FIOQSIZE:
	case FIFREEZE: case FITHAW: case FS_IOC_FIEMAP: case FIGETBSZ: /* of the file system */
	case FICLONE: case FICLONERANGE: case FIDEDUPERANGE:
	case LX_FS_IOC_GETFSUUID: case LX_FS_IOC_GETFSSYSFSPATH:
		return true;
	default:
		return false;
	}
}

static u32 make_right(u32 mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return LL_MAKE_DIR;
	case S_IFCHR: return LL_MAKE_CHAR;
	case S_IFBLK: return LL_MAKE_BLOCK;
	case S_IFIFO: return LL_MAKE_FIFO;
	case S_IFSOCK: return LL_MAKE_SOCK;
	case S_IFLNK: return LL_MAKE_SYM;
	default: return LL_MAKE_REG;
	}
}

static u32 remove_right(bool is_dir)
{
	return is_dir ? LL_REMOVE_DIR : LL_REMOVE_FILE;
}

int landlock_make(struct task *t, const struct path *dir, u32 mode)
{
	return landlock_path(t, dir, make_right(mode));
}

int landlock_remove(struct task *t, const struct path *dir, bool is_dir)
{
	return landlock_path(t, dir, remove_right(is_dir));
}

/* Would @i have rights at its new place that it has not at the old one, nor by a rule of its own? */
static bool gains(const struct landlock *l, const struct grants *old, const struct grants *new, const struct inode *i)
{
	u32 n = 0;

	for (; l; l = l->prev, n++) {
		u32 look = (l->r.on.fs | LL_REFER) & (S_ISDIR(i->mode) ? ~0u : LL_ON_FILES);

		if (new->grant[n] & ~old->grant[n] & ~rule_access(&l->r, i) & look)
			return true;
	}
	return false;
}

/* Moving between directories is denied by every layer that does not grant it, even if it does not handle it. */
static bool may_refer(const struct landlock *l, const struct grants *a, const struct grants *b)
{
	for (u32 i = 0; l; l = l->prev, i++)
		if (!(a->grant[i] & b->grant[i] & LL_REFER))
			return false;
	return true;
}

int landlock_move(struct task *t, const struct landlock_move *m)
{
	const struct landlock *l = task_cred(t)->landlock;
	u32 at_from = 0, at_to = make_right(m->moved->mode);
	struct grants old, new;

	if (!l)
		return 0;
	if (m->remove)
		at_from |= remove_right(S_ISDIR(m->moved->mode));
	if (m->over && m->remove)
		at_to |= remove_right(S_ISDIR(m->over->mode));
	if (m->exchange && m->over)
		at_from |= make_right(m->over->mode);
	if (m->from->dentry == m->to->dentry)
		return landlock_path(t, m->to, at_from | at_to);
	/* A file system that nobody restricts has nothing to gain. */
	if (!handles(l, ~0u))
		return 0;
	collect(l, m->from, 0, &old);
	collect(l, m->to, 0, &new);
	if (!all_granted(l, &old, at_from) || !all_granted(l, &new, at_to))
		return -EACCES;
	if (!may_refer(l, &old, &new) || gains(l, &old, &new, m->moved))
		return -EXDEV;
	return m->exchange && m->over && gains(l, &new, &old, m->over) ? -EXDEV : 0;
}

int landlock_mounts(struct task *t)
{
	return handles(task_cred(t)->landlock, ~0u) ? -EPERM : 0;
}

bool landlock_may_trace(const struct cred *by, const struct cred *of)
{
	const struct landlock *l = of->landlock;

	while (l && l != by->landlock)
		l = l->prev;
	return l == by->landlock;
}

static u32 port_access(const struct ll_rules *r, u16 port)
{
	u32 lo = 0, hi = r->nports;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (r->port[mid].port == port)
			return r->port[mid].access;
		if (r->port[mid].port < port)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

int landlock_port(struct task *t, u16 port, u32 access)
{
	for (const struct landlock *l = task_cred(t)->landlock; l; l = l->prev)
		if (access & l->r.on.net & ~port_access(&l->r, port))
			return -EACCES;
	return 0;
}

/* Up from @l to its layer of that depth; NULL below the first one. */
static const struct landlock *at_depth(const struct landlock *l, u32 depth)
{
	while (l && l->depth > depth)
		l = l->prev;
	return l;
}

/* The newest layer with the scope decides: it is reached who has that very layer, too. */
bool landlock_scoped(const struct landlock *from, const struct landlock *to, u32 scope)
{
	while (from && !(from->r.on.scoped & scope))
		from = from->prev;
	return from && at_depth(to, from->depth) != from;
}
