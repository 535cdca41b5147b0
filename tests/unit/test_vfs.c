/*
 * Names, files, locks and descriptors of the VFS over a tmpfs, without a sandbox.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/iobuf.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/task.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/mount_int.h"
#include "sentry/vfs/mount_ops.h"
#include "sentry/vfs/vfs.h"

/* Terminals are no part of this test. */
__attribute__((weak)) int tty_open_current(struct task *t, const struct path *p, u32 flags, struct file **ret)
{
	return t && p && flags && ret ? -ENXIO : -EIO;
}
__attribute__((weak)) int ptmx_open(struct task *t, struct inode *i, const struct path *p, u32 flags,
                                    struct file **ret)
{
	return t && i && p && flags && ret ? -ENXIO : -EIO;
}

static struct task *new_task(void)
{
	struct kernel *k = knew(struct kernel);
	struct task *t = knew(struct task);
	struct cred *cred = cred_new();
	struct inode *root;
	struct super *sb;
	struct path p;

	atomic_init(&k->ns_max[NS_MNT], NS_MAX);
	k->mem_total = 1ull << 30;
	assert_int_equal(vfs_init(k), 0);
	t->kernel = k;
	cred->cap_prm = cred->cap_eff = ~0ull;
	t->cred = cred;
	t->tg = knew(struct tgroup);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		t->tg->rlim[i] = (struct rlimit64_g){ 1024, 1024 };
	t->tg->rlim[RLIMIT_FSIZE] = (struct rlimit64_g){ ~0ull, ~0ull };
	mutex_init(&t->tg->mu, RANK_TGROUP);
	assert_int_equal(tmpfs_make(t, k, "t", "mode=755", &sb, &root), 0);
	assert_int_equal(mnt_ns_new(k, sb, root, 0, &t->mnt_ns), 0);
	super_unref(sb);
	inode_unref(root);
	p = mnt_ns_root(t->mnt_ns);
	t->fs = fs_new(&p, &p, 022);
	path_put(&p);
	t->files = fdtable_new();
	return t;
}

static struct file *open_it(struct task *t, const char *name, u32 flags)
{
	struct file *f = NULL;

	assert_int_equal(vfs_open(t, AT_FDCWD, name, flags, 0644, 0, &f), 0);
	return f;
}

static int look(struct task *t, const char *name, u32 flags)
{
	auto_path p = { 0 };

	return vfs_lookup(t, AT_FDCWD, name, flags, &p);
}

static void a_cached_walk_allocates_nothing(void **state)
{
	struct task *t = new_task();

	(void)state;
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "a", 0755), 0);
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "a/b", 0755), 0);
	file_unref(open_it(t, "a/b/f", O_CREAT | O_WRONLY));
	assert_int_equal(look(t, "/a/b/f", 0), 0);
	assert_int_equal(look(t, "/a/b/none", 0), -ENOENT);
	alloc_fail_nth(1);
	assert_int_equal(look(t, "/a/./b/../b/f", 0), 0);
	assert_int_equal(look(t, "/a/b/none", 0), -ENOENT);
	alloc_fail_nth(0);
}

static void symlinks_and_dotdot_stay_inside(void **state)
{
	struct task *t = new_task();

	(void)state;
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "d", 0755), 0);
	file_unref(open_it(t, "d/f", O_CREAT | O_WRONLY));
	assert_int_equal(vfs_symlink(t, "/d", AT_FDCWD, "abs"), 0);
	assert_int_equal(vfs_symlink(t, "loop", AT_FDCWD, "loop"), 0);
	assert_int_equal(vfs_symlink(t, "../../..", AT_FDCWD, "d/up"), 0);
	assert_int_equal(look(t, "abs/f", 0), 0);
	assert_int_equal(look(t, "abs/f", LOOKUP_NO_SYMLINKS), -ELOOP);
	assert_int_equal(look(t, "abs/f", LOOKUP_BENEATH), -EXDEV);
	assert_int_equal(look(t, "abs/f", LOOKUP_IN_ROOT), 0);
	assert_int_equal(look(t, "d/up/d/f", 0), 0);
	assert_int_equal(look(t, "d/up", LOOKUP_FOLLOW | LOOKUP_BENEATH), -EXDEV);
	assert_int_equal(look(t, "loop", LOOKUP_FOLLOW), -ELOOP);
	assert_int_equal(look(t, "loop", 0), 0);
	assert_int_equal(look(t, "d/f/", LOOKUP_FOLLOW), -ENOTDIR);
	assert_int_equal(look(t, "", 0), -ENOENT);
}

static void names_follow_renames_and_deletions(void **state)
{
	struct task *t = new_task();
	char buf[64];
	struct path p;

	(void)state;
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "a", 0755), 0);
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "a/b", 0755), 0);
	assert_int_equal(vfs_lookup(t, AT_FDCWD, "a/b", 0, &p), 0);
	assert_int_equal(vfs_rename(t, AT_FDCWD, "a", AT_FDCWD, "z", 0), 0);
	assert_int_equal(vfs_path_name(t, &p, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "/z/b");
	assert_int_equal(vfs_rename(t, AT_FDCWD, "z", AT_FDCWD, "z/b/z", 0), -EINVAL);
	assert_int_equal(vfs_rmdir(t, AT_FDCWD, "z/b"), 0);
	assert_true(vfs_path_name(t, &p, buf, sizeof(buf)) > 0);
	assert_string_equal(buf, "/z/b (deleted)");
	path_put(&p);
}

static void content_survives_the_move_to_a_memfd(void **state)
{
	struct task *t = new_task();
	struct file *f = open_it(t, "f", O_CREAT | O_RDWR);
	static char big[200000], back[200000];
	struct mapping m;
	struct iobuf b;
	s64 pos = 10;

	(void)state;
	memset(big, 'x', sizeof(big));
	iobuf_kernel(&b, big, 1000);
	assert_int_equal(file_write(t, f, &b, &pos, false), 1000);
	assert_int_equal(file_map(t, f, 0, 4096, 1, 2, &m), 0);
	assert_true(m.fd.fd >= 0);
	iobuf_kernel(&b, big, sizeof(big));
	assert_int_equal(file_write(t, f, &b, &pos, false), sizeof(big));
	iobuf_kernel(&b, back, sizeof(back));
	pos = 10;
	assert_int_equal(file_read(t, f, &b, &pos, false), sizeof(back));
	assert_memory_equal(big, back, sizeof(back));
	iobuf_kernel(&b, back, 10);
	pos = 0;
	assert_int_equal(file_read(t, f, &b, &pos, false), 10);
	assert_int_equal(back[9], 0);
	file_unref(f);
}

static void record_locks_are_cut_joined_and_dropped(void **state)
{
	struct task *t = new_task();
	struct file *f = open_it(t, "f", O_CREAT | O_RDWR), *g = open_it(t, "f", O_RDWR);
	struct lx_flock fl = { .type = F_WRLCK, .start = 0, .len = 100 }, q;

	(void)state;
	assert_int_equal(file_set_lock(t, f, &fl, true, false), 0);
	fl = (struct lx_flock){ .type = F_UNLCK, .start = 40, .len = 20 };
	assert_int_equal(file_set_lock(t, f, &fl, true, false), 0);
	fl = (struct lx_flock){ .type = F_WRLCK, .start = 40, .len = 20 };
	assert_int_equal(file_set_lock(t, g, &fl, true, false), 0);
	fl.len = 21;
	assert_int_equal(file_set_lock(t, g, &fl, true, false), -EAGAIN);
	q = (struct lx_flock){ .type = F_RDLCK, .start = 50 };
	assert_int_equal(file_get_lock(t, f, &q, true), 0);
	assert_int_equal(q.type, F_WRLCK);
	assert_int_equal(q.start, 40);
	assert_int_equal(q.len, 20);
	file_unref(g);
	q = (struct lx_flock){ .type = F_RDLCK, .start = 50 };
	assert_int_equal(file_get_lock(t, f, &q, true), 0);
	assert_int_equal(q.type, F_UNLCK);
	file_unref(f);
}

static void descriptors_are_lowest_first_and_limited(void **state)
{
	struct task *t = new_task();
	auto_file *f = open_it(t, "f", O_CREAT | O_RDWR);

	(void)state;
	assert_int_equal(fd_install(t, f, false), 0);
	assert_int_equal(fd_install(t, f, true), 1);
	assert_int_equal(fd_reserve(t, 0, false), 2);
	assert_null(fdtable_get(t->files, 2));
	assert_int_equal(fd_dup_to(t, 0, 2, false), -EBUSY);
	fd_unreserve(t, 2);
	assert_int_equal(fd_dup_to(t, 0, 700, false), 700);
	assert_int_equal(fd_dup_to(t, 0, 1024, false), -EBADF);
	assert_int_equal(fd_close(t, 0), 0);
	assert_int_equal(fd_close(t, 0), -EBADF);
	assert_int_equal(fd_install(t, f, false), 0);
	fdtable_close_on_exec(t, t->files);
	assert_int_equal(fd_get_cloexec(t, 1), -EBADF);
	assert_int_equal(fd_close_range(t, 0, ~0u, false), 0);
	assert_int_equal(fd_get_cloexec(t, 700), -EBADF);
}

static void vectors_move_and_rewind(void **state)
{
	char buf[8] = "abcdefg", out[8] = "";
	struct iobuf b;

	(void)state;
	iobuf_kernel(&b, buf, 7);
	assert_int_equal(iobuf_get(&b, out, 3), 3);
	assert_int_equal(iobuf_peek(&b, out, 2), 2);
	assert_int_equal(out[0], 'd');
	iobuf_rewind(&b, 2);
	assert_int_equal(iobuf_get(&b, out, 7), 6);
	assert_int_equal(out[0], 'b');
	assert_int_equal(iobuf_get(&b, out, 1), 0);
}

/* Who looked up a detached tree before another thread moved it and took it off again has nothing to move. */
static void a_tree_that_is_gone_goes_nowhere(void **state)
{
	struct task *t = new_task();
	struct path root, d, top;
	struct mnt_ns *ns;

	(void)state;
	assert_int_equal(vfs_mkdir(t, AT_FDCWD, "/d", 0755), 0);
	assert_int_equal(vfs_lookup(t, AT_FDCWD, "/d", 0, &d), 0);
	root = mnt_ns_root(t->mnt_ns);
	assert_int_equal(mount_clone(t, &root, false, &ns), 0);
	top = mnt_ns_root(ns);
	assert_int_equal(mount_attach(t, top.mnt, ns, &d), 0);
	assert_int_equal(mount_attach(t, top.mnt, ns, &d), -EINVAL);
	assert_int_equal(mount_umount(t, &top, MNT_DETACH), 0);
	assert_false(mount_up(&top));
	assert_int_equal(mount_attach(t, top.mnt, ns, &d), -EINVAL);
	assert_int_equal(atomic_load(&top.mnt->ref.n), 1);
	path_put(&top);
	path_put(&root);
	path_put(&d);
	mnt_ns_unref(ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cached_walk_allocates_nothing),
		cmocka_unit_test(symlinks_and_dotdot_stay_inside),
		cmocka_unit_test(names_follow_renames_and_deletions),
		cmocka_unit_test(content_survives_the_move_to_a_memfd),
		cmocka_unit_test(record_locks_are_cut_joined_and_dropped),
		cmocka_unit_test(descriptors_are_lowest_first_and_limited),
		cmocka_unit_test(vectors_move_and_rewind),
		cmocka_unit_test(a_tree_that_is_gone_goes_nowhere),
	};

	if (alloc_init(1ul << 32) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
