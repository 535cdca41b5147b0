/* Names of mount namespaces (/proc/PID/ns/mnt), bound, moved and copied: no two namespaces may come to hold each other. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "tests/lib/harness.h"

#define TREE_CLONE 1
#define REC 0x8000
#define FROM_EMPTY 4

static int sys_open_tree(int dfd, const char *p, unsigned flags) { return (int)syscall(428, dfd, p, flags); }
static int sys_move_mount(int a, const char *b, int c, const char *d, unsigned f) { return (int)syscall(429, a, b, c, d, f); }

static char here[256];

/* A mount namespace of our own, with places to mount at.  Linux counts namespaces for each CPU. */
static void begin(void)
{
	cpu_set_t set;
	int cpu = 0;

	REQUIRE_OK(sched_getaffinity(0, sizeof(set), &set));
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	REQUIRE_OK(sched_setaffinity(0, sizeof(set), &set));
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	REQUIRE_OK(mount("t", ".", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir(getcwd(here, sizeof(here))));
	for (int i = 0; i < 4; i++)
		REQUIRE_OK(mkdir((const char *[]){ "a", "b", "c", "d" }[i], 0755));
	put_file("f", "");
	put_file("g", "");
}

/* Mounts in our namespace that are names of mount namespaces. */
static int names(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[4096];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, " mnt:[") != NULL;
	if (f)
		fclose(f);
	return n;
}

/* The name of a namespace younger than ours, kept by a process that waits until we end. */
static const char *younger(void)
{
	static char name[4][64];
	static int at;
	char c;
	int p[2];
	pid_t pid;

	REQUIRE_OK(pipe(p));
	pid = fork();
	REQUIRE_OK(pid);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(unshare(CLONE_NEWNS) < 0 || write(p[1], "x", 1) != 1 || pause() ? 1 : 0);
	}
	close(p[1]);
	REQUIRE_OK(read(p[0], &c, 1));
	close(p[0]);
	at = (at + 1) % 4;
	snprintf(name[at], sizeof(name[at]), "/proc/%d/ns/mnt", pid);
	return name[at];
}

TEST(a_younger_name_may_be_bound_and_no_other)
{
	char path[64];
	int first;

	begin();
	first = open("/proc/self/ns/mnt", O_RDONLY);
	REQUIRE_OK(first);
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE_OK(chdir(here));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", first);
	EXPECT_ERR(mount("/proc/self/ns/mnt", "f", NULL, MS_BIND, NULL), EINVAL);
	EXPECT_ERR(mount(path, "f", NULL, MS_BIND, NULL), EINVAL);
	EXPECT_EQ(names(), 0);
	EXPECT_OK(mount(younger(), "f", NULL, MS_BIND, NULL));
	EXPECT_EQ(names(), 1);
	EXPECT_OK(mount("f", "g", NULL, MS_BIND, NULL));
	EXPECT_EQ(names(), 2);
}

TEST(a_name_that_is_bound_can_be_entered_when_its_last_process_is_gone)
{
	int p[2], fd, st = 0;
	char c, name[64];
	pid_t pid;

	begin();
	REQUIRE_OK(pipe(p));
	pid = fork();
	REQUIRE_OK(pid);
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 || mkdir("a/inside", 0755) < 0 || mount("t", "a/inside", "tmpfs", 0, NULL) < 0)
			_exit(1);
		put_file("a/inside/x", "");
		_exit(write(p[1], "x", 1) != 1 || pause());
	}
	REQUIRE_OK(read(p[0], &c, 1));
	snprintf(name, sizeof(name), "/proc/%d/ns/mnt", pid);
	EXPECT_OK(mount(name, "f", NULL, MS_BIND, NULL));
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, &st, 0), pid);
	fd = open("f", O_RDONLY);
	EXPECT_OK(fd);
	EXPECT_ERR(access("a/inside/x", F_OK), ENOENT);
	EXPECT_OK(setns(fd, CLONE_NEWNS));
	EXPECT_OK(chdir(here));
	EXPECT_OK(access("a/inside/x", F_OK));
}

static void copied(void)
{
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE(names() == 0);
}

TEST(a_copied_namespace_has_no_names)
{
	begin();
	EXPECT_OK(mount(younger(), "f", NULL, MS_BIND, NULL));
	EXPECT_EQ(names(), 1);
	EXPECT_EQ(in_child(copied), 0);
	EXPECT_EQ(names(), 1);
}

TEST(names_do_not_propagate)
{
	const char *y;

	begin();
	REQUIRE_OK(mount("t", "a", "tmpfs", 0, NULL));
	REQUIRE_OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	put_file("a/f", "");
	REQUIRE_OK(mkdir("a/d", 0755));
	y = younger();
	EXPECT_OK(mount("a", "b", NULL, MS_BIND, NULL));
	EXPECT_ERR(mount(y, "a/f", NULL, MS_BIND, NULL), EINVAL);
	EXPECT_EQ(names(), 0);
	/* What lies below something else is left out of the copies. */
	REQUIRE_OK(mount("t", "c", "tmpfs", 0, NULL));
	put_file("c/f", "");
	EXPECT_OK(mount(y, "c/f", NULL, MS_BIND, NULL));
	EXPECT_EQ(names(), 1);
	EXPECT_OK(mount("c", "a/d", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_EQ(names(), 2);
	/* One's own tree has them, if it is copied whole. */
	EXPECT_OK(mount("c", "d", NULL, MS_BIND, NULL));
	EXPECT_EQ(names(), 2);
	EXPECT_OK(mount("c", "d", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_EQ(names(), 3);
}

TEST(a_tree_with_a_name_does_not_go_into_the_namespace_of_that_name)
{
	int tree, own, fd;
	const char *y;

	begin();
	REQUIRE_OK(mount("t", "a", "tmpfs", 0, NULL));
	put_file("a/f", "");
	y = younger();
	EXPECT_OK(mount(y, "a/f", NULL, MS_BIND, NULL));
	EXPECT_OK(mount("a", "c", NULL, MS_MOVE, NULL));
	tree = sys_open_tree(AT_FDCWD, "c", TREE_CLONE | REC);
	EXPECT_OK(tree);
	EXPECT_OK(sys_move_mount(tree, "", AT_FDCWD, "b", FROM_EMPTY));
	EXPECT_EQ(names(), 2);
	tree = sys_open_tree(AT_FDCWD, "c", TREE_CLONE | REC);
	EXPECT_OK(tree);
	own = sys_open_tree(AT_FDCWD, "/proc/self/ns/mnt", TREE_CLONE);
	EXPECT_OK(own);
	EXPECT_ERR(sys_move_mount(own, "", AT_FDCWD, "g", FROM_EMPTY), ELOOP);
	fd = open(y, O_RDONLY);
	REQUIRE_OK(fd);
	REQUIRE_OK(setns(fd, CLONE_NEWNS));
	REQUIRE_OK(chdir(here));
	EXPECT_ERR(sys_move_mount(tree, "", AT_FDCWD, "d", FROM_EMPTY), ELOOP);
	EXPECT_EQ(names(), 0);
}

TEST_MAIN()
