# SPDX-License-Identifier: GPL-2.0-only
"""smatch's tests: of locks (``sm_locking*.c``), and of the values on which locks depend.

Where a test prints what a variable may hold, a lock is taken there: if it holds something
else (correct, for it never does), and if it holds that (a fault).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from patchgen.source.c.body import functions_in
from tests.locks_suites.case import CORRECT, FAULT, Case, roots

_LOCKING = re.compile(r"^[\w.-]+\.c:\d+ (\w+)\(\) (?:error|warn): (.*)$", re.MULTILINE)
_PRINTED = re.compile(r"^[\w.-]+\.c:(\d+) \w+\(\) (?:implied: )?.+? = '?([^'\n]*)'?$", re.MULTILINE)
_CHECK = re.compile(r"__smatch_(?:implied|value)\((.*)\);")
_ANY_CHECK = re.compile(r"__smatch_\w+\(.*?\);")
_INCLUDE = re.compile(r"^\s*#\s*include[^\n]*$", re.MULTILINE)
_RANGE = re.compile(r"^(\(?-?\w+\)?)(?:-(\(?-?\w+\)?))?$")
_NUMBER = re.compile(r"-?(?:0x[0-9a-f]+|\d+)")


def locking(folder: Path) -> Iterator[Case]:
    """The tests of locks: each message is a fault of its function."""
    for path in sorted((folder / "validation").glob("sm_locking*.c")):
        code, expected = _parts(path)
        source = _as_kernel(code)
        for function, message in _LOCKING.findall(expected):
            name = f"{path.name} {function}: {message.partition('(')[0].strip()}"
            yield Case("smatch locking", name, FAULT, source, f"{function}();")


def _parts(path: Path) -> tuple[str, str]:
    """A test's code, without what it includes, and what it expects."""
    text = path.read_text(encoding="utf-8", errors="replace")
    code, _, expected = text.partition("check-name:")
    return _INCLUDE.sub("", code.rpartition("/*")[0]), expected


def _as_kernel(code: str) -> str:
    """Locks that are numbers there are objects here."""
    code = re.sub(r"^\w[\w ]*\b_?_?\w*(?:spin|irq)\w*\([^)]*\);$", "", code, flags=re.MULTILINE)
    code = re.sub(r"\(flags\) = __raw_local_irq_save\(\)", "local_irq_save(flags)", code)
    return re.sub(r"\b_(spin_\w+)\((\w+)", r"\1(&\2", code)


def values(folder: Path) -> Iterator[Case]:
    """The tests that print values, each printed one as two cases."""
    for path in sorted((folder / "validation").glob("sm_*.c")):
        code, expected = _parts(path)
        if re.search(r"= __smatch_", code):
            continue  # values that only smatch can make
        printed: dict[int, set[str]] = {}
        for line, shown in _PRINTED.findall(expected):
            printed.setdefault(int(line), set()).add(shown)
        for line, shown in sorted(printed.items()):
            if len(shown) == 1:
                yield from _value(path.name, code, line, shown.pop())


def _value(name: str, code: str, line: int, shown: str) -> Iterator[Case]:
    lines = code.split("\n")
    found = _CHECK.search(lines[line - 1]) if line <= len(lines) else None
    if found is None:
        return
    expr = found[1].strip('"')
    test = _test(expr, shown)
    if not test:
        return
    before, after = lines[line - 1][: found.start()], lines[line - 1][found.end() :]
    for kind, asked in ((CORRECT, f"!({test})"), (FAULT, test)):
        made = [_ANY_CHECK.sub(";", one) for one in lines]
        made[line - 1] = f"{before}if ({asked}) spin_lock(&suite_lock);{after}"
        source = "\n".join(made)
        function = _function_at(source, line)
        if function:
            calls = " ".join(roots(source, function))
            yield Case("smatch values", f"{name}:{line} {expr} is {shown}", kind, source, calls)


def _function_at(source: str, line: int) -> str:
    found = [f for f in functions_in(source.encode(), "x.c") if f.line <= line <= f.end_line]
    return found[0].name if found else ""


def _test(expr: str, shown: str) -> str:
    """C for "``expr`` is in the set that is shown"; "" where the set says nothing.

    An address's number says nothing either: C has no such constant.
    """
    if (
        "*)" in expr
        or "array + 1" in expr
        or "ptr_max" in shown
        or expr.startswith("&")
        or re.fullmatch(r"\d{10,}", shown)
    ):
        return ""
    parts = []
    for piece in shown.split(","):
        match = _RANGE.match(piece.strip())
        if match is None:
            return ""
        low, high = (word.strip("()") if word else "" for word in match.groups())
        if not high:
            if not _NUMBER.fullmatch(low):
                return ""
            parts.append(f"({expr}) == {low}")
            continue
        bounds = [f"({expr}) >= {low}"] if _NUMBER.fullmatch(low) else []
        bounds += [f"({expr}) <= {high}"] if _NUMBER.fullmatch(high) else []
        if not bounds or (low == "0" and high.endswith("max") and "," not in shown):
            return ""  # any value of an unsigned type
        parts.append("(" + " && ".join(bounds) + ")")
    return " || ".join(parts)
