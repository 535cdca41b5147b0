/*
 * table.c - the rows of x86_64.def as a table, and the call through it.
 *
 * A number given twice is an error of the compiler (-Woverride-init,
 * -Winitializer-overrides); missing numbers are found by check.py.
 */
#include <errno.h>

#include "sentry/syscalls/syscall.h"

#define A0() .nargs = 0
#define A1(a) .nargs = 1, .arg = { ARG_##a }
#define A2(a, b) .nargs = 2, .arg = { ARG_##a, ARG_##b }
#define A3(a, b, c) .nargs = 3, .arg = { ARG_##a, ARG_##b, ARG_##c }
#define A4(a, b, c, d) .nargs = 4, .arg = { ARG_##a, ARG_##b, ARG_##c, ARG_##d }
#define A5(a, b, c, d, e) .nargs = 5, .arg = { ARG_##a, ARG_##b, ARG_##c, ARG_##d, ARG_##e }
#define A6(a, b, c, d, e, f) \
	.nargs = 6, .arg = { ARG_##a, ARG_##b, ARG_##c, ARG_##d, ARG_##e, ARG_##f }

#define SYS(nr, nm, f, s, args, nt) \
	[nr] = { .name = #nm, .fn = f, .support = SUPPORT_##s, args, .note = nt },
const struct sysdesc sys_table[SYS_TABLE_SIZE] = {
#include "syscall-tables/x86_64.def"
};
#undef SYS

long sys_none(struct task *t unused_ok, const struct sysargs *a unused_ok)
{
	return -ENOSYS;
}

long sys_dispatch(struct task *t, u64 nr, const struct sysargs *a)
{
	const struct sysdesc *d = sys_desc(nr);

	return d ? d->fn(t, a) : -ENOSYS;
}
