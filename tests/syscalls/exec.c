/* execve: arguments, environment, scripts, descriptors, what is kept and what is reset. */
#include <elf.h>
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <pthread.h>
#include "tests/lib/harness.h"

extern char **environ;

/* Give back each byte from descriptor 0, one more than it was, through 1; wait for it in read or, if @epoll, in epoll_wait. */
static int echo(bool epoll)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	unsigned char c;

	if (epoll_ctl(ep, EPOLL_CTL_ADD, 0, &e) < 0)
		return 1;
	for (;;) {
		if (epoll && epoll_wait(ep, &e, 1, -1) != 1)
			return 2;
		if (read(0, &c, 1) != 1)
			return 42;
		c++;
		if (write(1, &c, 1) != 1)
			return 43;
	}
}

/* What the program does when a test has exec'd it: argv[1] names the check. */
static int reentered(int argc, char **argv)
{
	sigset_t set;
	struct sigaction sa;

	if (strcmp(argv[1], "@args") == 0) {
		if (argc != 4 || strcmp(argv[2], "") != 0 || strcmp(argv[3], "a b\nc") != 0)
			return 1;
		return environ[0] && !environ[1] && strcmp(environ[0], "X=1") == 0 ? 42 : 2;
	}
	if (strcmp(argv[1], "@echo") == 0)
		return echo(argc > 2);
	if (strcmp(argv[1], "@sleep") == 0)
		return pause();
	if (strcmp(argv[1], "@fds") == 0)
		return fcntl(50, F_GETFD) == 0 && fcntl(51, F_GETFD) < 0 ? 42 : 1;
	if (strcmp(argv[1], "@signals") == 0) {
		sigprocmask(SIG_BLOCK, NULL, &set);
		if (!sigismember(&set, SIGUSR1) || sigismember(&set, SIGUSR2))
			return 1;
		sigpending(&set);
		if (!sigismember(&set, SIGUSR1))
			return 2;
		sigaction(SIGHUP, NULL, &sa);
		if (sa.sa_handler != SIG_IGN)
			return 3;
		sigaction(SIGINT, NULL, &sa);
		return sa.sa_handler == SIG_DFL ? 42 : 4;
	}
	if (strcmp(argv[1], "@auxv") == 0) {
		unsigned char *rnd = (unsigned char *)getauxval(AT_RANDOM);
		Elf64_Ehdr *eh = (Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);

		if (getauxval(AT_PAGESZ) != 4096 || getauxval(AT_UID) != getuid())
			return 1;
		if (!rnd || !getauxval(AT_PHDR) || getauxval(AT_PHENT) != sizeof(Elf64_Phdr))
			return 2;
		if (getauxval(AT_CLKTCK) != 100 || getauxval(AT_SECURE) != 0)
			return 3;
		if (!eh || memcmp(eh->e_ident, ELFMAG, 4) != 0)
			return 4;
		return strstr((char *)getauxval(AT_EXECFN), "exec") ? 42 : 5;
	}
	if (strcmp(argv[1], "@name") == 0) {
		char name[17] = "";

		prctl(PR_GET_NAME, name);
		return strcmp(name, argv[2]) == 0 ? 42 : 1;
	}
	if (strcmp(argv[1], "@alone") == 0)
		return getpid() == gettid() && getpid() == atoi(argv[2]) ? 42 : 1;
	if (strcmp(argv[1], "@count") == 0)
		return argc == atoi(argv[2]) ? 42 : 1;
	if (strcmp(argv[1], "@permitted") == 0) {
		struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
		struct __user_cap_data_struct d[2];

		syscall(SYS_capget, &h, d);
		return d[0].permitted & (1u << CAP_CHOWN) ? 43 : 42;
	}
	if (strcmp(argv[1], "@privileged") == 0)
		return geteuid() == 0 ? pause() : 77;
	return 99;
}

#undef TEST_REENTRY
#define TEST_REENTRY(argc, argv) \
	do { \
		if ((argc) > 1 && (argv)[1][0] == '@') \
			_exit(reentered(argc, argv)); \
	} while (0)

static char self[PATH_MAX];

static const char *me(void)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	REQUIRE(n > 0);
	self[n] = '\0';
	return self;
}

static int exec_and_wait(const char *path, char *const argv[], char *const envp[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, argv, envp);
		_exit(200);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(arguments_and_environment_arrive_whole)
{
	char *argv[] = { "exec", "@args", "", "a b\nc", NULL }, *envp[] = { "X=1", NULL };

	EXPECT_EQ(exec_and_wait(me(), argv, envp), 42);
}

static void drop_chown(bool no_new_privs)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	REQUIRE_OK(syscall(SYS_capget, &h, d));
	d[0].permitted &= ~(1u << CAP_CHOWN);
	d[0].effective &= d[0].permitted;
	REQUIRE_OK(syscall(SYS_capset, &h, d));
	if (no_new_privs)
		REQUIRE_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

TEST(root_gets_capabilities_back)
{
	char *argv[] = { "exec", "@permitted", NULL };

	drop_chown(false);
	EXPECT_EQ(exec_and_wait(me(), argv, environ), 43);
}

TEST(but_not_with_no_new_privs)
{
	char *argv[] = { "exec", "@permitted", NULL };

	drop_chown(true);
	EXPECT_EQ(exec_and_wait(me(), argv, environ), 42);
}

TEST(many_arguments_fit)
{
	enum { N = 5000 };
	char **argv = calloc(N + 1, sizeof(*argv));

	argv[0] = "exec";
	argv[1] = "@count";
	argv[2] = "5000";
	for (int i = 3; i < N; i++)
		argv[i] = "0123456789012345678901234567890123456789";
	EXPECT_EQ(exec_and_wait(me(), argv, environ), 42);
}

TEST(too_much_is_e2big)
{
	char *big = malloc(200000), *argv[] = { "exec", big, NULL };

	memset(big, 'x', 199999);
	big[199999] = '\0';
	EXPECT_ERR(execve(me(), argv, environ), E2BIG);
}

TEST(descriptors_survive_unless_marked)
{
	char *argv[] = { "exec", "@fds", NULL };

	EXPECT_EQ(dup2(0, 50), 50);
	EXPECT_EQ(dup3(0, 51, O_CLOEXEC), 51);
	EXPECT_EQ(exec_and_wait(me(), argv, environ), 42);
	EXPECT_OK(fcntl(51, F_GETFD));
}

static void handler(int sig)
{
	(void)sig;
}

TEST(signals_handlers_reset_masks_and_pending_kept)
{
	char *argv[] = { "exec", "@signals", NULL };
	sigset_t set;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGHUP, SIG_IGN);
		signal(SIGINT, handler);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_SETMASK, &set, NULL);
		raise(SIGUSR1);
		execve(me(), argv, environ);
		_exit(200);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(the_auxiliary_vector_is_there)
{
	char *argv[] = { "exec", "@auxv", NULL };

	EXPECT_OK(symlink(me(), "exec-link"));
	EXPECT_EQ(exec_and_wait("./exec-link", argv, environ), 42);
}

TEST(failures_have_their_errno)
{
	char *argv[] = { "x", NULL }, long_name[300];

	EXPECT_ERR(execve("none", argv, environ), ENOENT);
	EXPECT_ERR(execve("", argv, environ), ENOENT);
	EXPECT_ERR(execve(".", argv, environ), EACCES);
	put_file("text", "no magic here");
	EXPECT_ERR(execve("text", argv, environ), EACCES);
	EXPECT_OK(chmod("text", 0755));
	EXPECT_ERR(execve("text", argv, environ), ENOEXEC);
	put_file("empty", "");
	EXPECT_OK(chmod("empty", 0755));
	EXPECT_ERR(execve("empty", argv, environ), ENOEXEC);
	EXPECT_ERR(execve("text/x", argv, environ), ENOTDIR);
	EXPECT_ERR(execve(BAD_PTR, argv, environ), EFAULT);
	EXPECT_ERR(execve("text", BAD_PTR, environ), EFAULT);
	memset(long_name, 'x', 256);
	long_name[256] = '\0';
	EXPECT_ERR(execve(long_name, argv, environ), ENAMETOOLONG);
}

TEST(broken_elf_files_are_refused)
{
	Elf64_Ehdr eh = { 0 };
	char *argv[] = { "x", NULL };
	int fd;

	memcpy(eh.e_ident, ELFMAG, 4);
	eh.e_ident[EI_CLASS] = ELFCLASS64;
	eh.e_ident[EI_DATA] = ELFDATA2LSB;
	eh.e_type = ET_EXEC;
	eh.e_machine = EM_AARCH64;
	fd = open("elf", O_WRONLY | O_CREAT, 0755);
	REQUIRE_OK(fd);
	EXPECT_EQ(write(fd, &eh, sizeof(eh)), sizeof(eh));
	close(fd);
	EXPECT_ERR(execve("./elf", argv, environ), ENOEXEC);
	fd = open("elf", O_WRONLY | O_TRUNC);
	eh.e_machine = EM_X86_64;
	eh.e_phnum = 0;
	EXPECT_EQ(write(fd, &eh, sizeof(eh)), sizeof(eh));
	close(fd);
	EXPECT_ERR(execve("./elf", argv, environ), ENOEXEC);
	fd = open("elf", O_WRONLY | O_TRUNC);
	EXPECT_EQ(write(fd, &eh, 20), 20);
	close(fd);
	EXPECT_ERR(execve("./elf", argv, environ), ENOEXEC);
}

TEST(scripts_name_their_interpreter)
{
	char text[PATH_MAX + 64], *argv[] = { "ignored", "3rd", NULL };

	snprintf(text, sizeof(text), "#!%s @count\n", me());
	put_file("s", text);
	EXPECT_OK(chmod("s", 0755));
	/* exec, @count, ./s, 3rd: atoi("./s") is 0, so it says 1. */
	EXPECT_EQ(exec_and_wait("./s", argv, environ), 1);
	snprintf(text, sizeof(text), "#! %s   @name s  ", me());
	put_file("s", text);
	EXPECT_EQ(exec_and_wait("./s", argv, environ), 99);     /* one argument: "@name s" */
	put_file("s", "#!/no/such/interpreter\n");
	EXPECT_ERR(execve("./s", argv, environ), ENOENT);
	put_file("s", "#!\n");
	EXPECT_ERR(execve("./s", argv, environ), ENOEXEC);
	put_file("s", "#!./s\n");
	EXPECT_ERR(execve("./s", argv, environ), ELOOP);
}

TEST(comm_becomes_the_file_name)
{
	char *argv[] = { "something", "@name", "a-long-file-nam", NULL };

	EXPECT_OK(symlink(me(), "a-long-file-name"));
	EXPECT_EQ(exec_and_wait("./a-long-file-name", argv, environ), 42);
}

TEST(execveat_runs_an_open_file)
{
	char *argv[] = { "exec", "@count", "3", NULL };
	int status, fd = open(me(), O_RDONLY | O_CLOEXEC), dir;
	char cwd[256], path[300];
	pid_t pid = fork();

	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(200);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 42);
	EXPECT_ERR(syscall(SYS_execveat, fd, "", argv, environ, 0), ENOENT);
	EXPECT_ERR(syscall(SYS_execveat, BAD_FD, "x", argv, environ, 0), EBADF);
	EXPECT_OK(symlink(me(), "l"));
	/* An interpreter would find a script's descriptor closed. */
	put_file("script", "#!/bin/sh\n");
	EXPECT_OK(chmod("script", 0755));
	EXPECT_ERR(syscall(SYS_execveat, open("script", O_RDONLY | O_CLOEXEC), "", argv, environ, AT_EMPTY_PATH), ENOENT);
	dir = open(".", O_RDONLY | O_CLOEXEC);
	EXPECT_ERR(syscall(SYS_execveat, dir, "script", argv, environ, 0), ENOENT);
	dir = open(".", O_RDONLY);
	EXPECT_ERR(syscall(SYS_execveat, dir, "l", argv, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
	EXPECT_OK(mkfifo("p", 0755));
	EXPECT_ERR(syscall(SYS_execveat, dir, "p", argv, environ, 0), EACCES);
	EXPECT_ERR(syscall(SYS_execveat, dir, ".", argv, environ, 0), EACCES);
	snprintf(path, sizeof(path), "%s/l", getcwd(cwd, sizeof(cwd)));
	EXPECT_ERR(syscall(SYS_execveat, dir, path, argv, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
}

TEST(a_memfd_can_be_executed)
{
	char *argv[] = { "exec", "@count", "3", NULL };
	int in = open(me(), O_RDONLY), fd = memfd_create("prog", MFD_CLOEXEC), status;
	char buf[65536];
	ssize_t n;
	pid_t pid;

	REQUIRE(in >= 0 && fd >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		REQUIRE(write(fd, buf, (size_t)n) == n);
	pid = fork();
	if (pid == 0) {
		fexecve(fd, argv, environ);
		_exit(200);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

static void *exec_thread(void *arg)
{
	char pid[16], *argv[] = { "exec", "@alone", pid, NULL };

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	execve(me(), argv, environ);
	_exit(200);
}

static void *spin_thread(void *arg)
{
	while (!*(volatile char *)arg)
		;
	return NULL;
}

TEST(exec_in_a_thread_ends_the_others)
{
	int status;
	pthread_t t;
	char c = 0;
	pid_t pid = fork();

	if (pid == 0) {
		pthread_create(&t, NULL, spin_thread, &c);
		pthread_create(&t, NULL, exec_thread, NULL);
		for (;;)
			pause();
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status));
	EXPECT_EQ(WEXITSTATUS(status), 42);
}

static void exec_copy(void)
{
	char *argv[] = { "copy", "@count", "2", NULL };

	EXPECT_ERR(execve("./copy", argv, environ), ETXTBSY);
}

TEST(a_file_open_for_writing_is_busy)
{
	char *argv[] = { "copy", "@count", "3", NULL }, buf[4096];
	int in = open(me(), O_RDONLY), out = open("copy", O_WRONLY | O_CREAT, 0755);
	ssize_t n;

	REQUIRE(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		REQUIRE(write(out, buf, (size_t)n) == n);
	EXPECT_EQ(in_child(exec_copy), 0);
	close(out);
	EXPECT_EQ(exec_and_wait("./copy", argv, environ), 42);
}

TEST(a_running_program_cannot_be_written)
{
	int p[2], self = open("/proc/self/exe", O_RDONLY), fd = open("prog", O_WRONLY | O_CREAT, 0755);
	char buf[65536], c;
	ssize_t n;
	pid_t pid;

	REQUIRE(self >= 0 && fd >= 0);
	while ((n = read(self, buf, sizeof(buf))) > 0)
		REQUIRE(write(fd, buf, (size_t)n) == n);
	close(fd);
	REQUIRE_OK(pipe2(p, O_CLOEXEC));
	pid = fork();
	if (pid == 0) {
		execl("prog", "prog", "@sleep", NULL);
		_exit(127);
	}
	close(p[1]);
	EXPECT_EQ(read(p[0], &c, 1), 0);        /* it has exec'd */
	EXPECT_ERR(open("prog", O_WRONLY), ETXTBSY);
	EXPECT_ERR(open("prog", O_RDONLY | O_TRUNC), ETXTBSY);
	EXPECT_ERR(truncate("prog", 0), ETXTBSY);
	EXPECT_OK(rename("prog", "other"));
	EXPECT_ERR(open("other", O_RDWR), ETXTBSY);
	kill(pid, SIGKILL);
	REQUIRE(waitpid(pid, NULL, 0) == pid);
	EXPECT_OK(open("other", O_RDWR));
}

/* A copy of this program that is root's, whoever runs it. */
static void make_set_id(const char *name)
{
	char buf[65536];
	int from = open("/proc/self/exe", O_RDONLY), to = open(name, O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	REQUIRE_OK(from);
	REQUIRE_OK(to);
	while ((n = read(from, buf, sizeof(buf))) > 0)
		REQUIRE(write(to, buf, (size_t)n) == n);
	REQUIRE_OK(fchmod(to, 04755));
	close(from);
	close(to);
}

static bool is_privileged(pid_t p)
{
	char path[64], line[128];
	int uid = -1, euid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", p);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Uid: %d %d", &uid, &euid) == 2)
			break;
	if (f)
		fclose(f);
	return euid == 0;
}

TEST(what_was_opened_of_a_process_tells_nothing_once_it_is_privileged)
{
	struct { uint64_t size, flags, addr, out[14]; } q = { .size = 104, .flags = 0x10 };
	int ready[2], go[2], maps;
	char path[64], byte;
	pid_t p;

	if (getuid() != 0)
		SKIP("cannot make a set-id program");
	REQUIRE_OK(chmod(".", 0755));
	make_set_id("privileged");
	REQUIRE_OK(pipe(ready));
	REQUIRE_OK(pipe(go));
	p = fork();
	if (p == 0) {
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0 ||
		    write(ready[1], "x", 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(76);
		execl("privileged", "privileged", "@privileged", (char *)NULL);
		_exit(75);
	}
	REQUIRE(read(ready[0], &byte, 1) == 1);
	REQUIRE_OK(setresgid(65534, 65534, 65534));
	REQUIRE_OK(setresuid(65534, 65534, 65534));
	snprintf(path, sizeof(path), "/proc/%d/maps", p);
	maps = open(path, O_RDONLY);
	REQUIRE_OK(maps);
	REQUIRE(write(go[1], "x", 1) == 1);
	while (!is_privileged(p)) {
		int st;

		if (waitpid(p, &st, WNOHANG) == p)
			SKIP("set-id programs are not privileged here");
		sched_yield();
	}
	EXPECT_EQ(read(maps, path, sizeof(path)) > 0, 0);
	EXPECT_EQ(ioctl(maps, 0xc0686611, &q) < 0, 1);
	REQUIRE_OK(kill(p, SIGKILL));
}


/* ---- programs that wait for each other: each was executed, so none is a copy of another ---- */

#define RING 4

/* Programs of which each hands bytes on to the next; the first reads from *@ret_in, the last writes to *@ret_out. */
static void start_ring(pid_t *pid, int n, bool sockets, int *ret_in, int *ret_out)
{
	char *argv[] = { "exec", "@echo", NULL, NULL };
	int p[RING + 1][2] = { 0 };

	for (int i = 0; i <= n; i++)
		REQUIRE_OK(sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, p[i]) : pipe(p[i]));
	for (int i = 0; i < n; i++) {
		argv[2] = i % 2 ? "epoll" : NULL;
		pid[i] = fork();
		REQUIRE(pid[i] >= 0);
		if (pid[i])
			continue;
		dup2(p[i][0], 0);
		dup2(p[i + 1][1], 1);
		close_range(3, ~0u, 0);
		execve(me(), argv, environ);
		_exit(200);
	}
	*ret_in = p[0][1];
	*ret_out = p[n][0];
	for (int i = 0; i <= n; i++) {
		if (i > 0)
			close(p[i][1]);
		if (i < n)
			close(p[i][0]);
	}
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void pass_bytes(int n, bool sockets, int rounds)
{
	pid_t pid[RING];
	int in, out;

	start_ring(pid, n, sockets, &in, &out);
	for (int i = 0; i < rounds; i++) {
		unsigned char c = (unsigned char)i, got = 0;

		REQUIRE(write(in, &c, 1) == 1);
		REQUIRE(read(out, &got, 1) == 1);
		REQUIRE(got == (unsigned char)(i + n));
	}
	close(in);
	for (int i = 0; i < n; i++)
		EXPECT_EQ(status_of(pid[i]), 42);
	close(out);
}

TEST(two_programs_take_turns)
{
	pass_bytes(1, false, 500);
	pass_bytes(1, true, 500);
}

TEST(a_ring_of_programs_takes_turns)
{
	pass_bytes(RING, false, 200);
	pass_bytes(RING, true, 200);
}

/* A program ends while others wait for it, wherever it is just then. */
TEST(a_kill_ends_a_program_that_takes_turns)
{
	for (int k = 0; k < 12; k++) {
		pid_t pid[RING];
		int in, out, killed = k % RING;
		unsigned char c = 0;

		start_ring(pid, RING, k & 1, &in, &out);
		for (int i = 0; i < k * 3; i++)
			REQUIRE(write(in, &c, 1) == 1 && read(out, &c, 1) == 1);
		REQUIRE(write(in, &c, 1) == 1);
		kill(pid[killed], SIGKILL);
		EXPECT_EQ(status_of(pid[killed]), 128 + SIGKILL);
		close(in);
		for (int i = 0; i < RING; i++) {
			int s = i == killed ? 42 : status_of(pid[i]);

			EXPECT(s == 42 || s == 43 || s == 128 + SIGPIPE);
		}
		close(out);
	}
}

TEST_MAIN()
