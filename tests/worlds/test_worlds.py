# SPDX-License-Identifier: GPL-2.0-only
"""A sample of the edited trees; ``make tree-mutants`` tries all of them."""

from itertools import chain

import pytest

from tests.worlds import guests, handlers, keeping, proved, real, sites, subscribed, told, walks
from tests.worlds.edit import answer, stopped
from tests.worlds.edit import proved as proof_of

TABLES = (told, handlers, sites, guests, walks, subscribed, keeping)
PROVED = (guests, walks, subscribed, keeping)
#: Edits of what 5.10 has not: the cache of pfns, the common walk.
OF_6_1 = [
    pytest.param(edit, id=edit.why.replace(" ", "-"))
    for edit in proved.WRONG
    if (edit.path == proved.CACHE and "6.6" not in edit.why) or "(common)" in edit.why
]
#: Planning one tree takes half a second; these parts of the tables come by every kind.
WRONG_STEP, KEPT_STEP = 19, 12


def sample(tables, name, step):
    edits = [*chain.from_iterable(getattr(table, name) for table in tables)]
    return [pytest.param(edit, id=edit.why.replace(" ", "-")) for edit in edits[::step]]


@pytest.mark.parametrize("edit", sample(TABLES, "WRONG", WRONG_STEP))
def test_a_wrong_tree_is_refused_with_the_line(mini, edit):
    assert stopped(edit, answer(mini, edit)) == ""


@pytest.mark.parametrize("edit", sample(TABLES, "KEPT", KEPT_STEP))
def test_a_tree_that_means_the_same_is_still_planned(mini, edit):
    found = answer(mini, edit)
    assert found.planned, found.text


@pytest.mark.parametrize("edit", sample(PROVED, "WRONG", 14))
def test_a_wrong_tree_is_not_proved_either(mini, edit):
    assert stopped(edit, proof_of(mini, edit)) == ""


@pytest.mark.parametrize("edit", sample(PROVED, "KEPT", 9))
def test_a_tree_that_means_the_same_is_still_proved(mini, edit):
    found = proof_of(mini, edit)
    assert found.planned, found.text


@pytest.mark.kernel("5.10")
@pytest.mark.parametrize("edit", sample((real,), "WRONG", 11))
def test_a_wrong_edit_of_linux_5_10_is_seen_where_it_is(kernel_tree, edit):
    found = real.faults(kernel_tree("5.10"), edit)
    assert any(one.startswith((edit.path, edit.told_in or edit.path)) for one in found), found


@pytest.mark.kernel("5.10")
@pytest.mark.parametrize("edit", sample((real,), "KEPT", 5))
def test_linux_5_10_is_understood_as_it_is_and_with_harmless_edits(kernel_tree, edit):
    assert real.faults(kernel_tree("5.10"), edit) == ()


@pytest.mark.kernel("6.1")
@pytest.mark.parametrize("edit", OF_6_1[::4])
def test_a_wrong_edit_of_linux_6_1_is_not_proved(kernel_tree, edit):
    root = kernel_tree("6.1")
    moved = proved.fitting(root, edit)
    assert moved is not None
    assert proved.wrong(root, moved) == ""
