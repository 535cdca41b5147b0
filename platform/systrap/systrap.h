/*
 * systrap.h - the structures of the default platform.
 *
 * An application thread runs natively in a stub process under a seccomp
 * filter.  Its traps arrive as notifications on one listener:
 *   filter.c   what the filter says         zygote.c   the first stub
 *   workers.c  who receives, who waits      notify.c   what a notification means
 *   frame.c    registers of a trapped ctx   command.c  making a stub act
 *   approve.c  the host calls it may make   aspace.c   processes, threads, maps, copies
 *   slots.c    where threads live         spare.c    a pristine stub in reserve
 *   view.c     parts of files in the stub  lanes.c    two of all that, for two CPUs
 *
 * States of a context: RUNNING (application code, or its stub obeying a
 * command), TRAPPED (a worker owns it), DEAD (its process is gone and that was
 * told to a worker).  The only transitions: RUNNING->TRAPPED by the receiver,
 * TRAPPED->RUNNING by the owner in resume or command, RUNNING->DEAD by the reaper or resume.
 */
#pragma once
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/host/tidmap.h"
#include "platform/platform_int.h"
#include "platform/systrap/layout.h"

#define CLONE_TRIES 16u

enum ctx_state { CTX_RUNNING, CTX_TRAPPED, CTX_DEAD };

/* What a frame begins with, as x86-64 Linux lays it out (struct ucontext, then siginfo). */
struct kframe {
	u64 uc_flags, uc_link;
	struct { u64 sp; s32 flags, pad; u64 size; } uc_stack;
	u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
	u64 sigmask;
	struct { s32 signo, err, code, pad; u64 addr; s32 nr; u32 arch; u8 rest[96]; } info;
};
_Static_assert(offsetof(struct kframe, info) == 304, "struct ucontext");
_Static_assert(sizeof(struct kframe) == 304 + 128, "siginfo");

/* A host thread without a context, for the next clone: slots.c. */
struct parked {
	pid_t tid;
	u32 slot;
	u64 notif_id;                           /* its stub awaits a command */
	u64 frame, fpstate;
	struct mail *mail;
	u32 close_calls, hot_need;              /* short-lived threads become hot together */
};
#define PARKED_MAX 4u                           /* in a process */
#define PARKED_ALL 64u                          /* in the sandbox, about: they count against the host's pids limit */

struct systrap_as {
	struct aspace base;
	pid_t pid;                              /* immutable once registered */
	_Atomic bool dead;                      /* the process is gone: copies fail, resumes report DEAD */
	_Atomic u32 over;                       /* AS_RELEASED | AS_REAPED: freed when both are set */
	struct mutex mu;                        /* RANK_PLATFORM */
	u32 nslots;                             /* guarded by mu: slots [0, nslots) are mapped */
	u64 *used, *leaving;                    /* guarded by mu: bitmaps of slots, in one allocation: slots.c */
	u32 slot_words;                         /* guarded by mu: of each */
	u32 nparked;                            /* guarded by mu */
	u64 file_groups;                        /* guarded by mu: aspace.c */
	struct parked parked[PARKED_MAX];       /* guarded by mu */
	_Atomic u32 changing;                   /* futex: one change of code, slots or mailboxes at a time, and no fork meanwhile */
	struct mail *mail;                      /* set once, guarded by mu: MAIL_LINES of them, or NULL */
	_Atomic(struct sites *) sites;          /* set once: patch.c */
	u32 ncalls;                             /* receiver: calls before sites are counted */
	struct views *views;                    /* guarded by mu, set once: view.c; NULL: none yet */
	struct list_head ctxs;                  /* guarded by mu */
	struct list_head settled;               /* guarded by the lanes' mu, as the next: lanes.c */
	struct systrap *goes_to;                /* the lane of the program that replaces it, or its own */
};

#define CHILD_REGISTERED 1u
#define CHILD_DIED       2u

#define AS_RELEASED 1u                          /* no reference is left */
#define AS_REAPED   2u                          /* no process is left */

struct call_data {
	u64 addr;
	u32 len;
	u8 b[WIN_IN_MAX + 1];
};

struct systrap_ctx {
	struct ctx base;
	struct list_head node;                  /* guarded by as->mu */
	pid_t tid;
	u32 slot;
	_Atomic int state;                      /* enum ctx_state */
	_Atomic bool kicked;                    /* an interrupt is due at the next resume */
	_Atomic bool overdue;                   /* it should have ended */
	_Atomic bool awaits_child;              /* the owner waits for what its stub has made to register */
	bool want_frame;                        /* owner */
	bool framed;                            /* owner: the trap came with a frame */
	bool internal;                          /* the zygote: its traps never reach the sentry */
	u64 notif_id;                           /* owner: the notification to answer */

	u64 rseq[4];                            /* receiver: arguments of the last rseq call; [1] != 0, [2] == 0: registered */

	/* Patched call sites: mail.c, patch.c. */
	struct mail *mail;                      /* owner, set once: this slot's, or NULL */
	struct window *win;                     /* owner, set once: as mail.  window.c: */
	struct window *told;                    /* the caller's lock: win, once the stub was told something */
	struct call_data in;                    /* what came with the call */
	bool takes_data;                        /* the call was posted: its stub looks for data afterwards */
	bool win_fp;                            /* the extended state in win is the context's */
	u32 win_changed, out_used;              /* WIN_*; words used in win->out */
	_Atomic bool hot;                       /* in the pool's hot[] */
	bool want_mail;                         /* owner: give it one when it has a frame */
	bool missed;                            /* owner: this trap came by notification and might come by mail */
	u64 hot_site;                           /* owner: tell the sentry when there is a frame */
	bool by_mail;                           /* owner, changed under as->mu: the call came by mail */
	u64 wait_id;                            /* guarded by as->mu: the wait call to answer instead, or 0 */
	long last_result;                       /* guarded by as->mu: of the last call by mail */
	bool last_kick;                         /* guarded by as->mu */
	bool answered;                          /* guarded by as->mu: by mail, and no wait call came since */
	_Atomic u32 viewing;                    /* set under as->mu: the view, plus one, that its stub may be copying from; 0: none */
	bool want_views;                        /* owner: views_obey() when it has a frame */
	struct { hostfd_t file; u32 i; u64 key, off; } view;    /* owner: what it is to map; file: none if nothing */
	u64 resumed_at;                         /* owner: TSC */
	u64 woke_at;                            /* owner: when its call last woke somebody, TSC, or 0 */
	u32 turns;                              /* owner: how often it waited itself soon after that */
	u32 close_calls, hot_need, hot_served, hot_waits;  /* receiver */

	/* The frame, copied in once a trap.  Owner. */
	u64 frame;                              /* address of its ucontext */
	struct kframe k;
	u64 fs_base, gs_base;
	bool regs_dirty, ax_dirty, bases_dirty;
	long result;                            /* of a frameless call */
	bool pass;                              /* owner: its own host call, as reported, is the answer */

	/* The command in progress: written by the owner before the stub is told. */
	struct stub_call calls[SLOT_CALLS];     /* what may be called, in this order */
	hostfd_t files[SLOT_CALLS];             /* the file behind an mmap, or none */
	u32 ncalls;
	u32 file_number;                        /* of its first file in the stub; 0: none was asked for */
	_Atomic u32 next_call;
	_Atomic u32 may_clone;                  /* clones of clone_flags it may ask for: approve.c */
	u64 clone_flags;
	_Atomic bool in_command;                /* the owner waits for done; only stub calls are right */
	_Atomic u32 done;                       /* futex: 1 when the command has finished */
	long done_val;

	/* As a child that has not registered yet.  Guarded by the lanes' mu. */
	struct list_head pending;
	u64 cookie;
	const struct systrap_as *maker;         /* whose stub is to make it */
	pid_t expect;                           /* what its parent says its id is; 0 = not known yet */
	_Atomic u32 registered;                 /* futex: CHILD_* */

	struct list_head event;                 /* guarded by the pool's mu */
	enum trap_kind event_kind;
	struct trap event_trap;
};

struct worker;

#define HOT_MAX 4u

struct workers {
	struct mutex mu;                        /* RANK_PLATFORM */
	bool token_free;                        /* guarded by mu: nobody is the receiver */
	struct worker *watcher;                 /* guarded by mu: it has the token, waits, and looks at the listener meanwhile */
	struct list_head parked;                /* guarded by mu */
	struct list_head events;                /* guarded by mu: contexts with something to tell */
	u32 contexts;                           /* guarded by mu: all but the zygote's, and those freed by workers still at it */
	u32 borrowers;                          /* guarded by mu: workers that serve a context of another lane */
	bool no_more;                           /* guarded by mu: the host did not allow a worker for one */
	bool adding;                            /* guarded by mu: somebody makes one */
	u32 threads;                            /* guarded by mu: workers, more than both */
	s32 coming;                             /* guarded by mu: workers on their way to workers_run(); < 0: gone by before its waker said so */
	_Atomic(struct systrap_ctx *) hot[HOT_MAX];     /* changed under mu: mailboxes to look at */
	_Atomic bool looking;                   /* the receiver may hold pointers to contexts it does not own */
	_Atomic u32 round;                      /* grows whenever it holds none of before */
	_Atomic u32 nevents;                    /* the length of events */
	u64 lost_at, rest;                      /* receiver: TSC of the last CPU lost while spinning, and how long nothing is hot after it */
	cpu_set_t cpus;                         /* immutable: where workers may run */
	void *(*body)(void *);                  /* immutable after start */
	void *arg;
	_Atomic int running;                    /* contexts that may send a notification */
};

/* A pristine stub that nobody has asked for yet; or none. */
struct spare { struct aspace *as; struct ctx *ctx; };

#define LANES 2u

struct lanes {
	struct systrap *lane[LANES];            /* immutable: the second may be NULL */
	struct mutex mu;                        /* RANK_PLATFORM */
	struct list_head settled;               /* guarded by mu: address spaces in use, the youngest first */
	struct list_head pending;               /* guarded by mu: children that will register */
	pid_t strays[64];                       /* guarded by mu: died before we knew them */
	u32 nstrays;                            /* guarded by mu */
	_Atomic u32 nfresh;                     /* address spaces made that are no copies */
};

/* A lane; the first is the platform. */
struct systrap {
	struct platform base;
	struct lanes *lanes;                    /* immutable */
	int listener;                           /* immutable */
	int bell;                               /* immutable: an eventfd: a death ended what a receiver waits for */
	u64 stub;                               /* immutable: start of the platform's range in every stub */
	u64 vdso;                               /* immutable: the host's vDSO in every stub, or 0 */
	u32 xstate_size;                        /* immutable: of a frame's XSAVE area */
	u64 xfeatures;                          /* immutable */
	u32 mxcsr_mask;                         /* immutable */
	struct workers w;
	_Atomic u32 nparked;                    /* in all address spaces */
	struct tidmap by_tid;                   /* systrap_ctx: this lane's threads, whom its receiver knows */
	struct tidmap *by_pid;                  /* systrap_as, both lanes'; holds no reference */
	_Atomic u32 zygote_busy;                /* futex: one command at a time to the zygote, held across waits */
	struct systrap_ctx *zygote;             /* immutable */
	struct spare spare;                     /* guarded by the lanes' mu: spare.c */
	_Atomic bool spare_due;                 /* one was: another may follow */
	_Atomic u32 spare_wake;                 /* futex: fill up */
	bool filler;                            /* reaper: its thread is there */
};

static inline struct systrap *to_systrap(const struct platform *p)
{
	return container_of(p, struct systrap, base);
}
static inline struct systrap_as *to_as(struct aspace *as)
{
	return container_of(as, struct systrap_as, base);
}
static inline struct systrap_ctx *to_ctx(const struct ctx *c)
{
	return container_of(c, struct systrap_ctx, base);
}
static inline struct systrap *ctx_systrap(const struct systrap_ctx *c) { return to_systrap(c->base.p); }
static inline u64 slot_addr(const struct systrap *p, u32 slot)
{
	return p->stub + STUB_SLOTS_OFF + slot * SLOT_SIZE;
}
static inline u64 ctx_slot(const struct systrap_ctx *c) { return slot_addr(ctx_systrap(c), c->slot); }

/* filter.c: install the stub's filter in this process. The listener's descriptor or -errno. */
int filter_install(u64 text_start, u64 text_end) must_check;

/* zygote.c */
int systrap_create(const struct platform_config *cfg, struct platform **ret) must_check;

/* lanes.c */
bool lanes_init(struct systrap *first) must_check;
struct systrap *lane_choose(struct systrap *first);     /* for a new program */
/* A process is there: a new program, or, if not NULL, a copy of @parent. */
void lane_settle(struct aspace *base, struct systrap_as *parent);
void lane_leave(struct systrap_as *as);

/* busy.c: a lock that is held across waits for stubs; the receiver must not hold up others for it. */
bool busy_trylock(_Atomic u32 *word);
void busy_lock(struct systrap *p, _Atomic u32 *word);
void busy_unlock(_Atomic u32 *word);

/* mail.c */
void mail_open(struct systrap_ctx *c);                  /* @c has a frame */
void mail_unmap(struct systrap_as *as);
void mail_missed(struct systrap_ctx *c, const struct trap *trap);
/* To be called by the receiver, before it answers @c. True: it is hot from now on. */
bool mail_heat(struct systrap *p, struct systrap_ctx *c);
bool mail_hot(const struct systrap *p);                 /* is any? */
/* No calls of @c are looked for from now on; one may have been posted just before. Was it hot? */
bool mail_cool(struct systrap *p, struct systrap_ctx *c);
void mail_chill(struct systrap *p);                     /* none is, from now on */
struct systrap_ctx *mail_receive(struct systrap *p, struct trap *ret);
/* The wait call @id of @c. As notify_receive(). */
struct systrap_ctx *mail_waited(struct systrap *p, struct systrap_ctx *c, u64 id, struct trap *ret);
/* With as->mu: answer the call of @c. The wait call to be answered instead, or 0. */
u64 mail_answer(struct systrap_ctx *c, long val, bool kick);
void mail_has_data(struct systrap_ctx *c);              /* its stub is to look for some in the window */
void mail_blocked(struct systrap_ctx *c);               /* its call takes long: no use spinning */
void mail_forget(struct systrap_ctx *c);                /* before @c is freed */

/* window.c */
void window_open(struct systrap_ctx *c, void *mail_memory);
void window_take(struct systrap_ctx *c, u32 len);       /* a posted call, which brings @len bytes */
bool window_end(struct systrap_ctx *c);                 /* the call ends: is there data for its stub? */
void window_frame(struct systrap_ctx *c, struct kframe *ret_k, u64 ret_bases[2]);
void window_put_regs(struct systrap_ctx *c);
void window_put_bases(struct systrap_ctx *c, u64 fs, u64 gs);
bool window_put_fp(struct systrap_ctx *c, const void *fp, size_t n);
bool window_get_fp(const struct systrap_ctx *c, void *buf, size_t n);
bool window_put_calls(struct systrap_ctx *c, const struct stub_call *calls, u32 n);
void window_flush(struct systrap_ctx *c);               /* before a framed @c is resumed */
bool systrap_takes_data(const struct ctx *base);
void systrap_tell_ids(struct ctx *base, u32 pid, u32 tid);
bool systrap_lend_mask(struct ctx *base, u64 mask);
u64 systrap_lent_mask(const struct ctx *base);
u64 systrap_recall_mask(struct ctx *base);
void systrap_lend_frame(struct ctx *base, const struct sigframe_at *f);
size_t systrap_data_in(const struct ctx *base, gaddr_t src, const void **ret);
bool systrap_data_out(struct ctx *base, gaddr_t dst, const void *src, size_t n);

void window_put_view(struct systrap_ctx *c, gaddr_t dst, u32 src, u32 n);     /* src: from the first slot on */

/* view.c */
int systrap_view_out(struct ctx *base, gaddr_t dst, u64 key, u64 off, size_t n);
void systrap_view_give(struct ctx *base, u64 key, u64 off, hostfd_t fd);
void systrap_view_drop(struct ctx *base, u64 key);
void views_obey(struct systrap_ctx *c);         /* @c has a frame */
void views_forget(struct systrap_ctx *c);       /* before @c is freed */
void views_free(struct systrap_as *as);

/* patch.c */
int systrap_patch(struct ctx *base, u64 ip, gaddr_t fresh);
void site_trapped(struct systrap_ctx *c, u64 ip, u32 nr);       /* receiver: a call from an unpatched site */
bool site_of_ip(struct systrap_as *as, u64 *ip);        /* from a thunk's to the site's */
u64 site_of_low(struct systrap_as *as, u32 low);        /* where a call by mail returns to */
bool site_int3(struct systrap_as *as, u64 ip);          /* is that int3 ours? */
void sites_before(struct systrap_ctx *c, const struct as_op *op);
int sites_copy(struct systrap_as *to, struct systrap_as *from) must_check;

/* workers.c */
int workers_start(struct platform *base, void *(*body)(void *), void *arg) must_check;
void workers_init(struct workers *w);
struct ctx *workers_run(struct platform *base, struct ctx *done, struct trap *ret);
struct worker *workers_block_begin(struct platform *base);
struct worker *workers_block_watch(struct platform *base, hostfd_t *ret_fd);
void workers_waking(struct platform *base, struct worker *sleeper);
void workers_block_end(struct platform *base, bool woken);
void workers_worked(size_t n);
/* Tell some worker that @c has a trap of @kind (a soft event). The caller has made it TRAPPED or DEAD. */
void workers_post(struct systrap *p, struct systrap_ctx *c, const struct trap *trap);
/* There is to be one more context: is there a worker for it? 0 or -EAGAIN. */
int workers_reserve(struct systrap *p) must_check;
void workers_unreserve(struct systrap *p);              /* it was not made */
void workers_rest(struct ctx *base);
void workers_again(struct ctx *base);
void workers_forget(const struct systrap_ctx *c);       /* it is about to be freed */
bool workers_receives(const struct systrap *p);         /* does this thread hold the token? */
/* The address space of the context whose call this thread serves, or NULL. */
struct systrap_as *workers_serves(void);
void workers_step_aside(struct systrap *p);     /* move to another CPU than this one */
/* Wait until *word is non-zero, serving notifications if this thread is the receiver. */
void workers_await(struct systrap *p, _Atomic u32 *word);

/* notify.c: receive one notification and act. A context with a trap for a worker, or NULL. */
struct systrap_ctx *notify_receive(struct systrap *p, struct trap *ret);
/* All processes of a lane have ended, its first stub too: nothing will ever come, the host does not wait for it, and the caller waits for nothing else. */
void notify_sleep_if_abandoned(struct systrap *p);
/* The trapped @c has reported the frame at @uc. */
void notify_frame(struct systrap_ctx *c, u64 uc, int sig, struct trap *ret);
/* End @c's process, which does not keep to the protocol. */
void notify_kill(struct systrap_ctx *c, const char *why);
/* Wait for a notification or the bell. Is there a notification? */
bool notify_await(struct systrap *p);
void notify_send(struct systrap *p, u64 id, long val, u32 flags);
/* Answer what @c waits for; it runs. */
void ctx_resume(struct systrap_ctx *c);
void *reaper_main(void *systrap);

/* approve.c: may @c make this host call? Answers the notification. */
void approve_call(struct systrap *p, struct systrap_ctx *c, const struct seccomp_notif *n);

/* frame.c */
bool frame_fetch(struct systrap_ctx *c, u64 uc, int sig, struct trap *ret);
int frame_flush(struct systrap_ctx *c) must_check;
/* @c, a new context, has the registers of @parent, in a frame at @frame with its extended state at @fpstate. */
void frame_inherit(struct systrap_ctx *c, const struct systrap_ctx *parent, u64 frame, u64 fpstate);
/* Copy the extended state of @from to that of another frame. False: not as it should be. */
bool frame_copy_fp(const struct systrap_ctx *from, u64 to) must_check;
int frame_learn_xstate(struct systrap *p, struct systrap_ctx *c) must_check;
int systrap_get_regs(struct ctx *base, struct user_regs *ret);
int systrap_set_regs(struct ctx *base, const struct user_regs *r);
size_t systrap_fp_size(const struct platform *base);
long systrap_get_fp(struct ctx *base, void *buf, size_t cap);
int systrap_set_fp(struct ctx *base, const void *buf, size_t n);

/* command.c: have a trapped, framed context's stub act, and wait for it. */
int command_calls(struct systrap_ctx *c, const struct stub_call *calls, const hostfd_t *files, u32 n,
		  u32 *ret_done) must_check;
long command_clone(struct systrap_ctx *c, u32 cmd, u64 flags, u64 cookie, u64 new_slot) must_check;
long command_simple(struct systrap_ctx *c, u32 cmd) must_check;
int command_put_calls(struct systrap_ctx *c, const struct stub_call *calls, u32 n) must_check;     /* for CMD_CALLS, CMD_WAKE */
int slot_write(struct systrap_ctx *c, size_t off, const void *src, size_t n) must_check;
/* The same with one host call, after something anywhere at @at. */
int slot_write2(struct systrap_ctx *c, u64 at, const void *src, size_t n, size_t off, const void *src2, size_t n2) must_check;
int slot_read(struct systrap_ctx *c, size_t off, void *dst, size_t n) must_check;

/* slots.c. use and drop: as->mu is held. */
int slots_init(struct systrap_as *as) must_check;
int slots_copy(struct systrap_as *to, struct systrap_as *from) must_check;
void slot_use(struct systrap_as *as, u32 slot);
void slot_drop(struct systrap_as *as, u32 slot);        /* its thread is told to end */
int slot_claim(struct systrap_ctx *via, u32 *ret) must_check;
/* Keep the thread of @c, which is about to be freed, and its slot. False: end it. */
bool slot_park(struct systrap_ctx *c);
/* A kept thread as a context like @parent, not resumed yet; or NULL. */
struct systrap_ctx *slot_unpark(const struct systrap_ctx *parent);

/* spare.c: is there one? Then it is the caller's. */
bool spare_take(struct systrap *p, struct aspace **ret_as, struct ctx **ret_ctx) must_check;
void spare_ended(struct systrap *p);            /* by the reaper: a process has ended */

/* aspace.c */
u64 as_file_number(struct systrap_ctx *c);              /* what the first file of @c's command is called in its stub; 0: it can have none */
void as_file_done(struct systrap_ctx *c);               /* the command has ended, or there is none */
int systrap_as_new(struct platform *base, struct aspace **ret_as, struct ctx **ret_ctx);
/* Fork the zygote, whose busy word is held. */
int as_from_zygote(struct systrap *p, struct aspace **ret_as, struct ctx **ret_ctx) must_check;
int systrap_as_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx);
int systrap_ctx_clone(struct ctx *parent, struct ctx **ret);
void systrap_ctx_start(struct ctx *base);
void systrap_ctx_free(struct ctx *base);
int systrap_retire(struct ctx *base, gaddr_t word);
void systrap_as_release(struct aspace *base);
int systrap_apply(struct ctx *base, const struct as_op *ops, size_t n, size_t *ret_done);
size_t systrap_copy_in(struct aspace *base, void *dst, gaddr_t src, size_t n);
size_t systrap_copy_pieces(struct aspace *base, gaddr_t at, const struct iovec *v, size_t n, size_t bytes, bool out);
size_t systrap_copy_out(struct aspace *base, gaddr_t dst, const void *src, size_t n);
int systrap_resident(struct ctx *base, gaddr_t addr, size_t n, u8 *vec);
int systrap_cas_u32(struct ctx *base, gaddr_t addr, u32 *val, u32 new_val);
int systrap_futex_wake(struct ctx *base, gaddr_t addr, int n, bool shared);
void as_put(struct systrap_as *as, u32 what);
void ctx_forget_tid(struct systrap_ctx *c);             /* its thread's id leads to it no more */
struct systrap_as *as_alloc(struct systrap *p) must_check;
struct systrap_ctx *ctx_alloc(struct systrap *p, struct systrap_as *as, u32 slot) must_check;
void systrap_interrupt(struct ctx *base);
void systrap_overdue(struct ctx *base);
bool systrap_pass(struct ctx *base);
