# SPDX-License-Identifier: GPL-2.0-only
"""Suppression comments in the source, each with a reason.

    /* patchgen: ignore MN028 -- the lock is only held for a few loads */

on the finding's line, or alone on the line before it.  Without a reason after
``--`` the comment suppresses nothing, and says so in the finding's message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from patchgen.model.base import Value
from patchgen.model.findings import Finding

_COMMENT = re.compile(
    rb"patchgen:\s*ignore\s+(MN\d{3}(?:\s*,\s*MN\d{3})*)\s*(?:--\s*(.*?))?\s*(?:\*/|$)"
)


class Suppressed(Value, frozen=True):
    """A finding that a comment suppresses, with the comment's reason."""

    finding: Finding
    reason: str


def suppress(
    findings: Sequence[Finding], read: Callable[[str], bytes | None]
) -> tuple[tuple[Finding, ...], tuple[Suppressed, ...]]:
    """The findings that stay, and those that a comment with a reason suppresses."""
    kept: list[Finding] = []
    gone: list[Suppressed] = []
    lines: dict[str, list[bytes]] = {}
    for finding in findings:
        path = finding.place.path
        if path not in lines:
            lines[path] = (read(path) or b"").split(b"\n")
        reason = _reason(finding, lines[path])
        if reason is None:
            kept.append(finding)
        elif reason:
            gone.append(Suppressed(finding, reason))
        else:
            said = f"{finding.message} (the suppression comment gives no reason after --)"
            kept.append(msgspec.structs.replace(finding, message=said))
    return tuple(kept), tuple(gone)


def _reason(finding: Finding, lines: list[bytes]) -> str | None:
    """The comment's reason, "" for one without a reason, None for no comment."""
    for number in (finding.place.line, finding.place.line - 1):
        if not 1 <= number <= len(lines):
            continue
        line = lines[number - 1]
        match = _COMMENT.search(line)
        if match is None:
            continue
        alone = line.strip().startswith((b"/*", b"//"))
        if number != finding.place.line and not alone:
            continue
        named = [name.strip() for name in match.group(1).decode().split(",")]
        if finding.rule in named:
            return (match.group(2) or b"").decode("utf-8", "replace")
    return None
