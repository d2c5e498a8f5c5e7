# SPDX-License-Identifier: GPL-2.0-only
"""Which files a parse read, and that it was let read all of them."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from patchgen.model.facts import Diagnostic
from patchgen.model.outcome import UserError
from patchgen.sandbox.reader import changed, read_inside
from patchgen.source.config.overlay import overlays


class Read(NamedTuple):
    """A file that clang read: its handle, and the names that it was found by."""

    handle: int
    names: tuple[str, ...]


_VISIT = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p
)  # CXInclusionVisitor
_INCLUSIONS = ctypes.CFUNCTYPE(None, ctypes.c_void_p, _VISIT, ctypes.c_void_p)


def _files(cindex: Any, unit: Any) -> list[tuple[int, str]]:
    """All files that were read; each is asked for once.

    cindex's own list makes four objects for each of the thousands of ``#include`` lines.
    """
    found: set[int] = set()
    inclusions = _INCLUSIONS(("clang_getInclusions", cindex.conf.lib))
    inclusions(unit.obj, _VISIT(lambda file, stack, depth, data: found.add(file)), None)
    named = ((file, cindex.File(ctypes.cast(file, cindex.c_object_p)).name) for file in found)
    return list(named)


def files_read(
    cindex: Any, unit: Any, real: str, main: str, reads: Sequence[str]
) -> dict[str, Read]:
    """What a unit of the file ``main`` read of the tree at ``real``, by path, without it.

    Files of the overlay are left out; those of a build that the user named have absolute
    paths.  UserError: a file that is neither in the tree nor below one of ``reads``, or that
    was read in two states.
    """
    places = [os.path.normpath(place) for place in reads]
    made = str(overlays())
    found: dict[str, Read] = {}
    for handle, name in _files(cindex, unit):
        path = relative(name, real)
        if path[:1] == "/":
            if not any(f"{path}/".startswith(f"{place}/") for place in places):
                raise UserError(f"includes {path}, which is outside the tree", relative(main, real))
            if path.startswith(f"{made}/"):
                continue
        elif f"{real}/{path}" == main:
            continue
        before = found.get(path, Read(handle, ()))
        if before.handle != handle and buffer(cindex, unit, handle) != buffer(
            cindex, unit, before.handle
        ):
            raise changed(path)
        found[path] = Read(before.handle, (*before.names, name))
    return found


def nothing_removed(
    read: Mapping[str, Read], overrides: Mapping[str, bytes | None], path: str
) -> None:
    """UserError where a file was read that the state does not have: clang sees the disk."""
    for name in read:
        if name in overrides and overrides[name] is None:
            raise UserError(f"includes {name}, which is removed", path)


_DENIED = r"cannot open file '(.+)': Permission denied"


def nothing_denied(diagnostics: Sequence[Diagnostic], real: str, path: str) -> None:
    """UserError for a file that the confined parser was not let read when it parsed ``path``."""
    for diagnostic in diagnostics:
        match = re.fullmatch(_DENIED, diagnostic.text)
        if match:
            name = os.path.normpath(os.path.join(real, match.group(1)))  # noqa: PTH118
            if name.startswith(f"{real}/"):
                read_inside(real, name[len(real) + 1 :])  # a link out of the tree says so itself
            raise UserError(f"includes {match.group(1)}, which is outside the tree", path)


def relative(name: str, real: str) -> str:
    full = name if name.startswith("/") else f"{real}/{name}"
    if "/." in full or "//" in full:
        full = os.path.normpath(full)
    return full[len(real) + 1 :] if full.startswith(f"{real}/") else full


def buffer(cindex: Any, unit: Any, handle: int) -> bytes:
    """What clang holds of a file."""
    size = ctypes.c_size_t()
    contents = _CONTENTS(("clang_getFileContents", cindex.conf.lib))
    at = contents(unit.obj, handle, ctypes.byref(size))
    return ctypes.string_at(at, size.value) if at else b""


_CONTENTS = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
)
