/*
 * ctproto.c - what conntrack knows of protocols: tuples, TCP's states, lifetimes, ICMP errors.
 *
 * TCP is followed by flags only: sequence numbers are not checked (Linux with
 * nf_conntrack_tcp_be_liberal), and a connection may be picked up in the middle (nf_conntrack_tcp_loose).
 */
#include <errno.h>
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"
#include "netstack/wire/tcp.h"
#include "netstack/wire/udp.h"

#define SEC 1000000000ull
#define STREAM_AFTER (2 * SEC)          /* a UDP exchange that lasts longer is a stream */

static bool is_query4(u8 type) { return type == 8 || type == 0 || (type >= 13 && type <= 18); }

/* The answer to an ICMP query, by type; 0xff: it has none. */
static u8 answer_of(u8 type, bool v6)
{
	if (v6)
		return type == ICMP6_ECHO ? ICMP6_ECHOREPLY : type == ICMP6_ECHOREPLY ? ICMP6_ECHO : 0xff;
	switch (type) {
	case 8: return 0;
	case 0: return 8;
	case 13: case 15: case 17: return (u8)(type + 1);
	case 14: case 16: case 18: return (u8)(type - 1);
	default: return 0xff;
	}
}

bool nfct_tuple_of(struct pktbuf *p, u32 l4, u8 proto, const struct ipaddr *src, const struct ipaddr *dst,
		   struct nfct_tuple *ret)
{
	u8 b[8];

	memset(ret, 0, sizeof(*ret));
	ret->src = *src;
	ret->dst = *dst;
	ret->proto = proto;
	switch (proto) {
	case IPPROTO_TCP: case IPPROTO_UDP: case IPPROTO_UDPLITE: case IPPROTO_SCTP: case IPPROTO_DCCP:
		if (l4 > p->len || p->len - l4 < 4)
			return false;
		pkt_copy(p, l4, b, 4);
		ret->sport = get_be16(b);
		ret->dport = get_be16(b + 2);
		return true;
	case IPPROTO_ICMP: case IPPROTO_ICMPV6:
		if (l4 > p->len || p->len - l4 < 8)
			return false;
		pkt_copy(p, l4, b, 8);
		ret->sport = get_be16(b + 4);
		ret->dport = get_be16(b);
		return true;
	default:
		return true;
	}
}

bool nfct_invert(const struct nfct_tuple *t, struct nfct_tuple *ret)
{
	struct nfct_tuple o = { .src = t->dst, .dst = t->src, .sport = t->dport, .dport = t->sport, .proto = t->proto };
	bool v6 = t->proto == IPPROTO_ICMPV6;

	if (t->proto == IPPROTO_ICMP || v6) {
		u8 a = answer_of((u8)(t->dport >> 8), v6);

		if (a == 0xff)
			return false;
		o.sport = t->sport;
		o.dport = (u16)(a << 8 | (t->dport & 0xff));
	}
	*ret = o;
	return true;
}

/* ---- TCP ---- */

static u32 tcp_seconds(struct stack *s, u8 state)
{
	const struct net_sysctl *c = &s->sysctl;

	switch (state) {
	case TCT_SYN_SENT: case TCT_SYN_SENT2: return (u32)c->ct_syn_sent[0];
	case TCT_SYN_RECV: return (u32)c->ct_syn_recv[0];
	case TCT_ESTABLISHED: return (u32)c->ct_established[0];
	case TCT_FIN_WAIT: return (u32)c->ct_fin_wait[0];
	case TCT_CLOSE_WAIT: return (u32)c->ct_close_wait[0];
	case TCT_LAST_ACK: return (u32)c->ct_last_ack[0];
	case TCT_TIME_WAIT: return (u32)c->ct_time_wait[0];
	default: return (u32)c->ct_close[0];
	}
}

static bool tcp_flags(struct pktbuf *p, u8 *ret)
{
	u8 b[TCP_HLEN];
	u32 l4 = p->l4_off;

	if (l4 > p->len || p->len - l4 < TCP_HLEN)
		return false;
	pkt_copy(p, l4, b, sizeof(b));
	if ((b[12] >> 4) * 4u < TCP_HLEN || (b[12] >> 4) * 4u > p->len - l4)
		return false;
	*ret = b[13];
	return true;
}

static bool tcp_flags_sane(u8 f)
{
	f &= TH_FIN | TH_SYN | TH_RST | TH_ACK | TH_URG;
	switch (f & (u8)~TH_URG) {
	case TH_SYN: case TH_ACK: case TH_FIN | TH_ACK:
		return true;
	case TH_SYN | TH_ACK: case TH_RST: case TH_RST | TH_ACK:
		return !(f & TH_URG);
	default:
		return false;
	}
}

/* The state after a packet with flags @f from direction @dir; -1: it does not belong. */
static int tcp_step(struct nfct *ct, int dir, u8 f)
{
	u8 st = ct->state;

	if (f & TH_RST)
		return st == TCT_NONE ? -1 : TCT_CLOSE;
	if ((f & (TH_SYN | TH_ACK)) == (TH_SYN | TH_ACK)) {
		if (st == TCT_NONE)
			return -1;
		if (dir == CT_REPLY && (st == TCT_SYN_SENT || st == TCT_SYN_SENT2))
			return TCT_SYN_RECV;
		return dir == CT_ORIG && st == TCT_SYN_SENT2 ? TCT_SYN_RECV : st;
	}
	if (f & TH_SYN) {
		if (st == TCT_NONE)
			return TCT_SYN_SENT;
		return dir == CT_REPLY && st == TCT_SYN_SENT ? TCT_SYN_SENT2 : st;
	}
	if (f & TH_FIN) {
		if (st == TCT_NONE || st == TCT_SYN_RECV || st == TCT_ESTABLISHED) {
			ct->fin_dir = (u8)dir;
			return TCT_FIN_WAIT;
		}
		if (st == TCT_FIN_WAIT || st == TCT_CLOSE_WAIT)
			return dir == ct->fin_dir ? st : TCT_LAST_ACK;
		return st == TCT_SYN_SENT ? -1 : st;
	}
	switch (st) {
	case TCT_NONE: case TCT_SYN_RECV:
		return TCT_ESTABLISHED;
	case TCT_SYN_SENT:
		return dir == CT_REPLY ? -1 : st;
	case TCT_FIN_WAIT:
		return dir == ct->fin_dir ? st : TCT_CLOSE_WAIT;
	case TCT_LAST_ACK:
		return dir == ct->fin_dir ? TCT_TIME_WAIT : st;
	default:
		return st;
	}
}

static int tcp_packet(struct stack *s, struct nfct *ct, int dir, struct pktbuf *p, u64 now)
{
	int next;
	u8 f;

	if (!tcp_flags(p, &f))
		return -1;
	if ((f & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && dir == CT_ORIG &&
	    (ct->state == TCT_TIME_WAIT || ct->state == TCT_CLOSE))
		return 1;
	if ((f & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && dir == CT_REPLY && ct->state == TCT_TIME_WAIT)
		return 1;
	next = tcp_step(ct, dir, f);
	if (next < 0)
		return -1;
	if (next == TCT_ESTABLISHED && (ct->status & CT_SEEN_REPLY || dir == CT_REPLY))
		ct->status |= CT_ASSURED;
	ct->state = (u8)next;
	ct->expires = now + tcp_seconds(s, (u8)next) * SEC;
	/* Picked up in the middle and never answered: no five days. */
	if (next == TCT_ESTABLISHED && !(ct->status & CT_ASSURED))
		ct->expires = now + MIN(tcp_seconds(s, TCT_ESTABLISHED), 300u) * SEC;
	return 0;
}

int nfct_packet(struct stack *s, struct nfct *ct, int dir, struct pktbuf *p)
{
	u64 now = stack_now(s);
	u32 secs = (u32)s->sysctl.ct_generic[0];

	switch (p->proto) {
	case IPPROTO_TCP:
		return tcp_packet(s, ct, dir, p, now);
	case IPPROTO_UDP:
		secs = (u32)s->sysctl.ct_udp[0];
		if ((ct->status & CT_SEEN_REPLY || dir == CT_REPLY) && now - ct->born > STREAM_AFTER) {
			ct->status |= CT_ASSURED;
			secs = (u32)s->sysctl.ct_udp_stream[0];
		}
		break;
	case IPPROTO_ICMP: case IPPROTO_ICMPV6:
		secs = (u32)s->sysctl.ct_icmp[0];
		break;
	default:
		break;
	}
	ct->expires = now + secs * SEC;
	return 0;
}

/* ---- headers ---- */

static bool icmp_sane(struct pktbuf *p, bool check_csum)
{
	if (!check_csum || (p->flags & (PKT_LOOPED | PKT_CSUM_OK)))
		return true;
	if (p->proto == IPPROTO_ICMPV6)
		return ip_csum_ok(p, IPPROTO_ICMPV6);
	return csum_fold(pkt_csum(p, p->l4_off, p->len - p->l4_off)) == 0;
}

bool nfct_sane(struct pktbuf *p, bool check_csum)
{
	u8 b[8], f;

	if (p->l4_off > p->len)
		return false;
	switch (p->proto) {
	case IPPROTO_TCP:
		return tcp_flags(p, &f) && tcp_flags_sane(f) &&
		       (!check_csum || (p->flags & PKT_CSUM_PARTIAL) || ip_csum_ok(p, IPPROTO_TCP));
	case IPPROTO_UDP:
		if (p->len - p->l4_off < UDP_HLEN)
			return false;
		pkt_copy(p, p->l4_off, b, sizeof(b));
		if (!p->gso_size && (get_be16(b + 4) < UDP_HLEN || get_be16(b + 4) > p->len - p->l4_off))
			return false;
		return !check_csum || (b[6] | b[7]) == 0 || (p->flags & PKT_CSUM_PARTIAL) || ip_csum_ok(p, IPPROTO_UDP);
	case IPPROTO_ICMP: case IPPROTO_ICMPV6:
		return p->len - p->l4_off >= ICMP_HLEN && icmp_sane(p, check_csum);
	default:
		return true;
	}
}

bool nfct_is_icmp_error(const struct pktbuf *p)
{
	u8 t;

	if ((p->proto != IPPROTO_ICMP && p->proto != IPPROTO_ICMPV6) || p->l4_off >= p->len)
		return false;
	pkt_copy(p, p->l4_off, &t, 1);
	if (p->proto == IPPROTO_ICMPV6)
		return t < 128;
	return t == ICMP4_UNREACH || t == ICMP4_QUENCH || t == ICMP4_REDIRECT || t == ICMP4_TIMEX || t == ICMP4_PARAM;
}

bool nfct_inner(struct pktbuf *p, struct nfct_inner *ret)
{
	struct ip6_problem prob;
	struct ip6_chain c;
	u8 b[PKT_HDR_MAX];
	u32 at = p->l4_off + ICMP_HLEN, k;

	if (at >= p->len)
		return false;
	k = MIN(p->len - at, (u32)sizeof(b));
	pkt_copy(p, at, b, k);
	ret->ip = at;
	if (p->proto == IPPROTO_ICMP) {
		u32 hl = (b[0] & 15) * 4u;

		if (k < IP4_HLEN || b[0] >> 4 != 4 || hl < IP4_HLEN || k < hl + 8 || get_be16(b + 6) & IP4_OFFMASK)
			return false;
		ret->src = ip_from4(b + 12);
		ret->dst = ip_from4(b + 16);
		ret->proto = b[9];
		ret->l4 = at + hl;
		return ret->proto != IPPROTO_ICMP || is_query4(b[hl]);
	}
	if (k < IP6_HLEN || b[0] >> 4 != 6 || ip6_walk(b, k, false, &c, &prob) < 0 || c.proto == IP6_NH_FRAGMENT ||
	    c.off + 8 > k)
		return false;
	ret->src = ip_from6(b + 8);
	ret->dst = ip_from6(b + 24);
	ret->proto = c.proto;
	ret->l4 = at + c.off;
	return true;
}
