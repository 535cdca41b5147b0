/*
 * cgroup_bpf.h - programs of control groups (BPF_PROG_TYPE_CGROUP_DEVICE): who may use which device node.
 *
 * A program is a file; groups that it is attached to have references, too.  Which programs count for a process
 * is Linux's rule (kernel/bpf/cgroup.c): those of its group, and of each around it that was attached with
 * BPF_F_ALLOW_MULTI or finds nothing below; all of them must agree.
 *
 * Locks: kernel->cgroups.mu guards what is attached and the list of programs.  Programs run without it.
 */
#pragma once
#include <linux/bpf.h>
#include "sentry/kernel/cgroup.h"

struct file;

#define CGROUP_PROGS 64                         /* that one group may have: BPF_CGROUP_MAX_PROGS */

struct bpf_prog {
	struct ref ref;
	struct kernel *kernel;                  /* immutable */
	struct list_head node;                  /* of kernel->cgroups.progs */
	u32 id, type;                           /* immutable; BPF_PROG_TYPE_* */
	u32 n;                                  /* immutable: instructions */
	char name[BPF_OBJ_NAME_LEN];            /* immutable */
	struct bpf_insn insn[];                 /* immutable, checked */
};

/*
 * A program of @n instructions, which are checked here: 0 or -errno.  @type: for devices; or BPF_PROG_TYPE_CGROUP_SKB, if it looks
 * at nothing: cannot be attached, but is what libraries and systemd load to see whether there is bpf(2).
 */
int bpf_prog_new(struct kernel *k, u32 type, const struct bpf_insn *insn, u32 n, const char *name, struct bpf_prog **ret) must_check;
struct bpf_prog *bpf_prog_ref(struct bpf_prog *p);
void bpf_prog_unref(struct bpf_prog *p);        /* NULL is fine */
static inline void bpf_prog_unref_p(struct bpf_prog **p) { bpf_prog_unref(*p); }
#define auto_prog cleanup_with(bpf_prog_unref_p) struct bpf_prog
struct bpf_prog *bpf_prog_find(struct kernel *k, u32 id) must_check;    /* a reference, or NULL */
/* Its file, which is given a reference; and back (borrowed; NULL: another kind). */
int bpf_prog_file(struct task *t, struct bpf_prog *p, struct file **ret) must_check;
struct bpf_prog *bpf_prog_of(const struct file *f);

/* bpf(2)'s BPF_PROG_ATTACH and DETACH. @flags: BPF_F_ALLOW_OVERRIDE or BPF_F_ALLOW_MULTI; @old: to be replaced, or NULL. */
int cgroup_bpf_attach(struct cgroup *cg, struct bpf_prog *p, struct bpf_prog *old, u32 flags) must_check;
int cgroup_bpf_detach(struct cgroup *cg, struct bpf_prog *p) must_check;        /* @p NULL: the only one */
/* What is attached to @cg: how many, of which the ids of up to @max go to @ids. */
u32 cgroup_bpf_query(struct cgroup *cg, u32 *ids, u32 max, u32 *ret_flags);
void cgroup_bpf_drop(struct cgroup *cg);        /* when it is freed */

/* 0, or -EPERM: programs of @t's groups refuse it. @mode: with type bits; @access: BPF_DEVCG_ACC_*. */
int cgroup_may_use_device(struct task *t, u32 mode, u32 major, u32 minor, u32 access) must_check;
