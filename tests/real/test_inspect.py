# SPDX-License-Identifier: GPL-2.0-only
"""Whole real trees: every user of the API is found, and nothing is left unparsed."""

import pytest

from patchgen.report.inspection import ledger_totals
from patchgen.source.facts.inspection import inspect
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe
from tests.real import KERNELS
from tests.source.facts.test_sites import SITES

pytestmark = pytest.mark.kernel

LETTERS = {
    "release": "R", "invalidate_range_start": "S", "invalidate_range_end": "E",
    "invalidate_range": "I", "arch_invalidate_secondary_tlbs": "A", "change_pte": "C",
    "clear_flush_young": "Y", "clear_young": "Y", "test_young": "Y",
    "alloc_notifier": "M", "free_notifier": "M",
}  # fmt: skip
#: Which callbacks each user has, by the end of its path; from reading the trees.
USERS = {
    "5.0": {
        "npu-dma.c": "RCI", "kfd_process.c": "R", "amdgpu_mn.c": "RSE", "i915_gem_userptr.c": "S",
        "radeon_mn.c": "RS", "umem_odp.c": "RSE", "mmu_rb.c": "S", "amd_iommu_v2.c": "RIY",
        "intel-svm.c": "RCI", "scif_dma.c": "RSE", "grutlbpurge.c": "RSE", "gntdev.c": "RS",
        "mm/hmm.c": "RSE", "kvm_main.c": "RSECY",
    },
    "5.10": {
        "kfd_process.c": "RM", "nouveau_svm.c": "SM", "i915_gem_userptr.c": "S",
        "mmu_rb.c": "S", "amd/iommu_v2.c": "RI", "intel/svm.c": "RI",
        "grutlbpurge.c": "SEM", "kvm_main.c": "RSEICY",
    },
    "6.1": {
        "kfd_process.c": "RM", "nouveau_svm.c": "SM", "mmu_rb.c": "S", "amd/iommu_v2.c": "RI",
        "intel/svm.c": "RI", "grutlbpurge.c": "SEM", "kvm_main.c": "RSEICY",
        "sgx/encl.c": "RM", "s390/kvm/pv.c": "R", "arm-smmu-v3-sva.c": "RIM",
        "ocxl/link.c": "I",
    },
    "6.12": {
        "kfd_process.c": "RM", "nouveau_svm.c": "SM", "mmu_rb.c": "S", "amd/pasid.c": "RA",
        "intel/svm.c": "RAM", "grutlbpurge.c": "SEM", "kvm_main.c": "RSEY",
        "sgx/encl.c": "RM", "s390/kvm/pv.c": "R", "arm-smmu-v3-sva.c": "RAM",
        "ocxl/link.c": "A",
    },
}  # fmt: skip
#: How many interval tables each file has.
INTERVAL = {
    "5.0": {},
    "5.10": {
        "amdgpu_mn.c": 2, "nouveau_svm.c": 1, "radeon_mn.c": 1, "user_exp_rcv.c": 2,
        "mlx5/odp.c": 1, "gntdev.c": 1, "test_hmm.c": 2,
    },
    "6.1": {
        "amdgpu_mn.c": 2, "nouveau_svm.c": 1, "radeon_mn.c": 1, "user_exp_rcv.c": 2,
        "mlx5/odp.c": 1, "gntdev.c": 1, "test_hmm.c": 2, "kfd_svm.c": 1,
        "i915_gem_userptr.c": 1,
    },
    "6.12": {
        "amdgpu_hmm.c": 2, "nouveau_svm.c": 1, "radeon_mn.c": 1, "user_exp_rcv.c": 2,
        "mlx5/odp.c": 1, "gntdev.c": 1, "test_hmm.c": 2, "kfd_svm.c": 1,
        "i915_gem_userptr.c": 1, "xe_vm.c": 1,
    },
}  # fmt: skip


def named(path: str, known: dict) -> str:
    return next((end for end in known if path.endswith(f"/{end}")), path)


@pytest.mark.parametrize("name", KERNELS)
def test_every_file_parses_and_every_user_is_found(kernel_tree, name):
    found = inspect(TreeState(describe(kernel_tree(name))))
    assert found.failed == found.partly == ()
    diagnostics = [str(d) for facts in found.files for d in facts.diagnostics]
    assert diagnostics == []
    totals = ledger_totals(found.mentions)
    assert totals["unparsed"] == 0
    assert totals["analysed"] > 250
    assert totals["inactive"] == 0
    # KVM is looked at on every architecture, and s390 had no use for the notifiers till 7.x.
    only = {m.detail for m in found.mentions if m.path == "virt/kvm/kvm_main.c" and m.detail}
    assert all("x86" in detail and "arm64" in detail for detail in only)
    assert bool(only) == (name != "7.2")
    if name == "5.0":
        sites = [(s.path, s.function) for facts in found.files for s in facts.sites]
        expected = [(path, one) for path, many in SITES.items() for one in many.split()]
        assert sorted(sites) == sorted(expected)
    if name not in USERS:
        return
    users: dict[str, set[str]] = {}
    interval: dict[str, int] = {}
    for table in (table for facts in found.files for table in facts.ops):
        if table.struct == "mmu_notifier_ops":
            letters = {LETTERS[entry.member] for entry in table.entries}
            users.setdefault(named(table.path, USERS[name]), set()).update(letters)
        elif table.struct == "mmu_interval_notifier_ops":
            assert table.function("invalidate"), table.path
            key = named(table.path, INTERVAL[name])
            interval[key] = interval.get(key, 0) + 1
    assert users == {path: set(letters) for path, letters in USERS[name].items()}
    assert interval == INTERVAL[name]
