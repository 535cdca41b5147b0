/*
 * cputime.c - see cputime.h.  The process's own clock may be read by anybody (clock_getcpuclockid(3)).
 */
#include "platform/host/cputime.h"

#include <time.h>

#define CPUCLOCK_SCHED 2

u64 host_process_cpu_time(pid_t pid)
{
	struct timespec ts;

	if (pid <= 0 || clock_gettime((clockid_t)((~(u32)pid << 3) | CPUCLOCK_SCHED), &ts) < 0)
		return 0;
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}
