/*
 * The gofer's file system under the real VFS, without a sandbox: paths, caches and what
 * the host changes behind our back.
 */
#include "tests/unit/gofer_rig.h"

#include <sys/xattr.h>
#include "sentry/core/iobuf.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/gofer/gofer.h"
#include "sentry/fs/gofer/gofer_int.h"
#include "sentry/kernel/cred.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/dentry.h"
#include "sentry/vfs/posix_acl.h"
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

struct guest {
	struct rig g;
	struct kernel *k;
	struct gofer_conn *c;
	struct task *t;
};

static void guest_start(struct guest *u)
{
	int pairs[GOFER_CTL + 1][2];
	hostfd_t socks[GOFER_CTL + 1];
	struct super *sb;
	struct inode *root;
	struct path p;

	memset(u, 0, sizeof(*u));
	strcpy(u->g.dir, "/tmp/gofer-test-XXXXXX");
	assert_non_null(mkdtemp(u->g.dir));
	assert_int_equal(chmod(u->g.dir, 0755), 0);
	assert_int_equal(gofer_sockets(pairs, GOFER_CTL + 1), 0);
	u->g.pid = fork();
	if (u->g.pid == 0)
		rig_child(&u->g, pairs, false, false);
	for (int i = 0; i <= GOFER_CTL; i++) {
		close(pairs[i][1]);
		u->g.socks[i] = pairs[i][0];
		socks[i] = HOSTFD(pairs[i][0]);
	}
	u->k = knew(struct kernel);
	atomic_init(&u->k->ns_max[NS_MNT], NS_MAX);
	u->t = knew(struct task);
	assert_int_equal(vfs_init(u->k), 0);
	assert_int_equal(gofer_connect(u->k, socks, GOFER_CTL + 1, &u->c), 0);
	assert_int_equal(goferfs_new(u->k, u->c, 0, false, &sb, &root), 0);
	u->t->kernel = u->k;
	u->t->cred = cred_new();
	struct cred *cred = (struct cred *)u->t->cred;
	cred->uid = cred->euid = cred->suid = cred->fsuid = geteuid();
	cred->gid = cred->egid = cred->sgid = cred->fsgid = getegid();
	cred->cap_prm = cred->cap_eff = ~0ull;
	u->t->tg = knew(struct tgroup);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		u->t->tg->rlim[i] = (struct rlimit64_g){ ~0ull, ~0ull };
	mutex_init(&u->t->tg->mu, RANK_TGROUP);
	assert_int_equal(mnt_ns_new(u->k, sb, root, 0, &u->t->mnt_ns), 0);
	p = mnt_ns_root(u->t->mnt_ns);
	u->t->fs = fs_new(&p, &p, 022);
	assert_non_null(u->t->fs);
}

static void guest_stop(struct guest *u)
{
	char cmd[128];
	int status;

	for (int i = 0; i <= GOFER_CTL; i++)
		shutdown(u->g.socks[i], SHUT_RDWR);
	status = rig_wait(&u->g);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", u->g.dir);
	assert_int_equal(system(cmd), 0);
}

static u64 ncalls(struct guest *u)
{
	return atomic_load(&u->c->rpc.ncalls);
}

static int g_open_file(struct guest *u, const char *name, u32 flags, struct file **f)
{
	return vfs_open(u->t, AT_FDCWD, name, flags, 0644, 0, f);
}

static int put(struct guest *u, const char *name, const char *text, u32 flags)
{
	struct file *f;
	struct iobuf b;
	int r = g_open_file(u, name, flags, &f);

	if (r < 0)
		return r;
	iobuf_kernel(&b, (void *)text, strlen(text));
	r = (int)file_write(u->t, f, &b, NULL, false);
	file_unref(f);
	return r;
}

static char *get(struct guest *u, const char *name)
{
	static char buf[256];
	struct file *f;
	struct iobuf b;
	ssize_t n;

	if (g_open_file(u, name, O_RDONLY, &f) < 0)
		return NULL;
	iobuf_kernel(&b, buf, sizeof(buf) - 1);
	n = file_read(u->t, f, &b, NULL, false);
	file_unref(f);
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static int look(struct guest *u, const char *name, struct kstat *st)
{
	struct path p = { 0 };
	int r = vfs_lookup(u->t, AT_FDCWD, name, 0, &p);

	if (r == 0)
		r = inode_getattr(u->t, path_inode(&p), st);
	path_put(&p);
	return r;
}

/* Until the gofer has told what the host did. */
#define EVENTUALLY(c) do { \
		for (int try_ = 0; try_ < 200 && !(c); try_++) \
			usleep(5000); \
		assert_true(c); \
	} while (0)

static void files_are_written_through_and_read_back(void **state)
{
	struct guest u;
	struct kstat st;
	struct stat host;

	(void)state;
	guest_start(&u);
	assert_int_equal(put(&u, "/f", "hello", O_WRONLY | O_CREAT | O_EXCL), 5);
	assert_int_equal(stat(rig_path(&u.g, "f"), &host), 0);
	assert_int_equal(host.st_size, 5);
	assert_int_equal(host.st_mode, S_IFREG | 0644);
	assert_string_equal(get(&u, "/f"), "hello");
	assert_int_equal(put(&u, "/f", " world", O_WRONLY | O_APPEND), 6);
	assert_int_equal(look(&u, "/f", &st), 0);
	assert_int_equal(st.size, 11);
	assert_int_equal(put(&u, "/f", "x", O_RDWR | O_TRUNC), 1);
	assert_string_equal(get(&u, "/f"), "x");
	assert_int_equal(put(&u, "/f", "x", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
	guest_stop(&u);
}

static void what_is_cached_costs_no_call(void **state)
{
	struct guest u;
	struct kstat st;
	u64 before;

	(void)state;
	guest_start(&u);
	assert_int_equal(mkdir(rig_path(&u.g, "d"), 0755), 0);
	rig_write(&u.g, "d/f", "text");
	usleep(50000);
	assert_int_equal(look(&u, "/d/f", &st), 0);
	assert_int_equal(look(&u, "/d/none", &st), -ENOENT);
	assert_string_equal(get(&u, "/d/f"), "text");
	assert_int_equal(look(&u, "/d", &st), 0);
	before = ncalls(&u);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(look(&u, "/d/f", &st), 0);
		assert_int_equal(look(&u, "/d/none", &st), -ENOENT);
		assert_string_equal(get(&u, "/d/f"), "text");
		assert_int_equal(look(&u, "/d", &st), 0);
	}
	assert_int_equal(ncalls(&u) - before, 0);
	guest_stop(&u);
}

static void changes_made_on_the_host_are_seen(void **state)
{
	struct guest u;
	struct kstat st;

	(void)state;
	guest_start(&u);
	assert_int_equal(mkdir(rig_path(&u.g, "d"), 0755), 0);
	rig_write(&u.g, "d/f", "text");
	assert_int_equal(look(&u, "/d/f", &st), 0);
	assert_int_equal(look(&u, "/d/new", &st), -ENOENT);
	rig_write(&u.g, "d/new", "fresh");
	EVENTUALLY(look(&u, "/d/new", &st) == 0);
	EVENTUALLY(look(&u, "/d/new", &st) == 0 && st.size == 5);
	assert_int_equal(chmod(rig_path(&u.g, "d/f"), 0600), 0);
	EVENTUALLY(look(&u, "/d/f", &st) == 0 && (st.mode & 0777) == 0600);
	rig_write(&u.g, "d/f", "longer text");
	EVENTUALLY(look(&u, "/d/f", &st) == 0 && st.size == 11);
	assert_int_equal(rename(rig_path(&u.g, "d/new"), rig_path(&u.g, "d/f")), 0);
	EVENTUALLY(get(&u, "/d/f") && strcmp(get(&u, "/d/f"), "fresh") == 0);
	EVENTUALLY(look(&u, "/d/new", &st) == -ENOENT);
	assert_int_equal(unlink(rig_path(&u.g, "d/f")), 0);
	EVENTUALLY(look(&u, "/d/f", &st) == -ENOENT);
	assert_int_equal(rmdir(rig_path(&u.g, "d")), 0);
	EVENTUALLY(look(&u, "/d", &st) == -ENOENT);
	guest_stop(&u);
}

static void what_the_host_removes_takes_no_space(void **state)
{
	struct guest u;
	struct stat st;
	int fd;

	(void)state;
	guest_start(&u);
	rig_write(&u.g, "f", "text");
	usleep(50000);                                  /* that was told */
	assert_string_equal(get(&u, "/f"), "text");     /* cached, with a descriptor */
	fd = open(rig_path(&u.g, "f"), O_RDWR);
	assert_int_equal(unlink(rig_path(&u.g, "f")), 0);
	/* A lease is only given when nobody else has the file open. */
	EVENTUALLY(fcntl(fd, F_SETLEASE, F_WRLCK) == 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_null(get(&u, "/f"));
	guest_stop(&u);
}

static void own_changes_keep_the_cache(void **state)
{
	struct guest u;
	struct kstat st;
	u64 before;

	(void)state;
	guest_start(&u);
	assert_int_equal(vfs_mkdir(u.t, AT_FDCWD, "/d", 0755), 0);
	assert_int_equal(look(&u, "/d/x", &st), -ENOENT);
	assert_int_equal(vfs_mkdir(u.t, AT_FDCWD, "/d/e", 0755), 0);
	assert_int_equal(vfs_unlink(u.t, AT_FDCWD, "/d/x"), -ENOENT);
	usleep(100000);
	before = ncalls(&u);
	assert_int_equal(look(&u, "/d/x", &st), -ENOENT);
	assert_int_equal(look(&u, "/d/e", &st), 0);
	assert_int_equal(ncalls(&u) - before, 0);
	guest_stop(&u);
}

/* The host sets a list with one named user; false: it has none here. */
static bool host_list(struct guest *u, const char *file, const char *name, u32 uid)
{
	struct { u32 version; struct acl_entry e[5]; } l = { 2, {
		{ ACL_USER_OBJ, 7, ID_NONE }, { ACL_USER, 7, uid }, { ACL_GROUP_OBJ, 5, ID_NONE }, { ACL_MASK, 7, ID_NONE },
		{ ACL_OTHER, 0, ID_NONE },
	} };

	return setxattr(rig_path(&u->g, file), name, &l, sizeof(l), 0) == 0;
}

static u32 new_dir_mode(struct guest *u, const char *name)
{
	struct kstat st;

	assert_int_equal(vfs_mkdir(u->t, AT_FDCWD, name, 0775), 0);
	assert_int_equal(look(u, name, &st), 0);
	assert_int_equal(vfs_rmdir(u->t, AT_FDCWD, name), 0);
	return st.mode & 07777;
}

static void lists_of_the_host_are_obeyed_and_kept(void **state)
{
	struct guest u;
	struct cred *c;
	u64 before;

	(void)state;
	guest_start(&u);
	c = (struct cred *)u.t->cred;
	assert_int_equal(mkdir(rig_path(&u.g, "d"), 0755), 0);
	rig_write(&u.g, "d/f", "text");
	rig_write(&u.g, "d/plain", "plain");
	if (!host_list(&u, "d/f", acl_xattr_name[ACL_ACCESS], 12345)) {
		guest_stop(&u);
		skip();
	}
	usleep(50000);
	assert_int_equal(new_dir_mode(&u, "/d/new"), 0755);
	assert_string_equal(get(&u, "/d/f"), "text");
	c->fsuid = c->fsgid = 12345;
	c->cap_prm = c->cap_eff = 0;
	assert_string_equal(get(&u, "/d/f"), "text");
	assert_string_equal(get(&u, "/d/plain"), "plain");
	before = ncalls(&u);
	for (int i = 0; i < 10; i++) {
		assert_string_equal(get(&u, "/d/f"), "text");
		assert_string_equal(get(&u, "/d/plain"), "plain");
	}
	assert_int_equal(ncalls(&u) - before, 0);
	assert_true(host_list(&u, "d/f", acl_xattr_name[ACL_ACCESS], 12346));
	EVENTUALLY(!get(&u, "/d/f"));
	assert_true(host_list(&u, "d", acl_xattr_name[ACL_ACCESS], 12346));
	EVENTUALLY(!get(&u, "/d/plain"));
	c->fsuid = 12346;
	assert_string_equal(get(&u, "/d/plain"), "plain");
	assert_true(host_list(&u, "d", acl_xattr_name[ACL_DEFAULT], 12346));
	EVENTUALLY(new_dir_mode(&u, "/d/new") == 0770);
	guest_stop(&u);
}

struct names { struct dir_ctx c; int n; char last[64]; bool stop; };

static bool take_name(struct dir_ctx *c, const char *name, size_t len, u64 ino, unsigned type, s64 next)
{
	struct names *l = container_of(c, struct names, c);

	(void)ino;
	(void)type;
	(void)next;
	l->n++;
	snprintf(l->last, sizeof(l->last), "%.*s", (int)len, name);
	return true;
}

static int list(struct guest *u, const char *name)
{
	struct names l = { .c.emit = take_name };
	struct file *f;

	assert_int_equal(g_open_file(u, name, O_RDONLY | O_DIRECTORY, &f), 0);
	assert_int_equal(file_readdir(u->t, f, &l.c), 0);
	file_unref(f);
	return l.n;
}

static void a_listing_is_kept_until_something_changes(void **state)
{
	struct guest u;
	struct kstat st;
	u64 before;

	(void)state;
	guest_start(&u);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		rig_write(&u.g, name, "");
	}
	usleep(50000);
	assert_int_equal(list(&u, "/"), 22);
	before = ncalls(&u);
	assert_int_equal(list(&u, "/"), 22);
	assert_int_equal(look(&u, "/not-there", &st), -ENOENT);
	assert_int_equal(ncalls(&u) - before, 0);
	rig_write(&u.g, "more", "");
	EVENTUALLY(list(&u, "/") == 23);
	assert_int_equal(put(&u, "/mine", "", O_WRONLY | O_CREAT), 0);
	assert_int_equal(list(&u, "/"), 24);
	assert_int_equal(vfs_unlink(u.t, AT_FDCWD, "/mine"), 0);
	assert_int_equal(list(&u, "/"), 23);
	guest_stop(&u);
}

static void entries_are_looked_up_ahead_in_batches(void **state)
{
	struct guest u;
	struct kstat st;
	char name[32];
	u64 before;

	(void)state;
	guest_start(&u);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		rig_write(&u.g, name, "");
	}
	usleep(50000);
	list(&u, "/");
	before = ncalls(&u);
	struct glist *l = gdir_kept(ginode_of(mnt_ns_root(u.t->mnt_ns).dentry->inode));
	assert_non_null(l);
	for (u32 i = 0; i < l->n; i++) {
		snprintf(name, sizeof(name), "/%s", l->text + l->e[i].name);
		assert_int_equal(look(&u, name, &st), 0);
		assert_true(S_ISREG(st.mode));
	}
	assert_in_range(ncalls(&u) - before, 1, 12);
	/* What was found ahead is as true as the rest. */
	snprintf(name, sizeof(name), "/%s", l->text + l->e[150].name);
	assert_int_equal(unlink(rig_path(&u.g, name + 1)), 0);
	EVENTUALLY(look(&u, name, &st) == -ENOENT);
	glist_unref(l);
	guest_stop(&u);
}

static void hard_links_are_one_inode(void **state)
{
	struct guest u;
	struct kstat a, b;

	(void)state;
	guest_start(&u);
	assert_int_equal(put(&u, "/a", "1", O_WRONLY | O_CREAT), 1);
	assert_int_equal(vfs_link(u.t, AT_FDCWD, "/a", AT_FDCWD, "/b", 0), 0);
	assert_int_equal(put(&u, "/b", "22", O_WRONLY | O_TRUNC), 2);
	assert_int_equal(look(&u, "/a", &a), 0);
	assert_int_equal(look(&u, "/b", &b), 0);
	assert_int_equal(a.ino, b.ino);
	assert_int_equal(a.nlink, 2);
	assert_int_equal(a.size, 2);
	assert_int_equal(vfs_unlink(u.t, AT_FDCWD, "/a"), 0);
	assert_int_equal(look(&u, "/b", &b), 0);
	assert_int_equal(b.nlink, 1);
	guest_stop(&u);
}

static void an_unlinked_file_lives_while_it_is_open(void **state)
{
	char buf[8];
	struct guest u;
	struct kstat st;
	struct iobuf b;
	struct file *f;

	(void)state;
	guest_start(&u);
	assert_int_equal(g_open_file(&u, "/f", O_RDWR | O_CREAT, &f), 0);
	iobuf_kernel(&b, "abc", 3);
	assert_int_equal(file_write(u.t, f, &b, NULL, false), 3);
	assert_int_equal(vfs_unlink(u.t, AT_FDCWD, "/f"), 0);
	assert_int_equal(access(rig_path(&u.g, "f"), F_OK), -1);
	iobuf_kernel(&b, buf, sizeof(buf));
	assert_int_equal(file_read(u.t, f, &b, &(s64){ 0 }, false), 3);
	assert_int_equal(inode_getattr(u.t, f->inode, &st), 0);
	assert_int_equal(st.nlink, 0);
	file_unref(f);
	guest_stop(&u);
}

static void rename_moves_names_and_keeps_inodes(void **state)
{
	struct guest u;
	struct kstat before, after;

	(void)state;
	guest_start(&u);
	assert_int_equal(vfs_mkdir(u.t, AT_FDCWD, "/d", 0755), 0);
	assert_int_equal(put(&u, "/a", "1", O_WRONLY | O_CREAT), 1);
	assert_int_equal(put(&u, "/d/b", "22", O_WRONLY | O_CREAT), 2);
	assert_int_equal(look(&u, "/a", &before), 0);
	assert_int_equal(vfs_rename(u.t, AT_FDCWD, "/a", AT_FDCWD, "/d/b", 0), 0);
	assert_int_equal(look(&u, "/a", &after), -ENOENT);
	assert_int_equal(look(&u, "/d/b", &after), 0);
	assert_int_equal(after.ino, before.ino);
	assert_int_equal(after.size, 1);
	usleep(50000);
	assert_int_equal(look(&u, "/d/b", &after), 0);
	assert_int_equal(after.ino, before.ino);
	guest_stop(&u);
}

static void many_files_stay_within_the_gofers_handles(void **state)
{
	struct guest u;
	struct kstat st;
	char name[32];

	(void)state;
	guest_start(&u);        /* 600 handles */
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		rig_write(&u.g, name, "");
	}
	for (int i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "/file%d", i);
		assert_int_equal(look(&u, name, &st), 0);
	}
	guest_stop(&u);
}

static void a_dead_gofer_is_an_error_not_a_hang(void **state)
{
	struct guest u;
	struct kstat st;
	char cmd[128];
	int status;

	(void)state;
	guest_start(&u);
	assert_int_equal(look(&u, "/", &st), 0);
	kill(u.g.pid, SIGKILL);
	waitpid(u.g.pid, &status, 0);
	assert_int_equal(look(&u, "/x", &st), -EIO);
	assert_int_equal(vfs_mkdir(u.t, AT_FDCWD, "/d", 0755), -EIO);
	assert_true(gofer_is_broken(u.c));
	snprintf(cmd, sizeof(cmd), "rm -rf %s", u.g.dir);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_written_through_and_read_back),
		cmocka_unit_test(what_is_cached_costs_no_call),
		cmocka_unit_test(changes_made_on_the_host_are_seen),
		cmocka_unit_test(what_the_host_removes_takes_no_space),
		cmocka_unit_test(own_changes_keep_the_cache),
		cmocka_unit_test(lists_of_the_host_are_obeyed_and_kept),
		cmocka_unit_test(a_listing_is_kept_until_something_changes),
		cmocka_unit_test(entries_are_looked_up_ahead_in_batches),
		cmocka_unit_test(hard_links_are_one_inode),
		cmocka_unit_test(an_unlinked_file_lives_while_it_is_open),
		cmocka_unit_test(rename_moves_names_and_keeps_inodes),
		cmocka_unit_test(many_files_stay_within_the_gofers_handles),
		cmocka_unit_test(a_dead_gofer_is_an_error_not_a_hang),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
