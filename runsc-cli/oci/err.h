/*
 * err.h - what went wrong, as one sentence for a person.
 *
 * Functions of the command line return 0 or -errno and, when they fail, have
 * filled the struct err they were given: what failed, on which object, and what would
 * help.  The first error stays; err_wrap() puts words before it.
 */
#pragma once
#include "platform/base/compiler.h"

struct err {
	int code;               /* -errno; 0 = none yet */
	char msg[2048];
};

/* Record @code with its sentence and return @code. */
int err_set(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);
/* The same, with ": strerror(code)" at the end. */
int err_sys(struct err *e, int code, const char *fmt, ...) printf_like(3, 4);
/* Put text before what is recorded; returns the recorded code. */
int err_wrap(struct err *e, const char *fmt, ...) printf_like(2, 3);
