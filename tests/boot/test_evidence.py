# SPDX-License-Identifier: GPL-2.0-only
"""The JSON between ``patchgen boot`` and ``generate --boot-evidence``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from patchgen.boot.evidence import BootEvidence, dump, load, load_for, series_digest
from patchgen.boot.verdict import judge
from patchgen.model.outcome import UserError

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
    file.write_bytes(dump(evidence).replace(b'"format": 2', b'"format": 1'))
    with pytest.raises(UserError, match="has format 1, this version reads 2"):
        load(file)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "none.json")


_FILES: dict[str, bytes | None] = {"mm/ksm.c": b"new", "old.h": None}


def of_series(series: str) -> BootEvidence:
    evidence = samples.evidence((), ())
    setup = msgspec.structs.replace(evidence.setup, series=series)
    return msgspec.structs.replace(evidence, setup=setup)


def test_evidence_of_this_series_on_this_tree_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "boot.json"
    file.write_bytes(dump(of_series(series_digest(_FILES))))
    assert load_for(file, "5.10.1", _FILES).setup.version == "5.10.1"


@pytest.mark.parametrize(
    ("series", "version", "fault"),
    [
        ("", "5.10.1", "was measured without a series"),
        (series_digest(_FILES), "5.10.2", "on Linux 5.10.1, the tree is Linux 5.10.2"),
        (series_digest({**_FILES, "mm/ksm.c": b"other"}), "5.10.1", "with another series"),
        (series_digest({**_FILES, "more.c": b""}), "5.10.1", "with another series"),
    ],
)
def test_figures_of_something_else_are_refused(
    tmp_path: Path, series: str, version: str, fault: str
) -> None:
    file = tmp_path / "boot.json"
    file.write_bytes(dump(of_series(series)))
    with pytest.raises(UserError, match=fault):
        load_for(file, version, _FILES)
