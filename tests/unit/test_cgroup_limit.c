/*
 * test_cgroup_limit.c - which words go to which control file, on a made-up directory of each version.
 */
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "runsc-cli/setup/cgroup.h"
#include "runsc-cli/setup/cgroup_files.h"
#include "runsc-cli/setup/oom_adj.h"

#define TOP "\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}"

static char dir[64];

/* The command line's own; what is noted is not looked at here. */
void cli_note(struct cli *cli, const char *fmt, ...)
{
	(void)cli;
	(void)fmt;
}

static void path_of(char buf[128], const char *file)
{
	snprintf(buf, 128, "%s/%s", dir, file);
}

static void put_file(const char *file, const char *text)
{
	char path[128];
	FILE *f;

	path_of(path, file);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *const v2_files[] = {
	"cgroup.controllers", "memory.max", "memory.low", "memory.high", "memory.swap.max", "pids.max", "cpu.max", "cpu.weight",
	"cpu.idle", "cpu.max.burst", "cpuset.cpus", "cpuset.mems", "io.max", "io.weight", "hugetlb.2MB.max",
};
static const char *const v1_files[] = {
	"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "pids.max", "cpu.shares",
	"cpu.cfs_period_us", "cpu.cfs_quota_us", "cpuset.cpus", "cpuset.mems", "blkio.weight", "blkio.throttle.read_bps_device",
	"hugetlb.2MB.limit_in_bytes",
};

static void remove_files(const char *const *files, size_t n)
{
	char path[128];

	for (size_t i = 0; i < n; i++) {
		path_of(path, files[i]);
		(void)unlink(path);
	}
}

static void fresh(const char *const *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_file(files[i], "");
}

/* What "linux": {"resources": {@json}} writes; the result of cgroup_limit(). */
static int limit(const char *json)
{
	struct cli cli = { .log_fd = -1 };
	struct container c = { .cgroups = { dir }, .ncgroups = 1 };
	char text[2048];
	struct oci_spec s;
	int n = snprintf(text, sizeof(text), "{" TOP ",\"linux\":{\"resources\":{%s}}}", json), r;

	r = spec_parse(&s, "test", text, (size_t)n, &cli.err);
	if (r < 0)
		print_message("%s\n", cli.err.msg);
	assert_int_equal(r, 0);
	r = cgroup_limit(&cli, &c, &s.res);
	spec_done(&s);
	return r;
}

static void holds(const char *file, const char *want)
{
	char text[256] = "";

	assert_true(cg_read(dir, file, text, sizeof(text)) >= 0);
	if (strcmp(text, want) != 0)
		print_message("%s:\n", file);
	assert_string_equal(text, want);
}

static void v2_gets_its_own_words(void **state)
{
	(void)state;
	fresh(v2_files, ARRAY_SIZE(v2_files));
	assert_int_equal(limit("\"memory\":{\"limit\":1048576,\"reservation\":524288,\"swap\":3145728},"
	               "\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":200000,\"cpus\":\"0-1\",\"mems\":\"0\",\"idle\":0},"
	               "\"pids\":{\"limit\":10},\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}],"
	               "\"blockIO\":{\"weight\":1000,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":16,\"rate\":7}]},"
	               "\"unified\":{\"memory.high\":\"900000\"}"), 0);
	holds("memory.max", "1048576");
	holds("memory.low", "524288");
	holds("memory.swap.max", "2097152");    /* v1 counts both, v2 swap alone */
	holds("memory.high", "900000");
	holds("cpu.weight", "39");
	holds("cpu.max", "50000 200000");
	holds("cpu.idle", "0");
	holds("cpuset.cpus", "0-1");
	holds("cpuset.mems", "0");
	holds("io.weight", "10000");
	holds("io.max", "8:16 rbps=7");
	holds("hugetlb.2MB.max", "4194304");
	holds("pids.max", "168");               /* of host threads: 4 a task and our own 128 */
}

static void no_limit_is_max_and_zero_is_not_given(void **state)
{
	(void)state;
	fresh(v2_files, ARRAY_SIZE(v2_files));
	assert_int_equal(limit("\"memory\":{\"limit\":-1},\"cpu\":{\"quota\":-1},\"pids\":{\"limit\":-1}"), 0);
	holds("memory.max", "max");
	holds("memory.swap.max", "max");
	holds("cpu.max", "max");
	holds("pids.max", "max");
	fresh(v2_files, ARRAY_SIZE(v2_files));
	assert_int_equal(limit("\"memory\":{\"limit\":0},\"cpu\":{\"shares\":0,\"quota\":0},\"pids\":{\"limit\":0}"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(v2_files); i++)
		holds(v2_files[i], "");
}

/* update of one half leaves the other. */
static void an_update_of_one_half_leaves_the_other(void **state)
{
	(void)state;
	fresh(v2_files, ARRAY_SIZE(v2_files));
	put_file("cpu.max", "30000 60000\n");
	assert_int_equal(limit("\"cpu\":{\"period\":50000}"), 0);
	holds("cpu.max", "30000 50000");
	put_file("cpu.max", "");
	assert_int_equal(limit("\"cpu\":{\"quota\":40000}"), 0);
	holds("cpu.max", "40000");              /* the kernel keeps the period */
}

/* A controller that is not there is passed over; a file that cannot be written is an error, and the others are written. */
static void a_missing_controller_is_passed_over_and_a_refused_write_told(void **state)
{
	char path[128];

	(void)state;
	fresh(v2_files, ARRAY_SIZE(v2_files));
	path_of(path, "io.max");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(limit("\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":16,\"rate\":7}]},"
	               "\"unified\":{\"nosuch.file\":\"1\",\"../escape\":\"1\"}"), 0);
	path_of(path, "memory.max");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("cpu.weight", path), 0);
	assert_int_equal(limit("\"memory\":{\"limit\":4096},\"pids\":{\"limit\":1}"), -ELOOP);
	holds("cpu.weight", "");                /* nothing is written through a link */
	holds("pids.max", "132");
	assert_int_equal(unlink(path), 0);
}

static void shares_become_a_weight(void **state)
{
	static const struct { s64 shares; u32 weight; } t[] = {
		{ 2, 1 }, { 1024, 39 }, { 262144, 10000 }, { 0, 100 }, { 1, 100 }, { 262145, 100 }, { RES_UNSET, 100 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(cgroup_weight(t[i].shares), t[i].weight);
}

static void v1_gets_its_own_words(void **state)
{
	(void)state;
	remove_files(v2_files, ARRAY_SIZE(v2_files));
	fresh(v1_files, ARRAY_SIZE(v1_files));
	assert_int_equal(limit("\"memory\":{\"limit\":1048576,\"reservation\":524288,\"swap\":3145728},"
	               "\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":200000,\"cpus\":\"0\"},\"pids\":{\"limit\":-1},"
	               "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}],"
	               "\"blockIO\":{\"weight\":500,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":16,\"rate\":7}]}"), 0);
	holds("memory.limit_in_bytes", "1048576");
	holds("memory.memsw.limit_in_bytes", "3145728");
	holds("memory.soft_limit_in_bytes", "524288");
	holds("cpu.shares", "512");
	holds("cpu.cfs_quota_us", "50000");
	holds("cpu.cfs_period_us", "200000");
	holds("cpuset.cpus", "0");
	holds("blkio.weight", "500");
	holds("blkio.throttle.read_bps_device", "8:16 7");
	holds("hugetlb.2MB.limit_in_bytes", "0");
	holds("pids.max", "max");
}

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cgroup-test-XXXXXX");
	return mkdtemp(dir) ? unit_setup(state) : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	remove_files(v1_files, ARRAY_SIZE(v1_files));
	return rmdir(dir);
}

/* 8 MiB of the limit, in thousandths of it. */
static void stubs_are_killed_before_their_sentry(void **state)
{
	static const struct { s64 limit; s32 adj, want; } rows[] = {
		{ RES_UNSET, 0, 1 }, { -1, -998, -997 }, { 0, 5, 6 }, { 1ll << 30, 0, 8 }, { 256 << 20, 300, 332 },
		{ 64 << 20, 0, 100 }, { 1, 0, 100 }, { 256 << 20, 990, 1000 }, { INT64_MAX, 1000, 1000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct oci_resources r = { .mem_limit = rows[i].limit };

		assert_int_equal(oom_adj_stub(&r, rows[i].adj), rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stubs_are_killed_before_their_sentry),
		cmocka_unit_test(v2_gets_its_own_words),
		cmocka_unit_test(no_limit_is_max_and_zero_is_not_given),
		cmocka_unit_test(an_update_of_one_half_leaves_the_other),
		cmocka_unit_test(a_missing_controller_is_passed_over_and_a_refused_write_told),
		cmocka_unit_test(shares_become_a_weight),
		cmocka_unit_test(v1_gets_its_own_words),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
