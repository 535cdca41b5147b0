/*
 * names.c - entries of directories on the host: looking them up, making and removing them.
 *
 * vfs holds the directory's lock around changes, so the only races are with
 * lookups and with the host.  Each change tells the cache what is there now.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <string.h>
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/kernel/cred.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/posix_acl.h"

/* Whoever isn't capable may be judged by lists next: most often "none" comes along with the name. @t is NULL at boot. */
u32 gwalk_flags(struct task *t)
{
	return !t || self_capable(t, CAP_DAC_OVERRIDE) ? 0 : GW_WALK_ACL;
}

/* The gofer is out of handles: give back what only caches hold, once. */
static int ask(struct task *t, struct ginode *dir, const char *name, size_t len, struct gw_node *n, bool *ret_watched)
{
	struct gofer_rpc *rpc = &dir->c->rpc;
	u32 flags = gwalk_flags(t);
	int r = grpc_lookup(rpc, dir->handle, name, len, flags, n, ret_watched);

	if (r == 0 && n->err == -ENFILE) {
		dcache_shrink(dir->i.sb);
		grpc_flush_closes(rpc);
		r = grpc_lookup(rpc, dir->handle, name, len, flags, n, ret_watched);
	}
	return r;
}

int g_lookup(struct task *t, struct inode *i, const char *name, size_t len, struct inode **ret)
{
	struct ginode *dir = ginode_of(i), *g;
	struct gofer_conn *c = dir->c;
	enum gname_answer a = gname_find(dir, name, len, &g);
	bool watched, before;
	struct gw_node n;
	u64 seq, changes;
	int r;

	if (a == GNAME_NOTHING)
		return -ENOENT;
	if (a == GNAME_UNKNOWN && gdir_ahead(t, dir, name, len, &g) == AHEAD_NOTHING)
		return -ENOENT;
	if (g) {
		*ret = &g->i;
		return 0;
	}
	seq = gdir_names_seq(dir, &before);
	changes = gconn_changes(c);
	r = ask(t, dir, name, len, &n, &watched);
	if (r < 0)
		return r;
	if (watched != before) {
		gdir_set_watched(dir, watched);
		/* It was watched before it was looked into, so this very answer is good. */
		changes = gconn_changes(c);
	}
	if (n.err < 0) {
		if (n.err == -ENOENT)
			gname_learn(dir, name, len, NULL, seq);
		return n.err;
	}
	r = ginode_get(gsuper_of(i->sb), &n, watched, changes, true, &g);
	if (r < 0)
		return r;
	gname_learn(dir, name, len, g, seq);
	*ret = &g->i;
	return 0;
}

/* ---- making ---- */

/* The host lets it inherit the directory's default list, with the mode that this leaves: said here, as the gofer insists on it. */
static int making(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct grpc_make *ret)
{
	auto_heritage h = { 0 };

	*ret = (struct grpc_make){ .dir = ginode_of(dir)->handle, .mode = mode, .name = name, .len = len };
	gnotice_mine(ginode_of(dir));
	inode_new_owner(t, dir, &ret->mode, &ret->uid, &ret->gid);
	return acl_inherit(t, dir, &ret->mode, &h);
}

/* The gofer has made @n: enter it. @r: what the call returned. */
static int made(struct inode *i, const char *name, size_t len, const struct gw_node *n, u64 changes, int r,
                struct inode **ret)
{
	struct ginode *dir = ginode_of(i), *g;
	bool watched;

	if (r < 0)
		return r;
	gdir_names_seq(dir, &watched);
	r = ginode_get(gsuper_of(i->sb), n, watched, changes, false, &g);
	if (r < 0)
		return r;
	gnotice_mine(g);
	gname_set(dir, name, len, g);
	*ret = &g->i;
	return 0;
}

int g_create(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret)
{
	struct gofer_conn *c = ginode_of(dir)->c;
	u64 changes = gconn_changes(c);
	struct grpc_make m;
	struct gw_node n;
	hostfd_t fd = HOSTFD_NONE;
	int r = making(t, dir, name, len, mode, &m);

	if (r == 0)
		r = grpc_create(&c->rpc, &m, &n, &fd);
	r = made(dir, name, len, &n, changes, r, ret);
	gfile_keep(r == 0 ? ginode_of(*ret) : NULL, fd);
	return r;
}

int g_tmpfile(struct task *t, struct inode *dir, u32 mode, struct inode **ret)
{
	struct gofer_conn *c = ginode_of(dir)->c;
	u64 changes = gconn_changes(c);
	struct ginode *g = NULL;
	struct grpc_make m;
	struct gw_node n;
	hostfd_t fd = HOSTFD_NONE;
	int r = making(t, dir, "", 0, mode, &m);

	if (r == 0)
		r = grpc_tmpfile(&c->rpc, &m, &n, &fd);
	if (r == 0)
		r = ginode_get(gsuper_of(dir->sb), &n, false, changes, false, &g);
	gfile_keep(r == 0 ? g : NULL, fd);
	if (r < 0)
		return r;
	atomic_store(&g->unlinked, true);
	*ret = &g->i;
	return 0;
}

int g_mkdir(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, struct inode **ret)
{
	struct gofer_conn *c = ginode_of(dir)->c;
	u64 changes = gconn_changes(c);
	struct grpc_make m;
	struct gw_node n;
	int r = making(t, dir, name, len, mode, &m);

	if (r == 0)
		r = grpc_mkdir(&c->rpc, &m, &n);
	r = made(dir, name, len, &n, changes, r, ret);
	/* Of a directory that has no default list: nor has this.  Or its first new entry would cost one more request. */
	if (r == 0 && !atomic_load(&dir->acl[ACL_DEFAULT]))
		ginode_keep_acl(ginode_of(*ret), ACL_DEFAULT, NULL, ginode_inval(ginode_of(*ret)));
	return r;
}

int g_mknod(struct task *t, struct inode *dir, const char *name, size_t len, u32 mode, u32 major, u32 minor,
            struct inode **ret)
{
	struct gofer_conn *c = ginode_of(dir)->c;
	u64 changes = gconn_changes(c);
	struct grpc_make m;
	struct gw_node n;
	int r = making(t, dir, name, len, mode, &m);

	if (r == 0)
		r = grpc_mknod(&c->rpc, &m, major, minor, &n);
	return made(dir, name, len, &n, changes, r, ret);
}

int g_symlink(struct task *t, struct inode *dir, const char *name, size_t len, const char *target,
              struct inode **ret)
{
	struct gofer_conn *c = ginode_of(dir)->c;
	u64 changes = gconn_changes(c);
	struct grpc_make m;
	struct gw_node n;
	int r = making(t, dir, name, len, S_IFLNK | 0777, &m);

	if (r == 0)
		r = grpc_symlink(&c->rpc, &m, target, &n);
	return made(dir, name, len, &n, changes, r, ret);
}

int g_link(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *target)
{
	struct ginode *d = ginode_of(dir), *g = ginode_of(target);
	struct gw_attr a;
	int r;

	(void)t;
	if (target->sb != dir->sb)
		return -EXDEV;
	r = grpc_link(&d->c->rpc, d->handle, name, len, g->handle, &a);
	if (r < 0)
		return r;
	atomic_store(&g->unlinked, false);
	gnotice_mine(g);
	gname_set(d, name, len, g);
	ginode_stale(g);
	__atomic_store_n(&target->nlink, a.nlink, __ATOMIC_RELAXED);
	return 0;
}

/* ---- removing ---- */

/* @victim has lost a name.  Its lock can't be taken under the directory's, which has the same rank. */
static void lost_name(struct inode *victim, bool last)
{
	u32 n = __atomic_load_n(&victim->nlink, __ATOMIC_RELAXED);

	if (last || n <= 1) {
		n = 1;
		atomic_store(&ginode_of(victim)->unlinked, true);
		gahead_drop(ginode_of(victim));
	}
	__atomic_store_n(&victim->nlink, n - 1, __ATOMIC_RELAXED);
	gnotice_mine(ginode_of(victim));
	ginode_stale(ginode_of(victim));
}

static int remove_name(struct inode *dir, const char *name, size_t len, struct inode *victim, bool rmdir)
{
	struct ginode *d = ginode_of(dir);
	int r = grpc_unlink(&d->c->rpc, d->handle, name, len, rmdir);

	if (r < 0)
		return r;
	gname_set(d, name, len, NULL);
	lost_name(victim, rmdir);
	return 0;
}

int g_unlink(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	(void)t;
	return remove_name(dir, name, len, victim, false);
}

int g_rmdir(struct task *t, struct inode *dir, const char *name, size_t len, struct inode *victim)
{
	(void)t;
	return remove_name(dir, name, len, victim, true);
}

static void ginode_changed(struct inode *i)
{
	gnotice_mine(ginode_of(i));
	ginode_stale(ginode_of(i));
}

int g_rename(struct task *t, struct inode *odir, const char *oname, size_t olen, struct inode *victim,
             struct inode *ndir, const char *nname, size_t nlen, struct inode *target, u32 flags)
{
	struct ginode *od = ginode_of(odir), *nd = ginode_of(ndir);
	int r = grpc_rename(&od->c->rpc, od->handle, oname, olen, nd->handle, nname, nlen, flags);

	(void)t;
	if (r < 0)
		return r;
	if (flags & RENAME_EXCHANGE) {
		gname_set(od, oname, olen, target ? ginode_of(target) : NULL);
		gname_set(nd, nname, nlen, ginode_of(victim));
		if (target)
			ginode_changed(target);
	} else {
		gname_set(od, oname, olen, NULL);
		if (flags & RENAME_WHITEOUT)
			gname_forget(od, oname, olen);
		gname_set(nd, nname, nlen, ginode_of(victim));
		if (target && target != victim)
			lost_name(target, S_ISDIR(target->mode));
	}
	ginode_changed(victim);
	return 0;
}
