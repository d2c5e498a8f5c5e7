/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_BARRIER_H
#define _ASM_X86_BARRIER_H

#define barrier()	__asm__ __volatile__("" : : : "memory")
#define smp_rmb()	barrier()
#define smp_wmb()	barrier()

#define smp_load_acquire(p)			\
({						\
	typeof(*(p)) ___val = READ_ONCE(*(p));	\
						\
	barrier();				\
	___val;					\
})

#endif /* _ASM_X86_BARRIER_H */
