/*
 * loadavg.h - how busy the sandbox has been: /proc/loadavg, sysinfo(2).
 */
#pragma once
#include "platform/base/compiler.h"

struct kernel;

#define LOAD_ONE 2048u                  /* a load of 1 */

/* Of the last 1, 5 and 15 minutes, in 1/LOAD_ONE. @running: tasks that run at this moment. */
void loadavg_get(struct kernel *k, u64 running, u64 ret[3]);
