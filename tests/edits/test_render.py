# SPDX-License-Identifier: GPL-2.0-only
"""Values from a tree cannot end what they stand in."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.edits import render as module
from patchgen.edits.render import render
from patchgen.model.outcome import UserError


@pytest.fixture(autouse=True)
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "r").mkdir()
    (tmp_path / "r/guard.c").write_text("\tif ({{ name }})\n\t\treturn; /* {{ why }} */\n")
    (tmp_path / "r/message").write_text("{% for one in lines %}\n- {{ one }}\n{% endfor %}\n")
    monkeypatch.setattr(module, "TEMPLATES", tmp_path)
    module._environment.cache_clear()
    yield tmp_path
    module._environment.cache_clear()


def test_bytes_of_the_template_stay() -> None:
    assert render("r/guard.c", {"name": "a<b && c", "why": "x"}) == (
        "\tif (a<b && c)\n\t\treturn; /* x */\n"
    )
    assert render("r/message", {"lines": ["a", "b\nc"]}) == "- a\n- b\nc\n"


@pytest.mark.parametrize("value", ["*/", "/*", "//", "a\nb", "a\\", "\x1b[0m", "\u202e", "\x00"])
def test_values_that_break_out_of_c_are_refused(value: str) -> None:
    with pytest.raises(UserError, match=r"r/guard\.c: why"):
        render("r/guard.c", {"name": "a", "why": f"x {value} y"})


@pytest.mark.parametrize("value", ["\x1b[0m", "\u2066", "\r", "\x7f", "\ud800"])
def test_control_characters_are_refused_everywhere(value: str) -> None:
    with pytest.raises(UserError, match="r/message: lines"):
        render("r/message", {"lines": ["fine", value]})


def test_values_are_never_templates() -> None:
    assert render("r/message", {"lines": ["{{ 7 * 7 }}"]}) == "- {{ 7 * 7 }}\n"


def test_missing_values_and_templates_are_named() -> None:
    with pytest.raises(UserError, match=r"'why' is undefined"):
        render("r/guard.c", {"name": "a"})
    with pytest.raises(UserError, match="no such template"):
        render("r/absent.c", {})


def test_objects_are_no_values() -> None:
    with pytest.raises(UserError, match="type"):
        render("r/message", {"lines": [object()]})
