/* sys.c - see sys.h. */
#include "runsc-cli/setup/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static long ret_errno(long r)
{
	return r < 0 ? -errno : r;
}

int setup_pidfd_open(pid_t pid)
{
	return (int)ret_errno(syscall(SYS_pidfd_open, pid, 0));
}

int setup_pidfd_signal(int pidfd, int sig)
{
	return (int)ret_errno(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

pid_t setup_fork(u64 flags, int *ret_pidfd)
{
	struct clone_args a = { .flags = flags, .exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD };
	int pidfd = -1;
	long tid_addr = 0, r;

	/*
	 * libc caches the thread id where the kernel clears it at exit.  Tell
	 * the kernel to store the child's there, as fork() does; without
	 * this, raise() and pthreads in the child would use the parent's.
	 */
	if (prctl(PR_GET_TID_ADDRESS, &tid_addr) == 0 && tid_addr) {
		a.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
		a.child_tid = (u64)tid_addr;
	}
	if (ret_pidfd) {
		a.flags |= CLONE_PIDFD;
		a.pidfd = (u64)(uintptr_t)&pidfd;
	}
	r = ret_errno(syscall(SYS_clone3, &a, sizeof(a)));
	if (r > 0 && ret_pidfd)
		*ret_pidfd = pidfd;
	return (pid_t)r;
}

void setup_forget_env(void)
{
	for (char **e = environ; e && *e; e++)
		memset(*e, 0, strlen(*e));
	environ = NULL;
}

int setup_openat2(int dirfd, const char *path, u64 flags, u64 resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };
	long r;

	do {
		r = ret_errno(syscall(SYS_openat2, dirfd, path, &how, sizeof(how)));
	} while (r == -EAGAIN || r == -EINTR);          /* EAGAIN: a rename raced with "..": look again */
	return (int)r;
}

int setup_pivot_root(const char *new_root, const char *put_old)
{
	return (int)ret_errno(syscall(SYS_pivot_root, new_root, put_old));
}

int setup_close_range(unsigned lo, unsigned hi)
{
	return lo > hi ? 0 : (int)ret_errno(syscall(SYS_close_range, lo, hi, 0));
}

int setup_drop_bounding(void)
{
	int has;

	for (int c = 0; c < 64 && (has = prctl(PR_CAPBSET_READ, c, 0, 0, 0)) >= 0; c++)
		if (has && prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

int setup_drop_caps(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = { 0 };
	int r = setup_drop_bounding();

	if (r < 0)
		return r;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return (int)ret_errno(syscall(SYS_capset, &h, d));
}

int setup_empty_tmpfs(void)
{
	int fs = (int)ret_errno(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)), m;

	if (fs < 0)
		return fs;
	(void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0555", 0);
	(void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "4096", 0);
	(void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0);
	m = (int)ret_errno(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	if (m == 0)
		m = (int)ret_errno(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
		                           MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
	close(fs);
	return m;
}

int setup_move_mount(int fd, const char *to)
{
	return (int)ret_errno(syscall(SYS_move_mount, fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH));
}

int setup_empty_root(const char **ret_what)
{
	int fd, r;

	*ret_what = "mount / as slave";
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	*ret_what = "an empty tmpfs";
	fd = setup_empty_tmpfs();
	if (fd < 0)
		return fd;
	*ret_what = "mount the empty root";
	r = setup_move_mount(fd, "/");
	*ret_what = r == 0 ? "enter the empty root" : *ret_what;
	if (r == 0 && fchdir(fd) < 0)
		r = -errno;
	close(fd);
	if (r < 0)
		return r;
	/* "." is the new root; the old one ends up on top of it and is taken off. */
	*ret_what = "pivot_root";
	r = setup_pivot_root(".", ".");
	if (r < 0)
		return r;
	*ret_what = "detach the old root";
	return umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ? -errno : 0;
}
