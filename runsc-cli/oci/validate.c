/*
 * validate.c - does the bundle hold what config.json names?
 *
 * These checks give early and clear errors only; the set-up opens everything again by
 * descriptor and trusts nothing seen here.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "runsc-cli/oci/spec.h"

static int check_rootfs(const struct oci_spec *s, const char *bundle, struct err *err)
{
	char path[PATH_MAX * 2];
	struct stat st;

	snprintf(path, sizeof(path), "%s%s%s", s->root_path[0] == '/' ? "" : bundle,
	         s->root_path[0] == '/' ? "" : "/", s->root_path);
	if (stat(path, &st) < 0)
		return err_sys(err, -errno, "root.path: cannot find the root file system %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, -ENOTDIR, "root.path: %s is not a directory", path);
	return 0;
}

static int check_binds(const struct oci_spec *s, const char *bundle, struct err *err)
{
	for (u32 i = 0; i < s->nmounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		char path[PATH_MAX * 2];
		struct stat st;

		if (!(m->flags & OCI_MNT_BIND))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", m->source[0] == '/' ? "" : bundle,
		         m->source[0] == '/' ? "" : "/", m->source);
		if (stat(path, &st) < 0)
			return err_sys(err, -errno, "mounts[%u]: cannot find %s, the source of the bind mount on %s",
			               i, path, m->destination);
	}
	return 0;
}

/* An image that has a link where /proc belongs would be mounted somewhere else, and runc refuses it. */
static int check_ordinary(const struct oci_spec *s, const char *bundle, struct err *err)
{
	for (u32 i = 0; i < s->nmounts; i++) {
		const struct oci_mount *m = &s->mounts[i];
		char path[PATH_MAX * 2];
		struct stat st;

		if (strcmp(m->type, "proc") != 0 && strcmp(m->type, "sysfs") != 0)
			continue;
		snprintf(path, sizeof(path), "%s%s%s%s", s->root_path[0] == '/' ? "" : bundle,
		         s->root_path[0] == '/' ? "" : "/", s->root_path, m->destination);
		if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
			return err_set(err, -EINVAL, "mounts[%u]: %s must be mounted on ordinary directory, and %s is a link", i,
			               m->type, m->destination);
	}
	return 0;
}

int spec_validate(const struct oci_spec *s, const char *bundle, struct err *err)
{
	int r;

	if (!s->has_process)
		return err_set(err, -EINVAL, "config.json has no process; csandbox has nothing to run");
	/* Linux refuses the combination, and with it runc. */
	if (s->process.sched.policy == OCI_SCHED_DEADLINE && s->res.cpus && *s->res.cpus)
		return err_set(err, -EPERM, "process scheduler can't be used together with AllowedCPUs");
	r = check_rootfs(s, bundle, err);
	if (r == 0)
		r = check_ordinary(s, bundle, err);
	return r < 0 ? r : check_binds(s, bundle, err);
}
