/* What the gofer does for a client that keeps the rules. */
#include "tests/unit/gofer_rig.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

static bool watched;

static int lookup(struct rig *g, u32 dir, const char *name, struct gw_node *n)
{
	int r = grpc_lookup(&g->rpc, dir, name, strlen(name), 0, n, &watched);

	return r < 0 ? r : n->err;
}

static void a_walk_goes_down_and_stops_at_what_is_missing(void **state)
{
	const char *const names[] = { "a", "b", "c", "missing", "more" };
	struct gw_node nodes[5];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(mkdir(rig_path(&g, "a"), 0755), 0);
	assert_int_equal(mkdir(rig_path(&g, "a/b"), 0700), 0);
	assert_int_equal(mkdir(rig_path(&g, "a/b/c"), 0711), 0);
	assert_int_equal(grpc_walk(&g.rpc, g.root.handle, names, 5, 0, nodes, &watched), 4);
	assert_true(watched);
	assert_int_equal(nodes[1].attr.mode, S_IFDIR | 0700);
	assert_int_equal(nodes[2].attr.mode, S_IFDIR | 0711);
	assert_true(nodes[1].flags & GW_NODE_WATCHED);
	assert_int_equal(nodes[3].err, -ENOENT);
	rig_stop(&g);
}

static void a_walk_gives_a_symlink_and_goes_no_further(void **state)
{
	const char *const names[] = { "link", "etc" };
	struct gw_node nodes[2];
	char target[64];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(symlink("/", rig_path(&g, "link")), 0);
	assert_int_equal(grpc_walk(&g.rpc, g.root.handle, names, 2, 0, nodes, &watched), 1);
	assert_true(S_ISLNK(nodes[0].attr.mode));
	assert_int_equal(grpc_readlink(&g.rpc, nodes[0].handle, target, sizeof(target)), 1);
	assert_int_equal(target[0], '/');
	rig_stop(&g);
}

static void siblings_are_looked_up_in_one_call(void **state)
{
	const char *const names[] = { "x", "none", "y" };
	struct gw_node nodes[3];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "x", "1");
	rig_write(&g, "y", "22");
	assert_int_equal(grpc_walk(&g.rpc, g.root.handle, names, 3, GW_WALK_SIBLINGS, nodes, &watched), 3);
	assert_int_equal(nodes[0].attr.size, 1);
	assert_int_equal(nodes[1].err, -ENOENT);
	assert_int_equal(nodes[2].attr.size, 2);
	rig_stop(&g);
}

static void a_created_file_has_owner_and_mode_and_a_descriptor(void **state)
{
	struct gw_node n;
	struct stat st;
	struct rig g;
	hostfd_t fd;

	(void)state;
	rig_start_as(&g, false, false);
	struct grpc_make m = { g.root.handle, 04751, geteuid() ? geteuid() : 1234, getegid() ? getegid() : 567, "f", 1 };
	assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), 0);
	assert_int_equal(write(fd.fd, "hello", 5), 5);
	close(fd.fd);
	assert_int_equal(stat(rig_path(&g, "f"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 04751);
	assert_int_equal(st.st_uid, m.uid);
	assert_int_equal(st.st_gid, m.gid);
	assert_int_equal(st.st_ino, n.attr.ino);
	assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), -EEXIST);
	rig_stop(&g);
}

static void open_donates_and_truncates(void **state)
{
	struct gw_node n;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;
	char c;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "f", "hello");
	assert_int_equal(lookup(&g, g.root.handle, "f", &n), 0);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), 0);
	assert_int_equal(pread(fd.fd, &c, 1, 4), 1);
	assert_int_equal(c, 'o');
	assert_int_equal(write(fd.fd, "x", 1), -1);
	close(fd.fd);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_WRITE | GW_OPEN_TRUNC, &a, &fd), 0);
	assert_int_equal(a.size, 0);
	close(fd.fd);
	rig_stop(&g);
}

static void names_come_and_go(void **state)
{
	struct gw_node n, d;
	struct gw_attr a;
	struct stat st;
	char buf[32];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	struct grpc_make m = { g.root.handle, 01777, geteuid(), getegid(), "d", 1 };
	assert_int_equal(grpc_mkdir(&g.rpc, &m, &d), 0);
	assert_int_equal(stat(rig_path(&g, "d"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	m = (struct grpc_make){ d.handle, S_IFIFO | 0620, geteuid(), getegid(), "fifo", 4 };
	assert_int_equal(grpc_mknod(&g.rpc, &m, 0, 0, &n), 0);
	assert_true(S_ISFIFO(n.attr.mode));
	m = (struct grpc_make){ d.handle, 0777, geteuid(), getegid(), "s", 1 };
	assert_int_equal(grpc_symlink(&g.rpc, &m, "fifo", &n), 0);
	assert_int_equal(grpc_readlink(&g.rpc, n.handle, buf, sizeof(buf)), 4);
	rig_write(&g, "d/f", "1");
	assert_int_equal(lookup(&g, d.handle, "f", &n), 0);
	assert_int_equal(grpc_link(&g.rpc, g.root.handle, "g", 1, n.handle, &a), 0);
	assert_int_equal(a.nlink, 2);
	assert_int_equal(grpc_rename(&g.rpc, d.handle, "f", 1, g.root.handle, "g2", 2, 0), 0);
	assert_int_equal(grpc_unlink(&g.rpc, g.root.handle, "d", 1, true), -ENOTEMPTY);
	assert_int_equal(grpc_unlink(&g.rpc, d.handle, "fifo", 4, false), 0);
	assert_int_equal(grpc_unlink(&g.rpc, d.handle, "s", 1, false), 0);
	assert_int_equal(grpc_unlink(&g.rpc, g.root.handle, "d", 1, true), 0);
	assert_int_equal(stat(rig_path(&g, "g2"), &st), 0);
	assert_int_equal(st.st_nlink, 2);
	rig_stop(&g);
}

static void attributes_of_every_kind_can_be_set(void **state)
{
	struct gw_setattr_req q;
	struct gw_node n;
	struct gw_attr a;
	struct stat st;
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "f", "hello");
	assert_int_equal(symlink("nowhere", rig_path(&g, "l")), 0);
	assert_int_equal(lookup(&g, g.root.handle, "f", &n), 0);
	q = (struct gw_setattr_req){
		.handle = n.handle, .valid = GW_SET_MODE | GW_SET_SIZE | GW_SET_MTIME | GW_SET_UID | GW_SET_GID,
		.mode = 02700, .size = 3, .mtime = -1500000000, .uid = geteuid(), .gid = getegid(),
	};
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 02700);
	assert_int_equal(a.size, 3);
	assert_true(a.mtime == -1500000000);
	assert_int_equal(lookup(&g, g.root.handle, "l", &n), 0);
	q = (struct gw_setattr_req){ .handle = n.handle, .valid = GW_SET_MTIME, .mtime = 5000000000 };
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), 0);
	assert_int_equal(lstat(rig_path(&g, "l"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, 5);
	assert_true(S_ISLNK(st.st_mode));
	rig_stop(&g);
}

static int count_entry(void *arg, const char *name, size_t len, u64 ino, u8 type)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	++*(int *)arg;
	return 0;
}

static void a_long_directory_comes_in_batches(void **state)
{
	static _Alignas(8) u8 buf[GRPC_DIR_BUF];
	char name[64];
	struct rig g;
	s64 cookie = 0;
	int n = 0, batches = 0, r;

	(void)state;
	rig_start_as(&g, false, false);
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "a-rather-long-name-for-a-file-%d", i);
		rig_write(&g, name, "");
	}
	do {
		r = grpc_readdir(&g.rpc, g.root.handle, &cookie, &watched, buf, count_entry, &n);
		batches++;
	} while (r == 1);
	assert_int_equal(r, 0);
	assert_int_equal(n, 3000);
	assert_in_range(batches, 2, 8);
	rig_stop(&g);
}

static void handles_run_out_politely_and_come_back(void **state)
{
	struct gw_node n;
	u32 handles[700];
	struct rig g;
	int k = 0, r = 0;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "f", "");
	while (k < 700 && (r = lookup(&g, g.root.handle, "f", &n)) == 0)
		handles[k++] = n.handle;
	assert_int_equal(r, -ENFILE);
	assert_in_range(k, 590, 600);
	for (int i = 0; i < k; i++)
		grpc_close(&g.rpc, handles[i], false);
	grpc_flush_closes(&g.rpc);
	usleep(50000);
	assert_int_equal(lookup(&g, g.root.handle, "f", &n), 0);
	rig_stop(&g);
}

static void extended_attributes_are_kept_and_foreign_ones_hidden(void **state)
{
	struct gw_node n;
	char buf[64];
	struct rig g;
	int r;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "f", "");
	assert_int_equal(lookup(&g, g.root.handle, "f", &n), 0);
	r = grpc_setxattr(&g.rpc, n.handle, "user.a", "value", 5, 0);
	if (r == -EOPNOTSUPP) {         /* a file system without them */
		rig_stop(&g);
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(grpc_setxattr(&g.rpc, n.handle, "user.a", "v", 1, XATTR_CREATE), -EEXIST);
	assert_int_equal(grpc_getxattr(&g.rpc, n.handle, "user.a", NULL, 0), 5);
	assert_int_equal(grpc_getxattr(&g.rpc, n.handle, "user.a", buf, 3), -ERANGE);
	assert_int_equal(grpc_getxattr(&g.rpc, n.handle, "user.a", buf, sizeof(buf)), 5);
	assert_int_equal(grpc_setxattr(&g.rpc, n.handle, "trusted.a", "v", 1, 0), -EOPNOTSUPP);
	assert_int_equal(grpc_listxattr(&g.rpc, n.handle, buf, sizeof(buf)), 7);
	assert_string_equal(buf, "user.a");
	assert_int_equal(grpc_removexattr(&g.rpc, n.handle, "user.a"), 0);
	assert_int_equal(grpc_getxattr(&g.rpc, n.handle, "user.a", buf, sizeof(buf)), -ENODATA);
	rig_stop(&g);
}

static void a_read_only_root_refuses_every_change(void **state)
{
	struct gw_setattr_req q = { .valid = GW_SET_MODE, .mode = 0777 };
	struct gw_node n, m_node;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;

	(void)state;
	rig_start_as(&g, true, false);
	rig_write(&g, "f", "");
	assert_true(g.root.flags & GW_ROOT_READONLY);
	assert_int_equal(lookup(&g, g.root.handle, "f", &n), 0);
	struct grpc_make m = { g.root.handle, 0644, 0, 0, "new", 3 };
	assert_int_equal(grpc_create(&g.rpc, &m, &m_node, &fd), -EROFS);
	assert_int_equal(grpc_mkdir(&g.rpc, &m, &m_node), -EROFS);
	assert_int_equal(grpc_symlink(&g.rpc, &m, "x", &m_node), -EROFS);
	assert_int_equal(grpc_unlink(&g.rpc, g.root.handle, "f", 1, false), -EROFS);
	assert_int_equal(grpc_rename(&g.rpc, g.root.handle, "f", 1, g.root.handle, "g", 1, 0), -EROFS);
	assert_int_equal(grpc_link(&g.rpc, g.root.handle, "g", 1, n.handle, &a), -EROFS);
	assert_int_equal(grpc_setxattr(&g.rpc, n.handle, "user.a", "v", 1, 0), -EROFS);
	assert_int_equal(grpc_fallocate(&g.rpc, n.handle, 0, 0, 10), -EROFS);
	q.handle = n.handle;
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), -EROFS);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_WRITE, &a, &fd), -EROFS);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), 0);
	close(fd.fd);
	rig_stop(&g);
}

static void any_event(void *arg, const struct gw_event *ev, const char *name)
{
	(void)ev;
	(void)name;
	++*(int *)arg;
}

static void a_jailed_gofer_serves_the_same(void **state)
{
	static _Alignas(8) char buf[GW_MSG_MAX];
	int count = 0, events = 0;
	s64 cookie = 0;
	struct gw_statfs_rep fs;
	struct gw_node n, d;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;
	bool w;

	(void)state;
	if (geteuid() != 0 || RIG_INSTRUMENTED)
		skip();
	rig_start_as(&g, false, true);
	struct grpc_make m = { g.root.handle, 0644, 1000, 1000, "f", 1 };
	assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), 0);
	assert_int_equal(write(fd.fd, "abc", 3), 3);
	close(fd.fd);
	assert_int_equal(grpc_getattr(&g.rpc, n.handle, false, &a, &w), 0);
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.size, 3);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_WRITE, &a, &fd), 0);
	close(fd.fd);
	m.name = "dir", m.len = 3, m.mode = 0755;
	assert_int_equal(grpc_mkdir(&g.rpc, &m, &d), 0);
	assert_true(d.flags & GW_NODE_WATCHED);
	assert_int_equal(grpc_statfs(&g.rpc, d.handle, &fs), 0);
	assert_int_equal(grpc_fsync(&g.rpc, d.handle, false), 0);
	assert_int_equal(grpc_link(&g.rpc, d.handle, "l", 1, n.handle, &a), 0);
	assert_int_equal(a.nlink, 2);
	assert_true(grpc_getxattr(&g.rpc, n.handle, "user.x", NULL, 0) < 0);
	struct gw_setattr_req q = { .handle = n.handle, .valid = GW_SET_ALL & ~(GW_SET_ATIME | GW_SET_MTIME),
		.mode = 0600, .uid = 1, .gid = 2, .size = 1 };
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0600);
	/* Every other operation once, for the filter. */
	assert_int_equal(grpc_fallocate(&g.rpc, n.handle, 0, 0, 100), 0);
	assert_int_equal(grpc_fsync(&g.rpc, n.handle, true), 0);
	assert_int_equal(grpc_rename(&g.rpc, d.handle, "l", 1, g.root.handle, "m", 1, 0), 0);
	assert_int_equal(grpc_rename(&g.rpc, g.root.handle, "m", 1, d.handle, "l", 1, RENAME_NOREPLACE), 0);
	assert_int_equal(grpc_setxattr(&g.rpc, n.handle, "user.a", "v", 1, 0), 0);
	assert_int_equal(grpc_listxattr(&g.rpc, n.handle, buf, sizeof(buf)), 7);
	assert_int_equal(grpc_removexattr(&g.rpc, n.handle, "user.a"), 0);
	m.name = "p", m.len = 1, m.mode = S_IFIFO | 0600;
	assert_int_equal(grpc_mknod(&g.rpc, &m, 0, 0, &n), 0);
	m.name = "s";
	assert_int_equal(grpc_symlink(&g.rpc, &m, "p", &n), 0);
	assert_int_equal(grpc_readlink(&g.rpc, n.handle, buf, sizeof(buf)), 1);
	q = (struct gw_setattr_req){ .handle = n.handle, .valid = GW_SET_MTIME | GW_SET_UID, .mtime = 1, .uid = 5 };
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), 0);
	assert_int_equal(grpc_readdir(&g.rpc, g.root.handle, &cookie, &w, buf, count_entry, &count), 0);
	assert_int_equal(count, 4);
	assert_int_equal(grpc_unlink(&g.rpc, g.root.handle, "s", 1, false), 0);
	assert_int_equal(grpc_unlink(&g.rpc, d.handle, "l", 1, false), 0);
	assert_int_equal(grpc_unlink(&g.rpc, g.root.handle, "dir", 3, true), 0);
	grpc_close(&g.rpc, d.handle, true);
	rig_write(&g, "host", "");
	assert_int_equal(grpc_recv_events(g.socks[0], buf, any_event, &events), 1);
	assert_true(events > 0);
	rig_stop(&g);
}

/* The lowest descriptor that is free is the table's end: none is taken until room(). */
static struct rlimit no_room(void)
{
	struct rlimit was, now;
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	now = (struct rlimit){ (rlim_t)fd, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	return was;
}

static void room(const struct rlimit *was)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, was), 0);
}

/* Guests can take every descriptor of their sentry: one that the gofer gives then is lost, and only that. */
static void a_full_table_of_descriptors_passes(void **state)
{
	struct rlimit was;
	struct gw_node n;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;

	(void)state;
	rig_start_as(&g, false, false);
	struct grpc_make m = { g.root.handle, 0640, geteuid(), getegid(), "f", 1 };
	for (int bell = 0; bell < 2; bell++) {
		if (bell)
			assert_int_equal(grpc_bell(&g.rpc), 0);
		m.name = bell ? "g" : "f";
		was = no_room();
		assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), 0);
		assert_true(fd.fd < 0);
		assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), -ENFILE);
		room(&was);
		assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), 0);
		close(fd.fd);
		grpc_close(&g.rpc, n.handle, true);
	}
	rig_stop(&g);
}

/* The rings of this thread reach a gofer that is jailed, if may be, and end with it. */
static void by_doorbell_it_is_the_same(void **state)
{
	struct gw_node n, again;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;
	char c;

	(void)state;
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	rig_start_as(&g, false, geteuid() == 0 && !RIG_INSTRUMENTED);
	assert_int_equal(grpc_bell(&g.rpc), 0);
	assert_non_null(g.rpc.bell.mem);
	struct grpc_make m = { g.root.handle, 0640, geteuid(), getegid(), "f", 1 };
	assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), 0);
	assert_int_equal(write(fd.fd, "hello", 5), 5);
	close(fd.fd);
	assert_int_equal(lookup(&g, g.root.handle, "f", &again), 0);
	assert_int_equal(again.attr.size, 5);
	assert_int_equal(lookup(&g, g.root.handle, "none", &again), -ENOENT);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), 0);
		assert_int_equal(pread(fd.fd, &c, 1, 4), 1);
		close(fd.fd);
	}
	grpc_close(&g.rpc, n.handle, true);
	assert_int_equal(grpc_fsync(&g.rpc, n.handle, false), -ESTALE);
	kill(g.pid, SIGKILL);
	rig_wait(&g);
	assert_int_equal(grpc_fsync(&g.rpc, g.root.handle, false), -EIO);
	rig_close(&g);
	rig_remove(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_walk_goes_down_and_stops_at_what_is_missing),
		cmocka_unit_test(a_walk_gives_a_symlink_and_goes_no_further),
		cmocka_unit_test(siblings_are_looked_up_in_one_call),
		cmocka_unit_test(a_created_file_has_owner_and_mode_and_a_descriptor),
		cmocka_unit_test(open_donates_and_truncates),
		cmocka_unit_test(names_come_and_go),
		cmocka_unit_test(attributes_of_every_kind_can_be_set),
		cmocka_unit_test(a_long_directory_comes_in_batches),
		cmocka_unit_test(handles_run_out_politely_and_come_back),
		cmocka_unit_test(extended_attributes_are_kept_and_foreign_ones_hidden),
		cmocka_unit_test(a_read_only_root_refuses_every_change),
		cmocka_unit_test(a_jailed_gofer_serves_the_same),
		cmocka_unit_test(a_full_table_of_descriptors_passes),
		cmocka_unit_test(by_doorbell_it_is_the_same),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
