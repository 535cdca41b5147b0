/* Calls that a supervisor answers: results, continuing, descriptors given, signals, the end of either side, hostile arguments. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "tests/lib/harness.h"

#define WATCHED SYS_getppid

/* The number of the call is referred to the listener; the rest goes on. */
static int listen_for(long nr, unsigned flags)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { 4, f };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}

static int give_fd(int sock, int fd)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c = { { 0 } };
	struct iovec iov = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	return (int)sendmsg(sock, &m, 0);
}

static int get_fd(int sock)
{
	union { char buf[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
	char x;
	struct iovec iov = { &x, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf) };
	int fd = -1;

	if (recvmsg(sock, &m, 0) == 1 && CMSG_FIRSTHDR(&m))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

static pid_t child;

/* A child that calls @fn with the filter on; its listener. */
static int supervise(long nr, unsigned flags, int (*fn)(void))
{
	int sv[2], fd;

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = listen_for(nr, SECCOMP_FILTER_FLAG_NEW_LISTENER | flags);
		if (fd < 0 || give_fd(sv[1], fd) < 0)
			_exit(99);
		close(fd);
		close(sv[1]);
		close(sv[0]);
		_exit(fn());
	}
	close(sv[1]);
	fd = get_fd(sv[0]);
	close(sv[0]);
	REQUIRE_OK(fd);
	return fd;
}

static int end(void)
{
	int status;

	REQUIRE(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int take(int l, struct seccomp_notif *n)
{
	memset(n, 0, sizeof(*n));
	return ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, n);
}

static int reply(int l, uint64_t id, int64_t val, int error, unsigned flags)
{
	struct seccomp_notif_resp r = { id, val, error, flags };

	return ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

static int call_thrice(void)
{
	if (syscall(WATCHED, 1, 2, 3) != 4242)
		return 1;
	if (syscall(WATCHED) != -1 || errno != EXDEV)
		return 2;
	return syscall(WATCHED) == getppid() ? 42 : 3;
}

TEST(a_supervisor_decides_results)
{
	struct seccomp_notif n;
	int l = supervise(WATCHED, 0, call_thrice);

	EXPECT_EQ(fcntl(l, F_GETFL) & O_ACCMODE, O_RDWR);
	REQUIRE_OK(take(l, &n));
	EXPECT_EQ(n.pid, child);
	EXPECT_EQ(n.data.nr, WATCHED);
	EXPECT_EQ(n.data.arch, 0xc000003e);
	EXPECT(n.data.args[0] == 1 && n.data.args[1] == 2 && n.data.args[2] == 3);
	EXPECT_OK(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	EXPECT_OK(reply(l, n.id, 4242, 0, 0));
	REQUIRE_OK(take(l, &n));
	EXPECT_OK(reply(l, n.id, 0, -EXDEV, 0));
	REQUIRE_OK(take(l, &n));
	EXPECT_OK(reply(l, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	/* The last getppid() of the comparison. */
	REQUIRE_OK(take(l, &n));
	EXPECT_OK(reply(l, n.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	EXPECT_EQ(end(), 42);
}

static int call_once(void)
{
	long r = syscall(WATCHED);

	return r >= 0 ? (int)r : errno;
}

TEST(arguments_of_the_supervisor_are_checked)
{
	struct seccomp_notif n, again;
	int l = supervise(WATCHED, 0, call_once);
	uint64_t id = 12345;

	memset(&n, 0, sizeof(n));
	n.flags = 1;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n), EINVAL);
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &id), ENOENT);
	EXPECT_ERR(ioctl(l, 0x5401, &id), EINVAL);
	EXPECT_ERR(reply(l, id, 0, 0, 0), ENOENT);
	REQUIRE_OK(take(l, &n));
	EXPECT_ERR(reply(l, n.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	EXPECT_ERR(reply(l, n.id, 0, -1, SECCOMP_USER_NOTIF_FLAG_CONTINUE), EINVAL);
	EXPECT_ERR(reply(l, n.id, 0, 0, 2), EINVAL);
	EXPECT_ERR(reply(l, n.id + 1, 0, 0, 0), ENOENT);
	EXPECT_OK(reply(l, n.id, 7, 0, 0));
	EXPECT_EQ(end(), 7);
	EXPECT_ERR(reply(l, n.id, 7, 0, 0), ENOENT);
	EXPECT_ERR(take(l, &again), ENOENT);
}

TEST(a_request_that_could_not_be_told_waits_on)
{
	struct seccomp_notif *bad = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), n;
	int l = supervise(WATCHED, 0, call_once);

	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, bad), EFAULT);
	REQUIRE_OK(take(l, &n));
	EXPECT_OK(reply(l, n.id, 9, 0, 0));
	EXPECT_EQ(end(), 9);
}

TEST(poll_tells_of_requests_and_of_the_end)
{
	struct seccomp_notif n;
	int l = supervise(WATCHED, 0, call_once);
	struct pollfd p = { .fd = l, .events = POLLIN | POLLOUT };

	EXPECT_EQ(poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLIN);
	REQUIRE_OK(take(l, &n));
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	EXPECT_OK(reply(l, n.id, 3, 0, 0));
	EXPECT_EQ(end(), 3);
	p.events = 0;
	EXPECT_EQ(poll(&p, 1, -1), 1);
	EXPECT_EQ(p.revents, POLLHUP);
}

TEST(without_a_supervisor_the_call_does_not_exist)
{
	struct seccomp_notif n;
	int l = supervise(WATCHED, 0, call_once);

	REQUIRE_OK(take(l, &n));
	close(l);
	EXPECT_EQ(end(), ENOSYS);
}

static int sum_of_two(void)
{
	long a = syscall(WATCHED), b = syscall(WATCHED);
	char c = 0;

	if (read((int)a, &c, 1) != 1 || c != 'k' || fcntl((int)a, F_GETFD) != FD_CLOEXEC)
		return 1;
	return b == 5 && fcntl(77, F_GETFD) == 0 && read(77, &c, 1) == 1 && c == 'e' ? 42 : 2;
}

TEST(descriptors_can_be_given)
{
	struct seccomp_notif n;
	struct seccomp_notif_addfd a = { 0 };
	int l, fd;

	put_file("f", "kept");
	fd = open("f", O_RDONLY);
	l = supervise(WATCHED, 0, sum_of_two);
	a.id = 999999;
	a.srcfd = (unsigned)fd;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), ENOENT);
	REQUIRE_OK(take(l, &n));
	a.id = n.id;
	a.srcfd = BAD_FD;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.srcfd = (unsigned)fd;
	a.newfd = 5;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.newfd = 0;
	a.flags = 8;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	a.flags = 0;
	a.newfd_flags = O_NONBLOCK;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EINVAL);
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, BAD_PTR), EFAULT);
	a.newfd_flags = O_CLOEXEC;
	a.flags = SECCOMP_ADDFD_FLAG_SEND;
	EXPECT(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a) > 2);
	REQUIRE_OK(take(l, &n));
	a.id = n.id;
	a.flags = SECCOMP_ADDFD_FLAG_SETFD;
	a.newfd = 100000000;
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), EBADF);
	a.newfd = 77;
	a.newfd_flags = 0;
	EXPECT_EQ(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 77);
	EXPECT_EQ(ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a), 77);
	EXPECT_OK(reply(l, n.id, 5, 0, 0));
	EXPECT_EQ(end(), 42);
}

static volatile int handled;

static void on_usr1(int sig)
{
	(void)sig;
	handled = 1;
}

static int interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_usr1 };
	long r;

	sigaction(SIGUSR1, &sa, NULL);
	r = syscall(WATCHED);
	return r == -1 && errno == EINTR && handled ? 42 : 1;
}

TEST(a_signal_ends_the_wait)
{
	struct seccomp_notif n;
	int l = supervise(WATCHED, 0, interrupted);

	REQUIRE_OK(take(l, &n));
	kill(child, SIGUSR1);
	EXPECT_EQ(end(), 42);
	EXPECT_ERR(reply(l, n.id, 0, 0, 0), ENOENT);
	EXPECT_ERR(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id), ENOENT);
}

static int restarted(void)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_RESTART };
	long r;

	sigaction(SIGUSR1, &sa, NULL);
	r = syscall(WATCHED);
	return r == 8 && handled ? 42 : 1;
}

TEST(and_asks_again_if_the_handler_wants_calls_restarted)
{
	struct seccomp_notif n, m;
	int l = supervise(WATCHED, 0, restarted);

	REQUIRE_OK(take(l, &n));
	kill(child, SIGUSR1);
	REQUIRE_OK(take(l, &m));
	EXPECT(n.id != m.id);
	EXPECT_OK(reply(l, m.id, 8, 0, 0));
	EXPECT_EQ(end(), 42);
}

TEST(but_not_once_it_was_told_if_only_killing_counts)
{
	struct seccomp_notif n;
	int l = supervise(WATCHED, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, restarted);

	REQUIRE_OK(take(l, &n));
	kill(child, SIGUSR1);
	usleep(20000);
	EXPECT_OK(ioctl(l, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id));
	EXPECT_OK(reply(l, n.id, 8, 0, 0));
	EXPECT_EQ(end(), 42);
	l = supervise(WATCHED, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, call_once);
	REQUIRE_OK(take(l, &n));
	kill(child, SIGKILL);
	EXPECT_EQ(end(), 128 + SIGKILL);
	EXPECT_ERR(reply(l, n.id, 8, 0, 0), ENOENT);
}

TEST(flags_are_checked)
{
	int fd;

	REQUIRE_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EXPECT_ERR(listen_for(WATCHED, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC), EINVAL);
	EXPECT_ERR(listen_for(WATCHED, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV), EINVAL);
	fd = listen_for(WATCHED, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	REQUIRE_OK(fd);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_ERR(listen_for(SYS_getuid, SECCOMP_FILTER_FLAG_NEW_LISTENER), EBUSY);
	/* One that has none refers to nobody. */
	EXPECT_OK(listen_for(SYS_getegid, 0));
	EXPECT_ERR(syscall(SYS_getegid), ENOSYS);
}

static int many_calls(void)
{
	for (int i = 0; i < 200; i++)
		if (syscall(WATCHED, i) != i + 1)
			return 1;
	return 42;
}

static void *serve(void *arg)
{
	struct seccomp_notif n;
	int l = (int)(intptr_t)arg;

	while (take(l, &n) == 0)
		reply(l, n.id, (int64_t)n.data.args[0] + 1, 0, 0);
	return NULL;
}

TEST(many_supervisors_may_share_the_work)
{
	int l = supervise(WATCHED, 0, many_calls);
	pthread_t th[3];

	for (int i = 0; i < 3; i++)
		REQUIRE(pthread_create(&th[i], NULL, serve, (void *)(intptr_t)l) == 0);
	EXPECT_EQ(end(), 42);
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
}

TEST_MAIN()
