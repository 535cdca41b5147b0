/*
 * files.c - the files of a control group: what they tell and take (admin-guide/cgroup-v2.rst).
 *
 * In the root cpu, cpuset, memory and pids tell the limits that the engine set, which programs size themselves
 * by (the JVM, Go, Node).  Below it pids.max is a limit that holds; usage of CPU and memory is told, and any limit
 * of them but "none" is -EOPNOTSUPP, as nothing would enforce it.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "platform/base/str.h"
#include "sentry/fs/cgroup/cgroup_int.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/pid.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/mm/mm.h"

#define PIDS_MAX 4194305u                       /* Linux' PID_MAX_LIMIT + 1 */

static const struct { const char *name; u32 ctl; } controllers[] = {
	{ "cpuset", CGROUP_CPUSET }, { "cpu", CGROUP_CPU }, { "memory", CGROUP_MEMORY }, { "pids", CGROUP_PIDS },
	/* Linux has them, we have not. */
	{ "io", 0 }, { "hugetlb", 0 }, { "rdma", 0 }, { "misc", 0 }, { "perf_event", 0 },
};

static struct mutex *tree_mu(const struct cgroup *cg) { return &cg->kernel->cgroups.mu; }

/* ---- numbers, of which the largest is "max" ---- */

static void put_max(struct strbuf *out, u64 v, u64 max)
{
	if (v >= max)
		strbuf_puts(out, "max\n");
	else
		strbuf_printf(out, "%lu\n", v);
}

static int get_max(const char *text, u32 *ret)
{
	s64 v;
	int r;

	*ret = UINT32_MAX;
	if (str_eq(text, "max"))
		return 0;
	r = str_to_s64(text, 0, &v);
	if (r < 0)
		return r;
	if (v < 0 || v > INT32_MAX)
		return -ERANGE;
	*ret = (u32)v;
	return 0;
}

/* 0 or 1, of which nothing below @least is taken; or -errno. */
static int get_switch(const char *text, int least)
{
	s64 v;
	int r = str_to_s64(text, 0, &v);

	if (r < 0)
		return r;
	return v < least || v > 1 ? -ERANGE : (int)v;
}

static u64 read_locked(struct cgroup *cg, const u32 *field)
{
	u64 v;

	mutex_lock(tree_mu(cg));
	v = *field;
	mutex_unlock(tree_mu(cg));
	return v;
}

static int store_u32(struct cgroup *cg, u32 *field, const char *text)
{
	u32 v;
	int r = get_max(text, &v);

	if (r < 0)
		return r;
	mutex_lock(tree_mu(cg));
	*field = v;
	mutex_unlock(tree_mu(cg));
	return 0;
}

/* ---- cgroup.* ---- */

static int show_mask(struct strbuf *out, u32 mask)
{
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		if (!(controllers[i].ctl & mask))
			continue;
		strbuf_printf(out, "%s%s", sep, controllers[i].name);
		sep = " ";
	}
	if (mask)
		strbuf_putc(out, '\n');
	return 0;
}

static int show_controllers(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u32 mask;

	(void)t;
	mutex_lock(tree_mu(cg));
	mask = cgroup_controllers_locked(cg);
	mutex_unlock(tree_mu(cg));
	return show_mask(out, mask);
}

static int show_control(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	(void)t;
	return show_mask(out, (u32)read_locked(cg, &cg->controls));
}

/* "+pids -memory": all of it or nothing. */
static int store_control(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	u32 on = 0, off = 0;
	char *save = NULL;

	(void)t;
	(void)by;
	for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(controllers) && !str_eq(w + 1, controllers[i].name))
			i++;
		if ((*w != '+' && *w != '-') || i == ARRAY_SIZE(controllers))
			return -EINVAL;
		if (*w == '+' && !controllers[i].ctl)
			return -ENOENT;
		on = *w == '+' ? on | controllers[i].ctl : on & ~controllers[i].ctl;
		off = *w == '-' ? off | controllers[i].ctl : off & ~controllers[i].ctl;
	}
	return cgroup_control(cg, on, off);
}

static int show_events(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u32 now;

	(void)t;
	mutex_lock(tree_mu(cg));
	now = cgroup_events_locked(cg);
	mutex_unlock(tree_mu(cg));
	strbuf_printf(out, "populated %d\nfrozen %d\n", !!(now & CGROUP_POPULATED), !!(now & CGROUP_FROZEN));
	return 0;
}

static int show_stat(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "nr_descendants %lu\nnr_dying_descendants 0\n", read_locked(cg, &cg->nbelow));
	return 0;
}

static int show_freeze(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	bool freeze;

	(void)t;
	mutex_lock(tree_mu(cg));
	freeze = cg->freeze;
	mutex_unlock(tree_mu(cg));
	strbuf_printf(out, "%d\n", freeze);
	return 0;
}

static int store_freeze(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	int v = get_switch(text, 0);

	(void)t;
	(void)by;
	if (v >= 0)
		cgroup_freeze(cg, v == 1);
	return MIN(v, 0);
}

static int store_kill(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	int v = get_switch(text, 1);

	(void)t;
	(void)by;
	if (v >= 0)
		cgroup_kill(cg);
	return MIN(v, 0);
}

/* ---- who is in it ---- */

struct listing {
	struct task *t;
	struct cgroup *cg;
	struct strbuf *out;
};

static int put_task(void *arg, struct task *x)
{
	struct listing *l = arg;

	strbuf_printf(l->out, "%d\n", pid_nr(l->t, x->tid));
	return 0;
}

static bool is_in(struct cgroup *cg, struct tgroup *tg)
{
	bool in;

	mutex_lock(tree_mu(cg));
	in = tg->cgroup == cg && tg->in_cgroup;
	mutex_unlock(tree_mu(cg));
	return in;
}

static int put_threads(void *arg, struct tgroup *tg)
{
	struct listing *l = arg;

	return is_in(l->cg, tg) ? tgroup_for_each_task(tg, put_task, l) : 0;
}

static int put_process(void *arg, struct tgroup *tg)
{
	struct listing *l = arg;

	if (is_in(l->cg, tg))
		strbuf_printf(l->out, "%d\n", pid_nr(l->t, tg->tgid));
	return 0;
}

static int show_procs(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	struct listing l = { t, cg, out };

	return tgroup_for_each(t->kernel, put_process, &l);
}

static int show_threads(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	struct listing l = { t, cg, out };

	return tgroup_for_each(t->kernel, put_threads, &l);
}

/* Who may write to the cgroup.procs that is above both, and sees both. */
int cgroupfs_may_move(const struct cred *c, struct cgroup *root, struct cgroup *from, struct cgroup *to)
{
	auto_inode *procs = NULL;
	int r = cg_file_inode(cgroup_common(from, to), cg_row_find("cgroup.procs", 12), &procs);

	if (r == 0)
		r = inode_mode_permission(c, procs, W_OK);
	if (r == 0 && (!cgroup_is_below(from, root) || !cgroup_is_below(to, root)))
		r = -ENOENT;
	return r;
}

/* Whom @text names, as @t counts: a reference. "0": @t itself. */
static int get_process(struct task *t, const char *text, struct tgroup **ret)
{
	auto_task *x = NULL;
	s64 nr;
	int r = str_to_s64(text, 0, &nr);

	if (r < 0)
		return -EINVAL;
	if (nr < 0 || nr > INT32_MAX)
		return -EINVAL;
	x = nr ? task_find_nr(t, (int)nr) : task_ref(t);
	if (!x)
		return -ESRCH;
	*ret = tgroup_ref(x->tg);
	return 0;
}

static int store_procs(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	auto_tgroup *tg = NULL;
	int r = get_process(t, text, &tg);

	if (r < 0)
		return r;
	do {    /* again, if another moved it meanwhile: what it comes from was not judged */
		auto_cgroup *from = tgroup_cgroup(tg);

		r = cgroupfs_may_move(by->cred, by->cgroup_root, from, cg);
		if (r == 0)
			r = cgroup_attach(cg, tg, from);
	} while (r == -ESTALE);
	return r;
}

/* Threads go where their process is: there is no threaded mode. */
static int store_threads(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	auto_tgroup *tg = NULL;
	auto_cgroup *from = NULL;
	int r = get_process(t, text, &tg);

	(void)by;
	if (r < 0)
		return r;
	from = tgroup_cgroup(tg);
	return from == cg ? 0 : -EOPNOTSUPP;
}

static int store_type(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	(void)t;
	(void)by;
	(void)cg;
	return str_eq(text, "threaded") ? -EOPNOTSUPP : -EINVAL;
}

/* ---- cpu, cpuset ---- */

struct usage {
	struct cgroup *cg;
	u64 utime, stime, bytes;
};

static bool counts_for(struct cgroup *cg, struct tgroup *tg)
{
	auto_cgroup *at = tgroup_cgroup(tg);

	return cgroup_is_below(at, cg) && is_in(at, tg);
}

static int add_times(void *arg, struct tgroup *tg)
{
	struct usage *u = arg;
	u64 ut, st;

	if (!counts_for(u->cg, tg))
		return 0;
	tgroup_times(tg, &ut, &st);
	u->utime += ut;
	u->stime += st;
	return 0;
}

static int show_cpu_stat(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	struct usage u = { .cg = cg };

	mutex_lock(tree_mu(cg));
	u.utime = cg->utime;
	u.stime = cg->stime;
	mutex_unlock(tree_mu(cg));
	(void)!tgroup_for_each(t->kernel, add_times, &u);
	strbuf_printf(out, "usage_usec %lu\nuser_usec %lu\nsystem_usec %lu\n", (u.utime + u.stime) / 1000, u.utime / 1000,
	              u.stime / 1000);
	return 0;
}

static int show_cpu_max(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u64 quota = t->kernel->cpu_quota, period = t->kernel->cpu_period;

	if (quota && !cg->parent)
		strbuf_printf(out, "%lu %lu\n", quota, period);
	else
		strbuf_printf(out, "max %lu\n", cg->parent ? 100000 : period);
	return 0;
}

/* "max", or "max" and a period that is a number. */
static int store_cpu_max(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	u64 period;

	(void)t;
	(void)by;
	(void)cg;
	if (str_eq(text, "max") || (str_starts(text, "max ") && str_to_u64(text + 4, 10, &period) == 0))
		return 0;
	return -EOPNOTSUPP;
}

static int show_cpu_weight(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	(void)cg;
	strbuf_printf(out, "%u\n", t->kernel->cpu_weight);
	return 0;
}

static int show_cpus(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	(void)cg;
	strbuf_printf(out, t->kernel->ncpus > 1 ? "0-%u\n" : "%u\n", t->kernel->ncpus - 1);
	return 0;
}

/* ---- memory ---- */

static int add_rss(void *arg, struct tgroup *tg)
{
	struct usage *use = arg;
	auto_task *leader = NULL;
	struct mm *mm;
	struct mm_usage u;

	if (!counts_for(use->cg, tg))
		return 0;
	leader = task_find(tg->kernel, tg->tgid);
	mm = leader ? task_mm_get(leader) : NULL;
	if (mm) {
		mm_usage(mm, &u);
		use->bytes += u.rss_anon + u.rss_shmem;
		mm_unref(mm);
	}
	return 0;
}

static int show_memory_current(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	struct usage u = { .cg = cg };

	(void)!tgroup_for_each(t->kernel, add_rss, &u);
	strbuf_printf(out, "%lu\n", u.bytes);
	return 0;
}

static int show_memory_max(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u64 limit = t->kernel->mem_limit;

	(void)cg;
	put_max(out, limit ? limit : UINT64_MAX, UINT64_MAX);
	return 0;
}

/* There is no swap; the engine's limit says so. */
static int show_swap_max(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	(void)t;
	(void)cg;
	strbuf_puts(out, "0\n");
	return 0;
}

/* ---- pids ---- */

static int show_pids_max(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u32 now, max = (u32)read_locked(cg, &cg->pids_max);

	if (!cg->parent) {
		pid_count(t->kernel, &now, &max);
		max = max ? max : UINT32_MAX;
	}
	put_max(out, max, UINT32_MAX);
	return 0;
}

static int store_pids_max(struct task *t, const struct pseudo_opener *by, struct cgroup *cg, char *text)
{
	u32 v;
	int r = get_max(text, &v);

	(void)t;
	(void)by;
	if (r < 0 || (v >= PIDS_MAX && v != UINT32_MAX))
		return -EINVAL;
	return store_u32(cg, &cg->pids_max, text);
}

static int show_pids_events(struct task *t, struct cgroup *cg, struct strbuf *out)
{
	u64 n;

	(void)t;
	mutex_lock(tree_mu(cg));
	n = cg->pids_refused;
	mutex_unlock(tree_mu(cg));
	strbuf_printf(out, "max %lu\n", n);
	return 0;
}

/* ---- rows ---- */

/* The number of a row that is a field of the group. */
static u32 *field_of(const struct cg_row *row, struct cgroup *cg) { return (u32 *)((u8 *)cg + row->field); }

static const struct cg_row *row_of(const struct pseudo_node *n) { return container_of(n->e, struct cg_row, e); }

static bool is_dead(struct cgroup *cg)
{
	bool dead;

	mutex_lock(tree_mu(cg));
	dead = cg->dead;
	mutex_unlock(tree_mu(cg));
	return dead;
}

static int show_row(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	const struct cg_row *row = row_of(n);
	struct cgroup *cg = n->cg;

	if (is_dead(cg))
		return -ENODEV;
	if (row->show && !(row->fixed && cg->parent))
		return row->show(t, cg, out);
	if (row->field) {
		put_max(out, read_locked(cg, field_of(row, cg)), UINT32_MAX);
		return 0;
	}
	strbuf_printf(out, "%s\n", row->fixed ? row->fixed : "");
	return 0;
}

static int store_row(struct task *t, const struct pseudo_opener *by, struct pseudo_node *n, char *text)
{
	size_t len = strlen(text);
	const struct cg_row *row = row_of(n);
	struct cgroup *cg = n->cg;

	while (len && strchr(" \t\r\n", text[len - 1]))
		text[--len] = 0;
	text += strspn(text, " \t\r\n");
	if (is_dead(cg))
		return -ENODEV;
	if (!row->delegated && cg == by->cgroup_root)
		return -EPERM;
	if (row->store)
		return row->store(t, by, cg, text);
	if (row->field)
		return store_u32(cg, field_of(row, cg), text);
	return str_eq(text, row->fixed) ? 0 : -EOPNOTSUPP;
}

#define FILE_(nm, md) .e = { .name = nm, .mode = S_IFREG | (md), .show = show_row, .store_as = (md) & 0222 ? store_row : NULL }
#define TELLS(nm, c, fn) { FILE_(nm, 0444), .ctl = c, .show = fn }
#define TAKES(nm, c, fn, st) { FILE_(nm, 0644), .ctl = c, .show = fn, .store = st }
#define FIELD(nm, md, c, fd) { FILE_(nm, md), .ctl = c, .field = offsetof(struct cgroup, fd) }
#define FIXED(nm, c, fn, tx) { FILE_(nm, 0644), .ctl = c, .show = fn, .fixed = tx }

const struct cg_row cg_rows[CG_NROWS] = {
	TELLS("cgroup.controllers", 0, show_controllers),
	TELLS("cgroup.events", 0, show_events),
	{ FILE_("cgroup.freeze", 0644), .below_root = true, .show = show_freeze, .store = store_freeze },
	{ FILE_("cgroup.kill", 0200), .below_root = true, .store = store_kill },
	FIELD("cgroup.max.depth", 0644, 0, max_depth),
	FIELD("cgroup.max.descendants", 0644, 0, max_below),
	{ FILE_("cgroup.procs", 0644), .delegated = true, .show = show_procs, .store = store_procs },
	TELLS("cgroup.stat", 0, show_stat),
	{ FILE_("cgroup.subtree_control", 0644), .delegated = true, .show = show_control, .store = store_control },
	{ FILE_("cgroup.threads", 0644), .delegated = true, .show = show_threads, .store = store_threads },
	{ FILE_("cgroup.type", 0644), .fixed = "domain", .store = store_type },
	TELLS("cpu.stat", 0, show_cpu_stat),

	FIXED("cpu.idle", CGROUP_CPU, NULL, "0"),
	TAKES("cpu.max", CGROUP_CPU, show_cpu_max, store_cpu_max),
	FIXED("cpu.weight", CGROUP_CPU, show_cpu_weight, "100"),

	FIXED("cpuset.cpus", CGROUP_CPUSET, NULL, ""),
	TELLS("cpuset.cpus.effective", CGROUP_CPUSET, show_cpus),
	FIXED("cpuset.mems", CGROUP_CPUSET, NULL, ""),
	{ FILE_("cpuset.mems.effective", 0444), .ctl = CGROUP_CPUSET, .fixed = "0" },

	TELLS("memory.current", CGROUP_MEMORY, show_memory_current),
	{ FILE_("memory.events", 0444), .ctl = CGROUP_MEMORY, .fixed = "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0" },
	FIXED("memory.high", CGROUP_MEMORY, NULL, "max"),
	FIXED("memory.low", CGROUP_MEMORY, NULL, "0"),
	FIXED("memory.max", CGROUP_MEMORY, show_memory_max, "max"),
	FIXED("memory.min", CGROUP_MEMORY, NULL, "0"),
	FIXED("memory.oom.group", CGROUP_MEMORY, NULL, "0"),
	FIXED("memory.swap.max", CGROUP_MEMORY, show_swap_max, "max"),

	FIELD("pids.current", 0444, CGROUP_PIDS, ntasks),
	TELLS("pids.events", CGROUP_PIDS, show_pids_events),
	TAKES("pids.max", CGROUP_PIDS, show_pids_max, store_pids_max),
	FIELD("pids.peak", 0444, CGROUP_PIDS, peak),
};

int cg_row_find(const char *name, size_t len)
{
	for (int i = 0; i < CG_NROWS; i++)
		if (strlen(cg_rows[i].e.name) == len && !memcmp(cg_rows[i].e.name, name, len))
			return i;
	return -1;
}

bool cg_row_is_in_locked(const struct cg_row *r, const struct cgroup *cg)
{
	return !(r->below_root && !cg->parent) && (!r->ctl || (r->ctl & cgroup_controllers_locked(cg)));
}
