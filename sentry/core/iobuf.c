/*
 * iobuf.c - the cursor behind every read and write; see iobuf.h.
 *
 * A fault in the middle of a transfer ends it with the bytes moved so far;
 * only a fault on the very first byte is -EFAULT.
 */
#include "sentry/core/iobuf.h"
#include <limits.h>
#include <string.h>
#include <sys/uio.h>
#include "platform/base/alloc.h"
#include "sentry/core/errno.h"
#include "sentry/core/usercopy.h"
#include "sentry/kernel/task.h"

void iobuf_user(struct iobuf *b, struct task *t, gaddr_t base, size_t len)
{
	len = MIN(len, MAX_RW_COUNT);
	*b = (struct iobuf){ .t = t, .one = { base.v, len }, .niov = 1, .left = len };
}

void iobuf_user_iov(struct iobuf *b, struct task *t, const struct giovec *iov, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += MIN(iov[i].len, MAX_RW_COUNT - total);
	*b = (struct iobuf){ .t = t, .iov = iov, .niov = n, .left = total };
}

void iobuf_kernel(struct iobuf *b, void *buf, size_t len)
{
	*b = (struct iobuf){ .kbuf = buf, .left = len };
}

void iobuf_limit(struct iobuf *b, size_t n)
{
	b->left = MIN(b->left, n);
}

/* How one piece is moved between our memory and the application's. */
enum move { MOVE_OUT, MOVE_IN, MOVE_ZERO };

static size_t move_user(const struct iobuf *b, gaddr_t at, void *p, size_t n, enum move how)
{
	static const u8 zeros[4096];
	size_t done = 0;

	if (how == MOVE_OUT)
		return copy_out_some(b->t, at, p, n);
	if (how == MOVE_IN)
		return copy_in_some(b->t, p, at, n);
	while (done < n) {
		size_t part = MIN(n - done, sizeof(zeros));
		size_t got = copy_out_some(b->t, gaddr_add(at, done), zeros, part);

		done += got;
		if (got < part)
			break;
	}
	return done;
}

static void move_kernel(u8 *k, void *p, size_t n, enum move how)
{
	if (how == MOVE_OUT)
		memcpy(k, p, n);
	else if (how == MOVE_IN)
		memcpy(p, k, n);
	else
		memset(k, 0, n);
}

/* A single range lives in the iobuf itself, so that a copy of it stays valid. */
static const struct giovec *iovs(const struct iobuf *b)
{
	return b->iov ? b->iov : &b->one;
}

/* Without moving the cursor of @b: a copy of its position walks. */
static ssize_t transfer(const struct iobuf *b, void *p, size_t n, enum move how)
{
	size_t idx = b->idx, done = 0;
	u64 off = b->off;

	n = MIN(n, b->left);
	if (n == 0)
		return 0;
	if (!b->t) {
		move_kernel(b->kbuf + b->done, p, n, how);
		return (ssize_t)n;
	}
	while (done < n && idx < b->niov) {
		const struct giovec *v = &iovs(b)[idx];
		size_t part = (size_t)MIN(v->len - off, n - done), got;

		if (part == 0) {
			idx++;
			off = 0;
			continue;
		}
		got = move_user(b, GADDR(v->base + off), p ? (u8 *)p + done : NULL, part, how);
		done += got;
		off += got;
		if (got < part)
			break;
	}
	return done > 0 ? (ssize_t)done : -EFAULT;
}

void iobuf_advance(struct iobuf *b, size_t n)
{
	n = MIN(n, b->left);
	b->left -= n;
	b->done += n;
	while (b->t && n > 0) {
		u64 room = iovs(b)[b->idx].len - b->off;

		if (n < room) {
			b->off += n;
			return;
		}
		n -= (size_t)room;
		b->idx++;
		b->off = 0;
	}
}

void iobuf_rewind(struct iobuf *b, size_t n)
{
	n = MIN(n, b->done);
	b->left += n;
	b->done -= n;
	while (b->t && n > 0) {
		if (b->off == 0) {
			b->idx--;
			b->off = iovs(b)[b->idx].len;
			continue;
		}
		u64 part = MIN((u64)n, b->off);

		b->off -= part;
		n -= (size_t)part;
	}
}

ssize_t iobuf_put(struct iobuf *b, const void *src, size_t n)
{
	ssize_t r = transfer(b, (void *)(uintptr_t)src, n, MOVE_OUT);

	if (r > 0)
		iobuf_advance(b, (size_t)r);
	return r;
}

ssize_t iobuf_put_zero(struct iobuf *b, size_t n)
{
	ssize_t r = transfer(b, NULL, n, MOVE_ZERO);

	if (r > 0)
		iobuf_advance(b, (size_t)r);
	return r;
}

ssize_t iobuf_peek(const struct iobuf *b, void *dst, size_t n)
{
	return transfer(b, dst, n, MOVE_IN);
}

ssize_t iobuf_get(struct iobuf *b, void *dst, size_t n)
{
	ssize_t r = transfer(b, dst, n, MOVE_IN);

	if (r > 0)
		iobuf_advance(b, (size_t)r);
	return r;
}

/* All at once if the application's side is one stretch, else piece by piece. */
static ssize_t pieces(struct iobuf *b, const struct iovec *v, size_t n, bool out)
{
	const struct giovec *g = b->t && b->idx < b->niov ? &iovs(b)[b->idx] : NULL;
	size_t bytes = 0, done = 0;
	ssize_t r;

	for (size_t i = 0; i < n; i++)
		bytes += v[i].iov_len;
	if (n > 1 && g && bytes <= MIN(g->len - b->off, b->left)) {
		gaddr_t at = GADDR(g->base + b->off);

		done = out ? copy_out_pieces(b->t, at, v, n) : copy_in_pieces(b->t, v, n, at);
		iobuf_advance(b, done);
		return done || !bytes ? (ssize_t)done : -EFAULT;
	}
	for (size_t i = 0; i < n; i++) {
		r = out ? iobuf_put(b, v[i].iov_base, v[i].iov_len) : iobuf_get(b, v[i].iov_base, v[i].iov_len);
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
		if ((size_t)r < v[i].iov_len)
			break;
	}
	return (ssize_t)done;
}

ssize_t iobuf_put_pieces(struct iobuf *b, const struct iovec *v, size_t n) { return pieces(b, v, n, true); }
ssize_t iobuf_get_pieces(struct iobuf *b, const struct iovec *v, size_t n) { return pieces(b, v, n, false); }

ssize_t iov_copy_in(struct task *t, gaddr_t iov, size_t n, struct giovec **ret)
{
	struct giovec *v;
	u64 total = 0;
	int r;

	if (n > IOV_MAX)
		return -EINVAL;
	v = kbuf_array(MAX(n, 1), sizeof(*v));
	if (!v)
		return -ENOMEM;
	r = n ? copy_in(t, v, iov, n * sizeof(*v)) : 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		if ((s64)v[i].len < 0)
			r = -EINVAL;
		else
			v[i].len = MIN(v[i].len, MAX_RW_COUNT - total);
		total += v[i].len;
	}
	if (r < 0) {
		kfree(v);
		return r;
	}
	*ret = v;
	return (ssize_t)total;
}
