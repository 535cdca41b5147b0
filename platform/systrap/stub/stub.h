/*
 * stub.h - the parts of the stub that assembly and C share.
 */
#pragma once
#include <stdint.h>
#include "platform/systrap/layout.h"

struct ucontext_t;

long stub_syscall(long nr, long a, long b, long c, long d, long e, long f);
void stub_handler(int sig, void *info, void *uc);
void stub_thread(void *uc);
__attribute__((noreturn)) void stub_sigreturn(void *frame);
long stub_clone_thread(long flags, void *stack, void *ctid, void *uc);
void stub_loop(char *uc, long cmd);
/* Copy; not 0 if one of the two cannot be reached. Within the stub's handler only. */
int stub_copy(void *to, const void *from, uint64_t n);
/* The application has made rt_sigreturn: @uc becomes what it returns to. 0: the sentry must see the call. */
int stub_undo(struct window *w, struct ucontext_t *uc);

/* Places in fast.S, in this order. */
extern const char stub_start[], stub_copying[], stub_copy_failed[], stub_fast_pass[], stub_fast_answer[], stub_fast_own[], stub_fast_mask[], stub_fast_mask_tried[],
	stub_fast_mask_out[], stub_fast_mask_told[], stub_fast_mask_slow[], stub_fast_asked[], stub_fast_saved[],
	stub_fast_stored[], stub_fast_in[], stub_fast_no_in[], stub_fast_posted[], stub_fast_out[], stub_fast_view[],
	stub_fast_out_done[], stub_fast_checked[], stub_fast_slow[], stub_fast_refused[], stub_fast_kicked[],
	stub_fast_end[];

/* By number, below stub_nkinds: where the data of a call is (IN_KIND_*), 0: it has none. */
extern const uint8_t stub_in_kind[];
extern const uint32_t stub_nkinds;
