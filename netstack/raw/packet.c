/*
 * packet.c - AF_PACKET endpoints inside the stack: sniffing and raw frames.
 *
 * Copies are made as frames pass nic_rx() and nic_tx_frame().  A sender may be
 * holding its own endpoint's lock there, and a packet endpoint's is of the same
 * rank, so outgoing copies go to the backlog and are delivered from there.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sys/socket.h>
#include <linux/if_packet.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/raw/fanout.h"
#include "netstack/raw/packet.h"
#include "netstack/raw/raw.h"
#include "netstack/wire/eth.h"

#define HITS_MAX 16

struct packet_ep {
	struct ep ep;
	u16 ethertype;          /* host order; 0: not bound, ETH_T_ALL: everything */
	u32 ifindex;            /* 0: every link */
	u32 packets;
	u32 reserve;            /* PACKET_RESERVE */
	bool auxdata, ignore_outgoing, origdev, tx_has_off, qdisc_bypass;
	int copy_thresh, timestamp;     /* kept and shown */
	struct packet_ring ring;
	struct fanout_member fan;
	_Atomic bool ring_full;         /* the last packet found no frame */
};

static inline struct packet_ep *pk(struct ep *e) { return container_of(e, struct packet_ep, ep); }

/* Loopback shows an Ethernet header, although there is none. */
static bool has_ether(const struct nic *n) { return n->arphrd == ARPHRD_ETHER || n->arphrd == ARPHRD_LOOPBACK; }

static int packet_init(struct ep *e)
{
	struct stack *s = e->stack;

	/* proto is in network order, as socket(2) has it. */
	pk(e)->ethertype = __builtin_bswap16(e->proto);
	pk(e)->ring.version = TPACKET_V1;
	mutex_lock(&s->eps_mu);
	list_add_tail(&e->kind_node, &s->packets);
	mutex_unlock(&s->eps_mu);
	atomic_fetch_add(&s->npackets, 1);
	return 0;
}

struct fanout_member *packet_fanout(struct ep *e) { return &pk(e)->fan; }

/* As Linux: plenty is a quarter of the buffer. */
enum fanout_room packet_room(const struct ep *e, const struct pktbuf *p)
{
	const struct packet_ep *k = container_of(e, struct packet_ep, ep);
	u32 have = __atomic_load_n(&e->rmem, __ATOMIC_RELAXED), max = __atomic_load_n(&e->o.rcvbuf, __ATOMIC_RELAXED);
	u32 want = p->len + 576;

	if (__atomic_load_n(&k->ring.on, __ATOMIC_RELAXED))
		return atomic_load_explicit(&k->ring_full, memory_order_relaxed) ? FANOUT_FULL : FANOUT_ROOM;
	if (have + want >= max)
		return have ? FANOUT_FULL : FANOUT_LOW;
	return max - have - want > max / 4 ? FANOUT_ROOM : FANOUT_LOW;
}

static void packet_close(struct ep *e)
{
	fanout_leave(e, &pk(e)->fan);
	mutex_lock(&e->stack->eps_mu);
	list_del_init(&e->kind_node);
	mutex_unlock(&e->stack->eps_mu);
	atomic_fetch_sub(&e->stack->npackets, 1);
	/* deliver() may have found it before; the ring's memory is the owner's. */
	mutex_lock(&e->mu);
	pk(e)->ring.on = false;
	mutex_unlock(&e->mu);
}

static int packet_bind(struct ep *e, const struct net_sa *sa)
{
	struct link_info l;

	if (sa->family != AF_PACKET || fanout_has(e, &pk(e)->fan))
		return -EINVAL;
	if (sa->scope && link_get(e->stack, sa->scope, &l) < 0)
		return -ENODEV;
	mutex_lock(&e->mu);
	pk(e)->ifindex = sa->scope;
	if (sa->port)
		pk(e)->ethertype = sa->port;
	mutex_unlock(&e->mu);
	return 0;
}

int packet_name(struct ep *e, bool peer, struct net_sa *ret)
{
	struct link_info l = { 0 };

	if (peer)
		return -EOPNOTSUPP;
	memset(ret, 0, sizeof(*ret));
	mutex_lock(&e->mu);
	ret->family = AF_PACKET;
	ret->port = pk(e)->ethertype;
	ret->scope = pk(e)->ifindex;
	mutex_unlock(&e->mu);
	if (ret->scope && link_get(e->stack, ret->scope, &l) == 0) {
		ret->ll_hatype = l.arphrd;
		ret->ll_halen = l.arphrd == ARPHRD_ETHER || l.arphrd == ARPHRD_LOOPBACK ? 6 : 0;
		memcpy(ret->ll_addr, l.mac, 6);
	}
	return 0;
}

/* On loopback a whole frame loses its header, which nothing there needs. */
static int send_frame(struct nic *n, struct pktbuf *p)
{
	struct eth_hdr h;

	if (!pkt_may_pull(p, ETH_HLEN) || !eth_parse(pkt_data(p), p->len, &h)) {
		pkt_free(p);
		return -EINVAL;
	}
	p->ethertype = h.type;
	if (n->arphrd == ARPHRD_LOOPBACK)
		pkt_pull(p, ETH_HLEN);
	return nic_tx_frame(n, p);
}

static ssize_t packet_send(struct ep *e, struct net_msg *m)
{
	u32 ifindex = m->name && m->name->scope ? m->name->scope : pk(e)->ifindex;
	u16 type = m->name && m->name->port ? m->name->port : pk(e)->ethertype;
	struct nic *n = ifindex ? nic_by_index(e->stack, ifindex) : NULL;
	size_t len = m->io->len, max;
	struct pktbuf *p;
	int r;

	if (m->name && m->name->family != AF_PACKET)
		return -EINVAL;
	if (!n)
		return -ENXIO;
	if (!nic_up(n))
		return -ENETDOWN;
	max = n->mtu + (e->type == SOCK_RAW ? ETH_HLEN : 0u);
	if (len > max || len > PBLOCK_BIG_CAP)
		return -EMSGSIZE;
	if (e->type == SOCK_RAW && has_ether(n) && len < ETH_HLEN)
		return -EINVAL;
	r = dgram_gather(e, m->io, len, &p);
	if (r < 0)
		return r;
	p->sender = (u32)e->cookie;
	p->ethertype = type;
	if (e->type == SOCK_RAW && has_ether(n))
		r = send_frame(n, p);
	else if (e->type == SOCK_RAW)
		r = nic_tx_frame(n, p);
	else
		r = nic_tx_mac(n, p, m->name ? m->name->ll_addr : (const u8[6]){ 0 }, type);
	return r < 0 ? r : (ssize_t)len;
}

static void put_auxdata(struct pktbuf *p, struct net_msg *m)
{
	struct tpacket_auxdata a = { .tp_status = TP_STATUS_USER, .tp_len = p->end_seq, .tp_snaplen = p->len,
				     .tp_net = p->l4_off };
	struct epmsg_out c = { m->ctl, m->ctl_len, 0, false };

	epmsg_put(&c, SOL_PACKET, PACKET_AUXDATA, &a, sizeof(a));
	m->ctl = (u8 *)m->ctl + c.used;
	m->ctl_len -= c.used;
	if (c.trunc)
		m->ret_flags |= MSG_CTRUNC;
}

static void fill_msg(struct ep *e, struct pktbuf *p, struct net_msg *m)
{
	size_t room = m->ctl_len;

	if (pk(e)->auxdata && m->ctl)
		put_auxdata(p, m);
	room -= m->ctl ? m->ctl_len : room;
	if (m->name) {
		memset(m->name, 0, sizeof(*m->name));
		m->name->family = AF_PACKET;
		m->name->port = p->ethertype;
		m->name->scope = p->ifindex;
		m->name->ll_hatype = p->nic->arphrd;
		m->name->ll_pkttype = p->pkttype;
		m->name->ll_halen = 6;
		memcpy(m->name->ll_addr, p->ll_src, 6);
	}
	epmsg_fill(e, p, m);
	m->ctl_len += room;
}

static ssize_t packet_recv(struct ep *e, struct net_msg *m) { return dgram_recv(e, m, fill_msg); }

/* What shapes a ring cannot change while there is one. */
static int set_ring_field(struct ep *e, u32 *field, u32 v)
{
	int r = 0;

	mutex_lock(&e->mu);
	if (pk(e)->ring.on)
		r = -EBUSY;
	else
		*field = v;
	mutex_unlock(&e->mu);
	return r;
}

int ep_packet_ring(struct ep *e, const struct packet_ring_cfg *c)
{
	int r = 0;

	if (e->ops != &packet_ops)
		return -ENOPROTOOPT;
	mutex_lock(&e->mu);
	if (!c)
		pk(e)->ring.on = false;
	else if (pk(e)->ring.on)
		r = -EBUSY;
	else if (pk(e)->reserve > c->frame_size)
		r = -EINVAL;
	else
		r = ring_set(&pk(e)->ring, c, pk(e)->reserve);
	mutex_unlock(&e->mu);
	return r;
}

static u32 packet_poll(struct ep *e)
{
	u32 ev = dgram_poll(e);

	if (pk(e)->ring.on && ring_ready(&pk(e)->ring))
		ev |= POLLIN | POLLRDNORM;
	return ev;
}

/* The length of a ring's header, by the version that the caller put into the value. */
static int get_hdrlen(void *val, size_t *len)
{
	int v;

	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (v == TPACKET_V1)
		v = sizeof(struct tpacket_hdr);
	else if (v == TPACKET_V2)
		v = sizeof(struct tpacket2_hdr);
	else
		return -EINVAL;
	return epopt_put_int(val, len, v);
}

/* Has it a value that is an int? */
static bool packet_known(int opt)
{
	static const u8 known[] = { PACKET_COPY_THRESH, PACKET_AUXDATA, PACKET_ORIGDEV, PACKET_VERSION, PACKET_RESERVE,
				    PACKET_TIMESTAMP, PACKET_TX_HAS_OFF, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING };

	return opt > 0 && opt < 256 && memchr(known, opt, sizeof(known));
}

static int packet_setsockopt(struct ep *e, int level, int opt, const void *val, size_t len)
{
	struct packet_mreq mr;
	int v, r;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (opt == PACKET_ADD_MEMBERSHIP || opt == PACKET_DROP_MEMBERSHIP) {
		if (len < sizeof(mr))
			return -EINVAL;
		/* Links pass all that they get; that the link exists is all there is to check. */
		memcpy(&mr, val, sizeof(mr));
		return nic_by_index(e->stack, (u32)mr.mr_ifindex) ? 0 : -ENODEV;
	}
	if (opt == PACKET_FANOUT)
		return fanout_add(e, &pk(e)->fan, &(struct fanout_join){ pk(e)->ethertype, pk(e)->ifindex }, val, len);
	if (opt == PACKET_FANOUT_DATA)
		return fanout_program(e, &pk(e)->fan, val, len);
	r = epopt_int(val, len, &v);
	if (r < 0)
		return packet_known(opt) ? r : -ENOPROTOOPT;
	if (len != sizeof(v) && opt != PACKET_AUXDATA && opt != PACKET_ORIGDEV)
		return packet_known(opt) ? -EINVAL : -ENOPROTOOPT;
	switch (opt) {
	case PACKET_AUXDATA:
		pk(e)->auxdata = v != 0;
		return 0;
	case PACKET_IGNORE_OUTGOING:
		if (v < 0 || v > 1)
			return -EINVAL;
		pk(e)->ignore_outgoing = v;
		return 0;
	case PACKET_ORIGDEV:
		pk(e)->origdev = v != 0;
		return 0;
	case PACKET_COPY_THRESH:
		pk(e)->copy_thresh = v;
		return 0;
	case PACKET_TIMESTAMP:
		pk(e)->timestamp = v;
		return 0;
	case PACKET_TX_HAS_OFF:
		pk(e)->tx_has_off = v != 0;
		return 0;
	case PACKET_QDISC_BYPASS:
		pk(e)->qdisc_bypass = v != 0;
		return 0;
	case PACKET_VERSION:
		if (v != TPACKET_V1 && v != TPACKET_V2)
			return -EINVAL;
		return set_ring_field(e, &pk(e)->ring.version, (u32)v);
	case PACKET_RESERVE:
		return v < 0 ? -EINVAL : set_ring_field(e, &pk(e)->reserve, (u32)v);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_rollover(struct ep *e, void *val, size_t *len)
{
	struct tpacket_rollover_stats st = { 0 };

	mutex_lock(&e->stack->eps_mu);
	st.tp_all = pk(e)->fan.all;
	st.tp_failed = pk(e)->fan.failed;
	mutex_unlock(&e->stack->eps_mu);
	return pk(e)->fan.rolls ? epopt_put(val, len, &st, sizeof(st)) : -EINVAL;
}

static int packet_getsockopt(struct ep *e, int level, int opt, void *val, size_t *len)
{
	struct tpacket_stats { u32 packets, drops; } st;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	switch (opt) {
	case PACKET_STATISTICS:
		break;
	case PACKET_COPY_THRESH:
		return epopt_put_int(val, len, pk(e)->copy_thresh);
	case PACKET_TIMESTAMP:
		return epopt_put_int(val, len, pk(e)->timestamp);
	case PACKET_TX_HAS_OFF:
		return epopt_put_int(val, len, pk(e)->tx_has_off);
	case PACKET_QDISC_BYPASS:
		return epopt_put_int(val, len, pk(e)->qdisc_bypass);
	case PACKET_VNET_HDR:
		return epopt_put_int(val, len, 0);
	case PACKET_FANOUT:
		return epopt_put_int(val, len, fanout_get(e, &pk(e)->fan));
	case PACKET_ROLLOVER_STATS:
		return get_rollover(e, val, len);
	case PACKET_AUXDATA:
		return epopt_put_int(val, len, pk(e)->auxdata);
	case PACKET_ORIGDEV:
		return epopt_put_int(val, len, pk(e)->origdev);
	case PACKET_IGNORE_OUTGOING:
		return epopt_put_int(val, len, pk(e)->ignore_outgoing);
	case PACKET_VERSION:
		return epopt_put_int(val, len, (int)pk(e)->ring.version);
	case PACKET_RESERVE:
		return epopt_put_int(val, len, (int)pk(e)->reserve);
	case PACKET_HDRLEN:
		return get_hdrlen(val, len);
	default:
		return -ENOPROTOOPT;
	}
	mutex_lock(&e->mu);
	st.packets = pk(e)->packets;
	st.drops = e->drops;
	pk(e)->packets = e->drops = 0;
	mutex_unlock(&e->mu);
	return epopt_put(val, len, &st, sizeof(st));
}

static long packet_inq(struct ep *e)
{
	long n;

	mutex_lock(&e->mu);
	n = list_empty(&e->dgrams) ? 0 : (long)list_first(&e->dgrams, struct pktbuf, node)->len;
	mutex_unlock(&e->mu);
	return n;
}

/* To one socket: its ring, or its queue.  Takes p; no lock held. */
static void give(struct ep *e, struct pktbuf *p, u32 l2)
{
	struct packet_ep *k = pk(e);
	u32 keep;

	p->l4_off = (u16)(e->type == SOCK_RAW ? l2 : 0);        /* the network header: for auxdata */
	p->end_seq = p->len;
	mutex_lock(&e->mu);
	if (k->ring.on) {
		keep = filter_run(e, p);
		if (keep && ring_put(e, &k->ring, p, keep, e->type == SOCK_RAW ? l2 : 0, e->drops)) {
			k->packets++;
			atomic_store_explicit(&k->ring_full, false, memory_order_relaxed);
			ep_wake(e, POLLIN | POLLRDNORM);
		} else if (keep) {
			k->packets++;
			e->drops++;
			atomic_store_explicit(&k->ring_full, true, memory_order_relaxed);
		}
		pkt_free(p);
	} else {
		u32 drops = e->drops;

		if (dgram_filter_queue(e, p, 0) || e->drops != drops)
			k->packets++;
	}
	mutex_unlock(&e->mu);
}

static bool hears(u16 type, u32 ifindex, const struct nic *n, const struct pktbuf *p)
{
	if (!type || (type != ETH_T_ALL && (type != p->ethertype || p->pkttype == PACKET_OUTGOING)))
		return false;
	return !ifindex || ifindex == n->ifindex;
}

/* Of a group that hears @p one member, unless one of them has sent it; eps_mu held. */
static struct ep *from_group(struct nic *n, struct fanout *f, const struct pktbuf *p, u32 l2)
{
	u32 i;

	if (!hears(f->ethertype, f->ifindex, n, p) ||
	    (p->pkttype == PACKET_OUTGOING && (f->flags & FANOUT_IGNORE_OUTGOING)))
		return NULL;
	for (i = 0; p->pkttype == PACKET_OUTGOING && p->sender && i < f->n; i++)
		if (p->sender == (u32)f->arr[i]->cookie)
			return NULL;
	return fanout_choose(n->stack, f, p, l2);
}

/* Deliver a copy to everybody who listens; no endpoint lock held. */
static void deliver(struct nic *n, struct pktbuf *p, u32 l2)
{
	struct stack *s = n->stack;
	struct ep *e, *hit[HITS_MAX];
	struct fanout *f;
	int i, cnt = 0;

	mutex_lock(&s->eps_mu);
	list_for_each(e, &s->packets, kind_node) {
		if (pk(e)->fan.f || !hears(pk(e)->ethertype, pk(e)->ifindex, n, p))
			continue;
		if (p->pkttype == PACKET_OUTGOING &&
		    (pk(e)->ignore_outgoing || (p->sender && p->sender == (u32)e->cookie)))
			continue;
		if (cnt < HITS_MAX && ref_get_unless_zero(&e->ref))
			hit[cnt++] = e;
	}
	list_for_each(f, &s->fanouts, node) {
		e = from_group(n, f, p, l2);
		if (e && cnt < HITS_MAX && ref_get_unless_zero(&e->ref))
			hit[cnt++] = e;
	}
	mutex_unlock(&s->eps_mu);
	for (i = 0; i < cnt; i++) {
		struct pktbuf *c = pkt_clone(p);

		e = hit[i];
		if (c) {
			c->nic = n;
			c->ifindex = n->ifindex;
			if (e->type == SOCK_DGRAM)
				pkt_pull(c, MIN(l2, c->len));
			give(e, c, l2);
		}
		ep_unref(e);
	}
}

static void loopback_tap(struct nic *n, struct pktbuf *p)
{
	static const u8 nobody[6];
	struct pktbuf *c = pkt_clone(p);

	if (c && c->hdr_off >= ETH_HLEN) {
		eth_emit(pkt_push(c, ETH_HLEN), nobody, nobody, p->ethertype);
		c->pkttype = PACKET_OUTGOING;
		deliver(n, c, ETH_HLEN);
		c->pkttype = p->flags & PKT_MCAST ? PACKET_MULTICAST : p->flags & PKT_BCAST ? PACKET_BROADCAST :
			     PACKET_HOST;
		deliver(n, c, ETH_HLEN);
	}
	pkt_free(c);
}

void packet_tap(struct nic *n, struct pktbuf *p, u32 l2, bool out)
{
	struct pktbuf *c;

	if (n->arphrd == ARPHRD_LOOPBACK) {
		/* Shown when it arrives, as going out and coming in, with the header that Linux has there. */
		if (!out)
			loopback_tap(n, p);
		return;
	}
	if (!out) {
		deliver(n, p, l2);
		return;
	}
	c = pkt_clone(p);
	if (!c)
		return;
	c->nic = n;
	c->pkttype = PACKET_OUTGOING;
	memcpy(c->ll_src, nic_mac(n).b, 6);
	backlog_add(n->stack, c);
}

void packet_tap_later(struct nic *n, struct pktbuf *p)
{
	p->ifindex = n->ifindex;
	deliver(n, p, n->arphrd == ARPHRD_ETHER ? ETH_HLEN : 0);
	pkt_free(p);
}

const struct ep_ops packet_ops = {
	.name = "packet",
	.size = sizeof(struct packet_ep),
	.init = packet_init,
	.bind = packet_bind,
	.poll = packet_poll,
	.send = packet_send,
	.recv = packet_recv,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.inq = packet_inq,
	.close = packet_close,
};
