# SPDX-License-Identifier: GPL-2.0-only
"""Calls: what the vocabulary says of a name, else the function that it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from patchgen.model.code import Expr, Function
from patchgen.proof.extract import vocabulary as words
from patchgen.proof.extract.evaluate import Frame, Go, Then
from patchgen.proof.extract.store import Stores
from patchgen.proof.extract.values import Env, Known, Name, Opaque, tags
from patchgen.source.c.definitions import Definitions
from patchgen.source.c.text import bare, every, text

#: Calls in calls, beyond which they are not followed.
DEEPEST = 24


class Calls(Stores):
    """Follows calls."""

    def invoke(self, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        arguments = expr.args[1:]
        name = expr.name
        if name and (frame.number, name) not in env:
            return self._named(name, expr, arguments, env, frame, then)

        def through(callee: Known, after: Env) -> int:
            if isinstance(callee, Name):
                return self._named(callee.name, expr, arguments, after, frame, then)
            return self.unknown(expr, frame, f"a call of an unknown function: {text(expr)}")

        return self.value(expr.args[0], env, frame, through)

    def _named(
        self, name: str, expr: Expr, arguments: Sequence[Expr], env: Env, frame: Frame, then: Then
    ) -> int:
        own = self._own(name)
        if own is not None:
            return self.values(
                arguments,
                env,
                frame,
                lambda vs, e: self._follow(own, vs, expr, e, frame, then),
            )
        if name in words.TRANSPARENT and arguments:
            return self.value(arguments[0], env, frame, then)
        if name in words.NOTHING or name.startswith(words.NOTHING_PREFIXES):
            return self.values(arguments, env, frame, lambda _, e: then(Opaque(text(expr)), e))
        if name in words.VALUES:
            return self.values(arguments, env, frame, lambda _, e: then(words.VALUES[name], e))
        if name in words.WRITES or name in words.WRITES_THROUGH:
            return self._written(name, expr, arguments, env, frame, then)
        if words.COUNTS.fullmatch(name) or words.ADDS.fullmatch(name):
            return self._counted(name, expr, arguments, env, frame, then)
        if name in words.LOCK_CALLS or name in words.UNLOCK_CALLS:
            lock = _lock(arguments[0], self.macros) if arguments else ""
            if not lock:
                return self.unknown(expr, frame, f"a lock that is not known: {text(expr)}")
            what = "lock" if name in words.LOCK_CALLS else "unlock"

            def of(owner: Known, after: Env) -> int:
                if not self.same_guest(owner):
                    return self.unknown(expr, frame, f"{text(expr)} is of another guest")
                return self.do(what, lock, expr, after, frame, lambda e: then(0, e))

            return self.value(_member(arguments[0]).args[0], env, frame, of)
        return self.values(
            arguments, env, frame, lambda vs, e: self._apply(name, vs, expr, e, frame, then)
        )

    def _apply(
        self, name: str, vs: tuple[Known, ...], expr: Expr, env: Env, frame: Frame, then: Then
    ) -> int:
        """A call whose arguments are evaluated."""
        opaque = Opaque(text(expr), tags(*vs))
        if name in words.PURE:
            if name == "pte_pfn" and "new pte" in opaque.tags:
                opaque = Opaque(opaque.text, frozenset({"new pfn"}))
            return then(opaque, env)
        if name == words.IS_NULL_FUNCTION:
            if isinstance(vs[0], Name):
                return then(int(vs[0].name == words.NULL_FUNCTION), env)
            return self.unknown(expr, frame, f"which function it is, is not known: {text(expr)}")
        if name in words.ASKS:
            question = words.ASKS[name]
            if question == "new_writable" and "new pte" not in opaque.tags:
                return self.unknown(expr, frame, f"not the new PTE: {text(expr)}")
            asks = self.number if question == "new_writable" else self.ask
            return asks(question, expr, env, frame, then)
        if name in words.DOES:
            return self._sequence(words.DOES[name], expr, env, frame, lambda e: then(opaque, e))
        if name in words.DROPS_ALL:
            return self.ask(
                "present", expr, env, frame, lambda v, e: self._drop(v, expr, e, frame, then)
            )
        if name in words.DROPS_IF_CALLS:
            return self._unlink(name, expr, env, frame, lambda e: then(opaque, e))
        if name in words.WRITES_SPTE:
            written = tags(vs[-1])
            if "new pfn" not in written or written & {"memory", "writable"}:
                return self.unknown(expr, frame, f"what is written is not known: {text(expr)}")
            return self.do("set_spte", "", expr, env, frame, lambda e: then(opaque, e))
        if name in words.PROTECTS_SPTE:
            return self._protect(vs, expr, env, frame, then)
        function = self.functions.get(name)
        if function is None:
            return self.unknown(expr, frame, f"{name}() is not known")
        return self._follow(function, vs, expr, env, frame, then)

    def _follow(
        self,
        function: Function,
        vs: tuple[Known, ...],
        expr: Expr,
        env: Env,
        frame: Frame,
        then: Then,
    ) -> int:
        if frame.depth >= DEEPEST:
            return self.unknown(expr, frame, f"{function.name}(): calls nest too deep")
        return self.call(function, vs, env, frame.depth + 1, then)

    def _own(self, name: str) -> Function | None:
        """The file's own function of a name that is otherwise taken for harmless."""
        harmless = (
            name in words.TRANSPARENT
            or name in words.NOTHING
            or name in words.VALUES
            or name in words.PURE
            or name.startswith(words.NOTHING_PREFIXES)
        )
        functions = self.functions
        if not harmless or name in words.OF_THE_MMU:
            return None
        if isinstance(functions, Definitions) and functions.is_static(name):
            return functions[name]
        return None

    def _written(
        self,
        name: str,
        expr: Expr,
        arguments: Sequence[Expr],
        env: Env,
        frame: Frame,
        then: Then,
    ) -> int:
        """``WRITE_ONCE(a, b)``, ``smp_store_release(&a, b)``."""
        target = _pointed(arguments[0]) if name in words.WRITES_THROUGH else arguments[0]
        if target is None or len(arguments) != 2:
            return self.unknown(expr, frame, f"what is written is not known: {text(expr)}")
        return self.write(target, arguments[1], expr, env, frame, then)

    def _counted(
        self,
        name: str,
        expr: Expr,
        arguments: Sequence[Expr],
        env: Env,
        frame: Frame,
        then: Then,
    ) -> int:
        """``atomic_inc(&a)``, ``this_cpu_inc(a)``, ``atomic_add(n, &a)``: to what nobody reads."""
        last = arguments[-1] if "atomic" in name and "_set" not in name else arguments[0]
        target = _pointed(last) if "atomic" in name else last
        if target is None:
            return self.unknown(expr, frame, f"what is written is not known: {text(expr)}")
        others = [argument for argument in arguments if argument is not last]
        return self.values(
            others,
            env,
            frame,
            lambda _, e: self.store(target, Opaque(text(expr)), expr, e, frame, then),
        )

    def _drop(self, present: Known, expr: Expr, env: Env, frame: Frame, then: Then) -> int:
        if not present:
            return then(0, env)
        return self.do("drop_spte", "", expr, env, frame, lambda e: then(1, e))

    def _protect(
        self, vs: tuple[Known, ...], expr: Expr, env: Env, frame: Frame, then: Then
    ) -> int:
        if "protected" not in tags(vs[-1]):
            return self.unknown(expr, frame, f"what is written is not known: {text(expr)}")

        def decide(writable: Known, after: Env) -> int:
            if not writable:
                return then(0, after)
            return self.do("protect_spte", "", expr, after, frame, lambda e: then(1, e))

        return self.ask("writable", expr, env, frame, decide)

    def _unlink(self, name: str, expr: Expr, env: Env, frame: Frame, then: Go) -> int:
        function = self.functions.get(name)
        if function is None:
            return self.unknown(expr, frame, f"{name}() is not known")
        if calls(function, words.DROPS_IF_CALLS[name]):
            return self.do("drop_spte", "", expr, env, frame, then)
        return then(env)

    def _sequence(
        self, steps: Sequence[tuple[str, str]], expr: Expr, env: Env, frame: Frame, then: Go
    ) -> int:
        if not steps:
            return then(env)
        what, arg = steps[0]
        return self.do(
            what, arg, expr, env, frame, lambda e: self._sequence(steps[1:], expr, e, frame, then)
        )


def calls(function: Function, name: str) -> bool:
    """Whether the body of ``function`` calls ``name`` anywhere."""
    return any(e.kind == "call" and e.name == name for e in every(function.body))


def _pointed(argument: Expr) -> Expr | None:
    """What ``&a`` points to; None for any other pointer."""
    argument = bare(argument)
    return argument.args[0] if argument.kind == "unary" and argument.name == "&" else None


def _member(argument: Expr) -> Expr:
    """The lock's member of ``&kvm->mmu_lock``."""
    plain = argument.kind == "unary" and argument.name == "&"
    return argument.args[0] if plain else argument


def _lock(argument: Expr, macros: Mapping[str, object]) -> str:
    """Which lock ``&kvm->mmu_lock`` is; "" if it is none that is known."""
    inner = _member(argument)
    if inner.kind not in ("arrow", "member") or inner.name in macros:
        return ""
    return words.LOCK_FIELDS.get(inner.name, "")
