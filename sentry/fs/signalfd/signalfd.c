/*
 * signalfd.c - signals that are read (signalfd(2)).
 *
 * read() takes signals of the caller.  Readiness is that of the task that made
 * the file (Linux: of whoever polls, which only differs after a fork).
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

static u32 signalfd_fop_poll(struct file *f)
{
	struct signalfd *sd = sd_of(f);
	u64 set = __atomic_load_n(&sd->owner->pending.set, __ATOMIC_ACQUIRE) |
		__atomic_load_n(&sd->owner->tg->pending.set, __ATOMIC_ACQUIRE);

	return set & sd->mask ? POLLIN | POLLRDNORM : 0;
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
	.name = "signalfd",
	.read = signalfd_fop_read,
	.poll = signalfd_fop_poll,
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

int signalfd_set_mask(struct file *f, u64 mask)
{
	if (f->ops != &signalfd_ops)
		return -EINVAL;
	sd_of(f)->mask = mask & ~SIG_UNBLOCKABLE;
	waitq_wake(f->wq, POLLIN | POLLRDNORM);
	return 0;
}
