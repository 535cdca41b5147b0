/*
 * bpf.c - programs of control groups that decide about device nodes (BPF_PROG_TYPE_CGROUP_DEVICE).
 */
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include "tests/lib/harness.h"

#define INSN(c, d, s, o, i) ((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_K(d, i)    INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_X(d, s)    INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ALU_K(o, d, i) INSN(BPF_ALU64 | (o) | BPF_K, d, 0, 0, i)
#define ALU32_K(o, d, i) INSN(BPF_ALU | (o) | BPF_K, d, 0, 0, i)
#define LDW(d, s, o)   INSN(BPF_LDX | BPF_MEM | BPF_W, d, s, o, 0)
#define JNE_K(d, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define EXIT()         INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define COUNT(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))

static long sys_bpf(int cmd, union bpf_attr *a) { return syscall(SYS_bpf, cmd, a, sizeof(*a)); }

static int load(const struct bpf_insn *p, uint32_t n)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uint64_t)(uintptr_t)p;
	a.insn_cnt = n;
	a.license = (uint64_t)(uintptr_t)"GPL";
	return (int)sys_bpf(BPF_PROG_LOAD, &a);
}

static long attach(int cmd, int group, int prog, uint32_t flags)
{
	union bpf_attr a;

	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)group;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = flags;
	return sys_bpf(cmd, &a);
}

static long attached(int group, uint32_t *ids, uint32_t room, uint32_t *ret_flags)
{
	union bpf_attr a;
	long r;

	memset(&a, 0, sizeof(a));
	a.query.target_fd = (uint32_t)group;
	a.query.attach_type = BPF_CGROUP_DEVICE;
	a.query.prog_ids = (uint64_t)(uintptr_t)ids;
	a.query.prog_cnt = room;
	r = sys_bpf(BPF_PROG_QUERY, &a);
	*ret_flags = a.query.attach_flags;
	return r < 0 ? r : (long)a.query.prog_cnt;
}

/* Refuses what @access asks of the character device @minor of the memory devices (1). */
static int refuse(uint32_t access, int minor)
{
	struct bpf_insn p[] = {
		MOV_K(BPF_REG_0, 1),
		LDW(BPF_REG_2, BPF_REG_1, 0), LDW(BPF_REG_3, BPF_REG_1, 4), LDW(BPF_REG_4, BPF_REG_1, 8),
		MOV_X(BPF_REG_5, BPF_REG_2), ALU32_K(BPF_AND, BPF_REG_5, 0xffff), JNE_K(BPF_REG_5, BPF_DEVCG_DEV_CHAR, 6),
		JNE_K(BPF_REG_3, 1, 5), JNE_K(BPF_REG_4, minor, 4),
		ALU_K(BPF_RSH, BPF_REG_2, 16), ALU_K(BPF_AND, BPF_REG_2, (int)access),
		INSN(BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_2, 0, 1, 0), MOV_K(BPF_REG_0, 0),
		EXIT(),
	};

	return load(p, COUNT(p));
}

static char top[64];
static int root, group;         /* directories */

static int put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY), r = fd < 0 ? -1 : write(fd, text, strlen(text)) > 0 ? 0 : -1;

	close(fd);
	return r;
}

static void make_group(void)
{
	struct bpf_insn p[] = { MOV_K(BPF_REG_0, 1), EXIT() };
	uint32_t flags;
	int fd = load(p, COUNT(p));

	if (fd < 0)
		SKIP("no bpf");
	close(fd);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("cg", 0755));
	if (mount("none", "cg", "cgroup2", 0, NULL) < 0)
		SKIP("no cgroup2");
	root = open("cg", O_RDONLY | O_DIRECTORY);
	snprintf(top, sizeof(top), "bpf-%d", getpid());
	if (mkdirat(root, top, 0755) < 0)
		SKIP("no right to make groups");
	group = openat(root, top, O_RDONLY | O_DIRECTORY);
	REQUIRE_OK(group);
	if (attached(group, &flags, 0, &flags) < 0)
		SKIP("no programs of control groups");
	/* Nodes of the test's own, as /dev may not be there. */
	REQUIRE_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
	REQUIRE_OK(mknod("zero", S_IFCHR | 0666, makedev(1, 5)));
	fd = open("null", O_RDWR);
	if (fd < 0)
		SKIP("device nodes cannot be used here");
	close(fd);
}

static void drop_group(void)
{
	REQUIRE_OK(put(root, "cgroup.procs", "0"));
	EXPECT_OK(unlinkat(root, top, AT_REMOVEDIR));
}

static int opens(const char *name, int flags)
{
	int fd = open(name, flags);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST(what_is_refused_when_loading)
{
	struct bpf_insn uninit[] = { EXIT() };
	struct bpf_insn unread[] = { MOV_X(BPF_REG_0, BPF_REG_3), EXIT() };
	struct bpf_insn beyond[] = { LDW(BPF_REG_0, BPF_REG_1, 12), EXIT() };
	struct bpf_insn half[] = { INSN(BPF_LDX | BPF_MEM | BPF_H, BPF_REG_0, BPF_REG_1, 4, 0), EXIT() };
	struct bpf_insn wide[] = { INSN(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_1, 0, 0), EXIT() };
	struct bpf_insn number[] = { MOV_K(BPF_REG_2, 0), LDW(BPF_REG_0, BPF_REG_2, 0), EXIT() };
	struct bpf_insn moved[] = { ALU32_K(BPF_AND, BPF_REG_1, 1), MOV_K(BPF_REG_0, 1), EXIT() };
	struct bpf_insn no_end[] = { MOV_K(BPF_REG_0, 1) };
	struct bpf_insn far[] = { MOV_K(BPF_REG_0, 1), JNE_K(BPF_REG_0, 0, 1), EXIT() };
	struct bpf_insn unreachable[] = { MOV_K(BPF_REG_0, 1), EXIT(), EXIT() };
	struct bpf_insn opcode[] = { INSN(0xff, 0, 0, 0, 0), EXIT() };
	struct bpf_insn exit32[] = { MOV_K(BPF_REG_0, 1), INSN(BPF_JMP32 | BPF_EXIT, 0, 0, 0, 0), EXIT() };
	struct bpf_insn reg[] = { MOV_K(11, 1), MOV_K(BPF_REG_0, 1), EXIT() };
	struct bpf_insn div[] = { MOV_K(BPF_REG_0, 1), ALU_K(BPF_DIV, BPF_REG_0, 0), EXIT() };
	struct bpf_insn shl[] = { MOV_K(BPF_REG_0, 1), ALU_K(BPF_LSH, BPF_REG_0, 64), EXIT() };
	struct bpf_insn one_way[] = {
		LDW(BPF_REG_2, BPF_REG_1, 0), JNE_K(BPF_REG_2, 0, 1), MOV_K(BPF_REG_0, 1), EXIT(),
	};

	make_group();
	EXPECT_ERR(load(uninit, 0), E2BIG);
	EXPECT_ERR(load(BAD_PTR, 2), EFAULT);
	EXPECT_ERR(load(uninit, COUNT(uninit)), EACCES);
	EXPECT_ERR(load(unread, COUNT(unread)), EACCES);
	EXPECT_ERR(load(beyond, COUNT(beyond)), EACCES);
	EXPECT_ERR(load(half, COUNT(half)), EACCES);
	EXPECT_ERR(load(wide, COUNT(wide)), EACCES);
	EXPECT_ERR(load(number, COUNT(number)), EACCES);
	EXPECT_ERR(load(moved, COUNT(moved)), EACCES);
	EXPECT_ERR(load(one_way, COUNT(one_way)), EACCES);
	EXPECT_ERR(load(no_end, COUNT(no_end)), EINVAL);
	EXPECT_ERR(load(far, COUNT(far)), EINVAL);
	EXPECT_ERR(load(unreachable, COUNT(unreachable)), EINVAL);
	EXPECT_ERR(load(opcode, COUNT(opcode)), EINVAL);
	EXPECT_ERR(load(exit32, COUNT(exit32)), EINVAL);
	EXPECT_ERR(load(reg, COUNT(reg)), EINVAL);
	EXPECT_ERR(load(div, COUNT(div)), EINVAL);
	EXPECT_ERR(load(shl, COUNT(shl)), EINVAL);
	drop_group();
}

TEST(a_group_is_kept_from_a_device)
{
	int prog;

	make_group();
	prog = refuse(BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD, 3);
	REQUIRE_OK(prog);
	EXPECT_OK(attach(BPF_PROG_ATTACH, group, prog, BPF_F_ALLOW_MULTI));
	EXPECT_EQ(opens("null", O_RDWR), 0);
	REQUIRE_OK(put(group, "cgroup.procs", "0"));
	EXPECT_EQ(opens("null", O_RDWR), -EPERM);
	EXPECT_EQ(opens("null", O_WRONLY), -EPERM);
	EXPECT_EQ(opens("null", O_RDONLY), 0);
	EXPECT_EQ(opens("null", O_PATH), 0);
	EXPECT_EQ(opens("zero", O_RDWR), 0);
	EXPECT_ERR(mknod("again", S_IFCHR | 0666, makedev(1, 3)), EPERM);
	EXPECT_OK(mknod("other", S_IFCHR | 0666, makedev(1, 7)));
	EXPECT_OK(mknod("white", S_IFCHR | 0666, makedev(0, 0)));
	EXPECT_OK(attach(BPF_PROG_DETACH, group, prog, 0));
	EXPECT_EQ(opens("null", O_RDWR), 0);
	EXPECT_ERR(attach(BPF_PROG_DETACH, group, prog, 0), ENOENT);
	drop_group();
}

TEST(programs_of_groups_around_count_too)
{
	uint32_t ids[4], flags;
	int below, null, zero;

	make_group();
	REQUIRE_OK(mkdirat(group, "b", 0755));
	below = openat(group, "b", O_RDONLY | O_DIRECTORY);
	null = refuse(BPF_DEVCG_ACC_WRITE, 3);
	zero = refuse(BPF_DEVCG_ACC_READ, 5);
	REQUIRE_OK(null);
	REQUIRE_OK(zero);
	EXPECT_EQ(attached(group, ids, 4, &flags), 0);
	EXPECT_OK(attach(BPF_PROG_ATTACH, group, null, BPF_F_ALLOW_MULTI));
	EXPECT_ERR(attach(BPF_PROG_ATTACH, group, null, BPF_F_ALLOW_MULTI), EINVAL);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, group, zero, 0), EPERM);
	EXPECT_OK(attach(BPF_PROG_ATTACH, below, zero, BPF_F_ALLOW_MULTI));
	EXPECT_EQ(attached(group, ids, 4, &flags), 1);
	EXPECT_EQ(flags, (uint32_t)BPF_F_ALLOW_MULTI);
	REQUIRE_OK(put(below, "cgroup.procs", "0"));
	EXPECT_EQ(opens("null", O_RDWR), -EPERM);
	EXPECT_EQ(opens("zero", O_RDONLY), -EPERM);
	EXPECT_EQ(opens("zero", O_WRONLY), 0);
	REQUIRE_OK(put(root, "cgroup.procs", "0"));
	EXPECT_OK(unlinkat(group, "b", AT_REMOVEDIR));
	EXPECT_OK(attach(BPF_PROG_DETACH, group, null, 0));
	drop_group();
}

TEST(one_program_alone_can_be_overridden_or_not)
{
	int below, null, zero;

	make_group();
	REQUIRE_OK(mkdirat(group, "b", 0755));
	below = openat(group, "b", O_RDONLY | O_DIRECTORY);
	null = refuse(BPF_DEVCG_ACC_WRITE, 3);
	zero = refuse(BPF_DEVCG_ACC_WRITE, 5);
	REQUIRE_OK(zero);
	EXPECT_OK(attach(BPF_PROG_ATTACH, group, null, 0));
	EXPECT_ERR(attach(BPF_PROG_ATTACH, below, zero, 0), EPERM);
	EXPECT_OK(attach(BPF_PROG_DETACH, group, -1, 0));
	EXPECT_OK(attach(BPF_PROG_ATTACH, group, null, BPF_F_ALLOW_OVERRIDE));
	EXPECT_OK(attach(BPF_PROG_ATTACH, below, zero, BPF_F_ALLOW_OVERRIDE));
	REQUIRE_OK(put(below, "cgroup.procs", "0"));
	EXPECT_EQ(opens("null", O_WRONLY), 0);
	EXPECT_EQ(opens("zero", O_WRONLY), -EPERM);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, BAD_FD, zero, 0), EBADF);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, group, BAD_FD, 0), EBADF);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, zero, zero, 0), EBADF);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, group, group, 0), EINVAL);
	EXPECT_ERR(attach(BPF_PROG_ATTACH, group, zero, 1u << 20), EINVAL);
	REQUIRE_OK(put(root, "cgroup.procs", "0"));
	EXPECT_OK(unlinkat(group, "b", AT_REMOVEDIR));
	EXPECT_OK(attach(BPF_PROG_DETACH, group, -1, 0));
	drop_group();
}

TEST_MAIN()
