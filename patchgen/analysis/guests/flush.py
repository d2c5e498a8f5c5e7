# SPDX-License-Identifier: GPL-2.0-only
"""Whether a flush of a guest's TLBs reaches every vCPU, and forgets no flush that was put off.

On each way the architecture has flushed, or every vCPU gets the request and is sent out of the
guest.  The count of deferred flushes is taken before and dropped behind, by what it was
(kvm_flush_remote_tlbs(), virt/kvm/kvm_main.c; include/linux/kvm_host.h).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from patchgen.analysis.guests.base import HOST, KVM_MAIN, X86_HOST, judged, last_line
from patchgen.analysis.paths.bodies import Bodies, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Odd, Path, Store, every, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.analysis.told.dispatch import Reading
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.source.c.text import bare, text

FLUSH = "kvm_flush_remote_tlbs"
_ARCH = names("paths", "flush", "arch")
_LOOP = "kvm_for_each_vcpu"
_REQUEST = "KVM_REQ_TLB_FLUSH"
#: A request that is only a reason to send a vCPU out of the guest: include/linux/kvm_host.h.
_EMPTY = "KVM_REQUEST_NO_ACTION"
_KICKS = names("paths", "flush", "kicks")
_MARKS = names("paths", "flush", "marks")
_NEUTRAL = names("paths", "flush", "neutral") | names("paths", "calls", "neutral")
_STOP = _ARCH | {_LOOP} | names("paths", "flush", "stop")
_COMES_BY = tuple(re.compile(one) for one in load("paths")["flush"]["comes_by"])
_REQUESTS = {name: re.compile(bit) for name, bit in load("paths")["flush"]["requests"].items()}
_NONE = tuple((re.compile(one[0]), one[1]) for one in load("paths")["flush"]["no_request"])
_STAYS = tuple((re.compile(one[0]), one[1]) for one in load("paths")["flush"]["no_kick"])
_DEFERRED = "$kvm->tlbs_dirty"


def flush(read: Read) -> Reading:
    """What of kvm_flush_remote_tlbs() may leave a vCPU with entries that are gone."""
    return judged(read, (KVM_MAIN, HOST), _judged)


def _judged(bodies: Bodies, read: Read) -> Iterator[Evidence]:
    for macro in bodies.macros(_LOOP):
        written = " ".join(macro.tokens.texts)
        if not any(pattern.fullmatch(written) for pattern in _COMES_BY):
            place = Place(macro.path, macro.line)
            yield Evidence(place, f"{_LOOP}() is not seen to come by every vCPU")
    for macro in bodies.macros(_REQUEST):
        if _EMPTY in macro.tokens.texts:
            yield Evidence(Place(macro.path, macro.line), f"{_REQUEST} asks a vCPU for nothing")
    asked: set[str] = set()
    for path in paths(bodies, FLUSH, ("$kvm",), _STOP):
        yield from _reaches(path)
        yield from _deferred(path)
        asked |= {e.name for e in path.events if isinstance(e, Call) and e.name in _ARCH}
    for name in sorted(asked):
        yield from _by_architecture(read, name)


def _reaches(path: Path) -> Iterator[Evidence]:
    """Why a way does not send every vCPU out of the guest with a request."""
    loops = [e for e in path.events if isinstance(e, Loop) and e.macro == _LOOP]
    for event in path.events:
        if event not in loops and _odd(event):
            yield Evidence(event.place, f"{said(event)} is not understood in {FLUSH}()")
    flushed = any(isinstance(e, Call) and e.name in _ARCH and path.holds(e.result) is False
                  for e in path.events)  # fmt: skip
    if flushed:
        return
    if not loops:
        yield Evidence(last_line(path, KVM_MAIN), f"{FLUSH}() may return without a flush")
    elif not any(_about_all(loop) for loop in loops):
        yield Evidence(loops[0].place, f"{FLUSH}() may return without a flush")
    for loop in loops:
        if _about_all(loop):
            yield from _rounds(loop, path)


def _about_all(loop: Loop) -> bool:
    plain = len(loop.args) == 3 and text(bare(loop.args[2])) == "$kvm"
    return plain and any(_is_request(event) for event in every((loop,)))


def _rounds(loop: Loop, path: Path) -> Iterator[Evidence]:
    vcpu = text(bare(loop.args[1]))
    behind = path.events[path.events.index(loop) :]
    kicked = any(isinstance(e, Call) and e.name in _KICKS for e in behind[1:])
    kicked |= _excused(path, _STAYS)
    for one in loop.rounds:
        if one.exit not in ("", "continue"):
            yield Evidence(loop.place, f"the loop over vCPUs may end early ({one.exit})")
        requests = [e for e in one.events if _is_request(e, vcpu)]
        if not requests and not _excused(one, _NONE):
            place = last_line(one, loop.place.path, loop.place.line)
            yield Evidence(place, "a vCPU may get no request to flush")
        sent = [e for e in one.events if isinstance(e, Call) and e.name in _KICKS]
        sent += [e for e in one.events if kicked and isinstance(e, Call) and e.name in _MARKS]
        if requests and not sent and not _excused(one, _STAYS):
            place = last_line(one, loop.place.path, loop.place.line)
            yield Evidence(place, "a vCPU may stay in the guest with its request")
        if sent and requests and one.events.index(sent[0]) < one.events.index(requests[0]):
            yield Evidence(sent[0].place, "a vCPU is sent out of the guest before its request")
        for event in one.events:
            if _odd(event) and event not in (*requests, *sent):
                yield Evidence(event.place, f"{said(event)} is not understood in {FLUSH}()")


def _is_request(event: Event, vcpu: str = "") -> bool:
    """Whether a vCPU (``vcpu``, any by default) is asked to flush."""
    if not isinstance(event, Call) or event.name not in _REQUESTS:
        return False
    written = [text(bare(arg)) for arg in event.args]
    where = f"&{vcpu}->requests" if vcpu else ""
    aimed = where in written if vcpu else any(one.endswith("->requests") for one in written)
    return aimed and any(_REQUESTS[event.name].fullmatch(one) for one in written)


def _excused(path: Path, known: tuple[tuple[re.Pattern[str], bool], ...]) -> bool:
    return any(
        asked.holds == holds and pattern.fullmatch(asked.text)
        for asked in path.conditions
        for pattern, holds in known
    )


def _deferred(path: Path) -> Iterator[Evidence]:
    """Why a way may drop the count of a flush that is still owed."""
    taken: dict[str, int] = {}
    flushes = [n for n, e in enumerate(path.events) if isinstance(e, Loop)]
    flushes += [n for n, e in enumerate(path.events) if isinstance(e, Call) and e.name in _ARCH]
    for number, event in enumerate(path.events):
        if isinstance(event, Store) and text(event.target) == _DEFERRED:
            yield Evidence(event.place, "the count of deferred flushes is set, whatever it is now")
        if not isinstance(event, Call) or not any(
            text(bare(arg)) == f"&{_DEFERRED}" for arg in event.args
        ):
            continue
        if event.name == "smp_load_acquire":
            taken[event.result] = number
            continue
        old = text(bare(event.args[1])) if len(event.args) == 3 else ""
        if event.name != "cmpxchg" or taken.get(old, len(path.events)) > min(flushes, default=-1):
            yield Evidence(event.place, "the count of deferred flushes is not dropped by what it"
                                        " was before the flush")  # fmt: skip
        elif number < max(flushes):
            yield Evidence(event.place, "the count of deferred flushes is dropped before the flush")


def _odd(event: Event) -> bool:
    match event:
        case Odd() | Loop():
            return True
        case Store():
            target = text(event.target)
            return "->stat." not in target and ("->" in target or "*" in target)
        case Call():
            known = event.name in _ARCH | _KICKS | _MARKS | _NEUTRAL or _is_request(event)
            known |= any(text(bare(arg)) == f"&{_DEFERRED}" for arg in event.args)
            return not known


def _by_architecture(read: Read, name: str) -> Iterator[Evidence]:
    """Where an architecture says that it has flushed, and has asked nobody for it."""
    for file in (X86_HOST, HOST):
        bodies = Bodies(read, (file,))
        for function in bodies.functions(name, file):
            place = Place(function.path, function.line)
            for path in paths(bodies, name, ("$kvm",), frozenset({"static_call", "kvm_x86_call"})):
                answer = constant(path.value) if path.value is not None else False
                calls = [e for e in path.events if isinstance(e, Call)]
                asked = [c for c in calls if path.holds(c.result) is False or answer is None]
                if not answer and not asked:
                    yield Evidence(place, f"{name}() may say that it has flushed without doing it")
            break
