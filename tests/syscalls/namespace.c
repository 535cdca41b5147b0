/* Namespaces: uts, ipc, user, pid, net, mount; /proc/PID/ns and setns. */
#include <arpa/inet.h>
#include <grp.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include "tests/lib/harness.h"

static void put_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static const char *text_of(const char *path)
{
	static char buf[4096];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = 0;
	return buf;
}

static uint64_t ns_ino(const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static int ns_open(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

TEST(proc_names_the_namespaces)
{
	static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "user", "uts" };
	char path[64], link[64], want[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, link, sizeof(link) - 1);
		REQUIRE(n > 0);
		link[n] = 0;
		snprintf(want, sizeof(want), "%s:[%llu]", i == 5 ? "pid" : names[i], (unsigned long long)ns_ino(names[i]));
		EXPECT_STR(link, want);
	}
}

TEST(uts_names_are_the_namespaces_own)
{
	int before = ns_open("uts"), status;
	uint64_t ino = ns_ino("uts");
	struct utsname u, v;

	uname(&u);
	if (fork() == 0) {
		REQUIRE_OK(unshare(CLONE_NEWUTS));
		EXPECT(ns_ino("uts") != ino);
		REQUIRE_OK(sethostname("inner", 5));
		uname(&v);
		EXPECT_STR(v.nodename, "inner");
		EXPECT_STR(text_of("/proc/sys/kernel/hostname"), "inner\n");
		REQUIRE_OK(setns(before, CLONE_NEWUTS));
		EXPECT_EQ(ns_ino("uts"), ino);
		uname(&v);
		EXPECT_STR(v.nodename, u.nodename);
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
	uname(&v);
	EXPECT_STR(v.nodename, u.nodename);
	EXPECT_ERR(setns(before, CLONE_NEWNET), EINVAL);
	EXPECT_ERR(setns(-1, 0), EBADF);
	EXPECT_ERR(setns(open("/dev/null", O_RDONLY), 0), EINVAL);
}

TEST(ns_files_answer_ioctls)
{
	int fd = ns_open("uts"), u;
	uid_t uid = 77;

	REQUIRE_OK(fd);
	EXPECT_EQ(ioctl(fd, NS_GET_NSTYPE), CLONE_NEWUTS);
	u = ns_open("user");
	EXPECT_EQ(ioctl(u, NS_GET_NSTYPE), CLONE_NEWUSER);
	EXPECT_EQ(ioctl(u, NS_GET_OWNER_UID, &uid), 0);
	EXPECT_ERR(ioctl(fd, NS_GET_OWNER_UID, &uid), EINVAL);
	EXPECT_ERR(ioctl(fd, NS_GET_PARENT), EINVAL);
	EXPECT_ERR(open("/proc/self/ns/uts", O_RDWR), EPERM);
}

TEST(ipc_objects_stay_in_their_namespace)
{
	int id = msgget(0x1234567, IPC_CREAT | 0600), status;

	REQUIRE_OK(id);
	if (fork() == 0) {
		REQUIRE_OK(unshare(CLONE_NEWIPC));
		EXPECT_ERR(msgget(0x1234567, 0600), ENOENT);
		EXPECT_OK(msgget(0x1234567, IPC_CREAT | 0600));
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
	EXPECT_OK(msgctl(id, IPC_RMID, NULL));
}

static int lo_flags(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	REQUIRE_OK(fd);
	EXPECT_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	close(fd);
	return r.ifr_flags;
}

static void raise_lo(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	REQUIRE_OK(fd);
	EXPECT_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static int listener(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		return -1;
	return fd;
}

TEST(a_network_namespace_has_its_own_loopback)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "\0csandbox-test" };
	int status, s = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[4];

	REQUIRE_OK(bind(s, (void *)&un, sizeof(un)));
	REQUIRE_OK(listen(s, 1));
	if (fork() == 0) {
		int fd, c, l;

		REQUIRE_OK(unshare(CLONE_NEWNET));
		EXPECT((lo_flags() & IFF_UP) == 0);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_ERR(connect(fd, (void *)&a, sizeof(a)), ENETUNREACH);
		raise_lo();
		EXPECT(lo_flags() & IFF_UP);
		l = listener(7001);
		REQUIRE_OK(l);
		c = socket(AF_INET, SOCK_STREAM, 0);
		REQUIRE_OK(connect(c, (void *)&a, sizeof(a)));
		fd = accept(l, NULL, NULL);
		REQUIRE_OK(fd);
		EXPECT_EQ(write(c, "abc", 3), 3);
		EXPECT_EQ(read(fd, buf, 3), 3);
		/* Abstract names are the network namespace's. */
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		EXPECT_ERR(connect(fd, (void *)&un, sizeof(un)), ECONNREFUSED);
		EXPECT(strstr(text_of("/proc/self/net/dev"), "lo:") != NULL);
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
}

TEST(sockets_keep_their_network_namespace)
{
	int here = ns_open("net"), l, c, status;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7002), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	if (fork() == 0) {
		REQUIRE_OK(unshare(CLONE_NEWNET));
		raise_lo();
		l = listener(7002);
		c = socket(AF_INET, SOCK_STREAM, 0);
		REQUIRE_OK(l);
		REQUIRE_OK(setns(here, CLONE_NEWNET));
		REQUIRE_OK(connect(c, (void *)&a, sizeof(a)));
		EXPECT_OK(accept(l, NULL, NULL));
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
}

/* ---- user namespaces ---- */

static void as_nobody_in_user_ns(void)
{
	char map[64];
	gid_t g;

	REQUIRE_OK(setgroups(0, NULL));
	REQUIRE_OK(setresgid(1000, 1000, 1000));
	REQUIRE_OK(setresuid(1000, 1000, 1000));
	REQUIRE_OK(prctl(PR_SET_DUMPABLE, 1));
	EXPECT_ERR(unshare(CLONE_NEWUTS), EPERM);
	REQUIRE_OK(unshare(CLONE_NEWUSER));
	EXPECT_EQ(getuid(), 65534);
	EXPECT_EQ(getgid(), 65534);
	EXPECT_STR(text_of("/proc/self/uid_map"), "");
	EXPECT_ERR(setuid(0), EINVAL);
	put_proc("/proc/self/setgroups", "deny");
	put_proc("/proc/self/uid_map", "0 1000 1");
	put_proc("/proc/self/gid_map", "0 1000 1");
	EXPECT_EQ(getuid(), 0);
	EXPECT_EQ(geteuid(), 0);
	EXPECT_EQ(getgid(), 0);
	snprintf(map, sizeof(map), "%10u %10u %10u\n", 0, 1000, 1);
	EXPECT_STR(text_of("/proc/self/uid_map"), map);
	EXPECT_STR(text_of("/proc/self/setgroups"), "deny\n");
	g = 0;
	EXPECT_ERR(setgroups(1, &g), EPERM);
	EXPECT_ERR(setuid(5), EINVAL);
	EXPECT_ERR(open("/proc/self/uid_map", O_WRONLY) < 0 ? -1 : write(open("/proc/self/uid_map", O_WRONLY), "0 0 1", 5), EPERM);
	/* All capabilities, but over what belongs to it only. */
	EXPECT_OK(unshare(CLONE_NEWUTS));
	EXPECT_OK(sethostname("mine", 4));
	EXPECT_OK(unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET));
	EXPECT_OK(mount("none", ".", "tmpfs", 0, NULL));
	raise_lo();
}

TEST(a_user_namespace_gives_root_within)
{
	chmod(".", 0777);
	EXPECT_EQ(in_child(as_nobody_in_user_ns), 0);
}

static void foreign_names(void)
{
	REQUIRE_OK(setresgid(1000, 1000, 1000));
	REQUIRE_OK(setresuid(1000, 1000, 1000));
	REQUIRE_OK(prctl(PR_SET_DUMPABLE, 1));
	REQUIRE_OK(unshare(CLONE_NEWUSER));
	put_proc("/proc/self/uid_map", "0 1000 1");
	EXPECT_ERR(sethostname("x", 1), EPERM);
	EXPECT_ERR(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
	EXPECT_ERR(chown("f", 0, -1), EPERM);
	EXPECT_ERR(open("f", O_RDONLY), EACCES);
	EXPECT_ERR(mknod("dev", S_IFCHR | 0600, 0x101), EPERM);
	EXPECT_ERR(kill(getppid(), 0), EPERM);
}

TEST(a_user_namespace_gives_nothing_outside)
{
	chmod(".", 0777);
	put_file("f", "secret");
	chmod("f", 0600);
	EXPECT_EQ(in_child(foreign_names), 0);
}

TEST(owners_are_seen_through_the_map)
{
	struct stat st;
	int to[2], from[2], status;
	pid_t pid;
	char path[64], c;

	put_file("a", "");
	put_file("b", "");
	put_file("c", "");
	EXPECT_OK(chown("a", 100005, 100006));
	EXPECT_OK(chown("b", 5, 6));
	REQUIRE_OK(pipe(to));
	REQUIRE_OK(pipe(from));
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(unshare(CLONE_NEWUSER));
		EXPECT_EQ(write(from[1], "x", 1), 1);
		EXPECT_EQ(read(to[0], &c, 1), 1);
		EXPECT_OK(stat("a", &st));
		EXPECT_EQ(st.st_uid, 5);
		EXPECT_EQ(st.st_gid, 6);
		EXPECT_OK(stat("b", &st));
		EXPECT_EQ(st.st_uid, 65534);
		EXPECT_EQ(st.st_gid, 65534);
		EXPECT_OK(setgid(7));
		EXPECT_OK(setuid(8));
		EXPECT_EQ(getuid(), 8);
		EXPECT_OK(chmod(".", 0777) < 0 ? 0 : 0);
		_exit(test_failures);
	}
	EXPECT_EQ(read(from[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	put_proc(path, "0 100000 1000\n5000 300000 10");
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	put_proc(path, "0 100000 1000\n");
	EXPECT_EQ(write(to[1], "x", 1), 1);
	wait(&status);
	EXPECT_EQ(status, 0);
}

TEST(bad_maps_are_refused)
{
	static const char *const bad[] = {
		"", "0", "0 0", "0 0 0", "a 0 1", "0 0 1 1", "0 0 4294967296", "4294967295 0 1", "0 0 10\n5 20 10\n",
		"0 0 10\n20 5 10\n",
	};
	int to[2], from[2], status;
	char path[64], c;
	pid_t pid;

	REQUIRE_OK(pipe(to));
	REQUIRE_OK(pipe(from));
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(unshare(CLONE_NEWUSER));
		EXPECT_EQ(write(from[1], "x", 1), 1);
		EXPECT_EQ(read(to[0], &c, 1), 1);
		_exit(0);
	}
	EXPECT_EQ(read(from[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	for (size_t i = 1; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = open(path, O_WRONLY);

		EXPECT_ERR(write(fd, bad[i], strlen(bad[i])), EINVAL);
		close(fd);
	}
	EXPECT_EQ(write(to[1], "x", 1), 1);
	wait(&status);
}

static long clone_flags(unsigned long flags)
{
	return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

/* What a plain user opened maps no more when root writes it, and the other way round. */
TEST(a_map_is_judged_by_who_opened_it_too)
{
	int to[2], from[2], status, fd = -1;
	char path[64];
	pid_t pid;

	REQUIRE_OK(pipe(to));
	REQUIRE_OK(pipe(from));
	pid = (pid_t)clone_flags(CLONE_FILES);
	REQUIRE_OK(pid);
	if (pid == 0) {
		REQUIRE_OK(setresgid(1000, 1000, 1000));
		REQUIRE_OK(setresuid(1000, 1000, 1000));
		REQUIRE_OK(prctl(PR_SET_DUMPABLE, 1));
		REQUIRE_OK(unshare(CLONE_NEWUSER));
		fd = open("/proc/self/uid_map", O_WRONLY);
		EXPECT_EQ(write(from[1], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
		EXPECT_EQ(read(to[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
		EXPECT_ERR(write(fd, "0 0 1", 5), EPERM);       /* root opened it, a user writes */
		EXPECT_EQ(write(from[1], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
		EXPECT_EQ(read(to[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
		_exit(test_failures ? 1 : 0);
	}
	EXPECT_EQ(read(from[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	REQUIRE_OK(fd);
	EXPECT_ERR(write(fd, "0 0 1", 5), EPERM);               /* a user opened it, root writes */
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	fd = open(path, O_WRONLY);
	REQUIRE_OK(fd);
	EXPECT_EQ(write(to[1], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	EXPECT_EQ(read(from[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	EXPECT_EQ(write(fd, "0 0 1", 5), 5);
	EXPECT_EQ(write(to[1], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

/* ---- pid namespaces ---- */

TEST(the_first_process_of_a_pid_namespace_is_1)
{
	int p[2], status;
	pid_t pid, inner = 0;
	char path[64];

	REQUIRE_OK(pipe(p));
	pid = (pid_t)clone_flags(CLONE_NEWPID);
	REQUIRE_OK(pid);
	if (pid == 0) {
		pid_t child;

		EXPECT_EQ(getpid(), 1);
		EXPECT_EQ(syscall(SYS_gettid), 1);
		EXPECT_EQ(getppid(), 0);
		EXPECT_EQ(getpgrp(), 0);
		child = fork();
		if (child == 0) {
			EXPECT_EQ(getpid(), 2);
			EXPECT_EQ(getppid(), 1);
			EXPECT_EQ(setsid(), 2);
			EXPECT_EQ(getpgid(0), 2);
			EXPECT_EQ(getsid(1), 0);
			_exit(test_failures + 7);
		}
		EXPECT_EQ(child, 2);
		EXPECT_EQ(wait(&status), 2);
		EXPECT_EQ(WEXITSTATUS(status), 7);
		EXPECT_ERR(kill(3, 0), ESRCH);
		EXPECT_ERR(kill(getpid() + 100, SIGKILL), ESRCH);
		/* It does not die of what it has no handler for, if that comes from inside. */
		EXPECT_OK(kill(1, SIGTERM));
		EXPECT_OK(kill(1, SIGKILL));
		inner = getpid();
		EXPECT_EQ(write(p[1], &inner, sizeof(inner)), (ssize_t)sizeof(inner));
		_exit(test_failures);
	}
	EXPECT_EQ(read(p[0], &inner, sizeof(inner)), (ssize_t)sizeof(inner));
	EXPECT_EQ(inner, 1);
	EXPECT(pid != 1);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	EXPECT_OK(access(path, F_OK));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(a_pid_namespace_dies_with_its_first_process)
{
	int p[2], status;
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	pid = (pid_t)clone_flags(CLONE_NEWPID);
	if (pid == 0) {
		close(p[0]);
		for (int i = 0; i < 3; i++)
			if (fork() == 0)
				for (;;)
					pause();
		_exit(0);
	}
	close(p[1]);
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(read(p[0], &c, 1), 0);        /* the others have closed it: they are gone */
}

/* Only where it is sure that the namespace is a new one: number 1, and the caller's parent or itself has it. */
TEST(rebooting_ends_the_pid_namespace)
{
	static const struct { int cmd, sig; } ends[] = {
		{ RB_POWER_OFF, SIGINT }, { RB_HALT_SYSTEM, SIGINT }, { RB_AUTOBOOT, SIGHUP },
	};
	int status;

	for (size_t i = 0; i < 2 * sizeof(ends) / sizeof(ends[0]); i++) {
		pid_t pid = (pid_t)clone_flags(CLONE_NEWPID);

		REQUIRE_OK(pid);
		if (pid == 0) {
			if (getpid() != 1)
				_exit(3);
			EXPECT_ERR(reboot(RB_ENABLE_CAD), EINVAL);
			EXPECT_ERR(syscall(SYS_reboot, 1, 2, RB_POWER_OFF, NULL), EINVAL);
			if (test_failures)
				_exit(4);
			if (i % 2 == 0 || fork() == 0)
				if (getpid() == 1 || getppid() == 1)
					reboot(ends[i / 2].cmd);
			for (;;)
				pause();
		}
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(status, ends[i / 2].sig);
	}
}

TEST(signals_from_above_reach_the_first_process)
{
	pid_t pid = (pid_t)clone_flags(CLONE_NEWPID);
	int status;

	if (pid == 0)
		for (;;)
			pause();
	EXPECT_OK(kill(pid, SIGTERM));          /* ignored: it has no handler */
	sleep_ms(20);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, SIGKILL);
}

static volatile sig_atomic_t sender = -1;

static void note_sender(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	sender = si->si_pid;
}

TEST(senders_outside_have_no_number)
{
	struct sigaction sa = { .sa_sigaction = note_sender, .sa_flags = SA_SIGINFO };
	int p[2], status;
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	sigaction(SIGUSR1, &sa, NULL);
	pid = (pid_t)clone_flags(CLONE_NEWPID);
	if (pid == 0) {
		EXPECT_EQ(write(p[1], "x", 1), 1);
		while (sender < 0)
			usleep(1000);
		_exit(sender);
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_OK(kill(pid, SIGUSR1));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(proc_shows_the_pid_namespace_it_was_mounted_in)
{
	pid_t pid = (pid_t)clone_flags(CLONE_NEWPID | CLONE_NEWNS);
	int status;

	if (pid == 0) {
		char buf[16];
		ssize_t n;

		REQUIRE_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
		mkdir("proc", 0755);
		REQUIRE_OK(mount("proc", "proc", "proc", 0, NULL));
		n = readlink("proc/self", buf, sizeof(buf));
		EXPECT(n == 1 && buf[0] == '1');
		EXPECT_ERR(access("proc/2", F_OK), ENOENT);
		EXPECT(strstr(text_of("proc/1/status"), "\nPid:\t1\nPPid:\t0\n") != NULL);
		EXPECT(strstr(text_of("proc/1/status"), "\nNSpid:\t1\n") != NULL);
		EXPECT(strncmp(text_of("proc/self/stat"), "1 (", 3) == 0);
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(unshare_moves_the_children_to_come)
{
	uint64_t mine = ns_ino("pid");
	int status;
	pid_t pid;

	if (fork() == 0) {
		REQUIRE_OK(unshare(CLONE_NEWPID));
		EXPECT_EQ(ns_ino("pid"), mine);
		pid = fork();
		if (pid == 0)
			_exit(getpid() == 1 ? 3 : 4);
		EXPECT_EQ(waitpid(pid, &status, 0), pid);
		EXPECT_EQ(WEXITSTATUS(status), 3);
		/* Its first process has died: nobody may be born there. */
		EXPECT_ERR(fork(), ENOMEM);
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
}

TEST(setns_enters_a_pid_namespace)
{
	pid_t pid = (pid_t)clone_flags(CLONE_NEWPID), child;
	char path[64];
	int fd, status;

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	fd = open(path, O_RDONLY);
	REQUIRE_OK(fd);
	REQUIRE_OK(setns(fd, CLONE_NEWPID));
	child = fork();
	if (child == 0)
		_exit(getpid());
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(WEXITSTATUS(status), 2);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST(nested_pid_namespaces_number_each_level)
{
	pid_t pid = (pid_t)clone_flags(CLONE_NEWPID);
	int status;

	if (pid == 0) {
		pid_t in = fork();

		if (in == 0)
			_exit(0);
		waitpid(in, &status, 0);
		in = (pid_t)clone_flags(CLONE_NEWPID);
		if (in == 0)
			_exit(getpid() == 1 ? 0 : 1);
		EXPECT_EQ(in, 3);
		EXPECT_EQ(waitpid(in, &status, 0), 3);
		EXPECT_EQ(status, 0);
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(a_pidfd_leads_to_all_namespaces)
{
	pid_t pid = (pid_t)clone_flags(CLONE_NEWUTS | CLONE_NEWIPC);
	char path[64];
	struct stat a;
	int fd, status;

	if (pid == 0)
		for (;;)
			pause();
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	REQUIRE_OK(fd);
	EXPECT_OK(setns(fd, CLONE_NEWUTS | CLONE_NEWIPC));
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	EXPECT_OK(stat(path, &a));
	EXPECT_EQ(a.st_ino, ns_ino("uts"));
	EXPECT_ERR(setns(fd, 0), EINVAL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

TEST(flags_that_exclude_each_other)
{
	EXPECT_ERR(clone_flags(CLONE_NEWNS | CLONE_FS), EINVAL);
	EXPECT_ERR(clone_flags(CLONE_NEWUSER | CLONE_FS), EINVAL);
	EXPECT_ERR(clone_flags(CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM), EINVAL);
	EXPECT_ERR(unshare(0x1), EINVAL);
}

static void maze(void)
{
	for (int i = 0; i < 40; i++)
		if (unshare(CLONE_NEWUSER) < 0) {
			EXPECT(i >= 30 || errno == EPERM);
			return;
		}
}

TEST(user_namespaces_nest_to_a_limit)
{
	EXPECT_EQ(in_child(maze), 0);
}

TEST(a_namespace_file_can_be_mounted)
{
	int status;

	if (fork() == 0) {
		struct stat st;
		int fd;

		REQUIRE_OK(unshare(CLONE_NEWNS));
		REQUIRE_OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
		put_file("uts", "");
		REQUIRE_OK(unshare(CLONE_NEWUTS));
		REQUIRE_OK(mount("/proc/self/ns/uts", "uts", NULL, MS_BIND, NULL));
		EXPECT_OK(stat("uts", &st));
		EXPECT_EQ(st.st_ino, ns_ino("uts"));
		EXPECT_OK(sethostname("kept", 4));
		REQUIRE_OK(unshare(CLONE_NEWUTS));
		EXPECT_OK(sethostname("left", 4));
		fd = open("uts", O_RDONLY);
		EXPECT_OK(setns(fd, 0));
		EXPECT_STR(text_of("/proc/sys/kernel/hostname"), "kept\n");
		_exit(test_failures);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
}

/* Names of what stayed in the old one: links of /proc have no word for that, only getcwd has. */
static void keep_old_mounts(void)
{
	char before[4096] = "", after[4096] = "", link[64];
	int fd = open("/", O_PATH | O_DIRECTORY);

	REQUIRE(readlink("/proc/self/exe", before, sizeof(before) - 1) > 0);
	REQUIRE_OK(unshare(CLONE_NEWNS));
	REQUIRE(readlink("/proc/self/exe", after, sizeof(after) - 1) > 0);
	EXPECT_STR(after, before);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	EXPECT_EQ(readlink(link, after, sizeof(after)), 1);
	REQUIRE_OK(fchdir(fd));
	memset(after, 0, sizeof(after));
	EXPECT(syscall(SYS_getcwd, after, sizeof(after)) > 0);
	EXPECT(strncmp(after, "(unreachable)", 13) == 0);
}

TEST(what_another_mount_namespace_has_keeps_its_name)
{
	EXPECT_EQ(in_child(keep_old_mounts), 0);
}

TEST(there_are_no_more_namespaces_than_allowed)
{
	int fd = open("/proc/sys/user/max_uts_namespaces", O_RDWR);
	char old[16];
	ssize_t n;

	if (fd < 0)
		SKIP("read-only /proc/sys");
	n = read(fd, old, sizeof(old));
	REQUIRE(n > 0);
	EXPECT_ERR(pwrite(fd, "many", 4, 0), EINVAL);
	REQUIRE(pwrite(fd, "0\n", 2, 0) == 2);
	EXPECT_ERR(unshare(CLONE_NEWUTS), ENOSPC);
	EXPECT_EQ(pwrite(fd, old, (size_t)n, 0), n);
	EXPECT_OK(unshare(CLONE_NEWUTS));
}

TEST_MAIN()
