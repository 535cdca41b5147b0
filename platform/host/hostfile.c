/*
 * hostfile.c - one host syscall each; see hostfile.h.
 */
#include "platform/host/hostfile.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

int host_memfd(const char *name, hostfd_t *ret)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	*ret = HOSTFD(fd);
	return 0;
}

int host_seal_all(hostfd_t fd)
{
	int r = fcntl(fd.fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);

	return r < 0 ? -errno : 0;
}

void host_close(hostfd_t fd)
{
	if (fd.fd >= 0)
		close(fd.fd);
}

int host_dup(hostfd_t fd, hostfd_t *ret)
{
	int n = fcntl(fd.fd, F_DUPFD_CLOEXEC, 3);

	if (n < 0)
		return -errno;
	*ret = HOSTFD(n);
	return 0;
}

ssize_t host_pread(hostfd_t fd, void *buf, size_t n, u64 off)
{
	ssize_t r;

	do
		r = pread(fd.fd, buf, n, (off_t)off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t host_pwrite(hostfd_t fd, const void *buf, size_t n, u64 off)
{
	ssize_t r;

	do
		r = pwrite(fd.fd, buf, n, (off_t)off);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t host_append(hostfd_t fd, const void *buf, size_t n)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = n };
	ssize_t r;

	do
		r = pwritev2(fd.fd, &iov, 1, 0, RWF_APPEND);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t host_read(hostfd_t fd, void *buf, size_t n)
{
	ssize_t r = read(fd.fd, buf, n);

	return r < 0 ? -errno : r;
}

ssize_t host_write(hostfd_t fd, const void *buf, size_t n)
{
	ssize_t r = write(fd.fd, buf, n);

	return r < 0 ? -errno : r;
}

s64 host_lseek(hostfd_t fd, s64 off, int whence)
{
	off_t r = lseek(fd.fd, off, whence);

	return r < 0 ? -errno : r;
}

int host_ftruncate(hostfd_t fd, u64 size)
{
	int r;

	do
		r = ftruncate(fd.fd, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int host_fallocate(hostfd_t fd, int mode, u64 off, u64 len)
{
	int r;

	do
		r = fallocate(fd.fd, mode, (off_t)off, (off_t)len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int host_add_seals(hostfd_t fd, u32 seals)
{
	return fcntl(fd.fd, F_ADD_SEALS, seals) < 0 ? -errno : 0;
}

int host_fsync(hostfd_t fd, bool data_only)
{
	int r = data_only ? fdatasync(fd.fd) : fsync(fd.fd);

	return r < 0 ? -errno : 0;
}

int host_fstat(hostfd_t fd, struct stat *ret)
{
	return fstat(fd.fd, ret) < 0 ? -errno : 0;
}

int host_get_flags(hostfd_t fd)
{
	int r = fcntl(fd.fd, F_GETFL);

	return r < 0 ? -errno : r;
}

int host_set_nonblock(hostfd_t fd, bool on)
{
	int r = fcntl(fd.fd, F_GETFL);

	if (r < 0)
		return -errno;
	r = fcntl(fd.fd, F_SETFL, on ? r | O_NONBLOCK : r & ~O_NONBLOCK);
	return r < 0 ? -errno : 0;
}
