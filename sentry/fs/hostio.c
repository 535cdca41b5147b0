/*
 * hostio.c - bounce buffers between host files and applications.
 *
 * Bytes are consumed from the application only as far as the host took them, so
 * a short write loses nothing.
 */
#include "sentry/fs/hostio.h"
#include <errno.h>
#include "platform/base/alloc.h"
#include "platform/host/hostfile.h"

#define SMALL (16u << 10)
#define CHUNK (256u << 10)

static ssize_t read_chunks(hostfd_t fd, struct iobuf *b, u64 pos, u8 *buf, size_t cap)
{
	ssize_t done = 0, n, put;

	while (b->left > 0) {
		size_t want = MIN(b->left, cap);

		n = host_pread(fd, buf, want, pos + (u64)done);
		if (n <= 0)
			return done > 0 ? done : n;
		put = iobuf_put(b, buf, (size_t)n);
		if (put < 0)
			return done > 0 ? done : put;
		done += put;
		if (put < n || (size_t)n < want)
			break;
	}
	return done;
}

static ssize_t write_chunks(hostfd_t fd, struct iobuf *b, u64 pos, u8 *buf, size_t cap)
{
	ssize_t done = 0, n, got;

	while (b->left > 0) {
		got = iobuf_peek(b, buf, MIN(b->left, cap));
		if (got <= 0)
			return done > 0 ? done : got;
		n = host_pwrite(fd, buf, (size_t)got, pos + (u64)done);
		if (n <= 0)
			return done > 0 ? done : n;
		iobuf_advance(b, (size_t)n);
		done += n;
		if (n < got)
			break;
	}
	return done;
}

ssize_t hostio_read(hostfd_t fd, struct iobuf *b, u64 pos)
{
	u8 small[SMALL] no_init;
	size_t cap = MIN(b->left, CHUNK);
	ssize_t n;
	u8 *buf;

	if (b->left <= SMALL)
		return read_chunks(fd, b, pos, small, sizeof(small));
	buf = kbuf_alloc(cap);
	if (!buf)
		return read_chunks(fd, b, pos, small, sizeof(small));
	n = read_chunks(fd, b, pos, buf, cap);
	kfree(buf);
	return n;
}

ssize_t hostio_write(hostfd_t fd, struct iobuf *b, u64 pos)
{
	u8 small[SMALL] no_init;
	size_t cap = MIN(b->left, CHUNK);
	ssize_t n;
	u8 *buf;

	if (b->left <= SMALL)
		return write_chunks(fd, b, pos, small, sizeof(small));
	buf = kbuf_alloc(cap);
	if (!buf)
		return write_chunks(fd, b, pos, small, sizeof(small));
	n = write_chunks(fd, b, pos, buf, cap);
	kfree(buf);
	return n;
}
