/*
 * spec.c - the top level of config.json.
 */
#include "runsc-cli/oci/spec.h"
#include <errno.h>
#include <string.h>

void spec_ignore(struct oci_spec *s, const char *key)
{
	if (s->nignored < ARRAY_SIZE(s->ignored))
		s->ignored[s->nignored++] = key;
}

static int parse_version(const struct jnode *root, struct oci_spec *s)
{
	int r = j_str(root, "ociVersion", &s->version);

	if (r < 0)
		return r;
	if (r == 0)
		return j_fail(root, -EINVAL, "ociVersion is missing; is this an OCI config.json? (for example \"%s\")",
		              OCI_VERSION);
	if (strncmp(s->version, "1.", 2) != 0)
		return j_fail(root, -EINVAL, "ociVersion \"%.64s\" is not supported; csandbox reads 1.x", s->version);
	return 0;
}

static int parse_root(const struct jnode *root, struct oci_spec *s)
{
	struct jnode n;
	int r = j_get(root, "root", J_OBJECT, &n);

	if (r < 0)
		return r;
	if (r == 0)
		return j_fail(root, -EINVAL, "root is missing; give {\"path\": \"rootfs\"}");
	r = j_str(&n, "path", &s->root_path);
	if (r < 0)
		return r;
	if (r == 0 || !*s->root_path)
		return j_fail(&n, -EINVAL, "path is missing; give the directory of the root file system");
	r = j_bool(&n, "readonly", &s->root_readonly);
	return r < 0 ? r : 0;
}

static int parse_name(const struct jnode *root, const char *key, const char **ret)
{
	int r = j_str(root, key, ret);

	if (r < 0)
		return r;
	if (strlen(*ret) > 64)
		return j_fail(root, -ENAMETOOLONG, "%s is %zu bytes long, at most 64 fit", key, strlen(*ret));
	return 0;
}

static int parse_top(const struct jnode *root, struct oci_spec *s)
{
	struct jnode n;
	int r;

	r = parse_version(root, s);
	if (r == 0)
		r = j_get(root, "process", J_OBJECT, &n);
	if (r > 0) {
		s->has_process = true;
		r = parse_process(&n, &s->process);
	}
	if (r == 0)
		r = parse_root(root, s);
	if (r == 0)
		r = parse_name(root, "hostname", &s->hostname);
	if (r == 0)
		r = parse_name(root, "domainname", &s->domainname);
	if (r == 0)
		r = parse_mounts(root, s);
	if (r == 0)
		r = parse_hooks(root, s);
	if (r == 0)
		r = j_pairs(root, "annotations", &s->annotations, &s->nannotations);
	if (r >= 0)
		r = parse_linux(root, s);
	return r < 0 ? r : 0;
}

static void spec_init(struct oci_spec *s)
{
	memset(s, 0, sizeof(*s));
	pool_init(&s->pool);
	s->hostname = s->domainname = s->cgroups_path = "";
	s->res = (struct oci_resources){
		.mem_limit = RES_UNSET, .mem_reservation = RES_UNSET, .mem_swap = RES_UNSET, .pids_limit = RES_UNSET,
		.cpu_shares = RES_UNSET, .cpu_quota = RES_UNSET, .cpu_period = RES_UNSET, .cpu_burst = RES_UNSET,
		.cpu_idle = RES_UNSET, .blkio_weight = RES_UNSET, .rt_period = RES_UNSET, .rt_runtime = RES_UNSET,
	};
}

static int spec_from_doc(struct oci_spec *s, struct jdoc *d)
{
	struct jnode root;
	int r = jdoc_root(d, &root);

	if (r == 0)
		r = parse_top(&root, s);
	jdoc_done(d);
	if (r < 0)
		spec_done(s);
	return r;
}

int spec_load(struct oci_spec *s, const char *file, struct err *err)
{
	struct jdoc d;
	int r;

	spec_init(s);
	r = jdoc_load(&d, file, &s->pool, err);
	return r < 0 ? r : spec_from_doc(s, &d);
}

int spec_parse(struct oci_spec *s, const char *file, const char *text, size_t n, struct err *err)
{
	struct jdoc d;
	int r;

	spec_init(s);
	r = jdoc_parse(&d, file, text, n, &s->pool, err);
	return r < 0 ? r : spec_from_doc(s, &d);
}

void spec_done(struct oci_spec *s)
{
	pool_done(&s->pool);
}

int spec_load_process(struct pool *pool, const char *file, struct oci_process *ret, struct err *err)
{
	struct jnode root;
	struct jdoc d;
	int r = jdoc_load(&d, file, pool, err);

	if (r < 0)
		return r;
	r = jdoc_root(&d, &root);
	if (r == 0)
		r = parse_process(&root, ret);
	jdoc_done(&d);
	return r;
}
