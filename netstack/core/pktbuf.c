/*
 * pktbuf.c - packets, data blocks and their pool.
 *
 * The pool keeps a bounded number of each; beyond that they go back to the
 * arena.  A fresh pktbuf is cleared up to hdr[] only.
 */
#include "platform/base/alloc.h"
#include "netstack/core/pktbuf.h"
#include "netstack/netfilter/conntrack.h"
#include "netstack/wire/csum.h"

static const u32 class_cap[PBLOCK_CLASSES] = { PBLOCK_TINY_CAP, PBLOCK_SMALL_CAP, PBLOCK_MID_CAP, PBLOCK_BIG_CAP };
static const u32 class_keep[PBLOCK_CLASSES] = { 64, 64, 16, 48 };
#define PKTS_KEEP 128

struct pkt_pool *pkt_pool_new(void)
{
	struct pkt_pool *p = knew(struct pkt_pool);

	if (!p)
		return NULL;
	mutex_init(&p->mu, RANK_LEAF);
	list_init(&p->pkts);
	return p;
}

/* What was taken out of a pool, without its lock. */
static void free_idle(struct pblock *blocks, struct list_head *pkts)
{
	struct pblock *next;
	struct pktbuf *k, *n;

	for (; blocks; blocks = next) {
		next = blocks->next_free;
		kfree(blocks);
	}
	list_for_each_safe(k, n, pkts, node)
		kfree(k);
}

/* Nobody takes from the pool while it ends, but packets may come back. */
void pkt_pool_end(struct pkt_pool *p)
{
	struct pblock *idle = NULL, *b;
	struct list_head pkts;
	bool last;

	list_init(&pkts);
	mutex_lock(&p->mu);
	p->ended = true;
	for (int c = 0; c < PBLOCK_CLASSES; c++)
		while ((b = p->blocks[c])) {
			p->blocks[c] = b->next_free;
			b->next_free = idle;
			idle = b;
		}
	list_splice_tail_init(&p->pkts, &pkts);
	last = p->live == 0;
	mutex_unlock(&p->mu);
	free_idle(idle, &pkts);
	if (last)
		kfree(p);
}

/* Something came back, or was not to be had: is it kept (@room: there is room), and was it the pool's last?  p->mu held. */
static bool returned(struct pkt_pool *p, bool room, bool *ret_last)
{
	*ret_last = --p->live == 0 && p->ended;
	return room && !p->ended;
}

static void not_given(struct pkt_pool *p)
{
	bool last;

	mutex_lock(&p->mu);
	(void)returned(p, false, &last);
	mutex_unlock(&p->mu);
	if (last)
		kfree(p);
}

bool pkt_pool_trim(struct pkt_pool *p)
{
	struct pblock *idle = NULL, *b;
	struct list_head pkts;
	struct pktbuf *k;
	bool left;

	list_init(&pkts);
	mutex_lock(&p->mu);
	for (int c = 0; c < PBLOCK_CLASSES; c++) {
		while (p->low_blocks[c]-- > 0) {
			b = p->blocks[c];
			p->blocks[c] = b->next_free;
			p->nblocks[c]--;
			b->next_free = idle;
			idle = b;
		}
		p->low_blocks[c] = p->nblocks[c];
	}
	for (; p->low_pkts > 0; p->low_pkts--, p->npkts--) {
		k = list_first(&p->pkts, struct pktbuf, node);
		list_del_init(&k->node);
		list_add(&k->node, &pkts);
	}
	p->low_pkts = p->npkts;
	left = p->npkts > 0;
	for (int c = 0; c < PBLOCK_CLASSES; c++)
		left |= p->nblocks[c] > 0;
	mutex_unlock(&p->mu);
	free_idle(idle, &pkts);
	return left;
}

struct pblock *pblock_new(struct pkt_pool *p, size_t cap)
{
	enum pblock_class c = PBLOCK_TINY;
	struct pblock *b;

	while (c < PBLOCK_BIG && class_cap[c] < cap)
		c++;
	BUG_ON(cap > class_cap[c]);
	mutex_lock(&p->mu);
	p->live++;
	b = p->blocks[c];
	if (b) {
		p->blocks[c] = b->next_free;
		p->nblocks[c]--;
		p->low_blocks[c] = MIN(p->low_blocks[c], p->nblocks[c]);
	}
	mutex_unlock(&p->mu);
	if (!b) {
		b = kbuf_alloc(sizeof(*b) + class_cap[c]);
		if (!b) {
			not_given(p);
			return NULL;
		}
		b->cls = c;
		b->cap = class_cap[c];
		b->pool = p;
	}
	ref_init(&b->ref);
	b->used = 0;
	b->next_free = NULL;
	atomic_fetch_add_explicit(&p->live_bytes, b->cap, memory_order_relaxed);
	return b;
}

void pblock_unref(struct pblock *b)
{
	struct pkt_pool *p;
	bool keep, last;

	if (!b || !ref_put(&b->ref))
		return;
	p = b->pool;
	atomic_fetch_sub_explicit(&p->live_bytes, b->cap, memory_order_relaxed);
	mutex_lock(&p->mu);
	keep = returned(p, p->nblocks[b->cls] < class_keep[b->cls], &last);
	if (keep) {
		b->next_free = p->blocks[b->cls];
		p->blocks[b->cls] = b;
		p->nblocks[b->cls]++;
	}
	mutex_unlock(&p->mu);
	if (!keep)
		kfree(b);
	if (unlikely(last))
		kfree(p);
}

struct pktbuf *pkt_new(struct pkt_pool *p)
{
	struct pktbuf *k = NULL;

	mutex_lock(&p->mu);
	p->live++;
	if (!list_empty(&p->pkts)) {
		k = list_first(&p->pkts, struct pktbuf, node);
		list_del_init(&k->node);
		p->npkts--;
		p->low_pkts = MIN(p->low_pkts, p->npkts);
	}
	mutex_unlock(&p->mu);
	if (!k)
		k = knew(struct pktbuf);
	if (!k) {
		not_given(p);
		return NULL;
	}
	memset(k, 0, offsetof(struct pktbuf, hdr));
	list_init(&k->node);
	k->pool = p;
	k->hdr_off = PKT_HDR_MAX;
	k->truesize = sizeof(*k);
	return k;
}

void pkt_free(struct pktbuf *k)
{
	struct pkt_pool *p;
	bool keep, last;
	u32 i;

	if (!k)
		return;
	for (i = 0; i < k->nfrags; i++)
		pblock_unref(k->frag[i].b);
	k->nfrags = 0;
	if (unlikely(k->ct))
		nfct_forget(k);
	if (unlikely(k->ext))
		pblock_unref(k->ext);
	p = k->pool;
	mutex_lock(&p->mu);
	keep = returned(p, p->npkts < PKTS_KEEP, &last);
	if (keep) {
		list_add(&k->node, &p->pkts);
		p->npkts++;
	}
	mutex_unlock(&p->mu);
	if (!keep)
		kfree(k);
	if (unlikely(last))
		kfree(p);
}

void pkt_purge(struct list_head *q)
{
	struct pktbuf *p, *n;

	list_for_each_safe(p, n, q, node) {
		list_del_init(&p->node);
		pkt_free(p);
	}
}

bool pkt_add_frag(struct pktbuf *p, struct pblock *b, u32 off, u32 len)
{
	struct pfrag *last = p->nfrags ? &p->frag[p->nfrags - 1] : NULL;

	if (len == 0)
		return true;
	if (last && last->b == b && last->off + last->len == off) {
		last->len += len;
		p->len += len;
		p->truesize += len;
		return true;
	}
	if (p->nfrags == PKT_FRAGS)
		return false;
	p->frag[p->nfrags++] = (struct pfrag){ pblock_ref(b), off, len };
	p->len += len;
	p->truesize += len;
	return true;
}

struct pktbuf *pkt_room(struct pkt_pool *pool, size_t n, u8 **ret_data)
{
	struct pktbuf *p = pkt_new(pool);
	struct pblock *b;

	if (!p)
		return NULL;
	b = pblock_new(pool, n);
	if (!b) {
		pkt_free(p);
		return NULL;
	}
	b->used = (u32)n;
	p->frag[0] = (struct pfrag){ b, 0, (u32)n };
	p->nfrags = 1;
	p->len = (u32)n;
	p->truesize += b->cap;
	*ret_data = b->data;
	return p;
}

struct pktbuf *pkt_from(struct pkt_pool *pool, const void *buf, size_t n)
{
	struct pktbuf *p = NULL;
	size_t first = MIN(n, (size_t)PBLOCK_BIG_CAP);
	struct pblock *b;
	u8 *d;

	p = pkt_room(pool, first, &d);
	if (!p)
		return NULL;
	memcpy(d, buf, first);
	if (n == first)
		return p;
	b = n - first <= PBLOCK_BIG_CAP ? pblock_new(pool, n - first) : NULL;
	if (!b) {
		pkt_free(p);
		return NULL;
	}
	memcpy(b->data, (const u8 *)buf + first, n - first);
	p->frag[p->nfrags++] = (struct pfrag){ b, 0, (u32)(n - first) };
	p->len = (u32)n;
	p->truesize += b->cap;
	return p;
}

struct pktbuf *pkt_clone(const struct pktbuf *p)
{
	struct pktbuf *c = pkt_new(p->pool);
	u32 i;

	if (!c)
		return NULL;
	memcpy(c, p, offsetof(struct pktbuf, hdr));
	list_init(&c->node);
	if (unlikely(c->ct))
		nfct_ref(c->ct);
	if (unlikely(c->ext))
		pblock_ref(c->ext);
	memcpy(c->hdr + c->hdr_off, p->hdr + p->hdr_off, p->hdr_len);
	for (i = 0; i < p->nfrags; i++) {
		c->frag[i] = p->frag[i];
		pblock_ref(c->frag[i].b);
	}
	return c;
}

u8 *pkt_push(struct pktbuf *p, size_t n)
{
	BUG_ON(n > p->hdr_off);
	p->hdr_off -= (u16)n;
	p->hdr_len += (u16)n;
	p->len += (u32)n;
	p->csum_start += (u16)n;
	p->l4_off += (u16)n;
	return p->hdr + p->hdr_off;
}

bool pkt_push_block(struct pktbuf *p, const void *src, size_t n)
{
	bool full = p->nfrags == PKT_FRAGS;
	size_t take = full ? p->len : p->hdr_len;
	struct pblock *b = n + take <= PBLOCK_BIG_CAP ? pblock_new(p->pool, n + take) : NULL;
	u32 i;

	if (!b)
		return false;
	memcpy(b->data, src, n);
	pkt_copy(p, 0, b->data + n, take);
	b->used = (u32)(n + take);
	for (i = 0; full && i < p->nfrags; i++)
		pblock_unref(p->frag[i].b);
	if (full)
		p->nfrags = 0;
	memmove(p->frag + 1, p->frag, p->nfrags * sizeof(p->frag[0]));
	p->frag[0] = (struct pfrag){ b, 0, b->used };
	p->nfrags++;
	p->hdr_off = PKT_HDR_MAX;
	p->hdr_len = 0;
	p->len += (u32)n;
	p->truesize += b->cap;
	p->csum_start += (u16)n;
	p->l4_off += (u16)n;
	return true;
}

void pkt_pull(struct pktbuf *p, size_t n)
{
	size_t h = MIN(n, (size_t)p->hdr_len);
	u32 i = 0;

	BUG_ON(n > p->len);
	p->len -= (u32)n;
	p->csum_start -= (u16)MIN(n, (size_t)p->csum_start);
	p->l4_off -= (u16)MIN(n, (size_t)p->l4_off);
	p->hdr_off += (u16)h;
	p->hdr_len -= (u16)h;
	n -= h;
	while (n && n >= p->frag[i].len) {
		n -= p->frag[i].len;
		pblock_unref(p->frag[i++].b);
	}
	if (i) {
		p->nfrags -= (u16)i;
		memmove(p->frag, p->frag + i, p->nfrags * sizeof(p->frag[0]));
	}
	if (n) {
		p->frag[0].off += (u32)n;
		p->frag[0].len -= (u32)n;
	}
	if (p->hdr_len == 0)
		p->hdr_off = PKT_HDR_MAX;
}

void pkt_trim(struct pktbuf *p, size_t len)
{
	if (len >= p->len)
		return;
	if (len <= p->hdr_len) {
		p->hdr_len = (u16)len;
		while (p->nfrags)
			pblock_unref(p->frag[--p->nfrags].b);
	} else {
		size_t keep = len - p->hdr_len;
		u32 i = 0;

		while (keep > p->frag[i].len)
			keep -= p->frag[i++].len;
		p->frag[i].len = (u32)keep;
		while (p->nfrags > i + 1)
			pblock_unref(p->frag[--p->nfrags].b);
	}
	p->len = (u32)len;
}

u8 *pkt_data(struct pktbuf *p)
{
	if (p->hdr_len || p->nfrags == 0)
		return p->hdr + p->hdr_off;
	return p->frag[0].b->data + p->frag[0].off;
}

void pkt_into_hdr(struct pktbuf *p, size_t n)
{
	u8 tmp[PKT_HDR_MAX];
	u16 start = p->csum_start, l4 = p->l4_off;

	pkt_copy(p, 0, tmp, n);
	pkt_pull(p, n);                         /* n > hdr_len: hdr is empty now */
	p->hdr_off = (u16)(PKT_HDR_MAX - n);
	p->hdr_len = (u16)n;
	p->len += (u32)n;
	p->csum_start = start;
	p->l4_off = l4;
	memcpy(p->hdr + p->hdr_off, tmp, n);
}

bool pkt_may_pull(struct pktbuf *p, size_t n)
{
	if (n > p->len)
		return false;
	if (p->hdr_len ? n <= p->hdr_len : (p->nfrags == 0 || n <= p->frag[0].len))
		return true;
	if (n > PKT_HDR_MAX)
		return false;
	pkt_into_hdr(p, n);
	return true;
}

void pkt_copy(const struct pktbuf *p, size_t off, void *dst, size_t n)
{
	u8 *d = dst;
	u32 i;

	BUG_ON(off + n > p->len);
	if (off < p->hdr_len) {
		size_t k = MIN(n, p->hdr_len - off);

		memcpy(d, p->hdr + p->hdr_off + off, k);
		d += k;
		n -= k;
		off = 0;
	} else {
		off -= p->hdr_len;
	}
	for (i = 0; n; i++) {
		const struct pfrag *f = &p->frag[i];
		size_t k;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		k = MIN(n, f->len - off);
		memcpy(d, f->b->data + f->off + off, k);
		d += k;
		n -= k;
		off = 0;
	}
}

u64 pkt_csum(const struct pktbuf *p, size_t off, size_t n)
{
	size_t done = 0, k;
	u64 sum = 0;
	u32 i;

	BUG_ON(off + n > p->len);
	if (off < p->hdr_len) {
		k = MIN(n, p->hdr_len - off);
		sum = csum_bytes(p->hdr + p->hdr_off + off, k, 0);
		done = k;
		off = 0;
	} else {
		off -= p->hdr_len;
	}
	for (i = 0; done < n; i++) {
		const struct pfrag *f = &p->frag[i];

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		k = MIN(n - done, f->len - off);
		sum = csum_block_add(sum, csum_bytes(f->b->data + f->off + off, k, 0), done);
		done += k;
		off = 0;
	}
	return sum;
}

int pkt_iov(const struct pktbuf *p, struct iovec *iov, int max)
{
	int n = 0;
	u32 i;

	if (p->hdr_len && n < max)
		iov[n++] = (struct iovec){ (void *)(p->hdr + p->hdr_off), p->hdr_len };
	for (i = 0; i < p->nfrags && n < max; i++)
		iov[n++] = (struct iovec){ p->frag[i].b->data + p->frag[i].off, p->frag[i].len };
	return n;
}

bool pkt_csum_finish(struct pktbuf *p)
{
	u16 sum;
	u32 start = p->csum_start;

	if (!(p->flags & PKT_CSUM_PARTIAL))
		return true;
	if (start + p->csum_off + 2u > p->len || !pkt_may_pull(p, start + p->csum_off + 2u))
		return false;
	sum = csum_fold(pkt_csum(p, start, p->len - start));
	/* RFC 768: zero means "none"; 0xffff is the same number, and right for TCP too. */
	if (sum == 0)
		sum = 0xffff;
	memcpy(pkt_data(p) + start + p->csum_off, &sum, 2);
	p->flags &= (u16)~PKT_CSUM_PARTIAL;
	return true;
}

struct pktbuf *pkt_slice(const struct pktbuf *p, size_t off, size_t n)
{
	struct pktbuf *c = pkt_clone(p);

	if (!c)
		return NULL;
	pkt_trim(c, off + n);
	pkt_pull(c, off);
	return c;
}
