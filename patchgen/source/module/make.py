# SPDX-License-Identifier: GPL-2.0-only
"""What GNU make would make of a module's Makefiles, without running anything.

Variables, conditionals, includes, ``define``, ``foreach``, ``call`` and ``eval`` are make's;
what a program would have to be run for is unknown, is carried along as such, and is named
where something depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from patchgen.model.base import Place
from patchgen.model.outcome import UserError
from patchgen.source.module.functions import Functions
from patchgen.source.module.lines import Line, logical
from patchgen.source.module.values import Assigned, Note, Variable
from patchgen.source.module.words import UNKNOWN, closing, sides, suffixed

_STEPS = 200_000  # lines and expansions of one module's Makefiles
_PRODUCED = 8_000_000  # characters of all expansions
_DEEPEST = 60
_CONDITIONALS = ("ifeq", "ifneq", "ifdef", "ifndef")
_ASSIGN = re.compile(
    r"^(?P<how>(?:(?:export|override|private|unexport)\s+)*)(?P<name>(?:\$\([^()]*(?:\([^()]*\)"
    r"[^()]*)*\)|\$\{[^{}]*\}|[^\s:#=$])+?)\s*(?P<op>:::=|::=|:=|\?=|\+=|!=|=)\s*(?P<value>.*)$",
    re.DOTALL,
)
_INCLUDE = re.compile(r"^(-include|sinclude|include)\s+(.*)$")
_USES = re.compile(r"\$[({]\s*([\w.-]+)[\s){:,]")


class _Branch:
    """A conditional that is open: whether its lines count, whether one branch did."""

    def __init__(self, test: str, holds: bool, counted: bool, open_: Open | None) -> None:
        self.test = test
        self.holds = holds
        self.counted = counted
        self.open = open_


class Open:
    """A condition that could not be decided, and the variables that depend on it."""

    def __init__(self, note: Note) -> None:
        self.note = note
        self.variables: set[str] = set()


class Make:
    """One run of make: its variables, and what was met while its Makefiles were read.

    ``read`` gives a file's text by absolute path, None where there is none; ``name`` how
    people see it.  ``own`` are variables of make and the environment, ``forced`` those of
    the command line; ``unknown`` is what values are not known so far, and why.
    """

    def __init__(
        self,
        read: Callable[[str], str | None],
        name: Callable[[str], str],
        functions: Functions,
        own: Mapping[str, str],
        forced: Mapping[str, str],
        unknown: list[Note],
    ) -> None:
        self._read = read
        self._name = name
        self._functions = functions
        self.variables = {n: Variable(v, True, 0) for n, v in own.items()}
        self.variables |= {n: Variable(v, True, 2) for n, v in forced.items()}
        self.exported: dict[str, None] = {}
        self.recipes: list[tuple[Place, str]] = []
        self.assigned: list[Assigned] = []
        self.notes: list[Note] = []
        self.undecided: list[Open] = []
        self.uses: dict[str, set[str]] = {}
        self.asked: set[str] = set()
        self.unknown = unknown
        self.files: list[str] = []
        self._branches: list[_Branch] = []
        self._steps = self._produced = 0
        self.place = Place("", 0)

    # -- files ------------------------------------------------------------

    def load(self, path: str, wanted: bool = True) -> bool:
        """Read a Makefile; False where there is none, which is noted if it is ``wanted``."""
        text = self._read(path)
        if text is None:
            if wanted:
                self.note(f"includes {self._name(path)}, which is not there: run what makes it")
            return False
        if len(self.files) >= _DEEPEST:
            raise UserError("more Makefiles than are read", str(self.place))
        self.files.append(path)
        listed = self.variables.get("MAKEFILE_LIST", Variable("", True, 0)).value
        self.variables["MAKEFILE_LIST"] = Variable(f"{listed} {path}".strip(), True, 0)
        before, branches = self.place, self._branches
        self._branches = []
        self._lines(logical(text), self._name(path), 0)
        self.place, self._branches = before, branches
        return True

    def evaluate(self, text: str, depth: int) -> None:
        """``$(eval text)``: its lines, at the place where it stands."""
        self.step(depth)
        before, branches = self.place, self._branches
        self._branches = []
        for line in logical(text):
            self._line(line, depth + 1)
        self.place, self._branches = before, branches

    def _lines(self, lines: Iterator[Line], name: str, depth: int) -> None:
        for line in lines:
            self.place = Place(name, line.number)
            self._line(line, depth)

    def _line(self, line: Line, depth: int) -> None:
        self.step(depth)
        if line.kind == "recipe":
            if self._counts():
                self.recipes.append((self.place, line.text))
            return
        if line.kind == "define":
            self._assign(line.name, "=", line.text, "")
            return
        word = re.split(r"[\s(\"']", line.text, maxsplit=1)[0]
        if word in (*_CONDITIONALS, "else", "endif"):
            self._conditional(word, line.text[len(word) :].strip())
            return
        found = _ASSIGN.match(line.text)
        if found:
            self._assign(found["name"], found["op"], found["value"], found["how"])
            return
        if not self._counts():
            return
        include = _INCLUDE.match(line.text)
        if include:
            for path in self.expand(include[2]).split():
                self._include(path, include[1] == "include")
        elif word == "export":
            self.exported |= dict.fromkeys(self.expand(line.text[len(word) :]).split())
        elif line.text.startswith("$"):
            self.expand(line.text, depth)

    def _include(self, path: str, wanted: bool) -> None:
        if UNKNOWN in path:
            self.note(f"what is included here is not known: {self.origin(path)}")
            return
        self.load(path if path.startswith("/") else f"{self.value('CURDIR')}/{path}", wanted)

    # -- conditionals -----------------------------------------------------

    def _counts(self) -> bool:
        return all(branch.holds for branch in self._branches)

    def _conditional(self, word: str, rest: str) -> None:
        if word == "endif":
            if self._branches:
                self._branches.pop()
            return
        if word == "else":
            if not self._branches:
                return
            last = self._branches[-1]
            inner = rest.split("(", 1)[0].split(None, 1)[0] if rest else ""
            if inner in _CONDITIONALS:
                last.test = f"not ({last.test}), {rest}"
                last.holds = not last.counted and self._holds(inner, rest[len(inner) :].strip())
            else:
                last.test = f"not ({last.test})"
                last.holds = not last.counted
            last.counted = last.counted or last.holds
            return
        if len(self._branches) >= _DEEPEST:
            raise UserError("conditionals nested more deeply than are read", str(self.place))
        before = len(self.undecided)
        holds = self._counts() and self._holds(word, rest)
        opened = self.undecided[before] if len(self.undecided) > before else None
        self._branches.append(_Branch(f"{word} {rest}", holds, holds, opened))

    def _holds(self, word: str, rest: str) -> bool:
        """Whether a condition holds; one that is not decided does not, and is noted."""
        if word in ("ifdef", "ifndef"):
            self.asked.add(self.expand(rest))
            value = self.variables.get(self.expand(rest), Variable("", True, 0)).value
            first, second = value, ""
        else:
            parts = sides(rest)
            first, second = self.expand(parts[0]).strip(), self.expand(parts[1]).strip()
        negated = word in ("ifneq", "ifdef")
        if UNKNOWN in first + second and not _differs(first, second) and first != second:
            self._open(f"{word} {rest}", first + second, rest)
            return False
        return (first == second) != negated

    def _open(self, test: str, value: str, names: str) -> None:
        asked = [name for name in _USES.findall(names) if name not in self._functions]
        asked = asked or ([] if "(" in names else names.split()[:1])
        hint = f"--set {asked[0]}=… decides" if asked else "name the value with --set"
        text = f"`{test}` is not decided, and taken as not so: {self.origin(value)}; {hint}"
        self.undecided.append(Open(Note(self.place, text)))

    # -- variables --------------------------------------------------------

    def _assign(self, written: str, op: str, value: str, how: str) -> None:
        name = self.expand(written).strip() if "$" in written else written
        needs = ", ".join(branch.test for branch in self._branches if not branch.holds)
        self.assigned.append(Assigned(self.place, name, written, value, needs))
        self.uses.setdefault(name, set()).update(_USES.findall(f"{value} "))
        for branch in self._branches:
            if branch.open is not None:
                branch.open.variables.add(name)
        if needs or not name or "unexport" in how:
            return
        if "export" in how:
            self.exported[name] = None
        rank = 3 if "override" in how else 1
        before = self.variables.get(name)
        if before is not None and before.rank > rank and before.rank >= 2:
            return
        if op == "?=" and before is not None:
            return
        if op == "!=":
            value, op = self.shell(self.expand(value)), ":="
        if op == "+=" and before is not None:
            added = self.expand(value) if before.simple else value
            both = f"{before.value} {added}" if before.value else added
            self._spend(len(both) >> 6)
            self.variables[name] = Variable(both, before.simple, max(rank, before.rank))
        elif op in (":=", "::=", ":::="):
            self.variables[name] = Variable(self.expand(value), True, rank)
        else:
            self.variables[name] = Variable(value, False, rank)

    def value(self, name: str, depth: int = 0) -> str:
        """A variable's value, expanded; "" where it has none."""
        self.asked.add(name)
        found = self.variables.get(name)
        if found is None:
            return ""
        return found.value if found.simple else self.expand(found.value, depth + 1)

    # -- expansion --------------------------------------------------------

    def expand(self, text: str, depth: int = 0) -> str:
        """``text`` with its references replaced."""
        if "$" not in text:
            return text
        self.step(depth)
        out: list[str] = []
        at = 0
        while (dollar := text.find("$", at)) >= 0:
            out.append(text[at:dollar])
            kind = text[dollar + 1 : dollar + 2]
            if kind in ("(", "{"):
                end = closing(text, dollar + 1)
                out.append(self._reference(text[dollar + 2 : end], depth))
                at = end + 1
            else:
                out.append("$" if kind == "$" else self.value(kind, depth) if kind else "")
                at = dollar + 2
        out.append(text[at:])
        result = "".join(out)
        self._spend(len(result))
        return result

    def _reference(self, inside: str, depth: int) -> str:
        word, space, rest = _first(inside)
        if space and word in self._functions:
            return self._functions.call(self, word, rest, depth + 1)
        name, colon, change = inside.partition(":")
        old, equals, new = change.partition("=")
        if colon and equals and "$" not in name:
            words = self.value(name.strip(), depth)
            return suffixed(words, self.expand(old, depth + 1), self.expand(new, depth + 1))
        return self.value(self.expand(inside, depth + 1).strip(), depth)

    def shell(self, command: str) -> str:
        """What a command prints, where that is known without running it."""
        known = self._functions.shell(self, command)
        if known is not None:
            return known
        shown = " ".join(re.sub(f"{UNKNOWN}\\d+{UNKNOWN}", "…", command).split())
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        return self.lost(f"what `{shown}` prints (nothing is run)")

    def lost(self, what: str) -> str:
        """A value that is not known, and why."""
        self.unknown.append(Note(self.place, what))
        return f"{UNKNOWN}{len(self.unknown) - 1}{UNKNOWN}"

    def origin(self, value: str) -> str:
        """Where what is unknown of a value comes from, in words."""
        numbers = re.findall(f"{UNKNOWN}(\\d+){UNKNOWN}", value)
        found = (self.unknown[int(n)] for n in numbers if int(n) < len(self.unknown))
        return "; ".join(dict.fromkeys(f"{note.place}: {note.text}" for note in found))

    def note(self, text: str) -> None:
        """Note something about the line that is being read."""
        self.notes.append(Note(self.place, text))

    def step(self, depth: int) -> None:
        """One more step of work, so deep in calls.  UserError: it is too much."""
        self._steps += 1
        if self._steps > _STEPS or depth > _DEEPEST:
            raise UserError("does more than a module's Makefile has to", str(self.place))

    def _spend(self, size: int) -> None:
        self._produced += size
        if self._produced > _PRODUCED:
            raise UserError("makes more text than a module's Makefile has to", str(self.place))


def _first(inside: str) -> tuple[str, str, str]:
    """A reference's first word, what follows it, and the rest."""
    match = re.match(r"([\w-]+)(\s+)", inside)
    return (match[1], match[2], inside[match.end() :]) if match else (inside, "", "")


def _differs(first: str, second: str) -> bool:
    """Whether two values differ whatever the unknown parts are: one is empty, one is not."""
    known = re.sub(f"{UNKNOWN}\\d+{UNKNOWN}", "", first + second).strip()
    return bool(known) and not (first and second)
