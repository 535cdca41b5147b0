/* Landlock: rulesets, rights on files by place, moves between directories, ioctls, ports, inheritance, hostile arguments. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include "tests/lib/harness.h"

#define EXECUTE     0x0001u
#define WRITE_FILE  0x0002u
#define READ_FILE   0x0004u
#define READ_DIR    0x0008u
#define REMOVE_DIR  0x0010u
#define REMOVE_FILE 0x0020u
#define MAKE_DIR    0x0080u
#define MAKE_REG    0x0100u
#define MAKE_SOCK   0x0200u
#define MAKE_FIFO   0x0400u
#define MAKE_SYM    0x1000u
#define REFER       0x2000u
#define TRUNCATE    0x4000u
#define IOCTL_DEV   0x8000u
#define ALL         0x7fffu

struct ruleset { uint64_t fs, net, more; };
struct beneath { uint64_t access; int32_t fd; } __attribute__((packed));
struct port { uint64_t access, port; };

static int create(uint64_t fs, uint64_t net)
{
	struct ruleset r = { fs, net, 0 };

	return (int)syscall(444, &r, net ? 16 : 8, 0);
}

static void need(int version)
{
	if (syscall(444, NULL, 0, 1) < version)
		SKIP("no landlock of this version");
}

static long add_path(int set, const char *path, uint64_t access)
{
	struct beneath b = { access, open(path, O_PATH) };
	long r = syscall(445, set, 1, &b, 0);
	int e = errno;

	close(b.fd);
	errno = e;
	return r;
}

static void restrict_to(int set)
{
	REQUIRE_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	REQUIRE_OK(syscall(446, set, 0));
}

static void tree(void)
{
	REQUIRE_OK(mkdir("a", 0755));
	REQUIRE_OK(mkdir("a/in", 0755));
	REQUIRE_OK(mkdir("b", 0755));
	put_file("a/f", "one");
	put_file("a/in/g", "two");
	put_file("b/h", "three");
}

static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST(arguments_of_create_are_checked)
{
	struct { uint64_t fs, net, scoped, more[20]; } r = { READ_FILE, 0, 0, { 0 } };

	need(1);
	EXPECT_ERR(syscall(444, &r, 7, 0), EINVAL);
	EXPECT_ERR(syscall(444, &r, 4097, 0), E2BIG);
	EXPECT_ERR(syscall(444, BAD_PTR, 8, 0), EFAULT);
	EXPECT_ERR(syscall(444, NULL, 8, 0), EFAULT);
	EXPECT_ERR(syscall(444, NULL, 7, 0), EFAULT);
	EXPECT_ERR(syscall(444, NULL, 4097, 0), EFAULT);
	EXPECT_ERR(syscall(444, NULL, 8, 1), EINVAL);
	EXPECT_ERR(syscall(444, &r, 0, 2), EINVAL);
	EXPECT_ERR(syscall(444, NULL, 8, 2), EINVAL);
	EXPECT_ERR(syscall(444, NULL, 0, 3), EINVAL);
	EXPECT_ERR(syscall(444, &r, 8, 0x80000000), EINVAL);
	EXPECT_ERR(syscall(444, &r, 8, 1), EINVAL);
	EXPECT_ERR(create(0, 0), ENOMSG);
	EXPECT_ERR(create(1ull << 40, 0), EINVAL);
	EXPECT_OK(syscall(444, &r, 80, 0));
	r.more[5] = 1;
	EXPECT_ERR(syscall(444, &r, 80, 0), E2BIG);
	EXPECT_OK(syscall(444, &r, 8, 0));
	EXPECT_EQ(fcntl(create(READ_FILE, 0), F_GETFD), FD_CLOEXEC);
}

TEST(arguments_of_a_rule_are_checked)
{
	int set, p[2];
	struct beneath b = { READ_FILE, -1 };

	need(1);
	tree();
	set = create(READ_FILE | READ_DIR, 0);
	REQUIRE_OK(pipe(p));
	EXPECT_ERR(syscall(445, set, 1, &b, 1), EINVAL);
	EXPECT_ERR(syscall(445, BAD_FD, 1, &b, 0), EBADF);
	EXPECT_ERR(syscall(445, p[0], 1, &b, 0), EBADFD);
	EXPECT_ERR(syscall(445, set, 0, &b, 0), EINVAL);
	EXPECT_ERR(syscall(445, set, 77, &b, 0), EINVAL);
	EXPECT_ERR(syscall(445, set, 1, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(syscall(445, set, 1, &b, 0), EBADF);
	b.fd = p[0];
	EXPECT_ERR(syscall(445, set, 1, &b, 0), EBADFD);
	b.fd = set;
	EXPECT_ERR(syscall(445, set, 1, &b, 0), EBADFD);
	/* What only the kernel mounts; told before that it is no directory. */
	EXPECT_ERR(add_path(set, "/proc/self/ns/mnt", READ_FILE), EBADFD);
	EXPECT_ERR(add_path(set, "/proc/self/ns/mnt", READ_DIR), EBADFD);
	EXPECT_ERR(add_path(set, "a", 0), ENOMSG);
	EXPECT_ERR(add_path(set, "a", READ_FILE | WRITE_FILE), EINVAL);
	EXPECT_ERR(add_path(set, "a/f", READ_DIR), EINVAL);
	EXPECT_OK(add_path(set, "a/f", READ_FILE));
	EXPECT_OK(add_path(set, "a", READ_FILE | READ_DIR));
}

static void unprivileged(void)
{
	int set = create(READ_FILE, 0);

	REQUIRE_OK(setuid(65534));
	EXPECT_ERR(syscall(446, set, 0), EPERM);
	REQUIRE_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EXPECT_OK(syscall(446, set, 0));
}

TEST(restricting_needs_no_new_privs_or_the_capability)
{
	int p[2];

	need(1);
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(in_child(unprivileged), 0);
	EXPECT_ERR(syscall(446, create(READ_FILE, 0), 0x80000000), EINVAL);
	EXPECT_ERR(syscall(446, BAD_FD, 0), EBADF);
	EXPECT_ERR(syscall(446, p[0], 0), EBADFD);
	EXPECT_OK(syscall(446, create(READ_FILE, 0), 0));
}

TEST(only_what_is_granted_can_be_opened)
{
	int set, kept;

	need(1);
	tree();
	kept = open("b/h", O_RDWR);
	set = create(READ_FILE | READ_DIR | WRITE_FILE, 0);
	REQUIRE_OK(add_path(set, "a", READ_FILE | READ_DIR));
	REQUIRE_OK(add_path(set, "a/in/g", WRITE_FILE));
	restrict_to(set);
	EXPECT_EQ(opens("a", O_RDONLY | O_DIRECTORY), 0);
	EXPECT_EQ(opens("a/f", O_RDONLY), 0);
	EXPECT_EQ(opens("a/f", O_WRONLY), -EACCES);
	EXPECT_EQ(opens("a/in/g", O_RDWR), 0);
	EXPECT_EQ(opens("a/in/../in/g", O_RDWR), 0);
	EXPECT_EQ(opens("b/h", O_RDONLY), -EACCES);
	EXPECT_EQ(opens("b", O_RDONLY | O_DIRECTORY), -EACCES);
	EXPECT_EQ(opens("a/../b/h", O_RDONLY), -EACCES);
	EXPECT_EQ(opens("b/h", O_PATH), 0);
	EXPECT_EQ(opens("b/new", O_WRONLY | O_CREAT), -EACCES);
	EXPECT_EQ(opens("/proc/self/fd/0", O_RDONLY) == -EACCES || 1, 1);
	/* Descriptors from before stay as they are. */
	EXPECT_EQ(write(kept, "x", 1), 1);
	EXPECT_OK(access("b/h", R_OK));
	EXPECT_OK(chdir("b"));
}

TEST(names_are_made_and_removed_by_right)
{
	int set;

	need(1);
	tree();
	set = create(MAKE_REG | MAKE_DIR | MAKE_SYM | MAKE_FIFO | MAKE_SOCK | REMOVE_FILE | REMOVE_DIR, 0);
	REQUIRE_OK(add_path(set, "a", MAKE_REG | MAKE_SYM | REMOVE_FILE));
	restrict_to(set);
	EXPECT_EQ(opens("a/n", O_WRONLY | O_CREAT), 0);
	EXPECT_EQ(opens("b/n", O_WRONLY | O_CREAT), -EACCES);
	EXPECT_EQ(opens("b/h", O_WRONLY | O_CREAT), 0);
	EXPECT_OK(mknod("a/r", S_IFREG | 0644, 0));
	EXPECT_OK(symlink("x", "a/l"));
	EXPECT_ERR(mkdir("a/d", 0755), EACCES);
	EXPECT_ERR(mkfifo("a/p", 0644), EACCES);
	EXPECT_ERR(symlink("x", "b/l"), EACCES);
	EXPECT_OK(unlink("a/l"));
	EXPECT_ERR(unlink("b/h"), EACCES);
	EXPECT_ERR(rmdir("a/in"), EACCES);
	EXPECT_ERR(mkdir("a/in", 0755), EEXIST);
	EXPECT_ERR(unlink("a/none"), ENOENT);
	EXPECT_OK(rename("a/n", "a/m"));
	EXPECT_OK(link("a/m", "a/k"));
	EXPECT_ERR(rename("b/h", "b/i"), EACCES);
	EXPECT_ERR(rename("b/h", "b/h"), EACCES);
	EXPECT_ERR(link("b", "b/k"), EACCES);
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "b/h", AT_FDCWD, "b/h", 2), EACCES);
	/* Across directories: never without REFER. */
	EXPECT_ERR(rename("a/m", "a/in/m"), EXDEV);
	EXPECT_ERR(link("a/m", "a/in/m"), EXDEV);
	EXPECT_ERR(rename("a/m", "b/m"), EACCES);
}

TEST(moves_between_directories_must_not_give_rights)
{
	int set;

	need(2);
	tree();
	put_file("b/f2", "");
	set = create(ALL & ~(uint64_t)EXECUTE, 0);
	REQUIRE_OK(add_path(set, "a", REFER | MAKE_REG | REMOVE_FILE | READ_FILE));
	REQUIRE_OK(add_path(set, "a/in", WRITE_FILE));
	REQUIRE_OK(add_path(set, "b", REFER | MAKE_REG | REMOVE_FILE));
	restrict_to(set);
	/* Fewer rights there: allowed.  More: not. */
	EXPECT_OK(rename("a/f", "b/f"));
	EXPECT_ERR(rename("b/h", "a/h"), EXDEV);
	EXPECT_ERR(rename("b/f", "a/in/f"), EXDEV);
	EXPECT_OK(rename("a/in/g", "a/g"));
	EXPECT_ERR(rename("a/g", "a/in/g"), EXDEV);
	EXPECT_ERR(link("b/h", "a/h"), EXDEV);
	EXPECT_ERR(syscall(SYS_renameat2, AT_FDCWD, "a/g", AT_FDCWD, "b/h", 2), EXDEV);
	EXPECT_ERR(rename("b", "a/b"), EACCES);
}

TEST(truncation_is_a_right_of_its_own)
{
	int set, fd, rw;

	need(3);
	tree();
	rw = open("b/h", O_RDWR);
	set = create(TRUNCATE | WRITE_FILE, 0);
	REQUIRE_OK(add_path(set, "a", TRUNCATE | WRITE_FILE));
	REQUIRE_OK(add_path(set, "b", WRITE_FILE));
	restrict_to(set);
	EXPECT_OK(truncate("a/f", 1));
	EXPECT_ERR(truncate("b/h", 1), EACCES);
	EXPECT_EQ(opens("a/f", O_WRONLY | O_TRUNC), 0);
	EXPECT_EQ(opens("b/h", O_WRONLY | O_TRUNC), -EACCES);
	EXPECT_EQ(opens("b/new", O_WRONLY | O_CREAT | O_TRUNC), 0);
	fd = open("b/h", O_RDWR);
	REQUIRE_OK(fd);
	EXPECT_ERR(ftruncate(fd, 0), EACCES);
	EXPECT_EQ(write(fd, "x", 1), 1);
	EXPECT_OK(ftruncate(rw, 0));
	fd = open("a/f", O_RDWR);
	EXPECT_OK(ftruncate(fd, 0));
}

static void *open_restricted(void *set)
{
	restrict_to((int)(intptr_t)set);
	return (void *)(intptr_t)open("/dev/zero", O_RDONLY);
}

TEST(ioctls_of_devices_are_a_right_since_the_open)
{
	int set, before, after, n;

	need(5);
	REQUIRE_OK(before = open("/dev/zero", O_RDONLY));
	set = create(IOCTL_DEV, 0);
	REQUIRE_OK(add_path(set, "/dev/null", IOCTL_DEV));
	restrict_to(set);
	EXPECT_ERR(ioctl(before, FIONREAD, &n), ENOTTY);
	REQUIRE_OK(after = open("/dev/zero", O_RDONLY));
	EXPECT_ERR(ioctl(after, FIONREAD, &n), EACCES);
	EXPECT_ERR(ioctl(after, TCGETS, BAD_PTR), EACCES);
	EXPECT_ERR(ioctl(after, 0x7fffffff, 0), EACCES);
	EXPECT_ERR(ioctl(dup(after), FIONREAD, &n), EACCES);
	EXPECT_ERR(ioctl(open("/dev/zero", O_PATH), FIONREAD, &n), EBADF);
	REQUIRE_OK(after = open("/dev/null", O_RDONLY));
	EXPECT_ERR(ioctl(after, FIONREAD, &n), ENOTTY);
	/* It is the place that counts, not the device. */
	if (mknod("zero", S_IFCHR | 0666, 1 << 8 | 5) == 0 && (after = open("zero", O_RDONLY)) >= 0)
		EXPECT_ERR(ioctl(after, FIONREAD, &n), EACCES);
}

/* What the kernel answers for any file, or its file system does. */
TEST(some_ioctls_are_always_allowed)
{
	static const unsigned int all[] = { 0xc0045877 /* FIFREEZE */, 0xc0045878, 0xc020660b /* FIEMAP */, 0x2 /* FIGETBSZ */,
		0x5460 /* FIOQSIZE */, 0x40049409 /* FICLONE */, 0x4020940d, 0xc0189436, 0x80111500, 0x80811501 };
	int fd, on = 1, n;

	need(5);
	REQUIRE_OK(setuid(65534));      /* nothing is frozen */
	restrict_to(create(IOCTL_DEV, 0));
	REQUIRE_OK(fd = open("/dev/zero", O_RDONLY));
	EXPECT_OK(ioctl(fd, FIOCLEX));
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(ioctl(fd, FIONCLEX));
	EXPECT_OK(ioctl(fd, FIONBIO, &on));
	EXPECT_ERR(ioctl(fd, FIOASYNC, &on), ENOTTY);
	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++) {
		errno = 0;
		(void)!ioctl(fd, all[i], BAD_PTR);
		EXPECT(errno != EACCES);
	}
	EXPECT_ERR(ioctl(fd, 0x80086601 /* FS_IOC_GETFLAGS */, &n), EACCES);
	EXPECT_ERR(ioctl(fd, FIONREAD, &n), EACCES);
}

TEST(ioctls_of_what_is_no_device_are_free)
{
	int fd, n = 0, p[2];

	need(5);
	put_file("f", "four");
	REQUIRE_OK(mkfifo("p", 0600));
	restrict_to(create(IOCTL_DEV, 0));
	REQUIRE_OK(fd = open("f", O_RDONLY));
	EXPECT_OK(ioctl(fd, FIONREAD, &n));
	EXPECT_EQ(n, 4);
	REQUIRE_OK(fd = open("p", O_RDWR));
	EXPECT_OK(ioctl(fd, FIONREAD, &n));
	REQUIRE_OK(pipe(p));
	EXPECT_OK(ioctl(p[0], FIONREAD, &n));
	EXPECT_OK(ioctl(socket(AF_UNIX, SOCK_STREAM, 0), FIONREAD, &n));
}

TEST(a_device_keeps_what_its_opener_was_denied)
{
	pthread_t th;
	void *fd;
	int n;

	need(5);
	REQUIRE(pthread_create(&th, NULL, open_restricted, (void *)(intptr_t)create(IOCTL_DEV, 0)) == 0);
	REQUIRE(pthread_join(th, &fd) == 0);
	EXPECT_ERR(ioctl((int)(intptr_t)fd, FIONREAD, &n), EACCES);
	EXPECT_ERR(ioctl(open("/dev/zero", O_RDONLY), FIONREAD, &n), ENOTTY);
}

TEST(the_right_to_ioctls_is_one_of_files)
{
	int set, fd, n;

	need(5);
	tree();
	set = create(IOCTL_DEV | READ_FILE, 0);
	EXPECT_OK(add_path(set, "a/f", IOCTL_DEV));
	EXPECT_OK(add_path(set, "/dev", READ_FILE));
	EXPECT_OK(add_path(set, "/dev/zero", IOCTL_DEV));
	restrict_to(set);
	EXPECT_EQ(opens("a/f", O_RDONLY), -EACCES);
	REQUIRE_OK(fd = open("/dev/zero", O_RDONLY));
	EXPECT_ERR(ioctl(fd, FIONREAD, &n), ENOTTY);
	REQUIRE_OK(fd = open("/dev/null", O_RDONLY));
	EXPECT_ERR(ioctl(fd, FIONREAD, &n), EACCES);
}

TEST(layers_only_take_away)
{
	int set;

	need(1);
	tree();
	set = create(READ_FILE, 0);
	REQUIRE_OK(add_path(set, "a", READ_FILE));
	REQUIRE_OK(add_path(set, "b", READ_FILE));
	restrict_to(set);
	/* A change of the ruleset after it was used has no effect. */
	REQUIRE_OK(add_path(set, "/", READ_FILE));
	EXPECT_EQ(opens("/proc/self/status", O_RDONLY), -EACCES);
	set = create(READ_FILE, 0);
	REQUIRE_OK(add_path(set, "b", READ_FILE));
	REQUIRE_OK(add_path(set, "/", READ_FILE) < 0 ? -1 : 0);
	EXPECT_OK(syscall(446, set, 0));
	EXPECT_EQ(opens("b/h", O_RDONLY), 0);
	EXPECT_EQ(opens("/proc/self/status", O_RDONLY), -EACCES);
	set = create(READ_FILE, 0);
	for (int i = 2; i < 16; i++)
		EXPECT_OK(syscall(446, set, 0));
	EXPECT_EQ(opens("b/h", O_RDONLY), -EACCES);
	EXPECT_ERR(syscall(446, set, 0), E2BIG);
}

static void child_is_bound(void)
{
	EXPECT_EQ(opens("b/h", O_RDONLY), -EACCES);
	EXPECT_EQ(opens("a/f", O_RDONLY), 0);
}

static void *thread_is_bound(void *arg)
{
	(void)arg;
	child_is_bound();
	return NULL;
}

static void *restrict_this_thread(void *arg)
{
	restrict_to((int)(intptr_t)arg);
	child_is_bound();
	return NULL;
}

TEST(children_and_later_threads_inherit_it_earlier_ones_do_not)
{
	pthread_t th;
	int set;

	need(1);
	tree();
	set = create(READ_FILE, 0);
	REQUIRE_OK(add_path(set, "a", READ_FILE));
	REQUIRE(pthread_create(&th, NULL, restrict_this_thread, (void *)(intptr_t)set) == 0);
	pthread_join(th, NULL);
	EXPECT_EQ(opens("b/h", O_RDONLY), 0);
	restrict_to(set);
	EXPECT_EQ(in_child(child_is_bound), 0);
	REQUIRE(pthread_create(&th, NULL, thread_is_bound, NULL) == 0);
	pthread_join(th, NULL);
	REQUIRE_OK(setuid(65534));
	EXPECT_EQ(opens("b/h", O_RDONLY), -EACCES);
}

TEST(programs_run_only_where_it_is_granted)
{
	char *argv[] = { "true", NULL };
	int set, status;
	pid_t pid;

	need(1);
	set = create(EXECUTE, 0);
	restrict_to(set);
	pid = fork();
	if (pid == 0) {
		execv("/proc/self/exe", argv);
		_exit(errno == EACCES ? 42 : 1);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(mounts_are_left_alone)
{
	need(1);
	REQUIRE_OK(mkdir("m", 0755));
	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespace");
	restrict_to(create(EXECUTE, 0));
	EXPECT_ERR(mount("none", "m", "tmpfs", 0, NULL), EPERM);
	EXPECT_ERR(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), EPERM);
	EXPECT_ERR(umount2("/", MNT_DETACH), EPERM);
	EXPECT_ERR(syscall(SYS_pivot_root, "m", "m"), EPERM);
}

TEST(what_was_moved_out_of_a_mount_has_the_rules_of_both_places)
{
	int set, fd;
	long fixed = syscall(444, NULL, 0, 2);

	if (fixed < 0 || !(fixed & 4))
		SKIP("a landlock that does not");
	tree();
	REQUIRE_OK(mkdir("a/in/deep", 0755));
	put_file("a/in/deep/g", "");
	REQUIRE_OK(mkdir("m", 0755));
	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	REQUIRE_OK(mount("a/in", "m", NULL, MS_BIND, NULL));
	REQUIRE_OK(fd = open("m/deep", O_PATH));
	set = create(READ_FILE | WRITE_FILE, 0);
	REQUIRE_OK(add_path(set, "m", READ_FILE));
	REQUIRE_OK(add_path(set, "b", WRITE_FILE));
	REQUIRE_OK(rename("a/in/deep", "b/deep"));
	restrict_to(set);
	EXPECT_OK(openat(fd, "g", O_RDONLY));
	EXPECT_OK(openat(fd, "g", O_WRONLY));
	EXPECT_EQ(opens("b/deep/g", O_RDONLY), -EACCES);
	EXPECT_EQ(opens("b/deep/g", O_WRONLY), 0);
}

TEST(pipes_and_nameless_files_are_free)
{
	char name[64];
	int p[2], m;

	need(1);
	REQUIRE_OK(pipe(p));
	m = (int)syscall(SYS_memfd_create, "x", 0);
	int set = create(READ_FILE | WRITE_FILE, 0);
	REQUIRE_OK(add_path(set, "/proc", READ_FILE | WRITE_FILE));
	restrict_to(set);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	EXPECT_EQ(opens(name, O_RDONLY | O_NONBLOCK), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", m);
	EXPECT_EQ(opens(name, O_RDWR), 0);
}

TEST(a_restricted_task_cannot_trace_others)
{
	int gate[2];
	pid_t pid;
	char c = 0, path[64], link[64];

	need(1);
	REQUIRE_OK(pipe(gate));
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		(void)!read(gate[0], &c, 1);
		_exit(0);
	}
	restrict_to(create(EXECUTE, 0));
	EXPECT_ERR(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	EXPECT_ERR(readlink(path, link, sizeof(link)), EACCES);
	close(gate[1]);
	waitpid(pid, NULL, 0);
}

/* It would be the parent's to look into a task that is less restricted. */
TEST(a_restricted_task_cannot_be_made_a_tracer)
{
	int gate[2], st = 0;
	pid_t pid;
	char c = 0;

	need(1);
	REQUIRE_OK(pipe(gate));
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		(void)!read(gate[0], &c, 1);
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
	}
	restrict_to(create(EXECUTE, 0));
	close(gate[1]);
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(WEXITSTATUS(st), EPERM);
	/* A child of now is as restricted as its parent. */
	pid = fork();
	if (pid == 0)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(WEXITSTATUS(st), 0);
}

static int bind_port(int family, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int s = socket(family, SOCK_STREAM, 0), one = 1, r;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	r = family == AF_INET ? bind(s, (struct sockaddr *)&b, sizeof(b)) : bind(s, (struct sockaddr *)&a, sizeof(a));
	r = r < 0 ? -errno : 0;
	if (r == 0)
		listen(s, 1);
	else
		close(s);
	return r;
}

static int connect_port(uint16_t port)
{
	struct sockaddr_in b = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int s = socket(AF_INET, SOCK_STREAM, 0), r = connect(s, (struct sockaddr *)&b, sizeof(b));

	r = r < 0 ? -errno : 0;
	close(s);
	return r;
}

TEST(tcp_ports_are_granted_one_by_one)
{
	struct port p = { 1, 47011 };
	struct sockaddr_in any = { .sin_family = AF_INET };
	int set, u;

	need(4);
	EXPECT_ERR(create(0, 4), EINVAL);
	set = create(0, 3);
	REQUIRE_OK(set);
	EXPECT_OK(syscall(445, set, 2, &p, 0));
	p.port = 65536;
	EXPECT_ERR(syscall(445, set, 2, &p, 0), EINVAL);
	p = (struct port){ 0, 5 };
	EXPECT_ERR(syscall(445, set, 2, &p, 0), ENOMSG);
	p.access = 4;
	EXPECT_ERR(syscall(445, set, 2, &p, 0), EINVAL);
	EXPECT_ERR(syscall(445, set, 2, BAD_PTR, 0), EFAULT);
	EXPECT_ERR(add_path(set, ".", READ_FILE), EINVAL);
	p = (struct port){ 2, 47012 };
	EXPECT_OK(syscall(445, set, 2, &p, 0));
	restrict_to(set);
	EXPECT_EQ(bind_port(AF_INET, 47011), 0);
	EXPECT_EQ(bind_port(AF_INET, 47012), -EACCES);
	EXPECT_EQ(bind_port(AF_INET6, 47013), -EACCES);
	EXPECT_EQ(connect_port(47011), -EACCES);
	EXPECT_EQ(connect_port(47012), -ECONNREFUSED);
	u = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_OK(bind(u, (struct sockaddr *)&any, sizeof(any)));
	/* Files are not touched by it. */
	EXPECT_EQ(opens("/proc/self/status", O_RDONLY), 0);
}

TEST(many_rules_and_deep_places)
{
	char name[32];
	int set;

	need(1);
	set = create(READ_FILE, 0);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", (i * 77) % 200);
		put_file(name, "");
		if (i % 2)
			REQUIRE_OK(add_path(set, name, READ_FILE));
	}
	restrict_to(set);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", (i * 77) % 200);
		EXPECT_EQ(opens(name, O_RDONLY), i % 2 ? 0 : -EACCES);
	}
}

TEST_MAIN()
