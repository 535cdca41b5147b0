/*
 * inet_packet.c - AF_PACKET on the loopback interface: sniffing, sending, filters, rings.
 */
#include "tests/lib/inet.h"
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>

static int open_packet(int type, uint16_t proto)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(proto),
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, type, 0);

	REQUIRE(fd >= 0);
	REQUIRE_OK(bind(fd, (struct sockaddr *)&ll, sizeof(ll)));
	return fd;
}

/* Take only what has @tag in the source port, whatever else happens on this host's loopback. */
static void only_port(int fd, uint32_t off, uint16_t port)
{
	struct sock_filter code[] = {
		{ BPF_LD | BPF_H | BPF_ABS, 0, 0, off + 20 },
		{ BPF_JMP | BPF_JEQ | BPF_K, 0, 1, port },
		{ BPF_RET | BPF_K, 0, 0, 65535 },
		{ BPF_RET | BPF_K, 0, 0, 0 },
	};
	struct sock_fprog p = { 4, code };
	char junk[2048];

	REQUIRE_OK(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
	while (recv(fd, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
}

TEST(packet_socket_arguments)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	char c;

	REQUIRE(fd >= 0);
	EXPECT_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_DOMAIN), AF_PACKET);
	EXPECT_EQ(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_RAW);
	EXPECT_ERR(bind(fd, (struct sockaddr *)&ll, 10), EINVAL);
	ll.sll_family = AF_INET;
	EXPECT_ERR(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), EINVAL);
	ll.sll_family = AF_PACKET;
	ll.sll_ifindex = 99999;
	EXPECT_ERR(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), ENODEV);
	EXPECT_ERR(connect(fd, (struct sockaddr *)&ll, sizeof(ll)), EOPNOTSUPP);
	EXPECT_ERR(listen(fd, 1), EOPNOTSUPP);
	EXPECT_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
	EXPECT_ERR(send(fd, "x", 1, 0), ENXIO);
	EXPECT_ERR(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN);
}

TEST(names_tell_of_the_link)
{
	struct sockaddr_ll ll;
	socklen_t n = sizeof(ll);
	int fd = open_packet(SOCK_RAW, ETH_P_IP);

	memset(&ll, 0x55, sizeof(ll));
	EXPECT_OK(getsockname(fd, (struct sockaddr *)&ll, &n));
	EXPECT_EQ(n, 18);
	EXPECT_EQ(ll.sll_protocol, htons(ETH_P_IP));
	EXPECT_EQ(ll.sll_ifindex, if_nametoindex("lo"));
	EXPECT_EQ(ll.sll_hatype, 772);
	EXPECT_EQ(ll.sll_halen, 6);
	fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	n = sizeof(ll);
	EXPECT_OK(getsockname(fd, (struct sockaddr *)&ll, &n));
	EXPECT_EQ(n, 12);
	EXPECT_EQ(ll.sll_protocol, htons(ETH_P_ALL));
	EXPECT_EQ(ll.sll_halen, 0);
	EXPECT_ERR(getpeername(fd, (struct sockaddr *)&ll, &n), EOPNOTSUPP);
}

BOTH(frames_are_seen_out_and_in)
{
	unsigned char f[256];
	struct sockaddr_ll ll;
	socklen_t n = sizeof(ll);
	int fd = open_packet(SOCK_RAW, ETH_P_ALL), u[2], ip = af == AF_INET ? 20 : 40;

	udp_pair(af, u);
	only_port(fd, (uint32_t)(14 + ip - 20), own_port(u[0]));
	EXPECT_EQ(send(u[0], "hello", 5, 0), 5);
	for (int i = 0; i < 2; i++) {
		n = sizeof(ll);
		EXPECT_EQ(recvfrom(fd, f, sizeof(f), 0, (struct sockaddr *)&ll, &n), 14 + ip + 8 + 5);
		EXPECT_EQ(n, sizeof(ll));
		EXPECT_EQ(ll.sll_pkttype, i ? PACKET_HOST : PACKET_OUTGOING);
		EXPECT_EQ(ll.sll_protocol, htons(af == AF_INET ? ETH_P_IP : ETH_P_IPV6));
		EXPECT_EQ(ll.sll_hatype, 772);
		EXPECT_EQ(ll.sll_halen, 6);
		EXPECT_EQ(ll.sll_ifindex, if_nametoindex("lo"));
		EXPECT_EQ(f[0] | f[5] | f[6] | f[11], 0);
		EXPECT_EQ(f[12] << 8 | f[13], af == AF_INET ? ETH_P_IP : ETH_P_IPV6);
		EXPECT_EQ(f[14] >> 4, af == AF_INET ? 4 : 6);
		EXPECT_EQ(memcmp(f + 14 + ip + 8, "hello", 5), 0);
	}
	EXPECT_ERR(recv(fd, f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

TEST(cooked_sockets_see_no_link_header)
{
	unsigned char f[256];
	int fd = open_packet(SOCK_DGRAM, ETH_P_IP), u[2];

	udp_pair(AF_INET, u);
	only_port(fd, 0, own_port(u[0]));
	EXPECT_EQ(send(u[0], "hello", 5, 0), 5);
	EXPECT_EQ(recv(fd, f, sizeof(f), 0), 33);       /* one protocol: what arrives only */
	EXPECT_EQ(f[0], 0x45);
	EXPECT_ERR(recv(fd, f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

TEST(ignore_outgoing)
{
	unsigned char f[256];
	int fd = open_packet(SOCK_DGRAM, ETH_P_ALL), u[2];

	udp_pair(AF_INET, u);
	EXPECT_OK(set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1));
	EXPECT_EQ(get_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING), 1);
	only_port(fd, 0, own_port(u[0]));
	EXPECT_EQ(send(u[0], "hello", 5, 0), 5);
	EXPECT_EQ(recv(fd, f, sizeof(f), 0), 33);
	EXPECT_ERR(recv(fd, f, sizeof(f), MSG_DONTWAIT), EAGAIN);
}

/* A datagram from @port, as an IPv4 packet with its Ethernet header in front. */
static size_t make_frame(unsigned char f[64], uint16_t port)
{
	static const unsigned char ip[] = { 0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
					    0, 9, 0, 0, 0, 11, 0, 0, 'r', 'a', 'w' };
	uint32_t sum = 0;

	memset(f, 0, 64);
	f[12] = 8;
	memcpy(f + 14, ip, sizeof(ip));
	f[34] = (unsigned char)(port >> 8);
	f[35] = (unsigned char)port;
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)(f[i] << 8 | f[i + 1]);
	sum = (sum >> 16) + (sum & 0xffff);
	f[24] = (unsigned char)(~sum >> 8);
	f[25] = (unsigned char)~sum;
	return 14 + sizeof(ip);
}

TEST(frames_can_be_sent)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_halen = 6,
				  .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = open_packet(SOCK_RAW, ETH_P_ALL), d = socket(AF_PACKET, SOCK_DGRAM, 0);
	uint16_t port = own_port(lo_socket(AF_INET, SOCK_DGRAM));
	unsigned char f[64], b[64];
	static char big[70000];
	size_t n = make_frame(f, port);
	struct sockaddr_ll from;
	socklen_t fl;

	only_port(fd, 14, port);
	EXPECT_EQ(send(fd, f, n, 0), n);        /* whoever sends sees it come in only */
	for (int i = 0; i < 3; i++) {
		fl = sizeof(from);
		EXPECT_EQ(recvfrom(fd, b, sizeof(b), 0, (struct sockaddr *)&from, &fl), n);
		EXPECT_EQ(memcmp(b, f, n), 0);
		EXPECT_EQ(from.sll_pkttype, i == 1 ? PACKET_OUTGOING : PACKET_HOST);
		EXPECT_EQ(from.sll_protocol, htons(ETH_P_IP));
		if (i == 0)
			EXPECT_EQ(sendto(d, f + 14, n - 14, 0, (struct sockaddr *)&ll, sizeof(ll)), n - 14);
	}
	EXPECT_ERR(send(fd, f, 13, 0), EINVAL);
	EXPECT_ERR(send(fd, big, sizeof(big), 0), EMSGSIZE);
	EXPECT_ERR(sendto(d, f, n, 0, (struct sockaddr *)&ll, 12), EINVAL);
	ll.sll_ifindex = 99999;
	EXPECT_ERR(sendto(d, f, n, 0, (struct sockaddr *)&ll, sizeof(ll)), ENXIO);
}

TEST(statistics_count_and_start_anew)
{
	struct tpacket_stats st;
	socklen_t n = sizeof(st);
	int fd = open_packet(SOCK_DGRAM, ETH_P_IP), u[2];
	char b[64];

	udp_pair(AF_INET, u);
	only_port(fd, 0, own_port(u[0]));
	EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n));
	EXPECT_EQ(send(u[0], "a", 1, 0), 1);
	EXPECT_EQ(send(u[0], "b", 1, 0), 1);
	EXPECT_EQ(recv(fd, b, sizeof(b), 0), 29);
	EXPECT_EQ(recv(fd, b, sizeof(b), 0), 29);
	EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n));
	EXPECT_EQ(st.tp_packets, 2);
	EXPECT_EQ(st.tp_drops, 0);
	EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n));
	EXPECT_EQ(st.tp_packets, 0);
}

TEST(memberships_and_other_options)
{
	struct packet_mreq mr = { .mr_ifindex = (int)if_nametoindex("lo"), .mr_type = PACKET_MR_PROMISC };
	int fd = open_packet(SOCK_RAW, ETH_P_ALL);

	EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)));
	EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &mr, sizeof(mr)));
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, 4), EINVAL);
	mr.mr_ifindex = 99999;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mr, sizeof(mr)), ENODEV);
	EXPECT_OK(set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1));
	EXPECT_EQ(get_int(fd, SOL_PACKET, PACKET_AUXDATA), 1);
	EXPECT_ERR(set_int(fd, SOL_PACKET, 999, 1), ENOPROTOOPT);
	EXPECT_EQ(get_int(fd, SOL_PACKET, 999), -ENOPROTOOPT);
}

TEST(auxdata_tells_the_length)
{
	char b[16], ctl[128];
	struct iovec iov = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	int fd = open_packet(SOCK_RAW, ETH_P_IP), u[2];
	struct tpacket_auxdata aux;

	udp_pair(AF_INET, u);
	EXPECT_OK(set_int(fd, SOL_PACKET, PACKET_AUXDATA, 1));
	only_port(fd, 14, own_port(u[0]));
	EXPECT_EQ(send(u[0], "hello", 5, 0), 5);
	EXPECT_EQ(recvmsg(fd, &m, 0), 16);
	EXPECT_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	REQUIRE(CMSG_FIRSTHDR(&m));
	EXPECT_EQ(CMSG_FIRSTHDR(&m)->cmsg_type, PACKET_AUXDATA);
	memcpy(&aux, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(aux));
	EXPECT_EQ(aux.tp_len, 47);
	EXPECT_EQ(aux.tp_net, 14);
	EXPECT_EQ(aux.tp_status & TP_STATUS_USER, TP_STATUS_USER);
}

static void *make_ring(int fd, int version, struct tpacket_req *req)
{
	*req = (struct tpacket_req){ .tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8 };
	EXPECT_OK(set_int(fd, SOL_PACKET, PACKET_VERSION, version));
	REQUIRE_OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, req, sizeof(*req)));
	return mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

TEST(a_ring_of_version_2_receives)
{
	int fd = open_packet(SOCK_RAW, ETH_P_IP), u[2], v = TPACKET_V2;
	volatile struct tpacket2_hdr *h;
	struct sockaddr_ll *ll;
	struct tpacket_req req;
	socklen_t n = sizeof(v);
	char *ring;

	udp_pair(AF_INET, u);
	EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &n));
	EXPECT_EQ(v, 32);
	only_port(fd, 14, own_port(u[0]));
	ring = make_ring(fd, TPACKET_V2, &req);
	REQUIRE(ring != MAP_FAILED);
	EXPECT_EQ(poll_now(fd) & POLLIN, 0);
	for (int i = 0; i < 12; i++) {          /* more than the ring has */
		char c = (char)('a' + i);

		EXPECT_EQ(send(u[0], &c, 1, 0), 1);
		EXPECT_EQ(poll_for(fd, POLLIN), POLLIN);
		h = (volatile void *)(ring + i % 8 * 2048);
		EXPECT_EQ(h->tp_status & TP_STATUS_USER, TP_STATUS_USER);
		EXPECT_EQ(h->tp_len, 43);
		EXPECT_EQ(h->tp_snaplen, 43);
		EXPECT_EQ(h->tp_mac, 66);
		EXPECT_EQ(h->tp_net, 80);
		EXPECT_EQ(((char *)h)[h->tp_mac + 42], c);
		ll = (void *)((char *)h + 32);
		EXPECT_EQ(ll->sll_protocol, htons(ETH_P_IP));
		h->tp_status = TP_STATUS_KERNEL;
	}
	EXPECT_ERR(set_int(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V1), EBUSY);
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), EBUSY);
}

TEST(a_full_ring_drops)
{
	int fd = open_packet(SOCK_RAW, ETH_P_IP), u[2];
	volatile struct tpacket2_hdr *h;
	struct tpacket_stats st;
	struct tpacket_req req;
	socklen_t n = sizeof(st);
	char *ring;

	udp_pair(AF_INET, u);
	only_port(fd, 14, own_port(u[0]));
	ring = make_ring(fd, TPACKET_V2, &req);
	REQUIRE(ring != MAP_FAILED);
	for (int i = 0; i < 11; i++)
		EXPECT_EQ(send(u[0], "x", 1, 0), 1);
	h = (volatile void *)(ring + 7 * 2048);
	EXPECT_EQ(h->tp_status & TP_STATUS_USER, TP_STATUS_USER);
	EXPECT_OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &n));
	EXPECT_EQ(st.tp_drops, 3);
	EXPECT_EQ(st.tp_packets, 11);
}

TEST(rings_are_checked)
{
	struct tpacket_req req = { .tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8 };
	int fd = open_packet(SOCK_RAW, ETH_P_IP), v = 77;
	socklen_t n = sizeof(v);

	EXPECT_ERR(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &v, &n), EINVAL);
	EXPECT_ERR(set_int(fd, SOL_PACKET, PACKET_VERSION, 77), EINVAL);
	EXPECT(mmap(NULL, 16384, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	req.tp_frame_nr = 7;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), EINVAL);
	req.tp_frame_nr = 8;
	req.tp_frame_size = 2040;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), EINVAL);
	req.tp_frame_size = 16;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), EINVAL);
	req.tp_frame_size = 2048;
	req.tp_block_size = 5000;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)), EINVAL);
	req.tp_block_size = 4096;
	EXPECT_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, 8), EINVAL);
	EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)));
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	memset(&req, 0, sizeof(req));
	EXPECT_OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)));
}

TEST_MAIN()
