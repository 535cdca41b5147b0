/*
 * hostio.h - read and write a host descriptor on behalf of an application.
 *
 * Bytes pass through a bounce buffer: one host call and one copy per chunk,
 * on the stack when they are few.  Used by every kind of file that has a host file.
 */
#pragma once
#include "sentry/core/iobuf.h"

/* From @pos, until end of file, a fault or the buffer is full. Bytes, 0 at the end, or -errno. */
ssize_t hostio_read(hostfd_t fd, struct iobuf *b, u64 pos) must_check;
ssize_t hostio_write(hostfd_t fd, struct iobuf *b, u64 pos) must_check;
