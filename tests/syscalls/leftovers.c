/* Who is gone leaves nothing behind: tracers, leaders that exec replaced, sockets in their own queue. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "tests/lib/harness.h"

static void *exec_self(void *arg)
{
	(void)arg;
	execl("/proc/self/exe", "leftovers", "--none-such-test", NULL);
	_exit(98);
}

/* Another thread than the first executes a program. */
static void exec_in_thread(void)
{
	pthread_t th;

	REQUIRE(pthread_create(&th, NULL, exec_self, NULL) == 0);
	for (;;)
		pause();
}

TEST(a_leader_that_exec_replaced_is_traced_no_more)
{
	int st, left = 0;
	pid_t pid = fork(), r;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			_exit(99);
		kill(getpid(), SIGSTOP);
		exec_in_thread();
	}
	REQUIRE(waitpid(pid, &st, __WALL) == pid);
	EXPECT_OK(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC));
	EXPECT_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	/* What is left when all has ended is nothing. */
	while ((r = waitpid(-1, &st, __WALL)) > 0) {
		if (WIFSTOPPED(st)) {
			int sig = WSTOPSIG(st) == SIGSTOP || WSTOPSIG(st) == SIGTRAP ? 0 : WSTOPSIG(st);

			(void)!ptrace(PTRACE_CONT, r, 0, sig);
		} else if (r == pid) {
			EXPECT(WIFEXITED(st));
			left++;
		}
	}
	EXPECT_EQ(errno, ECHILD);
	EXPECT_EQ(left, 1);
}

/* ---- tracers ---- */

static int tracer_of_self(void)
{
	const char *s = get_file("/proc/self/status"), *p = strstr(s, "TracerPid:");

	return p ? atoi(p + 10) : -1;
}

/* Its parent ends while it asks to be traced; it answers by its exit code, to whom it is left. */
static void ask_to_be_traced(_Atomic int *go, pid_t heir, int delay)
{
	atomic_fetch_add(go, 1);
	while (atomic_load(go) < 2)
		;
	for (volatile int i = 0; i < delay; i++)
		;
	(void)!ptrace(PTRACE_TRACEME, 0, 0, 0);
	while (getppid() != heir)
		sched_yield();
	/* Unless it asked only after that. */
	_exit(tracer_of_self() == 0 || tracer_of_self() == heir ? 0 : 1);
}

/* Something that takes a process a while to end. */
static void be_slow_to_end(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	timer_t tm;

	for (int i = 0; i < 300; i++)
		(void)!timer_create(CLOCK_MONOTONIC, &ev, &tm);
}

TEST(nobody_is_traced_by_a_parent_that_has_ended)
{
	_Atomic int *go = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t heir = getpid();

	REQUIRE(go != MAP_FAILED);
	REQUIRE_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (int round = 0; round < 20; round++) {
		int st, n = 0;

		atomic_store(go, 0);
		if (fork() == 0) {
			if (fork() == 0)
				ask_to_be_traced(go, heir, round * 20000);
			be_slow_to_end();
			while (atomic_load(go) < 1)
				sched_yield();
			atomic_fetch_add(go, 1);
			_exit(0);
		}
		while (waitpid(-1, &st, 0) > 0) {
			EXPECT_EQ(st, 0);
			n++;
		}
		EXPECT_EQ(n, 2);
	}
}

/* ---- control groups ---- */

/* How many tasks there are in all, where the root of the groups tells. */
static long tasks(void)
{
	return access("cg/pids.current", F_OK) == 0 ? atol(get_file("cg/pids.current")) : 0;
}

TEST(exec_by_another_thread_leaves_no_task_behind)
{
	long before;
	int st;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("cg", 0755));
	if (mount("none", "cg", "cgroup2", 0, NULL) < 0)
		SKIP("no cgroup2");
	before = tasks();
	if (fork() == 0)
		exec_in_thread();
	EXPECT(wait(&st) > 0);
	EXPECT_EQ(tasks(), before);
}

/* ---- sockets ---- */

static socklen_t abstract(struct sockaddr_un *a, const char *what)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
	       (socklen_t)snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "%s-%d", what, getpid());
}

static void send_fd(int sock, int fd)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } c = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c) };

	c.h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	EXPECT_EQ(sendmsg(sock, &m, 0), 1);
}

/* A listener whose descriptor lies in the queue of a connection that only waits in its own backlog. */
TEST(a_listener_in_its_own_backlog_is_collected)
{
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), r = 0;
	struct sockaddr_un a;
	socklen_t len = abstract(&a, "backlog");

	REQUIRE_OK(bind(l, (struct sockaddr *)&a, len));
	REQUIRE_OK(listen(l, 100));
	REQUIRE_OK(connect(c, (struct sockaddr *)&a, len));
	send_fd(c, l);
	close(c);
	close(l);
	/* Linux collects by and by. */
	for (int i = 0; i < 50 && r == 0; i++) {
		c = socket(AF_UNIX, SOCK_STREAM, 0);
		r = connect(c, (struct sockaddr *)&a, len) < 0 ? errno : 0;
		close(c);
		if (r == 0)
			sleep_ms(100);
	}
	EXPECT_EQ(r, ECONNREFUSED);
}

TEST_MAIN()
