/*
 * backlog.c - the queues behind loopback.
 */
#include "netstack/core/backlog.h"
#include "netstack/core/nic.h"
#include "netstack/core/stack.h"

#define QUEUE_MAX 4096
#define BUDGET    256
#define ROUNDS    64

void backlog_init(struct backlog *b)
{
	int i;

	for (i = 0; i < BACKLOG_QUEUES; i++) {
		mutex_init(&b->q[i].mu, RANK_LEAF);
		list_init(&b->q[i].q);
	}
}

void backlog_done(struct backlog *b)
{
	int i;

	for (i = 0; i < BACKLOG_QUEUES; i++)
		pkt_purge(&b->q[i].q);
}

bool backlog_add(struct stack *s, struct pktbuf *p)
{
	struct backlogq *q = &s->backlog.q[p->flow % BACKLOG_QUEUES];

	mutex_lock(&q->mu);
	if (q->n < QUEUE_MAX) {
		list_add_tail(&p->node, &q->q);
		__atomic_store_n(&q->n, q->n + 1, __ATOMIC_RELAXED);
		p = NULL;
	}
	mutex_unlock(&q->mu);
	pkt_free(p);
	return !p;
}

/* True when something was delivered, which may have queued more elsewhere. */
static bool drain_one(struct stack *s, struct backlogq *q)
{
	struct pktbuf *p;
	bool more = false;
	int left = BUDGET;

	mutex_lock(&q->mu);
	if (q->draining || q->n == 0) {
		mutex_unlock(&q->mu);
		return false;
	}
	q->draining = true;
	while (q->n) {
		if (left-- == 0) {
			more = true;
			break;
		}
		p = list_first(&q->q, struct pktbuf, node);
		list_del_init(&p->node);
		__atomic_store_n(&q->n, q->n - 1, __ATOMIC_RELAXED);
		mutex_unlock(&q->mu);
		nic_rx(p->nic, p);
		mutex_lock(&q->mu);
	}
	q->draining = false;
	mutex_unlock(&q->mu);
	if (more)
		s->ops->kick(s->ctx);
	return !more;
}

void backlog_drain(struct stack *s)
{
	bool again;
	int i, rounds = ROUNDS;

	do {
		again = false;
		/* n is read without the lock: whoever added calls drain after adding. */
		for (i = 0; i < BACKLOG_QUEUES; i++)
			if (__atomic_load_n(&s->backlog.q[i].n, __ATOMIC_RELAXED) &&
			    drain_one(s, &s->backlog.q[i]))
				again = true;
		if (again && --rounds == 0) {
			s->ops->kick(s->ctx);
			return;
		}
	} while (again);
}
