# SPDX-License-Identifier: GPL-2.0-only
"""Kernels to build modules against, in the layouts that distributions give them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.module.kernel import kernel_dir

TOP = "VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 99\nEXTRAVERSION =\n"


def half(folder: Path, configured: bool, makefile: str) -> Path:
    """A folder of a kernel: with headers, or with what a configuration makes."""
    (folder / "arch/x86/include").mkdir(parents=True)
    (folder / "include/linux").mkdir(parents=True)
    (folder / "Makefile").write_text(makefile)
    if configured:
        made(folder)
    else:
        (folder / "include/linux/mmu_notifier.h").write_text("")
    return folder


def made(folder: Path) -> None:
    """What a configured build has."""
    for name, text in (
        ("generated/autoconf.h", "#define CONFIG_X86_64 1\n"),
        ("generated/utsrelease.h", '#define UTS_RELEASE "6.1.0-53-amd64"\n'),
        ("config/auto.conf", "CONFIG_X86=y\nCONFIG_X86_64=y\nCONFIG_MMU_NOTIFIER=y\n"),
    ):
        file = folder / "include" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_debian_unpacked_somewhere_else(tmp_path):
    common = half(tmp_path / "linux-headers-6.1.0-53-common", False, TOP)
    include = "include /usr/src/linux-headers-6.1.0-53-common/Makefile\n"
    flavour = half(tmp_path / "linux-headers-6.1.0-53-amd64", True, include)
    found = kernel_dir(flavour)
    assert (found.root, found.build) == (str(common), str(flavour))
    assert (found.version, found.release, found.arch) == ("6.1.99", "6.1.0-53-amd64", "x86")
    assert found.kind == "headers package, two halves"
    with pytest.raises(UserError) as error:
        kernel_dir(common)
    assert str(flavour) in error.value.hint
    shutil.rmtree(common)
    with pytest.raises(UserError) as error:
        kernel_dir(flavour)
    assert "Makefile:1" in error.value.hint and "-common" in error.value.hint


def test_suse_two_folders_apart(tmp_path):
    sources = half(tmp_path / "linux-6.4.0-150600.23", False, TOP)
    flavour = tmp_path / "linux-6.4.0-150600.23-obj/x86_64/default"
    flavour.parent.mkdir(parents=True)
    half(flavour, True, "export KBUILD_OUTPUT = .\ninclude ../../../linux-6.4.0-150600.23/Makefile")
    assert kernel_dir(flavour).root == str(sources)
    (flavour / "Makefile").write_text("include /usr/src/linux-6.4.0-150600.23/Makefile\n")
    assert kernel_dir(flavour).root == str(sources)


def test_fedora_both_halves_in_one_and_a_link_to_it(tmp_path):
    whole = half(tmp_path / "6.11.4-301.fc41.x86_64", False, TOP)
    made(whole)
    link = tmp_path / "build"
    link.symlink_to(whole)
    found = kernel_dir(link)
    assert found.root == found.build == str(whole)
    assert found.given == str(link) and found.kind == "headers package"


def test_build_folder_by_its_link_and_by_its_makefile(tmp_path):
    sources = half(tmp_path / "linux", False, TOP)
    (sources / "Kconfig").write_text("")
    (sources / "mm").mkdir()
    (sources / "mm/mmu_notifier.c").write_text("")
    build = half(tmp_path / "out", True, f"MAKEARGS := -C {sources}\n")
    assert kernel_dir(build).root == str(sources)
    (build / "Makefile").unlink()
    (build / "source").symlink_to("../linux")
    assert kernel_dir(build).kind == "build folder"
    assert kernel_dir(sources).kind == "source tree, not configured"


def test_what_is_no_kernel_is_refused(tmp_path, mini):
    assert kernel_dir(mini).build == ""
    with pytest.raises(UserError, match="no such kernel"):
        kernel_dir(tmp_path / "gone")
    with pytest.raises(UserError, match="no kernel"):
        kernel_dir(tmp_path)
    build = half(tmp_path / "out", True, "include /$(X)/Makefile\n")
    (build / "source").symlink_to("/")
    with pytest.raises(UserError, match="other half"):
        kernel_dir(build)
    (build / "include/config/auto.conf").write_text("CONFIG_PARISC=y\n")
    sources = half(tmp_path / "linux", False, TOP)
    (build / "Makefile").write_text(f"include {sources}/Makefile\n")
    with pytest.raises(UserError, match="architecture"):
        kernel_dir(build)
