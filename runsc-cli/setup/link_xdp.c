/*
 * link_xdp.c - an AF_XDP socket on an interface, with a program of ours that brings all its frames there.
 *
 * Frames lie in a memfd, which the kernel pins here and the sentry maps; the program is six instructions: to the socket that the
 * map has for this queue, or to the host's stack if there is none.  It is attached by a link whose descriptor goes to the sentry,
 * so that it is gone when the sandbox is.  Native mode only: generic mode drops the super-frames that veth carries.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "runsc-cli/setup/link.h"

#define RX_FRAMES 2048u
#define TX_FRAMES 512u
#define HEADROOM  256u          /* XDP_PACKET_HEADROOM */
#define L2_MAX    (14u + 4)

static long bpf(int cmd, union bpf_attr *a) { return syscall(SYS_bpf, cmd, a, sizeof(*a)); }

static int make_map(int sock)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4, .max_entries = 1 };
	union bpf_attr put = { 0 };
	int key = 0, fd = (int)bpf(BPF_MAP_CREATE, &a);

	if (fd < 0)
		return -errno;
	put.map_fd = (u32)fd;
	put.key = (u64)(uintptr_t)&key;
	put.value = (u64)(uintptr_t)&sock;
	if (bpf(BPF_MAP_UPDATE_ELEM, &put) < 0) {
		int e = -errno;

		close(fd);
		return e;
	}
	return fd;
}

/* return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS); */
static int load_program(int map)
{
	const struct bpf_insn prog[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr a = {
		.prog_type = BPF_PROG_TYPE_XDP, .insns = (u64)(uintptr_t)prog, .insn_cnt = ARRAY_SIZE(prog),
		.license = (u64)(uintptr_t)"Dual BSD/GPL",
	};
	int fd = (int)bpf(BPF_PROG_LOAD, &a);

	return fd < 0 ? -errno : fd;
}

/* The program keeps the map, the link the program. */
static int attach_program(const struct link_req *q, int sock)
{
	union bpf_attr a = { 0 };
	int map = make_map(sock), prog, fd;

	if (map < 0)
		return link_fail(q, map, "--link=xdp: the host makes no XSKMAP");
	prog = load_program(map);
	close(map);
	if (prog < 0)
		return link_fail(q, prog, "--link=xdp: the host takes no XDP program");
	a.link_create.prog_fd = (u32)prog;
	a.link_create.target_ifindex = q->ifindex;
	a.link_create.attach_type = BPF_XDP;
	a.link_create.flags = XDP_FLAGS_DRV_MODE;
	fd = (int)bpf(BPF_LINK_CREATE, &a);
	if (fd < 0)
		fd = link_fail(q, -errno, "--link=xdp: %s takes no XDP program in native mode; use --link=packet", q->name);
	close(prog);
	return fd;
}

/* One socket sees one queue. */
static int check_queues(const struct link_req *q)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq r = { .ifr_data = (void *)&c };
	int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);  /* AF_XDP ones know no ioctl */

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", q->name);
	if (s < 0 || ioctl(s, SIOCETHTOOL, &r) < 0)
		c.rx_count = c.combined_count = 0;
	if (s >= 0)
		close(s);
	if (c.rx_count + c.combined_count <= 1)
		return 0;
	return link_fail(q, -EOPNOTSUPP, "--link=xdp: %s receives on %u queues and an AF_XDP socket on one: ethtool -L %s, or --link=packet",
			 q->name, c.rx_count + c.combined_count, q->name);
}

static int set_ring(int sock, int opt, u32 n)
{
	return setsockopt(sock, SOL_XDP, opt, &n, sizeof(n)) < 0 ? -errno : 0;
}

static void place(struct xdp_ring_place *to, const struct xdp_ring_offset *o)
{
	*to = (struct xdp_ring_place){ o->producer, o->consumer, o->desc, o->flags };
}

static int set_up_socket(const struct link_req *q, int sock, int mem, struct xdp_layout *l)
{
	size_t bytes = (size_t)(l->rx + l->tx) * l->frame;
	struct sockaddr_xdp sx = { .sxdp_family = AF_XDP, .sxdp_ifindex = q->ifindex, .sxdp_flags = XDP_USE_NEED_WAKEUP };
	struct xdp_umem_reg reg = { .len = bytes, .chunk_size = l->frame };
	struct xdp_mmap_offsets off;
	socklen_t n = sizeof(off);
	void *m;

	if (ftruncate(mem, (off_t)bytes) < 0)
		return link_fail(q, -errno, "--link=xdp: no memory for frames");
	m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, mem, 0);
	if (m == MAP_FAILED)
		return link_fail(q, -errno, "--link=xdp: no memory for frames");
	reg.addr = (u64)(uintptr_t)m;
	if (setsockopt(sock, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) < 0)
		return link_fail(q, -errno, "--link=xdp: the host does not pin %zu KiB of frames (RLIMIT_MEMLOCK?)", bytes >> 10);
	if (set_ring(sock, XDP_UMEM_FILL_RING, l->rx) < 0 || set_ring(sock, XDP_UMEM_COMPLETION_RING, l->tx) < 0 ||
	    set_ring(sock, XDP_RX_RING, l->rx) < 0 || set_ring(sock, XDP_TX_RING, l->tx) < 0 ||
	    getsockopt(sock, SOL_XDP, XDP_MMAP_OFFSETS, &off, &n) < 0 || n != sizeof(off))
		return link_fail(q, -errno, "--link=xdp: the host makes no rings");
	place(&l->ring[XDPR_RX], &off.rx);
	place(&l->ring[XDPR_TX], &off.tx);
	place(&l->ring[XDPR_FILL], &off.fr);
	place(&l->ring[XDPR_DONE], &off.cr);
	if (bind(sock, (struct sockaddr *)&sx, sizeof(sx)) < 0)
		return link_fail(q, -errno, "--link=xdp: cannot bind to %s", q->name);
	return 0;
}

int link_open_xdp(const struct link_req *q, int ret_fds[3], struct xdp_layout *ret)
{
	struct xdp_layout l = { .rx = RX_FRAMES, .tx = TX_FRAMES, .frame = q->mtu + L2_MAX + HEADROOM <= 2048 ? 2048 : 4096 };
	int sock, mem, guard, r;

	if (q->mtu + L2_MAX + HEADROOM > l.frame)
		return link_fail(q, -EMSGSIZE, "--link=xdp: the MTU of %s, %u, is over %u", q->name, q->mtu,
				 l.frame - HEADROOM - L2_MAX);
	sock = socket(AF_XDP, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock < 0)
		return link_fail(q, -errno, "--link=xdp: the host makes no AF_XDP sockets");
	mem = memfd_create("frames", MFD_CLOEXEC);
	r = mem < 0 ? link_fail(q, -errno, "--link=xdp: no memory for frames") : check_queues(q);
	if (r == 0)
		r = set_up_socket(q, sock, mem, &l);
	guard = r < 0 ? r : attach_program(q, sock);
	if (guard < 0) {
		close(sock);
		if (mem >= 0)
			close(mem);
		return guard;
	}
	ret_fds[0] = sock;
	ret_fds[1] = mem;
	ret_fds[2] = guard;
	*ret = l;
	return 0;
}
