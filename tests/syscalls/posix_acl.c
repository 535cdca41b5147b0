/*
 * posix_acl.c - access control lists: their format, what they permit, what mode and list make of each other, inheritance.
 *
 * Lists are written and read as text here: "u6 u1000:4 g4 m4 o0" is owner rw-, user 1000 r--, owning group r--, mask r--,
 * others nothing.
 */
#include <linux/capability.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <grp.h>
#include "tests/lib/harness.h"

#define ACCESS  "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define ENTRIES 64

struct entry { uint16_t tag, perm; uint32_t id; };
struct list { uint32_t version; struct entry e[ENTRIES]; };

static const struct { char c; uint16_t obj, named; } tags[] = {
	{ 'u', 0x01, 0x02 }, { 'g', 0x04, 0x08 }, { 'm', 0x10, 0x10 }, { 'o', 0x20, 0x20 },
};

/* Its size in bytes. */
static size_t of_text(const char *text, struct list *l)
{
	size_t n = 0;

	l->version = 2;
	while (*text) {
		struct entry *e = &l->e[n++];
		char c = *text++, *end;
		unsigned long v = strtoul(text, &end, 10);

		*e = (struct entry){ .id = UINT32_MAX };
		for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
			if (tags[i].c == c)
				e->tag = *end == ':' ? tags[i].named : tags[i].obj;
		if (*end == ':') {
			e->id = (uint32_t)v;
			v = strtoul(end + 1, &end, 10);
		}
		e->perm = (uint16_t)v;
		text = *end ? end + 1 : end;
	}
	return 4 + n * sizeof(struct entry);
}

static const char *text_of(const struct list *l, size_t size)
{
	static char buf[1024];
	char *p = buf;

	*p = 0;
	for (size_t i = 0; i < (size - 4) / sizeof(struct entry); i++) {
		const struct entry *e = &l->e[i];

		for (size_t k = 0; k < sizeof(tags) / sizeof(tags[0]); k++) {
			if (e->tag != tags[k].obj && e->tag != tags[k].named)
				continue;
			p += sprintf(p, "%s%c", i ? " " : "", tags[k].c);
			if (e->tag == 2 || e->tag == 8)
				p += sprintf(p, "%d:", (int)e->id);
			p += sprintf(p, "%d", e->perm);
		}
	}
	return buf;
}

static int set(const char *path, const char *name, const char *text)
{
	struct list l;

	return setxattr(path, name, &l, of_text(text, &l), 0);
}

static const char *get(const char *path, const char *name)
{
	struct list l;
	ssize_t n = getxattr(path, name, &l, sizeof(l));

	return n < 0 ? strerrorname_np(errno) : text_of(&l, (size_t)n);
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	REQUIRE_OK(lstat(path, &st));
	return st.st_mode & 07777;
}

/* A file of this owner, and the directory open to all. */
static void file(const char *name, unsigned mode, uid_t uid, gid_t gid)
{
	REQUIRE_OK(chmod(".", 0777));
	put_file(name, "text");
	REQUIRE_OK(chown(name, uid, gid));
	REQUIRE_OK(chmod(name, mode));
	if (set(name, ACCESS, "u6 u1:4 g4 m4 o0") < 0 && errno == EOPNOTSUPP)
		SKIP("this file system has no lists");
	REQUIRE_OK(removexattr(name, ACCESS));
	REQUIRE_OK(chmod(name, mode));
}

static void directory(const char *name, const char *dflt)
{
	REQUIRE_OK(mkdir(name, 0777));
	REQUIRE_OK(chmod(name, 0777));
	if (set(name, DEFAULT, dflt) < 0 && errno == EOPNOTSUPP)
		SKIP("this file system has no lists");
	EXPECT_STR(get(name, DEFAULT), dflt);
}

static void become(uid_t uid, gid_t gid)
{
	REQUIRE_OK(setgroups(0, NULL));
	REQUIRE_OK(setgid(gid));
	REQUIRE_OK(setuid(uid));
}

/* ---- the attribute ---- */

TEST(a_list_is_set_read_listed_and_removed)
{
	char names[128];
	struct list l;
	ssize_t n;

	file("f", 0640, 0, 0);
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	EXPECT_EQ(listxattr("f", NULL, 0), 0);
	EXPECT_OK(set("f", ACCESS, "u6 u1000:4 u1001:6 g4 g7:2 m6 o0"));
	EXPECT_STR(get("f", ACCESS), "u6 u1000:4 u1001:6 g4 g7:2 m6 o0");
	EXPECT_EQ(getxattr("f", ACCESS, NULL, 0), 4 + 7 * 8);
	EXPECT_ERR(getxattr("f", ACCESS, &l, 4 + 7 * 8 - 1), ERANGE);
	n = listxattr("f", names, sizeof(names));
	EXPECT_EQ(n, sizeof(ACCESS));
	EXPECT(n == sizeof(ACCESS) && strcmp(names, ACCESS) == 0);
	EXPECT_OK(removexattr("f", ACCESS));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	EXPECT_OK(removexattr("f", ACCESS));
	EXPECT_EQ(mode_of("f"), 0660);          /* the mask stays */
}

TEST(a_default_list_is_a_directorys)
{
	char names[128];

	file("f", 0644, 0, 0);
	directory("d", "u7 u1000:7 g5 m7 o5");
	EXPECT_EQ(mode_of("d"), 0777);
	EXPECT_STR(get("d", ACCESS), "ENODATA");
	EXPECT_EQ(listxattr("d", names, sizeof(names)), sizeof(DEFAULT));
	EXPECT_OK(set("d", ACCESS, "u7 u1000:5 g5 m5 o0"));
	EXPECT_EQ(listxattr("d", names, sizeof(names)), sizeof(ACCESS) + sizeof(DEFAULT));
	EXPECT_EQ(mode_of("d"), 0750);
	EXPECT_OK(removexattr("d", DEFAULT));
	EXPECT_STR(get("d", DEFAULT), "ENODATA");
	EXPECT_STR(get("d", ACCESS), "u7 u1000:5 g5 m5 o0");
	EXPECT_ERR(set("f", DEFAULT, "u7 g5 o5"), EACCES);
	EXPECT_OK(removexattr("f", DEFAULT));
	EXPECT_STR(get("f", DEFAULT), "ENODATA");
	/* A default list of three entries is one all the same. */
	EXPECT_OK(set("d", DEFAULT, "u7 g5 o5"));
	EXPECT_STR(get("d", DEFAULT), "u7 g5 o5");
}

TEST(bytes_are_checked)
{
	struct list l;
	size_t n;

	file("f", 0640, 0, 0);
	n = of_text("u6 u1:4 g4 m4 o0", &l);
	EXPECT_ERR(setxattr("f", ACCESS, &l, 1, 0), EINVAL);
	EXPECT_ERR(setxattr("f", ACCESS, &l, 3, 0), EINVAL);
	EXPECT_ERR(setxattr("f", ACCESS, &l, n - 1, 0), EINVAL);
	EXPECT_ERR(setxattr("f", ACCESS, &l, n + 4, 0), EINVAL);
	l.version = 1;
	EXPECT_ERR(setxattr("f", ACCESS, &l, n, 0), EOPNOTSUPP);
	EXPECT_ERR(setxattr("f", ACCESS, &l, n - 1, 0), EOPNOTSUPP);
	l.version = 2;
	l.e[0].tag = 3;
	EXPECT_ERR(setxattr("f", ACCESS, &l, n, 0), EINVAL);
	of_text("u6 u1:4 g4 m4 o0", &l);
	l.e[1].id = UINT32_MAX;
	EXPECT_ERR(setxattr("f", ACCESS, &l, n, 0), EINVAL);
	EXPECT_ERR(setxattr("f", ACCESS, &l, n, 4), EINVAL);
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	/* Ids of those without a name don't matter, nor do XATTR_CREATE and XATTR_REPLACE. */
	of_text("u6 u1:4 g4 m4 o0", &l);
	l.e[0].id = 5;
	EXPECT_OK(setxattr("f", ACCESS, &l, n, XATTR_REPLACE));
	EXPECT_OK(setxattr("f", ACCESS, &l, n, XATTR_CREATE));
	EXPECT_STR(get("f", ACCESS), "u6 u1:4 g4 m4 o0");
	/* Nothing, or no entry, removes. */
	EXPECT_OK(setxattr("f", ACCESS, &l, 4, 0));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	EXPECT_OK(setxattr("f", ACCESS, &l, n, 0));
	EXPECT_OK(setxattr("f", ACCESS, &l, 0, 0));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
}

TEST(a_list_must_make_sense)
{
	static const char *const bad[] = {
		"u6", "u6 g4", "g4 o0", "u6 o0", "u6 g4 o0 o0", "u6 u6 g4 o0", "g4 u6 o0", "u6 g4 m4", "u6 g4 o4 m4",
		"u6 u1:4 g4 o0", "u6 g4 g1:4 o0", "u6 g4 u1:4 m4 o0", "u6 g1:4 g4 m4 o0", "u6 g4 m4 g1:4 o0", "u6 g4 m4 m4 o0",
		"u8 g4 o0", "u6 u1:16 g4 m4 o0", "u6 g4 o0 u1:4", "u1:4 u6 g4 m4 o0",
	};
	static const char *const good[] = {
		"u0 g0 m0 o0", "u6 u1:4 u1:6 g4 m7 o7", "u6 u9:4 u1:4 g4 g9:1 g1:1 m4 o0", "u7 g7 g0:7 m0 o0",
	};

	file("f", 0640, 0, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (set("f", ACCESS, bad[i]) == 0 || errno != EINVAL)
			FAIL("%s: errno %d", bad[i], errno);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		EXPECT_OK(set("f", ACCESS, good[i]));
		EXPECT_STR(get("f", ACCESS), good[i]);
	}
}

TEST(links_and_other_file_systems_have_no_lists)
{
	struct list l;
	size_t n = of_text("u6 u1:4 g4 m4 o0", &l);

	file("f", 0640, 0, 0);
	REQUIRE_OK(symlink("f", "l"));
	EXPECT_ERR(lsetxattr("l", ACCESS, &l, n, 0), EOPNOTSUPP);
	EXPECT_ERR(lgetxattr("l", ACCESS, &l, sizeof(l)), EOPNOTSUPP);
	EXPECT_ERR(lremovexattr("l", ACCESS), EOPNOTSUPP);
	EXPECT_OK(setxattr("l", ACCESS, &l, n, 0));
	EXPECT_STR(get("f", ACCESS), "u6 u1:4 g4 m4 o0");
	EXPECT_ERR(setxattr("/proc/self/status", ACCESS, &l, n, 0), EOPNOTSUPP);
	EXPECT_ERR(getxattr("/proc/self/status", ACCESS, &l, sizeof(l)), EOPNOTSUPP);
	EXPECT_ERR(setxattr("/proc/self/status", ACCESS, &l, 3, 0), EINVAL);
	EXPECT_ERR(setxattr("f", "system.posix_acl_accesS", &l, n, 0), EOPNOTSUPP);
}

static void stranger_sets(void)
{
	become(1000, 1000);
	EXPECT_STR(get("f", ACCESS), "u6 u1:4 g4 m4 o0");
	EXPECT_ERR(set("f", ACCESS, "u6 u1000:6 g4 m6 o0"), EPERM);
	EXPECT_ERR(set("f", ACCESS, "u6"), EPERM);
	EXPECT_ERR(removexattr("f", ACCESS), EPERM);
	EXPECT_ERR(set("f", DEFAULT, "u6 g4 o0"), EACCES);
	EXPECT_OK(set("mine", ACCESS, "u6 u1:6 g4 m6 o0"));
}

TEST(only_the_owner_sets_a_list)
{
	file("f", 0640, 0, 0);
	file("mine", 0400, 1000, 0);
	EXPECT_OK(set("f", ACCESS, "u6 u1:4 g4 m4 o0"));
	EXPECT_EQ(in_child(stranger_sets), 0);
	EXPECT_STR(get("mine", ACCESS), "u6 u1:6 g4 m6 o0");
}

TEST(watchers_are_told)
{
	struct inotify_event ev;
	int fd = inotify_init1(IN_NONBLOCK);

	file("f", 0640, 0, 0);
	REQUIRE_OK(inotify_add_watch(fd, "f", IN_ATTRIB));
	EXPECT_OK(set("f", ACCESS, "u6 u1:4 g4 m4 o0"));
	EXPECT_EQ(read(fd, &ev, sizeof(ev)), sizeof(ev));
	EXPECT_EQ(ev.mask, IN_ATTRIB);
}

TEST(a_read_only_mount_takes_none)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(mkdir("m", 0755));
	if (mount("tmpfs", "m", "tmpfs", 0, NULL) < 0)
		SKIP("no tmpfs");
	file("m/f", 0640, 0, 0);
	EXPECT_OK(set("m/f", ACCESS, "u6 u1:4 g4 m4 o0"));
	REQUIRE_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_ERR(set("m/f", ACCESS, "u6 u1:4 g4 m4 o0"), EROFS);
	EXPECT_ERR(removexattr("m/f", ACCESS), EROFS);
	EXPECT_STR(get("m/f", ACCESS), "u6 u1:4 g4 m4 o0");
}

/* ---- lists and modes ---- */

TEST(a_list_that_is_a_mode_sets_the_mode_alone)
{
	file("f", 0640, 0, 0);
	EXPECT_OK(set("f", ACCESS, "u7 g1 o4"));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("f"), 0714);
	EXPECT_OK(set("f", ACCESS, "u6 u1:4 g4 m7 o0"));
	EXPECT_EQ(mode_of("f"), 0670);
	EXPECT_OK(set("f", ACCESS, "u6 g4 o0"));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("f"), 0640);
	/* A mask makes it a list. */
	EXPECT_OK(set("f", ACCESS, "u6 g4 m6 o0"));
	EXPECT_STR(get("f", ACCESS), "u6 g4 m6 o0");
	EXPECT_EQ(mode_of("f"), 0660);
}

TEST(chmod_changes_the_mask)
{
	int fd;

	file("f", 0640, 0, 0);
	EXPECT_OK(set("f", ACCESS, "u6 u1:7 g4 m6 o0"));
	EXPECT_OK(chmod("f", 0517));
	EXPECT_STR(get("f", ACCESS), "u5 u1:7 g4 m1 o7");
	EXPECT_EQ(mode_of("f"), 0517);
	fd = open("f", O_RDONLY);
	EXPECT_OK(fchmod(fd, 0777));
	EXPECT_STR(get("f", ACCESS), "u7 u1:7 g4 m7 o7");
	EXPECT_OK(chown("f", 12, 13));
	EXPECT_STR(get("f", ACCESS), "u7 u1:7 g4 m7 o7");
	EXPECT_OK(chmod("f", 0777));
	EXPECT_STR(get("f", ACCESS), "u7 u1:7 g4 m7 o7");
}

TEST(a_list_leaves_other_mode_bits_alone)
{
	file("f", 07755, 0, 0);
	EXPECT_OK(set("f", ACCESS, "u6 u1:7 g4 m6 o0"));
	EXPECT_EQ(mode_of("f"), 07660);
	EXPECT_OK(set("f", ACCESS, "u7 g5 o5"));
	EXPECT_EQ(mode_of("f"), 07755);
}

static void owner_sets(void)
{
	become(1000, 1000);
	EXPECT_OK(set("f", ACCESS, "u7 u1:7 g5 m7 o0"));
	EXPECT_OK(set("g", ACCESS, "u7 u1:7 g5 m7 o0"));
	EXPECT_OK(set("h", ACCESS, "u7 g5 o0"));
}

TEST(a_stranger_to_the_group_loses_the_setgid_bit)
{
	file("f", 02755, 1000, 5);
	file("g", 02755, 1000, 1000);
	file("h", 02755, 1000, 5);
	EXPECT_EQ(in_child(owner_sets), 0);
	EXPECT_EQ(mode_of("f"), 0770);
	EXPECT_EQ(mode_of("g"), 02770);
	EXPECT_EQ(mode_of("h"), 0750);
}

TEST(names_and_links_share_the_list)
{
	file("f", 0640, 0, 0);
	EXPECT_OK(set("f", ACCESS, "u6 u1:4 g4 m4 o0"));
	EXPECT_OK(link("f", "g"));
	EXPECT_STR(get("g", ACCESS), "u6 u1:4 g4 m4 o0");
	EXPECT_OK(rename("f", "h"));
	EXPECT_STR(get("h", ACCESS), "u6 u1:4 g4 m4 o0");
	EXPECT_OK(set("h", ACCESS, "u6 u1:2 g4 m6 o0"));
	EXPECT_STR(get("g", ACCESS), "u6 u1:2 g4 m6 o0");
}

/* ---- what lists permit ---- */

static uid_t who_uid;
static gid_t who_gid, who_groups[4];
static int who_ngroups;

/* The rights of somebody to f, as access() has them: "rwx". */
static const char *rights(void)
{
	static char r[4];

	r[0] = access("f", R_OK) ? '-' : 'r';
	r[1] = access("f", W_OK) ? '-' : 'w';
	r[2] = access("f", X_OK) ? '-' : 'x';
	return r;
}

static int pipe_of[2];

static void tell_rights(void)
{
	int rd, wr;

	REQUIRE_OK(setgroups((size_t)who_ngroups, who_groups));
	REQUIRE_OK(setgid(who_gid));
	REQUIRE_OK(setuid(who_uid));
	EXPECT_EQ(write(pipe_of[1], rights(), 3), 3);
	/* open(2) says the same. */
	rd = open("f", O_RDONLY);
	wr = open("f", O_WRONLY);
	EXPECT_EQ(rd >= 0, access("f", R_OK) == 0);
	EXPECT_EQ(wr >= 0, access("f", W_OK) == 0);
	EXPECT_EQ(open("f", O_RDWR) >= 0, access("f", R_OK | W_OK) == 0);
}

/* Of user @uid, group @gid, and up to two more groups. */
static const char *seen_by(uid_t uid, gid_t gid, int n, gid_t g1, gid_t g2)
{
	static char got[4];

	who_uid = uid;
	who_gid = gid;
	who_groups[0] = g1;
	who_groups[1] = g2;
	who_ngroups = n;
	REQUIRE_OK(pipe(pipe_of));
	EXPECT_EQ(in_child(tell_rights), 0);
	memset(got, 0, sizeof(got));
	EXPECT_EQ(read(pipe_of[0], got, 3), 3);
	close(pipe_of[0]);
	close(pipe_of[1]);
	return got;
}

TEST(named_users_have_their_entry_within_the_mask)
{
	file("f", 0600, 1, 1);
	EXPECT_OK(set("f", ACCESS, "u0 u10:7 u11:4 u12:0 g0 m7 o7"));
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "rwx");
	EXPECT_STR(seen_by(11, 99, 0, 0, 0), "r--");
	EXPECT_STR(seen_by(12, 99, 0, 0, 0), "---");
	EXPECT_STR(seen_by(13, 99, 0, 0, 0), "rwx");
	EXPECT_STR(seen_by(1, 1, 0, 0, 0), "---");      /* the owner */
	EXPECT_OK(chmod("f", 0017));                    /* the mask is x now */
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "--x");
	EXPECT_STR(seen_by(11, 99, 0, 0, 0), "---");
	EXPECT_STR(seen_by(13, 99, 0, 0, 0), "rwx");
}

TEST(the_owner_is_asked_first_and_the_mask_is_not_his)
{
	file("f", 0600, 10, 1);
	EXPECT_OK(set("f", ACCESS, "u6 u10:1 g7 m1 o7"));
	EXPECT_STR(seen_by(10, 1, 0, 0, 0), "rw-");
}

TEST(one_matching_group_must_grant_it_all)
{
	file("f", 0600, 1, 20);
	EXPECT_OK(set("f", ACCESS, "u0 g4 g21:2 g22:5 m7 o7"));
	EXPECT_STR(seen_by(10, 20, 0, 0, 0), "r--");
	EXPECT_STR(seen_by(10, 21, 0, 0, 0), "-w-");
	/* Each right by some group, but read and write together by none: tell_rights() asks open for that. */
	EXPECT_STR(seen_by(10, 20, 1, 21, 0), "rw-");
	EXPECT_STR(seen_by(10, 99, 2, 21, 22), "rwx");
	/* Who matches a group is not among the others. */
	EXPECT_OK(set("f", ACCESS, "u0 g0 g21:0 m7 o7"));
	EXPECT_STR(seen_by(10, 99, 1, 21, 0), "---");
	EXPECT_STR(seen_by(10, 20, 0, 0, 0), "---");
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "rwx");
}

TEST(the_owning_group_has_its_entry_within_the_mask)
{
	file("f", 0600, 1, 20);
	EXPECT_OK(set("f", ACCESS, "u0 g6 g21:7 m3 o4"));
	EXPECT_STR(seen_by(10, 20, 0, 0, 0), "-w-");
	EXPECT_STR(seen_by(10, 21, 0, 0, 0), "-wx");
	EXPECT_STR(seen_by(10, 22, 0, 0, 0), "r--");
}

TEST(an_empty_mask_leaves_the_classes_of_the_mode)
{
	file("f", 0600, 1, 20);
	EXPECT_OK(set("f", ACCESS, "u7 u10:7 g7 g21:7 m0 o4"));
	EXPECT_EQ(mode_of("f"), 0704);
	/* Linux doesn't look at the list then. */
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "r--");
	EXPECT_STR(seen_by(11, 20, 0, 0, 0), "---");
	EXPECT_STR(seen_by(11, 21, 0, 0, 0), "r--");
}

static void keep_caps(uint64_t caps)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { 0 } };

	d[0].effective = d[0].permitted = (uint32_t)caps;
	REQUIRE_OK(syscall(SYS_capset, &h, d));
}

static void as_root_without(void)
{
	keep_caps(0);
	EXPECT_ERR(open("f", O_RDONLY), EACCES);
	EXPECT_OK(open("f", O_WRONLY));
}

static void as_searcher(void)
{
	keep_caps(1u << CAP_DAC_READ_SEARCH);
	EXPECT_OK(open("f", O_RDONLY));
	EXPECT_ERR(open("f", O_RDWR), EACCES);
}

static void as_overrider(void)
{
	keep_caps(1u << CAP_DAC_OVERRIDE);
	EXPECT_OK(open("f", O_RDWR));
	EXPECT_ERR(access("f", X_OK), EACCES);
}

TEST(capabilities_override_a_list)
{
	file("f", 0600, 1, 20);
	EXPECT_OK(set("f", ACCESS, "u6 u0:2 g0 m6 o6"));
	EXPECT_EQ(in_child(as_root_without), 0);
	EXPECT_EQ(in_child(as_searcher), 0);
	EXPECT_EQ(in_child(as_overrider), 0);
}

static void searches(void)
{
	struct stat st;

	become(10, 99);
	EXPECT_OK(stat("d/f", &st));
	EXPECT_ERR(open("d", O_RDONLY), EACCES);
	EXPECT_ERR(creat("d/new", 0600), EACCES);
	EXPECT_ERR(stat("closed/f", &st), EACCES);
	EXPECT_OK(creat("writable/new", 0600));
	EXPECT_OK(unlink("writable/new"));
}

TEST(directories_are_searched_and_changed_by_their_list)
{
	file("f", 0644, 0, 0);
	REQUIRE_OK(mkdir("d", 0700));
	REQUIRE_OK(mkdir("closed", 0755));
	REQUIRE_OK(mkdir("writable", 0700));
	REQUIRE_OK(link("f", "d/f"));
	REQUIRE_OK(link("f", "closed/f"));
	EXPECT_OK(set("d", ACCESS, "u7 u10:1 g0 m1 o0"));
	EXPECT_OK(set("closed", ACCESS, "u7 u10:4 g5 m5 o5"));
	EXPECT_OK(set("writable", ACCESS, "u7 u10:3 g0 m7 o0"));
	EXPECT_EQ(in_child(searches), 0);
}

static void changes_seen(void)
{
	become(10, 99);
	EXPECT_ERR(open("f", O_RDONLY), EACCES);
	EXPECT_EQ(write(pipe_of[1], "x", 1), 1);
	while (open("f", O_RDONLY) < 0)
		sched_yield();
}

TEST(a_new_list_counts_at_once)
{
	char c;
	int status;
	pid_t pid;

	file("f", 0600, 0, 0);
	REQUIRE_OK(pipe(pipe_of));
	pid = fork();
	if (pid == 0) {
		changes_seen();
		_exit(test_failures ? 1 : 0);
	}
	EXPECT_EQ(read(pipe_of[0], &c, 1), 1);
	EXPECT_OK(set("f", ACCESS, "u6 u10:4 g0 m4 o0"));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "r--");
	EXPECT_OK(set("f", ACCESS, "u6 u11:4 g0 m4 o0"));
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "---");
	EXPECT_OK(removexattr("f", ACCESS));
	EXPECT_STR(seen_by(11, 99, 0, 0, 0), "---");
}

/* ---- inheritance ---- */

static void make_file(const char *path, unsigned mode)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR, mode);

	EXPECT_OK(fd);
	close(fd);
}

TEST(new_files_inherit_the_default_list_and_umask_does_not_count)
{
	directory("d", "u7 u10:7 g5 m7 o5");
	umask(077);
	make_file("d/a", 0666);
	EXPECT_STR(get("d/a", ACCESS), "u6 u10:7 g5 m6 o4");
	EXPECT_EQ(mode_of("d/a"), 0664);
	EXPECT_STR(get("d/a", DEFAULT), "ENODATA");
	make_file("d/b", 0600);
	EXPECT_STR(get("d/b", ACCESS), "u6 u10:7 g5 m0 o0");
	EXPECT_EQ(mode_of("d/b"), 0600);
	make_file("d/c", 0777);
	EXPECT_STR(get("d/c", ACCESS), "u7 u10:7 g5 m7 o5");
	EXPECT_EQ(mode_of("d/c"), 0775);
}

TEST(new_directories_inherit_it_as_both)
{
	directory("d", "u7 u10:7 g5 m7 o5");
	umask(077);
	EXPECT_OK(mkdir("d/sub", 0751));
	EXPECT_STR(get("d/sub", ACCESS), "u7 u10:7 g5 m5 o1");
	EXPECT_STR(get("d/sub", DEFAULT), "u7 u10:7 g5 m7 o5");
	EXPECT_EQ(mode_of("d/sub"), 0751);
	make_file("d/sub/f", 0666);
	EXPECT_STR(get("d/sub/f", ACCESS), "u6 u10:7 g5 m6 o4");
	EXPECT_OK(mkdir("d/sub/sub", 0777));
	EXPECT_STR(get("d/sub/sub", DEFAULT), "u7 u10:7 g5 m7 o5");
}

TEST(a_default_list_of_three_entries_leaves_modes_only)
{
	directory("d", "u6 g4 o1");
	umask(0777);
	make_file("d/a", 0777);
	EXPECT_STR(get("d/a", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("d/a"), 0641);
	EXPECT_OK(mkdir("d/sub", 0770));
	EXPECT_STR(get("d/sub", ACCESS), "ENODATA");
	EXPECT_STR(get("d/sub", DEFAULT), "u6 g4 o1");
	EXPECT_EQ(mode_of("d/sub"), 0640);
}

TEST(without_a_default_list_umask_counts)
{
	directory("d", "u7 u10:7 g5 m7 o5");
	EXPECT_OK(removexattr("d", DEFAULT));
	EXPECT_OK(set("d", ACCESS, "u7 u10:7 g7 m7 o7"));
	umask(027);
	make_file("d/a", 0666);
	EXPECT_STR(get("d/a", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("d/a"), 0640);
	EXPECT_OK(mkdir("d/sub", 0777));
	EXPECT_STR(get("d/sub", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("d/sub"), 0750);
}

TEST(nodes_sockets_and_nameless_files_inherit_and_symlinks_do_not)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "d/sock" };
	char proc[32];
	int fd;

	directory("d", "u7 u10:7 g5 m7 o5");
	umask(077);
	EXPECT_OK(mknod("d/fifo", S_IFIFO | 0666, 0));
	EXPECT_STR(get("d/fifo", ACCESS), "u6 u10:7 g5 m6 o4");
	EXPECT_OK(mknod("d/reg", S_IFREG | 0620, 0));
	EXPECT_STR(get("d/reg", ACCESS), "u6 u10:7 g5 m2 o0");
	EXPECT_OK(symlink("fifo", "d/link"));
	EXPECT_EQ(mode_of("d/link"), 0777);
	/* bind(2) heeds the umask before the list is asked. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	EXPECT_OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	EXPECT_STR(get("d/sock", ACCESS), "u7 u10:7 g5 m0 o0");
	EXPECT_EQ(mode_of("d/sock"), 0700);
	fd = open("d", O_TMPFILE | O_RDWR, 0644);
	if (fd < 0 && errno == EOPNOTSUPP)
		return;
	REQUIRE_OK(fd);
	sprintf(proc, "/proc/self/fd/%d", fd);
	EXPECT_OK(linkat(AT_FDCWD, proc, AT_FDCWD, "d/named", AT_SYMLINK_FOLLOW));
	EXPECT_STR(get("d/named", ACCESS), "u6 u10:7 g5 m4 o4");
	EXPECT_EQ(mode_of("d/named"), 0644);
}

TEST(a_setgid_directory_gives_its_group_and_its_list)
{
	struct stat st;

	directory("d", "u7 u10:7 g5 m7 o5");
	REQUIRE_OK(chown("d", 0, 33));
	REQUIRE_OK(chmod("d", 02777));
	EXPECT_STR(get("d", DEFAULT), "u7 u10:7 g5 m7 o5");
	EXPECT_OK(mkdir("d/sub", 0770));
	REQUIRE_OK(stat("d/sub", &st));
	EXPECT_EQ(st.st_gid, 33);
	EXPECT_EQ(st.st_mode & 07777, 02770);
	EXPECT_STR(get("d/sub", ACCESS), "u7 u10:7 g5 m7 o0");
}

TEST(what_is_moved_or_linked_inherits_nothing)
{
	directory("d", "u7 u10:7 g5 m7 o5");
	file("f", 0640, 0, 0);
	file("g", 0640, 0, 0);
	EXPECT_OK(rename("f", "d/f"));
	EXPECT_OK(link("g", "d/g"));
	EXPECT_STR(get("d/f", ACCESS), "ENODATA");
	EXPECT_STR(get("d/g", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("d/f"), 0640);
}

/* ---- overlays ---- */

/* Of low and up on a tmpfs, mounted at m; the rest of @prepare's work is done in low. */
static void overlay(void (*prepare)(void))
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		SKIP("no mount namespace");
	REQUIRE_OK(chmod(".", 0755));
	REQUIRE_OK(mkdir("t", 0755));
	REQUIRE_OK(mount("t", "t", "tmpfs", 0, "mode=755"));
	REQUIRE_OK(chdir("t"));
	REQUIRE_OK(mkdir("low", 0755));
	REQUIRE_OK(mkdir("up", 0755));
	REQUIRE_OK(mkdir("wk", 0755));
	REQUIRE_OK(mkdir("m", 0755));
	REQUIRE_OK(chdir("low"));
	prepare();
	REQUIRE_OK(chdir(".."));
	if (mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=wk") < 0)
		SKIP("no overlay here");
	REQUIRE_OK(chdir("m"));
}

static void files_below(void)
{
	put_file("f", "f");
	put_file("plain", "f");
	if (set("f", ACCESS, "u6 u10:6 g0 m4 o0") < 0 && errno == EOPNOTSUPP)
		SKIP("no lists on this tmpfs");
}

TEST(an_overlay_shows_and_obeys_the_lists_below)
{
	overlay(files_below);
	EXPECT_STR(get("f", ACCESS), "u6 u10:6 g0 m4 o0");
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "r--");
	EXPECT_STR(seen_by(11, 99, 0, 0, 0), "---");
	EXPECT_STR(get("plain", ACCESS), "ENODATA");
	EXPECT_ERR(removexattr("plain", ACCESS), ENODATA);
	EXPECT_ERR(access("../up/plain", F_OK), ENOENT);
}

TEST(a_copy_of_an_overlay_has_its_list)
{
	overlay(files_below);
	EXPECT_OK(chmod("f", 0660));
	EXPECT_STR(get("f", ACCESS), "u6 u10:6 g0 m6 o0");
	EXPECT_STR(get("../up/f", ACCESS), "u6 u10:6 g0 m6 o0");
	EXPECT_STR(get("../low/f", ACCESS), "u6 u10:6 g0 m4 o0");
	EXPECT_STR(seen_by(10, 99, 0, 0, 0), "rw-");
	EXPECT_OK(set("plain", ACCESS, "u6 u10:2 g0 m2 o0"));
	EXPECT_STR(get("plain", ACCESS), "u6 u10:2 g0 m2 o0");
	EXPECT_EQ(mode_of("plain"), 0620);
	EXPECT_STR(get("../low/plain", ACCESS), "ENODATA");
	EXPECT_OK(removexattr("f", ACCESS));
	EXPECT_OK(removexattr("f", ACCESS));
	EXPECT_STR(get("f", ACCESS), "ENODATA");
}

static void directory_below(void)
{
	directory("d", "u7 u10:7 g5 m7 o5");
	umask(022);
	REQUIRE_OK(removexattr("d", DEFAULT));
	put_file("d/x", "x");
	put_file("d/plain", "plain");
	REQUIRE_OK(mkdir("d/sub", 0755));
	REQUIRE_OK(set("d", DEFAULT, "u7 u10:7 g5 m7 o5"));
}

TEST(new_entries_of_an_overlay_inherit_and_copies_do_not)
{
	overlay(directory_below);
	umask(077);
	EXPECT_OK(chmod("d/plain", 0641));
	EXPECT_STR(get("d/plain", ACCESS), "ENODATA");
	EXPECT_EQ(mode_of("d/plain"), 0641);
	EXPECT_STR(get("d", DEFAULT), "u7 u10:7 g5 m7 o5");
	make_file("d/new", 0666);
	EXPECT_STR(get("d/new", ACCESS), "u6 u10:7 g5 m6 o4");
	/* Over what was below. */
	EXPECT_OK(unlink("d/x"));
	make_file("d/x", 0606);
	EXPECT_STR(get("d/x", ACCESS), "u6 u10:7 g5 m0 o4");
	EXPECT_EQ(mode_of("d/x"), 0604);
	EXPECT_OK(rmdir("d/sub"));
	EXPECT_OK(mkdir("d/sub", 0777));
	EXPECT_STR(get("d/sub", ACCESS), "u7 u10:7 g5 m7 o5");
	EXPECT_STR(get("d/sub", DEFAULT), "u7 u10:7 g5 m7 o5");
	EXPECT_OK(symlink("x", "d/link"));
	EXPECT_OK(rename("d/new", "moved"));
	EXPECT_STR(get("moved", ACCESS), "u6 u10:7 g5 m6 o4");
}

/* ---- user namespaces ---- */

static void write_map(const char *what, const char *text)
{
	int fd = open(what, O_WRONLY);

	REQUIRE_OK(fd);
	REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void in_user_ns(void)
{
	char path[64];
	int go[2], ready[2], status;
	char c = 0;
	pid_t pid;

	REQUIRE_OK(pipe(go));
	REQUIRE_OK(pipe(ready));
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) < 0)
			_exit(TEST_EXIT_SKIP);
		EXPECT_EQ(write(ready[1], &c, 1), 1);
		EXPECT_EQ(read(go[0], &c, 1), 1);
		EXPECT_STR(get("f", ACCESS), "u6 u5:4 u-1:6 g4 g6:2 m6 o0");
		EXPECT_ERR(set("f", ACCESS, "u6 u50:4 g4 m4 o0"), EINVAL);
		EXPECT_OK(set("f", ACCESS, "u6 u7:4 g4 m4 o0"));
		_exit(test_failures ? 1 : 0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) == 1) {
		sprintf(path, "/proc/%d/uid_map", pid);
		write_map(path, "0 0 1\n1 101 10\n");
		sprintf(path, "/proc/%d/gid_map", pid);
		write_map(path, "0 0 1\n1 201 10\n");
		EXPECT_EQ(write(go[1], &c, 1), 1);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	_exit(test_failures ? TEST_EXIT_FAIL : WEXITSTATUS(status));
}

TEST(ids_are_those_of_the_user_namespace)
{
	int r;

	file("f", 0640, 0, 0);
	EXPECT_OK(set("f", ACCESS, "u6 u105:4 u50:6 g4 g206:2 m6 o0"));
	r = in_child(in_user_ns);
	if (r == TEST_EXIT_SKIP)
		SKIP("no user namespaces");
	EXPECT_EQ(r, 0);
	EXPECT_STR(get("f", ACCESS), "u6 u107:4 g4 m4 o0");
}

TEST_MAIN()
