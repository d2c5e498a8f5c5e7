# SPDX-License-Identifier: GPL-2.0-only
"""sparse's tests of lock contexts: ``validation/context*.c``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.locks_suites.case import CORRECT, FAULT, Case

_FUNCTION = re.compile(
    r"^(?:static|extern)?\s*\w+ (\w+)\(([^)]*)\)\s*"
    r"(?:__attribute__\(\(context\((\d),(\d)\)\)\))?\s*\{",
    re.MULTILINE,
)
_WARNED = re.compile(r"^[\w.-]+\.c:\d+:\d+: warning: context imbalance in '(\w+)'", re.MULTILINE)


def cases(folder: Path) -> Iterator[Case]:
    """Each function of the tests that compile, annotated ones with their other half."""
    for path in sorted((folder / "validation").glob("context*.c")):
        text = path.read_text(encoding="utf-8", errors="replace")
        code, _, expected = text.partition("check-name:")
        if "error: " in expected:
            continue  # a test of the syntax
        source = _as_sections(code.rpartition("/*")[0])
        warned = set(_WARNED.findall(expected))
        for name, _, before, after in _FUNCTION.findall(source):
            if name in ("a", "r") or name.startswith("_"):
                continue
            kind = FAULT if name in warned else CORRECT
            calls = f"{'a(); ' * (before == '1')}{name}(0);{' r();' * (after == '1')}"
            plain = re.sub(r"__attribute__\(\(context\(\d,\d\)\)\)", "", source)
            yield Case("sparse", f"{path.name} {name}", kind, plain, calls)


def _as_sections(code: str) -> str:
    """A context is an RCU section: that one nests, too."""
    code = re.sub(r"__context__\(1\)", "rcu_read_lock()", code)
    return re.sub(r"__context__\(-1\)", "rcu_read_unlock()", code)
