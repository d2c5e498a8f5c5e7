# SPDX-License-Identifier: GPL-2.0-only
"""Findings for people and for machines: text, gcc lines, JSON, GitHub annotations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from patchgen.memo import digest
from patchgen.model.findings import Finding, Step
from patchgen.rules.run import LintResult

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


def text_lines(result: LintResult, read: Read, verbose: bool) -> Iterator[str]:
    """Each finding with its witness, source lines and carets; then the totals."""
    for finding in result.findings:
        head = f"{finding.place}:{finding.column}: {finding.severity}: {finding.message}"
        yield f"{head} [{finding.rule}]"
        yield from _caret(finding, read)
        if len(finding.path_steps) > 1 or verbose:
            for number, step in enumerate(finding.path_steps, 1):
                yield f"    {number}. {step.place}: {step.text}"
                yield from _source_line(step, read)
    if verbose:
        for place in result.undecided:
            yield f"{place.place}: undecided: {place.reason} [{place.rule}]"
        for where_to, what in result.unfollowed:
            yield f"{where_to}: {what}"
        for gone in result.suppressed:
            where = gone.finding.place
            yield f"{where}: suppressed: {gone.finding.message} ({gone.reason})"
    yield summary(result)


def summary(result: LintResult) -> str:
    """One line: how many findings and undecided places, in which files, and what was not seen.

    "0 findings" stands only beside files that were analysed.
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
    if result.unfollowed:
        parts.append(f"{_count(len(result.unfollowed), 'callback')} not followed in full (-v)")
    parts += [f"{path}: {why}" for path, why in result.unasked]
    return "; ".join(parts)


def _findings(found: Sequence[Finding]) -> str:
    by_rule = Counter(finding.rule for finding in found)
    rules = ", ".join(f"{rule} {count}" for rule, count in sorted(by_rule.items()))
    return _count(len(found), "finding") + (f" ({rules})" if rules else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _caret(finding: Finding, read: Read) -> Iterator[str]:
    source = read(finding.place.path)
    if source is None:
        return
    start = source.rfind(b"\n", 0, finding.span.start) + 1
    end = source.find(b"\n", start)
    line = source[start : end if end >= 0 else len(source)]
    before = line[: finding.span.start - start].decode("utf-8", "replace")
    under = source[finding.span.start : min(finding.span.end, start + len(line))]
    width = max(1, len(under.decode("utf-8", "replace")))
    yield "  " + line.decode("utf-8", "replace").expandtabs(8)
    yield "  " + " " * len(before.expandtabs(8)) + "^" + "~" * (width - 1)


def _source_line(step: Step, read: Read) -> Iterator[str]:
    source = read(step.place.path)
    if source is None:
        return
    lines = source.split(b"\n", step.place.line)
    if len(lines) >= step.place.line:
        shown = lines[step.place.line - 1].decode("utf-8", "replace").strip()
        yield f"       {shown}"


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
        steps = "".join(f"\n{s.place}: {s.text}" for s in finding.path_steps)
        message = (finding.message + steps).replace("%", "%25")
        message = message.replace("\r", "%0D").replace("\n", "%0A")
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
