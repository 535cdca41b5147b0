/* Calls that few programs make: newer futexes, memory policies, process_madvise, cachestat, handles. */
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include "tests/lib/harness.h"

struct waitv { uint64_t val, uaddr; uint32_t flags, reserved; };
#define F2_U32_PRIVATE (2 | 128)

static uint32_t word[2];

static void *wake_later(void *arg)
{
	(void)arg;
	sleep_ms(20);
	__atomic_store_n(&word[1], 1, __ATOMIC_SEQ_CST);
	if (syscall(454, &word[1], ~0ul, 1, F2_U32_PRIVATE) < 0)
		syscall(SYS_futex, &word[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

TEST(futex_waitv_waits_for_any)
{
	struct waitv w[2] = {
		{ .uaddr = (uintptr_t)&word[0], .flags = F2_U32_PRIVATE },
		{ .uaddr = (uintptr_t)&word[1], .flags = F2_U32_PRIVATE },
	};
	struct timespec past = { 0, 1 };
	pthread_t t;

	if (syscall(449, w, 2, 1, NULL, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
		SKIP("futex_waitv");
	EXPECT_ERR(syscall(449, w, 2, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT);
	EXPECT_ERR(syscall(449, w, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
	pthread_create(&t, NULL, wake_later, NULL);
	EXPECT_EQ(syscall(449, w, 2, 0, NULL, CLOCK_MONOTONIC), 1);
	pthread_join(t, NULL);
	w[0].val = 5;
	EXPECT_ERR(syscall(449, w, 2, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
}

static void on_alarm(int sig) { (void)sig; }

TEST(futex_waitv_is_interrupted_by_a_handler)
{
	struct waitv w = { .uaddr = (uintptr_t)&word[0], .flags = F2_U32_PRIVATE };
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &sa, NULL);
	alarm(1);
	if (syscall(449, &w, 1, 0, NULL, CLOCK_MONOTONIC) < 0 && errno == ENOSYS)
		SKIP("futex_waitv");
	EXPECT_EQ(errno, EINTR);
}

TEST(memory_policies_are_those_of_one_node)
{
	unsigned long mask = ~0ul, masks[16];
	int mode = 99;
	void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (syscall(SYS_get_mempolicy, &mode, &mask, 64ul, 0, 0) < 0 && errno == ENOSYS)
		SKIP("memory policies");
	EXPECT_EQ(mode, 0);
	EXPECT_EQ(mask, 0);
	EXPECT_OK(syscall(SYS_get_mempolicy, NULL, masks, 1024ul, 0, 4));
	EXPECT_EQ(masks[0] & 1, 1);
	EXPECT_ERR(syscall(SYS_get_mempolicy, NULL, NULL, 0, 0, 0x80), EINVAL);
	mask = 1;
	EXPECT_OK(syscall(SYS_mbind, p, 8192, 2, &mask, 64ul, 0));
	EXPECT_ERR(syscall(SYS_mbind, (char *)p + 1, 8192, 2, &mask, 64ul, 0), EINVAL);
	EXPECT_ERR(syscall(SYS_mbind, p, 8192, 77, &mask, 64ul, 0), EINVAL);
	EXPECT_OK(syscall(SYS_set_mempolicy, 0, NULL, 0));
	EXPECT_ERR(syscall(SYS_set_mempolicy, 2, NULL, 0), EINVAL);
}

TEST(process_madvise_takes_hints)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec v[2] = { { p, 4096 }, { p + 4096, 4096 } };
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	REQUIRE_OK(fd);
	p[0] = p[4096] = 1;
	EXPECT_EQ(syscall(440, fd, v, 2, MADV_COLD, 0), 8192);
	EXPECT_ERR(syscall(440, fd, v, 2, MADV_COLD, 1), EINVAL);
	EXPECT_ERR(syscall(440, -1, v, 2, MADV_COLD, 0), EBADF);
	EXPECT_ERR(syscall(440, fd, v, 2, 9999, 0), EINVAL);
	EXPECT_ERR(syscall(448, fd, 0), EINVAL);
	EXPECT_ERR(syscall(448, fd, 1), EINVAL);
}

TEST(cachestat_counts_pages)
{
	struct { uint64_t off, len; } range = { 0, 0 };
	uint64_t st[5];
	char buf[8192] = "x";
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	EXPECT_EQ(write(fd, buf, sizeof(buf)), (ssize_t)sizeof(buf));
	if (syscall(451, fd, &range, st, 0) < 0 && errno == ENOSYS)
		SKIP("cachestat");
	EXPECT_OK(syscall(451, fd, &range, st, 0));
	EXPECT_EQ(st[0], 2);
	range.off = 4096;
	EXPECT_OK(syscall(451, fd, &range, st, 0));
	EXPECT_EQ(st[0], 1);
	EXPECT_ERR(syscall(451, -1, &range, st, 0), EBADF);
	EXPECT_ERR(syscall(451, fd, NULL, st, 0), EFAULT);
	EXPECT_ERR(syscall(451, fd, &range, st, 1), EINVAL);
}

TEST_MAIN()
