/*
 * command.c - making a stub act for the sentry, and waiting for it.
 *
 * The context must be trapped with a frame: its stub sits in the handler's trap call
 * and takes the answer as a command.  Arguments travel in the slot, which
 * the application can rewrite; approve.c compares each call with our own copy.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "platform/host/process.h"

int slot_write(struct systrap_ctx *c, size_t off, const void *src, size_t n)
{
	if (systrap_copy_out(c->base.as, GADDR(ctx_slot(c) + off), src, n) != n)
		return -ESRCH;
	return 0;
}

int slot_write2(struct systrap_ctx *c, u64 at, const void *src, size_t n, size_t off, const void *src2, size_t n2)
{
	struct iovec local[2] = { { (void *)src, n }, { (void *)src2, n2 } };
	struct iovec remote[2] = { { (void *)at, n }, { (void *)(ctx_slot(c) + off), n2 } };

	if (atomic_load(&to_as(c->base.as)->dead) ||
	    host_vm_writev(to_as(c->base.as)->pid, local, 2, remote, 2) != (ssize_t)(n + n2))
		return -ESRCH;
	return 0;
}

int slot_read(struct systrap_ctx *c, size_t off, void *dst, size_t n)
{
	if (systrap_copy_in(c->base.as, dst, GADDR(ctx_slot(c) + off), n) != n)
		return -ESRCH;
	return 0;
}

int command_put_calls(struct systrap_ctx *c, const struct stub_call *calls, u32 n)
{
	if (window_put_calls(c, calls, n))
		return 0;
	return slot_write2(c, ctx_slot(c) + offsetof(struct slot, calls), calls, n * sizeof(*calls),
			   offsetof(struct slot, ncalls), &n, sizeof(n));
}

/* Answer the stub with @cmd and wait for its STUB_DONE. The value is the stub's word: untrusted. */
static long tell(struct systrap_ctx *c, u32 cmd)
{
	struct systrap *p = ctx_systrap(c);
	bool mailed = c->by_mail;
	u64 id = c->notif_id;

	if (!c->framed)
		return -EPERM;
	/* Its stub will make notifications: from here on all of them. */
	if (mail_cool(p, c))
		mail_forget(c);
	if (atomic_load(&to_as(c->base.as)->dead))
		return -ESRCH;
	atomic_store(&c->done, 0);
	atomic_store(&c->in_command, true);
	atomic_fetch_add(&p->w.running, 1);
	atomic_store(&c->state, CTX_RUNNING);
	if (atomic_load(&to_as(c->base.as)->dead)) {
		int running = CTX_RUNNING;

		/* Whoever changes the state completes the command: the reaper, or we. */
		if (atomic_compare_exchange_strong(&c->state, &running, CTX_DEAD)) {
			atomic_fetch_sub(&p->w.running, 1);
			atomic_store(&c->in_command, false);
			return -ESRCH;
		}
	}
	if (mailed) {
		mutex_lock(&to_as(c->base.as)->mu);
		id = mail_answer(c, cmd, false);
		mutex_unlock(&to_as(c->base.as)->mu);
	}
	if (id)
		notify_send(p, id, cmd, 0);
	workers_await(p, &c->done);
	atomic_store(&c->may_clone, 0);
	return c->done_val;
}

/* What the filter allows: never a notification. */
static bool unasked(const struct stub_call *call)
{
	return call->nr == SYS_close || call->nr == SYS_futex || (call->nr == SYS_rseq && call->a[2] == 1);
}

int command_calls(struct systrap_ctx *c, const struct stub_call *calls, const hostfd_t *files, u32 n,
		  u32 *ret_done)
{
	u32 asked = 0;
	long r;

	*ret_done = 0;
	if (n > SLOT_CALLS)
		return -E2BIG;
	for (u32 i = 0; i < n; i++) {
		if (unasked(&calls[i]))
			continue;
		c->calls[asked] = calls[i];
		c->files[asked++] = files ? files[i] : HOSTFD_NONE;
	}
	c->ncalls = asked;
	atomic_store(&c->next_call, 0);
	r = command_put_calls(c, calls, n);
	if (!r)
		r = tell(c, CMD_CALLS);
	c->ncalls = 0;
	as_file_done(c);
	if (r < 0)
		return (int)r;
	*ret_done = MIN((u32)(r >> 16), n);
	r &= 0xffff;
	return r > 4095 ? -EIO : (int)-r;
}

long command_clone(struct systrap_ctx *c, u32 cmd, u64 flags, u64 cookie, u64 new_slot)
{
	u64 args[2] = { cookie, new_slot };
	long r;

	c->clone_flags = flags;
	atomic_store(&c->may_clone, CLONE_TRIES);
	r = slot_write(c, offsetof(struct slot, cookie), args, sizeof(args));
	return r < 0 ? r : tell(c, cmd);
}

long command_simple(struct systrap_ctx *c, u32 cmd) { return tell(c, cmd); }
