/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_PGTABLE_TYPES_H
#define _ASM_X86_PGTABLE_TYPES_H

#include <asm/page.h>

#define _PAGE_PRESENT		0x001UL
#define _PAGE_RW		0x002UL
#define _PAGE_USER		0x004UL
#define _PAGE_ACCESSED		0x020UL
#define _PAGE_DIRTY		0x040UL
#define _PAGE_PSE		0x080UL
#define _PAGE_SPECIAL		0x200UL
#define _PAGE_SOFT_DIRTY	0x800UL

#define PTE_PFN_MASK		0x000ffffffffff000UL

/* What pte_modify() keeps; all else comes from the new protection. */
#define _PAGE_CHG_MASK	(PTE_PFN_MASK | _PAGE_ACCESSED | _PAGE_DIRTY |	\
			 _PAGE_SPECIAL | _PAGE_SOFT_DIRTY)

typedef struct {
	unsigned long pte;
} pte_t;

typedef struct {
	unsigned long pmd;
} pmd_t;

typedef struct {
	unsigned long pud;
} pud_t;

typedef struct {
	unsigned long pgd;
} pgd_t;

typedef struct pgprot {
	unsigned long pgprot;
} pgprot_t;

#define __pte(x)	((pte_t) { (x) })
#define pte_val(x)	((x).pte)
#define __pmd(x)	((pmd_t) { (x) })
#define pmd_val(x)	((x).pmd)
#define pud_val(x)	((x).pud)
#define pgd_val(x)	((x).pgd)
#define pgprot_val(x)	((x).pgprot)

#endif /* _ASM_X86_PGTABLE_TYPES_H */
