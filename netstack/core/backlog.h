/*
 * backlog.h - packets that wait to be received by this very stack.
 *
 * The loopback link does not call back into the receive path (that would nest
 * endpoint locks and recurse); it queues here (as does a veth, for the stack at its other end), and every entry point of the
 * stack drains the queues once it holds no lock.  A queue is drained by one
 * thread at a time, so a flow keeps its order; a thread that has done its
 * share kicks the owner, who goes on in stack_run().
 */
#pragma once
#include "platform/base/list.h"
#include "platform/base/lock.h"

#define BACKLOG_QUEUES 4

struct stack;
struct pktbuf;

struct backlogq {
	struct mutex mu;                /* RANK_LEAF */
	struct list_head q;
	u32 n;
	bool draining;
};

struct backlog { struct backlogq q[BACKLOG_QUEUES]; };

void backlog_init(struct backlog *b);
void backlog_done(struct backlog *b);
/* Takes the packet; p->nic and p->flow are set.  False: the queue is full, and it was dropped. */
bool backlog_add(struct stack *s, struct pktbuf *p);
/* Deliver what waits.  No lock held. */
void backlog_drain(struct stack *s);
