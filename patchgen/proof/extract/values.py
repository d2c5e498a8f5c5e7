# SPDX-License-Identifier: GPL-2.0-only
"""Values that the extraction follows: numbers, functions, structs, and the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from patchgen.model.base import Value


class Name(Value, frozen=True):
    """A function, as a value."""

    name: str


class Opaque(Value, frozen=True):
    """Any other value: its text, and what of the model it is made from.

    ``tags``: "new pte", "new pfn" (of change_pte's argument), "writable" (with the write
    bit), "no write" (a mask of everything but the write bit), "memory" (read from memory, and
    so perhaps with the write bit), "spte" (the address of the page's SPTE), "old spte" (what
    it holds), "protected" (that without the write bit).
    """

    text: str
    tags: frozenset[str] = frozenset()


class NonZero(Value, frozen=True):
    """A number of which only that it is above 0 is known; its text."""

    text: str


class Ref(Value, frozen=True):
    """The address of a local variable: its key in the environment."""

    frame: int
    name: str


class Record(Value, frozen=True):
    """A local struct: fields in order of their names; an initialised one has zeros else."""

    fields: tuple[tuple[str, Known], ...] = ()
    initialised: bool = False

    def get(self, name: str) -> Known:
        """The field's value; one that was never set is opaque."""
        return dict(self.fields).get(name, 0 if self.initialised else Opaque(f".{name}"))

    def put(self, name: str, value: Known) -> Record:
        """The struct with one field changed."""
        fields = {**dict(self.fields), name: value}
        return Record(tuple(sorted(fields.items(), key=lambda item: item[0])), self.initialised)


Known: TypeAlias = int | Name | Opaque | NonZero | Ref | Record

#: Variables by (frame, name), and facts about the page: frame 0, names with "#".
Env = Mapping[tuple[int, str], Known]


def tags(*values: Known) -> frozenset[str]:
    """All tags of the values."""
    return frozenset(tag for v in values if isinstance(v, Opaque) for tag in v.tags)


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b if b < 64 else 0,
    ">>": lambda a, b: a >> b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
}


def masked(left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """The tags of ``left & right``: without the write bit where one side masks it out."""
    for mask, value in ((left, right), (right, left)):
        if "no write" in mask:
            kept = value - {"memory", "writable"}
            return kept | {"protected"} if "old spte" in value else kept
    return left | right


#: What a number above 0 compared with 0, and one not below 1 compared with 1, is; the other
#: comparisons are not known.
_ABOVE = {
    0: {"==": 0, "!=": 1, ">": 1, ">=": 1, "<": 0, "<=": 0},
    1: {">=": 1, "<": 0},
}
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def binary(operator: str, left: Known, right: Known, text: str) -> Known:
    """``left operator right``; opaque where it cannot be worked out."""
    if isinstance(right, NonZero) and isinstance(left, int):
        left, right, operator = right, left, _MIRRORED.get(operator, operator)
    if isinstance(left, NonZero) and isinstance(right, int):
        answer = _ABOVE.get(right, {}).get(operator)
        if answer is not None:
            return answer
        return left if operator == "|" and right >= 0 else Opaque(text)
    if isinstance(left, int) and isinstance(right, int) and operator in _INTEGER:
        return int(_INTEGER[operator](left, right))
    if isinstance(left, Name) and isinstance(right, Name) and operator in ("==", "!="):
        return int((left == right) == (operator == "=="))
    if operator in ("|", "||") and (
        (isinstance(left, int) and left) or (isinstance(right, int) and right)
    ):
        other = right if isinstance(left, int) else left
        return Opaque(text, tags(other))
    if operator == "&":
        return Opaque(text, masked(tags(left), tags(right)))
    return Opaque(text, tags(left, right))
