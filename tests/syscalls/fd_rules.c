/*
 * Which error wins, and what each kind of descriptor answers: found by making every call on every kind of file, on Linux and here.
 */
#include <linux/capability.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include "tests/lib/harness.h"


static int file_of(const char *name, int flags)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	REQUIRE(write(fd, "0123456789abcdef", 16) == 16);
	close(fd);
	return open(name, flags);
}

/* A pipe's end. */
static int end_of(int which)
{
	int p[2];

	REQUIRE_OK(pipe2(p, O_NONBLOCK));
	if (which == 0)
		REQUIRE(write(p[1], "hello", 5) == 5);
	return p[which];
}

/* ---- read and write ---- */

TEST(the_mode_of_a_file_counts_before_its_vector)
{
	int wo = file_of("f", O_WRONLY), ro = file_of("g", O_RDONLY);
	struct iovec iov = { BAD_PTR, (size_t)-1 };

	EXPECT_ERR(syscall(SYS_readv, wo, BAD_PTR, 1), EBADF);
	EXPECT_ERR(syscall(SYS_readv, wo, &iov, 1), EBADF);
	EXPECT_ERR(syscall(SYS_readv, wo, &iov, 1025), EBADF);
	EXPECT_ERR(syscall(SYS_writev, ro, BAD_PTR, 1), EBADF);
	EXPECT_ERR(syscall(SYS_writev, ro, &iov, -1), EBADF);
	EXPECT_ERR(syscall(SYS_readv, ro, BAD_PTR, 1), EFAULT);
}

TEST(a_vector_of_nothing_does_not_ask_the_kind_of_file)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), e = eventfd(0, EFD_NONBLOCK), d = open(".", O_RDONLY);
	struct iovec iov = { NULL, 0 };

	EXPECT_EQ(writev(s, &iov, 1), 0);
	EXPECT_EQ(writev(e, &iov, 1), 0);
	EXPECT_EQ(readv(e, &iov, 0), 0);
	EXPECT_EQ(readv(d, &iov, 1), 0);
	EXPECT_ERR(read(d, NULL, 0), EISDIR);
}

TEST(what_cannot_be_read_at_all_says_so_before_it_looks_at_the_buffer)
{
	int ep = epoll_create1(0), fs = eventfd(0, 0);
	char c;

	EXPECT_ERR(syscall(SYS_read, ep, &c, -1L), EINVAL);
	EXPECT_ERR(syscall(SYS_readv, ep, BAD_PTR, 1), EINVAL);
	EXPECT_ERR(syscall(SYS_read, fs, &c, -1L), EFAULT);
}

TEST(without_positions_no_flag_and_no_direction_matters)
{
	int r = end_of(0), w = end_of(1);
	char c = 0;
	struct iovec iov = { &c, 1 };

	EXPECT_ERR(preadv2(r, &iov, 1, 0, 0x4000), ESPIPE);
	EXPECT_ERR(preadv2(w, &iov, 1, 0, 0x4000), ESPIPE);
	EXPECT_ERR(pwritev2(r, &iov, 1, 0, RWF_APPEND | 0x20), ESPIPE);
	EXPECT_ERR(pwritev2(w, &iov, 1, -1, 0x4000), EOPNOTSUPP);
}

TEST(a_position_beyond_all_is_refused_even_when_appending)
{
	int fd = file_of("f", O_RDWR | O_APPEND), d = open(".", O_RDONLY);
	char b[10] = "";

	EXPECT_ERR(pwrite(fd, b, 10, INT64_MAX - 5), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 16);
	EXPECT_ERR(pread(d, b, 10, INT64_MAX), EINVAL);
	EXPECT_ERR(pread(d, b, 10, 0), EISDIR);
}

TEST(a_position_that_overflows_is_an_invalid_one)
{
	int fd = file_of("f", O_RDWR);

	EXPECT_EQ(lseek(fd, 10, SEEK_SET), 10);
	EXPECT_ERR(lseek(fd, INT64_MAX, SEEK_CUR), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 10);
}

TEST(devices_look_at_what_is_written_or_do_not)
{
	int rnd = open("/dev/urandom", O_RDWR), full = open("/dev/full", O_RDWR), null = open("/dev/null", O_RDWR);
	struct iovec iov[2] = { { "0123456789", 10 }, { BAD_PTR, 10 } };

	EXPECT_ERR(syscall(SYS_write, rnd, BAD_PTR, 10), EFAULT);
	EXPECT_EQ(writev(rnd, iov, 2), 10);
	EXPECT_EQ(syscall(SYS_write, null, BAD_PTR, 10), 10);
	EXPECT_ERR(write(full, "", 0), ENOSPC);
}

/* ---- sizes and ranges ---- */

TEST(fallocate_and_fadvise_know_fifos_from_other_streams)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), w = end_of(1), ro = file_of("f", O_RDONLY);

	EXPECT_ERR(fallocate(s, 0, 0, 10), ENODEV);
	EXPECT_ERR(fallocate(eventfd(0, 0), 0, 0, 10), ENODEV);
	EXPECT_ERR(fallocate(w, 0, 0, 10), ESPIPE);
	EXPECT_ERR(fallocate(ro, 0, 0, 10), EBADF);
	EXPECT_EQ(posix_fadvise(s, 0, 0, POSIX_FADV_NORMAL), 0);
	EXPECT_EQ(posix_fadvise(s, 0, 0, 9), EINVAL);
	EXPECT_EQ(posix_fadvise(w, 0, 0, POSIX_FADV_NORMAL), ESPIPE);
	EXPECT_OK(sync_file_range(open("/proc/self/status", O_RDONLY), 0, 0, 7));
}

TEST(copy_file_range_stays_in_one_file_system)
{
	int a = file_of("f", O_RDWR), b = file_of("g", O_RDWR), p = open("/proc/self/status", O_RDONLY);

	EXPECT_EQ(copy_file_range(a, NULL, b, NULL, 5, 0), 5);
	EXPECT_ERR(copy_file_range(p, NULL, b, NULL, 5, 0), EXDEV);
	EXPECT_ERR(copy_file_range(p, NULL, b, NULL, 0, 0), EXDEV);
	EXPECT_ERR(copy_file_range(a, NULL, b, NULL, 5, 1), EINVAL);
}

/* ---- moving bytes ---- */

TEST(a_pipe_with_an_offset_comes_before_all_else_in_splice)
{
	int r = end_of(0), w = end_of(1), ro = file_of("f", O_RDONLY), s = socket(AF_UNIX, SOCK_STREAM, 0);
	off_t off = 0, neg = -1;

	EXPECT_ERR(splice(r, BAD_PTR, ro, NULL, 5, 0), ESPIPE);
	EXPECT_ERR(splice(r, NULL, ro, BAD_PTR, 5, 0), EFAULT);
	EXPECT_ERR(splice(r, NULL, ro, &neg, 5, 0), EBADF);
	EXPECT_ERR(splice(r, NULL, s, &off, 5, SPLICE_F_NONBLOCK), EINVAL);
	EXPECT_ERR(splice(s, &off, w, NULL, 5, SPLICE_F_NONBLOCK), EINVAL);
	EXPECT_ERR(splice(ro, NULL, file_of("g", O_RDWR), NULL, 5, 0), EINVAL);
	EXPECT_ERR(splice(open("f", O_WRONLY), NULL, file_of("g", O_RDWR), NULL, 5, 0), EBADF);
	EXPECT_ERR(tee(r, ro, 5, 0), EBADF);
	EXPECT_ERR(tee(r, file_of("h", O_RDWR), 5, 0), EINVAL);
}

TEST(vmsplice_looks_at_the_vector_before_the_kind)
{
	int fd = file_of("f", O_RDWR);
	struct iovec iov = { "x", 1 };

	EXPECT_ERR(syscall(SYS_vmsplice, fd, BAD_PTR, 1, 0), EFAULT);
	EXPECT_EQ(vmsplice(fd, &iov, 0, 0), 0);
	EXPECT_ERR(vmsplice(fd, &iov, 1, 0), EBADF);
}

TEST(sendfile_to_a_pipe_takes_sockets_too)
{
	char b[8] = "";
	int s[2], p[2];

	REQUIRE_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
	REQUIRE_OK(pipe2(p, O_NONBLOCK));
	EXPECT_ERR(sendfile(p[1], s[0], NULL, 5), EAGAIN);
	EXPECT_EQ(write(s[1], "hello", 5), 5);
	EXPECT_EQ(sendfile(p[1], s[0], NULL, 10), 5);
	EXPECT_EQ(read(p[0], b, 8), 5);
	EXPECT_EQ(memcmp(b, "hello", 5), 0);
	EXPECT_ERR(sendfile(file_of("f", O_RDWR), s[0], NULL, 5), EINVAL);
	EXPECT_ERR(sendfile(p[1], end_of(0), NULL, 5), EINVAL);
	EXPECT_ERR(sendfile(p[1], open("/dev/null", O_RDONLY), NULL, 5), EINVAL);
	EXPECT_ERR(sendfile(open("/dev/full", O_WRONLY), file_of("f", O_RDONLY), NULL, 5), EINVAL);
}

/* ---- which error wins ---- */

TEST(a_closed_descriptor_comes_before_or_after_the_other_arguments)
{
	struct msghdr m = { 0 };
	struct mq_attr attr = { .mq_flags = 1 };
	struct timespec bad = { 0, 1000000000 };
	struct epoll_event ev;
	int f = file_of("f", O_RDWR);

	EXPECT_ERR(epoll_wait(-1, &ev, 0, 0), EBADF);
	EXPECT_ERR(flock(-1, 0), EINVAL);
	EXPECT_ERR(flock(-1, LOCK_SH), EBADF);
	EXPECT_ERR(setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &f, (socklen_t)-1), EBADF);
	EXPECT_ERR(setsockopt(f, SOL_SOCKET, SO_REUSEADDR, &f, (socklen_t)-1), ENOTSOCK);
	EXPECT_ERR(accept4(-1, NULL, NULL, 1), EBADF);
	EXPECT_ERR(accept4(f, NULL, NULL, 1), EINVAL);
	EXPECT_ERR(accept4(f, NULL, NULL, 0), ENOTSOCK);
	EXPECT_ERR(syscall(SYS_connect, f, BAD_PTR, 16), EFAULT);
	EXPECT_ERR(syscall(SYS_connect, f, &m, 129), EINVAL);
	EXPECT_ERR(syscall(SYS_connect, -1, &m, 129), EBADF);
	EXPECT_ERR(syscall(SYS_bind, f, BAD_PTR, 16), ENOTSOCK);
	EXPECT_ERR(sendmsg(-1, &m, (int)0x80000000), EINVAL);
	EXPECT_ERR(recvmsg(f, &m, (int)0x80000000), EINVAL);
	EXPECT_ERR(syscall(SYS_mq_getsetattr, -1, &attr, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_mq_timedsend, -1, "", 0, 32768, NULL), EINVAL);
	EXPECT_ERR(syscall(SYS_mq_timedsend, -1, "", 0, 32768, BAD_PTR), EFAULT);
	EXPECT_ERR(syscall(SYS_mq_timedreceive, -1, &m, 8, NULL, &bad), EINVAL);
	EXPECT_ERR(fcntl(f, F_ADD_SEALS, 0x1000), EINVAL);
	EXPECT_ERR(fcntl(open("f", O_RDONLY), F_ADD_SEALS, 0x1000), EPERM);
}

TEST(a_watch_may_have_flags_only)
{
	EXPECT_EQ(inotify_add_watch(inotify_init1(0), ".", IN_MASK_CREATE), 1);
}

/* ---- what anonymous files are ---- */

TEST(anonymous_inodes_keep_no_attributes_and_pipes_do)
{
	int e = eventfd(0, 0), p = end_of(1), s = socket(AF_UNIX, SOCK_STREAM, 0);

	EXPECT_ERR(fchmod(e, 0600), EOPNOTSUPP);
	EXPECT_ERR(fchown(e, (uid_t)-1, (gid_t)-1), EOPNOTSUPP);
	EXPECT_ERR(futimens(timerfd_create(CLOCK_MONOTONIC, 0), NULL), EOPNOTSUPP);
	EXPECT_OK(fchmod(p, 0600));
	EXPECT_OK(fchmod(s, 0600));
}

TEST(statfs_tells_which_file_system_an_anonymous_file_is_of)
{
	struct statfs st;

	EXPECT_OK(fstatfs(eventfd(0, 0), &st));
	EXPECT_EQ(st.f_type, 0x09041934);
	EXPECT_OK(fstatfs(socket(AF_UNIX, SOCK_STREAM, 0), &st));
	EXPECT_EQ(st.f_type, 0x534f434b);
	EXPECT_OK(fstatfs(end_of(1), &st));
	EXPECT_EQ(st.f_type, 0x50495045);
	EXPECT_EQ(st.f_bsize, 4096);
	EXPECT_EQ(st.f_frsize, 4096);
}

TEST(attributes_of_descriptors_without_a_place)
{
	char b[64];
	int p = end_of(1), m = memfd_create("m", 0), proc = open("/proc/self/status", O_RDONLY);

	EXPECT_ERR(fgetxattr(p, "user.x", b, 10), ENODATA);
	EXPECT_ERR(fsetxattr(p, "user.x", "1", 1, 0), EPERM);
	EXPECT_ERR(fremovexattr(p, "user.x"), EPERM);
	EXPECT_EQ(flistxattr(p, b, sizeof(b)), 0);
	EXPECT_EQ(flistxattr(eventfd(0, 0), b, sizeof(b)), 0);
	EXPECT_EQ(flistxattr(proc, b, sizeof(b)), 0);
	EXPECT_ERR(fgetxattr(proc, "user.x", b, 10), EOPNOTSUPP);
	EXPECT_OK(fsetxattr(m, "user.x", "1", 1, 0));
	EXPECT_EQ(fgetxattr(m, "user.x", b, 10), 1);
	EXPECT_ERR(fgetxattr(m, "user.", b, 10), EINVAL);
}

TEST(capabilities_of_a_file_must_look_like_some)
{
	struct { uint32_t magic, v[5]; } c = { 0x02000000, { 0 } };
	int fd = file_of("f", O_RDWR);

	EXPECT_ERR(fsetxattr(fd, "security.capability", "ab", 2, 0), EINVAL);
	EXPECT_ERR(fsetxattr(fd, "security.capability", &c, 24, 0), EINVAL);
	EXPECT_OK(fsetxattr(fd, "security.capability", &c, 20, 0));
	c.magic = 0x05000000;
	EXPECT_ERR(fsetxattr(fd, "security.capability", &c, 24, 0), EINVAL);
}

TEST(a_descriptor_of_a_mount_root_says_so)
{
	struct statx s;
	int root = open("/", O_RDONLY), here = open(".", O_RDONLY);

	EXPECT_OK(statx(root, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &s));
	EXPECT(s.stx_attributes & 0x2000);
	EXPECT(s.stx_mask & 0x1000);
	EXPECT_OK(statx(here, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &s));
	EXPECT(!(s.stx_attributes & 0x2000));
}

TEST(what_may_be_mapped_is_told_in_order)
{
	int p = end_of(0), f = file_of("f", O_RDONLY), s = socket(AF_UNIX, SOCK_STREAM, 0);
	off_t far = INT64_MAX & ~4095l;

	EXPECT_EQ(mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE, p, 0), MAP_FAILED);
	EXPECT_EQ(errno, EPERM);
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, p, 0), MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
	EXPECT_EQ(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, f, 0), MAP_FAILED);
	EXPECT_EQ(errno, EINVAL);
	EXPECT_EQ(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, f, far), MAP_FAILED);
	EXPECT_EQ(errno, EOVERFLOW);
	EXPECT_EQ(mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, s, far), MAP_FAILED);
	EXPECT_EQ(errno, EOVERFLOW);
}

TEST(what_a_descriptor_was_made_by)
{
	int made = open("new", O_CREAT | O_RDWR, 0600), tmp = open(".", O_TMPFILE | O_RDWR, 0600), path = open("new", O_PATH);

	EXPECT_EQ(fcntl(made, 1028, 0), 1);
	EXPECT_EQ(fcntl(tmp, 1028, 0), 0);
	EXPECT_EQ(fcntl(path, 1028, 0), 0);
}

TEST(the_mode_of_a_link_cannot_be_set_by_its_descriptor)
{
	int fd;

	REQUIRE_OK(symlink("nowhere", "l"));
	fd = open("l", O_PATH | O_NOFOLLOW);
	EXPECT_ERR(syscall(452, fd, "", 0600, AT_EMPTY_PATH), EOPNOTSUPP);
}

TEST(files_of_a_tmpfs_are_sealed_against_seals)
{
	int fd = open("/dev/shm/fd_rules", O_CREAT | O_RDWR | O_TRUNC, 0600);

	REQUIRE(fd >= 0);
	unlink("/dev/shm/fd_rules");
	EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
	EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), EPERM);
}

/* ---- ioctls of all files ---- */

TEST(a_clone_is_refused_by_its_files_before_the_file_system)
{
	int a = file_of("f", O_RDWR), b = file_of("g", O_RDWR), proc = open("/proc/self/status", O_RDONLY);

	EXPECT_ERR(ioctl(a, FICLONE, 999), EBADF);
	EXPECT_ERR(ioctl(a, FICLONE, proc), EXDEV);
	EXPECT_ERR(ioctl(a, FICLONE, open(".", O_RDONLY)), EISDIR);
	EXPECT_ERR(ioctl(open("f", O_RDONLY), FICLONE, b), EBADF);
	EXPECT_ERR(ioctl(a, FICLONERANGE, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(end_of(1), FICLONE, a), EXDEV);
	EXPECT_ERR(ioctl(end_of(1), FICLONE, end_of(0)), EINVAL);
}

TEST(files_of_a_tmpfs_have_flags)
{
	int fd = open("/dev/shm/fd_rules2", O_CREAT | O_RDWR | O_TRUNC, 0600), flags = -1;
	long long size = -1;

	REQUIRE(fd >= 0);
	unlink("/dev/shm/fd_rules2");
	REQUIRE(write(fd, "abc", 3) == 3);
	EXPECT_OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	EXPECT_EQ(flags, 0);
	EXPECT_OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	EXPECT_ERR(ioctl(fd, FS_IOC_GETFLAGS, BAD_PTR), EFAULT);
	EXPECT_ERR(ioctl(fd, FS_IOC_FIEMAP, &size), EOPNOTSUPP);
	EXPECT_ERR(ioctl(open("/proc/self/status", O_RDONLY), FS_IOC_GETFLAGS, &flags), ENOTTY);
	EXPECT_OK(ioctl(fd, FIOQSIZE, &size));
	EXPECT_EQ(size, 4096);
	EXPECT_ERR(ioctl(end_of(0), FIOQSIZE, &size), ENOTTY);
}

/* Locks byte @at, tells so, and stays until it is killed. */
static pid_t locker(int fd, int at, int p[2])
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1 };
	pid_t pid = fork();
	char c;

	if (pid == 0) {
		if (fcntl(fd, F_SETLK, &l) < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	REQUIRE(read(p[0], &c, 1) == 1);
	return pid;
}

TEST(the_lock_that_is_named_is_of_who_came_first)
{
	int fd = file_of("f", O_RDWR), p[2];
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
	pid_t a, b;

	REQUIRE_OK(pipe(p));
	a = locker(fd, 10, p);
	b = locker(fd, 2, p);
	EXPECT_OK(fcntl(fd, F_GETLK, &l));
	EXPECT_EQ(l.l_pid, a);
	EXPECT_EQ(l.l_start, 10);
	kill(a, SIGKILL);
	EXPECT_EQ(waitpid(a, NULL, 0), a);
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
	EXPECT_OK(fcntl(fd, F_GETLK, &l));
	EXPECT_EQ(l.l_pid, b);
	kill(b, SIGKILL);
}

/* ---- names ---- */

TEST(what_is_wrong_with_the_call_is_told_before_the_name_is_looked_at)
{
	struct stat st;

	EXPECT_ERR(syscall(SYS_open, BAD_PTR, O_DIRECTORY | O_CREAT, 0600), EINVAL);
	EXPECT_ERR(syscall(SYS_open, BAD_PTR, O_TMPFILE | O_RDONLY, 0600), EINVAL);
	EXPECT_ERR(syscall(SYS_open, "", O_DIRECTORY | O_CREAT, 0600), EINVAL);
	EXPECT_ERR(syscall(SYS_mknod, BAD_PTR, S_IFDIR | 0600, 0), EPERM);
	EXPECT_ERR(syscall(SYS_mknod, BAD_PTR, S_IFLNK | 0600, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_symlink, "", BAD_PTR), ENOENT);
	EXPECT_ERR(syscall(SYS_truncate, BAD_PTR, -1l), EINVAL);
	EXPECT_OK(syscall(SYS_newfstatat, AT_FDCWD, NULL, &st, AT_EMPTY_PATH));
	EXPECT(S_ISDIR(st.st_mode));
}

TEST(only_regular_files_are_opened_for_direct_transfer)
{
	close(file_of("f", O_RDONLY));
	EXPECT_ERR(open(".", O_RDONLY | O_DIRECT), EINVAL);
	EXPECT_ERR(open("/dev/null", O_RDONLY | O_DIRECT), EINVAL);
	EXPECT_ERR(open("/proc/self/status", O_RDONLY | O_DIRECT), EINVAL);
	REQUIRE_OK(mkfifo("fifo", 0600));
	EXPECT_ERR(open("fifo", O_RDWR | O_DIRECT), EINVAL);
}

TEST(a_file_of_proc_may_be_renamed_to_itself)
{
	EXPECT_OK(rename("/proc/self/status", "/proc/self/status"));
	EXPECT_ERR(rename("/proc/self/status", "/proc/self/stat"), EPERM);
}

TEST(nothing_is_made_in_devpts)
{
	EXPECT_ERR(open("/dev/pts/x", O_CREAT | O_RDWR, 0600), EACCES);
	EXPECT_ERR(mknod("/dev/pts/x", S_IFREG | 0600, 0), EACCES);
	EXPECT_ERR(mkdir("/dev/pts/x", 0700), EPERM);
	EXPECT_ERR(symlink("x", "/dev/pts/x"), EPERM);
	EXPECT_ERR(mkfifo("/dev/pts/x", 0600), EPERM);
}

static void as_user(void)
{
	EXPECT_OK(setgid(1000));
	EXPECT_OK(setuid(1000));
	EXPECT_ERR(mknod("f", S_IFCHR | 0600, 0x103), EEXIST);
	EXPECT_ERR(mknod("d/new", S_IFCHR | 0600, 0x103), EPERM);
	EXPECT_ERR(mknod("/proc/nope", S_IFREG | 0600, 0), ENOENT);
	EXPECT_ERR(mkdir("/proc/nope", 0700), ENOENT);
	EXPECT_ERR(open("/proc/nope", O_CREAT | O_RDWR, 0600), ENOENT);
	EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "d/a", AT_FDCWD, "d/b", 4));        /* RENAME_WHITEOUT */
}

TEST(who_may_make_a_device_is_asked_last)
{
	close(file_of("f", O_RDONLY));
	REQUIRE_OK(mkdir("d", 0777));
	REQUIRE_OK(chmod("d", 0777));
	close(file_of("d/a", O_RDONLY));
	REQUIRE_OK(chown("d/a", 1000, 1000));
	REQUIRE_OK(chmod(".", 0755));
	EXPECT_EQ(in_child(as_user), 0);
}

TEST(what_is_no_mount_point_does_not_expire)
{
	EXPECT_ERR(umount2(".", MNT_EXPIRE), EINVAL);
	EXPECT_ERR(umount2(".", 0), EINVAL);
}

TEST_MAIN()
