/* upper.c - see upper.h. */
#include "runsc-cli/setup/upper.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "runsc-cli/setup/sys.h"

#define LOCK_TRIES 40                   /* of 50 ms: the gofer of one that was just killed */

static bool lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == 0 || dir[n - 1] == '/');
}

static int lock(struct cli *cli, int fd, const char *path)
{
	static const struct timespec pause = { 0, 50 * 1000 * 1000 };

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK)
			return err_sys(&cli->err, -errno, "--overlay=dir: cannot lock %s", path);
		if (i == LOCK_TRIES)
			return err_set(&cli->err, -EBUSY, "--overlay=dir: %s is in use by another sandbox; "
			               "each needs a directory of its own", path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int open_part(struct cli *cli, int dir, const char *path, const char *name)
{
	int fd = setup_openat2(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	struct stat a, b;

	if (fd == -ELOOP || fd == -ENOTDIR)
		return err_set(&cli->err, -ENOTDIR, "--overlay=dir: %s/%s is not a directory", path, name);
	if (fd < 0)
		return err_sys(&cli->err, fd, "--overlay=dir: cannot open %s/%s", path, name);
	/* A mount there would keep renames from being one step. */
	if (fstat(dir, &a) < 0 || fstat(fd, &b) < 0 || a.st_dev != b.st_dev) {
		close(fd);
		return err_set(&cli->err, -EXDEV, "--overlay=dir: %s/%s is on another file system than %s", path, name, path);
	}
	return fd;
}

/* The root that the container sees is upper's: it begins as that of the root file system. */
static int make_upper(struct cli *cli, int dir, const struct roots *roots, const char *path)
{
	int root, fd, r = 0;
	struct stat st;

	if (mkdirat(dir, "upper", 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(&cli->err, -errno, "--overlay=dir: cannot make %s/upper", path);
	root = roots_open(&roots->v[0]);
	fd = open_part(cli, dir, path, "upper");
	if (root < 0 || fd < 0 || fstat(root, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(fd, st.st_mode & 07777) < 0)
		r = err_sys(&cli->err, errno ? -errno : -EIO, "--overlay=dir: cannot make %s/upper like %s", path, roots->v[0].path);
	if (root >= 0)
		close(root);
	if (fd >= 0)
		close(fd);
	return r;
}

/* What an upper layer needs of its file system. */
static int probe(struct cli *cli, int work, const char *path)
{
	char v;

	(void)unlinkat(work, "probe", 0);
	if (mknodat(work, "probe", S_IFCHR | 0600, 0) < 0)
		return err_sys(&cli->err, -errno, "--overlay=dir: the file system of %s does not take whiteouts "
		               "(is it read-only, or an overlay itself?)", path);
	if (unlinkat(work, "probe", 0) < 0)
		return err_sys(&cli->err, -errno, "--overlay=dir: cannot write to %s/work", path);
	if (fgetxattr(work, "user.overlay.opaque", &v, 1) < 0 && errno == EOPNOTSUPP)
		return err_set(&cli->err, -EOPNOTSUPP, "--overlay=dir: the file system of %s has no user.* extended attributes",
		               path);
	return 0;
}

static int fill(struct cli *cli, int dir, const struct roots *roots, const char *path)
{
	int r = make_upper(cli, dir, roots, path), fd;

	if (r < 0)
		return r;
	if (mkdirat(dir, "work", 0700) < 0 && errno != EEXIST)
		return err_sys(&cli->err, -errno, "--overlay=dir: cannot make %s/work", path);
	fd = open_part(cli, dir, path, "upper");
	if (fd < 0)
		return fd;
	close(fd);
	fd = open_part(cli, dir, path, "work");
	if (fd < 0)
		return fd;
	r = probe(cli, fd, path);
	close(fd);
	return r;
}

int upper_prepare(struct cli *cli, struct roots *roots)
{
	const char *given = cli->overlay + strlen("dir=");
	struct root_src *u = &roots->v[roots->n];
	struct stat st;
	int fd, r;

	if (roots->n == ROOTS_MAX)
		return err_set(&cli->err, -E2BIG, "--overlay=dir: more than %d bind mounts", ROOTS_MAX - 2);
	if (!realpath(given, u->path))
		return err_sys(&cli->err, -errno, "--overlay=dir: cannot find %s; it must exist", given);
	fd = setup_openat2(AT_FDCWD, u->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	                   RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd == -ENOTDIR)
		return err_set(&cli->err, fd, "--overlay=dir: %s is not a directory", u->path);
	if (fd < 0)
		return err_sys(&cli->err, fd, "--overlay=dir: cannot open %s", u->path);
	roots->lock_fd = fd;
	if (lies_in(u->path, roots->v[0].path) && strcmp(roots->v[0].path, "/") != 0)
		return err_set(&cli->err, -EINVAL, "--overlay=dir: %s is inside of the root file system %s", u->path,
		               roots->v[0].path);
	if (lies_in(roots->v[0].path, u->path))
		return err_set(&cli->err, -EINVAL, "--overlay=dir: the root file system %s is inside of %s", roots->v[0].path,
		               u->path);
	r = lock(cli, fd, u->path);
	if (r == 0)
		r = fill(cli, fd, roots, u->path);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return err_sys(&cli->err, -errno, "--overlay=dir: cannot stat %s", u->path);
	u->dev = st.st_dev;
	u->ino = st.st_ino;
	u->is_dir = true;
	u->readonly = false;
	roots->upper = (int)roots->n++;
	return 0;
}
