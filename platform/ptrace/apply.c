/*
 * apply.c - changes to an address space, as calls that its stub is made to execute.
 *
 * A file reaches the stub over a socket that all stubs share: the dispatcher
 * sends it and makes this one receive it at once, so no other can take it.
 * The stub's page that holds the message header can be rewritten by the application meanwhile;
 * that spoils its own mapping and nothing else.
 */
#include "platform/ptrace/pt.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

struct apply_req {
	struct pt_req q;
	struct pt_ctx *c;
	const struct as_op *ops;
	size_t n, done;
	int result;
};

/* What recvmsg works on, in the stub's data page. */
struct recv_area {
	struct msghdr msg;
	struct iovec iov;
	_Alignas(8) u8 ctl[CMSG_SPACE(sizeof(int))];
	u8 byte;
};

static bool in_range(const struct pt *p, u64 addr, u64 len)
{
	u64 end;

	return !add_overflows(addr, len, &end) && end <= p->stub && !(addr % 4096) && len;
}

static int send_file(const struct pt *p, int fd)
{
	union { struct cmsghdr h; u8 space[CMSG_SPACE(sizeof(int))]; } ctl = { 0 };
	u8 byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl),
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	return sendmsg(p->sock, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* The stub may not have taken it: it must not wait for another one. */
static void drop_file(const struct pt *p)
{
	u8 byte;

	while (recv(p->sock_stub, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

/* The file as descriptor PT_FILE_FD of @c's process. */
static int pass_file(struct pt *p, struct pt_ctx *c, int fd)
{
	u64 at = p->stub + PT_STUB_DATA;
	struct recv_area a = {
		.msg = {
			.msg_iov = (void *)(at + offsetof(struct recv_area, iov)), .msg_iovlen = 1,
			.msg_control = (void *)(at + offsetof(struct recv_area, ctl)),
			.msg_controllen = sizeof(a.ctl),
		},
		.iov = { (void *)(at + offsetof(struct recv_area, byte)), 1 },
	};
	long got = 0;
	int r;

	if (pt_copy_out(c->base.as, GADDR(at), &a, sizeof(a)) != sizeof(a))
		return -ESRCH;
	r = send_file(p, fd);
	if (r < 0)
		return r;
	r = pt_inject(p, c, SYS_recvmsg, (const u64[6]){ PT_SOCK_FD, at, MSG_CMSG_CLOEXEC }, &got);
	if (r == 0 && got != 1)
		r = -EBADF;
	if (r < 0)
		drop_file(p);
	return r;
}

static int map_file(struct pt *p, struct pt_ctx *c, const struct as_op *op, u64 flags, long *ret)
{
	long unused;
	int e, r = pass_file(p, c, op->file.fd);

	if (r < 0)
		return r;
	r = pt_inject(p, c, SYS_mmap, (const u64[6]){ op->addr.v, op->len, (u64)op->prot, flags,
						      PT_FILE_FD, op->offset }, ret);
	e = pt_inject(p, c, SYS_close, (const u64[6]){ PT_FILE_FD }, &unused);
	return r < 0 ? r : e;
}

static int apply_one(struct pt *p, struct pt_ctx *c, const struct as_op *op, long *ret)
{
	u64 flags = (u64)op->flags | MAP_FIXED;
	bool here = op->new_addr.v == op->addr.v;

	if (!in_range(p, op->addr.v, op->len))
		return -EINVAL;
	switch (op->kind) {
	case AS_MAP:
		if (op->file.fd >= 0)
			return map_file(p, c, op, flags, ret);
		return pt_inject(p, c, SYS_mmap, (const u64[6]){ op->addr.v, op->len, (u64)op->prot,
				 flags | MAP_ANONYMOUS, (u64)-1, 0 }, ret);
	case AS_UNMAP:
		return pt_inject(p, c, SYS_munmap, (const u64[6]){ op->addr.v, op->len }, ret);
	case AS_PROTECT:
		return pt_inject(p, c, SYS_mprotect, (const u64[6]){ op->addr.v, op->len, (u64)op->prot }, ret);
	case AS_MOVE:
		if (!in_range(p, op->new_addr.v, op->new_len))
			return -EINVAL;
		return pt_inject(p, c, SYS_mremap, (const u64[6]){ op->addr.v, op->len, op->new_len,
				 here ? 0 : (u64)(MREMAP_MAYMOVE | MREMAP_FIXED), op->new_addr.v }, ret);
	case AS_ADVISE:
		return pt_inject(p, c, SYS_madvise, (const u64[6]){ op->addr.v, op->len, (u64)op->advice }, ret);
	}
	return -EINVAL;
}

static void apply_fn(struct pt *p, struct pt_req *q)
{
	struct apply_req *a = container_of(q, struct apply_req, q);

	for (; a->done < a->n && a->result == 0; a->done += a->result == 0) {
		long v = 0;

		a->result = apply_one(p, a->c, &a->ops[a->done], &v);
		if (a->result == 0 && v < 0 && v > -4096)
			a->result = (int)v;
	}
}

int pt_apply(struct ctx *base, const struct as_op *ops, size_t n, size_t *ret_done)
{
	struct apply_req a = { .q.fn = apply_fn, .c = to_pt_ctx(base), .ops = ops, .n = n };

	pt_call(to_pt(base->p), &a.q);
	if (ret_done)
		*ret_done = a.done;
	return a.result;
}
