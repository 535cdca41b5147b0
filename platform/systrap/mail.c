/*
 * mail.c - calls that reach the sentry without the host: mailboxes, and who looks at them when.
 *
 * A patched call site (patch.c, stub/fast.S) posts its call in its thread's
 * mailbox if that is "hot": if the receiver looks at it, spinning on a CPU of its own.  Otherwise,
 * and whenever the answer takes long, a notification is made as ever, and everything here is as if
 * there were no mailbox.  So nothing depends on spinning but speed.  A call with data (call_data.def) is posted in
 * any case, for the sake of its window, and if nobody looks the wait call is the notification.
 *
 * A mailbox becomes hot when its thread's calls follow each other closely, and cool when none came for a
 * moment.  Spinning that did not pay makes the next time later.  With one CPU nothing is ever hot, and when the
 * receiver loses its CPU while it spins, somebody needs that: then nothing is for a while, longer each time.
 *
 * Protocol: the stub posts (state POSTED, a full barrier), then looks at hot; we clear hot (a
 * full barrier), then look at state: a posted call is seen by one of us.  If the stub gives up
 * waiting, it makes the wait call, whose answer is the result: mail_waited().
 *
 * Locks: as->mu orders the end of a call against the wait call.  hot[] is changed under the
 * pool's mu and read by the receiver (who holds the token) without.  The receiver may meet a context that
 * another worker owns, as its thread runs on while its call is served: mail_forget() waits until it cannot.
 * The words of a mailbox are the application's: each is read once, and hot is told there but kept in c->hot.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "platform/host/hostfile.h"

#define MAIL_SIZE (MAIL_WIN_OFF + MAIL_WINDOWS * sizeof(struct window))
#define CLOSE_TICKS 300000u     /* TSC: a call this soon after its thread was resumed follows closely */
#define PAYS        64u         /* calls a hot spell must serve to be worth its start */
#ifndef CONFIG_ALWAYS_HOT
#define SPIN_ROUNDS 1500u       /* without a call: about what waking an idle CPU costs */
#define NEED_MIN    16u         /* close calls before a mailbox becomes hot */
#define NEED_MAX    1024u
#define WAITS_MAX   8u          /* calls in a hot spell that had to wait */
#define LOST_TICKS  150000u     /* TSC: a round of spinning that takes this long was interrupted */
#else
#define LOST_TICKS  ~0ull
#define SPIN_ROUNDS 100000u     /* a debug build takes the fast path even where it is slower */
#define NEED_MIN    1u
#define NEED_MAX    1u
#define WAITS_MAX   ~0u
#endif
/* TSC: how long nothing is hot after that. */
#define REST_MIN    1000000ull
#define REST_MAX    3000000000ull
#define REST_FORGET 20u         /* spinning for so many times the last rest without a loss: begin anew */
#define LOOK_AROUND 32u         /* rounds between two looks at the listener */

static _Atomic u32 *word(u32 *w) { return (_Atomic u32 *)w; }

/* Calls that are the host's to answer or need registers: never from here. */
static bool slow_call(u32 nr)
{
	switch (nr) {
#define FRAME_CALL(nr, name) case nr:
#include "syscall-tables/frame_calls.def"
#undef FRAME_CALL
	case SYS_futex:
	case SYS_sched_yield:
	case SYS_rseq:
	case SYS_membarrier:
	case SYS_arch_prctl:
	case SYS_madvise:               /* mostly the host's: systrap_pass() */
	case 449: case 454: case 455: case 456: /* futex_waitv, futex_wake, futex_wait, futex_requeue */
		return true;
	}
	return nr > 0x3fffffff;
}

/* The memory of @c's process, in ours and in its own. */
static int map_mail(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	u64 addr = ctx_systrap(c)->stub + STUB_MAIL_OFF, number = as_file_number(c);
	hostfd_t fd;
	struct stub_call calls[3] = {
		{ SYS_mmap, { addr, MAIL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, number, 0 } },
		{ SYS_close, { number } },
		{ SYS_madvise, { addr, MAIL_SIZE, MADV_DONTFORK } },
	};
	hostfd_t files[3] = { HOSTFD_NONE, HOSTFD_NONE, HOSTFD_NONE };
	void *m = MAP_FAILED;
	u32 done;
	int r = number ? host_memfd("mail", &fd) : -EAGAIN;

	if (r < 0) {
		as_file_done(c);
		return r;
	}
	files[0] = fd;
	r = host_ftruncate(fd, MAIL_SIZE);
	if (!r) {
		m = mmap(NULL, MAIL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd.fd, 0);
		r = m == MAP_FAILED ? -ENOMEM : command_calls(c, calls, files, 3, &done);
	}
	host_close(fd);
	if (r < 0) {
		as_file_done(c);
		if (m != MAP_FAILED)
			munmap(m, MAIL_SIZE);
		return r;
	}
	mutex_lock(&as->mu);
	as->mail = m;
	mutex_unlock(&as->mu);
	return 0;
}

void mail_open(struct systrap_ctx *c)
{
	struct systrap_as *as = to_as(c->base.as);
	u64 at = ctx_systrap(c)->stub + STUB_MAIL_OFF, line = at + c->slot * sizeof(struct mail);
	u64 window = c->slot < MAIL_WINDOWS ? at + MAIL_WIN_OFF + c->slot * sizeof(struct window) : 0;

	c->want_mail = false;
	if (c->mail || c->slot >= MAIL_LINES || !busy_trylock(&as->changing))
		return;
	if ((as->mail || map_mail(c) == 0) &&
	    slot_write(c, offsetof(struct slot, mail), &line, sizeof(line)) == 0 &&
	    slot_write(c, offsetof(struct slot, window), &window, sizeof(window)) == 0) {
		c->bases_dirty = true;          /* gs leads to the slot */
		c->mail = &as->mail[c->slot];
		window_open(c, as->mail);
		atomic_store(word(&c->mail->state), MAIL_IDLE);
	}
	busy_unlock(&as->changing);
}

void mail_unmap(struct systrap_as *as)
{
	if (as->mail)
		munmap(as->mail, MAIL_SIZE);
}

/* ---- hot and cool ---- */

void mail_missed(struct systrap_ctx *c, const struct trap *trap)
{
	u64 now = __builtin_ia32_rdtsc();

	/* Other calls with a frame bring commands, which end a hot spell. */
	if (c->framed && (trap->kind != TRAP_SYSCALL || (trap->nr != SYS_tgkill && trap->nr != SYS_rt_sigreturn)))
		return;
	c->missed = true;
	c->close_calls = now - c->resumed_at < CLOSE_TICKS ? c->close_calls + 1 : c->close_calls / 2;
	if (!c->mail && c->close_calls > NEED_MIN / 2)
		c->want_mail = true;
}

/* Another lane's receiver spins, and there are not CPUs enough for two of them and their threads. */
static bool crowded(const struct systrap *p)
{
	const struct systrap *other = p->lanes->lane[p == p->lanes->lane[0]];

	return other && CPU_COUNT(&p->w.cpus) < 2 * (int)LANES && mail_hot(other);
}

bool mail_heat(struct systrap *p, struct systrap_ctx *c)
{
	u32 i = 0, max = MIN(HOT_MAX, (u32)CPU_COUNT(&p->w.cpus) - 1);

	if (atomic_load(&c->hot))
		return c->by_mail || ++c->hot_waits <= WAITS_MAX;
	if (!c->missed || !c->mail || c->close_calls < MAX(c->hot_need, NEED_MIN) || CPU_COUNT(&p->w.cpus) < 2 ||
	    __builtin_ia32_rdtsc() - p->w.lost_at < p->w.rest || crowded(p))
		return false;
	mutex_lock(&p->w.mu);
	while (i < max && atomic_load(&p->w.hot[i]))
		i++;
	if (i < max)
		atomic_store(&p->w.hot[i], c);
	mutex_unlock(&p->w.mu);
	if (i == max)
		return false;
	c->hot_served = c->hot_waits = 0;
	c->close_calls = 0;
	atomic_store(&c->hot, true);
	atomic_store(word(&c->mail->hot), 1);
	return true;
}

static void drop(struct workers *w, struct systrap_ctx *c)
{
	mutex_lock(&w->mu);
	for (u32 i = 0; i < HOT_MAX; i++)
		if (atomic_load(&w->hot[i]) == c)
			atomic_store(&w->hot[i], NULL);
	mutex_unlock(&w->mu);
}

bool mail_cool(struct systrap *p, struct systrap_ctx *c)
{
	if (!atomic_exchange(&c->hot, false))
		return false;
	atomic_store(word(&c->mail->hot), 0);
	/* Each call that came by notification all the same is a loss; a spell can take some. */
	c->hot_need = c->hot_served < PAYS * (c->hot_waits + 1) ? MIN(MAX(c->hot_need, NEED_MIN) * 2, NEED_MAX) : NEED_MIN;
	drop(&p->w, c);
	return true;
}

void mail_forget(struct systrap_ctx *c)
{
	struct workers *w = &ctx_systrap(c)->w;
	u32 round;

	if (c->mail)
		drop(w, c);
	/* The receiver may hold the pointer until the end of its round, or of the notification it serves. */
	round = atomic_load(&w->round);
	while (atomic_load(&w->looking) && atomic_load(&w->round) == round)
		sched_yield();
}

/* ---- calls ---- */

/* Take a posted call, or mark it as one not to be made here.  @id: the wait call to be answered, or 0. */
static bool take_posted(struct systrap *p, struct systrap_ctx *c, u64 id, struct trap *ret)
{
	struct mail *m = c->mail;
	int running = CTX_RUNNING;
	u32 nr = *(volatile u16 *)&m->nr, in_len = *(volatile u16 *)&m->in_len;

	if (slow_call(nr)) {
		atomic_store(word(&m->state), MAIL_SLOW);
		return false;
	}
	/* While it obeys a command its owner waits for the stub, whatever is posted. */
	if (atomic_load(&c->in_command) ||
	    !atomic_compare_exchange_strong(&c->state, &running, CTX_TRAPPED))
		return false;
	atomic_fetch_sub(&p->w.running, 1);
	atomic_store(word(&m->state), MAIL_TAKEN);
	atomic_store(&c->viewing, 0);
	c->framed = false;
	c->notif_id = id;
	c->by_mail = !id;
	c->hot_served++;
	for (int i = 0; i < 6; i++)
		ret->args[i] = *(volatile u64 *)&m->a[i];
	*(volatile u64 *)&m->a[1] = 0;          /* no data, unless the answer says so */
	if (nr == STUBCALL_NR && ret->args[0] == STUB_TRAPPED) {
		notify_frame(c, ret->args[1], (int)ret->args[2], ret);
		return true;
	}
	window_take(c, in_len);
	ret->kind = TRAP_SYSCALL;
	ret->site = 0;
	ret->nr = nr;
	ret->ip = site_of_low(to_as(c->base.as), *(volatile u32 *)&m->where);
	return true;
}

static bool look(struct systrap *p, struct systrap_ctx *c, struct trap *ret)
{
	return atomic_load(word(&c->mail->state)) == MAIL_POSTED && take_posted(p, c, 0, ret);
}

static bool notified(struct systrap *p)
{
	struct pollfd pfd = { .fd = p->listener, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

/* The receiver was off its CPU while it spun. */
static void lost_cpu(struct systrap *p, u64 now)
{
	struct workers *w = &p->w;
	u64 since = now - w->lost_at;

	w->rest = since > REST_FORGET * w->rest ? REST_MIN : MIN(w->rest * 2, REST_MAX);
	w->lost_at = now;
	for (u32 i = 0; i < HOT_MAX; i++) {
		struct systrap_ctx *c = atomic_load(&w->hot[i]);

		if (c)
			(void)mail_cool(p, c);
	}
}

struct systrap_ctx *mail_receive(struct systrap *p, struct trap *ret)
{
	struct workers *w = &p->w;
	u64 now, last = __builtin_ia32_rdtsc();
	u32 first = atomic_load(&w->round);
	struct systrap_ctx *got = NULL;
	bool any = true;

	atomic_store(&w->looking, true);
	for (u32 n = 1; any && !got; n++) {
		bool late = n > SPIN_ROUNDS;

		now = __builtin_ia32_rdtsc();
		if (now - last > LOST_TICKS)
			lost_cpu(p, now);
		last = now;

		/* Counted over all spells: a thread that always has a call must not keep others waiting. */
		if (atomic_fetch_add(&w->round, 1) % LOOK_AROUND == 0 &&
		    (atomic_load(&w->nevents) || notified(p)))
			break;
		any = false;
		for (u32 i = 0; i < HOT_MAX && !got; i++) {
			struct systrap_ctx *c = atomic_load(&w->hot[(first + i) % HOT_MAX]);

			if (!c)
				continue;
			any = true;
			if (late)
				(void)mail_cool(p, c);
			if (look(p, c, ret))
				got = c;
		}
		__builtin_ia32_pause();
	}
	atomic_fetch_add(&w->round, 1);
	atomic_store(&w->looking, false);
	return got;
}

void mail_chill(struct systrap *p)
{
	atomic_store(&p->w.looking, true);
	for (u32 i = 0; i < HOT_MAX; i++) {
		struct systrap_ctx *c = atomic_load(&p->w.hot[i]);

		if (c)
			(void)mail_cool(p, c);
	}
	atomic_store(&p->w.looking, false);
}

bool mail_hot(const struct systrap *p)
{
	for (u32 i = 0; i < HOT_MAX; i++)
		if (atomic_load(&p->w.hot[i]))
			return true;
	return false;
}

struct systrap_ctx *mail_waited(struct systrap *p, struct systrap_ctx *c, u64 id, struct trap *ret)
{
	struct systrap_as *as = to_as(c->base.as);
	bool answer = false, kick = false, hot;
	long val = 0;

	mutex_lock(&as->mu);
	if (c->by_mail) {
		c->wait_id = id;
	} else if (atomic_load(&c->in_command) && !c->answered) {
		notify_kill(c, "it waits for an answer that it has had");
	} else if (atomic_load(&c->state) == CTX_RUNNING && c->mail &&
		   atomic_load(word(&c->mail->state)) == MAIL_POSTED && take_posted(p, c, id, ret)) {
		mutex_unlock(&as->mu);
		mail_missed(c, ret);
		return c;
	} else {
		/* It gave up just when the answer came. */
		answer = true;
		val = c->last_result;
		kick = c->last_kick;
		c->answered = false;
	}
	mutex_unlock(&as->mu);
	if (kick)
		(void)syscall(SYS_tgkill, as->pid, c->tid, STUB_SIGNAL);
	if (!answer)
		return NULL;
	/* As ctx_resume(): it will run on this CPU. */
	hot = atomic_load(&c->hot) && ++c->hot_waits <= WAITS_MAX;
	if (!hot)
		mail_chill(p);
	notify_send(p, id, val, 0);
	if (hot)
		workers_step_aside(p);
	return NULL;
}

void mail_blocked(struct systrap_ctx *c)
{
	if (c->by_mail)
		atomic_store(word(&c->mail->state), MAIL_BLOCKED);
}

void mail_has_data(struct systrap_ctx *c) { *(volatile u64 *)&c->mail->a[1] = 1; }

u64 mail_answer(struct systrap_ctx *c, long val, bool kick)
{
	u64 id = c->wait_id;

	c->by_mail = false;
	c->wait_id = 0;
	c->last_result = val;
	c->last_kick = kick;
	c->answered = !id;
	if (id)
		return id;
	c->mail->a[0] = (u64)val;
	atomic_store(word(&c->mail->state), kick ? MAIL_KICK : MAIL_DONE);
	return 0;
}
