# SPDX-License-Identifier: GPL-2.0-only
"""The real flags of a built tree: compile_commands.json or Kbuild's .cmd files.

Such files come with trees of strangers: only flags of a known harmless form are kept
(none that loads a plugin), and, unless the user named the build, only include paths
inside the tree.
"""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path

from patchgen.model.outcome import UserError
from patchgen.sandbox import look
from patchgen.sandbox.reader import read_given, read_inside

KEPT = (
    r"-std=\w+|-nostdinc|-ansi|-trigraphs"
    r"|-f(?:no-)?(?:short-wchar|(?:un)?signed-char|builtin[\w-]*|ms-extensions|freestanding"
    r"|short-enums|common|strict-aliasing|strict-overflow|wrapv|gnu89-inline|plan9-extensions"
    r"|strict-flex-arrays(?:=\d)?|PIE|pie|PIC|pic|fixed-point)"
    r"|-m(?:64|32|x32|arm|thumb|arch=[\w.+-]+|cpu=[\w.+-]+|abi=[\w.-]+|little-endian|big-endian"
    r"|soft-float|general-regs-only|cmodel=\w+|no-(?:sse|mmx|avx|3dnow|altivec|vsx)[\w.]*)"
)
_DATABASE = "compile_commands.json"
#: A database of a whole kernel has some 20 MB, a saved command some 20 KB.
_LIMIT = 128 << 20
_COMMAND_LIMIT = 1 << 20
_PATHS = ("-isystem", "-iquote", "-idirafter", "-include", "-I")
_VALUES = ("-D", "-U")


def build_flags(root: Path, path: str, build_dir: Path | None) -> list[str] | None:
    """libclang arguments for ``path`` from ``build_dir`` or the tree itself, or None.

    None: nothing there was built, or it knows no such file.  UserError: ``build_dir``
    was given and has no flags at all, or compile_commands.json is not readable.
    """
    place = build_dir or root
    database = place / _DATABASE
    listed = _read(place, _DATABASE, build_dir is not None)
    if listed is not None:
        found = _from_database(listed, database, root, path, build_dir is not None)
        if found is not None:
            return found
    command = _saved_command(place, path, build_dir is not None)
    if command is not None:
        return _cleaned(command, place, None if build_dir else root)
    if build_dir is None:
        return None
    if not look.is_folder(build_dir):
        raise UserError("no such build folder", str(build_dir), "give --build-dir a kernel build")
    if listed is None and not look.is_file(build_dir / "include/generated/autoconf.h"):
        raise UserError(
            "neither compile_commands.json nor a configured kernel build is here", str(build_dir)
        )
    return None


def paths_in(flags: list[str]) -> list[str]:
    """The folders and files that :func:`build_flags`'s arguments name."""
    return [value for option, value in pairwise(flags) if option in _PATHS]


def _read(place: Path, path: str, trusted: bool, limit: int = _LIMIT) -> bytes | None:
    """A build's file: only of a build that the user named is a link out of it followed."""
    if trusted:
        return read_given(place / path, limit)
    return read_inside(os.path.realpath(place), path, limit)


def _from_database(
    listed: bytes, database: Path, root: Path, path: str, trusted: bool
) -> list[str] | None:
    import json
    import shlex

    try:
        entries = json.loads(listed)
        wanted = os.path.realpath(root / path)
        for entry in entries:
            folder = Path(entry["directory"])
            if os.path.realpath(folder / entry["file"]) == wanted:
                words = entry.get("arguments") or shlex.split(entry["command"])
                return _cleaned([str(word) for word in words], folder, None if trusted else root)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"not a compilation database: {error}", str(database)) from None
    return None


def _saved_command(place: Path, path: str, trusted: bool) -> list[str] | None:
    """The command that Kbuild left beside the object file."""
    source = Path(path)
    name = str(source.parent / f".{source.stem}.o.cmd")
    data = _read(place, name, trusted, _COMMAND_LIMIT)
    if data is None:
        return None
    text = data.decode("utf-8", "replace")
    try:
        match = re.search(r"^(?:saved)?cmd_\S+ := (.*)$", text, re.M)
        if match is None:
            return None
        import shlex

        return shlex.split(match[1].replace("$(pound)", "#").partition(" ; ")[0])
    except ValueError:
        return None


def _cleaned(words: list[str], folder: Path, within: Path | None) -> list[str]:
    """What of a compiler's command changes a parse, include paths absolute.

    ``within`` limits the include paths to a folder; the compiler's own headers
    (-isystem) are never taken, the overlay has them.
    """
    top = os.path.realpath(within) if within else ""
    out: list[str] = []
    index = 1
    while index < len(words):
        word = words[index]
        index += 1
        option = next((o for o in (*_PATHS, *_VALUES) if word.startswith(o)), "")
        if not option:
            if re.fullmatch(KEPT, word):
                out.append(word)
            continue
        value = word[len(option) :]
        if not value and index < len(words):
            value = words[index]
            index += 1
        if option in _VALUES:
            out.append(option + value)
            continue
        full = os.path.realpath(folder / value)
        if option != "-isystem" and (not top or full == top or full.startswith(top + os.sep)):
            out += [option, full]
    return out
