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
