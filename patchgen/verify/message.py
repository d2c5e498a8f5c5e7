# SPDX-License-Identifier: GPL-2.0-only
"""Commit-message rules of the kernel (Documentation/process/submitting-patches.rst).

What that document says must be so makes a patch fail; what it recommends (widths, the
subject's form, a text for a patch whose subject says all) is shown, since maintainers take
patches without it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.model.base import Value

SUBJECT_LIMIT = 75
BODY_LIMIT = 75
_TAG = re.compile(r"^[A-Z][A-Za-z-]+(?:-by|-to)?: ")
_FIXES = re.compile(r'^Fixes: [0-9a-f]{12,40} \(".+"\)$')


class MessageFault(Value, frozen=True):
    """What is wrong with a message; a ``note`` does not make a patch fail."""

    text: str
    note: bool = False


def message_faults(message: str) -> tuple[MessageFault, ...]:
    """Faults of a commit message: subject, wrapping, trailers."""
    return tuple(_faults(message))


def _faults(message: str) -> Iterator[MessageFault]:
    lines = message.split("\n")
    subject = lines[0]
    if len(subject) > SUBJECT_LIMIT:
        text = f"the subject has {len(subject)} columns, more than {SUBJECT_LIMIT}"
        yield MessageFault(text, True)
    if not re.match(r"[^\s:][^:]*: \S", subject):
        yield MessageFault('the subject names no subsystem ("subsystem: summary")', True)
    if subject.endswith("."):
        yield MessageFault("the subject ends in a full stop", True)
    if len(lines) > 1 and lines[1]:
        yield MessageFault("no blank line behind the subject")
    body = [line for line in lines[2:] if line.strip() and not _TAG.match(line)]
    if not body:
        yield MessageFault("the message has no body: it says neither what nor why", True)
    for number, line in enumerate(lines[2:], 3):
        exempt = _TAG.match(line) or line[:1].isspace() or "://" in line or line.startswith(">")
        if len(line) > BODY_LIMIT and not exempt and " " in line.strip():
            text = f"line {number} has {len(line)} columns, more than {BODY_LIMIT}"
            yield MessageFault(text, True)
    yield from _trailers(lines)


def _trailers(lines: list[str]) -> Iterator[MessageFault]:
    tags = [line for line in lines[2:] if _TAG.match(line)]
    if not any(tag.startswith("Signed-off-by: ") for tag in tags):
        yield MessageFault("no Signed-off-by", note=True)
    for number, tag in enumerate(tags):
        if tag.startswith("Fixes: ") and not _FIXES.match(tag):
            yield MessageFault(f'not `Fixes: <12 digits> ("subject")`: {tag}', True)
        if tag.startswith("Reported-by: ") and not (
            number + 1 < len(tags) and tags[number + 1].startswith(("Closes: ", "Link: "))
        ):
            yield MessageFault("Reported-by is not followed by Closes", note=True)
        if tag.startswith("Co-developed-by: "):
            person = tag.partition(": ")[2]
            follows = tags[number + 1] if number + 1 < len(tags) else ""
            if follows != f"Signed-off-by: {person}":
                yield MessageFault(f"Co-developed-by {person} is not followed by their sign-off")
