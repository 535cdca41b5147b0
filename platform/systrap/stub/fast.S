/*
 * fast.S - where a patched call site ends up: the call is posted in this thread's
 * mailbox if the sentry is looking there, and made as ever if not.
 *
 * rcx = the site's slow path, a syscall instruction (patch.c), two bytes long,
 * after which the site's thunk goes on.  Only rax, rcx, r11 and the arithmetic flags are
 * changed, as by a system call, so at every instruction the other registers are the application's.
 * gs is this thread's slot.  What the call points to is copied into the window first, and
 * what the sentry left there out of it afterwards: call_data.def.
 *
 * getpid and gettid are answered from the window, if the sentry has put the answers there, and rt_sigprocmask
 * changes the mask there, if it was lent: with a compare-and-swap, as the sentry may take it back at any moment.
 *
 * An interrupt that arrives here, or a fault of one of the two copies, is made sense of by
 * stub_settle(), which needs the labels below in this order.
 */
#include "platform/systrap/layout.h"

#define SPINS 20000             /* of a pause each: 0.2 to 0.8 ms, as a request to the gofer takes 0.1 ms */
#define NR_SIGPROCMASK 14
#define NR_GETPID 39
#define NR_GETTID 186
#define NR_FUTEX 202
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

	.text
	.globl stub_fast_pass, stub_fast_answer, stub_fast_own, stub_fast_mask, stub_fast_mask_tried, stub_fast_mask_out, \
	       stub_fast_mask_told, stub_fast_mask_slow, stub_fast_asked, stub_fast, stub_fast_saved, stub_fast_stored, stub_fast_in, stub_fast_no_in, stub_fast_post, \
	       stub_fast_posted, stub_fast_out, stub_fast_view, stub_fast_out_done, stub_fast_checked, stub_fast_slow, \
	       stub_fast_refused, stub_fast_kicked, stub_fast_end
stub_fast_pass:
1:	jmp	*%rcx
5:	mov	SLOT_WINDOW(%r11), %r11
	test	%r11, %r11
	jz	7f
	mov	WIN_PID(%r11), %r11d
	jmp	6f
4:	mov	SLOT_WINDOW(%r11), %r11
	test	%r11, %r11
	jz	7f
	mov	WIN_TID(%r11), %r11d
6:	test	%r11d, %r11d
	jz	7f
	add	$2, %rcx
stub_fast_answer:                               /* rcx is past the slow path, r11 the result */
	mov	%r11d, %eax
	jmp	*%rcx
stub_fast_own:
8:	mov	%rcx, SLOT_BACK(%r11)
	mov	SLOT_WINDOW(%r11), %r11
	test	%r11, %r11
	jz	7f
	cmp	$8, %r10
	jne	7f
	cmp	$SIG_SETMASK, %edi
	ja	7f
stub_fast_mask:                                 /* from here rax and rcx may be lost */
	mov	WIN_MASK(%r11), %rax
	test	$WIN_MASK_LENT, %eax
	jz	2f
	mov	%rax, %rcx
	test	%rsi, %rsi
	jz	10f
	mov	(%rsi), %rcx
	cmp	$SIG_UNBLOCK, %edi
	ja	10f
	je	9f
	or	%rax, %rcx
	jmp	10f
9:	not	%rcx
	and	%rax, %rcx
10:	btr	$WIN_MASK_NEVER, %rcx
	or	$WIN_MASK_LENT, %rcx
	test	%rdx, %rdx
	jz	11f
	lock orb $0, (%rdx)                     /* can it be written? What follows must not fail */
	lock orb $0, 7(%rdx)
11:	lock cmpxchg %rcx, WIN_MASK(%r11)
stub_fast_mask_tried:
	jne	2f
	btr	$WIN_MASK_LENT_BIT, %rax
	test	%rdx, %rdx
	jz	12f
stub_fast_mask_out:
	mov	%rax, (%rdx)
12:	xor	%eax, %eax
stub_fast_mask_told:
	rdgsbase %r11
	jmp	stub_fast_back
stub_fast_mask_slow:                            /* a fault comes here too */
2:	rdgsbase %r11
	mov	SLOT_BACK(%r11), %rcx
	mov	$NR_SIGPROCMASK, %eax
stub_fast_asked:
7:	rdgsbase %r11
	jmp	3f
stub_fast:
	rdgsbase %r11                           /* this thread's slot, unless the application uses gs */
	cmp	stub_slot_range(%rip), %r11
	jb	1b
	cmp	stub_slot_range + 8(%rip), %r11
	jae	1b
	cmp	$NR_FUTEX, %eax                 /* the host's */
	je	1b
	cmp	$0xffff, %eax
	ja	1b
	mov	%eax, %eax
	cmp	$NR_GETPID, %eax
	je	5b
	cmp	$NR_GETTID, %eax
	je	4b
	cmp	$NR_SIGPROCMASK, %eax
	je	8b
3:	mov	%rcx, SLOT_BACK(%r11)
stub_fast_saved:
	mov	SLOT_MAIL(%r11), %r11
	test	%r11, %r11
	jz	1b
	cmpl	$0, MAIL_HOT(%r11)
	jne	2f
	cmp	stub_nkinds(%rip), %eax         /* nobody looks: worth it for the sake of its data, if it has any */
	jae	1b
	lea	stub_in_kind(%rip), %r11
	cmpb	$0, (%r11, %rax)
	je	1b
	mov	%gs:SLOT_MAIL, %r11
2:	mov	%eax, MAIL_NR(%r11)             /* and MAIL_IN = 0 */
	mov	%ecx, MAIL_WHERE(%r11)
	mov	%rdi, MAIL_ARGS(%r11)
	mov	%rsi, MAIL_ARGS + 8(%r11)
	mov	%rdx, MAIL_ARGS + 16(%r11)
	mov	%r10, MAIL_ARGS + 24(%r11)
	mov	%r8, MAIL_ARGS + 32(%r11)
	mov	%r9, MAIL_ARGS + 40(%r11)
stub_fast_stored:                               /* from here rax may be lost: MAIL_NR has it */
	cmp	stub_nkinds(%rip), %eax
	jae	stub_fast_post
	lea	stub_in_kind(%rip), %rcx
	movzbl	(%rcx, %rax), %ecx
	test	%ecx, %ecx
	jz	stub_fast_post
	cmp	$IN_KIND_OUT, %ecx
	je	stub_fast_post
	mov	%ecx, %eax
	and	$IN_KIND_ARG, %eax
	cmp	$IN_KIND_SIZED, %ecx
	jae	2f
	and	$~IN_KIND_ARG, %ecx
	mov	MAIL_ARGS - 8(%r11, %rax, 8), %rax
	jmp	3f
2:	mov	MAIL_ARGS(%r11, %rax, 8), %rcx  /* the next argument says how many */
	mov	MAIL_ARGS - 8(%r11, %rax, 8), %rax
	dec	%rcx
	cmp	$WIN_IN_MAX - 1, %rcx
	ja	stub_fast_post
	inc	%ecx
3:	test	%rax, %rax
	jz	stub_fast_post
	mov	%gs:SLOT_WINDOW, %r11           /* its low byte is 0: the index into in */
	test	%r11, %r11
	jz	stub_fast_post
	mov	%rax, WIN_IN_ADDR(%r11)
	sub	%r11, %rax
	mov	%ecx, %gs:SLOT_END
	test	%ecx, %ecx
	jnz	5f
stub_fast_in:
4:	movzbl	(%r11, %rax), %ecx              /* a string */
	mov	%cl, WIN_IN(%r11)
	inc	%r11b
	jz	stub_fast_no_in                 /* too long */
	test	%ecx, %ecx
	jnz	4b
	jmp	6f
5:	movzbl	(%r11, %rax), %ecx
	mov	%cl, WIN_IN(%r11)
	inc	%r11b
	cmp	%gs:SLOT_END, %r11b
	jne	5b
6:	movzbl	%r11b, %ecx
	mov	%gs:SLOT_MAIL, %r11
	mov	%cx, MAIL_IN(%r11)
	jmp	stub_fast_post
stub_fast_no_in:                                /* a fault comes here too */
	mov	%gs:SLOT_MAIL, %r11
	movw	$0, MAIL_IN(%r11)
stub_fast_post:
	mov	%gs:SLOT_MAIL, %r11
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
	mov	%gs:SLOT_MAIL, %r11
	cmpl	$MAIL_SLOW, MAIL_STATE(%r11)
	je	stub_fast_slow
	mov	%rax, MAIL_ARGS(%r11)
	movl	$MAIL_DONE, MAIL_STATE(%r11)    /* it has been told of an interrupt, if one is due */
	jmp	6f
5:	cmpl	$MAIL_SLOW, MAIL_STATE(%r11)
	ja	4b
	je	stub_fast_slow
6:	cmpq	$0, MAIL_ARGS + 8(%r11)
	je	stub_fast_out_done
	mov	%gs:SLOT_WINDOW, %r11
	add	$WIN_OUT, %r11
stub_fast_out:
1:	mov	(%r11), %rcx                    /* where to */
	test	%rcx, %rcx
	jz	stub_fast_out_done
	cmpl	$0, 12(%r11)
	jne	5f
	mov	8(%r11), %eax
	add	$16, %r11
	sub	%r11, %rcx
	add	%r11d, %eax
	mov	%eax, %gs:SLOT_END              /* its low half is enough */
2:	lea	32(%r11), %rax
	sub	%gs:SLOT_END, %eax
	jg	3f
	mov	(%r11), %rax
	mov	%rax, (%r11, %rcx)
	mov	8(%r11), %rax
	mov	%rax, 8(%r11, %rcx)
	mov	16(%r11), %rax
	mov	%rax, 16(%r11, %rcx)
	mov	24(%r11), %rax
	mov	%rax, 24(%r11, %rcx)
	add	$32, %r11
	jmp	2b
3:	cmp	%gs:SLOT_END, %r11d
	je	4f
	mov	(%r11), %al
	mov	%al, (%r11, %rcx)
	inc	%r11
	jmp	3b
4:	add	$7, %r11
	and	$-8, %r11
	jmp	1b
5:	mov	8(%r11), %eax
	mov	12(%r11), %r11d                 /* it is in a view */
	add	stub_slot_range(%rip), %r11
	sub	%r11, %rcx
	add	%r11d, %eax
	mov	%eax, %gs:SLOT_END
stub_fast_view:
6:	lea	64(%r11), %rax
	sub	%gs:SLOT_END, %eax
	jg	7f
	.irp	at, 0, 8, 16, 24, 32, 40, 48, 56
	mov	\at(%r11), %rax
	mov	%rax, \at(%r11, %rcx)
	.endr
	add	$64, %r11
	jmp	6b
7:	cmp	%gs:SLOT_END, %r11d
	je	stub_fast_out_done
	mov	(%r11), %al
	mov	%al, (%r11, %rcx)
	inc	%r11
	jmp	7b
stub_fast_out_done:                             /* a fault comes here too, with the result -EFAULT */
	mov	%gs:SLOT_MAIL, %r11
	mov	MAIL_ARGS(%r11), %rax
	cmpl	$MAIL_KICK, MAIL_STATE(%r11)
	je	8f
	rdgsbase %r11
stub_fast_back:
	mov	SLOT_BACK(%r11), %rcx
	cmpl	$0, SLOT_KICK(%r11)
stub_fast_checked:                              /* from here the result is the application's */
	jne	7f
	add	$2, %rcx
	jmp	*%rcx
stub_fast_slow:
	movzwl	MAIL_NR(%r11), %eax
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
