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
/*
 * Sleep until one of @fds (at most HOST_POLL_MAX) can be read or has an error, or until
 * @deadline (absolute CLOCK_MONOTONIC ns, INT64_MAX: none): a bit for each such, 0 when interrupted, -ETIMEDOUT.
 */
#define HOST_POLL_MAX 32
int host_poll_wait(const hostfd_t *fds, u32 n, s64 deadline) must_check;
/* A counter to end host_poll_wait() from another thread: made before the filter is on. */
int host_event_new(hostfd_t *ret) must_check;
void host_event_set(hostfd_t fd);
void host_event_clear(hostfd_t fd);
