/*
 * pid.c - the pid table; see pid.h.
 *
 * Numbers are handed out in a circle, as on Linux, so that a number is not
 * reused at once.  Chunks of the table are made on first use; an empty one goes, but for the one that numbers are handed out from.
 */
#include "sentry/kernel/pid.h"

#include <errno.h>

#include "platform/base/alloc.h"
#include "platform/base/bug.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"

#define CHUNK 256
#define NCHUNKS (PID_MAX / CHUNK)
#define PID_RESERVED 300        /* after the first lap, daemons' low numbers stay free */

struct pid_ent {
	struct task *task;
	struct tgroup *tg;
	u32 holds;
	bool reserved;          /* allocated, and not free until task and process are gone */
	bool counted;           /* in its chunk's used: set when it was allocated, until nothing is left of it */
	struct pid_nums *nums;  /* owned: in pid namespaces below the first */
};

struct pid_table {
	struct pid_ent *chunk[NCHUNKS];
	u16 used[NCHUNKS];
	int last;
};

struct pid_table *pid_table_new(void)
{
	return knew(struct pid_table);
}

static struct pid_ent *ent(struct kernel *k, int pid)
{
	struct pid_ent *c;

	if (pid <= 0 || pid >= PID_MAX)
		return NULL;
	c = k->pids->chunk[pid / CHUNK];
	return c ? &c[pid % CHUNK] : NULL;
}

static int ent_make(struct kernel *k, int pid)
{
	struct pid_ent **c = &k->pids->chunk[pid / CHUNK];

	if (!*c)
		*c = kbuf_array(CHUNK, sizeof(**c));
	return *c ? 0 : -ENOMEM;
}

static bool is_free(struct kernel *k, int pid)
{
	const struct pid_ent *e = ent(k, pid);

	return !e || (!e->reserved && !e->task && !e->tg && e->holds == 0);
}

static void chunk_drop(struct pid_table *p, int n)
{
	if (p->used[n] || n == p->last / CHUNK)
		return;
	kfree(p->chunk[n]);
	p->chunk[n] = NULL;
}

/* Numbers in namespaces go with the last user, and the entry may go, too. */
static void drop_if_free(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	if (!is_free(k, pid))
		return;
	pid_nums_free_locked(e->nums);
	e->nums = NULL;
	k->pids->used[pid / CHUNK] -= e->counted;
	e->counted = false;
	chunk_drop(k->pids, pid / CHUNK);
}

static int find_free(struct kernel *k)
{
	int pid = k->pids->last;

	for (int i = 0; i < PID_MAX; i++) {
		if (++pid >= PID_MAX)
			pid = PID_RESERVED;
		if (is_free(k, pid))
			return pid;
	}
	return -EAGAIN;
}

int pid_alloc_locked(struct kernel *k, struct pid_ns *ns, const int *wanted, u32 n)
{
	int want = n > ns->level ? wanted[ns->level] : 0, r, pid = want;

	if (want < 0 || want >= PID_MAX)
		return -EINVAL;
	if (k->max_tasks != 0 && k->ntasks >= k->max_tasks)
		return -EAGAIN;
	if (want == 0)
		pid = find_free(k);
	else if (!is_free(k, want))
		return -EEXIST;
	if (pid < 0)
		return pid;
	r = ent_make(k, pid);
	if (r == 0)
		r = pid_nums_make_locked(ns, pid, wanted, n, &ent(k, pid)->nums);
	if (r < 0) {
		chunk_drop(k->pids, pid / CHUNK);
		return r;
	}
	ent(k, pid)->reserved = ent(k, pid)->counted = true;
	k->pids->used[pid / CHUNK]++;
	if (want == 0 || pid > k->pids->last) {
		int from = k->pids->last / CHUNK;

		k->pids->last = pid;
		chunk_drop(k->pids, from);
	}
	k->ntasks++;
	return pid;
}

void pid_set_task_locked(struct kernel *k, int pid, struct task *t)
{
	BUG_ON(ent(k, pid)->task);
	ent(k, pid)->task = t;
}

void pid_set_tgroup_locked(struct kernel *k, int pid, struct tgroup *tg)
{
	BUG_ON(ent(k, pid)->tg);
	ent(k, pid)->tg = tg;
}

struct task *pid_clear_task_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);
	struct task *t = e->task;

	e->task = NULL;
	e->reserved = e->tg != NULL;
	drop_if_free(k, pid);
	return t;
}

struct tgroup *pid_clear_tgroup_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);
	struct tgroup *tg = e->tg;

	e->tg = NULL;
	e->reserved = e->task != NULL;
	drop_if_free(k, pid);
	return tg;
}

void pid_limit(struct kernel *k, u64 max)
{
	mutex_lock(&k->mu);
	k->max_tasks = (u32)MIN(max, (u64)UINT32_MAX);
	mutex_unlock(&k->mu);
}

void pid_count(struct kernel *k, u32 *ret_now, u32 *ret_max)
{
	mutex_lock(&k->mu);
	*ret_now = k->ntasks;
	*ret_max = k->max_tasks;
	mutex_unlock(&k->mu);
}

void pid_uncount_locked(struct kernel *k)
{
	BUG_ON(k->ntasks == 0);
	k->ntasks--;
}

const struct pid_nums *pid_nums_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	return e ? e->nums : NULL;
}

struct task *pid_task_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	return e ? e->task : NULL;
}

struct tgroup *pid_tgroup_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	return e ? e->tg : NULL;
}

struct tgroup *pid_next_tgroup_locked(struct kernel *k, int from)
{
	for (int pid = MAX(from, 1); pid < PID_MAX; pid++) {
		struct pid_ent *c = k->pids->chunk[pid / CHUNK];

		if (!c)
			pid |= CHUNK - 1;
		else if (c[pid % CHUNK].tg)
			return c[pid % CHUNK].tg;
	}
	return NULL;
}

void pid_hold_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	BUG_ON(!e);
	e->holds++;
}

void pid_unhold_locked(struct kernel *k, int pid)
{
	struct pid_ent *e = ent(k, pid);

	BUG_ON(!e || e->holds == 0);
	e->holds--;
	drop_if_free(k, pid);
}
