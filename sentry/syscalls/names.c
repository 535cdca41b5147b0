/*
 * names.c - tables of names for the arguments that are flags or enumerations.
 *
 * A row with mask 0 is a value (the whole argument, or the low bits that
 * @low covers); the others are bits.  What has no name is printed in hex.
 */
#include "sentry/syscalls/names.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "platform/base/str.h"
#include "sentry/syscalls/syscall.h"

struct name { u64 v; const char *text; };
struct names {
	u64 low;                        /* bits that hold one value, named first */
	const struct name *values;      /* ended by a NULL text */
	const struct name *bits;
};

#define N(x) { (u64)(x), #x }
#define END { 0, NULL }

static const struct name oflag_values[] = { N(O_RDONLY), N(O_WRONLY), N(O_RDWR), END };
static const struct name oflag_bits[] = {
	N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK), N(O_TMPFILE),
	N(O_SYNC), N(O_DSYNC), N(O_ASYNC), N(O_DIRECT), N(O_DIRECTORY), N(O_NOFOLLOW), N(O_NOATIME),
	N(O_CLOEXEC), N(O_PATH), { 0100000, "O_LARGEFILE" }, END
};
static const struct name prot_bits[] = {
	N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN), N(PROT_GROWSUP), END
};
static const struct name prot_values[] = { N(PROT_NONE), END };
static const struct name map_values[] = {
	N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_SHARED_VALIDATE), END
};
static const struct name map_bits[] = {
	N(MAP_FIXED), N(MAP_ANONYMOUS), N(MAP_FIXED_NOREPLACE), N(MAP_NORESERVE), N(MAP_POPULATE),
	N(MAP_STACK), N(MAP_GROWSDOWN), N(MAP_HUGETLB), N(MAP_LOCKED), N(MAP_DENYWRITE), N(MAP_32BIT),
	N(MAP_NONBLOCK), N(MAP_SYNC), END
};
static const struct name clone_bits[] = {
	N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND), N(CLONE_PIDFD), N(CLONE_PTRACE),
	N(CLONE_VFORK), N(CLONE_PARENT), N(CLONE_THREAD), N(CLONE_NEWNS), N(CLONE_SYSVSEM),
	N(CLONE_SETTLS), N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID), N(CLONE_DETACHED),
	N(CLONE_UNTRACED), N(CLONE_CHILD_SETTID), N(CLONE_NEWCGROUP), N(CLONE_NEWUTS), N(CLONE_NEWIPC),
	N(CLONE_NEWUSER), N(CLONE_NEWPID), N(CLONE_NEWNET), N(CLONE_IO), END
};
static const struct name clone_values[] = { N(SIGCHLD), END };
static const struct name at_bits[] = {
	N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR), N(AT_SYMLINK_FOLLOW), N(AT_NO_AUTOMOUNT),
	N(AT_EMPTY_PATH), N(AT_RECURSIVE), END
};
static const struct name whence_values[] = {
	N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE), END
};
static const struct name how_values[] = { N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK), END };
static const struct name clock_values[] = {
	N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
	N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME),
	N(CLOCK_REALTIME_ALARM), N(CLOCK_BOOTTIME_ALARM), N(CLOCK_TAI), END
};
static const struct name fcntl_values[] = {
	N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK), N(F_SETLK), N(F_SETLKW),
	N(F_SETOWN), N(F_GETOWN), N(F_SETSIG), N(F_GETSIG), N(F_SETOWN_EX), N(F_GETOWN_EX),
	N(F_OFD_GETLK), N(F_OFD_SETLK), N(F_OFD_SETLKW), N(F_SETLEASE), N(F_GETLEASE), N(F_NOTIFY),
	N(F_DUPFD_CLOEXEC), N(F_SETPIPE_SZ), N(F_GETPIPE_SZ), N(F_ADD_SEALS), N(F_GET_SEALS), END
};
static const struct name domain_values[] = {
	N(AF_UNSPEC), N(AF_UNIX), N(AF_INET), N(AF_INET6), N(AF_NETLINK), N(AF_PACKET), N(AF_VSOCK), END
};
static const struct name type_values[] = {
	N(SOCK_STREAM), N(SOCK_DGRAM), N(SOCK_RAW), N(SOCK_SEQPACKET), END
};
static const struct name type_bits[] = { N(SOCK_CLOEXEC), N(SOCK_NONBLOCK), END };
static const struct name futex_values[] = {
	{ 0, "FUTEX_WAIT" }, { 1, "FUTEX_WAKE" }, { 3, "FUTEX_REQUEUE" }, { 4, "FUTEX_CMP_REQUEUE" },
	{ 5, "FUTEX_WAKE_OP" }, { 6, "FUTEX_LOCK_PI" }, { 7, "FUTEX_UNLOCK_PI" },
	{ 8, "FUTEX_TRYLOCK_PI" }, { 9, "FUTEX_WAIT_BITSET" }, { 10, "FUTEX_WAKE_BITSET" },
	{ 11, "FUTEX_WAIT_REQUEUE_PI" }, { 12, "FUTEX_CMP_REQUEUE_PI" }, { 13, "FUTEX_LOCK_PI2" }, END
};
static const struct name futex_bits[] = {
	{ 128, "FUTEX_PRIVATE_FLAG" }, { 256, "FUTEX_CLOCK_REALTIME" }, END
};

static const struct names tables[] = {
	[ARG_OFLAGS] = { O_ACCMODE, oflag_values, oflag_bits },
	[ARG_PROT] = { 0, prot_values, prot_bits },
	[ARG_MAPFLAGS] = { 3, map_values, map_bits },
	[ARG_CLONEFLAGS] = { 0xff, clone_values, clone_bits },
	[ARG_ATFLAGS] = { 0, NULL, at_bits },
	[ARG_WHENCE] = { ~(u64)0, whence_values, NULL },
	[ARG_SIGHOW] = { ~(u64)0, how_values, NULL },
	[ARG_CLOCK] = { ~(u64)0, clock_values, NULL },
	[ARG_FCNTL] = { ~(u64)0, fcntl_values, NULL },
	[ARG_SOCKDOMAIN] = { ~(u64)0, domain_values, NULL },
	[ARG_SOCKTYPE] = { 0xf, type_values, type_bits },
	[ARG_FUTEXOP] = { 0x7f, futex_values, futex_bits },
};

static const char *value_name(const struct name *n, u64 v)
{
	for (; n && n->text; n++)
		if (n->v == v)
			return n->text;
	return NULL;
}

bool names_print(struct strbuf *s, int kind, u64 v)
{
	const struct names *t;
	const char *first, *sep = "";
	u64 rest = (u32)v;

	if (kind < 0 || (size_t)kind >= ARRAY_SIZE(tables))
		return false;
	t = &tables[kind];
	if (!t->values && !t->bits)
		return false;
	first = t->low || rest == 0 ? value_name(t->values, rest & (t->low ? t->low : ~(u64)0)) : NULL;
	if (first) {
		strbuf_puts(s, first);
		rest &= ~t->low;
		sep = "|";
	}
	for (const struct name *n = t->bits; n && n->text; n++) {
		if ((rest & n->v) != n->v)
			continue;
		strbuf_printf(s, "%s%s", sep, n->text);
		rest &= ~n->v;
		sep = "|";
	}
	if (rest || !*sep)
		strbuf_printf(s, "%s%s%llx", sep, rest ? "0x" : "", (unsigned long long)rest);
	return true;
}

const char *errno_name(int err)
{
	switch (err) {
#define ERR(nr, name, text) case nr: return #name;
#include "syscall-tables/errno.def"
#undef ERR
	case 512: return "ERESTARTSYS";
	case 513: return "ERESTARTNOINTR";
	case 514: return "ERESTARTNOHAND";
	case 516: return "ERESTART_RESTARTBLOCK";
	default: return NULL;
	}
}

const char *signal_name(int sig)
{
	switch (sig) {
#define SIG(nr, name, action) case nr: return #name;
#include "syscall-tables/signals.def"
#undef SIG
	default: return NULL;
	}
}
