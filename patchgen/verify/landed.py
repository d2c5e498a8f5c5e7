# SPDX-License-Identifier: GPL-2.0-only
"""edits → what the compiler makes of them: each stands where it was meant to.

A patched function is parsed in every configuration that its file has for it: for the
first of the file's architectures, with the options around and within it turned, and, where
statements were put into what all architectures with KVM build, for each of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from patchgen.model.base import Evidence, Place
from patchgen.model.outcome import Failed
from patchgen.model.plan import Landing
from patchgen.source.c.lexer import lexed
from patchgen.source.clang.trees import Node, Tree
from patchgen.source.config.arch import SYMBOLS, arches_of
from patchgen.source.facts.conditions import switches
from patchgen.source.facts.state import Job, TreeState, tried_as
from patchgen.source.facts.store import Taken

_NONE: frozenset[str] = frozenset()
_KVM = "virt/kvm/"
_KINDS = {"Block": "block", "If": "control", "While": "control", "DoWhile": "control",
          "For": "control", "Switch": "control"}  # fmt: skip


def confirm(state: TreeState, landings: Sequence[Landing]) -> tuple[Evidence, ...]:
    """What the compiler does not confirm of edits in the state behind them.

    The state must follow the functions that they land in.
    """
    jobs = [*dict.fromkeys(_jobs(state, landings))]
    return tuple(_wrong(state, landings, jobs))


def _jobs(state: TreeState, landings: Sequence[Landing]) -> Iterator[Job]:
    """The parses of the files that show where the edits stand."""
    for path in dict.fromkeys(landing.path for landing in landings):
        here = [landing for landing in landings if landing.path == path]
        arches = (state.arch,) if state.arch else arches_of(state.root, path)
        statements = any(landing.statement for landing in here)
        everywhere = statements and path.startswith(_KVM) and not state.is_built(path)
        for arch in arches if everywhere else arches[:1]:
            yield path, arch, _NONE, _NONE
        if state.is_built(path):
            continue
        offsets = sorted({o for one in here for o in (one.offset, *one.inner)})
        for on, off in switches(lexed(state.read(path) or b""), offsets):
            yield from _turned(path, arches, on, off)


def _turned(
    path: str, arches: Sequence[str], on: frozenset[str], off: frozenset[str]
) -> Iterator[Job]:
    """A parse with options turned; an architecture's own is turned by its choice."""
    asked = {SYMBOLS[name] for name in on if name in SYMBOLS}
    refused = {SYMBOLS[name] for name in off if name in SYMBOLS}
    fit = [arch for arch in arches if arch not in refused and (not asked or arch in asked)]
    for arch in fit[:1]:
        foreign = {name for name, owner in SYMBOLS.items() if owner != arch}
        yield path, arch, on - foreign, off.difference(SYMBOLS)


def _wrong(state: TreeState, landings: Sequence[Landing], jobs: list[Job]) -> Iterator[Evidence]:
    outcomes = list(zip(jobs, state.taken(jobs), strict=True))
    for landing in landings:
        tokens = lexed(state.read(landing.path) or b"")
        line = tokens.line
        place = Place(landing.path, line(landing.offset))
        seen = False
        unsure = set(landing.before)
        for (path, arch, on, off), outcome in outcomes:
            if path != landing.path:
                continue
            label = tried_as(arch, on, off)
            if isinstance(outcome, Failed):
                yield Evidence(place, f"{label}: {outcome.error}")
                break
            active, text = _confirmed(landing, outcome.value, line)
            seen = seen or active
            unsure -= _declared(landing, outcome.value)
            if text:
                yield Evidence(place, f"{label}: {text}")
                break
        else:
            if not seen:
                text = f"{landing.function}() is in no configuration that was tried"
                yield Evidence(place, text)
            elif unsure:
                text = f"no declaration for sure, before the new code in line {place.line}"
                yield Evidence(Place(landing.path, line(min(unsure))), text)


def _declared(landing: Landing, taken: Taken) -> set[int]:
    """Where the function's own block has a declaration for the compiler."""
    return {
        node.start
        for tree in taken.trees
        if tree.function == landing.function
        for node in tree.nodes
        if node.depth == 1 and node.kind == "declaration"
    }


def _confirmed(landing: Landing, taken: Taken, line: Callable[[int], int]) -> tuple[bool, str]:
    """Whether the function is active in a parse, and what of an edit is not as planned."""
    trees = [tree for tree in taken.trees if tree.function == landing.function]
    body = landing.around[0][1]
    tree = next((tree for tree in trees if tree.start == body), None)
    if tree is None:
        return False, f"{landing.function}() is another one here" if trees else ""
    if not tree.nodes:
        return True, f"the compiler sees no body of {landing.function}() here"
    at = _found(landing, tree)
    if at is None:
        if any(node.written == landing.offset for node in tree.nodes):
            return True, "within a macro's argument"
        errors = (str(d) for d in taken.facts.diagnostics if d.severity != "warning")
        return True, next(errors, "the compiler sees no code here")
    if landing.value:
        return True, ""
    chain = [node for node in _above(tree.nodes, at) if node.kind in ("block", "control")]
    if not _same(chain, landing.around):
        odd = next((n for n in chain if n.start not in {s for _, s in landing.around}), None)
        where = f", opened in line {line(odd.start)}" if odd else ""
        return True, f"a macro opens or closes a statement around the new code{where}"
    if landing.joined is not None and not _is_joined(tree.nodes, at, landing.joined):
        return True, "a macro in the condition would take what is joined to it"
    return True, _order(landing, tree, at, line) if landing.first else ""


def _is_joined(nodes: Sequence[Node], at: int, joined: tuple[int, int]) -> bool:
    """Whether a node is an operator over a whole condition, the last operand apart."""
    parts = [node for node in _below(nodes, at) if node.depth == nodes[at].depth + 1]
    return nodes[at].end == joined[0] and len(parts) == 2 and parts[1].start == joined[1]


def _found(landing: Landing, tree: Tree) -> int | None:
    """Index of the outermost node that the new code is; none where a macro makes it."""
    for index, node in enumerate(tree.nodes):
        if index and node.written == landing.offset and (landing.value or _plain(node)):
            return index
    return None


def _plain(node: Node) -> bool:
    return node.start == node.written


def _above(nodes: Sequence[Node], at: int) -> list[Node]:
    """The nodes that the one at an index stands in, outermost first."""
    found: list[Node] = []
    depth = nodes[at].depth
    for node in reversed(nodes[:at]):
        if node.depth < depth:
            found.append(node)
            depth = node.depth
    return found[::-1]


def _same(chain: Sequence[Node], around: Sequence[tuple[str, int]]) -> bool:
    """Whether the compiler's nesting is the one that the tokens show.

    A loop that a macro makes may be any number of statements, all where it is called.
    """
    at = 0
    for name, start in around:
        if name in _KINDS:
            if at >= len(chain) or (chain[at].kind, chain[at].start) != (_KINDS[name], start):
                return False
            at += 1
        else:
            while at < len(chain) and chain[at].start == start:
                at += 1
    return at == len(chain)


def _order(landing: Landing, tree: Tree, at: int, line: Callable[[int], int]) -> str:
    """What is wrong with the statements around one that is to be the first."""
    siblings = [i for i, node in enumerate(tree.nodes) if node.depth == tree.nodes[at].depth]
    place = siblings.index(at)
    for index in siblings[:place]:
        node = tree.nodes[index]
        if node.kind != "declaration":
            return f"the statement in line {line(node.start)} comes before it"
        if node.start in landing.before:
            inside = _below(tree.nodes, index)
            if any(one.kind == "effect" for one in inside):
                return f"the declaration in line {line(node.start)} may change something"
    if place + 1 < len(siblings) and tree.nodes[siblings[place + 1]].kind == "declaration":
        return f"a declaration follows in line {line(tree.nodes[siblings[place + 1]].start)}"
    return ""


def _below(nodes: Sequence[Node], at: int) -> Iterator[Node]:
    for node in nodes[at + 1 :]:
        if node.depth <= nodes[at].depth:
            return
        yield node
