/*
 * iobuf.h - where the bytes of a read or write go to or come from.
 *
 * A cursor over an iovec of application memory, or over one buffer of our
 * own (splice, sendfile, exec, core code).  File kinds move bytes with
 * iobuf_put() (towards the reader) and iobuf_get() (from the writer) and do
 * not know which it is.  Lives on the stack of the call that made it.
 */
#pragma once
#include <sys/types.h>
#include "platform/base/compiler.h"

struct task;
struct iovec;

struct giovec { u64 base, len; };               /* Linux's struct iovec as the guest lays it out */

struct iobuf {
	struct task *t;                         /* NULL: kernel memory */
	const struct giovec *iov;               /* application memory; NULL: one */
	struct giovec one;                      /* storage when there is a single range */
	size_t niov, idx;
	u64 off;                                /* within iov[idx] */
	u8 *kbuf;                               /* kernel memory */
	bool again;                             /* a read that may be made again: it moves nothing but the bytes */
	bool parks;                             /* -EPARKED is a possible result */
	bool noappend;                          /* a write at its position though the file says O_APPEND */
	size_t left;                            /* bytes from the cursor to the end */
	size_t done;                            /* bytes moved so far */
};

void iobuf_user(struct iobuf *b, struct task *t, gaddr_t base, size_t len);
void iobuf_user_iov(struct iobuf *b, struct task *t, const struct giovec *iov, size_t n);
void iobuf_kernel(struct iobuf *b, void *buf, size_t len);

/* Let the buffer end after at most @n more bytes. */
void iobuf_limit(struct iobuf *b, size_t n);

/* Move up to @n bytes and advance.  Bytes moved (> 0), 0 if none were wanted, or -EFAULT if none could be. */
ssize_t iobuf_put(struct iobuf *b, const void *src, size_t n) must_check;
ssize_t iobuf_get(struct iobuf *b, void *dst, size_t n) must_check;
/* The same from or to several pieces of our memory. */
ssize_t iobuf_put_pieces(struct iobuf *b, const struct iovec *v, size_t n) must_check;
ssize_t iobuf_get_pieces(struct iobuf *b, const struct iovec *v, size_t n) must_check;
ssize_t iobuf_put_zero(struct iobuf *b, size_t n) must_check;
/* Like iobuf_get but the cursor stays: for writers that may find no room. */
ssize_t iobuf_peek(const struct iobuf *b, void *dst, size_t n) must_check;
void iobuf_advance(struct iobuf *b, size_t n);
/* Step back over the last @n bytes moved (a reader that must undo). */
void iobuf_rewind(struct iobuf *b, size_t n);

/*
 * Copy in a guest iovec array with Linux's checks (count <= 1024, no length
 * negative, total clipped to MAX_RW_COUNT). *ret is kfree'd by the caller.
 */
ssize_t iov_copy_in(struct task *t, gaddr_t iov, size_t n, struct giovec **ret) must_check;
#define MAX_RW_COUNT 0x7ffff000ul
