/* Memory: mappings, protection, brk, files in memory. */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include "tests/lib/harness.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf env;

static void on_fault(int sig)
{
	siglongjmp(env, sig);
}

/* 0 when the byte can be read (or written), else the signal. */
static int touch(volatile char *p, bool write)
{
	int sig;

	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	sig = sigsetjmp(env, 1);
	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static char *map(size_t pages)
{
	char *m = mmap(NULL, pages * PAGE, RW, ANON, -1, 0);

	REQUIRE(m != MAP_FAILED);
	return m;
}

TEST(anonymous_memory_is_zero_and_private)
{
	char *m = map(4);
	int status;
	pid_t pid;

	for (size_t i = 0; i < 4 * PAGE; i += 512)
		EXPECT_EQ(m[i], 0);
	m[5] = 1;
	pid = fork();
	if (pid == 0) {
		m[5] = 2;
		_exit(m[5]);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(m[5], 1);
	EXPECT_OK(munmap(m, 4 * PAGE));
	EXPECT_EQ(touch(m, false), SIGSEGV);
}

TEST(wrong_arguments_are_refused)
{
	int rd = open("/dev/zero", O_RDONLY), dir = open(".", O_RDONLY), wr;

	EXPECT_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	EXPECT_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, BAD_FD, 0), EBADF);
	EXPECT_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, rd, 1), EINVAL);
	EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
	EXPECT_ERR(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	EXPECT_ERR(mmap(NULL, ~0ul - PAGE, RW, ANON, -1, 0), ENOMEM);
	EXPECT_ERR(mmap((void *)(1ul << 47), PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
	put_file("f", "x");
	wr = open("f", O_WRONLY);
	EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wr, 0), EACCES);
	rd = open("f", O_RDONLY);
	EXPECT_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, rd, 0), EACCES);
	EXPECT(mmap(NULL, PAGE, RW, MAP_PRIVATE, rd, 0) != MAP_FAILED);
	EXPECT_ERR(munmap((void *)1, PAGE), EINVAL);
	EXPECT_ERR(munmap(map(1), 0), EINVAL);
	EXPECT_OK(munmap((void *)(1ul << 40), PAGE));   /* nothing there: fine */
}

TEST(fixed_replaces_and_noreplace_does_not)
{
	char *m = map(3);

	m[0] = 1;
	m[PAGE] = 1;
	EXPECT(mmap(m + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == m + PAGE);
	EXPECT_EQ(m[PAGE], 0);
	EXPECT_EQ(m[0], 1);
	EXPECT_ERR(mmap(m + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	EXPECT_OK(munmap(m + PAGE, PAGE));
	EXPECT(mmap(m + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == m + PAGE);
	EXPECT_OK(munmap(m + PAGE, PAGE));
	EXPECT(mmap(m + PAGE, PAGE, RW, ANON, -1, 0) == m + PAGE);      /* the hint is free */
	EXPECT(mmap(m, PAGE, RW, ANON, -1, 0) != m);                    /* this one is not */
}

TEST(protection_binds_page_by_page)
{
	char *m = map(4);

	memset(m, 7, 4 * PAGE);
	EXPECT_OK(mprotect(m + PAGE, PAGE, PROT_READ));
	EXPECT_OK(mprotect(m + 2 * PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(touch(m, true), 0);
	EXPECT_EQ(touch(m + PAGE, false), 0);
	EXPECT_EQ(touch(m + PAGE, true), SIGSEGV);
	EXPECT_EQ(touch(m + 2 * PAGE, false), SIGSEGV);
	EXPECT_EQ(touch(m + 3 * PAGE, true), 0);
	EXPECT_OK(mprotect(m, 4 * PAGE, RW));
	EXPECT_EQ(m[2 * PAGE], 7);
	EXPECT_EQ(touch(m + 2 * PAGE, true), 0);
	EXPECT_ERR(mprotect(m + 1, PAGE, RW), EINVAL);
	EXPECT_OK(munmap(m + PAGE, PAGE));
	EXPECT_ERR(mprotect(m, 3 * PAGE, PROT_READ), ENOMEM);
	EXPECT_OK(mprotect(m, 0, RW));
}

TEST(syscalls_respect_protection)
{
	char *m = map(2);
	int p[2];

	REQUIRE_OK(pipe(p));
	EXPECT_EQ(write(p[1], m + PAGE - 2, 4), 4);
	EXPECT_OK(mprotect(m + PAGE, PAGE, PROT_NONE));
	EXPECT_EQ(write(p[1], m + PAGE - 2, 2), 2);
	EXPECT_ERR(write(p[1], m + PAGE, 2), EFAULT);
	EXPECT_OK(mprotect(m, PAGE, PROT_READ));
	EXPECT_ERR(read(p[0], m, 2), EFAULT);
	EXPECT_OK(mprotect(m, PAGE, RW));
	EXPECT_EQ(read(p[0], m, 6), 6);
}

TEST(code_can_be_written_and_run)
{
	static const unsigned char ret42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *m = map(1);

	memcpy(m, ret42, sizeof(ret42));
	EXPECT_OK(mprotect(m, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(((int (*)(void))m)(), 42);
	EXPECT_EQ(touch(m, true), SIGSEGV);
}

TEST(private_file_mappings_do_not_write_back)
{
	char *m;
	int fd;

	put_file("f", "original");
	fd = open("f", O_RDWR);
	m = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	REQUIRE(m != MAP_FAILED);
	EXPECT_STR(m, "original");
	m[0] = 'X';
	EXPECT_STR(get_file("f"), "original");
	close(fd);
	EXPECT_STR(m, "Xriginal");
}

TEST(shared_file_mappings_are_coherent_with_io)
{
	char *m, *n, buf[8];
	int fd, status;
	pid_t pid;

	put_file("f", "original");
	fd = open("f", O_RDWR);
	m = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	n = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED && n != MAP_FAILED);
	memcpy(m, "CHANGED!", 8);
	EXPECT(memcmp(n, "CHANGED!", 8) == 0);
	EXPECT_EQ(pread(fd, buf, 8, 0), 8);
	EXPECT(memcmp(buf, "CHANGED!", 8) == 0);
	EXPECT_EQ(pwrite(fd, "io", 2, 0), 2);
	EXPECT(memcmp(m, "ioANGED!", 8) == 0);
	pid = fork();
	if (pid == 0) {
		m[0] = 'c';
		_exit(0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(n[0], 'c');
	EXPECT_OK(msync(m, PAGE, MS_SYNC));
	EXPECT_OK(munmap(m, PAGE));
	EXPECT_OK(munmap(n, PAGE));
	EXPECT_STR(get_file("f"), "coANGED!");
}

TEST(file_offsets_select_the_page)
{
	char block[PAGE], *m;
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	for (int i = 0; i < 4; i++) {
		memset(block, 'a' + i, sizeof(block));
		REQUIRE(write(fd, block, sizeof(block)) == (ssize_t)sizeof(block));
	}
	m = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
	REQUIRE(m != MAP_FAILED);
	EXPECT_EQ(m[0], 'c');
	EXPECT_EQ(m[PAGE], 'd');
	EXPECT_OK(ftruncate(fd, 3 * PAGE));
	EXPECT_EQ(m[0], 'c');
	EXPECT_EQ(touch(m + PAGE, false), SIGBUS);
	EXPECT_OK(ftruncate(fd, 4 * PAGE));
	EXPECT_EQ(m[PAGE], 0);
}

TEST(holes_split_mappings)
{
	char *m = map(5);

	memset(m, 3, 5 * PAGE);
	EXPECT_OK(munmap(m + 2 * PAGE, PAGE));
	EXPECT_EQ(touch(m + PAGE, false), 0);
	EXPECT_EQ(touch(m + 2 * PAGE, false), SIGSEGV);
	EXPECT_EQ(m[3 * PAGE], 3);
	EXPECT_OK(munmap(m, 5 * PAGE));
	EXPECT_EQ(touch(m + 4 * PAGE, false), SIGSEGV);
}

TEST(mremap_grows_moves_and_shrinks)
{
	char *m = map(4), *n, *fixed;

	m[0] = 1;
	m[PAGE] = 2;
	EXPECT(mremap(m, 4 * PAGE, 2 * PAGE, 0) == m);
	EXPECT_EQ(touch(m + 2 * PAGE, false), SIGSEGV);
	EXPECT(mremap(m, 2 * PAGE, 4 * PAGE, 0) == m);
	EXPECT_EQ(m[PAGE], 2);
	EXPECT_EQ(m[3 * PAGE], 0);
	EXPECT(mmap(m + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == m + 2 * PAGE);
	EXPECT(mmap(m + 2 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == m + 2 * PAGE);
	EXPECT_ERR(mremap(m, 2 * PAGE, 8 * PAGE, 0), ENOMEM);
	n = mremap(m, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
	REQUIRE(n != MAP_FAILED);
	EXPECT(n != m);
	EXPECT_EQ(n[0], 1);
	EXPECT_EQ(n[PAGE], 2);
	EXPECT_EQ(n[7 * PAGE], 0);
	EXPECT_EQ(touch(m, false), SIGSEGV);
	fixed = map(8);
	EXPECT(mremap(n, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, fixed) == fixed);
	EXPECT_EQ(fixed[PAGE], 2);
	EXPECT_ERR(mremap(fixed, 8 * PAGE, 8 * PAGE, MREMAP_FIXED, n), EINVAL);
	EXPECT_ERR(mremap(fixed + 1, PAGE, PAGE, 0), EINVAL);
	EXPECT_ERR(mremap(fixed, PAGE, 0, 0), EINVAL);
	EXPECT_ERR(mremap((void *)(1ul << 40), PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(dontneed_zeroes_private_and_keeps_shared)
{
	char *m = map(2), *s = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	REQUIRE(s != MAP_FAILED);
	m[0] = 1;
	s[0] = 2;
	EXPECT_OK(madvise(m, PAGE, MADV_DONTNEED));
	EXPECT_EQ(m[0], 0);
	EXPECT_OK(madvise(s, PAGE, MADV_DONTNEED));
	EXPECT_EQ(s[0], 2);
	EXPECT_OK(madvise(m, PAGE, MADV_WILLNEED));
	EXPECT_OK(madvise(m, PAGE, MADV_NORMAL));
	EXPECT_ERR(madvise(m + 1, PAGE, MADV_NORMAL), EINVAL);
	EXPECT_ERR(madvise(m, PAGE, 12345), EINVAL);
	EXPECT_OK(munmap(m + PAGE, PAGE));
	EXPECT_ERR(madvise(m, 2 * PAGE, MADV_DONTNEED), ENOMEM);
}

TEST(dontfork_and_wipeonfork)
{
	char *m = map(2);
	int status;
	pid_t pid;

	m[0] = m[PAGE] = 1;
	EXPECT_OK(madvise(m, PAGE, MADV_DONTFORK));
	EXPECT_OK(madvise(m + PAGE, PAGE, MADV_WIPEONFORK));
	pid = fork();
	if (pid == 0) {
		EXPECT_EQ(m[PAGE], 0);
		EXPECT_EQ(touch(m, false), SIGSEGV);
		_exit(test_failures);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(m[PAGE], 1);
}

TEST(brk_grows_and_shrinks)
{
	char *start = sbrk(0);

	EXPECT((char *)syscall(SYS_brk, 0) == start);
	EXPECT((char *)syscall(SYS_brk, start + 10000) == start + 10000);
	start[9999] = 1;
	EXPECT_EQ(start[5000], 0);
	EXPECT((char *)syscall(SYS_brk, start) == start);
	EXPECT((char *)syscall(SYS_brk, start + 10000) == start + 10000);
	EXPECT_EQ(start[9999], 0);
	EXPECT((char *)syscall(SYS_brk, 16) == start + 10000);  /* refused: the old end */
}

TEST(the_address_space_limit_is_enomem)
{
	struct rlimit rl = { 1ul << 30, 1ul << 30 };

	EXPECT_OK(setrlimit(RLIMIT_AS, &rl));
	EXPECT_ERR(mmap(NULL, 2ul << 30, RW, ANON, -1, 0), ENOMEM);
	EXPECT(mmap(NULL, 1 << 20, RW, ANON, -1, 0) != MAP_FAILED);
}

TEST(mincore_and_mlock)
{
	unsigned char vec[4] = { 0 };
	char *m = map(4);

	m[PAGE] = 1;
	EXPECT_OK(mincore(m, 4 * PAGE, vec));
	EXPECT_EQ(vec[1] & 1, 1);
	EXPECT_ERR(mincore(m + 1, PAGE, vec), EINVAL);
	EXPECT_OK(mlock(m, PAGE));
	EXPECT_OK(munlock(m, PAGE));
	EXPECT_OK(munmap(m, 4 * PAGE));
	EXPECT_ERR(mincore(m, PAGE, vec), ENOMEM);
	EXPECT_ERR(mlock(m, PAGE), ENOMEM);
	EXPECT_ERR(msync(m, PAGE, MS_SYNC), ENOMEM);
	EXPECT_ERR(msync(m, PAGE, 8), EINVAL);
}

TEST(the_stack_grows_down)
{
	volatile char *sp = __builtin_alloca(2 << 20);

	sp[0] = 1;
	EXPECT_EQ(sp[0], 1);
}

TEST(maps_lists_what_is_mapped)
{
	char line[512], want[64];
	char *m = mmap(NULL, 3 * PAGE, PROT_READ, ANON, -1, 0);
	bool found = false, heap = false, stack = false;
	FILE *f = fopen("/proc/self/maps", "r");

	REQUIRE(f && m != MAP_FAILED);
	snprintf(want, sizeof(want), "%lx-", (unsigned long)m);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, want, strlen(want)) == 0)
			found = strstr(line, " r--p ") != NULL;
		heap |= strstr(line, "[heap]") != NULL;
		stack |= strstr(line, "[stack]") != NULL;
	}
	fclose(f);
	EXPECT(found && stack);
	EXPECT(heap);
}

TEST(many_mappings_at_once)
{
	enum { N = 500 };
	static char *m[N];

	for (int i = 0; i < N; i++) {
		m[i] = mmap(NULL, PAGE * 2, i % 2 ? PROT_READ : RW, ANON, -1, 0);
		REQUIRE(m[i] != MAP_FAILED);
		if (i % 2 == 0)
			m[i][0] = (char)i;
	}
	for (int i = 0; i < N; i += 2)
		EXPECT_EQ(m[i][0], (char)i);
	for (int i = 0; i < N; i++)
		EXPECT_OK(munmap(m[i], PAGE * 2));
}

TEST(memfd_files_can_be_sealed_and_mapped)
{
	char *m;
	int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	REQUIRE_OK(fd);
	EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	EXPECT_OK(ftruncate(fd, PAGE));
	m = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0);
	REQUIRE(m != MAP_FAILED);
	m[0] = 'm';
	EXPECT_EQ(fcntl(fd, F_GET_SEALS), 0);
	EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	EXPECT_OK(munmap(m, PAGE));
	EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
	EXPECT_ERR(write(fd, "x", 1), EPERM);
	EXPECT_ERR(ftruncate(fd, 0), EPERM);
	EXPECT_ERR(ftruncate(fd, 2 * PAGE), EPERM);
	EXPECT_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED);
	EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	EXPECT_ERR(fcntl(memfd_create("x", 0), F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	EXPECT_ERR(memfd_create("x", 0x8000), EINVAL);
	EXPECT_ERR(memfd_create("x", 8 | 16), EINVAL);          /* MFD_NOEXEC_SEAL | MFD_EXEC */
}

TEST(memory_of_another_process_can_be_reached)
{
	static char here[16];
	struct iovec { void *base; size_t len; } l = { here, 5 }, r;
	char *m = map(1);
	int p[2];
	pid_t pid;
	char c;

	REQUIRE_OK(pipe(p));
	pid = fork();
	if (pid == 0) {
		memcpy(m, "child", 5);
		(void)!write(p[1], "x", 1);
		for (;;)
			pause();
	}
	EXPECT_EQ(read(p[0], &c, 1), 1);
	r = (struct iovec){ m, 5 };
	EXPECT_EQ(syscall(SYS_process_vm_readv, pid, &l, 1, &r, 1, 0), 5);
	EXPECT_STR(here, "child");
	EXPECT_EQ(syscall(SYS_process_vm_writev, pid, &l, 1, &r, 1, 0), 5);
	r.base = BAD_PTR;
	EXPECT_ERR(syscall(SYS_process_vm_readv, pid, &l, 1, &r, 1, 0), EFAULT);
	EXPECT_ERR(syscall(SYS_process_vm_readv, 999999, &l, 1, &r, 1, 0), ESRCH);
	kill(pid, SIGKILL);
	wait(NULL);
}

TEST(dev_zero_shared_is_shared_memory)
{
	int ro = open("/dev/zero", O_RDONLY), rw = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0);
	char *q = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);

	REQUIRE(p != MAP_FAILED && q != MAP_FAILED);
	if (fork() == 0) {
		p[0] = 7;
		_exit(0);
	}
	wait(NULL);
	EXPECT_EQ(p[0], 7);
	EXPECT_EQ(q[0], 0);
	EXPECT_ERR(mprotect(q, 4096, PROT_READ | PROT_WRITE), EACCES);
}

static long seal(void *p, size_t n) { return syscall(462 /* mseal */, p, n, 0UL); }

TEST(sealed_memory_keeps_its_mapping)
{
	const size_t page = 4096;
	char *p = mmap(NULL, 4 * page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int status;

	if (seal(p, 0) < 0 && errno == ENOSYS)
		SKIP("before Linux 6.10");
	EXPECT_ERR(syscall(462, p, page, 1UL), EINVAL);
	EXPECT_ERR(seal(p + 1, page), EINVAL);
	EXPECT_ERR(seal(p, (size_t)-page), EINVAL);
	REQUIRE_OK(munmap(p + 3 * page, page));
	EXPECT_ERR(seal(p, 4 * page), ENOMEM);
	REQUIRE_OK(seal(p + page, page));
	EXPECT_OK(seal(p + page, page));
	EXPECT_ERR(munmap(p, 3 * page), EPERM);
	EXPECT_ERR(mprotect(p, 3 * page, PROT_NONE), EPERM);
	EXPECT_ERR(mremap(p + page, page, 2 * page, MREMAP_MAYMOVE), EPERM);
	EXPECT(mmap(p + page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EPERM);
	EXPECT_ERR(madvise(p + page, page, MADV_DONTNEED), EPERM);
	EXPECT_OK(madvise(p + page, page, MADV_WILLNEED));
	EXPECT_OK(madvise(p + 2 * page, page, MADV_DONTNEED));
	EXPECT_OK(munmap(p + 2 * page, page));
	if (fork() == 0)
		_exit(munmap(p + page, page) == -1 && errno == EPERM ? 0 : 1);
	wait(&status);
	EXPECT_EQ(status, 0);
}

TEST_MAIN()
