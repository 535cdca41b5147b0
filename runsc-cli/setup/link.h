/*
 * link.h - what carries an interface's frames between the container's namespace and the sandbox.
 *
 * Called by netjoin.c's child, inside the namespace; whoever opens may change what is its own (mount namespace), as it
 * ends soon.  0 or -errno with a sentence for the user in @why.
 */
#pragma once
#include "platform/host/xdp.h"

#define LINK_WHY 512

struct link_req {
	const char *name;
	u32 ifindex, mtu;
	char *why;                      /* LINK_WHY bytes */
};

/* A TAP device with nobody at its other end: the sandbox is there from now on. */
int link_open_tap(const struct link_req *q, int *ret_fd) must_check;
int link_open_macvtap(const struct link_req *q, int *ret_fd) must_check;
/* An AF_XDP socket, the memory of its frames, and the link that keeps our program attached; native mode or not at all. */
int link_open_xdp(const struct link_req *q, int ret_fds[3], struct xdp_layout *ret) must_check;

int link_fail(const struct link_req *q, int code, const char *fmt, ...) printf_like(3, 4);
