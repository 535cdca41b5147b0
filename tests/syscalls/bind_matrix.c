/*
 * bind_matrix.c - who may be bound beside whom: every pair of addresses, SO_REUSEADDR, SO_REUSEPORT and users, by the state of the one
 * that was first; and how ports are chosen.
 *
 * The rule is written down here (allowed()); Linux shows that it is right.  Each test has a network namespace of its own.
 */
#include <sys/fsuid.h>
#include "tests/lib/inet.h"

enum { ADDR = 1, PORT = 2 };            /* SO_REUSEADDR, SO_REUSEPORT */
enum state { BOUND, LISTENING, ACCEPTED, TIME_WAIT, CONNECTED };

/* What an address takes in, as bits. */
enum { V4A = 1, V4B = 2, V4REST = 4, V4 = 7, V6LO = 8, V6REST = 16, V6 = 24 };

static const struct who { int af; const char *ip; int only, meets; } whos[] = {
	{ AF_INET, "0.0.0.0", 0, V4 }, { AF_INET, "127.0.0.1", 0, V4A }, { AF_INET, "127.0.0.2", 0, V4B }, { AF_INET6, "::", 0, V4 | V6 },
	{ AF_INET6, "::", 1, V6 }, { AF_INET6, "::1", 0, V6LO }, { AF_INET6, "::ffff:127.0.0.1", 0, V4A },
	{ AF_INET6, "::ffff:0.0.0.0", 0, V4 },
};
#define WHOS ((int)(sizeof(whos) / sizeof(*whos)))
enum { ANY4 = 0, ANY6 = 3 };

static int meets_now(const struct who *a, enum state st)
{
	if (st == BOUND || st == LISTENING)
		return a->meets;
	return a->meets & V6 ? V6LO : a->meets == V4B ? V4B : V4A;      /* where connections of this test end */
}

static bool allowed(int type, enum state st, int a, int fa, int b, int fb, bool same_user)
{
	bool dual = a == ANY6 && b == ANY4;     /* in the way even of what has become IPv6 alone */

	if (!(meets_now(&whos[a], st) & whos[b].meets) && !dual)
		return true;
	if ((fa & fb & ADDR) && (type == SOCK_DGRAM || st != LISTENING))
		return true;
	return (fa & fb & PORT) && (same_user || st == TIME_WAIT);
}

static void own_net(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespace");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE_OK(ioctl(fd, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	REQUIRE_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}

static struct name name_of(int af, const char *ip, int port)
{
	struct name n = any_name(af, (uint16_t)port);

	REQUIRE(inet_pton(af, ip, af == AF_INET ? (void *)&n.in.sin_addr : (void *)&n.in6.sin6_addr) == 1);
	return n;
}

static int made(int type, const struct who *w, int flags, bool other_user)
{
	int fd;

	if (other_user)
		setfsuid(1000);
	fd = socket(w->af, type, 0);
	if (other_user)
		setfsuid(0);
	REQUIRE(fd >= 0);
	if (w->af == AF_INET6)
		REQUIRE_OK(set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, w->only));
	REQUIRE_OK(set_int(fd, SOL_SOCKET, SO_REUSEADDR, flags & ADDR));
	REQUIRE_OK(set_int(fd, SOL_SOCKET, SO_REUSEPORT, flags / PORT));
	return fd;
}

static int bind_to(int fd, int af, const char *ip, int port)
{
	struct name n = name_of(af, ip, port);

	return bind(fd, &n.sa, n.len);
}

static int connect_to(int fd, int af, const char *ip, int port)
{
	struct name n = name_of(af, ip, port);

	return connect(fd, &n.sa, n.len);
}

static int listener[2];         /* for connections by IPv4 and IPv6 */

#define SERVER 15000

static void reset(int fd)
{
	struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

/* The first of a pair in its state: up to two descriptors to be closed with it. */
static void bring_to(int type, enum state st, const struct who *w, int flags, int port, int fd[2])
{
	bool v6 = w->meets & V6;
	char c;

	fd[0] = made(type, w, flags, false);
	fd[1] = -1;
	REQUIRE_OK(bind_to(fd[0], w->af, w->ip, port));
	if (st == LISTENING || st == ACCEPTED)
		REQUIRE_OK(listen(fd[0], 5));
	if (st == ACCEPTED) {
		int l = fd[0], c2 = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

		REQUIRE_OK(connect_to(c2, v6 ? AF_INET6 : AF_INET, v6 ? "::1" : w->meets == V4B ? "127.0.0.2" : "127.0.0.1", port));
		fd[0] = accept(l, NULL, NULL);
		REQUIRE(fd[0] >= 0);
		fd[1] = c2;
		close(l);
	}
	if (st == TIME_WAIT || st == CONNECTED)
		REQUIRE_OK(connect_to(fd[0], w->af, v6 ? "::1" : w->af == AF_INET6 ? "::ffff:127.0.0.1" : "127.0.0.1", SERVER));
	if ((st == TIME_WAIT || st == CONNECTED) && type == SOCK_STREAM)
		fd[1] = accept(listener[v6], NULL, NULL);
	if (st == TIME_WAIT) {
		shutdown(fd[0], SHUT_WR);
		REQUIRE(read(fd[1], &c, 1) == 0);
		close(fd[1]);
		REQUIRE(read(fd[0], &c, 1) == 0);
		close(fd[0]);
		fd[0] = fd[1] = -1;
	}
}

static void matrix(int type, enum state st)
{
	int port = 16000, fd[2], b;

	own_net();
	for (int v6 = 0; v6 < 2; v6++) {
		listener[v6] = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
		REQUIRE_OK(bind_to(listener[v6], v6 ? AF_INET6 : AF_INET, v6 ? "::1" : "127.0.0.1", SERVER));
		REQUIRE_OK(listen(listener[v6], 100));
	}
	for (int i = 0; i < WHOS * 4 * WHOS * 4 * 2; i++, port++) {
		int wa = i % WHOS, fa = i / WHOS % 4, wb = i / WHOS / 4 % WHOS, fb = i / WHOS / 4 / WHOS % 4, other = i / WHOS / 4 / WHOS / 4, e;

		/* Only SO_REUSEPORT asks for the user; what costs a connection is not tried with every pair of flags. */
		if ((other && !(fa & fb & PORT)) || (st >= ACCEPTED && fa != fb && (fa | fb) != (ADDR | PORT)))
			continue;
		bring_to(type, st, &whos[wa], fa, port, fd);
		b = made(type, &whos[wb], fb, other);
		e = bind_to(b, whos[wb].af, whos[wb].ip, port) < 0 ? errno : 0;
		if (e != (allowed(type, st, wa, fa, wb, fb, !other) ? 0 : EADDRINUSE))
			FAIL("%s only %d reuse %d, then %s only %d reuse %d, user %d: %s", whos[wa].ip, whos[wa].only, fa, whos[wb].ip,
			     whos[wb].only, fb, other, strerror(e));
		close(b);
		for (int k = 0; k < 2; k++)
			if (fd[k] >= 0 && st != LISTENING)
				reset(fd[k]);
			else if (fd[k] >= 0)
				close(fd[k]);
	}
}

TEST(beside_a_bound_tcp_socket) { matrix(SOCK_STREAM, BOUND); }
TEST(beside_a_listener) { matrix(SOCK_STREAM, LISTENING); }
TEST(beside_an_accepted_connection) { matrix(SOCK_STREAM, ACCEPTED); }
TEST(beside_a_connection) { matrix(SOCK_STREAM, CONNECTED); }
TEST(beside_a_time_wait) { matrix(SOCK_STREAM, TIME_WAIT); }
TEST(beside_a_bound_udp_socket) { matrix(SOCK_DGRAM, BOUND); }
TEST(beside_a_connected_udp_socket) { matrix(SOCK_DGRAM, CONNECTED); }

/* ---- ports that nobody asks for ---- */

static void setting(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		SKIP("no such setting");
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

#define RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define RESERVED "/proc/sys/net/ipv4/ip_local_reserved_ports"

TEST(a_chosen_port_of_tcp_is_shared_with_nobody)
{
	own_net();
	setting(RANGE, "40000 40003");
	for (int flags = 0; flags < 4; flags++) {
		static const struct who lo = { AF_INET, "127.0.0.1", 0, V4A };
		int fd[5], seen = 0, c;

		for (int i = 0; i < 4; i++) {
			fd[i] = made(SOCK_STREAM, &lo, flags, false);
			REQUIRE_OK(bind_to(fd[i], AF_INET, lo.ip, 0));
			seen |= 1 << (own_port(fd[i]) - 40000);
		}
		EXPECT_EQ(seen, 15);
		fd[4] = made(SOCK_STREAM, &lo, flags, false);
		EXPECT_ERR(bind_to(fd[4], AF_INET, lo.ip, 0), EADDRINUSE);
		EXPECT_OK(bind_to(fd[4], AF_INET, "127.0.0.2", 0));     /* but by address */
		c = socket(AF_INET, SOCK_STREAM, 0);
		EXPECT_ERR(connect_to(c, AF_INET, lo.ip, 9), EADDRNOTAVAIL);
		close(c);
		for (int i = 0; i < 5; i++)
			close(fd[i]);
	}
}

TEST(reserved_ports_are_for_those_who_ask)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
	int fd[4], any;

	own_net();
	setting(RANGE, "40000 40005");
	setting(RESERVED, "40001,40003-40005\n");
	EXPECT_STR(get_file(RESERVED), "40001,40003-40005\n");
	any = open(RESERVED, O_WRONLY);
	EXPECT_ERR(write(any, "5-3", 3), EINVAL);
	EXPECT_ERR(write(any, "70000", 5), EINVAL);
	EXPECT_ERR(write(any, "x", 1), EINVAL);
	EXPECT_STR(get_file(RESERVED), "40001,40003-40005\n");
	for (int t = 0; t < 2; t++) {
		for (int i = 0; i < 4; i++)
			fd[i] = socket(AF_INET, types[t], 0);
		EXPECT_OK(bind_to(fd[0], AF_INET, "127.0.0.1", 0));
		EXPECT_OK(bind_to(fd[1], AF_INET, "127.0.0.1", 0));
		EXPECT((own_port(fd[0]) == 40000 && own_port(fd[1]) == 40002) || (own_port(fd[0]) == 40002 && own_port(fd[1]) == 40000));
		EXPECT_ERR(bind_to(fd[2], AF_INET, "127.0.0.1", 0), EADDRINUSE);
		EXPECT_ERR(connect_to(fd[2], AF_INET, "127.0.0.1", 9), t ? EAGAIN : EADDRNOTAVAIL);
		EXPECT_OK(bind_to(fd[3], AF_INET, "127.0.0.1", 40001));
		for (int i = 0; i < 4; i++)
			close(fd[i]);
	}
	setting(RESERVED, "\n");
	EXPECT_STR(get_file(RESERVED), "\n");
}

TEST(an_address_without_a_port_waits_for_one)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	own_net();
	for (int t = 0; t < 2; t++) {
		int fd = socket(AF_INET, types[t], 0);

		EXPECT_OK(set_int(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1));
		EXPECT_OK(bind_to(fd, AF_INET, "127.0.0.5", 0));
		EXPECT_EQ(own_port(fd), 0);
		EXPECT_OK(bind_to(fd, AF_INET, "127.0.0.6", 0));
		if (t)
			EXPECT_OK(connect_to(fd, AF_INET, "127.0.0.1", 9));
		else
			EXPECT_OK(listen(fd, 1));
		EXPECT(own_port(fd) != 0);
		EXPECT_EQ(own_name(fd).in.sin_addr.s_addr, htonl(0x7f000006));
		EXPECT_ERR(bind_to(fd, AF_INET, "127.0.0.5", 40000), EINVAL);
		close(fd);
	}
}

TEST(who_connects_to_its_own_port_meets_itself)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c = 0;

	own_net();
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setting(RANGE, "40000 40001");
	EXPECT_OK(connect_to(fd, AF_INET, "127.0.0.1", 40000));
	EXPECT_EQ(own_port(fd), 40000);
	EXPECT_EQ(send(fd, "x", 1, 0), 1);
	EXPECT_EQ(recv(fd, &c, 1, 0), 1);
	EXPECT_EQ(c, 'x');
}

static void plain_user(void)
{
	int fd;

	REQUIRE_OK(setgid(65534));
	REQUIRE_OK(setuid(65534));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	EXPECT_ERR(bind_to(fd, AF_INET, "127.0.0.1", 80), EACCES);
	EXPECT_ERR(bind_to(fd, AF_INET, "192.0.2.77", 80), EADDRNOTAVAIL);
}

TEST(the_address_is_looked_at_before_the_port)
{
	own_net();
	EXPECT_EQ(in_child(plain_user), 0);
}

TEST_MAIN()
