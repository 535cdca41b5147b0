/*
 * sysinfo.h - the names of the system (uname(2)) and sums over all processes (sysinfo(2)).
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;
struct uts;

void uts_get(struct uts *u, char ret[6][65]);
void uts_set(struct uts *u, bool domain, const char *name);

struct sys_totals { u64 rss, rss_shmem; u32 ntasks; };
void sys_totals(struct kernel *k, struct sys_totals *ret);
