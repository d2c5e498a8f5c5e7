# SPDX-License-Identifier: GPL-2.0-only
"""One folder of a module as kbuild goes through it: its objects, their sources and flags.

scripts/Makefile.build and Makefile.lib of the kernel say how: Kbuild wins over Makefile,
``foo-objs``, ``foo-y`` and ``foo-m`` make foo.o a composite, ``dir/`` is descended into.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence

from patchgen.model.base import Place, Value
from patchgen.source.module.make import Make
from patchgen.source.module.values import Assigned, Note
from patchgen.source.module.words import UNKNOWN

#: Stands in LINUXINCLUDE for what the kernel's own Makefile has put there.
KERNEL_INCLUDES = "-I@linuxinclude@"
_LOST = re.compile(f"[^ ]*{UNKNOWN}\\d+{UNKNOWN}[^ ]*")


class Object(Value, frozen=True):
    """An object of a module: ``stem`` is its absolute path without ``.o``.

    ``module`` is KBUILD_MODNAME, ``base`` the object's name in its folder.
    """

    stem: str
    base: str
    module: str
    place: Place


class Folder:
    """What a run of make for the folder at ``path`` (absolute) says."""

    def __init__(self, path: str, make: Make, inherited: str = "") -> None:
        self.path = path
        self.make = make
        self.below = f"{inherited} {make.value('subdir-ccflags-y')}".strip()
        self.goals = self._words("obj-m", "obj-y", "lib-y", "lib-m")

    def _words(self, *variables: str) -> list[tuple[str, Place]]:
        """The words of some lists, each with the line that has it."""
        found: dict[str, Place] = {}
        for variable in variables:
            text = self.make.value(variable)
            lines = [one for one in self.make.assigned if one.name == variable and not one.needs]
            for lost in _LOST.findall(text):
                where = lines[0].place if lines else self.make.place
                why = f"{variable} lists what is not known: {self.make.origin(lost)}"
                self.make.notes.append(Note(where, why))
            for word in _LOST.sub(" ", text).split():
                found.setdefault(word, _place(lines, word))
        return list(found.items())

    def folders(self) -> list[str]:
        """The folders that are descended into."""
        listed = [*self.goals, *self._words("subdir-y", "subdir-m")]
        plain = {word for word, _ in self._words("subdir-y", "subdir-m")}
        names = [word for word, _ in listed if word.endswith("/") or word in plain]
        return [posixpath.normpath(posixpath.join(self.path, name)) for name in names]

    def objects(self) -> Iterator[Object]:
        """The objects that have sources of their own."""
        for goal, place in self.goals:
            if not goal.endswith(".o"):
                continue
            stem = goal.removesuffix(".o")
            parts = self._words(f"{stem}-objs", f"{stem}-y", f"{stem}-m")
            module = stem.rpartition("/")[2].replace("-", "_")
            for name, where in parts or [(goal, place)]:
                if name.endswith(".o"):
                    base = name.removesuffix(".o")
                    full = posixpath.normpath(posixpath.join(self.path, base))
                    yield Object(full, base, module, where if where.line else place)

    def flags(self, base: str) -> tuple[list[str], list[str], list[str]]:
        """Words of the compiler's command for an object: before the kernel's own include
        paths, behind them, and those that are not known."""
        make = self.make
        includes = make.value("LINUXINCLUDE")
        if KERNEL_INCLUDES not in includes:
            includes = f"{KERNEL_INCLUDES} {includes}"
        first, _, rest = includes.partition(KERNEL_INCLUDES)
        names = dict.fromkeys((f"{base}.o", f"{base.rpartition('/')[2]}.o"))
        own = " ".join(make.value(f"CFLAGS_{name}") for name in names)
        folder = ("KBUILD_CPPFLAGS", "KCPPFLAGS", "KBUILD_CFLAGS", "KCFLAGS", "CFLAGS_MODULE")
        behind = [make.value(name) for name in folder]
        behind += [self.below, make.value("ccflags-y"), make.value("EXTRA_CFLAGS")]
        removed = make.value("ccflags-remove-y").split()
        kept = [word for word in words(" ".join([rest, *behind])) if word not in removed]
        gone = " ".join(make.value(f"CFLAGS_REMOVE_{name}") for name in names).split()
        after = [word for word in (*kept, *words(own)) if word not in gone]
        lost = [word for word in (*words(first), *after) if UNKNOWN in word]
        return _known(words(first)), _known(after), lost


def words(text: str) -> list[str]:
    """The words of a command as a shell parts them."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _known(found: Sequence[str]) -> list[str]:
    return [word for word in found if UNKNOWN not in word]


def _place(lines: Sequence[Assigned], word: str) -> Place:
    """The line that lists a word; the first one where no line has it as written."""
    stem = word.removesuffix(".o").rpartition("/")[2]
    for one in lines:
        if re.search(rf"(?<![\w-]){re.escape(stem)}(?![\w-])", one.value):
            return one.place
    return lines[0].place if lines else Place("", 0)
