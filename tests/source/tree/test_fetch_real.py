# SPDX-License-Identifier: GPL-2.0-only
"""The real kernels of trees.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from patchgen.source.tree.describe import describe


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
def test_real_tree_is_the_series_and_whole(kernel_tree: Callable[[str], Path], name: str) -> None:
    tree = describe(kernel_tree(name), name)
    assert tree.version.startswith(f"{name}.")
    for file in ("virt/kvm/kvm_main.c", "mm/ksm.c", "include/linux/mmu_notifier.h", "Kconfig"):
        assert (tree.path / file).is_file()
    # The first and the last folder that an archive holds.
    assert (tree.path / "Documentation").is_dir() and (tree.path / "virt" / "lib").is_dir()
