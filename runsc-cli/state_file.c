/* state_file.c - see state_file.h. */
#include "runsc-cli/state_file.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "platform/base/alloc.h"

static struct json_object *pairs_json(const struct jpair *v, u32 n)
{
	struct json_object *o = json_object_new_object();

	for (u32 i = 0; i < n; i++)
		json_object_object_add(o, v[i].key, json_object_new_string(v[i].value));
	return o;
}

static void add_str(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static void add_proc(struct json_object *o, const char *key, const struct proc_id *p)
{
	struct json_object *v = json_object_new_object();

	json_object_object_add(v, "pid", json_object_new_int(p->pid));
	json_object_object_add(v, "start", json_object_new_int64((s64)p->start));
	json_object_object_add(o, key, v);
}

static struct json_object *to_json(const struct container *c)
{
	struct json_object *o = json_object_new_object(), *cg = json_object_new_array();

	add_str(o, "ociVersion", OCI_VERSION);
	add_str(o, "id", c->id);
	add_str(o, "bundle", c->bundle);
	add_str(o, "rootfs", c->rootfs);
	add_str(o, "created", c->created);
	add_str(o, "owner", c->owner);
	add_proc(o, "sentry", &c->sentry);
	add_proc(o, "gofer", &c->gofer);
	add_str(o, "sandbox", c->sandbox);
	add_proc(o, "host", &c->host);
	json_object_object_add(o, "netns", json_object_new_int64((s64)c->netns));
	json_object_object_add(o, "annotations", pairs_json(c->annotations, c->nannotations));
	for (u32 i = 0; i < c->ncgroups; i++)
		json_object_array_add(cg, json_object_new_string(c->cgroups[i]));
	json_object_object_add(o, "cgroups", cg);
	add_str(o, "scope", c->scope);
	return o;
}

int state_save(struct container *c, struct err *err)
{
	struct json_object *o = to_json(c);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t n = strlen(text);
	int fd = openat(c->dirfd, "state.json.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), r = 0;

	if (fd < 0)
		r = -errno;
	else if (write(fd, text, n) != (ssize_t)n)
		r = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	json_object_put(o);
	if (r == 0 && renameat(c->dirfd, "state.json.new", c->dirfd, "state.json") < 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "cannot write %s/%s/state.json", c->root, c->id) : 0;
}

static int load_proc(const struct jnode *n, const char *key, struct proc_id *ret)
{
	struct jnode p;
	s64 pid = 0;
	int r = j_get(n, key, J_OBJECT, &p);

	if (r <= 0)
		return r;
	r = j_int(&p, "pid", 0, INT32_MAX, &pid);
	if (r >= 0)
		r = j_u64(&p, "start", &ret->start);
	ret->pid = (s32)pid;
	return r;
}

static int from_json(struct container *c, const struct jnode *n)
{
	const char **v = NULL;
	u32 cnt = 0;
	int r = j_str(n, "bundle", &c->bundle);

	if (r >= 0)
		r = j_str(n, "rootfs", &c->rootfs);
	if (r >= 0)
		r = j_str(n, "created", &c->created);
	if (r >= 0)
		r = j_str(n, "owner", &c->owner);
	if (r >= 0)
		r = load_proc(n, "sentry", &c->sentry);
	if (r >= 0)
		r = load_proc(n, "gofer", &c->gofer);
	if (r >= 0)
		r = j_str(n, "sandbox", &c->sandbox);
	if (r >= 0)
		r = load_proc(n, "host", &c->host);
	if (r >= 0)
		r = j_u64(n, "netns", &c->netns);
	if (r >= 0)
		r = j_pairs(n, "annotations", &c->annotations, &c->nannotations);
	if (r >= 0)
		r = j_strv(n, "cgroups", &v, &cnt);
	if (r >= 0)
		r = j_str(n, "scope", &c->scope);
	c->ncgroups = MIN(cnt, (u32)CGROUP_MAX);
	for (u32 i = 0; i < c->ncgroups; i++)
		c->cgroups[i] = v[i];
	return r < 0 ? r : 0;
}

int state_load(struct container *c, struct err *err)
{
	char path[PATH_MAX];
	struct err why = { 0 };
	struct jnode n;
	struct jdoc d;
	int r;

	snprintf(path, sizeof(path), "%s/%s/state.json", c->root, c->id);
	r = jdoc_load(&d, path, &c->pool, &why);
	if (r == -ENOENT)
		return 0;       /* creation is under way, or was killed: still ours to delete */
	if (r == 0) {
		r = jdoc_root(&d, &n);
		if (r == 0)
			r = from_json(c, &n);
		jdoc_done(&d);
	}
	return r < 0 ? err_set(err, r, "the state of container \"%s\" is damaged: %s; csandbox delete --force %s removes it",
	                       c->id, why.msg, c->id) : 0;
}

char *container_state_json(struct container *c, const char *status, s32 pid)
{
	struct json_object *o = json_object_new_object();
	char *ret;

	add_str(o, "ociVersion", OCI_VERSION);
	add_str(o, "id", c->id);
	json_object_object_add(o, "pid", json_object_new_int(pid));
	add_str(o, "status", status);
	add_str(o, "bundle", c->bundle);
	add_str(o, "rootfs", c->rootfs);
	add_str(o, "created", c->created);
	if (c->nannotations)
		json_object_object_add(o, "annotations", pairs_json(c->annotations, c->nannotations));
	add_str(o, "owner", c->owner);
	ret = kbuf_strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
	return ret;
}
