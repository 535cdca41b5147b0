/*
 * Memory policies (numa(7)) of tasks and of memory, on a machine with one node.
 */
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/harness.h"

#define PAGE 4096ul
#define LX_PREFERRED_MANY 5
#define LX_WEIGHTED 6

static long set_policy(int mode, unsigned long word, unsigned long maxnode)
{
	unsigned long mask[64] = { word };

	return syscall(SYS_set_mempolicy, mode, mask, maxnode);
}

static void need_policies(void)
{
	unsigned long nodes[16] = { 0 };

	if (syscall(SYS_get_mempolicy, NULL, nodes, 1024ul, 0ul, (long)MPOL_F_MEMS_ALLOWED) < 0)
		SKIP("memory policies");
	if (nodes[0] != 1)
		SKIP("more than one node");
}

/* The mode, with its flags, and the nodes. */
static int policy_at(const void *p, unsigned long *ret_nodes)
{
	unsigned long nodes[16];
	int mode = -1;

	memset(nodes, 0x55, sizeof(nodes));
	EXPECT_OK(syscall(SYS_get_mempolicy, &mode, nodes, 1024ul, p, p ? (long)MPOL_F_ADDR : 0l));
	EXPECT_EQ(nodes[1], 0);
	EXPECT_EQ(nodes[15], 0);
	*ret_nodes = nodes[0];
	return mode;
}

static int policy_is(const void *p, int mode, unsigned long nodes)
{
	unsigned long n;
	int m = policy_at(p, &n);

	return m == mode && n == nodes;
}

TEST(a_policy_is_kept_and_told)
{
	static const struct { int mode; unsigned long mask; int told; unsigned long nodes; } row[] = {
		{ MPOL_BIND, 1, MPOL_BIND, 1 },
		{ MPOL_BIND, 0x21, MPOL_BIND, 1 },
		{ MPOL_BIND | MPOL_F_STATIC_NODES, 0x21, MPOL_BIND | MPOL_F_STATIC_NODES, 0x21 },
		{ MPOL_BIND | MPOL_F_RELATIVE_NODES, 0x20, MPOL_BIND | MPOL_F_RELATIVE_NODES, 0x20 },
		{ MPOL_BIND | MPOL_F_NUMA_BALANCING, 1, MPOL_BIND | MPOL_F_NUMA_BALANCING, 1 },
		{ MPOL_PREFERRED, 1, MPOL_PREFERRED, 1 },
		{ MPOL_PREFERRED, 0, MPOL_LOCAL, 0 },
		{ MPOL_LOCAL, 0, MPOL_LOCAL, 0 },
		{ MPOL_INTERLEAVE, 3, MPOL_INTERLEAVE, 1 },
		{ LX_PREFERRED_MANY, 1, LX_PREFERRED_MANY, 1 },
		{ MPOL_DEFAULT, 0, MPOL_DEFAULT, 0 },
		{ MPOL_DEFAULT | MPOL_F_STATIC_NODES, 0, MPOL_DEFAULT, 0 },
	};

	need_policies();
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		EXPECT_OK(set_policy(row[i].mode, row[i].mask, 64));
		if (!policy_is(NULL, row[i].told, row[i].nodes))
			FAIL("row %zu", i);
	}
	EXPECT_OK(set_policy(MPOL_BIND, 1, 64));
	EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul));
	EXPECT(policy_is(NULL, MPOL_DEFAULT, 0));
}

TEST(a_bad_policy_changes_nothing)
{
	static const struct { int mode; unsigned long mask, maxnode; } row[] = {
		{ MPOL_BIND, 0, 64 }, { MPOL_INTERLEAVE, 0, 64 }, { LX_PREFERRED_MANY, 0, 64 },
		{ MPOL_BIND, 0x20, 64 }, { MPOL_PREFERRED, 0x20, 64 }, { MPOL_BIND | MPOL_F_STATIC_NODES, 0x20, 64 },
		{ MPOL_PREFERRED | MPOL_F_STATIC_NODES, 0, 64 }, { MPOL_LOCAL, 1, 64 },
		{ MPOL_LOCAL | MPOL_F_STATIC_NODES, 0, 64 }, { MPOL_DEFAULT, 1, 64 }, { 77, 1, 64 }, { -1, 1, 64 },
		{ MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, 1, 64 },
		{ MPOL_INTERLEAVE | MPOL_F_NUMA_BALANCING, 1, 64 }, { MPOL_DEFAULT | MPOL_F_NUMA_BALANCING, 0, 64 },
		{ MPOL_BIND, 1, 0 }, { MPOL_BIND, 1, 1 }, { MPOL_BIND, 1, 32770 }, { MPOL_BIND, 1, ~0ul },
		{ MPOL_DEFAULT, 0, 0 },
	};

	need_policies();
	EXPECT_OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, 5, 64));
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (set_policy(row[i].mode, row[i].mask, row[i].maxnode) != -1 || errno != EINVAL)
			FAIL("row %zu", i);
	EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, BAD_PTR, 64ul), EFAULT);
	EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, NULL, 64ul), EINVAL);
	EXPECT(policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 5));
}

TEST(masks_may_be_long)
{
	static unsigned long mask[513];

	need_policies();
	mask[0] = 1;
	EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 2ul));
	EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 32769ul));
	EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 32770ul), EINVAL);
	mask[500] = 1;
	EXPECT_ERR(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 32769ul), EINVAL);
	EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND, mask, 1025ul));
	mask[0] = 3;            /* bits above maxnode are not read */
	EXPECT_OK(syscall(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES, mask, 2ul));
	EXPECT(policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 1));
}

TEST(asking_for_a_policy_is_checked)
{
	unsigned long nodes[520];
	int mode = 99;

	need_policies();
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, nodes, 1024ul, 0ul, 0x80ul), EINVAL);
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, nodes, 0ul, 0ul, 0ul), EINVAL);
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, &mode, 0ul), EINVAL);
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, BAD_PTR, (long)MPOL_F_ADDR), EFAULT);
	EXPECT_ERR(syscall(SYS_get_mempolicy, BAD_PTR, NULL, 0ul, 0ul, 0ul), EFAULT);
	EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, BAD_PTR, 64ul, 0ul, 0ul), EFAULT);
	EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, NULL, 0ul, 0ul, (long)(MPOL_F_MEMS_ALLOWED | MPOL_F_NODE)), EINVAL);
	EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, NULL, 0ul, 0ul, (long)(MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR)), EINVAL);
	EXPECT_OK(syscall(SYS_get_mempolicy, NULL, NULL, 0ul, 0ul, 0ul));
	EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, nodes, 32770ul, 0ul, 0ul), EINVAL);
	memset(nodes, 0x55, sizeof(nodes));
	EXPECT_OK(syscall(SYS_get_mempolicy, NULL, nodes, 1ul, 0ul, (long)MPOL_F_MEMS_ALLOWED));
	EXPECT_EQ(nodes[0], 0x5555555555555555ul);
	EXPECT_OK(syscall(SYS_get_mempolicy, NULL, nodes, 2ul, 4096ul, (long)MPOL_F_MEMS_ALLOWED));
	EXPECT_EQ(nodes[0], 1);
	EXPECT_EQ(nodes[1], 0x5555555555555555ul);
	EXPECT_OK(syscall(SYS_get_mempolicy, NULL, nodes, 32769ul, 0ul, 0ul));
	EXPECT_EQ(nodes[511], 0);
	EXPECT_EQ(nodes[512], 0x5555555555555555ul);
}

TEST(the_node_of_a_page_or_the_next_one)
{
	int mode = 99;
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need_policies();
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, 0ul, (long)MPOL_F_NODE), EINVAL);
	EXPECT_OK(set_policy(MPOL_BIND, 1, 64));
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, 0ul, (long)MPOL_F_NODE), EINVAL);
	EXPECT_OK(set_policy(MPOL_INTERLEAVE, 1, 64));
	EXPECT_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, 0ul, (long)MPOL_F_NODE));
	EXPECT_EQ(mode, 0);
	if (set_policy(LX_WEIGHTED, 1, 64) == 0)
		EXPECT_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, 0ul, (long)MPOL_F_NODE));
	mode = 99;
	EXPECT_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, p + 5, (long)(MPOL_F_NODE | MPOL_F_ADDR)));
	EXPECT_EQ(mode, 0);
	REQUIRE_OK(mprotect(p, PAGE, PROT_NONE));
	EXPECT_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0ul, p, (long)(MPOL_F_NODE | MPOL_F_ADDR)), EFAULT);
}

static void *thread_sees(void *arg)
{
	*(int *)arg = policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 9);
	set_policy(MPOL_INTERLEAVE, 1, 64);
	return NULL;
}

TEST(threads_and_children_inherit_a_policy_of_their_own)
{
	pthread_t th;
	int saw = 0, st;
	pid_t pid;

	need_policies();
	EXPECT_OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, 9, 64));
	REQUIRE(pthread_create(&th, NULL, thread_sees, &saw) == 0);
	pthread_join(th, NULL);
	EXPECT_EQ(saw, 1);
	EXPECT(policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 9));
	pid = fork();
	if (pid == 0) {
		saw = policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 9);
		set_policy(MPOL_DEFAULT, 0, 64);
		_exit(saw ? 0 : 1);
	}
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(st, 0);
	EXPECT(policy_is(NULL, MPOL_BIND | MPOL_F_STATIC_NODES, 9));
}

TEST(a_program_keeps_the_policy)
{
	int st;
	pid_t pid;

	need_policies();
	EXPECT_OK(set_policy(MPOL_BIND | MPOL_F_STATIC_NODES, 17, 64));
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "mempolicy", "@tell", NULL);
		_exit(99);
	}
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(WEXITSTATUS(st), 17);
}

TEST(memory_has_policies_by_page)
{
	unsigned long one = 1, five = 5;
	int bind = MPOL_BIND | MPOL_F_STATIC_NODES, st;
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	pid_t pid;

	need_policies();
	EXPECT_OK(set_policy(MPOL_INTERLEAVE, 1, 64));
	EXPECT(policy_is(p, MPOL_DEFAULT, 0));          /* the task's is not told here */
	EXPECT_OK(syscall(SYS_mbind, p + 2 * PAGE, 2 * PAGE - 7, bind, &five, 64ul, 0));
	EXPECT(policy_is(p + PAGE, MPOL_DEFAULT, 0));
	EXPECT(policy_is(p + 2 * PAGE, bind, 5));
	EXPECT(policy_is(p + 4 * PAGE - 1, bind, 5));
	EXPECT(policy_is(p + 4 * PAGE, MPOL_DEFAULT, 0));
	EXPECT_OK(syscall(SYS_mbind, p + 3 * PAGE, PAGE, MPOL_PREFERRED, &one, 64ul, 0));
	EXPECT(policy_is(p + 2 * PAGE, bind, 5));
	EXPECT(policy_is(p + 3 * PAGE, MPOL_PREFERRED, 1));
	pid = fork();
	if (pid == 0)
		_exit(policy_is(p + 2 * PAGE, bind, 5) ? 0 : 1);
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(st, 0);
	q = mremap(p + 2 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(q != MAP_FAILED);
	EXPECT(policy_is(q + 2 * PAGE, bind, 5));
	q = mmap(p + 3 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	REQUIRE(q != MAP_FAILED);
	EXPECT(policy_is(q, MPOL_DEFAULT, 0));
}

static int maps_at(const char *p, unsigned long *ret_end)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start <= (unsigned long)p && (unsigned long)p < end) {
			*ret_end = end;
			fclose(f);
			return 0;
		}
	return -1;
}

TEST(what_policies_split_they_join_again)
{
	unsigned long one = 1, end = 0;
	char *p = mmap(NULL, 6 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need_policies();
	REQUIRE_OK(mprotect(p + PAGE, 4 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_OK(syscall(SYS_mbind, p + 2 * PAGE, PAGE, MPOL_BIND, &one, 64ul, 0));
	EXPECT_OK(maps_at(p + PAGE, &end));
	EXPECT_EQ(end, (unsigned long)p + 2 * PAGE);
	EXPECT_OK(syscall(SYS_mbind, p + 2 * PAGE, PAGE, MPOL_DEFAULT, NULL, 0ul, 0));
	EXPECT_OK(maps_at(p + PAGE, &end));
	EXPECT_EQ(end, (unsigned long)p + 5 * PAGE);
}

TEST(binding_memory_is_checked)
{
	unsigned long one = 1, none = 0;
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need_policies();
	REQUIRE_OK(munmap(p + PAGE, PAGE));
	EXPECT_ERR(syscall(SYS_mbind, p, 3 * PAGE, MPOL_BIND, &one, 64ul, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_mbind, p + PAGE, 2 * PAGE, MPOL_BIND, &one, 64ul, 0), EFAULT);
	EXPECT_OK(syscall(SYS_mbind, p, 3 * PAGE, MPOL_DEFAULT, NULL, 0ul, 0));
	EXPECT_ERR(syscall(SYS_mbind, p + PAGE, PAGE, MPOL_DEFAULT, NULL, 0ul, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_mbind, p + 1, PAGE, MPOL_BIND, &one, 64ul, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_mbind, p, PAGE, MPOL_BIND, &none, 64ul, 0), EINVAL);
	EXPECT_OK(syscall(SYS_mbind, p, 0ul, MPOL_BIND, &none, 64ul, 0));
	EXPECT_ERR(syscall(SYS_mbind, p, PAGE, MPOL_BIND, &one, 64ul, 0x100), EINVAL);
	EXPECT_ERR(syscall(SYS_mbind, p, PAGE, MPOL_BIND, BAD_PTR, 64ul, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_mbind, p, -2 * PAGE, MPOL_BIND, &one, 64ul, 0), EINVAL);
	EXPECT_OK(syscall(SYS_mbind, p, PAGE, MPOL_BIND, &one, 64ul, MPOL_MF_STRICT | MPOL_MF_MOVE));
	REQUIRE_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(syscall(SYS_mbind, p, PAGE, MPOL_BIND, &one, 64ul, MPOL_MF_MOVE_ALL), EPERM);
}

TEST(a_home_node_needs_a_policy_that_has_one)
{
	unsigned long one = 1;
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need_policies();
	if (syscall(450, p, 0ul, 0ul, 0ul) < 0)
		SKIP("set_mempolicy_home_node");
	EXPECT_ERR(syscall(450, p, 4 * PAGE, 0ul, 0ul), ENOENT);
	EXPECT_OK(syscall(SYS_mbind, p + PAGE, PAGE, MPOL_BIND, &one, 64ul, 0));
	EXPECT_OK(syscall(450, p, 4 * PAGE, 0ul, 0ul));
	EXPECT_OK(syscall(SYS_mbind, p + 3 * PAGE, PAGE, MPOL_INTERLEAVE, &one, 64ul, 0));
	EXPECT_ERR(syscall(450, p, 4 * PAGE, 0ul, 0ul), EOPNOTSUPP);
}

static int reentered(void)
{
	unsigned long nodes = 0;

	return syscall(SYS_get_mempolicy, NULL, &nodes, 64ul, 0ul, 0ul) == 0 ? (int)nodes : 98;
}

#undef TEST_REENTRY
#define TEST_REENTRY(argc, argv) \
	do { \
		if ((argc) > 1 && (argv)[1][0] == '@') \
			_exit(reentered()); \
	} while (0)

TEST_MAIN()
