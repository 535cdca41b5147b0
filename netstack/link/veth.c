/*
 * veth.c - pairs of links that are each other's wire, in one stack or in two.
 *
 * What is sent at one end is queued, by reference, in the backlog of the stack at the other end, whose owner is kicked: no stack
 * ever runs another's code, so packets that go round and round (stack A, B, A ...) deepen no C stack and hold no lock, and the
 * queues, which loopback shares, bound what waits.  Checksums and super-frames stay as they are.
 *
 * Life: a struct vend belongs to its link, which lives until its stack dies; dead links of this kind are taken again for new
 * ones, once whoever has claimed the end (its maker, or who deletes it) is done with it (finish()).  A pair lives while it has ends.  An end leaves its pair (gone()) before its stack can die, and takes the other
 * one along: at once when it was deleted, since whoever deletes sees both vanish; by the other stack's own thread when a stack ends.
 * Locks: pair->mu (RANK_RPC) guards who is in it; e->mu (RANK_NOTIFY) guards e->peer, so that whoever holds it may
 * use the other end and that one's stack.  Senders hold RANK_SOCK at most and take one e->mu.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/link/link.h"

#define VETHS_MAX 1024          /* of one stack */

struct vend;

struct vpair {
	struct ref ref;                 /* one for each end that is in it, and whoever works on it */
	struct mutex mu;
	struct vend *end[2];            /* NULL: it left */
};

struct vend {
	struct nic *nic;                /* immutable */
	struct mutex mu;
	struct vend *peer;              /* NULL: none; guarded by mu */
	struct vpair *pair;             /* the same, a reference */
	bool claimed;                   /* guarded by mu: somebody makes it or takes it down, and sees to it in the end */
};

static void pair_unref(struct vpair *v)
{
	if (v && ref_put(&v->ref))
		kfree(v);
}

static struct vpair *pair_of(struct vend *e)
{
	struct vpair *v;

	mutex_lock(&e->mu);
	v = e->pair;
	if (v)
		ref_get(&v->ref);
	mutex_unlock(&e->mu);
	return v;
}

/* pair->mu held, or nobody else knows the end. */
static void set_peer(struct vend *e, struct vend *peer, struct vpair *v)
{
	mutex_lock(&e->mu);
	e->peer = peer;
	e->pair = v;
	mutex_unlock(&e->mu);
}

/* pair->mu held: there is a carrier while both ends are up. */
static void set_carrier(struct vpair *v)
{
	bool up = v->end[0] && v->end[1] && nic_up(v->end[0]->nic) && nic_up(v->end[1]->nic);

	for (int i = 0; i < 2; i++)
		if (v->end[i]) {
			v->end[i]->nic->no_carrier = !up;
			stack_changed(v->end[i]->nic->stack);
		}
}

/* ---- packets ---- */

/* What belongs to the sender's stack stays there. */
static void scrub(struct pktbuf *p)
{
	if (p->ct)
		nfct_forget(p);
	pkt_drop_ext(p);
	if (p->flags & PKT_CSUM_PARTIAL)
		p->flags |= PKT_CSUM_OK;
	p->flags &= PKT_CSUM_OK | PKT_CSUM_PARTIAL;
	p->mark = p->uid = p->gid = p->sender = 0;
	p->pkttype = 0;
	p->stamp = 0;
	p->l4_off = 0;
}

static int veth_tx(struct nic *n, struct pktbuf *p)
{
	struct vend *e = n->priv, *o;
	struct stack *to;
	bool took = false, told = false;

	scrub(p);
	mutex_lock(&e->mu);
	o = e->peer;
	if (o && nic_up(o->nic)) {
		to = o->nic->stack;
		p->nic = o->nic;
		took = true;
		told = backlog_add(to, p);
		to->ops->kick(to->ctx);
	}
	mutex_unlock(&e->mu);
	if (!took)
		pkt_free(p);
	return told ? 0 : -ENOBUFS;
}

/* ---- what happens to the link ---- */

static void veth_changed(struct nic *n)
{
	struct vpair *v = pair_of(n->priv);

	if (!v)
		return;
	mutex_lock(&v->mu);
	set_carrier(v);
	mutex_unlock(&v->mu);
	pair_unref(v);
}

/* Both ends leave; the other one, to be deleted: its stack, which is held, or NULL. */
static struct stack *part(struct vpair *v, struct vend *e, bool ends, u32 *ret_index)
{
	struct stack *s, *held = NULL;
	struct vend *o = NULL;

	mutex_lock(&v->mu);
	for (int i = 0; i < 2; i++)
		if (v->end[i] == e)
			o = v->end[!i];
	if (!o) {
		mutex_unlock(&v->mu);
		return NULL;
	}
	s = o->nic->stack;
	o->nic->no_carrier = true;
	*ret_index = o->nic->ifindex;
	if (ends && s != e->nic->stack)
		nic_orphan(o->nic);
	else if (!ends && (!s->ops->hold || s->ops->hold(s->ctx)))
		held = s;
	v->end[0] = v->end[1] = NULL;
	set_peer(e, NULL, NULL);
	set_peer(o, NULL, NULL);        /* last: from here on it may be gone */
	mutex_unlock(&v->mu);
	pair_unref(v);
	pair_unref(v);
	return held;
}

static void leave(struct vend *e, bool ends)
{
	struct vpair *v = pair_of(e);
	u32 index = 0;
	struct stack *s = v ? part(v, e, ends, &index) : NULL;
	int r;

	if (s) {
		r = link_del(s, index);
		(void)r;        /* -ENODEV: somebody else was faster */
		if (s->ops->drop)
			s->ops->drop(s->ctx);
	}
	pair_unref(v);
}

/* The end of a dead link, by who has claimed it: it stays claimed, for the next maker. */
static void finish(struct vend *e)
{
	leave(e, false);
	neigh_flush(e->nic);
	nic_idle(e->nic);
}

static void veth_gone(struct nic *n, bool ends)
{
	struct vend *e = n->priv;
	bool mine;

	if (ends) {
		leave(e, true);
		return;
	}
	mutex_lock(&e->mu);
	mine = n->dead && !e->claimed;  /* else its maker does it, or it is another life already */
	e->claimed |= mine;
	mutex_unlock(&e->mu);
	if (mine)
		finish(e);
}

/* Its maker is done, and it may have been deleted meanwhile. */
static void unclaim(struct vend *e)
{
	bool dead;

	mutex_lock(&e->mu);
	dead = e->nic->dead;
	e->claimed = dead;
	mutex_unlock(&e->mu);
	if (dead)
		finish(e);
}

static void veth_info(struct nic *n, struct link_info *i)
{
	struct vend *e = n->priv;

	mutex_lock(&e->mu);
	if (e->peer) {
		i->link = e->peer->nic->ifindex;
		i->link_ctx = e->peer->nic->stack->ctx;
	}
	mutex_unlock(&e->mu);
}

static void veth_free(struct nic *n) { kfree(n->priv); }

static const struct nic_ops veth_ops = {
	.name = "veth", .tx = veth_tx, .free = veth_free, .changed = veth_changed, .gone = veth_gone, .info = veth_info,
	.kind = "veth",
};

/* ---- making ---- */

static u32 count(struct stack *s)
{
	struct nic *n;
	u32 k = 0;

	mutex_lock(&s->cfg_mu);
	list_for_each(n, &s->nics, node)
		k += n->ops == &veth_ops;
	mutex_unlock(&s->cfg_mu);
	return k;
}

bool link_any_mac(struct stack *s, u8 mac[6])
{
	static const u8 none[6];

	if (memcmp(mac, none, 6) != 0)
		return true;
	s->ops->random(s->ctx, mac, 6);
	mac[0] = (u8)((mac[0] & 0xfe) | 2);
	return false;
}

/* Claimed by the caller. */
static struct vend *end_new(struct stack *s, const struct link_cfg *cfg, int *ret_err)
{
	struct link_cfg c = *cfg;
	struct vend *e;
	struct nic *n;

	*ret_err = -ENOSPC;
	if (count(s) >= VETHS_MAX)
		return NULL;
	c.arphrd = ARPHRD_ETHER;
	c.features = LINK_F_CSUM | LINK_F_TSO4 | LINK_F_TSO6 | LINK_F_USO | LINK_F_RXCSUM;
	(void)link_any_mac(s, c.mac);
	n = nic_revive(s, &c, &veth_ops, ret_err);
	if (n || *ret_err < 0)
		return n ? n->priv : NULL;
	e = knew(struct vend);
	if (!e) {
		*ret_err = -ENOMEM;
		return NULL;
	}
	mutex_init(&e->mu, RANK_NOTIFY);
	e->claimed = true;
	n = nic_create(s, &c, &veth_ops, e, ret_err);
	if (!n) {
		kfree(e);
		return NULL;
	}
	e->nic = n;
	return e;
}

static void end_drop(struct vend *e)
{
	int r = link_del(e->nic->stack, e->nic->ifindex);

	(void)r;        /* -ENODEV: somebody else was faster */
	unclaim(e);
}

int link_add_veth(struct stack *const st[2], const struct link_cfg cfg[2], u32 ret_index[2])
{
	struct vpair *v = knew(struct vpair);
	struct vend *e[2];
	int r = -ENOMEM;

	if (!v)
		return r;
	ref_init(&v->ref);
	mutex_init(&v->mu, RANK_RPC);
	e[1] = end_new(st[1], &cfg[1], &r);
	if (!e[1])
		goto none;
	e[0] = end_new(st[0], &cfg[0], &r);
	if (!e[0])
		goto one;
	ret_index[0] = e[0]->nic->ifindex;
	ret_index[1] = e[1]->nic->ifindex;
	ref_get(&v->ref);
	ref_get(&v->ref);
	mutex_lock(&v->mu);
	for (int i = 0; i < 2; i++)
		set_peer(v->end[i] = e[i], e[!i], v);
	set_carrier(v);
	mutex_unlock(&v->mu);
	unclaim(e[1]);
	unclaim(e[0]);
	pair_unref(v);
	return 0;
one:
	end_drop(e[1]);
none:
	kfree(v);
	return r;
}

/* @to takes the place of @from; false: that one has left. */
static bool replace(struct vpair *v, struct vend *from, struct vend *to)
{
	bool done = false;

	mutex_lock(&v->mu);
	for (int i = 0; i < 2 && !done; i++)
		if (v->end[i] == from) {
			set_peer(v->end[!i], to, v);
			set_peer(to, v->end[!i], v);
			set_peer(from, NULL, NULL);
			v->end[i] = to;
			set_carrier(v);
			done = true;
		}
	mutex_unlock(&v->mu);
	return done;
}

static struct vpair *movable(struct stack *s, u32 ifindex, struct link_cfg *cfg, struct vend **ret)
{
	struct vpair *v = NULL;
	struct nic *n;

	mutex_lock(&s->cfg_mu);
	n = nic_by_index_locked(s, ifindex);
	if (n && n->ops == &veth_ops) {
		*ret = n->priv;
		cfg->mtu = n->mtu;
		memcpy(cfg->mac, nic_mac(n).b, sizeof(cfg->mac));
		memcpy(cfg->name, n->name, sizeof(cfg->name));
		v = pair_of(n->priv);
	}
	mutex_unlock(&s->cfg_mu);
	return v;
}

int link_move(struct stack *s, u32 ifindex, struct stack *to, const char *name, u32 *ret_index)
{
	struct link_cfg cfg = { .ifindex = ifindex };
	struct vend *from, *e;
	struct link_info i;
	struct vpair *v;
	int r = -ENODEV;

	if (link_get(s, ifindex, &i) < 0)
		return -ENODEV;
	v = movable(s, ifindex, &cfg, &from);
	if (!v)
		return i.kind ? -ENODEV : -EINVAL;
	if (link_get(to, ifindex, &i) == 0)
		cfg.ifindex = 0;
	e = end_new(to, &cfg, &r);
	if (r == -EEXIST && name) {
		memset(cfg.name, 0, sizeof(cfg.name));
		memcpy(cfg.name, name, strnlen(name, sizeof(cfg.name) - 1));
		e = end_new(to, &cfg, &r);
	}
	if (e && !replace(v, from, e)) {
		end_drop(e);
		r = -ENODEV;
	} else if (e) {
		*ret_index = e->nic->ifindex;
		unclaim(e);
		r = link_del(s, ifindex);
		r = 0;          /* -ENODEV: deleted meanwhile, by who can no longer reach the other end */
	}
	pair_unref(v);
	return r;
}
