/* spec_hooks.c - hooks: programs of the host to run at points of the life cycle. */
#include <errno.h>
#include "runsc-cli/oci/spec.h"

const char *const oci_hook_names[HOOK_KINDS] = {
	[HOOK_PRESTART] = "prestart", [HOOK_CREATE_RUNTIME] = "createRuntime",
	[HOOK_CREATE_CONTAINER] = "createContainer", [HOOK_START_CONTAINER] = "startContainer",
	[HOOK_POSTSTART] = "poststart", [HOOK_POSTSTOP] = "poststop",
};

static int parse_hook(const struct jnode *n, struct oci_hook *h)
{
	int r = j_str(n, "path", &h->path);

	if (r == 0 || (r > 0 && h->path[0] != '/'))
		return j_fail(n, -EINVAL, "path must be the absolute path of a program on the host");
	if (r > 0)
		r = j_strv(n, "args", &h->args, &h->nargs);
	if (r >= 0)
		r = j_strv(n, "env", &h->env, &h->nenv);
	if (r >= 0)
		r = j_u32(n, "timeout", &h->timeout);
	if (r > 0 && h->timeout == 0)
		return j_fail(n, -EINVAL, "timeout must be more than 0 seconds");
	return r < 0 ? r : 0;
}

int parse_hooks(const struct jnode *root, struct oci_spec *s)
{
	struct jnode h, a, e;
	int r = j_get(root, "hooks", J_OBJECT, &h);

	if (r <= 0)
		return r;
	for (int k = 0; k < HOOK_KINDS; k++) {
		struct oci_hooks *list = &s->hooks[k];

		r = j_get(&h, oci_hook_names[k], J_ARRAY, &a);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		list->v = pool_alloc(&s->pool, j_count(&a), sizeof(*list->v));
		if (!list->v)
			return j_nomem(&a);
		for (size_t i = 0; i < j_count(&a); i++) {
			r = j_item(&a, i, J_OBJECT, &e);
			if (r == 0)
				r = parse_hook(&e, &list->v[i]);
			if (r < 0)
				return r;
			list->n++;
		}
	}
	return 0;
}
