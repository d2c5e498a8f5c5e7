# SPDX-License-Identifier: GPL-2.0-only
"""Twice as much of anything takes twice the work, counted in calls: no clock is asked."""

import shutil
from pathlib import Path

import pytest

from tests.growth.measure import FILE, work
from tests.growth.shapes import HEAD, SHAPES, function

MINI = Path(__file__).parents[2] / "kernel-tree/mini"
#: Of the work for 2n more to that for n more; 2 where it is linear, 4 where it is quadratic.
MOST = 2.5
SIZE = 64
#: What still grows with the square, in small steps, and why; no worse than that.
SQUARE = {
    "sections": "each section's calls are looked for among all of the function's",
    "returns": "each return is a finding, and its path is what was before it, up to 128 steps",
    "terms of a condition": "a value that is none of n numbers is copied for each",
    "calls in a chain": "a summary is looked up among those of its callers",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growth") / "tree"
    shutil.copytree(MINI, folder)
    with pytest.MonkeyPatch.context() as patch:
        # What is imported and read once counts for nobody.
        patch.setenv("PATCHGEN_CACHE", str(folder.parent / "cache"))
        (folder / FILE).write_text(
            SHAPES["locks"](2) + SHAPES["tables of callbacks"](2)[len(HEAD) :]
        )
        work(folder)
        (folder / FILE).write_text(SHAPES["sections"](2))
        work(folder)
    return folder


@pytest.mark.parametrize("name", SHAPES)
def test_work_grows_with_what_is_given(root, tmp_path, monkeypatch, name):
    calls = []
    for factor in (1, 2, 4):
        monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / str(factor)))
        (root / FILE).write_text(SHAPES[name](SIZE * factor))
        made, result = work(root)
        calls.append(made)
        assert result.files or result.failed
    first, second = calls[1] - calls[0], calls[2] - calls[1]
    most = MOST + 2 * (name in SQUARE)
    assert second <= most * max(first, SIZE * 20), calls


@pytest.mark.parametrize(("power", "passes"), [(1, True), (2, False), (3, False)])
def test_the_bound_tells_what_is_linear(power, passes):
    first, second = ((4**power - 2**power) * SIZE**power, (2**power - 1) * SIZE**power)[::-1]
    assert (second <= MOST * max(first, SIZE * 20)) is passes


def test_a_way_of_any_length_is_shown_from_both_ends(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATCHGEN_CACHE", str(tmp_path / "cache"))
    ways = {}
    for number in (60, 300):
        conditions = "".join(f"if (g({i})) x = {i};\n" for i in range(number))
        (root / FILE).write_text(HEAD + function(conditions + "if (g(7)) return 7;\n"))
        finding = work(root)[1].findings[0]
        ways[number] = [step.text for step in finding.path_steps]
    assert not any("not shown" in text for text in ways[60]) and len(ways[60]) > 60
    [gap] = [text for text in ways[300] if "not shown" in text]
    place = ways[300].index(gap)
    lost = int(gap.removeprefix("(").split()[0])
    assert 60 < place < 70 and lost > 150 and len(ways[300]) < 135
    assert ways[300][:20] == ways[60][:20] and ways[300][-1] == ways[60][-1]
