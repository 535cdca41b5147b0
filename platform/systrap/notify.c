/*
 * notify.c - what a notification means, and how contexts are answered.
 *
 * The kernel says which thread called (its id in our pid namespace) and gives
 * a copy of number, arguments and instruction pointer.  A thread that is not
 * known must register with the cookie of a child that is being made.  The
 * reaper thread tells of processes that have ended, however that came about.
 *
 * A thread can end without our knowledge, as the stub's text contains an exit that hostile code may jump to.  Its context
 * is taken for one that runs, and its id leads there, until an interrupt misses it (systrap_interrupt()), the host gives
 * the id to a child that registers, or the process is gone.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "platform/base/log.h"
#include "platform/host/futex.h"
#include "platform/host/process.h"

void notify_send(struct systrap *p, u64 id, long val, u32 flags)
{
	struct seccomp_notif_resp r = { .id = id, .val = val, .flags = flags };

	/* ENOENT: the thread was killed meanwhile; the reaper tells. */
	if (val < 0 && val >= -4095) {
		r.val = 0;
		r.error = (s32)val;
	}
	(void)ioctl(p->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

void notify_kill(struct systrap_ctx *c, const char *why)
{
	struct systrap_as *as = to_as(c->base.as);

	if (atomic_load(&as->dead))
		return;                 /* and its id may be another's */
	log_ratelimited("systrap: process %d, thread %d killed: %s", as->pid, c->tid, why);
	kill(as->pid, SIGKILL);
}

/*
 * Send @sig, or nothing if 0, to a thread.  False: @as has no living one of that id.  Of a first thread that
 * has ended the host still knows the id, but no memory by it.
 */
static bool send(struct systrap_as *as, pid_t tid, int sig)
{
	struct iovec remote = { (void *)slot_addr(to_systrap(as->base.p), 0), 1 };
	u8 byte;

	if (atomic_load(&as->dead) || syscall(SYS_tgkill, as->pid, tid, sig) < 0)
		return false;
	return tid != as->pid || host_vm_readv(tid, &(struct iovec){ &byte, 1 }, 1, &remote, 1) != -ESRCH;
}

static bool in_stub(const struct systrap *p, u64 ip) { return ip - p->stub < STUB_TEXT_MAX; }

static bool registers(const struct systrap *p, const struct seccomp_notif *n)
{
	return in_stub(p, n->data.instruction_pointer) && n->data.nr == STUBCALL_NR && n->data.args[0] == STUB_REGISTER;
}

/* Does who made this call still wait for its answer? */
static bool waits(const struct systrap *p, const struct seccomp_notif *n)
{
	u64 id = n->id;

	return ioctl(p->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/*
 * Is @tid what @c is to be: a thread of its process, or, as a first one, a process that is no other's yet?  What is copied and killed by
 * a process's number must be its own, and stay so until it is reaped.
 */
static bool fits(struct systrap *p, const struct systrap_ctx *c, pid_t tid)
{
	const struct systrap_as *as = to_as(c->base.as);
	pid_t pid = as->pid ? as->pid : tid;

	return (as->pid || !tidmap_get(p->by_pid, tid)) && !atomic_load(&as->dead) && syscall(SYS_tgkill, pid, tid, 0) == 0;
}

/* A child of clone says who it is. Anything wrong ends it. */
static void register_child(struct systrap *p, const struct seccomp_notif *n)
{
	struct systrap_ctx *c = NULL, *x;
	bool there;

	if (n->pid <= 0 || n->pid >= TIDMAP_MAX)
		return;
	mutex_lock(&p->lanes->mu);
	/* If so the reaper has not looked for it yet, and finds what we enter. */
	there = waits(p, n);
	if (there && registers(p, n))
		list_for_each(x, &p->lanes->pending, pending)
			if (x->cookie == n->data.args[1] && ctx_systrap(x) == p && fits(p, x, (pid_t)n->pid)) {
				c = x;
				list_del_init(&c->pending);
				break;
			}
	if (c) {
		c->tid = n->pid;
		c->notif_id = n->id;
		c->framed = true;
		atomic_fetch_sub(&p->w.running, 1);
		atomic_store(&c->state, CTX_TRAPPED);
		tidmap_set(&p->by_tid, n->pid, c);
		if (!to_as(c->base.as)->pid) {
			to_as(c->base.as)->pid = n->pid;
			tidmap_set(p->by_pid, n->pid, to_as(c->base.as));
		}
		atomic_store(&c->registered, CHILD_REGISTERED);
	}
	mutex_unlock(&p->lanes->mu);
	if (c) {
		host_futex_wake(&c->registered, 1);
	} else if (there) {
		log_ratelimited("systrap: unknown thread %d killed", n->pid);
		kill(n->pid, SIGKILL);
	}
}

static void command_done(struct systrap *p, struct systrap_ctx *c, const struct seccomp_notif *n)
{
	int running = CTX_RUNNING;

	if (!atomic_compare_exchange_strong(&c->state, &running, CTX_TRAPPED))
		return;
	atomic_fetch_sub(&p->w.running, 1);
	c->notif_id = n->id;
	c->done_val = (long)n->data.args[1];
	atomic_store(&c->in_command, false);
	atomic_store(&c->done, 1);
	host_futex_wake(&c->done, 1);
}

static bool take(struct systrap *p, struct systrap_ctx *c, const struct seccomp_notif *n)
{
	int running = CTX_RUNNING;

	if (!atomic_compare_exchange_strong(&c->state, &running, CTX_TRAPPED))
		return false;
	atomic_fetch_sub(&p->w.running, 1);
	atomic_store(&c->viewing, 0);
	c->notif_id = n->id;
	return true;
}

void notify_frame(struct systrap_ctx *c, u64 uc, int sig, struct trap *ret)
{
	if (!frame_fetch(c, uc, sig, ret)) {
		notify_kill(c, "its frame cannot be read");
		*ret = (struct trap){ .kind = TRAP_DEAD };
	}
	if (ret->kind == TRAP_INTERRUPT) {
		ret->site = c->hot_site;
		c->hot_site = 0;
	}
}

/* A frame is reported. */
static struct systrap_ctx *trapped(struct systrap *p, struct systrap_ctx *c,
				   const struct seccomp_notif *n, struct trap *ret)
{
	if (!take(p, c, n))
		return NULL;
	notify_frame(c, n->data.args[1], (int)n->data.args[2], ret);
	if (c->internal) {
		atomic_store(&c->done, 1);
		host_futex_wake(&c->done, 1);
		return NULL;
	}
	mail_missed(c, ret);
	return c;
}

static struct systrap_ctx *stub_call(struct systrap *p, struct systrap_ctx *c,
				     const struct seccomp_notif *n, struct trap *ret)
{
	if (n->data.nr == STUBWAIT_NR || n->data.nr == STUBFRAME_NR)
		return mail_waited(p, c, n->id, ret);
	if (n->data.nr != STUBCALL_NR)
		approve_call(p, c, n);
	else if (n->data.args[0] == STUB_DONE && atomic_load(&c->in_command))
		command_done(p, c, n);
	else if (n->data.args[0] == STUB_TRAPPED && !atomic_load(&c->in_command))
		return trapped(p, c, n, ret);
	else
		notify_kill(c, "its stub's trap call is out of turn, or faulted");
	return NULL;
}

/* A call of the application's own, by notification. */
static struct systrap_ctx *app_call(struct systrap *p, struct systrap_ctx *c,
				    const struct seccomp_notif *n, struct trap *ret)
{
	u64 ip = n->data.instruction_pointer;

	if (n->data.nr == SYS_rseq) {
		/* The host's, but it writes to that area whenever the thread returns to user mode: see systrap_retire(). */
		memcpy(c->rseq, n->data.args, sizeof(c->rseq));
		notify_send(p, n->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
		return NULL;
	}
	if (!take(p, c, n))
		return NULL;
	c->framed = false;
	ret->kind = TRAP_SYSCALL;
	ret->site = 0;
	if (site_of_ip(to_as(c->base.as), &ip))
		mail_missed(c, ret);
	else
		site_trapped(c, ip - 2, (u32)n->data.nr);
	ret->nr = (u32)n->data.nr;
	memcpy(ret->args, n->data.args, sizeof(ret->args));
	ret->ip = ip;
	return c;
}

/*
 * A thread whose context was freed while it waited for its mail.  If it can end it is told to,
 * else it stays where it is until its process ends, as after any call (systrap_ctx_free()).
 */
static bool gone_thread(struct systrap *p, const struct seccomp_notif *n)
{
	if (!in_stub(p, n->data.instruction_pointer) ||
	    (n->data.nr != STUBWAIT_NR && n->data.nr != STUBFRAME_NR))
		return false;
	if (n->data.nr == STUBFRAME_NR && !tidmap_get(p->by_pid, n->pid))
		notify_send(p, n->id, CMD_EXIT, 0);
	return true;
}

static struct systrap_ctx *received(struct systrap *p, const struct seccomp_notif *n, struct trap *ret)
{
	struct systrap_ctx *c = tidmap_get(&p->by_tid, n->pid);

	if (c && registers(p, n) && !send(to_as(c->base.as), (pid_t)n->pid, 0))
		c = NULL;               /* another had this id before */
	if (!c && gone_thread(p, n))
		return NULL;
	if (!c) {
		register_child(p, n);
		return NULL;
	}
	if (in_stub(p, n->data.instruction_pointer))
		return stub_call(p, c, n, ret);
	if (atomic_load(&c->in_command)) {
		notify_kill(c, "a call while its stub obeys a command");
		return NULL;
	}
	return app_call(p, c, n, ret);
}

/* Something ended without a notification: whoever waits for it looks again. */
static void ring(struct systrap *p, _Atomic u32 *word)
{
	u64 one = 1;

	host_futex_wake(word, 1);
	(void)!write(p->bell, &one, sizeof(one));
}

void notify_sleep_if_abandoned(struct systrap *p)
{
	struct pollfd pfd = { .fd = p->listener, .events = POLLIN };
	_Atomic u32 never = 0;

	while (poll(&pfd, 1, 0) == 1 && pfd.revents == POLLHUP)
		(void)host_futex_wait(&never, 0, INT64_MAX);
}

struct systrap_ctx *notify_receive(struct systrap *p, struct trap *ret)
{
	struct seccomp_notif n;
	struct systrap_ctx *c;

	memset(&n, 0, sizeof(n));
	if (ioctl(p->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
		return NULL;            /* EINTR, or the caller died first */
	atomic_store(&p->w.looking, true);
	c = received(p, &n, ret);
	atomic_fetch_add(&p->w.round, 1);
	atomic_store(&p->w.looking, false);
	return c;
}

static void report_dead(struct systrap *p, struct systrap_ctx *c)
{
	struct trap trap = { .kind = TRAP_DEAD };

	workers_post(p, c, &trap);
}

/* A context whose process is gone: tell its owner, or make it some worker's. */
static void ctx_died(struct systrap *p, struct systrap_ctx *c)
{
	atomic_fetch_sub(&p->w.running, 1);
	if (atomic_exchange(&c->in_command, false) || c->internal) {
		c->done_val = -ESRCH;
		atomic_store(&c->done, 1);
		ring(p, &c->done);
	} else {
		report_dead(p, c);
	}
}

/* Leave the results where the stub finds them; what its call is answered with. */
static long give_results(struct systrap_ctx *c)
{
	if (c->framed) {
		if (frame_flush(c) < 0)
			notify_kill(c, "its frame cannot be written");
		return CMD_RESUME;
	}
	if (window_end(c))
		mail_has_data(c);
	return c->pass ? 0 : c->result;
}

void ctx_resume(struct systrap_ctx *c)
{
	struct systrap *p = ctx_systrap(c);
	struct systrap_as *as = to_as(c->base.as);
	bool framed = c->framed, kick, dead;
	pid_t pid = as->pid, tid = c->tid;
	bool mailed = c->by_mail, heat;
	u32 flags = c->pass ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
	long val = give_results(c);
	u64 id = c->notif_id;

	c->pass = false;
	kick = c->want_frame || c->want_views || (!framed && (c->hot_site || c->want_mail));
	c->want_frame = false;
	heat = !kick && workers_receives(p) && mail_heat(p, c);
	c->missed = false;
	c->ncalls = 0;
	c->result = 0;
	/*
	 * Once it is RUNNING, a context whose process dies belongs to the reaper and then to
	 * another worker, which may free it.  The reaper looks under as->mu, so up to the
	 * unlock it is ours; after it only the copies are touched.
	 */
	mutex_lock(&as->mu);
	dead = atomic_load(&as->dead);
	if (!dead) {
		c->resumed_at = __builtin_ia32_rdtsc();
		atomic_fetch_add(&p->w.running, 1);
		atomic_store(&c->state, CTX_RUNNING);
		if (atomic_exchange(&c->kicked, false))
			kick = true;
		if (mailed) {
			/* A frame: the signal is blocked until its end. */
			if (kick && framed)
				(void)syscall(SYS_tgkill, pid, tid, STUB_SIGNAL);
			id = mail_answer(c, val, kick && !framed);
			kick &= !framed;
			heat &= id != 0;
		}
	} else {
		atomic_store(&c->state, CTX_DEAD);
	}
	mutex_unlock(&as->mu);
	if (dead) {
		report_dead(p, c);
		return;
	}
	if (mailed && !id)
		return;
	/* Queued before the answer: the thread takes it before its next instruction. */
	if (kick)
		(void)syscall(SYS_tgkill, pid, tid, STUB_SIGNAL);
	/* It will run on this CPU: either it gets it, or we leave it. */
	if (!heat && mail_hot(p) && workers_receives(p))
		mail_chill(p);
	notify_send(p, id, val, flags);
	if (heat)
		workers_step_aside(p);
}

bool systrap_pass(struct ctx *base)
{
	struct systrap_ctx *c = to_ctx(base);

	/* Its notification holds the arguments that were looked at: that of a call of its own, never a wait call (slow_call()). */
	c->pass = !c->framed && !c->by_mail && c->notif_id;
	return c->pass;
}

void systrap_interrupt(struct ctx *base)
{
	struct systrap_ctx *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);

	atomic_store(&c->kicked, true);
	if (atomic_load(&c->state) != CTX_RUNNING || !atomic_exchange(&c->kicked, false))
		return;
	if (!send(as, c->tid, STUB_SIGNAL))
		notify_kill(c, "it has ended, and nobody had told it to");      /* it would never trap again */
}

/*
 * Hostile code can keep the interrupt from its thread for ever: it blocks the host's signals with a frame of its own and rt_sigreturn, or
 * has another thread rewrite its stub, which then never answers a command.
 */
void systrap_overdue(struct ctx *base)
{
	struct systrap_ctx *x, *c = to_ctx(base);
	struct systrap_as *as = to_as(base->as);
	bool all = true, runs = false;

	atomic_store(&c->overdue, true);
	mutex_lock(&as->mu);
	list_for_each(x, &as->ctxs, node) {
		runs |= atomic_load(&x->state) == CTX_RUNNING || atomic_load(&x->awaits_child);
		all &= atomic_load(&x->overdue) || !__atomic_load_n(&x->tid, __ATOMIC_RELAXED);         /* or has not registered */
	}
	mutex_unlock(&as->mu);
	if (all && runs)
		notify_kill(c, "it should have ended");
}

/*
 * The process of @as is gone.  TRAPPED contexts learn it from their owner's
 * resume; RUNNING ones have no owner but us, so they cannot be freed meanwhile.  Their
 * threads' ids are the host's to give to others from now on.
 */
static void as_died(struct systrap *p, struct systrap_as *as)
{
	struct systrap_ctx *c, *hit;

	mutex_lock(&as->mu);
	atomic_store(&as->dead, true);
	list_for_each(c, &as->ctxs, node)
		ctx_forget_tid(c);
	mutex_unlock(&as->mu);
	do {
		hit = NULL;
		mutex_lock(&as->mu);
		list_for_each(c, &as->ctxs, node) {
			int running = CTX_RUNNING;

			if (atomic_compare_exchange_strong(&c->state, &running, CTX_DEAD)) {
				hit = c;
				break;
			}
		}
		mutex_unlock(&as->mu);
		if (hit)
			ctx_died(p, hit);
	} while (hit);
}

bool notify_await(struct systrap *p)
{
	struct pollfd pfd[2] = {
		{ .fd = p->listener, .events = POLLIN },
		{ .fd = p->bell, .events = POLLIN },
	};
	u64 n;

	if (poll(pfd, 2, -1) > 0 && (pfd[1].revents & POLLIN))
		(void)!read(p->bell, &n, sizeof(n));
	/* Nobody is under the filter any more.  Before there is a reaper that can only be the zygote. */
	if (pfd[0].revents == POLLHUP && !p->w.body)
		as_died(p, to_as(p->zygote->base.as));
	return pfd[0].revents & POLLIN;
}

/* Children that will never register: process @pid is gone, or the address space @as, theirs or who was to make them. the lanes' mu is held. */
static void pending_died(struct lanes *lanes, pid_t pid, const struct systrap_as *as)
{
	struct systrap_ctx *c, *next;

	list_for_each_safe(c, next, &lanes->pending, pending) {
		if (as ? c->base.as != &as->base && c->maker != as : c->expect != pid)
			continue;
		list_del_init(&c->pending);
		atomic_fetch_sub(&ctx_systrap(c)->w.running, 1);
		atomic_store(&c->registered, CHILD_DIED);
		ring(ctx_systrap(c), &c->registered);
	}
}

void *reaper_main(void *arg)
{
	struct systrap *p = arg;                /* any lane */
	struct lanes *lanes = p->lanes;
	siginfo_t si;

	for (;;) {
		struct systrap_as *as;

		memset(&si, 0, sizeof(si));
		if (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT | __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return NULL;    /* ECHILD: the zygote is gone, nothing more can come */
		}
		/* Stubs end by SIGKILL or exit; anything else was the filter, or a fault in the stub itself. */
		if (si.si_code != CLD_EXITED && si.si_status != SIGKILL)
			log_ratelimited("systrap: process %d died of signal %d", si.si_pid, si.si_status);
		mutex_lock(&lanes->mu);
		as = si.si_pid < (pid_t)TIDMAP_MAX ? tidmap_take(p->by_pid, (u32)si.si_pid, NULL) : NULL;
		if (!as)
			lanes->strays[lanes->nstrays++ % ARRAY_SIZE(lanes->strays)] = si.si_pid;
		pending_died(lanes, si.si_pid, as);
		mutex_unlock(&lanes->mu);
		if (as)
			as_died(to_systrap(as->base.p), as);
		(void)waitid(P_PID, (id_t)si.si_pid, &si, WEXITED | __WALL);
		if (!as)
			continue;
		as_put(as, AS_REAPED);
		for (u32 i = 0; i < LANES && lanes->lane[i]; i++)
			spare_ended(lanes->lane[i]);
	}
}
