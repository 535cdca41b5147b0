/*
 * approve.c - the host calls that a stub may make: exactly those it was told to.
 *
 * A call reaches here as a notification, so its arguments are the kernel's
 * copy and CONTINUE runs just them.  They are compared, in order, with the
 * owner's list; anything else ends the process.  A file to be mapped is put into
 * the stub under a number of that command's own just before its mmap, so no other thread's
 * approved mapping can name it.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include "platform/base/log.h"

static bool same_call(const struct stub_call *want, const struct seccomp_notif *n)
{
	if (want->nr != (u64)(u32)n->data.nr)
		return false;
	for (int i = 0; i < 6; i++)
		if (want->a[i] != n->data.args[i])
			return false;
	return true;
}

static int donate(struct systrap *p, const struct seccomp_notif *n, hostfd_t file, u32 number)
{
	struct seccomp_notif_addfd add = {
		.id = n->id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (u32)file.fd,
		.newfd = number,
	};

	return ioctl(p->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

/*
 * A clone that meets a freezer or a stop has made nothing yet and is begun anew by the host, which is one more notification.  Of
 * further clones that a stub might make instead only one can register; the others end at their first call.
 */
static bool may_clone(struct systrap_ctx *c)
{
	u32 left = atomic_load(&c->may_clone);

	while (left && !atomic_compare_exchange_weak(&c->may_clone, &left, left - 1))
		;
	return left != 0;
}

void approve_call(struct systrap *p, struct systrap_ctx *c, const struct seccomp_notif *n)
{
	u32 i = atomic_load(&c->next_call);

	if (n->data.nr == SYS_clone) {
		/* Taken first: it orders the read of clone_flags after the owner's write. */
		if (may_clone(c) && n->data.args[0] == c->clone_flags) {
			notify_send(p, n->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
			return;
		}
	} else if (atomic_load(&c->state) == CTX_RUNNING && i < c->ncalls &&
		   same_call(&c->calls[i], n) &&
		   atomic_compare_exchange_strong(&c->next_call, &i, i + 1)) {
		int r = 0;

		if (c->files[i].fd >= 0)
			r = donate(p, n, c->files[i], (u32)n->data.args[4]);
		notify_send(p, n->id, r, r ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE);
		return;
	}
	log_ratelimited("systrap: process %d made host call %d that was not approved; killed",
			to_as(c->base.as)->pid, n->data.nr);
	kill(to_as(c->base.as)->pid, SIGKILL);
}
