/*
 * unix_opt.c - AF_UNIX: options of level SOL_SOCKET that are its own (unix(7)). See unix_int.h.
 *
 * The others are sockopt.c's; what senders look at is copied into the connection end.
 */
#include <errno.h>

#include "platform/base/alloc.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/socket/unix_int.h"

#define OPT_PEERPIDFD  77
#define OPT_PASSRIGHTS 83
#define OPT_INQ        84

/* Options of one word that only AF_UNIX has. 1: not one of them. */
static int set_own(struct socket *s, int opt, int val)
{
	struct unix_sock *u = unix_of(s);

	switch (opt) {
	case SO_REUSEPORT:
		return val ? -EOPNOTSUPP : 0;
	case SO_PEEK_OFF:
		mutex_lock(&u->mu);
		u->peek_off = val;
		mutex_unlock(&u->mu);
		return 0;
	case OPT_PASSRIGHTS:
		__atomic_store_n(&u->no_rights, val == 0, __ATOMIC_RELAXED);
		return 0;
	case OPT_INQ:
		if (u->type != SOCK_STREAM)
			return -ENOPROTOOPT;
		if (val != 0 && val != 1)
			return -EINVAL;
		s->opt.inq = val;
		return 0;
	default:
		return 1;
	}
}

int unix_setsockopt(struct task *t, struct socket *s, int level, int opt, const void *v, size_t n)
{
	int r, val;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (n >= sizeof(val)) {
		__builtin_memcpy(&val, v, sizeof(val));
		r = set_own(s, opt, val);
		if (r <= 0)
			return r;
	}
	r = sockopt_set(t, s, opt, v, n);
	__atomic_store_n(&unix_of(s)->sndbuf, s->opt.sndbuf, __ATOMIC_RELAXED);
	__atomic_store_n(&unix_of(s)->wants_cred, s->opt.passcred || s->opt.passpidfd, __ATOMIC_RELAXED);
	return r;
}

static int get_peercred(struct task *t, struct unix_sock *u, void *v, size_t cap)
{
	struct ucred uc = { .pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct user_ns *ns = task_user_ns(t);
	int pid;

	mutex_lock(&u->mu);
	pid = u->peer_cred.pid;
	if (pid) {
		uc.uid = user_ns_show_uid(ns, u->peer_cred.uid);
		uc.gid = user_ns_show_gid(ns, u->peer_cred.gid);
	}
	mutex_unlock(&u->mu);
	uc.pid = pid ? pid_nr(t, pid) : 0;
	cap = MIN(cap, sizeof(uc));
	__builtin_memcpy(v, &uc, cap);
	return (int)cap;
}

/* -ERANGE: the bytes needed are in the first word of @v. */
static int get_peergroups(struct task *t, struct unix_sock *u, void *v, size_t cap)
{
	const struct cred *c;
	u32 need;

	mutex_lock(&u->mu);
	c = u->peer_cred.who ? cred_ref(u->peer_cred.who) : NULL;
	mutex_unlock(&u->mu);
	if (!c)
		return -ENODATA;
	need = c->ngroups * (u32)sizeof(u32);
	if (cap < need) {
		__builtin_memcpy(v, &need, MIN(cap, sizeof(need)));
		cred_unref(c);
		return -ERANGE;
	}
	for (u32 i = 0; i < c->ngroups; i++)
		((u32 *)v)[i] = user_ns_show_gid(task_user_ns(t), c->groups[i]);
	cred_unref(c);
	return (int)need;
}

static int get_peerpidfd(struct task *t, struct unix_sock *u, void *v, size_t cap)
{
	auto_tgroup *tg = NULL;
	auto_file *f = NULL;
	int r;

	mutex_lock(&u->mu);
	if (u->peer_cred.tg)
		tg = tgroup_ref(u->peer_cred.tg);
	mutex_unlock(&u->mu);
	if (!tg)
		return -ENODATA;
	r = pidfd_file(t, tg, 0, &f);
	if (r == 0)
		r = fd_install(t, f, true);
	if (r < 0)
		return r;
	cap = MIN(cap, sizeof(int));
	__builtin_memcpy(v, &r, cap);
	return (int)cap;
}

int unix_getsockopt(struct task *t, struct socket *s, int level, int opt, void *v, size_t cap)
{
	struct unix_sock *u = unix_of(s);
	int val;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	switch (opt) {
	case SO_PEERCRED:
		return get_peercred(t, u, v, cap);
	case OPT_PEERPIDFD:
		return get_peerpidfd(t, u, v, cap);
	case SO_PEERGROUPS:
		return get_peergroups(t, u, v, cap);
	case SO_PEEK_OFF:
		val = u->peek_off;
		break;
	case OPT_PASSRIGHTS:
		val = !u->no_rights;
		break;
	case SO_ERROR:
		mutex_lock(&u->mu);
		val = u->err;
		u->err = 0;
		mutex_unlock(&u->mu);
		break;
	case SO_ACCEPTCONN:
		val = u->state == UNIX_LISTEN;
		break;
	default:
		return sockopt_get(s, opt, v, cap);
	}
	cap = MIN(cap, sizeof(val));
	__builtin_memcpy(v, &val, cap);
	return (int)cap;
}
