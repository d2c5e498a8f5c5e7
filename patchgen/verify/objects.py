# SPDX-License-Identifier: GPL-2.0-only
"""Objects that a patch's Makefiles and Kconfig files build no more, or in fewer configurations."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from patchgen.source.config.flags_gates import Assignment, assignments
from patchgen.source.config.overlay_inputs import Inputs, describes_build
from patchgen.source.facts.state import TreeState
from patchgen.verify.coverage import verdict_without_parse
from patchgen.verify.holding import files_with
from patchgen.verify.names import gives
from patchgen.verify.uses import user_outside

#: Sources of a folder that no Makefile enters any more, of which users are looked for.
_MOST_SOURCES = 40
_CONFIG = re.compile(r"^[ \t]*(?:menu)?config[ \t]+(\w+)", re.M)
_OPTION = re.compile(r"\$\(CONFIG_(\w+)\)")


def check_objects(
    before: TreeState, after: TreeState, changed: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Users of what is not built any more (broken), and what else is odd about objects."""
    broken: list[str] = []
    notes: list[str] = []
    for path in changed:
        if describes_build(path) and "Kconfig" in path:
            notes += _ungated(before, after, path)
        elif describes_build(path):
            for source, name in _gone(before, after, path, changed):
                notes.append(f"{source} is not built any more: {path} does not list {name}")
                if text := _used(after, source):
                    broken.append(
                        f"{text}, and {source} is not built any more ({path} does not list {name})"
                    )
            notes += _narrowed(before, after, path)
    for path in changed:
        new = path.endswith(".c") and before.read(path) is None and after.read(path) is not None
        if not new or verdict_without_parse(before, after, path) is not None:
            continue
        if not _still_listed(after, path, changed) and not _included(after, path):
            notes.append(f"{path} is new, and no Makefile lists it")
    return broken, notes


def _used(after: TreeState, source: str) -> str:
    """``place: name() is used`` for the first function of a source that another uses; or ""."""
    for given in gives(source, after.read(source) or b""):
        if given.kind == "function" and (text := user_outside(after, given.name, source)):
            return f"{text}: {given.name}() is used"
    return ""


def _gone(
    before: TreeState, after: TreeState, makefile: str, changed: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Sources that are there and that a Makefile lists no more, by object or by folder."""
    folder = PurePosixPath(makefile).parent
    for name in sorted(_listed(before, makefile) - _listed(after, makefile)):
        if name.endswith(".o"):
            sources = [os.path.normpath(folder / f"{name[:-2]}.c")]
        else:
            below = os.path.normpath(folder / name)
            files = sorted(Inputs(after.root).names(below))
            sources = [f"{below}/{file}" for file in files if file.endswith(".c")][:_MOST_SOURCES]
            if _entered(after, below, changed):
                continue
            sources = [source for source in sources if _built(after, source)]
        for source in sources:
            listed = name.endswith(".o") and _still_listed(after, source, changed)
            if after.read(source) is not None and not listed:
                yield source, name


def _built(state: TreeState, source: str) -> bool:
    """Whether the Makefile beside a source lists its object."""
    path = PurePosixPath(source)
    return any(
        f"{path.stem}.o" in _listed(state, str(path.with_name(word)))
        for word in ("Makefile", "Kbuild")
    )


def _entered(state: TreeState, folder: str, changed: Sequence[str]) -> bool:
    """Whether a Makefile above a folder, or one of the patch, still leads there."""
    above = [str(parent) for parent in PurePosixPath(folder).parents]
    places = [f"{parent}/{word}" for parent in above for word in ("Makefile", "Kbuild")]
    for place in (*places, *(path for path in changed if describes_build(path))):
        base = PurePosixPath(place).parent
        for name in _listed(state, os.path.normpath(place)):
            if name.endswith("/") and os.path.normpath(base / name) == folder:
                return True
    return False


def _narrowed(before: TreeState, after: TreeState, makefile: str) -> Iterator[str]:
    """Objects that were always built and are built with an option alone now, and used."""
    folder = PurePosixPath(makefile).parent
    was, now = _gates(before, makefile), _gates(after, makefile)
    for name, options in now.items():
        if was.get(name) != () or not options:
            continue
        source = os.path.normpath(folder / f"{name[:-2]}.c")
        if after.read(source) is not None and (text := _used(after, source)):
            given = " and ".join(f"CONFIG_{option}" for option in options)
            yield f"{text}, and {source} is built with {given} alone now ({makefile})"


def _gates(state: TreeState, makefile: str) -> dict[str, tuple[str, ...]]:
    """For each object of a Makefile's ``obj-`` lines the options of the loosest of them."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines(state, makefile):
        stem, _, rest = line.variable.partition("-")
        option = _OPTION.fullmatch(rest)
        if stem not in ("obj", "lib") or (rest not in ("y", "m") and option is None):
            continue
        options = (*line.inside, option[1]) if option else line.inside
        for word in line.value.split():
            if word.endswith(".o"):
                found[word] = min(found.get(word, options), options, key=len)
    return found


def _ungated(before: TreeState, after: TreeState, kconfig: str) -> Iterator[str]:
    """Objects of the folder that are built by an option which is declared no more."""
    lost = _declared(before, kconfig) - _declared(after, kconfig)
    folder = PurePosixPath(kconfig).parent
    for makefile in (str(folder / "Makefile"), str(folder / "Kbuild")):
        for line in _lines(after, makefile) if lost else ():
            for option in (*_OPTION.findall(line.variable), *line.inside):
                if option in lost:
                    yield (
                        f"{makefile} builds {line.value} with CONFIG_{option}, which {kconfig}"
                        " does not declare any more"
                    )


def _declared(state: TreeState, kconfig: str) -> set[str]:
    return set(_CONFIG.findall((state.read(kconfig) or b"").decode("utf-8", "replace")))


def _lines(state: TreeState, makefile: str) -> tuple[Assignment, ...]:
    return assignments((state.read(makefile) or b"").decode("utf-8", "replace"))


def _listed(state: TreeState, makefile: str) -> set[str]:
    """The objects that a Makefile lists, and the folders that it enters."""
    return {
        word
        for line in _lines(state, makefile)
        for word in line.value.split()
        if word.endswith(".o") or (word.endswith("/") and "-" in line.variable)
    }


def _still_listed(state: TreeState, source: str, changed: Sequence[str]) -> bool:
    """Whether a Makefile beside or above a source, or one of the patch, lists its object."""
    name = PurePosixPath(source).name[:-2] + ".o"
    folders = [str(folder) for folder in PurePosixPath(source).parents if str(folder) != "."]
    places = [f"{folder}/{word}" for folder in folders for word in ("Makefile", "Kbuild")]
    places += [path for path in changed if describes_build(path)]
    inputs = Inputs(state.root, dict(state.snapshot.overrides))
    for place in places:
        text = re.sub(r"(?m)(?:^|\s)#.*", "", inputs.read(place) or "")
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
