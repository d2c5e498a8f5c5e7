# SPDX-License-Identifier: GPL-2.0-only
"""make's functions that look at variables, files or programs; no program is run.

Of ``$(shell …)`` a few harmless commands are known by what they print: where one is, what the
kernel and the machine are called, and whether a file of the module or the kernel is there.
"""

from __future__ import annotations

import fnmatch
import os
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from patchgen.source.module.values import Variable
from patchgen.source.module.words import PLAIN, UNKNOWN, split

if TYPE_CHECKING:
    from patchgen.source.module.make import Make

_MATCHES = 10_000  # file names of one wildcard
_OTHERS = frozenset(
    "if or and foreach call eval shell wildcard value origin flavor error warning info "
    "realpath abspath".split()
)
#: Of kbuild (scripts/Kbuild.include, scripts/Makefile.compiler): it tries the compiler.
_COMPILER = frozenset(
    "cc-option cc-option-yn cc-disable-warning cc-ifversion as-option as-instr ld-option "
    "gcc-min-version clang-min-version try-run".split()
)


class Functions:
    """Functions over the files that ``names`` lists and ``exists`` knows, by absolute path.

    ``release`` is the kernel's, ``machine`` what ``uname -m`` says for it, "" if not known.
    """

    def __init__(
        self,
        names: Callable[[str], Iterable[str]],
        exists: Callable[[str], bool],
        read: Callable[[str], str | None],
        release: str = "",
        machine: str = "",
    ) -> None:
        self._names = names
        self._exists = exists
        self._read = read
        self._release = release
        self._machine = machine

    def __contains__(self, name: str) -> bool:
        return name in PLAIN or name in _OTHERS

    def call(self, make: Make, name: str, rest: str, depth: int) -> str:
        """``$(name rest)``."""
        if name in PLAIN:
            count, function = PLAIN[name]
            args = [make.expand(part, depth) for part in split(rest, count)]
            return function([*args, *[""] * (count - len(args))])
        if name in ("if", "or", "and", "foreach"):
            return self._lazy(make, name, split(rest, 3 if name in ("if", "foreach") else 0), depth)
        if name == "call":
            return self._user(make, split(rest, 0), depth)
        if name == "value":
            found = make.variables.get(make.expand(rest, depth).strip())
            return found.value if found else ""
        if name in ("origin", "flavor"):
            return self._about(make, name, make.expand(rest, depth).strip())
        text = make.expand(rest, depth)
        if name == "eval":
            make.evaluate(text, depth)
            return ""
        if name == "shell":
            return make.shell(text)
        if name == "wildcard":
            return " ".join(self._wildcard(make, text))
        if name == "error":
            make.note(f"the Makefile stops here: {' '.join(text.split())}")
        if name in ("realpath", "abspath"):
            return " ".join(_absolute(make, word) for word in text.split())
        return ""

    def _lazy(self, make: Make, name: str, parts: list[str], depth: int) -> str:
        if name == "foreach":
            if len(parts) < 3:
                return ""
            variable, words = (make.expand(part, depth).strip() for part in parts[:2])
            return " ".join(
                _with(make, {variable: word}, lambda: make.expand(parts[2], depth))
                for word in words.split()
            )
        if name == "if":
            test = make.expand(parts[0].strip(), depth).strip()
            if test.startswith(UNKNOWN) and re.fullmatch(f"({UNKNOWN}\\d+{UNKNOWN})+", test):
                return make.lost(f"which side of $(if …) counts: {make.origin(test)}")
            return make.expand((parts[1:2] if test else parts[2:3] or [""])[0], depth)
        last = ""
        for part in parts:
            last = make.expand(part.strip(), depth)
            if bool(last) == (name == "or"):
                return last
        return last if name == "and" else ""

    def _user(self, make: Make, parts: list[str], depth: int) -> str:
        name = make.expand(parts[0], depth).strip()
        args = [make.expand(part, depth) for part in parts[1:]]
        if name in self:
            return self.call(make, name, ",".join(args), depth)
        found = make.variables.get(name)
        if found is None:
            if name in _COMPILER:  # flags for the compiler: no parse depends on them
                return ""
            make.note(f"calls {name}, which is defined nowhere")
            return ""
        given = {str(number): value for number, value in enumerate([name, *args])}
        given |= {str(number): "" for number in range(len(given), 10)}
        return _with(make, given, lambda: make.expand(found.value, depth))

    @staticmethod
    def _about(make: Make, name: str, variable: str) -> str:
        found = make.variables.get(variable)
        if name == "flavor":
            return "undefined" if found is None else "simple" if found.simple else "recursive"
        origins = ("environment", "file", "command line", "override")
        return "undefined" if found is None else origins[found.rank]

    def _wildcard(self, make: Make, text: str) -> Iterable[str]:
        for word in text.split():
            if UNKNOWN in word:
                yield make.lost(f"which files there are: {make.origin(word)}")
                continue
            path = _absolute(make, word)
            folder, _, name = path.rpartition("/")
            if not set("*?[") & set(word):
                if self._exists(path):
                    yield word
                continue
            shown = word.rpartition("/")[0]
            found = sorted(one for one in self._names(folder) if fnmatch.fnmatchcase(one, name))
            yield from (f"{shown}/{one}" if shown else one for one in found[:_MATCHES])

    # -- programs ---------------------------------------------------------

    def shell(self, make: Make, command: str) -> str | None:
        """What a command prints, or None where that is not known without running it."""
        if UNKNOWN in command:
            return None
        text = " ".join(command.replace("2>/dev/null", " ").split())
        here = make.value("CURDIR")
        if text in ("pwd", "pwd -P", "echo $PWD"):
            return here
        said = {"uname -r": self._release, "uname -m": self._machine, "uname -s": "Linux",
                "uname": "Linux", "uname -i": self._machine, "uname -p": self._machine}  # fmt: skip
        if said.get(text):
            return said[text]
        moved = re.fullmatch(r"cd (\S+) ?(?:&&|;) ?(?:/bin/)?pwd(?: -P)?", text)
        if moved:
            return _absolute(make, moved[1].strip("\"'"))
        echo = re.fullmatch(r"echo ([^;&|<>`$*?()]*)", text)
        if echo:
            return " ".join(_words(echo[1]))
        return self._tested(make, text)

    def _tested(self, make: Make, text: str) -> str | None:
        """``test -f FILE && echo a || echo b``, with grep for the test, too."""
        match = _TEST.fullmatch(text)
        if match:
            there = self._exists(_absolute(make, match[2].strip(_QUOTES)))
            return (match[3] if there else match[4] or "").strip(_QUOTES)
        match = _GREP.fullmatch(text)
        if match is None or not re.fullmatch(r"[\w ]+", match[2].strip(_QUOTES)):
            return None
        word = match[2].strip(_QUOTES)
        content = self._read(_absolute(make, match[3].strip(_QUOTES))) or ""
        edge = r"\b" if "w" in (match[1] or "") else ""
        there = re.search(f"{edge}{word}{edge}", content) is not None
        return (match[4] if there else match[5] or "").strip(_QUOTES)


_QUOTES = "\"'"
_ECHOES = r" echo (\S+?)(?: ?\|\| echo (\S+))?"
_TEST = re.compile(rf"(?:test|\[) (-[efdrs]) (\S+)(?: \])? ?&&{_ECHOES}")
#: Of grep's options those that do not change whether a plain word is found.
_GREP = re.compile(
    rf"grep (-[qsFw]+ )?(\"[^\"]*\"|'[^']*'|[\w-]+) (\S+)(?: >/dev/null)? ?&&{_ECHOES}"
)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _absolute(make: Make, word: str) -> str:
    if UNKNOWN in word:
        return word
    return os.path.normpath(posixpath.join(make.value("CURDIR"), word))


def _with(make: Make, given: dict[str, str], run: Callable[[], str]) -> str:
    """``run`` with some variables set meanwhile."""
    make.step(0)
    before = {name: make.variables.get(name) for name in given}
    make.variables.update((name, Variable(value, True, 0)) for name, value in given.items())
    try:
        return run()
    finally:
        for name, value in before.items():
            if value is None:
                make.variables.pop(name, None)
            else:
                make.variables[name] = value
