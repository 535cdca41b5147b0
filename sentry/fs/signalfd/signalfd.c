/*
 * signalfd.c - signals that are read (signalfd(2)).
 *
 * read() takes signals of the caller, and who polls is told of its own; an epoll is woken for the process
 * that added the file.  Where nobody in particular asks (aio, an epoll in an epoll that is not waited for) it is the
 * task that made it.
 *
 * The pending sets are read without tgroup->mu, because poll runs under epoll's
 * locks: who queues a signal sets the bit first and wakes the queue after.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/signalfd.h>

#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/task.h"

struct signalfd {
	struct file f;
	struct task *owner;                     /* immutable, a reference */
	_Atomic u64 mask;
};

static struct signalfd *sd_of(struct file *f) { return container_of(f, struct signalfd, f); }

static u32 signalfd_fop_poll_for(struct file *f, struct task *t, struct waitq **ret_wq)
{
	u64 set = __atomic_load_n(&t->pending.set, __ATOMIC_ACQUIRE) |
		__atomic_load_n(&t->tg->pending.set, __ATOMIC_ACQUIRE);

	*ret_wq = &t->tg->signal_wq;
	return set & sd_of(f)->mask ? POLLIN | POLLRDNORM : 0;
}

static u32 signalfd_fop_poll(struct file *f)
{
	struct waitq *wq;

	return signalfd_fop_poll_for(f, sd_of(f)->owner, &wq);
}

static void to_signalfd(const struct lx_siginfo *si, struct signalfd_siginfo *out)
{
	*out = (struct signalfd_siginfo){
		.ssi_signo = (u32)si->signo, .ssi_errno = si->err, .ssi_code = si->code,
	};
	if (si->code > 0 && si->code < SI_KERNEL) {
		switch (si->signo) {
		case SIGCHLD:
			out->ssi_pid = (u32)si->chld.pid;
			out->ssi_uid = si->chld.uid;
			out->ssi_status = si->chld.status;
			out->ssi_utime = (u64)si->chld.utime;
			out->ssi_stime = (u64)si->chld.stime;
			return;
		case SIGPOLL:
			out->ssi_band = (u32)si->poll.band;
			out->ssi_fd = si->poll.fd;
			return;
		case SIGSEGV:
		case SIGBUS:
		case SIGILL:
		case SIGFPE:
		case SIGTRAP:
			out->ssi_addr = si->fault.addr;
			out->ssi_addr_lsb = (u16)si->fault.addr_lsb;
			return;
		default:
			break;
		}
	}
	if (si->code == SI_TIMER) {
		out->ssi_tid = (u32)si->timer.tid;
		out->ssi_overrun = (u32)si->timer.overrun;
		out->ssi_ptr = si->timer.value;
		out->ssi_int = (s32)si->timer.value;
		return;
	}
	out->ssi_pid = (u32)si->rt.pid;
	out->ssi_uid = si->rt.uid;
	if (si->code != SI_USER && si->code != SI_KERNEL && si->code != SI_TKILL) {
		out->ssi_ptr = si->rt.value;
		out->ssi_int = (s32)si->rt.value;
	}
}

static ssize_t signalfd_fop_read(struct task *t, struct file *f, struct iobuf *b, s64 *pos)
{
	struct signalfd *sd = sd_of(f);
	struct signalfd_siginfo out;
	struct lx_siginfo si;
	ssize_t total = 0, r;

	(void)pos;
	if (b->left < sizeof(out))
		return -EINVAL;
	while (b->left >= sizeof(out) && signal_dequeue(t, sd->mask, &si)) {
		to_signalfd(&si, &out);
		r = iobuf_put(b, &out, sizeof(out));
		if (r != (ssize_t)sizeof(out))
			return total ? total : -EFAULT;
		total += r;
	}
	return total ? total : -EAGAIN;
}

static void signalfd_fop_fdinfo(struct file *f, struct strbuf *out)
{
	strbuf_printf(out, "sigmask:\t%016llx\n", (unsigned long long)sd_of(f)->mask);
}

static void signalfd_fop_release(struct file *f)
{
	struct signalfd *sd = sd_of(f);

	task_unref(sd->owner);
	file_done(f);
	kfree(sd);
}

static const struct file_ops signalfd_ops = {
	.lseek = file_lseek_none,
	.name = "signalfd",
	.read = signalfd_fop_read,
	.poll = signalfd_fop_poll,
	.poll_for = signalfd_fop_poll_for,
	.fdinfo = signalfd_fop_fdinfo,
	.release = signalfd_fop_release,
};

int signalfd_create(struct task *t, u64 mask, u32 flags, struct file **ret)
{
	struct signalfd *sd = knew(struct signalfd);

	if (!sd)
		return -ENOMEM;
	file_init(&sd->f, &signalfd_ops, O_RDWR | (flags & O_NONBLOCK), FILE_STREAM, NULL, NULL, task_cred(t));
	sd->f.anon_name = "anon_inode:[signalfd]";
	sd->f.wq = &t->tg->signal_wq;
	sd->owner = task_ref(t);
	sd->mask = mask & ~SIG_UNBLOCKABLE;
	*ret = &sd->f;
	return 0;
}

int signalfd_set_mask(struct task *t, struct file *f, u64 mask)
{
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	sd_of(f)->mask = mask & ~SIG_UNBLOCKABLE;
	waitq_wake(&t->tg->signal_wq, POLLIN | POLLRDNORM);
	return 0;
}
