# SPDX-License-Identifier: GPL-2.0-only
"""Who uses the names that a patch changes, in the whole tree as it is behind the patch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from patchgen.model.base import Value
from patchgen.source.facts.state import TreeState
from patchgen.verify.coverage import mentions_api
from patchgen.verify.holding import files_with
from patchgen.verify.includers import includers
from patchgen.verify.names import NameChange

#: Users that are parsed beside those that mention the API.
MOST = 40
#: Of sources that include a header which gives less now: parsed, and counted.
MOST_INCLUDERS, COUNTED = 12, 200
#: Names of one patch that are followed.
MOST_NAMES = 300
#: What users of the API alone are asked for: others cannot break by it.
_NEAR = ("body", "tag")
_WHOLE = ("macro", "function", "prototype", "enumerator", "typedef", "variable", "member")


class Users(Value, frozen=True):
    """Files that use changed names: ``asked`` are to be parsed, ``beyond`` are too many.

    ``names`` holds, by file, the changed names in it; ``lost`` are names that were not
    followed.
    """

    asked: tuple[str, ...]
    beyond: tuple[str, ...]
    names: dict[str, tuple[str, ...]]
    lost: tuple[str, ...] = ()


def users_of(after: TreeState, changes: Sequence[NameChange], changed: Sequence[str]) -> Users:
    """The users of names that headers of a patch change; what it touches is not among them."""
    header = [c for c in changes if c.place.path.endswith(".h")]
    near = {c.name for c in header if c.kind in _NEAR or (c.kind, c.how) == ("member", "added")}
    near |= {c.owner for c in header if c.kind in ("member", "enumerator") and c.owner}
    far = [c for c in header if c.kind in _WHOLE and (c.kind, c.how) != ("member", "added")]
    wanted = list(dict.fromkeys(c.name for c in far))
    found: dict[str, set[str]] = {}
    if near:
        pattern = re.compile(rb"\b(?:%s)\b" % b"|".join(sorted(n.encode() for n in near)))
        for path in after.candidates():
            if path.endswith(".c") and (hit := pattern.search(after.read(path) or b"")):
                found.setdefault(path, set()).add(hit.group().decode())
    members = {c.name: c.owner for c in far if c.kind == "member"}
    distant: set[str] = set()
    for name, paths in files_with(after, wanted[:MOST_NAMES]).items():
        for path in paths:
            if path.endswith(".c") and _uses(after, path, name, members, distant):
                found.setdefault(path, set()).add(name)
    past = _includers(after, header, changed, found)
    for path in changed:
        found.pop(path, None)
    notifier = [path for path in found if mentions_api(after.read(path))]
    others = sorted(set(found) - set(notifier), key=lambda p: (p in distant, _far(p, header), p))
    names = {path: tuple(sorted(inside)) for path, inside in found.items()}
    asked = (*sorted(notifier), *others[:MOST])
    beyond = (*others[MOST:], *(path for path in past if path not in {*found, *changed}))
    names |= {path: past[path] for path in beyond if path in past}
    return Users(asked, beyond, names, tuple(wanted[MOST_NAMES:]))


def _includers(
    after: TreeState,
    header: Sequence[NameChange],
    changed: Sequence[str],
    found: dict[str, set[str]],
) -> dict[str, tuple[str, ...]]:
    """Put what includes a header that is gone, or that includes less now, to ``found``.

    The answer are those that are too many, each with the header's name.
    """
    less = {c.place.path: c.name for c in header if c.kind == "include" and c.how != "added"}
    less |= {path: path for path in changed if path.endswith(".h") and after.read(path) is None}
    past: dict[str, tuple[str, ...]] = {}
    for path, name in less.items():
        for number, source in enumerate(islice(includers(after, path), COUNTED)):
            if number < MOST_INCLUDERS:
                found.setdefault(source, set()).add(name)
            else:
                past[source] = (name,)
    return past


def _uses(
    state: TreeState, path: str, name: str, members: dict[str, str], distant: set[str]
) -> bool:
    """Whether a file that holds a name may use it; of a member with no mention of its struct
    it is less likely, and such files are ``distant``."""
    if name not in members:
        return True
    data = state.read(path) or b""
    if not re.search(rb"(?:->|\.)\s*%s\b" % re.escape(name.encode()), data):
        return False
    owner = members[name]
    if owner and not re.search(rb"\b%s\b" % re.escape(owner.encode()), data):
        distant.add(path)
    return True


def _far(path: str, changes: Iterable[NameChange]) -> int:
    """How far a file lies from the headers, in folders that are not shared."""
    folder = path.split("/")[:-1]
    best = 9
    for place in {change.place.path for change in changes}:
        other = place.split("/")[:-1]
        shared = 0
        while shared < min(len(folder), len(other)) and folder[shared] == other[shared]:
            shared += 1
        best = min(best, len(folder) - shared)
    return best
