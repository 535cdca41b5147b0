/*
 * bug.c - the end of a process whose own invariants are broken.
 */
#include "platform/base/bug.h"

#include <stdlib.h>

#include "platform/base/log.h"

noreturn_fn void bug(const char *file, int line, const char *what)
{
	log_msg(LOG_ERROR, "BUG at %s:%d: %s", file, line, what);
	abort();
}
