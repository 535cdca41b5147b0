/*
 * storm.c ROUNDS CALLS SEED - children that make system calls with arguments drawn by lot.
 *
 * Runs inside a sandbox only: it is root there, and calls whatever it can.  Every child has its own seed, so a
 * round can be made again.  Arguments are pointers into an area that ends before an unmapped page and holds
 * plausible structures, addresses of all bad kinds, small numbers, and numbers around powers of two.  Left out is what
 * would end the first process (limits and memory of others), or only wait.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 4
#define PAGES   16
#define AREA    (PAGES * 4096)
#define MSG_AT  0x3000
#define IOV_AT  0x2000
#define NR_MAX  470

static uint64_t seed;
static char *area;

static uint64_t lot(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool one_in(uint64_t n) { return lot() % n == 0; }

static uint64_t path(void)
{
	static const char *const names[] = {
		"/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/x", "/", "/tmp", "", "relative", "/dev/null", "/dev/ptmx", "/dev/tty",
		"/dev/shm/q", "/sys", "/bin/busybox", "/proc/self/maps", "/proc/self/fd/3", "/proc/self/mem", "/proc/1/stat",
		"/proc/self/ns/mnt", "/proc/sys/kernel/hostname",
	};

	return (uint64_t)strcpy(area + lot() % 8 * 4096, names[lot() % (sizeof(names) / sizeof(*names))]);
}

static uint64_t pointer(void)
{
	switch (lot() % 12) {
	case 0: return 0;
	case 1: return 0x7ffffffff000 - lot() % 4096;
	case 2: return (uint64_t)area + AREA - lot() % 64;
	case 3: return lot();
	case 4: return 0xffffffff80000000;
	case 5: return path();
	default: return (uint64_t)area + lot() % AREA;
	}
}

static uint64_t number(void)
{
	switch (lot() % 4) {
	case 0: return lot() % 40;
	case 1: return lot() % 4096;
	case 2: return (1ull << lot() % 64) + lot() % 3 - 1;
	default: return -(lot() % 4100);
	}
}

static uint64_t argument(void) { return one_in(2) ? pointer() : number(); }

static void draw_structures(void)
{
	struct iovec *v = (void *)(area + IOV_AT);
	struct msghdr *m = (void *)(area + MSG_AT);
	uint64_t *words = (void *)area;

	for (int i = 0; i < 64; i++)
		words[lot() % (AREA / 8)] = one_in(3) ? lot() : argument();
	for (int i = 0; i < 8; i++)
		v[i] = (struct iovec){ (void *)pointer(), number() };
	*m = (struct msghdr){ (void *)pointer(), (socklen_t)number(), v, lot() % 10, (void *)pointer(), number(), 0 };
}

/* Descriptors of many kinds; they have the numbers that arguments often are. */
static void open_things(void)
{
	static const int socks[][3] = {
		{ AF_INET, SOCK_STREAM, 0 }, { AF_INET6, SOCK_DGRAM, 0 }, { AF_NETLINK, SOCK_RAW, 0 }, { AF_NETLINK, SOCK_RAW, 12 },
		{ AF_INET, SOCK_RAW, 1 }, { AF_INET6, SOCK_RAW, 58 }, { AF_PACKET, SOCK_RAW, 0x300 }, { AF_UNIX, SOCK_SEQPACKET, 0 },
	};
	int two[2];

	(void)!mkdir("/tmp/d", 0755);
	(void)!open("/tmp/a", O_RDWR | O_CREAT, 0666);
	(void)!open("/tmp", O_RDONLY | O_DIRECTORY);
	(void)!open("/proc/self/maps", O_RDONLY);
	(void)!open("/proc/self/mem", O_RDWR);
	(void)!open("/dev/ptmx", O_RDWR);
	(void)!open("/dev/net/tun", O_RDWR);
	(void)!open("/dev/zero", O_RDWR);
	(void)!socketpair(AF_UNIX, SOCK_STREAM, 0, two);
	(void)!pipe(two);
	(void)!epoll_create1(0);
	(void)!eventfd(1, 0);
	(void)!syscall(SYS_memfd_create, "m", 0);
	(void)!syscall(SYS_timerfd_create, 1, 0);
	(void)!syscall(SYS_inotify_init1, 0);
	(void)!syscall(SYS_pidfd_open, getpid(), 0);
	for (size_t i = 0; i < sizeof(socks) / sizeof(*socks); i++)
		(void)!socket(socks[i][0], socks[i][1], socks[i][2]);
}

/* 0: not at all; else once in so many of its turns. */
static unsigned how_often(long nr)
{
	switch (nr) {
	case SYS_prlimit64: case SYS_process_vm_writev: case SYS_process_madvise: case SYS_ptrace:
	case SYS_nanosleep: case SYS_clock_nanosleep: case SYS_sync: case SYS_syncfs:
		return 0;
	case SYS_exit: case SYS_exit_group: case SYS_pause: case SYS_rt_sigsuspend: case SYS_reboot:
		return 50;
	case SYS_fork: case SYS_vfork: case SYS_clone: case SYS_clone3:
		return 20;
	case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_close: case SYS_close_range:
		return 8;
	case SYS_munmap: case SYS_mprotect: case SYS_mremap: case SYS_brk: case SYS_mount: case SYS_chroot:
		return 4;
	default:
		return 1;
	}
}

static void call(long nr)
{
	uint64_t a[6];

	for (int i = 0; i < 6; i++)
		a[i] = argument();
	if (one_in(2))
		a[0] = lot() % 30;
	switch (nr) {
	case SYS_sendmsg: case SYS_recvmsg: case SYS_sendmmsg: case SYS_recvmmsg:
		a[1] = (uint64_t)area + MSG_AT;
		break;
	case SYS_readv: case SYS_writev: case SYS_preadv: case SYS_pwritev: case SYS_vmsplice:
		a[1] = (uint64_t)area + IOV_AT;
		break;
	case SYS_kill: case SYS_tkill: case SYS_tgkill:
		(void)kill(getpid(), (int)(a[1] % 65));
		return;
	case SYS_fork: case SYS_vfork: case SYS_clone: case SYS_clone3:
		if (fork() == 0 && one_in(2))
			_exit(0);
		return;
	}
	(void)syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void child(uint64_t number_of_child, long calls)
{
	struct rlimit space = { 256 << 20, 256 << 20 }, file = { 64 << 20, 64 << 20 };
	long favourite;

	seed = 0x9e3779b97f4a7c15 * (number_of_child + 1);
	setpgid(0, 0);
	alarm(6);
	area = mmap(NULL, AREA + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(area + AREA, 4096, PROT_NONE);
	setrlimit(RLIMIT_AS, &space);
	setrlimit(RLIMIT_FSIZE, &file);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	open_things();
	favourite = one_in(3) ? (long)(lot() % NR_MAX) : -1;
	while (calls-- > 0) {
		long nr = favourite >= 0 && one_in(2) ? favourite : (long)(lot() % NR_MAX);
		unsigned often = how_often(nr);

		if (one_in(8))
			draw_structures();
		if (often && one_in(often))
			call(nr);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100, calls = argc > 2 ? atol(argv[2]) : 1000;
	uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) * 1000000 : 0;
	int running = 0;

	for (long n = 0; n < rounds || running; running--) {
		for (; running < AT_ONCE && n < rounds; n++, running++)
			if (fork() == 0)
				child(first + (uint64_t)n, calls);
		if (wait(NULL) < 0)
			break;
	}
	printf("survived %ld\n", rounds);
	return 0;
}
