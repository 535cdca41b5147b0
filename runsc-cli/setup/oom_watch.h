/*
 * oom_watch.h - the host's control group says that its memory limit has had a process killed.
 */
#pragma once
#include "runsc-cli/container.h"

struct oom_watch {
	int fd;                         /* readable: ask oom_watch_fired(); -1: nobody will tell */
	int file;                       /* what is watched, or -1 */
	bool v2;
	u64 kills;                      /* v2: so far */
};

/* Never fails: without a memory group nothing is told, and the log says so. */
void oom_watch_open(struct cli *cli, struct container *c, struct oom_watch *ret);
/* What made it readable is taken away.  Was something killed, or does the group only end? */
bool oom_watch_fired(struct oom_watch *w);
void oom_watch_close(struct oom_watch *w);
