/*
 * foreground.h - what `run` and `exec` do while the container's process runs: wait, and pass signals on.
 */
#pragma once
#include "runsc-cli/container.h"

struct launch_opts;

/* Block the signals that are passed on; a descriptor to read them from. */
int foreground_signals(void) must_check;
/* Pass signals on to process @pid (0: the first) until @done_fd is readable. */
void foreground_wait(struct container *c, s32 pid, int sigfd, int done_fd);
/* create + start + wait + delete; the exit status or -errno. */
int run_in_foreground(struct cli *cli, const char *id, const struct launch_opts *o, bool keep) must_check;
