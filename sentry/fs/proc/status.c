/*
 * status.c - /proc/PID/{stat,statm,status,limits}: the numbers that ps and top read.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include "platform/base/str.h"
#include "sentry/fs/proc/pid_int.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/rusage.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/session.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/mm/mm.h"

#define TICK_NS 10000000ul                      /* USER_HZ is 100 */

void task_comm(struct task *t, char comm[16])
{
	mutex_lock(&t->mu);
	memcpy(comm, t->comm, 16);
	mutex_unlock(&t->mu);
	comm[15] = 0;
}

struct family { int ppid, pgid, sid, tpgid; u32 tty; bool zombie; };

static void family_of(struct pseudo_node *n, struct family *f)
{
	struct pid_ns *ns = n->inode.sb->pid_ns;
	struct tgroup *tg = n->tg;

	mutex_lock(&tg->kernel->mu);
	f->ppid = tg->parent ? pid_nr_in_locked(ns, tg->parent->tgid) : 0;
	f->pgid = pid_nr_in_locked(ns, tg->pgid);
	f->sid = tg->session ? pid_nr_in_locked(ns, tg->session->sid) : 0;
	f->tty = tg->session && tg->session->tty ? tg->session->tty->dev : 0;
	f->tpgid = f->tty ? pid_nr_in_locked(ns, tg->session->tty->fg_pgid) : -1;
	f->zombie = tg->zombie;
	mutex_unlock(&tg->kernel->mu);
}

struct signals { sigmask_t pending, shared, blocked, ignored, caught; u32 nthreads, seccomp_filters; int seccomp_mode; };

static void signals_of(struct task *t, struct signals *s)
{
	struct tgroup *tg = t->tg;

	memset(s, 0, sizeof(*s));
	s->blocked = signal_mask(t);
	mutex_lock(&tg->mu);
	s->pending = t->pending.set;
	s->shared = tg->pending.set;
	s->nthreads = tg->nthreads;
	s->seccomp_mode = t->seccomp_mode;
	s->seccomp_filters = seccomp_count(t->seccomp);
	for (int i = 0; tg->sighand && i < NSIG_GUEST; i++) {
		u64 h = tg->sighand->act[i].handler;

		if (h == 1)
			s->ignored |= 1ull << i;
		else if (h > 1)
			s->caught |= 1ull << i;
	}
	mutex_unlock(&tg->mu);
}

/* A stop by job control begins and ends with in_stop: so who was told of it, or has ended it, sees it so. */
static char state_char(struct task *t, const struct family *f)
{
	bool stopped;

	mutex_lock(&t->tg->mu);
	stopped = t->in_stop;
	mutex_unlock(&t->tg->mu);
	if (stopped)
		return 'T';
	if (f->zombie && t->tid == t->tg->tgid)
		return 'Z';
	switch (atomic_load(&t->state)) {
	case TASK_RUNNING:
		return task_runs(t) ? 'R' : 'S';
	case TASK_SLEEPING:
		return 'S';
	case TASK_TRACED:
		return 't';
	case TASK_ZOMBIE:
		return 'Z';
	default:
		return 'X';
	}
}

static void usage_of(struct task *t, struct mm_usage *u, u64 *start_stack, u64 code[2], u64 argenv[4])
{
	struct mm *mm = task_mm_get(t);

	memset(u, 0, sizeof(*u));
	*start_stack = code[0] = code[1] = 0;
	memset(argenv, 0, 4 * sizeof(*argenv));
	if (!mm)
		return;
	mm_usage(mm, u);
	*start_stack = mm->stack_top;
	mutex_lock(&mm->mu);
	code[0] = mm->code_start;
	code[1] = mm->code_end;
	argenv[0] = mm->arg_start;
	argenv[1] = mm->arg_end;
	argenv[2] = mm->env_start;
	argenv[3] = mm->env_end;
	mutex_unlock(&mm->mu);
	mm_unref(mm);
}

static u64 ticks(const struct timeval *tv)
{
	return ((u64)tv->tv_sec * NSEC_PER_SEC + (u64)tv->tv_usec * 1000) / TICK_NS;
}

int pid_stat(struct task *reader, struct pseudo_node *n, struct strbuf *out)
{
	struct task *t = n->task;
	u64 start_stack, code[2], ae[4];
	bool may = proc_permit(reader, n) == 0;
	struct mm_usage u;
	struct family f;
	struct rusage kids;
	struct signals s;
	char comm[16];
	u64 rss, ut, st;

	rusage_of_children(t->tg, &kids);
	if (t->tid == t->tg->tgid)
		tgroup_times(t->tg, &ut, &st);
	else
		task_times(t, &ut, &st);
	task_comm(t, comm);
	family_of(n, &f);
	signals_of(t, &s);
	usage_of(t, &u, &start_stack, code, ae);
	rss = (u.rss_anon + u.rss_file + u.rss_shmem) / PAGE_SIZE;
	strbuf_printf(out, "%d (%s) %c %d %d %d %u %d 4194304 %lu 0 %lu 0 ", proc_nr(n, t->tid), comm,
	              state_char(t, &f), f.ppid, f.pgid, f.sid, f.tty, f.tpgid, t->minflt, t->majflt);
	strbuf_printf(out, "%lu %lu %lu %lu %d %d %u 0 %lu ", ut / TICK_NS, st / TICK_NS,
	              ticks(&kids.ru_utime), ticks(&kids.ru_stime),
	              20 + t->nice, t->nice, MAX(s.nthreads, 1u), (u64)t->start_time / TICK_NS);
	strbuf_printf(out, "%lu %lu %lu ", u.vm, rss, task_rlimit(t, RLIMIT_RSS));
	if (may)
		strbuf_printf(out, "%lu %lu %lu 0 0 ", code[0], code[1], start_stack);
	else
		strbuf_puts(out, "1 1 0 0 0 ");
	strbuf_printf(out, "%lu %lu %lu %lu 0 0 0 17 0 0 0 0 0 0 0 0 0 ", s.pending & 0x7fffffff,
	              s.blocked & 0x7fffffff, s.ignored & 0x7fffffff, s.caught & 0x7fffffff);
	if (may)
		strbuf_printf(out, "%lu %lu %lu %lu %d\n", ae[0], ae[1], ae[2], ae[3], t->exit_status);
	else
		strbuf_puts(out, "0 0 0 0 0\n");
	return 0;
}

int pid_statm(struct task *reader, struct pseudo_node *n, struct strbuf *out)
{
	u64 x, y[2], z[4];
	struct mm_usage u;

	(void)reader;
	usage_of(n->task, &u, &x, y, z);
	strbuf_printf(out, "%lu %lu %lu %lu 0 %lu 0\n", u.vm / PAGE_SIZE,
	              (u.rss_anon + u.rss_file + u.rss_shmem) / PAGE_SIZE,
	              (u.rss_file + u.rss_shmem) / PAGE_SIZE, u.text / PAGE_SIZE,
	              (u.data + u.stack) / PAGE_SIZE);
	return 0;
}

/* The numbers in every pid namespace from the mount's own down. */
static void put_nums(const struct pid_nums *p, struct pid_ns *ns, int pid, struct strbuf *out)
{
	u32 level = ns ? ns->level : 0, last = p ? p->ns->level : 0;

	strbuf_printf(out, "\t%d", level ? pid_nums_in(p, ns) : pid);
	for (u32 l = level + 1; l <= last; l++)
		strbuf_printf(out, "\t%d", p->nr[l]);
}

static void put_ids(struct pseudo_node *n, struct strbuf *out)
{
	struct kernel *k = n->tg->kernel;
	struct pid_ns *ns = n->inode.sb->pid_ns;
	static const char *const names[] = { "NStgid", "NSpid", "NSpgid", "NSsid" };

	mutex_lock(&k->mu);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const int pids[] = {
			n->tg->tgid, n->task->tid, n->tg->pgid, n->tg->session ? n->tg->session->sid : 0,
		};

		strbuf_printf(out, "%s:", names[i]);
		put_nums(pid_nums_locked(k, pids[i]), ns, pids[i], out);
		strbuf_putc(out, '\n');
	}
	mutex_unlock(&k->mu);
}

static void put_creds(struct task *reader, struct task *t, struct strbuf *out)
{
	const struct user_ns *u = task_user_ns(reader);
	const struct cred *c = task_cred_get(t);

	strbuf_printf(out, "Uid:\t%u\t%u\t%u\t%u\n", user_ns_show_uid(u, c->uid), user_ns_show_uid(u, c->euid),
	              user_ns_show_uid(u, c->suid), user_ns_show_uid(u, c->fsuid));
	strbuf_printf(out, "Gid:\t%u\t%u\t%u\t%u\n", user_ns_show_gid(u, c->gid), user_ns_show_gid(u, c->egid),
	              user_ns_show_gid(u, c->sgid), user_ns_show_gid(u, c->fsgid));
	strbuf_puts(out, "FDSize:\t64\nGroups:\t");
	for (u32 i = 0; i < c->ngroups; i++)
		strbuf_printf(out, "%u ", user_ns_show_gid(u, c->groups[i]));
	strbuf_putc(out, '\n');
	cred_unref(c);
}

static void put_caps(struct task *t, struct strbuf *out)
{
	const struct cred *c = task_cred_get(t);

	strbuf_printf(out, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\n"
	              "CapAmb:\t%016lx\nNoNewPrivs:\t%d\n", c->cap_inh, c->cap_prm, c->cap_eff, c->cap_bnd,
	              c->cap_amb, t->no_new_privs);
	cred_unref(c);
}

static void put_memory(const struct mm_usage *u, struct strbuf *out)
{
	u64 rss = u->rss_anon + u->rss_file + u->rss_shmem;

	strbuf_printf(out, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t       0 kB\n"
	              "VmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n", u->vm >> 10, u->vm >> 10, u->locked >> 10,
	              u->rss_most >> 10, rss >> 10);
	strbuf_printf(out, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", u->rss_anon >> 10,
	              u->rss_file >> 10, u->rss_shmem >> 10);
	strbuf_printf(out, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8lu kB\n"
	              "VmPTE:\t%8lu kB\nVmSwap:\t       0 kB\nHugetlbPages:\t       0 kB\n", u->data >> 10,
	              u->stack >> 10, u->text >> 10, u->lib >> 10, (rss >> 21) * 4 + 4);
}

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "X (dead)";
	}
}

static void put_cpus(struct task *t, struct strbuf *out)
{
	u32 n = MIN(t->kernel->ncpus, 64u);
	u64 mask = t->cpu_mask[0] & (n == 64 ? ~0ull : (1ull << n) - 1);

	strbuf_printf(out, "Cpus_allowed:\t%lx\nCpus_allowed_list:\t", mask);
	for (u32 i = 0, first = 1; i < n; i++) {
		u32 j = i;

		if (!(mask >> i & 1))
			continue;
		while (j + 1 < n && mask >> (j + 1) & 1)
			j++;
		strbuf_printf(out, j > i ? "%s%u-%u" : "%s%u", first ? "" : ",", i, j);
		first = 0;
		i = j;
	}
	strbuf_puts(out, "\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
}

int pid_status(struct task *reader, struct pseudo_node *n, struct strbuf *out)
{
	struct task *t = n->task;
	u64 x, y[2], z[4];
	struct mm_usage u;
	struct family f;
	struct signals s;
	char comm[16];
	u32 umask = 022;
	struct fs *fs = task_fs_get(t);

	task_comm(t, comm);
	family_of(n, &f);
	signals_of(t, &s);
	usage_of(t, &u, &x, y, z);
	if (fs) {
		umask = fs->umask;
		fs_unref(fs);
	}
	strbuf_puts(out, "Name:\t");
	strbuf_put_octal(out, comm, "\\\n");
	strbuf_printf(out, "\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n"
	              "TracerPid:\t%d\n", umask, state_name(state_char(t, &f)), proc_nr(n, t->tg->tgid), proc_nr(n, t->tid), f.ppid,
	              proc_nr(n, ptrace_tracer_pid(t)));
	put_creds(reader, t, out);
	put_ids(n, out);
	strbuf_puts(out, "Kthread:\t0\n");
	if (u.vm)
		put_memory(&u, out);
	strbuf_printf(out, "CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t%u\nSigQ:\t0/%lu\n"
	              "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
	              MAX(s.nthreads, 1u), task_rlimit(t, RLIMIT_SIGPENDING), s.pending, s.shared, s.blocked,
	              s.ignored, s.caught);
	put_caps(t, out);
	strbuf_printf(out, "Seccomp:\t%d\nSeccomp_filters:\t%u\nSpeculation_Store_Bypass:\tvulnerable\n"
	              "SpeculationIndirectBranch:\talways enabled\n", s.seccomp_mode, s.seccomp_filters);
	put_cpus(t, out);
	strbuf_printf(out, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", t->nvcsw,
	              t->nivcsw);
	return 0;
}

int pid_limits(struct task *reader, struct pseudo_node *n, struct strbuf *out)
{
	static const struct { const char *name, *unit; int res; } rows[] = {
		{ "Max cpu time", "seconds", RLIMIT_CPU }, { "Max file size", "bytes", RLIMIT_FSIZE },
		{ "Max data size", "bytes", RLIMIT_DATA }, { "Max stack size", "bytes", RLIMIT_STACK },
		{ "Max core file size", "bytes", RLIMIT_CORE }, { "Max resident set", "bytes", RLIMIT_RSS },
		{ "Max processes", "processes", RLIMIT_NPROC }, { "Max open files", "files", RLIMIT_NOFILE },
		{ "Max locked memory", "bytes", RLIMIT_MEMLOCK }, { "Max address space", "bytes", RLIMIT_AS },
		{ "Max file locks", "locks", RLIMIT_LOCKS }, { "Max pending signals", "signals", RLIMIT_SIGPENDING },
		{ "Max msgqueue size", "bytes", RLIMIT_MSGQUEUE }, { "Max nice priority", "", RLIMIT_NICE },
		{ "Max realtime priority", "", RLIMIT_RTPRIO }, { "Max realtime timeout", "us", RLIMIT_RTTIME },
	};
	struct rlimit64_g rl[RLIM_NLIMITS];

	(void)reader;
	mutex_lock(&n->tg->mu);
	memcpy(rl, n->tg->rlim, sizeof(rl));
	mutex_unlock(&n->tg->mu);
	strbuf_puts(out, "Limit                     Soft Limit           Hard Limit           Units     \n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const u64 v[2] = { rl[rows[i].res].cur, rl[rows[i].res].max };

		strbuf_printf(out, "%-25s ", rows[i].name);
		for (int k = 0; k < 2; k++)
			if (v[k] == ~0ull)
				strbuf_printf(out, "%-20s ", "unlimited");
			else
				strbuf_printf(out, "%-20lu ", v[k]);
		strbuf_printf(out, "%-10s\n", rows[i].unit);
	}
	return 0;
}
