# SPDX-License-Identifier: GPL-2.0-only
"""Benchmark runs, read from what ``time`` and a script print, or from JSON.

Text: one measurement a line, as bash's and POSIX's ``time`` print it or as a pair::

    [ksm02]                 a run set; without one all runs are one set
    # anything behind a # is passed over
    real 0m12.345s          bash: minutes and seconds
    user 1.20               time -p: seconds
    sys 0.31s
    npages=26243            any name, = or :, and a number

A run ends at an empty line, at a line ``--``, or where a name comes a second time.

JSON: a list of runs, ``[{"real": 12.3, "npages": 26243}, ...]``, or an object from
run set to such a list.  Times are in seconds.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import read_given

Run = dict[str, float]
RunSets = dict[str, list[Run]]

_LINE = re.compile(r"([A-Za-z][\w.-]*)(?:\s*[=:]\s*|\s+)(\S+)$")
_TIME = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(\d+(?:[.,]\d+)?)s")
_MAX = 16 << 20


def read_runs(path: Path) -> RunSets:
    """The runs in a file by run set ("" when the file names none).

    Raises UserError with ``file:line`` for a line that is no measurement, and for
    runs of one set that do not measure the same.
    """
    data = read_given(path, _MAX)
    if data is None:
        raise UserError("cannot be read: no such file", str(path))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError("is no text", f"{path}:{line}") from error
    is_json = path.suffix == ".json" or text.lstrip()[:1] == "{" or _json_list(text)
    sets = _from_json(text, path) if is_json else _from_text(text, path)
    if not any(sets.values()):
        raise UserError("holds no measurement", str(path), "see patchgen stats --help")
    return sets


def _json_list(text: str) -> bool:
    return bool(re.match(r"\s*\[\s*(\{|\])", text))


def _from_text(text: str, path: Path) -> RunSets:
    sets: RunSets = {}
    name, run = "", Run()

    def finish() -> None:
        nonlocal run
        if run:
            sets.setdefault(name, []).append(run)
            run = Run()

    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#", 1)[0].strip()
        if not line or line == "--":
            finish()
        elif match := re.fullmatch(r"\[([\w .+-]+)\]", line):
            finish()
            name = match[1].strip()
        elif match := _LINE.fullmatch(line):
            if match[1] in run:
                finish()
            run[match[1]] = _number(match[2], f"{path}:{number}")
        else:
            raise UserError(f"is no measurement: {line[:60]!a}", f"{path}:{number}")
    finish()
    _check_same(sets, path)
    return sets


def _number(text: str, where: str) -> float:
    try:
        if match := _TIME.fullmatch(text):
            seconds = float(match[3].replace(",", "."))
            return int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + seconds
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"is no number: {text[:40]!a}", where)
    return value


def _from_json(text: str, path: Path) -> RunSets:
    try:
        loaded = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        raise UserError(f"is no JSON: {getattr(error, 'msg', error)}", f"{path}:{line}") from error
    sets = loaded if isinstance(loaded, dict) else {"": loaded}
    if isinstance(loaded, dict) and isinstance(loaded.get("runs"), list):
        sets = {"": loaded["runs"]}
    for name, runs in sets.items():
        if not isinstance(runs, list):
            raise UserError(f"run set {name!a} is no list of runs", str(path))
        for number, run in enumerate(runs, 1):
            where = f"{path}: run {number}" + (f" of {name}" if name else "")
            if not isinstance(run, dict) or not run:
                raise UserError("is no object of measurements", where)
            for key, value in run.items():
                good = isinstance(value, int | float) and not isinstance(value, bool)
                if not good or not math.isfinite(value):
                    raise UserError(f"{key!a} is no number", where)
    result: RunSets = {
        str(name): [{str(key): float(value) for key, value in run.items()} for run in runs]
        for name, runs in sets.items()
    }
    _check_same(result, path)
    return result


def _check_same(sets: RunSets, path: Path) -> None:
    for name, runs in sets.items():
        for number, run in enumerate(runs, 1):
            if set(run) != set(runs[0]):
                odd = ", ".join(sorted(set(run) ^ set(runs[0])))
                where = f"{path}: run {number}" + (f" of {name}" if name else "")
                raise UserError(f"not measured in every run: {odd}", where)
