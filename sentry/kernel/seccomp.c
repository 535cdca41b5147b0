/*
 * seccomp.c - filters of the guest: attaching, and the verdict on a call; see seccomp.h.
 *
 * A newly attached filter points to those before it; all are run, and the
 * strictest verdict counts (seccomp(2)).
 */
#include "sentry/kernel/seccomp.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/seccomp_bpf.h"
#include "sentry/kernel/seccomp_notify.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task_int.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

#define AUDIT_ARCH_AMD64 0xc000003eu
#define MAX_CHAIN_INSNS 32768           /* Linux: MAX_INSNS_PER_PATH, 4 for each filter besides */

struct seccomp_prog {
	struct ref ref;
	struct seccomp_prog *prev;              /* a reference; NULL = the first one */
	u32 n, total, depth;
	bool log;                               /* SECCOMP_FILTER_FLAG_LOG: told, not done */
	struct listener *listener;              /* immutable once attached: a reference, or NULL */
	u64 allow[SECCOMP_ALLOW_WORDS];         /* bit a number: the whole chain allows it, whatever the arguments */
	struct sock_filter *insns;
};

struct seccomp_prog *seccomp_ref(struct seccomp_prog *p)
{
	if (p)
		ref_get(&p->ref);
	return p;
}

void seccomp_unref(struct seccomp_prog *p)
{
	while (p && ref_put(&p->ref)) {
		struct seccomp_prog *prev = p->prev;

		listener_unused(p->listener);
		kfree(p->insns);
		kfree(p);
		p = prev;
	}
}

u32 seccomp_count(const struct seccomp_prog *p)
{
	return p ? p->depth : 0;
}

/*
 * Does @p allow @nr without a look at address or arguments?  Only what compilers of filters make
 * of such rules is followed; anything else is run for every call.
 */
static bool always_allows(const struct seccomp_prog *p, u32 nr)
{
	u32 a = 0;

	for (u32 pc = 0; pc < p->n; pc++) {
		const struct sock_filter *i = &p->insns[pc];
		bool hit;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (i->k > offsetof(struct seccomp_data, arch))
				return false;
			a = i->k == 0 ? nr : AUDIT_ARCH_AMD64;
			continue;
		case BPF_RET | BPF_K:
			return (i->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ALLOW;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K: hit = a == i->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: hit = a >= i->k; break;
		case BPF_JMP | BPF_JGT | BPF_K: hit = a > i->k; break;
		case BPF_JMP | BPF_JSET | BPF_K: hit = (a & i->k) != 0; break;
		default:
			return false;
		}
		pc += hit ? i->jt : i->jf;
	}
	return false;
}

static void find_allowed(struct seccomp_prog *p)
{
	for (u32 nr = 0; nr < 64 * SECCOMP_ALLOW_WORDS; nr++)
		if (always_allows(p, nr))
			p->allow[nr / 64] |= 1ull << (nr % 64);
}

/* Lower is stricter: KILL_PROCESS is negative as a signed number. *ret_whose: of equal ones the newest filter. */
static u32 run_chain(const struct seccomp_prog *p, const struct seccomp_data *d, const struct seccomp_prog **ret_whose)
{
	u32 best = SECCOMP_RET_ALLOW;

	for (; p; p = p->prev) {
		u32 v = bpf_run(p->insns, p->n, d);

		if ((s32)(v & SECCOMP_RET_ACTION_FULL) < (s32)(best & SECCOMP_RET_ACTION_FULL)) {
			best = v;
			*ret_whose = p;
		}
	}
	return best;
}

static void trap(struct task *t, u64 nr, u64 ip, u32 data)
{
	struct lx_siginfo si;

	siginfo_kernel(&si, SIGSYS, 1);         /* SYS_SECCOMP */
	si.err = (s32)(data & 0xffff);
	si.sys.call_addr = ip;
	si.sys.syscall = (s32)nr;
	si.sys.arch = AUDIT_ARCH_AMD64;
	signal_force(t, &si);
}

static bool strict_allows(u64 nr)
{
	return nr == SYSNO_read || nr == SYSNO_write || nr == SYSNO_exit || nr == SYSNO_rt_sigreturn;
}

/*
 * The thread alone ends, as by a signal, unless it is the only one.  -ENEEDFRAME: not yet, as who joins it is told by
 * its memory; the filters will be asked again.
 */
static long kill_thread(struct task *t, int sig)
{
	bool alone;

	mutex_lock(&t->tg->mu);
	alone = t->tg->nthreads == 1;
	mutex_unlock(&t->tg->mu);
	if (alone) {
		tgroup_exit(t->tg, sig);
	} else if (!task_has_frame(t) && task_exit_needs_frame(t)) {
		t->traced_call = true;
		return -ENEEDFRAME;
	} else {
		task_exit(t, sig);
	}
	return -ENOSYS;
}

bool seccomp_passes(const struct task *t, u64 nr)
{
	if (t->seccomp_mode == 0)
		return true;
	return t->seccomp_mode == SECCOMP_MODE_FILTER && nr < 64 * SECCOMP_ALLOW_WORDS &&
	       (atomic_load_explicit(&t->seccomp_allow[nr / 64], memory_order_relaxed) >> (nr % 64) & 1);
}

/* SECCOMP_RET_TRACE: the tracer says what becomes of the call, and may make it another one. */
static bool ask_tracer(struct task *t, u64 *nr, u64 args[6], u32 data, long *ret_result)
{
	if (!ptrace_wants_event(t, PTRACE_EVENT_SECCOMP))
		return false;
	if (!t->result_in_frame) {
		t->traced_call = true;
		*ret_result = -ENEEDFRAME;
		return false;
	}
	if (!ptrace_seccomp(t, nr, args, data, ret_result))
		return false;
	t->call_nr = *nr;
	memcpy(t->call_args, args, sizeof(t->call_args));
	return true;
}

/* What the filters say to a call but for "trace", of which *ret_data is told. */
static bool verdict(struct task *t, const struct seccomp_data *d, long *ret_result, bool *ret_trace, u32 *ret_data)
{
	const struct seccomp_prog *whose = NULL;
	struct seccomp_prog *chain;
	bool ok;
	u32 v;

	mutex_lock(&t->tg->mu);         /* another thread may synchronise this one's filters */
	chain = seccomp_ref(t->seccomp);
	mutex_unlock(&t->tg->mu);
	v = run_chain(chain, d, &whose);
	if ((v & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF && whose->listener) {
		ok = listener_ask(whose->listener, t, d, ret_result);
		seccomp_unref(chain);
		return ok;
	}
	seccomp_unref(chain);
	switch (v & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		return true;
	case SECCOMP_RET_ERRNO:
		*ret_result = -(long)MIN(v & SECCOMP_RET_DATA, 4095u);
		return false;
	case SECCOMP_RET_TRAP:
		*ret_result = (long)d->nr;      /* Linux rolls ax back to the number */
		trap(t, (u64)d->nr, d->instruction_pointer, v & SECCOMP_RET_DATA);
		return false;
	case SECCOMP_RET_TRACE:
		*ret_trace = true;
		*ret_data = v & SECCOMP_RET_DATA;
		return false;
	case SECCOMP_RET_USER_NOTIF:
		return false;                   /* no listener: ENOSYS */
	case SECCOMP_RET_KILL_THREAD:
		*ret_result = kill_thread(t, SIGSYS);
		return false;
	}
	tgroup_exit(t->tg, SIGSYS);
	return false;
}

bool seccomp_check(struct task *t, u64 *nr, u64 ip, u64 args[6], long *ret_result)
{
	struct seccomp_data d = { .arch = AUDIT_ARCH_AMD64, .instruction_pointer = ip };
	bool asked = false, trace;
	u32 data;

	if (seccomp_passes(t, *nr) || ptrace_suspends_seccomp(t))
		return true;
	*ret_result = -ENOSYS;
	if (t->seccomp_mode == SECCOMP_MODE_STRICT) {
		if (strict_allows(*nr))
			return true;
		tgroup_exit(t->tg, SIGKILL);
		return false;
	}
	/* What a tracer has let pass is looked at once more, as it may have changed; then "trace" means yes. */
	for (;; asked = true) {
		d.nr = (int)*nr;
		for (int i = 0; i < 6; i++)
			d.args[i] = args[i];
		trace = false;
		if (verdict(t, &d, ret_result, &trace, &data) || (trace && asked))
			return true;
		if (!trace || !ask_tracer(t, nr, args, data, ret_result))
			return false;
		*ret_result = -ENOSYS;
	}
}

long seccomp_set_strict(struct task *t)
{
	if (t->seccomp_mode != 0)
		return -EINVAL;
	mutex_lock(&t->tg->mu);
	t->seccomp_mode = SECCOMP_MODE_STRICT;
	own_calls_forget_locked(t);
	mutex_unlock(&t->tg->mu);
	return 0;
}

static struct seccomp_prog *read_prog(struct task *t, gaddr_t addr, int *ret_err)
{
	struct { u16 len; u16 pad[3]; u64 filter; } fprog;
	struct seccomp_prog *p;

	*ret_err = -EFAULT;
	if (copy_in(t, &fprog, addr, sizeof(fprog)) < 0)
		return NULL;
	*ret_err = -EINVAL;
	if (fprog.len == 0 || fprog.len > BPF_MAXINSNS)
		return NULL;
	*ret_err = -ENOMEM;
	p = knew(struct seccomp_prog);
	if (!p)
		return NULL;
	ref_init(&p->ref);
	p->n = fprog.len;
	p->insns = kbuf_array(p->n, sizeof(*p->insns));
	if (!p->insns)
		goto fail;
	*ret_err = -EFAULT;
	if (copy_in(t, p->insns, GADDR(fprog.filter), p->n * sizeof(*p->insns)) < 0)
		goto fail;
	*ret_err = -EINVAL;
	if (bpf_check(p->insns, p->n)) {
		find_allowed(p);
		return p;
	}
fail:
	seccomp_unref(p);
	return NULL;
}

struct seccomp_prog *seccomp_new(const struct sock_filter *f, u32 n)
{
	struct seccomp_prog *p = bpf_check(f, n) ? knew(struct seccomp_prog) : NULL;

	if (!p)
		return NULL;
	ref_init(&p->ref);
	p->n = p->total = n;
	p->depth = 1;
	p->insns = kbuf_array(n, sizeof(*p->insns));
	if (!p->insns) {
		kfree(p);
		return NULL;
	}
	memcpy(p->insns, f, n * sizeof(*f));
	find_allowed(p);
	return p;
}

/* tg->mu is held, or nobody else sees @t yet. */
static void use_locked(struct task *t, struct seccomp_prog *p)
{
	t->seccomp = p;
	t->seccomp_mode = SECCOMP_MODE_FILTER;
	for (int i = 0; i < SECCOMP_ALLOW_WORDS; i++)
		atomic_store_explicit(&t->seccomp_allow[i], p->allow[i], memory_order_relaxed);
	own_calls_forget_locked(t);
}

void seccomp_give(struct task *t, struct seccomp_prog *p, int mode)
{
	t->seccomp_mode = mode;
	if (p)
		use_locked(t, seccomp_ref(p));
}

void seccomp_inherit(struct task *n, struct task *t)
{
	mutex_lock(&t->tg->mu);
	seccomp_give(n, t->seccomp, t->seccomp_mode);
	n->no_new_privs = t->no_new_privs;
	mutex_unlock(&t->tg->mu);
}

void seccomp_follow_locked(struct task *n, struct task *t)
{
	struct seccomp_prog *old = n->seccomp;

	if (old != t->seccomp) {
		use_locked(n, seccomp_ref(t->seccomp));
		seccomp_unref(old);
	}
	n->no_new_privs = t->no_new_privs;
}

static bool is_ancestor(const struct seccomp_prog *a, const struct seccomp_prog *of)
{
	while (of && of != a)
		of = of->prev;
	return of == a;
}

/* A thread whose own filters are not among @t's cannot be synchronised: its id, or 0. */
static int unsyncable_locked(struct task *t)
{
	struct task *x;

	list_for_each(x, &t->tg->threads, thread_node)
		if (x != t && !x->exiting &&
		    (x->seccomp_mode == SECCOMP_MODE_STRICT || !is_ancestor(x->seccomp, t->seccomp)))
			return pid_nr_in_locked(t->tg->pid_ns, x->tid);
	return 0;
}

static void sync_threads_locked(struct task *t)
{
	struct task *x;

	list_for_each(x, &t->tg->threads, thread_node) {
		struct seccomp_prog *old = x->seccomp;

		if (x == t || x->exiting)
			continue;
		use_locked(x, seccomp_ref(t->seccomp));
		if (t->no_new_privs)
			x->no_new_privs = true;
		seccomp_unref(old);
	}
}

static bool has_listener(const struct seccomp_prog *p)
{
	while (p && !p->listener)
		p = p->prev;
	return p != NULL;
}

/* 0, -errno, or the thread that TSYNC fails on; @p is taken only on success. Other threads may have given @t filters until now. */
static int attach(struct task *t, struct seccomp_prog *p, bool tsync)
{
	int r;

	mutex_lock(&t->tg->mu);
	p->total = p->n + (t->seccomp ? t->seccomp->total + 4 : 0);
	p->depth = seccomp_count(t->seccomp) + 1;
	if (p->total > MAX_CHAIN_INSNS)
		r = -ENOMEM;
	else if (p->listener && has_listener(t->seccomp))
		r = -EBUSY;
	else
		r = tsync ? unsyncable_locked(t) : 0;
	if (r == 0) {
		p->prev = t->seccomp;           /* the task's reference moves along */
		for (int i = 0; p->prev && i < SECCOMP_ALLOW_WORDS; i++)
			p->allow[i] &= p->prev->allow[i];
		use_locked(t, p);
		if (tsync)
			sync_threads_locked(t);
	}
	mutex_unlock(&t->tg->mu);
	return r;
}

/* With a supervisor: its descriptor, once the filter is in force. */
static long attach_listened(struct task *t, struct seccomp_prog *p, u32 flags)
{
	auto_file *f = NULL;
	int fd, r;

	r = listener_new(t, flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &p->listener, &f);
	if (r < 0)
		return r;
	fd = fd_reserve(t, 0, true);
	if (fd < 0)
		return fd;
	r = attach(t, p, flags & SECCOMP_FILTER_FLAG_TSYNC);
	if (r != 0) {
		fd_unreserve(t, fd);
		return r > 0 ? -ESRCH : r;
	}
	fd_publish(t, fd, f);
	return fd;
}

static bool flags_ok(u32 flags)
{
	const u32 known = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC |
			  SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER |
			  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	bool listener = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

	/* A thread's id and a descriptor could not be told apart. */
	if (listener && (flags & SECCOMP_FILTER_FLAG_TSYNC) && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH))
		return false;
	return !(flags & ~known) && (listener || !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
}

long seccomp_set_filter(struct task *t, u32 flags, gaddr_t addr)
{
	struct sock_fprog head;
	struct seccomp_prog *p;
	long r;
	int err;

	if (!flags_ok(flags) || t->seccomp_mode == SECCOMP_MODE_STRICT)
		return -EINVAL;
	if (copy_in(t, &head, addr, sizeof(head)) < 0)
		return -EFAULT;
	if (!t->no_new_privs && !self_capable(t, CAP_SYS_ADMIN))
		return -EACCES;
	p = read_prog(t, addr, &err);
	if (!p)
		return err;
	p->log = flags & SECCOMP_FILTER_FLAG_LOG;
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		r = attach_listened(t, p, flags);
	else
		r = attach(t, p, flags & SECCOMP_FILTER_FLAG_TSYNC);
	if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? r < 0 : r != 0)
		seccomp_unref(p);
	return r > 0 && !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) && (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) ? -ESRCH : r;
}

/* A reference to @p's chain (in ret_chain), and the filter in it that @nth others are older than. */
static long nth_filter(struct task *t, struct task *x, u64 nth, struct seccomp_prog **ret_chain,
		       const struct seccomp_prog **ret)
{
	const struct seccomp_prog *p;
	long r = 0;

	if (!capable(t, CAP_SYS_ADMIN) || t->seccomp_mode != 0)
		return -EACCES;
	mutex_lock(&x->tg->mu);
	if (x->seccomp_mode != SECCOMP_MODE_FILTER)
		r = -EINVAL;
	else if (nth >= seccomp_count(x->seccomp))
		r = -ENOENT;
	else
		*ret_chain = seccomp_ref(x->seccomp);
	mutex_unlock(&x->tg->mu);
	if (r < 0)
		return r;
	for (p = *ret_chain; p->depth > nth + 1; p = p->prev)
		;
	*ret = p;
	return 0;
}

long seccomp_dump(struct task *t, struct task *x, u64 nth, gaddr_t to)
{
	const struct seccomp_prog *p;
	struct seccomp_prog *chain;
	long r = nth_filter(t, x, nth, &chain, &p);

	if (r < 0)
		return r;
	if (to.v != 0)
		r = copy_out(t, to, p->insns, p->n * sizeof(*p->insns));
	r = r < 0 ? r : (long)p->n;
	seccomp_unref(chain);
	return r;
}

long seccomp_metadata(struct task *t, struct task *x, u64 size, gaddr_t at)
{
	struct { u64 nth, flags; } m = { 0 };
	const struct seccomp_prog *p;
	struct seccomp_prog *chain;
	long r;

	size = MIN(size, (u64)sizeof(m));
	if (!capable(t, CAP_SYS_ADMIN) || t->seccomp_mode != 0)
		return -EACCES;
	if (size < sizeof(m.nth))
		return -EINVAL;
	if (copy_in(t, &m.nth, at, sizeof(m.nth)) < 0)
		return -EFAULT;
	r = nth_filter(t, x, m.nth, &chain, &p);
	if (r < 0)
		return r;
	m.flags = p->log ? SECCOMP_FILTER_FLAG_LOG : 0;
	seccomp_unref(chain);
	return copy_out(t, at, &m, size) < 0 ? -EFAULT : (long)size;
}
