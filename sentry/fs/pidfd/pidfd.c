/*
 * pidfd.c - a descriptor for a process (pidfd_open(2)).
 *
 * Holds the tgroup, so the process number cannot mean somebody else later.
 * Becoming a zombie is told through tgroup->exit_wq; the flag is read
 * without kernel->mu, because poll runs under epoll's locks.
 */
#include <errno.h>
#include <fcntl.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"

struct pidfd {
	struct file f;
	struct tgroup *tg;                      /* immutable, a reference */
};

static struct pidfd *pf_of(struct file *f) { return container_of(f, struct pidfd, f); }

static u32 pidfd_fop_poll(struct file *f)
{
	struct tgroup *tg = pf_of(f)->tg;
	bool reaped = __atomic_load_n(&tg->reaped, __ATOMIC_ACQUIRE);

	if (reaped)
		return POLLIN | POLLRDNORM | POLLHUP;
	return __atomic_load_n(&tg->zombie, __ATOMIC_ACQUIRE) ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_fop_fdinfo(struct file *f, struct strbuf *out)
{
	struct tgroup *tg = pf_of(f)->tg;
	int pid = __atomic_load_n(&tg->reaped, __ATOMIC_ACQUIRE) ? -1 : tg->tgid;

	strbuf_printf(out, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static void pidfd_fop_release(struct file *f)
{
	struct pidfd *pf = pf_of(f);

	tgroup_unref(pf->tg);
	file_done(f);
	kfree(pf);
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_fop_poll,
	.fdinfo = pidfd_fop_fdinfo,
	.release = pidfd_fop_release,
};

int pidfd_create(struct task *t, struct tgroup *tg, u32 flags, struct file **ret)
{
	struct pidfd *pf = knew(struct pidfd);

	if (!pf)
		return -ENOMEM;
	file_init(&pf->f, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	pf->f.anon_name = "anon_inode:[pidfd]";
	pf->tg = tgroup_ref(tg);
	pf->f.wq = &pf->tg->exit_wq;
	*ret = &pf->f;
	return 0;
}

struct tgroup *pidfd_tgroup(struct file *f) { return f->ops == &pidfd_ops ? pf_of(f)->tg : NULL; }
