/*
 * conntrack.c - the table of connections: look-up, making, entering, ending.
 */
#include <errno.h>
#include <netinet/in.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/stack.h"
#include "netstack/wire/icmp.h"

#define DROP_TRIES 8            /* buckets looked through for somebody who makes room */

int nfct_init(struct stack *s)
{
	struct nfct_table *t = &s->nf.ct;
	struct list_head *b;

	if (t->bucket)
		return 0;
	b = kbuf_array(NFCT_BUCKETS, sizeof(*b));
	if (!b)
		return -ENOMEM;
	for (int i = 0; i < NFCT_BUCKETS; i++)
		list_init(&b[i]);
	__atomic_store_n(&t->bucket, b, __ATOMIC_RELEASE);
	return 0;
}

static bool in_use(struct nfct_table *t) { return __atomic_load_n(&t->bucket, __ATOMIC_ACQUIRE) != NULL; }

void nfct_unref(struct nfct *ct)
{
	if (!ct || !ref_put(&ct->ref))
		return;
	timers_unreserve(&ct->stack->timers);
	kfree(ct);
}

void nfct_forget(struct pktbuf *p)
{
	nfct_unref(p->ct);
	p->ct = NULL;
	p->ctinfo = 0;
}

static struct list_head *bucket_of(struct stack *s, const struct nfct_tuple *t)
{
	struct { struct ipaddr src, dst; u16 sport, dport; u32 proto; } k = {
		t->src, t->dst, t->sport, t->dport, t->proto };

	return &s->nf.ct.bucket[siphash(&s->key_hash, &k, sizeof(k)) % NFCT_BUCKETS];
}

static bool same(const struct nfct_tuple *a, const struct nfct_tuple *b)
{
	return a->sport == b->sport && a->dport == b->dport && a->proto == b->proto && ip_eq(&a->src, &b->src) &&
	       ip_eq(&a->dst, &b->dst);
}

static struct nfct *ct_of(struct nfct_side *x) { return container_of(x - x->dir, struct nfct, side[0]); }

static struct nfct_side *find_locked(struct stack *s, const struct nfct_tuple *t)
{
	struct nfct_side *x;

	list_for_each(x, bucket_of(s, t), node)
		if (same(&x->t, t))
			return x;
	return NULL;
}

struct nfct *nfct_find(struct stack *s, const struct nfct_tuple *t, int *ret_dir)
{
	struct nfct_table *tab = &s->nf.ct;
	struct nfct_side *x = NULL;
	struct nfct *ct = NULL;

	if (!in_use(tab))
		return NULL;
	mutex_lock(&tab->mu);
	x = find_locked(s, t);
	if (x) {
		ct = nfct_ref(ct_of(x));
		*ret_dir = x->dir;
	}
	mutex_unlock(&tab->mu);
	return ct;
}

u32 nf_conntrack_count(struct stack *s)
{
	u32 n;

	mutex_lock(&s->nf.ct.mu);
	n = s->nf.ct.n;
	mutex_unlock(&s->nf.ct.mu);
	return n;
}

bool nfct_used(struct stack *s, const struct nfct_tuple *t, const struct nfct *but)
{
	struct nfct_side *x;

	mutex_lock(&s->nf.ct.mu);
	x = find_locked(s, t);
	mutex_unlock(&s->nf.ct.mu);
	return x && ct_of(x) != but;
}

/* ---- ends ---- */

/* Out of the table. True: the caller drops the table's reference. */
static bool unlink_locked(struct stack *s, struct nfct *ct)
{
	if (!(ct->status & CT_CONFIRMED) || (ct->status & CT_DYING))
		return false;
	ct->status |= CT_DYING;
	list_del_init(&ct->side[CT_ORIG].node);
	list_del_init(&ct->side[CT_REPLY].node);
	s->nf.ct.n--;
	return true;
}

/* Unlinked by somebody who is not its timer: the timer goes too, unless it is running. */
static void end_locked(struct stack *s, struct nfct *ct)
{
	if (unlink_locked(s, ct) && ntimer_cancel(&s->timers, &ct->timer))
		nfct_unref(ct);
}

/* The timer's run owns the reference that table and timer share. */
static void expired(struct ntimer *n)
{
	struct nfct *ct = container_of(n, struct nfct, timer);
	struct stack *s = ct->stack;
	bool over = true;

	mutex_lock(&s->nf.ct.mu);
	if (!(ct->status & CT_DYING) && ct->expires > stack_now(s)) {
		(void)!ntimer_set(&s->timers, &ct->timer, ct->expires);
		over = false;
	} else {
		(void)!unlink_locked(s, ct);
	}
	mutex_unlock(&s->nf.ct.mu);
	if (over)
		nfct_unref(ct);
}

static void flush(struct stack *s)
{
	struct nfct_table *t = &s->nf.ct;
	struct nfct_side *x;

	if (!in_use(t))
		return;
	mutex_lock(&t->mu);
	for (int i = 0; i < NFCT_BUCKETS; i++)
		while (!list_empty(&t->bucket[i])) {
			x = list_first(&t->bucket[i], struct nfct_side, node);
			end_locked(s, ct_of(x));
		}
	mutex_unlock(&t->mu);
}

void nfct_done(struct stack *s)
{
	flush(s);
	kfree(s->nf.ct.bucket);
	s->nf.ct.bucket = NULL;
}

/* ---- beginnings ---- */

static struct nfct *make(struct stack *s, const struct nfct_tuple *t)
{
	struct nfct_tuple inv;
	struct nfct *ct;

	if (!nfct_invert(t, &inv))
		return NULL;
	ct = knew(struct nfct);
	if (!ct)
		return NULL;
	if (timers_reserve(&s->timers) < 0) {
		kfree(ct);
		return NULL;
	}
	ref_init(&ct->ref);
	ct->stack = s;
	ct->timer.fn = expired;
	ct->born = stack_now(s);
	ct->side[CT_ORIG].t = *t;
	ct->side[CT_REPLY].t = inv;
	ct->side[CT_REPLY].dir = CT_REPLY;
	list_init(&ct->side[CT_ORIG].node);
	list_init(&ct->side[CT_REPLY].node);
	return ct;
}

/* Somebody in the next few buckets who never got an answer makes room. */
static bool make_room_locked(struct stack *s, struct list_head *near)
{
	struct nfct_table *t = &s->nf.ct;
	struct nfct_side *x;

	for (int i = 0; i < DROP_TRIES; i++) {
		struct list_head *b = &t->bucket[((size_t)(near - t->bucket) + (size_t)i) % NFCT_BUCKETS];

		list_for_each(x, b, node)
			if (!(ct_of(x)->status & CT_ASSURED)) {
				end_locked(s, ct_of(x));
				return true;
			}
	}
	return false;
}

bool nfct_confirm(struct stack *s, struct pktbuf *p)
{
	struct nfct_table *t = &s->nf.ct;
	struct nfct *ct = p->ct;
	struct list_head *b;
	bool ok = false;

	if (!ct || (ct->status & CT_CONFIRMED))
		return true;
	mutex_lock(&t->mu);
	if (ct->status & CT_CONFIRMED) {
		ok = true;
		goto out;
	}
	/* Somebody was faster: what is behind this packet comes again and finds that one. */
	if (find_locked(s, &ct->side[CT_ORIG].t) || find_locked(s, &ct->side[CT_REPLY].t))
		goto out;
	b = bucket_of(s, &ct->side[CT_ORIG].t);
	if (t->n >= (u32)s->sysctl.ct_max[0] && !make_room_locked(s, b))
		goto out;
	list_add(&ct->side[CT_ORIG].node, b);
	list_add(&ct->side[CT_REPLY].node, bucket_of(s, &ct->side[CT_REPLY].t));
	t->n++;
	ct->status |= CT_CONFIRMED;
	nfct_ref(ct);
	(void)!ntimer_set(&s->timers, &ct->timer, ct->expires);
	ok = true;
out:
	mutex_unlock(&t->mu);
	return ok;
}

/* ---- a packet comes ---- */

/* An ICMP error belongs to the connection whose packet it quotes. */
static void error_in(struct stack *s, struct pktbuf *p)
{
	struct nfct_tuple t, inv;
	struct nfct_inner in;
	int dir = 0;

	if (!nfct_inner(p, &in) || !nfct_tuple_of(p, in.l4, in.proto, &in.src, &in.dst, &t) || !nfct_invert(&t, &inv))
		return;
	p->ct = nfct_find(s, &inv, &dir);
	if (p->ct)
		p->ctinfo = (u8)(dir == CT_REPLY ? CT_RELATED + CT_IS_REPLY : CT_RELATED);
}

/* Neighbour discovery and multicast listeners' messages are nobody's connection. */
static bool untracked(const struct pktbuf *p)
{
	u8 t;

	if (p->proto != IPPROTO_ICMPV6 || p->l4_off >= p->len)
		return false;
	pkt_copy(p, p->l4_off, &t, 1);
	return (t >= MLD_QUERY && t <= NDP_REDIRECT) || t == MLD2_REPORT;
}

static void begin(struct stack *s, struct pktbuf *p, const struct nfct_tuple *t)
{
	struct nfct *ct = make(s, t);

	if (ct && nfct_packet(s, ct, CT_ORIG, p) == 0) {
		p->ct = ct;
		p->ctinfo = CT_NEW;
		return;
	}
	nfct_unref(ct);
}

void nfct_in(struct stack *s, struct pktbuf *p, bool check_csum)
{
	struct nfct_table *tab = &s->nf.ct;
	struct nfct_side *x;
	struct nfct_tuple t;
	int r = 0;

	if (p->ct || p->ctinfo == CT_UNTRACKED || !in_use(tab))
		return;
	if (untracked(p)) {
		p->ctinfo = CT_UNTRACKED;
		return;
	}
	if (!nfct_sane(p, check_csum))
		return;
	if (nfct_is_icmp_error(p)) {
		error_in(s, p);
		return;
	}
	if (!nfct_tuple_of(p, p->l4_off, p->proto, &p->src, &p->dst, &t))
		return;
	mutex_lock(&tab->mu);
	x = find_locked(s, &t);
	if (x) {
		struct nfct *ct = ct_of(x);

		r = nfct_packet(s, ct, x->dir, p);
		if (r == 0) {
			p->ct = nfct_ref(ct);
			if (x->dir == CT_REPLY) {
				ct->status |= CT_SEEN_REPLY;
				p->ctinfo = CT_ESTABLISHED + CT_IS_REPLY;
			} else {
				p->ctinfo = ct->status & CT_SEEN_REPLY ? CT_ESTABLISHED : CT_NEW;
			}
		} else if (r > 0) {
			end_locked(s, ct);
			x = NULL;
		}
	}
	mutex_unlock(&tab->mu);
	if (!x)
		begin(s, p, &t);
}
