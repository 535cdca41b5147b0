/*
 * pid.c - /proc/PID and /proc/PID/task/TID.
 *
 * A directory node holds its process and thread, so it outlives them: then files are empty
 * or -ESRCH.  Owner of the files is who the process runs as, or root if it is not dumpable.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/fs/proc/pid_int.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/landlock.h"

bool proc_may_trace(struct task *t, struct task *x)
{
	const struct cred *me = task_cred(t), *it;
	bool same;

	if (x->tg == t->tg)
		return true;
	it = task_cred_get(x);
	same = me->fsuid == it->uid && me->fsuid == it->euid && me->fsuid == it->suid &&
	       me->fsgid == it->gid && me->fsgid == it->egid && me->fsgid == it->sgid &&
	       me->user_ns == it->user_ns && (it->cap_prm & ~me->cap_prm) == 0;
	same = (same || cred_ns_capable(me, it->user_ns, CAP_SYS_PTRACE)) && landlock_may_trace(me, it);
	cred_unref(it);
	return same;
}

int proc_permit(struct task *t, struct pseudo_node *n)
{
	return proc_may_trace(t, n->task) ? 0 : -EACCES;
}

/* hidepid=noaccess. */
static int dir_permission(struct task *t, struct pseudo_node *n, int mask)
{
	if (proc_hidden(t, n->inode.sb, n->task, HIDE_NOACCESS))
		return -EPERM;
	return (mask & W_OK) && !capable(t, CAP_DAC_OVERRIDE) ? -EACCES : 0;
}

static int show_comm(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	char comm[16];

	(void)t;
	task_comm(n->task, comm);
	strbuf_printf(out, "%s\n", comm);
	return 0;
}

static int store_comm(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	if (n->tg != t->tg)
		return -EINVAL;
	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	mutex_lock(&n->task->mu);
	str_copy(n->task->comm, sizeof(n->task->comm), text);
	mutex_unlock(&n->task->mu);
	return 0;
}

/* ---- links to places ---- */

enum { PLACE_CWD, PLACE_ROOT };

static int fs_place(struct pseudo_node *n, int which, struct path *ret)
{
	struct fs *fs = task_fs_get(n->task);

	if (!fs)
		return -ENOENT;
	mutex_lock(&fs->mu);
	*ret = which == PLACE_CWD ? fs->cwd : fs->root;
	path_get(ret);
	mutex_unlock(&fs->mu);
	fs_unref(fs);
	return 0;
}

static int follow_cwd(struct task *t, struct pseudo_node *n, struct path *ret)
{
	(void)t;
	return fs_place(n, PLACE_CWD, ret);
}

static int follow_root(struct task *t, struct pseudo_node *n, struct path *ret)
{
	(void)t;
	return fs_place(n, PLACE_ROOT, ret);
}

static int follow_exe(struct task *t, struct pseudo_node *n, struct path *ret)
{
	struct mm *mm = task_mm_get(n->task);
	int r = -ENOENT;

	(void)t;
	if (!mm)
		return -ENOENT;
	mutex_lock(&mm->mu);
	if (mm->exe && mm->exe->path.dentry) {
		*ret = mm->exe->path;
		path_get(ret);
		r = 0;
	}
	mutex_unlock(&mm->mu);
	mm_unref(mm);
	return r;
}

static int show_place(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	char name[4096];
	struct path p;
	ssize_t len;
	int r = n->e->follow(t, n, &p);

	if (r < 0)
		return r;
	len = vfs_path_name(t, &p, name, sizeof(name));
	path_put(&p);
	if (len < 0)
		return (int)len;
	strbuf_write(out, name, strnlen(name, (size_t)len));
	return 0;
}

/* ---- small files ---- */

static int show_oom_score(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct mm *mm = task_mm_get(n->task);
	u64 total = n->tg->kernel->mem_total;
	struct mm_usage u = { 0 };
	s64 score;

	(void)t;
	if (mm) {
		mm_usage(mm, &u);
		mm_unref(mm);
	}
	score = (s64)((u.rss_anon + u.rss_shmem) * 1000 / MAX(total, 1ul));
	score = (1000 + score + n->tg->oom_score_adj) * 2 / 3;
	strbuf_printf(out, "%ld\n", (long)MAX(score, 0));
	return 0;
}

/* Another's, only for CAP_SYS_NICE. */
static int show_slack(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_task *x = task_find(t->kernel, n->tg->tgid);

	if (!x)
		return -ESRCH;
	if (x != t && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	strbuf_printf(out, "%llu\n", (unsigned long long)atomic_load(&x->timer_slack));
	return 0;
}

static int store_slack(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	auto_task *x = task_find(t->kernel, n->tg->tgid);
	u64 v;

	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	if (str_to_u64(text, 10, &v) < 0)
		return -EINVAL;
	if (!x)
		return -ESRCH;
	if (x != t && !capable(t, CAP_SYS_NICE))
		return -EPERM;
	x->timer_slack = v ? v : atomic_load(&x->timer_slack_def);
	return 0;
}

static int show_oom_adj(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "%d\n", n->tg->oom_score_adj);
	return 0;
}

static int store_oom_adj(struct task *t, struct pseudo_node *n, char *text, size_t len)
{
	s64 v;

	if (len && text[len - 1] == '\n')
		text[len - 1] = 0;
	if (str_to_s64(text, 10, &v) < 0 || v < -1000 || v > 1000)
		return -EINVAL;
	if (v < n->tg->oom_score_adj && !capable(t, CAP_SYS_RESOURCE))
		return -EACCES;
	n->tg->oom_score_adj = (s32)v;
	return 0;
}

static int with_user_ns(struct task *t, const struct cred *by, struct pseudo_node *n, char *text, struct strbuf *out)
{
	const struct cred *c = task_cred_get(n->task);
	struct user_ns *u = c->user_ns;
	const char *name = n->e->name;
	int r = 0;

	if (text && !strcmp(name, "setgroups"))
		r = user_ns_store_setgroups(by, u, text);
	else if (text)
		r = user_ns_store_map(t, by, u, name[0] == 'g', text);
	else if (!strcmp(name, "setgroups"))
		strbuf_puts(out, atomic_load(&u->no_setgroups) ? "deny\n" : "allow\n");
	else
		user_ns_show_map(u, name[0] == 'g', task_user_ns(t), out);
	cred_unref(c);
	return r;
}

static int show_user_ns(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	return with_user_ns(t, NULL, n, NULL, out);
}

static int store_user_ns(struct task *t, const struct pseudo_opener *by, struct pseudo_node *n, char *text)
{
	return with_user_ns(t, by->cred, n, text, NULL);
}

static int show_io(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	(void)n;
	strbuf_puts(out, "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\n"
	            "cancelled_write_bytes: 0\n");
	return 0;
}

static int show_syscall(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct task *it = n->task;

	(void)t;
	if (atomic_load(&it->state) == TASK_RUNNING)
		strbuf_puts(out, "running\n");
	else
		strbuf_printf(out, "%d 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x0 0x0\n", (int)it->call_nr,
		              it->call_args[0], it->call_args[1], it->call_args[2], it->call_args[3],
		              it->call_args[4], it->call_args[5]);
	return 0;
}

static int show_personality(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "%08x\n", n->task->personality);
	return 0;
}

static int show_schedstat(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	(void)t;
	strbuf_printf(out, "%lu 0 %lu\n", n->task->utime_ns + n->task->stime_ns, n->task->nvcsw);
	return 0;
}

/* ---- namespaces ---- */

/* "pid_for_children" and "time_for_children" are what the next fork gets; "pid" is the process's own. */
static struct ns *ns_of(struct pseudo_node *n)
{
	const char *name = n->e->name;

	if (!strcmp(name, "pid"))
		return n->tg->pid_ns ? ns_ref(&n->tg->pid_ns->ns) : NULL;
	if (!strcmp(name, "pid_for_children"))
		return task_ns_get(n->task, NS_PID);
	if (!strcmp(name, "time_for_children"))
		return task_ns_get(n->task, NS_TIME);
	for (int kind = 0; kind < NS_KINDS; kind++)
		if (!strcmp(name, ns_name((enum ns_kind)kind)))
			return task_ns_get(n->task, (enum ns_kind)kind);
	return NULL;
}

static int show_ns(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	struct ns *ns = ns_of(n);

	(void)t;
	if (!ns)
		return -ENOENT;
	strbuf_printf(out, "%s:[%lu]", ns_name(ns->kind), ns->ino);
	ns_unref(ns);
	return 0;
}

static int follow_ns(struct task *t, struct pseudo_node *n, struct path *ret)
{
	struct ns *ns = ns_of(n);
	int r;

	if (!ns)
		return -ENOENT;
	r = nsfs_place(t, ns, ret);
	ns_unref(ns);
	return r;
}

static int show_cgroup(struct task *t, struct pseudo_node *n, struct strbuf *out)
{
	auto_cgroup *cg = tgroup_cgroup(n->tg);

	strbuf_puts(out, "0::");
	cgroup_path(out, task_cgroup_root(t), cg);
	strbuf_putc(out, '\n');
	return 0;
}

#define NS(k) { .name = k, .mode = S_IFLNK | 0777, .show = show_ns, .follow = follow_ns, .permit = proc_permit }
static const struct pseudo_entry ns_entries[] = {
	NS("cgroup"), NS("ipc"), NS("mnt"), NS("net"), NS("pid"), NS("pid_for_children"), NS("time"),
	NS("time_for_children"), NS("user"), NS("uts"),
};
static const struct pseudo_dir ns_dir = { .entries = ns_entries, .n = ARRAY_SIZE(ns_entries) };

static const struct pseudo_entry attr_entries[] = {
	{ .name = "current", .mode = S_IFREG | 0444, .text = "unconfined\n" },
};
static const struct pseudo_dir attr_dir = { .entries = attr_entries, .n = ARRAY_SIZE(attr_entries) };

static const struct pseudo_dir task_list_dir;

#define FILE_ROW(nm, md, fn) { .name = nm, .mode = S_IFREG | (md), .show = fn }
#define GUARDED_ROW(nm, md, fn) { .name = nm, .mode = S_IFREG | (md), .show = fn, .permit = proc_permit }
#define USER_NS_ROW(nm) { .name = nm, .mode = S_IFREG | 0644, .show = show_user_ns, .store_as = store_user_ns }
#define DIR_ROW(nm, md, d) { .name = nm, .mode = S_IFDIR | (md), .dir = d }

/* What a process and each of its threads have. */
#define COMMON_ENTRIES \
	DIR_ROW("attr", 0555, &attr_dir), \
	GUARDED_ROW("auxv", 0400, pid_auxv), \
	FILE_ROW("cgroup", 0444, show_cgroup), \
	FILE_ROW("cmdline", 0444, pid_cmdline), \
	{ .name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .store = store_comm }, \
	{ .name = "cwd", .mode = S_IFLNK | 0777, .show = show_place, .follow = follow_cwd, .permit = proc_permit }, \
	GUARDED_ROW("environ", 0400, pid_environ), \
	{ .name = "exe", .mode = S_IFLNK | 0777, .show = show_place, .follow = follow_exe, .permit = proc_permit }, \
	{ .name = "fd", .mode = S_IFDIR | 0500, .dir = &proc_fd_dir, .permit = proc_permit }, \
	{ .name = "fdinfo", .mode = S_IFDIR | 0555, .dir = &proc_fdinfo_dir, .permit = proc_permit }, \
	USER_NS_ROW("gid_map"), \
	GUARDED_ROW("io", 0400, show_io), \
	FILE_ROW("limits", 0644, pid_limits), \
	{ .name = "maps", .mode = S_IFREG | 0444, .show = pid_maps, .ioctl = pid_maps_ioctl, .permit = proc_permit }, \
	{ .name = "mem", .mode = S_IFREG | 0600, .open = pid_mem_open, .permit = proc_permit }, \
	{ .name = "mountinfo", .mode = S_IFREG | 0444, .open = pid_mountinfo_open }, \
	{ .name = "mounts", .mode = S_IFREG | 0444, .open = pid_mounts_open }, \
	DIR_ROW("net", 0555, &proc_net_dir), \
	{ .name = "ns", .mode = S_IFDIR | 0511, .dir = &ns_dir }, \
	FILE_ROW("oom_score", 0444, show_oom_score), \
	{ .name = "oom_score_adj", .mode = S_IFREG | 0644, .show = show_oom_adj, .store = store_oom_adj }, \
	GUARDED_ROW("personality", 0400, show_personality), \
	{ .name = "root", .mode = S_IFLNK | 0777, .show = show_place, .follow = follow_root, .permit = proc_permit }, \
	FILE_ROW("schedstat", 0444, show_schedstat), \
	USER_NS_ROW("setgroups"), \
	GUARDED_ROW("smaps", 0444, pid_smaps), \
	GUARDED_ROW("smaps_rollup", 0444, pid_smaps_rollup), \
	FILE_ROW("stat", 0444, pid_stat), \
	FILE_ROW("statm", 0444, pid_statm), \
	FILE_ROW("status", 0444, pid_status), \
	GUARDED_ROW("syscall", 0400, show_syscall), \
	USER_NS_ROW("uid_map"), \
	{ .name = "wchan", .mode = S_IFREG | 0444, .text = "0" }

static const struct pseudo_entry pid_entries[] = {
	COMMON_ENTRIES,
	{ .name = "coredump_filter", .mode = S_IFREG | 0644, .text = "00000033\n" },
	{ .name = "loginuid", .mode = S_IFREG | 0644, .text = "4294967295" },
	{ .name = "mountstats", .mode = S_IFREG | 0400, .open = pid_mountstats_open },
	{ .name = "sessionid", .mode = S_IFREG | 0444, .text = "4294967295" },
	{ .name = "task", .mode = S_IFDIR | 0555, .dir = &task_list_dir },
	{ .name = "timerslack_ns", .mode = S_IFREG | 0666, .show = show_slack, .store = store_slack },
};
static const struct pseudo_entry tid_entries[] = { COMMON_ENTRIES };

static const struct pseudo_dir pid_dir = { .entries = pid_entries, .n = ARRAY_SIZE(pid_entries) };
static const struct pseudo_dir tid_dir = { .entries = tid_entries, .n = ARRAY_SIZE(tid_entries) };
static const struct pseudo_entry pid_entry = { .name = "", .mode = S_IFDIR | 0555, .dir = &pid_dir };
static const struct pseudo_entry guarded_pid_entry = {
	.name = "", .mode = S_IFDIR | 0555, .dir = &pid_dir, .permission = dir_permission,
};
static const struct pseudo_entry tid_entry = { .name = "", .mode = S_IFDIR | 0555, .dir = &tid_dir };

struct tgroup *procfs_tgroup(struct file *f)
{
	struct inode *i = f->inode;

	if (!i || strcmp(i->sb->ops->fstype, "proc") || (i->mode & S_IFMT) != S_IFDIR)
		return NULL;
	return to_pseudo(i)->e == &pid_entry || to_pseudo(i)->e == &guarded_pid_entry ? tgroup_ref(to_pseudo(i)->tg) : NULL;
}

/* ---- lists ---- */

int proc_nr(struct pseudo_node *n, int pid)
{
	return pid_nr_in(n->inode.sb->pid_ns, pid);
}

static int number_of(const char *name, size_t len, u64 *ret)
{
	char num[16];

	if (len >= sizeof(num) || !len || (name[0] == '0' && len > 1))
		return -ENOENT;
	memcpy(num, name, len);
	num[len] = 0;
	return str_to_u64(num, 10, ret) < 0 || *ret > INT32_MAX ? -ENOENT : 0;
}

static struct inode *dir_node(struct super *sb, const struct pseudo_entry *e, u64 ino, struct task *it)
{
	const struct cred *c = task_cred_get(it);
	struct inode *i = pseudo_new(sb, e, ino, it->tg, it, 0, c->euid, c->egid);

	cred_unref(c);
	return i;
}

int proc_pid_find(struct task *t, struct pseudo_node *root, const char *name, size_t len,
                  struct inode **ret)
{
	u64 ino = pseudo_ino(root->inode.ino, name, len), pid;
	auto_task *it = NULL;

	if (number_of(name, len, &pid) < 0)
		return -ENOENT;
	it = task_find(t->kernel, pid_from_nr_in(root->inode.sb->pid_ns, (int)pid));
	if (!it || proc_hidden(t, root->inode.sb, it, HIDE_INVISIBLE))
		return -ENOENT;
	/* As on Linux, a thread's number opens its process's directory, unlisted. */
	*ret = dir_node(root->inode.sb, root->inode.sb->proc_hide ? &guarded_pid_entry : &pid_entry, ino, it);
	return *ret ? 0 : -ENOMEM;
}

struct lister { struct pseudo_node *dir; struct dir_ctx *c; struct task *t; };

static int emit_number(struct lister *l, int id)
{
	int nr = proc_nr(l->dir, id);
	char name[16];

	if (id + PSEUDO_DYNAMIC < l->c->pos || !nr)
		return 0;
	snprintf(name, sizeof(name), "%d", nr);
	if (!pseudo_emit(l->c, l->dir, name, S_IFDIR, id + PSEUDO_DYNAMIC + 1))
		return 1;
	l->c->pos = id + PSEUDO_DYNAMIC + 1;
	return 0;
}

static int list_process(void *arg, struct tgroup *tg)
{
	struct lister *l = arg;
	const struct super *sb = l->dir->inode.sb;
	auto_task *it = sb->proc_hide ? task_find(l->t->kernel, tg->tgid) : NULL;

	if (it && proc_hidden(l->t, sb, it, HIDE_INVISIBLE))
		return 0;
	return emit_number(l, tg->tgid);
}

static int list_thread(void *arg, struct task *it) { return emit_number(arg, it->tid); }

int proc_pid_list(struct task *t, struct pseudo_node *root, struct dir_ctx *c)
{
	struct lister l = { root, c, t };

	(void)tgroup_for_each(t->kernel, list_process, &l);
	return 0;
}

static int task_list(struct task *t, struct pseudo_node *dir, struct dir_ctx *c)
{
	struct lister l = { dir, c, t };

	(void)t;
	(void)tgroup_for_each_task(dir->tg, list_thread, &l);
	return 0;
}

static int task_find_in(struct task *t, struct pseudo_node *dir, const char *name, size_t len,
                        struct inode **ret)
{
	auto_task *it = NULL;
	u64 tid;

	if (number_of(name, len, &tid) < 0)
		return -ENOENT;
	it = task_find(t->kernel, pid_from_nr_in(dir->inode.sb->pid_ns, (int)tid));
	if (!it || it->tg != dir->tg)
		return -ENOENT;
	*ret = dir_node(dir->inode.sb, &tid_entry, pseudo_ino(dir->inode.ino, name, len), it);
	return *ret ? 0 : -ENOMEM;
}

static const struct pseudo_dir task_list_dir = { .list = task_list, .find = task_find_in };
