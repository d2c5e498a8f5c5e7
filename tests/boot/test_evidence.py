# SPDX-License-Identifier: GPL-2.0-only
"""The JSON between ``patchgen boot`` and ``generate --boot-evidence``."""

from __future__ import annotations

from pathlib import Path

import pytest

from patchgen.boot.evidence import dump, load
from patchgen.boot.verdict import judge
from patchgen.outcome import UserError

from . import samples


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    evidence = samples.evidence(
        (samples.base(), samples.patched()), (judge(samples.base(), samples.patched()),)
    )
    file = tmp_path / "boot.json"
    file.write_bytes(dump(evidence))
    assert load(file) == evidence


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is no result of patchgen boot"),
        (b"\xff\xfe", "is no result of patchgen boot"),
        (b'{"format": 1}', "missing required field"),
        (b'{"format": "1"}', "Expected `int`"),
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, data: bytes, text: str) -> None:
    file = tmp_path / "boot.json"
    file.write_bytes(data)
    with pytest.raises(UserError) as error:
        load(file)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_another_format_is_refused(tmp_path: Path) -> None:
    evidence = samples.evidence((), ())
    file = tmp_path / "boot.json"
    file.write_bytes(dump(evidence).replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(UserError, match="has format 2, this version reads 1"):
        load(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load(tmp_path / "none.json")
