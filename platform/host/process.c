/*
 * process.c - reaching into a stub process.
 */
#include "platform/host/process.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

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

int host_pages(pid_t pid, const u64 *addr, u32 n, s32 *status)
{
	return syscall(SYS_move_pages, pid, (unsigned long)n, addr, NULL, status, 0) < 0 ? -errno : 0;
}
