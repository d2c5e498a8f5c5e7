/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_TYPES_H__
#define __KVM_TYPES_H__

#include <linux/types.h>

typedef u64 gpa_t;
typedef u64 gfn_t;
typedef u64 hpa_t;
typedef u64 kvm_pfn_t;

struct kvm;
struct kvm_vcpu;
struct kvm_memory_slot;

#endif /* __KVM_TYPES_H__ */
