/*
 * seg.c - building segments and handing them to IP.
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/nic.h"
#include "netstack/ip/ip.h"
#include "netstack/tcp/tcp.h"

int tcp_route(struct tcp_ep *t)
{
	u32 old = t->ep.rt.mtu, gen = t->ep.rt.gen;
	bool had = t->ep.rt.valid;
	int r = ep_route(&t->ep);

	if (r == 0 && (!had || (gen != t->ep.rt.gen && old != t->ep.rt.mtu)))
		tcp_sync_mss(t);
	return r;
}

static u32 segments(u32 bytes, u32 mss) { return (bytes + mss - 1) / mss; }
static u32 ip_hlen(const struct tcp_ep *t) { return ip_is4(&t->ep.raddr) ? 20 : 40; }

/* What options and extension headers take of every segment. */
static u32 ip_opts_len(const struct tcp_ep *t)
{
	if (ip_is4(&t->ep.raddr))
		return t->ep.opts4 ? t->ep.opts4->len : 0;
	return t->ep.ext6 ? ip6ext_len(&t->ep.ext6->x) : 0;
}

/* They go into @ip, whose addresses are set; @room and @x hold them meanwhile. */
static void put_ip_opts(struct tcp_ep *t, struct ip_tx *ip, u8 room[IP4OPT_MAX], struct ip6_ext *x)
{
	struct ep *e = &t->ep;

	if (!ip_is4(&e->raddr)) {
		*x = ip6ext_sent(&e->ext6->x);
		ip->ext = x;
		return;
	}
	ip4opt_put(e->stack, e->opts4, &e->raddr, ip, room);
	if (e->opts4->srr)
		ip->dst = ip_from4(e->opts4->hop);
}


/* Payload of a full segment on this path, options of every segment taken off. */
void tcp_sync_mss(struct tcp_ep *t)
{
	u32 mtu = t->ep.rt.valid ? t->ep.rt.mtu : 1500;
	u32 mss, limit = t->peer_mss ? t->peer_mss : TCP_MSS_DEFAULT;

	mtu = MIN(mtu, 65535u);
	t->pmtu = mtu;
	mtu = mtup_limit(t, mtu);
	mss = mtu > ip_hlen(t) + 20 + TCP_MSS_MIN ? mtu - ip_hlen(t) - 20 : TCP_MSS_MIN;
	mss = MIN(mss, limit);
	if (t->user_mss)
		mss = MIN(mss, (u32)t->user_mss);
	mss = MAX(mss, TCP_MSS_MIN + ip_opts_len(t)) - ip_opts_len(t);
	if (t->ts_ok)
		mss -= 12;
	t->mss = (u16)mss;
}

void tcp_opts_changed(struct ep *e) { tcp_sync_mss(container_of(e, struct tcp_ep, ep)); }

/* What we tell the peer. */
static u16 adv_mss(const struct tcp_ep *t)
{
	u32 mtu = t->ep.rt.valid ? MIN((u32)t->ep.rt.mtu, 65535u) : 1500, mss = mtu - ip_hlen(t) - 20;

	if (t->user_mss)
		mss = MIN(mss, (u32)t->user_mss);
	return (u16)MAX(mss, TCP_MSS_MIN);
}

static void common_opts(struct tcp_ep *t, struct tcp_opts *o)
{
	memset(o, 0, sizeof(*o));
	if (t->ts_ok) {
		o->has_ts = true;
		o->tsval = tcp_tsval(t->ep.stack, t->ts_off);
		o->tsecr = t->ts_recent;
	}
}

static void sack_opts(struct tcp_ep *t, struct tcp_opts *o)
{
	int i;

	if (!t->sack_ok)
		return;
	if (t->has_dsack) {
		o->sack[0].start = t->dsack.start;
		o->sack[0].end = t->dsack.end;
		o->nsack = 1;
		t->has_dsack = false;
	}
	for (i = 0; i < t->n_rx_sack && o->nsack < TCP_SACK_MAX; i++) {
		o->sack[o->nsack].start = t->rx_sack[i].start;
		o->sack[o->nsack].end = t->rx_sack[i].end;
		o->nsack++;
	}
}

/* Payload of one segment with these options: SACK blocks take from it. */
static u32 seg_room(const struct tcp_ep *t, const struct tcp_opts *o)
{
	u32 n = o->nsack;

	if (!n)
		return t->mss;
	n = MIN(n, (o->has_ts ? 24u : 36u) / 8);
	return t->mss - (4 + 8 * n);
}

/* A SYN's window is never scaled. */
static u32 syn_window(struct tcp_ep *t)
{
	u32 win = MIN(rcv_window(t), 65535u);

	t->rcv_adv = t->rcv_nxt + win;
	return win;
}

/* Header, checksum, IP.  Takes p, which holds the payload. */
/* Marks of a segment on an ECN connection (RFC 3168, 6.1); the ECN field of its IP header. */
static u8 ecn_marks(struct tcp_ep *t, struct tcp_hdr *h, u32 plen)
{
	bool fresh = plen && seq_ge(h->seq, t->snd_nxt);

	if (h->flags & (TH_SYN | TH_RST))
		return 0;
	if (t->ecn_echo)
		h->flags |= TH_ECE;
	if (fresh && t->ecn_cwr) {
		h->flags |= TH_CWR;
		t->ecn_cwr = false;
	}
	return fresh ? 2 : 0;
}

static u32 label_of(struct tcp_ep *t)
{
	const struct ep *e = &t->ep;

	if (e->flowlabel)
		return e->flowlabel;
	if (!t->auto_label)
		t->auto_label = flowlabel_auto(e, &e->laddr, &e->raddr, (u32)e->lport << 16 | e->rport, IPPROTO_TCP);
	return t->auto_label;
}

static int emit(struct tcp_ep *t, struct pktbuf *p, u32 seq, u8 flags, const struct tcp_opts *o)
{
	struct ep *e = &t->ep;
	struct tcp_hdr h = { .sport = e->lport, .dport = e->rport, .seq = seq, .flags = flags };
	struct ip_tx ip = { .src = e->laddr, .dst = e->raddr, .proto = IPPROTO_TCP };
	bool v4 = ip_is4(&e->raddr), full = flags & TH_SYN, gso;
	u32 plen = p->len, wnd;
	u8 ecn = 0;
	u8 ob[40], room[IP4OPT_MAX];
	struct ip6_ext x;
	size_t on;

	on = tcp_emit_opts(ob, o);
	memcpy(pkt_push(p, on), ob, on);
	h.hlen = (u8)(TCP_HLEN + on);
	if (flags & TH_ACK)
		h.ack = t->rcv_nxt;
	wnd = full ? syn_window(t) : rcv_select_window(t) >> t->rcv_wscale;
	h.wnd = (u16)MIN(wnd, 65535u);
	if (t->urg_out && seq_gt(t->snd_up, seq) && t->snd_up - seq <= 65535) {
		h.flags |= TH_URG;
		h.urg = (u16)(t->snd_up - seq);
	}
	if (t->ecn_ok)
		ecn = ecn_marks(t, &h, plen);
	gso = plen > seg_room(t, o) && !full;
	if (gso && seq_ge(seq, t->snd_nxt))
		h.flags |= TH_PSH;              /* a super-frame is not worth waiting behind (as Linux) */
	tcp_emit(pkt_push(p, TCP_HLEN), &h);
	if (gso) {
		p->gso_size = (u16)seg_room(t, o);
		p->gso_type = v4 ? GSO_TCP4 : GSO_TCP6;
	}
	ip_csum_begin(p, 16, &e->laddr, &e->raddr, IPPROTO_TCP);
	ip.tos = (u8)(((v4 ? e->o.tos : e->o.tclass) & ~3) | ecn);
	ip.ttl = v4 ? (u8)(e->o.ttl >= 0 ? e->o.ttl : e->stack->sysctl.ttl[0]) :
		      (u8)(e->o.hlim >= 0 ? e->o.hlim : e->stack->sysctl.hlim[0]);
	ip.df = v4 && e->o.pmtudisc != IP_PMTUDISC_DONT;
	ip.flowlabel = v4 ? 0 : label_of(t);
	if (unlikely(ip_opts_len(t)))
		put_ip_opts(t, &ip, room, &x);
	p->flow = t->conn.hash;
	ep_sign(e, p);
	if (flags & TH_ACK) {
		t->last_ack_sent = t->rcv_nxt;
		ack_sent(t);
	}
	t->st.segs_out += gso ? segments(plen, seg_room(t, o)) : 1;
	MIB(e->stack, Tcp_OutSegs);
	return ip_output(e->stack, &e->rt, p, &ip);
}

int tcp_xmit(struct tcp_ep *t, u32 seq, u32 len, u8 flags)
{
	struct tcp_opts o;
	struct pktbuf *p;
	u32 got = 0;
	int r = tcp_route(t);

	if (r < 0)
		return r;
	p = pkt_new(t->ep.stack->pool);
	if (!p)
		return -ENOBUFS;
	common_opts(t, &o);
	sack_opts(t, &o);
	if (len) {
		u32 max = len > t->mss ? len : seg_room(t, &o);

		got = sndq_gather(t, p, seq, MIN(len, max));
		if (got < len)
			flags &= (u8)~(TH_FIN | TH_PSH);
		t->st.data_segs_out += segments(MAX(got, 1u), t->mss);
		t->st.bytes_sent += got;
		ack_data_sent(t);
	}
	r = emit(t, p, seq, flags, &o);
	/* A full device queue or a missing neighbour is a loss like any other. */
	if (r < 0 && r != -ENOBUFS && r != -ENOMEM && r != -EAGAIN && r != -EMSGSIZE && r != -ENETDOWN)
		return r;
	return (int)got;
}

void tcp_send_ack(struct tcp_ep *t)
{
	int r = tcp_xmit(t, t->snd_nxt, 0, TH_ACK);

	(void)r;        /* an ACK that cannot leave is repeated by what comes next */
}

void tcp_send_probe(struct tcp_ep *t)
{
	int r = tcp_xmit(t, t->snd_una - 1, 0, TH_ACK);

	(void)r;
}

/* The first SYN, or a SYN-ACK, carries a cookie; a first SYN perhaps @len bytes as well. */
void tcp_send_syn(struct tcp_ep *t, bool ack, u32 len)
{
	struct stack *s = t->ep.stack;
	struct tcp_opts o = { 0 };
	struct pktbuf *p;
	u8 flags = TH_SYN;

	if (tcp_route(t) < 0)
		return;
	p = pkt_new(s->pool);
	if (!p)
		return;
	o.has_mss = true;
	o.mss = adv_mss(t);
	if (ack ? t->wscale_ok : s->sysctl.tcp_wscale[0]) {
		o.has_wscale = true;
		o.wscale = t->rcv_wscale;
	}
	o.sack_ok = ack ? t->sack_ok : s->sysctl.tcp_sack[0];
	if (ack ? t->ts_ok : s->sysctl.tcp_ts[0]) {
		o.has_ts = true;
		o.tsval = tcp_tsval(s, t->ts_off);
		o.tsecr = t->ts_recent;
		if (!ack && !t->retries)
			t->syn_tsval = o.tsval;
	}
	if (ack ? t->fo.child : !t->retries)
		tfo_put(&o, &t->fo.cookie);
	if (len) {
		len = sndq_gather(t, p, t->iss + 1, len);
		t->st.data_segs_out++;
		t->st.bytes_sent += len;
	}
	t->last_send = tcp_now(t);
	if (!ack && !t->retries)
		t->ecn_asked = s->sysctl.tcp_ecn[0] == 1;
	if (ack)
		flags = TH_SYN | TH_ACK | (t->ecn_ok ? TH_ECE : 0);
	else if (t->ecn_asked && !t->retries)   /* RFC 3168, 6.1.1.1: a plain one when it was lost */
		flags |= TH_ECE | TH_CWR;
	emit(t, p, t->iss, flags, &o);
}

void tcp_send_rst(struct tcp_ep *t)
{
	struct tcp_opts o;
	struct pktbuf *p;

	if (tcp_route(t) < 0)
		return;
	p = pkt_new(t->ep.stack->pool);
	if (!p)
		return;
	common_opts(t, &o);
	MIB(t->ep.stack, Tcp_OutRsts);
	emit(t, p, t->snd_nxt, TH_RST | TH_ACK, &o);
}

bool tcp_retransmit(struct tcp_ep *t, struct txr *x)
{
	u32 seq = x->seq, len = x->end - x->seq, max = t->mss;
	u8 flags = TH_ACK;
	int r;

	if (seq_lt(seq, t->snd_una))
		seq = t->snd_una;
	if (seq == t->iss) {                    /* the SYN of a simultaneous open */
		tcp_send_syn(t, t->state == TCPS_SYN_RECV || t->fo.child, 0);
		return true;
	}
	len = x->end - seq;
	if (t->fin_sent && x->end == t->write_seq + 1) {
		len--;
		flags |= TH_FIN;
	}
	if (nic_gso_max(t->ep.rt.nic, ip_is4(&t->ep.raddr) ? GSO_TCP4 : GSO_TCP6) && !t->ep.ext6)
		max = MAX(max, (65535u - 120) / t->mss * t->mss);
	max = MIN(max, MAX((t->cwnd > tcp_flight(t) ? t->cwnd - tcp_flight(t) : 0) / t->mss * t->mss, (u32)t->mss));
	if (t->has_eor)
		max = MIN(max, sndq_record(t, seq, max));
	if (len > max) {
		if (!txr_split(t, x, seq + max))
			return false;
		len = max;
		flags &= (u8)~TH_FIN;
	}
	/* Never beyond what the peer offers, but one segment always. */
	if (len && (x->flags & TXR_PSH))
		flags |= TH_PSH;
	r = tcp_xmit(t, seq, len, flags);
	if (r < 0)
		return false;
	if ((u32)r < len && !txr_split(t, x, seq + (u32)r))
		return false;
	t->total_retrans++;
	t->st.bytes_retrans += (u32)r;
	MIB(t->ep.stack, Tcp_RetransSegs);
	return true;
}

/* ------------------------------------------------------ without an endpoint */

bool tcp_opts_echo(struct stack *s, const struct pktbuf *p, struct ip4_opts *ret)
{
	*ret = (struct ip4_opts){ 0 };
	return !p->ext || !ip_is4(&p->dst) || ip4opt_echo(s, (const struct ip4_opts *)(const void *)p->ext->data, ret);
}

void tcp_send_reply(struct stack *s, struct rt *rt, const struct tcp_reply *r)
{
	struct ip_tx ip = { .src = r->key.laddr, .dst = r->key.raddr, .proto = IPPROTO_TCP,
			    .tos = r->tos, .df = true };
	struct tcp_hdr h = { .sport = r->key.lport, .dport = r->key.rport, .seq = r->seq, .ack = r->ack,
			     .flags = r->flags, .wnd = r->wnd };
	struct pktbuf *p;
	u8 ob[40], room[IP4OPT_MAX];
	size_t on;

	if ((!rt->valid || rt->gen != stack_gen(s)) &&
	    rt_lookup(s, &r->key.raddr, &r->key.laddr, 0, RT_NO_SRC_CHECK, rt) < 0)
		return;
	p = pkt_new(s->pool);
	if (!p)
		return;
	on = tcp_emit_opts(ob, &r->o);
	memcpy(pkt_push(p, on), ob, on);
	h.hlen = (u8)(TCP_HLEN + on);
	tcp_emit(pkt_push(p, TCP_HLEN), &h);
	ip_csum_begin(p, 16, &r->key.laddr, &r->key.raddr, IPPROTO_TCP);
	ip.ttl = (u8)(ip_is4(&ip.dst) ? s->sysctl.ttl[0] : s->sysctl.hlim[0]);
	if (r->opts4 && r->opts4->len)
		ip4opt_put(s, r->opts4, &ip.dst, &ip, room);
	if (!ip_is4(&ip.dst))
		ip.ext = r->ext6;
	p->flow = conn_hash(s, &r->key);
	MIB(s, Tcp_OutSegs);
	if (r->flags & TH_RST)
		MIB(s, Tcp_OutRsts);
	ip_output(s, rt, p, &ip);
}

void tcp_rst_stray(struct nic *n, struct pktbuf *p, const struct tcp_seg *g)
{
	struct ip4_opts opts;
	struct tcp_reply r = { .flags = TH_RST, .opts4 = &opts };
	struct rt rt = { 0 };

	if ((g->h.flags & TH_RST) || (p->flags & (PKT_MCAST | PKT_BCAST)))
		return;
	if (!tcp_opts_echo(n->stack, p, &opts))
		return;
	r.key = (struct connkey){ p->dst, p->src, g->h.dport, g->h.sport };
	if (g->h.flags & TH_ACK) {
		r.seq = g->h.ack;
	} else {
		r.flags |= TH_ACK;
		r.ack = g->end;
	}
	if (ip_needs_scope(&p->src) &&
	    rt_lookup(n->stack, &p->src, &p->dst, n->ifindex, RT_NO_SRC_CHECK, &rt) < 0)
		return;
	tcp_send_reply(n->stack, &rt, &r);
}
