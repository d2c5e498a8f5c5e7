# SPDX-License-Identifier: GPL-2.0-only
import pytest

from patchgen.kernel.api.check import compare, identify
from patchgen.kernel.api.descriptor import load
from patchgen.source.clang.surface import surface


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("tree", "generation"),
    [("5.10", "5.10"), ("6.1", "5.15"), ("6.12", "6.10"), ("7.2", "7.2")],
)
def test_real_header_equals_its_descriptor(kernel_tree, tree, generation):
    found = surface(kernel_tree(tree))
    assert found.diagnostics == ()
    assert str(identify(found)) == generation
    assert compare(found, load(generation), whole=True).conforms


@pytest.mark.kernel
def test_what_5_10_lacks_of_the_target(kernel_tree):
    compared = compare(surface(kernel_tree("5.10")), load("mmu-notifier-v05"))
    assert compared.different == ()
    assert {item.name for item in compared.missing} == {
        "MMU_NOTIFIER_USE_CHANGE_PTE",
        "mmu_notifier_range_use_change_pte",
    }
