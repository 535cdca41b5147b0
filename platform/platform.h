/*
 * platform.h - how application code runs, and how its calls reach the sentry.
 *
 * A platform runs application threads ("contexts", struct ctx) in address
 * spaces (struct aspace) and hands their traps to worker threads of the
 * sentry.  A worker calls platform_switch() in a loop: it resumes the context
 * that the worker has finished with and returns the next one that trapped,
 * any one.  Between its trap and its resumption a context is owned by that
 * worker; only the owner may call ctx_*() and aspace_apply() on it.  Exempt:
 * ctx_interrupt() and the copy functions, which any thread may call.
 *
 * No caller may assume that an address space is a host mm, or that a
 * context is a host thread.  Everything read from an application is hostile.
 * The platform is called and returns; it never calls up.
 */
#pragma once
#include "platform/arch/x86_64/regs.h"
#include "platform/base/compiler.h"

struct platform;
struct worker;
struct aspace;
struct ctx;

enum trap_kind {
	TRAP_SYSCALL,           /* nr, args, ip */
	TRAP_FAULT,             /* fault */
	TRAP_INTERRUPT,         /* ctx_interrupt() or ctx_need_frame(): registers can be had */
	TRAP_START,             /* first appearance of a context made by fork or clone */
	TRAP_AGAIN,             /* ctx_again() */
	TRAP_DEAD,              /* its host process is gone; it can only be freed */
};

struct trap {
	enum trap_kind kind;
	u64 nr, args[6], ip;            /* nr: only the low half counts, the high one is as given, or 0 if it cannot be known */
	u64 site;               /* TRAP_INTERRUPT: not 0: see aspace_patch() */
	struct {
		int signo, code;        /* SIGSEGV..., SEGV_MAPERR... */
		u64 addr;               /* si_addr */
		u64 trapno, err;        /* as in the signal frame */
	} fault;
};

/* One change to an address space.  Addresses and lengths are page-aligned, never in the platform's own range. */
enum as_op_kind { AS_MAP, AS_UNMAP, AS_PROTECT, AS_MOVE, AS_ADVISE };

struct as_op {
	enum as_op_kind kind;
	gaddr_t addr;
	u64 len;
	int prot;               /* PROT_*: MAP, PROTECT */
	int flags;              /* MAP: MAP_SHARED or MAP_PRIVATE, MAP_NORESERVE, MAP_GROWSDOWN;
	                           always placed exactly at addr, over whatever is there */
	hostfd_t file;          /* MAP: HOSTFD_NONE = anonymous.  Borrowed until the call returns */
	u64 offset;             /* MAP: in the file */
	gaddr_t new_addr;       /* MOVE: replaced there; == addr: resized in place (-ENOMEM: no room) */
	u64 new_len;            /* MOVE */
	int advice;             /* ADVISE: MADV_* */
};

struct platform_config {
	const char *name;       /* "systrap", "ptrace" */
	int max_workers;        /* 0 = default */
};

/*
 * Called once, single-threaded, before the sentry drops its rights or makes
 * threads (it forks the zygote and installs the stub's filter).  0 or -errno.
 */
int platform_new(const struct platform_config *cfg, struct platform **ret) must_check;

/* [lo, hi): what applications may map.  The platform's own memory lies outside. */
void platform_user_range(const struct platform *p, u64 *lo, u64 *hi);
/* Where the host's vDSO code lies in every address space (0: nowhere), for our own vDSO to call. */
u64 platform_host_vdso(const struct platform *p);

/*
 * @body(arg) is what a worker thread runs: a loop around platform_switch()
 * that never returns.  The platform makes as many as it needs, now and later.
 */
int platform_start_workers(struct platform *p, void *(*body)(void *), void *arg) must_check;

/* The worker loop's one call; see above.  @done may be NULL.  Blocks.  Returns the owned context. */
struct ctx *platform_switch(struct platform *p, struct ctx *done, struct trap *ret) must_check;
/*
 * A worker that may wait long inside the sentry (task_sleep, host I/O that can
 * block) brackets the wait with these, so that another worker takes calls.
 * block_begin returns what a waker gives to platform_waking(), right before the one
 * host call that ends this wait (it may be NULL); @woken tells whether that was done.  With it
 * the platform knows that a worker is on its way and need not wake another.
 *
 * block_watch is block_begin for who can watch a descriptor while it waits: if *ret_fd is one, and can be
 * read, another worker is needed, and block_begin is to be called then.
 */
struct worker *platform_block_begin(struct platform *p);
struct worker *platform_block_watch(struct platform *p, hostfd_t *ret_fd);
void platform_waking(struct platform *p, struct worker *sleeper);
void platform_block_end(struct platform *p, bool woken);
/* The call that is served has moved @n bytes more: after many of them others do not wait for its end. */
void platform_worked(struct platform *p, size_t n);

/* A pristine address space with one context (registers zero, nothing mapped).  Not resumed yet. */
int aspace_new(struct platform *p, struct aspace **ret_as, struct ctx **ret_ctx) must_check;
/*
 * Copy of @parent's address space (copy-on-write) with one context that has
 * the parent's registers, FP state included, and ax = 0.  @parent stays trapped.
 * The child appears as TRAP_START in some worker after ctx_start().
 */
int aspace_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx) must_check;
/* A further context in the same address space, registers as for fork. */
int ctx_clone(struct ctx *parent, struct ctx **ret) must_check;
/* Let a new context appear in platform_switch() as TRAP_START. */
void ctx_start(struct ctx *c);
/*
 * A trapped context may be left to itself: its owner says so with ctx_rest(), lets go of it, and gives platform_switch()
 * nothing.  Whoever calls ctx_again(), once, any thread, makes it some worker's again, as TRAP_AGAIN.
 */
void ctx_rest(struct ctx *c);
void ctx_again(struct ctx *c);
/*
 * The context will run no application code any more.  It must have a frame.  The host forgets what it keeps of it
 * in the application's memory; then the application learns of it: 0 is stored in @word, and one (shared) waiter woken.
 */
void ctx_retire(struct ctx *c, gaddr_t word);
/* The context's thread ends.  Drops its hold on the address space. */
void ctx_free(struct ctx *c);

struct aspace *aspace_ref(struct aspace *as);
void aspace_unref(struct aspace *as);           /* the last one ends the host process */
struct aspace *ctx_aspace(const struct ctx *c);

/* What the sentry keeps with a context: its task. */
void ctx_set_owner(struct ctx *c, void *owner);
void *ctx_owner(const struct ctx *c);

/*
 * Apply @n changes in order, on the address space of @c, which must be
 * trapped with a frame (see ctx_has_frame).  0, or -errno of the first that
 * failed with those before it done and *ret_done (may be NULL) their number.
 */
int aspace_apply(struct ctx *c, const struct as_op *ops, size_t n, size_t *ret_done) must_check;

/*
 * Copy between the sentry and an address space.  Return the bytes copied,
 * which is less than @n when a page is missing or protected; never fault here.
 */
size_t aspace_copy_in(struct aspace *as, void *dst, gaddr_t src, size_t n);
size_t aspace_copy_out(struct aspace *as, gaddr_t dst, const void *src, size_t n);
/* The same with @n pieces on our side, by one host call where that can be. */
struct iovec;
size_t aspace_copy_in_pieces(struct aspace *as, const struct iovec *dst, size_t n, gaddr_t src);
size_t aspace_copy_out_pieces(struct aspace *as, gaddr_t dst, const struct iovec *src, size_t n);
/*
 * Data that travels with a trap, which saves a copy by the host; its owner only.  takes_data: the trap
 * is such that data_out may work.  data_in: *ret is a copy of what was at @src, as many bytes as returned (0: none), until @c
 * is resumed.  data_out: @n bytes are written at @dst before @c goes on; false: not so, and nothing
 * was done.  The range must be ordinary memory that the application can write; should it be unmapped meanwhile the
 * call ends with EFAULT, or the process is killed if the trap had a frame.
 */
bool ctx_takes_data(const struct ctx *c);
size_t ctx_data_in(const struct ctx *c, gaddr_t src, const void **ret);
bool ctx_data_out(struct ctx *c, gaddr_t dst, const void *src, size_t n);
/*
 * The same for @n bytes at @off of a regular file, which are there: the application's side copies them, as it can read that part of
 * the file itself.  @key: a number for the open file, never used for another.  Only for a call that may be made again, as it is
 * if the copy fails.  0, or it was not done: -EOPNOTSUPP, or -EAGAIN if it has paid to be given (a duplicate of) the file
 * for later reads; until the drop of @key, which is done before @c goes on.
 */
int ctx_view_out(struct ctx *c, gaddr_t dst, u64 key, u64 off, size_t n) must_check;
void ctx_view_give(struct ctx *c, u64 key, u64 off, hostfd_t fd);
void ctx_view_drop(struct ctx *c, u64 key);
/*
 * What getpid and gettid return: from now on they may be answered without a trap; 0, 0: they trap again, if not at
 * this moment.  The first is for the owner, the second for any thread; a lock of the caller's orders both.
 */
void ctx_tell_ids(struct ctx *c, u32 pid, u32 tid);
/*
 * The thread may change its signal mask (bit n-1 = signal n; 9 and 19 are not in it) without a trap, until it is recalled.  The
 * first is for the owner, or before @c starts, and false if there is no way; the others are for any thread, while it is
 * lent; the same lock orders all.  What they return may be any number.  A recall is a full barrier.
 */
bool ctx_lend_mask(struct ctx *c, u64 mask) must_check;
u64 ctx_lent_mask(const struct ctx *c);
u64 ctx_recall_mask(struct ctx *c);
/*
 * While its mask is lent the thread may also undo this signal frame without a trap, when rt_sigreturn's stack pointer is at @uc, and
 * the frame says of the extended state and the alternate stack what it says now; once.  NULL: not, from now on, if not at this
 * moment.  The first is for the owner, the second for any thread; a lock of the caller's orders both.
 */
struct sigframe_at {
	gaddr_t uc;             /* the kernel's ucontext */
	u64 fpstate, stack[3];  /* as in it */
};
void ctx_lend_frame(struct ctx *c, const struct sigframe_at *f);
/*
 * Which of the @n pages at @addr are present, or could be without reading a file: bit 0 of vec[i], as the host tells the application,
 * which may lie.  @c must be trapped with a frame.  0 or -errno (-ENOMEM: not all of it is mapped).
 */
#define RESIDENT_MAX 4096u
int aspace_resident(struct ctx *c, gaddr_t addr, size_t n, u8 *vec) must_check;
/*
 * Atomic compare-and-swap of an aligned word.  0 with *val the value found
 * (the swap happened if it equals the old *val), or -EFAULT.
 */
int aspace_cas_u32(struct ctx *c, gaddr_t addr, u32 *val, u32 new_val) must_check;
/* Wake native futex waiters at @addr (shared = futex is not private). 0 or -errno. */
int aspace_futex_wake(struct ctx *c, gaddr_t addr, int n, bool shared);

/*
 * The system call at @site traps often (trap.site).  The sentry knows that it is ordinary code,
 * readable and executable, private and not writable: make it trap more cheaply.  @room is
 * 0 or the address of a page for the platform's use, mapped by the sentry in that address space within 1 GiB
 * of the site, readable and executable; it keeps it.  0, -ENOSPC: such a page is needed, or -errno: leave it.
 */
int aspace_patch(struct ctx *c, u64 site, gaddr_t room);

/*
 * CPU time, in ns, that the threads of @as have used on the host; 0 if unknown.
 * Any thread may call it.
 */
u64 aspace_cpu_time(struct aspace *as);
/*
 * How many of the @n pages at these addresses @as has in memory; any thread may call it. 0 or -errno: the host does not tell
 * (no NUMA in its kernel, a filter around us), or the process is gone.
 */
#define PRESENT_MAX 256u
int aspace_present(const struct aspace *as, const u64 *addr, u32 n, u32 *ret) must_check;
/* The host process of @as, as the sentry's pid namespace numbers it; 0 or less: none.  For people who look from outside. */
s32 aspace_host_pid(const struct aspace *as);
/* What the host's ps shows for it: the words of its command, joined. */
void aspace_set_title(struct aspace *as, char *const *argv, int argc);

/*
 * Some traps come without registers (that is what makes them cheap).
 * ctx_need_frame() makes the context, once resumed, trap again at once with
 * TRAP_INTERRUPT, before it executes anything.  Calls listed in
 * syscall-tables/frame_calls.def always have a frame.
 */
bool ctx_has_frame(const struct ctx *c);
void ctx_need_frame(struct ctx *c);

/* The value that a finished TRAP_SYSCALL returns in ax.  Cheap; a frame is not needed. */
void ctx_set_result(struct ctx *c, long v);
/*
 * Let the application make the call that trapped itself, once resumed: the host sees just the arguments that were
 * reported, whatever the application does meanwhile, and its result is the call's.  For calls that
 * take nothing but numbers, change memory of the caller's alone, and are as right a moment later.  False: it cannot be done so.
 */
bool ctx_pass(struct ctx *c) must_check;
int ctx_get_regs(struct ctx *c, struct user_regs *ret) must_check;        /* need a frame */
int ctx_set_regs(struct ctx *c, const struct user_regs *r) must_check;
/*
 * Extended state in the layout of a 64-bit signal frame (XSAVE, legacy part
 * first, FP_XSTATE magic in sw_reserved).  get: bytes written, or -errno.
 * set: NULL resets it; the platform sanitises what it is given.
 */
size_t platform_fp_size(const struct platform *p);
long ctx_get_fp(struct ctx *c, void *buf, size_t cap) must_check;
int ctx_set_fp(struct ctx *c, const void *buf, size_t n) must_check;

/* Make a context that runs application code trap soon (TRAP_INTERRUPT).  Harmless if it is trapped. */
void ctx_interrupt(struct ctx *c);
/*
 * @c was interrupted for good long ago, and its task has not ended.  Once that was said of all contexts of an address space, and one of
 * them still runs, or a change that it is to make is not done, its process is killed: they report TRAP_DEAD.  As ctx_interrupt().
 */
void ctx_overdue(struct ctx *c);
