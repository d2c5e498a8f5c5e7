# SPDX-License-Identifier: GPL-2.0-only
"""Shapes of expressions are checked by mypy, so that a misspelt one cannot be asked for."""

from pathlib import Path

import pytest
from mypy import api

ASKS = """
from patchgen.model.code import Expr


def is_call(expr: Expr) -> bool:
    return expr.kind {test}
"""


@pytest.mark.parametrize(
    "test,right",
    [
        ('== "call"', True),
        ('in ("member", "arrow")', True),
        ('== "cal"', False),
        ('!= "arow"', False),
    ],
)
def test_a_misspelt_kind_in_a_comparison_is_refused(tmp_path: Path, test: str, right: bool) -> None:
    file = tmp_path / "asks.py"
    file.write_text(ASKS.format(test=test))
    out, _, status = api.run(["--strict", "--config-file", "setup.cfg", str(file)])
    assert (status == 0) is right, out
