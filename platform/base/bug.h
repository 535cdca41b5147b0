/*
 * bug.h - what to do when the sentry itself is wrong.
 *
 * BUG_ON() is for broken invariants of our own code only: no guest input and
 * no host failure may reach it.  It logs the place and ends the process.
 */
#pragma once
#include "platform/base/compiler.h"

noreturn_fn void bug(const char *file, int line, const char *what);

#define BUG_ON(c) do { if (unlikely(c)) bug(__FILE__, __LINE__, #c); } while (0)
