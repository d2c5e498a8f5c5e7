# SPDX-License-Identifier: GPL-2.0-only
"""What a program prints: text for people, data for machines, and what a terminal can do.

Names, sources, mails and diagnostics come from strangers.  What is printed of them is one
line, and cannot move the cursor, change the title or reverse the reading order of a
terminal; only this module prints (``tests/test_terminal.py`` holds the others to it).
"""

from __future__ import annotations

import os
import re
import sys
from typing import IO, Any

import msgspec

#: What JSON may hold as it is, and a terminal obeys: DEL, C1, marks of direction, line and
#: paragraph separators, and all else that is shown as nothing (Unicode's Cf).
_CHOSEN = "[^\x00-\x7e\xa0-\xac\xae-\u024f]"


def rewrites(stream: IO[Any]) -> bool:
    """Whether a line of ``stream`` can be written over: a terminal, and not a dumb one.

    $TERM is "dumb" where control sequences are shown as text, and unset or "unknown"
    where nobody has said what the terminal is (terminfo(5)).
    """
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def printable(text: str) -> str:
    """Text on one line: control characters and bytes that are no UTF-8 as escapes."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte that was no UTF-8 (os.fsdecode())
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")


def say(line: str, *, err: bool = False) -> None:
    """Print one line, to stderr with ``err``."""
    print(printable(line), file=sys.stderr if err else sys.stdout, flush=True)


def say_text(text: str) -> None:
    """Print text of several lines, each as :func:`say` does."""
    for line in text.removesuffix("\n").split("\n"):
        say(line)


def say_data(value: object, indent: int | None = 2) -> None:
    """Print a value as JSON; ``indent`` None: on one line."""
    data = _encoded(value)
    say_json(data if indent is None else msgspec.json.format(data, indent=indent))


def say_json(data: bytes) -> None:
    """Print JSON: the same value, with what a terminal would obey as ``\\u`` escapes."""
    print(re.sub(_CHOSEN, _unit, data.decode().removesuffix("\n")), flush=True)


def show(line: str) -> None:
    """Write ``line`` over the one that stderr's terminal shows; "": leave nothing there."""
    print(f"\r\x1b[K{printable(line)}", end="", file=sys.stderr, flush=True)


def _encoded(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a name with bytes that are no UTF-8
        return msgspec.json.encode(_unicode(msgspec.to_builtins(value)))


def _unicode(value: object) -> object:
    if isinstance(value, str):
        return "".join(_escaped(one) if "\ud800" <= one <= "\udfff" else one for one in value)
    if isinstance(value, dict):
        return {_unicode(key): _unicode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_unicode(one) for one in value]
    return value


def _unit(match: re.Match[str]) -> str:
    letter = match[0]
    if letter.isprintable():
        return letter
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
