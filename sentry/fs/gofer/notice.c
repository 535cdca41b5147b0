/*
 * notice.c - what the host changes in a directory that the guest watches becomes an inotify event there.
 *
 * The guest's own changes were told by vfs when it made them, and come back from the host as well.  Names
 * are sorted out by the gofer, which knows what it did itself.  Of content and attributes an inode remembers
 * when we changed it last (own_at) and when the watch was set (notice_at): what was changed later, by its ctime,
 * was changed by others.  A change of theirs within the same tick of the host's clock (4 ms) is taken
 * for ours; the watcher has had an event for it.
 *
 * Locks: none is held while the gofer is asked or watchers are told.  The thread of events works here.
 */
#include <time.h>
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/vfs/notify.h"

#define FRESH_NS 20000000               /* a new file may not be known yet when its events come */

static s64 real_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void gnotice_mine_begins(struct ginode *g)
{
	if (unlikely(notify_wanted(g->i.sb)))
		atomic_store(&g->own_at, INT64_MAX);
}

void gnotice_mine(struct ginode *g)
{
	if (unlikely(notify_wanted(g->i.sb)))
		atomic_store(&g->own_at, real_now());
}

void g_watched(struct inode *i)
{
	struct ginode *g = ginode_of(i);
	bool watched, before;
	struct gw_attr a;

	atomic_store(&g->notice_at, real_now());
	if (!S_ISDIR(i->mode) || grpc_watch(&g->c->rpc, g->handle, &a, &watched) < 0)
		return;
	gdir_names_seq(g, &before);
	if (before != watched)
		gdir_set_watched(g, watched);
}

void gnotice_begin(struct gofer_conn *c, const struct gw_event *ev, const char *name, struct gnotice *ret)
{
	mutex_lock(&c->mu);
	ret->n = 0;
	gcache_each_locked(c, ev->dev, ev->ino, ret);
	mutex_unlock(&c->mu);
	for (u32 i = 0; i < ret->n; i++) {
		ret->v[i].child = NULL;
		if (ev->namelen)
			(void)gname_find(ret->v[i].dir, name, ev->namelen, &ret->v[i].child);
	}
}

/* Was @g changed by others since we, or whoever watches @dir, looked? *ret_gone: and it has no name left. */
static bool by_others(struct ginode *dir, struct ginode *g, bool *ret_gone)
{
	struct gw_attr a;
	bool watched;
	s64 since;

	*ret_gone = false;
	if (grpc_getattr(&g->c->rpc, g->handle, false, &a, &watched) < 0)
		return false;
	*ret_gone = a.nlink == 0;
	/* After the question: a change of ours that the answer shows had begun before it. */
	since = MAX(atomic_load(&g->own_at), MAX(atomic_load(&g->notice_at), atomic_load(&dir->notice_at)));
	return a.ctime > since;
}

static u32 name_mask(u16 what)
{
	return (what & GW_EV_MADE ? IN_CREATE : 0) | (what & GW_EV_GONE ? IN_DELETE : 0) |
	       (what & GW_EV_LEFT ? IN_MOVED_FROM : 0) | (what & GW_EV_CAME ? IN_MOVED_TO : 0);
}

static u32 data_mask(u16 what)
{
	return (what & GW_EV_ATTR ? IN_ATTRIB : 0) | (what & GW_EV_DATA ? IN_MODIFY : 0) |
	       (what & GW_EV_CLOSED ? IN_CLOSE_WRITE : 0);
}

/* A name came or went: its directory is told, and the object if it is known. */
static void tell_name(struct ginode *dir, struct ginode *g, const struct gw_event *ev, const char *name, u32 is_dir)
{
	bool gone = false;

	auto_inode *now = NULL;

	notify_child(&dir->i, NULL, name, ev->namelen, name_mask(ev->what) | is_dir, ev->cookie);
	/* What is there now may be watched itself: know it by its new name. */
	if ((ev->what & (GW_EV_MADE | GW_EV_CAME)) && dir->i.marks && g_lookup(NULL, &dir->i, name, ev->namelen, &now) < 0)
		now = NULL;
	if (!g)
		return;
	if (ev->what & GW_EV_LEFT)
		notify_inode(&g->i, IN_MOVE_SELF);
	if (!(ev->what & GW_EV_GONE))
		return;
	if (!is_dir)
		notify_inode(&g->i, IN_ATTRIB);
	(void)by_others(dir, g, &gone);
	if (gone || is_dir)
		notify_inode(&g->i, IN_DELETE_SELF);
}

static void tell(struct ginode *dir, struct ginode *g, const struct gw_event *ev, const char *name)
{
	u32 is_dir = ev->what & GW_EV_DIR ? IN_ISDIR : 0, mask = data_mask(ev->what);
	bool gone;

	if (name_mask(ev->what))
		tell_name(dir, g, ev, name, is_dir);
	if (ev->what & GW_EV_SELF && by_others(dir, dir, &gone) && !gone)
		notify_inode(&dir->i, IN_ATTRIB);
	if (!mask || !ev->namelen)
		return;
	if (g ? !by_others(dir, g, &gone) : real_now() - atomic_load(&dir->own_at) < FRESH_NS)
		return;
	notify_child(&dir->i, NULL, name, ev->namelen, mask | is_dir, 0);
	if (g)
		notify_inode(&g->i, mask);
}

void gnotice_end(struct gnotice *no, const struct gw_event *ev, const char *name)
{
	for (u32 i = 0; i < no->n; i++) {
		tell(no->v[i].dir, no->v[i].child, ev, name);
		if (no->v[i].child)
			inode_unref(&no->v[i].child->i);
		inode_unref(&no->v[i].dir->i);
	}
}
