/*
 * flowlabel.c - leases of IPv6 flow labels (RFC 6437), as IPV6_FLOWLABEL_MGR gives them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/in6.h>
#include <sys/socket.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "netstack/core/ep.h"
#include "netstack/core/flowlabel.h"
#include "netstack/core/stack.h"

#define FL_TOTAL      4096u
#define FL_PER_SOCKET 32u
#define LINGER_MIN    6u                /* seconds */
#define LINGER_MAX    150u              /* of who has no CAP_NET_ADMIN */
#define NSEC_S        UINT64_C(1000000000)

struct flowlabel {
	struct list_head node;
	u32 label, users;
	u32 owner;                      /* process or user, by share */
	u8  share;                      /* IPV6_FL_S_* */
	u64 linger, expires, last_use;  /* ns; the latter two of the stack's clock */
	struct ipaddr dst;
};

struct lease { struct list_head node; struct flowlabel *fl; };

void flowlabels_init(struct stack *s)
{
	mutex_init(&s->labels.mu, RANK_STACK);
	list_init(&s->labels.all);
}

void flowlabels_done(struct stack *s)
{
	struct flowlabel *f, *next;

	list_for_each_safe(f, next, &s->labels.all, node)
		kfree(f);
}

/* Those that nobody leases and that have lingered long enough. */
static void reap(struct stack *s) REQUIRES(s->labels.mu)
{
	u64 now = stack_now(s);
	struct flowlabel *f, *next;

	list_for_each_safe(f, next, &s->labels.all, node)
		if (!f->users && now >= MAX(f->expires, f->last_use + f->linger)) {
			list_del_init(&f->node);
			s->labels.n--;
			kfree(f);
		}
}

static struct flowlabel *find(struct stack *s, u32 label) REQUIRES(s->labels.mu)
{
	struct flowlabel *f;

	list_for_each(f, &s->labels.all, node)
		if (f->label == label)
			return f;
	return NULL;
}

static struct lease *lease_of(struct ep *e, u32 label)
{
	struct lease *l;

	list_for_each(l, &e->labels, node)
		if (l->fl->label == label)
			return l;
	return NULL;
}

static int renew(struct stack *s, struct flowlabel *f, u32 linger, u32 expires, bool admin)
{
	u64 now = stack_now(s);

	if ((linger > LINGER_MAX || expires > LINGER_MAX) && !admin)
		return -EPERM;
	f->last_use = now;
	f->linger = MAX(f->linger, (u64)MAX(linger, LINGER_MIN) * NSEC_S);
	f->expires = MAX(f->expires, now + MAX((u64)MAX(expires, LINGER_MIN) * NSEC_S, f->linger));
	return 0;
}

static int give_back(struct ep *e, u32 label) REQUIRES(e->stack->labels.mu)
{
	struct lease *l = lease_of(e, label);

	if (!l)
		return -ESRCH;
	l->fl->users--;
	l->fl->last_use = stack_now(e->stack);
	if (e->flowlabel == label)
		e->flowlabel = 0;
	list_del_init(&l->node);
	kfree(l);
	return 0;
}

void flowlabel_drop_all(struct ep *e)
{
	if (list_empty(&e->labels))
		return;
	mutex_lock(&e->stack->labels.mu);
	while (!list_empty(&e->labels))
		(void)!give_back(e, list_first(&e->labels, struct lease, node)->fl->label);
	mutex_unlock(&e->stack->labels.mu);
}

/* What is asked for, as a label of its own; -errno when it may not be. */
static int draft(struct stack *s, const struct in6_flowlabel_req *q, const struct flow_caller *who, struct flowlabel *ret)
{
	struct flowlabel f = { .share = q->flr_share };
	int r = renew(s, &f, q->flr_linger, q->flr_expires, who->admin);

	memcpy(f.dst.b, &q->flr_dst, sizeof(f.dst.b));
	if (r == 0 && (ip_is_any(&f.dst) || ip_is4(&f.dst)))
		r = -EINVAL;
	switch (f.share) {
	case IPV6_FL_S_EXCL: case IPV6_FL_S_ANY:
		break;
	case IPV6_FL_S_PROCESS:
		f.owner = who->pid;
		break;
	case IPV6_FL_S_USER:
		f.owner = who->uid;
		break;
	default:
		r = r < 0 ? r : -EINVAL;
	}
	*ret = f;
	return r;
}

/* May a socket with @count leases have a new label? */
static bool room(const struct flowlabels *t, u32 count, bool admin)
{
	u32 left = FL_TOTAL - MIN(t->n, FL_TOTAL);

	if (left > FL_TOTAL - FL_PER_SOCKET)
		return true;
	return left && (admin || (count < FL_PER_SOCKET && (!count || left >= FL_TOTAL / 2) && left >= FL_TOTAL / 4));
}

static struct flowlabel *make(struct stack *s, const struct flowlabel *want, u32 label) REQUIRES(s->labels.mu)
{
	struct flowlabel *f = knew(struct flowlabel);

	if (!f)
		return NULL;
	*f = *want;
	f->label = label;
	while (!f->label || find(s, f->label))
		f->label = stack_rand32(s) & FLOWLABEL_MASK;
	list_add_tail(&f->node, &s->labels.all);
	s->labels.n++;
	if (f->share != IPV6_FL_S_ANY)
		atomic_store(&s->labels.exclusive, true);
	return f;
}

static int share_it(const struct flowlabel *f, const struct flowlabel *want, u16 flags)
{
	if (flags & IPV6_FL_F_EXCL)
		return -EEXIST;
	return f->share == IPV6_FL_S_EXCL || f->share != want->share || f->owner != want->owner ? -EPERM : 0;
}

static u32 count_leases(const struct ep *e)
{
	struct lease *l;
	u32 n = 0;

	list_for_each(l, &e->labels, node)
		n++;
	return n;
}

/* A lease of the label, which it makes if that is asked for; *ret_label is which one. */
static int take(struct ep *e, const struct in6_flowlabel_req *q, const struct flow_caller *who, u32 *ret_label)
	REQUIRES(e->stack->labels.mu)
{
	struct stack *s = e->stack;
	u32 label = ntohl(q->flr_label);
	struct flowlabel want, *f = label ? find(s, label) : NULL;
	struct lease *l;
	u32 count = count_leases(e);
	int r = draft(s, q, who, &want);

	/* Linux lets a socket lease one label for ever; we count. */
	if (r == 0 && count >= FL_TOTAL)
		r = -ENOBUFS;
	/* One that only lingers is found by who would make it. */
	if (r == 0 && f && (f->users || (q->flr_flags & IPV6_FL_F_CREATE)))
		r = share_it(f, &want, q->flr_flags);
	else if (r == 0 && !(q->flr_flags & IPV6_FL_F_CREATE))
		r = -ENOENT;
	else if (r == 0 && !room(&s->labels, count, who->admin))
		r = -ENOBUFS;
	if (r < 0)
		return r;
	l = knew(struct lease);
	if (!l)
		return -ENOMEM;
	if (f) {
		f->linger = MAX(f->linger, want.linger);
		f->expires = MAX(f->expires, want.expires);
	} else {
		f = make(s, &want, label);
	}
	if (!f) {
		kfree(l);
		return -ENOMEM;
	}
	l->fl = f;
	f->users++;
	list_add(&l->node, &e->labels);
	*ret_label = f->label;
	return 0;
}

static int renew_it(struct ep *e, const struct in6_flowlabel_req *q, const struct flow_caller *who)
	REQUIRES(e->stack->labels.mu)
{
	struct lease *l = lease_of(e, ntohl(q->flr_label));
	struct flowlabel *f = l ? l->fl : NULL;

	if (!f && q->flr_share == IPV6_FL_S_NONE && who->admin)
		f = find(e->stack, ntohl(q->flr_label));
	return f && f->users ? renew(e->stack, f, q->flr_linger, q->flr_expires, who->admin) : -ESRCH;
}

/* A connection that answers with its peer's label: not kept, as nothing here reads it. */
static int reflect(const struct ep *e, u8 action)
{
	if (e->type != SOCK_STREAM)
		return -ENOPROTOOPT;
	return action == IPV6_FL_A_PUT ? -ESRCH : -EPERM;       /* flowlabel_consistency holds */
}

int ep_flowlabel(struct ep *e, void *val, size_t len, const struct flow_caller *who)
{
	struct in6_flowlabel_req q;
	u32 label = 0;
	int r;

	if (e->family != AF_INET6)
		return -ENOPROTOOPT;
	if (len < sizeof(q))
		return -EINVAL;
	memcpy(&q, val, sizeof(q));
	if (q.flr_action > IPV6_FL_A_RENEW || len > sizeof(q))  /* no options come with a label */
		return -EINVAL;
	if (q.flr_action != IPV6_FL_A_RENEW && (q.flr_flags & IPV6_FL_F_REFLECT))
		return q.flr_action == IPV6_FL_A_GET ? -EPERM : reflect(e, q.flr_action);
	if (q.flr_action == IPV6_FL_A_GET && ntohl(q.flr_label) & ~FLOWLABEL_MASK)
		return -EINVAL;
	mutex_lock(&e->stack->labels.mu);
	reap(e->stack);
	r = q.flr_action == IPV6_FL_A_PUT ? give_back(e, ntohl(q.flr_label)) :
	    q.flr_action == IPV6_FL_A_GET ? take(e, &q, who, &label) : renew_it(e, &q, who);
	mutex_unlock(&e->stack->labels.mu);
	if (r == 0 && q.flr_action == IPV6_FL_A_GET) {
		q.flr_label = htonl(label);
		memcpy(val, &q, sizeof(q));
	}
	return r;
}

int flowlabel_get(struct ep *e, void *val, size_t *len)
{
	struct in6_flowlabel_req q;
	struct lease *l;

	if (*len < sizeof(q))
		return -EINVAL;
	memcpy(&q, val, sizeof(q));
	if (q.flr_action != IPV6_FL_A_GET)
		return -EINVAL;
	memset(&q, 0, sizeof(q));
	mutex_lock(&e->stack->labels.mu);
	l = lease_of(e, e->flowlabel);
	if (l) {
		u64 now = stack_now(e->stack);

		q.flr_label = htonl(l->fl->label);
		memcpy(&q.flr_dst, l->fl->dst.b, sizeof(q.flr_dst));
		q.flr_share = l->fl->share;
		q.flr_linger = (u16)(l->fl->linger / NSEC_S);
		q.flr_expires = (u16)(l->fl->expires > now ? (l->fl->expires - now) / NSEC_S : 0);
	}
	mutex_unlock(&e->stack->labels.mu);
	return l ? epopt_put(val, len, &q, sizeof(q)) : -ENOENT;
}

int flowlabel_usable(struct ep *e, u32 label)
{
	int r;

	if (!label || !atomic_load(&e->stack->labels.exclusive))
		return 0;
	mutex_lock(&e->stack->labels.mu);
	r = lease_of(e, label) ? 0 : -EINVAL;
	mutex_unlock(&e->stack->labels.mu);
	return r;
}

int flowlabel_given(struct ep *e, const struct net_sa *sa, u32 *ret)
{
	*ret = 0;
	if (e->family != AF_INET6 || !e->o.flowinfo_send || sa->family != AF_INET6)
		return 0;
	*ret = ntohl(sa->flowinfo) & FLOWLABEL_MASK;
	return flowlabel_usable(e, *ret);
}

enum { AUTO_OFF, AUTO_OPT_OUT, AUTO_OPT_IN, AUTO_FORCED };

u32 flowlabel_auto(const struct ep *e, const struct ipaddr *src, const struct ipaddr *dst, u32 ports, u8 proto)
{
	struct { struct ipaddr l, r; u32 ports; u32 proto; } h = { *src, *dst, ports, proto };
	s32 how = e->stack->sysctl.auto_flowlabels[0];

	if (how == AUTO_OFF || (how != AUTO_FORCED && !(e->o.autoflow_set ? e->o.autoflow : how == AUTO_OPT_OUT)))
		return 0;
	return ((u32)siphash(&e->stack->key_hash, &h, sizeof(h)) & FLOWLABEL_MASK) | 0x80000;    /* the stateless half */
}
