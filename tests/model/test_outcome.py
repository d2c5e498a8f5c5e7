# SPDX-License-Identifier: GPL-2.0-only
"""One line for one fault: the file that it is of stands in it, once."""

import pytest

from patchgen.model.outcome import UserError, located


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("nested too deeply", "mm/x.c: nested too deeply"),
        (str(UserError("not a regular file", "mm/x.c")), "mm/x.c: not a regular file"),
        ("mm/x.c:3:1: expected ';'", "mm/x.c:3:1: expected ';'"),
        (
            "include/x.h: changed while it was read",
            "mm/x.c: include/x.h: changed while it was read",
        ),
        ("mm/x.cc: is another", "mm/x.c: mm/x.cc: is another"),
        ("is included by mm/x.c", "mm/x.c: is included by mm/x.c"),
        ("mm/x.c", "mm/x.c"),
    ],
)
def test_a_file_is_named_once(error, line):
    assert located("mm/x.c", error) == line
