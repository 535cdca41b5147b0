/*
 * spec_idmap.c - uidMappings and gidMappings: which ids of the host the container's are, and which ids the files of a mount have.
 *
 * The container's belong to a user namespace that the container is to have, as under runc: with neither mappings nor
 * a path there is nothing that it could be.  Overlaps are found by the host's kernel when the map is written.
 */
#include <errno.h>
#include <string.h>
#include "runsc-cli/oci/spec.h"

#define MAPS_MAX 340                    /* what Linux takes */

static int parse_one(const struct jnode *e, struct oci_idmap *m)
{
	int r = j_u32(e, "containerID", &m->inside);

	if (r >= 0)
		r = j_u32(e, "hostID", &m->outside);
	if (r >= 0)
		r = j_u32(e, "size", &m->count);
	if (r < 0)
		return r;
	if (!m->count || (u64)m->inside + m->count > UINT32_MAX || (u64)m->outside + m->count > UINT32_MAX)
		return j_fail(e, -EINVAL, "%u ids from %u (host: %u) are not a range of ids", m->count, m->inside, m->outside);
	return 0;
}

static int parse_maps(const struct jnode *n, const char *key, bool need_root, struct oci_idmap **ret, u32 *ret_n)
{
	bool root = !need_root;
	struct jnode a, e;
	int r = j_get(n, key, J_ARRAY, &a);

	if (r <= 0 || !j_count(&a))
		return r;
	if (j_count(&a) > MAPS_MAX)
		return j_fail(&a, -E2BIG, "%zu mappings, at most %d are possible", j_count(&a), MAPS_MAX);
	*ret = pool_alloc(n->doc->pool, j_count(&a), sizeof(**ret));
	if (!*ret)
		return j_nomem(&a);
	for (size_t i = 0; i < j_count(&a); i++) {
		r = j_item(&a, i, J_OBJECT, &e);
		if (r == 0)
			r = parse_one(&e, &(*ret)[i]);
		if (r < 0)
			return r;
		root |= (*ret)[i].inside == 0;
	}
	if (!root)
		return j_fail(&a, -EINVAL, "container id 0 is not mapped; add a mapping for it, files are served as that id");
	*ret_n = (u32)j_count(&a);
	return 0;
}

static int parse_both(const struct jnode *n, bool need_root, struct oci_idmaps *ret)
{
	int r = parse_maps(n, "uidMappings", need_root, &ret->uid, &ret->nuid);

	return r < 0 ? r : parse_maps(n, "gidMappings", need_root, &ret->gid, &ret->ngid);
}

static const struct oci_ns *user_ns(const struct oci_spec *s)
{
	for (u32 i = 0; i < s->nns; i++)
		if (strcmp(s->ns[i].type, "user") == 0)
			return &s->ns[i];
	return NULL;
}

int parse_idmaps(const struct jnode *lin, struct oci_spec *s)
{
	int r = parse_both(lin, true, &s->ids);
	const struct oci_ns *ns = user_ns(s);

	if (r < 0)
		return r;
	if (!ns && (s->ids.nuid || s->ids.ngid))
		return j_fail(lin, -EINVAL, "user namespace mappings specified, but user namespace isn't enabled in the config; add "
		              "{\"type\": \"user\"} to namespaces");
	if (ns && !*ns->path && (!s->ids.nuid || !s->ids.ngid))
		return j_fail(lin, -EINVAL, "user namespaces enabled, but no namespace path to join nor mappings to apply specified; "
		              "give both uidMappings and gidMappings, or take \"user\" out of namespaces");
	return 0;
}

int parse_mount_idmaps(const struct jnode *n, struct oci_mount *m)
{
	int r = parse_both(n, false, &m->ids);

	if (r < 0)
		return r;
	if (!m->ids.nuid != !m->ids.ngid)
		return j_fail(n, -EINVAL, "an id-mapped mount needs both uidMappings and gidMappings");
	if (m->ids.nuid)
		m->flags |= OCI_MNT_IDMAP;
	if ((m->flags & OCI_MNT_IDMAP) && !(m->flags & OCI_MNT_BIND))
		return j_fail(n, -EINVAL, "id-mapped mounts are only supported for bind-mounts, and %s is none", m->destination);
	return 0;
}
