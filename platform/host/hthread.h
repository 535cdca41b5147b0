/*
 * hthread.h - the detached threads of the sentry and the gofer.
 *
 * Each has a stack of the size asked for, and above it a small one for signal handlers: who overflows the first can
 * still say so from the second (sentry/boot/crash.c); below is a guard that no frame is large enough to step over.  Neither costs memory before it is touched.
 */
#pragma once
#include "platform/base/compiler.h"

enum hthread_signals {
	HTHREAD_TAKES_SIGNALS,          /* the creator's mask */
	HTHREAD_NO_SIGNALS,             /* all blocked but for its own faults: signals to the process are for others */
};

/* Run @fn(@arg) in a new thread with @stack bytes. 0, -EAGAIN (the host's limit of processes) or -ENOMEM. */
int hthread_start(void *(*fn)(void *), void *arg, size_t stack, enum hthread_signals signals) must_check;
