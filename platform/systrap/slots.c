/*
 * slots.c - where the threads of a stub process live: claiming, growing, and threads that are kept.
 *
 * A slot is free, used by a context, or leaving: its thread was told to end and may not have yet (the
 * host clears its tid_word when it has).
 *
 * A thread that has ended for the application need not end on the host.  If nothing of
 * it is left there it is parked: it stays in its trap call, unanswered, and the next clone in the same
 * address space answers that, with the registers and the extended state of the new thread in
 * its old frame.  So a parked thread is an open notification and a slot; no context, no reference, no
 * entry in by_tid.  What a host thread has of the application's: its registers and bases (all written
 * anew), its rseq area (unregistered, or it is not parked), its signal mask and alternate
 * stack (the frame's and the slot's, as for a new thread).  The rest belongs to the process, whose end ends them.
 *
 * Locks: as->mu guards the bitmaps and the parked threads.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "platform/base/alloc.h"

#define SLOT_BATCH 8u           /* slots mapped at a time */

static bool bit(const u64 *map, u32 i) { return map[i / 64] >> (i % 64) & 1; }
static void set_bit(u64 *map, u32 i) { map[i / 64] |= 1ull << (i % 64); }
static void clear_bit(u64 *map, u32 i) { map[i / 64] &= ~(1ull << (i % 64)); }

int slots_init(struct systrap_as *as)
{
	as->slot_words = 1;
	as->used = kbuf_array(2, sizeof(u64));
	if (!as->used)
		return -ENOMEM;
	as->leaving = as->used + 1;
	return 0;
}

void slot_use(struct systrap_as *as, u32 slot) { set_bit(as->used, slot); }

void slot_drop(struct systrap_as *as, u32 slot)
{
	clear_bit(as->used, slot);
	set_bit(as->leaving, slot);
}

/* Room for @words of each bitmap. */
static int resize(struct systrap_as *as, u32 words)
{
	u64 *used;

	if (words <= as->slot_words)
		return 0;
	used = kbuf_array(2 * words, sizeof(u64));
	if (!used)
		return -ENOMEM;
	memcpy(used, as->used, as->slot_words * sizeof(u64));
	memcpy(used + words, as->leaving, as->slot_words * sizeof(u64));
	kfree(as->used);
	as->used = used;
	as->leaving = used + words;
	as->slot_words = words;
	return 0;
}

/* The fork of a process has its slots, and in them one thread. */
int slots_copy(struct systrap_as *to, struct systrap_as *from)
{
	u32 words, n;
	int r;

	mutex_lock(&from->mu);
	words = from->slot_words;
	n = from->nslots;
	mutex_unlock(&from->mu);
	r = resize(to, words);
	if (!r)
		to->nslots = n;
	return r;
}

/* Map more slots after the last. as->mu is not held, as->changing is: who mapped the same ones again would wipe them. */
static int grow(struct systrap_ctx *via, u32 n)
{
	struct stub_call call = {
		SYS_mmap, { slot_addr(ctx_systrap(via), n), SLOT_BATCH * SLOT_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, (u64)-1, 0 },
	};
	struct systrap_as *as = to_as(via->base.as);
	u32 done;
	int r;

	if (n + SLOT_BATCH > SLOT_MAX)
		return -EAGAIN;
	r = command_calls(via, &call, NULL, 1, &done);
	if (r < 0)
		return r;
	mutex_lock(&as->mu);
	r = resize(as, (n + SLOT_BATCH + 63) / 64);
	if (!r && as->nslots < n + SLOT_BATCH)
		as->nslots = n + SLOT_BATCH;
	mutex_unlock(&as->mu);
	return r;
}

/* Has the last thread of slot @i really ended? */
static bool has_left(struct systrap_as *as, u32 i)
{
	gaddr_t at = GADDR(slot_addr(to_systrap(as->base.p), i) + offsetof(struct slot, tid_word));
	u32 word = 0;

	return systrap_copy_in(&as->base, &word, at, sizeof(word)) != sizeof(word) || !word;
}

int slot_claim(struct systrap_ctx *via, u32 *ret)
{
	struct systrap_as *as = to_as(via->base.as);

	for (;;) {
		u32 n, i;
		bool grown;
		int r;

		mutex_lock(&as->mu);
		n = as->nslots;
		for (i = 0; i < n; i++)
			if (!bit(as->used, i) && (!bit(as->leaving, i) || has_left(as, i)))
				break;
		if (i < n) {
			clear_bit(as->leaving, i);
			set_bit(as->used, i);
		}
		mutex_unlock(&as->mu);
		if (i < n) {
			*ret = i;
			return 0;
		}
		busy_lock(ctx_systrap(via), &as->changing);
		mutex_lock(&as->mu);
		grown = as->nslots != n;
		mutex_unlock(&as->mu);
		r = grown ? 0 : grow(via, n);
		busy_unlock(&as->changing);
		if (r < 0)
			return r;
	}
}

bool slot_park(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	_Atomic u32 *all = &ctx_systrap(c)->nparked;
	bool parked = false;

	if (!c->framed || c->by_mail || !c->notif_id || c->rseq[1])
		return false;
	mutex_lock(&as->mu);
	if (as->nparked < PARKED_MAX && atomic_load(all) < PARKED_ALL && !atomic_load(&as->dead)) {
		atomic_fetch_add(all, 1);
		as->parked[as->nparked++] = (struct parked){
			.tid = c->tid, .slot = c->slot, .notif_id = c->notif_id,
			.frame = c->frame, .fpstate = c->k.fpstate, .mail = c->mail,
			.close_calls = c->close_calls, .hot_need = c->hot_need,
		};
		parked = true;
	}
	mutex_unlock(&as->mu);
	return parked;
}

/* A parked thread that cannot be used after all. */
static void send_away(struct systrap_as *as, const struct parked *t)
{
	mutex_lock(&as->mu);
	slot_drop(as, t->slot);
	mutex_unlock(&as->mu);
	notify_send(to_systrap(as->base.p), t->notif_id, CMD_EXIT, 0);
}

struct systrap_ctx *slot_unpark(const struct systrap_ctx *parent)
{
	struct systrap_as *as = to_as(parent->base.as);
	struct systrap *p = ctx_systrap(parent);
	struct systrap_ctx *c = NULL;
	struct parked t;
	bool any;

	mutex_lock(&as->mu);
	any = as->nparked > 0;
	if (any)
		t = as->parked[--as->nparked];
	mutex_unlock(&as->mu);
	if (!any)
		return NULL;
	atomic_fetch_sub(&p->nparked, 1);
	if (frame_copy_fp(parent, t.fpstate))
		c = ctx_alloc(p, as, t.slot);
	if (!c) {
		send_away(as, &t);
		return NULL;
	}
	c->tid = t.tid;
	c->notif_id = t.notif_id;
	c->mail = t.mail;
	c->close_calls = t.close_calls;
	c->hot_need = t.hot_need;
	if (c->mail)
		window_open(c, as->mail);
	frame_inherit(c, parent, t.frame, t.fpstate);
	tidmap_set(&p->by_tid, (u32)t.tid, c);
	return c;
}
