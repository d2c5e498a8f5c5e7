# SPDX-License-Identifier: GPL-2.0-only
"""The cover letter: what its caller found out, in the kernel's form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from patchgen.commits.build import Commit
from patchgen.edits.render import render
from patchgen.model.base import Value
from patchgen.series.write.wrap import wrap

TEMPLATE = "series/cover-letter"


class Section(Value, frozen=True):
    """A part of the letter: paragraphs under a heading ("" for none).

    A ``verbatim`` section (a table, a log) is not wrapped.
    """

    heading: str
    text: str
    verbatim: bool = False


class VersionChanges(Value, frozen=True):
    """``Changes in v2:`` with its lines; ``link`` to version ``before``, or ""."""

    version: int
    lines: tuple[str, ...]
    link: str = ""
    before: int = 0


def earlier_changes(text: str) -> tuple[VersionChanges, ...]:
    """The changelogs in an earlier cover letter, to be carried on in a new one."""
    found = []
    for match in re.finditer(r"^Changes (?:in|since) v(\d{1,3}):\n((?:.+\n)+)", text, re.MULTILINE):
        block = match[2].rstrip("\n")
        link = re.search(r"^Link to v(\d{1,3}): (\S+)$", block, re.MULTILINE)
        items = re.split(r"^- ", block[: link.start()] if link else block, flags=re.MULTILINE)
        lines = tuple(" ".join(item.split()) for item in items if item.strip())
        before, where = (int(link[1]), link[2]) if link else (0, "")
        found.append(VersionChanges(int(match[1]), lines, where, before))
    return tuple(found)


class Cover(Value, frozen=True):
    """What the cover letter says; an empty part does not appear.

    ``sections`` hold the problem and what the series does.  ``verified``,
    ``uncovered`` and ``limits`` are one statement an item.  ``benchmark`` is a
    finished table, ``proof`` and ``boot`` are evidence.  ``tree`` names the tree
    ("Linux 5.10.223"); ``base`` is the commit for ``base-commit:``, and without one
    ``base_note`` says what stands in its place.
    """

    title: str
    sections: tuple[Section, ...]
    verified: tuple[str, ...] = ()
    uncovered: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    benchmark: str = ""
    proof: str = ""
    boot: str = ""
    changes: tuple[VersionChanges, ...] = ()
    range_diff: str = ""
    tree: str = ""
    base: str = ""
    base_note: str = ""
    prerequisites: tuple[str, ...] = ()


def cover_text(cover: Cover, commits: Sequence[Commit], stat: bytes, change_id: str) -> str:
    """The body of the cover letter, from its first line to the last footer."""
    text = render(
        TEMPLATE,
        {
            "sections": [_wrapped(section) for section in cover.sections],
            "lists": [
                (heading, [wrap(f"- {item}") for item in items])
                for heading, items in (
                    ("Verified", cover.verified),
                    ("Not covered", cover.uncovered),
                    ("Limits", cover.limits),
                )
                if items
            ],
            "evidence": [
                (heading, body.strip("\n"))
                for heading, body in (
                    ("Benchmark", cover.benchmark),
                    ("Proof", cover.proof),
                    ("Boot", cover.boot),
                )
                if body
            ],
            "changes": [
                {
                    "version": entry.version,
                    "lines": [wrap(f"- {line}") for line in entry.lines],
                    "link": entry.link,
                    "before": entry.before,
                }
                for entry in cover.changes
            ],
            "range_diff": cover.range_diff.rstrip("\n"),
            "shortlog": shortlog(commits),
            "diffstat": stat.decode(errors="replace").rstrip("\n"),
            "footers": _footers(cover, change_id),
        },
    )
    return text.rstrip("\n") + "\n"


def _wrapped(section: Section) -> tuple[str, str]:
    text = section.text.strip("\n")
    return section.heading, text if section.verbatim else wrap(text)


def shortlog(commits: Sequence[Commit]) -> str:
    """``git shortlog``: authors in order of their names, subjects in series order."""
    by_author = sorted(commits, key=lambda commit: commit.author)
    parts = []
    for author, theirs in groupby(by_author, key=lambda commit: commit.author):
        subjects = [f"  {commit.subject}" for commit in theirs]
        parts.append("\n".join([f"{author.name} ({len(subjects)}):", *subjects]))
    return "\n\n".join(parts)


def _footers(cover: Cover, change_id: str) -> list[str]:
    footers = []
    if cover.base:
        footers.append(f"base-commit: {cover.base}")
    elif cover.tree or cover.base_note:
        footers.append(f"base: {', '.join(part for part in (cover.tree, cover.base_note) if part)}")
    footers += [f"prerequisite-patch-id: {one}" for one in cover.prerequisites]
    if change_id:
        footers.append(f"change-id: {change_id}")
    return footers
