# SPDX-License-Identifier: GPL-2.0-only
"""A baseline file: findings that are known and shall not be reported again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from patchgen.model.findings import Finding
from patchgen.model.outcome import UserError
from patchgen.report.findings import fingerprints
from patchgen.sandbox.reader import read_given
from patchgen.sandbox.writer import write_given


class _Known(msgspec.Struct, frozen=True):
    fingerprint: str
    rule: str
    file: str
    function: str
    message: str


class _Baseline(msgspec.Struct, frozen=True):
    patchgen_baseline: int
    findings: list[_Known]


def write_baseline(path: Path, findings: Sequence[Finding]) -> None:
    """Write the findings as the baseline; UserError where the file cannot be written."""
    known = [
        _Known(name, f.rule, f.place.path, f.function, f.message)
        for f, name in zip(findings, fingerprints(findings), strict=True)
    ]
    data = msgspec.json.format(msgspec.json.encode(_Baseline(1, known)), indent=1) + b"\n"
    write_given(path, data)


def without_baseline(path: Path, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings that the baseline does not know; UserError for a bad file."""
    try:
        given = read_given(path)
        if given is None:
            raise UserError("no such file", str(path), "--write-baseline makes one")
        data = msgspec.json.decode(given, type=_Baseline)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"is no baseline: {error}", str(path), "--write-baseline") from None
    known = {entry.fingerprint for entry in data.findings}
    names = fingerprints(findings)
    return tuple(f for f, name in zip(findings, names, strict=True) if name not in known)
