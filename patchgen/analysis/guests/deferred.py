# SPDX-License-Identifier: GPL-2.0-only
"""Whether each flush that is put off is counted, so that somebody still pays for it.

x86's shadow MMU drops entries of a shadow page without a flush of its own while it takes over
what the guest changed; ``kvm->tlbs_dirty`` says that one is owed (sync_page(),
arch/x86/kvm/mmu/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from patchgen.analysis.guests.base import HOST, judged
from patchgen.analysis.paths.bodies import Bodies, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Store, every
from patchgen.analysis.paths.reach import Reach
from patchgen.analysis.paths.run import paths
from patchgen.analysis.told.dispatch import Reading
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.source.c.lexer import Tokens
from patchgen.source.c.outline import Outline
from patchgen.source.c.text import bare, text

_MEMBER = "tlbs_dirty"
_FILES: tuple[str, ...] = tuple(load("paths")["deferred"]["files"])
_DROPS = names("paths", "deferred", "drops")
_FLUSHES = names("kvm", "flush", "functions")
#: A shadow page's table of entries: struct kvm_mmu_page.
_TABLE = "->spt["


def deferred(read: Read) -> Reading:
    """Where an entry is dropped, neither flushed nor counted; nothing where none is put off."""
    if _MEMBER.encode() not in (read(HOST) or b""):
        return Reading((), ())
    return judged(read, _FILES, _judged)


def _judged(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    reach = Reach(bodies)
    drops = reach.to(_DROPS)
    counted = False
    for path, one in reach.inside:
        words = bodies.tokens(path).texts[one.body_at : one.last]
        if _MEMBER not in words and not _drops_own(bodies.tokens(path), one, drops):
            continue
        for function in bodies.functions(one.name, path):
            args = tuple(f"${p.name}" for p in function.params)
            # What is dropped is asked of the primitives; other callees change nothing here.
            stop = (reach.defined - drops - {one.name}) | _DROPS
            for way in paths(bodies, one.name, args, stop):
                counted |= any(_is_count(e) for e in every(way.events))
                yield from _owed(way.events, ())
    if not counted:
        data = read(HOST) or b""
        line = data.count(b"\n", 0, data.index(_MEMBER.encode())) + 1
        yield Evidence(Place(HOST, line), f"{_MEMBER} is there, and nothing counts it up")


def _drops_own(tokens: Tokens, one: Outline, drops: frozenset[str]) -> bool:
    """Whether a shadow page's own entry, ``spt[i]``, is given to what drops one."""
    texts = tokens.texts
    for at in range(one.body_at, one.last):
        begins = texts[at + 1] == "(" and (texts[at] in drops or texts[at] == "FNAME")
        inside = begins and texts[at : texts.index(";", at)]
        own = bool(inside) and any(pair == ("spt", "[") for pair in pairwise(inside or ()))
        if own and (texts[at] in drops or f"FNAME({texts[at + 2]})" in drops):
            return True
    return False


def _owed(events: Sequence[Event], behind: Sequence[Event]) -> Iterator[Evidence]:
    """The drops of a shadow page's own entries that nothing behind them pays for."""
    for number, event in enumerate(events):
        after = (*events[number + 1 :], *behind)
        if isinstance(event, Loop):
            for one in event.rounds:
                yield from _owed(one.events, () if one.exit == "return" else after)
        elif _is_drop(event) and not any(_pays(later) for later in after):
            yield Evidence(event.place, "an entry is dropped here, and its flush is neither made"
                                        f" nor counted in {_MEMBER}")  # fmt: skip


def _is_drop(event: Event) -> bool:
    if not isinstance(event, Call) or event.name not in _DROPS:
        return False
    return any(_TABLE in text(bare(arg)) for arg in event.args)


def _pays(event: Event) -> bool:
    return _is_count(event) or (isinstance(event, Call) and event.name in _FLUSHES)


def _is_count(event: Event) -> bool:
    if not isinstance(event, Store) or bare(event.target).name != _MEMBER:
        return False
    value = text(bare(event.value))
    return (event.op == "+=" and value == "1") or (event.op == "=" and value.endswith(" + 1"))
