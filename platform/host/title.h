/*
 * title.h - the line that the host's ps shows for a process.
 *
 * /proc/PID/cmdline is read from the process's own memory, between two addresses that Linux keeps with it and a
 * child inherits.  A stub points them at a page of the platform's, once; the sentry then writes
 * the guest's command line there.  What ps shows is therefore the application's word, as it is on Linux.
 */
#pragma once
#include "platform/base/compiler.h"

#define TITLE_BYTES 4096

/*
 * Make [page, page + TITLE_BYTES), private memory, the title of the calling process and its children.
 * [code, code_end) is any mapped text of its.  Kernels without CONFIG_CHECKPOINT_RESTORE cannot: then ps shows the name only.
 */
void host_title_here(u64 page, u64 code, u64 code_end);
/* Lay out text for that page: one string, and the mark that makes Linux show it as one. */
void host_title_make(char out[TITLE_BYTES], char *const *argv, int argc);
