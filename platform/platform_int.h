/*
 * platform_int.h - what an implementation of platform.h supplies.
 *
 * Implementations embed these structs first in their own.  platform.c does
 * the dispatch; the ops mean what platform.h says of the function of the same name.
 */
#pragma once
#include "platform/base/ref.h"
#include "platform/platform.h"

struct platform_ops {
	const char *name;
	int (*create)(const struct platform_config *cfg, struct platform **ret);
	int (*start_workers)(struct platform *p, void *(*body)(void *), void *arg);
	void (*user_range)(const struct platform *p, u64 *lo, u64 *hi);
	u64 (*host_vdso)(const struct platform *p);
	struct ctx *(*run)(struct platform *p, struct ctx *done, struct trap *ret);
	struct worker *(*block_begin)(struct platform *p);
	struct worker *(*block_watch)(struct platform *p, hostfd_t *ret_fd);    /* NULL: block_begin, and no descriptor */
	void (*waking)(struct platform *p, struct worker *sleeper);
	void (*block_end)(struct platform *p, bool woken);
	void (*worked)(size_t n);                                               /* NULL: nobody waits for a worker that is busy */
	int (*as_new)(struct platform *p, struct aspace **ret_as, struct ctx **ret_ctx);
	int (*as_fork)(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx);
	int (*ctx_clone)(struct ctx *parent, struct ctx **ret);
	void (*ctx_start)(struct ctx *c);
	void (*ctx_rest)(struct ctx *c);        /* may be NULL */
	void (*ctx_again)(struct ctx *c);
	int (*ctx_retire)(struct ctx *c, gaddr_t word);
	void (*ctx_free)(struct ctx *c);
	void (*as_release)(struct aspace *as);
	int (*apply)(struct ctx *c, const struct as_op *ops, size_t n, size_t *ret_done);
	size_t (*copy_in)(struct aspace *as, void *dst, gaddr_t src, size_t n);
	size_t (*copy_out)(struct aspace *as, gaddr_t dst, const void *src, size_t n);
	/* May be NULL.  All pieces, or not known how many: then 0. */
	size_t (*copy_pieces)(struct aspace *as, gaddr_t at, const struct iovec *v, size_t n, size_t bytes, bool out);
	void (*tell_ids)(struct ctx *c, u32 pid, u32 tid);      /* may be NULL */
	bool (*lend_mask)(struct ctx *c, u64 mask);             /* these three may be NULL */
	u64 (*lent_mask)(const struct ctx *c);
	u64 (*recall_mask)(struct ctx *c);
	void (*lend_frame)(struct ctx *c, const struct sigframe_at *f);         /* may be NULL */
	bool (*takes_data)(const struct ctx *c);                /* these three may be NULL */
	size_t (*data_in)(const struct ctx *c, gaddr_t src, const void **ret);
	bool (*data_out)(struct ctx *c, gaddr_t dst, const void *src, size_t n);
	int (*view_out)(struct ctx *c, gaddr_t dst, u64 key, u64 off, size_t n);        /* these three may be NULL */
	void (*view_give)(struct ctx *c, u64 key, u64 off, hostfd_t fd);
	void (*view_drop)(struct ctx *c, u64 key);
	int (*resident)(struct ctx *c, gaddr_t addr, size_t n, u8 *vec);
	int (*cas_u32)(struct ctx *c, gaddr_t addr, u32 *val, u32 new_val);
	int (*futex_wake)(struct ctx *c, gaddr_t addr, int n, bool shared);
	int (*patch)(struct ctx *c, u64 site, gaddr_t room);    /* may be NULL */
	u64 (*cpu_time)(struct aspace *as);
	s32 (*host_pid)(const struct aspace *as);
	void (*set_title)(struct aspace *as, const char *text);
	bool (*has_frame)(const struct ctx *c);
	void (*need_frame)(struct ctx *c);
	void (*set_result)(struct ctx *c, long v);
	bool (*pass)(struct ctx *c);            /* NULL: never */
	int (*get_regs)(struct ctx *c, struct user_regs *ret);
	int (*set_regs)(struct ctx *c, const struct user_regs *r);
	size_t (*fp_size)(const struct platform *p);
	long (*get_fp)(struct ctx *c, void *buf, size_t cap);
	int (*set_fp)(struct ctx *c, const void *buf, size_t n);
	void (*interrupt)(struct ctx *c);
	void (*overdue)(struct ctx *c);                 /* may be NULL: no guest can withstand an interrupt */
};

struct platform { const struct platform_ops *ops; };

struct aspace {
	struct platform *p;                     /* immutable */
	struct ref ref;
};

struct ctx {
	struct platform *p;                     /* immutable */
	struct aspace *as;                      /* immutable, a reference */
	void *owner;                            /* the sentry's task */
};

extern const struct platform_ops systrap_ops;
extern const struct platform_ops ptrace_ops;
