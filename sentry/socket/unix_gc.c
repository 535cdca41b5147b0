/*
 * unix_gc.c - sockets that only sit in queues that nobody can reach any more. See unix_int.h.
 *
 * A candidate is a socket in flight whose file has no other references than packets.
 * A candidate is live if some packet that holds it is not in a candidate's queue, or
 * is in the queue of a live candidate.  The queues of the others are emptied, which ends them.
 *
 * Nobody can take from a candidate's queue without first receiving the candidate
 * from a reachable one, and that queue is not a candidate's: so what is found dead stays dead.
 * The one exception (received and sent on while we look) is caught by looking at the count again.
 *
 * Runs when a socket is closed while sockets are in flight; bounded by GC_MAX a round, and what is
 * left out counts as reachable.  A round that found many candidates, all of them live, is not followed by another one at
 * once: so who closes thousands of sockets that lie in each other's queues pays for a few rounds only.
 */
#include "platform/base/alloc.h"
#include "sentry/kernel/kernel.h"
#include "sentry/socket/unix_int.h"

#define GC_MAX     512
#define GC_FEW     32                   /* so few candidates cost nothing */

struct gc {
	struct unix_sock *u[GC_MAX];            /* a reference each */
	u32 refs[GC_MAX];                       /* packets outside candidates' queues that hold it */
	bool live[GC_MAX], done[GC_MAX];
	int n;
};

enum visit { VISIT_COUNT, VISIT_MARK };

static void visit_queue(struct gc *g, struct list_head *rq, enum visit what)
{
	struct unix_pkt *p;

	list_for_each(p, rq, node) {
		for (int i = 0; i < p->nfiles; i++) {
			struct unix_sock *u = unix_of_file(p->files[i]);
			int at = u ? (int)u->gc_at - 1 : -1;

			if (at < 0)
				continue;
			if (what == VISIT_MARK)
				g->live[at] = true;
			else if (g->refs[at])
				g->refs[at]--;
		}
	}
}

/* The connections that wait in the backlog of @u, a reference each; those that come meanwhile are left out. */
static struct unix_sock **embryos_of(struct unix_sock *u, u32 *ret_n)
{
	struct unix_sock **all, *e;
	u32 max;

	*ret_n = 0;
	mutex_lock(&u->mu);
	max = u->backlog_len;
	mutex_unlock(&u->mu);
	all = max ? kbuf_array(max, sizeof(struct unix_sock *)) : NULL;
	if (!all)
		return NULL;
	mutex_lock(&u->mu);
	list_for_each(e, &u->backlog, backlog_node)
		if (*ret_n < max)
			all[(*ret_n)++] = unix_ref(e);
	mutex_unlock(&u->mu);
	return all;
}

/* Its own queue, and those of connections that wait in its backlog. */
static void visit(struct gc *g, struct unix_sock *u, enum visit what)
{
	struct unix_sock **embryo;
	u32 n;

	mutex_lock(&u->mu);
	visit_queue(g, &u->rq, what);
	mutex_unlock(&u->mu);
	embryo = embryos_of(u, &n);
	for (u32 i = 0; i < n; i++) {
		mutex_lock(&embryo[i]->mu);
		visit_queue(g, &embryo[i]->rq, what);
		mutex_unlock(&embryo[i]->mu);
		unix_unref(embryo[i]);
	}
	kfree(embryo);
}

static bool only_in_flight(const struct unix_sock *u)
{
	return u->file && atomic_load(&u->file->ref.n) == u->inflight;
}

static void collect(struct unix_table *ut, struct gc *g)
{
	struct unix_sock *u;

	mutex_lock(&ut->mu);
	list_for_each(u, &ut->inflight_socks, inflight_node) {
		if (g->n == GC_MAX)
			break;
		if (!only_in_flight(u))
			continue;
		g->refs[g->n] = u->inflight;
		g->u[g->n++] = unix_ref(u);
		u->gc_at = (u32)g->n;
	}
	mutex_unlock(&ut->mu);
}

static void mark(struct gc *g)
{
	bool again = true;

	for (int i = 0; i < g->n; i++)
		visit(g, g->u[i], VISIT_COUNT);
	for (int i = 0; i < g->n; i++)
		g->live[i] = g->refs[i] > 0;
	while (again) {
		again = false;
		for (int i = 0; i < g->n; i++) {
			if (!g->live[i] || g->done[i])
				continue;
			g->done[i] = true;
			again = true;
			visit(g, g->u[i], VISIT_MARK);
		}
	}
}

/* Take what carries descriptors out of its queue. */
static void empty_queue(struct unix_sock *u, struct list_head *pkts)
{
	struct unix_pkt *p, *next;

	mutex_lock(&u->mu);
	list_for_each_safe(p, next, &u->rq, node) {
		if (!p->nfiles)
			continue;
		if (u->oob == p)
			u->oob = NULL;
		unix_pkt_unqueue(u, p, pkts);
	}
	mutex_unlock(&u->mu);
}

/* Did it find anything? */
static bool sweep(struct unix_table *ut, struct gc *g, struct list_head *pkts)
{
	bool any = false;

	for (int i = 0; i < g->n; i++) {
		struct unix_sock *u = g->u[i], **embryo;
		u32 n;
		bool dead;

		mutex_lock(&ut->mu);
		dead = !g->live[i] && only_in_flight(u);
		mutex_unlock(&ut->mu);
		if (!dead)
			continue;
		any = true;
		empty_queue(u, pkts);
		embryo = embryos_of(u, &n);
		for (u32 at = 0; at < n; at++) {
			empty_queue(embryo[at], pkts);
			unix_unref(embryo[at]);
		}
		kfree(embryo);
	}
	return any;
}

void unix_gc(struct kernel *k)
{
	struct unix_table *ut = k->unix_sockets;
	struct list_head pkts;
	struct gc *g;
	bool mine, found = false;

	mutex_lock(&ut->mu);
	mine = !list_empty(&ut->inflight_socks) && !ut->collecting;
	if (mine && ut->gc_skip) {
		ut->gc_skip--;
		mine = false;
	}
	if (mine)
		ut->collecting = true;
	mutex_unlock(&ut->mu);
	if (!mine)
		return;
	list_init(&pkts);
	g = knew(struct gc);
	if (g) {
		collect(ut, g);
		mark(g);
		found = sweep(ut, g, &pkts);
	}
	for (int i = 0; g && i < g->n; i++)
		g->u[i]->gc_at = 0;
	mutex_lock(&ut->mu);
	ut->collecting = false;
	if (g && !found && g->n > GC_FEW)
		ut->gc_skip = (u32)g->n;
	/* Others have their turn before these. */
	for (int i = 0; g && g->n == GC_MAX && i < g->n; i++) {
		if (!g->u[i]->inflight)
			continue;
		list_del_init(&g->u[i]->inflight_node);
		list_add_tail(&g->u[i]->inflight_node, &ut->inflight_socks);
	}
	mutex_unlock(&ut->mu);
	for (int i = 0; g && i < g->n; i++)
		unix_unref(g->u[i]);
	kfree(g);
	unix_pkts_doom(k, &pkts);
}
