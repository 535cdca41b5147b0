/*
 * process.c - reaching into a stub process.
 */
#include "platform/host/process.h"

#include <errno.h>

ssize_t host_vm_readv(pid_t pid, const struct iovec *local, unsigned nl, const struct iovec *remote,
		      unsigned nr)
{
	ssize_t r = process_vm_readv(pid, local, nl, remote, nr, 0);

	return r < 0 ? -errno : r;
}

ssize_t host_vm_writev(pid_t pid, const struct iovec *local, unsigned nl, const struct iovec *remote,
		       unsigned nr)
{
	ssize_t r = process_vm_writev(pid, local, nl, remote, nr, 0);

	return r < 0 ? -errno : r;
}
