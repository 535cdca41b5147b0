/*
 * sys_pidfd.c - processes by descriptor, and looking into other processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/mman.h>

#include "platform/base/alloc.h"
#include "sentry/core/iobuf.h"
#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/epoll.h"
#include "sentry/vfs/vfs.h"


long sys_pidfd_open(struct task *t, const struct sysargs *a)
{
	int pid = arg_s32(a, 0), r;
	u32 flags = arg_u32(a, 1);
	auto_tgroup *tg = NULL;
	auto_task *any = NULL;
	auto_file *f = NULL;

	if ((flags & ~(u32)O_NONBLOCK) || pid <= 0)
		return -EINVAL;
	tg = tgroup_find_nr(t, pid);
	any = tg ? NULL : task_find_nr(t, pid);
	if (!tg)
		return any ? -ENOENT : -ESRCH;  /* a thread that leads no process */
	r = pidfd_file(t, tg, flags, &f);
	return r < 0 ? r : fd_install(t, f, true);
}

static int task_of(struct task *t, struct tgroup *tg, struct tgroup **ret_tg, struct task **ret_task)
{
	if (!tg)
		return -EBADF;
	*ret_tg = tg;
	*ret_task = task_find(t->kernel, tg->tgid);
	if (*ret_task && (*ret_task)->tg != tg) {
		task_unref(*ret_task);
		*ret_task = NULL;
	}
	return *ret_task ? 0 : -ESRCH;
}

/* The process of a pidfd argument, with a task that stands for it. */
static int from_pidfd(struct task *t, int fd, struct tgroup **ret_tg, struct task **ret_task)
{
	auto_file *f = fd_get(t, fd);

	return task_of(t, f ? pidfd_tgroup(f) : NULL, ret_tg, ret_task);
}

/* The same, or a directory /proc/PID, from when there were no others. */
static int from_pidfd_or_proc(struct task *t, int fd, struct tgroup **ret_tg, struct task **ret_task)
{
	auto_file *f = fd_get(t, fd);
	struct tgroup *tg = f ? pidfd_tgroup(f) : NULL;

	return task_of(t, f && !tg ? procfs_tgroup(f) : tg, ret_tg, ret_task);
}

enum { SIGNAL_THREAD = 1, SIGNAL_THREAD_GROUP = 2, SIGNAL_PROCESS_GROUP = 4 };

static int send_by_scope(struct task *t, struct tgroup *tg, struct task *x, u32 scope, int sig,
			 const struct lx_siginfo *si)
{
	int r;

	if (scope == SIGNAL_PROCESS_GROUP)
		return signal_send_pgrp(t, tg->tgid, sig, si);
	r = signal_may_send(t, x, sig);
	if (r < 0)
		return r;
	return scope == SIGNAL_THREAD ? signal_send_task(x, sig, si) : signal_send_tgroup(tg, sig, si);
}

long sys_pidfd_send_signal(struct task *t, const struct sysargs *a)
{
	auto_tgroup *tg = NULL;
	auto_task *x = NULL;
	struct lx_siginfo si;
	int sig = arg_s32(a, 1), r;
	u32 scope = arg_u32(a, 3);

	if (scope > SIGNAL_PROCESS_GROUP || (scope & (scope - 1)))
		return -EINVAL;
	r = from_pidfd_or_proc(t, arg_fd(a, 0), &tg, &x);
	if (r < 0)
		return r;
	if (arg_addr(a, 2).v) {
		if (copy_in(t, &si, arg_addr(a, 2), sizeof(si)) < 0)
			return -EFAULT;
		if (si.signo != sig)
			return -EINVAL;
		signal_info_in(t, &si);
		if ((si.code >= 0 || si.code == SI_TKILL) && tg != t->tg)
			return -EPERM;
	} else {
		siginfo_user(&si, t, sig, scope == SIGNAL_THREAD ? SI_TKILL : SI_USER);
	}
	if (sig < 0 || sig > NSIG_GUEST)
		return -EINVAL;
	return send_by_scope(t, tg, x, scope, sig, &si);
}

long sys_pidfd_getfd(struct task *t, const struct sysargs *a)
{
	auto_tgroup *tg = NULL;
	auto_task *x = NULL;
	auto_file *f = NULL;
	struct fdtable *ft;
	int r;

	if (arg_u32(a, 2))
		return -EINVAL;
	r = from_pidfd(t, arg_fd(a, 0), &tg, &x);
	if (r < 0)
		return r;
	if (!task_may_access(t, x))
		return -EPERM;
	ft = task_files_get(x);
	if (!ft)
		return -ESRCH;
	f = fdtable_get(ft, arg_fd(a, 1));
	fdtable_unref(t, ft);
	return f ? fd_install(t, f, true) : -EBADF;
}

/* ---- memory of others ---- */

#define LX_MADV_COLLAPSE 25

/* Hints only: what they ask for is the host's business.  Bytes, as of writev(2). */
long sys_process_madvise(struct task *t, const struct sysargs *a)
{
	struct iovec { u64 base, len; } v;
	auto_tgroup *tg = NULL;
	auto_task *x = NULL;
	u64 n = arg_u64(a, 2), total = 0;
	int advice = arg_s32(a, 3), r;

	if (arg_u32(a, 4))
		return -EINVAL;
	if (n > 1024)
		return -EINVAL;
	r = from_pidfd(t, arg_fd(a, 0), &tg, &x);
	if (r < 0)
		return r;
	if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED && advice != LX_MADV_COLLAPSE)
		return -EINVAL;
	if (!task_may_access(t, x) || (tg != t->tg && !capable(t, CAP_SYS_NICE)))
		return -EPERM;
	for (u64 i = 0; i < n; i++) {
		if (copy_in(t, &v, gaddr_add(arg_addr(a, 1), i * sizeof(v)), sizeof(v)) < 0)
			return -EFAULT;
		if ((v.base & (PAGE_SIZE - 1)) || add_overflows(total, v.len, &total) || total > INT64_MAX)
			return -EINVAL;
	}
	return (long)total;
}

/* A dying process's memory goes with it anyway. */
long sys_process_mrelease(struct task *t, const struct sysargs *a)
{
	auto_tgroup *tg = NULL;
	auto_task *x = NULL;
	int r;

	if (arg_u32(a, 1))
		return -EINVAL;
	r = from_pidfd(t, arg_fd(a, 0), &tg, &x);
	if (r < 0)
		return r;
	return tgroup_is_dying(tg) ? 0 : -EINVAL;
}

/* ---- kcmp ---- */

/* An order that tells nothing about addresses: equal, or by a per-boot mixed value. */
static long order(struct task *t, const void *x, const void *y)
{
	u64 key, a = (u64)(uintptr_t)x, b = (u64)(uintptr_t)y;

	if (x == y)
		return 0;
	__builtin_memcpy(&key, t->kernel->boot_id, sizeof(key));
	key |= 1;
	a = (a ^ (key << 7)) * key;
	b = (b ^ (key << 7)) * key;
	return a < b ? 1 : 2;
}

/* What @x has open by number @fd, referenced; NULL. */
static struct file *file_of(struct task *t, struct task *x, int fd)
{
	struct fdtable *files = task_files_get(x);
	struct file *f = files ? fdtable_get(files, fd) : NULL;

	if (files)
		fdtable_unref(t, files);
	return f;
}

static long cmp_files(struct task *t, struct task *x, struct task *y, int fx, int fy)
{
	auto_file *f = file_of(t, x, fx);
	auto_file *g = file_of(t, y, fy);

	return f && g ? order(t, f, g) : -EBADF;
}

/* A file of @x, and what an epoll of @y watches. */
static long cmp_epoll(struct task *t, struct task *x, struct task *y, int fx, gaddr_t at)
{
	auto_file *f = NULL, *ep = NULL;
	struct kcmp_epoll_slot slot;
	const struct file *target;
	int r;

	if (copy_in(t, &slot, at, sizeof(slot)) < 0)
		return -EFAULT;
	f = file_of(t, x, fx);
	ep = f ? file_of(t, y, (int)slot.efd) : NULL;
	if (!ep)
		return -EBADF;
	r = eventpoll_target(ep, (int)slot.tfd, slot.toff, &target);
	return r < 0 ? r : order(t, f, target);
}

long sys_kcmp(struct task *t, const struct sysargs *a)
{
	auto_task *x = task_find_nr(t, arg_s32(a, 0));
	auto_task *y = task_find_nr(t, arg_s32(a, 1));

	if (!x || !y)
		return -ESRCH;
	if (!task_may_access(t, x) || !task_may_access(t, y))
		return -EPERM;
	switch (arg_s32(a, 2)) {
	case KCMP_FILE:
		return cmp_files(t, x, y, arg_s32(a, 3), arg_s32(a, 4));
	case KCMP_EPOLL_TFD:
		return cmp_epoll(t, x, y, arg_s32(a, 3), arg_addr(a, 4));
	case KCMP_VM:
		return order(t, x->mm, y->mm);
	case KCMP_FILES:
		return order(t, x->files, y->files);
	case KCMP_FS:
		return order(t, x->fs, y->fs);
	case KCMP_SIGHAND:
		return order(t, x->tg->sighand, y->tg->sighand);
	case KCMP_IO:           /* nobody has a context of that kind: they are the same */
		return 0;
	case KCMP_SYSVSEM:
		return order(t, x->tg, y->tg);
	}
	return -EINVAL;
}

/* ---- process_vm_readv, process_vm_writev ---- */

#define VM_CHUNK (64u << 10)

struct vm_side { const struct giovec *iov; size_t n, idx; u64 off; };

static u64 room(struct vm_side *s)
{
	while (s->idx < s->n && s->off == s->iov[s->idx].len) {
		s->idx++;
		s->off = 0;
	}
	return s->idx < s->n ? s->iov[s->idx].len - s->off : 0;
}

static gaddr_t at(const struct vm_side *s)
{
	return GADDR(s->iov[s->idx].base + s->off);
}

static long vm_copy(struct task *t, struct mm *remote, struct vm_side *l, struct vm_side *r, bool write)
{
	u8 *buf = kbuf_alloc(VM_CHUNK);
	long done = 0;

	if (!buf)
		return -ENOMEM;
	for (;;) {
		size_t n = (size_t)MIN(MIN(room(l), room(r)), (u64)VM_CHUNK), got, put;

		if (n == 0)
			break;
		got = write ? copy_in_some(t, buf, at(l), n) : mm_copy_in(remote, buf, at(r), n);
		put = write ? mm_copy_out(remote, at(r), buf, got) : copy_out_some(t, at(l), buf, got);
		done += (long)put;
		l->off += put;
		r->off += put;
		if (put < n) {
			if (done == 0)
				done = -EFAULT;
			break;
		}
	}
	kfree(buf);
	return done;
}

static long process_vm(struct task *t, const struct sysargs *a, bool write)
{
	struct giovec *li = NULL, *ri = NULL;
	struct vm_side l = { 0 }, r = { 0 };
	auto_task *x = NULL;
	struct mm *mm = NULL;
	ssize_t n;

	if (arg_u64(a, 5))
		return -EINVAL;
	n = iov_copy_in(t, arg_addr(a, 1), arg_size(a, 2), &li);
	if (n >= 0 && arg_size(a, 4) > 0)
		n = iov_copy_in(t, arg_addr(a, 3), arg_size(a, 4), &ri);
	if (n < 0 || arg_size(a, 2) == 0 || arg_size(a, 4) == 0)
		goto out;
	x = task_find_nr(t, arg_s32(a, 0));
	n = -ESRCH;
	if (!x)
		goto out;
	n = -EPERM;
	if (!task_may_access(t, x))
		goto out;
	n = -ESRCH;
	mm = task_mm_get(x);
	if (!mm)
		goto out;
	l.iov = li;
	l.n = arg_size(a, 2);
	r.iov = ri;
	r.n = arg_size(a, 4);
	n = vm_copy(t, mm, &l, &r, write);
	mm_unref(mm);
out:
	kfree(li);
	kfree(ri);
	return arg_size(a, 2) == 0 || arg_size(a, 4) == 0 ? MIN(n, 0) : n;
}

long sys_process_vm_readv(struct task *t, const struct sysargs *a)
{
	return process_vm(t, a, false);
}

long sys_process_vm_writev(struct task *t, const struct sysargs *a)
{
	return process_vm(t, a, true);
}
