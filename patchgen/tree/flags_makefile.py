# SPDX-License-Identifier: GPL-2.0-only
"""What a file's Makefile says about it: include paths, defines, and gating options.

Read without running make: assignments are taken from every branch of a conditional,
and of the flags only what changes a parse (-I, -D, -U, -include).
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from patchgen.model import Value
from patchgen.tree.overlay_inputs import Inputs


class FileFlags(Value, frozen=True):
    """``args`` for the file, ``options`` (without CONFIG_) that gate it.

    ``module`` is its KBUILD_MODNAME.
    """

    args: tuple[str, ...]
    options: tuple[str, ...]
    module: str


Assignments = tuple[tuple[str, str], ...]

_CONTINUED = re.compile(r"\\\n\s*")
_ASSIGN = re.compile(r"^\s*(?:export\s+|override\s+)?([^\s:+?=#]+)\s*[:+?]*=\s*(.*)$")
_OPTION = re.compile(r"\$\(CONFIG_(\w+)\)")
_VARIABLE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}")


@lru_cache(maxsize=256)
def _assignments(text: str) -> Assignments:
    """(variable, value) for every assignment of a Makefile, in order."""
    found = []
    for line in _CONTINUED.sub(" ", text).split("\n"):
        match = _ASSIGN.match(line)
        if match:
            found.append((match[1], match[2].partition(" #")[0].strip()))
    return tuple(found)


def file_flags(inputs: Inputs, path: str, arch: str) -> FileFlags:
    """What the Makefiles above ``path`` say about it; nothing where there are none."""
    args: list[str] = []
    options: list[str] = []
    module = ""
    pure = PurePosixPath(path)
    folders = [str(folder) for folder in pure.parents if str(folder) != "."]
    included = _included_by(inputs, folders[0]) if folders else ""
    if path.startswith("virt/kvm/"):
        included = f"arch/{arch}/kvm"
    if included:
        folders.insert(1, included)
    target = pure.with_suffix(".o")
    for folder in folders:
        text = _makefile(inputs, folder)
        if text is None:
            continue
        lines = _assignments(text)
        own = folder in (str(pure.parent), included)
        args += _flags(inputs, lines, folder, target.name, own)
        found, top = _gates(lines, _object_names(target, folder))
        options += found
        if top and not module:
            module = top
        options += _folder_gates(lines, path, folder)
    unique = tuple(dict.fromkeys(args)), tuple(dict.fromkeys(options))
    return FileFlags(*unique, module or pure.stem.replace("-", "_"))


def _included_by(inputs: Inputs, folder: str) -> str:
    """The sibling folder whose Makefile includes this folder's, or ""."""
    text = _makefile(inputs, folder)
    above, _, name = folder.rpartition("/")
    if text is None or re.search(r"^obj-", text, re.M) or not above:
        return ""
    for sibling in sorted(inputs.names(above)):
        other = inputs.read(f"{above}/{sibling}/Makefile") if sibling != name else None
        if other and re.search(rf"^\s*include\s.*/{re.escape(name)}/Makefile", other, re.M):
            return f"{above}/{sibling}"
    return ""


def _makefile(inputs: Inputs, folder: str) -> str | None:
    text = inputs.read(f"{folder}/Kbuild")
    other = inputs.read(f"{folder}/Makefile")
    return text if other is None else f"{text or ''}\n{other}"


def _flags(inputs: Inputs, lines: Assignments, folder: str, name: str, own: bool) -> list[str]:
    """The flags of one Makefile: its folder's, the file's, and those for subfolders."""
    wanted = {"subdir-ccflags-y"}
    if own:
        wanted |= {"ccflags-y", "EXTRA_CFLAGS", f"CFLAGS_{name}"}
    variables = {"srctree": inputs.root, "src": folder, "obj": folder, "objtree": inputs.root}
    for variable, value in lines:
        if re.fullmatch(r"\w+", variable):
            variables.setdefault(variable, value)
    out: list[str] = []
    for variable, value in lines:
        if variable in wanted or (own and re.fullmatch(r"ccflags-\$\(CONFIG_\w+\)", variable)):
            words = _expand(value, variables).split()
            out += _kept(words, inputs.root)
    return out


def _expand(text: str, variables: dict[str, str]) -> str:
    for _ in range(8):
        replaced = _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], "$?"), text)
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
        if word.startswith("-I"):
            place = word[2:]
            out.append("-I" + (place if place.startswith("/") else f"{root}/{place}"))
        elif word.startswith("-include"):
            place = word[8:]
            out += ["-include", place if place.startswith("/") else f"{root}/{place}"]
        elif word.startswith(("-D", "-U")):
            out.append(word.replace("\\", "").replace("'", ""))
    return out


def _object_names(target: PurePosixPath, folder: str) -> list[str]:
    """How a Makefile in ``folder`` may name the object: by path, or through a variable."""
    if target.is_relative_to(folder):
        return [str(target.relative_to(folder))]
    return [target.name, f"$(KVM)/{target.name}"]


def _gates(lines: Assignments, names: list[str]) -> tuple[list[str], str]:
    """Options on the way from an object (x.o) up to an obj- line, and the module's name."""
    options: list[str] = []
    seen = set(names)
    goals = list(names)
    module = ""
    while goals:
        goal = goals.pop()
        for variable, value in lines:
            if goal not in value.split():
                continue
            option = _OPTION.search(variable)
            if option:
                options.append(option[1])
            stem = re.sub(r"-(?:y|m|objs|\$\(CONFIG_\w+\))$", "", variable)
            if stem in ("obj", "lib"):
                module = module or goal.removesuffix(".o").replace("-", "_")
                continue
            for higher in (f"{stem}.o", f"$({variable})"):
                if higher not in seen:
                    seen.add(higher)
                    goals.append(higher)
    return options, module


def _folder_gates(lines: Assignments, path: str, folder: str) -> list[str]:
    """Options that gate the descent from ``folder`` towards ``path``."""
    if not path.startswith(folder + "/"):
        return []
    rest = path[len(folder) + 1 :].split("/")[:-1]
    below = {"/".join(rest[:end]) + "/" for end in range(1, len(rest) + 1)}
    found = []
    for variable, value in lines:
        option = _OPTION.fullmatch(variable.removeprefix("obj-"))
        if option and below & set(value.split()):
            found.append(option[1])
    return found
