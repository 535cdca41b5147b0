/*
 * view.c - parts of files that a stub reads itself.
 *
 * A read of a page or more that is answered across CPUs costs most where its bytes are copied: by the host into the
 * application's memory, or through a window, from one CPU's cache to the other's twice.  So a part of a
 * file that is read again and again is mapped into the stub's range, read-only, and the answer to a read
 * says "copy from there".  The host's page cache is behind the map, so it shows what any read would.
 *
 * A process sees in its views only what a descriptor of its own lets it read, and no longer than that: closing a
 * descriptor of the file takes its views away before the caller goes on (systrap_view_drop()), a new program has an
 * address space of its own, and a fork inherits none.  Only if another process closes it in a table that both share, without
 * sharing memory (CLONE_FILES alone), do they stay until the end of this one.
 *
 * Life of a view: FREE, COUNTING reads of a part that is not mapped, ASKED (some thread will map it as
 * soon as it has a frame), MAPPED, DROPPED (some thread will unmap it likewise).  A thread that was told to copy from a view may
 * be doing so until its next trap: c->viewing.  The view may be unmapped under it - the copy faults, and the
 * call is made once more (fast.S) - but not used for anything else.
 *
 * Locks: as->mu guards all of it; as->changing is held while a map is changed.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"

#ifndef CONFIG_ALWAYS_HOT
#define VIEW_PAYS  64u          /* reads of a part before it is mapped */
#else
#define VIEW_PAYS  2u
#endif
#define VIEW_IDLE  4096u        /* looks since a view was last of use, before another part may have its place */

enum view_state { VIEW_FREE, VIEW_COUNTING, VIEW_ASKED, VIEW_MAPPED, VIEW_DROPPED };

struct view {
	enum view_state state;
	u32 reads;                      /* COUNTING */
	u64 last;                       /* when it was looked for: views.now */
	u64 key, off;
};

struct views {
	struct view v[VIEWS];
	u64 now;                        /* looks */
	u32 ndropped;
};

void views_free(struct systrap_as *as) { kfree(as->views); }

/* With as->mu: may a thread still copy from view @i? */
static bool in_use(struct systrap_as *as, u32 i)
{
	struct systrap_ctx *c;

	list_for_each(c, &as->ctxs, node)
		if (atomic_load(&c->viewing) == i + 1)
			return true;
	return false;
}

static void drop(struct views *vs, struct view *v)
{
	if (v->state == VIEW_COUNTING) {
		v->state = VIEW_FREE;
	} else if (v->state == VIEW_ASKED || v->state == VIEW_MAPPED) {
		v->state = VIEW_DROPPED;
		vs->ndropped++;
	}
}

/* With as->mu: a place for a part that was not looked for before, or NULL; then the view that was idle for longest goes. */
static struct view *make_room(struct systrap_as *as)
{
	struct views *vs = as->views;
	struct view *best = NULL, *idle = NULL;

	for (u32 i = 0; i < VIEWS; i++) {
		struct view *v = &vs->v[i];

		if (v->state == VIEW_MAPPED && vs->now - v->last > VIEW_IDLE && (!idle || v->last < idle->last))
			idle = v;
		if (v->state > VIEW_COUNTING || in_use(as, i))
			continue;
		if (!best || v->state < best->state || (v->state == best->state && v->last < best->last))
			best = v;
	}
	if (!best && idle)
		drop(vs, idle);
	return best;
}

/* With as->mu: the view of that part, or where its reads are counted; or NULL. */
static struct view *look_up(struct systrap_as *as, u64 key, u64 off)
{
	struct views *vs = as->views;
	struct view *v = NULL;

	if (!vs)
		vs = as->views = knew(struct views);
	if (!vs)
		return NULL;
	vs->now++;
	for (u32 i = 0; i < VIEWS && !v; i++)
		if (vs->v[i].state != VIEW_FREE && vs->v[i].key == key && vs->v[i].off == off)
			v = &vs->v[i];
	if (!v) {
		v = make_room(as);
		if (!v)
			return NULL;
		*v = (struct view){ .state = VIEW_COUNTING, .key = key, .off = off };
	}
	v->last = vs->now;
	return v;
}

static u64 part_of(u64 off) { return off & ~(u64)(VIEW_SIZE - 1); }

int systrap_view_out(struct ctx *base, gaddr_t dst, u64 key, u64 off, size_t n)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);
	u64 part = part_of(off);
	int r = -EOPNOTSUPP;
	struct view *v;

	if (!c->win || !c->takes_data || c->framed || c->out_used || n > VIEW_SIZE - (off - part))
		return r;
	mutex_lock(&as->mu);
	v = look_up(as, key, part);
	if (v && v->state == VIEW_MAPPED) {
		u32 i = (u32)(v - as->views->v);

		atomic_store(&c->viewing, i + 1);
		window_put_view(c, dst, (u32)(STUB_VIEWS_OFF - STUB_SLOTS_OFF + i * VIEW_SIZE + (off - part)), (u32)n);
		r = 0;
	} else if (v && v->state == VIEW_COUNTING && ++v->reads >= VIEW_PAYS && c->view.file.fd < 0) {
		v->reads = 0;
		r = -EAGAIN;
	}
	if (as->views && as->views->ndropped)
		c->want_views = true;
	mutex_unlock(&as->mu);
	return r;
}

void systrap_view_give(struct ctx *base, u64 key, u64 off, hostfd_t fd)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);
	struct view *v;

	mutex_lock(&as->mu);
	v = look_up(as, key, part_of(off));
	/* The descriptor may be closed before there is a frame. */
	if (v && v->state == VIEW_COUNTING && c->view.file.fd < 0 && host_dup(fd, &c->view.file) == 0) {
		v->state = VIEW_ASKED;
		c->view.i = (u32)(v - as->views->v);
		c->view.key = key;
		c->view.off = part_of(off);
		c->want_views = true;
	}
	mutex_unlock(&as->mu);
}

void systrap_view_drop(struct ctx *base, u64 key)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);

	mutex_lock(&as->mu);
	for (u32 i = 0; as->views && i < VIEWS; i++)
		if (as->views->v[i].key == key)
			drop(as->views, &as->views->v[i]);
	if (as->views && as->views->ndropped)
		c->want_views = true;
	mutex_unlock(&as->mu);
}

/* ---- with a frame ---- */

/* What @c is to map, if it is still wanted; then it is @c's alone to change. */
static struct view *asked(struct systrap_as *as, const struct systrap_ctx *c)
{
	struct view *v = c->view.file.fd >= 0 ? &as->views->v[c->view.i] : NULL;

	return v && v->state == VIEW_ASKED && v->key == c->view.key && v->off == c->view.off ? v : NULL;
}

static void map_asked(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	u64 addr = ctx_systrap(c)->stub + STUB_VIEWS_OFF + c->view.i * VIEW_SIZE;
	u64 number = as_file_number(c);
	struct stub_call calls[3] = {
		{ SYS_mmap, { addr, VIEW_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, number, c->view.off } },
		{ SYS_close, { number } },
		{ SYS_madvise, { addr, VIEW_SIZE, MADV_DONTFORK } },
	};
	hostfd_t files[3] = { c->view.file, HOSTFD_NONE, HOSTFD_NONE };
	struct view *v;
	bool ok = false;
	u32 done = 0;

	mutex_lock(&as->mu);
	v = asked(as, c);
	mutex_unlock(&as->mu);
	if (v && number)
		ok = command_calls(c, calls, files, 3, &done) == 0;
	as_file_done(c);
	mutex_lock(&as->mu);
	v = asked(as, c);
	if (v && ok)
		v->state = VIEW_MAPPED;
	else if (v && done)
		drop(as->views, v);
	else if (v)
		v->state = VIEW_COUNTING;
	mutex_unlock(&as->mu);
	host_close(c->view.file);
	c->view.file = HOSTFD_NONE;
}

/* A view to be unmapped, or VIEWS. */
static u32 next_dropped(struct systrap_as *as)
{
	u32 i = 0;

	mutex_lock(&as->mu);
	while (i < VIEWS && as->views->v[i].state != VIEW_DROPPED)
		i++;
	mutex_unlock(&as->mu);
	return i;
}

static bool unmap(struct systrap_ctx *c, u32 i)
{
	struct systrap_as *as = to_as(c->base.as);
	struct stub_call call = {
		SYS_munmap, { ctx_systrap(c)->stub + STUB_VIEWS_OFF + i * VIEW_SIZE, VIEW_SIZE },
	};
	u32 done;

	if (command_calls(c, &call, NULL, 1, &done) < 0)
		return false;
	mutex_lock(&as->mu);
	as->views->v[i].state = VIEW_FREE;
	as->views->ndropped--;
	mutex_unlock(&as->mu);
	return true;
}

void views_obey(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	u32 i;

	/* Else it is asked for a frame again. */
	if (!busy_trylock(&as->changing))
		return;
	c->want_views = false;
	if (c->view.file.fd >= 0)
		map_asked(c);
	do
		i = next_dropped(as);
	while (i < VIEWS && unmap(c, i));
	busy_unlock(&as->changing);
}

void views_forget(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	struct view *v;

	mutex_lock(&as->mu);
	v = asked(as, c);
	if (v)
		v->state = VIEW_FREE;
	mutex_unlock(&as->mu);
	host_close(c->view.file);
}
