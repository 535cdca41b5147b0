/*
 * mountpoints.c - make what is missing in a root that the sandbox may not write to: mount points, the working directory, and
 * files for the devices that are not in /dev.
 *
 * Elsewhere the sandbox makes them itself.  Here the gofer refuses every change, so the launcher does it, as
 * runc would: one component at a time below the root's descriptor, resolved with RESOLVE_IN_ROOT, so that a symlink of the
 * image cannot lead out.  What cannot be made is reported by the sandbox when it mounts there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "platform/base/str.h"
#include "runsc-cli/setup/roots.h"
#include "runsc-cli/setup/sys.h"

#define IN_ROOT (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)

static int open_in(int root, const char *path)
{
	return setup_openat2(root, path, O_PATH | O_CLOEXEC, IN_ROOT);
}

/* The last component of @path, in the directory that the rest of it names. */
static int make_one(int root, const char *path, bool dir)
{
	char parent[PATH_MAX], *slash;
	int fd, r;

	if (!str_copy(parent, sizeof(parent), path))
		return -ENAMETOOLONG;
	slash = strrchr(parent, '/');
	*slash = 0;
	fd = open_in(root, *parent ? parent : "/");
	if (fd < 0)
		return fd;
	if (dir)
		r = mkdirat(fd, slash + 1, 0755);
	else
		r = openat(fd, slash + 1, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (r < 0 && errno != EEXIST)
		r = -errno;
	else if (!dir && r >= 0)
		r = close(r);
	close(fd);
	return r;
}

static void make_path(int root, const char *dest, bool is_dir)
{
	char path[PATH_MAX];

	if (!str_copy(path, sizeof(path), dest) || strstr(path, ".."))
		return;
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = 0;
	for (char *p = path + 1; ; p++) {
		char c = *p;
		int fd;

		if (c != '/' && c)
			continue;
		*p = 0;
		fd = open_in(root, path);
		if (fd >= 0)
			close(fd);
		else if (fd != -ENOENT || make_one(root, path, c || is_dir) < 0)
			return;
		if (!c)
			return;
		*p = c;
	}
}

/* Is @dest below one of the first @n mounts, whose own file system will hold it? */
static bool covered(const struct oci_spec *s, u32 n, const char *dest)
{
	for (u32 j = 0; j < n; j++) {
		const char *d = s->mounts[j].destination;
		size_t len = strlen(d);

		if (len > 1 && strncmp(dest, d, len) == 0 && dest[len] == '/')
			return true;
	}
	return false;
}

/* And /dev is the sandbox's own in any case. */
static bool in_root(const struct oci_spec *s, const char *path)
{
	return path[0] == '/' && strncmp(path, "/dev/", 5) != 0 && !covered(s, s->nmounts, path);
}

void mountpoints_make(const struct oci_spec *s, const struct roots *roots)
{
	int root = roots_open(&roots->v[0]);

	if (root < 0)
		return;
	for (u32 i = 0; i < s->nmounts; i++) {
		int k = roots->of_mount[i];

		if (!covered(s, i, s->mounts[i].destination))
			make_path(root, s->mounts[i].destination, k < 0 || roots->v[k].is_dir);
	}
	for (u32 i = 0; i < s->ndevices; i++)
		if (in_root(s, s->devices[i].path))
			make_path(root, s->devices[i].path, false);
	if (in_root(s, s->process.cwd))
		make_path(root, s->process.cwd, true);
	make_path(root, "/dev", true);
	close(root);
}
