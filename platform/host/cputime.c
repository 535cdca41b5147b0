/*
 * cputime.c - see cputime.h.  The process's own clock may be read by anybody (clock_getcpuclockid(3)).
 */
#include "platform/host/cputime.h"

#include <time.h>

#define CPUCLOCK_SCHED 2

static u64 read_clock(clockid_t c)
{
	struct timespec ts;

	return clock_gettime(c, &ts) < 0 ? 0 : (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

u64 host_process_cpu_time(pid_t pid)
{
	return pid <= 0 ? 0 : read_clock((clockid_t)((~(u32)pid << 3) | CPUCLOCK_SCHED));
}

u64 host_thread_cpu_time(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
