# SPDX-License-Identifier: GPL-2.0-only
"""What Makefiles and Kconfig files of a patch leave unbuilt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.patches import checked
from tests.verify.test_users import SOURCE, USER_PATH, lib  # noqa: F401

USED = f"{USER_PATH}:11: x_count() is used, and lib/x_lib.c is"
GONE = {
    "no line": "obj-y += other.o\n",
    "a comment": "# obj-y += x_lib.o\nobj-y += other.o\n",
    "a comment behind a line": "obj-y += other.o # x_lib.o\n",
}
NARROWER = {
    "an option": "obj-$(CONFIG_X_NEVER) += x_lib.o\n",
    "a condition": "ifeq ($(CONFIG_X_NEVER),y)\nobj-y += x_lib.o\nendif\n",
    "ifdef": "ifdef CONFIG_X_NEVER\nobj-y += x_lib.o\nendif\n",
}


@pytest.mark.parametrize("way", GONE)
def test_an_object_that_is_listed_no_more(lib: Path, way: str) -> None:  # noqa: F811
    check = checked(lib, {"lib/Makefile": GONE[way]})
    assert [fault for fault in check.faults if fault.startswith(f"{USED} not built any more")]


@pytest.mark.parametrize("way", NARROWER)
def test_an_object_that_an_option_takes_away_is_said(lib: Path, way: str) -> None:  # noqa: F811
    check = checked(lib, {"lib/Makefile": NARROWER[way]})
    assert check.faults == ()
    assert f"{USED} built with CONFIG_X_NEVER alone now (lib/Makefile)" in check.remarks


@pytest.mark.parametrize("line", ["obj-m += x_lib.o\n", "lib-y += x_lib.o # why\n",
                                  "obj-$(CONFIG_A) += x_lib.o\nobj-y += x_lib.o\n"])  # fmt: skip
def test_an_object_that_is_built_as_before(lib: Path, line: str) -> None:  # noqa: F811
    check = checked(lib, {"lib/Makefile": line})
    assert check.faults == () and not [r for r in check.remarks if "built" in r]


def test_a_folder_that_nothing_leads_into_any_more(lib: Path) -> None:  # noqa: F811
    (lib / "lib/x_lib.c").unlink()
    (lib / "lib/below").mkdir()
    (lib / "lib/below/x_lib.c").write_text(SOURCE)
    (lib / "lib/below/Makefile").write_text("obj-y += x_lib.o\n")
    (lib / "lib/Makefile").write_text("obj-y += below/\n")
    check = checked(lib, {"lib/Makefile": "obj-y += other.o\n"})
    assert any("lib/below/x_lib.c is not built any more (lib/Makefile does not list below/)" in f
               for f in check.faults)  # fmt: skip
    again = checked(lib, {"lib/Makefile": "obj-y += ./below/\n"})
    assert again.faults == ()


def test_an_option_that_is_declared_no_more(lib: Path) -> None:  # noqa: F811
    (lib / "lib/Kconfig").write_text('config X_LIB\n\tbool "a library"\n')
    (lib / "lib/Makefile").write_text("obj-$(CONFIG_X_LIB) += x_lib.o\n")
    check = checked(lib, {"lib/Kconfig": 'config X_LIBRARY\n\tbool "a library"\n'})
    said = "lib/Makefile builds x_lib.o with CONFIG_X_LIB, which lib/Kconfig does not declare"
    assert any(remark.startswith(said) for remark in check.remarks)


def test_the_files_at_the_top_are_looked_at_as_well(lib: Path) -> None:  # noqa: F811
    (lib / "Kbuild").write_text("obj-$(CONFIG_X_TOP) += lib/\nobj-y += lib/x_lib.o\n")
    (lib / "Kconfig").write_text('config X_TOP\n\tbool "x"\n')
    (lib / "lib/Makefile").write_text("# nothing\n")
    check = checked(lib, {"Kconfig": "", "Kbuild": "obj-$(CONFIG_X_TOP) += lib/\n"})
    assert [f for f in check.faults if f.startswith(f"{USED} not built any more (Kbuild does")]
    assert any(r.startswith("Kbuild builds lib/ with CONFIG_X_TOP") for r in check.remarks)
