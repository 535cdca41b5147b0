/*
 * cgroup_limit.c - OCI resource numbers as the words of v1 and v2 control files.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/cgroup_files.h"

static void put(struct cli *cli, const char *dir, const char *file, const char *text)
{
	int r;

	if (!cg_has(dir, file))
		return;
	r = cg_write(dir, file, text);
	if (r < 0)
		cli_note(cli, "%s/%s: cannot write \"%s\": %s; this limit is not in force", dir, file, text, strerror(-r));
}

static void put_num(struct cli *cli, const char *dir, const char *file, s64 v)
{
	char text[32];

	if (v == RES_UNSET)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)v);
	put(cli, dir, file, text);
}

/*
 * The guest's tasks are counted by the sentry, exactly.  The host's limit is only the second
 * layer: each task has a thread in a stub and a worker in the sentry, and while it execs both twice;
 * and there are our own threads, and those kept for later clones.  PIDS_MAX is Linux's.
 */
#define PIDS_A_TASK 4
#define PIDS_OWN    128
#define PIDS_MAX    4194304

static void put_pids(struct cli *cli, const char *dir, s64 limit)
{
	if (limit == RES_UNSET || limit == 0)
		return;
	if (limit < 0 || limit > (PIDS_MAX - PIDS_OWN) / PIDS_A_TASK)
		put(cli, dir, "pids.max", "max");
	else
		put_num(cli, dir, "pids.max", limit * PIDS_A_TASK + PIDS_OWN);
}

/* v2 says "max" where v1 says -1. */
static void put_max(struct cli *cli, const char *dir, const char *file, s64 v)
{
	if (v == RES_UNSET)
		return;
	if (v < 0)
		put(cli, dir, file, "max");
	else
		put_num(cli, dir, file, v);
}

static void limit_v1(struct cli *cli, const char *dir, const struct oci_resources *r)
{
	/* Whichever of the two grows must be written first; try both orders. */
	if (r->mem_limit != RES_UNSET && cg_has(dir, "memory.limit_in_bytes")) {
		char text[32];

		snprintf(text, sizeof(text), "%lld", (long long)r->mem_limit);
		if (cg_write(dir, "memory.limit_in_bytes", text) < 0)
			put_num(cli, dir, "memory.memsw.limit_in_bytes", r->mem_swap);
		put(cli, dir, "memory.limit_in_bytes", text);
	}
	if (r->mem_swap != 0)
		put_num(cli, dir, "memory.memsw.limit_in_bytes", r->mem_swap);
	if (r->mem_reservation != 0)
		put_num(cli, dir, "memory.soft_limit_in_bytes", r->mem_reservation);
	put_pids(cli, dir, r->pids_limit);
	if (r->cpu_shares > 0)
		put_num(cli, dir, "cpu.shares", r->cpu_shares);
	if (r->cpu_period > 0)
		put_num(cli, dir, "cpu.cfs_period_us", r->cpu_period);
	if (r->cpu_quota != 0)
		put_num(cli, dir, "cpu.cfs_quota_us", r->cpu_quota);
	if (r->cpu_burst > 0)
		put_num(cli, dir, "cpu.cfs_burst_us", r->cpu_burst);
	if (r->blkio_weight > 0)
		put_num(cli, dir, "blkio.weight", r->blkio_weight);
}

static void limit_v2(struct cli *cli, const char *dir, const struct oci_resources *r)
{
	char text[64];

	put_max(cli, dir, "memory.max", r->mem_limit);
	if (r->mem_reservation > 0)
		put_num(cli, dir, "memory.low", r->mem_reservation);
	if (r->mem_swap > 0 && r->mem_limit > 0 && r->mem_swap >= r->mem_limit)
		put_num(cli, dir, "memory.swap.max", r->mem_swap - r->mem_limit);
	else if (r->mem_swap == -1)
		put(cli, dir, "memory.swap.max", "max");
	put_pids(cli, dir, r->pids_limit);
	if (r->cpu_shares >= 2 && r->cpu_shares <= 262144)
		put_num(cli, dir, "cpu.weight", 1 + (r->cpu_shares - 2) * 9999 / 262142);
	if ((r->cpu_quota != RES_UNSET && r->cpu_quota != 0) || r->cpu_period > 0) {
		long long period = r->cpu_period > 0 ? r->cpu_period : 100000;

		if (r->cpu_quota > 0)
			snprintf(text, sizeof(text), "%lld %lld", (long long)r->cpu_quota, period);
		else
			snprintf(text, sizeof(text), "max %lld", period);
		put(cli, dir, "cpu.max", text);
	}
	if (r->cpu_burst > 0)
		put_num(cli, dir, "cpu.max.burst", r->cpu_burst);
	if (r->cpu_idle != RES_UNSET)
		put_num(cli, dir, "cpu.idle", r->cpu_idle);
	for (u32 i = 0; i < r->nunified; i++)
		if (!strchr(r->unified[i].key, '/'))
			put(cli, dir, r->unified[i].key, r->unified[i].value);
}

void cgroup_limit(struct cli *cli, struct container *c, const struct oci_resources *r)
{
	for (u32 i = 0; i < c->ncgroups; i++) {
		const char *dir = c->cgroups[i];

		if (r->cpus && *r->cpus)
			put(cli, dir, "cpuset.cpus", r->cpus);
		if (r->mems && *r->mems)
			put(cli, dir, "cpuset.mems", r->mems);
		if (cg_has(dir, "cgroup.controllers"))
			limit_v2(cli, dir, r);
		else
			limit_v1(cli, dir, r);
	}
}
