/*
 * What proc's mount options hide: hidepid, gid, subset=pid.
 */
#include <dirent.h>
#include <grp.h>
#include <sys/mount.h>
#include "tests/lib/harness.h"

/* A proc of our own with these options, below p. */
static void mount_proc(const char *options)
{
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	REQUIRE_OK(chmod(".", 0755));
	REQUIRE_OK(mkdir("p", 0755));
	REQUIRE_OK(mount("proc", "p", "proc", 0, options));
}

static void as_nobody(void)
{
	REQUIRE_OK(setgid(1000));
	REQUIRE_OK(setuid(1000));
}

static char root_pid[32];       /* of a process of root's: the test itself */

static void name_self(void) { snprintf(root_pid, sizeof(root_pid), "%d", (int)getpid()); }

static bool listed(const char *dir, const char *name)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	bool found = false;

	EXPECT(d);
	while (d && (e = readdir(d)))
		found |= !strcmp(e->d_name, name);
	if (d)
		closedir(d);
	return found;
}

static char path[64];

static const char *of_root(const char *file)
{
	snprintf(path, sizeof(path), "p/%s%s", root_pid, file);
	return path;
}

static void options_shown(const char *want)
{
	FILE *f = fopen("/proc/self/mounts", "r");
	char line[512];
	bool found = false;

	while (f && fgets(line, sizeof(line), f))
		found |= strstr(line, "/p proc ") && strstr(line, want);
	if (f)
		fclose(f);
	EXPECT(found);
}

static void sees_nothing_inside(void)
{
	struct stat st;
	char own[32];

	as_nobody();
	EXPECT(listed("p", root_pid));
	EXPECT_OK(stat(of_root(""), &st));
	EXPECT_ERR(open(of_root("/status"), O_RDONLY), EPERM);
	EXPECT_ERR(open(of_root(""), O_RDONLY), EPERM);
	snprintf(own, sizeof(own), "p/%d/status", (int)getpid());
	EXPECT_OK(open(own, O_RDONLY));
	EXPECT_OK(open("p/self/status", O_RDONLY));
	EXPECT_OK(open("p/uptime", O_RDONLY));
}

TEST(noaccess_keeps_others_out)
{
	name_self();
	mount_proc("hidepid=1");
	EXPECT_OK(open(of_root("/status"), O_RDONLY));
	EXPECT_EQ(in_child(sees_nothing_inside), 0);
	options_shown("hidepid=noaccess");
}

static void does_not_find_it(void)
{
	struct stat st;

	as_nobody();
	EXPECT(!listed("p", root_pid));
	EXPECT_ERR(stat(of_root(""), &st), ENOENT);
	EXPECT_ERR(open(of_root("/status"), O_RDONLY), ENOENT);
	EXPECT_OK(open("p/self/status", O_RDONLY));
}

TEST(invisible_hides_others)
{
	name_self();
	mount_proc("hidepid=invisible");
	EXPECT(listed("p", root_pid));
	EXPECT_EQ(in_child(does_not_find_it), 0);
	options_shown("hidepid=invisible");
}

static void finds_it_as_a_member(void)
{
	gid_t g = 777;

	REQUIRE_OK(setgroups(1, &g));
	as_nobody();
	EXPECT(listed("p", root_pid));
	EXPECT_OK(open(of_root("/status"), O_RDONLY));
}

TEST(members_of_a_group_see_all)
{
	name_self();
	mount_proc("hidepid=2,gid=777");
	EXPECT_EQ(in_child(finds_it_as_a_member), 0);
	EXPECT_EQ(in_child(does_not_find_it), 0);
	options_shown("gid=777,hidepid=invisible");
}

static void does_not_find_it_as_a_member(void)
{
	gid_t g = 777;

	REQUIRE_OK(setgroups(1, &g));
	does_not_find_it();
}

TEST(ptraceable_hides_from_members_too)
{
	name_self();
	mount_proc("hidepid=4,gid=777");
	EXPECT_EQ(in_child(does_not_find_it_as_a_member), 0);
	EXPECT_EQ(in_child(does_not_find_it), 0);
	EXPECT_OK(open(of_root("/status"), O_RDONLY));
}

TEST(a_subset_has_processes_only)
{
	struct stat st;

	name_self();
	mount_proc("subset=pid");
	EXPECT(listed("p", "self") && listed("p", "thread-self") && listed("p", root_pid));
	EXPECT(!listed("p", "uptime") && !listed("p", "sys"));
	EXPECT_ERR(stat("p/uptime", &st), ENOENT);
	EXPECT_ERR(stat("p/sys/kernel", &st), ENOENT);
	EXPECT_OK(open("p/self/status", O_RDONLY));
	options_shown("subset=pid");
}

TEST(other_options_are_refused)
{
	const char *bad[] = { "hidepid=3", "hidepid=5", "hidepid=none", "subset=sys", "gid=x", "nonsense", "hidepid" };

	name_self();
	mount_proc(NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT_ERR(mount("proc", "p", "proc", 0, bad[i]), EINVAL);
	EXPECT_OK(mount("proc", "p", "proc", 0, "hidepid=off"));
	EXPECT_OK(mount("proc", "p", "proc", 0, ""));
}

TEST_MAIN()
