# SPDX-License-Identifier: GPL-2.0-only
"""The configuration that is asked for, and what a tree did not give."""

from __future__ import annotations

from pathlib import Path

from patchgen.boot import config


def test_all_that_is_needed_is_asked_for_or_follows() -> None:
    lines = config.fragment().splitlines()
    assert "CONFIG_KVM_AMD=y" in lines
    assert "CONFIG_NR_CPUS=4" in lines
    # KVM selects MMU_NOTIFIER; the rest is asked for.
    assert set(config.NEEDED) - set(config.OPTIONS) == {"MMU_NOTIFIER"}


def test_an_option_that_is_off_or_a_module_is_absent(tmp_path: Path) -> None:
    file = tmp_path / ".config"
    file.write_text("CONFIG_KSM=y\nCONFIG_KVM=m\n# CONFIG_SMP is not set\nCONFIG_SMP_X=y\n")
    assert config.absent(file, ["KSM", "KVM", "SMP"]) == ["KVM", "SMP"]
