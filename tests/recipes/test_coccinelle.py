# SPDX-License-Identifier: GPL-2.0-only
"""The mechanical steps against Coccinelle's result for an equivalent semantic patch.

Both run on the same state; the results must be the same C tokens.  White space is
not compared: where a line is broken is a matter of style, and checkpatch's.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from patchgen.pipeline.plan import make_plan
from patchgen.source.c.lexer import Tokens
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.describe import describe

PATCHES = Path(__file__).parent / "cocci"
HEADER = "include/linux/mmu_notifier.h"


@pytest.fixture(scope="module")
def spatch(need):
    need("spatch")
    return shutil.which("spatch")


def transformed(spatch, script, state, paths, folder):
    """What spatch makes of ``paths`` in ``state``: path to bytes."""
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(state.read(path))
    command = [spatch, "--very-quiet", "--no-includes", "--in-place", "--sp-file"]
    done = subprocess.run(
        [*command, str(PATCHES / script), *paths], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return {path: (folder / path).read_bytes() for path in paths}


def tokens(source):
    return Tokens(source).texts


def compare_step(spatch, script, planned, explained, folder):
    """Ours and Coccinelle's tokens for every source that either of them changes."""
    mentioning = ("mmu_notifier_range", "mmu_notifier_range_init")
    paths = [p for p in planned.before.paths_mentioning(*mentioning) if p.endswith(".c")]
    theirs = transformed(spatch, script, planned.before, paths, folder)
    changed = 0
    for path in paths:
        ours = tokens(planned.after.read(path))
        assert ours == tokens(theirs[path]), path
        changed += ours != tokens(planned.before.read(path))
    only_ours = set(planned.patch.files) - set(paths)
    assert only_ours == explained
    return changed


@pytest.fixture(scope="module")
def plan(mini50):
    return make_plan(TreeState(describe(mini50)), ["mmu-notifier-v05"])


def test_use_of_the_helper(spatch, plan, tmp_path):
    planned = plan.planned[1]
    assert "use the helper" in planned.plan.subject
    assert compare_step(spatch, "use_helper.cocci", planned, set(), tmp_path) == 9


def test_new_arguments(spatch, plan, tmp_path):
    planned = plan.planned[4]
    assert "initialiser event, flags and vma" in planned.plan.subject
    # The initialiser itself is not a call: its parameters are ours alone.
    assert compare_step(spatch, "new_arguments.cocci", planned, {HEADER}, tmp_path) == 13


@pytest.mark.kernel("5.0")
@pytest.mark.parametrize(
    ("number", "script", "explained", "changed"),
    [(1, "use_helper.cocci", set(), 8), (4, "new_arguments.cocci", {HEADER}, 13)],
)
def test_on_a_real_5_0(spatch, kernel_tree, tmp_path, number, script, explained, changed):
    real = make_plan(TreeState(describe(kernel_tree("5.0"))), ["mmu-notifier-v05"])
    assert compare_step(spatch, script, real.planned[number], explained, tmp_path) == changed
