/* The vDSO image, as the Makefile linked it (vdso/). */
	.section .rodata
	.balign 16
	.globl vdso_image
	.globl vdso_image_end
vdso_image:
	.incbin "vdso.so"
vdso_image_end:
	.section .note.GNU-stack,"",@progbits
