/*
 * sys_statmount.c - statmount(2), listmount(2): the mounts of the caller's namespace by their unique ids.
 */
#include <errno.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"
#include "sentry/syscalls/syscall.h"
#include "sentry/vfs/mount_ops.h"

#define REQ_MIN 24u                     /* MNT_ID_REQ_SIZE_VER0 */
#define LIST_MAX 1000000u
#define LIST_REVERSE 1u
#define LOWEST_ID (1ull << 31)          /* unique ids are above */

struct lx_mnt_id_req { u32 size, spare; u64 mnt_id, param, mnt_ns_id; };

/* A request of any length up to a page, whose unknown end is zero. */
static int req_in(struct task *t, gaddr_t from, struct lx_mnt_id_req *req)
{
	u32 size;
	int r;

	if (copy_in(t, &size, from, sizeof(size)) < 0)
		return -EFAULT;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < REQ_MIN)
		return -EINVAL;
	r = copy_struct_in(t, req, sizeof(*req), from, size);
	if (r < 0)
		return r;
	if (req->spare || req->mnt_id <= LOWEST_ID)
		return -EINVAL;
	/* Another namespace is as good as none. */
	return req->mnt_ns_id && req->mnt_ns_id != mnt_ns_common(t->mnt_ns)->ino ? -ENOENT : 0;
}

long sys_statmount(struct task *t, const struct sysargs *a)
{
	struct lx_mnt_id_req req;
	struct lx_statmount sm;
	struct strbuf text;
	gaddr_t dst = arg_addr(a, 1);
	size_t cap = arg_size(a, 2), n = MIN(cap, sizeof(sm));
	int r = arg_u32(a, 3) ? -EINVAL : req_in(t, arg_addr(a, 0), &req);

	if (r < 0)
		return r;
	strbuf_init_limit(&text, 1u << 16);
	r = mount_stat(t, req.mnt_id, req.param, &sm, &text);
	if (r == 0 && text.len && sizeof(sm) + text.len > cap)
		r = -EOVERFLOW;
	if (r == 0 && text.len)
		r = copy_out(t, GADDR(dst.v + sizeof(sm)), text.p, text.len);
	sm.size = (u32)(n + text.len);
	if (r == 0)
		r = copy_out(t, dst, &sm, n);
	strbuf_done(&text);
	return r;
}

long sys_listmount(struct task *t, const struct sysargs *a)
{
	struct lx_mnt_id_req req;
	auto_kfree u64 *ids = NULL;
	size_t max = arg_size(a, 2);
	u32 flags = arg_u32(a, 3);
	long n;
	int r;

	if (flags & ~LIST_REVERSE)
		return -EINVAL;
	if (max > LIST_MAX)
		return -EOVERFLOW;
	r = req_in(t, arg_addr(a, 0), &req);
	if (r == 0 && req.param && req.param <= LOWEST_ID)
		r = -EINVAL;
	if (r < 0)
		return r;
	n = mount_list(t, req.mnt_id, req.param, flags & LIST_REVERSE, &ids);
	if (n < 0)
		return n;
	n = MIN(n, (long)max);
	r = n ? copy_out(t, arg_addr(a, 1), ids, (size_t)n * sizeof(*ids)) : 0;
	return r < 0 ? r : n;
}
