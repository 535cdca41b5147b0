/*
 * patch.c - call sites that trap often are made to call the stub instead.
 *
 * This is speed only: the filter is the boundary (filter.c), and a site that
 * is not patched traps as ever.  Two forms are known, each of which replaces one whole instruction, so
 * that no jump target can lie inside:
 *
 *   FORM_MOV  "mov $nr,%eax" or "mov 8(%rsp),%r9", five bytes right before the syscall instruction,
 *             becomes a jump to the site's thunk; the syscall instruction stays
 *   FORM_PAD  the syscall instruction becomes a short jump to padding that no path
 *             falls into (after a return or a jump), and that a jump to the thunk
 *
 * A thunk (emit_thunk) does what was displaced, hands over to stub_fast with its own syscall
 * instruction as the slow path, and returns to the site.  Thunks live in pages that
 * the sentry maps within reach of the code.  An instruction pointer in a thunk is
 * told to the sentry as the place of the site that it stands for: site_of_ip().
 *
 * Other threads may run the bytes that change: the first becomes int3, then the rest
 * changes, then the first, with a change of protection between, which makes
 * every CPU that runs this memory see one after the other.  Who runs into the int3 tries again.
 *
 * Locks: struct sites belongs to its address space for life.  Entries are published by an
 * atomic store of their state and read without a lock; as->changing admits one writer, and no
 * fork meanwhile.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "platform/base/alloc.h"
#include "platform/systrap/insn.h"

#define CALLS_BEFORE  64u               /* of a process, before its sites are counted at all */
#define TRAPS_BEFORE  8u                /* of a site, before it is patched: a patch costs as much as ten traps */
#define NSITES        128u              /* power of two */
#define NPAGES        4u
#define THUNK_SIZE    32u
#define THUNKS        (4096u / THUNK_SIZE - 1)
#define REACH         (1ull << 30)
#define LOOK_AHEAD    140u

/* Places in a thunk. */
#define THUNK_LEA     5u
#define THUNK_SYSCALL 18u
#define THUNK_BACK    20u

enum site_state { SITE_FREE, SITE_COUNTED, SITE_PATCHED, SITE_REFUSED };
enum { FORM_MOV, FORM_PAD };

struct site {
	u64 ip;                         /* of the syscall instruction */
	_Atomic u32 state;              /* enum site_state */
	u32 traps, nr;
	u32 form;
	u64 start;                      /* of the bytes that change: [start, start + len) */
	u64 pad, thunk;
	u32 len;
	u8 old[8], new[8];
	u8 old_pad[5], new_pad[5];
};

struct thunk_page {
	u64 addr;                       /* 0: none */
	u32 used;
	u8 site[THUNKS];                /* index of a thunk's site */
};

struct sites {
	struct site s[NSITES];
	struct thunk_page page[NPAGES];
	_Atomic u32 npatched;
	_Atomic u64 int3;               /* where an int3 of ours is being put, or 0 */
};

static struct site *find_site(struct sites *t, u64 ip)
{
	u32 h = (u32)(ip * 0x9e3779b97f4a7c15ull >> 57);

	for (u32 i = 0; i < 8; i++) {
		struct site *s = &t->s[(h + i) % NSITES];

		if (s->ip == ip || atomic_load(&s->state) == SITE_FREE)
			return s;
	}
	return NULL;
}

/* The thunk that @addr (all of it, or if @low its low half) lies in. */
static struct site *thunk_site(struct sites *t, u64 addr, bool low, u32 *ret_off)
{
	for (u32 i = 0; i < NPAGES; i++) {
		struct thunk_page *g = &t->page[i];
		u64 off = low ? (u32)addr - (u32)g->addr : addr - g->addr;
		u32 k = (u32)(off / THUNK_SIZE) - 1;

		if (!g->addr || off < THUNK_SIZE || off >= 4096 || k >= g->used)
			continue;
		*ret_off = (u32)(off % THUNK_SIZE);
		return &t->s[g->site[k]];
	}
	return NULL;
}

bool site_of_ip(struct systrap_as *as, u64 *ip)
{
	struct sites *t = atomic_load(&as->sites);
	u32 off;
	struct site *s = t ? thunk_site(t, *ip, false, &off) : NULL;

	if (!s)
		return false;
	if (off >= THUNK_BACK)
		*ip = s->ip + 2;
	else
		*ip = off < THUNK_LEA && s->form == FORM_MOV ? s->start : s->ip;
	return true;
}

u64 site_of_low(struct systrap_as *as, u32 low)
{
	struct sites *t = atomic_load(&as->sites);
	u32 off;
	struct site *s = t ? thunk_site(t, low, true, &off) : NULL;

	return s ? s->ip + 2 : 0;
}

bool site_int3(struct systrap_as *as, u64 ip)
{
	struct sites *t = atomic_load(&as->sites);

	if (!t)
		return false;
	if (atomic_load(&t->int3) == ip)
		return true;
	for (u32 i = 0; i < NSITES; i++)
		if (atomic_load(&t->s[i].state) == SITE_PATCHED && t->s[i].start == ip)
			return true;
	return false;
}

void site_trapped(struct systrap_ctx *c, u64 ip, u32 nr)
{
	struct systrap_as *as = to_as(c->base.as);
	struct sites *t = atomic_load(&as->sites);
	struct site *s;

	if (!t) {
		if (++as->ncalls < CALLS_BEFORE)
			return;
		t = kbuf_alloc(sizeof(*t));
		if (!t)
			return;
		memset(t, 0, sizeof(*t));
		atomic_store(&as->sites, t);
	}
	s = find_site(t, ip);
	if (!s || atomic_load(&s->state) > SITE_COUNTED)
		return;
	s->ip = ip;
	s->nr = nr;
	atomic_store(&s->state, SITE_COUNTED);
	if (++s->traps % TRAPS_BEFORE == 0)
		c->hot_site = ip;
}

/* ---- deciding ---- */

static bool mov_form(struct site *s, const u8 *before)
{
	static const u8 mov_r9[5] = { 0x4c, 0x8b, 0x4c, 0x24, 0x08 };
	bool mov_nr = before[11] == 0xb8 && !memcmp(before + 12, &s->nr, 4);

	/* 41 b8 is "mov imm32,%r8d", and so with the other prefixes that have that bit. */
	if (mov_nr && (before[10] & 0xf9) == 0x41)
		mov_nr = false;
	if (!mov_nr && memcmp(before + 11, mov_r9, 5) != 0)
		return false;
	s->form = FORM_MOV;
	s->start = s->ip - 5;
	s->len = 5;
	memcpy(s->old, before + 11, 5);
	return true;
}

/* Walk on from the syscall to where control never falls through. */
static bool pad_form(struct site *s, const u8 *after, size_t n)
{
	size_t at = 0, pad;
	u32 len;

	for (;;) {
		u8 op = at < n ? after[at] : 0;

		len = at < n ? insn_length(after + at, n - at) : 0;
		if (!len)
			return false;
		at += len;
		if (op == 0xc3 || op == 0xe9 || op == 0xeb)
			break;
	}
	for (pad = at; pad < at + 5; pad += len) {
		len = pad < n ? insn_padding(after + pad, n - pad) : 0;
		if (!len)
			return false;
	}
	if (at > 127)
		return false;
	s->form = FORM_PAD;
	s->start = s->ip;
	s->len = 2;
	s->pad = s->ip + 2 + at;
	memcpy(s->old, (const u8[]){ 0x0f, 0x05 }, 2);
	memcpy(s->new, (const u8[]){ 0xeb, (u8)at }, 2);
	memcpy(s->old_pad, after + at, 5);
	return true;
}

static bool choose_form(struct systrap_as *as, struct site *s)
{
	u8 code[18 + LOOK_AHEAD];
	size_t n = systrap_copy_in(&as->base, code, GADDR(s->ip - 16), sizeof(code));

	if (n < 18 || code[16] != 0x0f || code[17] != 0x05)
		return false;
	return mov_form(s, code) || pad_form(s, code + 18, n - 18);
}

/* ---- writing ---- */

static void put32(u8 *p, u64 to, u64 from)
{
	s32 rel = (s32)(to - from);

	memcpy(p, &rel, 4);
}

static void emit_thunk(struct site *s, u64 page, u8 *b)
{
	u64 at = s->thunk;

	memset(b, 0x90, THUNK_SIZE);
	if (s->form == FORM_MOV)
		memcpy(b, s->old, 5);
	memcpy(b + 5, (const u8[]){ 0x48, 0x8d, 0x0d }, 3);     /* lea syscall(%rip), %rcx */
	put32(b + 8, THUNK_SYSCALL, 12);
	memcpy(b + 12, (const u8[]){ 0xff, 0x25 }, 2);          /* jmp *stub_fast */
	put32(b + 14, page, at + 18);
	memcpy(b + 18, (const u8[]){ 0x0f, 0x05 }, 2);
	memcpy(b + 20, (const u8[]){ 0x48, 0x8d, 0x0d }, 3);    /* lea site_end(%rip), %rcx */
	put32(b + 23, s->ip + 2, at + 27);
	b[27] = 0xe9;
	put32(b + 28, s->ip + 2, at + 32);
}

static int protect(struct systrap_ctx *c, u64 from, u64 to, bool twice, bool write)
{
	u64 start = from & ~4095ull, len = ((to + 4095) & ~4095ull) - start;
	struct stub_call calls[2] = {
		{ SYS_mprotect, { start, len, PROT_READ | PROT_EXEC } },
		{ SYS_mprotect, { start, len, PROT_READ | PROT_EXEC | PROT_WRITE } },
	};
	u32 done;

	return command_calls(c, twice || !write ? calls : calls + 1, NULL, twice ? 2 : 1, &done);
}

static int write_code(struct systrap_ctx *c, u64 at, const u8 *b, size_t n)
{
	return systrap_copy_out(c->base.as, GADDR(at), b, n) == n ? 0 : -EFAULT;
}

static bool is_alone(struct systrap_as *as)
{
	bool alone;

	mutex_lock(&as->mu);
	alone = as->ctxs.next == as->ctxs.prev;
	mutex_unlock(&as->mu);
	return alone;
}

/* Change the bytes of a site while others may execute them.  They are writable. */
static int swap_bytes(struct systrap_ctx *c, struct sites *t, struct site *s, const u8 *b)
{
	static const u8 int3 = 0xcc;
	u64 end = s->start + s->len;
	int r;

	if (is_alone(to_as(c->base.as)))
		return write_code(c, s->start, b, s->len);
	atomic_store(&t->int3, s->start);
	r = write_code(c, s->start, &int3, 1);
	if (!r)
		r = protect(c, s->start, end, true, true);
	if (!r)
		r = write_code(c, s->start + 1, b + 1, s->len - 1);
	if (!r)
		r = protect(c, s->start, end, true, true);
	if (!r)
		r = write_code(c, s->start, b, 1);
	atomic_store(&t->int3, 0);
	return r;
}

static int apply_site(struct systrap_ctx *c, struct sites *t, struct site *s, u64 page, bool patch)
{
	u64 fast = ctx_systrap(c)->stub + STUB_FAST, end = MAX(s->start + s->len, s->pad ? s->pad + 5 : 0);
	u8 thunk[THUNK_SIZE];
	int r = protect(c, s->start, end, false, true);

	if (!r && patch) {
		r = protect(c, page, page + 1, false, true);
		emit_thunk(s, page, thunk);
		if (!r)
			r = write_code(c, page, (const u8 *)&fast, sizeof(fast));
		if (!r)
			r = write_code(c, s->thunk, thunk, sizeof(thunk));
		if (!r)
			r = protect(c, page, page + 1, false, false);
	}
	if (!r && patch && s->form == FORM_PAD)
		r = write_code(c, s->pad, s->new_pad, 5);
	if (!r)
		r = swap_bytes(c, t, s, patch ? s->new : s->old);
	/* The padding keeps its jump: somebody may be about to take it. */
	if (!r)
		r = protect(c, s->start, end, false, false);
	return r;
}

static void aim(struct site *s, u64 thunk)
{
	s->thunk = thunk;
	if (s->form == FORM_PAD) {
		s->new_pad[0] = 0xe9;
		put32(s->new_pad + 1, thunk + THUNK_LEA, s->pad + 5);
	} else {
		s->new[0] = 0xe9;
		put32(s->new + 1, thunk, s->start + 5);
	}
}

static struct thunk_page *page_for(struct sites *t, u64 ip, u64 fresh)
{
	for (u32 i = 0; i < NPAGES; i++) {
		struct thunk_page *g = &t->page[i];

		if (g->addr && g->used < THUNKS && (g->addr < ip ? ip - g->addr : g->addr - ip) < REACH)
			return g;
	}
	for (u32 i = 0; i < NPAGES && fresh; i++)
		if (!t->page[i].addr) {
			t->page[i].used = 0;
			t->page[i].addr = fresh;
			return &t->page[i];
		}
	return NULL;
}

static int patch_site(struct systrap_ctx *c, struct sites *t, u64 ip, u64 fresh)
{
	struct systrap_as *as = to_as(c->base.as);
	struct site *s = find_site(t, ip);
	struct thunk_page *g;
	int r;

	if (!s || s->ip != ip || atomic_load(&s->state) != SITE_COUNTED)
		return -ENOENT;
	if (!choose_form(as, s)) {
		atomic_store(&s->state, SITE_REFUSED);
		return -EOPNOTSUPP;
	}
	g = page_for(t, ip, fresh);
	if (!g)
		return -ENOSPC;
	aim(s, g->addr + THUNK_SIZE * (g->used + 1));
	g->site[g->used] = (u8)(s - t->s);
	g->used++;
	/* Before the first thread can be in it. */
	atomic_store(&s->state, SITE_PATCHED);
	atomic_fetch_add(&t->npatched, 1);
	r = apply_site(c, t, s, g->addr, true);
	if (r < 0)
		atomic_store(&s->state, SITE_REFUSED);
	return r;
}

int systrap_patch(struct ctx *base, u64 ip, gaddr_t fresh)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);
	struct sites *t = atomic_load(&as->sites);
	int r;

	if (!t || !c->framed || fresh.v % 4096)
		return -EINVAL;
	if (!busy_trylock(&as->changing))
		return -EAGAIN;
	r = patch_site(c, t, ip, fresh.v);
	busy_unlock(&as->changing);
	return r;
}

/* ---- what the application does to its memory ---- */

static bool overlaps(u64 a, u64 an, u64 b, u64 bn) { return a < b + bn && b < a + an; }

static int restore(struct systrap_ctx *c, struct sites *t, struct site *s)
{
	int r = apply_site(c, t, s, 0, false);

	atomic_store(&s->state, SITE_REFUSED);
	return r;
}

/* What is in [addr, addr + len) goes away, or, if @stays, must be what the application put there. */
static void lose_range(struct systrap_ctx *c, struct sites *t, u64 addr, u64 len, bool stays)
{
	for (u32 i = 0; i < NPAGES; i++) {
		struct thunk_page *g = &t->page[i];

		if (!g->addr || !overlaps(addr, len, g->addr, 4096))
			continue;
		for (u32 k = 0; k < g->used; k++)
			if (atomic_load(&t->s[g->site[k]].state) == SITE_PATCHED)
				(void)restore(c, t, &t->s[g->site[k]]);
		g->addr = 0;
	}
	for (u32 i = 0; i < NSITES; i++) {
		struct site *s = &t->s[i];

		if (atomic_load(&s->state) != SITE_PATCHED)
			continue;
		if (!overlaps(addr, len, s->start, s->len + 2)) {
			if (s->pad && overlaps(addr, len, s->pad, 5))
				(void)restore(c, t, s);
		} else if (stays) {
			(void)restore(c, t, s);
		} else {
			atomic_store(&s->state, SITE_REFUSED);
		}
	}
}

void sites_before(struct systrap_ctx *c, const struct as_op *op)
{
	struct sites *t = atomic_load(&to_as(c->base.as)->sites);

	bool stays = op->kind == AS_MOVE || op->kind == AS_PROTECT;

	if (!t || !atomic_load(&t->npatched) || op->kind == AS_ADVISE ||
	    (op->kind == AS_PROTECT && op->prot == (PROT_READ | PROT_EXEC)))
		return;
	busy_lock(ctx_systrap(c), &to_as(c->base.as)->changing);
	lose_range(c, t, op->addr.v, op->len, stays);
	if (op->kind == AS_MOVE)
		lose_range(c, t, op->new_addr.v, op->new_len, false);
	busy_unlock(&to_as(c->base.as)->changing);
}

int sites_copy(struct systrap_as *to, struct systrap_as *from)
{
	struct sites *t = atomic_load(&from->sites), *n;

	if (!t)
		return 0;
	n = kbuf_alloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	memcpy(n, t, sizeof(*n));
	atomic_store(&to->sites, n);
	return 0;
}
