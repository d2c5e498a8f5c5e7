/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_HOST_H
#define _ASM_X86_KVM_HOST_H

#include <asm/pgtable.h>
#include <linux/kvm_types.h>

#define KVM_ARCH_WANT_MMU_NOTIFIER

#define KVM_ADDRESS_SPACE_NUM	2
#define KVM_MAX_VCPUS		8

#define PT64_ENT_PER_PAGE	512

/* A shadow page of the guest's page table: one entry for each of its own. */
struct kvm_mmu_page {
	struct list_head link;
	gfn_t gfns[PT64_ENT_PER_PAGE];
	u64 *spt;
	bool unsync;
};

/* The one shadow entry that maps a guest page, or NULL. */
struct kvm_rmap_head {
	u64 *sptep;
};

struct kvm_arch_memory_slot {
	struct kvm_rmap_head *rmap;
};

struct kvm_arch {
	struct list_head active_mmu_pages;
	/* instead of shadow pages, for the lifetime of the VM */
	bool tdp_mmu_enabled;
	u64 *tdp_roots[KVM_ADDRESS_SPACE_NUM];
	/* the page that the guest uses to reach the interrupt controller */
	unsigned long apic_access_hva;
};

struct kvm_vcpu_arch {
	u64 *root_spt;
};

int kvm_unmap_hva_range(struct kvm *kvm, unsigned long start, unsigned long end,
			unsigned flags);
int kvm_set_spte_hva(struct kvm *kvm, unsigned long hva, pte_t pte);
int kvm_age_hva(struct kvm *kvm, unsigned long start, unsigned long end);
int kvm_test_age_hva(struct kvm *kvm, unsigned long hva);
int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t cr2_or_gpa,
		       bool write);
void kvm_mmu_sync_roots(struct kvm_vcpu *vcpu, const gpa_t *gptes);

#endif /* _ASM_X86_KVM_HOST_H */
