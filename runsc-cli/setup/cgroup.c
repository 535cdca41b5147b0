/*
 * cgroup.c - see cgroup.h: the directories, who is in them, removal.
 */
#include "runsc-cli/setup/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "platform/base/log.h"
#include "platform/base/str.h"
#include "runsc-cli/setup/cgroup_files.h"
#include "runsc-cli/setup/systemd.h"

/*
 * The path below a hierarchy's root: "/a/b" as it is, "a/b" below /csandbox, systemd's "slice:prefix:name"
 * as /slice/prefix-name.scope.  Never with "..".
 */
static int relative_path(struct cli *cli, const char *want, char *buf, size_t cap)
{
	char slice[256], prefix[256], name[256];
	int n;

	if (strchr(want, ':') && want[0] != '/' &&
	    sscanf(want, "%255[^:]:%255[^:]:%255[^:]", slice, prefix, name) == 3)
		n = snprintf(buf, cap, "/%s/%s-%s.scope", slice, prefix, name);
	else
		n = snprintf(buf, cap, "%s%s", want[0] == '/' ? "" : "/csandbox/", want);
	if (n < 0 || (size_t)n >= cap)
		return err_set(&cli->err, -ENAMETOOLONG, "linux.cgroupsPath is too long");
	for (const char *p = buf; (p = strstr(p, "..")); p += 2)
		if ((p == buf || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return err_set(&cli->err, -EINVAL, "linux.cgroupsPath \"%s\" must not contain \"..\"", want);
	while (n > 1 && buf[n - 1] == '/')
		buf[--n] = 0;
	if (n <= 1)
		return err_set(&cli->err, -EINVAL, "linux.cgroupsPath \"%s\" would be the root group; name one below it",
		               want);
	return 0;
}

/* A new v1 cpuset is empty and refuses processes: inherit. */
static void inherit_cpuset(const char *parent, const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char have[512], text[512];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (cg_read(dir, files[i], have, sizeof(have)) == 0 &&
		    cg_read(parent, files[i], text, sizeof(text)) > 0)
			(void)!cg_write(dir, files[i], text);
}

/* What the parent may give, it gives: for v2, where controllers are switched on level by level. */
static void enable_controllers(const char *parent)
{
	char text[256], word[64], *save = NULL;

	if (cg_read(parent, "cgroup.controllers", text, sizeof(text)) <= 0)
		return;
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		snprintf(word, sizeof(word), "+%.60s", w);
		(void)!cg_write(parent, "cgroup.subtree_control", word);
	}
}

/* mkdir -p of @rel below @top.  0, or -errno. */
static int make_path(const char *top, bool v2, const char *rel, char *dir, size_t cap)
{
	size_t at = strlen(top);

	if (snprintf(dir, cap, "%s%s", top, rel) >= (int)cap)
		return -ENAMETOOLONG;
	for (char *p = dir + at + 1; ; p++) {
		char parent[PATH_MAX], c = *p;

		if (c != '/' && c)
			continue;
		*p = 0;
		(void)str_copy(parent, sizeof(parent), dir);
		*strrchr(parent, '/') = 0;
		if (v2)
			enable_controllers(parent);
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			return -errno;
		if (!v2)
			inherit_cpuset(parent, dir);
		if (!c)
			return 0;
		*p = c;
	}
}

static bool has_limits(const struct oci_resources *r)
{
	const s64 v[] = { r->mem_limit, r->mem_reservation, r->mem_swap, r->pids_limit, r->cpu_shares, r->cpu_quota,
	                  r->cpu_period, r->cpu_burst, r->cpu_idle, r->blkio_weight, r->rt_period, r->rt_runtime };

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		if (v[i] != RES_UNSET)
			return true;
	return (r->cpus && *r->cpus) || (r->mems && *r->mems) || r->nunified || r->nblk || r->nhuge;
}

/* The hierarchies that get a group of ours, and its name in each. *ret_n = 0: none is asked for. */
static int choose(struct cli *cli, const char *id, const struct oci_spec *s, struct cg_mount *m, size_t *ret_n, char *rel,
                  size_t cap)
{
	const char *want = *s->cgroups_path ? s->cgroups_path : id;
	size_t n, kept = 0;
	bool have_v1 = false;
	int r;

	*ret_n = 0;
	if (!*s->cgroups_path && !has_limits(&s->res))
		return 0;
	r = relative_path(cli, want, rel, cap);
	if (r < 0)
		return r;
	n = cg_mounts(m, CGROUP_MAX);
	for (size_t i = 0; i < n; i++)
		have_v1 |= !m[i].v2;
	/* On a hybrid layout the v2 tree is the service manager's: our limits are in v1. */
	for (size_t i = 0; i < n; i++)
		if (!m[i].v2 || !have_v1)
			m[kept++] = m[i];
	*ret_n = kept;
	if (have_v1 && s->res.nunified)
		return err_set(&cli->err, -EINVAL, "linux.resources.unified: invalid configuration: cannot set unified resources on cgroup v1");
	return 0;
}

static size_t pids_in(const char *dir, s32 *ret, size_t cap)
{
	char path[PATH_MAX];
	size_t n = 0;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	f = fopen(path, "re");
	while (f && n < cap && fscanf(f, "%d", &pid) == 1)
		ret[n++] = pid;
	if (f)
		fclose(f);
	return n;
}

/* A group that was there before us. Processes of others would share our limits; in a frozen one nothing ever runs. */
static int check_fresh(struct cli *cli, const char *dir)
{
	char text[64];
	s32 pid;

	if (pids_in(dir, &pid, 1))
		return err_set(&cli->err, -EBUSY, "container's cgroup is not empty: %s has processes", dir);
	if ((cg_read(dir, "freezer.state", text, sizeof(text)) > 0 && strcmp(text, "THAWED") != 0) ||
	    (cg_read(dir, "cgroup.freeze", text, sizeof(text)) > 0 && strcmp(text, "0") != 0))
		return err_set(&cli->err, -EBUSY, "container's cgroup unexpectedly frozen: %s", dir);
	return 0;
}

/* The unified hierarchy, if no other is mounted. */
static bool unified(struct cg_mount *ret)
{
	struct cg_mount m[CGROUP_MAX];
	size_t n = cg_mounts(m, CGROUP_MAX);

	for (size_t i = 0; i < n; i++)
		if (!m[i].v2)
			return false;
	if (n)
		*ret = m[0];
	return n;
}

/* Is the group to be a scope of systemd's? */
static bool of_systemd(const struct cli *cli, const struct oci_spec *s)
{
	struct cg_mount top;

	return cli->systemd_cgroup && systemd_runs() && (*s->cgroups_path || has_limits(&s->res)) && unified(&top);
}

int cgroup_name(struct cli *cli, struct container *c, const struct oci_spec *s)
{
	struct cg_mount m[CGROUP_MAX];
	char rel[1024], dir[PATH_MAX];
	struct scope scope;
	size_t n;
	int r;

	if (of_systemd(cli, s))
		return systemd_scope_name(cli, s->cgroups_path, c->id, &scope);
	r = choose(cli, c->id, s, m, &n, rel, sizeof(rel));
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (snprintf(dir, sizeof(dir), "%s%s", m[i].dir, rel) >= (int)sizeof(dir))
			return err_set(&cli->err, -ENAMETOOLONG, "linux.cgroupsPath is too long");
		c->cgroups[c->ncgroups] = pool_strdup(&c->pool, dir);
		if (!c->cgroups[c->ncgroups])
			return err_set(&cli->err, -ENOMEM, "no memory for control groups");
		c->ncgroups++;
	}
	return r;
}

/*
 * The group of @unit, which @pid is in, as we see it: cgroups(7), /proc/PID/cgroup.  Any other is not ours: it would be given
 * limits, and killed as a whole in the end.
 */
static int group_of(struct cli *cli, pid_t pid, const char *unit, char *ret, size_t cap)
{
	char path[64], line[1024];
	int r = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	f = fopen(path, "re");
	while (f && r < 0 && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", 4) == 0 && strcmp(strrchr(line, '/') + 1, unit) == 0 && !strstr(line, "/..") &&
		    str_copy(ret, cap, line + 3))
			r = 0;
	}
	if (f)
		fclose(f);
	return r < 0 ? err_set(&cli->err, r, "%s does not name the control group of %s; systemd did not move the process", path, unit) : 0;
}

/* The scope is ours to stop only once it was started; until then it ends with its process. */
static int scope_create(struct cli *cli, struct container *c, const struct oci_spec *s, pid_t pid)
{
	struct cg_mount top;
	char rel[1024], dir[PATH_MAX];
	struct scope scope;
	int r = systemd_scope_name(cli, s->cgroups_path, c->id, &scope);

	if (r == 0)
		r = systemd_start(cli, NULL, &scope, pid, &s->res);
	if (r == 0)
		r = group_of(cli, pid, scope.unit, rel, sizeof(rel));
	if (r < 0)
		return r;
	if (!unified(&top) || snprintf(dir, sizeof(dir), "%s%s", top.dir, rel) >= (int)sizeof(dir))
		return err_set(&cli->err, -ENAMETOOLONG, "systemd: the control group %s of %s has too long a path", rel, scope.unit);
	c->scope = pool_strdup(&c->pool, scope.unit);
	c->cgroups[0] = pool_strdup(&c->pool, dir);
	if (!c->scope || !c->cgroups[0])
		return err_set(&cli->err, -ENOMEM, "no memory for control groups");
	c->ncgroups = 1;
	return cgroup_limit(cli, c, &s->res);
}

int cgroup_create(struct cli *cli, struct container *c, const struct oci_spec *s, pid_t pid)
{
	struct cg_mount m[CGROUP_MAX];
	char rel[1024], dir[PATH_MAX];
	bool limited = has_limits(&s->res);
	u32 made = 0;
	size_t n;
	int r;

	if (of_systemd(cli, s))
		return scope_create(cli, c, s, pid);
	r = choose(cli, c->id, s, m, &n, rel, sizeof(rel));
	if (r < 0)
		return r;
	if (cli->systemd_cgroup && n)
		log_msg(LOG_WARN, "--systemd-cgroup: %s; control groups are made directly",
		        systemd_runs() ? "only the unified hierarchy (v2) is systemd's to give" : "systemd does not run here");
	for (u32 i = 0; i < c->ncgroups; i++) {
		r = check_fresh(cli, c->cgroups[i]);
		if (r < 0) {
			c->ncgroups = 0;        /* not ours to remove */
			return r;
		}
	}
	for (u32 i = 0; i < n && i < c->ncgroups; i++) {
		r = make_path(m[i].dir, m[i].v2, rel, dir, sizeof(dir));
		if (r < 0 && limited)
			return err_sys(&cli->err, r, "cannot make the control group %s%s for linux.resources", m[i].dir, rel);
		if (r == 0)
			c->cgroups[made++] = c->cgroups[i];
		else
			cli_note(cli, "cannot make the control group %s%s: %s", m[i].dir, rel, strerror(-r));
	}
	c->ncgroups = made;
	return cgroup_limit(cli, c, &s->res);
}

int cgroup_join(struct cli *cli, struct container *c, pid_t pid)
{
	cpu_set_t all;
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (u32 i = 0; i < c->ncgroups; i++) {
		int r = cg_write(c->cgroups[i], "cgroup.procs", text);

		/* One that has ended is told of by who waits for it. */
		if (r < 0 && r != -ESRCH)
			return err_sys(&cli->err, r, "cannot move process %d to %s", pid, c->cgroups[i]);
	}
	memset(&all, 0xff, sizeof(all));
	if (c->ncgroups)
		(void)sched_setaffinity(pid, sizeof(all), &all);
	return 0;
}

/* Is @dir, a group of ours, of one of the controllers in @list ("a,b", ended by a colon)? */
static bool of_controller(const char *dir, const char *list, size_t n)
{
	struct cg_mount m[CGROUP_MAX];
	size_t mounts = cg_mounts(m, CGROUP_MAX);

	for (size_t i = 0; i < mounts; i++) {
		size_t len = strlen(m[i].dir);
		const char *name = strrchr(m[i].dir, '/');

		if (strncmp(dir, m[i].dir, len) != 0 || dir[len] != '/' || !name)
			continue;
		for (const char *w = list; w < list + n; w += strcspn(w, ",:") + 1)
			if (cg_list_has(name + 1, w, strcspn(w, ",:")))
				return true;
	}
	return false;
}

int cgroup_join_below(struct cli *cli, struct container *c, const char *where, pid_t pid)
{
	const char *colon = strchr(where, ':'), *path = colon ? colon + 1 : where;
	char dir[PATH_MAX], text[16];
	u32 moved = 0;

	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '/' || !p[2]))
			return err_set(&cli->err, -EINVAL, "--cgroup: %s is not a sub cgroup path", path);
	snprintf(text, sizeof(text), "%d", pid);
	for (u32 i = 0; i < c->ncgroups; i++) {
		int r;

		if (colon && !of_controller(c->cgroups[i], where, (size_t)(colon - where)))
			continue;
		if (snprintf(dir, sizeof(dir), "%s/%s", c->cgroups[i], path) >= (int)sizeof(dir))
			return err_set(&cli->err, -ENAMETOOLONG, "--cgroup: the path is too long");
		if (pid)
			r = cg_write(dir, "cgroup.procs", text);
		else
			r = access(dir, F_OK) < 0 ? -errno : 0;
		if (r < 0)
			return err_sys(&cli->err, r, "--cgroup: cannot move the process to %s", dir);
		moved++;
	}
	return moved ? 0 : err_set(&cli->err, -ENOENT, "--cgroup: the container has no control group for \"%s\"", where);
}

int cgroup_update(struct cli *cli, struct container *c, const struct oci_resources *r)
{
	int ret = *c->scope ? systemd_update(cli, NULL, c->scope, r) : 0;

	return ret < 0 ? ret : cgroup_limit(cli, c, r);
}

bool cgroup_read(struct container *c, const char *file, u64 *ret)
{
	char text[64];

	for (u32 i = 0; i < c->ncgroups; i++)
		if (cg_read(c->cgroups[i], file, text, sizeof(text)) > 0 && str_to_u64(text, 10, ret) == 0)
			return true;
	return false;
}

void cgroup_thaw(struct container *c)
{
	char text[64];

	for (u32 i = 0; i < c->ncgroups; i++) {
		if (cg_read(c->cgroups[i], "freezer.state", text, sizeof(text)) > 0 && strcmp(text, "THAWED") != 0)
			(void)!cg_write(c->cgroups[i], "freezer.state", "THAWED");
		if (cg_read(c->cgroups[i], "cgroup.freeze", text, sizeof(text)) > 0 && strcmp(text, "0") != 0)
			(void)!cg_write(c->cgroups[i], "cgroup.freeze", "0");
	}
}

static void nap(long ms)
{
	struct timespec ts = { .tv_nsec = ms * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static bool has_group(const struct container *c, const char *dir)
{
	for (u32 i = 0; i < c->ncgroups; i++)
		if (strcmp(c->cgroups[i], dir) == 0)
			return c->sentry.pid == 0 || proc_alive(&c->sentry);
	return false;
}

/* Who is given the group of a container that has stopped gets it, as it is empty: from then on it is not that one's. */
static bool is_anothers(const struct cli *cli, const struct container *c, const char *dir)
{
	DIR *d = opendir(cli->root);
	struct container other;
	struct dirent *e;
	bool hit = false;

	while (d && !hit && (e = readdir(d))) {
		struct cli quiet = *cli;

		if (e->d_name[0] == '.' || strcmp(e->d_name, c->id) == 0 || container_open(&quiet, e->d_name, false, &other) < 0)
			continue;
		hit = has_group(&other, dir);
		container_close(&other);
	}
	if (d)
		closedir(d);
	return hit;
}

static void remove_group(struct cli *cli, const struct container *c, const char *dir)
{
	int tries = 0;

	while (rmdir(dir) < 0 && errno == EBUSY && tries++ < 200) {
		s32 pids[64];
		size_t n = pids_in(dir, pids, ARRAY_SIZE(pids));

		if (tries == 20 && is_anothers(cli, c, dir))
			return;
		/* It is ours alone; what is still there after a while has lost its parent. */
		for (size_t k = 0; k < n && tries > 50; k++)
			(void)kill(pids[k], SIGKILL);
		nap(tries < 20 ? 1 : 10);
	}
	if (access(dir, F_OK) == 0)
		cli_note(cli, "cannot remove the control group %s; is something else in it?", dir);
}

void cgroup_remove(struct cli *cli, struct container *c)
{
	if (*c->scope) {
		for (u32 i = 0; i < c->ncgroups; i++)
			(void)!cg_write(c->cgroups[i], "cgroup.kill", "1");
		systemd_stop(cli, NULL, c->scope);
		c->scope = "";
	}
	for (u32 i = 0; i < c->ncgroups; i++)
		remove_group(cli, c, c->cgroups[i]);
	c->ncgroups = 0;
}
