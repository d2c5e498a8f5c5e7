# SPDX-License-Identifier: GPL-2.0-only
"""Data: what is switched on and off in a tree that was never configured.

The start set names what mmu notifier code depends on; everything else follows from
the tree's own Kconfig files, so that it is right for every version.
"""

from __future__ import annotations

from patchgen.model.base import Value

START = frozenset(
    """
    64BIT SMP MMU MODULES NET INET PCI PCI_MSI BLOCK PRINTK BUG FUTEX SYSFS PROC_FS DEBUG_FS SHMEM
    EXPERT MULTIUSER SWAP SYSCTL TRACEPOINTS FTRACE PERF_EVENTS EVENTS KPROBES UPROBES UPROBE_EVENTS
    VIRTUALIZATION KVM KSM MMU_NOTIFIER MMU_GATHER_RCU_TABLE_FREE COMPACTION MIGRATION
    TRANSPARENT_HUGEPAGE HUGETLBFS HUGETLB_PAGE USERFAULTFD MEMORY_HOTPLUG MEMORY_HOTREMOVE
    SPARSEMEM_VMEMMAP SPARSEMEM_MANUAL ZONE_DEVICE DEVICE_PRIVATE HMM_MIRROR HMM DEV_PAGEMAP_OPS
    CGROUPS MEMCG MEMORY_FAILURE MEM_SOFT_DIRTY PROC_PAGE_MONITOR NUMA NUMA_BALANCING IOMMU_SUPPORT
    IOMMU_SVA IOMMU_SVA_LIB HIGH_RES_TIMERS NO_HZ_IDLE PREEMPT_VOLUNTARY ACPI OF EPOLL
    EVENTFD FS_DAX DAX CPUSETS IDLE_PAGE_TRACKING PAGE_IDLE_FLAG LRU_GEN DAMON PER_VMA_LOCK
    ANON_VMA_NAME COMPAT POSIX_TIMERS TIMERFD SECCOMP KALLSYMS AUDIT RELAY
    """.split()
)
"""Switched on for every architecture, where the tree knows the symbol."""

ARCH_START: dict[str, frozenset[str]] = {
    "x86": frozenset(
        "X86_64 KVM_INTEL KVM_AMD KVM_AMD_SEV AMD_MEM_ENCRYPT XEN XEN_PVHVM HYPERV PARAVIRT "
        "EFI AMD_IOMMU AMD_IOMMU_V2 INTEL_IOMMU INTEL_IOMMU_SVM IRQ_REMAP".split()
    ),
    "arm64": frozenset("ARM64_4K_PAGES ARM64_VA_BITS_48 EFI ARM64_MTE".split()),
    "s390": frozenset("MARCH_Z13 PCI".split()),
    "powerpc": frozenset(
        "PPC64 PPC_BOOK3S_64 PPC_BOOK3S PPC_64S_HASH_MMU PPC_RADIX_MMU CPU_LITTLE_ENDIAN "
        "PPC_PSERIES PPC_POWERNV KVM_BOOK3S_64 KVM_BOOK3S_64_HV KVM_BOOK3S_HV_POSSIBLE "
        "KVM_XICS".split()
    ),
    "mips": frozenset("MACH_LOONGSON64 CPU_LOONGSON64 CPU_MIPS64_R2 CPU_LITTLE_ENDIAN".split()),
    "riscv": frozenset("ARCH_RV64I RISCV_SBI FPU".split()),
    "arm": frozenset("ARCH_MULTIPLATFORM ARCH_MULTI_V7 ARM_LPAE ARCH_VIRT".split()),
    "loongarch": frozenset("MACH_LOONGSON64".split()),
}
"""Switched on for one architecture."""

NARROW = frozenset(("arm",))
"""Architectures of 32 bits: 64BIT and what needs it stay off."""

OFF: dict[str, str] = {
    "CC_IS_GCC": "the parser is clang",
    "AS_IS_GNU": "the parser is clang",
    "LD_IS_BFD": "the linker plays no part; lld goes with clang",
    "GCC_PLUGINS": "the parser is clang",
    "HAVE_RUST": "no Rust is looked at",
    "RUST_IS_AVAILABLE": "no Rust is looked at",
    "RUST": "no Rust is looked at",
    "COMPILE_TEST": "would enable other architectures' drivers",
    "UML": "another architecture",
    "BROKEN": "code that does not build",
    "MODVERSIONS": "needs symbol checksums that only a build makes",
    "TRIM_UNUSED_KSYMS": "needs a list that only a build makes",
    "CC_HAS_COUNTED_BY": "clang 18 has no counted_by on flexible arrays",
    "CC_HAS_COUNTED_BY_PTR": "clang 18 has no counted_by on pointers",
    "CC_HAS_MULTIDIMENSIONAL_NONSTRING": "clang 18 does not know nonstring",
    "CC_HAS_BROKEN_COUNTED_BY_REF": "clang 18 has no __builtin_counted_by_ref",
    "CC_HAS_TYPEOF_UNQUAL": "clang 18 knows it only in C23",
    "CC_HAS_ASSUME": "clang 18 has no assume attribute in C",
    "WARN_CONTEXT_ANALYSIS": "clang 18 has no context analysis",
    "UNWINDER_ORC": "needs a table that only a build makes",
    "DEBUG_INFO_BTF": "needs what only a build makes",
    "WERROR": "warnings are not looked at",
}
"""Forced off, with the reason."""

FIXED: dict[str, str] = {
    "CLANG_VERSION": "180101",
    "GCC_VERSION": "0",
    "LD_VERSION": "0",
    "LLD_VERSION": "180101",
    "AS_VERSION": "180101",
    "PAHOLE_VERSION": "0",
    "RUSTC_VERSION": "0",
    "RUSTC_LLVM_VERSION": "0",
    "CC_VERSION_TEXT": "clang version 18.1.1",
    "INITRAMFS_SOURCE": "",
}
"""Numbers and texts that the compiler, not the tree, decides."""


class Special(Value, frozen=True):
    """A file that needs another processor than its architecture's usual one."""

    target: str = ""
    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()


SPECIAL: dict[tuple[str, str], Special] = {
    ("powerpc", "e500_mmu_host.c"): Special(
        "powerpc64-linux-gnu",
        frozenset("PPC_BOOK3E_64 PPC_E500MC PPC_QEMU_E500 KVM_E500MC CPU_BIG_ENDIAN".split()),
        frozenset(
            "PPC_BOOK3S_64 PPC_BOOK3S CPU_LITTLE_ENDIAN KVM_BOOK3S_64 KVM_BOOK3S_64_HV "
            "KVM_BOOK3S_HV_POSSIBLE PPC_RADIX_MMU PPC_64S_HASH_MMU KVM_XICS KVM_E500V2".split()
        ),
    ),
}
"""(architecture, file name) → what differs."""

HEAVY = ("drivers/", "sound/", "net/", "fs/", "samples/", "crypto/", "Documentation/", "security/")
KEPT = frozenset(
    """
    drivers/Kconfig drivers/pci/Kconfig drivers/iommu/Kconfig drivers/iommu/intel/Kconfig
    drivers/iommu/amd/Kconfig drivers/acpi/Kconfig drivers/base/Kconfig drivers/of/Kconfig
    drivers/xen/Kconfig drivers/hv/Kconfig drivers/dax/Kconfig drivers/irqchip/Kconfig net/Kconfig
    fs/Kconfig fs/Kconfig.binfmt fs/proc/Kconfig fs/notify/Kconfig fs/iomap/Kconfig crypto/Kconfig
    security/Kconfig
    """.split()
)
"""Of the heavy folders, what the core's own headers depend on."""


def folders_of(path: str) -> frozenset[str]:
    """The folders above a file whose Kconfig files are read beyond the core's."""
    parts = path.split("/")[:-1]
    if not path.startswith(HEAVY):
        return frozenset()
    return frozenset("/".join(parts[:end]) for end in range(2, len(parts) + 1))
