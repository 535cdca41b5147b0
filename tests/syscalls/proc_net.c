/*
 * proc_net.c - /proc/net and /proc/sys/net tell of the network.
 */
#include "tests/lib/harness.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static char text[1 << 20];

static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r = -1;

	while (fd >= 0 && n < sizeof(text) - 1 && (r = read(fd, text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = 0;
	if (fd >= 0)
		close(fd);
	return text;
}

/* The row of the socket @fd in @path, or NULL. */
static const char *row_of(const char *path, int fd)
{
	static char line[512];
	struct stat st;
	char ino[32];

	if (fstat(fd, &st) < 0)
		return NULL;
	snprintf(ino, sizeof(ino), " %lu ", (unsigned long)st.st_ino);
	for (char *l = strtok((char *)slurp(path), "\n"); l; l = strtok(NULL, "\n")) {
		if (strstr(l, ino)) {
			snprintf(line, sizeof(line), "%s", l);
			return line;
		}
	}
	return NULL;
}

static int bound(int family, int type, uint16_t *port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = family == AF_INET ? sizeof(four) : sizeof(six);
	int fd = socket(family, type, 0);

	EXPECT_EQ(bind(fd, sa, len), 0);
	EXPECT_EQ(getsockname(fd, sa, &len), 0);
	*port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
	return fd;
}

TEST(a_listener_is_a_row_of_tcp)
{
	char want[128];
	uint16_t port;
	int fd = bound(AF_INET, SOCK_STREAM, &port);
	const char *row;

	EXPECT_EQ(listen(fd, 5), 0);
	row = row_of("/proc/net/tcp", fd);
	snprintf(want, sizeof(want), ": 0100007F:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000", port);
	EXPECT(row && strstr(row, want));
	EXPECT(row && strlen(row) == 149);
}

TEST(a_listener_is_a_row_of_tcp6)
{
	char want[128];
	uint16_t port;
	int fd = bound(AF_INET6, SOCK_STREAM, &port);
	const char *row;

	EXPECT_EQ(listen(fd, 5), 0);
	row = row_of("/proc/net/tcp6", fd);
	snprintf(want, sizeof(want), ": 00000000000000000000000001000000:%04X 00000000000000000000000000000000:0000 0A ",
		 port);
	EXPECT(row && strstr(row, want));
}

TEST(a_bound_socket_is_a_row_of_udp)
{
	char want[64];
	uint16_t port;
	int fd = bound(AF_INET, SOCK_DGRAM, &port);
	const char *row = row_of("/proc/net/udp", fd);

	snprintf(want, sizeof(want), ": 0100007F:%04X 00000000:0000 07 ", port);
	EXPECT(row && strstr(row, want));
}

TEST(devices_and_addresses_of_lo_are_told)
{
	EXPECT(strstr(slurp("/proc/net/dev"), "    lo: "));
	EXPECT(strstr(slurp("/proc/net/if_inet6"), "00000000000000000000000000000001 01 80 10 80       lo\n"));
	EXPECT(strstr(slurp("/proc/net/route"), "Iface\tDestination\tGateway \tFlags"));
	EXPECT(strstr(slurp("/proc/net/snmp"), "\nTcp: "));
}

/* The number in a file of "lo" in sysfs. */
static unsigned long lo_number(const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/lo/%s", file);
	return strtoul(slurp(path), NULL, 0);
}

TEST(sysfs_tells_of_links)
{
	struct ifreq req = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), found = 0;
	char target[256] = { 0 };
	struct dirent *e;
	DIR *d = opendir("/sys/class/net");

	EXPECT(d != NULL);
	while (d && (e = readdir(d)))
		if (!strcmp(e->d_name, "lo"))
			found += e->d_type == DT_LNK;
	EXPECT_EQ(found, 1);
	EXPECT(readlink("/sys/class/net/lo", target, sizeof(target) - 1) > 0);
	EXPECT_STR(target, "../../devices/virtual/net/lo");
	EXPECT_STR(slurp("/sys/class/net/lo/address"), "00:00:00:00:00:00\n");
	EXPECT_STR(slurp("/sys/devices/virtual/net/lo/operstate"), "unknown\n");
	EXPECT_STR(slurp("/sys/class/net/lo/carrier"), "1\n");
	EXPECT_STR(slurp("/sys/class/net/lo/uevent"), "INTERFACE=lo\nIFINDEX=1\n");
	EXPECT_EQ(lo_number("type"), ARPHRD_LOOPBACK);
	EXPECT_EQ(lo_number("flags"), IFF_UP | IFF_LOOPBACK);
	EXPECT_EQ(lo_number("ifindex"), 1);
	EXPECT_EQ(ioctl(fd, SIOCGIFMTU, &req), 0);
	EXPECT_EQ((int)lo_number("mtu"), req.ifr_mtu);
	EXPECT_EQ(ioctl(fd, SIOCGIFTXQLEN, &req), 0);
	EXPECT_EQ((int)lo_number("tx_queue_len"), req.ifr_qlen);
	/* A medium that it has not. */
	fd = open("/sys/class/net/lo/duplex", O_RDONLY);
	EXPECT(fd >= 0);
	EXPECT_ERR(read(fd, target, sizeof(target)), EINVAL);
	EXPECT_ERR(open("/sys/class/net/none0/mtu", O_RDONLY), ENOENT);
	EXPECT_ERR(open("/sys/class/net/a-name-that-no-link-can-have/mtu", O_RDONLY), ENOENT);
}

TEST(sysfs_counts_what_links_carry)
{
	unsigned long packets = lo_number("statistics/rx_packets"), bytes = lo_number("statistics/tx_bytes");
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint16_t port;
	int fd = bound(AF_INET, SOCK_DGRAM, &port);

	to.sin_port = htons(port);
	EXPECT_EQ(sendto(fd, "0123456789", 10, 0, (void *)&to, sizeof(to)), 10);
	EXPECT_EQ(recv(fd, text, sizeof(text), 0), 10);
	EXPECT(lo_number("statistics/rx_packets") > packets);
	EXPECT(lo_number("statistics/tx_bytes") >= bytes + 38);
}

TEST(settings_are_a_tree_of_files)
{
	int lo = 0, hi = 0, found = 0;
	struct dirent *e;
	DIR *d = opendir("/proc/sys/net/ipv4");

	EXPECT_EQ(sscanf(slurp("/proc/sys/net/ipv4/ip_local_port_range"), "%d\t%d", &lo, &hi), 2);
	EXPECT(lo > 0 && hi > lo);
	EXPECT(d != NULL);
	while (d && (e = readdir(d)))
		found += !strcmp(e->d_name, "tcp_rmem");
	EXPECT_EQ(found, 1);
	EXPECT_ERR(open("/proc/sys/net/ipv4/no_such_setting", O_RDONLY), ENOENT);
	EXPECT_ERR(open("/proc/sys/net/ipv", O_RDONLY), ENOENT);
	EXPECT(open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_RDONLY) >= 0);
}

TEST(a_user_may_not_set)
{
	EXPECT_EQ(setresuid(1000, 1000, 1000), 0);
	EXPECT_ERR(open("/proc/sys/net/ipv4/tcp_sack", O_WRONLY), EACCES);
}

/* How many sockets /proc/net/protocols counts of @name, or -1. */
static int in_use(const char *name)
{
	int found = -1;

	for (char *l = strtok((char *)slurp("/proc/self/net/protocols"), "\n"); l; l = strtok(NULL, "\n")) {
		char who[16];
		int words = 0, size, n;

		for (char *p = l; *p; p++)
			words += *p != ' ' && (p == l || p[-1] == ' ');
		EXPECT_EQ(words, 26);
		if (sscanf(l, "%15s %d %d", who, &size, &n) == 3 && strcmp(who, name) == 0)
			found = n;
	}
	return found;
}

TEST(protocols_count_their_sockets)
{
	static const struct { const char *name; int family, type; } p[] = {
		{ "TCP", AF_INET, SOCK_STREAM }, { "UDP", AF_INET, SOCK_DGRAM }, { "TCPv6", AF_INET6, SOCK_STREAM }, { "UDPv6", AF_INET6, SOCK_DGRAM },
	};
	struct sockaddr_storage any = { 0 };

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespaces");
	EXPECT_EQ(in_use("RAW"), 0);
	for (size_t i = 0; i < sizeof(p) / sizeof(p[0]); i++) {
		int fd = socket(p[i].family, p[i].type, 0);

		any.ss_family = (sa_family_t)p[i].family;
		EXPECT_OK(bind(fd, (void *)&any, p[i].family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
		if (p[i].type == SOCK_STREAM)
			EXPECT_OK(listen(fd, 1));
		EXPECT_EQ(in_use(p[i].name), 1);
		close(fd);
		EXPECT_EQ(in_use(p[i].name), 0);
	}
}

TEST_MAIN()
