/*
 * filters.c - the sentry's seccomp filter, from syscall-tables/hostcalls-sentry.def.
 *
 * Installed on every thread at once, after which no thread can have another.  A call that is
 * not in the table is not executed: SIGSYS says which, and the sandbox ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/log.h"
#include "platform/host/doorbell.h"
#include "platform/host/seccomp.h"
#include "sentry/boot/boot_int.h"

static const struct hc_row rows[] = {
#define HC(name, rule, why) { .nr = SYS_##name, rule },
#include "syscall-tables/hostcalls-sentry.def"
#undef HC
};

static const struct hc_row ptrace_rows[] = {
#define HC(name, rule, why) { .nr = SYS_##name, rule },
#include "syscall-tables/hostcalls-sentry.def"
#include "syscall-tables/hostcalls-ptrace.def"
#undef HC
};

static void on_sigsys(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)uc;
	log_error("the sentry made host call %d, which its filter forbids: see syscall-tables/hostcalls-sentry.def",
	          si->si_syscall);
	_exit(159);     /* 128 + SIGSYS */
}

int boot_filter(struct boot *b)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return -errno;
	if (strcmp(b->cfg->platform, "ptrace") == 0)
		return hc_install(ptrace_rows, ARRAY_SIZE(ptrace_rows));
	return hc_install(rows, ARRAY_SIZE(rows));
}
