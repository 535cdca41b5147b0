/*
 * pt.h - the structures of the ptrace platform: the simple, portable reference.
 *
 * Application threads run in stub processes under PTRACE_SYSEMU, which stops
 * them at every system call without executing it.  ptrace(2) obeys only the
 * thread that attached, so one thread, the dispatcher, owns every stub:
 *   dispatch.c  its loop: requests of workers, stops of stubs
 *   inject.c    making a stopped stub execute one call, in a page of ours
 *   zygote.c    the first stub, and the bell
 *   aspace.c    processes, threads, maps, copies
 *   pool.c      workers and the traps that wait for one
 *   regs.c      registers and extended state
 * The dispatcher blocks in waitpid() only.  Who queues a request rings the bell: it
 * signals a tracee that does nothing else, whose stop ends the wait and cannot be lost.
 *
 * A stub's own call is executed by no one but us; a seccomp filter (zygote.c) says the
 * same once more.  futex waits and the like, which touch only the caller's memory, are executed in
 * its place by a call from our page (state PT_NATIVE).
 *
 * Known limits: the error code of a page fault does not tell reads from writes (ptrace has no
 * such field), and an interrupt inside a restartable sequence does not abort it.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "platform/base/list.h"
#include "platform/base/lock.h"
#include "platform/host/tidmap.h"
#include "platform/platform_int.h"

#define PT_SIGNAL 29                    /* SIGIO: the interrupt, and the bell's */
#define PT_USER_END 0x7ffffffff000ull

/* The page that every stub has, just above what applications may map; the next one is for data. */
#define PT_STUB_LEN 0x3000ull
#define PT_STUB_CALL 0                  /* syscall; int3 */
#define PT_STUB_CAS 16                  /* lock cmpxchg %edx, (%rdi); int3 */
#define PT_STUB_DATA 0x1000
#define PT_STUB_TITLE 0x2000            /* what the host's ps shows */
#define PT_SOCK_FD 0                    /* in a stub: where files come from */
#define PT_FILE_FD 1                    /* in a stub: the file being mapped */

struct pt;
struct pt_ctx;

/* Something for the dispatcher to do.  Embedded first in what describes it. */
struct pt_req {
	struct list_head node;          /* guarded by p->req_mu */
	void (*fn)(struct pt *p, struct pt_req *q);
	bool sync;                      /* somebody waits for done */
	_Atomic u32 done;               /* futex */
};

enum pt_state {
	PT_TRAPPED,                     /* stopped: a worker owns it, or it is not started */
	PT_RUNNING,
	PT_NATIVE,                      /* runs a call of the application's from our page */
	PT_PARKED,                      /* the first thread of a process that outlives it: stopped for good */
};

struct pt_as {
	struct aspace base;
	pid_t pid;                      /* immutable: also its first thread */
	_Atomic bool dead;              /* the process is gone */
	bool released;                  /* dispatcher: no reference is left */
	struct pt_ctx *parked;          /* dispatcher */
};

struct pt_ctx {
	struct ctx base;
	pid_t tid;                      /* immutable */
	enum pt_state state;            /* dispatcher */
	bool dead;                      /* dispatcher: the thread is gone */
	bool want_interrupt;            /* dispatcher, and the owner while it is trapped */
	bool dirty;                     /* regs must be written before it runs; same */
	struct user_regs regs;          /* as of the last trap; same */
	u64 rseq[4];                    /* dispatcher: what its last rseq call took; length 0: no area */
	pid_t new_child;                /* dispatcher: by the clone just injected */
	struct pt_req resume;           /* queued by the owner */
	struct list_head event;         /* guarded by the pool's mu */
	struct trap event_trap;         /* same */
};

struct pt_pool {
	struct mutex mu;                /* RANK_PLATFORM */
	struct list_head events;        /* guarded by mu */
	u32 nworkers, nidle, nblocked;  /* guarded by mu */
	u32 ncontexts;                  /* guarded by mu: without the zygote's; at most nworkers */
	_Atomic u32 seq;                /* futex: counts events */
	void *(*body)(void *);          /* immutable after start */
	void *arg;
};

struct pt {
	struct platform base;
	u64 stub;                       /* immutable */
	int sock, sock_stub;            /* immutable: our end; the stubs', to drain it */
	pid_t bell;                     /* immutable */
	struct pt_ctx *zygote;          /* immutable; stopped for ever */
	u32 xsize;                      /* immutable: bytes of NT_X86_XSTATE */
	u64 xfeatures;                  /* immutable */
	u32 mxcsr_mask;                 /* immutable */
	struct pt_pool pool;
	struct mutex req_mu;            /* RANK_PLATFORM */
	struct list_head reqs;          /* guarded by req_mu */
	_Atomic bool rung;
	struct tidmap by_tid;           /* pt_ctx; the dispatcher's */
	_Atomic u32 ready;              /* futex: the dispatcher has attached, or failed */
	int ready_error;                /* valid once ready */
};

static inline struct pt *to_pt(const struct platform *p) { return container_of(p, struct pt, base); }
static inline struct pt_as *to_pt_as(struct aspace *as) { return container_of(as, struct pt_as, base); }
static inline struct pt_ctx *to_pt_ctx(const struct ctx *c) { return container_of(c, struct pt_ctx, base); }
static inline struct pt *ctx_pt(const struct pt_ctx *c) { return to_pt(c->base.p); }

/* zygote.c */
int pt_create(const struct platform_config *cfg, struct platform **ret) must_check;

/* dispatch.c */
void *pt_dispatch_main(void *pt);
void pt_queue(struct pt *p, struct pt_req *q);
void pt_call(struct pt *p, struct pt_req *q);           /* queue and wait */
/* By the dispatcher only. */
void pt_forget(struct pt *p, struct pt_ctx *c);         /* its thread is gone */
void pt_resume_fn(struct pt *p, struct pt_req *q);

/* inject.c, by the dispatcher, on a trapped context.  -ESRCH: its thread is gone. */
int pt_inject(struct pt *p, struct pt_ctx *c, long nr, const u64 a[6], long *ret) must_check;
int pt_inject_cas(struct pt *p, struct pt_ctx *c, u64 addr, u32 *val, u32 new_val) must_check;
int pt_read_regs(struct pt_ctx *c, struct user_regs *r) must_check;
int pt_write_regs(struct pt_ctx *c, const struct user_regs *r) must_check;
/* Registers that make @c execute call @nr in our page and stop. */
void pt_call_regs(const struct pt *p, const struct pt_ctx *c, long nr, const u64 a[6],
		  struct user_regs *ret);

/* pool.c */
void pt_pool_init(struct pt_pool *w);
int pt_start_workers(struct platform *base, void *(*body)(void *), void *arg) must_check;
/* There is to be one more context: is there a worker for it? 0 or -EAGAIN. */
int pt_reserve(struct pt *p) must_check;
void pt_unreserve(struct pt *p);                        /* it is gone, or was not made */
void pt_post(struct pt *p, struct pt_ctx *c, const struct trap *trap);
struct ctx *pt_run(struct platform *base, struct ctx *done, struct trap *ret);
struct worker *pt_block_begin(struct platform *base);
void pt_waking(struct platform *base, struct worker *sleeper);
void pt_block_end(struct platform *base, bool woken);

/* aspace.c */
struct pt_as *pt_as_alloc(struct pt *p) must_check;
struct pt_ctx *pt_ctx_alloc(struct pt *p, struct pt_as *as) must_check;
void pt_as_gone(struct pt_as *as);                      /* dispatcher: the process has been reaped */
int pt_as_new(struct platform *base, struct aspace **ret_as, struct ctx **ret_ctx);
int pt_as_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx);
int pt_ctx_clone(struct ctx *parent, struct ctx **ret);
void pt_ctx_start(struct ctx *base);
void pt_ctx_again(struct ctx *base);
int pt_retire(struct ctx *base, gaddr_t word);
void pt_ctx_free(struct ctx *base);
void pt_as_release(struct aspace *base);
size_t pt_copy_in(struct aspace *base, void *dst, gaddr_t src, size_t n);
size_t pt_copy_out(struct aspace *base, gaddr_t dst, const void *src, size_t n);
int pt_resident(struct ctx *base, gaddr_t addr, size_t n, u8 *vec);
int pt_cas_u32(struct ctx *base, gaddr_t addr, u32 *val, u32 new_val);
int pt_futex_wake(struct ctx *base, gaddr_t addr, int n, bool shared);
void pt_interrupt(struct ctx *base);

/* apply.c */
int pt_apply(struct ctx *base, const struct as_op *ops, size_t n, size_t *ret_done);

/* regs.c */
int pt_get_regs(struct ctx *base, struct user_regs *ret);
int pt_set_regs(struct ctx *base, const struct user_regs *r);
size_t pt_fp_size(const struct platform *base);
long pt_get_fp(struct ctx *base, void *buf, size_t cap);
int pt_set_fp(struct ctx *base, const void *buf, size_t n);
int pt_learn_xstate(struct pt *p, pid_t tid) must_check;        /* dispatcher */
