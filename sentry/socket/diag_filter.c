/*
 * diag_filter.c - the programs by which ss(8) chooses sockets: checked as Linux does, and run.
 *
 * An instruction is four bytes, perhaps with a condition behind them; it says how far to go on when it holds, and when not.  To get
 * exactly to the end is yes, beyond it no.
 */
#include <errno.h>
#include <linux/inet_diag.h>
#include <netinet/in.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/socket/diag_filter.h"

#define OP 4u                           /* sizeof(struct inet_diag_bc_op) */

static struct inet_diag_bc_op op_at(const u8 *p)
{
	struct inet_diag_bc_op o;

	memcpy(&o, p, sizeof(o));
	return o;
}

/* Bytes of a condition on an address, 0: there is none that makes sense in @len bytes. */
static u32 host_len(const u8 *p, u32 len)
{
	struct inet_diag_hostcond c;
	u32 n;

	if (len < sizeof(c))
		return 0;
	memcpy(&c, p, sizeof(c));
	n = c.family == AF_INET ? 4 : c.family == AF_INET6 ? 16 : 0;
	if ((!n && c.family != AF_UNSPEC) || len < sizeof(c) + n || c.prefix_len > 8 * n)
		return 0;
	return (u32)sizeof(c) + n;
}

/* The bytes of the instruction at @p, 0: no such one, or not whole. */
static u32 op_len(const u8 *p, u32 len)
{
	u32 n;

	switch (p[0]) {
	case INET_DIAG_BC_NOP: case INET_DIAG_BC_JMP: case INET_DIAG_BC_AUTO:
		return OP;
	case INET_DIAG_BC_S_COND: case INET_DIAG_BC_D_COND:
		n = host_len(p + OP, len - OP);
		return n ? n + OP : 0;
	case INET_DIAG_BC_S_EQ: case INET_DIAG_BC_D_EQ: case INET_DIAG_BC_S_GE: case INET_DIAG_BC_S_LE: case INET_DIAG_BC_D_GE:
	case INET_DIAG_BC_D_LE: case INET_DIAG_BC_DEV_COND:
		n = 2 * OP;
		break;
	case INET_DIAG_BC_MARK_COND:
		n = OP + (u32)sizeof(struct inet_diag_markcond);
		break;
	default:
		return 0;
	}
	return len >= n ? n : 0;
}

/* A bit for each place where an instruction begins, those that hold being followed; NULL: no memory. */
static u8 *beginnings(const u8 *code, u32 len)
{
	u8 *bits = kbuf_alloc(len / OP / 8 + 1), yes;
	u32 i = 0;

	while (bits && i < len && len - i >= OP) {
		bits[i / OP / 8] |= (u8)(1u << (i / OP % 8));
		yes = op_at(code + i).yes;
		if (yes < OP || yes % 4)
			break;
		i += yes;
	}
	return bits;
}

static bool begins_at(const u8 *bits, u32 at) { return bits[at / OP / 8] >> (at / OP % 8) & 1; }

/* The instruction at @i; *ret_next is where the next one is. */
static int check_one(const u8 *code, u32 len, u32 i, const u8 *bits, bool net_admin, u32 *ret_next)
{
	u32 left = len - i, n;
	struct inet_diag_bc_op o;

	if (left < OP)
		return -EINVAL;
	o = op_at(code + i);
	if (o.code == INET_DIAG_BC_MARK_COND && !net_admin)
		return -EPERM;
	n = op_len(code + i, left);
	if (!n)
		return -EINVAL;
	if (o.code != INET_DIAG_BC_NOP && (o.no < n || o.no > left + 4 || o.no % 4))
		return -EINVAL;
	if (o.code != INET_DIAG_BC_NOP && o.no < left && !begins_at(bits, i + o.no))
		return -EINVAL;
	if (o.yes < n || o.yes > left + 4 || o.yes % 4)
		return -EINVAL;
	*ret_next = i + o.yes;
	return 0;
}

int diag_filter_check(const u8 *code, u32 len, bool net_admin)
{
	u32 i = 0;
	u8 *bits;
	int r = 0;

	if (len < OP)
		return -EINVAL;
	bits = beginnings(code, len);
	if (!bits)
		return -ENOMEM;
	while (r == 0 && i < len)
		r = check_one(code, len, i, bits, net_admin, &i);
	kfree(bits);
	return r < 0 ? r : i == len ? 0 : -EINVAL;
}

static bool bits_equal(const u8 *a, const u8 *b, u32 bits)
{
	u32 rest = bits % 8;

	return memcmp(a, b, bits / 8) == 0 && (!rest || !((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)));
}

static bool host_holds(const u8 *p, const struct ep_info *e, const struct net_sa *end)
{
	static const u8 mapped[12] = { [10] = 0xff, 0xff };
	struct inet_diag_hostcond c;
	const u8 *want = p + sizeof(c), *addr = e->family == AF_INET ? end->ip.b + 12 : end->ip.b;

	memcpy(&c, p, sizeof(c));
	if (c.port != -1 && c.port != end->port)
		return false;
	if (c.family != AF_UNSPEC && c.family != e->family)
		return e->family == AF_INET6 && c.family == AF_INET && memcmp(addr, mapped, sizeof(mapped)) == 0 &&
		       bits_equal(addr + 12, want, c.prefix_len);
	return c.prefix_len == 0 || bits_equal(addr, want, c.prefix_len);
}

static bool mark_holds(const u8 *p, u32 mark)
{
	struct inet_diag_markcond c;

	memcpy(&c, p, sizeof(c));
	return (mark & c.mask) == c.mark;
}

static bool holds(const u8 *p, const struct ep_info *e)
{
	u16 port = p[0] >= INET_DIAG_BC_S_GE && p[0] <= INET_DIAG_BC_D_LE ? op_at(p + OP).no : 0;
	u32 ifindex;

	switch (p[0]) {
	case INET_DIAG_BC_JMP: return false;
	case INET_DIAG_BC_S_EQ: return e->local.port == op_at(p + OP).no;
	case INET_DIAG_BC_D_EQ: return e->remote.port == op_at(p + OP).no;
	case INET_DIAG_BC_S_GE: return e->local.port >= port;
	case INET_DIAG_BC_S_LE: return e->local.port <= port;
	case INET_DIAG_BC_D_GE: return e->remote.port >= port;
	case INET_DIAG_BC_D_LE: return e->remote.port <= port;
	case INET_DIAG_BC_AUTO: return e->port_chosen;
	case INET_DIAG_BC_S_COND: return host_holds(p + OP, e, &e->local);
	case INET_DIAG_BC_D_COND: return host_holds(p + OP, e, &e->remote);
	case INET_DIAG_BC_MARK_COND: return mark_holds(p + OP, e->mark);
	case INET_DIAG_BC_DEV_COND:
		memcpy(&ifindex, p + OP, sizeof(ifindex));
		return ifindex == e->ifindex;
	default: return true;
	}
}

bool diag_filter_run(const u8 *code, u32 len, const struct ep_info *e)
{
	u32 i = 0;

	while (i < len) {
		struct inet_diag_bc_op o = op_at(code + i);

		i += holds(code + i, e) ? o.yes : o.no;
	}
	return i == len;
}
