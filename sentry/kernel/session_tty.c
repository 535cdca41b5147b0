/*
 * session_tty.c - controlling terminals: who has which, and who may use it. See session.h.
 *
 * Linux keeps "my terminal" per process; here it is the session's, which differs only
 * for a process that gave its terminal up by TIOCNOTTY without leaving the session.
 */
#include "sentry/kernel/session.h"

#include <errno.h>
#include <linux/capability.h>

#include "sentry/kernel/task_int.h"

void tty_link_init(struct tty_link *tl, struct kernel *k)
{
	ref_init(&tl->ref);
	tl->kernel = k;
}

/* Both sides forget each other. The session that lost its terminal, whose reference the caller drops. */
static struct session *detach_locked(struct tty_link *tl)
{
	struct session *s = tl->session;

	if (s)
		s->tty = NULL;
	tl->session = NULL;
	tl->fg_pgid = 0;
	return s;
}

static void attach_locked(struct session *s, struct tty_link *tl, int pgid)
{
	s->tty = tl;
	tl->session = session_ref(s);
	tl->fg_pgid = pgid;
}

void tty_link_detach(struct tty_link *tl)
{
	struct session *s;

	mutex_lock(&tl->kernel->mu);
	s = detach_locked(tl);
	mutex_unlock(&tl->kernel->mu);
	session_unref(s);
}

struct tty_link *session_tty_get(struct task *t)
{
	struct tty_link *tl;

	mutex_lock(&t->kernel->mu);
	tl = t->tg->session->tty;
	if (tl && !ref_get_unless_zero(&tl->ref))
		tl = NULL;
	mutex_unlock(&t->kernel->mu);
	return tl;
}

void session_tty_opened(struct task *t, struct tty_link *tl)
{
	struct session *s;

	mutex_lock(&t->kernel->mu);
	s = t->tg->session;
	if (s->leader == t->tg && !s->tty && !tl->session)
		attach_locked(s, tl, t->tg->pgid);
	mutex_unlock(&t->kernel->mu);
}

void session_tty_attach(struct session *s, struct tty_link *tl, int pgid)
{
	struct session *old;

	mutex_lock(&tl->kernel->mu);
	old = detach_locked(tl);
	attach_locked(s, tl, pgid);
	mutex_unlock(&tl->kernel->mu);
	session_unref(old);
}

int session_set_tty(struct task *t, struct tty_link *tl, bool steal)
{
	bool admin = capable(t, CAP_SYS_ADMIN);
	struct session *s, *old = NULL;
	int r = 0;

	mutex_lock(&t->kernel->mu);
	s = t->tg->session;
	if (s->leader == t->tg && s->tty == tl)
		goto out;
	r = -EPERM;
	if (s->leader != t->tg || s->tty)
		goto out;
	if (tl->session && !(steal && admin))
		goto out;
	old = detach_locked(tl);
	attach_locked(s, tl, t->tg->pgid);
	r = 0;
out:
	mutex_unlock(&t->kernel->mu);
	session_unref(old);
	return r;
}

int session_drop_tty(struct task *t, struct tty_link *tl)
{
	struct kernel *k = t->kernel;
	struct session *s, *old = NULL;
	int r = 0;

	mutex_lock(&k->mu);
	s = t->tg->session;
	if (s->tty != tl) {
		r = -ENOTTY;
	} else if (s->leader == t->tg) {
		if (tl->fg_pgid) {
			signal_pgrp_locked(k, tl->fg_pgid, SIGHUP);
			signal_pgrp_locked(k, tl->fg_pgid, SIGCONT);
		}
		old = detach_locked(tl);
	}
	mutex_unlock(&k->mu);
	session_unref(old);
	return r;
}

/* The master may ask for whatever session it serves; others only for their own. */
static int check_own_locked(struct task *t, struct tty_link *tl, bool from_master)
{
	return !from_master && (!tl->session || tl->session != t->tg->session) ? -ENOTTY : 0;
}

int session_tty_pgrp(struct task *t, struct tty_link *tl, bool from_master)
{
	int r;

	mutex_lock(&t->kernel->mu);
	r = check_own_locked(t, tl, from_master);
	if (r == 0)
		r = tl->fg_pgid;
	mutex_unlock(&t->kernel->mu);
	return r;
}

int session_tty_set_pgrp(struct task *t, struct tty_link *tl, int pgid)
{
	int r;

	if (pgid < 0)
		return -EINVAL;
	mutex_lock(&t->kernel->mu);
	r = check_own_locked(t, tl, false);
	if (r == 0 && !pid_tgroup_locked(t->kernel, pgid) && !pgrp_in_session_locked(t->tg->session, pgid))
		r = -ESRCH;
	if (r == 0 && !pgrp_in_session_locked(t->tg->session, pgid))
		r = -EPERM;
	if (r == 0)
		tl->fg_pgid = pgid;
	mutex_unlock(&t->kernel->mu);
	return r;
}

int session_tty_sid(struct task *t, struct tty_link *tl, bool from_master)
{
	int r;

	mutex_lock(&t->kernel->mu);
	r = check_own_locked(t, tl, from_master);
	if (r == 0)
		r = tl->session ? tl->session->sid : -ENOTTY;
	mutex_unlock(&t->kernel->mu);
	return r;
}

static bool ignores_or_blocks(struct task *t, int sig)
{
	sigmask_t ignored, caught;

	signal_action_masks(t, &ignored, &caught);
	return (ignored | signal_mask(t)) & SIGBIT(sig);
}

int session_tty_check(struct task *t, struct tty_link *tl, int sig)
{
	struct kernel *k = t->kernel;
	bool deaf = ignores_or_blocks(t, sig);
	int r = 0;

	mutex_lock(&k->mu);
	if (!tl->session || tl->session != t->tg->session || !tl->fg_pgid || t->tg->pgid == tl->fg_pgid) {
		r = 0;
	} else if (deaf) {
		r = sig == SIGTTIN ? -EIO : 0;
	} else if (pgrp_is_orphaned_locked(k, t->tg->pgid)) {
		r = -EIO;
	} else {
		signal_pgrp_locked(k, t->tg->pgid, sig);
		r = -ERESTARTSYS;
	}
	mutex_unlock(&k->mu);
	return r;
}

void session_tty_signal(struct tty_link *tl, int sig)
{
	struct kernel *k = tl->kernel;

	mutex_lock(&k->mu);
	if (tl->fg_pgid)
		signal_pgrp_locked(k, tl->fg_pgid, sig);
	mutex_unlock(&k->mu);
}

static struct session *hangup_locked(struct kernel *k, struct tty_link *tl)
{
	if (tl->session && tl->session->leader) {
		(void)!signal_send_tgroup(tl->session->leader, SIGHUP, NULL);
		(void)!signal_send_tgroup(tl->session->leader, SIGCONT, NULL);
	}
	if (tl->fg_pgid) {
		signal_pgrp_locked(k, tl->fg_pgid, SIGHUP);
		signal_pgrp_locked(k, tl->fg_pgid, SIGCONT);
	}
	return detach_locked(tl);
}

void session_tty_hangup(struct tty_link *tl)
{
	struct session *s;

	mutex_lock(&tl->kernel->mu);
	s = hangup_locked(tl->kernel, tl);
	mutex_unlock(&tl->kernel->mu);
	session_unref(s);
}

void session_vhangup(struct task *t)
{
	struct kernel *k = t->kernel;
	struct session *s = NULL;

	mutex_lock(&k->mu);
	if (t->tg->session && t->tg->session->tty)
		s = hangup_locked(k, t->tg->session->tty);
	mutex_unlock(&k->mu);
	session_unref(s);
}

void session_leader_exit(struct tgroup *leader)
{
	struct kernel *k = leader->kernel;
	struct session *s, *old = NULL;

	mutex_lock(&k->mu);
	s = leader->session;
	if (s->leader == leader) {
		s->leader = NULL;
		if (s->tty) {
			if (s->tty->fg_pgid)
				signal_pgrp_locked(k, s->tty->fg_pgid, SIGHUP);
			old = detach_locked(s->tty);
		}
	}
	mutex_unlock(&k->mu);
	session_unref(old);
}
