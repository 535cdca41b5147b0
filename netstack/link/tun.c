/*
 * tun.c - a link whose wire the owner holds: TUN (bare IP packets) and TAP (frames).
 *
 * What the stack sends waits in a queue of bounded length until it is read; what is written arrives at once, in the
 * writer's thread.
 *
 * Life: a struct tun belongs to its link, which lives until the stack dies.  Who closes one leaves it among
 * the dead links, where the next of its kind takes it over: so a namespace never has more than TUNS_MAX of them.
 * Locks: t->mu (RANK_NOTIFY) guards the queue and who is called; senders hold RANK_SOCK at most.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/stack.h"
#include "netstack/link/link.h"
#include "netstack/wire/bytes.h"
#include "netstack/wire/eth.h"

#define TUNS_MAX  256           /* of one stack, dead ones counted */
#define QUEUE_MAX 500           /* Linux' tx_queue_len of tun devices */

struct tun {
	struct nic *nic;                /* immutable */
	struct mutex mu;
	struct list_head q;
	u32 n;
	void (*ready)(void *opaque);    /* NULL: closed */
	void *opaque;
};

static int tun_tx(struct nic *n, struct pktbuf *p)
{
	struct tun *t = n->priv;
	int r = -ENOBUFS;

	mutex_lock(&t->mu);
	if (t->ready && t->n < QUEUE_MAX) {
		list_add_tail(&p->node, &t->q);
		t->n++;
		p = NULL;
		r = 0;
		t->ready(t->opaque);
	}
	mutex_unlock(&t->mu);
	pkt_free(p);
	return r;
}

static void tun_free(struct nic *n)
{
	struct tun *t = n->priv;

	pkt_purge(&t->q);
	kfree(t);
}

static const struct nic_ops tun_ops = { .name = "tun", .tx = tun_tx, .free = tun_free };

/* A link that was deleted while its owner still has it is not free. */
static bool is_free(struct nic *n, u16 arphrd)
{
	struct tun *t = n->priv;
	bool closed;

	if (n->ops != &tun_ops || n->arphrd != arphrd)
		return false;
	mutex_lock(&t->mu);
	closed = !t->ready;
	mutex_unlock(&t->mu);
	return closed;
}

/* A dead link of the same kind lives again, with its old index.  NULL: there is none, *ret_n have been made; cfg_mu held. */
static struct nic *revive(struct stack *s, const struct link_cfg *cfg, u32 *ret_n)
{
	struct nic *n, *found = NULL;

	*ret_n = 0;
	list_for_each(n, &s->nics, node)
		*ret_n += n->ops == &tun_ops;
	list_for_each(n, &s->dead_nics, node) {
		*ret_n += n->ops == &tun_ops;
		if (is_free(n, cfg->arphrd))
			found = n;
	}
	if (!found)
		return NULL;
	list_del_init(&found->node);
	list_add_tail(&found->node, &s->nics);
	memcpy(found->name, cfg->name, sizeof(found->name));
	nic_set_mac(found, cfg->mac);
	found->mtu = cfg->mtu;
	found->features = 0;
	found->flags &= ~(u32)IFF_UP;
	found->dead = false;
	stack_changed(s);
	return found;
}

static struct nic *make(struct stack *s, const struct link_cfg *cfg, int *ret_err)
{
	struct tun *t = knew(struct tun);
	struct nic *n;

	*ret_err = -ENOMEM;
	if (!t)
		return NULL;
	mutex_init(&t->mu, RANK_NOTIFY);
	list_init(&t->q);
	n = nic_create(s, cfg, &tun_ops, t, ret_err);
	if (n)
		t->nic = n;
	else
		kfree(t);
	return n;
}

int link_add_tun(struct stack *s, const struct link_cfg *cfg, void (*ready)(void *opaque), void *opaque,
		 struct tun **ret)
{
	struct link_cfg c = *cfg;
	struct nic *n = NULL;
	struct tun *t;
	u32 made = 0;
	int r;

	c.ifindex = c.features = 0;
	mutex_lock(&s->cfg_mu);
	r = nic_name_locked(s, cfg->name, c.name);
	if (r == 0)
		n = revive(s, &c, &made);
	mutex_unlock(&s->cfg_mu);
	if (r == 0 && !n && made >= TUNS_MAX)
		r = -ENOSPC;
	if (r == 0 && !n)
		n = make(s, &c, &r);
	if (!n)
		return r == -EEXIST ? -EBUSY : r;
	t = n->priv;
	mutex_lock(&t->mu);
	t->ready = ready;
	t->opaque = opaque;
	mutex_unlock(&t->mu);
	*ret = t;
	return (int)n->ifindex;
}

void tun_close(struct tun *t)
{
	int r;

	mutex_lock(&t->mu);
	t->ready = NULL;
	pkt_purge(&t->q);
	t->n = 0;
	mutex_unlock(&t->mu);
	r = link_set_flags(t->nic->stack, t->nic->ifindex, 0, IFF_UP);
	if (r == 0)
		r = link_del(t->nic->stack, t->nic->ifindex);
	(void)r;        /* -ENODEV: it was deleted before */
}

static int copy_out(struct pktbuf *p, struct net_io *io, size_t n)
{
	struct iovec iov[PKT_FRAGS + 1];
	int i, k = pkt_iov(p, iov, PKT_FRAGS + 1), r = 0;

	for (i = 0; i < k && n && r == 0; i++) {
		size_t part = MIN(n, iov[i].iov_len);

		r = io->copy(io, iov[i].iov_base, part);
		n -= part;
	}
	return r;
}

/* What stands in front of a packet, as laid out. */
#define PI_LEN   4
#define VNET_MAX 20
#define PI_STRIP 1              /* the reader's buffer was too short */

ssize_t tun_read(struct tun *t, bool pi, size_t vnet, struct net_io *io)
{
	size_t hdr = (pi ? PI_LEN : 0) + vnet, n;
	u8 h[PI_LEN + VNET_MAX] = { 0 };
	struct pktbuf *p = NULL;
	struct vnet_hdr v;
	int r;

	if (hdr > sizeof(h) || io->len < hdr)
		return -EINVAL;
	mutex_lock(&t->mu);
	if (t->n) {
		p = list_first(&t->q, struct pktbuf, node);
		list_del_init(&p->node);
		t->n--;
	}
	mutex_unlock(&t->mu);
	if (!p)
		return -EAGAIN;
	n = MIN((size_t)p->len, io->len - hdr);
	if (pi) {
		h[0] = n < p->len ? PI_STRIP : 0;
		put_be16(h + 2, p->ethertype);
	}
	vnet_fill(p, &v);
	if (vnet)
		memcpy(h + (pi ? PI_LEN : 0), &v, sizeof(v));
	r = hdr ? io->copy(io, h, hdr) : 0;
	if (r == 0)
		r = copy_out(p, io, n);
	pkt_free(p);
	return r < 0 ? r : (ssize_t)(n + hdr);
}

ssize_t tun_write(struct tun *t, bool pi, size_t vnet, struct net_io *io)
{
	size_t hdr = (pi ? PI_LEN : 0) + vnet, len = io->len - hdr;
	struct nic *n = t->nic;
	bool tap = n->arphrd == ARPHRD_ETHER;
	u8 h[PI_LEN + VNET_MAX], *d;
	struct vnet_hdr v = { 0 };
	struct pktbuf *p;
	int r;

	if (hdr > sizeof(h) || io->len < hdr + (tap ? ETH_HLEN : 1) || len > PBLOCK_BIG_CAP)
		return -EINVAL;
	r = hdr ? io->copy(io, h, hdr) : 0;
	if (r < 0)
		return r;
	if (vnet)
		memcpy(&v, h + hdr - vnet, sizeof(v));
	p = pkt_room(n->stack->pool, len, &d);
	if (!p)
		return -ENOMEM;
	r = io->copy(io, d, len);
	if (r == 0 && !vnet_take(p, &v))
		r = -EINVAL;
	if (!tap && pi)
		p->ethertype = get_be16(h + 2);
	else if (r == 0 && !tap && d[0] >> 4 != 4 && d[0] >> 4 != 6)
		r = -EINVAL;
	if (r == 0 && (!nic_up(n) || n->dead))
		r = -EIO;
	if (r < 0) {
		pkt_free(p);
		return r;
	}
	nic_rx(n, p);
	backlog_drain(n->stack);
	return (ssize_t)(len + hdr);
}

bool tun_readable(struct tun *t)
{
	bool any;

	mutex_lock(&t->mu);
	any = t->n != 0;
	mutex_unlock(&t->mu);
	return any;
}

void tun_set_features(struct tun *t, u32 features)
{
	mutex_lock(&t->nic->stack->cfg_mu);
	t->nic->features = features;
	mutex_unlock(&t->nic->stack->cfg_mu);
}

void tun_info(struct tun *t, struct link_info *ret)
{
	int r = link_get(t->nic->stack, t->nic->ifindex, ret);

	if (r < 0)
		memset(ret, 0, sizeof(*ret));
}
