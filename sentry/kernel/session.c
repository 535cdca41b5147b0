/*
 * session.c - sessions and process groups; see session.h.
 */
#include "sentry/kernel/session.h"

#include <errno.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/task_int.h"

struct session *session_new(struct kernel *k, int sid, struct tgroup *leader)
{
	struct session *s = knew(struct session);

	if (!s)
		return NULL;
	ref_init(&s->ref);
	s->kernel = k;
	s->sid = sid;
	s->leader = leader;
	return s;
}

struct session *session_ref(struct session *s)
{
	ref_get(&s->ref);
	return s;
}

void session_unref(struct session *s)
{
	if (s && ref_put(&s->ref))
		kfree(s);
}

static struct tgroup *next_member(struct kernel *k, int pgid, int from)
{
	struct tgroup *tg = pid_next_tgroup_locked(k, from);

	while (tg && tg->pgid != pgid)
		tg = pid_next_tgroup_locked(k, tg->tgid + 1);
	return tg;
}

bool pgrp_in_session_locked(struct session *s, int pgid)
{
	for (struct tgroup *tg = next_member(s->kernel, pgid, 1); tg;
	     tg = next_member(s->kernel, pgid, tg->tgid + 1))
		if (tg->session == s)
			return true;
	return false;
}

/* Without @ignored, which is leaving (Linux: will_become_orphaned_pgrp). */
bool pgrp_orphaned_without_locked(struct kernel *k, int pgid, struct tgroup *ignored)
{
	for (struct tgroup *tg = next_member(k, pgid, 1); tg; tg = next_member(k, pgid, tg->tgid + 1)) {
		struct tgroup *p = tg->parent;

		if (tg == ignored || tg->zombie || !p)
			continue;
		if (p->pgid != pgid && p->session == tg->session)
			return false;
	}
	return true;
}

bool pgrp_is_orphaned_locked(struct kernel *k, int pgid)
{
	return pgrp_orphaned_without_locked(k, pgid, NULL);
}

bool pgrp_has_stopped_locked(struct kernel *k, int pgid)
{
	bool stopped = false;

	for (struct tgroup *tg = next_member(k, pgid, 1); tg && !stopped;
	     tg = next_member(k, pgid, tg->tgid + 1)) {
		mutex_lock(&tg->mu);
		stopped = tg->stop_signal != 0;
		mutex_unlock(&tg->mu);
	}
	return stopped;
}

int session_setsid(struct task *t)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg = t->tg;
	struct session *s = session_new(k, tg->tgid, tg);
	int r = tg->tgid;

	if (!s)
		return -ENOMEM;
	mutex_lock(&k->mu);
	if (next_member(k, tg->tgid, 1))
		r = -EPERM;
	else
		tgroup_join_locked(tg, tg->tgid, s);
	mutex_unlock(&k->mu);
	session_unref(s);
	return r;
}

static int setpgid_locked(struct task *t, struct tgroup *tg, int pgid)
{
	bool did_exec;

	if (tg != t->tg) {
		if (tg->parent != t->tg)
			return -ESRCH;
		if (tg->session != t->tg->session)
			return -EPERM;
		mutex_lock(&tg->mu);
		did_exec = tg->did_exec;
		mutex_unlock(&tg->mu);
		if (did_exec)
			return -EACCES;
	}
	if (tg->session->leader == tg)
		return -EPERM;
	if (pgid != tg->tgid && !pgrp_in_session_locked(t->tg->session, pgid))
		return -EPERM;
	if (tg->pgid != pgid)
		tgroup_set_pgid_locked(tg, pgid);
	return 0;
}

int session_setpgid(struct task *t, int pid, int pgid)
{
	struct kernel *k = t->kernel;
	struct tgroup *tg;
	int r;

	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&k->mu);
	tg = pid == 0 ? t->tg : pid_tgroup_locked(k, pid);
	if (!tg)
		r = -ESRCH;
	else
		r = setpgid_locked(t, tg, pgid == 0 ? tg->tgid : pgid);
	mutex_unlock(&k->mu);
	return r;
}

int session_id_of(struct task *t, int pid, bool sid)
{
	struct kernel *k = t->kernel;
	struct task *x;
	int r = -ESRCH;

	mutex_lock(&k->mu);
	x = pid == 0 ? t : pid_task_locked(k, pid);
	if (x && x->tg->session)
		r = sid ? x->tg->session->sid : x->tg->pgid;
	mutex_unlock(&k->mu);
	return r;
}
