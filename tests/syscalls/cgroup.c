/*
 * cgroup.c - control groups, version 2: the tree, who is in it, what its files take; namespaces of it.
 *
 * Each test mounts the hierarchy in a mount namespace of its own and makes one group below the root, in which
 * it does everything.
 */
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include "tests/lib/harness.h"

static char top[64];            /* the name of the test's own group, in the working directory */

static void make_top(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("cg", 0755));
	if (mount("none", "cg", "cgroup2", 0, NULL) < 0)
		SKIP("no cgroup2");
	REQUIRE_OK(chdir("cg"));
	snprintf(top, sizeof(top), "test-%d", getpid());
	if (mkdir(top, 0755) < 0)
		SKIP("no right to make groups");
	REQUIRE_OK(chdir(top));
}

static const char *content(const char *name)
{
	static char out[4096];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, out, sizeof(out) - 1);

	close(fd);
	out[n > 0 ? n : 0] = 0;
	return n < 0 ? "?" : out;
}

static int put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY), r;

	if (fd < 0)
		return -1;
	r = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
	close(fd);
	return r;
}

/* Out of it, and away with it. */
static void drop_top(void)
{
	(void)!chdir("..");
	(void)!put("cgroup.procs", "0");
	EXPECT_OK(rmdir(top));
}

/* The path of version 2 in /proc/self/cgroup. */
static const char *own_group(void)
{
	static char line[512];
	const char *all = content("/proc/self/cgroup"), *p = strstr(all, "0::");

	snprintf(line, sizeof(line), "%s", p ? p + 3 : "?");
	line[strcspn(line, "\n")] = 0;
	return line;
}

static const char *name_of(const char *sub)
{
	static char out[128];

	snprintf(out, sizeof(out), "/%s%s", top, sub);
	return out;
}

/* A child that has joined the group of @name (NULL: is in ours) and waits until its pipe is closed. */
static pid_t waiting_child(const char *name, int *ret_end)
{
	int p[2], there[2];
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	REQUIRE_OK(pipe(there));
	pid = fork();
	REQUIRE_OK(pid);
	if (pid == 0) {
		close(p[1]);
		if (name && put(name, "0") < 0)
			_exit(2);
		(void)!write(there[1], "x", 1);
		while (read(p[0], &c, 1) > 0)
			;
		_exit(0);
	}
	close(p[0]);
	close(there[1]);
	EXPECT_EQ(read(there[0], &c, 1), 1);
	close(there[0]);
	*ret_end = p[1];
	return pid;
}

TEST(a_group_is_a_directory_with_files)
{
	struct stat st;

	make_top();
	EXPECT_OK(mkdir("a", 0700));
	EXPECT_OK(stat("a", &st));
	EXPECT_EQ(st.st_mode, (mode_t)(S_IFDIR | 0700));
	EXPECT_STR(content("a/cgroup.events"), "populated 0\nfrozen 0\n");
	EXPECT_STR(content("a/cgroup.procs"), "");
	EXPECT_STR(content("a/cgroup.type"), "domain\n");
	EXPECT_STR(content("a/cgroup.max.depth"), "max\n");
	EXPECT_STR(content("a/cgroup.subtree_control"), "");
	EXPECT_OK(stat("a/cgroup.kill", &st));
	EXPECT_EQ(st.st_mode, (mode_t)(S_IFREG | 0200));
	EXPECT(strstr(content("cgroup.stat"), "nr_descendants 1\n") != NULL);
	EXPECT(strstr(content("a/cpu.stat"), "usage_usec 0\n") != NULL);
	EXPECT_ERR(mkdir("a", 0755), EEXIST);
	EXPECT_ERR(mkdir("cgroup.procs", 0755), EEXIST);
	EXPECT_ERR(mkdir("b\nc", 0755), EINVAL);
	EXPECT_ERR(unlink("a/cgroup.procs"), EPERM);
	EXPECT_ERR(rmdir("a/cgroup.procs"), ENOTDIR);
	EXPECT_ERR(symlink("x", "y"), EPERM);
	EXPECT_ERR(open("y", O_CREAT | O_WRONLY, 0644), EACCES);
	EXPECT_OK(mkdir("a/b", 0755));
	EXPECT_ERR(rmdir("a"), EBUSY);
	EXPECT_OK(rmdir("a/b"));
	EXPECT_OK(rmdir("a"));
	EXPECT_ERR(stat("a", &st), ENOENT);
	EXPECT_ERR(stat("a/cgroup.procs", &st), ENOENT);
	drop_top();
}

TEST(a_process_is_in_one_group)
{
	char path[160], pid[32];
	int end, status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	EXPECT_OK(put("a/cgroup.procs", "0"));
	EXPECT_STR(own_group(), name_of("/a"));
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	EXPECT_STR(content("a/cgroup.procs"), pid);
	EXPECT_STR(content("a/cgroup.threads"), pid);
	EXPECT_STR(content("a/cgroup.events"), "populated 1\nfrozen 0\n");
	EXPECT_STR(content("cgroup.events"), "populated 1\nfrozen 0\n");
	EXPECT_STR(content("cgroup.procs"), "");
	EXPECT_ERR(rmdir("a"), EBUSY);
	child = waiting_child(NULL, &end);              /* inherits it */
	snprintf(path, sizeof(path), "%d", child);
	EXPECT_OK(put("b/cgroup.procs", path));
	snprintf(pid, sizeof(pid), "%d\n", child);
	EXPECT_STR(content("b/cgroup.procs"), pid);
	close(end);
	EXPECT_EQ(waitid(P_PID, (id_t)child, NULL, WEXITED | WNOWAIT), 0);
	/* A zombie is in nobody's way, and remembers. */
	EXPECT_STR(content("b/cgroup.procs"), "");
	EXPECT_STR(content("b/cgroup.events"), "populated 0\nfrozen 0\n");
	EXPECT_OK(rmdir("b"));
	snprintf(path, sizeof(path), "/proc/%d/cgroup", child);
	EXPECT(strstr(content(path), "/b (deleted)\n") != NULL);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_OK(put("cgroup.procs", "0"));
	EXPECT_STR(own_group(), name_of(""));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(what_the_files_refuse)
{
	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	EXPECT_ERR(put("a/cgroup.procs", "x"), EINVAL);
	EXPECT_ERR(put("a/cgroup.procs", "-1"), EINVAL);
	EXPECT_ERR(put("a/cgroup.procs", "4194303"), ESRCH);
	EXPECT_ERR(put("a/cgroup.subtree_control", "+nosuch"), EINVAL);
	EXPECT_ERR(put("a/cgroup.subtree_control", "pids"), EINVAL);
	EXPECT_ERR(put("a/cgroup.type", "domain"), EINVAL);
	EXPECT_ERR(put("a/cgroup.kill", "2"), ERANGE);
	EXPECT_ERR(put("a/cgroup.kill", "x"), EINVAL);
	EXPECT_ERR(put("a/cgroup.max.depth", "-1"), ERANGE);
	EXPECT_ERR(put("a/cgroup.max.depth", "few"), EINVAL);
	EXPECT_ERR(put("a/cgroup.events", "1"), EINVAL);
	EXPECT_ERR(put("a/cgroup.stat", "1"), EINVAL);
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(trees_are_bounded)
{
	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	EXPECT_OK(put("a/cgroup.max.depth", "1"));
	EXPECT_STR(content("a/cgroup.max.depth"), "1\n");
	EXPECT_OK(mkdir("a/b", 0755));
	EXPECT_ERR(mkdir("a/b/c", 0755), EAGAIN);
	EXPECT_OK(put("a/cgroup.max.depth", "max\n"));
	EXPECT_OK(put("a/cgroup.max.descendants", "1"));
	EXPECT_ERR(mkdir("a/c", 0755), EAGAIN);
	EXPECT_ERR(mkdir("a/b/c", 0755), EAGAIN);
	EXPECT_OK(rmdir("a/b"));
	EXPECT_OK(mkdir("a/c", 0755));
	EXPECT_OK(rmdir("a/c"));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(a_removed_group_is_gone_for_its_holders)
{
	char buf[64];
	int dir, procs;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	dir = open("a", O_RDONLY | O_DIRECTORY);
	procs = open("a/cgroup.procs", O_RDWR);
	REQUIRE_OK(dir);
	REQUIRE_OK(procs);
	EXPECT_OK(rmdir("a"));
	EXPECT_ERR(read(procs, buf, sizeof(buf)), ENODEV);
	EXPECT_ERR(write(procs, "0", 1), ENODEV);
	EXPECT_ERR(openat(dir, "cgroup.procs", O_RDONLY), ENOENT);
	EXPECT_ERR(mkdirat(dir, "b", 0755), ENOENT);
	drop_top();
}

TEST(watchers_hear_of_the_last_process)
{
	struct pollfd pfd = { .events = POLLIN };
	struct inotify_event ev;
	int end, wd, status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	pfd.fd = inotify_init1(IN_NONBLOCK);
	REQUIRE_OK(pfd.fd);
	wd = inotify_add_watch(pfd.fd, "a/cgroup.events", IN_MODIFY);
	REQUIRE_OK(wd);
	child = waiting_child("a/cgroup.procs", &end);
	EXPECT_EQ(poll(&pfd, 1, -1), 1);
	EXPECT_EQ(read(pfd.fd, &ev, sizeof(ev)), (ssize_t)sizeof(ev));
	EXPECT_EQ(ev.wd, wd);
	EXPECT_EQ(ev.mask, (uint32_t)IN_MODIFY);
	EXPECT_STR(content("a/cgroup.events"), "populated 1\nfrozen 0\n");
	close(end);
	EXPECT_EQ(poll(&pfd, 1, -1), 1);
	EXPECT_EQ(read(pfd.fd, &ev, sizeof(ev)), (ssize_t)sizeof(ev));
	EXPECT_EQ(ev.mask, (uint32_t)IN_MODIFY);
	EXPECT_STR(content("a/cgroup.events"), "populated 0\nfrozen 0\n");
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(killing_a_group_kills_those_below)
{
	int end, end2, status;
	pid_t a, b;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("a/b", 0755));
	a = waiting_child("a/cgroup.procs", &end);
	b = waiting_child("a/b/cgroup.procs", &end2);
	EXPECT_OK(put("a/cgroup.kill", "1"));
	EXPECT_EQ(waitpid(a, &status, 0), a);
	EXPECT_EQ(status, SIGKILL);
	EXPECT_EQ(waitpid(b, &status, 0), b);
	EXPECT_EQ(status, SIGKILL);
	EXPECT_OK(rmdir("a/b"));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

static pid_t clone_into(int fd, uint64_t more)
{
	struct clone_args c = { .flags = CLONE_INTO_CGROUP | more, .exit_signal = more ? 0 : SIGCHLD };

	c.cgroup = (uint64_t)fd;
	return (pid_t)syscall(SYS_clone3, &c, sizeof(c));
}

TEST(a_child_is_made_in_another_group)
{
	int dir, null, status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	dir = open("a", O_RDONLY | O_DIRECTORY);
	null = open("/dev/null", O_RDONLY);
	REQUIRE_OK(dir);
	EXPECT_ERR(clone_into(BAD_FD, 0), EBADF);
	EXPECT_ERR(clone_into(null, 0), EBADF);
	child = clone_into(dir, 0);
	REQUIRE_OK(child);
	if (child == 0)
		_exit(strcmp(own_group(), name_of("/a")) ? 1 : 0);
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_OK(rmdir("a"));
	EXPECT_ERR(clone_into(dir, 0), ENOENT);
	drop_top();
}

TEST(a_namespace_begins_where_one_is)
{
	char outside[160];
	int end, status;
	pid_t other, child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	other = waiting_child("b/cgroup.procs", &end);
	child = fork();
	REQUIRE_OK(child);
	if (child == 0) {
		test_failures = 0;
		EXPECT_OK(put("a/cgroup.procs", "0"));
		EXPECT_OK(unshare(CLONE_NEWCGROUP));
		EXPECT_STR(own_group(), "/");
		snprintf(outside, sizeof(outside), "/proc/%d/cgroup", other);
		EXPECT(strstr(content(outside), "0::/../b\n") != NULL);
		EXPECT_OK(mkdir("a/c", 0755));
		EXPECT_OK(put("a/c/cgroup.procs", "0"));
		EXPECT_STR(own_group(), "/c");
		REQUIRE_OK(chdir("/tmp"));
		REQUIRE_OK(mkdir("ns", 0755));
		EXPECT_OK(mount("none", "ns", "cgroup2", 0, NULL));
		EXPECT_OK(access("ns/c/cgroup.procs", F_OK));
		EXPECT_ERR(access("ns/b", F_OK), ENOENT);
		EXPECT_OK(umount("ns"));
		EXPECT_OK(rmdir("ns"));
		_exit(test_failures ? 1 : 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	close(end);
	EXPECT_EQ(waitpid(other, &status, 0), other);
	EXPECT_OK(rmdir("a/c"));
	EXPECT_OK(rmdir("a"));
	EXPECT_OK(rmdir("b"));
	drop_top();
}

/* Who owns a group may move processes within it, and neither in nor out. */
TEST(a_group_can_be_given_away)
{
	int status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("a/b", 0755));
	EXPECT_OK(chown("a", 1000, 1000));
	EXPECT_OK(chown("a/cgroup.procs", 1000, 1000));
	EXPECT_OK(chmod("a/cgroup.procs", 0600));
	EXPECT_OK(chown("a/b/cgroup.procs", 1000, 1000));
	child = fork();
	REQUIRE_OK(child);
	if (child == 0) {
		test_failures = 0;
		EXPECT_OK(put("a/cgroup.procs", "0"));
		REQUIRE_OK(setgid(1000));
		REQUIRE_OK(setuid(1000));
		EXPECT_OK(put("a/b/cgroup.procs", "0"));
		EXPECT_OK(mkdir("a/c", 0755));
		EXPECT_OK(put("a/c/cgroup.procs", "0"));
		EXPECT_ERR(put("cgroup.procs", "0"), EACCES);
		EXPECT_ERR(mkdir("d", 0755), EACCES);
		_exit(test_failures ? 1 : 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	child = fork();
	REQUIRE_OK(child);
	if (child == 0) {
		test_failures = 0;
		REQUIRE_OK(setgid(1000));
		REQUIRE_OK(setuid(1000));
		EXPECT_ERR(put("a/cgroup.procs", "0"), EACCES);
		_exit(test_failures ? 1 : 0);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_OK(rmdir("a/b"));
	EXPECT_OK(rmdir("a/c"));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

/* What a plain user opened moves nobody out of root's groups when root writes it. */
TEST(a_move_is_judged_by_who_opened_the_file)
{
	int p[2], fd = -1, status;
	pid_t child;

	make_top();
	REQUIRE_OK(pipe(p));
	REQUIRE_OK(mkdir("a", 0755));
	EXPECT_OK(chown("a/cgroup.procs", 1000, 1000));
	EXPECT_OK(put("cgroup.procs", "0"));
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	REQUIRE_OK(child);
	if (child == 0) {
		REQUIRE_OK(setgid(1000));
		REQUIRE_OK(setuid(1000));
		fd = open("a/cgroup.procs", O_WRONLY);
		_exit(write(p[1], &fd, sizeof(fd)) == sizeof(fd) ? 0 : 1);
	}
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(read(p[0], &fd, sizeof(fd)), (ssize_t)sizeof(fd));
	REQUIRE_OK(fd);
	EXPECT_ERR(write(fd, "0", 1), EACCES);
	EXPECT_STR(own_group(), name_of(""));
	EXPECT_OK(put("a/cgroup.procs", "0"));
	EXPECT_OK(put("cgroup.procs", "0"));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

/* ---- cgroup.freeze ---- */

/* Until the file of that group tells @text: each change of it is an event. */
static void wait_events(const char *name, const char *text)
{
	struct pollfd pfd = { .fd = inotify_init1(IN_NONBLOCK), .events = POLLIN };
	char buf[4096];

	REQUIRE_OK(pfd.fd);
	REQUIRE_OK(inotify_add_watch(pfd.fd, name, IN_MODIFY));
	while (strcmp(content(name), text)) {
		EXPECT_EQ(poll(&pfd, 1, -1), 1);
		EXPECT(read(pfd.fd, buf, sizeof(buf)) > 0);
	}
	close(pfd.fd);
}

#define FROZEN "populated 1\nfrozen 1\n"
#define THAWED "populated 1\nfrozen 0\n"

static volatile uint64_t *counter;

static void *count(void *arg)
{
	for (;;)
		__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
	return arg;
}

/* In that group: one thread that counts in @counter, another that waits for a signal. */
static pid_t counting_child(const char *name)
{
	pthread_t th;
	pid_t pid;

	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(counter != MAP_FAILED);
	pid = fork();
	REQUIRE_OK(pid);
	if (pid == 0) {
		if (put(name, "0") < 0 || pthread_create(&th, NULL, count, NULL))
			_exit(2);
		for (;;)
			pause();
	}
	while (!*counter)
		sched_yield();
	return pid;
}

/* It counts on, for whoever waits for it. */
static void expect_counting(void)
{
	uint64_t was = *counter;

	while (*counter == was)
		sched_yield();
}

static void expect_rest(void)
{
	uint64_t was = *counter;

	for (int i = 0; i < 1000; i++)
		sched_yield();
	EXPECT_EQ(*counter, was);
}

static void end_child(pid_t pid)
{
	int status;

	EXPECT_OK(kill(pid, SIGKILL));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, SIGKILL);
}

TEST(a_frozen_group_does_not_run)
{
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	EXPECT_STR(content("a/cgroup.freeze"), "0\n");
	EXPECT_ERR(put("a/cgroup.freeze", "2"), ERANGE);
	EXPECT_ERR(put("a/cgroup.freeze", "-1"), ERANGE);
	EXPECT_ERR(put("a/cgroup.freeze", "x"), EINVAL);
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	EXPECT_STR(content("a/cgroup.events"), "populated 0\nfrozen 1\n");
	EXPECT_OK(put("a/cgroup.freeze", "0"));
	EXPECT_STR(content("a/cgroup.events"), "populated 0\nfrozen 0\n");
	child = counting_child("a/cgroup.procs");
	for (int i = 0; i < 3; i++) {
		EXPECT_OK(put("a/cgroup.freeze", "1"));
		wait_events("a/cgroup.events", FROZEN);
		EXPECT_STR(content("a/cgroup.freeze"), "1\n");
		expect_rest();
		EXPECT_OK(kill(child, SIGCHLD));
		expect_rest();
		EXPECT_OK(put("a/cgroup.freeze", "0"));
		wait_events("a/cgroup.events", THAWED);
		expect_counting();
	}
	end_child(child);
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(what_is_below_a_frozen_group_is_frozen_with_it)
{
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("a/b", 0755));
	child = counting_child("a/b/cgroup.procs");
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	wait_events("a/b/cgroup.events", FROZEN);
	wait_events("a/cgroup.events", FROZEN);
	expect_rest();
	EXPECT_STR(content("a/b/cgroup.freeze"), "0\n");
	EXPECT_OK(mkdir("a/c", 0755));
	EXPECT_STR(content("a/c/cgroup.events"), "populated 0\nfrozen 1\n");
	EXPECT_OK(rmdir("a/c"));
	EXPECT_OK(put("a/b/cgroup.freeze", "1"));
	EXPECT_OK(put("a/cgroup.freeze", "0"));
	wait_events("a/cgroup.events", THAWED);
	EXPECT_STR(content("a/b/cgroup.events"), FROZEN);
	expect_rest();
	EXPECT_OK(put("a/b/cgroup.freeze", "0"));
	expect_counting();
	end_child(child);
	EXPECT_OK(rmdir("a/b"));
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST(who_comes_into_a_frozen_group_freezes)
{
	char pid[32];
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	child = counting_child("b/cgroup.procs");
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	snprintf(pid, sizeof(pid), "%d", child);
	EXPECT_OK(put("a/cgroup.procs", pid));
	wait_events("a/cgroup.events", FROZEN);
	expect_rest();
	EXPECT_OK(put("b/cgroup.procs", pid));
	EXPECT_STR(content("a/cgroup.events"), "populated 0\nfrozen 1\n");
	expect_counting();
	end_child(child);
	EXPECT_OK(rmdir("a"));
	EXPECT_OK(rmdir("b"));
	drop_top();
}

/* Killed, it ends; one that is stopped counts as frozen, and stays so when it is continued. */
TEST(frozen_processes_can_be_killed_and_stopped)
{
	int dir, status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	child = counting_child("a/cgroup.procs");
	EXPECT_OK(kill(child, SIGSTOP));
	EXPECT_EQ(waitpid(child, &status, WUNTRACED), child);
	EXPECT_STR(content("a/cgroup.events"), THAWED);
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	wait_events("a/cgroup.events", FROZEN);
	EXPECT_OK(kill(child, SIGCONT));
	wait_events("a/cgroup.events", FROZEN);
	expect_rest();
	EXPECT_OK(put("a/cgroup.freeze", "0"));
	expect_counting();
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	wait_events("a/cgroup.events", FROZEN);
	end_child(child);
	wait_events("a/cgroup.events", "populated 0\nfrozen 1\n");
	dir = open("a", O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(dir);
	child = clone_into(dir, 0);
	REQUIRE_OK(child);
	if (child == 0)
		_exit(3);
	wait_events("a/cgroup.events", FROZEN);
	EXPECT_EQ(waitpid(child, &status, WNOHANG), 0);
	EXPECT_OK(put("a/cgroup.freeze", "0"));
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 3 << 8);
	EXPECT_OK(rmdir("a"));
	drop_top();
}

/* A child of vfork keeps its parent waiting: both are frozen. */
TEST(a_parent_that_waits_for_its_vfork_child_is_frozen)
{
	int status;
	pid_t child;

	make_top();
	REQUIRE_OK(mkdir("a", 0755));
	counter = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(counter != MAP_FAILED);
	child = fork();
	REQUIRE_OK(child);
	if (child == 0) {
		if (put("a/cgroup.procs", "0") < 0)
			_exit(2);
		if (vfork() == 0) {
			while (counter[1] == 0)
				__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
			_exit(0);
		}
		_exit(0);
	}
	while (!*counter)
		sched_yield();
	EXPECT_OK(put("a/cgroup.freeze", "1"));
	wait_events("a/cgroup.events", FROZEN);
	expect_rest();
	counter[1] = 1;
	EXPECT_OK(put("a/cgroup.freeze", "0"));
	EXPECT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	wait_events("a/cgroup.events", "populated 0\nfrozen 0\n");
	EXPECT_OK(rmdir("a"));
	drop_top();
}

TEST_MAIN()
