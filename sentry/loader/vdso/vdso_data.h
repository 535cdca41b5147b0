/*
 * vdso_data.h - what the sentry tells the guest's vDSO: one read-only page before its code.
 *
 * Included by freestanding code.  Guests can read it: nothing secret belongs here but the
 * place of the host's vDSO, which lies in every address space anyway.
 */
#pragma once
#include <stdint.h>

struct vdso_data {
	uint64_t host_clock_gettime;    /* address in every guest; 0: make the syscall */
	uint64_t host_getcpu;           /* same */
	int64_t mono_offset;            /* ns, added to CLOCK_MONOTONIC, _RAW, _COARSE and BOOTTIME */
	int64_t real_offset;            /* ns, added to CLOCK_REALTIME, _COARSE and TAI */
	uint32_t ncpus;                 /* the guest's: processor numbers stay below */
};
