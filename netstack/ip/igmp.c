/*
 * igmp.c - telling routers which groups we want: IGMPv2/v3 (RFC 2236, 3376)
 * and MLDv2 (RFC 3810).
 *
 * Joining sends an unsolicited report, leaving a leave; a query is answered at
 * once for every group (a host has few).  Reports are v3/v2-style "exclude
 * nothing" records, except towards IGMPv2 queriers.
 */
#include <netinet/in.h>
#include "netstack/core/ep.h"
#include "netstack/core/nic.h"
#include "netstack/core/rtnl.h"
#include "netstack/core/stack.h"
#include "netstack/ip/ip.h"
#include "netstack/wire/csum.h"
#include "netstack/wire/icmp.h"
#include "netstack/wire/ip4.h"

enum { IGMP_QUERY = 0x11, IGMP_V2_REPORT = 0x16, IGMP_LEAVE = 0x17, IGMP_V3_REPORT = 0x22 };
enum { REC_IS_EXCLUDE = 2, REC_TO_INCLUDE = 3, REC_TO_EXCLUDE = 4 };

static void send4(struct nic *n, const struct ipaddr *dst, const u8 *msg, size_t len)
{
	static const u8 alert[4] = { 0x94, 4, 0, 0 };
	struct ip_tx t = { .dst = *dst, .proto = IPPROTO_IGMP, .ttl = 1, .tos = 0xc0, .df = true,
			   .opts = alert, .opts_len = 4 };
	struct rt rt = { .nic = n, .nexthop = *dst, .mtu = n->mtu, .type = RTN_MULTICAST, .valid = true };
	struct pktbuf *p = pkt_from(n->stack->pool, msg, len);
	u16 sum;

	if (!p)
		return;
	t.src = ip_any4();
	addr_pick(n->stack, n, dst, &t.src);
	sum = csum_fold(pkt_csum(p, 0, len));
	memcpy(pkt_data(p) + 2, &sum, 2);
	ip_output(n->stack, &rt, p, &t);
}

static void record4(struct nic *n, const struct ipaddr *g, u8 type)
{
	struct ipaddr all3 = ip_from4n(0xe0000016);
	u8 m[16] = { IGMP_V3_REPORT };

	m[7] = 1;
	m[8] = type;
	memcpy(m + 12, g->b + 12, 4);
	send4(n, &all3, m, sizeof(m));
}

void igmp_report(struct nic *n, const struct ipaddr *g, bool join)
{
	record4(n, g, join ? REC_TO_EXCLUDE : REC_TO_INCLUDE);
}

void igmp_rx(struct nic *n, struct pktbuf *p)
{
	struct ipaddr asked, g;
	u32 len = p->len - p->l4_off;
	unsigned i;
	u8 m[8];

	if (len < 8 || csum_fold(pkt_csum(p, p->l4_off, len)) != 0)
		return;
	pkt_copy(p, p->l4_off, m, 8);
	if (m[0] != IGMP_QUERY)
		return;
	asked = ip_from4(m + 4);
	for (i = 0; mc_nth_group(n, i, &g); i++) {
		if (!ip_is4(&g) || (!ip_is_any(&asked) && !ip_eq(&asked, &g)))
			continue;
		if (len >= 12) {
			record4(n, &g, REC_IS_EXCLUDE);
		} else {
			u8 r[8] = { IGMP_V2_REPORT };

			memcpy(r + 4, g.b + 12, 4);
			send4(n, &g, r, sizeof(r));
		}
	}
}

static void record6(struct nic *n, const struct ipaddr *g, u8 type)
{
	struct ipaddr all = { { 0xff, 2, [15] = 0x16 } }, src = ip_any6();
	u8 m[28] = { MLD2_REPORT };

	m[7] = 1;
	m[8] = type;
	memcpy(m + 12, g->b, 16);
	addr_pick(n->stack, n, &all, &src);
	icmp6_send(n, &src, &all, 1, m, sizeof(m), true);
}

void mld_report(struct nic *n, const struct ipaddr *g, bool join)
{
	if (ip_is_ll_mcast6(g) && (g->b[1] & 15) <= 1)
		return;
	record6(n, g, join ? REC_TO_EXCLUDE : REC_TO_INCLUDE);
}

void mld_rx(struct nic *n, struct pktbuf *p, u8 type)
{
	struct ipaddr asked, g;
	unsigned i;
	u8 m[24];

	if (type != MLD_QUERY || p->ttl != 1 || !ip_is_linklocal(&p->src) || p->len - p->l4_off < 24u)
		return;
	pkt_copy(p, p->l4_off, m, sizeof(m));
	asked = ip_from6(m + 8);
	for (i = 0; mc_nth_group(n, i, &g); i++)
		if (!ip_is4(&g) && (ip_is_any(&asked) || ip_eq(&asked, &g)))
			record6(n, &g, REC_IS_EXCLUDE);
}
