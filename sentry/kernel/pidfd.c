/*
 * pidfd.c - the file behind a pidfd; see pidfd.h.
 */
#include "sentry/kernel/pidfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/vfs/file.h"

struct pidfd {
	struct file f;
	struct tgroup *tg;                      /* immutable; a reference */
};

static u32 pidfd_poll(struct file *f)
{
	struct pidfd *p = container_of(f, struct pidfd, f);
	u32 ev = 0;

	/* No lock: epoll asks with its own held, and both only ever become true. */
	if (__atomic_load_n(&p->tg->zombie, __ATOMIC_ACQUIRE))
		ev |= POLLIN | POLLRDNORM;
	if (__atomic_load_n(&p->tg->reaped, __ATOMIC_ACQUIRE))
		ev |= POLLHUP;
	return ev;
}

static void pidfd_fdinfo(struct file *f, struct strbuf *s)
{
	struct pidfd *p = container_of(f, struct pidfd, f);
	int pid = p->tg->reaped ? -1 : p->tg->tgid;

	strbuf_printf(s, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

/* ---- PIDFD_GET_INFO: a structure that grew, of which the caller has the first bytes ---- */

struct lx_pidfd_info {
	u64 mask, cgroupid;
	u32 pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	s32 exit_code;
	u32 coredump_mask, spare;
};
#define INFO_SIZE_MIN 64u
#define INFO_PID      1ull
#define INFO_CREDS    2ull
#define INFO_EXIT     8ull
#define INFO_NR       11

static void put_creds(struct lx_pidfd_info *i, struct task *by, const struct cred *c)
{
	const struct user_ns *u = task_cred(by)->user_ns;

	i->ruid = user_ns_show_uid(u, c->uid);
	i->euid = user_ns_show_uid(u, c->euid);
	i->suid = user_ns_show_uid(u, c->suid);
	i->fsuid = user_ns_show_uid(u, c->fsuid);
	i->rgid = user_ns_show_gid(u, c->gid);
	i->egid = user_ns_show_gid(u, c->egid);
	i->sgid = user_ns_show_gid(u, c->sgid);
	i->fsgid = user_ns_show_gid(u, c->fsgid);
}

static bool visible(struct task *t, struct tgroup *tg)
{
	struct pid_ns *ns = tg->pid_ns;

	while (ns && ns != t->tg->pid_ns)
		ns = ns->parent;
	return ns != NULL;
}

/* Exit information is there once the process has been waited for, and then it is all there is. */
static int fill_info(struct task *t, struct tgroup *tg, u64 want, struct lx_pidfd_info *ret)
{
	auto_task *x = task_find(t->kernel, tg->tgid);
	const struct cred *c;

	*ret = (struct lx_pidfd_info){ 0 };
	if (!visible(t, tg))
		return -ESRCH;
	if (__atomic_load_n(&tg->reaped, __ATOMIC_ACQUIRE)) {
		if (!(want & INFO_EXIT))
			return -ESRCH;
		ret->mask = INFO_EXIT;
		ret->exit_code = tg->wstatus;
		return 0;
	}
	ret->pid = ret->tgid = (u32)pid_nr(t, tg->tgid);
	if (!ret->pid || !x || x->tg != tg)
		return -ESRCH;
	ret->ppid = (u32)pid_nr(t, tgroup_ppid(tg));
	c = task_cred_get(x);
	put_creds(ret, t, c);
	cred_unref(c);
	ret->mask = INFO_PID | INFO_CREDS;
	return 0;
}

static long pidfd_ioctl(struct task *t, struct file *f, u32 cmd, gaddr_t arg)
{
	struct pidfd *p = container_of(f, struct pidfd, f);
	struct lx_pidfd_info info;
	u32 size = _IOC_SIZE(cmd);
	u64 want;
	int r;

	if (_IOC_TYPE(cmd) != 0xff || _IOC_NR(cmd) != INFO_NR || _IOC_DIR(cmd) != (_IOC_READ | _IOC_WRITE) ||
	    size < INFO_SIZE_MIN)
		return -ENOTTY;
	if (!arg.v)
		return -EINVAL;
	if (copy_in(t, &want, arg, sizeof(want)) < 0)
		return -EFAULT;
	r = fill_info(t, p->tg, want, &info);
	if (r < 0)
		return r;
	if (copy_out(t, arg, &info, MIN(size, (u32)sizeof(info))) < 0)
		return -EFAULT;
	return size > sizeof(info) ? zero_out(t, gaddr_add(arg, sizeof(info)), size - sizeof(info)) : 0;
}

static void pidfd_release(struct file *f)
{
	struct pidfd *p = container_of(f, struct pidfd, f);

	file_done(f);
	tgroup_unref(p->tg);
	kfree(p);
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.ioctl = pidfd_ioctl,
	.fdinfo = pidfd_fdinfo,
	.release = pidfd_release,
};

int pidfd_file(struct task *t, struct tgroup *tg, u32 flags, struct file **ret)
{
	struct path none = { 0 };
	struct pidfd *p = knew(struct pidfd);

	if (!p)
		return -ENOMEM;
	file_init(&p->f, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, &none, NULL, task_cred(t));
	p->tg = tgroup_ref(tg);
	p->f.wq = &tg->exit_wq;
	p->f.anon_name = "anon_inode:[pidfd]";
	*ret = &p->f;
	return 0;
}

struct tgroup *pidfd_tgroup(struct file *f)
{
	return f->ops == &pidfd_ops ? tgroup_ref(container_of(f, struct pidfd, f)->tg) : NULL;
}
