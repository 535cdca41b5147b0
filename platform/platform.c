/*
 * platform.c - the list of platforms, and the way from platform.h into one.
 */
#include "platform/platform_int.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include "platform/host/process.h"
#include "platform/host/title.h"

static const struct platform_ops *const platforms[] = {
	&systrap_ops,
	&ptrace_ops,
};

int platform_new(const struct platform_config *cfg, struct platform **ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++)
		if (!strcmp(platforms[i]->name, cfg->name))
			return platforms[i]->create(cfg, ret);
	return -ENOENT;
}


int platform_start_workers(struct platform *p, void *(*body)(void *), void *arg)
{
	return p->ops->start_workers(p, body, arg);
}

void platform_user_range(const struct platform *p, u64 *lo, u64 *hi) { p->ops->user_range(p, lo, hi); }
u64 platform_host_vdso(const struct platform *p) { return p->ops->host_vdso(p); }
size_t platform_fp_size(const struct platform *p) { return p->ops->fp_size(p); }
struct worker *platform_block_begin(struct platform *p) { return p->ops->block_begin(p); }

struct worker *platform_block_watch(struct platform *p, hostfd_t *ret_fd)
{
	*ret_fd = HOSTFD_NONE;
	return p->ops->block_watch ? p->ops->block_watch(p, ret_fd) : p->ops->block_begin(p);
}

void platform_waking(struct platform *p, struct worker *sleeper) { p->ops->waking(p, sleeper); }
void platform_block_end(struct platform *p, bool woken) { p->ops->block_end(p, woken); }

void platform_worked(struct platform *p, size_t n)
{
	if (p->ops->worked)
		p->ops->worked(n);
}

struct ctx *platform_switch(struct platform *p, struct ctx *done, struct trap *ret)
{
	return p->ops->run(p, done, ret);
}

int aspace_new(struct platform *p, struct aspace **ret_as, struct ctx **ret_ctx)
{
	return p->ops->as_new(p, ret_as, ret_ctx);
}

int aspace_fork(struct ctx *parent, struct aspace **ret_as, struct ctx **ret_ctx)
{
	return parent->p->ops->as_fork(parent, ret_as, ret_ctx);
}

struct aspace *aspace_ref(struct aspace *as)
{
	ref_get(&as->ref);
	return as;
}

void aspace_unref(struct aspace *as)
{
	if (as && ref_put(&as->ref))
		as->p->ops->as_release(as);
}

int aspace_patch(struct ctx *c, u64 site, gaddr_t room)
{
	return c->p->ops->patch ? c->p->ops->patch(c, site, room) : -EOPNOTSUPP;
}

int aspace_apply(struct ctx *c, const struct as_op *ops, size_t n, size_t *ret_done)
{
	return c->p->ops->apply(c, ops, n, ret_done);
}

size_t aspace_copy_in(struct aspace *as, void *dst, gaddr_t src, size_t n)
{
	return as->p->ops->copy_in(as, dst, src, n);
}

size_t aspace_copy_out(struct aspace *as, gaddr_t dst, const void *src, size_t n)
{
	return as->p->ops->copy_out(as, dst, src, n);
}

static size_t copy_pieces(struct aspace *as, gaddr_t at, const struct iovec *v, size_t n, bool out)
{
	const struct platform_ops *ops = as->p->ops;
	size_t done = 0, bytes = 0, k;

	for (size_t i = 0; i < n; i++)
		bytes += v[i].iov_len;
	if (n > 1 && ops->copy_pieces && ops->copy_pieces(as, at, v, n, bytes, out) == bytes)
		return bytes;
	for (size_t i = 0; i < n; i++) {
		k = out ? ops->copy_out(as, gaddr_add(at, done), v[i].iov_base, v[i].iov_len) :
			  ops->copy_in(as, v[i].iov_base, gaddr_add(at, done), v[i].iov_len);
		done += k;
		if (k < v[i].iov_len)
			break;
	}
	return done;
}

size_t aspace_copy_in_pieces(struct aspace *as, const struct iovec *dst, size_t n, gaddr_t src)
{
	return copy_pieces(as, src, dst, n, false);
}

size_t aspace_copy_out_pieces(struct aspace *as, gaddr_t dst, const struct iovec *src, size_t n)
{
	return copy_pieces(as, dst, src, n, true);
}

void ctx_tell_ids(struct ctx *c, u32 pid, u32 tid)
{
	if (c->p->ops->tell_ids)
		c->p->ops->tell_ids(c, pid, tid);
}

bool ctx_lend_mask(struct ctx *c, u64 mask) { return c->p->ops->lend_mask && c->p->ops->lend_mask(c, mask); }
u64 ctx_lent_mask(const struct ctx *c) { return c->p->ops->lent_mask(c); }
u64 ctx_recall_mask(struct ctx *c) { return c->p->ops->recall_mask(c); }

void ctx_lend_frame(struct ctx *c, const struct sigframe_at *f)
{
	if (c->p->ops->lend_frame)
		c->p->ops->lend_frame(c, f);
}

bool ctx_takes_data(const struct ctx *c) { return c->p->ops->takes_data && c->p->ops->takes_data(c); }

size_t ctx_data_in(const struct ctx *c, gaddr_t src, const void **ret)
{
	return c->p->ops->data_in ? c->p->ops->data_in(c, src, ret) : 0;
}

bool ctx_data_out(struct ctx *c, gaddr_t dst, const void *src, size_t n)
{
	return c->p->ops->data_out && c->p->ops->data_out(c, dst, src, n);
}

int ctx_view_out(struct ctx *c, gaddr_t dst, u64 key, u64 off, size_t n)
{
	return c->p->ops->view_out ? c->p->ops->view_out(c, dst, key, off, n) : -EOPNOTSUPP;
}

void ctx_view_give(struct ctx *c, u64 key, u64 off, hostfd_t fd)
{
	if (c->p->ops->view_give)
		c->p->ops->view_give(c, key, off, fd);
}

void ctx_view_drop(struct ctx *c, u64 key)
{
	if (c->p->ops->view_drop)
		c->p->ops->view_drop(c, key);
}

int aspace_resident(struct ctx *c, gaddr_t addr, size_t n, u8 *vec)
{
	return n && n <= RESIDENT_MAX ? c->p->ops->resident(c, addr, n, vec) : -EINVAL;
}

int aspace_cas_u32(struct ctx *c, gaddr_t addr, u32 *val, u32 new_val)
{
	return c->p->ops->cas_u32(c, addr, val, new_val);
}

int aspace_futex_wake(struct ctx *c, gaddr_t addr, int n, bool shared)
{
	return c->p->ops->futex_wake(c, addr, n, shared);
}

u64 aspace_cpu_time(struct aspace *as) { return as->p->ops->cpu_time(as); }
s32 aspace_host_pid(const struct aspace *as) { return as->p->ops->host_pid(as); }

int aspace_present(const struct aspace *as, const u64 *addr, u32 n, u32 *ret)
{
	s32 status[PRESENT_MAX], pid = aspace_host_pid(as);
	int r = pid > 0 && n <= PRESENT_MAX ? host_pages(pid, addr, n, status) : -ESRCH;

	*ret = 0;
	for (u32 i = 0; r == 0 && i < n; i++)
		*ret += status[i] >= 0;
	platform_worked(as->p, n * 4096ul);     /* it takes about as long as to copy them */
	return r;
}

void aspace_set_title(struct aspace *as, char *const *argv, int argc)
{
	char text[TITLE_BYTES];

	host_title_make(text, argv, argc);
	as->p->ops->set_title(as, text);
}

struct aspace *ctx_aspace(const struct ctx *c) { return c->as; }
void ctx_set_owner(struct ctx *c, void *owner) { c->owner = owner; }
void *ctx_owner(const struct ctx *c) { return c->owner; }
int ctx_clone(struct ctx *parent, struct ctx **ret) { return parent->p->ops->ctx_clone(parent, ret); }
void ctx_start(struct ctx *c) { c->p->ops->ctx_start(c); }
void ctx_again(struct ctx *c) { c->p->ops->ctx_again(c); }

void ctx_rest(struct ctx *c)
{
	if (c->p->ops->ctx_rest)
		c->p->ops->ctx_rest(c);
}

void ctx_retire(struct ctx *c, gaddr_t word)
{
	(void)!c->p->ops->ctx_retire(c, word);
}

void ctx_free(struct ctx *c) { c->p->ops->ctx_free(c); }
bool ctx_has_frame(const struct ctx *c) { return c->p->ops->has_frame(c); }
void ctx_need_frame(struct ctx *c) { c->p->ops->need_frame(c); }
void ctx_set_result(struct ctx *c, long v) { c->p->ops->set_result(c, v); }
bool ctx_pass(struct ctx *c) { return c->p->ops->pass && c->p->ops->pass(c); }
int ctx_get_regs(struct ctx *c, struct user_regs *ret) { return c->p->ops->get_regs(c, ret); }
int ctx_set_regs(struct ctx *c, const struct user_regs *r) { return c->p->ops->set_regs(c, r); }
long ctx_get_fp(struct ctx *c, void *buf, size_t cap) { return c->p->ops->get_fp(c, buf, cap); }
int ctx_set_fp(struct ctx *c, const void *buf, size_t n) { return c->p->ops->set_fp(c, buf, n); }
void ctx_interrupt(struct ctx *c) { c->p->ops->interrupt(c); }
void ctx_overdue(struct ctx *c)
{
	if (c->p->ops->overdue)
		c->p->ops->overdue(c);
}
