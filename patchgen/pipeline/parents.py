# SPDX-License-Identifier: GPL-2.0-only
"""A slice of a series on the patches that come before it, where they are there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from patchgen.commits.patchset import ReadPatch, Series
from patchgen.model.outcome import UserError
from patchgen.series.read.parents import Parents, named_parents, parents_beside
from patchgen.series.read.read import read_series
from patchgen.verify.apply import apply_series

_NAME = "--after names patches that come first"


def read_behind(
    root: Path,
    sources: Sequence[str | Path],
    after: Sequence[str | Path],
    *,
    version: int | None = None,
    allow: Collection[str] = (),
) -> tuple[Series, int]:
    """The series in ``sources`` with its parents in front of it, and how many these are.

    They are those that ``after`` names, else those of the same series beside the files of a
    slice, where they apply to the tree at ``root``; else there are none.  The caveats say
    which.  UserError: a source cannot be read, or what ``after`` names does not apply.
    """
    series = read_series(sources, version=version, allow=allow, sliced=bool(after))
    if after:
        parents = named_parents(series, after, version, allow)
    else:
        parents = parents_beside(series, sources, allow)
    if not parents.patches:
        return _alone(series, _absent(parents), bool(parents.missing)), 0
    fitting, there, why = _fitting(root, series, parents.patches)
    if why and parents.named:
        hint = "where the tree has it already, leave --after out"
        raise UserError(f"named by --after, does not apply: {why}", fitting[0].where, hint)
    if why:
        return _alone(series, f"{_numbers(fitting[:1])}, beside it, does not apply: {why}"), 0
    said = f"{series.which} alone" if series.partial else "the series"
    if fitting:
        said += f", behind {_numbers(fitting)} {_places(fitting, parents)}"
    if there:
        said += f"; {_numbers(there)} {'is' if len(there) == 1 else 'are'} in the tree already"
    rest = series.caveats[1:] if series.partial else series.caveats
    joined = (*fitting, *series.patches)
    return msgspec.structs.replace(series, patches=joined, caveats=(said, *rest)), len(fitting)


def _alone(series: Series, why: str, wanted: bool = True) -> Series:
    if not series.partial or not wanted:
        return series
    said = f"{series.caveats[0]}; {why}"
    return msgspec.structs.replace(series, caveats=(said, *series.caveats[1:]))


def _absent(parents: Parents) -> str:
    gone = parents.missing
    which = f"patch {gone[0]} is" if len(gone) == 1 else f"{len(gone)} patches before it are"
    return f"{which} not beside it ({_NAME})"


def _fitting(
    root: Path, series: Series, parents: Sequence[ReadPatch]
) -> tuple[tuple[ReadPatch, ...], tuple[ReadPatch, ...], str]:
    """The parents to apply; those first ones that the tree has; why one does not fit, or "".

    With a reason, what comes first of the parents is the one that does not fit.
    """
    rest, there = list(parents), list[ReadPatch]()
    while rest:
        applied = apply_series(root, msgspec.structs.replace(series, patches=tuple(rest)))
        bad = next((one for one in applied.patches if one.misfits), None)
        if bad is None:
            break
        if bad.patch is not rest[0] or any(one.kind != "applied" for one in bad.misfits):
            return (bad.patch,), tuple(there), str(bad.misfits[0])
        there.append(rest.pop(0))
    return tuple(rest), tuple(there), ""


def _numbers(patches: Sequence[ReadPatch]) -> str:
    numbers = [patch.number for patch in patches]
    if len(numbers) == 1:
        return f"patch {numbers[0]}"
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"patches {numbers[0]} to {numbers[-1]}"
    return f"{len(numbers)} patches"


def _places(patches: Sequence[ReadPatch], parents: Parents) -> str:
    return "of --after" if parents.named else f"from {parents.where}"
