/* doorbell.c - see doorbell.h. */
#include "platform/host/doorbell.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1u << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS _IOW('!', 4, u64)
#endif
#define SYNC_WAKE_UP 1ull
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int doorbell_new(hostfd_t *ret_listener)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_doorbell, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = ARRAY_SIZE(f), .filter = f };
	u64 flags = SYNC_WAKE_UP;
	long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                  SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &prog);

	if (fd < 0)
		return -errno;
	/* Linux before 6.6 lacks it: it works, slowly. */
	(void)ioctl((int)fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
	*ret_listener = HOSTFD((int)fd);
	return 0;
}

int doorbell_ring(void)
{
	long r;

	do
		r = syscall(SYS_doorbell);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int doorbell_await(hostfd_t listener, u64 *ret_id)
{
	struct seccomp_notif n;
	int r;

	do {
		memset(&n, 0, sizeof(n));
		r = ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_RECV, &n);
	} while (r < 0 && (errno == EINTR || errno == ENOENT));
	*ret_id = n.id;
	return r < 0 ? -errno : 0;
}

int doorbell_answer(hostfd_t listener, u64 id)
{
	struct seccomp_notif_resp a = { .id = id };

	return ioctl(listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &a) < 0 && errno != ENOENT ? -errno : 0;
}

int doorbell_memory(size_t size, hostfd_t *ret)
{
	int fd = memfd_create("doorbell", MFD_CLOEXEC | MFD_ALLOW_SEALING), e;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
		e = errno;
		close(fd);
		return -e;
	}
	*ret = HOSTFD(fd);
	return 0;
}

int doorbell_map(hostfd_t fd, size_t size, void **ret)
{
	struct stat st;
	void *p;

	if (fstat(fd.fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size < size || (fcntl(fd.fd, F_GET_SEALS) & SEALS) != SEALS)
		return -EINVAL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = p;
	return 0;
}

void doorbell_unmap(void *p, size_t size)
{
	munmap(p, size);
}
