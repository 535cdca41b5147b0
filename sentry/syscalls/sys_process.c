/*
 * sys_process.c - making processes, their end, waiting for them, their numbers.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "sentry/core/usercopy.h"
#include "sentry/fs/fs.h"
#include "sentry/kernel/cgroup.h"
#include "sentry/kernel/clone.h"
#include "sentry/kernel/fdtable.h"
#include "sentry/kernel/own_calls.h"
#include "sentry/kernel/pid_ns.h"
#include "sentry/kernel/pidfd.h"
#include "sentry/kernel/ptrace.h"
#include "sentry/kernel/task.h"
#include "sentry/kernel/user_ns.h"
#include "sentry/kernel/wait.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/file.h"

#define P_PIDFD_ID 3
#define CLONE_INTO_CGROUP_FLAG 0x200000000ull

long sys_fork(struct task *t, const struct sysargs *a unused_ok)
{
	return task_clone(t, &(struct clone_req){ .exit_signal = SIGCHLD });
}

long sys_vfork(struct task *t, const struct sysargs *a unused_ok)
{
	return task_clone(t, &(struct clone_req){ .flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD });
}

/* The low byte of clone's flags is the exit signal, where none is sent for what is no signal; the number of bits is the old ABI's. */
long sys_clone(struct task *t, const struct sysargs *a)
{
	u64 f = arg_u64(a, 0) & 0xffffffff;
	struct clone_req q = {
		.flags = f & ~(u64)CSIGNAL,
		.exit_signal = (int)(f & CSIGNAL),
		.stack_top = arg_addr(a, 1),
		.parent_tid = arg_addr(a, 2),
		.child_tid = arg_addr(a, 3),
		.tls = arg_addr(a, 4),
		.pidfd = arg_addr(a, 2),
	};

	if ((f & CLONE_PIDFD) && (f & CLONE_PARENT_SETTID))
		return -EINVAL;
	return task_clone(t, &q);
}

struct lx_clone_args {
	u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	u64 set_tid, set_tid_size, cgroup;
};

static int get_clone_args(struct task *t, gaddr_t addr, size_t size, struct lx_clone_args *ret)
{
	if (size > PAGE_SIZE)
		return -E2BIG;
	return size < 64 ? -EINVAL : copy_struct_in(t, ret, sizeof(*ret), addr, size);
}

/* set_tid: numbers in the child's namespace and those around it, innermost first; CLONE_NEWPID makes one more. */
static int get_set_tid(struct task *t, const struct lx_clone_args *c, struct clone_req *q)
{
	struct pid_ns *ns = task_pid_ns_for_children(t);
	u32 fresh = c->flags & CLONE_NEWPID ? 1 : 0;

	if (c->set_tid_size > ARRAY_SIZE(q->want_tid) || (c->set_tid_size == 0) != (c->set_tid == 0))
		return -EINVAL;
	if (c->set_tid_size == 0)
		return 0;
	if (copy_in(t, q->want_tid, GADDR(c->set_tid), c->set_tid_size * sizeof(s32)) < 0)
		return -EFAULT;
	q->nwant = (u32)c->set_tid_size;
	if (q->nwant > ns->level + 1 + fresh)
		return -EINVAL;
	for (u32 i = 0; i < q->nwant; i++) {
		const struct user_ns *owner = i < fresh ? task_user_ns(t) : ns->ns.owner;

		if (q->want_tid[i] < 1 || q->want_tid[i] >= PID_MAX || (i < fresh && q->want_tid[i] != 1))
			return -EINVAL;
		/* Who makes a user namespace as well may do all to what belongs to it. */
		if (!(i < fresh && (c->flags & CLONE_NEWUSER)) && !ns_capable(t, owner, CAP_SYS_ADMIN) &&
		    !ns_capable(t, owner, CAP_CHECKPOINT_RESTORE))
			return -EPERM;
		if (i >= fresh)
			ns = ns->parent;
	}
	return 0;
}

/* CLONE_INTO_CGROUP: a descriptor of the group's directory, into which the caller could move its child. */
static int get_cgroup(struct task *t, const struct lx_clone_args *c, struct file **ret_f, struct cgroup **ret)
{
	auto_cgroup *from = NULL;

	if (!(c->flags & CLONE_INTO_CGROUP_FLAG))
		return 0;
	if (c->cgroup > INT_MAX)
		return -EINVAL;
	*ret_f = fd_get(t, (int)c->cgroup);
	*ret = *ret_f ? cgroupfs_group(*ret_f) : NULL;
	if (!*ret)
		return -EBADF;
	if ((*ret_f)->inode->nlink == 0)
		return -ENOENT;                 /* it was removed */
	from = tgroup_cgroup(t->tg);
	if ((c->flags & CLONE_THREAD) && from != *ret)
		return -EOPNOTSUPP;
	return cgroupfs_may_move(task_cred(t), task_cgroup_root(t), from, *ret);
}

long sys_clone3(struct task *t, const struct sysargs *a)
{
	struct lx_clone_args c;
	struct clone_req q;
	auto_file *f = NULL;
	int r = get_clone_args(t, arg_addr(a, 0), arg_size(a, 1), &c);

	if (r < 0)
		return r;
	if ((c.flags & (CSIGNAL | CLONE_DETACHED)) || c.flags >> 34)
		return -EINVAL;
	if (c.exit_signal & ~(u64)CSIGNAL || c.exit_signal > NSIG_GUEST)
		return -EINVAL;
	if ((c.flags & (CLONE_THREAD | CLONE_PARENT)) && c.exit_signal)
		return -EINVAL;
	if ((c.stack == 0) != (c.stack_size == 0) || c.stack + c.stack_size < c.stack)
		return -EINVAL;
	q = (struct clone_req){
		.flags = c.flags,
		.exit_signal = (int)c.exit_signal,
		.stack_top = GADDR(c.stack + c.stack_size),
		.parent_tid = GADDR(c.parent_tid),
		.child_tid = GADDR(c.child_tid),
		.tls = GADDR(c.tls),
		.pidfd = GADDR(c.pidfd),
	};
	r = get_set_tid(t, &c, &q);
	if (r == 0)
		r = get_cgroup(t, &c, &f, &q.cgroup);
	return r < 0 ? r : task_clone(t, &q);
}

long sys_exit(struct task *t, const struct sysargs *a)
{
	task_exit(t, (int)((arg_u32(a, 0) & 0xff) << 8));
	return 0;
}

long sys_exit_group(struct task *t, const struct sysargs *a)
{
	int status = (int)((arg_u32(a, 0) & 0xff) << 8);

	ptrace_exit_event(t, status);
	tgroup_exit(t->tg, status);
	task_exit(t, status);
	return 0;
}

long sys_wait4(struct task *t, const struct sysargs *a)
{
	struct wait_req q = { .options = arg_u32(a, 2), .parks = true };
	int pid = arg_s32(a, 0);
	long r;

	if (q.options & ~(u32)(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	q.options |= WEXITED;
	q.which = pid > 0 ? CHILD_PID : pid == -1 ? CHILD_ANY : CHILD_PGID;
	q.id = pid == 0 ? t->tg->pgid : pid_from_nr(t, pid > 0 ? pid : -pid);
	if (task_call_again(t))
		q.id = t->park.id;
	r = task_wait(t, &q);
	if (r <= 0)
		return r;
	if (arg_addr(a, 1).v && copy_out(t, arg_addr(a, 1), &q.status, sizeof(q.status)) < 0)
		return -EFAULT;
	if (arg_addr(a, 3).v && copy_out(t, arg_addr(a, 3), &q.ru, sizeof(q.ru)) < 0)
		return -EFAULT;
	return r;
}

static int waitid_pidfd(struct task *t, int fd, struct wait_req *q)
{
	auto_file *f = fd_get(t, fd);
	auto_tgroup *tg = f ? pidfd_tgroup(f) : NULL;

	if (!tg)
		return -EBADF;
	q->which = CHILD_PID;
	q->id = tg->tgid;
	if (file_flags(f) & 04000)      /* O_NONBLOCK */
		q->options |= WNOHANG;
	return file_flags(f) & 04000 ? 1 : 0;
}

static int waitid_target(struct task *t, int type, int id, struct wait_req *q)
{
	switch (type) {
	case P_ALL:
		q->which = CHILD_ANY;
		return 0;
	case P_PID:
		q->which = CHILD_PID;
		q->id = pid_from_nr(t, id);
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		q->which = CHILD_PGID;
		q->id = id == 0 ? t->tg->pgid : pid_from_nr(t, id);
		return id >= 0 ? 0 : -EINVAL;
	case P_PIDFD_ID:
		return id >= 0 ? waitid_pidfd(t, id, q) : -EINVAL;
	}
	return -EINVAL;
}

/* si_status is an exit code or a signal, unlike the status word of wait4. */
static int waitid_status(const struct wait_req *q)
{
	switch (q->code) {
	case CLD_EXITED:
		return (q->status >> 8) & 0xff;
	case CLD_STOPPED:
		return q->status >> 8;
	case CLD_CONTINUED:
		return SIGCONT;
	}
	return q->status & 0x7f;
}

long sys_waitid(struct task *t, const struct sysargs *a)
{
	struct wait_req q = { .options = arg_u32(a, 3) };
	struct lx_siginfo si = { 0 };
	int nonblock;
	long r;

	if ((q.options & ~(u32)(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD |
				__WCLONE | __WALL)) ||
	    !(q.options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	nonblock = waitid_target(t, arg_s32(a, 0), arg_s32(a, 1), &q);
	if (nonblock < 0)
		return nonblock;
	r = task_wait(t, &q);
	if (r < 0)
		return r;
	if (r == 0 && nonblock && !(arg_u32(a, 3) & WNOHANG))
		return -EAGAIN;
	if (r > 0) {
		si.signo = SIGCHLD;
		si.code = q.code;
		si.chld.pid = q.pid;
		si.chld.uid = q.uid;
		si.chld.status = waitid_status(&q);
	}
	/* Linux writes the first fields one by one; the rest of the structure is left alone. */
	if (arg_addr(a, 2).v && copy_out(t, arg_addr(a, 2), &si, 28) < 0)
		return -EFAULT;
	if (r > 0 && arg_addr(a, 4).v && copy_out(t, arg_addr(a, 4), &q.ru, sizeof(q.ru)) < 0)
		return -EFAULT;
	return 0;
}

long sys_set_tid_address(struct task *t, const struct sysargs *a)
{
	t->clear_child_tid = arg_addr(a, 0);
	return pid_nr(t, t->tid);
}

long sys_getpid(struct task *t, const struct sysargs *a unused_ok)
{
	own_ids_tell(t);
	return pid_nr(t, t->tg->tgid);
}

long sys_gettid(struct task *t, const struct sysargs *a unused_ok)
{
	own_ids_tell(t);
	return pid_nr(t, t->tid);
}

long sys_getppid(struct task *t, const struct sysargs *a unused_ok)
{
	return pid_nr(t, tgroup_ppid(t->tg));
}
