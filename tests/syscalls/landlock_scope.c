/* Landlock's scopes: signals and abstract sockets, between those who are restricted alike, more, less and otherwise. */
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "tests/lib/harness.h"

#define ABSTRACT 1u
#define SIGNALS  2u

static int create(uint64_t fs, uint64_t net, uint64_t scoped)
{
	uint64_t r[3] = { fs, net, scoped };

	return (int)syscall(444, r, sizeof(r), 0);
}

static void scope(uint64_t scoped)
{
	int set = create(scoped ? 0 : 1, 0, scoped);

	REQUIRE_OK(set);
	REQUIRE_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	REQUIRE_OK(syscall(446, set, 0));
	close(set);
}

static void need(void)
{
	if (syscall(444, NULL, 0, 1) < 6)
		SKIP("no landlock of this version");
}

TEST(a_ruleset_may_be_of_scopes_alone)
{
	struct { uint64_t access; int32_t fd; } __attribute__((packed)) b = { 1, open(".", O_PATH) };
	uint64_t port[2] = { 1, 80 };
	int set;

	need();
	EXPECT_ERR(create(0, 0, 0), ENOMSG);
	EXPECT_ERR(create(0, 0, 1ull << 40), EINVAL);
	EXPECT_ERR(create(1, 1, 1ull << 63 | 1), EINVAL);
	REQUIRE_OK(set = create(0, 0, ABSTRACT | SIGNALS));
	EXPECT_ERR(syscall(445, set, 1, &b, 0), EINVAL);
	EXPECT_ERR(syscall(445, set, 2, port, 0), EINVAL);
	b.access = 0;
	EXPECT_ERR(syscall(445, set, 1, &b, 0), ENOMSG);
	scope(ABSTRACT | SIGNALS);
	for (int i = 1; i < 16; i++)
		EXPECT_OK(syscall(446, set, 0));
	EXPECT_ERR(syscall(446, set, 0), E2BIG);
	/* Files and mounts are nothing to it. */
	EXPECT_OK(open("/proc/self/status", O_RDONLY));
}

/* ---- signals ---- */

static pid_t waiting_child(int gate[2], uint64_t scoped)
{
	int ready[2];
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(gate));
	REQUIRE_OK(pipe(ready));
	pid = fork();
	if (pid == 0) {
		close(gate[1]);
		if (scoped)
			scope(scoped);
		REQUIRE(write(ready[1], "r", 1) == 1);
		(void)!read(gate[0], &c, 1);
		_exit(0);
	}
	REQUIRE(pid > 0);
	close(gate[0]);
	REQUIRE(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void let_go(pid_t pid, int gate[2])
{
	close(gate[1]);
	REQUIRE(waitpid(pid, NULL, 0) == pid);
}

static void kills_its_parent(void)
{
	siginfo_t si = { .si_code = SI_QUEUE };
	pid_t up = getppid();
	int fd = (int)syscall(SYS_pidfd_open, up, 0);

	EXPECT_OK(kill(up, 0));
	scope(SIGNALS);
	EXPECT_ERR(kill(up, 0), EPERM);
	EXPECT_ERR(kill(up, SIGCONT), EPERM);
	EXPECT_ERR(kill(up, SIGTERM), EPERM);
	EXPECT_ERR(syscall(SYS_tkill, up, SIGTERM), EPERM);
	EXPECT_ERR(syscall(SYS_tgkill, up, up, 0), EPERM);
	EXPECT_ERR(syscall(SYS_rt_sigqueueinfo, up, SIGTERM, &si), EPERM);
	EXPECT_ERR(syscall(SYS_rt_tgsigqueueinfo, up, up, SIGTERM, &si), EPERM);
	EXPECT_ERR(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), EPERM);
	EXPECT_OK(kill(getpid(), 0));
	EXPECT_OK(kill(0, 0));                  /* somebody of the group could be reached: itself */
}

TEST(who_is_scoped_signals_nobody_outside)
{
	need();
	EXPECT_EQ(in_child(kills_its_parent), 0);
}

TEST(who_is_scoped_signals_its_own_domain_and_those_below)
{
	int gate[2], deeper[2];
	pid_t pid, deep;

	need();
	scope(SIGNALS);
	pid = waiting_child(gate, 0);
	deep = waiting_child(deeper, SIGNALS);
	EXPECT_OK(kill(pid, 0));
	EXPECT_OK(kill(deep, 0));
	let_go(deep, deeper);           /* it holds the other's gate open, too */
	let_go(pid, gate);
}

TEST(who_is_not_scoped_signals_those_that_are)
{
	int gate[2];
	pid_t pid;

	need();
	pid = waiting_child(gate, SIGNALS);
	EXPECT_OK(kill(pid, 0));
	scope(ABSTRACT);
	EXPECT_OK(kill(pid, 0));
	let_go(pid, gate);
}

TEST(two_domains_beside_each_other_do_not_signal)
{
	int gate[2];
	pid_t pid;

	need();
	pid = waiting_child(gate, SIGNALS);
	scope(SIGNALS);
	EXPECT_ERR(kill(pid, 0), EPERM);
	EXPECT_ERR(kill(pid, SIGCONT), EPERM);
	let_go(pid, gate);
}

static void without_a_scope_of_its_own(void)
{
	scope(0);
	scope(ABSTRACT);
	/* What counts is the newest layer that is scoped, and the parent has that. */
	EXPECT_OK(kill(getppid(), 0));
	scope(SIGNALS);
	EXPECT_ERR(kill(getppid(), 0), EPERM);
}

TEST(the_newest_scoped_layer_decides)
{
	need();
	scope(SIGNALS);
	EXPECT_EQ(in_child(without_a_scope_of_its_own), 0);
}

static void *signals_another_thread(void *main_tid)
{
	scope(SIGNALS);
	EXPECT_OK(syscall(SYS_tgkill, getpid(), (pid_t)(intptr_t)main_tid, SIGUSR1));
	EXPECT_OK(syscall(SYS_tkill, (pid_t)(intptr_t)main_tid, 0));
	EXPECT_OK(kill(getpid(), 0));
	EXPECT_ERR(kill(getppid(), 0), EPERM);
	/* libc tells all threads by a signal. */
	EXPECT_OK(setuid(65534));
	return NULL;
}

TEST(threads_of_a_process_always_signal_each_other)
{
	pthread_t th;
	sigset_t s;
	int sig;

	need();
	if (!(syscall(444, NULL, 0, 2) & 2))
		SKIP("a landlock before that was allowed");
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	REQUIRE(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	REQUIRE(pthread_create(&th, NULL, signals_another_thread, (void *)(intptr_t)syscall(SYS_gettid)) == 0);
	EXPECT_EQ(sigwait(&s, &sig), 0);
	pthread_join(th, NULL);
	EXPECT_EQ(getuid(), 65534);
	EXPECT_OK(kill(getppid(), 0) == 0 || errno == EPERM ? 0 : -1);
}

/* ---- owners of files ---- */

static bool pending(int sig)
{
	sigset_t s;

	REQUIRE(sigpending(&s) == 0);
	return sigismember(&s, sig);
}

static void block(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	REQUIRE(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
}

static void finish(pid_t pid)
{
	int st;

	REQUIRE(waitpid(pid, &st, 0) == pid);
	EXPECT_EQ(st, 0);
}

/* A pair whose first end tells by SIGIO, and by SIGURG, what comes. */
static void pair(int sv[2])
{
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	REQUIRE_OK(fcntl(sv[0], F_SETFL, O_ASYNC));
	block(SIGIO);
	block(SIGURG);
}

TEST(the_owner_of_a_file_is_told_within_the_domain_of_who_named_it)
{
	int sv[2];
	pid_t pid;

	need();
	pair(sv);
	pid = fork();
	if (pid == 0) {
		scope(SIGNALS);
		REQUIRE_OK(fcntl(sv[0], F_SETOWN, getppid()));
		EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
		EXPECT_EQ(send(sv[1], "u", 1, MSG_OOB), 1);
		_exit(test_failures != 0);
	}
	finish(pid);
	EXPECT(!pending(SIGIO));
	EXPECT(!pending(SIGURG));
	EXPECT_EQ(fcntl(sv[0], F_GETOWN), getpid());
	/* Who writes does not matter. */
	EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
	EXPECT(!pending(SIGIO));
	REQUIRE_OK(fcntl(sv[0], F_SETOWN, getpid()));
	EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
	EXPECT(pending(SIGIO));
	EXPECT_EQ(send(sv[1], "u", 1, MSG_OOB), 1);
	EXPECT(pending(SIGURG));
}

TEST(an_owner_named_before_is_told_after)
{
	int sv[2];
	pid_t pid;

	need();
	pair(sv);
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(fcntl(sv[0], F_SETOWN, getppid()));
		scope(SIGNALS);
		EXPECT_EQ(send(sv[1], "u", 1, MSG_OOB), 1);
		_exit(test_failures != 0);
	}
	finish(pid);
	EXPECT(pending(SIGIO));
	EXPECT(pending(SIGURG));
}

TEST(owners_of_the_same_domain_are_told)
{
	struct f_owner_ex ex = { F_OWNER_TID, getpid() };
	int sv[2];
	pid_t pid;

	need();
	pair(sv);
	scope(SIGNALS);
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(fcntl(sv[0], F_SETOWN_EX, &ex));
		EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
		_exit(test_failures != 0);
	}
	finish(pid);
	EXPECT(pending(SIGIO));
}

static void *names_its_process(void *fd)
{
	scope(SIGNALS);
	REQUIRE_OK(fcntl((int)(intptr_t)fd, F_SETOWN, getpid()));
	return NULL;
}

TEST(a_thread_names_its_own_process)
{
	pthread_t th;
	int sv[2];

	need();
	if (!(syscall(444, NULL, 0, 2) & 2))
		SKIP("a landlock before that was allowed");
	pair(sv);
	REQUIRE(pthread_create(&th, NULL, names_its_process, (void *)(intptr_t)sv[0]) == 0);
	pthread_join(th, NULL);
	EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
	EXPECT(pending(SIGIO));
}

TEST(an_owner_is_named_anew_or_not_at_all)
{
	int sv[2];
	pid_t pid;

	need();
	pair(sv);
	pid = fork();
	if (pid == 0) {
		REQUIRE_OK(fcntl(sv[0], F_SETOWN, getppid()));
		scope(SIGNALS);
		REQUIRE_OK(fcntl(sv[0], F_SETOWN, 0));
		REQUIRE_OK(fcntl(sv[0], F_SETOWN, getppid()));
		EXPECT_EQ(send(sv[1], "x", 1, 0), 1);
		_exit(test_failures != 0);
	}
	finish(pid);
	EXPECT(!pending(SIGIO));
}

/* ---- abstract sockets ---- */

static socklen_t name_of(struct sockaddr_un *a, const char *what)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(a->sun_path + 1, 90, "csb-%s-%d", what, (int)getpid()));
}

struct server { struct sockaddr_un a; socklen_t len; int fd; };

static struct server serve(const char *what, int type)
{
	struct server s = { .fd = socket(AF_UNIX, type, 0) };

	s.len = name_of(&s.a, what);
	REQUIRE_OK(bind(s.fd, (struct sockaddr *)&s.a, s.len));
	if (type != SOCK_DGRAM)
		REQUIRE_OK(listen(s.fd, 5));
	return s;
}

static int reach(const struct server *s, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0), r = connect(fd, (const struct sockaddr *)&s->a, s->len) < 0 ? errno : 0;

	close(fd);
	return r;
}

static int send_to(const struct server *s, int fd)
{
	return sendto(fd, "x", 1, 0, (const struct sockaddr *)&s->a, s->len) == 1 ? 0 : errno;
}

TEST(abstract_names_outside_are_out_of_reach)
{
	struct server st, sq, dg, none;
	int d;

	need();
	st = serve("st", SOCK_STREAM);
	sq = serve("sq", SOCK_SEQPACKET);
	dg = serve("dg", SOCK_DGRAM);
	none = serve("none", SOCK_DGRAM);
	close(none.fd);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	EXPECT_EQ(reach(&st, SOCK_STREAM), 0);
	EXPECT_EQ(reach(&sq, SOCK_SEQPACKET), 0);
	EXPECT_EQ(send_to(&dg, d), 0);
	/* The sockets were made outside. */
	scope(ABSTRACT);
	EXPECT_EQ(reach(&st, SOCK_STREAM), EPERM);
	EXPECT_EQ(reach(&sq, SOCK_SEQPACKET), EPERM);
	EXPECT_EQ(reach(&dg, SOCK_DGRAM), EPERM);
	EXPECT_EQ(send_to(&dg, d), EPERM);
	EXPECT_EQ(reach(&st, SOCK_DGRAM), ECONNREFUSED);
	EXPECT_EQ(reach(&none, SOCK_DGRAM), ECONNREFUSED);
	EXPECT_EQ(send_to(&none, d), ECONNREFUSED);
	/* Ours now, and no other scope matters. */
	close(st.fd);
	st = serve("st", SOCK_STREAM);
	EXPECT_EQ(reach(&st, SOCK_STREAM), 0);
	scope(SIGNALS);
	EXPECT_EQ(reach(&st, SOCK_STREAM), 0);
	scope(ABSTRACT);
	EXPECT_EQ(reach(&st, SOCK_STREAM), EPERM);
}

TEST(one_that_does_not_listen_is_refused_first)
{
	struct server s;

	need();
	s = (struct server){ .fd = socket(AF_UNIX, SOCK_STREAM, 0) };
	s.len = name_of(&s.a, "deaf");
	REQUIRE_OK(bind(s.fd, (struct sockaddr *)&s.a, s.len));
	scope(ABSTRACT);
	EXPECT_EQ(reach(&s, SOCK_STREAM), ECONNREFUSED);
}

TEST(names_that_the_kernel_chose_are_abstract)
{
	struct server s = { .fd = socket(AF_UNIX, SOCK_DGRAM, 0), .a.sun_family = AF_UNIX };
	socklen_t len = sizeof(s.a);

	need();
	REQUIRE_OK(bind(s.fd, (struct sockaddr *)&s.a, sizeof(sa_family_t)));
	REQUIRE_OK(getsockname(s.fd, (struct sockaddr *)&s.a, &len));
	s.len = len;
	EXPECT_EQ(reach(&s, SOCK_DGRAM), 0);
	scope(ABSTRACT);
	EXPECT_EQ(reach(&s, SOCK_DGRAM), EPERM);
}

TEST(paths_and_pairs_are_free)
{
	struct server s = { .fd = socket(AF_UNIX, SOCK_STREAM, 0), .a = { AF_UNIX, "path" }, .len = sizeof(s.a) };
	int sv[2];

	need();
	REQUIRE_OK(bind(s.fd, (struct sockaddr *)&s.a, s.len));
	REQUIRE_OK(listen(s.fd, 5));
	REQUIRE_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	scope(ABSTRACT);
	EXPECT_EQ(reach(&s, SOCK_STREAM), 0);
	EXPECT_EQ(send(sv[0], "x", 1, 0), 1);
}

TEST(a_datagram_socket_keeps_the_peer_it_had)
{
	struct server a, b;
	int d;

	need();
	a = serve("a", SOCK_DGRAM);
	b = serve("b", SOCK_DGRAM);
	d = socket(AF_UNIX, SOCK_DGRAM, 0);
	REQUIRE_OK(connect(d, (struct sockaddr *)&a.a, a.len));
	scope(ABSTRACT);
	EXPECT_EQ(send(d, "x", 1, 0), 1);
	EXPECT_EQ(send_to(&a, d), 0);
	EXPECT_EQ(send_to(&b, d), EPERM);
	EXPECT_OK(connect(d, (struct sockaddr *)&a.a, a.len));
	EXPECT_ERR(connect(d, (struct sockaddr *)&b.a, b.len), EPERM);
	EXPECT_EQ(send(d, "x", 1, 0), 1);
	REQUIRE_OK(connect(d, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
	EXPECT_ERR(connect(d, (struct sockaddr *)&a.a, a.len), EPERM);
	EXPECT_EQ(send_to(&a, d), EPERM);
}

TEST(a_stream_that_is_connected_goes_on)
{
	struct server s;
	int c, n;
	char x;

	need();
	s = serve("on", SOCK_STREAM);
	REQUIRE_OK(c = socket(AF_UNIX, SOCK_STREAM, 0));
	REQUIRE_OK(connect(c, (struct sockaddr *)&s.a, s.len));
	scope(ABSTRACT);
	REQUIRE_OK(n = accept(s.fd, NULL, NULL));
	EXPECT_EQ(send(c, "x", 1, 0), 1);
	EXPECT_EQ(send(n, "x", 1, 0), 1);
	EXPECT_EQ(recv(n, &x, 1, 0), 1);
	EXPECT_EQ(recv(c, &x, 1, 0), 1);
}

/* Who made the socket counts, not who has it now. */
static void *makes_a_server(void *ret)
{
	scope(ABSTRACT);
	*(struct server *)ret = serve("made", SOCK_STREAM);
	return NULL;
}

TEST(sockets_below_are_reached_and_those_beside_are_not)
{
	struct server s;
	pthread_t th;

	need();
	REQUIRE(pthread_create(&th, NULL, makes_a_server, &s) == 0);
	pthread_join(th, NULL);
	EXPECT_EQ(reach(&s, SOCK_STREAM), 0);
	scope(ABSTRACT);
	EXPECT_EQ(reach(&s, SOCK_STREAM), EPERM);
}

TEST_MAIN()
