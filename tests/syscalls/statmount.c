/*
 * statmount.c - statmount(2), listmount(2) and the unique ids of mounts.
 */
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include "tests/lib/harness.h"

#define SYS_STATMOUNT 457
#define SYS_LISTMOUNT 458
#define UNIQUE 0x4000u
#define ROOT UINT64_MAX
enum { SB_BASIC = 1, MNT_BASIC = 2, PROPAGATE_FROM = 4, MNT_ROOT = 8, MNT_POINT = 16, FS_TYPE = 32, ALL = 63 };

struct req { uint32_t size, spare; uint64_t id, param, ns; };
struct sm {
	uint32_t size, opts;
	uint64_t mask;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent;
	uint32_t id_old, parent_old;
	uint64_t attr, propagation, peer_group, master, from;
	uint32_t root, point;
	uint64_t ns_id, rest[49];
	char str[4096];
};

static long statmount_(uint64_t id, uint64_t mask, void *buf, size_t n)
{
	struct req r = { .size = 24, .id = id, .param = mask };

	return syscall(SYS_STATMOUNT, &r, buf, n, 0);
}

static long listmount_(uint64_t id, uint64_t after, uint64_t *ids, size_t n)
{
	struct req r = { .size = 24, .id = id, .param = after };

	return syscall(SYS_LISTMOUNT, &r, ids, n, 0);
}

static uint64_t id_of(const char *path, bool unique)
{
	struct statx x;

	memset(&x, 0, sizeof(x));
	EXPECT_OK(statx(AT_FDCWD, path, 0, unique ? UNIQUE : 0x1000, &x));
	if (!(x.stx_mask & (unique ? UNIQUE : 0x1000)))
		SKIP("no unique ids");
	return *(uint64_t *)((char *)&x + 0x90);
}

static void own_mounts(void)
{
	if (syscall(SYS_LISTMOUNT, NULL, NULL, 0, ~0u) < 0 && errno == ENOSYS)
		SKIP("no listmount");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("m", 0700));
	REQUIRE_OK(mount("src", "m", "tmpfs", MS_NOSUID | MS_NODEV, NULL));
	REQUIRE_OK(mkdir("m/a", 0700));
	REQUIRE_OK(mkdir("m/b", 0700));
}

TEST(a_mount_tells_its_basics)
{
	struct sm s;
	struct stat st;
	uint64_t id, old;

	own_mounts();
	id = id_of("m", true);
	old = id_of("m", false);
	EXPECT(id > 1ull << 31);
	EXPECT(id != old);
	memset(&s, 0xff, sizeof(s));
	REQUIRE_OK(statmount_(id, SB_BASIC | MNT_BASIC | PROPAGATE_FROM, &s, sizeof(s)));
	EXPECT_EQ(s.mask, SB_BASIC | MNT_BASIC | PROPAGATE_FROM);
	EXPECT_EQ(s.size, 512);
	EXPECT_EQ(s.id, id);
	EXPECT_EQ(s.id_old, old);
	EXPECT_EQ(s.parent, id_of(".", true));
	EXPECT_EQ(s.parent_old, id_of(".", false));
	EXPECT_EQ(s.magic, 0x01021994);
	EXPECT_OK(stat("m", &st));
	EXPECT_EQ(s.major, major(st.st_dev));
	EXPECT_EQ(s.minor, minor(st.st_dev));
	EXPECT_EQ(s.sb_flags, 0);
	EXPECT_EQ(s.attr, 0x2 | 0x4);
	EXPECT_EQ(s.propagation, MS_PRIVATE);
	EXPECT_EQ(s.peer_group, 0);
	EXPECT_EQ(s.master, 0);
	EXPECT_EQ(s.from, 0);
	REQUIRE_OK(statmount_(id, 0, &s, sizeof(s)));
	EXPECT_EQ(s.mask, 0);
	EXPECT_EQ(s.id, 0);
}

TEST(attributes_and_propagation_are_told)
{
	struct sm s;
	uint64_t id;

	own_mounts();
	id = id_of("m", true);
	REQUIRE_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC | MS_NOATIME, NULL));
	REQUIRE_OK(mount(NULL, "m", NULL, MS_SHARED, NULL));
	REQUIRE_OK(statmount_(id, MNT_BASIC, &s, sizeof(s)));
	EXPECT_EQ(s.attr, 0x1 | 0x8 | 0x10);
	EXPECT_EQ(s.propagation, MS_SHARED);
	EXPECT(s.peer_group != 0);
	REQUIRE_OK(mount(NULL, "m", NULL, MS_UNBINDABLE, NULL));
	REQUIRE_OK(statmount_(id, MNT_BASIC, &s, sizeof(s)));
	EXPECT_EQ(s.propagation, MS_UNBINDABLE);
	EXPECT_EQ(s.peer_group, 0);
}

TEST(a_mount_tells_its_names)
{
	char cwd[256], want[400];
	struct sm s;
	uint64_t id;

	own_mounts();
	REQUIRE(getcwd(cwd, sizeof(cwd)) != NULL);
	REQUIRE_OK(mkdir("with space", 0700));
	REQUIRE_OK(mount("m/a", "with space", NULL, MS_BIND, NULL));
	id = id_of("with space", true);
	REQUIRE_OK(statmount_(id, MNT_ROOT | MNT_POINT | FS_TYPE, &s, sizeof(s)));
	EXPECT_EQ(s.mask, MNT_ROOT | MNT_POINT | FS_TYPE);
	EXPECT_STR(s.str + s.fs_type, "tmpfs");
	EXPECT_STR(s.str + s.root, "/a");
	snprintf(want, sizeof(want), "%s/with space", cwd);
	EXPECT_STR(s.str + s.point, want);
	EXPECT(s.size > 512 + strlen(want));
	REQUIRE_OK(statmount_(id_of("m", true), MNT_ROOT, &s, sizeof(s)));
	EXPECT_STR(s.str + s.root, "/");
	REQUIRE_OK(chroot("m"));
	REQUIRE_OK(statmount_(id_of("/", true), MNT_POINT, &s, sizeof(s)));
	EXPECT_STR(s.str + s.point, "/");
}

TEST(buffers_may_be_small)
{
	struct sm s;
	uint64_t id;

	own_mounts();
	id = id_of("m", true);
	memset(&s, 0xff, sizeof(s));
	EXPECT_OK(statmount_(id, MNT_BASIC, &s, 16));
	EXPECT_EQ(s.size, 16);
	EXPECT_EQ(s.mask, MNT_BASIC);
	EXPECT_EQ(s.major, UINT32_MAX);
	EXPECT_OK(statmount_(id, MNT_BASIC, NULL, 0));
	EXPECT_ERR(statmount_(id, FS_TYPE, &s, 512), EOVERFLOW);
	EXPECT_ERR(statmount_(id, FS_TYPE, &s, 514), EOVERFLOW);
	EXPECT_ERR(statmount_(id, FS_TYPE, &s, 0), EOVERFLOW);
	EXPECT_OK(statmount_(id, FS_TYPE, &s, 530));
	EXPECT_ERR(statmount_(id, MNT_BASIC, BAD_PTR, 512), EFAULT);
	EXPECT_ERR(statmount_(id, FS_TYPE, BAD_PTR, 4096), EFAULT);
}

TEST(requests_are_checked)
{
	struct req r = { .size = 24 };
	struct { struct req r; char more[4096]; } big = { .r = { .size = 200 } };
	struct sm s;

	own_mounts();
	r.id = big.r.id = id_of("m", true);
	EXPECT_ERR(syscall(SYS_STATMOUNT, &r, &s, sizeof(s), 1u << 31), EINVAL);
	EXPECT_ERR(syscall(SYS_STATMOUNT, BAD_PTR, &s, sizeof(s), 0), EFAULT);
	EXPECT_ERR(syscall(SYS_STATMOUNT, NULL, &s, sizeof(s), 0), EFAULT);
	r.size = 23;
	EXPECT_ERR(syscall(SYS_STATMOUNT, &r, &s, sizeof(s), 0), EINVAL);
	r.size = 4097;
	EXPECT_ERR(syscall(SYS_STATMOUNT, &r, &s, sizeof(s), 0), E2BIG);
	EXPECT_OK(syscall(SYS_STATMOUNT, &big, &s, sizeof(s), 0));
	big.more[100] = 1;
	EXPECT_ERR(syscall(SYS_STATMOUNT, &big, &s, sizeof(s), 0), E2BIG);
	EXPECT_ERR(statmount_(0, MNT_BASIC, &s, sizeof(s)), EINVAL);
	EXPECT_ERR(statmount_(id_of("m", false), MNT_BASIC, &s, sizeof(s)), EINVAL);
	EXPECT_ERR(statmount_(r.id + 100000000, MNT_BASIC, &s, sizeof(s)), ENOENT);
	EXPECT_ERR(statmount_(ROOT, MNT_BASIC, &s, sizeof(s)), ENOENT);
}

TEST(mounts_are_listed_in_order)
{
	uint64_t m, a, b, c, ids[8];
	struct req r = { .size = 24 };

	own_mounts();
	REQUIRE_OK(mount("a", "m/a", "tmpfs", 0, NULL));
	REQUIRE_OK(mount("b", "m/b", "tmpfs", 0, NULL));
	REQUIRE_OK(mkdir("m/a/c", 0700));
	REQUIRE_OK(mount("c", "m/a/c", "tmpfs", 0, NULL));
	m = id_of("m", true);
	a = id_of("m/a", true);
	b = id_of("m/b", true);
	c = id_of("m/a/c", true);
	EXPECT(a < b && b < c);
	EXPECT_EQ(listmount_(m, 0, ids, 8), 3);
	EXPECT(ids[0] == a && ids[1] == b && ids[2] == c);
	EXPECT_EQ(listmount_(a, 0, ids, 8), 1);
	EXPECT_EQ(ids[0], c);
	EXPECT_EQ(listmount_(c, 0, ids, 8), 0);
	EXPECT_EQ(listmount_(m, 0, ids, 2), 2);
	EXPECT_EQ(listmount_(m, ids[1], ids, 2), 1);
	EXPECT_EQ(ids[0], c);
	EXPECT_EQ(listmount_(m, c, ids, 2), 0);
	EXPECT_EQ(listmount_(m, 0, NULL, 0), 0);
	EXPECT_ERR(listmount_(m, 0, BAD_PTR, 8), EFAULT);
	EXPECT_ERR(listmount_(m, 5, ids, 8), EINVAL);
	EXPECT_ERR(listmount_(5, 0, ids, 8), EINVAL);
	EXPECT_ERR(listmount_(m + 100000000, 0, ids, 8), ENOENT);
	EXPECT_ERR(listmount_(m, 0, ids, 1000001), EOVERFLOW);
	r.id = m;
	EXPECT_ERR(syscall(SYS_LISTMOUNT, &r, ids, 8, 1u << 31), EINVAL);
	EXPECT_OK(umount("m/b"));
	EXPECT_EQ(listmount_(m, 0, ids, 8), 2);
	EXPECT_OK(mount("b", "m/b", "tmpfs", 0, NULL));
	EXPECT(id_of("m/b", true) > c);
	/* From the root: the root's own mount too. */
	REQUIRE_OK(chroot("m"));
	REQUIRE_OK(chdir("/"));
	EXPECT_EQ(listmount_(ROOT, 0, ids, 8), 4);
	EXPECT_EQ(ids[0], m);
}

/* More than are told under one hold of a lock. */
TEST(long_lists_are_whole)
{
	static char line[8192];
	static uint64_t ids[500];
	char name[16];
	uint64_t m;
	int in = 0;
	FILE *f;

	own_mounts();
	m = id_of("m", true);
	REQUIRE_OK(mkdir("m/under", 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "m/%d", i);
		REQUIRE_OK(mkdir(name, 0755));
		REQUIRE_OK(mount("m/under", i % 3 ? name : "m/0", NULL, MS_BIND, NULL));
	}
	f = fopen("/proc/self/mountinfo", "r");
	REQUIRE(f);
	while (fgets(line, sizeof(line), f))
		in += strstr(line, " /under ") != NULL;
	fclose(f);
	EXPECT_EQ(in, 300);
	EXPECT_EQ(listmount_(m, 0, ids, 500), 300);
	for (int i = 1; i < 300; i++)
		EXPECT(ids[i] > ids[i - 1]);
	/* Not what lies beside the place that is the root. */
	REQUIRE_OK(mkdir("m/under/x", 0755));
	REQUIRE_OK(chroot("m/1"));
	REQUIRE_OK(chdir("/"));
	EXPECT_EQ(listmount_(ROOT, 0, ids, 500), 1);
}

static uint64_t outer;

static void look_out(void)
{
	struct sm s;
	uint64_t ids[8];

	REQUIRE_OK(chroot("m"));
	REQUIRE_OK(chdir("/"));
	EXPECT_OK(statmount_(outer, MNT_BASIC, &s, sizeof(s)));
	REQUIRE_OK(setgid(1000));
	REQUIRE_OK(setuid(1000));
	EXPECT_ERR(statmount_(outer, MNT_BASIC, &s, sizeof(s)), EPERM);
	EXPECT_ERR(listmount_(outer, 0, ids, 8), EPERM);
	EXPECT_OK(listmount_(ROOT, 0, ids, 8));
	EXPECT_OK(statmount_(id_of("/", true), ALL, &s, sizeof(s)));
}

TEST(what_the_root_hides_takes_a_capability)
{
	own_mounts();
	outer = id_of("/", true);
	EXPECT_EQ(in_child(look_out), 0);
}

TEST_MAIN()
