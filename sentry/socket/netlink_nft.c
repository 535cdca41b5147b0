/*
 * netlink_nft.c - NETLINK_NETFILTER: nf_tables as iptables-nft speaks it, and which xtables extensions there are.
 *
 * Changes come in batches (NFNL_MSG_BATCH_BEGIN to _END, within one sendmsg()); one that has an error anywhere,
 * or no end, changes nothing.  Everything needs CAP_NET_ADMIN.  Sets and objects: there are none.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include "netstack/api.h"
#include "sentry/kernel/task.h"
#include "sentry/socket/net.h"
#include "sentry/socket/netlink.h"

#define BEGIN NLMSG_MIN_TYPE
#define END   (NLMSG_MIN_TYPE + 1)
#define NFT(msg) (NFNL_SUBSYS_NFTABLES << 8 | (msg))

static struct nfgenmsg gen_msg(struct stack *st, u8 family)
{
	return (struct nfgenmsg){ .nfgen_family = family, .res_id = __builtin_bswap16((u16)nft_generation(st)) };
}

static void put_raw(struct nl_buf *b, const u8 *p, size_t n)
{
	if (b->full || n > b->cap - b->len) {
		b->full = true;
		return;
	}
	memcpy(b->p + b->len, p, n);
	b->len += (u32)n;
}

/* A name of less than 64 bytes in attribute @type, or empty. */
static void name_of(const struct nl_req *q, u16 type, char dst[64])
{
	u32 n = 0;
	const char *v = nl_find(q, sizeof(struct nfgenmsg), type, 1, &n);

	memset(dst, 0, 64);
	if (v && strnlen(v, n) < 64)
		memcpy(dst, v, strnlen(v, n));
}

/* ---- looking ---- */

static int fill(struct nl_dump *d, struct nl_buf *b)
{
	u8 attrs[NL_DGRAM], family = 0;
	ssize_t n;

	for (;; d->pos++) {
		struct nfgenmsg g;

		n = nft_nth(d->st, (u16)d->table, d->pos, &d->nft, attrs, sizeof(attrs), &family);
		if (n == -ENOENT)
			return 0;
		if (n <= 0)
			continue;
		g = gen_msg(d->st, family);
		nl_begin(b, (u16)NFT(d->table), NLM_F_MULTI, d->seq, d->portid, &g, sizeof(g));
		put_raw(b, attrs, (size_t)n);
		if (!nl_end(b))
			return 1;
	}
}

static int no_sets(struct nl_dump *d, struct nl_buf *b)
{
	(void)d;
	(void)b;
	return 0;
}

/* @what is the message that tells of one. */
static int look(struct nl_req *q, const struct nfgenmsg *g, u16 what, u16 table_attr, u16 chain_attr)
{
	u8 attrs[NL_DGRAM], family = 0;
	struct nl_dump *d = q->dump;
	ssize_t n;

	d->nft.family = g->nfgen_family;
	d->table = what;
	name_of(q, table_attr, d->nft.table);
	if (chain_attr)
		name_of(q, chain_attr, d->nft.chain);
	if (q->h.nlmsg_flags & NLM_F_DUMP) {
		d->fill = fill;
		return NL_DUMP;
	}
	if (what == NFT_MSG_NEWRULE || !d->nft.table[0] || (chain_attr && !d->nft.chain[0]))
		return -EINVAL;
	for (u32 i = 0; (n = nft_nth(q->st, what, i, &d->nft, attrs, sizeof(attrs), &family)) != -ENOENT; i++)
		if (n > 0) {
			struct nfgenmsg h = gen_msg(q->st, family);

			nl_begin(q->reply, (u16)NFT(what), 0, q->h.nlmsg_seq, q->portid, &h, sizeof(h));
			put_raw(q->reply, attrs, (size_t)n);
			return nl_end(q->reply) ? 0 : -EMSGSIZE;
		}
	return -ENOENT;
}

static int get_gen(struct nl_req *q)
{
	struct nfgenmsg g = gen_msg(q->st, AF_UNSPEC);
	u32 gen = nft_generation(q->st);

	nl_begin(q->reply, (u16)NFT(NFT_MSG_NEWGEN), 0, q->h.nlmsg_seq, q->portid, &g, sizeof(g));
	nl_attr_u32(q->reply, NFTA_GEN_ID, __builtin_bswap32(gen));
	return nl_end(q->reply) ? 0 : -EMSGSIZE;
}

/* Is there this revision of a match or target? */
static int compat(struct nl_req *q, const struct nfgenmsg *g)
{
	const u32 *rev = nl_find(q, sizeof(*g), NFTA_COMPAT_REV, 4, NULL), *type = nl_find(q, sizeof(*g), NFTA_COMPAT_TYPE, 4, NULL);
	u32 want, kind;
	char name[64];
	int r;

	name_of(q, NFTA_COMPAT_NAME, name);
	if (!rev || !type || !name[0])
		return -EINVAL;
	memcpy(&want, rev, sizeof(want));
	memcpy(&kind, type, sizeof(kind));
	r = nft_compat(g->nfgen_family == AF_INET6, kind != 0, name, __builtin_bswap32(want));
	if (r < 0)
		return r;
	nl_begin(q->reply, NFNL_SUBSYS_NFT_COMPAT << 8, 0, q->h.nlmsg_seq, q->portid, g, sizeof(*g));
	nl_attr_str(q->reply, NFTA_COMPAT_NAME, name);
	nl_attr_u32(q->reply, NFTA_COMPAT_REV, __builtin_bswap32((u32)r));
	nl_attr_u32(q->reply, NFTA_COMPAT_TYPE, kind);
	return nl_end(q->reply) ? 0 : -EMSGSIZE;
}

/* ---- changing ---- */

static int begin(struct nl_req *q, const struct nfgenmsg *g)
{
	const u32 *gen = nl_find(q, sizeof(*g), NFNL_BATCH_GENID, 4, NULL);
	u32 want = 0;
	int r;

	if (q->batch->nft || q->batch->failed)
		return -EINVAL;
	if (__builtin_bswap16(g->res_id) != NFNL_SUBSYS_NFTABLES)
		return -EOPNOTSUPP;
	if (gen)
		memcpy(&want, gen, sizeof(want));
	r = want && __builtin_bswap32(want) != nft_generation(q->st) ? -ERESTART : nft_begin(q->st, &q->batch->nft);
	q->batch->failed = r < 0;
	return r;
}

static int end(struct nl_req *q)
{
	struct nft_batch *b = q->batch->nft;

	if (!b)
		return q->batch->failed ? 0 : -EINVAL;
	q->batch->nft = NULL;
	if (!q->batch->failed)
		return nft_commit(b);
	nft_abort(b);
	return 0;
}

static int change(struct nl_req *q, const struct nfgenmsg *g)
{
	int r;

	if (!q->batch->nft)
		return q->batch->failed ? 0 : -EINVAL;
	r = nft_change(q->batch->nft, g->nfgen_family, q->h.nlmsg_type & 0xff, q->h.nlmsg_flags, q->body + sizeof(*g),
		       q->len - (u32)sizeof(*g));
	q->batch->failed |= r < 0;
	return r;
}

int netlink_netfilter(struct nl_req *q)
{
	struct nfgenmsg g;

	if (!net_capable(q->t, q->net, CAP_NET_ADMIN))
		return -EPERM;
	if (!nl_fixed(q, &g, sizeof(g), sizeof(g)))
		return -EINVAL;
	switch (q->h.nlmsg_type) {
	case BEGIN:
		return begin(q, &g);
	case END:
		return end(q);
	case NFNL_SUBSYS_NFT_COMPAT << 8:
		return compat(q, &g);
	case NFT(NFT_MSG_GETGEN):
		return get_gen(q);
	case NFT(NFT_MSG_GETTABLE):
		return look(q, &g, NFT_MSG_NEWTABLE, NFTA_TABLE_NAME, 0);
	case NFT(NFT_MSG_GETCHAIN):
		return look(q, &g, NFT_MSG_NEWCHAIN, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME);
	case NFT(NFT_MSG_GETRULE):
		return look(q, &g, NFT_MSG_NEWRULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN);
	case NFT(NFT_MSG_GETSET): case NFT(NFT_MSG_GETOBJ): case NFT(NFT_MSG_GETFLOWTABLE):
		q->dump->fill = no_sets;
		return q->h.nlmsg_flags & NLM_F_DUMP ? NL_DUMP : -ENOENT;
	default:
		return q->h.nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES ? change(q, &g) : -EINVAL;
	}
}
