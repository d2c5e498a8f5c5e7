# SPDX-License-Identifier: GPL-2.0-only
"""What the compiler makes of a function's body: its nodes, and where each stands.

Macros are expanded here, so what they open, close or declare shows.
"""

from __future__ import annotations

import ctypes
from typing import Any, Literal, TypeAlias

from patchgen.model.base import Value

NodeKind: TypeAlias = Literal["block", "control", "label", "declaration", "effect", "other"]

# CXCursorKind
_BLOCK = 202
_CONTROL = frozenset({205, 206, 207, 208, 209, 121})  # if switch while do for, ({ })
_LABEL = frozenset({201, 203, 204})  # label, case, default: each has the next statement in it
_DECLARATION = 231
_EFFECT = frozenset({103, 115, 215, 216})  # call, compound assignment, asm
_OPERATOR = frozenset({112, 114})  # unary, binary


class Node(Value, frozen=True, array_like=True):
    """A node of a body, in order, parents first; offsets are of the file.

    ``start`` and ``end`` are where it is written; what a macro made is where the macro is
    called.  ``written`` differs from ``start`` within a macro's argument: it is where the
    argument stands.
    """

    kind: NodeKind
    depth: int
    start: int
    end: int
    written: int


class Tree(Value, frozen=True, array_like=True):
    """A function's body that begins at ``start``; no nodes: the compiler sees none there."""

    function: str
    start: int
    nodes: tuple[Node, ...]


def tree(cindex: Any, unit: Any, file: Any, function: str, offset: int) -> Tree:
    """The body that begins at a byte, as far as the compiler has one there."""
    lib = cindex.conf.lib
    cursor = lib.clang_getCursor(unit, lib.clang_getLocationForOffset(unit, file, offset))
    cursor._tu = unit  # its children are made for it
    if cursor._kind_id != _BLOCK or cursor.extent.start.offset != offset:
        return Tree(function, offset, ())
    locate = ctypes.CFUNCTYPE(
        None, cindex.SourceLocation, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_uint),
    )(("clang_getFileLocation", lib))  # fmt: skip
    nodes: list[Node] = []
    todo = [(cursor, 0)]
    at = ctypes.c_uint()
    while todo:
        current, depth = todo.pop()
        extent = current.extent
        locate(extent.start, None, None, None, ctypes.byref(at))
        start, end = extent.start.offset, extent.end.offset
        nodes.append(Node(_kind(current), depth, start, end, at.value))
        todo += [(child, depth + 1) for child in reversed(list(current.get_children()))]
    return Tree(function, offset, tuple(nodes))


def _kind(cursor: Any) -> NodeKind:
    kind = cursor._kind_id
    if kind == _BLOCK:
        return "block"
    if kind in _CONTROL:
        return "control"
    if kind in _LABEL:
        return "label"
    if kind == _DECLARATION:
        return "declaration"
    if kind in _EFFECT or (kind in _OPERATOR and _steps(cursor)):
        return "effect"
    return "other"


def _steps(cursor: Any) -> bool:
    """Whether an operator changes its operand; cindex has no names for operators."""
    words = [token.spelling for token in cursor.get_tokens()]
    return any(word in ("=", "++", "--") for word in words) or not words
