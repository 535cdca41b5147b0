/*
 * systrap.c - systrap's row in the table of platforms, and its smallest verbs.
 */
#include "platform/systrap/systrap.h"
#include "platform/host/cputime.h"
#include "platform/host/title.h"

static void user_range(const struct platform *p, u64 *lo, u64 *hi)
{
	*lo = 0x10000;          /* Linux's default vm.mmap_min_addr */
	*hi = to_systrap(p)->stub;
}

static u64 host_vdso(const struct platform *p) { return to_systrap(p)->vdso; }
static u64 cpu_time(struct aspace *as) { return host_process_cpu_time(to_as(as)->pid); }
static s32 host_pid(const struct aspace *as) { return to_as((struct aspace *)as)->pid; }

static void set_title(struct aspace *as, const char *text)
{
	(void)systrap_copy_out(as, GADDR(to_systrap(as->p)->stub + STUB_TITLE_OFF), text, TITLE_BYTES);
}

static bool has_frame(const struct ctx *c) { return to_ctx(c)->framed; }
static void need_frame(struct ctx *c) { to_ctx(c)->want_frame = true; }

static void set_result(struct ctx *base, long v)
{
	struct systrap_ctx *c = to_ctx(base);

	c->result = v;
	c->k.ax = (u64)v;
	c->ax_dirty = true;
}

const struct platform_ops systrap_ops = {
	.name = "systrap",
	.create = systrap_create,
	.start_workers = workers_start,
	.user_range = user_range,
	.host_vdso = host_vdso,
	.run = workers_run,
	.block_begin = workers_block_begin,
	.block_watch = workers_block_watch,
	.waking = workers_waking,
	.block_end = workers_block_end,
	.worked = workers_worked,
	.as_new = systrap_as_new,
	.as_fork = systrap_as_fork,
	.ctx_clone = systrap_ctx_clone,
	.ctx_start = systrap_ctx_start,
	.ctx_rest = workers_rest,
	.ctx_again = workers_again,
	.ctx_retire = systrap_retire,
	.ctx_free = systrap_ctx_free,
	.as_release = systrap_as_release,
	.apply = systrap_apply,
	.copy_in = systrap_copy_in,
	.copy_out = systrap_copy_out,
	.copy_pieces = systrap_copy_pieces,
	.takes_data = systrap_takes_data,
	.tell_ids = systrap_tell_ids,
	.lend_mask = systrap_lend_mask,
	.lent_mask = systrap_lent_mask,
	.recall_mask = systrap_recall_mask,
	.lend_frame = systrap_lend_frame,
	.data_in = systrap_data_in,
	.data_out = systrap_data_out,
	.view_out = systrap_view_out,
	.view_give = systrap_view_give,
	.view_drop = systrap_view_drop,
	.resident = systrap_resident,
	.cas_u32 = systrap_cas_u32,
	.futex_wake = systrap_futex_wake,
	.patch = systrap_patch,
	.cpu_time = cpu_time,
	.host_pid = host_pid,
	.set_title = set_title,
	.has_frame = has_frame,
	.need_frame = need_frame,
	.set_result = set_result,
	.pass = systrap_pass,
	.get_regs = systrap_get_regs,
	.set_regs = systrap_set_regs,
	.fp_size = systrap_fp_size,
	.get_fp = systrap_get_fp,
	.set_fp = systrap_set_fp,
	.interrupt = systrap_interrupt,
	.overdue = systrap_overdue,
};
