/*
 * fast.S - where a patched call site ends up: the call is posted in this thread's
 * mailbox if the sentry is looking there, and made as ever if not.
 *
 * rcx = the site's slow path, a syscall instruction (patch.c), two bytes long,
 * after which the site's thunk goes on.  Only rax, rcx, r11 and the arithmetic flags are
 * changed, as by a system call, so at every instruction the other registers are the application's.
 * An interrupt that arrives here is made sense of by stub_settle(), which needs
 * the labels below in this order.
 */
#include "platform/systrap/layout.h"

#define SPINS 5000              /* of a pause each: 50 to 200 us, in which the sentry may come from another CPU */
#define NR_FUTEX 202

	.text
	.globl stub_fast_pass, stub_fast, stub_fast_saved, stub_fast_posted, stub_fast_checked, stub_fast_slow, \
	       stub_fast_refused, stub_fast_kicked, stub_fast_end
stub_fast_pass:
1:	jmp	*%rcx
stub_fast:
	rdgsbase %r11                           /* this thread's slot, unless the application uses gs */
	cmp	stub_slot_range(%rip), %r11
	jb	1b
	cmp	stub_slot_range + 8(%rip), %r11
	jae	1b
	cmp	$NR_FUTEX, %eax                 /* the host's */
	je	1b
	mov	%rcx, SLOT_BACK(%r11)
stub_fast_saved:
	mov	SLOT_MAIL(%r11), %r11
	test	%r11, %r11
	jz	1b
	cmpl	$0, MAIL_HOT(%r11)
	je	1b
	mov	%eax, MAIL_NR(%r11)
	mov	%ecx, MAIL_WHERE(%r11)
	mov	%rdi, MAIL_ARGS(%r11)
	mov	%rsi, MAIL_ARGS + 8(%r11)
	mov	%rdx, MAIL_ARGS + 16(%r11)
	mov	%r10, MAIL_ARGS + 24(%r11)
	mov	%r8, MAIL_ARGS + 32(%r11)
	mov	%r9, MAIL_ARGS + 40(%r11)
	mov	$MAIL_POSTED, %ecx
	xchg	%ecx, MAIL_STATE(%r11)          /* a full barrier: the sentry clears hot, then looks once more */
stub_fast_posted:
	cmpl	$0, MAIL_HOT(%r11)
	je	4f
	mov	$SPINS, %ecx
3:	cmpl	$MAIL_DONE, MAIL_STATE(%r11)
	jae	5f
	pause
	dec	%ecx
	jnz	3b
4:	mov	$STUBWAIT_NR, %eax
	syscall
	rdgsbase %r11
	mov	SLOT_MAIL(%r11), %r11
	cmpl	$MAIL_SLOW, MAIL_STATE(%r11)
	je	stub_fast_slow
	jmp	6f
5:	mov	MAIL_STATE(%r11), %ecx
	mov	MAIL_ARGS(%r11), %rax
	cmp	$MAIL_SLOW, %ecx
	ja	4b
	je	stub_fast_slow
	cmp	$MAIL_KICK, %ecx
	je	8f
6:	rdgsbase %r11
	mov	SLOT_BACK(%r11), %rcx
	cmpl	$0, SLOT_KICK(%r11)
stub_fast_checked:                              /* from here the result is the application's */
	jne	7f
	add	$2, %rcx
	jmp	*%rcx
stub_fast_slow:
	mov	MAIL_NR(%r11), %eax
	rdgsbase %r11
	mov	SLOT_BACK(%r11), %rcx
	cmpl	$0, SLOT_KICK(%r11)
stub_fast_refused:                              /* from here the call was never made */
	jne	9f
	jmp	*%rcx
stub_fast_kicked:
8:	rdgsbase %r11
	mov	SLOT_BACK(%r11), %rcx
7:	add	$2, %rcx
	mov	%rcx, SLOT_BACK(%r11)
9:	mov	%rax, SLOT_RESULT(%r11)
	mov	$STUBKICK_NR, %eax
	syscall                                 /* SIGSYS */
stub_fast_end:
	ud2
	.section .note.GNU-stack, "", @progbits
