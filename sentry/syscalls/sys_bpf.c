/*
 * sys_bpf.c - bpf(2), as far as container engines need it: programs of control groups for devices (kernel/cgroup_bpf.h).
 *
 * Everything else is -EPERM, as for who has no capability.  (Target descriptors are looked at before kinds: libraries
 * ask with a bad one whether a flag is known.)
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/cgroup_bpf.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"

#define INSNS_MAX 4096u

static int prog_fd(struct task *t, struct bpf_prog *p)
{
	auto_file *f = NULL;
	int r = bpf_prog_file(t, p, &f);

	return r < 0 ? r : fd_install(t, f, true);
}

static long prog_load(struct task *t, const union bpf_attr *a)
{
	auto_kfree struct bpf_insn *insn = NULL;
	auto_prog *p = NULL;
	char name[BPF_OBJ_NAME_LEN];
	int r;

	if (a->prog_type != BPF_PROG_TYPE_CGROUP_DEVICE && a->prog_type != BPF_PROG_TYPE_CGROUP_SKB)
		return -EPERM;
	if (a->insn_cnt == 0 || a->insn_cnt > INSNS_MAX)
		return -E2BIG;
	memcpy(name, a->prog_name, sizeof(name));
	if (name[sizeof(name) - 1])
		return -EINVAL;
	insn = kbuf_array(a->insn_cnt, sizeof(*insn));
	if (!insn)
		return -ENOMEM;
	r = copy_in(t, insn, GADDR(a->insns), a->insn_cnt * sizeof(*insn));
	if (r == 0)
		r = bpf_prog_new(t->kernel, a->prog_type, insn, a->insn_cnt, name, &p);
	return r < 0 ? r : prog_fd(t, p);
}

/* The group and the program that @a names: both borrowed from their files. */
struct target {
	struct file *group, *prog, *old;
	struct cgroup *cg;
	struct bpf_prog *p, *replaced;
};

static void target_put(struct target *g)
{
	file_unref(g->group);
	file_unref(g->prog);
	file_unref(g->old);
}

static int get_prog(struct task *t, u32 fd, struct file **ret_f, struct bpf_prog **ret)
{
	*ret_f = fd_get(t, (int)fd);
	if (!*ret_f)
		return -EBADF;
	*ret = bpf_prog_of(*ret_f);
	return *ret ? 0 : -EINVAL;
}

static int get_group(struct task *t, u32 fd, struct target *g)
{
	g->group = fd_get(t, (int)fd);
	g->cg = g->group ? cgroupfs_group(g->group) : NULL;
	return g->cg ? 0 : -EBADF;
}

static long prog_attach(struct task *t, const union bpf_attr *a)
{
	cleanup_with(target_put) struct target g = { 0 };
	u32 flags = a->attach_flags & (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI);
	int r;

	if (a->attach_flags & ~(u32)(BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI | BPF_F_REPLACE))
		return -EINVAL;
	r = get_prog(t, a->attach_bpf_fd, &g.prog, &g.p);
	if (r == 0)
		r = get_group(t, a->target_fd, &g);
	if (r == 0 && (a->attach_flags & BPF_F_REPLACE))        /* of the same kind, or it is not found */
		r = flags & BPF_F_ALLOW_MULTI ? get_prog(t, a->replace_bpf_fd, &g.old, &g.replaced) : -EINVAL;
	if (r == 0 && (a->attach_type != BPF_CGROUP_DEVICE || g.p->type != BPF_PROG_TYPE_CGROUP_DEVICE ||
	               flags == (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI)))
		r = -EINVAL;
	return r < 0 ? r : cgroup_bpf_attach(g.cg, g.p, g.replaced, flags);
}

static long prog_detach(struct task *t, const union bpf_attr *a)
{
	cleanup_with(target_put) struct target g = { 0 };
	int r;

	if (a->attach_type != BPF_CGROUP_DEVICE)
		return -EINVAL;
	r = get_group(t, a->target_fd, &g);
	/* Without a program: the one that there is. */
	if (r == 0 && get_prog(t, a->attach_bpf_fd, &g.prog, &g.p) < 0)
		g.p = NULL;
	return r < 0 ? r : cgroup_bpf_detach(g.cg, g.p);
}

static long prog_query(struct task *t, const union bpf_attr *a, gaddr_t to)
{
	cleanup_with(target_put) struct target g = { 0 };
	u32 ids[CGROUP_PROGS], n, flags, room = MIN(a->query.prog_cnt, CGROUP_PROGS);
	int r;

	if (a->query.attach_type != BPF_CGROUP_DEVICE || a->query.query_flags)
		return -EINVAL;
	r = get_group(t, a->query.target_fd, &g);
	if (r < 0)
		return r;
	n = cgroup_bpf_query(g.cg, ids, CGROUP_PROGS, &flags);
	if (copy_out(t, gaddr_add(to, offsetof(union bpf_attr, query.attach_flags)), &flags, sizeof(flags)) < 0 ||
	    copy_out(t, gaddr_add(to, offsetof(union bpf_attr, query.prog_cnt)), &n, sizeof(n)) < 0)
		return -EFAULT;
	if (!n || !room || !a->query.prog_ids)
		return 0;
	r = copy_out(t, GADDR(a->query.prog_ids), ids, MIN(n, room) * sizeof(*ids));
	return r < 0 ? r : room < n ? -ENOSPC : 0;
}

static long prog_by_id(struct task *t, const union bpf_attr *a)
{
	auto_prog *p = bpf_prog_find(t->kernel, a->prog_id);

	return p ? prog_fd(t, p) : -ENOENT;
}

static long prog_info(struct task *t, const union bpf_attr *a, gaddr_t to)
{
	struct bpf_prog_info info = { 0 };
	u32 n = MIN(a->info.info_len, (u32)sizeof(info));
	auto_file *f = NULL;
	struct bpf_prog *p;
	int r = get_prog(t, a->info.bpf_fd, &f, &p);

	if (r < 0)
		return r;
	info.type = p->type;
	info.id = p->id;
	memcpy(info.name, p->name, sizeof(info.name));
	if (copy_out(t, GADDR(a->info.info), &info, n) < 0 ||
	    copy_out(t, gaddr_add(to, offsetof(union bpf_attr, info.info_len)), &n, sizeof(n)) < 0)
		return -EFAULT;
	return 0;
}

long sys_bpf(struct task *t, const struct sysargs *a)
{
	gaddr_t attr = arg_addr(a, 1);
	size_t size = arg_size(a, 2);
	union bpf_attr x;
	int r;

	if (!capable(t, CAP_SYS_ADMIN) && !capable(t, CAP_BPF))
		return -EPERM;
	if (size > PAGE_SIZE)
		return -E2BIG;
	r = copy_struct_in(t, &x, sizeof(x), attr, size);
	if (r < 0)
		return r;
	switch (arg_u32(a, 0)) {
	case BPF_PROG_LOAD:
		return prog_load(t, &x);
	case BPF_PROG_ATTACH:
		return prog_attach(t, &x);
	case BPF_PROG_DETACH:
		return prog_detach(t, &x);
	case BPF_PROG_QUERY:
		return prog_query(t, &x, attr);
	case BPF_PROG_GET_FD_BY_ID:
		return prog_by_id(t, &x);
	case BPF_OBJ_GET_INFO_BY_FD:
		return prog_info(t, &x, attr);
	default:
		return -EPERM;
	}
}
