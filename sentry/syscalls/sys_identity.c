/*
 * sys_identity.c - user and group ids, capabilities (credentials(7), capabilities(7)).
 */
#include <errno.h>
#include <linux/capability.h>

#include "platform/base/alloc.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

#define NGROUPS_LIMIT 65536

long sys_getuid(struct task *t, const struct sysargs *a unused_ok)
{
	return task_cred(t)->uid;
}

long sys_geteuid(struct task *t, const struct sysargs *a unused_ok)
{
	return task_cred(t)->euid;
}

long sys_getgid(struct task *t, const struct sysargs *a unused_ok)
{
	return task_cred(t)->gid;
}

long sys_getegid(struct task *t, const struct sysargs *a unused_ok)
{
	return task_cred(t)->egid;
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
	const struct cred *c = task_cred(t);

	return put3(t, a, c->uid, c->euid, c->suid);
}

long sys_getresgid(struct task *t, const struct sysargs *a)
{
	const struct cred *c = task_cred(t);

	return put3(t, a, c->gid, c->egid, c->sgid);
}

long sys_setuid(struct task *t, const struct sysargs *a)
{
	return cred_setuid(t, arg_u32(a, 0));
}

long sys_setgid(struct task *t, const struct sysargs *a)
{
	return cred_setgid(t, arg_u32(a, 0));
}

long sys_setreuid(struct task *t, const struct sysargs *a)
{
	return cred_setreuid(t, arg_u32(a, 0), arg_u32(a, 1));
}

long sys_setregid(struct task *t, const struct sysargs *a)
{
	return cred_setregid(t, arg_u32(a, 0), arg_u32(a, 1));
}

long sys_setresuid(struct task *t, const struct sysargs *a)
{
	return cred_setresuid(t, arg_u32(a, 0), arg_u32(a, 1), arg_u32(a, 2));
}

long sys_setresgid(struct task *t, const struct sysargs *a)
{
	return cred_setresgid(t, arg_u32(a, 0), arg_u32(a, 1), arg_u32(a, 2));
}

long sys_setfsuid(struct task *t, const struct sysargs *a)
{
	return cred_setfsuid(t, arg_u32(a, 0));
}

long sys_setfsgid(struct task *t, const struct sysargs *a)
{
	return cred_setfsgid(t, arg_u32(a, 0));
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
	if (copy_out(t, arg_addr(a, 1), c->groups, c->ngroups * sizeof(u32)) < 0)
		return -EFAULT;
	return c->ngroups;
}

long sys_setgroups(struct task *t, const struct sysargs *a)
{
	u32 n = arg_u32(a, 0), *groups = NULL;
	int r = 0;

	if (!capable(t, CAP_SETGID))
		return -EPERM;
	if (n > NGROUPS_LIMIT)
		return -EINVAL;
	if (n > 0) {
		groups = kbuf_array(n, sizeof(u32));
		if (!groups)
			return -ENOMEM;
		r = copy_in(t, groups, arg_addr(a, 1), n * sizeof(u32));
	}
	for (u32 i = 0; i < n && r == 0; i++)
		if (groups[i] == (u32)-1)
			r = -EINVAL;
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
	if (h.pid == 0 || h.pid == t->tid) {
		c = cred_ref(task_cred(t));
	} else {
		auto_task *x = task_find(t->kernel, h.pid);

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
	if (h.pid != 0 && h.pid != t->tid)
		return -EPERM;
	if (copy_in(t, w, arg_addr(a, 1), (size_t)n * sizeof(w[0])) < 0)
		return -EFAULT;
	return cred_set_caps(t, ((u64)w[1].eff << 32 | w[0].eff) & known,
			     ((u64)w[1].prm << 32 | w[0].prm) & known,
			     ((u64)w[1].inh << 32 | w[0].inh) & known);
}
