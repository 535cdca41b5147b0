/*
 * stub_blob.S - the stub, linked as a flat binary, as bytes in the sentry.
 */
	.section .rodata
	.globl stub_blob_start, stub_blob_end
	.balign 16
stub_blob_start:
	.incbin "stub.bin"
stub_blob_end:
	.section .note.GNU-stack, "", @progbits
