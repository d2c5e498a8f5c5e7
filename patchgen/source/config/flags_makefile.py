# SPDX-License-Identifier: GPL-2.0-only
"""What a file's Makefile says about it: include paths, defines, and gating options.

Read without running make: assignments are taken from every branch of a conditional,
and of the flags only what changes a parse (-I, -D, -U, -include).
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.source.config.flags_gates import Assignment, assignments, folder_gates, gates
from patchgen.source.config.overlay_inputs import Inputs


class FileFlags(Value, frozen=True):
    """``args`` for the file, ``options`` (without CONFIG_) that gate it.

    ``module`` is its KBUILD_MODNAME.
    """

    args: tuple[str, ...]
    options: tuple[str, ...]
    module: str


_VARIABLE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}")


def file_flags(inputs: Inputs, path: str, arch: str, base: frozenset[str]) -> FileFlags:
    """What the Makefiles above ``path`` say about it; nothing where there are none.

    ``base`` are options that are on anyway: of alternatives that gate a file, one of
    them is preferred.
    """
    args: list[str] = []
    options: list[str] = []
    module = ""
    own = True  # until the Makefile with the obj- lines that build the file
    for folder, lines in _makefiles(inputs, path, arch):
        args += _flags(inputs, lines, folder, PurePosixPath(path).stem + ".o", own)
        found, top = gates(lines, path, folder, base)
        options += found
        module = module or top
        options += folder_gates(lines, path, folder)
        own = own and not any(line.variable.startswith("obj-") for line in lines)
    unique = _unique(args), tuple(dict.fromkeys(options))
    return FileFlags(*unique, module or PurePosixPath(path).stem.replace("-", "_"))


def object_of(inputs: Inputs, path: str, arch: str, base: frozenset[str]) -> str:
    """kbuild's name of a source's object: from the folder whose Makefile lists it.

    ``arch/x86/kvm/../../../virt/kvm/kvm_main.o`` is such a name.
    """
    own = str(PurePosixPath(path).with_suffix(".o"))
    folder = f"arch/{arch}/kvm" if path.startswith("virt/kvm/") else ""
    for place, lines in _makefiles(inputs, path, arch):
        if gates(lines, path, place, base)[1]:
            folder = place
            break
    return f"{folder}/{os.path.relpath(own, folder)}" if folder else own


def _unique(args: list[str]) -> tuple[str, ...]:
    """The arguments without repeats; an option and its path are one argument."""
    pairs: dict[tuple[str, ...], None] = {}
    at = 0
    while at < len(args):
        size = 2 if args[at] in ("-I", "-include") else 1
        pairs[tuple(args[at : at + size])] = None
        at += size
    return tuple(word for pair in pairs for word in pair)


def _makefiles(inputs: Inputs, path: str, arch: str) -> list[tuple[str, tuple[Assignment, ...]]]:
    """(folder, assignments) of the Makefiles above the file, nearest first.

    A Makefile that another folder's includes (KVM's generic code, amdkfd) counts as
    part of that one.
    """
    out = []
    folders = [str(folder) for folder in PurePosixPath(path).parents if str(folder) != "."]
    for folder in folders:
        text = _makefile(inputs, folder)
        if text is None:
            continue
        lines = assignments(text)
        above = _included_by(inputs, folder)
        if not above and folder == "virt/kvm":
            above = f"arch/{arch}/kvm"
        other = _makefile(inputs, above) if above else None
        if other is not None:
            lines += assignments(other)
            folder = above
        out.append((folder, lines))
    if folders and folders[0] == "virt/kvm" and not any("arch/" in entry[0] for entry in out):
        other = _makefile(inputs, f"arch/{arch}/kvm")
        if other is not None:
            out.insert(0, (f"arch/{arch}/kvm", assignments(other)))
    return out


def _included_by(inputs: Inputs, folder: str) -> str:
    """The folder above or beside this one whose Makefile includes this one's, or ""."""
    above, _, name = folder.rpartition("/")
    if not above:
        return ""
    included = re.compile(rf"^[ \t]*include[ \t].*/{re.escape(name)}/Makefile", re.M)
    if included.search(inputs.read(f"{above}/Makefile") or ""):
        return above
    own = inputs.read(f"{folder}/Makefile") or ""
    if re.search(r"^obj-", own, re.M):
        return ""
    for sibling in sorted(inputs.names(above) - {name}):
        if included.search(inputs.read(f"{above}/{sibling}/Makefile") or ""):
            return f"{above}/{sibling}"
    return ""


#: Characters of a folder's Makefile; the largest of any kernel so far has 60,000.
_LARGEST = 1 << 19


def _makefile(inputs: Inputs, folder: str) -> str | None:
    """A folder's Makefile.  UserError: it is larger than any that is meant to be read."""
    text = inputs.read(f"{folder}/Kbuild")
    other = inputs.read(f"{folder}/Makefile")
    if len(text or "") + len(other or "") > _LARGEST:
        raise UserError(
            f"more than {_LARGEST >> 10} KiB, which no kernel's Makefile has", f"{folder}/Makefile"
        )
    return text if other is None else f"{text or ''}\n{other}"


def _flags(
    inputs: Inputs, lines: tuple[Assignment, ...], folder: str, name: str, own: bool
) -> list[str]:
    """The flags of one Makefile: its folder's, the file's, and those for subfolders."""
    wanted = {"subdir-ccflags-y"}
    if own:
        wanted |= {"ccflags-y", "EXTRA_CFLAGS", f"CFLAGS_{name}"}
    variables = {"srctree": inputs.root, "src": folder, "obj": folder, "objtree": inputs.root}
    for line in lines:
        if re.fullmatch(r"\w+", line.variable):
            variables.setdefault(line.variable, line.value)
    out: list[str] = []
    size = 0
    for line in lines:
        kind = r"(subdir-)?ccflags" if own else r"subdir-ccflags"
        conditional = re.fullmatch(kind + r"-\$\(CONFIG_\w+\)", line.variable)
        if line.variable in wanted or conditional:
            flags = _expand(line.value, variables)
            size += len(flags)
            if size > 4 * _EXPANDED:
                raise UserError(f"more than {4 * _EXPANDED} characters of flags", folder)
            out += _kept(flags.split(), inputs.root)
    return out


_EXPANDED = 100_000  # characters of one value


def _expand(text: str, variables: dict[str, str]) -> str:
    """A value with its variables replaced, as far as it stays below the limit."""

    def value(match: re.Match[str]) -> str:
        return variables.get(match[1] or match[2], "$?")

    for _ in range(8):
        size = len(text)
        for match in _VARIABLE.finditer(text):
            size += len(value(match)) - len(match[0])
            if size > _EXPANDED:
                return text
        replaced = _VARIABLE.sub(value, text)
        if replaced == text:
            break
        text = replaced
    return text


def _kept(words: list[str], root: str) -> list[str]:
    """Only what changes a parse; include paths made absolute, unexpanded ones dropped."""
    out: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word in ("-I", "-include", "-D") and index < len(words):
            word += words[index]
            index += 1
        if "$" in word:
            continue
        if word.startswith(("-I", "-include")):
            option = "-I" if word.startswith("-I") else "-include"
            place = os.path.realpath(Path(root, word.removeprefix(option)))
            if place == root or place.startswith(root + os.sep):
                # One argument: -I alone would be lost where repeated arguments are dropped
                out.append(option + place)
        elif word.startswith(("-D", "-U")):
            out.append(word.replace("\\", "").replace("'", ""))
    return out
