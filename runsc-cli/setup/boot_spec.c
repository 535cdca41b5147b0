/* boot_spec.c - see boot_spec.h. */
#include "runsc-cli/setup/boot_spec.h"
#include <errno.h>
#include <string.h>
#include "runsc-cli/setup/cgroup.h"

static void sched_to_ctl(const struct oci_sched *s, struct ctl_sched *ret)
{
	if (s->has_policy)
		ret->set |= CTL_SCHED_POLICY;
	if (s->has_ioprio)
		ret->set |= CTL_SCHED_IOPRIO;
	ret->policy = s->policy;
	ret->prio = s->prio;
	ret->reset_on_fork = s->reset_on_fork;
	ret->nice = s->nice;
	ret->ioprio = s->ioprio;
	memcpy(ret->deadline, s->deadline, sizeof(ret->deadline));
}

void process_to_ctl(const struct oci_process *p, struct ctl_process *ret)
{
	*ret = (struct ctl_process){
		.uid = p->uid, .gid = p->gid, .umask = p->umask, .ngroups = p->ngroups,
		.cap_bnd = p->cap_bnd, .cap_eff = p->cap_eff, .cap_inh = p->cap_inh, .cap_prm = p->cap_prm,
		.cap_amb = p->cap_amb, .tty = p->terminal, .oom_score_adj = p->oom_score_adj,
		.no_new_privs = p->no_new_privs, .rows = (u16)p->console_height, .cols = (u16)p->console_width,
		.argc = p->nargs, .envc = p->nenv, .groups = p->groups, .cwd = (char *)p->cwd,
		.argv = (char **)p->args, .envp = (char **)p->env,
		.personality = p->personality, .program = (char *)p->program,
	};
	for (int i = 0; i < CTL_RLIMITS; i++) {
		if (!p->rlimits[i].set)
			continue;
		ret->rlim_set |= 1u << i;
		ret->rlim_soft[i] = p->rlimits[i].soft;
		ret->rlim_hard[i] = p->rlimits[i].hard;
	}
	sched_to_ctl(&p->sched, &ret->sched);
}

/* OCI_PROP_* as the sentry counts: private 0, shared 1, slave 2, unbindable 3. */
static u32 propagation_of(u32 flags)
{
	u32 type = (flags & OCI_PROP_MASK & ~(u32)OCI_PROP_REC) / OCI_PROP_PRIVATE;

	return type ? BOOT_PROP(type - 1, flags & OCI_PROP_REC) : 0;
}

static int convert_mounts(struct oci_spec *s, const struct roots *roots, struct boot_config *b)
{
	b->mounts = pool_alloc(&s->pool, s->nmounts, sizeof(*b->mounts));
	if (!b->mounts)
		return -ENOMEM;
	for (u32 i = 0; i < s->nmounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		int root = roots->of_mount[i];

		b->mounts[i] = (struct boot_mount){
			.dest = m->destination, .type = m->type, .source = m->source, .data = m->data,
			.flags = m->flags & 0xff, .root = root, .is_dir = root >= 0 && roots->v[root].is_dir,
			.copy_up = m->flags & OCI_MNT_TMPCOPYUP, .propagation = propagation_of(m->flags),
		};
	}
	b->nmounts = s->nmounts;
	return 0;
}

static int convert_rest(struct oci_spec *s, struct boot_config *b)
{
	b->devices = pool_alloc(&s->pool, s->ndevices, sizeof(*b->devices));
	b->sysctl = pool_alloc(&s->pool, s->nsysctl, sizeof(*b->sysctl));
	if (!b->devices || !b->sysctl)
		return -ENOMEM;
	for (u32 i = 0; i < s->ndevices; i++) {
		const struct oci_device *d = &s->devices[i];

		b->devices[i] = (struct boot_device){ d->path, d->type, d->major, d->minor, d->mode, d->uid, d->gid };
	}
	b->ndevices = s->ndevices;
	for (u32 i = 0; i < s->nsysctl; i++)
		b->sysctl[i] = (struct boot_pair){ s->sysctl[i].key, s->sysctl[i].value };
	b->nsysctl = s->nsysctl;
	return 0;
}

/* A guest told of 64 processors but given half of one makes 64 threads: round the quota up. */
static u32 max_cpus(const struct oci_resources *r)
{
	s64 period = r->cpu_period > 0 ? r->cpu_period : 100000;

	if (r->cpu_quota <= 0)
		return UINT32_MAX;
	return (u32)MIN(MAX(r->cpu_quota / period + (r->cpu_quota % period != 0), (s64)1), (s64)UINT32_MAX);
}

int spec_to_boot(struct cli *cli, struct oci_spec *s, const struct roots *roots, struct ctl_process *proc,
                 struct boot_config *b)
{
	process_to_ctl(&s->process, proc);
	*b = (struct boot_config){
		.hostname = s->hostname, .domainname = s->domainname, .cgroup_path = s->cgroups_path,
		.platform = cli->platform, .strace = cli->strace, .root_readonly = s->root_readonly,
		.root_propagation = propagation_of(s->root_propagation),
		.overlay = cli_overlay(cli), .upper_root = roots->upper, .process = proc,
		.masked = s->masked, .nmasked = s->nmasked, .readonly = s->readonly, .nreadonly = s->nreadonly,
		.mem_limit = s->res.mem_limit > 0 ? (u64)s->res.mem_limit : 0,
		.pids_limit = s->res.pids_limit > 0 ? (u64)s->res.pids_limit : 0,
		.ncpus = max_cpus(&s->res),
		.cpu_quota = s->res.cpu_quota > 0 ? (u64)s->res.cpu_quota : 0,
		.cpu_period = s->res.cpu_period > 0 ? (u64)s->res.cpu_period : 100000,
		.cpu_weight = cgroup_weight(s->res.cpu_shares),
		.sync_fd = -1, .ctl_fd = -1, .stdio = { -1, -1, -1 }, .tty_fd = -1, .gofer_inval = -1, .log_fd = -1,
	};
	if (s->seccomp) {
		struct sock_filter *f;
		int r = seccomp_compile(s->seccomp, &f, &b->nseccomp, &cli->err);

		if (r < 0)
			return r;
		b->seccomp = f;         /* the sentry's for ever; this process ends */
	}
	if (convert_mounts(s, roots, b) < 0 || convert_rest(s, b) < 0)
		return err_set(&cli->err, -ENOMEM, "no memory for the sandbox's description");
	return 0;
}
