/*
 * cgroup_limit.c - OCI resource numbers as the words of v1 and v2 control files.
 *
 * A file that is not there is a controller that the host does not have: passed over.  A write that fails is noted, and the first one is
 * what cgroup_limit() returns: creation and `update` fail by it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/str.h"
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/cgroup_files.h"

/* One directory being written to. */
struct limits {
	struct cli *cli;
	const char *dir;
	int err;                /* of the first write that failed */
};

static void put(struct limits *l, const char *file, const char *text)
{
	int r;

	if (!cg_has(l->dir, file))
		return;
	r = cg_write(l->dir, file, text);
	if (r == 0)
		return;
	cli_note(l->cli, "%s/%s: cannot write \"%s\": %s; this limit is not in force", l->dir, file, text, strerror(-r));
	if (!l->err)
		l->err = err_sys(&l->cli->err, r, "cannot write \"%s\" to %s/%s", text, l->dir, file);
}

static void put_num(struct limits *l, const char *file, s64 v)
{
	char text[32];

	if (v == RES_UNSET)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)v);
	put(l, file, text);
}

/*
 * The guest's tasks are counted by the sentry, exactly.  The host's limit is only the second
 * layer: each task has a thread in a stub and a worker in the sentry, and while it execs both twice;
 * and there are our own threads, and those kept for later clones.  PIDS_MAX is Linux's.
 */
#define PIDS_A_TASK 4
#define PIDS_OWN    128
#define PIDS_MAX    4194304

s64 cgroup_pids(s64 limit)
{
	if (limit == RES_UNSET || limit == 0)
		return RES_UNSET;
	return limit < 0 || limit > (PIDS_MAX - PIDS_OWN) / PIDS_A_TASK ? -1 : limit * PIDS_A_TASK + PIDS_OWN;
}

/* "max" is -1 in our numbers. */
static void put_max(struct limits *l, const char *file, s64 v)
{
	if (v == RES_UNSET)
		return;
	if (v < 0)
		put(l, file, "max");
	else
		put_num(l, file, v);
}

/* The first of the two files that is there. */
static const char *either(const char *dir, const char *a, const char *b)
{
	return cg_has(dir, a) ? a : b;
}

static void memory_v1(struct limits *l, const struct oci_resources *r)
{
	/* Without a limit of memory there can be none of memory and swap. */
	s64 swap = r->mem_limit == -1 && r->mem_swap == RES_UNSET ? -1 : r->mem_swap;
	char text[32];

	/* Whichever of the two grows must be written first; try both orders. */
	if (r->mem_limit != RES_UNSET && r->mem_limit != 0 && cg_has(l->dir, "memory.limit_in_bytes")) {
		snprintf(text, sizeof(text), "%lld", (long long)r->mem_limit);
		if (cg_write(l->dir, "memory.limit_in_bytes", text) < 0)
			put_num(l, "memory.memsw.limit_in_bytes", swap);
		put(l, "memory.limit_in_bytes", text);
	}
	if (swap != 0)
		put_num(l, "memory.memsw.limit_in_bytes", swap);
	if (r->mem_reservation != 0)
		put_num(l, "memory.soft_limit_in_bytes", r->mem_reservation);
}

/* A share of time above what is allowed is refused, also on the way: either may have to come first. */
static void put_pair(struct limits *l, const char *period_file, s64 period, const char *share_file, s64 share)
{
	char text[32];
	bool later = false;

	snprintf(text, sizeof(text), "%lld", (long long)period);
	if (period > 0)
		later = share != RES_UNSET && share != 0 && cg_has(l->dir, period_file) && cg_write(l->dir, period_file, text) < 0;
	if (period > 0 && !later)
		put(l, period_file, text);
	if (share != 0)
		put_num(l, share_file, share);
	if (later)
		put(l, period_file, text);
}

static void block_v1(struct limits *l, const struct oci_resources *r)
{
	static const char *const throttle[] = {
		[BLK_READ_BPS] = "blkio.throttle.read_bps_device", [BLK_WRITE_BPS] = "blkio.throttle.write_bps_device",
		[BLK_READ_IOPS] = "blkio.throttle.read_iops_device", [BLK_WRITE_IOPS] = "blkio.throttle.write_iops_device",
	};
	char text[64];

	if (r->blkio_weight > 0)
		put_num(l, either(l->dir, "blkio.weight", "blkio.bfq.weight"), r->blkio_weight);
	for (u32 i = 0; i < r->nblk; i++) {
		const struct oci_blk_limit *b = &r->blk[i];

		snprintf(text, sizeof(text), "%u:%u %lld", b->major, b->minor, (long long)b->value);
		put(l, b->kind == BLK_WEIGHT ? either(l->dir, "blkio.weight_device", "blkio.bfq.weight_device") : throttle[b->kind],
		    text);
	}
}

static void block_v2(struct limits *l, const struct oci_resources *r)
{
	static const char *const words[] = {
		[BLK_READ_BPS] = "rbps", [BLK_WRITE_BPS] = "wbps", [BLK_READ_IOPS] = "riops", [BLK_WRITE_IOPS] = "wiops",
	};
	char text[64];

	if (r->blkio_weight > 0 && cg_has(l->dir, "io.bfq.weight"))
		put_num(l, "io.bfq.weight", r->blkio_weight);
	else if (r->blkio_weight >= 10)
		put_num(l, "io.weight", cgroup_io_weight(r->blkio_weight));
	for (u32 i = 0; i < r->nblk; i++) {
		const struct oci_blk_limit *b = &r->blk[i];

		if (b->kind == BLK_WEIGHT) {
			snprintf(text, sizeof(text), "%u:%u %lld", b->major, b->minor, (long long)b->value);
			put(l, "io.bfq.weight", text);
			continue;
		}
		if (b->value > 0)
			snprintf(text, sizeof(text), "%u:%u %s=%lld", b->major, b->minor, words[b->kind], (long long)b->value);
		else
			snprintf(text, sizeof(text), "%u:%u %s=max", b->major, b->minor, words[b->kind]);
		put(l, "io.max", text);
	}
}

/* Pages in use and pages reserved are counted apart. */
static void huge_pages(struct limits *l, const struct oci_resources *r, const char *word)
{
	char file[64], text[32];

	for (u32 i = 0; i < r->nhuge; i++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)r->huge[i].limit);
		snprintf(file, sizeof(file), "hugetlb.%.8s.%s", r->huge[i].size, word);
		put(l, file, text);
		snprintf(file, sizeof(file), "hugetlb.%.8s.rsvd.%s", r->huge[i].size, word);
		put(l, file, text);
	}
}

static void limit_v1(struct limits *l, const struct oci_resources *r)
{
	memory_v1(l, r);
	put_max(l, "pids.max", cgroup_pids(r->pids_limit));
	if (r->cpu_shares > 0)
		put_num(l, "cpu.shares", r->cpu_shares);
	put_pair(l, "cpu.cfs_period_us", r->cpu_period, "cpu.cfs_quota_us", r->cpu_quota);
	if (r->cpu_burst >= 0)
		put_num(l, "cpu.cfs_burst_us", r->cpu_burst);
	put_num(l, "cpu.idle", r->cpu_idle);
	put_pair(l, "cpu.rt_period_us", r->rt_period, "cpu.rt_runtime_us", r->rt_runtime);
	block_v1(l, r);
	huge_pages(l, r, "limit_in_bytes");
}

u32 cgroup_io_weight(s64 weight)
{
	return (u32)(1 + (weight - 10) * 9999 / 990);
}

u32 cgroup_weight(s64 shares)
{
	return shares >= 2 && shares <= 262144 ? (u32)(1 + (shares - 2) * 9999 / 262142) : 100;
}

/* A word that is not given stays what it is: update may change one of the two. */
static void cpu_max(struct limits *l, const struct oci_resources *r)
{
	char text[64], old[64] = "max", quota[32];

	if ((r->cpu_quota == RES_UNSET || r->cpu_quota == 0) && r->cpu_period <= 0)
		return;
	if (r->cpu_quota > 0)
		snprintf(quota, sizeof(quota), "%lld", (long long)r->cpu_quota);
	else if (r->cpu_quota == RES_UNSET || r->cpu_quota == 0)
		snprintf(quota, sizeof(quota), "%.*s", cg_read(l->dir, "cpu.max", old, sizeof(old)) > 0 ?
		         (int)MIN(strcspn(old, " "), sizeof(quota) - 1) : 3, old);
	else
		(void)str_copy(quota, sizeof(quota), "max");
	if (r->cpu_period > 0)
		snprintf(text, sizeof(text), "%s %lld", quota, (long long)r->cpu_period);
	else
		snprintf(text, sizeof(text), "%s", quota);
	put(l, "cpu.max", text);
}

s64 cgroup_swap(const struct oci_resources *r)
{
	if (r->mem_swap > 0 && r->mem_limit > 0 && r->mem_swap >= r->mem_limit)
		return r->mem_swap - r->mem_limit;
	return r->mem_swap == -1 || (r->mem_limit == -1 && r->mem_swap == RES_UNSET) ? -1 : RES_UNSET;
}

static void limit_v2(struct limits *l, const struct oci_resources *r)
{
	if (r->mem_limit != 0)
		put_max(l, "memory.max", r->mem_limit);
	if (r->mem_reservation > 0)
		put_num(l, "memory.low", r->mem_reservation);
	put_max(l, "memory.swap.max", cgroup_swap(r));
	put_max(l, "pids.max", cgroup_pids(r->pids_limit));
	if (r->cpu_shares >= 2 && r->cpu_shares <= 262144)
		put_num(l, "cpu.weight", cgroup_weight(r->cpu_shares));
	cpu_max(l, r);
	if (r->cpu_burst >= 0)
		put_num(l, "cpu.max.burst", r->cpu_burst);
	put_num(l, "cpu.idle", r->cpu_idle);
	block_v2(l, r);
	huge_pages(l, r, "max");
	for (u32 i = 0; i < r->nunified; i++)
		if (!strchr(r->unified[i].key, '/'))
			put(l, r->unified[i].key, r->unified[i].value);
}

int cgroup_limit(struct cli *cli, struct container *c, const struct oci_resources *r)
{
	struct limits l = { .cli = cli };

	for (u32 i = 0; i < c->ncgroups; i++) {
		l.dir = c->cgroups[i];
		if (r->cpus && *r->cpus)
			put(&l, "cpuset.cpus", r->cpus);
		if (r->mems && *r->mems)
			put(&l, "cpuset.mems", r->mems);
		if (cg_has(l.dir, "cgroup.controllers"))
			limit_v2(&l, r);
		else
			limit_v1(&l, r);
	}
	return l.err;
}
