# SPDX-License-Identifier: GPL-2.0-only
"""What kbuild is asked for: names of objects, and the options that bring them in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.kbuild.config import OPTIONS, Shown, goals, wanted
from patchgen.source.config.kconfig import Reader
from patchgen.source.config.kconfig_eval import enablers

KVM = "arch/x86/kvm/../../../virt/kvm/kvm_main.o"
#: Source to kbuild's name of its object, from the Makefile that lists it, and an option that
#: must be asked for.
REAL = {
    "mm/ksm.c": ("mm/ksm.o", "KSM"),
    "virt/kvm/kvm_main.c": (KVM, "KVM"),
    "drivers/infiniband/core/umem_odp.c": ("drivers/infiniband/core/umem_odp.o", "INFINIBAND"),
    "drivers/gpu/drm/amd/amdkfd/kfd_process.c": (
        "drivers/gpu/drm/amd/amdgpu/../amdkfd/kfd_process.o", "DRM_AMDGPU"),
    "drivers/misc/sgi-gru/grutlbpurge.c": ("drivers/misc/sgi-gru/grutlbpurge.o", "X86_UV"),
    "drivers/xen/gntdev.c": ("drivers/xen/gntdev.o", "XEN_GNTDEV"),
}  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["5.10", "6.1", "7.2"])
def test_objects_and_options_of_real_trees(kernel_tree: Callable[[str], Path], name: str) -> None:
    inputs = Shown(kernel_tree(name), {})
    found = goals(inputs, list(REAL), "x86", OPTIONS)
    assert {goal.source: goal.target for goal in found} == {p: REAL[p][0] for p in REAL}
    options = wanted(inputs, found, "x86")
    assert {option for _, option in REAL.values()} <= options


def test_a_makefile_that_the_series_changes_counts(tmp_path: Path) -> None:
    (tmp_path / "mm").mkdir()
    (tmp_path / "mm/Makefile").write_text("obj-$(CONFIG_OLD) += a.o\n")
    assert goals(Shown(tmp_path, {}), ["mm/a.c"], "x86", frozenset())[0].gates == ("OLD",)
    shown = Shown(tmp_path, {"mm/Makefile": b"obj-$(CONFIG_NEW) += a.o\n"})
    assert goals(shown, ["mm/a.c"], "x86", frozenset())[0].gates == ("NEW",)


def test_what_an_option_needs_is_asked_for_with_it() -> None:
    text = """\
config BUS
	bool "Bus"

config CORE
	tristate "Core"
	depends on BUS && !UML

config DRIVER
	tristate "Driver"
	depends on CORE
	select HELPER

config HELPER
	bool
"""
    reader = Reader(lambda path: text, lambda path: True, {}, lambda call: "y")
    reader.load("Kconfig")
    assert enablers(reader.result, frozenset(["DRIVER"])) == {"DRIVER", "CORE", "BUS"}
    # Nobody can set it: what selects it is.
    assert enablers(reader.result, frozenset(["HELPER"])) == {"HELPER", "DRIVER", "CORE", "BUS"}
