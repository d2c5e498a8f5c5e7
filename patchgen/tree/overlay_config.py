# SPDX-License-Identifier: GPL-2.0-only
"""Which configuration an unconfigured tree is looked at with: data, and its reading.

The start set names what mmu notifier code depends on; everything else follows from
the tree's own Kconfig files, so that it is right for every version.
"""

from __future__ import annotations

from collections.abc import Callable

from patchgen.tree.kconfig import Kconfig, Reader
from patchgen.tree.kconfig_eval import Evaluator

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
        "EFI".split()
    ),
    "arm64": frozenset("ARM64_4K_PAGES ARM64_VA_BITS_48 EFI ARM64_MTE".split()),
    "s390": frozenset("MARCH_Z13 PCI".split()),
    "powerpc": frozenset(
        "PPC64 PPC_BOOK3S_64 PPC_BOOK3S PPC_64S_HASH_MMU PPC_RADIX_MMU CPU_LITTLE_ENDIAN "
        "PPC_PSERIES PPC_POWERNV KVM_BOOK3S_64 KVM_BOOK3S_64_HV KVM_BOOK3S_HV_POSSIBLE "
        "KVM_XICS".split()
    ),
    "mips": frozenset("CPU_MIPS64_R2 CPU_LOONGSON64 MACH_LOONGSON64 CPU_LITTLE_ENDIAN".split()),
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

_VARIABLES = {
    "x86": ("x86_64", "x86"),
    "powerpc": ("powerpc", "powerpc"),
}
_PROBES_NO = ("gcc", "ld-option", "ld-ifversion", "rustc", "pahole", "GCC", "plugin")


def probe(call: str) -> str:
    """The answer to a Kconfig function call, as clang 18 would give it."""
    name, _, rest = call.partition(",")
    if name in ("cc-option-bit", "if-success"):
        return rest.rpartition(",")[0] if name == "if-success" else rest
    if name in ("shell", "warning-if", "error-if", "info"):
        return ""
    if name == "failure":
        return "n"
    if name == "success" and any(word in rest for word in _PROBES_NO):
        return "n"
    return "y"


_HEAVY = ("drivers/", "sound/", "net/", "fs/", "samples/", "crypto/", "Documentation/", "security/")
_KEPT = frozenset(
    """
    drivers/Kconfig drivers/pci/Kconfig drivers/iommu/Kconfig drivers/iommu/intel/Kconfig
    drivers/iommu/amd/Kconfig drivers/acpi/Kconfig drivers/base/Kconfig drivers/of/Kconfig
    drivers/xen/Kconfig drivers/hv/Kconfig drivers/dax/Kconfig drivers/irqchip/Kconfig net/Kconfig
    fs/Kconfig fs/Kconfig.binfmt fs/proc/Kconfig fs/notify/Kconfig fs/iomap/Kconfig crypto/Kconfig
    security/Kconfig
    """.split()
)
"""Of the heavy folders, what the core's own headers depend on."""


def _wanted(folders: frozenset[str]) -> Callable[[str], bool]:
    """Which files are read: the core's, and those in ``folders``."""

    def wanted(path: str) -> bool:
        if path.startswith(("scripts/", "/")) or ".." in path:
            return False
        if not path.startswith(_HEAVY) or path in _KEPT:
            return True
        return path.rpartition("/")[0] in folders

    return wanted


def folders_of(path: str) -> frozenset[str]:
    """The folders above a file whose Kconfig files are read beyond the core's."""
    parts = path.split("/")[:-1]
    if not path.startswith(_HEAVY):
        return frozenset()
    return frozenset("/".join(parts[:end]) for end in range(2, len(parts) + 1))


def read_kconfig(
    read: Callable[[str], str | None], arch: str, folders: frozenset[str] = frozenset()
) -> Kconfig:
    """Symbols that a tree's Kconfig files define for ``arch``; none if it has none.

    Files below drivers, sound, net, fs and the like are read only in ``folders``:
    reading all 1,500 of them would cost more than a parse.
    """
    name, source = _VARIABLES.get(arch, (arch, arch))
    variables = {
        "ARCH": name,
        "SRCARCH": source,
        "KERNELVERSION": "",
        "srctree": ".",
        "CC_VERSION_TEXT": FIXED["CC_VERSION_TEXT"],
        "cc-name": "Clang",
        "cc-version": FIXED["CLANG_VERSION"],
        "as-name": "LLVM",
        "as-version": FIXED["AS_VERSION"],
        "ld-name": "LLD",
        "ld-version": FIXED["LLD_VERSION"],
        "m32-flag": "-m32",
        "m64-flag": "-m64",
        "comma": ",",
    }
    reader = Reader(read, _wanted(folders), variables, probe)
    reader.load("Kconfig")
    reader.load(f"arch/{source}/Kconfig")
    for folder in sorted(folders):  # gpu/drm's is sourced from another branch, video's
        reader.load(f"{folder}/Kconfig")
    return reader.result


def start_set(kconfig: Kconfig, arch: str) -> frozenset[str]:
    """The base's start set as far as the tree knows it; all of it without Kconfig files."""
    names = START | ARCH_START.get(arch, frozenset())
    if arch in NARROW:
        names -= {"64BIT"}
    if not kconfig.symbols:
        return names
    return frozenset(n for n in names if n in kconfig.symbols)


def evaluate(
    kconfig: Kconfig, arch: str, on: frozenset[str] = frozenset(), off: frozenset[str] = frozenset()
) -> dict[str, str]:
    """Values of all symbols that are not n, with ``on`` and ``off`` forced beside the base."""
    forced_off = frozenset(OFF) | off
    if arch in NARROW:
        forced_off |= {"64BIT"}
    wanted = start_set(kconfig, arch)
    if not kconfig.symbols:
        on |= wanted
    return Evaluator(kconfig, on, forced_off, wanted, FIXED).run()
