# SPDX-License-Identifier: GPL-2.0-only
"""Words of a compiler's command → what of it changes a parse, with absolute paths.

Include paths count where they lead into the module or the kernel; others are left out, and
those that are there are named: nothing outside of the two is read.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Iterable

import msgspec

from patchgen.source.config.flags_build import KEPT
from patchgen.source.module.access import Access
from patchgen.source.module.description import Source
from patchgen.source.module.kernel import KernelDir

_PATHS = ("-isystem", "-iquote", "-idirafter", "-include", "-I")
_VALUES = ("-D", "-U")


def arguments(
    access: Access, kernel: KernelDir, source: Source, before: list[str], after: list[str],
    here: str,
) -> Source:  # fmt: skip
    """``source`` with the arguments that two lists of words make; ``here`` is the compiler's
    folder."""
    lacks: dict[str, None] = dict.fromkeys(source.lacks)
    first = _kept(before, access, kernel, here, lacks)
    behind = _kept(after, access, kernel, here, lacks)
    return msgspec.structs.replace(
        source, before=tuple(first), after=tuple(behind), lacks=tuple(lacks)
    )


def _kept(
    found: Iterable[str], access: Access, kernel: KernelDir, here: str, lacks: dict[str, None]
) -> list[str]:
    out: list[str] = []
    rest = iter(found)
    for word in rest:
        option = next((o for o in (*_PATHS, *_VALUES) if word.startswith(o)), "")
        if not option:
            if re.fullmatch(KEPT, word):
                out.append(word)
            continue
        value = word[len(option) :] or next(rest, "")
        if option in _VALUES:
            out.append(option + value)
            continue
        path = _placed(value, kernel, here, access)
        if path:
            out += [option, path]
        elif option == "-include":
            lacks[f"-include {value}: it is not there (is it made by a configure step?)"] = None
        elif access.there(posixpath.join(here, value)):
            shown = os.path.normpath(posixpath.join(here, value))
            why = "lies outside of the module's folder: give --module a folder with both"
            lacks[f"{option}{shown} {why}"] = None
    return out


def _placed(value: str, kernel: KernelDir, here: str, access: Access) -> str:
    """The absolute path of a folder or file, "" where it is none that may be read."""
    tried = [here, kernel.root] if not value.startswith("/") else [""]
    for base in tried:
        path = os.path.normpath(posixpath.join(base, value))
        real = os.path.realpath(path)
        inside = any(real == root or real.startswith(f"{root}/") for root in
                     (access.root, *kernel.folders))  # fmt: skip
        if inside and access.there(path):
            return path
    return ""
