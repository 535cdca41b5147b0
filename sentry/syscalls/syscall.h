/*
 * syscall.h - what a system call handler gets, and the table of all of them.
 *
 * A handler decodes its arguments with the arg_* accessors, which cut and
 * extend as Linux's prototypes do, and returns a result or -errno (or a
 * restart code, see sentry/core/errno.h).  Everything that is known about a
 * call is its row in syscall-tables/x86_64.def; nothing here repeats it.
 */
#pragma once
#include "platform/base/compiler.h"

struct task;
struct strbuf;

#define SYS_TABLE_SIZE 470              /* highest number + 1 */

struct sysargs { u64 v[6]; };

typedef long sys_fn(struct task *t, const struct sysargs *a);

static inline u32 arg_u32(const struct sysargs *a, int i) { return (u32)a->v[i]; }
static inline s32 arg_s32(const struct sysargs *a, int i) { return (s32)a->v[i]; }
static inline u64 arg_u64(const struct sysargs *a, int i) { return a->v[i]; }
static inline long arg_long(const struct sysargs *a, int i) { return (long)a->v[i]; }
static inline size_t arg_size(const struct sysargs *a, int i) { return (size_t)a->v[i]; }
static inline int arg_fd(const struct sysargs *a, int i) { return (int)a->v[i]; }
static inline gaddr_t arg_addr(const struct sysargs *a, int i) { return GADDR(a->v[i]); }

enum sys_support { SUPPORT_FULL, SUPPORT_PARTIAL, SUPPORT_NONE, SUPPORT_REMOVED };

/*
 * Kinds of arguments, for tracing.  IN_ is read by the call, OUT_ written; an
 * OUT_BUF or IN_BUF is followed by its size.
 */
#define ARG_KINDS(X) \
	X(ADDR) X(ARGV) X(ATFD) X(ATFLAGS) X(CLOCK) X(CLONEFLAGS) X(ENVP) X(FCNTL) X(FD) X(FLAGS) \
	X(FUTEXOP) X(HEX) X(INT) X(IN_BUF) X(IN_IOV) X(IN_PTR) X(IN_SIGSET) X(IN_SOCKADDR) \
	X(IN_TIMESPEC) X(IOCTL) X(LONG) X(MAPFLAGS) X(MODE) X(OFFSET) X(OFLAGS) X(OUT_BUF) \
	X(OUT_FDPAIR) X(OUT_INT) X(OUT_IOV) X(OUT_PTR) X(OUT_SIGSET) X(OUT_STAT) X(OUT_STR) \
	X(OUT_TIMESPEC) X(PATH) X(PID) X(POLLFDS) X(PRCTL) X(PROT) X(PTR) X(SIGHOW) X(SIGNO) \
	X(SIZE) X(SOCKDOMAIN) X(SOCKTYPE) X(STR) X(UID) X(UINT) X(WHENCE)

enum arg_kind {
#define X(k) ARG_##k,
	ARG_KINDS(X)
#undef X
};

struct sysdesc {
	const char *name;               /* NULL: no such number */
	sys_fn *fn;
	u8 support;                     /* enum sys_support */
	u8 nargs;
	u8 arg[6];                      /* enum arg_kind */
	const char *note;
};

extern const struct sysdesc sys_table[SYS_TABLE_SIZE];

/* The row of a number, or NULL. */
static inline const struct sysdesc *sys_desc(u64 nr)
{
	return nr < SYS_TABLE_SIZE && sys_table[nr].name ? &sys_table[nr] : NULL;
}

/* SYSNO_read and so on. */
enum sysno {
#define SYS(nr, name, fn, support, args, note) SYSNO_##name = (nr),
#include "syscall-tables/x86_64.def"
#undef SYS
};

/* Every handler has this type: one of another does not compile. */
#define SYS(nr, name, fn, support, args, note) sys_fn fn;
#include "syscall-tables/x86_64.def"
#undef SYS

/* One call of an application, as task_run.c sees it: guest filters, tracing, the handler (dispatch.c). */
long sys_enter(struct task *t, u64 nr, u64 ip, struct sysargs *a);

/* Find the row and call it.  Numbers that do not exist are -ENOSYS. */
long sys_dispatch(struct task *t, u64 nr, const struct sysargs *a);

/* One traced call as text, before and after: "openat(AT_FDCWD, "/etc", O_RDONLY" and ") = 3". */
void strace_enter(struct strbuf *s, struct task *t, u64 nr, const struct sysargs *a);
void strace_exit(struct strbuf *s, struct task *t, u64 nr, const struct sysargs *a, long result);
