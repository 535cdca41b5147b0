/*
 * crash.c - the last words of a sentry that faults: which signal, where.
 *
 * The address is given relative to this function, since the binary is loaded at a random place:
 * addr2line needs (address of boot_crash_handlers in the binary) + offset.
 */
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "platform/base/log.h"
#include "sentry/boot/boot_int.h"

static void on_crash(int sig, siginfo_t *si, void *uc)
{
	const ucontext_t *c = uc;
	u64 here = (u64)(uintptr_t)boot_crash_handlers, ip = (u64)c->uc_mcontext.gregs[REG_RIP];

	log_error("the sentry died of signal %d at boot_crash_handlers%+lld, address %p; please report this",
	          sig, (long long)(ip - here), si->si_addr);
	/* After a wild jump the stack tells more; after an overflow it cannot be read, and this ends us as well. */
	log_error("called near boot_crash_handlers%+lld",
	          (long long)(*(const u64 *)(uintptr_t)c->uc_mcontext.gregs[REG_RSP] - here));
	_exit(128 + sig);
}

int boot_crash_handlers(struct boot *b)
{
	/* Not reset: two threads may crash at once, and the first must come to its message. */
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE };
	struct sigaction sa = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	(void)b;
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		if (sigaction(sigs[i], &sa, NULL) < 0)
			return -1;
	return 0;
}
