/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_HOST_H
#define _ASM_X86_KVM_HOST_H

#include <asm/pgtable.h>
#include <linux/kvm_types.h>

#define KVM_ARCH_WANT_MMU_NOTIFIER

#define KVM_ADDRESS_SPACE_NUM	2
#define KVM_MAX_VCPUS		8

#define PT64_ENT_PER_PAGE	512

#define PG_LEVEL_4K		1
#define KVM_MAX_HUGEPAGE_LEVEL	1

/* A page of the TDP MMU's tables. */
struct kvm_mmu_page {
	struct list_head link;
	u64 *spt;
	/* the address space that it is a root of */
	int as_id;
};

/* The one shadow entry that maps a guest page, or NULL. */
struct kvm_rmap_head {
	u64 *sptep;
};

struct kvm_arch_memory_slot {
	struct kvm_rmap_head *rmap;
};

struct kvm_arch {
	/* instead of shadow pages, for the lifetime of the VM */
	bool tdp_mmu_enabled;
	struct list_head tdp_mmu_roots;
	/* entries that map a page, by the level of their table */
	long pages[KVM_MAX_HUGEPAGE_LEVEL];
	/* the page that the guest uses to reach the interrupt controller */
	unsigned long apic_access_hva;
};

struct kvm_vcpu_arch {
	u64 *root_spt;
};

int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t cr2_or_gpa,
		       bool write);

#endif /* _ASM_X86_KVM_HOST_H */
