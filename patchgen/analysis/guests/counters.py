# SPDX-License-Identifier: GPL-2.0-only
"""Whether the numbers that the protocol rests on are as wide as it takes.

A sequence that wraps while a fault sleeps shows no change, and a count that wraps reads as
none; what a sample is kept in must be of the sequence's own type (struct kvm,
include/linux/kvm_host.h; arch/x86/kvm/mmu/).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from patchgen.analysis.guests.base import HOST, KVM_MAIN
from patchgen.analysis.paths.bodies import Read
from patchgen.analysis.told.dispatch import Reading
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.source.c.lexer import Tokens, lexed

_SEQUENCES = names("paths", "counters", "sequences")
_COUNTS = names("paths", "counters", "counts")
_WIDE = names("paths", "counters", "wide")
_WORDS = names("paths", "counters", "words")
_FILES: tuple[str, ...] = tuple(load("paths")["counters"]["samplers"])


class _Declared(NamedTuple):
    """A declaration: its type's words, and whether only some bits of it are taken."""

    place: Place
    type: str
    bits: bool


def counters(read: Read) -> Reading:
    """Which of the protocol's numbers may wrap, or be kept in less than they are."""
    files = {path: lexed(data) for path in (HOST, KVM_MAIN, *_FILES)
             if (data := read(path)) is not None}  # fmt: skip
    if HOST not in files:
        return Reading((Evidence(Place(HOST, 1), "not there"),), ())
    faults: list[Evidence] = []
    rests: list[Evidence] = []
    types: set[str] = set()
    for name in sorted(_SEQUENCES | _COUNTS):
        for found in _declarations(name, HOST, files[HOST]):
            faults += _narrow(name, found)
            rests.append(Evidence(found.place, f"{found.type} {name}"))
            types |= {found.type} if name in _SEQUENCES else set()
    for path, tokens in files.items():
        for carrier in sorted(set(_carriers(tokens))):
            kept = [one for where, of in files.items() if where == path or where.endswith(".h")
                    for one in _declarations(carrier, where, of)]  # fmt: skip
            for found in kept:
                rests.append(Evidence(found.place, f"{found.type} {carrier}"))
                if found.bits or found.type not in types:
                    text = f"the sequence is kept in {carrier}, which is {found.type}"
                    faults.append(Evidence(found.place, text))
    return Reading(tuple(dict.fromkeys(faults)), tuple(dict.fromkeys(rests)))


def _narrow(name: str, found: _Declared) -> Iterator[Evidence]:
    if found.bits or found.type not in _WIDE:
        shown = f"{found.type}{' of some bits' if found.bits else ''}"
        yield Evidence(found.place, f"{name} is {shown}: it may wrap while it counts")


def _declarations(name: str, path: str, tokens: Tokens) -> Iterator[_Declared]:
    """Where variables, parameters or members of that name are declared."""
    texts = tokens.texts
    for at in (n for n, word in enumerate(texts) if word == name and n):
        before = at
        while before and texts[before - 1] in _WORDS:
            before -= 1
        # Not a use: behind a type's name, and no word of C's else.
        plain = tokens.kinds[at - 1] == "name" and texts[at - 1] not in ("return", "else", "goto")
        if before == at and not plain:
            continue
        words = texts[before:at] if before < at else texts[at - 1 : at]
        written = " ".join(word for word in words if word not in ("const", "volatile", "static"))
        place = Place(path, tokens.line(tokens.starts[at]))
        yield _Declared(place, written, texts[at + 1 : at + 2] == [":"])


def _carriers(tokens: Tokens) -> Iterator[str]:
    """The names of what a sequence is stored in."""
    texts = tokens.texts
    for at in (n for n, word in enumerate(texts) if word in _SEQUENCES):
        begin = at
        while begin and texts[begin - 1] not in (";", "{", "}", ",", "=", "==", "!="):
            begin -= 1
        if begin > 1 and texts[begin - 1] == "=" and tokens.kinds[begin - 2] == "name":
            yield texts[begin - 2]
