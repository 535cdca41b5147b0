/*
 * sys_identity.c - user and group ids, capabilities (credentials(7), capabilities(7)).
 */
#include <errno.h>
#include <linux/capability.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/syscalls/syscall.h"

#define NGROUPS_LIMIT 65536

long sys_getuid(struct task *t, const struct sysargs *a unused_ok)
{
	return user_ns_show_uid(task_user_ns(t), task_cred(t)->uid);
}

long sys_geteuid(struct task *t, const struct sysargs *a unused_ok)
{
	return user_ns_show_uid(task_user_ns(t), task_cred(t)->euid);
}

long sys_getgid(struct task *t, const struct sysargs *a unused_ok)
{
	return user_ns_show_gid(task_user_ns(t), task_cred(t)->gid);
}

long sys_getegid(struct task *t, const struct sysargs *a unused_ok)
{
	return user_ns_show_gid(task_user_ns(t), task_cred(t)->egid);
}

static long put3(struct task *t, const struct sysargs *a, u32 r, u32 e, u32 s)
{
	if (copy_out(t, arg_addr(a, 0), &r, 4) < 0 || copy_out(t, arg_addr(a, 1), &e, 4) < 0 ||
	    copy_out(t, arg_addr(a, 2), &s, 4) < 0)
		return -EFAULT;
	return 0;
}

long sys_getresuid(struct task *t, const struct sysargs *a)
{
	const struct user_ns *u = task_user_ns(t);
	const struct cred *c = task_cred(t);

	return put3(t, a, user_ns_show_uid(u, c->uid), user_ns_show_uid(u, c->euid), user_ns_show_uid(u, c->suid));
}

long sys_getresgid(struct task *t, const struct sysargs *a)
{
	const struct user_ns *u = task_user_ns(t);
	const struct cred *c = task_cred(t);

	return put3(t, a, user_ns_show_gid(u, c->gid), user_ns_show_gid(u, c->egid), user_ns_show_gid(u, c->sgid));
}

/* An id argument as ours; -1 stays "leave it". False: the namespace does not know it. */
static bool uid_in(struct task *t, const struct sysargs *a, int i, u32 *ret)
{
	u32 v = arg_u32(a, i);

	*ret = v == ID_NONE ? v : user_ns_uid(task_user_ns(t), v);
	return v == ID_NONE || *ret != ID_NONE;
}

static bool gid_in(struct task *t, const struct sysargs *a, int i, u32 *ret)
{
	u32 v = arg_u32(a, i);

	*ret = v == ID_NONE ? v : user_ns_gid(task_user_ns(t), v);
	return v == ID_NONE || *ret != ID_NONE;
}

long sys_setuid(struct task *t, const struct sysargs *a)
{
	u32 uid;

	return uid_in(t, a, 0, &uid) ? cred_setuid(t, uid) : -EINVAL;
}

long sys_setgid(struct task *t, const struct sysargs *a)
{
	u32 gid;

	return gid_in(t, a, 0, &gid) ? cred_setgid(t, gid) : -EINVAL;
}

long sys_setreuid(struct task *t, const struct sysargs *a)
{
	u32 r, e;

	return uid_in(t, a, 0, &r) && uid_in(t, a, 1, &e) ? cred_setreuid(t, r, e) : -EINVAL;
}

long sys_setregid(struct task *t, const struct sysargs *a)
{
	u32 r, e;

	return gid_in(t, a, 0, &r) && gid_in(t, a, 1, &e) ? cred_setregid(t, r, e) : -EINVAL;
}

long sys_setresuid(struct task *t, const struct sysargs *a)
{
	u32 r, e, s;

	if (!uid_in(t, a, 0, &r) || !uid_in(t, a, 1, &e) || !uid_in(t, a, 2, &s))
		return -EINVAL;
	return cred_setresuid(t, r, e, s);
}

long sys_setresgid(struct task *t, const struct sysargs *a)
{
	u32 r, e, s;

	if (!gid_in(t, a, 0, &r) || !gid_in(t, a, 1, &e) || !gid_in(t, a, 2, &s))
		return -EINVAL;
	return cred_setresgid(t, r, e, s);
}

long sys_setfsuid(struct task *t, const struct sysargs *a)
{
	u32 uid;

	(void)uid_in(t, a, 0, &uid);
	return user_ns_show_uid(task_user_ns(t), (u32)cred_setfsuid(t, uid));
}

long sys_setfsgid(struct task *t, const struct sysargs *a)
{
	u32 gid;

	(void)gid_in(t, a, 0, &gid);
	return user_ns_show_gid(task_user_ns(t), (u32)cred_setfsgid(t, gid));
}

long sys_getgroups(struct task *t, const struct sysargs *a)
{
	const struct cred *c = task_cred(t);
	int size = arg_s32(a, 0);

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->ngroups;
	if ((u32)size < c->ngroups)
		return -EINVAL;
	for (u32 i = 0; i < c->ngroups; i++) {
		u32 gid = user_ns_show_gid(task_user_ns(t), c->groups[i]);

		if (copy_out(t, gaddr_add(arg_addr(a, 1), i * sizeof(u32)), &gid, sizeof(gid)) < 0)
			return -EFAULT;
	}
	return c->ngroups;
}

long sys_setgroups(struct task *t, const struct sysargs *a)
{
	u32 n = arg_u32(a, 0), *groups = NULL;
	int r = 0;

	if (!self_capable(t, CAP_SETGID) || !user_ns_may_setgroups(task_user_ns(t)))
		return -EPERM;
	if (n > NGROUPS_LIMIT)
		return -EINVAL;
	if (n > 0) {
		groups = kbuf_array(n, sizeof(u32));
		if (!groups)
			return -ENOMEM;
		r = copy_in(t, groups, arg_addr(a, 1), n * sizeof(u32));
	}
	for (u32 i = 0; i < n && r == 0; i++) {
		groups[i] = user_ns_gid(task_user_ns(t), groups[i]);
		if (groups[i] == ID_NONE)
			r = -EINVAL;
	}
	if (r == 0)
		r = cred_set_groups(t, n, groups);
	if (r < 0)
		kfree(groups);
	return r;
}

/* ---- capabilities ---- */

struct cap_header { u32 version; s32 pid; };
struct cap_words { u32 eff, prm, inh; };

/* Number of 32-bit words of the version asked for; an unknown one is told ours. */
static int read_header(struct task *t, gaddr_t addr, struct cap_header *h)
{
	u32 ours = _LINUX_CAPABILITY_VERSION_3;

	if (copy_in(t, h, addr, sizeof(*h)) < 0)
		return -EFAULT;
	switch (h->version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return 2;
	}
	return copy_out(t, addr, &ours, sizeof(ours)) < 0 ? -EFAULT : -EINVAL;
}

long sys_capget(struct task *t, const struct sysargs *a)
{
	struct cap_words w[2];
	struct cap_header h;
	const struct cred *c;
	int n = read_header(t, arg_addr(a, 0), &h);

	if (n < 0)
		return n == -EINVAL && !arg_addr(a, 1).v ? 0 : n;
	if (h.pid < 0)
		return -EINVAL;
	if (h.pid == 0 || pid_from_nr(t, h.pid) == t->tid) {
		c = cred_ref(task_cred(t));
	} else {
		auto_task *x = task_find_nr(t, h.pid);

		if (!x)
			return -ESRCH;
		c = task_cred_get(x);
	}
	w[0] = (struct cap_words){ (u32)c->cap_eff, (u32)c->cap_prm, (u32)c->cap_inh };
	w[1] = (struct cap_words){ (u32)(c->cap_eff >> 32), (u32)(c->cap_prm >> 32), (u32)(c->cap_inh >> 32) };
	cred_unref(c);
	if (!arg_addr(a, 1).v)
		return 0;
	return copy_out(t, arg_addr(a, 1), w, (size_t)n * sizeof(w[0]));
}

long sys_capset(struct task *t, const struct sysargs *a)
{
	const u64 known = (1ull << (CAP_LAST_CAP + 1)) - 1;
	struct cap_words w[2] = { 0 };
	struct cap_header h;
	int n = read_header(t, arg_addr(a, 0), &h);

	if (n < 0)
		return n;
	if (h.pid != 0 && pid_from_nr(t, h.pid) != t->tid)
		return -EPERM;
	if (copy_in(t, w, arg_addr(a, 1), (size_t)n * sizeof(w[0])) < 0)
		return -EFAULT;
	return cred_set_caps(t, ((u64)w[1].eff << 32 | w[0].eff) & known,
			     ((u64)w[1].prm << 32 | w[0].prm) & known,
			     ((u64)w[1].inh << 32 | w[0].inh) & known);
}
