/*
 * entry.S - the stub's way in and out.
 *
 * stub_start is at offset 0 of the blob and stub_restorer is where signal
 * frames return to.  Position independent; no data.
 */
	.section .text.entry, "ax"
	.globl stub_start
stub_start:                             /* offset 0: the zygote jumps here, without a stack */
	mov	$1, %edi                /* close(1): the sentry may fetch the listener now */
	mov	$3, %eax
	syscall
1:	int3                            /* make a frame; the zygote obeys the sentry in its handler */
	jmp	1b
	.balign 16
	.globl stub_restorer
stub_restorer:                          /* offset 16 */
	mov	$15, %eax
	syscall
	.balign 16
	.globl stub_signal_entry
stub_signal_entry:                      /* offset 32: the handler of every signal */
	jmp	stub_handler
	.balign 16
	.globl stub_slot_range
stub_slot_range:                        /* offset 48 */
	.quad	0, 0
	jmp	stub_fast               /* offset 64 */

	.text
	.globl stub_syscall
stub_syscall:                           /* long stub_syscall(nr, a, b, c, d, e, f) */
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret

	.globl stub_sigreturn
stub_sigreturn:                         /* rdi = the rt_sigframe */
	lea	8(%rdi), %rsp
	mov	$15, %eax
	syscall

	.globl stub_copy, stub_copying, stub_copy_failed
stub_copy:                              /* int stub_copy(to, from, n) */
	mov	%rdx, %rcx
stub_copying:                           /* a fault here, and only here, goes on below */
	rep movsb
	xor	%eax, %eax
	ret
stub_copy_failed:
	mov	$1, %eax
	ret

	.globl stub_clone_thread
stub_clone_thread:                      /* (flags, stack, ctid, uc): returns in the parent only, with the tid */
	mov	%rcx, %r12
	mov	%rdx, %r10
	xor	%edx, %edx
	xor	%r8d, %r8d
	mov	$56, %eax
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	mov	%r12, %rdi              /* the child: on its own stack */
	xor	%ebp, %ebp
	call	stub_thread
	ud2
	.section .note.GNU-stack, "", @progbits
