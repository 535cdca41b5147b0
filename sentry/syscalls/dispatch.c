/*
 * dispatch.c - one call of an application: the guest's own filters, tracing, the handler.
 */
#include <errno.h>

#include "platform/base/log.h"
#include "platform/base/str.h"
#include "sentry/kernel/seccomp.h"
#include "sentry/kernel/task.h"
#include "sentry/syscalls/syscall.h"

static long traced(struct task *t, u64 nr, const struct sysargs *a)
{
	auto_strbuf s = { 0 };
	int pid = t->tg->tgid, tid = t->tid;
	long r;

	strbuf_init_limit(&s, 4096);
	strace_enter(&s, t, nr, a);
	log_info("strace [%d:%d] %s ...", pid, tid, s.p);
	r = sys_dispatch(t, nr, a);
	if (t->ctx && r != -ENOFRAME_RESULT)
		strace_exit(&s, t, nr, a, r);
	log_info("strace [%d:%d] %s", pid, tid, s.p);
	return r;
}

long sys_enter(struct task *t, u64 nr, u64 ip, struct sysargs *a)
{
	long r;

	if (unlikely(t->seccomp_mode != 0) && !seccomp_check(t, &nr, ip, a->v, &r))
		return r;
	if (unlikely(t->kernel->strace))
		return traced(t, nr, a);
	return sys_dispatch(t, nr, a);
}
