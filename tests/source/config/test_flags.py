# SPDX-License-Identifier: GPL-2.0-only
"""The arguments for a file: synthesised, and from a real build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.clang.unit import parse
from patchgen.source.config.arch import all_kvm_arches, arches_of
from patchgen.source.config.flags import parse_config

FILES = {
    "Makefile": "VERSION = 6\nKBUILD_CFLAGS := -Wall \\\n\t-std=gnu11\n"
    "KBUILD_CFLAGS += -funsigned-char\n",
    "Kconfig": 'config A\n\tbool "a"\nconfig B\n\tbool "b"\n\tdefault y\n',
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/asm-generic/x.h": "#define X 1\n",
    "arch/x86/include/asm/y.h": "",
    "arch/s390/include/asm/y.h": "",
    "mm/a.c": "#include <stdarg.h>\n#include <stddef.h>\n#include <asm/x.h>\n"
    "int a = X + CONFIG_B;\n#ifdef CONFIG_A\nint on = CONFIG_A;\n#endif\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "linux" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "linux"


def errors(root: Path, path: str, **how: object) -> list[str]:
    config = parse_config(root, path, **how)  # type: ignore[arg-type]
    return [diagnostic.text for diagnostic in parse(root, path, config).errors]


def test_an_unconfigured_tree_parses_with_options_on_and_off(root: Path) -> None:
    assert errors(root, "mm/a.c") == []
    config = parse_config(root, "mm/a.c", on=frozenset(("CONFIG_A",)))
    assert config.options == ("A",)
    unit = parse(root, "mm/a.c", config)
    assert unit.errors == () and unit.skipped == ()
    assert len(parse(root, "mm/a.c", parse_config(root, "mm/a.c")).skipped) == 1
    assert errors(root, "mm/a.c", off=frozenset(("B",))) == [
        "use of undeclared identifier 'CONFIG_B'"
    ]


def test_dialect_and_names_are_the_trees(root: Path) -> None:
    args = parse_config(root, "mm/a.c").args
    assert {"-std=gnu11", "-funsigned-char", "-D__KERNEL__", '-DKBUILD_BASENAME="a"'} <= set(args)
    assert "--target=s390x-linux-gnu" in parse_config(root, "mm/a.c", "s390").args


def test_key_tells_configurations_apart_and_not_places(root: Path, tmp_path: Path) -> None:
    import shutil

    plain = parse_config(root, "mm/a.c")
    assert plain.key == parse_config(root, "mm/a.c").key
    assert plain.key != parse_config(root, "mm/a.c", on=frozenset("A")).key
    assert plain.key != parse_config(root, "mm/a.c", "s390").key
    shutil.copytree(root, tmp_path / "copy")
    assert plain.key == parse_config(tmp_path / "copy", "mm/a.c").key


def test_an_implicit_declaration_is_an_error_and_a_mere_warning_is_not(root: Path) -> None:
    (root / "mm/b.c").write_text("void f(void) { int unused; g(); }\n")
    texts = errors(root, "mm/b.c")
    assert len(texts) == 1 and "'g'" in texts[0]


def test_unknown_architectures_are_refused_in_one_line(root: Path) -> None:
    with pytest.raises(UserError, match="unknown architecture vax"):
        parse_config(root, "mm/a.c", "vax")
    with pytest.raises(UserError, match="not known"):
        parse_config(root, "arch/vax/kvm/a.c")


@pytest.mark.parametrize("in_tree", [True, False])
def test_a_compilation_database_wins(root: Path, tmp_path: Path, in_tree: bool) -> None:
    place = root if in_tree else tmp_path / "build"
    place.mkdir(exist_ok=True)
    (root / "own").mkdir()
    (root / "own/real.h").write_text("#define CONFIG_B 3\n#define X 4\n")
    command = (
        "gcc -nostdinc -std=gnu89 -fplugin=/evil.so -Xclang -load -fconserve-stack -mfentry -O2 "
        f"-mno-sse -I /usr/include -include {root}/own/real.h -DONE='1' -c -o a.o {root}/mm/a.c"
    )
    (root / "mm/a.c").write_text("int a = X + CONFIG_B + ONE;\n")
    entry = {"directory": str(place), "command": command, "file": str(root / "mm/a.c")}
    (place / "compile_commands.json").write_text(json.dumps([entry]))
    build = None if in_tree else place
    config = parse_config(root, "mm/a.c", build_dir=build)
    assert "-std=gnu89" in config.args and "-mno-sse" in config.args
    refused = ("plugin", "-Xclang", "-load", "conserve", "fentry", "-O2")
    assert not [arg for arg in config.args if any(word in arg for word in refused)]
    assert ("/usr/include" in config.args) is not in_tree
    assert errors(root, "mm/a.c", build_dir=build) == []


def test_the_command_that_kbuild_saved_wins(root: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    (build / "mm").mkdir(parents=True)
    (build / "include/generated").mkdir(parents=True)
    (build / "include/generated/autoconf.h").write_text("#define CONFIG_B 7\n#define X 1\n")
    (build / "mm/.a.o.cmd").write_text(
        "savedcmd_mm/a.o := gcc -Wp,-MMD,mm/.a.o.d -nostdinc -I./include "
        "-include ./include/generated/autoconf.h -DKBUILD_MODNAME='\"a\"' -c -o mm/a.o a.c\n\n"
        "source_mm/a.o := a.c\n"
    )
    (root / "mm/a.c").write_text("int a = X + CONFIG_B;\nconst char *m = KBUILD_MODNAME;\n")
    assert errors(root, "mm/a.c", build_dir=build) == []


@pytest.mark.parametrize("text", ["{", '[{"file": 3}]', "[1]", "{}" * 2])
def test_a_broken_database_is_one_clear_line(root: Path, text: str) -> None:
    (root / "compile_commands.json").write_text(text)
    with pytest.raises(UserError, match="not a compilation database"):
        parse_config(root, "mm/a.c")


def test_a_build_folder_without_a_build_is_said(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such build folder"):
        parse_config(root, "mm/a.c", build_dir=tmp_path / "none")
    with pytest.raises(UserError, match="configured kernel build"):
        parse_config(root, "mm/a.c", build_dir=tmp_path)


def test_architectures_of_files(tmp_path: Path) -> None:
    for arch in ("x86", "s390", "arm64", "powerpc"):
        (tmp_path / "arch" / arch / "kvm").mkdir(parents=True)
    (tmp_path / "arch/s390/kvm/Makefile").write_text("")
    (tmp_path / "arch/x86/kvm/Makefile").write_text("")
    for path, arch in {
        "arch/s390/kvm/pv.c": "s390",
        "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c": "arm64",
        "drivers/misc/ocxl/link.c": "powerpc",
        "arch/powerpc/platforms/powernv/npu-dma.c": "powerpc",
        "drivers/s390/crypto/vfio_ap_ops.c": "s390",
    }.items():
        assert arches_of(tmp_path, path) == (arch,)
    assert arches_of(tmp_path, "mm/ksm.c") == ("x86", "arm64", "s390", "powerpc")
    assert arches_of(tmp_path, "virt/kvm/kvm_main.c") == ("x86", "s390")
    assert arches_of(tmp_path, "arch/vax/a/b.c") == ()
    assert all_kvm_arches(tmp_path) == ("x86", "s390")
    for arch in ("arm", "arm64"):
        (tmp_path / "arch" / arch / "kvm").mkdir(parents=True, exist_ok=True)
        (tmp_path / "arch" / arch / "kvm/Makefile").write_text("")
    assert arches_of(tmp_path, "virt/kvm/arm/mmu.c") == ("arm64", "arm")
