/*
 * packet_fanout.c - PACKET_FANOUT: packets are shared out among the sockets of a group.
 *
 * Each test has a network namespace of its own, where nothing happens but what the test does.
 */
#include "tests/lib/inet.h"
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define N 4

struct args { uint16_t id, type_flags; uint32_t max; };

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

static int sniffer(int proto)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)proto), .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);

	REQUIRE(fd >= 0);
	REQUIRE_OK(bind(fd, (struct sockaddr *)&ll, sizeof(ll)));
	return fd;
}

static int join(int fd, int id, int type) { return set_int(fd, SOL_PACKET, PACKET_FANOUT, id | type << 16); }

static int join_max(int fd, int id, int type, unsigned max)
{
	struct args a = { (uint16_t)id, (uint16_t)type, max };

	return setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &a, sizeof(a));
}

static int take(int fd, uint16_t port)
{
	unsigned char b[200];
	ssize_t n;
	int k = 0;

	while ((n = recv(fd, b, sizeof(b), 0)) > 0)
		k += !port || (n >= 42 && b[36] * 256 + b[37] == port);
	return k;
}

/* How many packets of UDP to @port, of all if that is 0, each of @n sockets gets; @total in all are waited for. */
static void count_all(const int *fd, int n, uint16_t port, int total, int *ret)
{
	struct pollfd p[N];
	int have = 0;

	memset(ret, 0, (size_t)n * sizeof(*ret));
	for (int ready = 1; ready > 0 && have < total;) {
		for (int i = 0; i < n; i++) {
			int k = take(fd[i], port);

			ret[i] += k;
			have += k;
			p[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
		}
		if (have < total)
			ready = poll(p, (nfds_t)n, 10000);
	}
	for (int i = 0; i < n; i++)
		ret[i] += take(fd[i], port);
}

static int count(int fd, uint16_t port, int total)
{
	int k;

	count_all(&fd, 1, port, total, &k);
	return k;
}

static void group(int fd[N], int proto, int id, int type)
{
	for (int i = 0; i < N; i++) {
		fd[i] = sniffer(proto);
		REQUIRE_OK(join(fd[i], id, type));
	}
}

/* @n datagrams on loopback; each is told once, as protocol IP hears what comes in only. */
static void send_many(int n, uint16_t *from, uint16_t *to)
{
	int fd[2];

	udp_pair(AF_INET, fd);
	*from = own_port(fd[0]);
	*to = own_port(fd[1]);
	for (int i = 0; i < n; i++)
		REQUIRE(send(fd[0], "x", 1, 0) == 1);
	close(fd[0]);
	close(fd[1]);
}

TEST(arguments)
{
	int a, b, v = 1;

	own_net();
	a = socket(AF_PACKET, SOCK_RAW, 0);
	b = sniffer(ETH_P_IP);
	EXPECT_ERR(join(a, 1, PACKET_FANOUT_HASH), EINVAL);             /* hears nothing */
	EXPECT_EQ(get_int(b, SOL_PACKET, PACKET_FANOUT), 0);
	EXPECT_ERR(join(b, 1, 99), EINVAL);
	EXPECT_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &v, 2), EINVAL);
	EXPECT_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT, &v, 6), EINVAL);
	EXPECT_ERR(setsockopt(b, SOL_PACKET, PACKET_FANOUT_DATA, &v, 4), EINVAL);
	EXPECT_ERR(join(b, 1, PACKET_FANOUT_ROLLOVER | PACKET_FANOUT_FLAG_ROLLOVER), EINVAL);
	EXPECT_OK(join(b, 7, PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_DEFRAG));
	EXPECT_EQ(get_int(b, SOL_PACKET, PACKET_FANOUT), 7 | (PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_DEFRAG) << 16);
	EXPECT_ERR(join(b, 7, PACKET_FANOUT_LB), EALREADY);
	EXPECT_ERR(bind(b, (struct sockaddr *)&(struct sockaddr_ll){ .sll_family = AF_PACKET }, sizeof(struct sockaddr_ll)), EINVAL);
	a = sniffer(ETH_P_IP);
	EXPECT_ERR(join(a, 7, PACKET_FANOUT_LB), EINVAL);               /* other flags */
	EXPECT_ERR(join(a, 7, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG), EINVAL);
	EXPECT_OK(join(a, 7, PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_DEFRAG));
	a = sniffer(ETH_P_IPV6);
	EXPECT_ERR(join(a, 7, PACKET_FANOUT_LB | PACKET_FANOUT_FLAG_DEFRAG), EINVAL);   /* another protocol */
	EXPECT_ERR(join(a, 3, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID), EINVAL);
	EXPECT_OK(join(a, 0, PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_UNIQUEID));
	v = get_int(a, SOL_PACKET, PACKET_FANOUT);
	EXPECT_EQ(v >> 16, 0);
	EXPECT((v & 0xffff) != 7);
}

TEST(a_group_has_room_for_so_many)
{
	int a, b, c;

	own_net();
	a = sniffer(ETH_P_IP);
	b = sniffer(ETH_P_IP);
	c = sniffer(ETH_P_IP);
	EXPECT_ERR(join_max(a, 1, PACKET_FANOUT_HASH, 65537), EINVAL);
	EXPECT_OK(join_max(a, 1, PACKET_FANOUT_HASH, 2));
	EXPECT_ERR(join_max(b, 1, PACKET_FANOUT_HASH, 3), EINVAL);
	EXPECT_OK(join_max(b, 1, PACKET_FANOUT_HASH, 0));
	EXPECT_ERR(join_max(c, 1, PACKET_FANOUT_HASH, 2), ENOSPC);
	close(b);
	EXPECT_OK(join_max(c, 1, PACKET_FANOUT_HASH, 2));
	close(a);
	close(c);
	a = sniffer(ETH_P_IP);
	EXPECT_OK(join_max(a, 1, PACKET_FANOUT_LB, 5));                 /* the group is gone, and another has its number */
}

TEST(each_in_turn)
{
	uint16_t from, to;
	int fd[N];

	own_net();
	group(fd, ETH_P_IP, 1, PACKET_FANOUT_LB);
	send_many(4 * N, &from, &to);
	for (int i = 0; i < N; i++)
		EXPECT_EQ(count(fd[i], to, 4), 4);
	/* Who leaves is not asked any more. */
	close(fd[1]);
	send_many(3 * (N - 1), &from, &to);
	EXPECT_EQ(count(fd[0], to, 3), 3);
	EXPECT_EQ(count(fd[2], to, 3), 3);
	EXPECT_EQ(count(fd[3], to, 3), 3);
}

TEST(a_flow_stays_together_both_ways)
{
	int fd[N], got[N], u[2], hit = -1, many = 0;

	own_net();
	group(fd, ETH_P_IP, 1, PACKET_FANOUT_HASH);
	for (int round = 0; round < 20; round++) {
		udp_pair(AF_INET, u);
		for (int i = 0; i < 3; i++) {
			REQUIRE(send(u[0], "x", 1, 0) == 1);
			REQUIRE(send(u[1], "x", 1, 0) == 1);
		}
		hit = -1;
		count_all(fd, N, 0, 6, got);
		for (int i = 0; i < N; i++) {
			EXPECT(got[i] == 0 || got[i] == 6);
			if (got[i]) {
				hit = i;
				many |= 1 << i;
			}
		}
		EXPECT(hit >= 0);
		close(u[0]);
		close(u[1]);
	}
	EXPECT(many & (many - 1));              /* 20 flows, and not all on one */
}

TEST(every_way_gives_each_packet_once)
{
	static const int ways[] = { PACKET_FANOUT_HASH, PACKET_FANOUT_LB, PACKET_FANOUT_CPU, PACKET_FANOUT_ROLLOVER,
				    PACKET_FANOUT_RND, PACKET_FANOUT_QM, PACKET_FANOUT_CBPF };
	uint16_t from, to;
	int fd[N], got[N];

	own_net();
	for (unsigned w = 0; w < sizeof(ways) / sizeof(*ways); w++) {
		int n = 0, other = sniffer(ETH_P_IP);

		group(fd, ETH_P_IP, (int)w, ways[w]);
		send_many(20, &from, &to);
		count_all(fd, N, to, 20, got);
		for (int i = 0; i < N; i++) {
			n += got[i];
			close(fd[i]);
		}
		EXPECT_EQ(n, 20);
		EXPECT_EQ(count(other, to, 20), 20);        /* who is in no group hears all */
		close(other);
	}
}

TEST(a_program_chooses)
{
	struct sock_filter pick[] = {           /* the destination port, which the network header's data have at 22 */
		{ BPF_LD | BPF_H | BPF_ABS, 0, 0, 22 }, { BPF_RET | BPF_A, 0, 0, 0 },
	};
	struct sock_filter two[] = { { BPF_RET | BPF_K, 0, 0, N + 2 } }, bad[] = { { 0xffff, 0, 0, 0 } };
	struct sock_fprog p = { 1, two }, q = { 1, bad }, d = { 2, pick };
	uint16_t from, to;
	int fd[N];

	own_net();
	group(fd, ETH_P_IP, 1, PACKET_FANOUT_CBPF);
	send_many(3, &from, &to);
	EXPECT_EQ(count(fd[0], to, 3), 3);
	EXPECT_ERR(setsockopt(fd[1], SOL_PACKET, PACKET_FANOUT_DATA, &q, sizeof(q)), EINVAL);
	EXPECT_ERR(setsockopt(fd[1], SOL_PACKET, PACKET_FANOUT_DATA, &p, 3), EINVAL);
	EXPECT_OK(setsockopt(fd[1], SOL_PACKET, PACKET_FANOUT_DATA, &p, sizeof(p)));
	send_many(3, &from, &to);
	EXPECT_EQ(count(fd[2], to, 3), 3);
	EXPECT_OK(setsockopt(fd[1], SOL_PACKET, PACKET_FANOUT_DATA, &d, sizeof(d)));
	send_many(3, &from, &to);
	EXPECT_EQ(count(fd[to % N], to, 3), 3);
	for (int i = 0; i < N; i++)
		close(fd[i]);
	group(fd, ETH_P_IP, 1, PACKET_FANOUT_LB);
	EXPECT_ERR(setsockopt(fd[1], SOL_PACKET, PACKET_FANOUT_DATA, &p, sizeof(p)), EINVAL);
}

/* How many packets a member has found a place for. */
static uint64_t rolled(int fd)
{
	uint64_t st[3] = { 0 };
	socklen_t len = sizeof(st);

	REQUIRE_OK(getsockopt(fd, SOL_PACKET, PACKET_ROLLOVER_STATS, st, &len));
	return st[0];
}

TEST(who_is_full_hands_on)
{
	uint64_t st[3] = { 9, 9, 9 };
	socklen_t len = sizeof(st);
	uint16_t from, to;
	int fd[2], got[2];

	own_net();
	for (int i = 0; i < 2; i++) {
		fd[i] = sniffer(ETH_P_IP);
		EXPECT_OK(set_int(fd[i], SOL_SOCKET, SO_RCVBUF, i ? 200000 : 1));
		EXPECT_ERR(getsockopt(fd[i], SOL_PACKET, PACKET_ROLLOVER_STATS, st, &len), EINVAL);
		EXPECT_OK(join(fd[i], 1, PACKET_FANOUT_ROLLOVER));
	}
	send_many(50, &from, &to);
	EXPECT_EQ(poll_for(fd[0], POLLIN), POLLIN);
	for (int i = 0; i < 2000 && rolled(fd[0]) < 50; i++)
		sleep_ms(5);
	count_all(fd, 2, to, 50, got);
	EXPECT(got[0] >= 1 && got[0] < 10);
	EXPECT_EQ(got[1], 50 - got[0]);
	EXPECT_OK(getsockopt(fd[0], SOL_PACKET, PACKET_ROLLOVER_STATS, st, &len));
	EXPECT_EQ(len, sizeof(st));
	EXPECT_EQ(st[0], 50);
}

TEST(a_group_does_not_hear_its_own)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_halen = 6 };
	unsigned char f[60] = { [12] = 0x88, 0xb5 };
	int fd[2], other, got[2];

	own_net();
	ll.sll_ifindex = (int)if_nametoindex("lo");
	for (int i = 0; i < 2; i++) {
		fd[i] = sniffer(ETH_P_ALL);
		EXPECT_OK(join(fd[i], 1, PACKET_FANOUT_LB));
	}
	other = sniffer(ETH_P_ALL);
	REQUIRE_OK(sendto(fd[0], f, sizeof(f), 0, (struct sockaddr *)&ll, sizeof(ll)));
	EXPECT_EQ(count(other, 0, 2), 2);               /* out, and in again */
	count_all(fd, 2, 0, 1, got);
	EXPECT_EQ(got[0] + got[1], 1);                  /* in again */
}

TEST_MAIN()
