/*
 * packet.h - moving frames through a packet socket that was donated.
 *
 * Each is one host syscall, repeated on EINTR.  >= 0 or -errno.
 */
#pragma once
#include <sys/uio.h>
#include "platform/base/compiler.h"

ssize_t host_readv(hostfd_t fd, const struct iovec *iov, int n) must_check;
ssize_t host_writev(hostfd_t fd, const struct iovec *iov, int n) must_check;
/* Sleep until one of @events (POLL*) holds. */
int host_poll_wait(hostfd_t fd, short events) must_check;
