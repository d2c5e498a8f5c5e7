# SPDX-License-Identifier: GPL-2.0-only
"""What ``make`` in a module's folder would call kbuild with: the kernel, the folder, variables.

Most modules' Makefiles are read twice: by the user's make, which calls the kernel's with
``-C KERNELDIR M=FOLDER``, and by that one.  This is the first time.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Mapping, Sequence

from patchgen.model.base import Value
from patchgen.source.module.access import Access
from patchgen.source.module.folder import words
from patchgen.source.module.functions import Functions
from patchgen.source.module.make import Make
from patchgen.source.module.values import Note
from patchgen.source.module.words import UNKNOWN

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TARGETS = ("M", "KBUILD_EXTMOD", "SUBDIRS")
_CALL = re.compile(r"\bmake\b.*\s-C|\s-C.*\bM=", re.DOTALL)

_EXPORTED = ("LINUXINCLUDE", "KBUILD_CPPFLAGS", "KBUILD_CFLAGS", "KCPPFLAGS", "KCFLAGS")

#: Variables that every make has.
PLAIN = {"MAKE": "make", "CC": "gcc", "comma": ",", "empty": "", "space": " ", "SHELL": "/bin/sh",
         "MAKEFLAGS": "", "HOME": "", "DESTDIR": ""}  # fmt: skip


class Begun(Value, frozen=True):
    """What kbuild is called with for a folder.

    ``kernel`` is the folder behind -C as far as it is known, ``line`` the Makefile's line
    that says so; ``given`` are the variables on that command line, ``exported`` those of the
    environment; ``unknown`` what of them is not known.  ``asked`` are the variables that
    somebody asked for.
    """

    kernel: str = ""
    folder: str = ""
    line: str = ""
    given: dict[str, str] = {}
    exported: dict[str, str] = {}
    notes: tuple[Note, ...] = ()
    unknown: list[Note] = []
    asked: frozenset[str] = frozenset()


def begin(access: Access, settings: Mapping[str, str], release: str) -> dict[str, Begun]:
    """The folders that kbuild is called for below a module's root, each with what.

    That of M= or the root itself, where objects are listed there; else the nearest folders
    below in which some are.  At least one; ``release`` is the kernel's.
    """
    root = access.root
    first = _begun(access, root, settings, release)
    for folder in (first.folder, root):
        if folder and access.covers(folder) and lists(access, folder):
            return {folder: first}
    found: dict[str, Begun] = {}
    for folder in access.folders():
        inside = any(f"{folder}/".startswith(f"{above}/") for above in found)
        if not inside and lists(access, folder):
            found[folder] = _begun(access, folder, settings, release)
    return found or {root: first}


def kbuild_file(access: Access, folder: str) -> str:
    """The file that kbuild reads for a folder; "" where there is none."""
    names = (f"{folder}/{name}" for name in ("Kbuild", "Makefile"))
    return next((name for name in names if access.there(name)), "")


def lists(access: Access, folder: str) -> bool:
    """Whether a folder's Kbuild or Makefile may list objects of a module."""
    file = kbuild_file(access, folder)
    text = (access.text(file) or "") if file else ""
    objects = re.search(r"^[^#\n]*\bobj-", text, re.MULTILINE)
    return objects is not None or (file.endswith("/Kbuild") and "include" in text)


def _begun(access: Access, folder: str, settings: Mapping[str, str], release: str) -> Begun:
    name = next((n for n in _MAKEFILES if access.there(f"{folder}/{n}")), "")
    if not name:
        return Begun()
    functions = Functions(access.names, access.there, access.text, release, os.uname().machine)
    own = {**PLAIN, "CURDIR": folder, "PWD": folder}
    unknown: list[Note] = []
    make = Make(access.text, access.shown, functions, own, settings, unknown)
    make.load(f"{folder}/{name}")
    exported = exports(make, ())
    for place, recipe in make.recipes:
        text = make.expand(recipe)
        if not _CALL.search(text):
            continue
        command = words(re.sub(r"\$PWD|\$\{PWD\}|`pwd`|\$\(pwd\)", folder, text))
        given = dict(word.split("=", 1) for word in command if re.match(r"[\w-]+=", word))
        if UNKNOWN in given.get("ARCH", ""):
            del given["ARCH"]  # the kernel's own
        target = next((given[name] for name in _TARGETS if name in given), "")
        if not target and "modules" not in command:
            continue
        at = next((i for i, word in enumerate(command) if word.startswith("-C")), len(command))
        kernel = "".join(command[at : at + 1])[2:] or "".join(command[at + 1 : at + 2])
        inside = posixpath.normpath(posixpath.join(folder, target)) if target else ""
        lost = (Note(place, make.origin(kernel)),) if UNKNOWN in kernel else ()
        return Begun(
            "" if lost or not kernel else posixpath.normpath(posixpath.join(folder, kernel)),
            "" if UNKNOWN in inside else inside, str(place),
            {name: value for name, value in given.items() if name not in _TARGETS},
            exported, lost, unknown, frozenset(make.asked),
        )  # fmt: skip
    return Begun(exported=exported, unknown=unknown, asked=frozenset(make.asked))


def exports(make: Make, always: Sequence[str] = _EXPORTED) -> dict[str, str]:
    """The variables that a run of make hands to those that it calls.

    ``always``: those that the kernel's top Makefile exports, as a Makefile changed them.
    """
    lines = {one.name: one.place for one in make.assigned if not one.needs}
    found = {}
    for name in (*make.exported, *(name for name in always if name in lines)):
        if name in make.variables:
            make.place = lines.get(name, make.place)
            found[name] = make.value(name)
    return found
