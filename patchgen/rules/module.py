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
    another kernel's version makes that so; ``names`` are what decides otherwise.
    """

    place: Place
    count: int
    needs: str
    version: bool
    names: tuple[str, ...]


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
    found: dict[tuple[str, str], list[Mention]] = {}
    stacks: dict[tuple[str, str], tuple[tuple[str, bool], ...]] = {}
    for mention in mentions:
        if mention.state != "inactive":
            continue
        stack = stack_at(lexed(state.read(mention.path) or b""), mention.offset)
        needs = " && ".join(_worded(text, holds) for text, holds in stack)
        found.setdefault((mention.path, needs), []).append(mention)
        stacks[mention.path, needs] = stack
    for (path, needs), listed in sorted(found.items(), key=lambda one: one[1][0].offset):
        words = dict.fromkeys(
            word for text, _ in stacks[path, needs] for word in re.findall(r"[A-Za-z_]\w*", text)
        )
        names = tuple(word for word in words if not _VERSION.fullmatch(word))
        place = Place(path, listed[0].line)
        yield Inactive(place, len(listed), needs or "nothing", bool(words) and not names, names)


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
