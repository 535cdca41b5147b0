/*
 * sock_states.c - sockets in every state, and what every operation then says.
 *
 * One test a state, for TCP and UDP over IPv4 and IPv6 and the three kinds of UNIX sockets; in each every
 * operation meets a fresh socket in that state.  What came of it (result, errno, readiness, names, pending
 * error) is a line; the lines of a kind are compared by a checksum of them all with Linux'.  When one
 * differs all are written to stderr, so that two runs can be compared; SOCK_STATES_PRINT=1 writes the table.
 * Each test has a network namespace of its own, with nothing but loopback.  No line depends on how soon a
 * packet comes: quiet() waits for a state, never for a time.
 */
#include <stdarg.h>
#include <sys/un.h>
#include "tests/lib/inet.h"
#include "tests/lib/ownnet.h"

static const struct kind { const char *name; int af, type; } kinds[] = {
	{ "tcp4", AF_INET, SOCK_STREAM }, { "tcp6", AF_INET6, SOCK_STREAM }, { "udp4", AF_INET, SOCK_DGRAM },
	{ "udp6", AF_INET6, SOCK_DGRAM }, { "stream", AF_UNIX, SOCK_STREAM }, { "seqpacket", AF_UNIX, SOCK_SEQPACKET },
	{ "dgram", AF_UNIX, SOCK_DGRAM },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct kind *k;
static int other;               /* the far end of a state, or -1 */
static char line[2000];

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	size_t n = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
}

static void say_result(long r)
{
	if (r < 0)
		say(" E%d", errno);
	else
		say(" %ld", r);
}

/* ---- names ---- */

static struct name name_of(uint16_t port)
{
	static int count;
	struct name n = { 0 };
	struct sockaddr_un *un = (struct sockaddr_un *)&n.ss;

	if (k->af != AF_UNIX)
		return lo_name(k->af, port);
	un->sun_family = AF_UNIX;
	n.len = (socklen_t)(3 + snprintf(un->sun_path + 1, sizeof(un->sun_path) - 1, "states-%d-%d", getpid(), count++));
	return n;
}

static int fresh(void) { return socket(k->af, k->type | SOCK_NONBLOCK, 0); }

static int bound(void)
{
	struct name n = name_of(0);
	int fd = fresh();

	REQUIRE_OK(bind(fd, &n.sa, n.len));
	return fd;
}

static int listener(void)
{
	int fd = bound();

	if (k->type != SOCK_DGRAM)
		REQUIRE_OK(listen(fd, 4));
	return fd;
}

static struct name nobody(void)
{
	int fd = bound();
	struct name n = own_name(fd);

	close(fd);
	return n;
}

/* ---- waiting ---- */

static int tcp_state(int fd)
{
	struct tcp_info ti;
	socklen_t n = sizeof(ti);

	return k->af != AF_UNIX && getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &n) == 0 ? ti.tcpi_state : -1;
}

/* Until the connection is in no state that it leaves by itself. */
static void quiet(int fd)
{
	const unsigned on_its_way = 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_LAST_ACK | 1u << TCP_CLOSING;
	int s;

	while ((s = tcp_state(fd)) > 0 && (on_its_way >> s & 1))
		sched_yield();
}

static int connect_to(int fd, const struct name *n)
{
	int r = connect(fd, &n->sa, n->len), e = errno;

	quiet(fd);
	errno = e;
	return r;
}

static void dissolve(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	(void)!connect(fd, &none, sizeof(none));
}

/* ---- states ---- */

static int refused(int fd)
{
	struct name n = nobody();

	(void)!connect_to(fd, &n);
	return fd;
}

static int pair(bool client)
{
	int l = listener(), c = k->type == SOCK_DGRAM ? bound() : fresh(), a = l;
	struct name n = own_name(l), m;

	REQUIRE(connect_to(c, &n) == 0 || errno == EINPROGRESS);
	if (k->type == SOCK_DGRAM) {
		m = own_name(c);
		REQUIRE_OK(connect(l, &m.sa, m.len));
	} else {
		poll_for(l, POLLIN);
		a = accept4(l, NULL, NULL, SOCK_NONBLOCK);
		REQUIRE(a >= 0);
		close(l);
	}
	other = client ? a : c;
	return client ? c : a;
}

static int conn(void) { return pair(true); }
static bool tells_end(void) { return k->type != SOCK_DGRAM; }

static int closed_by_peer(int fd, int wait)
{
	close(other);
	other = -1;
	if (tells_end())
		poll_for(fd, wait);
	return fd;
}

static int peer_shut(int fd)
{
	shutdown(other, SHUT_WR);
	if (tells_end())
		poll_for(fd, POLLRDHUP);
	return fd;
}

static int shut(int fd, int how)
{
	shutdown(fd, how);
	quiet(fd);
	return fd;
}

static int with_data(int fd)
{
	REQUIRE(send(other, "hello", 5, 0) == 5);
	poll_for(fd, POLLIN);
	return fd;
}

static int dissolved(int fd)
{
	dissolve(fd);
	return fd;
}

static int s_fresh(void) { return fresh(); }
static int s_bound(void) { return bound(); }
static int s_listen(void) { return listener(); }
static int s_refused(void) { return refused(fresh()); }
static int s_bound_refused(void) { return refused(bound()); }
static int s_conn(void) { return conn(); }
static int s_accepted(void) { return pair(false); }
static int s_peer_closed(void) { return closed_by_peer(conn(), POLLRDHUP); }
static int s_data(void) { return with_data(conn()); }
static int s_data_peer_shut(void) { return peer_shut(with_data(conn())); }
static int s_peer_shut(void) { return peer_shut(conn()); }
static int s_shut_rd(void) { return shut(conn(), SHUT_RD); }
static int s_shut_wr(void) { return shut(conn(), SHUT_WR); }
static int s_shut_rdwr(void) { return shut(conn(), SHUT_RDWR); }
static int s_both_shut(void) { return shut(peer_shut(conn()), SHUT_WR); }
static int s_dissolved(void) { return dissolved(conn()); }
static int s_shut_dissolved(void) { return dissolved(shut(conn(), SHUT_RDWR)); }
static int s_fresh_shut(void) { return shut(fresh(), SHUT_RDWR); }
static int s_bound_shut(void) { return shut(bound(), SHUT_RDWR); }
static int s_shut_refused(void) { return refused(shut(fresh(), SHUT_WR)); }
static int s_listen_dissolved(void) { return dissolved(listener()); }

static int s_told_refused(void)
{
	int fd = refused(fresh());

	get_int(fd, SOL_SOCKET, SO_ERROR);
	return fd;
}

static int s_peer_reset(void)
{
	struct linger l = { 1, 0 };
	int fd = conn();

	setsockopt(other, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	return closed_by_peer(fd, k->af == AF_UNIX ? POLLRDHUP : 0);
}

static int s_unread(void)
{
	int fd = conn();

	REQUIRE(send(fd, "abc", 3, 0) == 3);
	poll_for(other, POLLIN);
	return closed_by_peer(fd, 0);
}

static int s_peer_dissolved(void)
{
	int fd = conn();

	dissolve(other);
	if (k->af != AF_UNIX && k->type == SOCK_STREAM)
		poll_for(fd, 0);
	return fd;
}

static int pending(int how)
{
	int l = listener();
	struct name n = own_name(l);

	other = fresh();
	(void)!connect_to(other, &n);
	if (k->type != SOCK_DGRAM)
		poll_for(l, POLLIN);
	if (how >= 0)
		shutdown(l, how);
	return l;
}

static int s_pending(void) { return pending(-1); }
static int s_listen_shut_rd(void) { return pending(SHUT_RD); }
static int s_listen_shut_wr(void) { return pending(SHUT_WR); }

/* UDP learns by ICMP that nobody is there. */
static int unreachable(void)
{
	int fd = refused(bound());

	if (k->af != AF_UNIX && send(fd, "x", 1, 0) == 1)
		poll_for(fd, 0);
	return fd;
}

static int s_unreachable(void) { return k->type == SOCK_DGRAM ? unreachable() : -1; }
static int s_unreachable_dissolved(void) { return k->type == SOCK_DGRAM ? dissolved(unreachable()) : -1; }
static int s_auto_dissolved(void) { return k->type == SOCK_DGRAM ? dissolved(refused(fresh())) : -1; }

/* ---- operations ---- */

static void say_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0x23ff };

	poll(&p, 1, 0);
	say(" %x", p.revents);
}

static void say_name(int fd, bool peer)
{
	struct name n = { .len = sizeof(n.ss) };
	char text[64] = "";

	if ((peer ? getpeername : getsockname)(fd, &n.sa, &n.len) < 0) {
		say_result(-1);
		return;
	}
	if (k->af == AF_UNIX) {
		say(" %s", n.len > 2 ? "named" : "unnamed");
		return;
	}
	inet_ntop(n.sa.sa_family, n.sa.sa_family == AF_INET ? (void *)&n.in.sin_addr : (void *)&n.in6.sin6_addr, text, sizeof(text));
	say(" %s:%s", text, n.in.sin_port ? "P" : "0");
}

static void say_recv(int fd, size_t n, int flags)
{
	char b[16];

	say_result(recv(fd, b, n, flags));
}

static void say_all(int fd)
{
	say_poll(fd);
	say_name(fd, false);
	say_name(fd, true);
	say(" e%d", get_int(fd, SOL_SOCKET, SO_ERROR));
	say_recv(fd, 3, 0);
	say_result(send(fd, "xy", 2, MSG_NOSIGNAL));
}

static void o_look(int fd) { say_all(fd); }
static void o_error(int fd) { say(" e%d", get_int(fd, SOL_SOCKET, SO_ERROR)); say_poll(fd); say_recv(fd, 3, 0); say_recv(fd, 3, 0); }
static void o_recv(int fd) { say_recv(fd, 3, 0); }
static void o_recv_nothing(int fd) { say_recv(fd, 0, 0); }
static void o_recv_trunc(int fd) { say_recv(fd, 2, MSG_TRUNC); }
static void o_recv_oob(int fd) { say_recv(fd, 1, MSG_OOB); }
static void o_recv_errors(int fd) { say_recv(fd, 4, MSG_ERRQUEUE); }

static void o_recv_peek(int fd)
{
	say_recv(fd, 16, MSG_PEEK | MSG_DONTWAIT);
	say_recv(fd, 2, MSG_PEEK | MSG_TRUNC);
	say_recv(fd, 16, MSG_PEEK | MSG_WAITALL);
}

static void o_recv_name(int fd)
{
	struct name n = { 0 };
	char b[4];
	struct iovec v = { b, 2 };
	struct msghdr m = { .msg_name = &n.ss, .msg_namelen = sizeof(n.ss), .msg_iov = &v, .msg_iovlen = 1 };

	say_result(recvmsg(fd, &m, 0));
	say(" %x %d", (unsigned)m.msg_flags, m.msg_namelen > 2 && k->af == AF_UNIX ? 99 : (int)m.msg_namelen);
}

static void o_send(int fd) { say_result(send(fd, "xy", 2, MSG_NOSIGNAL)); }
static void o_send_nothing(int fd) { say_result(send(fd, "", 0, MSG_NOSIGNAL)); }
static void o_write_nothing(int fd) { say_result(write(fd, "", 0)); }
static void o_send_oob(int fd) { say_result(send(fd, "x", 1, MSG_OOB | MSG_NOSIGNAL)); }

static void o_send_to(int fd)
{
	struct name n = nobody();

	say_result(sendto(fd, "xy", 2, MSG_NOSIGNAL, &n.sa, n.len));
}

static void o_send_unspec(int fd)
{
	struct name n = nobody();

	n.sa.sa_family = AF_UNSPEC;
	say_result(sendto(fd, "xy", 2, MSG_NOSIGNAL, &n.sa, n.len));
}

static void o_send_port_0(int fd)
{
	struct name n = name_of(0);

	say_result(sendto(fd, "xy", 2, MSG_NOSIGNAL, &n.sa, n.len));
}

/* Control messages that nobody knows, or of a wrong size. */
static void o_send_ctl(int fd)
{
	static const struct { int level, type; unsigned len; } odd[] = {
		{ SOL_SOCKET, 77, 4 }, { SOL_SOCKET, SCM_RIGHTS, 0 }, { SOL_SOCKET, SO_MARK, 3 }, { 999, 1, 4 },
		{ IPPROTO_IP, IP_TTL, 2 }, { IPPROTO_IPV6, IPV6_HOPLIMIT, 2 },
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char c[64] = "";
		struct iovec v = { c, 1 };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = CMSG_SPACE(odd[i].len) };
		struct cmsghdr *h = (struct cmsghdr *)c;

		*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(odd[i].len), .cmsg_level = odd[i].level, .cmsg_type = odd[i].type };
		say_result(sendmsg(fd, &m, MSG_NOSIGNAL));
	}
}

static void o_listen(int fd)
{
	say_result(listen(fd, 5));
	say(" %d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
	say_poll(fd);
	say_name(fd, false);
}

static void o_accept(int fd) { say_result(accept(fd, NULL, NULL) < 0 ? -1 : 0); }
static void o_shut_rd(int fd) { say_result(shutdown(fd, SHUT_RD)); quiet(fd); say_all(fd); }
static void o_shut_wr(int fd) { say_result(shutdown(fd, SHUT_WR)); quiet(fd); say_all(fd); }
static void o_shut_rdwr(int fd) { say_result(shutdown(fd, SHUT_RDWR)); quiet(fd); say_all(fd); }

static void say_connect(int fd, const struct name *n)
{
	say_result(connect_to(fd, n));
	say_all(fd);
}

static struct name served(void) { return own_name(listener()); }

static void o_connect(int fd)
{
	struct name n = served();

	say_connect(fd, &n);
}

static void o_connect_refused(int fd)
{
	struct name n = nobody();

	say_connect(fd, &n);
}

static void o_connect_thrice(int fd)
{
	struct name n = served();

	say_result(connect_to(fd, &n));
	say_result(connect_to(fd, &n));
	say_result(connect_to(fd, &n));
}

static void o_connect_refused_thrice(int fd)
{
	struct name n = nobody();

	say_result(connect_to(fd, &n));
	say_result(connect_to(fd, &n));
	say_result(connect_to(fd, &n));
	say_name(fd, false);
}

static void o_dissolve(int fd)
{
	struct name n = { .len = sizeof(struct sockaddr) };

	say_connect(fd, &n);
}

static void o_connect_odd(int fd)
{
	struct name n = nobody();

	say_result(connect(fd, &n.sa, 5));
	n.sa.sa_family = 77;
	say_result(connect(fd, &n.sa, n.len));
}

/* Where no route leads, to a group, to everybody. */
static void o_connect_far(int fd)
{
	static const char *const where[][2] = {
		{ "10.9.8.7", "2001:db8::7" }, { "224.0.0.251", "ff02::fb" }, { "255.255.255.255", "fe80::1" },
	};

	for (int i = 0; i < 3 && k->af != AF_UNIX; i++) {
		struct name n = any_name(k->af, 5000);

		inet_pton(k->af, where[i][k->af == AF_INET6], k->af == AF_INET ? (void *)&n.in.sin_addr : (void *)&n.in6.sin6_addr);
		say_result(connect_to(fd, &n));
		say_poll(fd);
		say_name(fd, false);
	}
}

static void o_bind(int fd)
{
	struct name n = name_of(0);

	say_result(bind(fd, &n.sa, n.len));
	say_name(fd, false);
}

static void o_bind_any(int fd)
{
	struct name n = any_name(k->af, 0);

	say_result(bind(fd, &n.sa, k->af == AF_UNIX ? 2 : n.len));
	say_name(fd, false);
}

static void o_bind_odd(int fd)
{
	struct name n = name_of(0);

	say_result(bind(fd, &n.sa, k->af == AF_UNIX ? 1 : 8));
	n.sa.sa_family = 77;
	say_result(bind(fd, &n.sa, n.len));
}

static void o_linger(int fd)
{
	struct linger l = { 5, 9 };
	socklen_t n = sizeof(l);

	say_result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	l = (struct linger){ 0, 4 };
	say_result(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	say_result(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &n));
	say(" %d %d", l.l_onoff, l.l_linger);
}

static void (*const ops[])(int fd) = {
	o_look, o_error, o_recv, o_recv_nothing, o_recv_trunc, o_recv_oob, o_recv_errors, o_recv_peek, o_recv_name, o_send, o_send_nothing,
	o_write_nothing, o_send_oob, o_send_to, o_send_unspec, o_send_port_0, o_send_ctl, o_listen, o_accept, o_shut_rd, o_shut_wr, o_shut_rdwr,
	o_connect, o_connect_refused, o_connect_thrice, o_connect_refused_thrice, o_dissolve, o_connect_odd, o_connect_far, o_bind, o_bind_any,
	o_bind_odd, o_linger,
};
enum { OPS = sizeof(ops) / sizeof(ops[0]) };
static const char *const op_names[OPS] = {
	"look", "error", "recv", "recv nothing", "recv MSG_TRUNC", "recv MSG_OOB", "recv MSG_ERRQUEUE", "recv MSG_PEEK", "recvmsg", "send",
	"send nothing", "write nothing", "send MSG_OOB", "sendto", "sendto AF_UNSPEC", "sendto port 0", "control messages", "listen", "accept",
	"SHUT_RD", "SHUT_WR", "SHUT_RDWR", "connect", "connect refused", "connect thrice", "connect refused thrice", "AF_UNSPEC", "odd names",
	"far away", "bind", "bind any", "odd binds", "SO_LINGER",
};

/* ---- the table ---- */

/* One operation on a socket in the state; the sum goes on with its line. */
static uint32_t one(int (*state)(void), int op, bool show, uint32_t sum)
{
	int first = dup(0), fd;

	close(first);
	other = -1;
	*line = 0;
	fd = state();
	if (fd >= 0)
		ops[op](fd);
	for (int i = first; i < first + 16; i++)
		close(i);
	if (show)
		fprintf(stderr, "# %s, %s:%s\n", k->name, op_names[op], line);
	for (const char *p = line; *p; p++)
		sum = (sum ^ (unsigned char)*p) * 16777619;
	return sum;
}

static uint32_t all(int (*state)(void), bool show)
{
	uint32_t sum = 2166136261;

	for (int op = 0; op < OPS; op++)
		sum = one(state, op, show, sum);
	return sum;
}

static void check(const char *name, int (*state)(void), const uint32_t want[KINDS])
{
	bool print = getenv("SOCK_STATES_PRINT");

	own_network();
	signal(SIGPIPE, SIG_IGN);
	if (print)
		fprintf(stderr, "STATE(%s", name);
	for (k = kinds; k < kinds + KINDS; k++) {
		uint32_t sum = all(state, false);

		if (print) {
			fprintf(stderr, ", 0x%08x", sum);
		} else if (sum != want[k - kinds]) {
			FAIL("%s, state %s: the lines' sum is %08x, not %08x:", k->name, name, sum, want[k - kinds]);
			all(state, true);
		}
	}
	if (print)
		fputs(")\n", stderr);
}

#define STATE(name, ...) \
	TEST(state_##name) \
	{ \
		static const uint32_t want[KINDS] = { __VA_ARGS__ }; \
		check(#name, s_##name, want); \
	}

STATE(fresh, 0xbb5a8525, 0xe07318e5, 0xab026c3d, 0x2290cd6c, 0x38134767, 0xa032f07f, 0x6f244141)
STATE(bound, 0x14068c01, 0xe24fc7cd, 0x7a6962e2, 0xfd2ff3c6, 0xec347a9f, 0x51c1abe1, 0x5f5d2b75)
STATE(listen, 0x72cc97a4, 0x94d51310, 0x7a6962e2, 0xfd2ff3c6, 0xfe86135c, 0x06da9266, 0x5f5d2b75)
STATE(pending, 0x21df35b4, 0xda84f084, 0x7a6962e2, 0xfd2ff3c6, 0x82567b60, 0xcbebe356, 0x5f5d2b75)
STATE(refused, 0x9b8230d1, 0x90b8bb87, 0xfe4cd25f, 0x487d8b60, 0x38134767, 0xa032f07f, 0x6f244141)
STATE(told_refused, 0x0ae04c72, 0x55cdb02e, 0xfe4cd25f, 0x487d8b60, 0x38134767, 0xa032f07f, 0x6f244141)
STATE(bound_refused, 0x01f4be5c, 0xd4db53b0, 0x08ad375a, 0x92f26707, 0xec347a9f, 0x51c1abe1, 0x5f5d2b75)
STATE(conn, 0x70cc3aaa, 0x487cdeb4, 0x31a0b4fb, 0xfdea2666, 0xd3fd2da4, 0x094686a0, 0x8a0d5407)
STATE(accepted, 0x6813c097, 0x84a65e0b, 0x31a0b4fb, 0xfdea2666, 0x832376ad, 0x7b3778b1, 0x8a0d5407)
STATE(peer_closed, 0x818c29a8, 0x4c9b7440, 0x08ad375a, 0x92f26707, 0xe0093687, 0x34503732, 0xea6f3d88)
STATE(peer_reset, 0x42df4e63, 0xe3f9a5d5, 0x08ad375a, 0x92f26707, 0xe0093687, 0x34503732, 0xea6f3d88)
STATE(unread, 0x42df4e63, 0xe3f9a5d5, 0x08ad375a, 0x92f26707, 0x95df48af, 0xb1812336, 0xea6f3d88)
STATE(data, 0x73c80f3b, 0x7c306e15, 0x4df04923, 0xa5fc60eb, 0x927c3469, 0x96c60d72, 0x31bc4f99)
STATE(data_peer_shut, 0x576b0634, 0x7dd21a4c, 0x4df04923, 0xa5fc60eb, 0x7c5fc3bc, 0x7cb382d8, 0x31bc4f99)
STATE(peer_shut, 0x7d23c4b4, 0xce5d1404, 0x31a0b4fb, 0xfdea2666, 0x2e939d8b, 0x55d70fa1, 0x8a0d5407)
STATE(shut_rd, 0xb5f3d6b6, 0xcb9f72d6, 0x56a58692, 0x5b0fcc6b, 0x2e939d8b, 0x55d70fa1, 0x0863c1f9)
STATE(shut_wr, 0x7c3dfda2, 0xdb844408, 0x640e4351, 0x72d48411, 0x5d7f9628, 0x36a6cfa9, 0xe6662a17)
STATE(shut_rdwr, 0x6f2e3340, 0x365f3556, 0xb81fb03d, 0x514f3f81, 0xe0093687, 0x34503732, 0x628238ff)
STATE(both_shut, 0xad28b76c, 0x08a77cd4, 0x640e4351, 0x72d48411, 0xe0093687, 0x34503732, 0xe6662a17)
STATE(dissolved, 0x641f7574, 0xa5102770, 0x81ad11a9, 0xd58c72d5, 0xd3fd2da4, 0x094686a0, 0x5f5d2b75)
STATE(shut_dissolved, 0x641f7574, 0xa5102770, 0xb3d7631c, 0x5133c01a, 0xe0093687, 0x34503732, 0xcdc80171)
STATE(peer_dissolved, 0x42df4e63, 0xe3f9a5d5, 0x08ad375a, 0x92f26707, 0xd3fd2da4, 0x094686a0, 0x8a0d5407)
STATE(fresh_shut, 0x2076c00a, 0x82cfc750, 0x0f311f6e, 0x5833a37f, 0xba12f406, 0xba7f9878, 0x13591127)
STATE(bound_shut, 0x405a2b36, 0x75c7b852, 0x042fe467, 0xe964e457, 0x2da900d9, 0xc6f84567, 0xcdc80171)
STATE(shut_refused, 0x9b8230d1, 0x90b8bb87, 0x773f3728, 0x419fddc6, 0x5056a587, 0x11cbbd9b, 0x69981e47)
STATE(listen_shut_rd, 0xa725cbce, 0x49e542bc, 0x06f26f6d, 0x400b5f6d, 0xe0337383, 0xe6a7545f, 0x680e30f3)
STATE(listen_shut_wr, 0x21df35b4, 0xda84f084, 0xbec6f8fb, 0xc6b60bc7, 0x391a37d9, 0x0f46828f, 0xac1099b1)
STATE(listen_dissolved, 0xa725cbce, 0x49e542bc, 0x81ad11a9, 0xd58c72d5, 0xfe86135c, 0x06da9266, 0x5f5d2b75)
STATE(unreachable, 0x811c9dc5, 0x811c9dc5, 0x431bd9b0, 0x41b62886, 0x811c9dc5, 0x811c9dc5, 0x5f5d2b75)
STATE(unreachable_dissolved, 0x811c9dc5, 0x811c9dc5, 0x3f98c768, 0x342cbde2, 0x811c9dc5, 0x811c9dc5, 0x5f5d2b75)
STATE(auto_dissolved, 0x811c9dc5, 0x811c9dc5, 0xab026c3d, 0x2290cd6c, 0x811c9dc5, 0x811c9dc5, 0x6f244141)

TEST_MAIN()
