# SPDX-License-Identifier: GPL-2.0-only
"""Findings for people and for machines: text, gcc lines, JSON, GitHub annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from patchgen.memo import digest
from patchgen.model.findings import Finding, Step
from patchgen.rules.run import LintResult
from patchgen.terminal import printable

Read = Callable[[str], bytes | None]


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """A stable name for each finding: it survives moved lines, not a changed message.

    Two findings that are alike in one function are told apart by their order.
    """
    seen: Counter[str] = Counter()
    names = []
    for finding in findings:
        stem = digest(finding.rule, finding.place.path, finding.function, finding.message)
        seen[stem] += 1
        names.append(digest(stem, str(seen[stem]))[:24])
    return names


def quiet_lines(result: LintResult) -> Iterator[str]:
    """A line for each finding, and no other: nothing at all where there is none."""
    for finding in result.findings:
        head = f"{finding.place}:{finding.column}: {finding.severity}: {finding.message}"
        yield f"{head} [{finding.rule}]"


def text_lines(
    result: LintResult, read: Read, verbose: bool, accounted: bool = False
) -> Iterator[str]:
    """Each finding with its witness, source lines and carets; then the totals."""
    sources = _Sources(read)
    for finding in result.findings:
        head = f"{finding.place}:{finding.column}: {finding.severity}: {finding.message}"
        yield f"{head} [{finding.rule}]"
        yield from sources.caret(finding)
        if len(finding.path_steps) > 1 or verbose:
            for number, step in enumerate(finding.path_steps, 1):
                yield f"    {number}. {step.place}: {step.text}"
                yield from sources.step(step)
    if verbose:
        for place in result.undecided:
            yield f"{place.place}: undecided: {place.reason} [{place.rule}]"
        for where_to, what in () if accounted else result.unfollowed:
            yield f"{where_to}: {what}"
        for gone in result.suppressed:
            where = gone.finding.place
            yield f"{where}: suppressed: {gone.finding.message} ({gone.reason})"
    yield summary(result, accounted)


def summary(result: LintResult, accounted: bool = False) -> str:
    """One line: how many findings and undecided places, in which files, and what was not seen.

    "0 findings" stands only beside files that were analysed.  ``accounted``: each callback is
    told elsewhere.
    """
    parts = []
    if result.analysed or result.findings or not (result.unparsed or result.failed):
        parts.append(f"{_findings(result.findings)} in {_count(len(result.analysed), 'file')}")
    open_rules = Counter(place.rule for place in result.undecided)
    if result.undecided:
        rules = ", ".join(f"{rule} {count}" for rule, count in sorted(open_rules.items()))
        parts.append(f"{len(result.undecided)} undecided ({rules})")
    if result.suppressed:
        parts.append(f"{len(result.suppressed)} suppressed")
    lost = len({path for path, _ in result.failed} | (set(result.files) - set(result.analysed)))
    if lost:
        parts.append(f"{_count(lost, 'file')} not analysed, or not in full")
    inactive, mentions = result.inactive
    if inactive:
        parts.append(f"{inactive} of {mentions} mentions inactive (patchgen inspect lists them)")
    if result.unfollowed and not accounted:
        parts.append(f"{_count(len(result.unfollowed), 'callback')} not followed in full (-v)")
    parts += [f"{path}: {why}" for path, why in result.unasked]
    return "; ".join(parts)


def _findings(found: Sequence[Finding]) -> str:
    by_rule = Counter(finding.rule for finding in found)
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(by_rule.items()))
    return _count(len(found), "finding") + (f" ({rules})" if rules else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class _Sources:
    """Lines of sources as they are shown: printable, tabs expanded, of bounded length."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._files: dict[str, list[bytes] | None] = {}

    def line(self, path: str, number: int) -> bytes | None:
        """Line ``number`` of a file, from 1; None: there is none."""
        if path not in self._files:
            source = self._read(path)
            self._files[path] = None if source is None else source.split(b"\n")
        lines = self._files[path]
        return None if lines is None or not 0 < number <= len(lines) else lines[number - 1]

    def caret(self, finding: Finding) -> Iterator[str]:
        """The finding's line, and marks under its extent there."""
        line = self.line(finding.place.path, finding.place.line)
        if line is None:
            return
        start = max(0, finding.column - 1)
        end = min(len(line), start + max(1, finding.span.end - finding.span.start))
        cut = start - _BEFORE if start > _WIDTH else 0
        before, under = _shown(line[cut:start]), _shown(line[start : min(end, cut + _WIDTH)])
        rest = _shown(line[max(start, min(end, cut + _WIDTH)) : cut + _WIDTH])
        head = "..." if cut else ""
        tail = "..." if cut + _WIDTH < len(line) else ""
        yield f"  {head}{before}{under}{rest}{tail}"
        yield "  " + " " * len(head + before) + "^" + "~" * (max(1, len(under)) - 1)

    def step(self, step: Step) -> Iterator[str]:
        """A step's line, without what indents it."""
        line = self.line(step.place.path, step.place.line)
        if line is not None:
            line = line.strip()
            yield f"       {_shown(line[:_WIDTH])}{'...' if len(line) > _WIDTH else ''}"


#: Bytes of a line that are shown at most, and of these before a finding far to the right.
_WIDTH, _BEFORE = 240, 60


def _shown(part: bytes) -> str:
    return printable(part.decode("utf-8", "surrogateescape").replace("\t", " " * 8))


def gcc_lines(result: LintResult) -> Iterator[str]:
    """``file:line:column: warning: message [MN020]``, the steps as notes."""
    for finding in result.findings:
        yield (
            f"{finding.place}:{finding.column}: {finding.severity}:"
            f" {finding.message} [{finding.rule}]"
        )
        for step in finding.path_steps[:-1]:
            yield f"{step.place}: note: {step.text}"


def github_lines(result: LintResult) -> Iterator[str]:
    """Workflow commands that GitHub shows beside the lines of a pull request."""
    kinds = {"error": "error", "warning": "warning", "note": "notice"}
    for finding in result.findings:
        fields = (
            f"file={_property(finding.place.path)},line={finding.place.line},"
            f"col={finding.column},title={finding.rule}"
        )
        lines = (finding.message, *(f"{s.place}: {s.text}" for s in finding.path_steps))
        message = "%0A".join(printable(line).replace("%", "%25") for line in lines)
        yield f"::{kinds[finding.severity]} {fields}::{message}"


def _property(text: str) -> str:
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(char, code)
    return text


def lint_data(result: LintResult) -> dict[str, Any]:
    """The result as plain data."""
    return {
        "findings": findings_data(result.findings),
        "undecided": [
            {"rule": u.rule, "file": u.place.path, "line": u.place.line, "reason": u.reason}
            for u in result.undecided
        ],
        "suppressed": [{**_finding(s.finding), "reason": s.reason} for s in result.suppressed],
        "files": list(result.files),
        "unparsed": [str(diagnostic) for diagnostic in result.unparsed],
        "failed": [{"file": path, "error": error} for path, error in result.failed],
        "analysed": list(result.analysed),
        "inactive_mentions": result.inactive[0],
        "not_followed": [
            {"file": place.path, "line": place.line, "reason": what}
            for place, what in result.unfollowed
        ],
        "callbacks": [
            {
                "file": one.place.path,
                "line": one.place.line,
                "function": one.function,
                "member": one.member,
                "leaves": one.leaves,
            }
            for one in result.callbacks
        ],
        "not_needed": [{"file": path, "reason": why} for path, why in result.unasked],
    }


def findings_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Findings as plain data, each with its stable name."""
    names = fingerprints(findings)
    return [{**_finding(f), "fingerprint": name} for f, name in zip(findings, names, strict=True)]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "file": finding.place.path,
        "line": finding.place.line,
        "column": finding.column,
        "function": finding.function,
        "message": finding.message,
        "steps": [
            {"file": s.place.path, "line": s.place.line, "text": s.text} for s in finding.path_steps
        ],
    }
