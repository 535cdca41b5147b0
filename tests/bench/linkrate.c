/*
 * linkrate.c - what one small frame costs on a packet socket and on an AF_XDP socket, as the sandbox uses them.
 *
 * CPU time of this thread a frame of 64 bytes, taking turns, so that a busy machine says nearly the same as a quiet one:
 *   out   as many sends as fit in a share of a second, each by the call that a link makes
 *   in    a second process floods from the other end of a veth pair; what is there is read, then poll() waits
 * In a network namespace of its own with "va" and "vb" up in it:
 *   unshare -n sh -c 'ip link add va type veth peer name vb; ip link set va up; ip link set vb up; exec build/release/tests/bench/linkrate'
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "platform/base/alloc.h"
#include "platform/host/packet.h"
#include "runsc-cli/setup/link.h"

#define FRAME   64
#define ROUNDS  5
#define SECONDS 0.4

struct end { int fds[3]; struct host_xdp *xdp; };

static double clock_s(clockid_t c)
{
	struct timespec t;

	clock_gettime(c, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int packet_socket(const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name) };
	int one = 1, buf = 4 << 20, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof(buf));
	return bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0 ? -errno : fd;
}

static int open_end(struct end *e, bool xdp)
{
	char why[LINK_WHY] = "";
	struct link_req q = { "va", if_nametoindex("va"), 1500, why };
	struct xdp_layout l;
	int r;

	*e = (struct end){ .fds = { -1, -1, -1 } };
	if (!xdp)
		return e->fds[0] = packet_socket("va");
	r = link_open_xdp(&q, e->fds, &l);
	if (r < 0)
		fprintf(stderr, "linkrate: %s\n", why);
	return r < 0 ? r : host_xdp_new(&l, HOSTFD(e->fds[0]), HOSTFD(e->fds[1]), HOSTFD(e->fds[2]), &e->xdp);
}

static ssize_t send_one(struct end *e, const struct iovec *iov, int n)
{
	return e->xdp ? host_xdp_writev(e->xdp, iov, n) : host_writev(HOSTFD(e->fds[0]), iov, n);
}

static ssize_t take_one(struct end *e, const struct iovec *iov, int n)
{
	return e->xdp ? host_xdp_readv(e->xdp, iov, n) : host_readv(HOSTFD(e->fds[0]), iov, n);
}

static double out(struct end *e)
{
	u8 vnet[10] = { 0 }, f[FRAME] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	struct iovec iov[2] = { { vnet, sizeof(vnet) }, { f, sizeof(f) } };
	double end = clock_s(CLOCK_MONOTONIC) + SECONDS, cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
	u64 n = 0;

	while (clock_s(CLOCK_MONOTONIC) < end)
		for (int i = 0; i < 256; i++)
			n += send_one(e, e->xdp ? iov + 1 : iov, e->xdp ? 1 : 2) > 0;
	return (clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu) * 1e9 / (double)(n ? n : 1);
}

static void flood(void)
{
	u8 vnet[10] = { 0 }, f[FRAME] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9, 0x88, 0xb5 };
	struct iovec iov[2] = { { vnet, sizeof(vnet) }, { f, sizeof(f) } };
	int fd = packet_socket("vb");

	for (;;)
		(void)!host_writev(HOSTFD(fd), iov, 2);
}

static double in(struct end *e, u64 *ret_n)
{
	static u8 vnet[10], big[65536];
	struct iovec iov[2] = { { vnet, sizeof(vnet) }, { big, sizeof(big) } };
	double end = clock_s(CLOCK_MONOTONIC) + SECONDS, cpu;
	pid_t pid = fork();
	u64 n = 0;

	if (pid == 0)
		flood();
	cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
	while (clock_s(CLOCK_MONOTONIC) < end) {
		struct pollfd p = { .fd = e->fds[0], .events = POLLIN };

		(void)poll(&p, 1, 10);
		for (int i = 0; i < 64 && take_one(e, e->xdp ? iov + 1 : iov, e->xdp ? 1 : 2) > 0; i++)
			n++;
	}
	cpu = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	*ret_n = n;
	return cpu * 1e9 / (double)(n ? n : 1);
}

/* In a process of its own: the mappings of the rings keep the socket. */
static int round_of(bool xdp)
{
	struct end e;
	double o, r;
	u64 n;

	if (open_end(&e, xdp) < 0)
		return 1;
	o = out(&e);
	r = in(&e, &n);
	printf("%-6s out %5.0f ns a frame, in %5.0f ns a frame (%.0f thousand a second)\n", xdp ? "xdp" : "packet", o, r,
	       (double)n / SECONDS / 1e3);
	fflush(stdout);
	return 0;
}

int main(void)
{
	int st = 0;

	if (alloc_init((size_t)1 << 30) < 0)
		return 1;
	for (int i = 0; i < ROUNDS * 2 && st == 0; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(round_of(i & 1));
		waitpid(pid, &st, 0);
		usleep(50000);          /* the kernel takes the program off a moment later */
	}
	return st != 0;
}
