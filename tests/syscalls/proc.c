/* What programs read in /proc, and links in it. */
#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <pthread.h>
#include "tests/lib/harness.h"

/* The value after "key:" or "key " in a file of such lines; NULL if there is none. */
static const char *field(const char *path, const char *key)
{
	static char line[512];
	FILE *f = fopen(path, "r");

	REQUIRE(f);
	while (fgets(line, sizeof(line), f)) {
		size_t n = strlen(key);

		if (strncmp(line, key, n) == 0 && (line[n] == ':' || line[n] == ' ' || line[n] == '\t')) {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			return line + n + 1 + strspn(line + n + 1, " \t");
		}
	}
	fclose(f);
	return NULL;
}

TEST(self_is_this_process)
{
	char buf[64], want[16];
	ssize_t n = readlink("/proc/self", buf, sizeof(buf) - 1);

	REQUIRE(n > 0);
	buf[n] = '\0';
	snprintf(want, sizeof(want), "%d", getpid());
	EXPECT_STR(buf, want);
	n = readlink("/proc/thread-self", buf, sizeof(buf) - 1);
	EXPECT(n > 0);
}

TEST(status_agrees_with_calls)
{
	const char *v;

	EXPECT_EQ(atoi(field("/proc/self/status", "Pid")), getpid());
	EXPECT_EQ(atoi(field("/proc/self/status", "PPid")), getppid());
	EXPECT_EQ(atoi(field("/proc/self/status", "Uid")), getuid());
	EXPECT_EQ(atoi(field("/proc/self/status", "Threads")), 1);
	v = field("/proc/self/status", "State");
	EXPECT(v && v[0] == 'R');
	v = field("/proc/self/status", "VmRSS");
	EXPECT(v && atol(v) > 0);
	EXPECT(field("/proc/self/status", "SigCgt") && field("/proc/self/status", "CapEff"));
}

static long rss_of(pid_t pid)
{
	char path[64];
	const char *v;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	v = field(path, "VmRSS");
	return v ? atol(v) : -1;
}

/* In KiB, within an eighth: Linux' own counters lag behind, too. */
#define EXPECT_NEAR(got, want) EXPECT((got) > (want) - (want) / 8 && (got) < (want) + (want) / 8)

TEST(memory_counts_once_it_is_touched)
{
	const long mib = 1 << 20;
	long before = rss_of(getpid());
	pid_t child;
	char *p;

	p = mmap(NULL, 128 * mib, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(p != MAP_FAILED);
	(void)madvise(p, 128 * mib, MADV_NOHUGEPAGE);
	if (rss_of(getpid()) - before > 64 << 10) {
		printf("# the host does not tell what is in memory\n");
		return;
	}
	EXPECT(rss_of(getpid()) - before < 4 << 10);
	memset(p, 1, 32 * mib);
	EXPECT_NEAR(rss_of(getpid()) - before, 32l << 10);
	for (long at = 64 * mib; at < 128 * mib; at += 16384)
		p[at] = 1;
	EXPECT_NEAR(rss_of(getpid()) - before, 48l << 10);
	child = fork();
	if (child == 0) {
		memset(p + 32 * mib, 1, 32 * mib);
		kill(getpid(), SIGSTOP);
		_exit(0);
	}
	EXPECT_EQ(waitpid(child, NULL, WUNTRACED), child);
	EXPECT(rss_of(child) > 28 << 10);
	EXPECT_OK(kill(child, SIGKILL));
	EXPECT_EQ(waitpid(child, NULL, 0), child);
	EXPECT_OK(madvise(p, 32 * mib, MADV_DONTNEED));
	EXPECT_NEAR(rss_of(getpid()) - before, 16l << 10);
	EXPECT_OK(munmap(p, 128 * mib));
	EXPECT(rss_of(getpid()) - before < 4 << 10);
}

TEST(stat_has_its_52_fields)
{
	char text[1024], *p;
	int pid, n = 0;

	snprintf(text, sizeof(text), "%s", get_file("/proc/self/stat"));
	EXPECT_EQ(sscanf(text, "%d (", &pid), 1);
	EXPECT_EQ(pid, getpid());
	p = strrchr(text, ')');
	REQUIRE(p);
	for (p = strtok(p + 1, " \n"); p; p = strtok(NULL, " \n"))
		n++;
	EXPECT_EQ(n, 50);
}

TEST(descriptors_are_links)
{
	char path[64], buf[PATH_MAX], cwd[PATH_MAX];
	int fd, p[2], seen = 0;
	struct dirent *e;
	ssize_t n;
	DIR *d;

	put_file("f", "text");
	fd = open("f", O_RDONLY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, buf, sizeof(buf) - 1);
	REQUIRE(n > 0);
	buf[n] = '\0';
	REQUIRE(getcwd(cwd, sizeof(cwd) - 2));
	strcat(cwd, "/f");
	EXPECT_STR(buf, cwd);
	EXPECT_STR(get_file(path), "text");
	EXPECT_OK(unlink("f"));
	n = readlink(path, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	EXPECT(strstr(buf, "/f (deleted)"));
	EXPECT_STR(get_file(path), "text");             /* reopens the file itself */
	REQUIRE_OK(pipe(p));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	n = readlink(path, buf, sizeof(buf) - 1);
	buf[n > 0 ? n : 0] = '\0';
	EXPECT(strncmp(buf, "pipe:[", 6) == 0);
	d = opendir("/proc/self/fd");
	REQUIRE(d);
	while ((e = readdir(d)))
		seen += atoi(e->d_name) == fd;
	EXPECT_EQ(seen, 1);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", p[0]);
	EXPECT(field(path, "pos") && field(path, "flags"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", eventfd(3, EFD_SEMAPHORE));
	EXPECT(field(path, "eventfd-count") && field(path, "eventfd-semaphore"));
}

TEST(pipes_and_memfds_are_opened_again_by_their_links)
{
	char path[64], c = 0;
	struct stat st;
	int p[2], w, fd;

	REQUIRE_OK(pipe(p));
	snprintf(path, sizeof(path), "/dev/fd/%d", p[1]);
	EXPECT_OK(stat(path, &st));
	EXPECT(S_ISFIFO(st.st_mode));
	EXPECT_OK(access(path, W_OK));
	w = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	REQUIRE_OK(w);
	EXPECT_EQ(write(w, "x", 1), 1);
	close(p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 1);
	EXPECT_EQ(c, 'x');
	EXPECT_OK(fcntl(p[0], F_SETFL, O_NONBLOCK));
	EXPECT_ERR(read(p[0], &c, 1), EAGAIN);          /* w still holds it open */
	close(w);
	EXPECT_EQ(read(p[0], &c, 1), 0);
	EXPECT_ERR(open(strcat(path, "/x"), O_RDONLY), ENOENT);
	fd = memfd_create("m", 0);
	EXPECT_EQ(write(fd, "mem", 3), 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	EXPECT_STR(get_file(path), "mem");              /* from its own offset */
	EXPECT_OK(open(path, O_RDWR | O_TRUNC));
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)syscall(SYS_epoll_create1, 0));
	EXPECT_ERR(open(path, O_RDONLY), ENXIO);
}

TEST(exe_cwd_and_root_are_links)
{
	char buf[PATH_MAX], cwd[PATH_MAX];
	ssize_t n = readlink("/proc/self/cwd", buf, sizeof(buf) - 1);

	REQUIRE(n > 0);
	buf[n] = '\0';
	REQUIRE(getcwd(cwd, sizeof(cwd)));
	EXPECT_STR(buf, cwd);
	n = readlink("/proc/self/root", buf, sizeof(buf));
	EXPECT(n == 1 && buf[0] == '/');
	EXPECT(readlink("/proc/self/exe", buf, sizeof(buf)) > 0);
	EXPECT_OK(open("/proc/self/exe", O_RDONLY));
}

TEST(cmdline_and_environ_are_the_memory)
{
	const char *c = get_file("/proc/self/cmdline");

	EXPECT(strlen(c) > 0);
	EXPECT_OK(open("/proc/self/environ", O_RDONLY));
	EXPECT(strlen(get_file("/proc/self/comm")) > 1);
}

TEST(memory_can_be_read_through_proc)
{
	static volatile char secret[8] = "before";
	int fd = open("/proc/self/mem", O_RDWR);
	char buf[8];

	if (fd < 0 && (errno == EACCES || errno == ENOENT))
		SKIP("no /proc/self/mem");
	EXPECT_EQ(pread(fd, buf, 6, (off_t)(uintptr_t)secret), 6);
	EXPECT(memcmp(buf, "before", 6) == 0);
	EXPECT_EQ(pwrite(fd, "after", 6, (off_t)(uintptr_t)secret), 6);
	EXPECT_EQ(secret[0], 'a');
	EXPECT_ERR(pread(fd, buf, 6, 8), EIO);
}

/* A write to proc is a command: no file grows, and no lock of a file is held. */
TEST(writes_to_proc_have_no_size_limit)
{
	struct rlimit none = { 0, 0 }, old;
	char name[16] = "", byte = 0;
	long at = (long)&byte;
	int fd;

	EXPECT_OK(getrlimit(RLIMIT_FSIZE, &old));
	none.rlim_max = old.rlim_max;
	EXPECT_OK(setrlimit(RLIMIT_FSIZE, &none));
	fd = open("/proc/self/comm", O_WRONLY);
	EXPECT_EQ(write(fd, "renamed", 7), 7);
	close(fd);
	fd = open("/proc/self/mem", O_RDWR);
	EXPECT_EQ(pwrite(fd, "x", 1, at), 1);
	close(fd);
	EXPECT_OK(setrlimit(RLIMIT_FSIZE, &old));
	EXPECT_OK(prctl(PR_GET_NAME, name));
	EXPECT_STR(name, "renamed");
	EXPECT_EQ(*(volatile char *)&byte, 'x');
}

TEST(processes_come_and_go)
{
	char path[64];
	struct stat st;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d", pid);
	EXPECT_OK(stat(path, &st));
	EXPECT(S_ISDIR(st.st_mode));
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	wait_until_asleep(pid);
	EXPECT(field(path, "State")[0] == 'S');
	kill(pid, SIGKILL);
	EXPECT_EQ(waitpid(pid, NULL, 0), pid);
	EXPECT_ERR(open(path, O_RDONLY), ENOENT);
	EXPECT_ERR(open("/proc/999999/status", O_RDONLY), ENOENT);
}

TEST(system_files_have_what_libraries_look_for)
{
	EXPECT(atol(field("/proc/meminfo", "MemTotal")) > 0);
	EXPECT(field("/proc/meminfo", "MemAvailable") != NULL);
	EXPECT(field("/proc/cpuinfo", "processor") != NULL);
	EXPECT(strstr(get_file("/proc/cpuinfo"), "flags") != NULL);
	EXPECT(field("/proc/stat", "cpu") != NULL);
	EXPECT(field("/proc/stat", "btime") != NULL);
	EXPECT(atof(get_file("/proc/uptime")) > 0);
	EXPECT(strncmp(get_file("/proc/version"), "Linux version ", 14) == 0);
	EXPECT(strchr(get_file("/proc/loadavg"), '/') != NULL);
	EXPECT(strstr(get_file("/proc/filesystems"), "proc") != NULL);
	EXPECT(strstr(get_file("/proc/self/mounts"), " /proc ") != NULL);
	EXPECT(strstr(get_file("/proc/self/mountinfo"), " / ") != NULL);
	EXPECT_STR(get_file("/proc/sys/kernel/ostype"), "Linux\n");
	EXPECT(atoi(get_file("/proc/sys/kernel/pid_max")) > 1000);
	EXPECT(strlen(get_file("/proc/sys/kernel/random/boot_id")) == 37);
	EXPECT(atoi(get_file("/proc/sys/vm/overcommit_memory")) >= 0);
	EXPECT(strstr(get_file("/proc/self/limits"), "Max open files") != NULL);
	EXPECT(strlen(get_file("/proc/self/cgroup")) > 0);
	EXPECT(atoi(get_file("/proc/self/oom_score_adj")) >= -1000);
}

TEST(proc_cannot_be_changed_like_a_disk)
{
	EXPECT_ERR(mkdir("/proc/x", 0700), ENOENT);
	EXPECT_ERR(open("/proc/x", O_WRONLY | O_CREAT, 0600), ENOENT);
	EXPECT_ERR(unlink("/proc/version"), EPERM);
}

TEST(no_capability_overrides_the_bits_of_a_sysctl)
{
	EXPECT_OK(open("/proc/sys/kernel/ostype", O_RDONLY));
	if (open("/proc/sys/kernel/ostype", O_WRONLY) >= 0)
		FAIL("a constant can be written");
	else if (errno != EROFS)
		EXPECT_EQ(errno, EACCES);
	EXPECT_ERR(access("/proc/sys/kernel/ostype", X_OK), EACCES);
}

struct map_query {
	uint64_t size, query_flags, query_addr, vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
#define MAP_QUERY _IOWR('f', 17, struct map_query)

TEST(one_map_can_be_asked_for)
{
	int fd = open("/proc/self/maps", O_RDONLY), file = open("f", O_RDWR | O_CREAT, 0600);
	char *p, name[256] = "";
	struct stat st;
	struct map_query q = { .size = sizeof(q) };

	REQUIRE_OK(ftruncate(file, 4096 * 4));
	p = mmap(NULL, 4096 * 4, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	REQUIRE(p != MAP_FAILED);
	REQUIRE_OK(munmap(p, 4096));
	q.query_addr = (uintptr_t)p + 8192;
	if (ioctl(fd, MAP_QUERY, &q) < 0 && errno == ENOTTY)
		SKIP("no PROCMAP_QUERY");
	REQUIRE_OK(fstat(file, &st));
	EXPECT_EQ(q.vma_start, (uintptr_t)p + 4096);
	EXPECT_EQ(q.vma_end, (uintptr_t)p + 16384);
	EXPECT_EQ(q.vma_flags, 1 | 2 | 8);
	EXPECT_EQ(q.vma_page_size, 4096);
	EXPECT_EQ(q.vma_offset, 4096);
	EXPECT_EQ(q.inode, st.st_ino);
	q.vma_name_size = sizeof(name);
	q.vma_name_addr = (uintptr_t)name;
	EXPECT_OK(ioctl(fd, MAP_QUERY, &q));
	EXPECT_EQ(q.vma_name_size, strlen(name) + 1);
	EXPECT(strlen(name) > 2 && !strcmp(name + strlen(name) - 2, "/f"));
	q.vma_name_size = 2;
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), ENAMETOOLONG);
	q.vma_name_addr = 0;
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), EINVAL);
	q = (struct map_query){ .size = sizeof(q), .query_addr = (uintptr_t)p, .query_flags = 0x40 };
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), EINVAL);
	q.query_flags = 0;
	q.query_addr = 0;
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), ENOENT);
	q.query_flags = 0x10 | 0x20;            /* this one or the next, of a file */
	EXPECT_OK(ioctl(fd, MAP_QUERY, &q));
	EXPECT(q.vma_start > 0 && q.inode);
	q.size = 8;
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), EINVAL);
	q.size = 8192;
	EXPECT_ERR(ioctl(fd, MAP_QUERY, &q), E2BIG);
	EXPECT_ERR(ioctl(fd, MAP_QUERY, BAD_PTR), EFAULT);
}

static int release[2];

static void *waits(void *arg)
{
	char c;

	REQUIRE(read(release[0], &c, 1) == 0);
	return arg;
}

static long links_of(const char *dir)
{
	struct stat st;

	REQUIRE_OK(stat(dir, &st));
	return (long)st.st_nlink;
}

/* Chromium's zygote and others count their threads so. */
TEST(directories_have_a_link_from_each_directory_in_them)
{
	pthread_t t[3];

	REQUIRE_OK(pipe(release));
	EXPECT_EQ(links_of("/proc/self/task"), 3);
	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_create(&t[i], NULL, waits, NULL) == 0);
	EXPECT_EQ(links_of("/proc/self/task"), 6);
	EXPECT_EQ(links_of("/proc/thread-self/fd"), 2);
	EXPECT(links_of("/proc") > 3);
	close(release[1]);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
}

TEST(the_size_of_fd_is_their_number)
{
	struct stat st;
	long before;

	REQUIRE_OK(stat("/proc/self/fd", &st));
	before = (long)st.st_size;
	REQUIRE_OK(dup(0));
	REQUIRE_OK(dup2(0, 60));
	REQUIRE_OK(stat("/proc/self/fd", &st));
	EXPECT_EQ(st.st_size, before + 2);
}

static char limits[4096];

static void *reads_limits(void *arg)
{
	static _Thread_local char buf[sizeof(limits)];
	int fd = *(int *)arg;

	for (int i = 0; i < 3000; i++)
		if (pread(fd, buf, sizeof(buf), 0) != (ssize_t)strlen(limits) || strcmp(buf, limits) != 0)
			return arg;
	return NULL;
}

TEST(threads_may_pread_one_file_at_once)
{
	int fd = open("/proc/self/limits", O_RDONLY);
	pthread_t t[3];
	void *bad;

	REQUIRE_OK(fd);
	REQUIRE(pread(fd, limits, sizeof(limits) - 1, 0) > 0);
	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_create(&t[i], NULL, reads_limits, &fd) == 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(t[i], &bad);
		EXPECT(bad == NULL);
	}
	close(fd);
}

TEST_MAIN()
