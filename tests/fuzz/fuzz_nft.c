/*
 * fuzz_nft.c - a hostile guest's batches of nf_tables: messages of attributes that are right in part, commits, dumps,
 * and packets through what is taken.
 *
 * The input is a list of steps; a step's bytes make the attributes of one message, nested as its kind wants them,
 * with values and lengths of the input's choice.  What is committed is read back to its end.
 */
#include "tests/fuzz/fuzz_net.h"
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netlink.h>

struct msg { u8 b[4096]; u32 len; };

static void attr(struct msg *m, u16 type, const void *v, size_t n)
{
	u16 h[2] = { (u16)(4 + n), type };

	if (m->len + 4 + ALIGN_UP(n, (size_t)4) > sizeof(m->b))
		return;
	memset(m->b + m->len, 0, 4 + ALIGN_UP(n, (size_t)4));
	memcpy(m->b + m->len, h, 4);
	memcpy(m->b + m->len + 4, v, n);
	m->len += 4 + (u32)ALIGN_UP(n, (size_t)4);
}

static void attr32(struct msg *m, u16 type, u32 v) { v = __builtin_bswap32(v); attr(m, type, &v, 4); }
static u32 nest(struct msg *m, u16 type) { u32 at = m->len; attr(m, type, "", 0); return at; }

static void nest_end(struct msg *m, u32 at)
{
	u16 n = (u16)(m->len - at);

	if (at + 2 <= m->len)
		memcpy(m->b + at, &n, 2);
}

static const char *const chains[] = { "INPUT", "OUTPUT", "a", "b", "c", "PREROUTING", "POSTROUTING", "FORWARD" };

/* One expression from eight bytes and what follows them. */
static void expr(struct msg *m, const u8 *d, const u8 *rest, size_t n)
{
	static const char *const names[] = { "cmp", "range", "bitwise", "payload", "meta", "limit", "immediate", "counter",
					     "match", "target", "immediate", "nosuch" };
	static const char *const xt[] = { "tcp", "udp", "multiport", "conntrack", "limit", "statistic", "REDIRECT", "DNAT",
					  "MASQUERADE", "REJECT", "MARK", "SNAT" };
	static const u16 sizes[] = { 12, 10, 48, 164, 40, 24, 20, 20, 20, 4, 8, 20 };
	static const u8 revs[] = { 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 2, 0 };
	u32 e = nest(m, 0x8000 | 1), x, y, k = d[0] % 12, j = d[1] % 12;
	u8 info[256] = { 0 };

	attr(m, NFTA_EXPR_NAME, names[k], strlen(names[k]) + 1);
	x = nest(m, 0x8000 | NFTA_EXPR_DATA);
	memcpy(info, rest, MIN(n, sizeof(info)));
	if (k == 8 || k == 9) {
		attr(m, NFTA_MATCH_NAME, xt[j], strlen(xt[j]) + 1);
		attr32(m, NFTA_MATCH_REV, d[2] & 8 ? d[2] : revs[j]);
		if (j >= 6 && j != 9 && j != 10)
			info[0] = 1, info[1] = info[2] = info[3] = 0;
		attr(m, NFTA_MATCH_INFO, info, d[3] & 1 ? d[4] : sizes[j]);
	} else if (k == 10) {
		attr32(m, NFTA_IMMEDIATE_DREG, 0);
		y = nest(m, 0x8000 | NFTA_IMMEDIATE_DATA);
		{
			u32 v = nest(m, 0x8000 | NFTA_DATA_VERDICT);

			attr32(m, NFTA_VERDICT_CODE, (u32)(d[2] & 1 ? NFT_JUMP : d[2] & 2 ? NFT_GOTO : d[2] & 4 ? NFT_RETURN : d[2] & 8));
			attr(m, NFTA_VERDICT_CHAIN, chains[d[3] & 7], strlen(chains[d[3] & 7]) + 1);
			nest_end(m, v);
		}
		nest_end(m, y);
	} else {
		for (u32 i = 0; i < 7; i++) {
			u8 v = d[1 + i % 7];

			if (v & 0x80 && n >= 4) {
				y = nest(m, (u16)(0x8000 | (i + 1)));
				attr(m, NFTA_DATA_VALUE, info, v & 31);
				nest_end(m, y);
			} else if (v & 0x40) {
				attr(m, (u16)(i + 1), info, 8);
			} else {
				attr32(m, (u16)(i + 1), v & 31);
			}
		}
	}
	nest_end(m, x);
	nest_end(m, e);
}

static u16 message(struct msg *m, const u8 *a, const u8 *p, size_t n)
{
	static const u16 kinds[] = { NFT_MSG_NEWRULE, NFT_MSG_NEWRULE, NFT_MSG_NEWCHAIN, NFT_MSG_DELRULE, NFT_MSG_DELCHAIN,
				     NFT_MSG_DELTABLE, NFT_MSG_NEWRULE, NFT_MSG_NEWSET };
	u16 kind = kinds[a[0] & 7];
	const char *chain = chains[a[1] & 7];
	u32 at;

	m->len = 0;
	attr(m, 1, "filter", 7);
	if (kind == NFT_MSG_NEWCHAIN || kind == NFT_MSG_DELCHAIN) {
		attr(m, NFTA_CHAIN_NAME, chain, strlen(chain) + 1);
		if (a[2] & 1)
			attr(m, NFTA_CHAIN_HANDLE, (u8[8]){ [7] = a[3] & 31 }, 8);
		if (a[2] & 2) {
			at = nest(m, 0x8000 | NFTA_CHAIN_HOOK);
			attr32(m, NFTA_HOOK_HOOKNUM, a[4] & 7);
			attr32(m, NFTA_HOOK_PRIORITY, a[5]);
			nest_end(m, at);
			if (a[2] & 4)
				attr(m, NFTA_CHAIN_TYPE, "nat", 4);
			attr32(m, NFTA_CHAIN_POLICY, a[4] >> 3 & 1);
		}
	} else if (kind == NFT_MSG_NEWRULE || kind == NFT_MSG_DELRULE) {
		if (a[2] & 1 || kind == NFT_MSG_NEWRULE)
			attr(m, NFTA_RULE_CHAIN, chain, strlen(chain) + 1);
		if (a[2] & 2)
			attr(m, a[2] & 4 ? NFTA_RULE_POSITION : NFTA_RULE_HANDLE, (u8[8]){ [7] = a[3] & 31 }, 8);
		at = nest(m, 0x8000 | NFTA_RULE_EXPRESSIONS);
		for (; kind == NFT_MSG_NEWRULE && n >= 8; p += MIN(n, (size_t)16), n -= MIN(n, (size_t)16))
			expr(m, p, p + 8, n - 8);
		nest_end(m, at);
		at = nest(m, 0x8000 | NFTA_RULE_COMPAT);
		attr32(m, NFTA_RULE_COMPAT_PROTO, a[2] & 8 ? 6 : 17);
		nest_end(m, at);
	}
	/* And a byte that is not what it should be. */
	if (a[6] & 1 && m->len)
		m->b[(a[7] * 5u) % m->len] ^= a[5];
	return kind;
}

static void read_back(struct fuzz_net *w)
{
	static const u16 what[] = { NFT_MSG_NEWTABLE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE };
	struct nft_filter f = { 0 };
	u8 buf[3776], family;

	for (int k = 0; k < 3; k++)
		for (u32 i = 0;; i++) {
			ssize_t n = nft_nth(w->s, what[k], i, &f, buf, sizeof(buf), &family);

			fuzz_must(n != 0 && i < 100000);
			if (n == -ENOENT)
				break;
		}
}

static void traffic(struct fuzz_net *w, struct ep *e, const u8 *a, const u8 *p, size_t n)
{
	static const u8 protos[] = { 6, 17, 1, 58 };
	struct net_sa to = { .family = AF_INET, .port = 80, .ip = fuzz_ip(false, 1) };
	u8 buf[FUZZ_MTU];
	struct fuzz_io io = { .io = { MIN(n, (size_t)64), fuzz_copy_in, NULL }, .p = buf, .left = sizeof(buf) };
	struct net_msg m = { .io = &io.io, .flags = MSG_DONTWAIT, .name = &to };
	size_t hl;

	memcpy(buf, p, MIN(n, (size_t)64));
	if (a[0] & 1) {
		(void)!ep_send(e, &m);
		return;
	}
	hl = fuzz_ip_hdr(buf, a[0] & 2, protos[a[1] & 3], n, a[2], 0);
	memcpy(buf + hl, p, n);
	fuzz_net_rx(w, buf, hl + n);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);

int LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	static struct msg m;
	struct fuzz_net w = { .rnd = 1 };
	struct nft_batch *b = NULL;
	struct ep *e;

	fuzz_net_init(&w);
	e = fuzz_sock(&w, false, SOCK_DGRAM, 0, 80);
	while (n >= 10) {
		size_t len = MIN((size_t)p[9], n - 10);
		u16 kind;

		if (!b) {
			fuzz_must(nft_begin(w.s, &b) == 0);
			m.len = 0;
			attr(&m, NFTA_TABLE_NAME, "filter", 7);
			fuzz_must(nft_change(b, AF_INET, NFT_MSG_NEWTABLE, 0, m.b, m.len) <= 0);
		}
		switch (p[0] & 7) {
		case 0:
			(void)!nft_commit(b);
			b = NULL;
			read_back(&w);
			break;
		case 1:
			traffic(&w, e, p + 1, p + 10, len);
			break;
		case 2:
			fuzz_net_time(&w, (u64)p[1] << 28);
			break;
		default:
			kind = message(&m, p + 1, p + 10, len);
			(void)!nft_change(b, AF_INET, kind, (u16)(p[8] << 8), m.b, m.len);
		}
		p += 10 + len;
		n -= 10 + len;
	}
	nft_abort(b);
	ep_close(e);
	fuzz_net_time(&w, 600000ull << 30);
	stack_free(w.s);
	return 0;
}
