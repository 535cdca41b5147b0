/*
 * root.c - the top of /proc, and the file system type.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/procfs.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/keys.h"
#include "sentry/kernel/loadavg.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/sysinfo.h"
#include "sentry/kernel/task.h"

static int show_meminfo(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct sys_totals s = sys_totals(t->kernel);
	struct sys_memory m = sys_memory(t->kernel, &s);
	u64 total = m.total >> 10, anon = m.anon >> 10, shmem = m.shmem >> 10, file = m.file >> 10;

	(void)n;
	strbuf_printf(out, "MemTotal:       %8lu kB\nMemFree:        %8lu kB\nMemAvailable:   %8lu kB\n"
	              "Buffers:               0 kB\nCached:         %8lu kB\nSwapCached:            0 kB\n",
	              total, m.free >> 10, m.avail >> 10, file + shmem);
	strbuf_printf(out, "Active:         %8lu kB\nInactive:       %8lu kB\nActive(anon):   %8lu kB\n"
	              "Inactive(anon): %8lu kB\nActive(file):          0 kB\nInactive(file): %8lu kB\n"
	              "Unevictable:           0 kB\nMlocked:               0 kB\nSwapTotal:             0 kB\n"
	              "SwapFree:              0 kB\nDirty:                 0 kB\nWriteback:             0 kB\n",
	              anon, shmem + file, anon, shmem, file);
	strbuf_printf(out, "AnonPages:      %8lu kB\nMapped:         %8lu kB\nShmem:          %8lu kB\n"
	              "KReclaimable:          0 kB\nSlab:                  0 kB\nSReclaimable:          0 kB\n"
	              "SUnreclaim:            0 kB\nKernelStack:           0 kB\nPageTables:            0 kB\n"
	              "CommitLimit:    %8lu kB\nCommitted_AS:   %8lu kB\nVmallocTotal:   34359738367 kB\n"
	              "VmallocUsed:           0 kB\nVmallocChunk:          0 kB\nAnonHugePages:         0 kB\n"
	              "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
	              "HugePages_Surp:        0\nHugepagesize:       2048 kB\n", anon, file, shmem, total, anon + shmem);
	return 0;
}

static int show_uptime(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct sys_totals s = sys_totals(t->kernel);
	u64 up = (u64)ktime_boot(t->kernel) / 10000000, all = up * t->kernel->ncpus;
	u64 idle = all - MIN(all, (s.utime + s.stime) / 10000000);

	(void)n;
	strbuf_printf(out, "%lu.%02lu %lu.%02lu\n", up / 100, up % 100, idle / 100, idle % 100);
	return 0;
}

static int show_stat(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct kernel *k = t->kernel;
	struct sys_totals s = sys_totals(k);
	u64 up = (u64)ktime_boot(k) / 10000000, all = up * k->ncpus;
	u64 user = MIN(s.utime / 10000000, all), sys = MIN(s.stime / 10000000, all - user);
	u64 boot = (u64)(ktime_real(k) - ktime_boot(k)) / (u64)NSEC_PER_SEC;

	(void)n;
	strbuf_printf(out, "cpu  %lu 0 %lu %lu 0 0 0 0 0 0\n", user, sys, all - user - sys);
	for (u32 i = 0; i < k->ncpus; i++)
		strbuf_printf(out, "cpu%u %lu 0 %lu %lu 0 0 0 0 0 0\n", i, user / k->ncpus, sys / k->ncpus,
		              up - MIN(up, user / k->ncpus + sys / k->ncpus));
	strbuf_printf(out, "intr 0\nctxt 0\nbtime %lu\nprocesses %lu\nprocs_running %lu\nprocs_blocked 0\n"
	              "softirq 0 0 0 0 0 0 0 0 0 0 0\n", boot, (u64)atomic_load(&k->nforks), MAX(s.running, 1ul));
	return 0;
}

static int show_loadavg(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct sys_totals s = sys_totals(t->kernel);
	u64 avg[3];

	loadavg_get(t->kernel, s.running, avg);
	for (int i = 0; i < 3; i++) {
		u64 v = avg[i] + LOAD_ONE / 200;        /* rounded */

		strbuf_printf(out, "%lu.%02lu ", v / LOAD_ONE, v % LOAD_ONE * 100 / LOAD_ONE);
	}
	strbuf_printf(out, "%lu/%lu %d\n", MAX(s.running, 1ul), s.tasks, proc_nr(n, t->tg->tgid));
	return 0;
}

static int show_version(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct uts *u = task_uts(t);

	(void)n;
	mutex_lock(&u->mu);
	strbuf_printf(out, "%s version %s (csandbox@localhost) (gcc) %s\n", u->sysname, u->release, u->version);
	mutex_unlock(&u->mu);
	return 0;
}

static int show_filesystems(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	(void)n;
	for (size_t i = 0; fstype_at(i); i++)
		strbuf_printf(out, "%s\t%s\n", fstype_at(i)->nodev ? "nodev" : "", fstype_at(i)->name);
	return 0;
}

static int show_self(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	int nr = proc_nr(n, t->tg->tgid);

	if (!nr)
		return -ENOENT;
	strbuf_printf(out, "%d", nr);
	return 0;
}

static int show_thread_self(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	int nr = proc_nr(n, t->tg->tgid);

	if (!nr)
		return -ENOENT;
	strbuf_printf(out, "%d/task/%d", nr, proc_nr(n, t->tid));
	return 0;
}

static int show_sysvipc(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(n->e->name[0] == 'm' ? msg_show : n->e->name[1] == 'e' ? sem_show : shm_show)(t, out);
	return 0;
}

static int show_keys(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	keys_show(t, out);
	return strbuf_err(out);
}

static int show_key_users(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	key_users_show(t, out);
	return strbuf_err(out);
}

static const struct pseudo_dir sysvipc_dir;
static const struct pseudo_dir empty_dir = { 0 };

#define ROW(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx }
#define LINK(nm, tx) { .name = nm, .mode = S_IFLNK | 0777, .text = tx }

static const struct pseudo_entry sysvipc_entries[] = {
	ROW("msg", show_sysvipc), ROW("sem", show_sysvipc), ROW("shm", show_sysvipc),
};
static const struct pseudo_dir sysvipc_dir = { .entries = sysvipc_entries, .n = ARRAY_SIZE(sysvipc_entries) };

static const struct pseudo_entry root_entries[] = {
	{ .name = "bus", .mode = S_IFDIR | 0555, .dir = &empty_dir },
	/* All of them are of version 2: the JVM looks here first, and without these for no limit at all. */
	TEXT("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\n"
	     "cpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n"),
	TEXT("cmdline", "\n"),
	ROW("cpuinfo", proc_cpuinfo),
	TEXT("devices", "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\n"
	     "Block devices:\n"),
	TEXT("diskstats", ""),
	{ .name = "driver", .mode = S_IFDIR | 0555, .dir = &empty_dir },
	TEXT("execdomains", "0-0\tLinux           \t[kernel]\n"),
	ROW("filesystems", show_filesystems),
	{ .name = "fs", .mode = S_IFDIR | 0555, .dir = &empty_dir },
	TEXT("interrupts", "\n"),
	{ .name = "irq", .mode = S_IFDIR | 0555, .dir = &empty_dir },
	ROW("key-users", show_key_users),
	ROW("keys", show_keys),
	ROW("loadavg", show_loadavg),
	TEXT("locks", ""),
	ROW("meminfo", show_meminfo),
	TEXT("misc", ""),
	TEXT("modules", ""),
	LINK("mounts", "self/mounts"),
	LINK("net", "self/net"),
	TEXT("partitions", "major minor  #blocks  name\n\n"),
	{ .name = "self", .mode = S_IFLNK | 0777, .show = show_self },
	TEXT("softirqs", "\n"),
	ROW("stat", show_stat),
	TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	{ .name = "sys", .mode = S_IFDIR | 0555, .dir = &proc_sys_dir },
	{ .name = "sysvipc", .mode = S_IFDIR | 0555, .dir = &sysvipc_dir },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .show = show_thread_self },
	{ .name = "tty", .mode = S_IFDIR | 0555, .dir = &empty_dir },
	ROW("uptime", show_uptime),
	ROW("version", show_version),
	TEXT("vmstat", "nr_free_pages 0\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n"),
	TEXT("zoneinfo", ""),
};
static const struct pseudo_dir root_dir = {
	.entries = root_entries, .n = ARRAY_SIZE(root_entries),
	.list = proc_pid_list, .find = proc_pid_find,
};
static const struct pseudo_entry root = { .name = "", .mode = S_IFDIR | 0555, .dir = &root_dir };

/* subset=pid */
static const struct pseudo_entry pids_entries[] = {
	{ .name = "self", .mode = S_IFLNK | 0777, .show = show_self },
	{ .name = "thread-self", .mode = S_IFLNK | 0777, .show = show_thread_self },
};
static const struct pseudo_dir pids_dir = {
	.entries = pids_entries, .n = ARRAY_SIZE(pids_entries), .list = proc_pid_list, .find = proc_pid_find,
};
static const struct pseudo_entry pids_root = { .name = "", .mode = S_IFDIR | 0555, .dir = &pids_dir };

static void proc_release(struct super *sb)
{
	if (sb->pid_ns)
		ns_unref(&sb->pid_ns->ns);
	pseudo_super_release(sb);
}

static const struct super_ops proc_super = { .fstype = "proc", .show_options = proc_show_options, .release = proc_release };

int procfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
                struct super **ret_sb, struct inode **ret_root)
{
	struct pid_ns *ns = t && t->nsset ? t->tg->pid_ns : NULL;
	struct super *sb;
	struct inode *top;
	int r;

	(void)source;
	r = pseudo_mount(k, &proc_super, PROC_SUPER_MAGIC, &root, &sb, &top);
	if (r < 0)
		return r;
	r = proc_set_options(t, sb, opts);
	if (r < 0) {
		inode_unref(top);
		super_unref(sb);
		return r;
	}
	if (sb->proc_pids_only)
		to_pseudo(top)->e = &pids_root;         /* nobody has seen it yet */
	if (ns && ns->level > 0) {
		ns_ref(&ns->ns);
		sb->pid_ns = ns;
	}
	*ret_sb = sb;
	*ret_root = top;
	return 0;
}
