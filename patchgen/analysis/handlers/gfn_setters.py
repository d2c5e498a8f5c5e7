# SPDX-License-Identifier: GPL-2.0-only
"""Whether each architecture's setter of a frame range is right while the old page is mapped.

kvm_set_spte_gfn() (arch/*/kvm, 5.13 to 6.9) was only ever called for what range_start() had
unmapped.  Where that is left out, every way through it must drop the mapping or write an
entry of the new page that the guest cannot write through, or there must be none.  A writer
counts only where it is known to replace what is there (``kernel/knowledge/hva_range.toml``):
arm64's keeps an entry of which only the permissions would change.  x86's TDP MMU is judged
in analysis/spte, by each change of an SPTE.

Beside it: what kvm_unmap_gfn_range() does that is no unmapping.  A range that keeps its
mappings loses that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from patchgen.analysis.handlers.arches import architectures, sources
from patchgen.analysis.handlers.hva_range import SET, UNMAP
from patchgen.analysis.handlers.setters import no_write
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Odd, Path, Store, every, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place, Value
from patchgen.source.c.text import bare, text
from patchgen.source.c.walk import calls

Listed = Callable[[str], tuple[str, ...]]
"""The files below a folder of the tree."""

_HOST = "include/linux/kvm_host.h"
_ARGS = ("$kvm", "$range")
_ONE_PAGE = ("$kvm", "$range->slot", "$range->start")
_TABLE = load("hva_range")["gfn_setters"]
_DROPS = names("paths", "setters", "drops") | names("hva_range", "gfn_setters", "drops")
_ELSEWHERE = names("hva_range", "gfn_setters", "elsewhere")
_READS = (names("paths", "setters", "reads") | names("paths", "calls", "neutral")
          | names("paths", "calls", "warns")
          | names("hva_range", "gfn_setters", "reads"))  # fmt: skip
_KEEPS = names("paths", "setters", "keeps")
_PREFIXES = tuple(sorted(names("paths", "calls", "neutral_prefixes")))
_EXCUSES = tuple(
    (re.compile(one[0]), one[1])
    for one in (*load("paths")["setters"]["excuses"], *_TABLE["excuses"])
)
_LOOPS = {name: re.compile(said_) for name, said_ in load("paths")["setters"]["loops"].items()}
_COUNTED = tuple(re.compile(one) for one in _TABLE["counted"])
_WRITES: dict[str, dict[str, str | int]] = _TABLE["writes"]
_UNMAPS = names("hva_range", "gfn_setters", "unmaps")
_MEMBERS = names("hva_range", "gfn_setters", "members")
_RMAPS: str = _TABLE["rmaps"]
_TABLES = names("hva_range", "gfn_setters", "tables")
_GIVEN: dict[str, list[str]] = _TABLE["given"]
#: What a setter is not followed into.
SETTER_STOP = _DROPS | frozenset(_WRITES) | _ELSEWHERE | _READS | _KEEPS | {UNMAP}


class Setter(Value, frozen=True):
    """An architecture's setter: where it is, and what speaks against it; () for nothing.

    ``settles``: its kvm_unmap_gfn_range() never asks for a flush, so that it flushes by
    itself what has to be flushed.
    """

    arch: str
    place: Place
    faults: tuple[Evidence, ...]
    settles: bool


def gfn_setters(read: Read, listed: Listed) -> tuple[Setter, ...]:
    """The setter of every architecture whose KVM listens to the mmu notifier."""
    return tuple(_of_arch(arch, read, listed) for arch in architectures(read, listed))


def beside_unmapping(read: Read, listed: Listed) -> tuple[Evidence, ...]:
    """What kvm_unmap_gfn_range() does, on some architecture, that is no unmapping."""
    found: list[Evidence] = []
    for arch in architectures(read, listed):
        holding = _holding(arch, UNMAP, read, listed)
        place = Place(f"arch/{arch}/include/asm/kvm_host.h", 1)
        if not holding:
            found.append(Evidence(place, f"{UNMAP}() is not found for {arch}"))
        for path in holding:
            try:
                for way in paths(Bodies(read, (path,)), UNMAP, _ARGS, _UNMAPS | _READS):
                    found += [Evidence(e.place, f"{UNMAP}() does {said(e)}, too, for {arch}")
                              for e in way.events if not _unmaps(e)]  # fmt: skip
            except NotUnderstood as error:
                found.append(error.evidence)
    return tuple(dict.fromkeys(found))


def _unmaps(event: Event) -> bool:
    if isinstance(event, Call) and event.name in (_UNMAPS if event.direct else _MEMBERS):
        return True
    return _neutral(event)


def _holding(arch: str, name: str, read: Read, listed: Listed) -> list[str]:
    definition = re.compile(rb"^[\w \t*]*\b%s\([^;{}]*\)\s*\{" % name.encode(), re.M)
    return [p for p in sources(arch, listed, read, name) if definition.search(read(p) or b"")]


def _of_arch(arch: str, read: Read, listed: Listed) -> Setter:
    holding = _holding(arch, SET, read, listed)
    place = Place(f"arch/{arch}/include/asm/kvm_host.h", 1)
    if not holding:
        return Setter(arch, place, (Evidence(place, f"{SET}() is not found for {arch}"),), False)
    faults: list[Evidence] = []
    for path in holding:
        try:
            bodies = Bodies(read, (path,))
            place = Place(path, bodies.functions(SET, path)[0].line)
            faults += _judged(path, SET, arch, read, listed)
        except NotUnderstood as error:
            faults.append(error.evidence)
    one = len(holding) == 1
    settles = one and all(_settles(path, read) for path in holding)
    return Setter(arch, place, tuple(dict.fromkeys(faults)), settles)


def _settles(path: str, read: Read) -> bool:
    try:
        ways = paths(Bodies(read, (path,)), UNMAP, _ARGS, _UNMAPS | _READS)
    except NotUnderstood:
        return False
    return all(way.value is not None and constant(way.value) is False for way in ways)


def _judged(path: str, name: str, arch: str, read: Read, listed: Listed) -> Iterator[Evidence]:
    beside = [f for f in sources(arch, listed, read, "make_spte") if f.endswith("spte.c")]
    bodies = Bodies(read, dict.fromkeys((path, *beside, _HOST)))
    zaps = _zaps(path, arch, read, listed)
    for way in paths(bodies, name, _ARGS, SETTER_STOP | {name for _, name in zaps}):
        if not _settles(path, read):
            yield from _unflushed(way)
        if _first_unmaps(way) or _as_unmapped(way, zaps):
            continue
        members = [e for e in way.events if isinstance(e, Call) and not e.direct]
        if members and not any(isinstance(e, Loop) for e in way.events):
            for call in members:
                yield from _through(call, arch, read, listed)
            continue
        yield from _covered(way, bodies, Place(path, bodies.functions(name, path)[0].line))


def _through(call: Call, arch: str, read: Read, listed: Listed) -> Iterator[Evidence]:
    if tuple(text(bare(arg)) for arg in call.args) != _ARGS:
        yield Evidence(call.place, f"{said(call)} is given something else")
    pattern = re.compile(rb"\.%s\s*=\s*(\w+)" % call.name.encode())
    functions: set[str] = set()
    for path in sources(arch, listed, read, call.name):
        functions |= {m.decode() for m in pattern.findall(read(path) or b"")}
    if not functions:
        yield Evidence(call.place, f"what {call.name} points to is not found")
    for function in sorted(functions):
        own = _holding(arch, function, read, listed)
        if len(own) != 1:
            yield Evidence(call.place, f"{function}() is not found once")
        for path in own[:1]:
            yield from _judged(path, function, arch, read, listed)


#: What is asked on a way, without the numbers of results, and a call that unmaps there.
_Zap = tuple[frozenset[tuple[str, bool]], str]


def _zaps(path: str, arch: str, read: Read, listed: Listed) -> frozenset[_Zap]:
    """What the file's unmapping of a range consists of, way by way: see :data:`_Zap`.

    That is kvm_unmap_gfn_range(), or what its table's member of that kind points to.
    """
    pointed: set[str] = set()
    for member in sorted(_MEMBERS):
        pattern = re.compile(rb"\.%s\s*=\s*(\w+)" % member.encode())
        for file in sources(arch, listed, read, member):
            pointed |= {m.decode() for m in pattern.findall(read(file) or b"")}
    bodies = Bodies(read, (path,))
    found: set[_Zap] = set()
    for name in sorted({UNMAP, *pointed}):
        for function in bodies.functions(name, path):
            called = frozenset(call.name for call in calls(function.body))
            for way in paths(bodies, name, _ARGS, called | _READS):
                found |= {(_asked(way), e.name) for e in every(way.events)
                          if isinstance(e, Call) and e.direct and _by_range(e)}  # fmt: skip
    return frozenset(found)


def _by_range(call: Call) -> bool:
    """Whether a call is given the range, or a frame of its memslot."""
    given = tuple(text(bare(a)) for a in call.args)
    return given == _ARGS or (len(given) == 3 and given[:2] == _ONE_PAGE[:2])


def _asked(way: Path) -> frozenset[tuple[str, bool]]:
    return frozenset((c.text.partition("#")[0], c.holds) for c in way.conditions)


def _as_unmapped(way: Path, zaps: frozenset[_Zap]) -> bool:
    """Whether a way does what unmapping the range does under the same conditions."""
    acts = [e for e in way.events if not _neutral(e)]
    if len(acts) != 1 or not isinstance(acts[0], Call) or not acts[0].direct:
        return False
    given = tuple(text(bare(a)) for a in acts[0].args)
    return (_asked(way), acts[0].name) in zaps and given in (_ARGS, _ONE_PAGE)


def _unflushed(way: Path) -> Iterator[Evidence]:
    """Where a range is unmapped, and whether that needs a flush is forgotten."""
    answer = text(way.value) if way.value is not None else ""
    for event in way.events:
        unmaps = _drops(event) and isinstance(event, Call) and event.name == UNMAP
        if unmaps and isinstance(event, Call) and event.result not in answer:
            yield Evidence(event.place, f"what {UNMAP}() answers is forgotten")


def _first_unmaps(way: Path) -> bool:
    """Whether the range is unmapped before all else: what follows is as it always was."""
    acts = [e for e in way.events if not _neutral(e)]
    return bool(acts) and _drops(acts[0]) and isinstance(acts[0], Call) and acts[0].name == UNMAP


# -- one way -------------------------------------------------------------------


def _covered(way: Path, bodies: Bodies, where: Place) -> Iterator[Evidence]:
    """Why a way may leave a mapping of the old page behind; nothing where it does not."""
    done = _excused(way)
    for event in way.events:
        if isinstance(event, Loop):
            yield from _loop(event, bodies)
            done = True
        elif _drops(event):
            done = True
        elif (wrong := _wrong(event)) is not None:
            if wrong:
                yield Evidence(event.place, wrong)
            done = True
        elif not _neutral(event):
            yield Evidence(event.place, f"{said(event)} is not known to replace an entry")
    if not done and not _only_elsewhere(way):
        asked = [c.place for c in way.conditions] or [e.place for e in way.events]
        why = f" ({way.conditions[-1].text})" if way.conditions else ""
        place = asked[-1] if asked else where
        yield Evidence(place, f"on some path the setter leaves a mapping as it is{why}")


def _only_elsewhere(way: Path) -> bool:
    """Whether there is no rmap on this way, and the other page tables are judged elsewhere."""
    no = {c.text.partition("#")[0] for c in way.conditions if not c.holds}
    told = any(isinstance(e, Call) and e.name in _ELSEWHERE for e in way.events)
    return _RMAPS in no and (told or bool(no & _TABLES))


def _drops(event: Event) -> bool:
    if not isinstance(event, Call) or not event.direct:
        return False
    whole = event.name == UNMAP and tuple(text(bare(a)) for a in event.args) == _ARGS
    return whole or event.name in _DROPS


def _excused(way: Path) -> bool:
    return any(
        asked.holds == holds and pattern.fullmatch(asked.text)
        for asked in way.conditions
        for pattern, holds in _EXCUSES
    )


def _loop(loop: Loop, bodies: Bodies) -> Iterator[Evidence]:
    """Why a loop may leave a mapping out."""
    if loop.macro:
        known, reason = _LOOPS.get(loop.macro), f"what {loop.macro}() comes by is not understood"
        if known is None:
            yield Evidence(loop.place, reason)
            return
        for macro in bodies.macros(loop.macro):
            if not known.fullmatch(" ".join(macro.tokens.texts)):
                yield Evidence(Place(macro.path, macro.line), reason)
        given = _GIVEN.get(loop.macro)
        if given is not None and [text(arg) for arg in loop.args][: len(given)] != given:
            yield Evidence(loop.place, f"{loop.macro}() does not come by the whole range")
    elif len(loop.args) == 3:
        shown = "; ".join(text(arg) for arg in loop.args)
        if not any(pattern.fullmatch(shown) for pattern in _COUNTED):
            yield Evidence(loop.place, f"what the loop comes by is not understood: {shown}")
    elif len(loop.args) != 1 or constant(loop.args[0]) is not True:
        yield Evidence(loop.place, "what the loop comes by is not understood")
    for one in loop.rounds:
        yield from _covered(one, bodies, loop.place)
        acts = any(_drops(event) for event in one.events)
        ends = one.exit in ("break", "return") and not (len(loop.args) == 1 and _excused(one))
        if ends or (one.exit == "goto" and not acts):
            yield Evidence(loop.place, f"the loop may end before the last mapping ({one.exit})")


def _neutral(event: Event) -> bool:
    match event:
        case Odd() | Loop():
            return False
        case Store():
            plain = text(event.target)
            return "->" not in plain and "*" not in plain
        case Call():
            known = event.name in _READS | _ELSEWHERE or event.name.startswith(_PREFIXES)
            return known and event.direct


def _wrong(event: Event) -> str | None:
    """What is wrong with what an entry is written with, "" for nothing; None: no write."""
    if not (isinstance(event, Call) and event.direct and event.name in _WRITES):
        return None
    rule = _WRITES[event.name]
    at = int(rule["value"])
    if len(event.args) <= at:
        return f"{event.name}() is called with other arguments"
    value = bare(event.args[at])
    if not re.fullmatch(str(rule["is"]), text(value)):
        return f"{event.name}() is given {text(value)}, which is not seen to be of the new page"
    if rule.get("masked") and not no_write(value):
        return f"{event.name}() may let the guest write: {text(value)}"
    return ""
