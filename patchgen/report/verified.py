# SPDX-License-Identifier: GPL-2.0-only
"""A series' verification: a table for people, JSON, and what b4 expects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from patchgen.kbuild.built import Built
from patchgen.verify.checked import PatchCheck
from patchgen.verify.coverage import NOT_ANALYSED, STATES
from patchgen.verify.message import MessageFault


class VerifiedPatch(Protocol):
    """What is shown of one patch (:class:`patchgen.pipeline.verify.VerifiedPatch`)."""

    @property
    def number(self) -> int: ...
    @property
    def subject(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def paths(self) -> tuple[str, ...]: ...
    @property
    def misfits(self) -> tuple[str, ...]: ...
    @property
    def tried(self) -> bool: ...
    @property
    def check(self) -> PatchCheck | None: ...
    @property
    def message(self) -> tuple[MessageFault, ...]: ...
    @property
    def built(self) -> Built | None: ...
    @property
    def faults(self) -> tuple[str, ...]: ...
    @property
    def undecided(self) -> tuple[str, ...]: ...
    @property
    def remarks(self) -> tuple[str, ...]: ...
    @property
    def allowed(self) -> bool: ...


def verified_lines(
    patches: Sequence[VerifiedPatch], total: int, proof: str, verbose: bool
) -> Iterator[str]:
    """The table, then every fault under its patch."""
    rows: list[tuple[str, ...]] = [
        ("verify", "applies", "parses", "API", "lint", "checkpatch", "message")
    ]
    for patch in patches:
        rows.append((f"  {patch.number}/{total}", *_cells(patch)))
    if any(patch.built for patch in patches):
        rows = [
            (*row, cell) for row, cell in zip(rows, ["build", *map(_build, patches)], strict=True)
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    if proof:
        yield f"proof   {proof}"
    if covered := coverage_line(patches):
        yield covered
    for patch in patches:
        allowed = patch.undecided if patch.allowed else ()
        shown = [text for text in patch.remarks if verbose or text != _UNSIGNED]
        others = _not_looked_at(patch)
        if patch.faults or shown or allowed or others or verbose:
            yield f"{patch.number}/{total}  {patch.subject}"
        yield from (f"     {fault}" for fault in patch.faults)
        yield from (f"     {text} (taken all the same)" for text in allowed)
        yield from (f"     note: {text}" for text in (*others, *shown))
        if verbose:
            files = patch.check.files if patch.check is not None else ()
            yield from (f"     {verdict}" for verdict in files)
            if patch.check is not None and patch.check.users:
                yield f"     users of changed names: {', '.join(patch.check.users)}"
            if patch.check is not None:
                yield from (f"     fixed: {f.place}: {f.message}" for f in patch.check.lint.fixed)
                old = patch.check.lint.inherited
                yield from (f"     inherited: {f.place}: {f.message} [{f.rule}]" for f in old)
            if patch.built is not None:
                yield from (f"     not built: {why}" for why in patch.built.left_out)


#: An author signs off when the series is sent; a person looks for it with -v.
_UNSIGNED = "no Signed-off-by"


def _not_looked_at(patch: VerifiedPatch) -> list[str]:
    """Files of a patch that were not analysed, and are no reason to fail."""
    files = patch.check.files if patch.check is not None else ()
    told = {*patch.undecided, *patch.faults}
    return [
        str(verdict)
        for verdict in files
        if verdict.state == NOT_ANALYSED and str(verdict) not in told
    ]


def coverage(patches: Sequence[VerifiedPatch]) -> dict[str, int]:
    """How much was looked at: files by verdict, and mentions of the API in changed code."""
    found = dict.fromkeys(STATES, 0)
    mentions = lost = 0
    for patch in patches:
        if patch.check is None:
            continue
        for verdict in patch.check.files:
            found[verdict.state] += 1
        mentions += patch.check.lint.mentions
        lost += len(patch.check.lint.off)
    return {**found, "mentions": mentions, "mentions not analysed": lost}


def coverage_line(patches: Sequence[VerifiedPatch]) -> str:
    """What the table speaks for, in one line; "" where nothing was checked."""
    if not any(patch.check for patch in patches):
        return ""
    found = coverage(patches)
    files = ", ".join(f"{found[state]} {state}" for state in STATES if found[state])
    mentions, lost = found["mentions"], found["mentions not analysed"]
    code = f"{mentions - lost} of {mentions} mentions of the API in changed code analysed"
    return f"covers  files: {files or 'none'}; {code if mentions else 'no notifier code in C'}"


def fault_lines(patches: Sequence[VerifiedPatch], total: int, proof: str) -> Iterator[str]:
    """What is wrong, a line each; nothing where nothing is.  ``proof`` is its fault or ""."""
    for patch in patches:
        yield from (f"{patch.number}/{total}  {fault}" for fault in patch.faults)
    if proof:
        yield f"proof   {proof}"


def _cells(patch: VerifiedPatch) -> tuple[str, ...]:
    faults = sum(not fault.note for fault in patch.message)
    message = "ok" if not faults else f"{faults} fault{'s' if faults > 1 else ''}"
    check = patch.check
    if check is None:
        return ("no" if patch.tried else "not tried", "-", "-", "-", "-", message)
    return ("yes", check.parse_cell, check.api, check.lint_cell, check.style, message)


def _build(patch: VerifiedPatch) -> str:
    """Objects that compiled, of those that the patch concerns."""
    if patch.built is None:
        return "-"
    built = patch.built
    asked = len(built.built) + len(built.failed) + len(built.left_out)
    return f"{len(built.built)}/{asked}" if asked or built.errors else "none"


def b4_lines(patches: Sequence[VerifiedPatch], notes: Sequence[str] = ()) -> Iterator[str]:
    """One line a fault, as b4 reads it: ERROR fails, WARNING does not; none: passed."""
    yield from (f"-:WARNING: {' '.join(note.split())}" for note in notes)
    for patch in patches:
        yield from (f"-:ERROR: {' '.join(fault.split())}" for fault in patch.faults)
        taken = patch.undecided if patch.allowed else ()
        said = (*taken, *_not_looked_at(patch), *patch.remarks)
        yield from (f"-:WARNING: {' '.join(text.split())}" for text in said)


def verified_data(
    patches: Sequence[VerifiedPatch],
    total: int,
    base: str,
    proof: dict[str, Any] | None,
    ok: bool,
) -> dict[str, Any]:
    """The same as plain data; ``proof`` is None where none was made."""
    return {
        "ok": ok,
        "base": base,
        "proof": proof,
        "coverage": coverage(patches),
        "patches": [
            {
                "number": patch.number,
                "total": total,
                "subject": patch.subject,
                "where": patch.where,
                "paths": [plain(path) for path in patch.paths],
                "applies": patch.check is not None,
                "misfits": list(patch.misfits),
                "check": patch.check,
                "build": patch.built,
                "notes": list(patch.remarks),
                "undecided": list(patch.undecided),
                "faults": list(patch.faults),
            }
            for patch in patches
        ],
    }


def plain(path: str) -> str:
    """A path as JSON can hold it: bytes that are no UTF-8 as ``\\xff``."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
