/*
 * fanout.c - PACKET_FANOUT: groups of packet sockets that share packets out among themselves.
 *
 * Every way of Linux' is there; there is one processor and one queue, so CPU and QM give all to the first member.
 */
#include <errno.h>
#include <netinet/in.h>
#include <linux/if_packet.h>
#include "platform/base/alloc.h"
#include "platform/base/bitmap.h"
#include "netstack/raw/fanout.h"
#include "netstack/raw/packet.h"
#include "netstack/wire/ip4.h"
#include "netstack/wire/ip6.h"

#define MEMBERS_MAX 65536u
#define MEMBERS_USUAL 256u              /* who says nothing */

enum { FLAG_ROLLOVER = PACKET_FANOUT_FLAG_ROLLOVER >> 8, FLAG_UNIQUEID = PACKET_FANOUT_FLAG_UNIQUEID >> 8 };

struct args { u16 id; u8 type, flags; u32 max; };

static struct fanout *find(struct stack *s, u16 id)
{
	struct fanout *f;

	list_for_each(f, &s->fanouts, node)
		if (f->id == id)
			return f;
	return NULL;
}

static int read_args(const void *val, size_t len, struct args *a)
{
	memset(a, 0, sizeof(*a));
	if (len != sizeof(u32) && len != sizeof(*a))
		return -EINVAL;
	memcpy(a, val, len);
	switch (a->type) {
	case PACKET_FANOUT_ROLLOVER:
		return a->flags & FLAG_ROLLOVER ? -EINVAL : 0;
	case PACKET_FANOUT_HASH: case PACKET_FANOUT_LB: case PACKET_FANOUT_CPU: case PACKET_FANOUT_RND: case PACKET_FANOUT_QM:
	case PACKET_FANOUT_CBPF: case PACKET_FANOUT_EBPF:
		return 0;
	default:
		return -EINVAL;
	}
}

/* Any number that no group has.  -ENOMEM: there is none. */
static int unique_id(struct stack *s, struct args *a)
{
	auto_kfree u64 *used = kbuf_array(65536 / 64, sizeof(*used));
	const struct fanout *f;
	u32 i;

	if (a->id)
		return -EINVAL;
	if (!used)
		return -ENOMEM;
	a->flags &= (u8)~FLAG_UNIQUEID;
	a->id = (u16)stack_rand32(s);
	list_for_each(f, &s->fanouts, node)
		bitmap_set(used, f->id);
	for (i = 0; i < 65536; i++, a->id++)
		if (!bitmap_test(used, a->id))
			return 0;
	return -ENOMEM;
}

/* The group that a socket may join, perhaps a fresh one without members; eps_mu held. */
static int group_for(struct stack *s, const struct args *a, const struct fanout_join *j, struct fanout **ret)
{
	struct fanout *f = find(s, a->id);

	*ret = NULL;
	if (f) {
		if (f->flags != a->flags || (a->max && a->max != f->max) || f->type != a->type || f->ethertype != j->ethertype ||
		    f->ifindex != j->ifindex)
			return -EINVAL;
		*ret = f;
		return f->n < f->max ? 0 : -ENOSPC;
	}
	if (a->max > MEMBERS_MAX || !j->ethertype)
		return -EINVAL;
	f = knew(struct fanout);
	if (!f)
		return -ENOMEM;
	f->id = a->id;
	f->type = a->type;
	f->flags = a->flags;
	f->max = a->max ? a->max : MEMBERS_USUAL;
	f->ethertype = j->ethertype;
	f->ifindex = j->ifindex;
	list_add_tail(&f->node, &s->fanouts);
	*ret = f;
	return 0;
}

static void drop_empty(struct fanout *f)
{
	if (f->n)
		return;
	list_del_init(&f->node);
	kfree(f->prog);
	kfree(f->arr);
	kfree(f);
}

static int enter(struct ep *e, struct fanout_member *m, struct fanout *f)
{
	struct ep **arr = f->arr;

	if (f->n == f->room) {
		arr = kbuf_realloc(f->arr, (f->room ? f->room * 2 : 4) * sizeof(*arr));
		if (!arr)
			return -ENOMEM;
		f->arr = arr;
		f->room = f->room ? f->room * 2 : 4;
	}
	arr[f->n++] = e;
	m->rolls = f->type == PACKET_FANOUT_ROLLOVER || (f->flags & FLAG_ROLLOVER);
	m->f = f;
	return 0;
}

int fanout_add(struct ep *e, struct fanout_member *m, const struct fanout_join *j, const void *val, size_t len)
{
	struct stack *s = e->stack;
	struct fanout *f = NULL;
	struct args a;
	int r = read_args(val, len, &a);

	if (r < 0)
		return r;
	mutex_lock(&s->eps_mu);
	r = m->f ? -EALREADY : 0;
	if (r == 0 && (a.flags & FLAG_UNIQUEID))
		r = unique_id(s, &a);
	if (r == 0)
		r = group_for(s, &a, j, &f);
	if (r == 0)
		r = enter(e, m, f);
	if (f)
		drop_empty(f);
	mutex_unlock(&s->eps_mu);
	return r;
}

void fanout_leave(struct ep *e, struct fanout_member *m)
{
	struct stack *s = e->stack;
	struct fanout *f;
	u32 i;

	mutex_lock(&s->eps_mu);
	f = m->f;
	m->f = NULL;
	for (i = 0; f && i < f->n; i++) {
		if (f->arr[i] == e) {
			f->arr[i] = f->arr[--f->n];
			break;
		}
	}
	if (f)
		drop_empty(f);
	mutex_unlock(&s->eps_mu);
}

bool fanout_has(struct ep *e, const struct fanout_member *m)
{
	bool has;

	mutex_lock(&e->stack->eps_mu);
	has = m->f != NULL;
	mutex_unlock(&e->stack->eps_mu);
	return has;
}

int fanout_get(struct ep *e, const struct fanout_member *m)
{
	int v = 0;

	mutex_lock(&e->stack->eps_mu);
	if (m->f)
		v = (int)(m->f->id | (u32)m->f->type << 16 | (u32)m->f->flags << 24);
	mutex_unlock(&e->stack->eps_mu);
	return v;
}

int fanout_program(struct ep *e, struct fanout_member *m, const void *insns, size_t len)
{
	struct filter *prog = NULL, *old;
	int r = e->filter_locked ? -EPERM : net_filter_new(insns, len, &prog);

	if (r < 0)
		return r;
	mutex_lock(&e->stack->eps_mu);
	if (m->f && m->f->type == PACKET_FANOUT_CBPF) {
		old = m->f->prog;
		m->f->prog = prog;
	} else {
		old = prog;
		r = -EINVAL;
	}
	mutex_unlock(&e->stack->eps_mu);
	kfree(old);
	return r;
}

/* ---- who gets a packet ---- */

/* What both directions of a flow have in common: addresses and ports, the lesser end first. */
struct flow { u8 end[2][20]; u32 proto; };

static void read_ports(const struct pktbuf *p, u32 at, struct flow *f)
{
	if (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP && f->proto != IPPROTO_SCTP && f->proto != IPPROTO_DCCP)
		return;
	if (p->len < at + 4)
		return;
	pkt_copy(p, at, f->end[0] + 16, 2);
	pkt_copy(p, at + 2, f->end[1] + 16, 2);
}

static struct flow flow_of(const struct pktbuf *p, u32 l2)
{
	struct flow f = { .proto = (u32)p->ethertype << 8 };
	u8 h[IP6_HLEN] = { 0 }, tmp[20];

	if (p->len < l2 + IP4_HLEN)
		return f;
	pkt_copy(p, l2, h, MIN(p->len - l2, (u32)sizeof(h)));
	if (p->ethertype == 0x0800 && h[0] >> 4 == 4) {
		f.proto = h[9];
		memcpy(f.end[0], h + 12, 4);
		memcpy(f.end[1], h + 16, 4);
		if (!(get_be16(h + 6) & (IP4_MF | IP4_OFFMASK)))
			read_ports(p, l2 + (h[0] & 15) * 4u, &f);
	} else if (p->ethertype == 0x86dd && h[0] >> 4 == 6 && p->len >= l2 + IP6_HLEN) {
		f.proto = h[6];
		memcpy(f.end[0], h + 8, 16);
		memcpy(f.end[1], h + 24, 16);
		read_ports(p, l2 + IP6_HLEN, &f);
	}
	if (memcmp(f.end[0], f.end[1], sizeof(f.end[0])) > 0) {
		memcpy(tmp, f.end[0], sizeof(tmp));
		memcpy(f.end[0], f.end[1], sizeof(tmp));
		memcpy(f.end[1], tmp, sizeof(tmp));
	}
	return f;
}

static u32 by_program(struct fanout *f, const struct pktbuf *p, u32 l2)
{
	struct pktbuf *c;
	u32 v;

	if (!f->prog)
		return 0;
	c = pkt_clone(p);                       /* a program begins at the network header */
	if (!c)
		return 0;
	pkt_pull(c, MIN(l2, c->len));
	v = filter_run_for(f->prog, f->arr[0], c) % f->n;
	pkt_free(c);
	return v;
}

/* From @from on the first with plenty of room; @self stays if it has any. */
static u32 roll(struct fanout *f, const struct pktbuf *p, u32 self, bool try_self)
{
	struct fanout_member *m = packet_fanout(f->arr[self]);
	u32 i, j;

	if (try_self && packet_room(f->arr[self], p) != FANOUT_FULL)
		return self;
	i = j = MIN(m->next, f->n - 1);
	do {
		if (!(try_self && i == self) && packet_room(f->arr[i], p) == FANOUT_ROOM) {
			m->next = i;
			m->all++;
			return i;
		}
		i = i + 1 == f->n ? 0 : i + 1;
	} while (i != j);
	m->failed++;
	return self;
}

struct ep *fanout_choose(struct stack *s, struct fanout *f, const struct pktbuf *p, u32 l2)
{
	struct flow w;
	u32 i = 0;

	switch (f->type) {
	case PACKET_FANOUT_HASH:
		w = flow_of(p, l2);
		i = (u32)((siphash(&s->key_hash, &w, sizeof(w)) & UINT32_MAX) * f->n >> 32);
		break;
	case PACKET_FANOUT_LB:
		i = f->turn++ % f->n;
		break;
	case PACKET_FANOUT_RND:
		i = stack_rand32(s) % f->n;
		break;
	case PACKET_FANOUT_ROLLOVER:
		i = roll(f, p, 0, false);
		break;
	case PACKET_FANOUT_CBPF:
		i = by_program(f, p, l2);
		break;
	default:
		break;
	}
	if (f->flags & FLAG_ROLLOVER)
		i = roll(f, p, i, true);
	return f->arr[i];
}
