/*
 * fault.c - the faulty wire (fault.h).
 *
 * Frames are flattened and copied: the two stacks share nothing.  One lock
 * (LEAF) guards the queue, sorted by due time.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/link/fault.h"
#include "netstack/link/link.h"

struct frame {
	struct list_head node;
	u64 due;
	int to;                         /* which end receives */
	u32 len;
	u16 gso_size;
	u8  gso_type;
	bool csum_ok;
	u8 data[];
};

struct fault_wire {
	struct mutex mu;                /* RANK_LEAF */
	struct fault_cfg cfg;
	struct nic *end[2];
	struct list_head q;
	u32 n;
	u64 rnd, sent, line_free[2];
};

static u32 rnd(struct fault_wire *w)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return (u32)(w->rnd >> 16);
}

static bool chance(struct fault_wire *w, u32 of1000) { return of1000 && rnd(w) % 1000 < of1000; }

static void capture(struct fault_wire *w, const struct frame *f, u64 now)
{
	u32 h[4] = { (u32)(now / 1000000000), (u32)(now % 1000000000 / 1000), f->len, f->len };

	if (!w->cfg.pcap)
		return;
	if (w->sent == 1) {
		u32 file[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, 1 << 18, 1 };

		w->cfg.pcap(w->cfg.pcap_ctx, file, sizeof(file));
	}
	w->cfg.pcap(w->cfg.pcap_ctx, h, sizeof(h));
	w->cfg.pcap(w->cfg.pcap_ctx, f->data, f->len);
}

static void enqueue(struct fault_wire *w, struct frame *f)
{
	struct frame *x;

	for (x = list_last(&w->q, struct frame, node); &x->node != &w->q;
	     x = list_last(&x->node, struct frame, node))
		if (x->due <= f->due)
			break;
	list_add(&f->node, &x->node);
	w->n++;
}

static struct frame *flatten(struct pktbuf *p, int to)
{
	struct frame *f = kbuf_alloc(sizeof(*f) + p->len);

	if (!f)
		return NULL;
	f->len = p->len;
	f->to = to;
	f->gso_size = p->gso_size;
	f->gso_type = p->gso_type;
	f->csum_ok = p->flags & PKT_CSUM_PARTIAL;
	pkt_copy(p, 0, f->data, p->len);
	return f;
}

/* mu held.  Takes f. */
static void misuse(struct fault_wire *w, struct frame *f, u64 now)
{
	u64 at = now;

	w->sent++;
	capture(w, f, now);
	if (w->n >= (w->cfg.limit ? w->cfg.limit : 1000) || (w->cfg.swallow && f->len > w->cfg.swallow) ||
	    chance(w, w->cfg.drop)) {
		kfree(f);
		return;
	}
	if (w->cfg.bytes_per_s) {
		at = MAX(at, w->line_free[f->to]) + (u64)f->len * 1000000000 / w->cfg.bytes_per_s;
		w->line_free[f->to] = at;
	}
	f->due = at + w->cfg.delay_ns + (w->cfg.jitter_ns ? rnd(w) % w->cfg.jitter_ns : 0);
	if (chance(w, w->cfg.reorder))
		f->due += w->cfg.delay_ns + 1000000;
	if (f->len && !f->csum_ok && chance(w, w->cfg.corrupt))
		f->data[rnd(w) % f->len] ^= (u8)(1 << rnd(w) % 8);
	if (chance(w, w->cfg.dup)) {
		struct frame *d = kbuf_alloc(sizeof(*d) + f->len);

		if (d) {
			memcpy(d, f, sizeof(*d) + f->len);
			enqueue(w, d);
		}
	}
	enqueue(w, f);
}

static int fault_tx(struct nic *n, struct pktbuf *p)
{
	struct fault_wire *w = n->priv;
	struct frame *f = flatten(p, n == w->end[0]);

	pkt_free(p);
	if (!f)
		return -ENOBUFS;
	mutex_lock(&w->mu);
	misuse(w, f, stack_now(n->stack));
	mutex_unlock(&w->mu);
	return 0;
}

static const struct nic_ops fault_ops = { .name = "fault", .tx = fault_tx };

static void deliver(struct fault_wire *w, struct frame *f)
{
	struct nic *n = w->end[f->to];
	struct pktbuf *p = pkt_from(n->stack->pool, f->data, f->len);

	if (!p)
		return;
	p->gso_size = f->gso_size;
	p->gso_type = f->gso_type;
	if (f->csum_ok)
		p->flags |= PKT_CSUM_OK;
	nic_rx(n, p);
	backlog_drain(n->stack);
}

u64 fault_pump(struct fault_wire *w, u64 now)
{
	for (;;) {
		struct frame *f = NULL;
		u64 next = NET_NEVER;

		mutex_lock(&w->mu);
		if (!list_empty(&w->q)) {
			f = list_first(&w->q, struct frame, node);
			next = f->due;
			if (f->due <= now) {
				list_del_init(&f->node);
				w->n--;
			} else {
				f = NULL;
			}
		}
		mutex_unlock(&w->mu);
		if (!f)
			return next;
		deliver(w, f);
		kfree(f);
	}
}

void fault_set(struct fault_wire *w, const struct fault_cfg *cfg)
{
	mutex_lock(&w->mu);
	w->cfg = *cfg;
	mutex_unlock(&w->mu);
}

int fault_connect(struct stack *a, struct stack *b, const struct fault_cfg *cfg,
		  struct fault_wire **ret, u32 *ret_if_a, u32 *ret_if_b)
{
	struct link_cfg lc = { .name = "eth0", .arphrd = ARPHRD_ETHER, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct fault_wire *w = knew(struct fault_wire);
	int r = -ENOMEM;

	if (!w)
		return r;
	mutex_init(&w->mu, RANK_LEAF);
	w->cfg = *cfg;
	w->rnd = cfg->seed * 0x9e3779b97f4a7c15ull + 1;
	list_init(&w->q);
	lc.mtu = cfg->mtu ? cfg->mtu : 1500;
	lc.features = cfg->features;
	w->end[0] = nic_create(a, &lc, &fault_ops, w, &r);
	lc.mac[5] = 2;
	if (w->end[0])
		w->end[1] = nic_create(b, &lc, &fault_ops, w, &r);
	if (!w->end[1]) {
		int e = w->end[0] ? link_del(a, w->end[0]->ifindex) : 0;

		(void)e;
		kfree(w);
		return r;
	}
	*ret_if_a = w->end[0]->ifindex;
	*ret_if_b = w->end[1]->ifindex;
	*ret = w;
	return 0;
}

void fault_free(struct fault_wire *w)
{
	struct frame *f, *n;

	list_for_each_safe(f, n, &w->q, node)
		kfree(f);
	kfree(w);
}
