/*
 * xdp.h - moving frames through an AF_XDP socket that was donated.
 *
 * The launcher made everything: socket, shared memory for frames (a memfd), rings, and the program that brings frames in
 * (runsc-cli/setup/link_xdp.c).  Here the rings are mapped and used; the only calls are mmap, and a write() that tells the kernel
 * to send.  One thread receives at a time (its caller sees to that), any number send.
 */
#pragma once
#include <sys/uio.h>
#include "platform/base/compiler.h"

/* Where the kernel has a ring: offsets in its mapping (struct xdp_ring_offset). */
struct xdp_ring_place { u64 producer, consumer, desc, flags; };

enum xdp_ring_kind { XDPR_RX, XDPR_TX, XDPR_FILL, XDPR_DONE, XDPR_COUNT };

/* Frames [0, rx) of the memory are for receiving, [rx, rx + tx) for sending; powers of two, and the sizes of the rings. */
struct xdp_layout {
	struct xdp_ring_place ring[XDPR_COUNT];
	u32 rx, tx;
	u32 frame;                      /* bytes */
	u32 pad;
};

struct host_xdp;

/*
 * @sock and @guard (what keeps the program attached) are taken over on success, @mem is only mapped.
 * 0, -EINVAL (an impossible layout), -ENOMEM or what mmap says.
 */
int host_xdp_new(const struct xdp_layout *l, hostfd_t sock, hostfd_t mem, hostfd_t guard, struct host_xdp **ret) must_check;
/* One frame, cut to what fits: its bytes, or -EAGAIN. */
ssize_t host_xdp_readv(struct host_xdp *x, const struct iovec *iov, int n) must_check;
/* One frame: its bytes; -EMSGSIZE, or -ENOBUFS when the interface is behind. */
ssize_t host_xdp_writev(struct host_xdp *x, const struct iovec *iov, int n) must_check;
