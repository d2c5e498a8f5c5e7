# SPDX-License-Identifier: GPL-2.0-only
"""The commands that a build of a module left: kbuild's .cmd files, or compile_commands.json.

One counts where it is newer than the source, the Makefiles and the kernel's configuration, and
was for this kernel; else what is wrong with it is said, and the Makefiles are asked.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from collections.abc import Sequence

import msgspec

from patchgen.model.base import Place
from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.source.module.access import Access
from patchgen.source.module.description import Source
from patchgen.source.module.flags import arguments
from patchgen.source.module.kernel import KernelDir
from patchgen.source.module.values import Note

_DATABASE = "compile_commands.json"
_SAVED = re.compile(r"^(?:saved)?cmd_\S+ := (.*)$", re.MULTILINE)


class Commands:
    """What a build below a module's root left."""

    def __init__(self, access: Access, kernel: KernelDir) -> None:
        self._access = access
        self._kernel = kernel
        self.notes: dict[Note, None] = {}
        self._listed: dict[str, tuple[str, list[str]]] | None = None

    def of(self, source: Source, makefiles: Sequence[str], here: str) -> Source:
        """``source`` with the arguments of its saved command, or as it was.

        ``makefiles`` are what tells otherwise how it is built, ``here`` kbuild's own folder.
        """
        full = f"{self._access.root}/{source.path}"
        folder, name = posixpath.split(full)
        saved = f"{folder}/.{name.removesuffix('.c')}.o.cmd"
        command = self._saved(saved)
        if command is None:
            saved = f"{self._access.root}/{_DATABASE}"
            here, command = self._database().get(full, (here, None))
        if command is None:
            return source
        why = self._fault(saved, [full, *makefiles], command)
        if why:
            self.notes[Note(Place(self._access.shown(saved), 0), why)] = None
            return source
        plain = msgspec.structs.replace(source, before=(), after=(), lacks=())
        made = arguments(self._access, self._kernel, plain, [], command[1:], here)
        return msgspec.structs.replace(made, command=self._access.shown(saved))

    def _saved(self, path: str) -> list[str] | None:
        try:
            match = _SAVED.search(self._access.text(path) or "")
            text = match[1].replace("$(pound)", "#").partition(" ; ")[0] if match else ""
            return shlex.split(text) or None
        except (UserError, ValueError):
            return None

    def _database(self) -> dict[str, tuple[str, list[str]]]:
        """The commands of compile_commands.json: source → folder and words."""
        if self._listed is None:
            self._listed = {}
            path = f"{self._access.root}/{_DATABASE}"
            try:
                for entry in json.loads(self._access.text(path) or "[]"):
                    words = entry.get("arguments") or shlex.split(entry["command"])
                    folder = str(entry["directory"])
                    file = os.path.normpath(posixpath.join(folder, entry["file"]))
                    self._listed[file] = folder, [str(word) for word in words]
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                what = f"is no compilation database ({error}): not used"
                self.notes[Note(Place(_DATABASE, 0), what)] = None
        return self._listed

    def _fault(self, saved: str, others: Sequence[str], command: Sequence[str]) -> str:
        """Why a command does not count; "" where it does."""
        kernel = self._kernel
        if kernel.build:
            others = [*others, f"{kernel.build}/include/generated/autoconf.h"]
        made = look.stamp(saved)
        for path in others:
            changed = look.stamp(path)
            if made is None or (changed is not None and changed[1] > made[1]):
                return f"is older than {self._access.shown(path)}: not used"
        folders = [word[2:] for word in command if word.startswith("-I/")]
        inside = (*kernel.folders, self._access.root)
        foreign = [
            folder
            for folder in folders
            if folder.endswith("/include")
            and not any(f"{os.path.realpath(folder)}/".startswith(f"{one}/") for one in inside)
        ]
        return f"is for another kernel ({foreign[0]}): not used" if foreign else ""
