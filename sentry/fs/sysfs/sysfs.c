/*
 * sysfs.c - /sys as far as programs look at it: processors, memory node, features (network links: net.c).
 *
 * Tables as in procfs.  Directories of one processor are made on demand; their number is node->arg.
 */
#include "sentry/fs/sysfs/sysfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/pseudo/pseudo.h"
#include "sentry/kernel/kernel.h"
#include "sentry/kernel/task.h"

#define SYSFS_MAGIC 0x62656572

static int show_cpu_range(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	strbuf_printf(out, t->kernel->ncpus > 1 ? "0-%u\n" : "%u\n", t->kernel->ncpus - 1);
	return 0;
}

static u64 all_cpus(struct task *t)
{
	return t->kernel->ncpus >= 64 ? ~0ull : (1ull << t->kernel->ncpus) - 1;
}

static int show_cpu_mask(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)n;
	strbuf_printf(out, "%lx\n", all_cpus(t));
	return 0;
}

static int show_own_mask(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "%lx\n", (unsigned long)(1ull << (n->arg & 63)));
	return 0;
}

static int show_number(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "%lu\n", n->arg);
	return 0;
}

static int show_node_meminfo(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	u64 total = t->kernel->mem_total >> 10;

	(void)n;
	strbuf_printf(out, "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\n", total, total);
	return 0;
}

#define ROW(nm, fn) { .name = nm, .mode = S_IFREG | 0444, .show = fn }
#define TEXT(nm, tx) { .name = nm, .mode = S_IFREG | 0444, .text = tx "\n" }
#define DIR(nm, d) { .name = nm, .mode = S_IFDIR | 0555, .dir = &d }
#define DIR_OF(e) { .entries = e, .n = ARRAY_SIZE(e) }

static const struct pseudo_dir empty = { 0 };

static const struct pseudo_entry topology_entries[] = {
	ROW("core_cpus", show_own_mask), ROW("core_cpus_list", show_number), ROW("core_id", show_number),
	ROW("core_siblings", show_cpu_mask), ROW("core_siblings_list", show_cpu_range), TEXT("die_id", "0"),
	ROW("package_cpus", show_cpu_mask), ROW("package_cpus_list", show_cpu_range),
	TEXT("physical_package_id", "0"), ROW("thread_siblings", show_own_mask),
	ROW("thread_siblings_list", show_number),
};
static const struct pseudo_dir topology_dir = DIR_OF(topology_entries);

#define CACHE(nm, lvl, typ, sz, shared) \
	static const struct pseudo_entry nm##_entries[] = { \
		TEXT("coherency_line_size", "64"), TEXT("level", lvl), TEXT("type", typ), TEXT("size", sz), \
		ROW("shared_cpu_list", shared), \
	}; \
	static const struct pseudo_dir nm##_dir = DIR_OF(nm##_entries)
CACHE(l1d, "1", "Data", "32K", show_number);
CACHE(l1i, "1", "Instruction", "32K", show_number);
CACHE(l2, "2", "Unified", "512K", show_number);
CACHE(l3, "3", "Unified", "32768K", show_cpu_range);
static const struct pseudo_entry cache_entries[] = {
	DIR("index0", l1d_dir), DIR("index1", l1i_dir), DIR("index2", l2_dir), DIR("index3", l3_dir),
};
static const struct pseudo_dir cache_dir = DIR_OF(cache_entries);

static const struct pseudo_entry cpu_entries[] = { DIR("cache", cache_dir), DIR("topology", topology_dir) };
static const struct pseudo_dir one_cpu_dir = DIR_OF(cpu_entries);
static const struct pseudo_entry one_cpu = { .name = "", .mode = S_IFDIR | 0555, .dir = &one_cpu_dir };

static int cpus_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	for (u32 i = (u32)(c->pos - PSEUDO_DYNAMIC); i < t->kernel->ncpus; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu%u", i);
		if (!pseudo_emit(c, dir, name, S_IFDIR, PSEUDO_DYNAMIC + i + 1))
			return 0;
		c->pos = PSEUDO_DYNAMIC + i + 1;
	}
	return 0;
}

static int cpus_find(struct task *t, struct pseudo_node *dir, const char *name, size_t len, struct inode **ret)
{
	char num[16];
	u64 i;

	if (len < 4 || len - 3 >= sizeof(num) || memcmp(name, "cpu", 3))
		return -ENOENT;
	memcpy(num, name + 3, len - 3);
	num[len - 3] = 0;
	if (str_to_u64(num, 10, &i) < 0 || i >= t->kernel->ncpus)
		return -ENOENT;
	*ret = pseudo_new(dir->inode.sb, &one_cpu, pseudo_ino(dir->inode.ino, name, len), NULL, NULL, i, 0, 0);
	return *ret ? 0 : -ENOMEM;
}

static const struct pseudo_entry smt_entries[] = { TEXT("active", "0"), TEXT("control", "notsupported") };
static const struct pseudo_dir smt_dir = DIR_OF(smt_entries);

static const struct pseudo_entry cpus_entries[] = {
	TEXT("isolated", ""), TEXT("kernel_max", "8191"), TEXT("offline", ""), ROW("online", show_cpu_range),
	ROW("possible", show_cpu_range), ROW("present", show_cpu_range), DIR("smt", smt_dir),
	DIR("vulnerabilities", empty),
};
static const struct pseudo_dir cpus_dir = {
	.entries = cpus_entries, .n = ARRAY_SIZE(cpus_entries), .list = cpus_list, .find = cpus_find,
};

static const struct pseudo_entry node0_entries[] = {
	ROW("cpulist", show_cpu_range), ROW("cpumap", show_cpu_mask), TEXT("distance", "10"),
	ROW("meminfo", show_node_meminfo),
};
static const struct pseudo_dir node0_dir = DIR_OF(node0_entries);
static const struct pseudo_entry nodes_entries[] = {
	TEXT("has_cpu", "0"), TEXT("has_memory", "0"), TEXT("has_normal_memory", "0"), DIR("node0", node0_dir),
	TEXT("online", "0"), TEXT("possible", "0"),
};
static const struct pseudo_dir nodes_dir = DIR_OF(nodes_entries);

static const struct pseudo_entry system_entries[] = { DIR("cpu", cpus_dir), DIR("node", nodes_dir) };
static const struct pseudo_dir system_dir = DIR_OF(system_entries);
static const struct pseudo_entry virtual_entries[] = { DIR("net", sysfs_net_devices) };
static const struct pseudo_dir virtual_dir = DIR_OF(virtual_entries);
static const struct pseudo_entry devices_entries[] = { DIR("system", system_dir), DIR("virtual", virtual_dir) };
static const struct pseudo_dir devices_dir = DIR_OF(devices_entries);

static const struct pseudo_entry thp_entries[] = {
	TEXT("defrag", "always defer defer+madvise [madvise] never"), TEXT("enabled", "always [madvise] never"),
	TEXT("hpage_pmd_size", "2097152"), TEXT("shmem_enabled", "always within_size advise [never] deny force"),
	TEXT("use_zero_page", "1"),
};
static const struct pseudo_dir thp_dir = DIR_OF(thp_entries);
static const struct pseudo_entry mm_entries[] = { DIR("transparent_hugepage", thp_dir) };
static const struct pseudo_dir mm_dir = DIR_OF(mm_entries);
static const struct pseudo_entry kernel_entries[] = { DIR("mm", mm_dir), DIR("security", empty) };
static const struct pseudo_dir kernel_dir = DIR_OF(kernel_entries);

static const struct pseudo_entry class_entries[] = { DIR("block", empty), DIR("dmi", empty), DIR("net", sysfs_net_class), DIR("tty", empty) };
static const struct pseudo_dir class_dir = DIR_OF(class_entries);
static const struct pseudo_entry dev_entries[] = { DIR("block", empty), DIR("char", empty) };
static const struct pseudo_dir dev_dir = DIR_OF(dev_entries);
static const struct pseudo_entry fs_entries[] = { DIR("cgroup", empty) };
static const struct pseudo_dir fs_dir = DIR_OF(fs_entries);

static const struct pseudo_entry root_entries[] = {
	DIR("block", empty), DIR("bus", empty), DIR("class", class_dir), DIR("dev", dev_dir),
	DIR("devices", devices_dir), DIR("firmware", empty), DIR("fs", fs_dir), DIR("kernel", kernel_dir),
	DIR("module", empty), DIR("power", empty),
};
static const struct pseudo_dir root_dir = DIR_OF(root_entries);
static const struct pseudo_entry root = { .name = "", .mode = S_IFDIR | 0555, .dir = &root_dir };
static const struct super_ops sysfs_super = { .fstype = "sysfs", .release = pseudo_super_release };

int sysfs_make(struct task *t, struct kernel *k, const char *source, const char *opts,
               struct super **ret_sb, struct inode **ret_root)
{
	(void)t;
	(void)source;
	(void)opts;
	return pseudo_mount(k, &sysfs_super, SYSFS_MAGIC, &root, ret_sb, ret_root);
}
