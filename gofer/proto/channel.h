/*
 * channel.h - one packet with at most one descriptor, over a SOCK_SEQPACKET socket.
 *
 * Shared by the gofer and its client.  Both calls block and repeat EINTR.
 */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include "platform/base/compiler.h"

/* Send the parts as one packet; @pass_fd < 0: none.  0 or -errno (-EPIPE: the peer is gone). */
int gchan_send(int sock, const struct iovec *iov, size_t n, int pass_fd) must_check;
/*
 * Receive one packet into the parts.  Its length; 0 = the peer is gone;
 * -EMSGSIZE if it did not fit.  @ret_fd NULL: descriptors that come are dropped; else -1, one, or
 * -EMFILE: one came, and this process can have no more.
 */
ssize_t gchan_recv(int sock, struct iovec *iov, size_t n, int *ret_fd) must_check;
