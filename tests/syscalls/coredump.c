/* Core files: when there is one, and what is in it. */
#include <elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include "tests/lib/harness.h"

static char marker[64] = "nobody has this text but the core file's reader";

static void limit(rlim_t n)
{
	struct rlimit r = { n, RLIM_INFINITY };
	char buf[64] = "";
	int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY), pid = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);

	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) < 0 || strcmp(buf, "core\n") != 0 || read(pid, buf, 1) != 1 || buf[0] != '0')
		SKIP("core files go elsewhere here");
	close(fd);
	close(pid);
	REQUIRE_OK(setrlimit(RLIMIT_CORE, &r));
}

/* A child that ends by @sig: its status. */
static int fall(int sig, void (*before)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (before)
			before();
		if (sig == SIGSEGV)
			*(volatile char *)BAD_PTR = 1;
		raise(sig);
		_exit(0);
	}
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	return status;
}

static bool there(void)
{
	struct stat st;

	return stat("core", &st) == 0;
}

TEST(signals_that_dump_do_and_others_do_not)
{
	static const int dumps[] = { SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU, SIGXFSZ };
	static const int others[] = { SIGTERM, SIGKILL, SIGHUP, SIGPIPE, SIGALRM, SIGUSR1 };

	limit(RLIM_INFINITY);
	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		EXPECT(WCOREDUMP(fall(dumps[i], NULL)));
		EXPECT_OK(unlink("core"));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		EXPECT(!WCOREDUMP(fall(others[i], NULL)));
	EXPECT(!there());
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

TEST(limits_and_dumpable_are_obeyed)
{
	struct stat st;

	limit(0);
	EXPECT(!WCOREDUMP(fall(SIGABRT, NULL)));
	limit(4095);
	EXPECT(!WCOREDUMP(fall(SIGABRT, NULL)));
	EXPECT(!there());
	limit(20000);
	EXPECT(WCOREDUMP(fall(SIGABRT, NULL)));
	REQUIRE_OK(stat("core", &st));
	EXPECT(st.st_size <= 20000);
	EXPECT_EQ(st.st_mode & 07777, 0600);
	EXPECT_OK(unlink("core"));
	limit(RLIM_INFINITY);
	EXPECT(!WCOREDUMP(fall(SIGABRT, undumpable)));
	EXPECT(!there());
}

TEST(what_has_the_name_is_replaced_never_written_through)
{
	char buf[32] = "";
	struct stat st;

	limit(RLIM_INFINITY);
	EXPECT_OK(symlink("target", "core"));
	EXPECT(WCOREDUMP(fall(SIGABRT, NULL)));
	EXPECT_ERR(access("target", F_OK), ENOENT);
	EXPECT(lstat("core", &st) == 0 && S_ISREG(st.st_mode));
	EXPECT_OK(unlink("core"));
	put_file("core", "of others");
	EXPECT_OK(chmod("core", 0644));
	EXPECT_OK(link("core", "second"));
	EXPECT(WCOREDUMP(fall(SIGABRT, NULL)));
	EXPECT(read(open("second", O_RDONLY), buf, sizeof(buf) - 1) == 9);
	EXPECT_STR(buf, "of others");
	EXPECT(stat("core", &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_nlink == 1);
	EXPECT_OK(unlink("core"));
	EXPECT_OK(mkdir("core", 0700));
	EXPECT(!WCOREDUMP(fall(SIGABRT, NULL)));
	EXPECT_OK(rmdir("core"));
}

TEST(waitid_tells_of_it)
{
	siginfo_t si;
	pid_t pid;

	limit(RLIM_INFINITY);
	pid = fork();
	if (pid == 0)
		raise(SIGABRT);
	REQUIRE_OK(waitid(P_PID, (id_t)pid, &si, WEXITED));
	EXPECT_EQ(si.si_code, CLD_DUMPED);
	EXPECT_EQ(si.si_status, SIGABRT);
}

static char *core;
static size_t core_len;

static void load(void)
{
	int fd = open("core", O_RDONLY);
	struct stat st;

	REQUIRE_OK(fd);
	REQUIRE_OK(fstat(fd, &st));
	core_len = (size_t)st.st_size;
	core = mmap(NULL, core_len, PROT_READ, MAP_PRIVATE, fd, 0);
	REQUIRE(core != MAP_FAILED);
}

/* The note's content, or NULL. */
static const void *note(unsigned type, size_t *ret_n)
{
	const Elf64_Phdr *p = (const Elf64_Phdr *)(core + ((const Elf64_Ehdr *)core)->e_phoff);
	size_t at = p->p_offset, end = at + p->p_filesz;

	while (p->p_type == PT_NOTE && at + sizeof(Elf64_Nhdr) <= end) {
		const Elf64_Nhdr *n = (const Elf64_Nhdr *)(core + at);
		size_t desc = at + sizeof(*n) + ((n->n_namesz + 3u) & ~3u);

		if (n->n_type == type) {
			*ret_n = n->n_descsz;
			return core + desc;
		}
		at = desc + ((n->n_descsz + 3u) & ~3u);
	}
	return NULL;
}

static const char *memory(const void *addr)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)core;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(core + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++) {
		uintptr_t a = (uintptr_t)addr;

		if (p[i].p_type == PT_LOAD && a >= p[i].p_vaddr && a < p[i].p_vaddr + p[i].p_filesz)
			return core + p[i].p_offset + (a - p[i].p_vaddr);
	}
	return NULL;
}

TEST(a_core_file_holds_registers_and_memory)
{
	char *heap = malloc(100000), *far = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct elf_prstatus *st;
	const struct elf_prpsinfo *ps;
	const siginfo_t *si;
	const Elf64_Ehdr *e;
	size_t n;

	limit(RLIM_INFINITY);
	strcpy(marker, "changed before the end");
	strcpy(heap + 50000, "on the heap");
	strcpy(far + 700000, "far away");
	EXPECT(WCOREDUMP(fall(SIGSEGV, NULL)));
	load();
	e = (const Elf64_Ehdr *)core;
	EXPECT(memcmp(e->e_ident, ELFMAG, 4) == 0 && e->e_type == ET_CORE && e->e_machine == EM_X86_64);
	st = note(NT_PRSTATUS, &n);
	REQUIRE(st && n == sizeof(*st));
	EXPECT_EQ(st->pr_cursig, SIGSEGV);
	EXPECT_EQ(st->pr_ppid, getpid());
	EXPECT(memory((void *)st->pr_reg[19]) != NULL);        /* sp */
	ps = note(NT_PRPSINFO, &n);
	REQUIRE(ps && n == sizeof(*ps));
	EXPECT_EQ(ps->pr_pid, st->pr_pid);
	si = note(0x53494749, &n);
	REQUIRE(si && n == 128);
	EXPECT(si->si_signo == SIGSEGV && si->si_addr == BAD_PTR);
	EXPECT(note(NT_AUXV, &n) && n > 16);
	EXPECT(note(NT_FPREGSET, &n) && n == 512);
	EXPECT(note(0x46494c45, &n) != NULL);
	REQUIRE(memory(marker) && memory(heap) && memory(far));
	EXPECT_STR(memory(marker), "changed before the end");
	EXPECT_STR(memory(heap + 50000), "on the heap");
	EXPECT_STR(memory(far + 700000), "far away");
}

static void elsewhere(void)
{
	if (chdir("sub") < 0)
		_exit(1);
}

TEST(it_is_written_where_the_process_works)
{
	limit(RLIM_INFINITY);
	REQUIRE_OK(mkdir("sub", 0755));
	EXPECT(WCOREDUMP(fall(SIGABRT, elsewhere)));
	EXPECT(!there());
	EXPECT_OK(access("sub/core", F_OK));
	EXPECT_OK(unlink("sub/core"));
}

TEST_MAIN()
