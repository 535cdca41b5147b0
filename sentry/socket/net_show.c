/*
 * net_show.c - texts of proc(5) "net": the layouts are Linux', columns and padding included.
 */
#include "sentry/socket/net_show.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "netstack/api.h"
#include "platform/base/str.h"
#include "sentry/kernel/kernel.h"
#include "sentry/socket/net.h"

#define TCP_ROW 149             /* rows are padded to these widths */
#define UDP_ROW 127
#define LISTEN 10

static bool is_v4(const struct ipaddr *ip)
{
	static const u8 prefix[12] = { [10] = 0xff, 0xff };

	return !memcmp(ip->b, prefix, sizeof(prefix));
}

static u32 word(const struct ipaddr *ip, int i)
{
	u32 w;

	memcpy(&w, ip->b + 4 * i, sizeof(w));
	return w;
}

static void put_hex(struct strbuf *out, const struct ipaddr *ip)
{
	for (int i = 0; i < 16; i++)
		strbuf_printf(out, "%02x", ip->b[i]);
}

void net_show_dev(struct net *n, struct strbuf *out)
{
	struct stack *st = net_stack(n);
	struct link_info l = { 0 };

	strbuf_puts(out, "Inter-|   Receive                                                |  Transmit\n"
		    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo"
		    " colls carrier compressed\n");
	while (st && link_next(st, l.ifindex, &l) == 0)
		strbuf_printf(out, "%6s: %7lu %7lu %4lu %4lu %4u %5u %10u %9lu %8lu %7lu %4lu %4lu %4u %5u %7u %10u\n",
			      l.name, l.rx_bytes, l.rx_packets, l.rx_errors, l.rx_dropped, 0, 0, 0, l.multicast,
			      l.tx_bytes, l.tx_packets, l.tx_errors, l.tx_dropped, 0, 0, 0, 0);
}

/* ---- sockets ---- */

struct rows { struct strbuf *out; int family, width; unsigned i; bool tcp; };

static void put_end(struct strbuf *b, const struct ipaddr *ip, u32 port, bool v6)
{
	if (v6)
		strbuf_printf(b, "%08X%08X%08X", word(ip, 0), word(ip, 1), word(ip, 2));
	strbuf_printf(b, "%08X:%04X ", is_v4(ip) || v6 ? word(ip, 3) : 0, port);
}

static int put_row(void *arg, const struct ep_info *e)
{
	struct rows *r = arg;
	bool v6 = r->family == AF_INET6;
	char room[320];
	struct strbuf b;

	if (e->family != r->family)
		return 0;
	strbuf_fixed(&b, room, sizeof(room));
	strbuf_printf(&b, "%4u: ", r->i++);
	put_end(&b, &e->local.ip, e->type == 3 ? e->proto : e->local.port, v6);
	put_end(&b, &e->remote.ip, e->remote.port, v6);
	/* A listener's wqueue is its backlog, which sock_diag tells and this does not; timers are in ticks of 1/100 s. */
	strbuf_printf(&b, "%02X %08X:%08X %02X:%08lX %08X %5u %8d %lu %d %016lx", e->state,
		      e->state == LISTEN ? 0 : e->wqueue, e->rqueue,
		      e->timer, e->timer ? e->timer_ns / 10000000 : 0, e->retrans, e->uid, 0, e->ino, 1, 0L);
	if (r->tcp)
		strbuf_printf(&b, " %u %u %u %u %d", 20u, 4u, 0u, 10u, -1);
	else
		strbuf_printf(&b, " %u", e->drops);
	strbuf_printf(r->out, "%-*s\n", v6 ? 0 : r->width, room);
	return 0;
}

#define HEAD4 "local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
#define HEAD6 "local_address                         remote_address                        st tx_queue rx_queue" \
	" tr tm->when retrnsmt   uid  timeout inode"

static void put_sockets(struct net *n, struct strbuf *out, int proto, bool v6, const char *tail)
{
	bool tcp = proto == IPPROTO_TCP;
	struct rows r = { out, v6 ? AF_INET6 : AF_INET, tcp ? TCP_ROW : UDP_ROW, 0, tcp };
	struct stack *st = net_stack(n);
	char head[192];

	snprintf(head, sizeof(head), "%s  sl  %s%s", proto == IPPROTO_UDP && !v6 ? " " : "", v6 ? HEAD6 : HEAD4, tail);
	strbuf_printf(out, "%-*s\n", v6 ? 0 : r.width, head);
	if (st)
		(void)!ep_dump(st, proto, put_row, &r);
}

void net_show_tcp(struct net *n, struct strbuf *out, bool v6) { put_sockets(n, out, IPPROTO_TCP, v6, ""); }

void net_show_udp(struct net *n, struct strbuf *out, bool v6)
{
	put_sockets(n, out, IPPROTO_UDP, v6, " ref pointer drops");
}

void net_show_raw(struct net *n, struct strbuf *out, bool v6)
{
	put_sockets(n, out, IPPROTO_RAW, v6, " ref pointer drops");
}

struct count { int family; unsigned n, waiting; };

static int count_one(void *arg, const struct ep_info *e)
{
	struct count *c = arg;

	if (e->family == c->family) {
		c->n++;
		c->waiting += e->state == 6;    /* TIME_WAIT */
	}
	return 0;
}

static struct count count(struct stack *st, int proto, int family)
{
	struct count c = { .family = family };

	if (st)
		(void)!ep_dump(st, proto, count_one, &c);
	return c;
}

void net_show_sockstat(struct net *n, struct strbuf *out, bool v6)
{
	struct stack *st = net_stack(n);
	int family = v6 ? AF_INET6 : AF_INET;
	struct count tcp = count(st, IPPROTO_TCP, family), udp = count(st, IPPROTO_UDP, family);
	struct count raw = count(st, IPPROTO_RAW, family);

	if (v6) {
		strbuf_printf(out, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\n"
			      "FRAG6: inuse 0 memory 0\n", tcp.n - tcp.waiting, udp.n, raw.n);
		return;
	}
	strbuf_printf(out, "sockets: used %u\nTCP: inuse %u orphan 0 tw %u alloc %u mem 0\nUDP: inuse %u mem 0\n"
		      "UDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n", tcp.n + udp.n + raw.n,
		      tcp.n - tcp.waiting, tcp.waiting, tcp.n - tcp.waiting, udp.n, raw.n);
}

/*
 * /proc/net/protocols: sizes and which calls a protocol has are as in Linux 6.12, sockets are counted, memory is
 * not.  UNIX and NETLINK are not the stack's, and have no row.
 */
void net_show_protocols(struct net *n, struct strbuf *out)
{
	static const struct {
		const char *name;
		int proto, family;
		u32 size, maxhdr;
		bool press, slab;
		const char *calls;
	} rows[] = {
		{ "PACKET", 0, AF_PACKET, 1536, 0, false, false, "nnnnnnnnnnnnnnnnnn" },
		{ "RAWv6", IPPROTO_RAW, AF_INET6, 1216, 0, false, true, "yyynyyynyyyyyyyynn" },
		{ "UDPv6", IPPROTO_UDP, AF_INET6, 1408, 0, false, true, "yyynyyynyyyynnyyyn" },
		{ "TCPv6", IPPROTO_TCP, AF_INET6, 2432, 192, true, true, "yyyyyyyyyyyynyyyyy" },
		{ "RAW", IPPROTO_RAW, AF_INET, 1024, 0, false, true, "yyynyyynyyyyyyyynn" },
		{ "UDP", IPPROTO_UDP, AF_INET, 1216, 0, false, true, "yyynyyynyyyynnyyyn" },
		{ "TCP", IPPROTO_TCP, AF_INET, 2304, 192, true, true, "yyyyyyyyyyyynyyyyy" },
	};
	struct stack *st = net_stack(n);
	struct count c;
	size_t i, j;

	strbuf_puts(out, "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		c = count(st, rows[i].proto, rows[i].family);
		strbuf_printf(out, "%-9s %4u %6u  %6d   %-3s %6u   %-3s  %-10s", rows[i].name, rows[i].size, c.n - c.waiting,
			      rows[i].proto == IPPROTO_TCP || rows[i].proto == IPPROTO_UDP ? 0 : -1,
			      rows[i].press ? "no" : "NI", rows[i].maxhdr, rows[i].slab ? "yes" : "no", "kernel");
		for (j = 0; rows[i].calls[j]; j++)
			strbuf_printf(out, "%3c", rows[i].calls[j]);
		strbuf_puts(out, "\n");
	}
}

/* ---- tables ---- */

static const char *name_of(struct stack *st, u32 ifindex, struct link_info *l)
{
	return ifindex && link_get(st, ifindex, l) == 0 ? l->name : "*";
}

void net_show_route(struct net *n, struct strbuf *out)
{
	struct stack *st = net_stack(n);
	struct link_info l;
	struct route_info r;
	char row[160];

	snprintf(row, sizeof(row), "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	strbuf_printf(out, "%-127s\n", row);
	for (unsigned i = 0; st && route_nth(st, i, &r) == 0; i++) {
		u8 mask[4] = { 0 };
		u32 m;

		if (r.family != AF_INET || r.table != RT_TABLE_MAIN || r.plen > 32)
			continue;
		for (int bit = 0; bit < r.plen; bit++)
			mask[bit / 8] |= (u8)(0x80 >> bit % 8);
		memcpy(&m, mask, sizeof(m));
		snprintf(row, sizeof(row), "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%u\t%u\t%u",
			 name_of(st, r.ifindex, &l), r.plen ? word(&r.dst, 3) : 0, r.has_gw ? word(&r.gw, 3) : 0,
			 RTF_UP | (r.has_gw ? RTF_GATEWAY : 0) | (r.plen == 32 ? RTF_HOST : 0), 0, 0u, r.metric, m,
			 r.mtu, 0u, 0u);
		strbuf_printf(out, "%-127s\n", row);
	}
}

void net_show_route6(struct net *n, struct strbuf *out)
{
	static const struct ipaddr none;
	struct stack *st = net_stack(n);
	struct link_info l;
	struct route_info r;

	for (unsigned i = 0; st && route_nth(st, i, &r) == 0; i++) {
		if (r.family != AF_INET6)
			continue;
		put_hex(out, &r.dst);
		strbuf_printf(out, " %02x ", r.plen);
		put_hex(out, &none);
		strbuf_puts(out, " 00 ");
		put_hex(out, r.has_gw ? &r.gw : &none);
		strbuf_printf(out, " %08x %08x %08x %08x %8s\n", r.metric, 1, 0,
			      RTF_UP | (r.has_gw ? RTF_GATEWAY : 0), name_of(st, r.ifindex, &l));
	}
}

void net_show_if_inet6(struct net *n, struct strbuf *out)
{
	struct stack *st = net_stack(n);
	struct link_info l;
	struct addr_info a;

	for (unsigned i = 0; st && addr_nth(st, i, &a) == 0; i++) {
		if (is_v4(&a.ip))
			continue;
		put_hex(out, &a.ip);
		strbuf_printf(out, " %02x %02x %02x %02x %8s\n", a.ifindex, a.plen,
			      a.scope == RT_SCOPE_HOST ? 0x10 : a.scope == RT_SCOPE_LINK ? 0x20 : 0,
			      a.flags & 0xff, name_of(st, a.ifindex, &l));
	}
}

void net_show_arp(struct net *net, struct strbuf *out)
{
	struct stack *st = net_stack(net);
	struct link_info l;
	struct neigh_info n;

	strbuf_puts(out, "IP address       HW type     Flags       HW address            Mask     Device\n");
	for (unsigned i = 0; st && neigh_nth(st, i, &n) == 0; i++) {
		const u8 *ip = n.ip.b + 12, *m = n.mac;
		bool valid = n.state & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE);
		char text[16];

		if (!is_v4(&n.ip) || (n.state & NUD_NOARP))
			continue;
		snprintf(text, sizeof(text), "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		strbuf_printf(out, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", text,
			      ARPHRD_ETHER, (valid ? ATF_COM : 0) | (n.state & NUD_PERMANENT ? ATF_PERM : 0), m[0], m[1],
			      m[2], m[3], m[4], m[5], name_of(st, n.ifindex, &l));
	}
}

/* ---- counters and settings ---- */

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), t = strlen(tail);

	return n >= t && !strcmp(s + n - t, tail);
}

void net_show_counters(struct net *n, struct strbuf *out, bool ext)
{
	struct stack *st = net_stack(n);
	struct stack_counter first, c;
	unsigned i = 0;

	while (st && stack_counter(st, i, &first) == 0 && first.group) {
		unsigned from = i, end = i;

		while (stack_counter(st, end, &c) == 0 && c.group && !strcmp(c.group, first.group))
			end++;
		if (ends_with(first.group, "Ext") == ext && !ends_with(first.group, "6")) {
			strbuf_printf(out, "%s:", first.group);
			for (i = from; i < end && stack_counter(st, i, &c) == 0; i++)
				strbuf_printf(out, " %s", c.name);
			strbuf_printf(out, "\n%s:", first.group);
			for (i = from; i < end && stack_counter(st, i, &c) == 0; i++)
				strbuf_printf(out, " %lu", c.value);
			strbuf_putc(out, '\n');
		}
		i = end;
	}
}

void net_show_counters6(struct net *n, struct strbuf *out)
{
	struct stack *st = net_stack(n);
	struct stack_counter c;

	for (unsigned i = 0; st && stack_counter(st, i, &c) == 0 && c.group; i++) {
		char name[64];

		if (!ends_with(c.group, "6"))
			continue;
		snprintf(name, sizeof(name), "%s%s", c.group, c.name);
		strbuf_printf(out, "%-32s\t%lu\n", name, c.value);
	}
}

const char *net_sysctl_name(struct net *n, unsigned i) { return net_stack(n) ? stack_sysctl_name(i) : NULL; }

int net_sysctl_show(struct net *n, const char *name, struct strbuf *out)
{
	char text[1024];
	int r = stack_sysctl_get(net_stack(n), name, text, sizeof(text));

	if (r == 0)
		strbuf_puts(out, text);
	return r;
}

int net_sysctl_store(struct net *n, const char *name, const char *text)
{
	return stack_sysctl_set(net_stack(n), name, text);
}
