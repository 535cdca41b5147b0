/*
 * pidfd.c - the file behind a pidfd; see pidfd.h.
 */
#include "sentry/kernel/pidfd.h"

#include <errno.h>
#include <fcntl.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/kernel/task.h"
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
