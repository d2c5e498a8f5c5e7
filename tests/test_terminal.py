# SPDX-License-Identifier: GPL-2.0-only
"""What is printed is one line and moves no cursor, and only one module prints."""

import ast
import json
import unicodedata
from pathlib import Path

import pytest

from patchgen import terminal

PACKAGE = Path(terminal.__file__).parent
#: The bar of a download (rich's), and the console of the machine that is booted.
ELSEWHERE = {"cli/tree.py": {"Console"}, "boot/machine.py": {"Console"}}

HOSTILE = [
    "\0", "\a", "\b", "\t", "\n", "\r", "\x1b[31m", "\x1b]0;title\a", "\x7f", "\x85", "\x9b31m",
    "\u202e", "\u2066", "\u200f", "\u2028", "\u2029", "\ufeff", "\U000e0041", "\udcff", "\ud800",
]  # fmt: skip


def controls(text: str) -> list[str]:
    """What of a line a terminal obeys, or shows as nothing."""
    wrong = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [letter for letter in text if unicodedata.category(letter) in wrong]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_is_one_line_of_what_can_be_seen(capsys, text):
    terminal.say(f"a{text}b")
    terminal.say(f"c{text}d", err=True)
    out, err = capsys.readouterr()
    assert out.count("\n") == err.count("\n") == 1
    assert not controls(out[:-1]) and not controls(err[:-1])
    assert out.startswith("a") and out.endswith("b\n") and "\\" in out


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("indent", [None, 2])
def test_json_holds_the_value_and_nothing_that_a_terminal_obeys(capsys, text, indent):
    terminal.say_data({"a": [f"x{text}y"], "é": "plain"}, indent)
    out = capsys.readouterr().out
    assert not controls(out.replace("\n", ""))
    value = json.loads(out)
    assert value["é"] == "plain"
    if not "\ud800" <= text <= "\udfff":
        assert value["a"] == [f"x{text}y"]


def test_what_can_be_seen_stays_as_it_is(capsys):
    terminal.say("plain, é, 中文, →")
    terminal.say_data({"name": "é 中文"}, None)
    assert capsys.readouterr().out == 'plain, é, 中文, →\n{"name":"é 中文"}\n'


def test_text_keeps_its_own_lines(capsys):
    terminal.say_text("one\n\n  two\x1b[2J\n")
    assert capsys.readouterr().out == "one\n\n  two\\x1b[2J\n"


def test_nobody_else_prints():
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        name = str(file.relative_to(PACKAGE))
        if name == "terminal.py" or name.startswith("_"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                word = ast.unparse(node.func)
                if word in ELSEWHERE.get(name, ()):
                    continue
                if word in ("print", "Console") or word.endswith((".echo", ".secho")):
                    found.append(f"{name}:{node.lineno}: {word}()")
            elif isinstance(node, ast.Attribute):
                word = ast.unparse(node)
                if word in ("sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer"):
                    found.append(f"{name}:{node.lineno}: {word}")
    assert not found, found
