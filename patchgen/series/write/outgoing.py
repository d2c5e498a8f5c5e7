# SPDX-License-Identifier: GPL-2.0-only
"""The output folder: the whole series appears in it at once, or nothing does."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_own

_OURS = re.compile(r"(v\d+-)?\d{4}-[A-Za-z0-9._-]*\.patch")
# One part of a split series.
_PART = re.compile(r"\d+-[a-z0-9-]+")
_OUR_HEADER = b"\nX-Generated-By: patchgen "
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_folder(out: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write ``files`` into the folder ``out`` so that no moment shows a part of them.

    A name may have one folder in front (``1-mm/0001-a.patch``).  They are written to a
    hidden folder beside it, which is then renamed; an earlier series (only with
    ``force``) is exchanged in one step.  Folders that a killed run left are removed.
    """
    out = out.resolve()
    replace = _check_target(out, force)
    stem = f".{out.name}.patchgen-"
    fresh = out.parent / f"{stem}{os.getpid()}"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out.parent, stem)
        fresh.mkdir()
        try:
            for name, data in files.items():
                (fresh / name).parent.mkdir(exist_ok=True)
                (fresh / name).write_bytes(data)
            _move(fresh, out, replace)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise UserError(
            f"cannot be written: {error.strerror}", str(out), "choose another folder"
        ) from error


def check_target(out: Path, *, force: bool = False) -> None:
    """UserError when `write_folder` would refuse ``out``: ask before long work."""
    out = out.resolve()
    _check_target(out, force)
    parent = next(folder for folder in (out, *out.parents) if look.is_there(folder))
    if not look.may_write(parent):
        raise UserError("cannot be written: no permission", str(out), "choose another folder")


def _check_target(out: Path, force: bool) -> bool:
    """Whether there is an earlier series to replace."""
    try:
        if not look.is_there(out):
            return False
        if not look.is_folder(out):
            raise UserError("exists and is no folder", str(out), "choose another folder")
        entries = [out / name for name in look.names(out)]
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", str(out)) from error
    if not entries:
        return True
    if not all(_is_ours(entry) for entry in entries):
        raise UserError("the folder is not empty", str(out), "choose another folder")
    if not force:
        raise UserError("holds an earlier series", str(out), "--force replaces it")
    return True


def _is_ours(file: Path) -> bool:
    kind = look.kind(file)
    if _PART.fullmatch(file.name) and kind == "folder":
        return all(_is_ours(file / name) for name in look.names(file))
    if not _OURS.fullmatch(file.name) or kind != "file":
        return False
    return _OUR_HEADER in (read_own(file) or b"").split(b"\n\n", 1)[0]


def _move(fresh: Path, out: Path, replace: bool) -> None:
    if not replace:
        # Fails when somebody else has made it meanwhile and put something in.
        fresh.rename(out)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    status = libc.renameat2(
        _AT_FDCWD, os.fsencode(fresh), _AT_FDCWD, os.fsencode(out), _RENAME_EXCHANGE
    )
    if status != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _sweep(parent: Path, stem: str) -> None:
    for name in look.names(parent):
        owner = name.removeprefix(stem)
        if owner != name and owner.isdigit() and not look.is_there(f"/proc/{owner}"):
            shutil.rmtree(parent / name, ignore_errors=True)
