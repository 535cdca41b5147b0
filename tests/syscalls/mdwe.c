/* Memory-deny-write-execute: PR_SET_MDWE, what mmap, mprotect and shmat refuse then, and who inherits it. */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>

#define TEST_REENTRY(argc, argv) \
	do { \
		if ((argc) == 2 && strcmp((argv)[1], "--what-is-set") == 0) \
			_exit(prctl(66, 0L, 0L, 0L, 0L)); \
	} while (0)
#include "tests/lib/harness.h"

#define SET        65
#define GET        66
#define REFUSE     1ul
#define NO_INHERIT 2ul

#define R  PROT_READ
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define WX (PROT_WRITE | PROT_EXEC)

static int get(void)
{
	return prctl(GET, 0L, 0L, 0L, 0L);
}

static int set(unsigned long bits)
{
	return prctl(SET, bits, 0L, 0L, 0L);
}

static void need(void)
{
	if (prctl(SET, 0L, 0L, 0L, 0L) < 0)
		SKIP("no PR_SET_MDWE");
}

static void *map(int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static void *try_map(int prot, int flags)
{
	void *p = mmap(NULL, 4096, prot, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? (void *)-1l : p;
}

TEST(arguments_are_checked)
{
	need();
	EXPECT_ERR(prctl(SET, NO_INHERIT, 0L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(SET, 4L, 0L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(SET, REFUSE | 1ul << 32, 0L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(SET, REFUSE, 1L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(SET, REFUSE, 0L, 1L, 0L), EINVAL);
	EXPECT_ERR(prctl(SET, REFUSE, 0L, 0L, 1L), EINVAL);
	EXPECT_ERR(prctl(GET, 1L, 0L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(GET, 0L, 1L, 0L, 0L), EINVAL);
	EXPECT_ERR(prctl(GET, 0L, 0L, 1L, 0L), EINVAL);
	EXPECT_ERR(prctl(GET, 0L, 0L, 0L, 1L), EINVAL);
	EXPECT_EQ(get(), 0);
}

static void refuse_stays(void)
{
	EXPECT_OK(set(REFUSE));
	EXPECT_OK(set(REFUSE));
	EXPECT_EQ(get(), REFUSE);
	EXPECT_ERR(set(0), EPERM);
	EXPECT_ERR(set(REFUSE | NO_INHERIT), EPERM);
	EXPECT_ERR(set(4), EINVAL);
	EXPECT_EQ(get(), REFUSE);
}

static void both_stay(void)
{
	EXPECT_OK(set(REFUSE | NO_INHERIT));
	EXPECT_OK(set(REFUSE | NO_INHERIT));
	EXPECT_ERR(set(0), EPERM);
	EXPECT_ERR(set(REFUSE), EPERM);
	EXPECT_EQ(get(), REFUSE | NO_INHERIT);
}

TEST(what_was_asked_for_stays)
{
	need();
	EXPECT_OK(set(0));
	EXPECT_EQ(in_child(refuse_stays), 0);
	EXPECT_EQ(in_child(both_stay), 0);
	EXPECT_EQ(get(), 0);
}

TEST(maps_are_writable_or_executable)
{
	int fd;

	need();
	put_file("f", "x");
	REQUIRE_OK(fd = open("f", O_RDWR));
	REQUIRE_OK(set(REFUSE));
	EXPECT_ERR(try_map(WX, MAP_PRIVATE), EACCES);
	EXPECT_ERR(try_map(WX, MAP_SHARED), EACCES);
	EXPECT_ERR(try_map(RW | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE), EACCES);
	EXPECT_ERR(mmap(NULL, 4096, RW | PROT_EXEC, MAP_PRIVATE, fd, 0), EACCES);
	EXPECT_OK(try_map(RX, MAP_PRIVATE));
	EXPECT_OK(try_map(PROT_EXEC, MAP_PRIVATE));
	EXPECT_OK(try_map(RW, MAP_PRIVATE));
	/* What is wrong otherwise is told first. */
	EXPECT_ERR(mmap(NULL, 0, WX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	EXPECT_ERR(mmap(NULL, 4096, WX, MAP_PRIVATE, -1, 0), EBADF);
}

TEST(a_fixed_map_is_a_new_one)
{
	char *p;

	need();
	REQUIRE_OK(set(REFUSE));
	p = map(RW, MAP_PRIVATE);
	EXPECT_ERR(mmap(p, 4096, WX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EACCES);
	EXPECT_ERR(mmap(p, 4096, WX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	p[0] = 1;               /* the old one is still there */
	EXPECT(mmap(p, 4096, RX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
}

TEST(nothing_becomes_executable)
{
	char *r, *rw, *rx, *old;

	need();
	old = map(RW | PROT_EXEC, MAP_PRIVATE);
	r = map(R, MAP_PRIVATE);
	REQUIRE_OK(set(REFUSE));
	rw = map(RW, MAP_SHARED);
	rx = map(RX, MAP_PRIVATE);
	EXPECT_ERR(mprotect(r, 4096, RX), EACCES);
	EXPECT_ERR(mprotect(rw, 4096, RX), EACCES);
	EXPECT_ERR(mprotect(rw, 4096, RW | PROT_EXEC), EACCES);
	EXPECT_OK(mprotect(rx, 4096, RX));
	EXPECT_OK(mprotect(rx, 4096, PROT_EXEC));
	EXPECT_ERR(mprotect(rx, 4096, WX), EACCES);
	EXPECT_ERR(syscall(SYS_pkey_mprotect, r, 4096, RX, -1), EACCES);
	/* What was both may lose one. */
	EXPECT_ERR(mprotect(old, 4096, RW | PROT_EXEC), EACCES);
	old[0] = 1;
	EXPECT_OK(mprotect(old, 4096, RX));
	EXPECT_OK(mprotect(old, 4096, RW));
	EXPECT_ERR(mprotect(old, 4096, RX), EACCES);
	EXPECT_OK(mprotect(rx, 4096, RW));
	EXPECT_OK(mprotect(rx, 4096, PROT_NONE));
	EXPECT_ERR(mprotect(rx, 4096, PROT_EXEC), EACCES);
}

TEST(what_comes_before_the_forbidden_is_changed)
{
	char *p;

	need();
	REQUIRE_OK(set(REFUSE));
	p = mmap(NULL, 3 * 4096, RX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(p != MAP_FAILED);
	REQUIRE_OK(mprotect(p + 4096, 4096, R));
	EXPECT_ERR(mprotect(p, 3 * 4096, PROT_EXEC), EACCES);
	EXPECT_OK(mprotect(p + 2 * 4096, 4096, RX));
	EXPECT_ERR(mprotect(p + 4096, 4096, RX), EACCES);
}

TEST(moving_and_growing_change_no_rights)
{
	char *p, *q;

	need();
	p = map(RW | PROT_EXEC, MAP_PRIVATE);
	REQUIRE_OK(set(REFUSE));
	q = mremap(p, 4096, 8192, MREMAP_MAYMOVE);
	EXPECT(q != MAP_FAILED);
	q[0] = 1;
	EXPECT_ERR(mprotect(q, 8192, RW | PROT_EXEC), EACCES);
}

TEST(reading_may_imply_executing)
{
	char *p;

	need();
	p = map(RW, MAP_PRIVATE);
	REQUIRE_OK(set(REFUSE));
	REQUIRE_OK(personality(READ_IMPLIES_EXEC));
	EXPECT_ERR(try_map(RW, MAP_PRIVATE), EACCES);
	EXPECT_OK(try_map(R, MAP_PRIVATE));
	EXPECT_ERR(mprotect(p, 4096, R), EACCES);
}

TEST(segments_are_attached_by_the_same_rules)
{
	void *p;
	int id;

	need();
	REQUIRE_OK(id = shmget(IPC_PRIVATE, 4096, 0700));
	REQUIRE_OK(set(REFUSE));
	EXPECT_ERR(shmat(id, NULL, SHM_EXEC), EACCES);
	EXPECT_OK(p = shmat(id, NULL, SHM_EXEC | SHM_RDONLY));
	EXPECT_ERR(mprotect(p, 4096, WX), EACCES);
	EXPECT_OK(p = shmat(id, NULL, 0));
	EXPECT_ERR(mprotect(p, 4096, RX), EACCES);
	REQUIRE_OK(shmctl(id, IPC_RMID, NULL));
}

static void has_refuse(void)
{
	EXPECT_EQ(get(), REFUSE);
	EXPECT_ERR(try_map(WX, MAP_PRIVATE), EACCES);
	EXPECT_ERR(set(0), EPERM);
}

static void has_none(void)
{
	EXPECT_EQ(get(), 0);
	EXPECT_OK(try_map(WX, MAP_PRIVATE));
	EXPECT_OK(set(REFUSE));
}

static void has_both(void)
{
	EXPECT_EQ(get(), REFUSE | NO_INHERIT);
	EXPECT_EQ(in_child(has_none), 0);
}

TEST(children_inherit_it)
{
	need();
	REQUIRE_OK(set(REFUSE));
	EXPECT_EQ(in_child(has_refuse), 0);
}

TEST(children_do_not_inherit_it_if_so_asked)
{
	need();
	REQUIRE_OK(set(REFUSE | NO_INHERIT));
	has_both();
	EXPECT_EQ(get(), REFUSE | NO_INHERIT);
	EXPECT_ERR(try_map(WX, MAP_PRIVATE), EACCES);
}

static unsigned long asked;

static void asks_and_execs(void)
{
	char *argv[] = { "mdwe", "--what-is-set", NULL };

	REQUIRE_OK(set(asked));
	execv("/proc/self/exe", argv);
	_exit(99);
}

TEST(a_new_program_inherits_it_like_a_child)
{
	need();
	asked = 0;
	EXPECT_EQ(in_child(asks_and_execs), 0);
	asked = REFUSE;
	EXPECT_EQ(in_child(asks_and_execs), REFUSE);
	asked = REFUSE | NO_INHERIT;
	EXPECT_EQ(in_child(asks_and_execs), 0);
}

TEST_MAIN()
