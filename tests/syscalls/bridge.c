/*
 * bridge.c - bridges (RTM_NEWLINK of kind "bridge") and their ports (IFLA_MASTER).  Root, in a network namespace of its own.
 */
#include <linux/veth.h>
#include "tests/lib/rtlink.h"

static int make(int fd, const char *kind, const char *name)
{
	struct ifinfomsg m = { 0 };
	uint32_t info;

	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr_text(IFLA_IFNAME, name);
	info = attr(IFLA_LINKINFO, "", 0);
	attr_text(IFLA_INFO_KIND, kind);
	nest_end(info);
	return ask(fd);
}

/* A veth called @name, whose other end is the name with an x. */
static void make_pair(int fd, const char *name)
{
	struct ifinfomsg m = { 0 };
	uint32_t info, data, peer;
	char other[IFNAMSIZ];

	snprintf(other, sizeof(other), "%sx", name);
	begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	attr_text(IFLA_IFNAME, name);
	info = attr(IFLA_LINKINFO, "", 0);
	attr_text(IFLA_INFO_KIND, "veth");
	data = attr(IFLA_INFO_DATA, "", 0);
	peer = attr(VETH_INFO_PEER, &m, sizeof(m));
	attr_text(IFLA_IFNAME, other);
	nest_end(peer);
	nest_end(data);
	nest_end(info);
	REQUIRE(ask(fd) == 0);
}

static int set_master(int fd, const char *name, uint32_t master)
{
	struct ifinfomsg m = { .ifi_index = index_of(fd, name) };

	begin(RTM_SETLINK, 0, &m, sizeof(m));
	attr(IFLA_MASTER, &master, 4);
	return ask(fd);
}

static int set(int fd, const char *name, int type, const void *v, size_t n)
{
	struct ifinfomsg m = { .ifi_index = index_of(fd, name) };

	begin(RTM_SETLINK, 0, &m, sizeof(m));
	attr(type, v, n);
	return ask(fd);
}

TEST(a_bridge_has_ports)
{
	struct link l;
	uint32_t br;
	int fd;

	own_network();
	fd = route_socket();
	EXPECT_EQ(make(fd, "bridge", "br0"), 0);
	EXPECT_EQ(make(fd, "bridge", "br0"), EEXIST);
	br = (uint32_t)look(fd, "br0", &l);
	EXPECT(br > 1);
	EXPECT_STR(l.kind, "bridge");
	EXPECT_EQ(l.mtu, 1500);
	EXPECT_EQ(l.flags, IFF_BROADCAST | IFF_MULTICAST);
	make_pair(fd, "p");
	EXPECT_EQ(set_master(fd, "p", br), 0);
	(void)look(fd, "p", &l);
	EXPECT_EQ(l.master, br);
	EXPECT_STR(l.kind, "veth");
	EXPECT_EQ(set_master(fd, "p", 0), 0);
	(void)look(fd, "p", &l);
	EXPECT_EQ(l.master, 0);
	EXPECT_EQ(set_master(fd, "p", br), 0);
	EXPECT_EQ(delete(fd, "br0"), 0);
	EXPECT(look(fd, "p", &l) > 1);
	EXPECT_EQ(l.master, 0);
	close(fd);
}

TEST(ports_that_are_refused)
{
	uint32_t br;
	int fd;

	own_network();
	fd = route_socket();
	EXPECT_EQ(make(fd, "bridge", "br0"), 0);
	EXPECT_EQ(make(fd, "bridge", "br1"), 0);
	make_pair(fd, "p");
	br = (uint32_t)index_of(fd, "br0");
	EXPECT_EQ(set_master(fd, "br1", br), ELOOP);
	EXPECT_EQ(set_master(fd, "br0", br), ELOOP);
	EXPECT_EQ(set_master(fd, "lo", br), EINVAL);
	EXPECT_EQ(set_master(fd, "p", 9999), EINVAL);
	EXPECT_EQ(set_master(fd, "p", (uint32_t)index_of(fd, "px")), EOPNOTSUPP);
	EXPECT_EQ(set_master(fd, "px", 0), 0);
	close(fd);
}

TEST(address_and_size_are_those_of_the_ports)
{
	uint32_t br, mtu = 1400;
	struct link l;
	int fd;

	own_network();
	fd = route_socket();
	EXPECT_EQ(make(fd, "bridge", "br0"), 0);
	make_pair(fd, "p");
	make_pair(fd, "q");
	br = (uint32_t)index_of(fd, "br0");
	EXPECT_EQ(set(fd, "p", IFLA_ADDRESS, "\2\0\0\0\0\5", 6), 0);
	EXPECT_EQ(set(fd, "q", IFLA_ADDRESS, "\2\0\0\0\0\4", 6), 0);
	EXPECT_EQ(set_master(fd, "p", br), 0);
	(void)look(fd, "br0", &l);
	EXPECT_EQ(l.mac[5], 5);
	EXPECT_EQ(set_master(fd, "q", br), 0);
	(void)look(fd, "br0", &l);
	EXPECT_EQ(l.mac[5], 4);
	EXPECT_EQ(set(fd, "q", IFLA_MTU, &mtu, 4), 0);
	(void)look(fd, "br0", &l);
	EXPECT_EQ(l.mtu, 1400);
	EXPECT_EQ(set(fd, "br0", IFLA_ADDRESS, "\2\0\0\0\0\7", 6), 0);
	EXPECT_EQ(set_master(fd, "q", 0), 0);
	(void)look(fd, "br0", &l);
	EXPECT_EQ(l.mac[5], 7);
	EXPECT_EQ(l.mtu, 1500);
	close(fd);
}

TEST_MAIN()
