# SPDX-License-Identifier: GPL-2.0-only
"""Which options come out on, from small made-up Kconfig files."""

from __future__ import annotations

import pytest

from patchgen.source.config.kconfig import Kconfig, Reader
from patchgen.source.config.kconfig_eval import Evaluator
from patchgen.source.config.kconfig_expr import parse_expr
from patchgen.source.config.overlay_config import evaluate, probe, read_kconfig


def load(files: dict[str, str] | str) -> Kconfig:
    texts = {"Kconfig": files} if isinstance(files, str) else files
    reader = Reader(texts.get, lambda path: True, {"SRCARCH": "x86", "ARCH": "x86_64"}, probe)
    reader.load("Kconfig")
    return reader.result


def values(
    files: dict[str, str] | str,
    on: str = "",
    off: str = "",
    wanted: str = "",
    fixed: dict[str, str] | None = None,
) -> dict[str, str]:
    sets = (frozenset(text.split()) for text in (on, off, wanted))
    return Evaluator(load(files), *sets, fixed).run()


def test_select_reaches_through_symbols_and_honours_its_condition() -> None:
    text = """
config A
\tbool "a"
\tselect B
\tselect C if D
config B
\tbool
\tselect E
config C
\tbool
config D
\tbool "d"
config E
\tbool
"""
    assert values(text, on="A") == {"A": "y", "B": "y", "E": "y"}
    assert values(text, on="A D") == {"A": "y", "B": "y", "C": "y", "D": "y", "E": "y"}


def test_default_needs_its_dependencies_and_its_condition() -> None:
    text = """
config MMU
\tdef_bool y
config X
\tbool "x"
\tdepends on MMU && !OTHER
\tdefault y if FAST || MMU
config Z
\tbool "z"
\tdefault y
\tdepends on MISSING
"""
    assert values(text) == {"MMU": "y", "X": "y"}
    assert values(text, on="OTHER") == {"MMU": "y", "OTHER": "y"}


def test_forced_option_brings_what_it_depends_on_but_no_promptless_symbol() -> None:
    text = """
config DRM
\ttristate "drm"
\tdepends on HAVE_GPU && PCI
config HAVE_GPU
\tbool
config PCI
\tbool "pci"
config AMDGPU
\ttristate "amdgpu"
\tdepends on DRM
\tselect HELPER
config HELPER
\ttristate
"""
    assert values(text, on="AMDGPU") == {"AMDGPU": "y", "DRM": "y", "PCI": "y", "HELPER": "y"}


def test_wanted_option_is_on_only_where_it_can_be() -> None:
    text = """
config VMEMMAP
\tbool "v"
\tdepends on CAN_VMEMMAP
config CAN_VMEMMAP
\tbool
config ARCH
\tbool "a"
\tselect CAN_VMEMMAP
"""
    assert values(text, wanted="VMEMMAP") == {}
    assert "VMEMMAP" in values(text, wanted="VMEMMAP", on="ARCH")


def test_off_wins_over_select_and_default() -> None:
    text = "config A\n\tdef_bool y\n\tselect B\nconfig B\n\tdef_bool y\n"
    assert values(text, off="B") == {"A": "y"}


CHOICE = """
config HAVE_4K
\tdef_bool y
choice
\tprompt "page size"
\tdefault P64
config P4
\tbool "4k"
\tdepends on HAVE_4K
config P64
\tbool "64k"
\tdepends on HAVE_64K
endchoice
config PAGE_SHIFT
\tint
\tdefault 12 if P4
\tdefault 16 if P64
"""


def test_a_choice_has_exactly_one_member_on() -> None:
    assert values(CHOICE) == {"HAVE_4K": "y", "P4": "y", "PAGE_SHIFT": "12"}
    both = values(CHOICE, on="HAVE_64K")
    assert (both.get("P4"), both["P64"], both["PAGE_SHIFT"]) == (None, "y", "16")
    picked = values(CHOICE, on="HAVE_64K P4")
    assert (picked["P4"], picked.get("P64"), picked["PAGE_SHIFT"]) == ("y", None, "12")


def test_numbers_follow_other_symbols_and_compare() -> None:
    text = """
config BITS
\tint
\tdefault 64 if WIDE
\tdefault 32
config WIDE
\tbool "w"
config COPY
\tint "c"
\tdefault BITS
config BIG
\tdef_bool COPY > 40
config BASE
\thex
\tdefault 0xff
"""
    assert values(text) == {"BITS": "32", "COPY": "32", "BASE": "0xff"}
    assert values(text, on="WIDE")["BIG"] == "y"
    assert values(text, fixed={"BITS": "99"})["COPY"] == "99"


def test_a_symbol_that_begins_with_a_digit_is_no_number() -> None:
    text = (
        'config 64BIT\n\tbool "w"\n\tdefault y\nconfig NARROW\n\tdef_bool y\n\tdepends on !64BIT\n'
    )
    assert values(text) == {"64BIT": "y"}


def test_help_text_is_never_read_as_configuration() -> None:
    text = """
config A
\tbool "a"
\thelp
\t  select B

\t  config C
\t    default y
config D
\tdef_bool y
"""
    assert values(text, on="A") == {"A": "y", "D": "y"}
    assert "C" not in load(text).symbols


def test_if_and_menu_conditions_reach_sourced_files_and_end() -> None:
    files = {
        "Kconfig": """
menu "m"
\tdepends on OUTER
if INNER
source "arch/$(SRCARCH)/Kconfig"
endif
config IN_MENU
\tdef_bool y
endmenu
config AFTER
\tdef_bool y
""",
        "arch/x86/Kconfig": 'config SOURCED\n\tdef_bool y\nrsource "Kconfig.cpu"\n',
        "arch/x86/Kconfig.cpu": "config CPU\n\tdef_bool y\n",
    }
    assert values(files) == {"AFTER": "y"}
    assert values(files, on="OUTER").keys() == {"OUTER", "IN_MENU", "AFTER"}
    assert values(files, on="OUTER INNER").keys() >= {"SOURCED", "CPU"}


def test_a_second_definition_adds_its_own_condition() -> None:
    text = """
config X
\tbool "x"
\tdepends on ONE
\tdefault y
config X
\tbool "x"
\tdepends on TWO
\tdefault y
"""
    assert values(text) == {}
    assert "X" in values(text, on="TWO")


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        ("cc-option,-fsanitize=x", "y"),
        ("success,$(CC) --version | grep -q gcc", "n"),
        ("failure,true", "n"),
        ("if-success,cmd,yes,no", "yes"),
        ("as-instr,tpause %ecx", "y"),
        ("shell,uname -r", ""),
    ],
)
def test_compiler_probes_are_answered_and_nothing_runs(call: str, answer: str) -> None:
    assert probe(call) == answer


def test_hostile_files_end() -> None:
    files = {
        "Kconfig": 'source "Kconfig"\nsource "b"\n',
        "b": 'source "Kconfig"\nconfig A\n\tbool\n\tdefault ' + "(" * 100_000 + "y\n",
        **{f"n{i}": f'source "n{i + 1}"\n' for i in range(5_000)},
    }
    files["b"] += 'source "n0"\n'
    assert "A" not in values(files)
    for depth in (249, 3_000):
        assert parse_expr("(" * depth) == ("const", "n")


def test_flip_flop_ends() -> None:
    text = "config A\n\tdef_bool !B\nconfig B\n\tdef_bool A\n"
    assert values(text).keys() <= {"A", "B"}


def test_drivers_are_read_only_for_their_own_files() -> None:
    files = {
        "Kconfig": 'source "drivers/Kconfig"\nsource "mm/Kconfig"\n',
        "drivers/Kconfig": 'source "drivers/gpu/Kconfig"\n',
        "drivers/gpu/Kconfig": "config GPU\n\tdef_bool y\n",
        "mm/Kconfig": "config MEM\n\tdef_bool y\n",
    }
    core = evaluate(read_kconfig(files.get, "x86"), "x86")
    assert ("MEM" in core, "GPU" in core) == (True, False)
    driver = evaluate(read_kconfig(files.get, "x86", frozenset(("drivers/gpu",))), "x86")
    assert ("MEM" in driver, "GPU" in driver) == (True, True)
