# SPDX-License-Identifier: GPL-2.0-only
"""Functions of several files as one program: who calls whom.

Function pointers in known structures resolve through initialisers and run-time
assignments (``.handler = kvm_unmap_gfn_range``), pointer parameters through
what the callers pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TypeVar, cast

from patchgen.analysis.engine.pointers import Pointers, Store, takes
from patchgen.analysis.engine.structs import Structs
from patchgen.analysis.values.kept import Kept
from patchgen.model.code import Decl, Expr, Function, Stmt
from patchgen.model.facts import OpsTable
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, every, statements

T = TypeVar("T")


class Program:
    """A set of functions with look-up by name and by call."""

    def __init__(
        self,
        functions: Iterable[Function],
        tables: Iterable[OpsTable] = (),
        whole: Callable[[str, str], Iterable[Function]] = lambda path, mentioning: (),
        read: Callable[[str], bytes | None] = lambda path: None,
        folders: Sequence[str] = (),
    ) -> None:
        """``whole`` gives a file's functions, see :meth:`whole`; ``read`` its bytes;
        ``folders`` hold headers that files include without their folder."""
        self._folders = tuple(folders)
        self.read = read
        self._whole = whole
        self._others: dict[str, Definitions] = {}
        self._files: dict[tuple[str, str], tuple[Function, ...]] = {}
        # What is found must not depend on the order in which files were given.
        self.functions = tuple(sorted(functions, key=lambda f: (f.path, f.span.start, f.name)))
        self.tables = tuple(sorted(tables, key=lambda table: (table.path, table.line)))
        self._once: dict[Callable[[Program], object], object] = {}
        self._by_name: dict[str, list[Function]] = {}
        for function in self.functions:
            self._by_name.setdefault(function.name, []).append(function)
        self._calls: dict[int, tuple[Expr, ...]] = {}
        self._indirect: dict[
            tuple[int, int], tuple[Expr, Function, tuple[tuple[Function, bool], ...]]
        ] = {}

    def once(self, make: Callable[[Program], T]) -> T:
        """What ``make`` makes of this program: made once, and shared by everyone who asks."""
        if make not in self._once:
            self._once[make] = make(self)
        return cast("T", self._once[make])

    def named(self, name: str, near: str = "") -> tuple[Function, ...]:
        """Definitions of ``name`` as seen from the file ``near``.

        A definition in that file hides the others; static ones of other files
        are not visible.  Architectures may give several.
        """
        found = self._by_name.get(name)
        if not found:
            return ()
        local = [function for function in found if function.path == near]
        if local:
            return tuple(local)
        return tuple(function for function in found if not near or not function.static)

    def whole(self, path: str, mentioning: str = "") -> tuple[Function, ...]:
        """All functions of a file, whatever the configuration; () where it is not at hand.

        With an identifier ``mentioning`` those in which it does not stand need not be there:
        to parse all of a large file costs more than most that is asked of it.
        """
        key = (path, mentioning)
        if key not in self._files:
            self._files[key] = tuple(self._whole(path, mentioning))
        return self._files[key]

    def calls(self, function: Function) -> tuple[Expr, ...]:
        """All call expressions in the body, in source order."""
        found = self._calls.get(id(function))
        if found is None:
            found = tuple(part for part in every(function.body) if part.kind == "call")
            self._calls[id(function)] = found
        return found

    def targets(self, call: Expr, caller: Function) -> tuple[Function, ...]:
        """The functions that ``call`` in ``caller`` may enter; () if unknown.

        Of a member's those that its structure's is set to (see :meth:`is_sure`).
        """
        if call.name:
            found = self.named(call.name, caller.path)
            if found:
                return found
            for position, param in enumerate(caller.params):
                if param.name == call.name:
                    return self._passed(caller, position)
            return ()
        return tuple(function for function, _ in self._pointees(call, caller))

    def is_sure(self, call: Expr, caller: Function) -> bool:
        """Whether the targets of ``call`` are those of its structure's member.

        False where only the member's name, and the number of arguments, speak for one.
        """
        return bool(call.name) or all(sure for _, sure in self._pointees(call, caller))

    def _pointees(self, call: Expr, caller: Function) -> tuple[tuple[Function, bool], ...]:
        key = (id(call), id(caller))
        if key not in self._indirect:
            callee = bare(call.args[0])
            if callee.kind == "unary" and callee.name == "*":
                callee = bare(callee.args[0])
            found: dict[int, tuple[Function, bool]] = {}
            if callee.kind in ("arrow", "member"):
                struct = self.structs.of(callee.args[0], caller)
                for store in self._pointers.of(struct, callee.name):
                    sure = bool(struct) and struct == store.struct
                    for function in self._stored(store):
                        if takes(function, len(call.args) - 1):
                            before = found.get(id(function), (function, False))[1]
                            found[id(function)] = (function, sure or before)
            self._indirect[key] = (call, caller, tuple(found.values()))
        return self._indirect[key][2]

    def _stored(self, store: Store) -> tuple[Function, ...]:
        """The function of a store: known ones, or any of its file."""
        found = self.named(store.function, store.path)
        if found:
            return found
        if store.path not in self._others:
            self._others[store.path] = Definitions({store.path: self.read(store.path) or b""})
        other = self._others[store.path].get(store.function)
        return (other,) if other is not None else ()

    @cached_property
    def structs(self) -> Structs:
        """The structures that expressions lead to."""
        return Structs(
            self.read, lambda name, near: (f.result for f in self.named(name, near)), self._folders
        )

    @cached_property
    def _pointers(self) -> Pointers:
        """What members of structures are set to."""
        return Pointers(
            self.structs, self.functions, self.tables, self.read,
            lambda name, near: bool(self.named(name, near)),
        )  # fmt: skip

    def _passed(self, callee: Function, position: int) -> tuple[Function, ...]:
        found: dict[int, Function] = {}
        for caller in self.functions:
            for call in self.calls(caller):
                if call.name == callee.name and position + 1 < len(call.args):
                    argument = bare(call.args[position + 1])
                    if argument.kind == "unary" and argument.name == "&":
                        argument = bare(argument.args[0])
                    if argument.kind == "name":
                        for function in self.named(argument.name, caller.path):
                            found[id(function)] = function
        return tuple(found.values())

    def reachable(self, start: Iterable[Function], depth: int = 12) -> tuple[Function, ...]:
        """``start`` and what they reach by calls, breadth first."""
        seen: dict[int, Function] = {id(function): function for function in start}
        layer = list(seen.values())
        for _ in range(depth):
            following: list[Function] = []
            for function in layer:
                for call in self.calls(function):
                    if not self.is_sure(call, function):
                        continue
                    for callee in self.targets(call, function):
                        if id(callee) not in seen:
                            seen[id(callee)] = callee
                            following.append(callee)
            layer = following
            if not layer:
                break
        return tuple(seen.values())


def declared_type(function: Function, variable: str) -> str:
    """The type, as written, of a parameter or local variable; "" if unknown."""
    return _types(function).get(variable, "")


def declared_types(function: Function) -> dict[str, str]:
    """The types, as written, of all parameters and local variables; do not change it."""
    return _types(function)


def _types_in(function: Function) -> dict[str, str]:
    found: dict[str, str] = {}
    for param in function.params:
        found.setdefault(param.name, param.type)
    stmt: Stmt
    for stmt in statements(function.body):
        for declared in stmt.variables if isinstance(stmt, Decl) else ():
            found.setdefault(declared.name, declared.type)
    return found


_types = Kept(_types_in)
