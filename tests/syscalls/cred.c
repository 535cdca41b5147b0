/* Users, groups, capabilities, no_new_privs. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include "tests/lib/harness.h"

static void drop_and_keep_out(void)
{
	uid_t r, e, s;

	EXPECT_OK(setresuid(1000, 1001, 1002));
	EXPECT_OK(getresuid(&r, &e, &s));
	EXPECT(r == 1000 && e == 1001 && s == 1002);
	EXPECT_OK(setresuid(-1, 1002, -1));
	EXPECT_EQ(geteuid(), 1002);
	EXPECT_ERR(setresuid(0, -1, -1), EPERM);
	EXPECT_ERR(setuid(0), EPERM);
	EXPECT_OK(setuid(1000));
	EXPECT_EQ(geteuid(), 1000);
	EXPECT_OK(getresuid(&r, &e, &s));
	EXPECT(r == 1000 && s == 1002);         /* unprivileged setuid sets one */
}

static void root_setuid_sets_all(void)
{
	uid_t r, e, s;

	EXPECT_OK(setuid(1000));
	EXPECT_OK(getresuid(&r, &e, &s));
	EXPECT(r == 1000 && e == 1000 && s == 1000);
	EXPECT_ERR(setuid(0), EPERM);
	EXPECT_ERR(setgroups(0, NULL), EPERM);
	EXPECT_ERR(setgid(5), EPERM);
}

static void seteuid_comes_back(void)
{
	EXPECT_OK(seteuid(1000));
	EXPECT_ERR(chroot("/"), EPERM);
	EXPECT_OK(seteuid(0));
	EXPECT_OK(chroot("/"));
	EXPECT_OK(setreuid(1000, 2000));
	EXPECT_EQ(getuid(), 1000);
	EXPECT_EQ(geteuid(), 2000);
}

static void group_calls(void)
{
	gid_t g[4] = { 0 };

	EXPECT_OK(setgroups(2, (gid_t[]){ 7, 8 }));
	EXPECT_EQ(getgroups(0, NULL), 2);
	EXPECT_EQ(getgroups(4, g), 2);
	EXPECT(g[0] == 7 && g[1] == 8);
	EXPECT_ERR(getgroups(1, g), EINVAL);
	EXPECT_ERR(setgroups(65537, g), EINVAL);
	EXPECT_OK(setresgid(10, 11, 12));
	EXPECT_EQ(getgid(), 10);
	EXPECT_EQ(getegid(), 11);
	EXPECT_EQ(setfsuid(77), 0);
	EXPECT_EQ(setfsuid(-1), 77);
}

TEST(ids_change_as_posix_says)
{
	EXPECT_EQ(in_child(drop_and_keep_out), 0);
	EXPECT_EQ(in_child(root_setuid_sets_all), 0);
	EXPECT_EQ(in_child(seteuid_comes_back), 0);
	EXPECT_EQ(in_child(group_calls), 0);
}

static struct __user_cap_data_struct caps[2];

static int get_caps(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	return (int)syscall(SYS_capget, &h, caps);
}

static void caps_follow_uid(void)
{
	EXPECT_OK(get_caps());
	EXPECT(caps[0].effective & 1u << CAP_SETUID);
	EXPECT_OK(seteuid(1000));
	EXPECT_OK(get_caps());
	EXPECT_EQ(caps[0].effective, 0);
	EXPECT(caps[0].permitted & 1u << CAP_SETUID);
	EXPECT_OK(seteuid(0));
	EXPECT_OK(get_caps());
	EXPECT(caps[0].effective & 1u << CAP_SETUID);
	EXPECT_OK(prctl(PR_SET_KEEPCAPS, 1));
	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_OK(get_caps());
	EXPECT_EQ(caps[0].effective, 0);
	EXPECT(caps[0].permitted & 1u << CAP_SETUID);
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	caps[0].effective = 1u << CAP_SETUID;
	EXPECT_OK(syscall(SYS_capset, &h, caps));
	EXPECT_OK(setresuid(0, 0, 0));
}

static void caps_can_be_dropped(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	EXPECT_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 1);
	EXPECT_OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
	EXPECT_EQ(prctl(PR_CAPBSET_READ, CAP_CHOWN), 0);
	EXPECT_ERR(prctl(PR_CAPBSET_READ, 99), EINVAL);
	EXPECT_OK(get_caps());
	caps[0].effective &= ~(1u << CAP_SYS_CHROOT);
	EXPECT_OK(syscall(SYS_capset, &h, caps));
	EXPECT_ERR(chroot("/"), EPERM);
	caps[0].permitted &= ~(1u << CAP_SYS_CHROOT);
	EXPECT_OK(syscall(SYS_capset, &h, caps));
	caps[0].permitted |= 1u << CAP_SYS_CHROOT;
	EXPECT_ERR(syscall(SYS_capset, &h, caps), EPERM);
	h.version = 1;
	EXPECT_ERR(syscall(SYS_capget, &h, caps), EINVAL);
	EXPECT_EQ(h.version, _LINUX_CAPABILITY_VERSION_3);
}

static void ambient(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };

	EXPECT_OK(get_caps());
	caps[0].inheritable |= 1u << CAP_CHOWN;
	EXPECT_OK(syscall(SYS_capset, &h, caps));
	EXPECT_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	EXPECT_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 1);
	EXPECT_OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	EXPECT_EQ(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0), 0);
}

TEST(capabilities_follow_ids_and_can_be_dropped)
{
	EXPECT_EQ(in_child(caps_follow_uid), 0);
	EXPECT_EQ(in_child(caps_can_be_dropped), 0);
	EXPECT_EQ(in_child(ambient), 0);
}

static int victim;

static void user_kills(void)
{
	EXPECT_OK(setresuid(1000, 1000, 1000));
	EXPECT_ERR(kill(victim, SIGTERM), EPERM);
	EXPECT_ERR(kill(victim, 0), EPERM);
}

TEST(users_cannot_signal_others)
{
	victim = fork();
	if (victim == 0)
		for (;;)
			pause();
	EXPECT_EQ(in_child(user_kills), 0);
	kill(victim, SIGKILL);
	wait(NULL);
}

TEST(no_new_privs_stays)
{
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	EXPECT_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

TEST(prctl_refuses_what_it_does_not_know)
{
	EXPECT_ERR(prctl(123456, 0, 0, 0, 0), EINVAL);
	EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
	EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
	EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
	EXPECT_ERR(prctl(PR_SET_DUMPABLE, 7), EINVAL);
	EXPECT_OK(prctl(PR_SET_DUMPABLE, 1));
	EXPECT_ERR(prctl(PR_SET_PDEATHSIG, 99), EINVAL);
}

TEST_MAIN()
