/*
 * fuzz_netfilter.c - a hostile guest at iptables: tables that lie, and packets through those that are taken.
 *
 * The input patches a table that is right (so that checks behind the first are reached), or is a table whole;
 * what is accepted is read back, and packets of the input pass it: over the wire, over loopback, forwarded.
 * Whatever happens, every hook ends, and the table that is read back is the one that was set.
 */
#include "tests/fuzz/fuzz_net.h"
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#define BLOB_MAX 4096

struct table { u32 len; bool v6; union { struct ipt_replace h; u8 b[sizeof(struct ipt_replace) + BLOB_MAX]; } u; };

static u8 *room(struct table *t, u32 n)
{
	u8 *p = t->u.b + sizeof(t->u.h) + t->len;

	fuzz_must(t->len + n <= BLOB_MAX);
	memset(p, 0, n);
	t->len += n;
	return p;
}

/* An entry: one match or none, one target. */
static void entry(struct table *t, u8 proto, const char *match, u8 mrev, u32 msize, const char *target, u8 trev, u32 tsize)
{
	u32 es = t->v6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry), m = match ? 32 + ALIGN_UP(msize, 8u) : 0;
	u32 ts = 32 + ALIGN_UP(tsize, 8u);
	u8 *p = room(t, es + m + ts);
	struct xt_entry_match *xm = (struct xt_entry_match *)(p + es);
	struct xt_entry_target *xt = (struct xt_entry_target *)(p + es + m);
	u16 off[2] = { (u16)(es + m), (u16)(es + m + ts) };

	memcpy(p + (t->v6 ? offsetof(struct ip6t_entry, target_offset) : offsetof(struct ipt_entry, target_offset)), off, 4);
	if (t->v6) {
		((struct ip6t_entry *)p)->ipv6.proto = proto;
		((struct ip6t_entry *)p)->ipv6.flags = proto ? IP6T_F_PROTO : 0;
	} else {
		((struct ipt_entry *)p)->ip.proto = proto;
	}
	if (m) {
		xm->u.match_size = (u16)m;
		memcpy(xm->u.user.name, match, strlen(match));
		xm->u.user.revision = mrev;
	}
	xt->u.target_size = (u16)ts;
	memcpy(xt->u.user.name, target, strlen(target));
	xt->u.user.revision = trev;
	t->u.h.num_entries++;
}

static void verdict(struct table *t, int v) { memcpy(t->u.b + sizeof(t->u.h) + t->len - 8, &v, sizeof(v)); }

/* A table that is right; which matches and targets are in it is @k's choice. */
static void build(struct table *t, bool v6, const u8 *k)
{
	static const struct { const char *name; u8 rev; u16 size; u8 proto; } m[] = {
		{ "tcp", 0, 12, 6 }, { "udp", 0, 10, 17 }, { "multiport", 1, 48, 6 }, { "conntrack", 3, 164, 0 },
		{ "state", 0, 4, 0 }, { "limit", 0, 40, 0 }, { "mark", 1, 12, 0 }, { "iprange", 1, 68, 0 },
		{ "length", 0, 6, 0 }, { "statistic", 0, 24, 0 }, { "addrtype", 1, 8, 0 }, { "icmp", 0, 4, 1 },
		{ "icmp6", 0, 4, 58 }, { "connmark", 1, 12, 0 }, { "comment", 0, 256, 0 }, { "pkttype", 0, 8, 0 },
	};
	static const struct { const char *name; u8 rev; u16 size; } g[] = {
		{ "", 0, 4 }, { "DNAT", 1, 40 }, { "DNAT", 2, 44 }, { "REDIRECT", 0, 40 }, { "MARK", 2, 8 }, { "LOG", 0, 32 },
		{ "CONNMARK", 1, 16 }, { "NETMAP", 0, 40 }, { "DNAT", 0, 20 }, { "SNAT", 1, 40 }, { "MASQUERADE", 0, 40 },
		{ "REJECT", 0, 4 }, { "", 0, 4 }, { "", 0, 4 },
	};
	static const struct { const char *name; u32 hooks; } tab[] = {
		{ "filter", 14 }, { "nat", 27 }, { "mangle", 31 }, { "raw", 9 },
	};
	u32 which = k[0] & 3;

	memset(t, 0, sizeof(*t));
	t->v6 = v6;
	memcpy(t->u.h.name, tab[which].name, strlen(tab[which].name));
	t->u.h.valid_hooks = tab[which].hooks;
	for (u32 h = 0; h < 5; h++) {
		if (!(tab[which].hooks >> h & 1))
			continue;
		t->u.h.hook_entry[h] = t->len;
		if (k[1] >> h & 1) {
			u32 i = k[2 + h] % 16, j = (k[2 + h] >> 4) % 14;

			entry(t, m[i].proto, m[i].name, m[i].rev, m[i].size, g[j].name, g[j].rev, g[j].size);
			if (!g[j].name[0])
				verdict(t, k[7] & 1 ? -1 : -2);
		}
		t->u.h.underflow[h] = t->len;
		entry(t, 0, NULL, 0, 0, "", 0, 4);
		verdict(t, -2);
	}
	entry(t, 0, NULL, 0, 0, "ERROR", 0, 30);
	t->u.h.size = t->len;
	t->u.h.num_counters = 1;
}

static u32 entries_now(struct fuzz_net *n, struct table *t, struct ipt_getinfo *i)
{
	memset(i, 0, sizeof(*i));
	memcpy(i->name, t->u.h.name, sizeof(i->name));
	i->name[31] = 0;
	return nf_getsockopt(n->s, t->v6, 64, i, sizeof(*i)) == 0 ? i->num_entries : 1;
}

static void set(struct fuzz_net *n, struct table *t, size_t len)
{
	static u8 back[sizeof(struct ipt_get_entries) + BLOB_MAX];
	struct ipt_get_entries *g = (struct ipt_get_entries *)back;
	struct nf_old_counters old;
	struct ipt_getinfo i;

	t->u.h.num_counters = entries_now(n, t, &i);
	if (nf_setsockopt(n->s, t->v6, 64, t->u.b, len, &old) < 0)
		return;
	kfree(old.p);
	fuzz_must(entries_now(n, t, &i) == t->u.h.num_entries && i.size == t->u.h.size);
	memset(back, 0, sizeof(*g));
	memcpy(g->name, i.name, sizeof(g->name));
	g->size = i.size;
	fuzz_must(nf_getsockopt(n->s, t->v6, 65, back, sizeof(*g) + i.size) == 0);
}

static void traffic(struct fuzz_net *n, struct ep **e, const u8 *a, const u8 *p, size_t len)
{
	struct net_sa to = { .family = AF_INET, .port = (u16)(80 + (a[1] & 3)), .ip = fuzz_ip(false, a[2] & 1 ? 1 : 2) };
	u8 buf[FUZZ_MTU];
	struct fuzz_io io = { .io = { MIN(len, (size_t)64), fuzz_copy_in, NULL }, .p = buf, .left = sizeof(buf) };
	struct net_msg m = { .io = &io.io, .flags = MSG_DONTWAIT, .name = &to };
	static const u8 protos[] = { 6, 17, 1, 58 };
	size_t hl;

	len = MIN(len, sizeof(buf) - 40);
	if (a[0] & 1) {
		memcpy(buf, p, len);
		(void)!ep_send(e[0], &m);
		return;
	}
	hl = fuzz_ip_hdr(buf, a[0] & 2, protos[a[3] & 3], len, a[1], 0);
	memcpy(buf + hl, p, len);
	if (a[0] & 4 && !(a[0] & 2)) {                 /* for somebody else: forwarded */
		u16 c;

		buf[19] = a[2];
		buf[10] = buf[11] = 0;
		c = csum_fold(csum_bytes(buf, 20, 0));
		memcpy(buf + 10, &c, 2);
	}
	fuzz_net_rx(n, buf, hl + len);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static struct table t;
	struct fuzz_net w = { .rnd = 1 };
	struct ep *e[2];

	fuzz_net_init(&w);
	fuzz_must(stack_sysctl_set(w.s, "ipv4/ip_forward", "1") == 0);
	fuzz_must(stack_sysctl_set(w.s, "netfilter/nf_conntrack_max", "16") == 0);
	e[0] = fuzz_sock(&w, false, SOCK_DGRAM, 0, 80);
	e[1] = fuzz_sock(&w, false, SOCK_STREAM, 0, 81);
	fuzz_must(ep_listen(e[1], 4) == 0);
	while (n >= 10) {
		size_t len = MIN((size_t)p[9], n - 10);
		const u8 *d = p + 10;

		switch (p[0] & 3) {
		case 0: case 1:
			build(&t, p[8] & 1, p + 1);
			/* Patches: where, what. */
			for (size_t i = 0; i + 3 <= len && !(p[8] & 2); i += 3)
				t.u.b[(d[i] | (size_t)d[i + 1] << 8) % (sizeof(t.u.h) + t.len)] ^= d[i + 2];
			t.u.h.name[31] = 0;
			set(&w, &t, sizeof(t.u.h) + t.len);
			break;
		case 2:
			traffic(&w, e, p + 1, d, len);
			break;
		default:
			fuzz_net_time(&w, (u64)p[1] << 30);
		}
		p += 10 + len;
		n -= 10 + len;
	}
	ep_close(e[0]);
	ep_close(e[1]);
	fuzz_net_time(&w, 600000ull << 30);
	fuzz_must(nf_conntrack_count(w.s) == 0);
	stack_free(w.s);
	return 0;
}
