# SPDX-License-Identifier: GPL-2.0-only
"""What is taken from the Makefiles above a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.source.config.flags_makefile import FileFlags, file_flags
from patchgen.source.config.overlay_inputs import Inputs


def read(root: Path, path: str, files: dict[str, str], base: str = "") -> FileFlags:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return file_flags(Inputs(root), path, "x86", frozenset(base.split()))


def test_include_paths_and_defines_of_the_folder_and_of_the_file(tmp_path: Path) -> None:
    root = str(tmp_path)
    flags = read(
        tmp_path,
        "drivers/a/b.c",
        {
            "drivers/a/Makefile": "FULL := $(src)/inc\n"
            "ccflags-y := -I$(FULL) -I $(srctree)/$(src)/two \\\n\t-DDEBUG=1 -O2 -Wall\n"
            "CFLAGS_b.o := -I$(src)\nCFLAGS_c.o := -DNOT_MINE\nccflags-y += -I$(UNKNOWN)/x\n"
            "obj-$(CONFIG_B) += b.o\n",
            "drivers/Makefile": "subdir-ccflags-y += -DSUB\nccflags-y += -DNOT_BELOW\n",
        },
    )
    folders = {f"-I{root}/drivers/a{end}" for end in ("", "/inc", "/two")}
    assert set(flags.args) == {"-DDEBUG=1", "-DSUB", *folders}
    assert (flags.options, flags.module) == (("B",), "b")


@pytest.mark.parametrize("place", ["/etc", "../../outside", "link"])
def test_no_include_path_leaves_the_tree(tmp_path: Path, place: str) -> None:
    root = tmp_path / "linux"
    root.mkdir()
    (root / "link").symlink_to("/usr")
    flags = read(root, "a/b.c", {"a/Makefile": f"ccflags-y := -I{place} -include {place}/x.h\n"})
    assert flags.args == ()


def test_options_on_the_way_through_lists_and_folders(tmp_path: Path) -> None:
    flags = read(
        tmp_path,
        "drivers/gpu/amd/mn.c",
        {
            "drivers/gpu/amd/Makefile": "amd-y := drv.o\namd-$(CONFIG_MMU_NOTIFIER) += mn.o\n"
            "obj-$(CONFIG_AMD) += amd.o\n",
            "drivers/gpu/Makefile": "obj-$(CONFIG_DRM) += amd/\n",
        },
    )
    assert set(flags.options) == {"MMU_NOTIFIER", "AMD", "DRM"}
    assert flags.module == "amd"


def test_of_several_ways_the_one_that_is_on_anyway(tmp_path: Path) -> None:
    text = (
        "common := $(addprefix ../../virt/kvm/, kvm_main.o other.o)\n"
        "one-objs := $(common) a.o\nobj-$(CONFIG_ONE) += one.o\n"
        "two-objs := $(common) b.o\nobj-$(CONFIG_TWO) += two.o\n"
    )
    for base, option in (("ONE", "ONE"), ("TWO", "TWO")):
        flags = read(tmp_path, "virt/kvm/kvm_main.c", {"arch/x86/kvm/Makefile": text}, base)
        assert flags.options == (option,)
        assert flags.module == option.lower()


def test_files_of_a_folder_that_another_ones_makefile_includes(tmp_path: Path) -> None:
    flags = read(
        tmp_path,
        "gpu/kfd/svm.c",
        {
            "gpu/kfd/Makefile": "KFD_FILES := $(KFD)/main.o\nifneq ($(CONFIG_SVM),)\n"
            "KFD_FILES += $(KFD)/svm.o\nendif\n",
            "gpu/gpu/Makefile": "ccflags-y := -I$(src)/inc\nKFD := ../kfd\n"
            "ifdef CONFIG_KFD\ninclude $(src)/../kfd/Makefile\ngpu-y += $(KFD_FILES)\nendif\n"
            "gpu-y += x.o\nobj-$(CONFIG_GPU) += gpu.o\n",
        },
    )
    assert set(flags.options) == {"SVM", "KFD", "GPU"}
    assert flags.args == (f"-I{tmp_path}/gpu/gpu/inc",)


def test_objects_of_a_subfolder_without_a_makefile(tmp_path: Path) -> None:
    flags = read(
        tmp_path,
        "arch/x86/kvm/mmu/mmu.c",
        {"arch/x86/kvm/Makefile": "ccflags-y += -I $(srctree)/arch/x86/kvm\n"
         "kvm-y += mmu/mmu.o\nobj-$(CONFIG_KVM) += kvm.o\n"},
    )  # fmt: skip
    assert flags == FileFlags((f"-I{tmp_path}/arch/x86/kvm",), ("KVM",), "kvm")


def test_circles_and_no_makefile_at_all(tmp_path: Path) -> None:
    loop = "a-y := $(b-y)\nb-y := $(a-y) c.o\nX := $(X)\nccflags-y := -D$(X)\n"
    assert read(tmp_path, "m/c.c", {"m/Makefile": loop}).options == ()
    assert read(tmp_path, "none/here-too.c", {}) == FileFlags((), (), "here_too")
