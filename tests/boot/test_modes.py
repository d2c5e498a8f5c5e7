# SPDX-License-Identifier: GPL-2.0-only
"""Which modes a tree's kernel is booted in."""

import pytest

from patchgen.boot.evidence import Mode
from patchgen.boot.modes import modes
from patchgen.model.outcome import Refused
from patchgen.sandbox.reader import read_inside

WITH = {"arch/x86/kvm/mmu/tdp_mmu.c": b"int a;\nmodule_param_named(tdp_mmu, x, bool, 0644);\n"}


def test_both_values_of_a_parameter_that_the_tree_has():
    assert modes(WITH.get, (1, 2, 1)) == (Mode(1, 0), Mode(2, 0), Mode(1, 1), Mode(2, 1))
    assert modes(WITH.get, (1,), (1,)) == (Mode(1, 1),)


def test_a_tree_without_it_has_one_mode_for_each_number_of_cpus():
    assert modes({}.get, (1, 2)) == (Mode(1), Mode(2))
    with pytest.raises(Refused, match="no parameter tdp_mmu"):
        modes({}.get, (1,), (0,))


@pytest.mark.kernel
def test_5_10_has_it(kernel_tree):
    root = kernel_tree("5.10")
    found = modes(lambda path: read_inside(str(root), path), (1,))
    assert found == (Mode(1, 0), Mode(1, 1))
