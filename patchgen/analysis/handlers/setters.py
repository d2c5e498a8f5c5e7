# SPDX-License-Identifier: GPL-2.0-only
"""Whether each architecture's setter brings every mapping of the page up to date.

On every way through it, in each memslot that holds the address, the entry is replaced by
one of the new page that the guest cannot write through, or dropped; or there was none.
(kvm_set_spte_hva(), arch/*/kvm; x86's TDP MMU is judged in analysis/spte.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from patchgen.analysis.handlers.arches import architectures, sources
from patchgen.analysis.handlers.lost import lost_answers
from patchgen.analysis.paths.bodies import Bodies, NotUnderstood, Read
from patchgen.analysis.paths.events import Call, Event, Loop, Odd, Path, Store, every, said
from patchgen.analysis.paths.run import paths
from patchgen.analysis.paths.state import constant
from patchgen.kernel.knowledge import load, names
from patchgen.model.base import Evidence, Place
from patchgen.model.code import Expr
from patchgen.source.c.text import bare, subexpressions, text
from patchgen.source.c.walk import calls

SETTER = "kvm_set_spte_hva"
HOST = "include/linux/kvm_host.h"
_ARGS = ("$kvm", "$hva", "$pte")
_DROPS = names("paths", "setters", "drops")
_CLEARS = names("paths", "setters", "clears")
_ELSEWHERE = names("paths", "setters", "elsewhere")
_NEUTRAL = names("paths", "calls", "neutral") | names("paths", "calls", "warns")
_READS = names("paths", "setters", "reads") | _NEUTRAL
_KEEPS = names("paths", "setters", "keeps")
_FLUSHES = names("paths", "setters", "flush_members")
_PREFIXES = tuple(sorted(names("paths", "calls", "neutral_prefixes")))
_EXCUSES = tuple((re.compile(one[0]), one[1]) for one in load("paths")["setters"]["excuses"])
_LOOPS = {name: re.compile(said_) for name, said_ in load("paths")["setters"]["loops"].items()}
_BOUNDS = {name: re.compile(said_) for name, said_ in load("paths")["setters"]["bounds"].items()}
_FIRST = names("paths", "setters", "first")
_COUNTED = tuple(re.compile(one) for one in load("paths")["setters"]["counted"])
_WRITES: dict[str, dict[str, str | int]] = load("paths")["setters"]["writes"]
_STOP = _DROPS | frozenset(_WRITES) | _ELSEWHERE | _READS | _KEEPS


def setters(read: Read, listed: Callable[[str], tuple[str, ...]]) -> tuple[Evidence, ...]:
    """What in the setters of the tree's architectures speaks against them; () for nothing."""
    found: list[Evidence] = []
    arches = architectures(read, listed)
    if not arches:
        return (Evidence(Place(HOST, 1), "no architecture's KVM is seen to have a setter"),)
    for arch in arches:
        try:
            found += _of_arch(arch, read, listed)
        except NotUnderstood as error:
            found.append(error.evidence)
    return tuple(dict.fromkeys(found))


def _of_arch(arch: str, read: Read, listed: Callable[[str], tuple[str, ...]]) -> Iterator[Evidence]:
    definition = re.compile(rb"^[\w \t*]*\b%s\([^;{}]*\)\s*\{" % SETTER.encode(), re.M)
    holding = [p for p in sources(arch, listed, read, SETTER) if definition.search(read(p) or b"")]
    if not holding:
        place = Place(f"arch/{arch}/include/asm/kvm_host.h", 1)
        yield Evidence(place, f"{SETTER}() is not found for {arch}")
    for path in holding:
        yield from _judged(path, SETTER, arch, read, listed)


def _judged(
    path: str, name: str, arch: str, read: Read, listed: Callable[[str], tuple[str, ...]]
) -> Iterator[Evidence]:
    """One definition of the setter, and what it is handed over to."""
    beside = [f for f in sources(arch, listed, read, "make_spte") if f.endswith("spte.c")]
    bodies = Bodies(read, dict.fromkeys((path, *beside, HOST)))
    for way in paths(bodies, name, _ARGS, _STOP):
        members = [e for e in way.events if isinstance(e, Call) and not e.direct]
        if members and not any(isinstance(e, Loop) for e in way.events):
            # A table's member: each function that some table has for it.
            for call in members:
                yield from _through(call, arch, read, listed)
            continue
        yield from covered(way, bodies, Place(path, bodies.functions(name, path)[0].line))
    yield from lost_answers(bodies)


def _through(
    call: Call, arch: str, read: Read, listed: Callable[[str], tuple[str, ...]]
) -> Iterator[Evidence]:
    if tuple(text(bare(arg)) for arg in call.args) != _ARGS:
        yield Evidence(call.place, f"{said(call)} is given something else")
    pattern = re.compile(rb"\.%s\s*=\s*(\w+)" % call.name.encode())
    functions: set[str] = set()
    for path in sources(arch, listed, read, call.name):
        functions |= {m.decode() for m in pattern.findall(read(path) or b"")}
    if not functions:
        yield Evidence(call.place, f"what {call.name} points to is not found")
    for function in sorted(functions):
        defined = re.compile(rb"^[\w \t*]*\b%s\([^;{}]*\)\s*\{" % function.encode(), re.M)
        own = [p for p in sources(arch, listed, read, function) if defined.search(read(p) or b"")]
        if len(own) != 1:
            yield Evidence(call.place, f"{function}() is not found once")
        for path in own[:1]:
            yield from _judged(path, function, arch, read, listed)


def stops() -> frozenset[str]:
    """The calls that are not looked into on the way to an entry."""
    return _STOP


# -- one way -------------------------------------------------------------------


def covered(way: Path, bodies: Bodies, where: Place) -> Iterator[Evidence]:
    """Why a way may leave a mapping of the old page behind; nothing where it does not."""
    done = _excused(way)
    for event in way.events:
        if isinstance(event, Loop):
            faults = [*_loop(event, bodies)]
            if not faults:
                done = True
            elif any(_acts(inner) for inner in every((event,))):
                yield from faults
                done = True
            continue
        if isinstance(event, Call) and event.direct and event.name in _DROPS:
            yield from _empty(event.name, bodies)
            done = True
        elif (value := _written(event)) is not None:
            wrong = _wrong_value(event, value)
            if wrong:
                yield Evidence(event.place, wrong)
            done = True
        elif not _known(event):
            yield Evidence(event.place, f"{said(event)} is not understood in a setter")
    if not done:
        asked = [c.place for c in way.conditions] or [e.place for e in way.events]
        why = f" ({way.conditions[-1].text})" if way.conditions else ""
        place = asked[-1] if asked else where
        yield Evidence(place, f"on some path the setter leaves a mapping as it is{why}")


def _empty(name: str, bodies: Bodies) -> Iterator[Evidence]:
    """A definition at hand of what drops a mapping that comes to nothing that clears one."""
    for function in bodies.functions(name):
        todo, reached = [function], set[str]()
        while todo:
            for call in calls(todo.pop().body):
                if call.name not in reached:
                    reached.add(call.name)
                    todo += bodies.functions(call.name, function.path)
        if not reached & _CLEARS:
            place = Place(function.path, function.line)
            yield Evidence(place, f"{name}() is not seen to clear an entry")


def _acts(event: Event) -> bool:
    return _written(event) is not None or (isinstance(event, Call) and event.name in _DROPS)


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
        shown, bounds = ", ".join(text(arg) for arg in loop.args), _BOUNDS.get(loop.macro)
        if bounds is not None and not bounds.fullmatch(shown):
            yield Evidence(loop.place, f"what the loop comes by is not understood: {shown}")
    elif _until_none(loop):
        pass
    elif len(loop.args) == 3:
        shown = "; ".join(text(arg) for arg in loop.args)
        if not any(pattern.fullmatch(shown) for pattern in _COUNTED):
            yield Evidence(loop.place, f"what the loop comes by is not understood: {shown}")
    elif len(loop.args) != 1 or constant(loop.args[0]) is not True:
        yield Evidence(loop.place, "what the loop comes by is not understood")
    for one in loop.rounds:
        yield from covered(one, bodies, loop.place)
        acts = any(_acts(event) for event in one.events)
        ends = one.exit in ("break", "return") and not (len(loop.args) == 1 and _excused(one))
        if ends or (one.exit == "goto" and not acts):
            yield Evidence(loop.place, f"the loop may end before the last mapping ({one.exit})")


def _until_none(loop: Loop) -> bool:
    """``while ((x = first(…)))``: until there is none left; each round drops one."""
    test = bare(loop.args[0]) if len(loop.args) == 1 else None
    plain = test is not None and test.kind == "assign" and test.name == "="
    return plain and test is not None and bare(test.args[1]).name in _FIRST


def _known(event: Event) -> bool:
    match event:
        case Odd() | Loop():
            return False
        case Store():
            # What is no entry: the rmap's own pointer, counters of the file.
            plain = text(event.target)
            return bool(re.search(r"\.rmap\[.*\]\.sptep$", plain)) or "->" not in plain
        case Call():
            known = event.name in _READS | _ELSEWHERE or event.name.startswith(_PREFIXES)
            return known if event.direct else event.name in _FLUSHES


def _written(event: Event) -> Expr | None:
    """The value that an entry is written with, or None."""
    if isinstance(event, Call) and event.direct and event.name in _WRITES:
        at = int(_WRITES[event.name]["value"])
        return bare(event.holds(event.args[at])) if len(event.args) > at else None
    return None


def _wrong_value(event: Event, value: Expr) -> str:
    assert isinstance(event, Call)
    rule = _WRITES[event.name]
    written = text(value)
    if not re.fullmatch(str(rule["is"]), written):
        return f"{event.name}() is given {written}, which is not seen to be of the new page"
    if "rights" in rule:
        rights = text(bare(event.args[int(rule["rights"])]))
        if rights != rule["allowed"]:
            return f"{event.name}() gives {rights}"
    elif rule.get("masked") and not no_write(value):
        return f"{event.name}() may let the guest write: {written}"
    return ""


def no_write(value: Expr) -> bool:
    """Whether an SPTE is certainly without the bits that let the guest write."""
    value = bare(value)
    if value.kind == "const":
        try:
            return not int(value.name.rstrip("uUlL"), 0) & 2
        except ValueError:
            return False
    if value.kind == "unary" and value.name == "~":
        return "PT_WRITABLE_MASK" in _named(value.args[0])
    if value.kind == "binary" and value.name == "&":
        return any(no_write(side) for side in value.args)
    if value.kind == "binary" and value.name in ("|", "+", "^"):
        return all(no_write(side) for side in value.args)
    if value.kind == "binary" and value.name == "<<":
        return no_write(value.args[0])
    if value.kind == "call" and value.name in _KEEPS:
        return no_write(value.args[1])
    if value.kind == "unary" and value.name == "*":
        return False
    named = _named(value)
    plain = value.kind in ("name", "call")
    return plain and not any("WRIT" in name or name == "ACC_ALL" for name in named)


def _named(expr: Expr) -> set[str]:
    return {part.name for part in subexpressions(expr) if part.kind == "name"}
