/*
 * sysctls.c - linux.sysctl: settings of the sandbox's kernel, written through its /proc/sys.
 *
 * One that cannot be had fails the creation, as under runc, unless it has the value already: some are constants here.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "platform/base/str.h"
#include "sentry/boot/boot_int.h"

#define VALUE_MAX 256

static int path_of(const char *key, char *path, size_t cap)
{
	size_t n = strlen("/proc/sys/");

	if (!str_copy(path, cap, "/proc/sys/") || !str_copy(path + n, cap - n, key))
		return -ENAMETOOLONG;
	for (char *p = path + n; *p; p++)
		if (*p == '.')
			*p = '/';
	return 0;
}

static int write_value(struct boot *b, const char *path, const char *value)
{
	struct iobuf io;
	struct file *f;
	ssize_t n;
	int r = vfs_open(b->hands, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0, 0, &f);

	if (r < 0)
		return r;
	iobuf_kernel(&io, (void *)value, strlen(value));
	n = file_write(b->hands, f, &io, NULL, false);
	file_unref(f);
	return n < 0 ? (int)n : 0;
}

/* Numbers are parted by blanks of any kind. */
static bool same_words(const char *a, const char *b)
{
	static const char blank[] = " \t\n";

	for (;;) {
		size_t n, m;

		a += strspn(a, blank);
		b += strspn(b, blank);
		n = strcspn(a, blank);
		m = strcspn(b, blank);
		if (n != m || memcmp(a, b, n) != 0)
			return false;
		if (!n)
			return true;
		a += n;
		b += m;
	}
}

static bool has_value(struct boot *b, const char *path, const char *value)
{
	char now[VALUE_MAX];
	struct iobuf io;
	struct file *f;
	ssize_t n;

	if (vfs_open(b->hands, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0, 0, &f) < 0)
		return false;
	iobuf_kernel(&io, now, sizeof(now) - 1);
	n = file_read(b->hands, f, &io, NULL, true);
	file_unref(f);
	now[MAX(n, (ssize_t)0)] = 0;
	return n > 0 && same_words(now, value);
}

static int refuse(struct boot *b, const struct boot_pair *s, int r)
{
	struct path at;

	if (vfs_lookup(b->hands, AT_FDCWD, "/proc/sys", LOOKUP_FOLLOW, &at) < 0)
		return boot_fail(b, r, "linux.sysctl: cannot set %s: the container has no /proc/sys; add a mount of type proc", s->key);
	path_put(&at);
	return boot_fail(b, r, "linux.sysctl: cannot set %s=%s: %s; the sandbox's kernel %s, take it out of linux.sysctl", s->key, s->value,
	                 strerror(-r), r == -ENOENT ? "has no such setting" : "does not let it be set to that");
}

int boot_sysctls(struct boot *b)
{
	for (u32 i = 0; i < b->cfg->nsysctl; i++) {
		const struct boot_pair *s = &b->cfg->sysctl[i];
		char path[VALUE_MAX];
		int r = path_of(s->key, path, sizeof(path));

		if (r < 0)
			return refuse(b, s, r);
		r = write_value(b, path, s->value);
		if (r < 0 && !has_value(b, path, s->value))
			return refuse(b, s, r);
	}
	return 0;
}
