/*
 * ownnet.h - a network namespace for one test, with nothing but loopback.
 */
#pragma once
#include "tests/lib/inet.h"

__attribute__((unused)) static void own_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		SKIP("no network namespaces");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE_OK(ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
}
