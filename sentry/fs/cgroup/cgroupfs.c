/*
 * cgroupfs.c - one read-only cgroup v2 directory: the limits that the engine set.
 *
 * What the JVM, Go and Node read to size themselves.  Groups of the guest's own are not supported:
 * mkdir here is -EPERM, as in a container without delegation.
 */
#include "sentry/fs/cgroup/cgroupfs.h"

#include "platform/base/str.h"
#include "sentry/fs/pseudo/pseudo.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

#define CGROUP2_MAGIC 0x63677270

static int put_pid(void *arg, struct tgroup *tg)
{
	strbuf_printf(arg, "%d\n", tg->tgid);
	return 0;
}

static int show_procs(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	return tgroup_for_each(t->kernel, put_pid, out);
}

static int show_limit(struct strbuf *out, u64 v)
{
	if (v)
		strbuf_printf(out, "%lu\n", v);
	else
		strbuf_puts(out, "max\n");
	return 0;
}

static int show_memory_max(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	return show_limit(out, t->kernel->mem_limit);
}

static int show_pids_max(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u32 now, max;

	(void)n;
	pid_count(t->kernel, &now, &max);
	return show_limit(out, max);
}

static int show_pids_current(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u32 now, max;

	(void)n;
	pid_count(t->kernel, &now, &max);
	strbuf_printf(out, "%u\n", now);
	return 0;
}

static int show_cpu_max(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u64 quota = t->kernel->cpu_quota, period = t->kernel->cpu_period;

	(void)n;
	if (quota)
		strbuf_printf(out, "%lu %lu\n", quota, period);
	else
		strbuf_printf(out, "max %lu\n", period);
	return 0;
}

static int show_cpu_weight(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	strbuf_printf(out, "%u\n", t->kernel->cpu_weight);
	return 0;
}

static int show_cpus(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	strbuf_printf(out, t->kernel->ncpus > 1 ? "0-%u\n" : "%u\n", t->kernel->ncpus - 1);
	return 0;
}

static int add_rss(void *arg, struct tgroup *tg)
{
	struct task *leader = task_find(tg->kernel, tg->tgid);
	struct mm *mm = leader ? task_mm_get(leader) : NULL;
	struct mm_usage u;

	if (mm) {
		mm_usage(mm, &u);
		*(u64 *)arg += u.rss_anon + u.rss_shmem;
		mm_unref(mm);
	}
	task_unref(leader);
	return 0;
}

static int show_memory_current(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u64 sum = 0;

	(void)n;
	(void)tgroup_for_each(t->kernel, add_rss, &sum);
	strbuf_printf(out, "%lu\n", sum);
	return 0;
}

#define ROW(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx }

static const struct pseudo_entry entries[] = {
	TEXT("cgroup.controllers", "cpuset cpu memory pids\n"), TEXT("cgroup.events", "populated 1\nfrozen 0\n"),
	ROW("cgroup.procs", show_procs), TEXT("cgroup.subtree_control", "\n"), TEXT("cgroup.type", "domain\n"),
	ROW("cpu.max", show_cpu_max), TEXT("cpu.stat", "usage_usec 0\nuser_usec 0\nsystem_usec 0\n"),
	ROW("cpu.weight", show_cpu_weight), TEXT("cpuset.cpus", "\n"), ROW("cpuset.cpus.effective", show_cpus),
	TEXT("cpuset.mems", "\n"), TEXT("cpuset.mems.effective", "0\n"), ROW("memory.current", show_memory_current),
	TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"), TEXT("memory.high", "max\n"),
	ROW("memory.max", show_memory_max), TEXT("memory.swap.max", "0\n"),
	ROW("pids.current", show_pids_current), ROW("pids.max", show_pids_max),
};
static const struct pseudo_dir dir = { .entries = entries, .n = ARRAY_SIZE(entries) };
static const struct pseudo_entry root = { .name = "", .mode = S_IFDIR | 0555, .dir = &dir };
static const struct super_ops cgroup_super = { .fstype = "cgroup2", .release = pseudo_super_release };

int cgroupfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                  struct super **ret_sb, struct inode **ret_root)
{
	(void)t;
	(void)source;
	(void)opts;
	return pseudo_mount(k, &cgroup_super, CGROUP2_MAGIC, &root, ret_sb, ret_root);
}
