/*
 * workers.c - who receives notifications, and who waits.
 *
 * One worker at a time holds the receiver's token: a receive wakes every
 * thread that waits in it, so a second one would cost a context switch a call.
 * The holder keeps the token while it serves a call, since most take a
 * microsecond, and gives it up only before it may wait long (block_begin): to a parked worker,
 * if some context may still send a notification, else to nobody.  A
 * contended mutex counts (its holder may wait for a notification), and so does a call that moves much (workers_worked()).  If a worker was just woken from
 * its own wait, nobody else is, unless there are events: it comes by, and wakes another if it must wait again first.  Who
 * resumes a context next finds it free.  Invariant: while running > 0, somebody holds the
 * token or is about to take it.
 *
 * Mostly nobody calls meanwhile, and the token went to and fro for nothing.  So a worker that waits for descriptors keeps it,
 * with the listener among them (block_watch): whoever looks for the token takes it from there, and a
 * call that finds it still there wakes that worker, which gives it up only now.
 * Who waits may still wake others, as one at the network's links does with what it takes in: it
 * will not come by, so it sends another worker.
 *
 * That "somebody" exists, however few threads the host allows: there is always one worker more than
 * there are contexts (workers_reserve(); a context that cannot have its worker is not made).  A
 * worker waits for long only on behalf of a context: from its trap to its resumption, or, if the worker
 * frees it, until it is back in workers_run().  So one worker at least is bound to none: it holds the token, is parked, or is
 * on its way through workers_run(), where it looks at token and events before it parks.  Hence whoever gives
 * the token up and finds nobody parked just leaves it free.  The same holds for an event, which is
 * itself a context without a worker: besides the receiver, who may not look at events, one more is free.
 * And a worker that awaits its stub's answer (workers_await) without the token need not look for it again:
 * if it becomes free later, the free worker takes it.
 *
 * All of this is one lane's (lanes.c).  A worker is of one lane for ever.  When it resumes or commands a context of another, the free
 * worker there must take that lane's token, if nobody has it: serve().  Events go to the context's own lane; only a
 * worker of that lane may keep one for itself, or who takes turns with that context, so that they need one thread less and
 * stay on one CPU: keep().  Until it is back in workers_run() that worker is bound to a context that its own lane does not count, so it
 * is counted as borrowing, and there must be a worker the more.
 *
 * Which worker this thread is lives in a thread-local: the one piece of state
 * that does not hang from struct platform, as it belongs to the thread.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/base/log.h"
#include "platform/host/futex.h"
#include "platform/host/hthread.h"

#define WORKER_STACK (256 * 1024)

/* A wait that follows a wake-up this closely, in TSC ticks, shows that waker and sleeper take turns. */
#define TURN_TICKS 300000u
#define TURNS_MAX  8u
#define TURNS_MIN  2u

#define BORROWERS_MAX 2u                /* at a time, in a lane: each takes a thread */

struct worker {
	struct list_head node;          /* guarded by the pool's mu: parked */
	_Atomic u32 wake;               /* futex */
	bool token;                     /* own thread, or set under mu while parked */
	bool is_worker;                 /* runs workers_run(); others give the token back at once */
	struct systrap_ctx *serving;    /* own thread: the context that it owns, or NULL */
	u32 freed;                      /* own thread: contexts that it freed, still counted in the pool's contexts */
	struct systrap_ctx *kept;       /* own thread: of another lane, with an event that we serve next, or NULL */
	bool lacks;                     /* own thread: there was no worker the more, to keep one */
	bool borrows;                   /* own thread: counted in the lane's borrowers */
	bool waits;                     /* own thread: it may be long until it is back in workers_run(), though it still wakes others */
	bool coming;                    /* counted in the pool's coming. Own thread */
	size_t moved;                   /* own thread: bytes, by the call that is served */
	bool watches;                   /* own thread: was made the pool's watcher, and may have lost the token since */
	pid_t tid;                      /* set before a sleep */
	struct systrap *lane;           /* own thread: a worker's for ever; of others, where they wait now */
	_Atomic bool placed;            /* a waker has narrowed our affinity */
};

static _Thread_local struct worker self;

void workers_init(struct workers *w)
{
	mutex_init(&w->mu, RANK_PLATFORM);
	list_init(&w->parked);
	list_init(&w->events);
	w->token_free = true;
	if (sched_getaffinity(0, sizeof(w->cpus), &w->cpus) < 0)
		CPU_ZERO(&w->cpus);
}

static void *worker_main(void *arg)
{
	struct systrap *p = arg;

	self.lane = p;
	return p->w.body(p->w.arg);
}

static int spawn(struct systrap *p)
{
	int r = hthread_start(worker_main, p, WORKER_STACK, HTHREAD_TAKES_SIGNALS);

	if (r < 0)
		log_ratelimited("systrap: cannot make a worker thread: error %d; raise the pids limit", -r);
	return r;
}

int workers_reserve(struct systrap *p)
{
	struct workers *w = &p->w;
	u32 bound, lacking, more = 0;

	mutex_lock(&w->mu);
	w->contexts++;
	bound = w->contexts + w->borrowers;
	lacking = w->threads > bound ? 0 : bound + 1 - w->threads;      /* 2: the second lane's first */
	w->threads += lacking;
	mutex_unlock(&w->mu);
	while (more < lacking && spawn(p) == 0)
		more++;
	if (more == lacking)
		return 0;
	mutex_lock(&w->mu);
	w->contexts--;
	w->threads -= lacking - more;
	mutex_unlock(&w->mu);
	return -EAGAIN;
}

void workers_unreserve(struct systrap *p)
{
	mutex_lock(&p->w.mu);
	p->w.contexts--;
	mutex_unlock(&p->w.mu);
}

int workers_start(struct platform *base, void *(*body)(void *), void *arg)
{
	struct systrap *p = to_systrap(base);
	int r;

	for (u32 i = 0; i < LANES && p->lanes->lane[i]; i++) {
		p->lanes->lane[i]->w.body = body;
		p->lanes->lane[i]->w.arg = arg;
	}
	r = hthread_start(reaper_main, p, 64 * 1024, HTHREAD_TAKES_SIGNALS);
	if (r < 0)
		return r;
	p->w.threads = 1;
	return spawn(p);
}

static void unpark(struct worker *w)
{
	atomic_store(&w->wake, 1);
	host_futex_wake(&w->wake, 1);
}

static void park(struct workers *w)
{
	list_add(&self.node, &w->parked);
	atomic_store(&self.wake, 0);
	mutex_unlock(&w->mu);
	while (!atomic_load(&self.wake))
		(void)host_futex_wait(&self.wake, 0, INT64_MAX);
	mutex_lock(&w->mu);
}

/* Someone must look at the pool: a parked worker, or the one that comes by anyway. Called with mu; returns without. */
static void rouse(struct systrap *p, bool with_token) RELEASES(p->w.mu)
{
	struct worker *w = NULL;

	if (!list_empty(&p->w.parked)) {
		w = list_first(&p->w.parked, struct worker, node);
		list_del_init(&w->node);
		w->token = with_token;
	} else if (with_token) {
		p->w.token_free = true;
	}
	mutex_unlock(&p->w.mu);
	if (w)
		unpark(w);
}

static void block_begin(struct systrap *p);

/* @rouse_one: we may not come to workers_run() soon, so somebody must be sent there. */
static void post(struct systrap *p, struct systrap_ctx *c, const struct trap *trap, bool rouse_one)
{
	mutex_lock(&p->w.mu);
	c->event_trap = *trap;
	list_add_tail(&c->event, &p->w.events);
	atomic_fetch_add(&p->w.nevents, 1);
	if (rouse_one || self.waits)
		rouse(p, false);
	else
		mutex_unlock(&p->w.mu);
}

void workers_post(struct systrap *p, struct systrap_ctx *c, const struct trap *trap)
{
	/* A worker of that lane takes it itself when it is done, or wakes another before it waits. */
	post(p, c, trap, !self.is_worker || self.lane != p);
}

static void give_up(void *p) { block_begin(p); }

/* Called with mu. */
static void arrived(struct workers *w)
{
	if (self.coming)
		w->coming--;
	self.coming = false;
}

/* Called with mu: nothing of the contexts that we freed is left to do. */
static void unbound(struct workers *w)
{
	w->contexts -= self.freed;
	self.freed = 0;
	w->borrowers -= self.borrows && !self.kept;
	self.borrows &= self.kept != NULL;
}

/* What waited for a frame is done before the sentry sees the trap. */
static struct ctx *ready(struct systrap_ctx *c)
{
	if (c->want_mail && c->framed && !atomic_load(&to_as(c->base.as)->dead))
		mail_open(c);
	if (c->want_views && c->framed && !atomic_load(&to_as(c->base.as)->dead))
		views_obey(c);
	self.serving = c;
	return &c->base;
}

void workers_forget(const struct systrap_ctx *c)
{
	if (self.serving == c && ctx_systrap(c) == self.lane) {
		self.serving = NULL;
		self.freed++;           /* what is left of its task is served on: see unbound() */
	} else {
		if (self.serving == c)
			self.serving = NULL;
		workers_unreserve(ctx_systrap(c));
	}
}

bool workers_receives(const struct systrap *p) { return self.token && self.lane == p; }

struct systrap_as *workers_serves(void) { return self.serving ? to_as(self.serving->base.as) : NULL; }

/* Called with mu: be the receiver, if nobody is who does not only wait. */
static void take_token(struct workers *w)
{
	if (self.token || (!w->token_free && !w->watcher))
		return;
	w->token_free = false;
	w->watcher = NULL;
	self.token = true;
}

/* Do we have the token still? */
static void unwatch(struct workers *w)
{
	self.watches = self.token = false;      /* first: waiting for the mutex leads here again */
	mutex_lock(&w->mu);
	if (w->watcher == &self) {
		w->watcher = NULL;
		self.token = true;
	}
	mutex_unlock(&w->mu);
}

void workers_step_aside(struct systrap *p)
{
	cpu_set_t others = p->w.cpus;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return;
	CPU_CLR((size_t)cpu, &others);
	(void)sched_setaffinity(0, sizeof(others), &others);
	(void)sched_setaffinity(0, sizeof(p->w.cpus), &p->w.cpus);
}

/* A context of @p, another lane than this worker's, runs: somebody there must receive. */
static void serve(struct systrap *p)
{
	bool due;

	mutex_lock(&p->w.mu);
	due = p->w.token_free && !list_empty(&p->w.parked);
	if (due)
		p->w.token_free = false;
	if (due)
		rouse(p, true);
	else
		mutex_unlock(&p->w.mu);
}

/* The next time that somebody wants to keep one, there is a worker for it. */
static void one_more(struct systrap *p)
{
	struct workers *w = &p->w;
	bool more;

	self.lacks = false;
	mutex_lock(&w->mu);
	more = !w->adding && w->threads <= w->contexts + w->borrowers + 1;
	w->adding |= more;
	mutex_unlock(&w->mu);
	if (!more)
		return;
	more = spawn(p) == 0;
	/* Counted only now, as others rely on what is counted. */
	mutex_lock(&w->mu);
	w->threads += more;
	w->no_more = !more;
	w->adding = false;
	mutex_unlock(&w->mu);
}

static void resume(struct systrap_ctx *c)
{
	struct systrap *p = ctx_systrap(c);

	ctx_resume(c);
	if (p != self.lane)
		serve(p);
}

struct ctx *workers_run(struct platform *base, struct ctx *done, struct trap *ret)
{
	struct systrap *p = self.lane;
	struct systrap_ctx *c;

	(void)base;
	if (!self.is_worker) {
		self.is_worker = true;
		mutex_before_sleep(give_up, p);
	}
	self.serving = NULL;
	if (done)
		resume(to_ctx(done));
	self.moved = 0;
	self.waits = false;
	if (self.lacks)
		one_more(p);
	for (;;) {
		mutex_lock(&p->w.mu);
		arrived(&p->w);
		unbound(&p->w);
		/* With an event too: those who did not wake another, as we were coming, counted on it. */
		take_token(&p->w);
		if (self.kept) {
			c = self.kept;
			self.kept = NULL;
			*ret = c->event_trap;
			mutex_unlock(&p->w.mu);
			return ready(c);
		}
		if (!list_empty(&p->w.events)) {
			c = list_first(&p->w.events, struct systrap_ctx, event);
			list_del_init(&c->event);
			atomic_fetch_sub(&p->w.nevents, 1);
			*ret = c->event_trap;
			mutex_unlock(&p->w.mu);
			return ready(c);
		}
		if (!self.token) {
			park(&p->w);
			mutex_unlock(&p->w.mu);
			continue;
		}
		mutex_unlock(&p->w.mu);
		c = mail_hot(p) ? mail_receive(p, ret) : NULL;
		if (!c && !atomic_load(&p->w.nevents)) {
			c = notify_receive(p, ret);
			if (!c)
				notify_sleep_if_abandoned(p);
		}
		if (c)
			return ready(c);
	}
}

/* The call that is served wakes somebody.  Is it one that waits itself soon after? */
static bool takes_turns(void)
{
	struct systrap_ctx *c = self.serving;

	if (!c)
		return false;
	c->woke_at = __builtin_ia32_rdtsc();
	return c->turns >= TURNS_MIN;
}

/* What there is to note before any wait of @c. */
static void will_wait(struct systrap_ctx *c)
{
	mail_blocked(c);
	if (!c->woke_at)
		return;
	if (__builtin_ia32_rdtsc() - c->woke_at < TURN_TICKS)
		c->turns = MIN(c->turns + 1, TURNS_MAX);
	else if (c->turns)
		c->turns--;
	c->woke_at = 0;
}

static void note_wait(void)
{
	if (self.serving)
		will_wait(self.serving);
	if (!self.tid)
		self.tid = gettid();
}

void workers_rest(struct ctx *base)
{
	will_wait(to_ctx(base));
	self.serving = NULL;            /* it may be another's at any moment */
}

/* Serve what @c, of another lane, has to tell. False: let its own lane do so. */
static bool keep(struct systrap_ctx *c, const struct trap *trap)
{
	struct systrap *p = self.lane;

	if (!self.is_worker || self.waits || self.borrows || !takes_turns())
		return false;
	mutex_lock(&p->w.mu);
	self.borrows = p->w.borrowers < BORROWERS_MAX && p->w.threads > p->w.contexts + p->w.borrowers + 1;
	self.lacks = p->w.borrowers < BORROWERS_MAX && !self.borrows && !p->w.no_more;
	p->w.borrowers += self.borrows;
	mutex_unlock(&p->w.mu);
	if (!self.borrows)
		return false;
	c->event_trap = *trap;
	self.kept = c;
	return true;
}

/* We may wait long: what we kept is its own lane's after all. Still counted as borrowing. */
static void let_go(void)
{
	struct systrap_ctx *c = self.kept;
	struct trap trap;

	if (!c)
		return;
	self.kept = NULL;               /* first: waiting for the mutex comes here again */
	trap = c->event_trap;
	post(ctx_systrap(c), c, &trap, true);
}

void workers_again(struct ctx *base)
{
	struct trap trap = { .kind = TRAP_AGAIN };
	/* Who takes turns with whom it wakes serves that, too, when it is done.  So does who has nobody to resume. */
	bool mine = self.is_worker && self.lane == to_systrap(base->p) && (!self.serving || takes_turns());

	if (self.is_worker && self.lane != to_systrap(base->p) && keep(to_ctx(base), &trap))
		return;
	post(to_systrap(base->p), to_ctx(base), &trap, !mine);
}

/* The lane that this thread waits in. */
static struct systrap *here(struct platform *base) { return self.is_worker ? self.lane : to_systrap(base); }

struct worker *workers_block_watch(struct platform *base, hostfd_t *ret_fd)
{
	struct systrap *p = here(base);
	struct workers *w = &p->w;

	/* Nobody calls by mail from somebody who waits; and without callers the token may as well be free. */
	if (!self.token || mail_hot(p) || atomic_load(&w->running) <= 0)
		return workers_block_begin(base);
	let_go();
	note_wait();
	mutex_lock(&w->mu);
	if (self.token && list_empty(&w->events)) {
		arrived(w);
		w->watcher = &self;
		self.watches = true;
	}
	mutex_unlock(&w->mu);
	if (!self.watches)
		return workers_block_begin(base);
	self.waits = true;
	*ret_fd = HOSTFD(p->listener);
	return &self;
}

/* Somebody else must receive in @p, and take what there is to take. */
static void block_begin(struct systrap *p)
{
	bool token;

	if (self.lane != p)             /* wakers read it */
		self.lane = p;
	let_go();
	if (self.watches)
		unwatch(&p->w);
	token = self.token;
	note_wait();
	if (!token && !self.coming && !atomic_load(&p->w.nevents))
		return;
	self.token = false;             /* first: waiting for the mutex comes here again */
	mutex_lock(&p->w.mu);
	arrived(&p->w);
	p->w.token_free |= token;
	/* Somebody must take what there is to take; a worker that was just woken will. */
	if (!p->w.body || (list_empty(&p->w.events) &&
	                   (p->w.coming > 0 || !p->w.token_free || atomic_load(&p->w.running) <= 0))) {
		mutex_unlock(&p->w.mu);
		return;
	}
	token = p->w.token_free;
	p->w.token_free = false;
	rouse(p, token);
}

struct worker *workers_block_begin(struct platform *base)
{
	self.waits = true;
	block_begin(here(base));
	return &self;
}

/* What takes a fraction of a millisecond. */
#define LONG_WORK (1u << 20)

/* Whoever holds the token keeps all others of the lane waiting.  Where copies are made, locks may be held. */
void workers_worked(size_t n)
{
	if (!self.serving)
		return;
	if (likely(n <= LONG_WORK - self.moved)) {
		self.moved += n;
		return;
	}
	self.moved = 0;
	self.waits = true;
	mutex_let_others();
}

/*
 * The host places whom it wakes on an idle CPU, and waking that CPU can cost more than all the rest.
 * A worker whose waits follow its wake-ups takes turns with whom it wakes, who then belongs here.
 */
void workers_waking(struct platform *base, struct worker *sleeper)
{
	struct systrap *p = sleeper->lane;
	cpu_set_t here;
	int cpu;

	(void)base;
	mutex_lock(&p->w.mu);
	p->w.coming++;
	mutex_unlock(&p->w.mu);
	if (!self.is_worker)
		return;
	if (!takes_turns())
		return;
	cpu = sched_getcpu();
	if (cpu < 0 || CPU_COUNT(&p->w.cpus) < 2)
		return;
	CPU_ZERO(&here);
	CPU_SET((size_t)cpu, &here);
	atomic_store(&sleeper->placed, true);
	(void)sched_setaffinity(sleeper->tid, sizeof(here), &here);
}

void workers_block_end(struct platform *base, bool woken)
{
	struct systrap *p = self.lane;

	(void)base;
	self.waits = false;
	if (self.watches)
		unwatch(&p->w);
	if (atomic_load(&self.placed)) {
		atomic_store(&self.placed, false);
		(void)sched_setaffinity(0, sizeof(p->w.cpus), &p->w.cpus);
	}
	if (!woken)
		return;
	self.coming = true;
	if (self.is_worker)
		return;
	mutex_lock(&p->w.mu);
	arrived(&p->w);
	mutex_unlock(&p->w.mu);
}

/* The same for a worker of another lane: that one's workers will receive it. */
static void await_elsewhere(struct systrap *p, _Atomic u32 *word)
{
	(void)workers_block_begin(&p->base);
	serve(p);
	while (!atomic_load(word))
		(void)host_futex_wait(word, 0, INT64_MAX);
	workers_block_end(&p->base, false);
}

void workers_await(struct systrap *p, _Atomic u32 *word)
{
	struct systrap_ctx *c;
	struct trap trap;

	let_go();
	if (self.is_worker && self.lane != p) {
		await_elsewhere(p, word);
		return;
	}
	self.lane = p;
	mutex_lock(&p->w.mu);
	/* The receiver must not count on us while we count on it, nor who posted an event. */
	arrived(&p->w);
	take_token(&p->w);
	if (list_empty(&p->w.events))
		mutex_unlock(&p->w.mu);
	else
		rouse(p, false);
	while (!atomic_load(word)) {
		if (!self.token) {
			(void)host_futex_wait(word, 0, INT64_MAX);
			continue;
		}
		if (!notify_await(p))
			continue;
		c = notify_receive(p, &trap);
		if (c)          /* not for us; and what we wait for may never come */
			post(p, c, &trap, true);
	}
	if (!self.is_worker)
		block_begin(p);
}
