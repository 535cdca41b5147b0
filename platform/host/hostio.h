/*
 * hostio.h - streams among the host descriptors that the sentry was given, and waiting for them.
 *
 * Thin wrappers: -errno at once, EINTR hidden, nothing opens anything by name.
 * The nowait forms never block whatever kind of file is behind the descriptor
 * and never change its status flags, which are shared with the engine.
 */
#pragma once
#include <sys/types.h>
#include "platform/base/compiler.h"

struct epoll_event;

/* For streams: -EAGAIN instead of waiting. A write may be cut short. */
ssize_t hostio_read_nowait(hostfd_t fd, void *buf, size_t n) must_check;
ssize_t hostio_write_nowait(hostfd_t fd, const void *buf, size_t n) must_check;

/* POLL* bits of @events (and ERR, HUP) that are true within @ms milliseconds (-1: wait), or -errno. */
int hostio_poll(hostfd_t fd, u32 events, int ms) must_check;
int hostio_ioctl(hostfd_t fd, unsigned long cmd, void *arg) must_check;

int hostio_epoll_new(hostfd_t *ret) must_check;
int hostio_epoll_ctl(hostfd_t ep, int op, hostfd_t fd, u32 events, void *data) must_check;
int hostio_epoll_wait(hostfd_t ep, struct epoll_event *ev, int n, int ms) must_check;
