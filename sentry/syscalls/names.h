/*
 * names.h - numbers of the Linux interface as the names that strace prints.
 */
#pragma once
#include "platform/base/compiler.h"

struct strbuf;

const char *errno_name(int err);        /* "ENOENT"; NULL when there is none */
const char *signal_name(int sig);       /* "SIGTERM"; NULL for others and real-time signals */

/* One value or one set of bits, by its kind (enum arg_kind); false when there are no names for it. */
bool names_print(struct strbuf *s, int kind, u64 v);
