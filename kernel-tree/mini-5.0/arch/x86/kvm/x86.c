// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a virtual machine is not its memory.
 */

#include <linux/kvm_host.h>

void kvm_arch_init_vm(struct kvm *kvm)
{
	INIT_LIST_HEAD(&kvm->arch.active_mmu_pages);
}

void kvm_arch_flush_shadow_all(struct kvm *kvm)
{
	kvm_mmu_zap_all(kvm);
}

int kvm_arch_mmu_notifier_invalidate_range(struct kvm *kvm,
					   unsigned long start,
					   unsigned long end, bool blockable)
{
	unsigned long apic_address = kvm->arch.apic_access_hva;

	/* The processor holds this page by its physical address. */
	if (start <= apic_address && apic_address < end)
		kvm_make_all_cpus_request(kvm, KVM_REQ_APIC_PAGE_RELOAD);

	return 0;
}
