/*
 * hostfile.h - what the sentry may do to a host descriptor it was given.
 *
 * Thin wrappers: each is one host syscall, repeated on EINTR where the host
 * may have done nothing yet, and returns >= 0 or -errno.  No path is ever
 * opened here; the only descriptors made are memfds and copies.
 */
#pragma once
#include <sys/stat.h>
#include <sys/types.h>
#include "platform/base/compiler.h"

int host_memfd(const char *name, hostfd_t *ret) must_check;     /* sealable, close-on-exec */
/* Nobody, this process included, changes a memfd's size or contents from now on. */
int host_seal_all(hostfd_t fd) must_check;
void host_close(hostfd_t fd);                                   /* HOSTFD_NONE is fine */
int host_dup(hostfd_t fd, hostfd_t *ret) must_check;

ssize_t host_pread(hostfd_t fd, void *buf, size_t n, u64 off) must_check;
ssize_t host_pwrite(hostfd_t fd, const void *buf, size_t n, u64 off) must_check;
/* At the end of the file whatever its size (RWF_APPEND). */
ssize_t host_append(hostfd_t fd, const void *buf, size_t n) must_check;
/* At the descriptor's own offset: stdio shared with the engine. */
ssize_t host_read(hostfd_t fd, void *buf, size_t n) must_check;
ssize_t host_write(hostfd_t fd, const void *buf, size_t n) must_check;

s64 host_lseek(hostfd_t fd, s64 off, int whence) must_check;
int host_ftruncate(hostfd_t fd, u64 size) must_check;
int host_fallocate(hostfd_t fd, int mode, u64 off, u64 len) must_check;
int host_add_seals(hostfd_t fd, u32 seals) must_check;          /* F_SEAL_* on a memfd */
int host_fsync(hostfd_t fd, bool data_only) must_check;
int host_fstat(hostfd_t fd, struct stat *ret) must_check;
int host_get_flags(hostfd_t fd) must_check;                     /* F_GETFL */
int host_set_nonblock(hostfd_t fd, bool on) must_check;
