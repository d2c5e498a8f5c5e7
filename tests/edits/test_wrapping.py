# SPDX-License-Identifier: GPL-2.0-only
"""No line of a commit message is wider than checkpatch allows, whatever a tree is called."""

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, meta

from patchgen.edits.realise import message
from patchgen.edits.render import TEMPLATES
from patchgen.edits.wrapping import MESSAGE_LIMIT, MESSAGE_WIDTH, reflow
from patchgen.model.plan import PatchPlan

#: Every template of a commit message: they lie beside the C fragments of the recipes.
MESSAGES = sorted(
    str(file.relative_to(TEMPLATES))
    for file in TEMPLATES.rglob("*.j2")
    if not re.search(r"\.(c|h|pml|html)\.j2$", file.name)
    and file.relative_to(TEMPLATES).parts[0] not in ("series", "proof")
)

name = st.text("abcdefgh_", min_size=1, max_size=120)
path = st.lists(st.text("abcdefgh-_", min_size=1, max_size=40), min_size=1, max_size=9).map(
    lambda parts: "/".join(parts) + ".c"
)
words = st.lists(name, min_size=1, max_size=12).map(" ".join)
text = st.one_of(name, path, words, st.builds("{}:{}".format, path, st.integers(1, 99999)))


def value_of(variable, source):
    """A strategy for a variable of a template, by how the template uses it."""
    if re.search(rf"for (\w+) in {variable}\b", source):
        inner = re.search(rf"for (\w+) in {variable}\b", source)[1]
        members = set(re.findall(rf"\b{inner}\.(\w+)", source)) - {"last"}
        if not members:
            return st.lists(text, min_size=1, max_size=40)
        one = {
            m: st.lists(text, min_size=1, max_size=30)
            if re.search(rf"in {inner}\.{m}\b", source)
            else text
            for m in members
        }
        return st.lists(st.fixed_dictionaries(one), min_size=1, max_size=12)
    if re.search(rf"\b{variable} \| join", source):
        return st.lists(text, min_size=1, max_size=40)
    if re.search(rf"\b{variable} (!=|%|\|\|) \d|% {variable}\b", source):
        return st.integers(1, 10**9)
    return text


@pytest.mark.parametrize("template", MESSAGES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_no_line_is_too_wide(template, data):
    source = (TEMPLATES / template).read_text()
    names = meta.find_undeclared_variables(Environment().parse(source))
    context = {one: data.draw(value_of(one, source), label=one) for one in sorted(names)}
    plan = PatchPlan("r", "mm: do it", template, context, ())
    lines = message(plan, {}).split("\n")
    assert max(len(line.encode()) for line in lines) <= MESSAGE_LIMIT
    assert not any(line != line.rstrip() for line in lines)


def test_every_recipe_with_a_message_is_tried():
    from patchgen.recipes import base

    used = set()
    for file in Path(base.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "message":
                parts = [n.value for n in ast.walk(node.value) if isinstance(n, ast.Constant)]
                used.add(parts[-1])
    assert len(used) > 9
    missing = [one for one in used if not any(known.endswith(one) for known in MESSAGES)]
    assert not missing


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=90)))
def test_widths_are_bytes(parts):
    assert all(len(x.encode()) <= MESSAGE_LIMIT for x in reflow(" ".join(parts)).split("\n"))


def test_what_fits_stays_byte_for_byte():
    kept = (
        "One sentence.  Another\nbelow it.\n\n  @@\n  - a\n  + b\n\n - item, path.c:\n   "
        + "x" * 72
    )
    assert reflow(kept) == kept.replace("Another\nbelow", "Another below")


def test_a_list_goes_on_below_its_text():
    lines = reflow(" - " + " ".join(["transition"] * 12)).split("\n")
    assert len(lines) == 2
    assert [line[:3] for line in lines] == [" - ", "   "]
    deep = reflow("   " + " ".join(["transition"] * 12)).split("\n")
    assert [line[:4] for line in deep] == ["   t", "   t"]


def test_a_word_that_fits_nowhere_loses_its_middle_and_a_path_its_head():
    function, place = "f" * 100 + "_end()", "drivers/" + "deep/" * 30 + "file.c:12:"
    short = reflow(f"see {function} in {place}").split()
    assert short[1].startswith("fff")
    assert short[1].endswith("f_end()")
    assert "..." in short[1]
    assert short[3].startswith(".../deep/")
    assert short[3].endswith("/file.c:12:")
    assert all(len(word) <= MESSAGE_WIDTH for word in short)
