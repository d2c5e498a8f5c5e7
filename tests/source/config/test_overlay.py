# SPDX-License-Identifier: GPL-2.0-only
"""The header overlay: what it holds, where it lies, when it is made anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from patchgen.model.outcome import UserError
from patchgen.source.config import overlay_numbers
from patchgen.source.config.overlay import overlay
from patchgen.source.config.overlay_generated import autoconf, base_files
from patchgen.source.config.overlay_inputs import Inputs
from patchgen.source.config.overlay_sysreg import sysreg_defs
from patchgen.source.config.overlay_wrappers import wrappers


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


BASIC = {
    "Makefile": "VERSION = 5\nPATCHLEVEL = 10\nSUBLEVEL = 300\n",
    "Kconfig": 'config HZ\n\tint\n\tdefault 1000\nconfig KSM\n\tbool "ksm"\n\tdepends on MMU\n'
    "config MMU\n\tdef_bool y\n",
    "arch/x86/include/asm/Kbuild": "generic-y += early.h \\\n\tmcs.h own.h\n"
    "generic-$(CONFIG_MMU) += mmu_only.h\ngeneric-$(CONFIG_NOMMU) += never.h\n"
    "generated-y += made.h\n# generic-y += comment.h\n",
    "arch/x86/include/asm/own.h": "",
    "include/asm-generic/Kbuild": "mandatory-y += made.h\nmandatory-y += must.h\n"
    "mandatory-y += own.h\n",
    "arch/x86/include/uapi/asm/Kbuild": "include include/uapi/asm-generic/Kbuild.asm\n",
    "include/uapi/asm-generic/Kbuild.asm": "mandatory-y += types.h\n",
}


def test_wrappers_are_those_that_kbuild_would_make(tmp_path: Path) -> None:
    root = tree(tmp_path, **BASIC)
    files, generated = wrappers(Inputs(root), "x86", {"MMU": "y"})
    names = {"early.h", "mcs.h", "mmu_only.h", "must.h"}
    assert files == {
        **{f"arch/asm/{name}": f"#include <asm-generic/{name}>\n" for name in names},
        "arch/uapi/asm/types.h": "#include <asm-generic/types.h>\n",
    }
    assert generated == ["asm/made.h"]


def test_a_tree_without_kbuild_files_gets_every_generic_header(tmp_path: Path) -> None:
    root = tree(
        tmp_path, **{"include/asm-generic/a.h": "", "include/asm-generic/b.h": "",
                     "arch/x86/include/asm/b.h": ""}
    )  # fmt: skip
    assert wrappers(Inputs(root), "x86", {})[0].keys() == {"arch/asm/a.h"}


def test_overlay_lies_in_the_cache_and_the_tree_is_left_alone(tmp_path: Path) -> None:
    root = tree(tmp_path / "linux", **BASIC)
    before = sorted(root.rglob("*"))
    made = overlay(root, "x86", on=frozenset(("KSM",)))
    cache = Path(os.environ["PATCHGEN_CACHE"])
    assert Path(made.base).is_relative_to(cache) and Path(made.config).is_relative_to(cache)
    text = Path(made.config, "include/generated/autoconf.h").read_text()
    assert "#define CONFIG_HZ 1000\n" in text and "#define CONFIG_KSM 1\n" in text
    assert 'UTS_RELEASE "5.10.300"' in Path(made.base, "include/generated/utsrelease.h").read_text()
    assert sorted(root.rglob("*")) == before


def test_equal_trees_share_an_overlay_and_a_change_makes_a_new_one(tmp_path: Path) -> None:
    one = overlay(tree(tmp_path / "one", **BASIC), "x86")
    two = overlay(tree(tmp_path / "two", **BASIC), "x86")
    assert one == two
    tree(tmp_path / "two", **{"Kconfig": "config HZ\n\tint\n\tdefault 250\n"})
    changed = overlay(tmp_path / "two", "x86")
    assert changed.config != one.config and changed.key != one.key
    assert overlay(tmp_path / "one", "x86") == one


def test_a_new_file_in_the_architecture_is_noticed(tmp_path: Path) -> None:
    root = tree(tmp_path / "linux", **BASIC)
    first = overlay(root, "x86")
    assert Path(first.base, "arch/asm/must.h").is_file()
    tree(root, **{"arch/x86/include/asm/must.h": ""})
    assert not Path(overlay(root, "x86").base, "arch/asm/must.h").exists()


def test_a_removed_overlay_is_made_again(tmp_path: Path) -> None:
    import shutil

    root = tree(tmp_path / "linux", **BASIC, **{"include/asm-generic/unique.h": ""})
    first = overlay(root, "x86")
    shutil.rmtree(first.base)
    assert overlay(root, "x86") == first and Path(first.base, "builtin/stdarg.h").is_file()


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot write the cache"):
        overlay(tree(tmp_path / "linux", **BASIC), "x86")


def test_nothing_is_read_through_a_link_out_of_the_tree(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("config LEAK\n\tdef_bool y\n")
    root = tree(tmp_path / "linux", **BASIC)
    (root / "Kconfig").unlink()
    (root / "Kconfig").symlink_to("../secret")
    inputs = Inputs(root)
    assert inputs.read("Kconfig") is None and inputs.read("../secret") is None
    assert inputs.names("..") == frozenset()


def test_autoconf_quotes_strings_and_prefixes_hex() -> None:
    text = autoconf({"A": "y", "S": 'a"b', "H": "ff", "N": "12"}, {"S": "string", "H": "hex"})
    assert text.split("\n")[:4] == [
        "#define CONFIG_A 1",
        "#define CONFIG_H 0xff",
        "#define CONFIG_N 12",
        '#define CONFIG_S "a\\"b"',
    ]


def test_bounds_counts_the_enumerators_that_the_configuration_has() -> None:
    flags = """enum pageflags {
	PG_locked, /* , not one */
	PG_dirty,
#ifdef CONFIG_MMU
	PG_mlocked,
#else
	PG_none, PG_none2,
#endif
#if defined(CONFIG_64BIT) && !defined(CONFIG_X)
	PG_young,
#endif
	__NR_PAGEFLAGS,
	PG_alias = PG_locked,
};"""
    config = {"MMU": "y", "64BIT": "y", "NR_CPUS": "65", "LRU_GEN": "y"}
    text = overlay_numbers.bounds(config, flags, "enum zone_type { \nZONE_A,\nZONE_B,\n__MAX\n};")
    assert "#define NR_PAGEFLAGS 4\n" in text and "#define MAX_NR_ZONES 2\n" in text
    assert "#define SPINLOCK_SIZE 4\n" in text
    assert "#define SPINLOCK_SIZE 64\n" in overlay_numbers.bounds({"DEBUG_SPINLOCK": "y"}, "", "")
    assert "#define NR_CPUS_BITS 7\n" in text and "#define LRU_GEN_WIDTH 3\n" in text


def test_time_constants_are_exact_for_hz_250_and_awkward_values() -> None:
    text = overlay_numbers.timeconst(250)
    assert "#define HZ_TO_MSEC_NUM 4\n" in text and "#define HZ_TO_MSEC_DEN 1\n" in text
    assert "#define MSEC_TO_HZ_MUL32 U64_C(0x80000000)\n" in text
    assert "#define MSEC_TO_HZ_SHR32 33\n" in text
    assert "#define HZ_TO_MSEC_DEN 128\n" in overlay_numbers.timeconst(1024)


def test_generated_headers_follow_the_trees_own_lists(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        **{
            "Makefile": BASIC["Makefile"],
            "arch/arm64/tools/cpucaps": "# list\nBTI\nHAS_X\n\nMTE\n",
            "arch/x86/entry/syscalls/syscall_64.tbl": "0 common read sys_read\n1 64 w sys_w\n"
            "2 x32 no sys_no\n",
            "arch/s390/tools/gen_facilities.c": '.name = "FACILITIES_ALS",\n.bits = (int[]){\n'
            "0, /* bit 7 */\n#ifdef CONFIG_A_9\n65,\n#endif\n-1 /* END */\n}",
        },
    )
    inputs = Inputs(root)
    arm = base_files(inputs, "arm64", ["asm/cpucap-defs.h"])
    assert "#define ARM64_MTE 2\n#define ARM64_NCAPS 3\n" in arm["arch/asm/cpucap-defs.h"]
    x86 = base_files(inputs, "x86", ["uapi/asm/unistd_64.h"])["arch/uapi/asm/unistd_64.h"]
    assert x86 == "#define __NR_read (0)\n#define __NR_w (1)\n#define __NR_syscalls 2\n"
    s390 = base_files(inputs, "s390", ["asm/facility-defs.h"])["arch/asm/facility-defs.h"]
    values = "_AC(0x8000000000000000,UL),_AC(0x4000000000000000,UL)"
    assert s390 == f"#define FACILITIES_ALS {values}\n"
    version = x86 and base_files(inputs, "x86", [])["include/uapi/linux/version.h"]
    assert f"#define LINUX_VERSION_CODE {5 * 65536 + 10 * 256 + 255}\n" in version


def test_system_registers_fields_enums_and_reserved_bits() -> None:
    text = sysreg_defs(
        "Sysreg\tFOO_EL1\t3\t0\t1\t0\t2\nRes0\t63:8\nUnsignedEnum\t7:4\tTLB\n\t0b0000\tNI\n"
        "\t0b0001\tOS\nEndEnum\nField\t3\tA\nRes1\t2:0\nEndSysreg\n"
    )
    for line in (
        "#define SYS_FOO_EL1 sys_reg(3, 0, 1, 0, 2)",
        "#define FOO_EL1_TLB_MASK GENMASK(7, 4)",
        "#define FOO_EL1_TLB_SIGNED false",
        "#define FOO_EL1_TLB_OS UL(0b0001)",
        "#define FOO_EL1_A_SHIFT 3",
        "#define FOO_EL1_RES0 (UL(0) | GENMASK_ULL(63, 8))",
        "#define FOO_EL1_RES1 (UL(0) | GENMASK_ULL(2, 0))",
    ):
        assert line in text.split("\n")
