/*
 * str.h - text that is built piece by piece, and numbers read strictly.
 *
 * A strbuf either grows in the arena up to a limit or fills a caller's array.
 * Errors are sticky: print everything, then ask strbuf_err() once.  The text
 * is always terminated, also after an error, when it is a prefix.
 */
#pragma once
#include <stdarg.h>
#include "platform/base/compiler.h"

struct strbuf {
	char *p;                /* never NULL; p[len] == 0 */
	size_t len;
	size_t cap;             /* bytes at p, the terminator included */
	size_t limit;           /* cap never grows beyond */
	int err;                /* 0, -ENOMEM or -E2BIG */
	bool grows;
	char none[1];           /* what p points to before the first allocation */
};

#define STRBUF_LIMIT (1u << 20)

void strbuf_init(struct strbuf *s);                             /* grows, up to STRBUF_LIMIT */
void strbuf_init_limit(struct strbuf *s, size_t limit);
void strbuf_fixed(struct strbuf *s, char *buf, size_t cap);     /* cap > 0 */
void strbuf_done(struct strbuf *s);                             /* frees; usable again after init */
char *strbuf_take(struct strbuf *s) must_check;                 /* the text, for kfree(); NULL on error */
void strbuf_clear(struct strbuf *s);                            /* empty again, error forgotten */

void strbuf_putc(struct strbuf *s, char c);
void strbuf_puts(struct strbuf *s, const char *str);
void strbuf_write(struct strbuf *s, const void *p, size_t n);
void strbuf_printf(struct strbuf *s, const char *fmt, ...) printf_like(2, 3);
void strbuf_vprintf(struct strbuf *s, const char *fmt, va_list ap) printf_like(2, 0);
/* Bytes that are in @escape, below 0x20 or 0x7f as \ooo, as /proc/PID/mounts and maps do. */
void strbuf_put_octal(struct strbuf *s, const char *str, const char *escape);

static inline int must_check strbuf_err(const struct strbuf *s) { return s->err; }
#define auto_strbuf cleanup_with(strbuf_done) struct strbuf

/* Copy with termination; false when @src was cut. */
bool str_copy(char *dst, size_t cap, const char *src);
bool str_eq(const char *a, const char *b);
bool str_starts(const char *s, const char *prefix);
/* The whole of @s is one number in @base (0: C prefixes). 0, -EINVAL or -ERANGE. */
int str_to_u64(const char *s, int base, u64 *ret) must_check;
int str_to_s64(const char *s, int base, s64 *ret) must_check;
