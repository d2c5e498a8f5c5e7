# SPDX-License-Identifier: GPL-2.0-only
"""One mail of a series, as b4's per-patch check hands it over: without the ones before it.

With ``b4 prep`` the tree has the patch already, as a commit: it is checked on the commit
before.  With ``b4 am`` it has not, and the mails come one after the other: those of the
same thread that came before are kept in the cache, and the patch is checked behind them.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import BinaryIO

import msgspec

from patchgen import memo
from patchgen.commits.patchset import ReadPatch, Series
from patchgen.commits.revision import changed_since
from patchgen.pipeline.verify import Verified, VerifiedPatch, verify
from patchgen.series.read.read import read_series
from patchgen.series.read.sources import MAX_SERIES
from patchgen.series.read.thread import thread_of
from patchgen.source.facts.state import TreeState
from patchgen.verify.checkpatch import check_style
from patchgen.verify.committed import changed_after, parent_of
from patchgen.verify.message import MessageFault, message_faults


def verify_mail(
    state: TreeState,
    stream: BinaryIO,
    *,
    allow: Collection[str] = (),
    checkpatch: bool = True,
    build: bool = False,
) -> Verified:
    """Verify the mail in ``stream`` as one patch of its series.

    Where neither the tree nor the cache has the patches before it, what can be said of
    the mail alone is checked, and a note tells the rest.  UserError: it is no mail.
    """
    data = stream.read(MAX_SERIES + 1)
    series = read_series("-", stdin=io.BytesIO(data), allow=allow)
    if len(series.patches) > 1:
        return verify(state, series, checkpatch=checkpatch, prove=False, build=build)
    parent = parent_of(state.root, series)
    if parent:
        there = changed_since(state.root, parent, changed_after(state.root, parent), state.read)
        return verify(
            state.after(there), series, checkpatch=checkpatch, prove=False, build=build, at=parent
        )
    patch = series.patches[0]
    before = _before(state, series, data, allow)
    if before is None:
        return _alone(state, series, checkpatch)
    joined = msgspec.structs.replace(series, patches=(*before, patch))
    return verify(state, joined, checkpatch=checkpatch, prove=False, build=build, known=len(before))


def _before(
    state: TreeState, series: Series, data: bytes, allow: Collection[str]
) -> tuple[ReadPatch, ...] | None:
    """Keep this mail; the patches before it, or None where one of them did not come."""
    thread, number = thread_of(data), series.patches[0].number

    def key(which: int) -> str:
        words = (str(state.root), thread, f"v{series.version}", f"{which}/{series.total}")
        return memo.digest(*words)

    if thread:
        memo.write("thread", key(number), data)
    found: list[ReadPatch] = []
    for which in range(1, number):
        kept = memo.read("thread", key(which)) if thread else None
        if kept is None:
            return None
        found += read_series("-", stdin=io.BytesIO(kept), allow=allow).patches
    return tuple(found)


def _alone(state: TreeState, series: Series, checkpatch: bool) -> Verified:
    """What a mail shows without the state that it is for."""
    patch = series.patches[0]
    faults = list(message_faults(patch.message))
    if checkpatch:
        style = check_style(state.root, patch.mail)
        faults += [MessageFault(f"checkpatch: {text}") for text in style.failing(strict=False)]
        shown = (*style.passing(strict=False), *style.off)
        faults += [MessageFault(f"checkpatch: {text}", True) for text in shown]
    missing = "patch 1" if patch.number == 2 else f"patches 1 to {patch.number - 1}"
    note = (
        f"{missing} of {series.total} did not come before this one: whether it applies, parses"
        " and brings findings was not checked"
    )
    one = VerifiedPatch(
        patch.number, patch.subject, patch.where, (), True, None, tuple(faults), paths=patch.paths
    )
    return Verified((one,), series.total, "", (*series.notes, note))
