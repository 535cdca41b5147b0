/*
 * layout.h - what the sentry and the stub agree on.
 *
 * Included by the freestanding stub too, its assembly as well: constants and plain structs only.
 * The stub's memory can be rewritten by the application at any time.  Nothing
 * in it is believed; each host call that it asks for is compared with what the
 * sentry approved (approve.c).
 */
#pragma once
#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>
#endif

/* The platform's own range: the topmost free GiB of the zygote; nothing of the application's is above it. */
#define STUB_SIZE       0x40000000ull
#define STUB_TEXT_MAX   0x10000ull                      /* at its start */
#define STUB_VDSO_OFF   0x100000ull                     /* the host's vvar and vDSO */
#define STUB_TITLE_OFF  0x200000ull                     /* one page: what the host's ps shows */
#define STUB_MAIL_OFF   0x300000ull                     /* memory shared with the sentry: struct mail of each slot, */
#define MAIL_WIN_OFF    0x10000ull                      /* and at this offset struct window of the first slots */
#define STUB_SLOTS_OFF  0x1000000ull
#define SLOT_SIZE       0x8000ull                       /* power of two: a slot is found from any address in it */
#define SLOT_MAX        30000u
#define STUB_VIEWS_OFF  0x3c000000ull                   /* parts of files, read-only: view.c */
#define VIEW_SIZE       0x200000u
#define VIEWS           16u

/* Trap calls of the stub: a number that Linux will never use. */
#define STUBCALL_NR     0x57b5
#define STUB_REGISTER   1       /* (1, cookie): a new thread says who it is */
#define STUB_TRAPPED    2       /* (2, ucontext, signal) */
#define STUB_DONE       3       /* (3, result): the last command is finished */

/* Three further numbers. A call that was posted in a mailbox and is waited for: returns its result. */
#define STUBWAIT_NR     0x57b6
/* The same for a frame that was reported in a mailbox: returns a command. */
#define STUBFRAME_NR    0x57b8
/* Makes a frame: the registers of the call that an interrupt met on its fast path. */
#define STUBKICK_NR     0x57b7

/* Offsets in the stub's text. */
#define STUB_RESTORER   16
#define STUB_HANDLER    32
#define STUB_SLOT_RANGE 48      /* two words that the zygote fills in: where slots begin and end */
#define STUB_FAST       64      /* a patched call site comes here: entry.S */

/* mail.state, in the order of a call's life; the stub compares with >= MAIL_DONE. */
#define MAIL_IDLE       0
#define MAIL_POSTED     1       /* by the stub */
#define MAIL_TAKEN      2
#define MAIL_DONE       3       /* a[0] is the result */
#define MAIL_KICK       4       /* so it is, but trap with a frame before going on */
#define MAIL_SLOW       5       /* not here: make the call itself */
#define MAIL_BLOCKED    6       /* it will take long: make the wait call */

/* For assembly; asserted below. */
#define MAIL_STATE      0
#define MAIL_HOT        4
#define MAIL_NR         8
#define MAIL_IN         10
#define MAIL_WHERE      12
#define MAIL_ARGS       16
#define SLOT_RESULT     40
#define SLOT_BACK       72
#define SLOT_MAIL       80
#define SLOT_KICK       88
#define SLOT_END        92
#define SLOT_WINDOW     96
#define WIN_IN_ADDR     8
#define WIN_IN          16
#define WIN_PID         724
#define WIN_TID         728
#define WIN_MASK        736
#define WIN_OUT         0x2000
#define WIN_MASK_LENT   0x100                           /* the place of SIGKILL, which no mask has: bit */
#define WIN_MASK_LENT_BIT 8
#define WIN_MASK_NEVER  18                              /* bit of SIGSTOP, the same */

/* How the data of a call is found (call_data.def): the argument's number plus one, and this in the other bits. */
#define IN_KIND_ARG     7
#define IN_KIND_STR     0
#define IN_KIND_WORDS   8                               /* times the number of 8-byte words */
#define IN_KIND_SIZED   0xf8
#define IN_KIND_OUT     7                               /* alone: nothing comes, but there are results */
#define WIN_IN_MAX      255

#ifndef __ASSEMBLER__

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
#define SLOT_VEC        0x800   /* in a slot: a byte a page, from mincore; the far end of the alternate stack */

struct stub_call { uint64_t nr, a[6]; };

/* The first bytes of a slot; the alternate stack is the rest. */
struct slot {
	uint64_t fs_base, gs_base;      /* of the application, as of the last trap */
	uint64_t set_bases;             /* load them before resuming */
	uint64_t cookie;                /* for the child of CMD_FORK and CMD_CLONE */
	uint64_t new_slot;              /* CMD_CLONE */
	uint64_t result;                /* CMD_CALLS_RESUME, STUBKICK_NR */
	uint32_t tid_word;              /* non-zero while the host thread lives (CLONE_CHILD_CLEARTID) */
	uint32_t ncalls;
	uint64_t cas_addr;
	uint32_t cas_old, cas_new;
	uint64_t back;                  /* where a call on the fast path returns to, less two: its slow path */
	uint64_t mail;                  /* its mailbox, or 0: a fork or clone starts without */
	uint32_t kick;                  /* an interrupt met a call on the fast path */
	uint32_t end;                   /* fast.S: where a copy ends */
	uint64_t window;                /* as mail */
	struct stub_call calls[SLOT_CALLS];
};

/* A signal frame on the application's stack: its ucontext, and what that says of the extended state and the alternate stack. */
struct win_frame { uint64_t uc, fpstate, stack[3]; };

/* The interrupt: a standard signal, so that only one can be queued. */
#define STUB_SIGNAL     29      /* SIGIO */

#define CLONE_FLAGS_PROCESS (0x00008000u | 17u)                 /* CLONE_PARENT | SIGCHLD */
/* VM FS FILES SIGHAND THREAD SYSVSEM CHILD_CLEARTID */
#define CLONE_FLAGS_THREAD  (0x100u | 0x200u | 0x400u | 0x800u | 0x10000u | 0x40000u | 0x200000u)

/*
 * A mailbox: one cache line between one thread and the sentry.  The stub writes
 * all of it but hot and the states from TAKEN on; the sentry reads each word once.
 */
struct mail {
	uint32_t state;
	uint32_t hot;                   /* the sentry looks here: worth waiting a moment for */
	uint16_t nr;
	uint16_t in_len;                /* bytes in the window's in */
	uint32_t where;                 /* low half of the address of the slow path */
	uint64_t a[6];                  /* answer: the result; is there something in the window's out? */
};
#define MAIL_LINES 256u                 /* slots beyond have none */

/*
 * What is too long for a mailbox: the data of one thread's calls, its frame, and what it is told to do.
 * Each side writes when it is its turn.  Aligned to its size.
 */
#define WIN_SIZE        0x4000u
#define MAIL_WINDOWS    64u             /* slots beyond have none */
#define WIN_FP_MAX      4096u
#define WIN_REGS        1u              /* changed: of the frame, to be taken over at CMD_RESUME */
#define WIN_FP          2u
#define WIN_BASES       4u
#define WIN_DATA        8u              /* out */
#define FRAME_HEAD      432u            /* ucontext and siginfo: struct kframe */
#define FRAME_REGS      40u             /* the first register in it, */
#define FRAME_NREGS     18u             /* and how many there are, flags last */

struct window {
	uint32_t changed;               /* by the sentry: WIN_*; the stub clears it */
	uint32_t fp_len;                /* bytes in fp; 0: too long */
	uint64_t in_addr;               /* where in was copied from */
	uint8_t in[256];
	uint64_t fs_base, gs_base;
	uint64_t frame[FRAME_HEAD / 8];
	uint32_t ncalls;
	uint32_t pid, tid;              /* what getpid and gettid return; 0: they are calls like others */
	uint64_t mask;                  /* what rt_sigprocmask changes, with WIN_MASK_LENT; without, it is a call like others */
	struct win_frame frame_lent;    /* what rt_sigreturn may undo while the mask is lent; uc 0: nothing */
	struct stub_call calls[SLOT_CALLS];     /* instead of the slot's */
	_Alignas(4096) uint8_t fp[WIN_FP_MAX];
	/* Address, length, bytes padded to 8; ended by address 0.  Or one: address, length and in its high half, if not 0, where they are, from the first slot on. */
	_Alignas(4096) uint64_t out[0x2000 / 8];
};

_Static_assert(STUB_SLOTS_OFF + SLOT_MAX * SLOT_SIZE <= STUB_VIEWS_OFF && STUB_VIEWS_OFF + VIEWS * VIEW_SIZE <= STUB_SIZE, "views");
_Static_assert(sizeof(struct mail) == 64 && offsetof(struct mail, hot) == MAIL_HOT &&
	       offsetof(struct mail, nr) == MAIL_NR && offsetof(struct mail, where) == MAIL_WHERE &&
	       offsetof(struct mail, a) == MAIL_ARGS, "entry.S");
_Static_assert(offsetof(struct mail, in_len) == MAIL_IN && offsetof(struct window, in_addr) == WIN_IN_ADDR &&
	       offsetof(struct window, in) == WIN_IN && offsetof(struct window, out) == WIN_OUT &&
	       sizeof(struct window) == WIN_SIZE && offsetof(struct slot, end) == SLOT_END &&
	       offsetof(struct slot, window) == SLOT_WINDOW && offsetof(struct window, pid) == WIN_PID &&
	       offsetof(struct window, tid) == WIN_TID && offsetof(struct window, mask) == WIN_MASK, "fast.S");
_Static_assert(offsetof(struct slot, result) == SLOT_RESULT && offsetof(struct slot, back) == SLOT_BACK &&
	       offsetof(struct slot, mail) == SLOT_MAIL && offsetof(struct slot, kick) == SLOT_KICK, "entry.S");

#endif
