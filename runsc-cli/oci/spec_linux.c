/*
 * spec_linux.c - the linux object.
 *
 * Accepted without effect, and noted so: timeOffsets, mountLabel.  What only the host's kernel could do is refused.
 */
#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include "runsc-cli/oci/spec.h"

static int parse_namespaces(const struct jnode *lin, struct oci_spec *s)
{
	struct jnode a, e;
	int r = j_get(lin, "namespaces", J_ARRAY, &a);

	if (r <= 0)
		return r;
	s->ns = pool_alloc(&s->pool, j_count(&a), sizeof(*s->ns));
	if (!s->ns)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		static const char *const types[] = { "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time" };
		struct oci_ns *ns = &s->ns[i];
		size_t k = 0;

		ns->type = ns->path = "";
		r = j_item(&a, i, J_OBJECT, &e);
		if (r == 0)
			r = j_str(&e, "type", &ns->type);
		if (r >= 0)
			r = j_str(&e, "path", &ns->path);
		if (r < 0)
			return r;
		while (k < ARRAY_SIZE(types) && strcmp(types[k], ns->type) != 0)
			k++;
		if (k == ARRAY_SIZE(types))
			return j_fail(&e, -EINVAL, "type \"%.32s\" is no namespace", ns->type);
		for (size_t j = 0; j < i; j++)
			if (strcmp(s->ns[j].type, ns->type) == 0)
				return j_fail(&e, -EINVAL, "namespace %s is given twice", ns->type);
		s->nns++;
	}
	return 0;
}

static int parse_device(const struct jnode *e, struct oci_device *d)
{
	const char *type = "";
	int r = j_str(e, "path", &d->path);

	if (r == 0 || (r > 0 && d->path[0] != '/'))
		return j_fail(e, -EINVAL, "path must be absolute, like /dev/name");
	if (r > 0)
		r = j_str(e, "type", &type);
	d->mode = 0666;
	if (r >= 0)
		r = j_u32(e, "major", &d->major);
	if (r >= 0)
		r = j_u32(e, "minor", &d->minor);
	if (r >= 0)
		r = j_u32(e, "fileMode", &d->mode);
	if (r >= 0)
		r = j_u32(e, "uid", &d->uid);
	if (r >= 0)
		r = j_u32(e, "gid", &d->gid);
	if (r < 0)
		return r;
	if (strlen(type) != 1 || !strchr("cbup", *type))
		return j_fail(e, -EINVAL, "type must be \"c\", \"b\", \"u\" or \"p\", not \"%.16s\"", type);
	d->type = *type == 'u' ? 'c' : *type;
	d->mode &= 07777;
	return 0;
}

static int parse_devices(const struct jnode *lin, struct oci_spec *s)
{
	struct jnode a, e;
	int r = j_get(lin, "devices", J_ARRAY, &a);

	if (r <= 0)
		return r;
	s->devices = pool_alloc(&s->pool, j_count(&a), sizeof(*s->devices));
	if (!s->devices)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		r = j_item(&a, i, J_OBJECT, &e);
		if (r == 0)
			r = parse_device(&e, &s->devices[i]);
		if (r < 0)
			return r;
		s->ndevices++;
	}
	return 0;
}

static int check_paths(const struct jnode *lin, const char *key, const char *const *v, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (v[i][0] != '/')
			return j_fail(lin, -EINVAL, "%s[%u]: \"%.200s\" must be an absolute path", key, i, v[i]);
	return 0;
}

/* Asked for, and nothing here could be it: better no container than one without it. */
static int refuse_unknown(const struct jnode *lin)
{
	static const struct { const char *key, *what; } keys[] = {
		{ "intelRdt", "the sandbox takes no part of the caches for itself" },
		{ "netDevices", "no device of the host is moved; give the container a network namespace that has it" },
	};
	const char *mode = "";
	struct jnode n;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		r = j_get(lin, keys[i].key, J_OBJECT, &n);
		if (r < 0)
			return r;
		if (r > 0 && j_members(&n))
			return j_fail(&n, -ENOTSUP, "not supported: %s", keys[i].what);
	}
	r = j_get(lin, "memoryPolicy", J_OBJECT, &n);
	if (r > 0)
		r = j_str(&n, "mode", &mode);
	else
		return r;
	if (r >= 0 && strcmp(mode, "MPOL_DEFAULT") != 0)
		return j_fail(&n, -ENOTSUP, "mode \"%.32s\" is not supported: memory is the host's to place; leave it out, or use "
		              "MPOL_DEFAULT and resources.cpu.mems", mode);
	return MIN(r, 0);
}

static int note_ignored(const struct jnode *lin, struct oci_spec *s)
{
	struct jnode n;
	int r = refuse_unknown(lin);

	if (r == 0)
		r = j_get(lin, "timeOffsets", J_OBJECT, &n);
	if (r > 0)
		spec_ignore(s, "timeOffsets");
	return MIN(r, 0);
}

/* LINUX32 changes what uname says; no flag is defined. */
static int parse_personality(const struct jnode *lin, struct oci_process *p)
{
	const char *domain = "LINUX";
	struct jnode n, flags;
	int r = j_get(lin, "personality", J_OBJECT, &n);

	if (r <= 0)
		return r;
	r = j_str(&n, "domain", &domain);
	if (r >= 0)
		r = j_get(&n, "flags", J_ARRAY, &flags);
	if (r < 0)
		return r;
	if (r > 0 && j_count(&flags))
		return j_fail(&n, -EINVAL, "personality flags are not supported");
	if (strcmp(domain, "LINUX32") == 0)
		p->personality = PER_LINUX32;
	else if (strcmp(domain, "LINUX") != 0)
		return j_fail(&n, -EINVAL, "personality domain \"%.32s\" is neither LINUX nor LINUX32", domain);
	return 0;
}

static int parse_root_propagation(const struct jnode *n, struct oci_spec *s)
{
	const char *name = NULL;
	int r = j_str(n, "rootfsPropagation", &name);

	if (r < 0 || !name || !*name)
		return r;
	r = mount_propagation(name, &s->root_propagation);
	return r < 0 ? j_fail(n, r, "rootfsPropagation: \"%.64s\" is no type of propagation: shared, slave, private or unbindable, "
			      "or one of them with an r before it", name) : 0;
}

int parse_linux(const struct jnode *root, struct oci_spec *s)
{
	struct jnode n;
	int r = j_get(root, "linux", J_OBJECT, &n);

	if (r <= 0)
		return r;
	r = j_str(&n, "cgroupsPath", &s->cgroups_path);
	if (r >= 0)
		r = j_pairs(&n, "sysctl", &s->sysctl, &s->nsysctl);
	if (r >= 0)
		r = j_strv(&n, "maskedPaths", &s->masked, &s->nmasked);
	if (r >= 0)
		r = j_strv(&n, "readonlyPaths", &s->readonly, &s->nreadonly);
	if (r >= 0)
		r = check_paths(&n, "maskedPaths", s->masked, s->nmasked);
	if (r >= 0)
		r = check_paths(&n, "readonlyPaths", s->readonly, s->nreadonly);
	if (r >= 0)
		r = parse_resources(&n, s);
	if (r >= 0)
		r = parse_namespaces(&n, s);
	if (r >= 0)
		r = parse_idmaps(&n, s);
	if (r >= 0)
		r = parse_devices(&n, s);
	if (r >= 0)
		r = parse_root_propagation(&n, s);
	if (r >= 0)
		r = parse_personality(&n, &s->process);
	if (r >= 0)
		r = parse_seccomp(&n, &s->seccomp);
	return r < 0 ? r : note_ignored(&n, s);
}
