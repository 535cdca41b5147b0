/*
 * cputime.h - the CPU time that a host process has used.
 */
#pragma once
#include <sys/types.h>
#include "platform/base/compiler.h"

/* Nanoseconds, user and system, of all its threads so far; 0 if there is no such process. */
u64 host_process_cpu_time(pid_t pid);
u64 host_thread_cpu_time(void);                 /* of the calling thread */
