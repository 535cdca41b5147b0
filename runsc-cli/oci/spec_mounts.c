/*
 * spec_mounts.c - mounts: what appears where in the container.
 *
 * Options are Linux's mount options: those of the table become flags, the
 * rest is data for the file system.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include "runsc-cli/oci/spec.h"

static const struct {
	const char *name;
	u32 set, clear;
} options[] = {
	{ "bind", OCI_MNT_BIND, 0 },
	{ "rbind", OCI_MNT_BIND | OCI_MNT_REC, 0 },
	{ "ro", OCI_MNT_RDONLY, 0 },
	{ "rw", 0, OCI_MNT_RDONLY },
	{ "rro", OCI_MNT_RDONLY, 0 },
	{ "rrw", 0, OCI_MNT_RDONLY },
	{ "nosuid", OCI_MNT_NOSUID, 0 },
	{ "rnosuid", OCI_MNT_NOSUID, 0 },
	{ "suid", 0, OCI_MNT_NOSUID },
	{ "rsuid", 0, OCI_MNT_NOSUID },
	{ "nodev", OCI_MNT_NODEV, 0 },
	{ "rnodev", OCI_MNT_NODEV, 0 },
	{ "dev", 0, OCI_MNT_NODEV },
	{ "rdev", 0, OCI_MNT_NODEV },
	{ "noexec", OCI_MNT_NOEXEC, 0 },
	{ "rnoexec", OCI_MNT_NOEXEC, 0 },
	{ "exec", 0, OCI_MNT_NOEXEC },
	{ "rexec", 0, OCI_MNT_NOEXEC },
	{ "noatime", OCI_MNT_NOATIME, 0 },
	{ "rnoatime", OCI_MNT_NOATIME, 0 },
	{ "atime", 0, OCI_MNT_NOATIME },
	{ "ratime", 0, OCI_MNT_NOATIME },
	{ "nodiratime", OCI_MNT_NODIRATIME, 0 },
	{ "diratime", 0, OCI_MNT_NODIRATIME },
	{ "rnodiratime", OCI_MNT_NODIRATIME, 0 },
	{ "rdiratime", 0, OCI_MNT_NODIRATIME },
	{ "relatime", OCI_MNT_RELATIME, 0 },
	{ "norelatime", 0, OCI_MNT_RELATIME },
	{ "rrelatime", OCI_MNT_RELATIME, 0 },
	{ "rnorelatime", 0, OCI_MNT_RELATIME },
	{ "strictatime", 0, OCI_MNT_NOATIME | OCI_MNT_RELATIME },
	{ "rstrictatime", 0, OCI_MNT_NOATIME | OCI_MNT_RELATIME },
	{ "nostrictatime", 0, 0 }, { "rnostrictatime", 0, 0 },
	{ "tmpcopyup", OCI_MNT_TMPCOPYUP, 0 },
	{ "async", 0, 0 }, { "sync", 0, 0 }, { "dirsync", 0, 0 }, { "defaults", 0, 0 }, { "remount", 0, 0 },
	{ "private", OCI_PROP_PRIVATE, OCI_PROP_MASK & ~OCI_PROP_PRIVATE },
	{ "rprivate", OCI_PROP_PRIVATE | OCI_PROP_REC, OCI_PROP_MASK & ~(OCI_PROP_PRIVATE | OCI_PROP_REC) },
	{ "shared", OCI_PROP_SHARED, OCI_PROP_MASK & ~OCI_PROP_SHARED },
	{ "rshared", OCI_PROP_SHARED | OCI_PROP_REC, OCI_PROP_MASK & ~(OCI_PROP_SHARED | OCI_PROP_REC) },
	{ "slave", OCI_PROP_SLAVE, OCI_PROP_MASK & ~OCI_PROP_SLAVE },
	{ "rslave", OCI_PROP_SLAVE | OCI_PROP_REC, OCI_PROP_MASK & ~(OCI_PROP_SLAVE | OCI_PROP_REC) },
	{ "unbindable", OCI_PROP_UNBINDABLE, OCI_PROP_MASK & ~OCI_PROP_UNBINDABLE },
	{ "runbindable", OCI_PROP_UNBINDABLE | OCI_PROP_REC, OCI_PROP_MASK & ~(OCI_PROP_UNBINDABLE | OCI_PROP_REC) },
	{ "mand", 0, 0 }, { "nomand", 0, 0 }, { "loud", 0, 0 }, { "silent", 0, 0 },
	{ "iversion", 0, 0 }, { "noiversion", 0, 0 }, { "lazytime", 0, 0 }, { "nolazytime", 0, 0 },
	{ "idmap", OCI_MNT_IDMAP, OCI_MNT_IDMAP_REC }, { "ridmap", OCI_MNT_IDMAP | OCI_MNT_IDMAP_REC, 0 },
	{ "nosymfollow", OCI_MNT_NOSYMFOLLOW, 0 }, { "symfollow", 0, OCI_MNT_NOSYMFOLLOW },
	{ "rnosymfollow", OCI_MNT_NOSYMFOLLOW, 0 }, { "rsymfollow", 0, OCI_MNT_NOSYMFOLLOW },
	{ "copy", 0, 0 }, { "nocopy", 0, 0 },
};

u32 mount_option_names(const char **ret, u32 cap)
{
	u32 n = 0;

	for (; n < ARRAY_SIZE(options) && n < cap; n++)
		ret[n] = options[n].name;
	return n;
}

static bool apply_option(struct oci_mount *m, const char *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (strcmp(o, options[i].name) != 0)
			continue;
		m->flags = (m->flags | options[i].set) & ~options[i].clear;
		return true;
	}
	return false;
}

int mount_propagation(const char *name, u32 *ret)
{
	struct oci_mount m = { 0 };

	if (!apply_option(&m, name) || !(m.flags & OCI_PROP_MASK) || (m.flags & ~(u32)OCI_PROP_MASK))
		return -EINVAL;
	*ret = m.flags;
	return 0;
}

static int parse_options(const struct jnode *n, struct oci_mount *m)
{
	const char **v = NULL;
	size_t len = 1;
	char *data;
	u32 cnt = 0;
	int r = j_strv(n, "options", &v, &cnt);

	m->data = "";
	if (r <= 0)
		return r;
	for (u32 i = 0; i < cnt; i++)
		len += strlen(v[i]) + 1;
	if (len > 65536)
		return j_fail(n, -E2BIG, "options take %zu bytes, at most 64 KiB make sense", len);
	data = pool_alloc(n->doc->pool, len, 1);
	if (!data)
		return j_nomem(n);
	for (u32 i = 0; i < cnt; i++) {
		size_t at = strlen(data);

		if (apply_option(m, v[i]))
			continue;
		if (strncmp(v[i], "idmap=", 6) == 0 || strncmp(v[i], "ridmap=", 7) == 0)
			return j_fail(n, -EINVAL, "options[%u]: \"%.64s\": give the mappings as uidMappings and gidMappings of the mount", i, v[i]);
		if (at)
			data[at++] = ',';
		memcpy(data + at, v[i], strlen(v[i]) + 1);
	}
	m->data = data;
	return 0;
}

static int parse_mount(const struct jnode *n, struct oci_mount *m)
{
	const char *d = "";
	int r;

	m->type = m->source = "";
	r = j_str(n, "destination", &d);
	if (r >= 0)
		r = j_str(n, "type", &m->type);
	if (r >= 0)
		r = j_str(n, "source", &m->source);
	if (r >= 0)
		r = parse_options(n, m);
	if (r < 0)
		return r;
	if (!*d)
		return j_fail(n, -EINVAL, "destination is missing; give the path inside the container");
	if (strlen(d) >= PATH_MAX)
		return j_fail(n, -ENAMETOOLONG, "destination is %zu bytes long, at most %d fit", strlen(d), PATH_MAX - 1);
	if (*d != '/') {
		/* Like runc: relative to the root. */
		char *abs = pool_alloc(n->doc->pool, strlen(d) + 2, 1);

		if (!abs)
			return j_nomem(n);
		abs[0] = '/';
		memcpy(abs + 1, d, strlen(d));
		d = abs;
	}
	m->destination = d;
	if (strcmp(m->type, "bind") == 0 || strcmp(m->type, "none") == 0)
		m->flags |= OCI_MNT_BIND;
	if (m->flags & OCI_MNT_BIND) {
		m->type = "";
		if (!*m->source)
			return j_fail(n, -EINVAL, "a bind mount on %s needs a source", d);
	} else if (!*m->type) {
		return j_fail(n, -EINVAL, "type is missing for %s; for a host directory add the option \"bind\"", d);
	}
	return parse_mount_idmaps(n, m);
}

int parse_mounts(const struct jnode *root, struct oci_spec *s)
{
	struct jnode a, e;
	int r = j_get(root, "mounts", J_ARRAY, &a);

	if (r <= 0)
		return r;
	if (j_count(&a) > 1024)
		return j_fail(&a, -E2BIG, "%zu mounts, at most 1024 are possible", j_count(&a));
	s->mounts = pool_alloc(&s->pool, j_count(&a), sizeof(*s->mounts));
	if (!s->mounts)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		r = j_item(&a, i, J_OBJECT, &e);
		if (r == 0)
			r = parse_mount(&e, &s->mounts[i]);
		if (r < 0)
			return r;
		s->nmounts++;
	}
	return 0;
}
