/*
 * usercopy.c - copies between the sentry and the application of a task.
 *
 * Everything goes through aspace_copy_in/out of the task's address space, so
 * no pointer of an application is ever dereferenced.  A task without an mm
 * (dying, or made by the sentry itself) has no memory: -EFAULT.
 *
 * Some calls bring their data, and can take results back when they end, without a copy by the host
 * (ctx_data_in() and ctx_data_out()): usercopy_begin() looks up what the call may be given that way
 * (call_data.def) and whether that memory can take it.
 */
#include "sentry/core/usercopy.h"
#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"
#include "platform/base/overflow.h"
#include "platform/platform.h"
#include "sentry/core/errno.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

/* What a call writes: for an argument of a number, how many bytes; LEN_NEXT: the next argument says. */
#define LEN_NEXT 1u
#define NCALLS 440u

static const struct { u8 arg; u16 len; } out_data[NCALLS] = {
#define OUT_SIZED(nr, name, arg) [nr] = { arg, LEN_NEXT },
#define OUT_BYTES(nr, name, arg, n) [nr] = { arg, n },
#include "syscall-tables/call_data.def"
};

void usercopy_begin(struct task *t, u64 nr, const u64 *args)
{
	u64 addr, len, end;

	/* A tracer looks at its stopped tracee's memory, --strace at the results of a call. */
	if (nr >= NCALLS || !out_data[nr].len || !t->mm || t->pt || t->kernel->strace || !ctx_takes_data(t->ctx))
		return;
	addr = args[out_data[nr].arg];
	len = out_data[nr].len == LEN_NEXT ? args[out_data[nr].arg + 1] : out_data[nr].len;
	len = MIN(len, (u64)PAGE_SIZE);         /* of a long buffer only the beginning is looked at */
	if (!addr || add_overflows(addr, len, &end) || !mm_is_plain(t->mm, addr, len))
		return;
	t->out_start = addr;
	t->out_end = end;
}

void usercopy_end(struct task *t) { t->out_start = t->out_end = 0; }

void usercopy_elsewhere(struct task *t, size_t n) { platform_worked(t->kernel->platform, n); }

size_t copy_in_some(struct task *t, void *dst, gaddr_t src, size_t n)
{
	const void *p;
	size_t have;

	if (!t->mm || n == 0)
		return 0;
	have = t->ctx ? ctx_data_in(t->ctx, src, &p) : 0;
	if (have < n)
		return aspace_copy_in(t->mm->as, dst, src, n);
	memcpy(dst, p, n);
	return n;
}

size_t copy_out_some(struct task *t, gaddr_t dst, const void *src, size_t n)
{
	if (!t->mm || n == 0)
		return 0;
	if (dst.v >= t->out_start && dst.v < t->out_end && n <= t->out_end - dst.v &&
	    ctx_data_out(t->ctx, dst, src, n))
		return n;
	return aspace_copy_out(t->mm->as, dst, src, n);
}

size_t copy_in_pieces(struct task *t, const struct iovec *dst, size_t n, gaddr_t src)
{
	if (n == 1)
		return copy_in_some(t, dst->iov_base, src, dst->iov_len);
	return t->mm ? aspace_copy_in_pieces(t->mm->as, dst, n, src) : 0;
}

size_t copy_out_pieces(struct task *t, gaddr_t dst, const struct iovec *src, size_t n)
{
	if (n == 1)
		return copy_out_some(t, dst, src->iov_base, src->iov_len);
	return t->mm ? aspace_copy_out_pieces(t->mm->as, dst, src, n) : 0;
}

static bool may_be_late(struct task *t, u64 dst, size_t n)
{
	u64 end;

	return t->mm && t->ctx && !t->pt && ctx_takes_data(t->ctx) && !add_overflows(dst, n, &end) &&
	       mm_is_plain(t->mm, dst, n);
}

int copy_out_late(struct task *t, gaddr_t dst, const void *src, size_t n)
{
	if (may_be_late(t, dst.v, n) && ctx_data_out(t->ctx, dst, src, n))
		return 0;
	return copy_out(t, dst, src, n);
}

bool copy_view_may(struct task *t) { return t->ctx && ctx_takes_data(t->ctx); }

int copy_out_view(struct task *t, gaddr_t dst, u64 key, u64 off, size_t n)
{
	return may_be_late(t, dst.v, n) ? ctx_view_out(t->ctx, dst, key, off, n) : -EOPNOTSUPP;
}

void copy_view_give(struct task *t, u64 key, u64 off, hostfd_t fd) { ctx_view_give(t->ctx, key, off, fd); }

void copy_view_drop(struct task *t, u64 key)
{
	if (t->mm && t->ctx)
		ctx_view_drop(t->ctx, key);
}

int copy_in(struct task *t, void *dst, gaddr_t src, size_t n)
{
	return copy_in_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

int copy_struct_in(struct task *t, void *dst, size_t known, gaddr_t src, size_t n)
{
	u8 more[256] no_init;

	for (size_t at = known; at < n; at += sizeof(more)) {
		size_t len = MIN(sizeof(more), n - at);

		if (copy_in(t, more, gaddr_add(src, at), len) < 0)
			return -EFAULT;
		for (size_t i = 0; i < len; i++)
			if (more[i])
				return -E2BIG;
	}
	memset(dst, 0, known);
	return copy_in(t, dst, src, MIN(n, known));
}

int copy_out(struct task *t, gaddr_t dst, const void *src, size_t n)
{
	return copy_out_some(t, dst, src, n) == n ? 0 : -EFAULT;
}

int zero_out(struct task *t, gaddr_t dst, size_t n)
{
	static const u8 zeros[4096];

	while (n > 0) {
		size_t part = MIN(n, sizeof(zeros));

		if (copy_out_some(t, dst, zeros, part) != part)
			return -EFAULT;
		dst = gaddr_add(dst, part);
		n -= part;
	}
	return 0;
}

/*
 * Strings are read in pieces that end at page boundaries, as the byte after
 * the terminator may not exist.  The first piece is small: most are short.
 */
ssize_t copy_in_str(struct task *t, char *buf, gaddr_t src, size_t cap)
{
	size_t len = 0, piece = 256, have;
	const void *p, *end;

	have = t->mm && t->ctx ? ctx_data_in(t->ctx, src, &p) : 0;
	end = have ? memchr(p, 0, MIN(have, cap)) : NULL;
	if (end) {
		len = (size_t)((const char *)end - (const char *)p);
		memcpy(buf, p, len + 1);
		return (ssize_t)len;
	}
	while (len < cap) {
		size_t to_page = PAGE_SIZE - (size_t)((src.v + len) & (PAGE_SIZE - 1));
		size_t want = MIN(MIN(piece, to_page), cap - len);
		size_t got = copy_in_some(t, buf + len, gaddr_add(src, len), want);
		char *nul = memchr(buf + len, 0, got);

		if (nul)
			return nul - buf;
		if (got < want)
			return -EFAULT;
		len += got;
		piece = PAGE_SIZE;
	}
	return -ENAMETOOLONG;
}

int copy_in_path(struct task *t, gaddr_t src, char **ret)
{
	char buf[PATH_MAX] no_init;
	ssize_t n = copy_in_str(t, buf, src, sizeof(buf));
	char *p;

	if (n < 0)
		return (int)n;
	p = kbuf_alloc((size_t)n + 1);
	if (!p)
		return -ENOMEM;
	memcpy(p, buf, (size_t)n + 1);
	*ret = p;
	return 0;
}
