# SPDX-License-Identifier: GPL-2.0-only
"""Where a file's functions are, without looking into their bodies.

One pass over the tokens of the file scope finds the function definitions.  The
bodies are parsed later, and only those that are wanted (:mod:`patchgen.source.c.body`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from patchgen.model.base import Span
from patchgen.model.code import Param
from patchgen.source.c.lexer import Tokens

_OPEN = {"(": ")", "[": "]", "{": "}"}
#: Function-like attributes that may stand where a declarator could (include/linux/compiler*.h).
_ATTRIBUTE = (
    r"__attribute__|__attribute|__printf|__scanf|__aligned|__section|__alias|__malloc|__realloc_size"
    r"|__alloc_size|__acquires|__releases|__must_hold|__cond_acquires|__cond_releases|__counted_by"
    r"|__diagnose_as|__no_sanitize\w*|__nonnull|__declspec|_Alignas|__context__|__no_context_analysis"
    r"|__acquires_shared|__releases_shared|__must_hold_shared|__cleanup|__free|__guarded_by"
    r"|__pt_guarded_by|__requires\w*|__alignof__|__typeof__|typeof|typeof_unqual|_Static_assert"
    r"|static_assert|noinstr_section|__flatten"
)


class Outline(msgspec.Struct, frozen=True):
    """A function definition: token indices ``first`` .. ``last`` (its ``}``).

    ``name_at`` is the index of the name, ``open_at`` of the parameters' ``(``,
    ``body_at`` of the body's ``{``.  A definition through a macro such as
    ``SYSCALL_DEFINE3(name, ...)`` has the macro's first argument as its name.
    """

    name: str
    first: int
    name_at: int
    open_at: int
    body_at: int
    last: int


def matching(tokens: Tokens, index: int) -> int:
    """Index of the bracket that closes the one at ``index``; -1 if there is none."""
    texts = tokens.texts
    opening = texts[index]
    closing = _OPEN[opening]
    depth = 0
    # Only brackets of the same kind count, so a stray one of another kind costs little.
    for at in range(index, len(texts)):
        text = texts[at]
        if text == opening:
            depth += 1
        elif text == closing:
            depth -= 1
            if depth == 0:
                return at
    return -1


def outline(tokens: Tokens) -> tuple[Outline, ...]:
    """The function definitions of a file, in order; found once."""
    known: tuple[Outline, ...] | None = tokens.made.get("outline")
    if known is None:
        known = tokens.made["outline"] = tuple(_outline(tokens))
    return known


def _outline(tokens: Tokens) -> list[Outline]:
    found: list[Outline] = []
    texts, kinds = tokens.texts, tokens.kinds
    count = len(texts)
    at = first = 0
    candidate: list[int] = []  # indices of names followed by "(" at depth 0
    assigned = False
    while at < count:
        text = texts[at]
        if text == ";":
            if candidate and not assigned and _goes_on(tokens, candidate[-1], at):
                at += 1
                continue  # parameters declared before the body
            first, candidate, assigned = at + 1, [], False
        elif text == "=":
            assigned = True
        elif text in ("(", "["):
            if text == "(" and at > first and kinds[at - 1] == "name":
                candidate.append(at - 1)
            close = matching(tokens, at)
            if close < 0:
                break
            at = close
        elif text == "{":
            close = matching(tokens, at)
            if close < 0:
                break
            function = None if assigned else _function(tokens, first, candidate, at, close)
            if function:
                found.append(function)
                first, candidate = close + 1, []
            elif texts[first] == "extern" and kinds[at - 1] == "string":
                first, candidate = at + 1, []
                at += 1
                continue
            at = close
        elif text == "}":
            first, candidate, assigned = at + 1, [], False
        at += 1
    return found


def _goes_on(tokens: Tokens, name_at: int, at: int) -> bool:
    """Whether the semicolon ends a parameter's declaration: ``int f(a) int a; { ... }``.

    What stands between the parameters' names and the body then are declarations, each
    ended by a semicolon, without a bracket that opens before.
    """
    texts, kinds = tokens.texts, tokens.kinds
    close = matching(tokens, name_at + 1)
    listed = texts[name_at + 2 : close]
    names = listed[::2]
    plain = all(kinds[name_at + 2 + 2 * number] == "name" for number in range(len(names)))
    if not names or not plain or any(text != "," for text in listed[1::2]):
        return False
    if close + 1 >= at or kinds[close + 1] != "name":
        return False
    body = at
    while body < len(texts) and texts[body] not in ("{", "(", "=", "}"):
        body += 1
    if body >= len(texts) or texts[body] != "{" or texts[body - 1] != ";":
        return False
    declared = {text for text in texts[close + 1 : body] if text not in (";", ",", "*")}
    return set(names) <= declared


def unclaimed(tokens: Tokens, outlines: Sequence[Outline]) -> list[int]:
    """Byte offsets at file scope where a function would begin that ``outlines`` lacks.

    These are the braces of no outline, and the names before a parenthesis that are none's.
    """
    found: list[int] = []
    texts, kinds, starts = tokens.texts, tokens.kinds, tokens.starts
    bodies = {outlined.body_at: outlined.last for outlined in outlines}
    named = {outlined.name_at for outlined in outlines}
    at, count = 0, len(texts)
    while at < count:
        if at in bodies:
            at = bodies[at] + 1
            continue
        text = texts[at]
        if text == "{" or (kinds[at] == "name" and texts[at + 1 : at + 2] == ["("]):
            if at not in named:
                found.append(starts[at])
        elif text == "(" and texts[at + 2 : at + 3] == [")"] and kinds[at + 1] == "name":
            found.append(starts[at + 1])
        if text in _OPEN and not _is_linkage(tokens, at):
            at = max(at, matching(tokens, at))
        at += 1
    return found


def _is_linkage(tokens: Tokens, at: int) -> bool:
    """Whether the brace opens ``extern "C" {``, within which file scope goes on."""
    return at > 1 and tokens.kinds[at - 1] == "string" and tokens.texts[at - 2] == "extern"


def _function(
    tokens: Tokens, first: int, candidate: list[int], body: int, close: int
) -> Outline | None:
    texts = tokens.texts
    if not candidate:
        return None
    named = [at for at in candidate if not re.fullmatch(_ATTRIBUTE, texts[at])]
    if not named:
        return None
    start = _behind_macros(tokens, first, named, body)
    if start > first:
        first, named = start, [at for at in named if at > start]
    # The declarator is the first call-like name that has a type before it; a
    # definition by macro has none.
    name_at = next((at for at in named if at > first), named[0])
    name, open_at = texts[name_at], name_at + 1
    after = matching(tokens, open_at) + 1
    if after < body and texts[after] == "(":  # FNAME(walk)(struct kvm_vcpu *vcpu)
        name, open_at = "".join(texts[name_at:after]), after
    elif name_at == first and tokens.kinds[name_at + 2] == "name":
        name = texts[name_at + 2]
    return Outline(name, first, name_at, open_at, body, close)


def _behind_macros(tokens: Tokens, first: int, named: list[int], body: int) -> int:
    """Index behind calls of macros that end without a semicolon before a definition.

    ``DECLARE_THIS(a) DECLARE_THAT(b) static int f(void) {``: the one of ``static``.
    ``first`` where the calls are part of the definition.
    """
    at = first
    while at in named:
        at = matching(tokens, at + 1) + 1
    starts_definition = first < at < body and tokens.kinds[at] == "name" and named[-1] > at
    return at if starts_definition else first


def parameters(tokens: Tokens, open_at: int, body_at: int = -1) -> tuple[Param, ...]:
    """The parameters between the bracket at ``open_at`` and its partner.

    Their types may be declared between that and the body at ``body_at``.
    """
    close = matching(tokens, open_at)
    params: list[Param] = []
    start = at = open_at + 1
    texts = tokens.texts
    while at <= close:
        if at == close or texts[at] == ",":
            if at > start:
                params.append(_param(tokens, start, at))
            start = at + 1
        elif texts[at] in _OPEN:
            at = matching(tokens, at)
        at += 1
    if len(params) == 1 and params[0].type == "" and params[0].name == "void":
        return ()
    if body_at > close + 1 and tokens.texts[body_at - 1] == ";":
        types = _declared_before(tokens, close + 1, body_at)
        params = [Param(one.name, types.get(one.name, one.type)) for one in params]
    return tuple(params)


def _declared_before(tokens: Tokens, start: int, body: int) -> dict[str, str]:
    """The types of parameters that are declared before the body, by name."""
    found: dict[str, str] = {}
    base = ""
    for at in range(start, body):
        if tokens.texts[at] not in (",", ";"):
            continue
        one = _param(tokens, start, at)
        stars = one.type if base else ""
        found[one.name] = f"{base} {stars}".strip() if base else one.type
        base = (base or one.type.rstrip("* ")) if tokens.texts[at] == "," else ""
        start = at + 1
    return found


def _param(tokens: Tokens, start: int, end: int) -> Param:
    texts, kinds = tokens.texts, tokens.kinds
    name_at = -1
    for at in range(start, end):  # a pointer to a function: (*name)(...)
        if texts[at] == "(" and at + 2 < end and texts[at + 1] == "*":
            name_at = at + 2
            break
    if name_at < 0:
        at = end - 1
        while at > start and texts[at] == "]":
            while at > start and texts[at] != "[":
                at -= 1
            at -= 1
        names = [i for i in range(start, at + 1) if kinds[i] == "name"]
        while len(names) > 1 and texts[names[-1]].startswith("__"):
            names.pop()
        name_at = names[-1] if names else -1
    if name_at < 0:
        return Param("", join(texts[start:end]))
    return Param(texts[name_at], join(texts[start:name_at] + texts[name_at + 1 : end]))


def join(texts: list[str]) -> str:
    """Tokens as text with the spacing of a type: ``struct kvm *``, ``void **``."""
    out = ""
    for text in texts:
        glue = "" if not out or (out[-1] == "*" and text == "*") or text in ",)]" else " "
        if out and out[-1] in "([":
            glue = ""
        out += glue + text
    return out


def names_between(tokens: Tokens, first: int, last: int) -> frozenset[str]:
    """The identifiers among the tokens ``first`` .. ``last``."""
    return frozenset(
        text
        for text, kind in zip(
            tokens.texts[first : last + 1], tokens.kinds[first : last + 1], strict=True
        )
        if kind == "name"
    )


def span_between(tokens: Tokens, first: int, last: int) -> Span:
    """Bytes from the start of token ``first`` to the end of token ``last``."""
    return Span(tokens.starts[first], tokens.ends[last])
