/*
 * process.h - reaching into a stub process.
 *
 * Each is one host syscall.  >= 0 or -errno.
 */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include "platform/base/compiler.h"

/* process_vm_readv(2), process_vm_writev(2): bytes moved, maybe fewer than asked. */
ssize_t host_vm_readv(pid_t pid, const struct iovec *local, unsigned nl, const struct iovec *remote,
		      unsigned nr) must_check;
ssize_t host_vm_writev(pid_t pid, const struct iovec *local, unsigned nl, const struct iovec *remote,
		       unsigned nr) must_check;
/* move_pages(2) that moves nothing: of each of @n pages of @pid >= 0 in status, or -errno if it is not in memory. 0 or -errno. */
int host_pages(pid_t pid, const u64 *addr, u32 n, s32 *status) must_check;
