/*
 * registers.c - an application's registers, for call handlers, which do not see the platform.
 */
#include <errno.h>

#include "platform/platform.h"
#include "sentry/kernel/task.h"

bool task_has_frame(struct task *t)
{
	return ctx_has_frame(t->ctx);
}

int task_get_regs(struct task *t, struct user_regs *ret)
{
	return ctx_has_frame(t->ctx) ? ctx_get_regs(t->ctx, ret) : -EPERM;
}

int task_set_regs(struct task *t, const struct user_regs *r)
{
	return ctx_has_frame(t->ctx) ? ctx_set_regs(t->ctx, r) : -EPERM;
}
