# SPDX-License-Identifier: GPL-2.0-only
"""Assignments of a Makefile, and the options on the way from a file to an obj- line."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from patchgen.model.base import Value


class Assignment(Value, frozen=True, array_like=True):
    """``variable = value``, and the options whose conditionals it stands in."""

    variable: str
    value: str
    inside: tuple[str, ...]


_DEEPEST = 40  # lists in lists: a hostile Makefile ends, not the stack
_CONTINUED = re.compile(r"\\\n\s*")
_ASSIGN = re.compile(r"^\s*(?:export\s+|override\s+)?([^\s:+?=#]+)\s*[:+?]*=\s*(.*)$")
_OPTION = re.compile(r"\$\(CONFIG_(\w+)\)")
_TEST = re.compile(r"^\s*(?:ifdef\s+CONFIG_(\w+)|ifneq\s*\(\$\(CONFIG_(\w+)\),\s*\)|"
                   r"ifeq\s*\(\$\(CONFIG_(\w+)\),\s*[ym]\))")  # fmt: skip
_LIST_SUFFIX = re.compile(r"-(?:y|m|objs|objs-y|\$\(CONFIG_\w+\)|objs-\$\(CONFIG_\w+\))$")


@lru_cache(maxsize=256)
def assignments(text: str) -> tuple[Assignment, ...]:
    """Every assignment of a Makefile, in order; an include counts as one to "include"."""
    found = []
    inside: list[str] = []
    deeper = 0  # conditionals below the deepest that counts
    for line in _CONTINUED.sub(" ", text).split("\n"):
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word in ("ifdef", "ifndef", "ifeq", "ifneq"):
            match = _TEST.match(line)
            if len(inside) > _DEEPEST:
                deeper += 1
                continue
            inside.append(next(filter(None, match.groups()), "") if match else "")
        elif word == "else" and inside:
            inside[-1] = inside[-1] if deeper else ""
        elif word == "endif" and deeper:
            deeper -= 1
        elif word == "endif" and inside:
            inside.pop()
        elif word in ("include", "-include"):
            found.append(Assignment("include", line.split(maxsplit=1)[-1], tuple(inside)))
        else:
            match = _ASSIGN.match(line)
            if match:
                value = match[2].partition(" #")[0].strip()
                found.append(Assignment(match[1], value, tuple(filter(None, inside))))
    return tuple(found)


def gates(
    lines: tuple[Assignment, ...], path: str, folder: str, base: frozenset[str]
) -> tuple[tuple[str, ...], str]:
    """Options on the way from a file up to an obj- line, and its module's name.

    Of several ways the one with the fewest options that are not in ``base``.
    """
    target = PurePosixPath(path).with_suffix(".o")
    start = str(target.relative_to(folder)) if target.is_relative_to(folder) else target.name
    known: dict[str, tuple[tuple[str, ...], str]] = {}
    listed = _Listed(lines)

    def way(goal: str, depth: int = 0) -> tuple[tuple[str, ...], str]:
        if goal in known or depth > _DEEPEST:
            return known.get(goal, ((), ""))
        known[goal] = (), ""  # a circle leads nowhere
        ways = []
        for line in listed.lines(goal, target.name):
            stem = _LIST_SUFFIX.sub("", line.variable)
            if stem in ("obj", "lib"):
                found: tuple[str, ...] = ()
                module = goal.removesuffix(".o").replace("-", "_")
            else:
                by_name, by_variable = (
                    way(f"{stem}.o", depth + 1),
                    way(f"$({line.variable})", depth + 1),
                )
                found, module = by_name if by_name[1] else by_variable
            ways.append((_conditions(line) + found, module))
        if ways:
            known[goal] = min(ways, key=lambda one: (not one[1], len(set(one[0]) - base)))
        return known[goal]

    return way(start)


class _Listed:
    """Which lines list an object, by name or through a folder's variable."""

    def __init__(self, lines: tuple[Assignment, ...]) -> None:
        self._lines = lines
        self._words: dict[str, list[int]] = {}
        self._below: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            whole = line.value.split()
            parts = line.value.replace("(", "( ").replace(")", " )").split()
            for word in {*whole, *parts}:
                self._words.setdefault(word, []).append(number)
            for name in {w.rpartition("/")[2] for w in whole if w.startswith("$(") and "/" in w}:
                self._below.setdefault(name, []).append(number)

    def lines(self, goal: str, name: str) -> list[Assignment]:
        """Those that list ``goal``, in order; ``name`` is the object's without a folder."""
        found = set(self._words.get(goal, ()))
        if goal.rpartition("/")[2] == name:
            found.update(self._below.get(name, ()))
        return [self._lines[number] for number in sorted(found)]


def _conditions(line: Assignment) -> tuple[str, ...]:
    option = _OPTION.search(line.variable)
    return (*line.inside, option[1]) if option else line.inside


def folder_gates(lines: tuple[Assignment, ...], path: str, folder: str) -> list[str]:
    """Options that gate the descent from ``folder`` towards ``path``."""
    if not path.startswith(folder + "/"):
        return []
    rest = path[len(folder) + 1 :].split("/")[:-1]
    below = {"/".join(rest[:end]) + "/" for end in range(1, len(rest) + 1)}
    found = []
    for line in lines:
        option = _OPTION.fullmatch(line.variable.removeprefix("obj-"))
        if option and below & set(line.value.split()):
            found.append(option[1])
    return found
