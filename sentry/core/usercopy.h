/*
 * usercopy.h - the only way the sentry touches application memory.
 *
 * Every function copies; nothing returns a pointer into an application.  A
 * missing or protected page is -EFAULT, never a fault here.
 */
#pragma once
#include <sys/types.h>
#include "platform/base/compiler.h"

struct task;

/* All of it or -EFAULT. */
int copy_in(struct task *t, void *dst, gaddr_t src, size_t n) must_check;
int copy_out(struct task *t, gaddr_t dst, const void *src, size_t n) must_check;
/*
 * A structure of @n bytes, of which we know the first @known: what is missing is zero, and what is beyond must be,
 * else -E2BIG. The caller has checked that @n is no absurd size.
 */
int copy_struct_in(struct task *t, void *dst, size_t known, gaddr_t src, size_t n) must_check;
int zero_out(struct task *t, gaddr_t dst, size_t n) must_check;

/*
 * Around a call of @t: what its results may be written to is looked up, so that copies may be
 * made when the call ends (without locks: the mm is asked).
 */
void usercopy_begin(struct task *t, u64 nr, const u64 *args);
void usercopy_end(struct task *t);
/* Bytes moved without the application, as from file to file: a call that moves many does not keep others waiting. */
void usercopy_elsewhere(struct task *t, size_t n);
/* As copy_out(), for what nobody but @t looks at before it goes on.  No lock of the mm's rank or above is held. */
int copy_out_late(struct task *t, gaddr_t dst, const void *src, size_t n) must_check;

bool copy_view_may(struct task *t);             /* is the next of any use? */
/* As copy_out_late(), from a part of a file that @t's side can read itself: ctx_view_out() and its like.  If not 0, nothing was done. */
int copy_out_view(struct task *t, gaddr_t dst, u64 key, u64 off, size_t n) must_check;
void copy_view_give(struct task *t, u64 key, u64 off, hostfd_t fd);
void copy_view_drop(struct task *t, u64 key);

/* As many bytes as can be copied before a bad page (may be 0). */
size_t copy_in_some(struct task *t, void *dst, gaddr_t src, size_t n);
size_t copy_out_some(struct task *t, gaddr_t dst, const void *src, size_t n);
struct iovec;
size_t copy_in_pieces(struct task *t, const struct iovec *dst, size_t n, gaddr_t src);
size_t copy_out_pieces(struct task *t, gaddr_t dst, const struct iovec *src, size_t n);

/* A NUL-terminated string into buf[cap].  Its length, -EFAULT, or -ENAMETOOLONG if it doesn't fit. */
ssize_t copy_in_str(struct task *t, char *buf, gaddr_t src, size_t cap) must_check;
/* A path: at most PATH_MAX with its NUL, else -ENAMETOOLONG. *ret is kfree'd by the caller. */
int copy_in_path(struct task *t, gaddr_t src, char **ret) must_check;
