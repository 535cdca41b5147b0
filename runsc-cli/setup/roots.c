/* roots.c - see roots.h. */
#include "runsc-cli/setup/roots.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "runsc-cli/setup/sys.h"
#include "runsc-cli/setup/upper.h"

static int resolve(struct cli *cli, const char *bundle, const char *path, const char *what, struct root_src *ret)
{
	char full[PATH_MAX];
	struct stat st;
	int fd;

	if (snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : bundle, path[0] == '/' ? "" : "/", path)
	    >= (int)sizeof(full))
		return err_set(&cli->err, -ENAMETOOLONG, "%s: the path is too long", what);
	if (!realpath(full, ret->path))
		return err_sys(&cli->err, -errno, "%s: cannot find %s", what, full);
	fd = setup_openat2(AT_FDCWD, ret->path, O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return err_sys(&cli->err, fd, "%s: cannot open %s", what, ret->path);
	if (fstat(fd, &st) < 0) {
		int e = -errno;

		close(fd);
		return err_sys(&cli->err, e, "%s: cannot stat %s", what, ret->path);
	}
	close(fd);
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->is_dir = S_ISDIR(st.st_mode);
	return 0;
}

/* Its own mappings, or those of the container. */
static int open_idmap(struct cli *cli, const struct oci_mount *m, const char *what, const struct ids *ids, struct root_src *ret)
{
	if (!(m->flags & OCI_MNT_IDMAP))
		return 0;
	ret->idmap_rec = m->flags & OCI_MNT_IDMAP_REC;
	if (m->ids.nuid)
		ret->idmap = ids_make(cli, what, &m->ids);
	else if (ids->ns_fd < 0)
		return err_set(&cli->err, -EINVAL, "%s: the option idmap needs uidMappings and gidMappings, of the mount or of a user namespace "
		               "of the container", what);
	else
		ret->idmap = fcntl(ids->ns_fd, F_DUPFD_CLOEXEC, 3);
	return ret->idmap < 0 && !cli->err.code ? err_sys(&cli->err, -errno, "%s: cannot copy a descriptor", what) : MIN(ret->idmap, 0);
}

void roots_done(struct roots *r)
{
	for (u32 i = 0; i < r->n; i++)
		if (r->v[i].idmap >= 0)
			close(r->v[i].idmap);
	if (r->ids.ns_fd >= 0)
		close(r->ids.ns_fd);
	if (r->lock_fd >= 0)
		close(r->lock_fd);
}

int roots_resolve(struct cli *cli, const struct oci_spec *s, const char *bundle, struct roots *ret)
{
	int r;

	for (u32 i = 0; i < ROOTS_MAX; i++)
		ret->v[i].idmap = -1;
	ret->n = 1;
	ret->v[0].readonly = s->root_readonly || cli_overlay(cli);
	r = resolve(cli, bundle, s->root_path, "root.path", &ret->v[0]);
	if (r < 0)
		return r;
	if (!ret->v[0].is_dir)
		return err_set(&cli->err, -ENOTDIR, "root.path: %s is not a directory", ret->v[0].path);
	for (u32 i = 0; i < s->nmounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		char what[64];

		ret->of_mount[i] = -1;
		if (!(m->flags & OCI_MNT_BIND))
			continue;
		if (ret->n == ROOTS_MAX)
			return err_set(&cli->err, -E2BIG, "mounts[%u]: more than %d bind mounts", i, ROOTS_MAX - 1);
		snprintf(what, sizeof(what), "mounts[%u].source", i);
		ret->v[ret->n].readonly = m->flags & OCI_MNT_RDONLY;
		r = resolve(cli, bundle, m->source, what, &ret->v[ret->n]);
		if (r < 0)
			return r;
		ret->of_mount[i] = (int)ret->n++;
		snprintf(what, sizeof(what), "mounts[%u]", i);
		r = open_idmap(cli, m, what, &ret->ids, &ret->v[ret->n - 1]);
		if (r < 0)
			return r;
	}
	return cli_overlay_dir(cli) ? upper_prepare(cli, ret) : 0;
}

int roots_open(const struct root_src *r)
{
	struct stat st;
	int fd = setup_openat2(AT_FDCWD, r->path, O_PATH | O_CLOEXEC, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_dev != r->dev || st.st_ino != r->ino) {
		close(fd);
		return -EXDEV;
	}
	return fd;
}
