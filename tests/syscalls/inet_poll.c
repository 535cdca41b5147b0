/*
 * inet_poll.c - readiness of network sockets: poll, epoll edges, ioctls, sendfile and splice.
 */
#include "tests/lib/inet.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/sendfile.h>

static int watch(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int ep = epoll_create1(0);

	REQUIRE(ep >= 0);
	REQUIRE_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	return ep;
}

/* The next events, waiting @ms; 0: none. */
static int next(int ep, int ms)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, ms) == 1 ? (int)ev.events : 0;
}

BOTH(a_new_socket)
{
	EXPECT_EQ(poll_now(socket(af, SOCK_STREAM, 0)), POLLOUT | POLLHUP);
	EXPECT_EQ(poll_now(lo_socket(af, SOCK_STREAM)), POLLOUT | POLLHUP);
	EXPECT_EQ(poll_now(lo_listener(af, 1)), 0);
	EXPECT_EQ(poll_now(socket(af, SOCK_DGRAM, 0)), POLLOUT);
}

BOTH(poll_follows_a_connection)
{
	int fd[2];
	char b[8];

	tcp_pair(af, fd);
	EXPECT_EQ(poll_now(fd[0]), POLLOUT);
	EXPECT_EQ(send(fd[1], "abc", 3, 0), 3);
	EXPECT_EQ(poll_for(fd[0], POLLIN), POLLIN);
	EXPECT_EQ(poll_now(fd[0]), POLLIN | POLLOUT);
	EXPECT_EQ(recv(fd[0], b, 8, 0), 3);
	EXPECT_EQ(poll_now(fd[0]), POLLOUT);
	EXPECT_OK(shutdown(fd[1], SHUT_WR));
	EXPECT_EQ(poll_for(fd[0], POLLRDHUP), POLLRDHUP);
	EXPECT_EQ(poll_now(fd[0]), POLLIN | POLLOUT | POLLRDHUP);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_EQ(poll_for(fd[0], POLLHUP), POLLHUP);
	EXPECT_EQ(poll_for(fd[1], POLLHUP), POLLHUP);
}

BOTH(a_listener_is_readable_while_somebody_waits)
{
	int l = lo_listener(af, 4), c = socket(af, SOCK_STREAM, 0), d = socket(af, SOCK_STREAM, 0);
	struct name n = own_name(l);

	EXPECT_OK(connect(c, &n.sa, n.len));
	EXPECT_OK(connect(d, &n.sa, n.len));
	EXPECT_EQ(poll_for(l, POLLIN), POLLIN);
	EXPECT(accept(l, NULL, NULL) >= 0);
	EXPECT_EQ(poll_now(l), POLLIN);
	EXPECT(accept(l, NULL, NULL) >= 0);
	EXPECT_EQ(poll_now(l), 0);
	EXPECT_OK(shutdown(l, SHUT_RD));
	EXPECT_EQ(poll_now(l), POLLOUT | POLLHUP);
}

BOTH(edges_come_with_every_arrival)
{
	int fd[2], ep;
	char b[8];

	tcp_pair(af, fd);
	ep = watch(fd[0], EPOLLIN | EPOLLET);
	EXPECT_EQ(next(ep, 0), 0);
	EXPECT_EQ(send(fd[1], "a", 1, 0), 1);
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
	EXPECT_EQ(next(ep, 20), 0);             /* still data, no new edge */
	EXPECT_EQ(send(fd[1], "b", 1, 0), 1);
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
	EXPECT_EQ(recv(fd[0], b, 1, 0), 1);     /* reading is no edge */
	EXPECT_EQ(next(ep, 20), 0);
	EXPECT_OK(shutdown(fd[1], SHUT_WR));
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
}

BOTH(datagram_edges)
{
	int fd[2], ep;
	char b[8];

	udp_pair(af, fd);
	ep = watch(fd[0], EPOLLIN | EPOLLOUT | EPOLLET);
	EXPECT_EQ(next(ep, 10000), EPOLLOUT);
	EXPECT_EQ(next(ep, 20), 0);
	EXPECT_EQ(send(fd[1], "a", 1, 0), 1);
	EXPECT_EQ(next(ep, 10000) & EPOLLIN, EPOLLIN);
	EXPECT_EQ(recv(fd[0], b, 1, 0), 1);
	EXPECT_EQ(next(ep, 20), 0);
	EXPECT_EQ(send(fd[1], "a", 1, 0), 1);
	EXPECT_EQ(next(ep, 10000) & EPOLLIN, EPOLLIN);
}

BOTH(oneshot_and_level)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };
	int fd[2], ep;

	tcp_pair(af, fd);
	ep = watch(fd[0], EPOLLIN);
	EXPECT_EQ(send(fd[1], "a", 1, 0), 1);
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &ev));
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
	EXPECT_EQ(next(ep, 20), 0);
	EXPECT_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &ev));
	EXPECT_EQ(next(ep, 10000), EPOLLIN);
}

BOTH(room_to_write_is_an_edge)
{
	static char big[1 << 20];
	bool full = false;
	int fd[2], ep;
	ssize_t n;

	tcp_pair(af, fd);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	ep = watch(fd[0], EPOLLOUT | EPOLLET);
	EXPECT_EQ(next(ep, 10000), EPOLLOUT);
	/* Until it stays full: acknowledgements on their way make room again. */
	for (int i = 0; i < 5000 && !full; i++) {
		do
			n = send(fd[0], big, sizeof(big), 0);
		while (n > 0);
		EXPECT_EQ(errno, EAGAIN);
		full = poll_now(fd[0]) == 0;
	}
	EXPECT(full);
	(void)next(ep, 0);
	for (int i = 0; i < 5000 && !next(ep, 0); i++) {
		while (recv(fd[1], big, sizeof(big), 0) > 0)
			;
		sleep_ms(1);
	}
	EXPECT_EQ(poll_for(fd[0], POLLOUT), POLLOUT);
}

BOTH(a_refused_connection_is_told_to_epoll)
{
	int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK, 0), ep;
	struct name n = dead_name(af, SOCK_STREAM);

	ep = watch(fd, EPOLLIN | EPOLLOUT | EPOLLET);
	EXPECT_EQ(next(ep, 0), EPOLLOUT | EPOLLHUP);
	EXPECT_ERR(connect(fd, &n.sa, n.len), EINPROGRESS);
	EXPECT_EQ(next(ep, 10000), EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
}

BOTH(rcvlowat_holds_readiness_back)
{
	int fd[2];
	char b[16];

	tcp_pair(af, fd);
	EXPECT_OK(set_int(fd[0], SOL_SOCKET, SO_RCVLOWAT, 8));
	EXPECT_EQ(send(fd[1], "abc", 3, 0), 3);
	sleep_ms(30);
	EXPECT_EQ(poll_now(fd[0]), POLLOUT);
	EXPECT_EQ(send(fd[1], "defgh", 5, 0), 5);
	EXPECT_EQ(poll_for(fd[0], POLLIN), POLLIN);
	EXPECT_EQ(recv(fd[0], b, 16, 0), 8);
	EXPECT_EQ(send(fd[1], "ij", 2, 0), 2);
	EXPECT_OK(shutdown(fd[1], SHUT_WR));
	EXPECT_EQ(recv(fd[0], b, 16, 0), 2);
}

BOTH(queue_ioctls)
{
	int fd[2], l = lo_listener(af, 1), v = -1;
	char b[8];

	tcp_pair(af, fd);
	EXPECT_OK(ioctl(fd[1], SIOCINQ, &v));
	EXPECT_EQ(v, 0);
	EXPECT_EQ(send(fd[0], "abcde", 5, 0), 5);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	EXPECT_OK(ioctl(fd[1], SIOCINQ, &v));
	EXPECT_EQ(v, 5);
	for (int i = 0; i < 1000 && ioctl(fd[0], SIOCOUTQ, &v) == 0 && v; i++)
		sleep_ms(2);
	EXPECT_EQ(v, 0);
	EXPECT_OK(ioctl(fd[0], SIOCOUTQNSD, &v));
	EXPECT_EQ(v, 0);
	EXPECT_EQ(recv(fd[1], b, 2, 0), 2);
	EXPECT_OK(ioctl(fd[1], FIONREAD, &v));
	EXPECT_EQ(v, 3);
	EXPECT_ERR(ioctl(l, SIOCINQ, &v), EINVAL);
	EXPECT_ERR(ioctl(l, SIOCOUTQ, &v), EINVAL);
	EXPECT_ERR(ioctl(fd[0], 0x12345, &v), ENOTTY);
	v = 1;
	EXPECT_OK(ioctl(fd[0], FIONBIO, &v));
	EXPECT_ERR(recv(fd[0], b, 1, 0), EAGAIN);
}

TEST(interface_ioctls)
{
	struct ifreq r = { .ifr_name = "lo" };
	struct ifconf c = { .ifc_len = 0 };
	struct ethtool_value ev = { .cmd = ETHTOOL_GLINK };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), index;

	EXPECT_OK(ioctl(fd, SIOCGIFINDEX, &r));
	index = r.ifr_ifindex;
	EXPECT_EQ(index, if_nametoindex("lo"));
	EXPECT_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	EXPECT_EQ(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	EXPECT_OK(ioctl(fd, SIOCGIFMTU, &r));
	EXPECT_EQ(r.ifr_mtu, 65536);
	EXPECT_OK(ioctl(fd, SIOCGIFADDR, &r));
	EXPECT_EQ(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	EXPECT_OK(ioctl(fd, SIOCGIFNETMASK, &r));
	EXPECT_EQ(((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr, htonl(0xff000000));
	EXPECT_OK(ioctl(fd, SIOCGIFHWADDR, &r));
	EXPECT_EQ(r.ifr_hwaddr.sa_family, 772);
	memset(&r, 0, sizeof(r));
	r.ifr_ifindex = index;
	EXPECT_OK(ioctl(fd, SIOCGIFNAME, &r));
	EXPECT_STR(r.ifr_name, "lo");
	EXPECT_OK(ioctl(fd, SIOCGIFCONF, &c));
	EXPECT(c.ifc_len >= (int)sizeof(r));
	strcpy(r.ifr_name, "lo");
	r.ifr_data = (void *)&ev;
	EXPECT_OK(ioctl(fd, SIOCETHTOOL, &r));
	EXPECT_EQ(ev.data, 1);
	strcpy(r.ifr_name, "nosuch");
	EXPECT_ERR(ioctl(fd, SIOCGIFMTU, &r), ENODEV);
	EXPECT_ERR(ioctl(fd, SIOCGIFMTU, BAD_PTR), EFAULT);
}

BOTH(sendfile_to_a_socket)
{
	static char want[300000], got[300000];
	int fd[2], f, status;
	off_t off = 0;
	pid_t pid;

	for (size_t i = 0; i < sizeof(want); i++)
		want[i] = (char)(i * 7 + i / 1000);
	f = open("f", O_RDWR | O_CREAT, 0600);
	REQUIRE(write(f, want, sizeof(want)) == sizeof(want));
	tcp_pair(af, fd);
	pid = fork();
	if (pid == 0) {
		while ((size_t)off < sizeof(want))
			if (sendfile(fd[0], f, &off, sizeof(want)) <= 0)
				_exit(1);
		_exit(0);
	}
	close(fd[0]);
	EXPECT_EQ(recv(fd[1], got, sizeof(got), MSG_WAITALL), sizeof(got));
	EXPECT_EQ(memcmp(want, got, sizeof(got)), 0);
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0);
}

BOTH(splice_ends_before_an_urgent_byte)
{
	int fd[2], p[2];

	tcp_pair(af, fd);
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(send(fd[0], "abc", 3, MSG_OOB), 3);
	EXPECT_EQ(poll_for(fd[1], POLLPRI), POLLPRI);
	EXPECT_EQ(splice(fd[1], NULL, p[1], NULL, 16, 0), 2);
	EXPECT_EQ(splice(fd[1], NULL, p[1], NULL, 16, 0), 0);
}

BOTH(splice_through_sockets)
{
	int fd[2], p[2];
	char b[16] = "";

	tcp_pair(af, fd);
	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(p[1], "through", 7), 7);
	EXPECT_EQ(splice(p[0], NULL, fd[0], NULL, 7, 0), 7);
	EXPECT_EQ(poll_for(fd[1], POLLIN), POLLIN);
	EXPECT_EQ(splice(fd[1], NULL, p[1], NULL, 16, 0), 7);
	EXPECT_EQ(read(p[0], b, 16), 7);
	EXPECT_STR(b, "through");
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	EXPECT_ERR(splice(fd[1], NULL, p[1], NULL, 16, 0), EAGAIN);
	fcntl(fd[1], F_SETFL, 0);
	EXPECT_OK(shutdown(fd[0], SHUT_WR));
	EXPECT_EQ(splice(fd[1], NULL, p[1], NULL, 16, 0), 0);
}

BOTH(read_and_write_work_as_on_files)
{
	struct iovec iov[2] = { { (char *)"ab", 2 }, { (char *)"cd", 2 } };
	int fd[2];
	char b[8];

	tcp_pair(af, fd);
	EXPECT_EQ(writev(fd[0], iov, 2), 4);
	EXPECT_EQ(read(fd[1], b, 8), 4);
	EXPECT_EQ(read(fd[1], b, 0), 0);
	EXPECT_EQ(write(fd[0], "", 0), 0);
	EXPECT_ERR(pread(fd[1], b, 1, 0), ESPIPE);
	EXPECT_ERR(lseek(fd[1], 0, SEEK_SET), ESPIPE);
	EXPECT_ERR(ftruncate(fd[1], 0), EINVAL);
	EXPECT_ERR(fsync(fd[1]), EINVAL);
}

BOTH(a_dup_keeps_the_connection)
{
	int fd[2], d;
	char b[8];

	tcp_pair(af, fd);
	d = dup(fd[0]);
	close(fd[0]);
	EXPECT_EQ(send(d, "abc", 3, 0), 3);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 3);
	close(d);
	EXPECT_EQ(recv(fd[1], b, 8, 0), 0);
}

static void on_alarm(int sig) { (void)sig; }

BOTH(signals_interrupt)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	int l = lo_listener(af, 1), fd[2];
	char c;

	tcp_pair(af, fd);
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 2; i++) {
		pid_t me = getpid(), pid = fork();

		if (pid == 0) {
			wait_until_asleep(me);
			kill(me, SIGUSR1);
			_exit(0);
		}
		if (i)
			EXPECT_ERR(recv(fd[0], &c, 1, 0), EINTR);
		else
			EXPECT_ERR(accept(l, NULL, NULL), EINTR);
		waitpid(pid, NULL, 0);
	}
}

TEST_MAIN()
