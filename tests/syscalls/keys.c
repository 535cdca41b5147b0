/* add_key, request_key, keyctl: keyrings(7). */
#include <linux/keyctl.h>
#include <pthread.h>
#include <sys/mman.h>
#include "tests/lib/harness.h"

static long ctl(int op, long a, long b, long c, long d)
{
	return syscall(SYS_keyctl, op, a, b, c, d);
}

static int add(const char *type, const char *desc, const void *data, size_t n, int ring)
{
	return (int)syscall(SYS_add_key, type, desc, data, n, ring);
}

static int request(const char *type, const char *desc, const char *info, int dest)
{
	return (int)syscall(SYS_request_key, type, desc, info, dest);
}

static int ring(const char *name, int in)
{
	return add("keyring", name, NULL, 0, in);
}

static long link_key(int k, int to) { return ctl(KEYCTL_LINK, k, to, 0, 0); }
static long unlink_key(int k, int from) { return ctl(KEYCTL_UNLINK, k, from, 0, 0); }
static long id_of(int id, int create) { return ctl(KEYCTL_GET_KEYRING_ID, id, create, 0, 0); }
static long setperm(int k, unsigned perm) { return ctl(KEYCTL_SETPERM, k, perm, 0, 0); }
static long read_key(int k, void *buf, size_t n) { return ctl(KEYCTL_READ, k, (long)buf, (long)n, 0); }
static long search_ring(int r, const char *type, const char *desc, int dest)
{
	return ctl(KEYCTL_SEARCH, r, (long)type, (long)desc, dest);
}

#define SES KEY_SPEC_SESSION_KEYRING

/* Every test has a session of its own. */
static int session(void)
{
	int id = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);

	if (id < 0 && (errno == ENOSYS || errno == EPERM))
		SKIP("no keys here");
	REQUIRE(id > 0);
	return id;
}

static const char *describe(int k)
{
	static char buf[5000];
	long n = ctl(KEYCTL_DESCRIBE, k, (long)buf, sizeof(buf), 0);

	REQUIRE(n > 0);
	EXPECT_EQ(n, strlen(buf) + 1);
	return buf;
}

TEST(a_key_is_added_read_found_and_updated)
{
	char buf[16] = "";
	int s = session(), k = add("user", "one", "hello", 5, SES);

	REQUIRE(k > 0);
	EXPECT_EQ(id_of(SES, 0), s);
	EXPECT_EQ(read_key(k, NULL, 0), 5);
	EXPECT_EQ(read_key(k, buf, 3), 5);
	EXPECT_STR(buf, "");
	EXPECT_EQ(read_key(k, buf, sizeof(buf)), 5);
	EXPECT_STR(buf, "hello");
	EXPECT_STR(describe(k), "user;0;0;3f010000;one");
	EXPECT_EQ(ctl(KEYCTL_DESCRIBE, k, (long)buf, 3, 0), strlen("user;0;0;3f010000;one") + 1);
	EXPECT_EQ(request("user", "one", NULL, 0), k);
	EXPECT_EQ(search_ring(s, "user", "one", 0), k);
	EXPECT_EQ(add("user", "one", "again!", 6, SES), k);
	EXPECT_EQ(read_key(k, buf, sizeof(buf)), 6);
	EXPECT_STR(buf, "again!");
	EXPECT_OK(ctl(KEYCTL_UPDATE, k, (long)"up", 2, 0));
	EXPECT_EQ(read_key(k, buf, sizeof(buf)), 2);
	EXPECT_ERR(read_key(k, BAD_PTR, 16), EFAULT);
	EXPECT_ERR(ctl(KEYCTL_DESCRIBE, k, (long)BAD_PTR, 100, 0), EFAULT);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, k, (long)BAD_PTR, 2, 0), EFAULT);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, k, (long)"x", 0, 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, k, (long)"x", 5000, 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, s, 0, 0, 0), EOPNOTSUPP);
}

TEST(what_add_key_refuses)
{
	static char big[1 << 20], longname[5000];
	int k;

	session();
	memset(longname, 'n', sizeof(longname) - 1);
	EXPECT_ERR(add("nosuch", "x", "y", 1, SES), ENODEV);
	EXPECT_ERR(add("", "x", "y", 1, SES), EINVAL);
	EXPECT_ERR(add(".user", "x", "y", 1, SES), EPERM);
	EXPECT_ERR(add("0123456789012345678901234567890", "x", "y", 1, SES), ENODEV);
	EXPECT_ERR(add("01234567890123456789012345678901", "x", "y", 1, SES), EINVAL);
	EXPECT_ERR(add("user", "", "y", 1, SES), EINVAL);
	EXPECT_ERR(add("user", NULL, "y", 1, SES), EINVAL);
	EXPECT_ERR(add("user", longname, "y", 1, SES), EINVAL);
	longname[4096] = 0;
	EXPECT_ERR(add("user", longname, "y", 1, SES), EINVAL);
	longname[4095] = 0;
	EXPECT_OK(k = add("user", longname, "y", 1, SES));
	EXPECT_OK(unlink_key(k, SES));
	EXPECT_ERR(add("user", "x", "y", 0, SES), EINVAL);
	EXPECT_ERR(add("user", "x", big, 32768, SES), EINVAL);
	EXPECT_OK(k = add("user", "x", big, 32767, SES));
	EXPECT_OK(unlink_key(k, SES));
	EXPECT_ERR(add("user", "x", big, 1 << 20, SES), EINVAL);
	EXPECT_ERR(add("user", "x", NULL, 1, SES), EFAULT);
	EXPECT_ERR(add("user", "x", BAD_PTR, 1, SES), EFAULT);
	EXPECT_ERR(add("user", BAD_PTR, "y", 1, SES), EFAULT);
	EXPECT_ERR(add(BAD_PTR, "x", "y", 1, SES), EFAULT);
	EXPECT_ERR(add("keyring", "r", "y", 1, SES), EINVAL);
	EXPECT_ERR(ring(".dot", SES), EPERM);
	EXPECT_ERR(add("logon", "nocolon", "y", 1, SES), EINVAL);
	EXPECT_ERR(add("logon", ":x", "y", 1, SES), EINVAL);
	EXPECT_ERR(add("user", "x", "y", 1, 0), EINVAL);
	EXPECT_ERR(add("user", "x", "y", 1, -99), EINVAL);
	EXPECT_ERR(add("user", "x", "y", 1, KEY_SPEC_GROUP_KEYRING), EINVAL);
	EXPECT_ERR(add("user", "x", "y", 1, KEY_SPEC_REQKEY_AUTH_KEY), ENOKEY);
	EXPECT_ERR(add("user", "x", "y", 1, KEY_SPEC_REQUESTOR_KEYRING), ENOKEY);
	EXPECT_ERR(add("user", "x", "y", 1, 1), ENOKEY);
	k = add("user", "k", "y", 1, SES);
	EXPECT_ERR(add("user", "x", "y", 1, k), ENOTDIR);
}

TEST(logon_keys_are_not_read)
{
	int k;

	session();
	k = add("logon", "a:b", "secret", 6, SES);
	REQUIRE(k > 0);
	EXPECT_STR(describe(k), "logon;0;0;3d010000;a:b");
	EXPECT_ERR(read_key(k, NULL, 0), EOPNOTSUPP);
	EXPECT_EQ(request("logon", "a:b", NULL, 0), k);
	EXPECT_OK(ctl(KEYCTL_UPDATE, k, (long)"new", 3, 0));
}

TEST(rings_link_and_unlink)
{
	int s = session(), a = ring("a", SES), b = ring("b", SES), k = add("user", "k", "v", 1, a), ids[8];

	REQUIRE(a > 0 && b > 0 && k > 0);
	EXPECT_STR(describe(a), "keyring;0;0;3f010000;a");
	EXPECT_EQ(read_key(s, ids, sizeof(ids)), 2 * sizeof(int));
	EXPECT((ids[0] == a && ids[1] == b) || (ids[0] == b && ids[1] == a));
	EXPECT_EQ(read_key(b, NULL, 0), 0);
	EXPECT_OK(link_key(k, b));
	EXPECT_OK(link_key(k, b));
	EXPECT_EQ(read_key(b, ids, sizeof(ids)), sizeof(int));
	EXPECT_EQ(ids[0], k);
	EXPECT_OK(unlink_key(k, a));
	EXPECT_ERR(unlink_key(k, a), ENOENT);
	EXPECT_ERR(unlink_key(k, k), ENOTDIR);
	EXPECT_ERR(link_key(a, k), ENOTDIR);
	EXPECT_EQ(read_key(k, NULL, 0), 1);
	EXPECT_OK(ctl(KEYCTL_CLEAR, b, 0, 0, 0));
	EXPECT_EQ(read_key(b, NULL, 0), 0);
	EXPECT_ERR(link_key(1, b), ENOKEY);
	EXPECT_ERR(link_key(b, -50), EINVAL);
	k = add("user", "k", "v", 1, a);
	EXPECT_ERR(ctl(KEYCTL_CLEAR, k, 0, 0, 0), ENOTDIR);
	EXPECT_OK(link_key(add("user", "k", "other", 5, b), a));
	EXPECT_EQ(read_key(a, NULL, 0), sizeof(int));
	EXPECT(ring("a", SES) != a);    /* takes the place of the old one */
	EXPECT_EQ(read_key(s, NULL, 0), 2 * sizeof(int));
}

TEST(rings_cannot_contain_themselves_or_be_deep)
{
	int s = session(), r[10], k;

	r[0] = ring("r0", SES);
	EXPECT_ERR(link_key(r[0], r[0]), EDEADLK);
	EXPECT_ERR(link_key(s, r[0]), EDEADLK);
	for (int i = 1; i < 10; i++) {
		char name[8];

		snprintf(name, sizeof(name), "r%d", i);
		REQUIRE((r[i] = ring(name, SES)) > 0);
	}
	/* r9 -> r8 -> ... */
	for (int i = 1; i < 8; i++)
		EXPECT_OK(link_key(r[i - 1], r[i]));
	EXPECT_ERR(link_key(r[7], r[0]), EDEADLK);
	EXPECT_ERR(link_key(r[7], r[8]), ELOOP);
	EXPECT_OK(link_key(r[6], r[8]));
	EXPECT_ERR(link_key(r[8], r[9]), ELOOP);
	k = add("user", "deep", "x", 1, r[0]);
	REQUIRE(k > 0);
	EXPECT_EQ(search_ring(r[6], "user", "deep", 0), k);
	EXPECT_ERR(search_ring(r[7], "user", "deep", 0), ENOKEY);
}

TEST(rings_that_share_rings_are_searched_once)
{
	enum { WIDE = 8, LEVELS = 6 };
	int s = session(), level[LEVELS][WIDE];

	/* 8^6 ways down, 48 rings. */
	for (int l = 0; l < LEVELS; l++)
		for (int i = 0; i < WIDE; i++) {
			char name[16];

			snprintf(name, sizeof(name), "l%d-%d", l, i);
			REQUIRE((level[l][i] = ring(name, l ? level[l - 1][0] : s)) > 0);
			for (int up = 1; l && up < WIDE; up++)
				EXPECT_OK(link_key(level[l][i], level[l - 1][up]));
		}
	EXPECT_ERR(search_ring(s, "user", "nothing", 0), ENOKEY);
	EXPECT_ERR(link_key(s, level[LEVELS - 1][0]), EDEADLK);
}

TEST(searching_goes_down_and_links_what_it_finds)
{
	int s = session(), a = ring("a", SES), b = ring("b", a), k = add("user", "k", "v", 1, b), d = ring("d", SES);

	EXPECT_EQ(search_ring(s, "user", "k", d), k);
	EXPECT_OK(unlink_key(k, d));
	EXPECT_EQ(search_ring(s, "keyring", "b", 0), b);
	EXPECT_EQ(search_ring(a, "keyring", "a", 0), a);
	EXPECT_ERR(search_ring(s, "user", "b", 0), ENOKEY);
	EXPECT_ERR(search_ring(s, "nosuch", "b", 0), ENOKEY);
	EXPECT_ERR(search_ring(k, "user", "k", 0), ENOTDIR);
	EXPECT_ERR(search_ring(s, "user", NULL, 0), EFAULT);
	EXPECT_ERR(request("user", "none", NULL, 0), ENOKEY);
	EXPECT_ERR(request("nosuch", "none", NULL, 0), ENOKEY);
	EXPECT_ERR(request("user", NULL, NULL, 0), EFAULT);
	EXPECT_EQ(request("user", "k", NULL, d), k);
	EXPECT_OK(unlink_key(k, d));
	EXPECT_OK(setperm(b, 0x3f370000));
	EXPECT_EQ(search_ring(s, "user", "k", 0), k);
	EXPECT_OK(setperm(b, 0x37370000));
	EXPECT_ERR(search_ring(s, "user", "k", 0), ENOKEY);
}

TEST(revoked_keys_say_so_and_invalidated_ones_are_gone)
{
	int s = session(), k = add("user", "k", "v", 1, SES), i = add("user", "i", "v", 1, SES), r = ring("r", SES), n;

	EXPECT_OK(ctl(KEYCTL_REVOKE, k, 0, 0, 0));
	EXPECT_ERR(read_key(k, NULL, 0), EKEYREVOKED);
	EXPECT_ERR(ctl(KEYCTL_DESCRIBE, k, 0, 0, 0), EKEYREVOKED);
	EXPECT_ERR(search_ring(s, "user", "k", 0), EKEYREVOKED);
	EXPECT_ERR(ctl(KEYCTL_REVOKE, k, 0, 0, 0), EKEYREVOKED);
	n = add("user", "k", "v", 1, SES);
	EXPECT(n > 0 && n != k);
	EXPECT_OK(ctl(KEYCTL_INVALIDATE, i, 0, 0, 0));
	EXPECT_ERR(ctl(KEYCTL_DESCRIBE, i, 0, 0, 0), ENOKEY);
	add("user", "in", "v", 1, r);
	EXPECT_OK(ctl(KEYCTL_REVOKE, r, 0, 0, 0));
	EXPECT_ERR(add("user", "x", "v", 1, r), EKEYREVOKED);
	EXPECT_OK(unlink_key(r, SES));
	EXPECT_OK(ctl(KEYCTL_REVOKE, SES, 0, 0, 0));
	EXPECT_ERR(add("user", "x", "v", 1, SES), EKEYREVOKED);
	session();
	EXPECT_OK(add("user", "x", "v", 1, SES));
}

TEST(keys_expire)
{
	int s = session(), k = add("user", "k", "v", 1, SES);

	EXPECT_OK(ctl(KEYCTL_SET_TIMEOUT, k, 1000, 0, 0));
	EXPECT_EQ(read_key(k, NULL, 0), 1);
	EXPECT_OK(ctl(KEYCTL_SET_TIMEOUT, k, 1, 0, 0));
	sleep_ms(2100);
	EXPECT_ERR(read_key(k, NULL, 0), EKEYEXPIRED);
	EXPECT_ERR(search_ring(s, "user", "k", 0), EKEYEXPIRED);
	EXPECT_ERR(request("user", "k", NULL, 0), ENOKEY);
	EXPECT_ERR(ctl(KEYCTL_SET_TIMEOUT, k, 0, 0, 0), EKEYEXPIRED);
	EXPECT_EQ(add("user", "k", "new", 3, SES), k);
	EXPECT_EQ(read_key(k, NULL, 0), 3);
}

TEST(permissions_hold)
{
	char c;
	int k, o, r;

	session();
	k = add("user", "k", "v", 1, SES);
	r = ring("r", SES);
	EXPECT_ERR(setperm(k, 0x40000000), EINVAL);
	EXPECT_OK(setperm(k, 0x21000000));      /* possessor: setattr, view */
	EXPECT_ERR(read_key(k, &c, 1), EACCES); /* not found by a search: not possessed */
	EXPECT_ERR(ctl(KEYCTL_DESCRIBE, k, 0, 0, 0), EACCES);
	k = add("user", "k2", "v", 1, SES);
	EXPECT_OK(setperm(k, 0x39000000));      /* no read, but possessed */
	EXPECT_EQ(read_key(k, &c, 1), 1);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, k, (long)"n", 1, 0), EACCES);
	EXPECT_ERR(add("user", "k2", "n", 1, SES), EACCES);
	EXPECT_OK(setperm(k, 0x29000000));
	EXPECT_ERR(link_key(k, r), EACCES);
	EXPECT_ERR(request("user", "k2", NULL, r), EACCES);
	EXPECT_OK(setperm(k, 0x09000000));
	EXPECT_ERR(setperm(k, 0x3f000000), EACCES);
	EXPECT_ERR(ctl(KEYCTL_SET_TIMEOUT, k, 5, 0, 0), EACCES);
	EXPECT_ERR(ctl(KEYCTL_REVOKE, k, 0, 0, 0), EACCES);
	EXPECT_OK(unlink_key(k, SES));
	o = add("user", "o", "v", 1, r);
	EXPECT_OK(setperm(o, 0x003f0000));
	EXPECT_EQ(read_key(o, &c, 1), 1);
	EXPECT_OK(setperm(o, 0x00010000));
	EXPECT_ERR(read_key(o, &c, 1), EACCES);
}

static int shared_key, shared_ring;

static void as_another_user(void)
{
	REQUIRE_OK(setresgid(4321, 4321, 4321));
	REQUIRE_OK(setresuid(4321, 4321, 4321));
	session();
	EXPECT_ERR(ctl(KEYCTL_DESCRIBE, shared_key, 0, 0, 0), EACCES);
	EXPECT_ERR(ctl(KEYCTL_CHOWN, shared_key, 4321, -1, 0), EACCES);
	EXPECT_ERR(read_key(shared_ring, NULL, 0), EACCES);
	EXPECT_ERR(setperm(shared_key, 0x3f3f3f3f), EACCES);
}

static void in_the_group(void)
{
	REQUIRE_OK(setresgid(4321, 4321, 4321));
	REQUIRE_OK(setresuid(4321, 4321, 4321));
	session();
	EXPECT_EQ(read_key(shared_key, NULL, 0), 1);
	EXPECT_ERR(ctl(KEYCTL_UPDATE, shared_key, (long)"n", 1, 0), EACCES);
}

TEST(others_have_what_they_are_given)
{
	session();
	shared_ring = ring("r", SES);
	shared_key = add("user", "k", "v", 1, shared_ring);
	EXPECT_EQ(in_child(as_another_user), 0);
	EXPECT_OK(ctl(KEYCTL_CHOWN, shared_key, -1, 4321, 0));
	EXPECT_OK(setperm(shared_key, 0x3f010300));
	EXPECT_EQ(in_child(in_the_group), 0);
	EXPECT_STR(describe(shared_key), "user;0;4321;3f010300;k");
	EXPECT_OK(ctl(KEYCTL_CHOWN, shared_key, 4322, -1, 0));
	EXPECT_STR(describe(shared_key), "user;4322;4321;3f010300;k");
	EXPECT_OK(ctl(KEYCTL_CHOWN, shared_key, -1, -1, 0));
}

static void fill_quota(void)
{
	static char data[20000];
	char name[16];
	int n = 0, k;

	REQUIRE_OK(setresuid(4323, 4323, 4323));
	session();
	EXPECT_ERR(add("user", "big", data, 20000, SES), EDQUOT);
	EXPECT_OK(k = add("user", "big", data, 15000, SES));
	EXPECT_ERR(add("user", "big2", data, 15000, SES), EDQUOT);
	EXPECT_ERR(add("user", "big", data, 20000, SES), EDQUOT);
	EXPECT_EQ(read_key(k, NULL, 0), 15000);
	EXPECT_OK(ctl(KEYCTL_REVOKE, k, 0, 0, 0));
	EXPECT_OK(unlink_key(k, SES));
	EXPECT_OK(k = add("user", "big2", data, 15000, SES));
	EXPECT_OK(ctl(KEYCTL_CLEAR, SES, 0, 0, 0));
	sleep_ms(300);
	for (n = 0; n < 1000; n++) {
		snprintf(name, sizeof(name), "k%d", n);
		if (add("user", name, "x", 1, SES) < 0)
			break;
	}
	EXPECT_EQ(errno, EDQUOT);
	EXPECT(n > 150 && n <= 199);
	EXPECT_ERR(ring("one more", SES), EDQUOT);
	EXPECT_ERR(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0), EDQUOT);
	EXPECT_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));   /* always */
}

TEST(users_have_quotas)
{
	session();
	EXPECT_EQ(in_child(fill_quota), 0);
}

static int inherited_session;

static void *in_thread(void *arg)
{
	const int *had = arg;

	/* One of its own, as its maker had one. */
	EXPECT(id_of(KEY_SPEC_THREAD_KEYRING, 0) > 0 && id_of(KEY_SPEC_THREAD_KEYRING, 0) != had[0]);
	EXPECT_EQ(id_of(KEY_SPEC_PROCESS_KEYRING, 0), had[1]);
	EXPECT_EQ(id_of(SES, 0), inherited_session);
	EXPECT_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
	return NULL;
}

static void in_process(void)
{
	EXPECT_ERR(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
	EXPECT_ERR(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
	EXPECT_EQ(id_of(SES, 0), inherited_session);
	EXPECT(session() != inherited_session);
}

TEST(threads_and_children_inherit_what_they_should)
{
	pthread_t th;
	int thread, proc, had[2];

	inherited_session = session();
	EXPECT_ERR(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
	EXPECT_ERR(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
	thread = (int)id_of(KEY_SPEC_THREAD_KEYRING, 1);
	proc = (int)id_of(KEY_SPEC_PROCESS_KEYRING, 1);
	REQUIRE(thread > 0 && proc > 0 && thread != proc);
	EXPECT_STR(describe(thread), "keyring;0;0;3f010000;_tid");
	EXPECT_STR(describe(proc), "keyring;0;0;3f010000;_pid");
	EXPECT_STR(describe(SES), "keyring;0;0;3f030000;_ses");
	had[0] = thread;
	had[1] = proc;
	REQUIRE(pthread_create(&th, NULL, in_thread, had) == 0);
	pthread_join(th, NULL);
	EXPECT_EQ(in_child(in_process), 0);
	EXPECT_EQ(id_of(SES, 0), inherited_session);
	EXPECT_EQ(id_of(KEY_SPEC_THREAD_KEYRING, 0), thread);
}

/* Run by exec with the ids it should and should not have: see below. */
TEST(exec_keeps_only_the_session)
{
	const char *want = getenv("KEYS_TEST_SESSION");
	char text[16], *argv[] = { "keys", "exec_keeps_only_the_session", NULL };
	int status;

	if (want) {
		EXPECT_ERR(id_of(KEY_SPEC_THREAD_KEYRING, 0), ENOKEY);
		EXPECT_ERR(id_of(KEY_SPEC_PROCESS_KEYRING, 0), ENOKEY);
		EXPECT_EQ(id_of(SES, 0), atoi(want));
		return;
	}
	snprintf(text, sizeof(text), "%d", session());
	REQUIRE_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
	REQUIRE_OK(id_of(KEY_SPEC_PROCESS_KEYRING, 1));
	if (fork() == 0) {
		setenv("KEYS_TEST_SESSION", text, 1);
		REQUIRE_OK(id_of(KEY_SPEC_THREAD_KEYRING, 1));
		dup2(2, 1);             /* its lines are not ours */
		execv("/proc/self/exe", argv);
		_exit(9);
	}
	wait(&status);
	EXPECT_EQ(status, 0);
}

static void named_session(void)
{
	int k = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"csandbox test", 0, 0, 0);

	EXPECT(k > 0 && k != shared_ring);      /* not ours to search */
}

static void join_it(void)
{
	session();
	EXPECT_EQ(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"csandbox test", 0, 0, 0), shared_ring);
	EXPECT_EQ(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"csandbox test", 0, 0, 0), 0);
}

TEST(sessions_are_joined_by_name)
{
	session();
	shared_ring = (int)ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)"csandbox test", 0, 0, 0);
	REQUIRE(shared_ring > 0);
	EXPECT_STR(describe(SES), "keyring;0;0;3f130000;csandbox test");
	EXPECT_EQ(in_child(named_session), 0);
	EXPECT_OK(setperm(SES, 0x3f3f0000));
	EXPECT_EQ(in_child(join_it), 0);
	EXPECT_ERR(ctl(KEYCTL_JOIN_SESSION_KEYRING, (long)BAD_PTR, 0, 0, 0), EFAULT);
}

static void user_rings(void)
{
	int u, s;

	REQUIRE_OK(setresuid(4324, 4324, 4324));
	session();
	u = (int)id_of(KEY_SPEC_USER_KEYRING, 0);
	s = (int)id_of(KEY_SPEC_USER_SESSION_KEYRING, 0);
	REQUIRE(u > 0 && s > 0);
	EXPECT_STR(describe(KEY_SPEC_USER_KEYRING), "keyring;4324;65534;1f3f0000;_uid.4324");
	EXPECT_EQ(search_ring(s, "keyring", "_uid.4324", 0), u);
	EXPECT_OK(setperm(KEY_SPEC_USER_SESSION_KEYRING, 0x1f3f0000));
	EXPECT_OK(add("user", "mine", "x", 1, KEY_SPEC_USER_KEYRING));
	EXPECT_OK(ctl(KEYCTL_CLEAR, KEY_SPEC_USER_KEYRING, 0, 0, 0));
}

TEST(users_have_rings)
{
	session();
	EXPECT_EQ(in_child(user_rings), 0);
}

TEST(keys_move_between_rings)
{
	int a, b, k;

	session();
	a = ring("a", SES);
	b = ring("b", SES);
	k = add("user", "k", "v", 1, a);
	EXPECT_ERR(ctl(KEYCTL_MOVE, k, a, b, 2), EINVAL);
	EXPECT_OK(ctl(KEYCTL_MOVE, k, a, b, 0));
	EXPECT_ERR(unlink_key(k, a), ENOENT);
	EXPECT_ERR(ctl(KEYCTL_MOVE, k, a, b, 0), ENOENT);
	EXPECT_OK(ctl(KEYCTL_MOVE, k, b, b, 0));
	add("user", "k", "w", 1, a);
	EXPECT_ERR(ctl(KEYCTL_MOVE, k, b, a, KEYCTL_MOVE_EXCL), EEXIST);
	EXPECT_OK(ctl(KEYCTL_MOVE, k, b, a, 0));
	EXPECT_EQ(read_key(a, NULL, 0), sizeof(int));
	EXPECT_ERR(ctl(KEYCTL_MOVE, a, SES, a, 0), EDEADLK);
}

TEST(rings_can_be_closed)
{
	int r, k;

	session();
	r = ring("r", SES);
	k = add("user", "k", "v", 1, SES);
	EXPECT_ERR(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, (long)"x", 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_RESTRICT_KEYRING, r, (long)"user", 0, 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_RESTRICT_KEYRING, r, (long)"user", (long)"x", 0), ENOENT);
	EXPECT_ERR(ctl(KEYCTL_RESTRICT_KEYRING, k, 0, 0, 0), ENOTDIR);
	EXPECT_OK(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, 0, 0));
	EXPECT_ERR(ctl(KEYCTL_RESTRICT_KEYRING, r, 0, 0, 0), EEXIST);
	EXPECT_ERR(link_key(k, r), EPERM);
	EXPECT_ERR(add("user", "x", "v", 1, r), EPERM);
}

TEST(other_operations_answer)
{
	unsigned char caps[8];
	char c = 'x';
	int k;

	session();
	k = add("user", "k", "v", 1, SES);
	memset(caps, 0xff, sizeof(caps));
	EXPECT_EQ(ctl(KEYCTL_CAPABILITIES, (long)caps, sizeof(caps), 0, 0), 2);
	EXPECT_EQ(caps[0] & 0xe1, 0xe1);
	EXPECT_EQ(caps[7], 0);
	EXPECT_ERR(ctl(KEYCTL_CAPABILITIES, (long)BAD_PTR, 2, 0, 0), EFAULT);
	EXPECT_OK(ctl(KEYCTL_GET_SECURITY, k, (long)&c, 1, 0));
	EXPECT_ERR(ctl(KEYCTL_INSTANTIATE, k, (long)"x", 1, 0), EPERM);
	EXPECT_ERR(ctl(KEYCTL_NEGATE, k, 1, 0, 0), EPERM);
	EXPECT_ERR(ctl(KEYCTL_REJECT, k, 1, 0, 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_REJECT, k, 1, ENOKEY, 0), EPERM);
	EXPECT_ERR(ctl(KEYCTL_ASSUME_AUTHORITY, k, 0, 0, 0), ENOKEY);
	EXPECT_OK(ctl(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
	EXPECT_EQ(ctl(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0), 0);
	EXPECT_EQ(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_THREAD_KEYRING, 0, 0, 0), 0);
	EXPECT_EQ(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_DEFAULT, 0, 0, 0), 1);
	EXPECT_OK(id_of(KEY_SPEC_THREAD_KEYRING, 0));
	EXPECT_ERR(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_GROUP_KEYRING, 0, 0, 0), EINVAL);
	EXPECT_ERR(ctl(KEYCTL_SET_REQKEY_KEYRING, 99, 0, 0, 0), EINVAL);
	EXPECT_ERR(ctl(999, 0, 0, 0, 0), EOPNOTSUPP);
}

TEST(proc_shows_keys)
{
	static char text[200000];
	char id[16], *line;
	int k, fd;
	ssize_t n, len = 0;

	session();
	k = add("user", "shown", "four", 4, SES);
	REQUIRE(k > 0);
	snprintf(id, sizeof(id), "%08x ", (unsigned)k);
	fd = open("/proc/keys", O_RDONLY);
	REQUIRE(fd >= 0);
	while (len < (ssize_t)sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += n;
	close(fd);
	line = strstr(text, id);
	REQUIRE(line);
	line = strtok(line, "\n");
	EXPECT_STR(line + 9, "I--Q---     1 perm 3f010000     0     0 user      shown: 4");
	EXPECT(strstr(get_file("/proc/key-users"), "    0: "));
	EXPECT_STR(get_file("/proc/sys/kernel/keys/maxkeys"), "200\n");
	EXPECT_STR(get_file("/proc/sys/kernel/keys/root_maxbytes"), "25000000\n");
}

/* Many threads make, link, kill and look for the same keys. */
static void *trouble(void *arg)
{
	unsigned seed = (unsigned)(long)arg, ids[32];
	int n = 300;

	while (n--) {
		char name[8];
		long got = read_key(SES, ids, sizeof(ids));
		int k = got >= 4 && got <= (long)sizeof(ids) ? (int)ids[rand_r(&seed) % (unsigned)(got / 4)] : 0;

		snprintf(name, sizeof(name), "n%d", rand_r(&seed) % 6);
		switch (rand_r(&seed) % 10) {
		case 0: add("user", name, "data", 4, SES); break;
		case 1: ring(name, SES); break;
		case 2: if (k) link_key(k, SES); break;
		case 3: if (k) unlink_key(k, SES); break;
		case 4: if (k) ctl(KEYCTL_INVALIDATE, k, 0, 0, 0); break;
		case 5: if (k) ctl(KEYCTL_REVOKE, k, 0, 0, 0); break;
		case 6: add("user", "in", "x", 1, k); break;
		case 7: search_ring(SES, "user", name, KEY_SPEC_THREAD_KEYRING); break;
		case 8: if (k) link_key(k, (int)search_ring(SES, "keyring", name, 0)); break;
		default: ctl(KEYCTL_CLEAR, KEY_SPEC_THREAD_KEYRING, 0, 0, 0);
		}
	}
	return NULL;
}

TEST(threads_may_fight_over_keys)
{
	pthread_t th[4];

	session();
	for (long i = 0; i < 4; i++)
		REQUIRE(pthread_create(&th[i], NULL, trouble, (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	session();
	EXPECT_OK(add("user", "after", "x", 1, SES));
}

TEST(who_may_not_write_to_his_ring_has_nothing_built)
{
	REQUIRE_OK(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0));
	REQUIRE_OK(ctl(KEYCTL_SETPERM, (unsigned long)KEY_SPEC_SESSION_KEYRING, 0x0b000000, 0, 0));
	REQUIRE_OK(ctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_SESSION_KEYRING, 0, 0, 0));
	EXPECT_ERR(request("user", "none", "callout", 0), EACCES);
	EXPECT_ERR(request("user", "none", NULL, 0), ENOKEY);
}

TEST(rings_of_the_kernel_are_not_joined)
{
	EXPECT_ERR(ctl(KEYCTL_JOIN_SESSION_KEYRING, (unsigned long)".builtin_trusted_keys", 0, 0, 0), EPERM);
}

TEST_MAIN()
