/* netdevice(7): aliases, which are addresses with names of their own ("eth0:1"), and what goes with an address. */
#include "tests/lib/ownnet.h"

static int s = -1;

static int on(const char *name, unsigned long cmd, struct ifreq *r)
{
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", name);
	return ioctl(s, cmd, r);
}

static struct ifreq with_ip(uint32_t ip)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip) };
	struct ifreq r = { 0 };

	memcpy(&r.ifr_addr, &a, sizeof(a));
	return r;
}

static uint32_t ip_of(const struct ifreq *r)
{
	struct sockaddr_in a;

	memcpy(&a, &r->ifr_addr, sizeof(a));
	return ntohl(a.sin_addr.s_addr);
}

static void begin(void)
{
	own_network();
	s = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE(s >= 0);
}

TEST(an_alias_is_an_address_beside_the_first)
{
	struct ifreq r;

	begin();
	r = with_ip(0x0a090909);
	EXPECT_ERR(on("nosuch:1", SIOCSIFADDR, &r), ENODEV);
	EXPECT_OK(on("lo:1", SIOCSIFADDR, &r));
	EXPECT_OK(on("lo:1", SIOCGIFADDR, &r));
	EXPECT_EQ(ip_of(&r), 0x0a090909);
	EXPECT_OK(on("lo", SIOCGIFADDR, &r));
	EXPECT_EQ(ip_of(&r), 0x7f000001);
	EXPECT_ERR(on("lo:2", SIOCGIFADDR, &r), EADDRNOTAVAIL);
	EXPECT_OK(on("lo:1", SIOCGIFINDEX, &r));
	EXPECT_EQ(r.ifr_ifindex, 1);
	EXPECT_OK(on("lo:1", SIOCGIFFLAGS, &r));
	EXPECT(r.ifr_flags & IFF_LOOPBACK);
}

TEST(an_alias_that_is_taken_down_is_gone_and_its_link_is_not)
{
	struct ifreq r;

	begin();
	r = with_ip(0x0a090909);
	REQUIRE_OK(on("lo:1", SIOCSIFADDR, &r));
	r.ifr_flags = 0;
	EXPECT_ERR(on("lo:2", SIOCSIFFLAGS, &r), EADDRNOTAVAIL);
	r.ifr_flags = IFF_UP;
	EXPECT_OK(on("lo:1", SIOCSIFFLAGS, &r));
	EXPECT_OK(on("lo:1", SIOCGIFADDR, &r));
	r.ifr_flags = 0;
	EXPECT_OK(on("lo:1", SIOCSIFFLAGS, &r));
	EXPECT_ERR(on("lo:1", SIOCGIFADDR, &r), EADDRNOTAVAIL);
	EXPECT_OK(on("lo", SIOCGIFFLAGS, &r));
	EXPECT(r.ifr_flags & IFF_UP);
	EXPECT_OK(on("lo", SIOCGIFADDR, &r));
	EXPECT_EQ(ip_of(&r), 0x7f000001);
}

TEST(the_broadcast_address_can_be_set)
{
	struct ifreq r;

	begin();
	r = with_ip(0x0a090909);
	REQUIRE_OK(on("lo:1", SIOCSIFADDR, &r));
	r = with_ip(0x0a0909ff);
	EXPECT_OK(on("lo:1", SIOCSIFBRDADDR, &r));
	EXPECT_OK(on("lo:1", SIOCGIFBRDADDR, &r));
	EXPECT_EQ(ip_of(&r), 0x0a0909ff);
	EXPECT_OK(on("lo:1", SIOCGIFADDR, &r));
	EXPECT_EQ(ip_of(&r), 0x0a090909);
	r.ifr_addr.sa_family = AF_INET6;
	EXPECT_ERR(on("lo:1", SIOCSIFBRDADDR, &r), EINVAL);
	r = with_ip(0x0a0909ff);
	EXPECT_ERR(on("lo:2", SIOCSIFBRDADDR, &r), EADDRNOTAVAIL);
}

TEST(a_list_of_addresses_has_the_names_of_aliases)
{
	struct ifreq r, list[8];
	struct ifconf c = { .ifc_len = sizeof(list), .ifc_req = list };
	bool found = false;

	begin();
	r = with_ip(0x0a090909);
	REQUIRE_OK(on("lo:7", SIOCSIFADDR, &r));
	REQUIRE_OK(ioctl(s, SIOCGIFCONF, &c));
	for (int i = 0; i < c.ifc_len / (int)sizeof(r); i++)
		found |= strcmp(list[i].ifr_name, "lo:7") == 0 && ip_of(&list[i]) == 0x0a090909;
	EXPECT(found);
}

TEST_MAIN()
