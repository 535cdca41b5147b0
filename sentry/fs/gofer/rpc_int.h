/*
 * rpc_int.h - the one exchange that all typed calls of rpc*.c are made of.
 */
#pragma once
#include "sentry/fs/gofer/rpc.h"
#include <sys/uio.h>

#define GRPC_REQ_PARTS 4

struct exchange {
	u16 op;
	struct iovec req[GRPC_REQ_PARTS];       /* fixed part, then the variable ones */
	u32 nreq;
	void *rep;                              /* fixed part of the reply: exactly this long */
	size_t rep_len;
	void *tail;                             /* variable part: at most this long */
	size_t tail_cap;
	size_t tail_len;                        /* what came */
	hostfd_t *fd;                           /* NULL: none is expected */
	bool may_lack_fd;                       /* done is done, even if there is no number for it: HOSTFD_NONE then, else -ENFILE */
};

/* 0, the gofer's -errno, or -EIO when it broke the rules. */
int grpc_exchange(struct gofer_rpc *r, struct exchange *x) must_check;
/* By doorbell. -EAGAIN: it is taken, or this thread has none; nothing was sent. Else as above; *fd may be set on failure too. */
int grpc_ring(struct gofer_rpc *r, struct exchange *x, int *fd) must_check;
void grpc_bell_done(struct gofer_rpc *r);
/* What follows a header of a reply of @n bytes, which answers the request @tag: how much is variable, or the error. */
ssize_t grpc_check_header(struct gofer_rpc *r, const struct gw_hdr *h, size_t n, const struct exchange *x, u32 tag) must_check;
/* The connection is unusable from now on.  Returns -EIO. */
int grpc_break(struct gofer_rpc *r, const char *why);
