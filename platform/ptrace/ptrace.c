/*
 * ptrace.c - ptrace's row in the table of platforms, and its smallest verbs.
 */
#include "platform/ptrace/pt.h"
#include "platform/host/cputime.h"
#include "platform/host/title.h"

static void user_range(const struct platform *p, u64 *lo, u64 *hi)
{
	*lo = 0x10000;          /* Linux's default vm.mmap_min_addr */
	*hi = to_pt(p)->stub;
}

/* The guest's vDSO makes real calls here: nothing of the host's stays mapped. */
static u64 host_vdso(const struct platform *p)
{
	(void)p;
	return 0;
}

static u64 cpu_time(struct aspace *as) { return host_process_cpu_time(to_pt_as(as)->pid); }
static s32 host_pid(const struct aspace *as) { return to_pt_as((struct aspace *)as)->pid; }

static void set_title(struct aspace *as, const char *text)
{
	(void)pt_copy_out(as, GADDR(to_pt(as->p)->stub + PT_STUB_TITLE), text, TITLE_BYTES);
}

/* A stop has all registers. */
static bool has_frame(const struct ctx *c)
{
	(void)c;
	return true;
}

static void need_frame(struct ctx *c) { to_pt_ctx(c)->want_interrupt = true; }

static void set_result(struct ctx *base, long v)
{
	struct pt_ctx *c = to_pt_ctx(base);

	c->regs.ax = (u64)v;
	c->dirty = true;
}

const struct platform_ops ptrace_ops = {
	.name = "ptrace",
	.create = pt_create,
	.start_workers = pt_start_workers,
	.user_range = user_range,
	.host_vdso = host_vdso,
	.run = pt_run,
	.block_begin = pt_block_begin,
	.waking = pt_waking,
	.block_end = pt_block_end,
	.as_new = pt_as_new,
	.as_fork = pt_as_fork,
	.ctx_clone = pt_ctx_clone,
	.ctx_start = pt_ctx_start,
	.ctx_again = pt_ctx_again,
	.ctx_retire = pt_retire,
	.ctx_free = pt_ctx_free,
	.as_release = pt_as_release,
	.apply = pt_apply,
	.copy_in = pt_copy_in,
	.copy_out = pt_copy_out,
	.resident = pt_resident,
	.cas_u32 = pt_cas_u32,
	.futex_wake = pt_futex_wake,
	.cpu_time = cpu_time,
	.host_pid = host_pid,
	.set_title = set_title,
	.has_frame = has_frame,
	.need_frame = need_frame,
	.set_result = set_result,
	.get_regs = pt_get_regs,
	.set_regs = pt_set_regs,
	.fp_size = pt_fp_size,
	.get_fp = pt_get_fp,
	.set_fp = pt_set_fp,
	.interrupt = pt_interrupt,
};
