# SPDX-License-Identifier: GPL-2.0-only
"""Edits never change a byte outside their spans, in whatever order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchgen.edits.apply import Overlap, apply, edit_set
from patchgen.model.base import Span
from patchgen.model.plan import Edit


@st.composite
def source_and_edits(draw):
    source = draw(st.binary(max_size=120))
    cuts = sorted(draw(st.lists(st.integers(0, len(source)), max_size=12, unique=True)))
    edits = []
    for start, end in zip(cuts[0::2], cuts[1::2], strict=False):
        edits.append(Edit("f", Span(start, end), draw(st.binary(max_size=10))))
    return source, edits


@given(source_and_edits(), st.randoms())
def test_bytes_outside_the_spans_stay_and_order_does_not_matter(case, random):
    source, edits = case
    once = apply(source, edits)
    shuffled = list(edits)
    random.shuffle(shuffled)
    assert apply(source, shuffled) == once
    # Walk both texts: between two edits the bytes are the source's own.
    at = out = 0
    for edit in sorted(edits):
        gap = source[at : edit.span.start]
        assert once[out : out + len(gap)] == gap
        out += len(gap)
        assert once[out : out + len(edit.new)] == edit.new
        out += len(edit.new)
        at = edit.span.end
    assert once[out:] == source[at:]


@given(source_and_edits())
def test_the_same_edit_twice_is_once(case):
    source, edits = case
    assert apply(source, edits + edits) == apply(source, edits)


@pytest.mark.parametrize(
    "spans", [[(0, 3), (2, 4)], [(1, 1), (1, 1)], [(0, 5), (2, 3)], [(3, 2)], [(-1, 0)], [(4, 99)]]
)
def test_overlap_and_spans_outside_are_refused(spans):
    edits = [Edit("f", Span(*span), bytes([65 + number])) for number, span in enumerate(spans)]
    with pytest.raises(Overlap):
        apply(b"0123456789", edits)


def test_edits_of_two_files_are_no_set():
    with pytest.raises(Overlap):
        edit_set([Edit("a", Span(0, 1), b""), Edit("b", Span(4, 5), b"")])


def test_an_insertion_beside_a_replacement_is_fine():
    edits = [Edit("f", Span(2, 4), b"X"), Edit("f", Span(4, 4), b"Y"), Edit("f", Span(2, 2), b"Z")]
    with pytest.raises(Overlap):
        apply(b"abcdef", [*edits, Edit("f", Span(3, 3), b"no")])
    assert apply(b"abcdef", edits[:2]) == b"abXYef"
