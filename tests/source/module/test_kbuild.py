# SPDX-License-Identifier: GPL-2.0-only
"""What a module is built of: objects, composites, folders, flags; and what is not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.module.kbuild import module_at


def written(folder: Path, files: dict[str, str]) -> Path:
    """A folder with files; sources need no text."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def at(tmp_path, mini):
    """``at(files, VAR=value)``: the module of these files against the miniature kernel."""

    def make(files, **settings):
        return module_at(written(tmp_path / "m", files), mini, settings)

    return make


def sources(module):
    return {one.path: one.module for one in module.sources}


def test_objects_composites_and_folders(at):
    module = at({
        "Kbuild": "obj-m += one.o two-mod.o\ntwo-mod-y := a.o sub/b.o\ntwo-mod-objs += c.o\n"
                  "obj-y += deep/\n",
        "Makefile": "obj-m := not-this.o\n",
        "deep/Makefile": "obj-m := three.o\nsubdir-y := more\n",
        "deep/more/Kbuild": "obj-m := four.o\n",
        **dict.fromkeys(("one.c", "a.c", "sub/b.c", "c.c", "deep/three.c", "deep/more/four.c",
                         "not-this.c"), ""),
    })  # fmt: skip
    assert sources(module) == {
        "one.c": "one", "a.c": "two_mod", "sub/b.c": "two_mod", "c.c": "two_mod",
        "deep/three.c": "three", "deep/more/four.c": "four",
    }  # fmt: skip
    assert str(next(s.place for s in module.sources if s.path == "a.c")) == "Kbuild:2"
    assert [one.path for one in module.left_out] == ["not-this.c"]
    assert module.notes == ()


def test_flags_are_those_of_the_folder_and_the_file(at, mini, tmp_path):
    module = at({
        "Makefile": "ccflags-y := -I$(src)/inc -DA -Wall -I$(srctree)/arch/$(SRCARCH)/include\n"
                    "EXTRA_CFLAGS += -I$(M)/old -I$(PWD)/gone\nsubdir-ccflags-y := -DBELOW\n"
                    "CFLAGS_a.o := '-DB=\"x y\"' -include $(src)/inc/own.h\n"
                    "CFLAGS_REMOVE_b.o := -DA\nobj-m := a.o b.o\nobj-y += sub/\n"
                    "LINUXINCLUDE := -I$(src)/first $(LINUXINCLUDE)\n",
        "sub/Makefile": "obj-m := c.o\nccflags-y += -DC\n",
        **dict.fromkeys(("a.c", "b.c", "sub/c.c", "inc/own.h", "old/x.h", "first/x.h"), ""),
    })  # fmt: skip
    a, b, c = module.sources
    root = str(tmp_path / "m")
    shared = ("-I", f"{root}/inc", "-DA", "-I", f"{mini}/arch/x86/include", "-I", f"{root}/old")
    assert a.before == b.before == c.before == ("-I", f"{root}/first")  # it is exported
    assert a.after == ("-DBELOW", *shared, '-DB="x y"', "-include", f"{root}/inc/own.h")
    assert b.after == ("-DBELOW", *(word for word in shared if word != "-DA"))
    assert c.after == ("-DBELOW", "-DC")
    assert not (a.lacks or b.lacks or c.lacks)


def test_options_and_variables_decide_what_is_built(at):
    files = {
        "Makefile": "obj-$(CONFIG_DEMO) += demo.o\ndemo-y := main.o\n"
                    "demo-$(CONFIG_DEMO_MMU) += mmu.o\n"
                    "ifeq ($(WITH_ODP),1)\ndemo-y += odp.o\nccflags-y += -DODP\nendif\n"
                    "obj-$(CONFIG_MMU_NOTIFIER) += always.o\n",
        **dict.fromkeys(("main.c", "mmu.c", "odp.c", "always.c"), ""),
    }  # fmt: skip
    module = at(files)
    assert sources(module) == {"always.c": "always"}
    reasons = {one.path: one.reason for one in module.left_out}
    assert "Makefile:3" in reasons["mmu.c"] and "--set CONFIG_DEMO_MMU=y" in reasons["mmu.c"]
    assert "ifeq ($(WITH_ODP),1)" in reasons["odp.c"]
    module = at(files, CONFIG_DEMO="m", CONFIG_DEMO_MMU="y", WITH_ODP="1")
    assert set(sources(module)) == {"main.c", "mmu.c", "odp.c", "always.c"}
    assert all("-DODP" in one.after for one in module.sources)


def test_the_first_make_names_the_kernel_and_gives_variables(tmp_path, mini):
    files = {
        "Makefile": "ifneq ($(KERNELRELEASE),)\nobj-m := demo.o\nccflags-y := -DX=$(X) -DY=$(Y)\n"
                    f"else\nKDIR ?= {mini}\nexport Y := 2\nall:\n"
                    "\t$(MAKE) -C $(KDIR) M=$(PWD) X=1 modules\nendif\n",
        "demo.c": "",
    }  # fmt: skip
    module = module_at(written(tmp_path, files), None, {})
    assert module.kernel.root == str(mini) and module.by == "Makefile:8"
    assert module.sources[0].after == ("-DX=1", "-DY=2")
    with pytest.raises(UserError) as error:
        module_at(tmp_path, None, {"KDIR": str(tmp_path / "gone")})
    assert "Makefile:8" in error.value.what and "--kernel" in error.value.hint


def test_the_folder_that_is_built_may_lie_below(at, tmp_path):
    module = at({
        "Makefile": "all:\n\tmake -C drv\n",
        "drv/Kbuild": "obj-m := demo.o\nccflags-y := -I$(src)/../common -I$(src)/../../outside\n",
        "drv/demo.c": "", "common/x.h": "", "../outside/y.h": "",
    })  # fmt: skip
    [source] = module.sources
    assert source.path == "drv/demo.c"
    assert source.after == ("-I", str(tmp_path / "m/common"))
    assert "outside" in source.lacks[0] and "--module" in source.lacks[0]


def test_what_is_not_known_is_noted_with_its_line(at):
    module = at({
        "Kbuild": "obj-m := demo.o $(shell ./more.sh)\ndemo-y := main.o made.o blob.o ../x.o\n"
                  "ccflags-y := -include $(src)/config.h -DV=$(shell git describe)\n"
                  "ifeq ($(shell ./have.sh),1)\ndemo-y += odp.o\nendif\n"
                  "ifeq ($(shell ./color.sh),1)\nRED := 1\nendif\n",
        "main.c": "", "odp.c": "", "blob.o_shipped": "",
    })  # fmt: skip
    notes = {str(note.place): note.text for note in module.notes}
    assert "more.sh" in notes["Kbuild:1"]
    two = " ".join(note.text for note in module.notes if str(note.place) == "Kbuild:2")
    assert "made.o has no source" in two and "blob.o_shipped" in two and "x.o lies outside" in two
    assert "have.sh" in notes["Kbuild:4"] and "Kbuild:7" not in notes
    [source] = module.sources
    assert len(source.lacks) == 2
    assert "config.h" in " ".join(source.lacks) and "git describe" in " ".join(source.lacks)


def test_a_folder_without_a_module_is_refused(at, tmp_path):
    with pytest.raises(UserError, match="no module") as error:
        at({"Kbuild.in": "obj-m := x.o\n", "x.c": ""})
    assert "Kbuild.in" in error.value.hint
    with pytest.raises(UserError, match="no such folder"):
        module_at(tmp_path / "gone", None, {})


def test_a_kernel_configured_for_a_build_decides_by_its_options(tmp_path):
    from tests.source.module.test_kernel import TOP, half, made

    kernel = half(tmp_path / "k", False, TOP)
    made(kernel)
    (kernel / "include/config/auto.conf").write_text("CONFIG_X86=y\nCONFIG_A=m\n")
    files = {"Kbuild": "obj-$(CONFIG_A) += a.o\nobj-$(CONFIG_B) += b.o\n"
             "ifdef CONFIG_A\nccflags-y += -DHAS_A\nendif\n", "a.c": "", "b.c": ""}  # fmt: skip
    module = module_at(written(tmp_path / "m", files), kernel, {})
    assert sources(module) == {"a.c": "a"} and module.sources[0].after == ("-DHAS_A",)


def test_links_out_of_the_folder_are_not_followed(at, tmp_path):
    written(tmp_path / "m", {"Kbuild": "obj-m := a.o\nobj-y += out/\nccflags-y := -I$(src)/inc\n",
                             "a.c": ""})  # fmt: skip
    written(tmp_path / "away", {"Kbuild": "obj-m := b.o\n", "b.c": ""})
    (tmp_path / "m/out").symlink_to(tmp_path / "away")
    (tmp_path / "m/inc").symlink_to("/etc")
    module = at({})
    assert sources(module) == {"a.c": "a"} and module.sources[0].after == ()
