# SPDX-License-Identifier: GPL-2.0-only
"""GNU make's functions of text and file names, as far as Makefiles of modules use them.

The GNU make manual, "Functions for Transforming Text", says what each does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

#: A value that nobody knows without running something: this letter, a number, this letter.
UNKNOWN = "\uf8ff"


def pattern(text: str) -> re.Pattern[str]:
    """A make pattern: one ``%`` stands for anything."""
    before, percent, after = text.partition("%")
    middle = "(.*)" if percent else ""
    return re.compile(re.escape(before) + middle + re.escape(after), re.DOTALL)


def patsubst(old: str, new: str, words: str) -> str:
    """``$(patsubst old,new,words)``."""
    find = pattern(old)
    found = []
    for word in words.split():
        match = find.fullmatch(word)
        stem = match[1] if match and find.groups else ""
        found.append(word if match is None else new.replace("%", stem, 1))
    return " ".join(found)


def suffixed(words: str, old: str, new: str) -> str:
    """``$(words:old=new)``."""
    if "%" in old:
        return patsubst(old, new, words)
    return patsubst(f"%{old}", f"%{new}", words)


def closing(text: str, opened: int) -> int:
    """Where the bracket that opens at an offset is closed; the end where it is not."""
    left = text[opened]
    right = ")" if left == "(" else "}"
    depth = 0
    for at in range(opened, len(text)):
        depth += (text[at] == left) - (text[at] == right)
        if not depth:
            return at
    return len(text)


def sides(rest: str) -> tuple[str, str]:
    """The two sides of a comparison: ``(a,b)``, ``"a" "b"``."""
    if rest.startswith("("):
        inner = rest[1 : closing(rest, 0)]
        parts = split(inner, 2)
        return parts[0], parts[1] if len(parts) > 1 else ""
    found = re.findall(r"\"([^\"]*)\"|'([^']*)'", rest)
    words = [*("".join(pair) for pair in found[:2]), "", ""]
    return words[0], words[1]


def split(text: str, most: int) -> list[str]:
    """A reference's arguments, at most so many; commas in brackets do not part them."""
    found: list[str] = []
    depth = start = 0
    for at, letter in enumerate(text):
        if letter in "({":
            depth += 1
        elif letter in ")}":
            depth -= 1
        elif letter == "," and depth <= 0 and (most <= 0 or len(found) < most - 1):
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def _filter(keep: bool) -> Callable[[Sequence[str]], str]:
    def run(args: Sequence[str]) -> str:
        wanted = [pattern(word) for word in args[0].split()]
        return " ".join(
            word for word in args[1].split() if any(one.fullmatch(word) for one in wanted) == keep
        )

    return run


def _word(args: Sequence[str]) -> str:
    number, words = args[0].strip(), args[1].split()
    return words[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(words) else ""


def _wordlist(args: Sequence[str]) -> str:
    first, last = args[0].strip(), args[1].strip()
    if not (first.isdigit() and last.isdigit()) or int(first) < 1:
        return ""
    return " ".join(args[2].split()[int(first) - 1 : int(last)])


def _each(function: Callable[[str], str]) -> Callable[[Sequence[str]], str]:
    return lambda args: " ".join(filter(None, map(function, args[0].split())))


def _dir(word: str) -> str:
    return word[: word.rfind("/") + 1] or "./"


def _suffix(word: str) -> str:
    name = word.rpartition("/")[2]
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def _basename(word: str) -> str:
    return word.removesuffix(_suffix(word))


def _join(args: Sequence[str]) -> str:
    first, second = args[0].split(), args[1].split()
    size = max(len(first), len(second))
    pad = [""] * size
    pairs = zip((first + pad)[:size], (second + pad)[:size], strict=True)
    return " ".join(a + b for a, b in pairs)


#: Name → number of arguments (the last takes all further commas) and what it does.
PLAIN: dict[str, tuple[int, Callable[[Sequence[str]], str]]] = {
    "subst": (3, lambda a: a[2].replace(a[0], a[1]) if a[0] else a[2]),
    "patsubst": (3, lambda a: patsubst(a[0].strip(), a[1].strip(), a[2])),
    "strip": (1, lambda a: " ".join(a[0].split())),
    "findstring": (2, lambda a: a[0] if a[0] in a[1] else ""),
    "filter": (2, _filter(True)),
    "filter-out": (2, _filter(False)),
    "sort": (1, lambda a: " ".join(sorted(set(a[0].split())))),
    "word": (2, _word),
    "wordlist": (3, _wordlist),
    "words": (1, lambda a: str(len(a[0].split()))),
    "firstword": (1, lambda a: (a[0].split() or [""])[0]),
    "lastword": (1, lambda a: (a[0].split() or [""])[-1]),
    "dir": (1, _each(_dir)),
    "notdir": (1, _each(lambda word: word.rpartition("/")[2])),
    "suffix": (1, _each(_suffix)),
    "basename": (1, _each(_basename)),
    "addsuffix": (2, lambda a: " ".join(word + a[0] for word in a[1].split())),
    "addprefix": (2, lambda a: " ".join(a[0] + word for word in a[1].split())),
    "join": (2, _join),
}
