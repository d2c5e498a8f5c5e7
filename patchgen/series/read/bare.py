# SPDX-License-Identifier: GPL-2.0-only
"""Patches that are no mails, as mails: bare diffs, quilt's, and those with DEP-3 headers.

git am takes none of them; ``verify`` can say whether they apply and what they bring.
What they lack of a commit (an author, a subject) is told, and ``am`` refuses them.
DEP-3: https://dep-team.pages.debian.net/deps/dep3/
"""

from __future__ import annotations

import re
from pathlib import PurePath

from patchgen.commits.identity import PLACEHOLDER
from patchgen.model.base import Value

# Where a diff begins; `body` looks for the same.
DIFF = re.compile(rb"^(?:diff --git |diff -|Index: |---[ \t]+\S[^\n]*\n\+\+\+ )", re.MULTILINE)
_RULE = re.compile(rb"^---[ \t]*$", re.MULTILINE)
_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*):[ \t]*(.*)")
_DEP3 = re.compile(r"description|subject|author|from|origin|bug(-[a-z]+)?|forwarded|last-update|"
                   r"applied-upstream|reviewed-by|acked-by")  # fmt: skip
_MAIL = {"date", "message-id", "received", "mime-version", "content-type", "to", "cc"}
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Bare(Value, frozen=True):
    """A patch as the mail that it could have been; ``lacks`` says what it has not."""

    mail: bytes
    lacks: str


def bare_patch(data: bytes, name: str) -> Bare | None:
    """``data`` as a mail when it is a patch and no mail; None when it may be one."""
    start = DIFF.search(data)
    if start is None:
        return None
    rule = _RULE.search(data, 0, start.start())
    end = rule.start() if rule else start.start()
    head, diff = data[:end], data[end:]
    if _is_mail(head):
        return None
    fields, text = _fields(head.decode(errors="surrogateescape").replace("\r\n", "\n"))
    author = fields.get("from") or fields.get("author") or ""
    described = fields.get("subject") or fields.get("description") or text
    subject, _, more = described.strip("\n").partition("\n")
    if described is not text:
        more = "\n\n".join(part for part in (more.strip("\n"), text.strip("\n")) if part)
    there = (("author", author), ("subject", subject))
    lacks = ["headers of a mail", *(word for word, text in there if not text)]
    subject = subject.strip() or PurePath(name).stem
    lines = [
        f"From: {' '.join((author or str(PLACEHOLDER)).split())}",
        f"Subject: {subject}",
        "Content-Type: text/plain; charset=utf-8",
        *([f"Date: {found}"] if (found := _date(fields)) else []),
    ]
    text = "\n".join(lines) + "\n\n" + more.strip("\n") + "\n"
    rest = diff if rule else b"---\n" + diff
    return Bare(text.encode(errors="surrogateescape") + rest, ", no ".join(lacks))


def _is_mail(head: bytes) -> bool:
    """Whether the text above a diff is a mail's: its headers, then an empty line."""
    block = re.split(rb"\r?\n\r?\n", head, maxsplit=1)
    names = {
        match[1].lower()
        for line in block[0].splitlines()
        if (match := _FIELD.match(line.decode("latin-1")))
    }
    if names & _MAIL:
        return True
    return len(block) == 2 and {"from", "subject"} <= names


def _fields(head: str) -> tuple[dict[str, str], str]:
    """DEP-3 fields (names in small letters; folded lines kept apart) and the free text.

    A line of a field's value that is folded begins with a blank; one of " ." is empty.
    """
    fields: dict[str, str] = {}
    text: list[str] = []
    last = ""
    for line in head.split("\n"):
        match = _FIELD.match(line)
        if match and _DEP3.fullmatch(match[1].lower()) and not text:
            last = match[1].lower()
            fields[last] = f"{fields[last]}, {match[2]}" if last in fields else match[2]
        elif last and line[:1] in (" ", "\t") and not text:
            folded = line[1:]
            fields[last] += "\n" + ("" if folded.strip() == "." else folded)
        elif line.strip():
            text.append(line)
        elif text:
            text.append("")
        else:
            last = ""
    return fields, "\n".join(text).strip("\n")


def _date(fields: dict[str, str]) -> str:
    date = fields.get("last-update", "").strip()
    return f"{date} 00:00:00 +0000" if _DAY.fullmatch(date) else ""
