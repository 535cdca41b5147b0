/*
 * strace.c - a call and its result as one line, by the kinds of its arguments.
 *
 * Arguments up to the first that the call writes are printed before the call
 * (execve's strings are gone afterwards), the rest after it.  What cannot be
 * read is printed as its address; nothing here changes the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "platform/base/str.h"
#include "sentry/core/usercopy.h"
#include "sentry/syscalls/names.h"
#include "sentry/syscalls/syscall.h"

#define MAX_TEXT 64             /* bytes of a string or buffer that are shown */
#define MAX_VEC  8              /* elements of an argv or iovec */

typedef unsigned long long ull;

static void put_quoted(struct strbuf *s, const char *p, size_t n, bool cut)
{
	strbuf_putc(s, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '"' || c == '\\')
			strbuf_printf(s, "\\%c", c);
		else if (c == '\n')
			strbuf_puts(s, "\\n");
		else if (c == '\t')
			strbuf_puts(s, "\\t");
		else if (c < 0x20 || c >= 0x7f)
			strbuf_printf(s, "\\%o", c);
		else
			strbuf_putc(s, (char)c);
	}
	strbuf_puts(s, cut ? "\"..." : "\"");
}

static void put_ptr(struct strbuf *s, u64 v)
{
	if (v == 0)
		strbuf_puts(s, "NULL");
	else
		strbuf_printf(s, "0x%llx", (ull)v);
}

static void put_str(struct strbuf *s, struct task *t, u64 addr, size_t max)
{
	char buf[256];
	size_t n, len = 0;

	if (addr == 0) {
		strbuf_puts(s, "NULL");
		return;
	}
	n = copy_in_some(t, buf, GADDR(addr), MIN(max, sizeof(buf)));
	while (len < n && buf[len])
		len++;
	if (n == 0)
		put_ptr(s, addr);
	else
		put_quoted(s, buf, len, len == n);
}

static void put_buf(struct strbuf *s, struct task *t, u64 addr, u64 size)
{
	char buf[MAX_TEXT];
	size_t n = copy_in_some(t, buf, GADDR(addr), (size_t)MIN(size, (u64)sizeof(buf)));

	if (n == 0 && size > 0)
		put_ptr(s, addr);
	else
		put_quoted(s, buf, n, n < size);
}

static void put_strv(struct strbuf *s, struct task *t, u64 addr, size_t max)
{
	u64 p;

	if (addr == 0 || max == 0) {
		put_ptr(s, addr);
		return;
	}
	strbuf_putc(s, '[');
	for (size_t i = 0; ; i++, addr += sizeof(p)) {
		if (copy_in(t, &p, GADDR(addr), sizeof(p)) < 0 || p == 0)
			break;
		if (i > 0)
			strbuf_puts(s, ", ");
		if (i == max) {
			strbuf_puts(s, "...");
			break;
		}
		put_str(s, t, p, MAX_TEXT);
	}
	strbuf_putc(s, ']');
}

static void put_iov(struct strbuf *s, struct task *t, u64 addr, u64 count, u64 limit)
{
	struct { u64 base, len; } v;

	strbuf_putc(s, '[');
	for (u64 i = 0; i < count && i < MAX_VEC; i++) {
		if (copy_in(t, &v, GADDR(addr + i * sizeof(v)), sizeof(v)) < 0)
			break;
		if (i > 0)
			strbuf_puts(s, ", ");
		strbuf_puts(s, "{");
		put_buf(s, t, v.base, MIN(v.len, limit));
		strbuf_printf(s, ", %llu}", (ull)v.len);
		limit -= MIN(v.len, limit);
	}
	strbuf_puts(s, count > MAX_VEC ? ", ...]" : "]");
}

static void put_timespec(struct strbuf *s, struct task *t, u64 addr)
{
	s64 ts[2];

	if (addr == 0 || copy_in(t, ts, GADDR(addr), sizeof(ts)) < 0)
		put_ptr(s, addr);
	else
		strbuf_printf(s, "{%lld.%09lld}", (long long)ts[0], (long long)ts[1]);
}

static void put_sigset(struct strbuf *s, struct task *t, u64 addr)
{
	const char *sep = "[";
	u64 set;

	if (addr == 0 || copy_in(t, &set, GADDR(addr), sizeof(set)) < 0) {
		put_ptr(s, addr);
		return;
	}
	for (int sig = 1; sig <= 64; sig++) {
		if (!(set >> (sig - 1) & 1))
			continue;
		if (signal_name(sig))
			strbuf_printf(s, "%s%s", sep, signal_name(sig) + 3);
		else
			strbuf_printf(s, "%sRT_%d", sep, sig - 32);
		sep = " ";
	}
	strbuf_puts(s, *sep == '[' ? "[]" : "]");
}

static void put_ints(struct strbuf *s, struct task *t, u64 addr, int n)
{
	s32 v[2];

	if (addr == 0 || copy_in(t, v, GADDR(addr), sizeof(s32) * (size_t)n) < 0)
		put_ptr(s, addr);
	else if (n == 1)
		strbuf_printf(s, "[%d]", v[0]);
	else
		strbuf_printf(s, "[%d, %d]", v[0], v[1]);
}

static void put_stat(struct strbuf *s, struct task *t, u64 addr)
{
	struct stat st;

	if (copy_in(t, &st, GADDR(addr), sizeof(st)) < 0)
		put_ptr(s, addr);
	else
		strbuf_printf(s, "{mode=0%o, nlink=%llu, size=%lld, ino=%llu}", st.st_mode,
			      (ull)st.st_nlink, (long long)st.st_size, (ull)st.st_ino);
}

static void put_signo(struct strbuf *s, u64 v)
{
	const char *name = signal_name((int)v);

	if (name)
		strbuf_puts(s, name);
	else
		strbuf_printf(s, "%d", (int)v);
}

/* Arguments that lie in the application's memory; false for the others. */
static bool put_memory(struct strbuf *s, struct task *t, const struct sysargs *a, int i, int kind,
		       long result)
{
	u64 v = a->v[i], next = i < 5 ? a->v[i + 1] : 0;
	u64 got = result > 0 ? (u64)result : 0;

	switch (kind) {
	case ARG_PATH:
	case ARG_STR:
		put_str(s, t, v, 256);
		return true;
	case ARG_ARGV:
		put_strv(s, t, v, MAX_VEC);
		return true;
	case ARG_IN_BUF:
		put_buf(s, t, v, next);
		return true;
	case ARG_IN_IOV:
		put_iov(s, t, v, next, ~(u64)0);
		return true;
	case ARG_IN_TIMESPEC:
		put_timespec(s, t, v);
		return true;
	case ARG_IN_SIGSET:
		put_sigset(s, t, v);
		return true;
	default:
		break;
	}
	if (result < 0)
		return false;           /* nothing was written */
	switch (kind) {
	case ARG_OUT_BUF:
		put_buf(s, t, v, MIN(got, next));
		return true;
	case ARG_OUT_IOV:
		put_iov(s, t, v, next, got);
		return true;
	case ARG_OUT_STR:
		put_str(s, t, v, 256);
		return true;
	case ARG_OUT_TIMESPEC:
		put_timespec(s, t, v);
		return true;
	case ARG_OUT_SIGSET:
		put_sigset(s, t, v);
		return true;
	case ARG_OUT_FDPAIR:
		put_ints(s, t, v, 2);
		return true;
	case ARG_OUT_INT:
		put_ints(s, t, v, 1);
		return true;
	case ARG_OUT_STAT:
		put_stat(s, t, v);
		return true;
	default:
		return false;
	}
}

static void put_scalar(struct strbuf *s, int kind, u64 v)
{
	if (names_print(s, kind, v))
		return;
	switch (kind) {
	case ARG_ATFD:
		if ((int)v == AT_FDCWD)
			strbuf_puts(s, "AT_FDCWD");
		else
			strbuf_printf(s, "%d", (int)v);
		return;
	case ARG_FD:
	case ARG_INT:
	case ARG_PID:
	case ARG_UID:
	case ARG_PRCTL:
		strbuf_printf(s, "%d", (int)v);
		return;
	case ARG_UINT:
		strbuf_printf(s, "%u", (u32)v);
		return;
	case ARG_LONG:
	case ARG_OFFSET:
		strbuf_printf(s, "%lld", (long long)v);
		return;
	case ARG_SIZE:
		strbuf_printf(s, "%llu", (ull)v);
		return;
	case ARG_MODE:
		strbuf_printf(s, "0%o", (u32)v);
		return;
	case ARG_SIGNO:
		put_signo(s, v);
		return;
	case ARG_FLAGS:
	case ARG_IOCTL:
		strbuf_printf(s, "0x%x", (u32)v);
		return;
	case ARG_HEX:
		strbuf_printf(s, "0x%llx", (ull)v);
		return;
	default:
		put_ptr(s, v);
	}
}

static bool is_out(int kind)
{
	switch (kind) {
	case ARG_OUT_BUF:
	case ARG_OUT_FDPAIR:
	case ARG_OUT_INT:
	case ARG_OUT_IOV:
	case ARG_OUT_PTR:
	case ARG_OUT_SIGSET:
	case ARG_OUT_STAT:
	case ARG_OUT_STR:
	case ARG_OUT_TIMESPEC:
		return true;
	default:
		return false;
	}
}

static void put_args(struct strbuf *s, struct task *t, const struct sysdesc *d,
		     const struct sysargs *a, int from, int to, long result)
{
	for (int i = from; i < to; i++) {
		if (i > 0)
			strbuf_puts(s, ", ");
		if (!put_memory(s, t, a, i, d->arg[i], result))
			put_scalar(s, d->arg[i], a->v[i]);
	}
}

static int first_out(const struct sysdesc *d)
{
	int i = 0;

	while (i < d->nargs && !is_out(d->arg[i]))
		i++;
	return i;
}

void strace_enter(struct strbuf *s, struct task *t, u64 nr, const struct sysargs *a)
{
	const struct sysdesc *d = sys_desc(nr);

	if (!d) {
		strbuf_printf(s, "syscall_%llu(0x%llx, 0x%llx, 0x%llx", (ull)nr, (ull)a->v[0],
			      (ull)a->v[1], (ull)a->v[2]);
		return;
	}
	strbuf_printf(s, "%s(", d->name);
	put_args(s, t, d, a, 0, first_out(d), 0);
}

static bool returns_address(u64 nr)
{
	return nr == SYSNO_mmap || nr == SYSNO_mremap || nr == SYSNO_brk || nr == SYSNO_shmat;
}

void strace_exit(struct strbuf *s, struct task *t, u64 nr, const struct sysargs *a, long result)
{
	const struct sysdesc *d = sys_desc(nr);
	const char *err = result < 0 ? errno_name((int)-MAX(result, -4095L)) : NULL;

	if (d)
		put_args(s, t, d, a, first_out(d), d->nargs, result);
	if (err)
		strbuf_printf(s, ") = -1 %s", err);
	else if (returns_address(nr))
		strbuf_printf(s, ") = 0x%lx", (unsigned long)result);
	else
		strbuf_printf(s, ") = %ld", result);
}
