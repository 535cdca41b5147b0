/*
 * pool.c - worker threads and the traps that wait for one.
 *
 * A trap wakes an idle worker.  When none is idle a new one is made, unless a
 * few are busy without waiting: they will come back soon.
 *
 * A worker that waits for long serves a context, and what waits in the queue is a context that no worker serves.  So
 * while there are as many workers as contexts one comes by, even if the host allows no more
 * threads: a context that cannot have its worker is not made.
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include "platform/base/log.h"
#include "platform/host/futex.h"
#include "platform/host/hthread.h"

#define WORKER_STACK (256 * 1024)
#define BUSY_MAX 4

void pt_pool_init(struct pt_pool *w)
{
	mutex_init(&w->mu, RANK_PLATFORM);
	list_init(&w->events);
}

static int spawn(void *(*body)(void *), void *arg, size_t stack)
{
	int r = hthread_start(body, arg, stack, HTHREAD_TAKES_SIGNALS);

	if (r < 0)
		log_error("ptrace: cannot make a thread: error %d; raise the pids limit", -r);
	return r;
}

int pt_start_workers(struct platform *base, void *(*body)(void *), void *arg)
{
	struct pt *p = to_pt(base);
	int r;

	p->pool.body = body;
	p->pool.arg = arg;
	r = spawn(pt_dispatch_main, p, WORKER_STACK);
	if (r < 0)
		return r;
	while (!atomic_load(&p->ready))
		(void)host_futex_wait(&p->ready, 0, INT64_MAX);
	if (p->ready_error < 0)
		return p->ready_error;
	p->pool.nworkers = 1;
	return spawn(body, arg, WORKER_STACK);
}

/* Wake a worker for the event queue, or make one.  Called with mu; returns without. */
static void rouse(struct pt_pool *w) RELEASES(w->mu)
{
	bool make = !w->nidle && w->nworkers - w->nblocked < BUSY_MAX;

	if (make)
		w->nworkers++;
	atomic_fetch_add(&w->seq, 1);
	mutex_unlock(&w->mu);
	if (!make) {
		host_futex_wake(&w->seq, 1);
	} else if (spawn(w->body, w->arg, WORKER_STACK) < 0) {
		mutex_lock(&w->mu);
		w->nworkers--;
		mutex_unlock(&w->mu);
	}
}

int pt_reserve(struct pt *p)
{
	struct pt_pool *w = &p->pool;
	bool enough;

	mutex_lock(&w->mu);
	enough = w->nworkers > w->ncontexts++;
	if (!enough)
		w->nworkers++;
	mutex_unlock(&w->mu);
	if (enough || spawn(w->body, w->arg, WORKER_STACK) == 0)
		return 0;
	mutex_lock(&w->mu);
	w->ncontexts--;
	w->nworkers--;
	mutex_unlock(&w->mu);
	return -EAGAIN;
}

void pt_unreserve(struct pt *p)
{
	mutex_lock(&p->pool.mu);
	p->pool.ncontexts--;
	mutex_unlock(&p->pool.mu);
}

void pt_post(struct pt *p, struct pt_ctx *c, const struct trap *trap)
{
	mutex_lock(&p->pool.mu);
	c->event_trap = *trap;
	list_add_tail(&c->event, &p->pool.events);
	rouse(&p->pool);
}

struct ctx *pt_run(struct platform *base, struct ctx *done, struct trap *ret)
{
	struct pt *p = to_pt(base);
	struct pt_pool *w = &p->pool;
	struct pt_ctx *c;

	if (done)
		pt_queue(p, &to_pt_ctx(done)->resume);
	mutex_lock(&w->mu);
	while (list_empty(&w->events)) {
		u32 seq = atomic_load(&w->seq);

		w->nidle++;
		mutex_unlock(&w->mu);
		(void)host_futex_wait(&w->seq, seq, INT64_MAX);
		mutex_lock(&w->mu);
		w->nidle--;
	}
	c = list_first(&w->events, struct pt_ctx, event);
	list_del_init(&c->event);
	*ret = c->event_trap;
	mutex_unlock(&w->mu);
	return &c->base;
}

struct worker *pt_block_begin(struct platform *base)
{
	struct pt_pool *w = &to_pt(base)->pool;

	mutex_lock(&w->mu);
	w->nblocked++;
	if (!list_empty(&w->events))
		rouse(w);
	else
		mutex_unlock(&w->mu);
	return NULL;
}

void pt_waking(struct platform *base unused_ok, struct worker *sleeper unused_ok) { }

void pt_block_end(struct platform *base, bool woken unused_ok)
{
	struct pt_pool *w = &to_pt(base)->pool;

	mutex_lock(&w->mu);
	w->nblocked--;
	mutex_unlock(&w->mu);
}
