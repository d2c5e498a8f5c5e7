# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels, never configured: their files parse with 0 errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.source.clang.unit import parse
from patchgen.source.config.arch import all_kvm_arches
from patchgen.source.config.flags import parse_config
from tests.real import KERNELS

KVM = "virt/kvm/kvm_main.c"
CORE = (KVM, "mm/ksm.c", "mm/memory.c", "mm/migrate.c", "kernel/events/uprobes.c")
DRIVERS = (
    "arch/s390/kvm/pv.c",
    "arch/x86/kernel/cpu/sgx/encl.c",
    "arch/x86/kvm/mmu/mmu.c",
    "drivers/gpu/drm/amd/amdkfd/kfd_process.c",
    "drivers/gpu/drm/i915/gem/i915_gem_userptr.c",
    "drivers/gpu/drm/nouveau/nouveau_svm.c",
    "drivers/infiniband/hw/mlx5/odp.c",
    "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c",
    "drivers/misc/ocxl/link.c",
    "drivers/misc/sgi-gru/grutlbpurge.c",
    "lib/test_hmm.c",
)

Trees = Callable[[str], Path]


def errors(root: Path, path: str, arch: str | None = None) -> list[str]:
    return [str(error) for error in parse(root, path, parse_config(root, path, arch)).errors]


@pytest.mark.kernel
@pytest.mark.parametrize("path", CORE)
@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
def test_core_files_parse(kernel_tree: Trees, name: str, path: str) -> None:
    assert errors(kernel_tree(name), path) == []


@pytest.mark.kernel
@pytest.mark.parametrize("name", KERNELS)
def test_kvm_parses_for_every_architecture_that_has_it(kernel_tree: Trees, name: str) -> None:
    root = kernel_tree(name)
    arches = all_kvm_arches(root)
    assert set(arches) >= {"x86", "arm64", "s390", "powerpc", "mips"}
    assert ("riscv" in arches) == (name not in ("5.0", "5.10"))
    assert {arch: errors(root, KVM, arch) for arch in arches} == {arch: [] for arch in arches}


@pytest.mark.kernel
@pytest.mark.parametrize("path", DRIVERS)
def test_drivers_parse(kernel_tree: Trees, path: str) -> None:
    assert errors(kernel_tree("6.1"), path) == []


@pytest.mark.kernel
def test_a_driver_with_headers_made_by_its_own_scripts_parses(kernel_tree: Trees) -> None:
    assert errors(kernel_tree("7.2"), "drivers/gpu/drm/xe/xe_vm.c") == []


@pytest.mark.parametrize("path", [KVM, "mm/ksm.c", "mm/memory.c"])
def test_miniature_kernels_parse(mini: Path, mini50: Path, path: str) -> None:
    assert errors(mini, path) == [] and errors(mini50, path) == []
