/*
 * hthread.c - see hthread.h.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "platform/base/alloc.h"
#include "platform/host/hthread.h"

/* A frame with the widest vector registers that are about (AMX: 11 KiB), and a handler that formats a line. */
#define SIGNAL_STACK (24 * 1024)
/* No frame may reach over it: twice what the compiler allows one (-Wframe-larger-than). */
#define GUARD (64 * 1024)

struct start {
	void *(*fn)(void *);
	void *arg;
};

static void *trampoline(void *arg)
{
	struct start s = *(struct start *)arg;
	/* Not initialised: that would touch its pages. */
	char handlers[SIGNAL_STACK] __attribute__((aligned(16), uninitialized));
	stack_t st = { .ss_sp = handlers, .ss_size = sizeof(handlers) };
	void *ret;

	kfree(arg);
	/* Fails for nothing but a bad size; an overflow would then be silent. */
	(void)sigaltstack(&st, NULL);
	ret = s.fn(s.arg);
#ifdef __SANITIZE_ADDRESS__
	/* It takes the stack away itself, from code that runs where this frame was. Others need no call, which the gofer may not make. */
	st.ss_flags = SS_DISABLE;
	(void)sigaltstack(&st, NULL);
#endif
	return ret;
}

int hthread_start(void *(*fn)(void *), void *arg, size_t stack, enum hthread_signals signals)
{
	/* What a thread brings upon itself: blocked, it would end the process without a word. */
	static const int own[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	struct start *s = knew(struct start);
	sigset_t sent, before;
	pthread_attr_t at;
	pthread_t th;
	int r;

	if (!s)
		return -ENOMEM;
	*s = (struct start){ fn, arg };
	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, stack + SIGNAL_STACK);
	pthread_attr_setguardsize(&at, GUARD);
	pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
	sigfillset(&sent);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(&sent, own[i]);
	if (signals == HTHREAD_NO_SIGNALS)
		pthread_sigmask(SIG_SETMASK, &sent, &before);
	r = pthread_create(&th, &at, trampoline, s);
	if (signals == HTHREAD_NO_SIGNALS)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&at);
	if (r)
		kfree(s);
	return -r;
}
