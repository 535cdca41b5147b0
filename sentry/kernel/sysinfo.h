/*
 * sysinfo.h - the names of the system (uname(2)) and sums over all processes (sysinfo(2)).
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct uts;

void uts_get(struct uts *u, char ret[6][65]);
void uts_set(struct uts *u, bool domain, const char *name);

/* Bytes resident, summed over processes; ticks of CPU time, of those that have ended too; how many tasks there are and run. */
struct sys_totals { u64 rss_anon, rss_shmem, rss_file, utime, stime, running, tasks; };
struct sys_totals sys_totals(struct kernel *k);

/* Bytes of memory as Linux counts them: a page is free, a file's (cached) or neither; avail: free or cached by a file on disk. */
struct sys_memory { u64 total, anon, shmem, file, free, avail; };
struct sys_memory sys_memory(const struct kernel *k, const struct sys_totals *s);
