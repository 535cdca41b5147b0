/*
 * layout.h - what the sentry and the stub agree on.
 *
 * Included by the freestanding stub too, so: constants and plain structs only.
 * The stub's memory can be rewritten by the application at any time.  Nothing
 * in it is believed; each host call that it asks for is compared with what the
 * sentry approved (approve.c).
 */
#pragma once
#include <stdint.h>

/* The platform's own range: the topmost free GiB of the zygote; nothing of the application's is above it. */
#define STUB_SIZE       0x40000000ull
#define STUB_TEXT_MAX   0x10000ull                      /* at its start */
#define STUB_VDSO_OFF   0x100000ull                     /* the host's vvar and vDSO */
#define STUB_TITLE_OFF  0x200000ull                     /* one page: what the host's ps shows */
#define STUB_SLOTS_OFF  0x1000000ull
#define SLOT_SIZE       0x8000ull                       /* power of two: a slot is found from any address in it */
#define SLOT_MAX        30000u

/* Trap calls of the stub: a number that Linux will never use. */
#define STUBCALL_NR     0x57b5
#define STUB_REGISTER   1       /* (1, cookie): a new thread says who it is */
#define STUB_TRAPPED    2       /* (2, ucontext, signal) */
#define STUB_DONE       3       /* (3, result): the last command is finished */

/* What a trap call returns: the next command. */
#define CMD_RESUME      0       /* return to the application through the frame */
#define CMD_CALLS       1       /* run slot->calls[0..ncalls), then STUB_DONE */
#define CMD_FORK        2       /* clone a process, then STUB_DONE(pid) */
#define CMD_CLONE       3       /* clone a thread into slot->new_slot, then STUB_DONE(tid) */
#define CMD_EXIT        4       /* end this thread */
#define CMD_CALLS_RESUME 5      /* as CMD_CALLS; if all succeed, ax = slot->result and resume */
#define CMD_CAS         6       /* compare and swap slot->cas_*, then STUB_DONE */
#define CMD_WAKE        7       /* futex wake: slot->calls[0], then STUB_DONE */

#define SLOT_CALLS      24

struct stub_call { uint64_t nr, a[6]; };

/* The first bytes of a slot; the alternate stack is the rest. */
struct slot {
	uint64_t fs_base, gs_base;      /* of the application, as of the last trap */
	uint64_t set_bases;             /* load them before resuming */
	uint64_t cookie;                /* for the child of CMD_FORK and CMD_CLONE */
	uint64_t new_slot;              /* CMD_CLONE */
	uint64_t result;                /* CMD_CALLS_RESUME */
	uint32_t tid_word;              /* non-zero while the host thread lives (CLONE_CHILD_CLEARTID) */
	uint32_t ncalls;
	uint64_t cas_addr;
	uint32_t cas_old, cas_new;
	struct stub_call calls[SLOT_CALLS];
};

/* The interrupt: a standard signal, so that only one can be queued. */
#define STUB_SIGNAL     29      /* SIGIO */

#define CLONE_FLAGS_PROCESS (0x00008000u | 17u)                 /* CLONE_PARENT | SIGCHLD */
/* VM FS FILES SIGHAND THREAD SYSVSEM CHILD_CLEARTID */
#define CLONE_FLAGS_THREAD  (0x100u | 0x200u | 0x400u | 0x800u | 0x10000u | 0x40000u | 0x200000u)
