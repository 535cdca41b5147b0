/*
 * What the gofer does for a client that breaks the rules, and the client for
 * a gofer that does: no file outside the root is reached, nothing crashes,
 * everything ends.
 */
#include "tests/unit/gofer_rig.h"
#include "platform/host/doorbell.h"

#include <sys/inotify.h>
#include <sys/prctl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "gofer/proto/channel.h"

static bool watched;

/* Bytes to the gofer as they are.  Its reply's error, or -EPIPE when it hung up. */
static int raw(struct rig *g, const void *p, size_t n)
{
	static _Alignas(8) u8 buf[GW_MSG_MAX];
	struct iovec out = { (void *)p, n }, in = { buf, sizeof(buf) };
	ssize_t r;

	if (gchan_send(g->socks[2], &out, 1, -1) < 0)
		return -EPIPE;
	r = gchan_recv(g->socks[2], &in, 1, NULL);
	if (r <= 0)
		return -EPIPE;
	assert_true((size_t)r >= sizeof(struct gw_hdr));
	return ((struct gw_hdr *)buf)->err;
}

/* A request of a fixed part and a tail, with an honest header. */
static int request(struct rig *g, u16 op, const void *fixed, size_t nf, const void *tail, size_t nt)
{
	static _Alignas(8) u8 buf[GW_MSG_MAX + 4096];
	struct gw_hdr h = { .size = (u32)(sizeof(h) + nf + nt), .op = op, .tag = 7 };

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), fixed, nf);
	if (nt)
		memcpy(buf + sizeof(h) + nf, tail, nt);
	return raw(g, buf, h.size);
}

static int walk_raw(struct rig *g, u32 dir, u16 n, const void *tail, size_t nt)
{
	struct gw_walk_req q = { .dir = dir, .n = n };

	return request(g, GW_OP_walk, &q, sizeof(q), tail, nt);
}

static void names_that_are_no_names_are_refused(void **state)
{
	static const struct { const char *s; size_t n; } bad[] = {
		{ "\0", 1 },                            /* empty */
		{ "\1.", 2 }, { "\2..", 3 },
		{ "\3a/b", 4 }, { "\1/", 2 }, { "\4/etc", 5 },
		{ "\3a\0b", 4 },                        /* NUL */
		{ "\11short", 6 },                      /* length beyond the packet */
		{ "\1a\1", 3 },                         /* more than announced */
	};
	char huge[256];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(walk_raw(&g, g.root.handle, 1, bad[i].s, bad[i].n), -EINVAL);
	assert_int_equal(walk_raw(&g, g.root.handle, 0, "", 0), -EINVAL);
	assert_int_equal(walk_raw(&g, g.root.handle, 65, "\1a", 2), -EINVAL);
	assert_int_equal(walk_raw(&g, g.root.handle, 0xffff, "\1a", 2), -EINVAL);
	memset(huge, 'x', sizeof(huge));
	struct gw_unlink_req q = { .dir = g.root.handle };
	assert_int_equal(request(&g, GW_OP_unlink, &q, sizeof(q), huge, 256), -ENAMETOOLONG);
	assert_int_equal(request(&g, GW_OP_unlink, &q, sizeof(q), huge, 255), -ENOENT);
	assert_int_equal(request(&g, GW_OP_unlink, &q, sizeof(q), "..", 2), -EINVAL);
	struct gw_rename_req rn = { .odir = g.root.handle, .ndir = g.root.handle, .oname_len = 0xffffffff };
	assert_int_equal(request(&g, GW_OP_rename, &rn, sizeof(rn), "ab", 2), -EINVAL);
	struct gw_make_req mk = { .dir = g.root.handle, .mode = 0644, .name_len = 0xfffffff0 };
	assert_int_equal(request(&g, GW_OP_create, &mk, sizeof(mk), "ab", 2), -EINVAL);
	mk.name_len = 2;
	assert_int_equal(request(&g, GW_OP_create, &mk, sizeof(mk), "..", 2), -EINVAL);
	rig_stop(&g);
}

static void handles_that_were_never_given_are_refused(void **state)
{
	static const u32 bad[] = { 0, 1, 0xffffffff, 0x7fffffff, 1u << 14, 2u << 14, 16383 };
	struct gw_handle_req q = { 0 };
	struct gw_node n;
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	rig_write(&g, "f", "");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (bad[i] == g.root.handle)
			continue;
		q.handle = bad[i];
		assert_int_equal(request(&g, GW_OP_getattr, &q, sizeof(q), NULL, 0), -EBADF);
		assert_int_equal(request(&g, GW_OP_open, &q, sizeof(q), NULL, 0), -EBADF);
		assert_int_equal(walk_raw(&g, bad[i], 1, "\1f", 2), -EBADF);
	}
	/* One that was closed, and its slot used again. */
	assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "f", 1, 0, &n, &watched), 0);
	q.handle = n.handle;
	grpc_close(&g.rpc, n.handle, true);
	usleep(20000);
	assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "f", 1, 0, &n, &watched), 0);
	assert_int_not_equal(n.handle, q.handle);
	assert_int_equal(request(&g, GW_OP_getattr, &q, sizeof(q), NULL, 0), -EBADF);
	grpc_close(&g.rpc, q.handle, true);             /* twice: harmless */
	/* A file is no directory. */
	assert_int_equal(walk_raw(&g, n.handle, 1, "\1f", 2), -ENOTDIR);
	rig_stop(&g);
}

static void packets_that_are_no_requests_end_the_connection(void **state)
{
	struct gw_hdr ok = { .size = sizeof(ok), .op = GW_OP_getattr };
	struct gw_hdr h[6] = {
		{ .size = 4, .op = GW_OP_getattr },                     /* length differs */
		{ .size = 0xffffffff, .op = GW_OP_getattr },
		{ .size = sizeof(ok), .op = 0 },
		{ .size = sizeof(ok), .op = GW_OP_MAX },
		{ .size = sizeof(ok), .op = 0xffff },
		ok,                                                     /* no fixed part */
	};
	struct rig g;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(h) + 1; i++) {
		rig_start_as(&g, false, false);
		assert_int_equal(raw(&g, &h[i % ARRAY_SIZE(h)], i < ARRAY_SIZE(h) ? sizeof(h[0]) : 3), -EPIPE);
		rig_stop(&g);
	}
}

static void a_packet_that_is_too_long_ends_the_connection(void **state)
{
	static u8 big[GW_MSG_MAX + 64];
	struct rig g;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(raw(&g, big, sizeof(big)), -EPIPE);
	rig_stop(&g);
}

static void descriptors_sent_to_the_gofer_are_not_kept(void **state)
{
	struct gw_handle_req q = { 0 };
	struct gw_hdr h = { .size = sizeof(h) + sizeof(q), .op = GW_OP_getattr };
	struct iovec iov[2] = { { &h, sizeof(h) }, { &q, sizeof(q) } };
	struct rig g;
	int p[2];
	char c;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(pipe(p), 0);
	q.handle = g.root.handle;
	assert_int_equal(gchan_send(g.socks[2], iov, 2, p[1]), 0);
	close(p[1]);
	assert_int_equal(request(&g, GW_OP_getattr, &q, sizeof(q), NULL, 0), 0);
	assert_int_equal(read(p[0], &c, 1), 0);         /* nobody else holds the writing end */
	close(p[0]);
	rig_stop(&g);
}

/* The kernel aligns the room for one descriptor to that of two. */
static void nor_is_a_second_one_beside_the_first(void **state)
{
	struct gw_handle_req q = { 0 };
	struct gw_hdr h = { .size = sizeof(h) + sizeof(q), .op = GW_OP_getattr };
	struct iovec iov[2] = { { &h, sizeof(h) }, { &q, sizeof(q) } };
	union { struct cmsghdr h; char room[CMSG_SPACE(2 * sizeof(int))]; } ctl = {
		.h = { .cmsg_len = CMSG_LEN(2 * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2, .msg_control = &ctl, .msg_controllen = sizeof(ctl) };
	struct rig g;
	int p[2];
	char c;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	q.handle = g.root.handle;
	memcpy(CMSG_DATA(&ctl.h), p, sizeof(p));
	assert_true(sendmsg(g.socks[2], &m, 0) > 0);
	close(p[1]);
	assert_int_equal(request(&g, GW_OP_getattr, &q, sizeof(q), NULL, 0), 0);
	assert_int_equal(read(p[0], &c, 1), 0);         /* dropped when the message was received */
	close(p[0]);
	rig_stop(&g);
}

static void devices_and_their_like_are_never_made_or_opened(void **state)
{
	struct gw_node n;
	struct gw_attr a;
	struct rig g;
	hostfd_t fd;

	(void)state;
	rig_start_as(&g, false, false);
	struct grpc_make m = { g.root.handle, S_IFCHR | 0666, geteuid(), getegid(), "null", 4 };
	assert_int_equal(grpc_mknod(&g.rpc, &m, 1, 3, &n), -EPERM);
	m.mode = S_IFBLK | 0666;
	assert_int_equal(grpc_mknod(&g.rpc, &m, 0, 0, &n), -EPERM);
	assert_int_equal(mkfifo(rig_path(&g, "fifo"), 0666), 0);
	assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "fifo", 4, 0, &n, &watched), 0);
	assert_int_equal(grpc_open(&g.rpc, n.handle, GW_OPEN_READ, &a, &fd), -EINVAL);
	assert_int_equal(grpc_open(&g.rpc, g.root.handle, GW_OPEN_READ, &a, &fd), -EINVAL);
	struct gw_setattr_req q = { .handle = n.handle, .valid = GW_SET_SIZE };
	assert_int_equal(grpc_setattr(&g.rpc, &q, &a), -EINVAL);
	rig_stop(&g);
}

/* ---- inotify instances are few, and root's are its services' ---- */

static void write_to(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(7);
	close(fd);
}

/* A user namespace of the same ids, in which each has @n instances at most. */
static void limit_instances(const char *n)
{
	char file[64], c = 0;
	int go[2], status = 0;
	pid_t helper;

	if (pipe(go) < 0 || (helper = fork()) < 0)
		_exit(6);
	if (helper == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		snprintf(file, sizeof(file), "/proc/%d/uid_map", getppid());
		write_to(file, "0 0 65535");
		snprintf(file, sizeof(file), "/proc/%d/gid_map", getppid());
		write_to(file, "0 0 65535");
		_exit(0);
	}
	if (unshare(CLONE_NEWUSER) < 0 || write(go[1], &c, 1) != 1 || waitpid(helper, &status, 0) < 0 || status)
		_exit(5);
	write_to("/proc/sys/user/max_inotify_instances", n);
}

static void no_instance_is_left(void)
{
	limit_instances("0");
}

static void root_has_taken_its_only_one(void)
{
	limit_instances("1");
	if (inotify_init1(IN_CLOEXEC) < 0 || inotify_init1(IN_CLOEXEC) >= 0)
		_exit(4);
}

static void without_an_inotify_instance_nothing_is_watched(void **state)
{
	struct gw_node n;
	struct rig g;

	(void)state;
	if (geteuid() || RIG_INSTRUMENTED)
		skip();
	rig_before = no_instance_is_left;
	for (int jail = 0; jail < 2; jail++) {
		rig_start_as(&g, false, jail);
		assert_int_equal(mkdir(rig_path(&g, "d"), 0755), 0);
		assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "d", 1, 0, &n, &watched), 0);
		assert_false(watched);
		assert_int_equal(n.flags & GW_NODE_WATCHED, 0);
		rig_stop(&g);
	}
	rig_before = NULL;
}

static void the_gofers_instance_is_not_roots(void **state)
{
	struct gw_node n;
	struct rig g;

	(void)state;
	if (geteuid() || RIG_INSTRUMENTED)
		skip();
	rig_before = root_has_taken_its_only_one;
	for (int jail = 0; jail < 2; jail++) {
		rig_start_as(&g, false, jail);
		assert_int_equal(mkdir(rig_path(&g, "d"), 0755), 0);
		assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "d", 1, 0, &n, &watched), 0);
		assert_true(watched);
		assert_int_equal(n.flags & GW_NODE_WATCHED, GW_NODE_WATCHED);
		/* It is root again: what it makes is root's. */
		struct grpc_make m = { g.root.handle, 0600, 0, 0, "e", 1 };
		assert_int_equal(grpc_mkdir(&g.rpc, &m, &n), 0);
		assert_int_equal(n.attr.uid, 0);
		rig_stop(&g);
	}
	rig_before = NULL;
}

/* By its own hand: a thread that merely returned would make calls that the filter does not know. */
static void the_end_of_the_socket_of_events_is_the_gofers(void **state)
{
	struct gw_node n;
	struct rig g;

	(void)state;
	if (geteuid() || RIG_INSTRUMENTED)
		skip();
	rig_start_as(&g, false, true);
	assert_int_equal(mkdir(rig_path(&g, "d"), 0755), 0);
	assert_int_equal(grpc_lookup(&g.rpc, g.root.handle, "d", 1, 0, &n, &watched), 0);
	assert_true(watched);
	assert_int_equal(shutdown(g.socks[0], SHUT_RDWR), 0);
	rig_write(&g, "d/f", "");
	assert_int_equal(rig_wait(&g), 0);
	assert_int_equal(grpc_fsync(&g.rpc, n.handle, false), -EIO);
	rig_close(&g);
	rig_remove(&g);
}

/* ---- a symlink is swapped in while the gofer walks ---- */

struct swapper { struct rig *g; _Atomic bool stop, hit; };

static void *swap(void *arg)
{
	struct swapper *s = arg;
	char d[256], l[256];

	snprintf(d, sizeof(d), "%s", rig_path(s->g, "d"));
	snprintf(l, sizeof(l), "%s", rig_path(s->g, "l"));
	while (!atomic_load(&s->stop))
		if (renameat2(AT_FDCWD, d, AT_FDCWD, l, RENAME_EXCHANGE) < 0)
			break;
	return NULL;
}

static void a_symlink_swapped_in_by_the_host_leads_nowhere(void **state)
{
	const char *const names[] = { "d", "passwd" };
	struct gw_node nodes[2], n;
	struct rig g;
	struct swapper s = { .g = &g };
	pthread_t t;
	hostfd_t fd;

	(void)state;
	rig_start_as(&g, false, false);
	assert_int_equal(mkdir(rig_path(&g, "d"), 0755), 0);
	assert_int_equal(symlink("/etc", rig_path(&g, "l")), 0);
	assert_int_equal(pthread_create(&t, NULL, swap, &s), 0);
	for (int i = 0; i < 3000; i++) {
		int k = grpc_walk(&g.rpc, g.root.handle, names, 2, 0, nodes, &watched);

		assert_true(k >= 1);
		/* It is the empty directory or the link; there is no passwd below either. */
		if (k == 2)
			assert_int_equal(nodes[1].err, -ENOENT);
		for (int j = 0; j < k; j++)
			grpc_close(&g.rpc, nodes[j].handle, false);
		struct grpc_make m = { g.root.handle, 0644, geteuid(), getegid(), "l", 1 };
		assert_int_equal(grpc_create(&g.rpc, &m, &n, &fd), -EEXIST);
	}
	atomic_store(&s.stop, true);
	pthread_join(t, NULL);
	rig_stop(&g);
}

/* A file of the host's that takes the place of a FIFO just made does not become the guest's. */
static void *put_files(void *arg)
{
	struct swapper *s = arg;
	int last = -1;

	while (!atomic_load(&s->stop)) {
		struct stat st = { 0 };
		int fd = open(rig_path(s->g, "v"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

		if (fd < 0 || rename(rig_path(s->g, "v"), rig_path(s->g, "x")) < 0)
			break;
		if (last >= 0 && (fstat(last, &st) < 0 || st.st_uid != geteuid()))
			atomic_store(&s->hit, true);
		if (last >= 0)
			close(last);
		last = fd;
	}
	close(last);
	return NULL;
}

static void what_was_not_made_here_changes_no_owner(void **state)
{
	struct gw_node n;
	struct rig g;
	struct swapper s = { .g = &g };
	pthread_t t;

	(void)state;
	if (geteuid())
		skip();
	rig_start_as(&g, false, false);
	assert_int_equal(pthread_create(&t, NULL, put_files, &s), 0);
	for (int i = 0; i < 3000; i++) {
		struct grpc_make m = { g.root.handle, S_IFIFO | 0600, 1234, 1234, "x", 1 };

		if (grpc_mknod(&g.rpc, &m, 0, 0, &n) == 0)
			grpc_close(&g.rpc, n.handle, false);
		(void)!grpc_unlink(&g.rpc, g.root.handle, "x", 1, false);
	}
	atomic_store(&s.stop, true);
	pthread_join(t, NULL);
	assert_false(s.hit);
	rig_stop(&g);
}

/* ---- a gofer that lies ---- */

struct liar { int sock; const void *reply; size_t len; int fd; };

static void *lie(void *arg)
{
	struct liar *l = arg;
	static _Alignas(8) u8 buf[GW_MSG_MAX];
	struct iovec in = { buf, sizeof(buf) }, out = { (void *)l->reply, l->len };

	if (gchan_recv(l->sock, &in, 1, NULL) > 0)
		(void)!gchan_send(l->sock, &out, 1, l->fd);
	return NULL;
}

static int told(const void *reply, size_t len, int pass_fd)
{
	struct gofer_rpc r;
	struct gw_attr a;
	pthread_t t;
	hostfd_t fd;
	int pair[2], rc;

	assert_int_equal(gofer_sockets(&pair, 1), 0);
	grpc_init(&r, &HOSTFD(pair[0]), 1);
	struct liar l = { pair[1], reply, len, pass_fd };
	assert_int_equal(pthread_create(&t, NULL, lie, &l), 0);
	rc = grpc_open(&r, 1, GW_OPEN_READ, &a, &fd);
	pthread_join(t, NULL);
	if (rc == 0)
		close(fd.fd);
	else
		assert_int_equal(grpc_fsync(&r, 1, false), -EIO);       /* for good */
	grpc_done(&r);
	close(pair[1]);
	return rc;
}

static void the_client_believes_no_strange_reply(void **state)
{
	struct { struct gw_hdr h; struct gw_attr_rep rep; } ok = {
		.h = { .size = sizeof(ok), .op = GW_OP_open, .tag = 1 },
	}, m;
	static u8 big[GW_MSG_MAX];
	int p[2], file = memfd_create("x", 0);

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(told(&ok, sizeof(ok), file), 0);
	assert_int_equal(told(&ok, sizeof(ok), -1), -EIO);              /* no descriptor */
	assert_int_equal(told(&ok, sizeof(ok), p[0]), -EIO);            /* not of a file */
	assert_int_equal(told(&ok, sizeof(ok) - 1, file), -EIO);
	assert_int_equal(told(&ok, 3, file), -EIO);
	assert_int_equal(told(big, sizeof(big), file), -EIO);
	m = ok, m.h.tag = 2;
	assert_int_equal(told(&m, sizeof(m), file), -EIO);
	m = ok, m.h.op = GW_OP_close;
	assert_int_equal(told(&m, sizeof(m), file), -EIO);
	m = ok, m.h.size = sizeof(m.h), m.h.err = 5;
	assert_int_equal(told(&m, sizeof(m.h), -1), -EIO);
	m = ok, m.h.size = sizeof(m.h), m.h.err = INT32_MIN;
	assert_int_equal(told(&m, sizeof(m.h), -1), -EIO);
	close(p[0]);
	close(p[1]);
	close(file);
}

/* ---- by doorbell ---- */

struct bell_liar { hostfd_t listener; u8 *mem; const void *reply; size_t len; };

static void *lie_by_bell(void *arg)
{
	struct bell_liar *l = arg;
	u64 id;

	if (doorbell_await(l->listener, &id) == 0) {
		memcpy(l->mem + GW_BELL_REPLY, l->reply, l->len);
		(void)!doorbell_answer(l->listener, id);
	}
	close(l->listener.fd);
	return NULL;
}

static int told_by_bell(const void *reply, size_t len)
{
	struct bell_liar l = { .reply = reply, .len = len };
	struct gofer_rpc r;
	struct gw_attr a;
	hostfd_t memory;
	bool w;
	pthread_t t;
	void *mem;
	int pair[2], rc;

	assert_int_equal(gofer_sockets(&pair, 1), 0);
	grpc_init(&r, &HOSTFD(pair[0]), 1);
	assert_int_equal(doorbell_new(&l.listener), 0);
	assert_int_equal(doorbell_memory(GW_BELL_SIZE, &memory), 0);
	assert_int_equal(doorbell_map(memory, GW_BELL_SIZE, &mem), 0);
	close(memory.fd);
	l.mem = r.bell.mem = mem;
	r.bell.sock = dup(pair[0]);
	assert_int_equal(pthread_create(&t, NULL, lie_by_bell, &l), 0);
	rc = grpc_getattr(&r, 1, false, &a, &w);
	pthread_join(t, NULL);
	grpc_done(&r);
	close(pair[1]);
	return rc;
}

static void nor_one_by_doorbell(void **state)
{
	struct { struct gw_hdr h; struct gw_attr_rep rep; u64 more; } ok = {
		.h = { .size = sizeof(ok) - 8, .op = GW_OP_getattr, .tag = 1 },
	}, m;

	(void)state;
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(told_by_bell(&ok, sizeof(ok)), 0);
	m = ok, m.h.size = 3;
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
	m = ok, m.h.size = GW_MSG_MAX + 1;
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
	m = ok, m.h.size = UINT32_MAX;
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
	m = ok, m.h.size = sizeof(ok);                                  /* longer than there is room for */
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
	m = ok, m.h.size = sizeof(m.h) + 8;
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
	m = ok, m.h.tag = 7;
	assert_int_equal(told_by_bell(&m, sizeof(m)), -EIO);
}

/* A request whose size is none ends the gofer. */
static void a_bad_size_in_shared_memory_ends_the_gofer(void **state)
{
	static const u32 bad[] = { 0, 15, GW_MSG_MAX + 1, UINT32_MAX };
	struct rig g;

	(void)state;
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rig_start_as(&g, false, false);
		assert_int_equal(grpc_bell(&g.rpc), 0);
		assert_non_null(g.rpc.bell.mem);
		memcpy(g.rpc.bell.mem, &bad[i], sizeof(bad[i]));
		assert_int_equal(doorbell_ring(), -ENOSYS);
		rig_stop(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_are_no_names_are_refused),
		cmocka_unit_test(handles_that_were_never_given_are_refused),
		cmocka_unit_test(packets_that_are_no_requests_end_the_connection),
		cmocka_unit_test(a_packet_that_is_too_long_ends_the_connection),
		cmocka_unit_test(descriptors_sent_to_the_gofer_are_not_kept),
		cmocka_unit_test(nor_is_a_second_one_beside_the_first),
		cmocka_unit_test(devices_and_their_like_are_never_made_or_opened),
		cmocka_unit_test(without_an_inotify_instance_nothing_is_watched),
		cmocka_unit_test(the_gofers_instance_is_not_roots),
		cmocka_unit_test(the_end_of_the_socket_of_events_is_the_gofers),
		cmocka_unit_test(a_symlink_swapped_in_by_the_host_leads_nowhere),
		cmocka_unit_test(what_was_not_made_here_changes_no_owner),
		cmocka_unit_test(the_client_believes_no_strange_reply),
		cmocka_unit_test(nor_one_by_doorbell),
		cmocka_unit_test(a_bad_size_in_shared_memory_ends_the_gofer),
	};

	return cmocka_run_group_tests(tests, unit_setup, NULL);
}
