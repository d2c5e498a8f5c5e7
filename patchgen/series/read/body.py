# SPDX-License-Identifier: GPL-2.0-only
"""A decoded mail → a patch: message, note and diff, as ``git am`` would see them.

The message, the author and the bytes to apply come from ``git mailinfo``, so that
they are what git am records and applies; the body must have one place only where the
message can end, and what a person sees as its diff is what mailinfo ends with.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from email.utils import parsedate_to_datetime

from patchgen.commits.diff import FileChange, parse_diff
from patchgen.commits.git import Git, GitFailed
from patchgen.commits.identity import checked
from patchgen.commits.patchset import ReadPatch
from patchgen.model.outcome import UserError
from patchgen.sandbox.aside import Aside
from patchgen.sandbox.reader import read_given
from patchgen.series.read.bare import DIFF
from patchgen.series.read.guard import is_bidi
from patchgen.series.read.mail import Mail

_RULE = re.compile(rb"^---[ \t]*$", re.MULTILINE)
# What git and Python read alike; everything else is left to git.
_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d "
    r"(?:\+(?:0\d|1[0-3])|-(?:0[1-9]|1[01]))[0-5]\d"
)
_LOOSE = re.compile(rb"^@@ -\d", re.MULTILINE)
_REMOVE = "remove it"
_NO_DIFF = "git am refuses an empty patch: leave it out"
_MODES = ("", "100644", "100755")
_SPECIAL = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}
# Git takes these for no UTF-8 (commit.c).
_PLANE_ENDS = "".join(chr(end - 1) + chr(end) for end in range(0xFFFF, 0x110000, 1 << 16))
_NONCHARACTER = re.compile(f"[\ufdd0-\ufdef{_PLANE_ENDS}]")
# C0 but tab, newline, form feed (old kernel files have it) and carriage return; DEL.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def has_diff(mail: Mail) -> bool:
    """Whether the mail carries anything that git would apply."""
    return DIFF.search(mail.body) is not None


def read_patch(mail: Mail, number: int, allow: Collection[str] = ()) -> ReadPatch:
    """The patch of a mail, or UserError with the reason.

    ``allow`` names paths for which odd modes and control characters are let
    through.
    """
    text, note, diff = split_body(mail)
    changes = parse_diff(diff, mail.where)
    if not changes:
        raise UserError("the mail holds no diff", mail.where, _NO_DIFF)
    for change in changes:
        _check_change(change, mail.where, allow)
    info, message, applied = _mailinfo(mail)
    if not applied.endswith(diff):
        raise UserError(
            "git am would apply another text than the diff shown", mail.where, "send it as one part"
        )
    if not info.get("Email"):
        what = "the mail has no author: neither a From header nor a From: line above the text"
        raise UserError(what, mail.where, "add From: Name <user@host>")
    author = checked(info.get("Author", ""), info["Email"], mail.where)
    _check_text(f"{info.get('Subject', '')}\n{message}\n{text.decode('latin-1')}", mail.where)
    date, zone = _date(info.get("Date", ""), mail.where)
    subject = info.get("Subject", "").strip()
    if not subject:
        raise UserError("the mail has no subject", mail.where, "add Subject: [PATCH] area: what")
    return ReadPatch(
        number=number,
        where=mail.where,
        subject=subject,
        message=stripspace(f"{subject}\n\n{message}").rstrip("\n"),
        author=author,
        date=date,
        zone=zone,
        diff=diff,
        applied=applied,
        changes=changes,
        mail=mail.plain,
        note=note,
        lacks=mail.lacks,
        message_id=mail.headers.get("message-id", b"").decode(errors="replace").strip("<> "),
    )


def split_body(mail: Mail) -> tuple[bytes, str, bytes]:
    """Message, note below ``---``, and diff.

    A diff above a ``---`` with another behind it is in the message, where a reader takes it
    for prose and git applies it: refused.  A ``---`` behind all diffs is a rule of the text
    there (b4 puts the base commit behind one).
    """
    body = mail.body
    start = DIFF.search(body)
    if start is None:
        raise UserError("the mail holds no diff", mail.where, _NO_DIFF)
    rule = _RULE.search(body)
    if rule is None:
        return body[: start.start()], "", body[start.start() :]
    if rule.start() > start.start():
        if DIFF.search(body, rule.end()) is None:
            return body[: start.start()], "", body[start.start() :]
        line = body.count(b"\n", 0, start.start()) + 1
        raise UserError(
            f"line {line} of the body: a diff inside the commit message", mail.where, "indent it"
        )
    note = body[rule.end() : start.start()].strip(b"\n")
    if _LOOSE.search(note):
        raise UserError("a hunk without a file, below the ---", mail.where, "git am stops at it")
    return body[: rule.start()], note.decode(errors="replace"), body[start.start() :]


def _mailinfo(mail: Mail) -> tuple[dict[str, str], str, bytes]:
    """Author, address, subject and date; the message; what is handed to git apply."""
    with Aside() as folder:
        message, patch = folder / "msg", folder / "patch"
        try:
            out = Git(None).run("mailinfo", str(message), str(patch), stdin=mail.plain)
        except GitFailed as error:
            raise UserError(f"git mailinfo: {error.stderr}", mail.where, "send UTF-8") from error
        text, applied = as_utf8(read_given(message) or b""), read_given(patch) or b""
    pairs = (line.partition(": ") for line in as_utf8(out).split("\n"))
    return {key: value for key, _, value in pairs if key}, text, applied


def as_utf8(data: bytes) -> str:
    """``data`` as git writes it into a commit: bytes that are no UTF-8 are latin-1.

    Git takes noncharacters for such bytes, too (verify_utf8() in commit.c).
    """
    text = data.decode(errors="surrogateescape")
    text = _NONCHARACTER.sub(lambda match: match[0].encode().decode("latin-1"), text)
    return re.sub("[\udc80-\udcff]", lambda match: chr(ord(match[0]) - 0xDC00), text)


def stripspace(text: str) -> str:
    """``git stripspace``: no trailing blanks, no runs of empty lines.

    A form feed is no blank to git.
    """
    lines = [line.rstrip(" \t\n\r") for line in text.split("\n")]
    out = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    return f"{out}\n" if out else ""


def _date(text: str, where: str) -> tuple[int, str]:
    """Seconds and zone of a date in any form that git am reads; without one, now."""
    if not text.strip():
        return int(time.time()), "+0000"
    if _DATE.fullmatch(text):
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError, IndexError):
            pass  # 31 Feb: git's word counts
        else:
            if moment.timestamp() >= 0:
                return int(moment.timestamp()), moment.strftime("%z")[:5]
    env = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@localhost", "GIT_AUTHOR_DATE": text}
    try:
        out = Git(None).run("var", "GIT_AUTHOR_IDENT", env=env)
    except GitFailed as error:
        hint = "write it as Tue, 14 Nov 2023 22:13:20 +0000"
        raise UserError(f"git cannot read the date {text!a}", where, hint) from error
    seconds, zone = out.decode().split()[-2:]
    return int(seconds), zone


def _check_change(change: FileChange, where: str, allow: Collection[str]) -> None:
    path = change.new or change.old
    if path in allow:
        return
    if change.binary:
        raise UserError(f"{path}: a binary diff", where, "it cannot be reviewed")
    for mode in (change.old_mode, change.new_mode):
        if mode not in _MODES:
            kind = _SPECIAL.get(mode, "an odd mode")
            raise UserError(f"{path}: {kind} ({mode})", where, f"verify and am take --allow {path}")
    for hunk in change.hunks:
        for line in hunk.lines:
            if line.startswith(b"+") and (found := _odd(line)):
                raise UserError(
                    f"{path}: an added line holds the control character {found}",
                    where,
                    f"verify and am take --allow {path}",
                )


def _odd(line: bytes) -> str:
    if match := _CONTROL.search(line):
        return ascii(match[0].decode("latin-1"))
    if line.isascii():
        return ""
    text = line.decode(errors="replace")
    return next((ascii(char) for char in text if is_bidi(char)), "")


def _check_text(text: str, where: str) -> None:
    if match := re.search("[\x00-\x08\x0b\x0e-\x1f\x7f]", text):
        raise UserError(f"the message holds the control character {match[0]!a}", where, _REMOVE)
    if found := next((char for char in text if is_bidi(char)), ""):
        raise UserError(f"the message holds the control character {found!a}", where, _REMOVE)
