# SPDX-License-Identifier: GPL-2.0-only
"""What no parse shows: names that a patch leaves without a definition, export or object.

Each is looked up in the whole tree behind the patch; where something may still define it, as
a macro's argument at file scope or an assembler source does, nothing is said.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from patchgen.model.base import Place, Value
from patchgen.source.c.lexer import Tokens, lexed
from patchgen.source.c.outline import Outline, outline
from patchgen.source.config.flags_gates import assignments
from patchgen.source.config.overlay_inputs import Inputs, describes_build
from patchgen.source.facts.state import TreeState
from patchgen.source.tree.search import grep
from patchgen.verify.coverage import verdict_without_parse
from patchgen.verify.names import Given, NameChange, changed_names, gives
from patchgen.verify.users import MOST_NAMES, files_with


class Links(Value, frozen=True):
    """``broken`` are names that are used and lost what they link to, ``notes`` what is odd."""

    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _Use(Value, frozen=True):
    place: Place
    function: str


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
    lost, notes = _objects(before, after, changed)
    return Links(tuple(dict.fromkeys((*broken, *lost))), tuple(notes))


def _kernel(before: TreeState, after: TreeState, path: str) -> bool:
    verdict = verdict_without_parse(before, after, path)
    return verdict is None or verdict.state == "deleted"


def _undefined(after: TreeState, change: NameChange) -> str:
    """What is wrong where nothing defines a name any more and something uses it; else ""."""
    uses: list[_Use] = []
    for path in files_with(after, [change.name])[change.name]:
        seen = _look(after.read(path) or b"", path, change.name)
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


def _look(source: bytes, path: str, name: str) -> list[_Use] | None:
    """The uses of a name in a file's functions and tables; None where it may be defined."""
    tokens = lexed(source)
    bodies = outline(tokens)
    if any(function.name == name for function in bodies):
        return None
    if any(re.match(rf"\s*#\s*define\s+{re.escape(name)}\b", d.text) for d in tokens.directives):
        return None
    for given in gives(path, source):
        if given.name == name and given.kind == "variable" and path.endswith(".c"):
            return None
    if not path.endswith(".c"):
        return []  # a declaration, or an inline that is looked at where it is used
    uses: list[_Use] = []
    depth = 0
    stack: list[str] = []
    for index, text in enumerate(tokens.texts):
        if text in "({[":
            stack.append(text)
        elif text in ")}]" and stack:
            stack.pop()
        depth = len(stack)
        if text != name:
            continue
        place = Place(path, tokens.line(tokens.starts[index]))
        owner = next((f for f in bodies if f.first <= index <= f.last), None)
        if owner is not None:
            member = tokens.texts[index - 1] in (".", "->")
            if index > owner.body_at and not member and not _is_local(tokens, owner, name):
                uses.append(_Use(place, owner.name))
        elif depth and stack[0] == "(":
            if tokens.texts[index - 1] == "(" and not _export(tokens, index):
                return None  # DEFINE_SOMETHING(name)
        elif depth and tokens.texts[index - 1] in ("=", "&", ",", "{"):
            uses.append(_Use(place, ""))
    return uses


_BEHIND = (";", "=", ",", ")", "[", ":")
_NO_TYPE = ("return", "else", "goto", "case", "sizeof")


def _is_local(tokens: Tokens, owner: Outline, name: str) -> bool:
    """Whether a function has a parameter or variable of the name, or a label."""
    texts = tokens.texts
    for index in range(owner.first + 1, owner.last):
        if texts[index] != name or texts[index + 1] not in _BEHIND:
            continue
        before = texts[index - 1]
        if before == "*" or (before.isidentifier() and before not in _NO_TYPE):
            return True
    return False


def _export(tokens: Tokens, index: int) -> bool:
    return index > 1 and tokens.texts[index - 2].startswith("EXPORT_")


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
        if path.endswith(".h") and _look(after.read(path) or b"", path, change.name) is None:
            return ""  # a macro or an inline by now
    home = _module(after, change.place.path)
    for path in holders:
        if not path.endswith(".c") or path == change.place.path:
            continue
        uses = _look(after.read(path) or b"", path, change.name)
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


def _objects(
    before: TreeState, after: TreeState, changed: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Objects that no Makefile lists any more: broken users, and sources that nothing builds."""
    broken: list[str] = []
    notes: list[str] = []
    for makefile in changed:
        if not describes_build(makefile) or "Kconfig" in makefile:
            continue
        folder = makefile.rpartition("/")[0]
        for name in sorted(_listed(before, makefile) - _listed(after, makefile)):
            source = os.path.normpath(f"{folder}/{name[:-2]}.c")
            data = after.read(source)
            if data is None or _still_listed(after, source, changed):
                continue
            notes.append(f"{source} is not built any more: {makefile} does not list it")
            for given in gives(source, data):
                if given.kind == "function" and (text := _user_outside(after, given.name, source)):
                    broken.append(
                        f"{text}: {given.name}() is used, and {source} is not built any more"
                        f" ({makefile} does not list {name})"
                    )
                    break
    for path in changed:
        new = path.endswith(".c") and before.read(path) is None and after.read(path) is not None
        if not new or verdict_without_parse(before, after, path) is not None:
            continue
        if not _still_listed(after, path, changed) and not _included(after, path):
            notes.append(f"{path} is new, and no Makefile lists it")
    return broken, notes


def _listed(state: TreeState, makefile: str) -> set[str]:
    text = (state.read(makefile) or b"").decode("utf-8", "replace")
    return {w for line in assignments(text) for w in line.value.split() if w.endswith(".o")}


def _still_listed(state: TreeState, source: str, changed: Sequence[str]) -> bool:
    """Whether a Makefile beside or above a source, or one of the patch, lists its object."""
    name = PurePosixPath(source).name[:-2] + ".o"
    folders = [str(folder) for folder in PurePosixPath(source).parents if str(folder) != "."]
    places = [f"{folder}/{word}" for folder in folders for word in ("Makefile", "Kbuild")]
    places += [path for path in changed if describes_build(path)]
    inputs = Inputs(state.root, dict(state.snapshot.overrides))
    for place in places:
        text = inputs.read(place) or ""
        if re.search(rf"(?:^|[\s/=]){re.escape(name)}\b", text):
            return True
    # Lists that are made: $(patsubst ...), $(wildcard ...), a variable's suffix.
    near = inputs.read(f"{folders[0]}/Makefile") or "" if folders else ""
    return "patsubst" in near or "wildcard" in near or "addprefix" in near or not near


def _included(state: TreeState, path: str) -> bool:
    """Whether another source includes this one."""
    name = PurePosixPath(path).name
    pattern = re.compile(rb'#\s*include\s*"(?:[^"\n]*/)?%s"' % re.escape(name.encode()))
    return any(pattern.search(state.read(p) or b"") for p in files_with(state, [name])[name])


def _user_outside(after: TreeState, name: str, source: str) -> str:
    """The first place in another source that uses a function; "" where something defines it."""
    first = ""
    for path in files_with(after, [name])[name]:
        if path == source:
            continue
        uses = _look(after.read(path) or b"", path, name)
        if uses is None:
            return ""
        first = first or (str(uses[0].place) if uses else "")
    return first
