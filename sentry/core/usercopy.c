/*
 * usercopy.c - copies between the sentry and the application of a task.
 *
 * Everything goes through aspace_copy_in/out of the task's address space, so
 * no pointer of an application is ever dereferenced.  A task without an mm
 * (dying, or made by the sentry itself) has no memory: -EFAULT.
 */
#include "sentry/core/usercopy.h"
#include <limits.h>
#include <string.h>
#include "platform/base/alloc.h"
#include "sentry/core/errno.h"
#include "sentry/kernel/task.h"
#include "sentry/mm/mm.h"

size_t copy_in_some(struct task *t, void *dst, gaddr_t src, size_t n)
{
	if (!t->mm || n == 0)
		return 0;
	return aspace_copy_in(t->mm->as, dst, src, n);
}

size_t copy_out_some(struct task *t, gaddr_t dst, const void *src, size_t n)
{
	if (!t->mm || n == 0)
		return 0;
	return aspace_copy_out(t->mm->as, dst, src, n);
}

int copy_in(struct task *t, void *dst, gaddr_t src, size_t n)
{
	return copy_in_some(t, dst, src, n) == n ? 0 : -EFAULT;
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
	size_t len = 0, piece = 256;

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
