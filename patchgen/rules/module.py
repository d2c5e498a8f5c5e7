# SPDX-License-Identifier: GPL-2.0-only
"""What rules found in a module, and what that speaks for: a module is never silently clean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from patchgen.model.base import Place, Value
from patchgen.model.facts import Mention
from patchgen.model.outcome import UserError
from patchgen.rules.run import LintResult
from patchgen.source.c.lexer import lexed
from patchgen.source.facts.conditions import stack_at
from patchgen.source.facts.state import TreeState, api_names
from patchgen.source.module.description import LeftOut, Module

#: What tells one kernel's version from another's (include/generated/uapi/linux/version.h).
_VERSION = re.compile(
    r"LINUX_VERSION_(?:CODE|MAJOR|PATCHLEVEL|SUBLEVEL)|KERNEL_VERSION|RHEL_\w+|defined"
)


class Inactive(Value, frozen=True, order=True):
    """Code that mentions the API and that no parse had active: ``count`` mentions.

    ``place`` is the first; ``needs`` is what would have to hold.  ``version``: nothing but
    another kernel's version makes that so.  ``setting`` is what would turn it on, as --set
    takes it, "" where that is not told by the condition alone; ``decided`` is where the module
    itself defines what is asked for.
    """

    place: Place
    count: int
    needs: str
    version: bool
    setting: str = ""
    decided: Place | None = None


class ModuleLint(Value, frozen=True):
    """The findings in a module and what they speak for.

    ``left_out`` are files that mention the API and are no part of what is built.
    """

    module: Module
    arch: str
    result: LintResult
    inactive: tuple[Inactive, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def clean(self) -> bool:
        """No finding, and nothing that was not looked at though this kernel has it."""
        found = self.result
        return not (found.findings or found.unparsed or found.failed or self.module.notes)


def accounted(state: TreeState, module: Module, result: LintResult) -> ModuleLint:
    """The result with all that it does not speak for."""
    inactive = tuple(_inactive(state, result.mentions))
    return ModuleLint(
        module, state.arch or "", _completed(module, result, inactive), inactive,
        tuple(_mentioning(state, module)),
    )  # fmt: skip


def _inactive(state: TreeState, mentions: Sequence[Mention]) -> Iterator[Inactive]:
    """Inactive mentions by the condition that they stand under."""
    found: dict[tuple[str, Stack], list[Mention]] = {}
    for mention in mentions:
        if mention.state == "inactive":
            data = state.read(mention.path) or b""
            stack = _without_guard(stack_at(lexed(data), mention.offset), data)
            found.setdefault((mention.path, stack), []).append(mention)
    defined = _Defined(state) if found else None
    for (path, stack), listed in sorted(found.items(), key=lambda one: one[1][0].offset):
        assert defined is not None
        texts = " ".join(text for text, _ in stack)
        names = [
            word for word in re.findall(r"[A-Za-z_]\w*", texts) if not _VERSION.fullmatch(word)
        ]
        decided = next(filter(None, map(defined.place, names)), None)
        yield Inactive(
            Place(path, listed[0].line), len(listed),
            " && ".join(_worded(text, holds) for text, holds in stack) or "nothing",
            bool(texts) and not names, "" if decided else _setting(stack), decided,
        )  # fmt: skip


Stack = tuple[tuple[str, bool], ...]


def _without_guard(stack: Stack, data: bytes) -> Stack:
    """The conditions without the guard of a header against its second inclusion."""
    if not stack or stack[0][1] or not re.fullmatch(r"\w+", stack[0][0]):
        return stack
    guard = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+%s[ \t]*$" % stack[0][0].encode(), re.MULTILINE)
    return stack[1:] if guard.search(data) else stack


class _Defined:
    """Where a module's own files define macros."""

    def __init__(self, state: TreeState) -> None:
        self._state = state
        self._known: dict[str, Place | None] = {}

    def place(self, name: str) -> Place | None:
        """The first definition of a macro."""
        if name not in self._known:
            define = re.compile(rb"^[ \t]*#[ \t]*define[ \t]+%s\b" % name.encode(), re.MULTILINE)
            self._known[name] = None
            for path in self._state.candidates():
                data = self._state.read(path) or b""
                match = define.search(data)
                if match:
                    self._known[name] = Place(path, data.count(b"\n", 0, match.start()) + 1)
                    break
        return self._known[name]


def _setting(stack: Stack) -> str:
    """What makes the first condition hold that is more than a kernel's version."""
    for text, holds in stack:
        option = re.search(r"\bCONFIG_\w+", text)
        if option:
            return f"{option[0].removesuffix('_MODULE')}={'y' if holds else 'n'}"
        equal = re.search(r"([A-Za-z_]\w*)\s*==\s*(\w+)", text)
        if equal and holds:
            return f"{equal[1]}={equal[2]}"
        plain = re.fullmatch(r"(?:defined\s*\(?\s*)?([A-Za-z_]\w*)\s*\)?", text.strip())
        if plain and holds:
            return f"{plain[1]}=1"
    return ""


def _worded(text: str, holds: bool) -> str:
    text = " ".join(text.split())
    plain = re.fullmatch(r"\w+", text)
    text = f"defined({text})" if plain and not text.isdigit() else text
    return text if holds else f"!({text})"


def _completed(module: Module, result: LintResult, inactive: Sequence[Inactive]) -> LintResult:
    """What the sources' commands lack is missing in the analysis, too; what is meant for other
    kernels is not."""
    lost = [(source.path, f"analysed without {'; '.join(source.lacks)}")
            for source in module.sources if source.lacks]  # fmt: skip
    others = {one.place.path for one in inactive if one.version} - {
        one.place.path for one in inactive if not one.version
    }
    kept = [(path, why) for path, why in result.failed
            if path not in others or not why.startswith("not analysed: ")]  # fmt: skip
    analysed = {*result.analysed, *(p for p, _ in result.failed if p in others)}
    order = tuple(path for path in result.files if path in analysed)
    return msgspec.structs.replace(result, failed=(*kept, *lost), analysed=order)


def _mentioning(state: TreeState, module: Module) -> Iterator[LeftOut]:
    names = re.compile(rb"\b(?:%s)\b" % b"|".join(n.encode() for n in sorted(api_names())))
    for one in module.left_out:
        try:
            data = state.read(one.path) or b""
        except UserError as error:
            yield LeftOut(one.path, error.what)
            continue
        if names.search(data):
            yield one
