/*
 * tun.c - /dev/net/tun: a program at the wire of a link (root, in a network namespace of its own).
 */
#include "tests/lib/inet.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The device, or -1 where the host has none or lets us not. */
static int open_tun(void)
{
	char path[] = "/tmp/tun-XXXXXX";
	int fd;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0 || !mkdtemp(path))
		return -1;
	if (chdir(path) < 0 || mknod("t", S_IFCHR | 0600, makedev(10, 200)) < 0)
		return -1;
	fd = open("t", O_RDWR | O_NONBLOCK);
	unlink("t");
	if (chdir("/") < 0 || rmdir(path) < 0)
		return -1;
	return fd;
}

#define NEED_TUN(fd) do { if ((fd) < 0) SKIP("no /dev/net/tun"); } while (0)

static struct ifreq request(const char *name, int flags)
{
	struct ifreq r = { .ifr_flags = (short)flags };

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	return r;
}

/* Up, with 10.9.0.1/24. */
static void configure(const char *name)
{
	struct ifreq r = request(name, 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	((struct sockaddr_in *)&r.ifr_addr)->sin_family = AF_INET;
	((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr = htonl(0x0a090001);
	REQUIRE_OK(ioctl(s, SIOCSIFADDR, &r));
	((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr = htonl(0xffffff00);
	REQUIRE_OK(ioctl(s, SIOCSIFNETMASK, &r));
	r = request(name, IFF_UP | IFF_RUNNING);
	REQUIRE_OK(ioctl(s, SIOCSIFFLAGS, &r));
	close(s);
}

/* The next IPv4 packet (a link that comes up says something over IPv6). */
static ssize_t next_v4(int fd, unsigned char *buf, size_t cap, size_t skip)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	while (poll(&p, 1, 5000) == 1 && (n = read(fd, buf, cap)) >= 0)
		if ((size_t)n > skip && buf[skip] >> 4 == 4)
			return n;
	return -1;
}

static unsigned sum(const unsigned char *p, size_t n)
{
	unsigned s = 0;

	for (size_t i = 0; i < n; i += 2)
		s += (unsigned)p[i] << 8 | (i + 1 < n ? p[i + 1] : 0);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

TEST(a_datagram_goes_out_and_the_answer_comes_in)
{
	struct ifreq r = request("wire%d", IFF_TUN | IFF_NO_PI);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(0x0a090002) };
	unsigned char b[2048], t;
	int fd = open_tun(), u;
	unsigned s;

	NEED_TUN(fd);
	EXPECT_OK(ioctl(fd, TUNSETIFF, &r));
	EXPECT_STR(r.ifr_name, "wire0");
	configure("wire0");
	u = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_OK(connect(u, (struct sockaddr *)&to, sizeof(to)));
	EXPECT_EQ(send(u, "hello", 5, 0), 5);
	EXPECT_EQ(next_v4(fd, b, sizeof(b), 0), 33);
	EXPECT_EQ(b[9], IPPROTO_UDP);
	EXPECT_EQ(memcmp(b + 28, "hello", 5), 0);
	EXPECT_EQ(sum(b, 20), 0);
	for (int i = 0; i < 4; i++)
		t = b[12 + i], b[12 + i] = b[16 + i], b[16 + i] = t;
	for (int i = 0; i < 2; i++)
		t = b[20 + i], b[20 + i] = b[22 + i], b[22 + i] = t;
	memcpy(b + 28, "jello", 5);
	b[26] = b[27] = 0;              /* no checksum */
	b[10] = b[11] = 0;
	s = sum(b, 20);
	b[10] = (unsigned char)(s >> 8);
	b[11] = (unsigned char)s;
	EXPECT_EQ(write(fd, b, 33), 33);
	EXPECT_EQ(poll_for(u, POLLIN), POLLIN);
	EXPECT_EQ(recv(u, b, sizeof(b), 0), 5);
	EXPECT_EQ(memcmp(b, "jello", 5), 0);
	EXPECT_OK(close(fd));
	EXPECT_EQ(if_nametoindex("wire0"), 0);
}

TEST(the_header_in_front_names_the_protocol)
{
	struct ifreq r = request("", IFF_TUN);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(0x0a090002) };
	unsigned char b[2048];
	int fd = open_tun(), u;

	NEED_TUN(fd);
	EXPECT_OK(ioctl(fd, TUNSETIFF, &r));
	EXPECT_STR(r.ifr_name, "tun0");
	configure("tun0");
	u = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_EQ(sendto(u, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	EXPECT_EQ(next_v4(fd, b, sizeof(b), 4), 37);
	EXPECT_EQ(b[0] | b[1], 0);
	EXPECT_EQ(b[2] << 8 | b[3], 0x0800);
	EXPECT_EQ(sendto(u, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	EXPECT_EQ(next_v4(fd, b, 24, 4), 24);
	EXPECT_EQ(b[0] | b[1], TUN_PKT_STRIP);
	EXPECT_ERR(write(fd, b, 3), EINVAL);
}

TEST(what_is_not_attached_has_no_wire)
{
	struct ifreq r = request("x0", IFF_TUN | IFF_TAP);
	int fd = open_tun();
	unsigned f = 0;
	char b[100] = { 0x45 };

	NEED_TUN(fd);
	EXPECT_ERR(read(fd, b, sizeof(b)), EBADFD);
	EXPECT_ERR(write(fd, b, sizeof(b)), EBADFD);
	EXPECT_ERR(ioctl(fd, TUNGETIFF, &r), EBADFD);
	EXPECT_OK(ioctl(fd, TUNGETFEATURES, &f));
	EXPECT_EQ(f & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR), IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	r = request("x0", IFF_NO_PI);
	EXPECT_ERR(ioctl(fd, TUNSETIFF, &r), EINVAL);
	r = request("lo", IFF_TUN);
	EXPECT(ioctl(fd, TUNSETIFF, &r) < 0 && (errno == EINVAL || errno == EBUSY));
	r = request("x0", IFF_TUN | IFF_NO_PI);
	EXPECT_OK(ioctl(fd, TUNSETIFF, &r));
	EXPECT_ERR(ioctl(fd, TUNSETIFF, &r), EEXIST);
	memset(&r, 0, sizeof(r));
	EXPECT_OK(ioctl(fd, TUNGETIFF, &r));
	EXPECT_STR(r.ifr_name, "x0");
	EXPECT_EQ(r.ifr_flags & (IFF_TUN | IFF_NO_PI), IFF_TUN | IFF_NO_PI);
	EXPECT_ERR(write(fd, b, sizeof(b)), EIO);
	EXPECT_ERR(read(fd, b, sizeof(b)), EAGAIN);
}

TEST(a_tap_carries_frames)
{
	struct ifreq r = request("tap%d", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(0x0a090002) };
	struct pollfd p = { .events = POLLIN };
	unsigned char b[2048];
	int fd = open_tun(), u, size = 0, asked = 0;

	NEED_TUN(fd);
	EXPECT_OK(ioctl(fd, TUNSETIFF, &r));
	EXPECT_STR(r.ifr_name, "tap0");
	EXPECT_OK(ioctl(fd, TUNGETVNETHDRSZ, &size));
	EXPECT_EQ(size, 10);
	EXPECT_OK(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4));
	EXPECT_ERR(ioctl(fd, TUNSETOFFLOAD, 1 << 20), EINVAL);
	configure("tap0");
	u = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_EQ(sendto(u, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	p.fd = fd;
	while (!asked && poll(&p, 1, 5000) == 1 && read(fd, b, sizeof(b)) > 10 + 14)    /* who has 10.9.0.2? */
		asked = b[10 + 12] == 8 && b[10 + 13] == 6 && b[10 + 14 + 27] == 2;
	EXPECT_EQ(asked, 1);
}

/* The error of a connection is not that of a wait that took too long. */
TEST(a_silent_peer_is_ETIMEDOUT_for_who_reads)
{
	struct ifreq r = request("hole%d", IFF_TUN | IFF_NO_PI);
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7777), .sin_addr.s_addr = htonl(0x0a090002) };
	int fd = open_tun(), c;
	char b;

	NEED_TUN(fd);
	EXPECT_OK(ioctl(fd, TUNSETIFF, &r));
	configure("hole0");
	c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	EXPECT_OK(set_int(c, IPPROTO_TCP, TCP_SYNCNT, 1));
	EXPECT_ERR(connect(c, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS);
	EXPECT_OK(fcntl(c, F_SETFL, 0));
	EXPECT_ERR(recv(c, &b, 1, 0), ETIMEDOUT);
}

TEST(links_come_and_go)
{
	int fd = open_tun(), again;
	char path[64];

	NEED_TUN(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (int i = 0; i < 300; i++) {
		struct ifreq r = request("go%d", IFF_TUN);

		again = open(path, O_RDWR);
		EXPECT(again >= 0);
		EXPECT_OK(ioctl(again, TUNSETIFF, &r));
		EXPECT_STR(r.ifr_name, "go0");
		close(again);
	}
}

TEST_MAIN()
