/* Shared, slave, private and unbindable mounts (mount_namespaces(7)). */
#include <sys/mount.h>
#include <sys/statfs.h>
#include "tests/lib/harness.h"

#define SHARED 1
#define SLAVE 2

/* A namespace of our own with a tmpfs at "t", private, holding directories a to d. */
static void stage(void)
{
	if (getuid() != 0 || unshare(CLONE_NEWNS) < 0)
		SKIP("may not have a mount namespace");
	REQUIRE_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	REQUIRE_OK(mkdir("t", 0755));
	REQUIRE_OK(mount("t", "t", "tmpfs", 0, NULL));
	REQUIRE_OK(chdir("t"));
	for (char n[2] = "a"; *n <= 'd'; (*n)++)
		REQUIRE_OK(mkdir(n, 0755));
}

static void tmpfs(const char *at) { REQUIRE_OK(mount("x", at, "tmpfs", 0, NULL)); }
static void bind(const char *from, const char *to) { REQUIRE_OK(mount(from, to, NULL, MS_BIND, NULL)); }
static void make(const char *at, unsigned long how) { REQUIRE_OK(mount(NULL, at, NULL, how, NULL)); }

/* What mountinfo says of the topmost mount at cwd/@at: group and master; -1: no mount. */
static int info(const char *at, int *group, int *master, int *unbindable)
{
	char want[PATH_MAX], line[4096], point[PATH_MAX], *p;
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int found = 0;

	REQUIRE(f && getcwd(want, sizeof(want) - 64));
	strcat(want, "/");
	strcat(want, at);
	*group = *master = *unbindable = 0;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %*s %s", point) != 1 || strcmp(point, want) != 0)
			continue;
		found = 1;
		*group = *master = 0;
		p = strstr(line, " shared:");
		if (p)
			*group = atoi(p + 8);
		p = strstr(line, " master:");
		if (p)
			*master = atoi(p + 8);
		*unbindable = strstr(line, " unbindable ") != NULL;
	}
	fclose(f);
	return found;
}

static int kind(const char *at)
{
	int g, m, u;

	if (!info(at, &g, &m, &u))
		return -1;
	return (g ? SHARED : 0) | (m ? SLAVE : 0) | (u ? 4 : 0);
}

static int group(const char *at) { int g, m, u; return info(at, &g, &m, &u) ? g : -1; }
static int master(const char *at) { int g, m, u; return info(at, &g, &m, &u) ? m : -1; }

TEST(the_type_of_a_mount_can_be_changed_and_is_shown)
{
	stage();
	tmpfs("a");
	EXPECT_EQ(kind("a"), 0);
	make("a", MS_SHARED);
	EXPECT_EQ(kind("a"), SHARED);
	make("a", MS_SLAVE);            /* of nobody: it becomes private */
	EXPECT_EQ(kind("a"), 0);
	make("a", MS_UNBINDABLE);
	EXPECT_EQ(kind("a"), 4);
	EXPECT_ERR(mount("a", "b", NULL, MS_BIND, NULL), EINVAL);
	make("a", MS_PRIVATE);
	EXPECT_EQ(kind("a"), 0);
	EXPECT_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	EXPECT_ERR(mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL), EINVAL);
	EXPECT_ERR(mount(NULL, "b", NULL, MS_SHARED, NULL), EINVAL);
}

TEST(binds_of_a_shared_mount_are_its_peers)
{
	stage();
	tmpfs("a");
	make("a", MS_SHARED);
	bind("a", "b");
	EXPECT(group("a") > 0);
	EXPECT_EQ(group("a"), group("b"));
	REQUIRE_OK(mkdir("a/x", 0755));
	tmpfs("b/x");
	put_file("b/x/f", "hello");
	EXPECT_OK(access("a/x/f", F_OK));
	EXPECT_EQ(group("a/x"), group("b/x"));
	EXPECT(group("a/x") > 0 && group("a/x") != group("a"));
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(kind("b/x"), -1);
	EXPECT_ERR(access("b/x/f", F_OK), ENOENT);
}

TEST(binds_of_a_private_mount_are_strangers)
{
	stage();
	tmpfs("a");
	bind("a", "b");
	REQUIRE_OK(mkdir("a/x", 0755));
	tmpfs("a/x");
	EXPECT_EQ(kind("b/x"), -1);
}

TEST(a_slave_follows_but_does_not_lead)
{
	stage();
	tmpfs("a");
	make("a", MS_SHARED);
	bind("a", "b");
	make("b", MS_SLAVE);
	EXPECT_EQ(kind("b"), SLAVE);
	EXPECT_EQ(master("b"), group("a"));
	REQUIRE_OK(mkdir("a/x", 0755));
	REQUIRE_OK(mkdir("a/y", 0755));
	tmpfs("a/x");
	EXPECT_EQ(kind("b/x"), SLAVE);
	EXPECT_EQ(master("b/x"), group("a/x"));
	tmpfs("b/y");
	EXPECT_EQ(kind("a/y"), -1);
	EXPECT_EQ(kind("b/y"), 0);
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(kind("b/x"), -1);
}

TEST(a_slave_can_share_in_its_turn)
{
	stage();
	tmpfs("a");
	make("a", MS_SHARED);
	bind("a", "b");
	make("b", MS_SLAVE);
	make("b", MS_SHARED);
	EXPECT_EQ(kind("b"), SHARED | SLAVE);
	bind("b", "c");
	EXPECT_EQ(group("c"), group("b"));
	EXPECT_EQ(master("c"), group("a"));
	bind("c", "d");
	make("d", MS_SLAVE);
	EXPECT_EQ(master("d"), group("b"));
	REQUIRE_OK(mkdir("a/x", 0755));
	tmpfs("a/x");
	EXPECT_EQ(kind("a/x"), SHARED);
	EXPECT_EQ(kind("b/x"), SHARED | SLAVE);
	EXPECT_EQ(group("c/x"), group("b/x"));
	EXPECT_EQ(master("b/x"), group("a/x"));
	EXPECT_EQ(master("c/x"), group("a/x"));
	EXPECT_EQ(kind("d/x"), SLAVE);
	EXPECT_EQ(master("d/x"), group("b/x"));
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(kind("d/x"), -1);
	/* What the middle mounts does not go up. */
	tmpfs("c/x");
	EXPECT_EQ(kind("b/x"), SHARED);
	EXPECT_EQ(kind("d/x"), SLAVE);
	EXPECT_EQ(kind("a/x"), -1);
	/* When the middle leaves, those below follow the top. */
	make("c", MS_PRIVATE);
	make("b", MS_PRIVATE);
	EXPECT_EQ(kind("d"), SLAVE);
	EXPECT_EQ(master("d"), group("a"));
	make("a", MS_PRIVATE);
	EXPECT_EQ(kind("d"), 0);
}

TEST(a_new_namespace_is_a_peer_of_the_old_one)
{
	int go[2], back[2], status;
	char c;
	pid_t pid;

	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	REQUIRE_OK(mkdir("a/y", 0755));
	make("a", MS_SHARED);
	tmpfs("b");
	REQUIRE_OK(mkdir("b/x", 0755));
	REQUIRE_OK(pipe(go));
	REQUIRE_OK(pipe(back));
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(unshare(CLONE_NEWNS));
		EXPECT_EQ(kind("a"), SHARED);
		EXPECT_EQ(write(back[1], "u", 1), 1);
		EXPECT_EQ(read(go[0], &c, 1), 1);
		EXPECT_EQ(kind("a/x"), SHARED);
		EXPECT_EQ(kind("b/x"), -1);
		tmpfs("a/y");
		EXPECT_EQ(write(back[1], "m", 1), 1);
		EXPECT_EQ(read(go[0], &c, 1), 1);
		EXPECT_EQ(kind("a/x"), -1);
		_exit(test_failures != 0);
	}
	EXPECT_EQ(read(back[0], &c, 1), 1);
	tmpfs("a/x");
	tmpfs("b/x");
	EXPECT_EQ(write(go[1], "g", 1), 1);
	EXPECT_EQ(read(back[0], &c, 1), 1);
	EXPECT_EQ(kind("a/y"), SHARED);
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(write(go[1], "g", 1), 1);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(kind("a/y"), SHARED);
}

TEST(recursive_types_and_binds)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	REQUIRE_OK(mkdir("a/y", 0755));
	tmpfs("a/x");
	tmpfs("a/y");
	make("a", MS_SHARED | MS_REC);
	EXPECT_EQ(kind("a/x"), SHARED);
	EXPECT(group("a/x") != group("a") && group("a/x") != group("a/y"));
	make("a/y", MS_UNBINDABLE);
	REQUIRE_OK(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	EXPECT_EQ(group("b/x"), group("a/x"));
	EXPECT_EQ(kind("b/y"), -1);
	make("b", MS_SLAVE | MS_REC);
	EXPECT_EQ(master("b/x"), group("a/x"));
	REQUIRE_OK(mkdir("a/x/deep", 0755));
	tmpfs("a/x/deep");
	EXPECT_EQ(kind("b/x/deep"), SLAVE);
	make("b", MS_PRIVATE | MS_REC);
	EXPECT_EQ(kind("b/x"), 0);
	EXPECT_EQ(kind("b/x/deep"), 0);
}

TEST(moves_go_to_the_peers_but_not_out_of_shared_mounts)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	REQUIRE_OK(mkdir("a/y", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	tmpfs("c");
	put_file("c/f", "x");
	REQUIRE_OK(mount("c", "a/x", NULL, MS_MOVE, NULL));
	EXPECT_EQ(kind("c"), -1);
	EXPECT_OK(access("b/x/f", F_OK));
	EXPECT_EQ(group("a/x"), group("b/x"));
	EXPECT_ERR(mount("a/x", "d", NULL, MS_MOVE, NULL), EINVAL);
	tmpfs("c");
	make("c", MS_UNBINDABLE);
	EXPECT_ERR(mount("c", "a/y", NULL, MS_MOVE, NULL), EINVAL);
}

TEST(a_peer_that_does_not_see_the_place_is_left_out)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	REQUIRE_OK(mkdir("a/y", 0755));
	REQUIRE_OK(mkdir("a/x/in", 0755));
	make("a", MS_SHARED);
	bind("a/x", "b");
	EXPECT_EQ(group("b"), group("a"));
	tmpfs("a/y");
	EXPECT_EQ(kind("b/y"), -1);
	tmpfs("a/x/in");
	EXPECT_EQ(kind("b/in"), SHARED);
}

TEST(a_mount_that_is_bound_below_itself)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	bind("a", "a/x");
	EXPECT_EQ(group("a/x"), group("a"));
	EXPECT_EQ(group("b/x"), group("a"));
	EXPECT_EQ(kind("a/x/x"), -1);
	EXPECT_OK(umount("b/x"));
	EXPECT_EQ(kind("a/x"), -1);
}

TEST(unmounting_spares_what_has_something_else_inside)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	make("b", MS_SLAVE);
	tmpfs("a/x");
	REQUIRE_OK(mkdir("a/x/in", 0755));
	EXPECT_EQ(kind("b/x"), SLAVE);
	tmpfs("b/x/in");
	EXPECT_EQ(kind("a/x/in"), -1);
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(kind("a/x"), -1);
	EXPECT_EQ(kind("b/x"), 0);
	EXPECT_EQ(kind("b/x/in"), 0);
}

TEST(a_copy_in_use_makes_umount_busy)
{
	int fd;

	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	tmpfs("a/x");
	REQUIRE_OK(fd = open("b/x", O_RDONLY));
	EXPECT_ERR(umount("a/x"), EBUSY);
	EXPECT_EQ(kind("b/x"), SHARED);
	EXPECT_OK(umount2("a/x", MNT_DETACH));
	EXPECT_EQ(kind("a/x"), -1);
	EXPECT_EQ(kind("b/x"), -1);
	EXPECT_OK(close(fd));
}

TEST(a_tree_taken_off_goes_everywhere)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	tmpfs("a/x");
	REQUIRE_OK(mkdir("a/x/in", 0755));
	tmpfs("b/x/in");
	EXPECT_EQ(kind("a/x/in"), SHARED);
	EXPECT_OK(umount2("a/x", MNT_DETACH));
	EXPECT_EQ(kind("b/x"), -1);
	EXPECT_EQ(kind("b/x/in"), -1);
}

TEST(what_comes_from_the_master_lies_under_what_is_there)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/x", 0755));
	make("a", MS_SHARED);
	bind("a", "b");
	make("b", MS_SLAVE);
	tmpfs("b/x");
	put_file("b/x/mine", "1");
	tmpfs("a/x");
	put_file("a/x/theirs", "1");
	EXPECT_OK(access("b/x/mine", F_OK));
	EXPECT_OK(umount("b/x"));
	EXPECT_OK(access("b/x/theirs", F_OK));
	EXPECT_OK(umount("a/x"));
	EXPECT_EQ(kind("b/x"), -1);
}

TEST(pivot_root_wants_private_mounts)
{
	stage();
	tmpfs("a");
	REQUIRE_OK(mkdir("a/old", 0755));
	make("a", MS_SHARED);
	EXPECT_ERR(syscall(SYS_pivot_root, "a", "a/old"), EINVAL);
}

TEST_MAIN()
