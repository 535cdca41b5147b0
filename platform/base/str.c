/*
 * str.c - bounded string building and strict number parsing.
 */
#include "platform/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/alloc.h"

void strbuf_init_limit(struct strbuf *s, size_t limit)
{
	*s = (struct strbuf){ .limit = limit, .cap = 1, .grows = true };
	s->p = s->none;
}

void strbuf_init(struct strbuf *s)
{
	strbuf_init_limit(s, STRBUF_LIMIT);
}

void strbuf_fixed(struct strbuf *s, char *buf, size_t cap)
{
	*s = (struct strbuf){ .p = buf, .limit = cap, .cap = cap };
	buf[0] = '\0';
}

void strbuf_done(struct strbuf *s)
{
	if (s->grows && s->p != s->none)
		kfree(s->p);
	strbuf_init_limit(s, s->limit);
}

char *strbuf_take(struct strbuf *s)
{
	char *p = NULL;

	if (!s->err && s->grows)
		p = s->p == s->none ? kbuf_strdup("") : s->p;
	if (p == s->p)
		s->p = s->none;
	strbuf_done(s);
	return p;
}

void strbuf_clear(struct strbuf *s)
{
	s->len = 0;
	s->err = 0;
	s->p[0] = '\0';
}

/* Room for @n more bytes and the terminator, or a sticky error. */
static bool reserve(struct strbuf *s, size_t n)
{
	size_t want, cap;
	char *p;

	if (s->err)
		return false;
	if (add_overflows(s->len, n, &want) || want >= s->limit) {
		s->err = -E2BIG;
		return false;
	}
	if (want < s->cap)
		return true;
	if (!s->grows) {
		s->err = -E2BIG;
		return false;
	}
	cap = MIN(MAX(s->cap * 2, ALIGN_UP(want + 1, (size_t)128)), s->limit);
	p = kbuf_realloc(s->p == s->none ? NULL : s->p, cap);
	if (!p) {
		s->err = -ENOMEM;
		return false;
	}
	s->p = p;
	s->cap = cap;
	return true;
}

void strbuf_write(struct strbuf *s, const void *p, size_t n)
{
	if (!reserve(s, n)) {
		if (s->err == -E2BIG && !s->grows && s->len + 1 < s->cap) {
			n = s->cap - 1 - s->len;        /* a fixed buffer keeps the prefix */
			memcpy(s->p + s->len, p, n);
			s->len += n;
			s->p[s->len] = '\0';
		}
		return;
	}
	memcpy(s->p + s->len, p, n);
	s->len += n;
	s->p[s->len] = '\0';
}

void strbuf_putc(struct strbuf *s, char c)
{
	strbuf_write(s, &c, 1);
}

void strbuf_puts(struct strbuf *s, const char *str)
{
	strbuf_write(s, str, strlen(str));
}

void strbuf_vprintf(struct strbuf *s, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(s->p + s->len, s->cap - s->len, fmt, ap);
	if (n < 0) {
		s->err = s->err ? s->err : -EINVAL;
		s->p[s->len] = '\0';
	} else if ((size_t)n < s->cap - s->len && !s->err) {
		s->len += (size_t)n;
	} else if (reserve(s, (size_t)n)) {
		vsnprintf(s->p + s->len, s->cap - s->len, fmt, again);
		s->len += (size_t)n;
	} else if (s->err == -E2BIG && !s->grows) {
		s->len = s->cap - 1;                    /* vsnprintf left the prefix */
	} else {
		s->p[s->len] = '\0';
	}
	va_end(again);
}

void strbuf_printf(struct strbuf *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(s, fmt, ap);
	va_end(ap);
}

void strbuf_put_octal(struct strbuf *s, const char *str, const char *escape)
{
	for (; *str; str++) {
		unsigned char c = (unsigned char)*str;

		if (c < 0x20 || c == 0x7f || strchr(escape, c))
			strbuf_printf(s, "\\%03o", c);
		else
			strbuf_putc(s, (char)c);
	}
}

bool str_copy(char *dst, size_t cap, const char *src)
{
	size_t n = strlen(src), k = MIN(n, cap - 1);

	memcpy(dst, src, k);
	dst[k] = '\0';
	return n < cap;
}

bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool digit_follows(const char *s)
{
	return (*s >= '0' && *s <= '9') || (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
}

int str_to_u64(const char *s, int base, u64 *ret)
{
	unsigned long long v;
	char *end;

	/* strtoull skips blanks and accepts signs: neither is a number here. */
	if (!digit_follows(s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end || end == s)
		return -EINVAL;
	*ret = v;
	return 0;
}

int str_to_s64(const char *s, int base, s64 *ret)
{
	long long v;
	char *end;

	if (!digit_follows(*s == '-' ? s + 1 : s))
		return -EINVAL;
	errno = 0;
	v = strtoll(s, &end, base);
	if (errno == ERANGE)
		return -ERANGE;
	if (*end || end == s)
		return -EINVAL;
	*ret = v;
	return 0;
}
