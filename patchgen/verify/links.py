# SPDX-License-Identifier: GPL-2.0-only
"""What no parse shows: names that a patch leaves without a definition, export or object.

Each is looked up in the whole tree behind the patch; where something may still define it, as
a macro's argument at file scope or an assembler source does, nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from patchgen.model.base import Value
from patchgen.source.c.lexer import lexed
from patchgen.source.c.outline import outline
from patchgen.source.config.flags_gates import assignments
from patchgen.source.config.overlay_inputs import Inputs
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.search import grep
from patchgen.verify.coverage import verdict_without_parse
from patchgen.verify.holding import files_with
from patchgen.verify.names import Given, NameChange, changed_names, gives
from patchgen.verify.objects import check_objects
from patchgen.verify.standing import standing
from patchgen.verify.users import MOST_NAMES
from patchgen.verify.uses import Use, look


class Links(Value, frozen=True):
    """``broken`` are names that are used and lost what they link to, ``notes`` what is odd."""

    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def check_links(before: TreeState, after: TreeState, changed: Sequence[str]) -> Links:
    """Hold the definitions, exports and objects that a patch takes away against their users."""
    sources = [
        path for path in changed if path.endswith((".c", ".h")) and _kernel(before, after, path)
    ]
    old = {path: data for path in sources if (data := before.read(path)) is not None}
    new = {path: data for path in sources if (data := after.read(path)) is not None}
    gone = [c for c in changed_names(old, new) if c.how == "removed" and c.place.path[-2:] == ".c"]
    names = [c for c in gone if c.kind in ("function", "variable")]
    broken = [text for c in names[:MOST_NAMES] if (text := _undefined(after, c))]
    broken += [text for c in gone if c.kind == "export" and (text := _unexported(after, c))]
    hidden, shy = _conditional(after, old, new)
    lost, notes = check_objects(before, after, changed)
    return Links(tuple(dict.fromkeys((*broken, *hidden, *lost))), (*notes, *shy))


def _kernel(before: TreeState, after: TreeState, path: str) -> bool:
    verdict = verdict_without_parse(before, after, path)
    return verdict is None or verdict.state == "deleted"


def _undefined(after: TreeState, change: NameChange) -> str:
    """What is wrong where nothing defines a name any more and something uses it; else ""."""
    uses: list[Use] = []
    for path in files_with(after, [change.name])[change.name]:
        seen = look(after.read(path) or b"", path, change.name)
        if seen is None:
            return ""
        uses += seen
    if not uses or _in_assembler(after, change.name):
        return ""
    what = f"{change.name}{'()' if change.kind == 'function' else ''}"
    more = f", and {len(uses) - 1} more" if len(uses) > 1 else ""
    return (
        f"{uses[0].place}: {what} is used{more}, and defined nowhere any more"
        f" (removed in {change.place})"
    )


def _conditional(
    after: TreeState, old: Mapping[str, bytes], new: Mapping[str, bytes]
) -> tuple[list[str], list[str]]:
    """Definitions that a patch puts under a condition, and that others use without it.

    Under ``#if 0`` that is broken; under an option it is odd: what the users' options need
    is not known here.
    """
    broken: list[str] = []
    notes: list[str] = []
    for path in new:
        if not path.endswith(".c") or path not in old:
            continue
        was, now = _definitions(old[path]), _definitions(new[path])
        for name, (conditions, line) in now.items():
            added = [one for one in conditions if one not in was.get(name, (conditions, 0))[0]]
            if not added:
                continue
            use = _without(after, name, path, added[0])
            if use:
                text = f"{use}: {name}() is used, and {path}:{line} defines it under #{added[0]}"
                (broken if added[0] == "if 0" else notes).append(f"{text} alone now")
    return broken, notes


def _definitions(source: bytes) -> dict[str, tuple[tuple[str, ...], int]]:
    """The functions for others that a source defines once: conditions and line of each."""
    tokens = lexed(source)
    under = standing(tokens)
    found: dict[str, list[int]] = {}
    for function in outline(tokens):
        if "static" not in tokens.texts[function.first : function.body_at]:
            line = tokens.line(tokens.starts[function.name_at])
            found.setdefault(function.name, []).append(line)
    return {name: (under(at[0]), at[0]) for name, at in found.items() if len(at) == 1}


def _without(after: TreeState, name: str, home: str, condition: str) -> str:
    """The first use of a name in another source that does not stand under a condition."""
    first = ""
    for path in files_with(after, [name])[name]:
        if path == home:
            continue
        data = after.read(path) or b""
        uses = look(data, path, name)
        if uses is None:
            return ""
        under = standing(lexed(data))
        free = [use for use in uses if condition not in under(use.place.line)]
        first = first or (str(free[0].place) if free else "")
    return first


def _in_assembler(after: TreeState, name: str) -> bool:
    """Whether an assembler source has the name."""
    listed = [
        f"arch/{arch}/{folder}"
        for arch in _names(after, "arch")
        for folder in ("lib", "kernel", "mm", "kvm", "entry", "crypto", "net", "boot")
    ]
    paths = [
        f"{folder}/{file}"
        for folder in listed
        for file in _names(after, folder)
        if file.endswith(".S")
    ]
    return bool(grep(after.root, paths, (name,)))


def _names(state: TreeState, folder: str) -> list[str]:
    return sorted(Inputs(state.root).names(folder))


def _unexported(after: TreeState, change: NameChange) -> str:
    """What is wrong where a module uses a name that is not exported any more; else ""."""
    holders = files_with(after, [change.name])[change.name]
    for path in holders:
        if any(g.kind == "export" and g.name == change.name for g in _given(after, path)):
            return ""
        if path.endswith(".h") and look(after.read(path) or b"", path, change.name) is None:
            return ""  # a macro or an inline by now
    home = _module(after, change.place.path)
    for path in holders:
        if not path.endswith(".c") or path == change.place.path:
            continue
        uses = look(after.read(path) or b"", path, change.name)
        module = _module(after, path)
        if uses and module and module != home:
            return (
                f"{uses[0].place}: {change.name} is used in the module {module}, and exported"
                f" no more (removed in {change.place})"
            )
    return ""


def _given(after: TreeState, path: str) -> Iterable[Given]:
    data = after.read(path) or b""
    return gives(path, data) if b"EXPORT" in data else ()


def _module(state: TreeState, path: str) -> str:
    """The module that a source may be part of; "" for one that is built in, or not known."""
    if state.read(path) is None:
        return ""
    config = state.config(path)
    name = next((a for a in config.args if a.startswith("-D__KBUILD_MODNAME=")), "")
    folder = PurePosixPath(path).parent
    options = _options(state, str(folder), PurePosixPath(path).stem)
    return name.partition("=kmod_")[2] if any(_tristate(state, path, o) for o in options) else ""


def _options(state: TreeState, folder: str, stem: str) -> list[str]:
    """The options that the folder's Makefile builds an object by, also through a list."""
    text = (state.read(f"{folder}/Makefile") or state.read(f"{folder}/Kbuild") or b"").decode(
        "utf-8", "replace"
    )
    lines = assignments(text)
    wanted, found = {f"{stem}.o"}, []
    for _ in range(4):
        for line in lines:
            words = set(line.value.split())
            if not words & wanted:
                continue
            match = re.fullmatch(r"obj-\$\(CONFIG_(\w+)\)", line.variable)
            if match:
                found.append(match[1])
            elif line.variable == "obj-m":
                found.append("m")
            else:
                wanted.add(re.sub(r"-(?:y|objs|\$\(CONFIG_\w+\))$", "", line.variable) + ".o")
    return found


def _tristate(state: TreeState, path: str, option: str) -> bool:
    if option == "m":
        return True
    for folder in PurePosixPath(path).parents:
        place = "Kconfig" if str(folder) == "." else f"{folder}/Kconfig"
        text = (state.read(place) or b"").decode("utf-8", "replace")
        entry = re.search(rf"^(?:menu)?config {option}\n((?:[ \t]+.*\n|\n)*)", text, re.M)
        if entry:
            return bool(re.search(r"^\s+(?:def_)?tristate\b", entry[1], re.M))
    return False
