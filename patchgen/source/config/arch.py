# SPDX-License-Identifier: GPL-2.0-only
"""Which architectures a file of a kernel tree belongs to, and what clang calls them."""

from __future__ import annotations

from pathlib import Path

from patchgen.model.base import Value
from patchgen.sandbox import look


class Arch(Value, frozen=True):
    """An architecture: the kernel's folder below arch/, clang's target, further flags.

    ``{root}`` in a flag stands for the tree's absolute path.
    """

    name: str
    target: str
    flags: tuple[str, ...] = ()


_MACHINES = ("mach-loongson64", "mach-generic")
_ALL = (
    Arch("x86", "x86_64-linux-gnu", ("-m64",)),
    Arch("arm64", "aarch64-linux-gnu", ("-mlittle-endian", "-DKASAN_SHADOW_SCALE_SHIFT=4")),
    Arch("s390", "s390x-linux-gnu", ("-march=z13", "-m64", "-D__PACK_STACK")),
    Arch("powerpc", "powerpc64le-linux-gnu", ("-mcpu=power8", "-I{root}/arch/powerpc")),
    Arch(
        "mips",
        "mips64el-linux-gnuabi64",
        (
            "-mabi=64",
            "-march=mips64r2",
            "-msoft-float",
            "-DVMLINUX_LOAD_ADDRESS=0xffffffff80200000",
            "-DLINKER_LOAD_ADDRESS=0xffffffff80200000",
            "-DDATAOFFSET=0",
            "-DTOOLCHAIN_SUPPORTS_VIRT",
            *(f"-I{{root}}/arch/mips/include/asm/{machine}" for machine in _MACHINES),
        ),
    ),
    Arch("riscv", "riscv64-linux-gnu", ("-march=rv64imac", "-mabi=lp64")),
    Arch(
        "arm",
        "armv7a-linux-gnueabi",
        ("-marm", "-march=armv7ve", "-msoft-float", "-D__LINUX_ARM_ARCH__=7"),
    ),
    Arch("loongarch", "loongarch64-linux-gnusf", ("-mabi=lp64s",)),
)
ARCHES = {arch.name: arch for arch in _ALL}
"""Every architecture that is known, by the kernel's name; KVM's preference in order."""

SYMBOLS = {
    "X86": "x86", "X86_64": "x86", "ARM64": "arm64", "S390": "s390", "PPC": "powerpc",
    "PPC64": "powerpc", "MIPS": "mips", "RISCV": "riscv", "ARM": "arm", "LOONGARCH": "loongarch",
}  # fmt: skip
"""The options (without CONFIG_) that mean an architecture, from arch/*/Kconfig."""

KVM_MAIN = "virt/kvm/kvm_main.c"
"""What every architecture with KVM builds."""

_KVM_GENERIC = "virt/kvm/"
"""The folder of what they may select."""

_KVM_ON_ARM = "virt/kvm/arm/"
"""Of it, what only the two ARM architectures build (until 5.6)."""

_FOLDERS = (
    ("drivers/iommu/arm/", "arm64"),
    ("drivers/iommu/arm-smmu", "arm64"),
    ("drivers/misc/ocxl/", "powerpc"),
    ("drivers/misc/cxl/", "powerpc"),
    ("drivers/vfio/pci/vfio_pci_nvlink2", "powerpc"),
    ("drivers/crypto/nx/", "powerpc"),
    ("drivers/s390/", "s390"),
    ("drivers/iommu/riscv/", "riscv"),
    ("drivers/irqchip/irq-gic", "arm64"),
    ("drivers/accel/ethosu/", "arm64"),
)
"""Drivers of one architecture that lie outside arch/."""


def arches_of(root: Path, path: str) -> tuple[str, ...]:
    """Architectures (the kernel's names) that ``path`` may be built for, best first.

    A file below arch/ belongs to that architecture alone, an unknown one gives (); so
    do drivers of one architecture.  KVM's generic code belongs to every architecture of
    the tree with KVM, all else to every one that is known, x86 first.
    """
    parts = path.split("/")
    if parts[0] == "arch" and len(parts) > 2:
        return (parts[1],) if parts[1] in ARCHES else ()
    for folder, arch in _FOLDERS:
        if path.startswith(folder) and look.is_folder(root / "arch" / arch):
            return (arch,)
    if path.startswith(_KVM_ON_ARM):
        arms = tuple(name for name in all_kvm_arches(root) if name.startswith("arm"))
        return arms or all_kvm_arches(root)
    return all_kvm_arches(root) if path.startswith(_KVM_GENERIC) else _all_arches(root)


def _all_arches(root: Path) -> tuple[str, ...]:
    return tuple(name for name in ARCHES if look.is_folder(root / "arch" / name)) or ("x86",)


def all_kvm_arches(root: Path) -> tuple[str, ...]:
    """Every known architecture of the tree that has KVM, x86 first; else its best one."""
    found = [name for name in ARCHES if look.is_file(root / "arch" / name / "kvm" / "Makefile")]
    return tuple(found) or _all_arches(root)[:1]
