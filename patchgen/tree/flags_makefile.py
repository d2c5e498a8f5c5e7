# SPDX-License-Identifier: GPL-2.0-only
"""What a file's Makefile says about it: include paths, defines, and gating options.

Read without running make: assignments are taken from every branch of a conditional,
and of the flags only what changes a parse (-I, -D, -U, -include).
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path, PurePosixPath

from patchgen.model import Value
from patchgen.tree.overlay_inputs import Inputs


class FileFlags(Value, frozen=True):
    """``args`` for the file, ``options`` (without CONFIG_) that gate it.

    ``module`` is its KBUILD_MODNAME.
    """

    args: tuple[str, ...]
    options: tuple[str, ...]
    module: str


class Assignment(Value, frozen=True, array_like=True):
    """``variable = value``, and the options whose conditionals it stands in."""

    variable: str
    value: str
    inside: tuple[str, ...]


_DEEPEST = 40  # lists in lists: a hostile Makefile ends, not the stack
_CONTINUED = re.compile(r"\\\n\s*")
_ASSIGN = re.compile(r"^\s*(?:export\s+|override\s+)?([^\s:+?=#]+)\s*[:+?]*=\s*(.*)$")
_OPTION = re.compile(r"\$\(CONFIG_(\w+)\)")
_VARIABLE = re.compile(r"\$\((\w+)\)|\$\{(\w+)\}")
_TEST = re.compile(r"^\s*(?:ifdef\s+CONFIG_(\w+)|ifneq\s*\(\$\(CONFIG_(\w+)\),\s*\)|"
                   r"ifeq\s*\(\$\(CONFIG_(\w+)\),\s*[ym]\))")  # fmt: skip
_LIST_SUFFIX = re.compile(r"-(?:y|m|objs|objs-y|\$\(CONFIG_\w+\)|objs-\$\(CONFIG_\w+\))$")


@lru_cache(maxsize=256)
def _assignments(text: str) -> tuple[Assignment, ...]:
    """Every assignment of a Makefile, in order; an include counts as one to "include"."""
    found = []
    inside: list[str] = []
    for line in _CONTINUED.sub(" ", text).split("\n"):
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word in ("ifdef", "ifndef", "ifeq", "ifneq"):
            match = _TEST.match(line)
            inside.append(next(filter(None, match.groups()), "") if match else "")
        elif word == "else" and inside:
            inside[-1] = ""
        elif word == "endif" and inside:
            inside.pop()
        elif word in ("include", "-include"):
            found.append(Assignment("include", line.split(maxsplit=1)[-1], tuple(inside)))
        else:
            match = _ASSIGN.match(line)
            if match:
                value = match[2].partition(" #")[0].strip()
                found.append(Assignment(match[1], value, tuple(filter(None, inside))))
    return tuple(found)


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
        found, top = _gates(lines, path, folder, base)
        options += found
        module = module or top
        options += _folder_gates(lines, path, folder)
        own = own and not any(line.variable.startswith("obj-") for line in lines)
    unique = _unique(args), tuple(dict.fromkeys(options))
    return FileFlags(*unique, module or PurePosixPath(path).stem.replace("-", "_"))


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
        lines = _assignments(text)
        above = _included_by(inputs, folder)
        if not above and folder == "virt/kvm":
            above = f"arch/{arch}/kvm"
        other = _makefile(inputs, above) if above else None
        if other is not None:
            lines += _assignments(other)
            folder = above
        out.append((folder, lines))
    if folders and folders[0] == "virt/kvm" and not any("arch/" in entry[0] for entry in out):
        other = _makefile(inputs, f"arch/{arch}/kvm")
        if other is not None:
            out.insert(0, (f"arch/{arch}/kvm", _assignments(other)))
    return out


def _included_by(inputs: Inputs, folder: str) -> str:
    """The folder above or beside this one whose Makefile includes this one's, or ""."""
    above, _, name = folder.rpartition("/")
    if not above:
        return ""
    included = re.compile(rf"^\s*include\s.*/{re.escape(name)}/Makefile", re.M)
    if included.search(inputs.read(f"{above}/Makefile") or ""):
        return above
    own = inputs.read(f"{folder}/Makefile") or ""
    if re.search(r"^obj-", own, re.M):
        return ""
    for sibling in sorted(inputs.names(above) - {name}):
        if included.search(inputs.read(f"{above}/{sibling}/Makefile") or ""):
            return f"{above}/{sibling}"
    return ""


def _makefile(inputs: Inputs, folder: str) -> str | None:
    text = inputs.read(f"{folder}/Kbuild")
    other = inputs.read(f"{folder}/Makefile")
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
    for line in lines:
        kind = r"(subdir-)?ccflags" if own else r"subdir-ccflags"
        conditional = re.fullmatch(kind + r"-\$\(CONFIG_\w+\)", line.variable)
        if line.variable in wanted or conditional:
            out += _kept(_expand(line.value, variables).split(), inputs.root)
    return out


def _expand(text: str, variables: dict[str, str]) -> str:
    for _ in range(8):
        replaced = _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], "$?"), text)
        if replaced == text or len(replaced) > 100_000:
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


def _gates(
    lines: tuple[Assignment, ...], path: str, folder: str, base: frozenset[str]
) -> tuple[tuple[str, ...], str]:
    """Options on the way from a file up to an obj- line, and its module's name.

    Of several ways the one with the fewest options that are not in ``base``.
    """
    target = PurePosixPath(path).with_suffix(".o")
    start = str(target.relative_to(folder)) if target.is_relative_to(folder) else target.name
    known: dict[str, tuple[tuple[str, ...], str]] = {}

    def way(goal: str, depth: int = 0) -> tuple[tuple[str, ...], str]:
        if goal in known or depth > _DEEPEST:
            return known.get(goal, ((), ""))
        known[goal] = (), ""  # a circle leads nowhere
        ways = []
        for line in lines:
            if _lists(line, goal, target.name):
                stem = _LIST_SUFFIX.sub("", line.variable)
                if stem in ("obj", "lib"):
                    found: tuple[str, ...] = ()
                    module = goal.removesuffix(".o").replace("-", "_")
                else:
                    by_name, by_variable = (
                        way(f"{stem}.o", depth + 1),
                        way(f"$({line.variable})", depth + 1),
                    )
                    found, module = by_name if by_name[1] else by_variable
                ways.append((_conditions(line) + found, module))
        if ways:
            known[goal] = min(ways, key=lambda one: (not one[1], len(set(one[0]) - base)))
        return known[goal]

    return way(start)


def _lists(line: Assignment, goal: str, name: str) -> bool:
    """Whether the line lists the object, by name or through a folder's variable."""
    if goal not in line.value and name not in line.value:
        return False
    words = line.value.replace("(", "( ").replace(")", " )").split() + line.value.split()
    if goal in words:
        return True
    return goal.rpartition("/")[2] == name and any(
        word.startswith("$(") and word.endswith(f"/{name}") for word in line.value.split()
    )


def _conditions(line: Assignment) -> tuple[str, ...]:
    option = _OPTION.search(line.variable)
    return (*line.inside, option[1]) if option else line.inside


def _folder_gates(lines: tuple[Assignment, ...], path: str, folder: str) -> list[str]:
    """Options that gate the descent from ``folder`` towards ``path``."""
    if not path.startswith(folder + "/"):
        return []
    rest = path[len(folder) + 1 :].split("/")[:-1]
    below = {"/".join(rest[:end]) + "/" for end in range(1, len(rest) + 1)}
    found = []
    for line in lines:
        option = _OPTION.fullmatch(line.variable.removeprefix("obj-"))
        if option and below & set(line.value.split()):
            found.append(option[1])
    return found
