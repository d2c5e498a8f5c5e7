/* SPDX-License-Identifier: GPL-2.0-only */
	.section .rodata
	.globl payload, payload_end
payload:
	.incbin "guest.bin"
payload_end:
	.section .note.GNU-stack, "", @progbits
