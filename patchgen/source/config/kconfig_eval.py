# SPDX-License-Identifier: GPL-2.0-only
"""Values for Kconfig symbols: what is on once a start set is on.

A symbol is y when it is forced on, selected by a symbol that is y, or has a default
that is y while its dependencies hold.  ``m`` counts as y: every file is looked at as
if it were built in.  Work goes by a queue: only what mentions a changed symbol is
looked at again.
"""

from __future__ import annotations

from collections import deque
from functools import cache, lru_cache

from patchgen.source.config.kconfig import Kconfig, Symbol
from patchgen.source.config.kconfig_expr import Expr, parse_expr

_parse = lru_cache(maxsize=None)(parse_expr)
_BOOLEAN = ("bool", "boolean", "tristate", "")
_FLIPS = 12  # a symbol that changes more often than this oscillates: it keeps its value


class Evaluator:
    """Holds the values of one configuration of ``kconfig``.

    ``values`` maps each symbol that is not n to "y" or its number or string.
    ``on`` (with what it needs) and ``off`` are forced, ``wanted`` is on where its
    dependencies hold; ``fixed`` are forced numbers and strings.
    """

    def __init__(
        self,
        kconfig: Kconfig,
        on: frozenset[str],
        off: frozenset[str],
        wanted: frozenset[str] = frozenset(),
        fixed: dict[str, str] | None = None,
    ) -> None:
        self.kconfig = kconfig
        self.on = set(on)
        self.off = off
        self.wanted = wanted
        self.fixed = fixed or {}
        self.values: dict[str, str] = {}
        self._users: dict[str, set[str]] = {}
        self._selectors: dict[str, list[tuple[str, list[str], str, bool]]] = {}
        for symbol in kconfig.symbols.values():
            self._index(symbol)

    def _index(self, symbol: Symbol) -> None:
        name = symbol.name
        texts = {text for group in symbol.depends for text in group}
        for value, conditions in symbol.defaults:
            texts.add(value)
            texts.update(conditions)
        for text in texts:
            for mentioned in _names(text):
                self._users.setdefault(mentioned, set()).add(name)
        if symbol.choice:
            self._users.setdefault(symbol.choice, set()).add(name)
            self._users.setdefault(name, set()).add(symbol.choice)
            for text in (text for group in symbol.depends for text in group):
                for mentioned in _names(text):
                    self._users.setdefault(mentioned, set()).add(symbol.choice)
        for target, depends, condition, implied in symbol.selects:
            self._selectors.setdefault(target, []).append((name, depends, condition, implied))
            self._users.setdefault(name, set()).add(target)
            for text in (*depends, condition):
                for mentioned in _names(text):
                    self._users.setdefault(mentioned, set()).add(target)

    def run(self) -> dict[str, str]:
        """Bring all values to rest; returns them."""
        for name in self.on - self.off:
            self._enable(name, set())
        queue = deque(sorted(self.kconfig.symbols.keys() | self._selectors.keys() | self.on))
        queued = set(queue)
        flips: dict[str, int] = {}
        while queue:
            name = queue.popleft()
            queued.discard(name)
            value = self._value(name)
            if value == self.values.get(name, "n") or flips.get(name, 0) > _FLIPS:
                continue
            flips[name] = flips.get(name, 0) + 1
            if value == "n":
                del self.values[name]
            else:
                self.values[name] = value
            for user in sorted(self._users.get(name, ())):
                if user not in queued:
                    queued.add(user)
                    queue.append(user)
        return {name: value for name, value in self.values.items() if " " not in name}

    def _enable(self, name: str, above: set[str]) -> None:
        """Switch on what ``name`` needs: the plain conjuncts of its dependencies.

        Symbols without a prompt are left to their own defaults and selectors.
        """
        self.on.add(name)
        above.add(name)
        symbol = self.kconfig.symbols.get(name)
        if symbol is None or not symbol.depends:
            return
        for text in symbol.depends[0]:
            for needed in _needs(_parse(text)):
                known = self.kconfig.symbols.get(needed)
                plain = known is None or (known.prompt and known.type in _BOOLEAN)
                if needed not in above and needed not in self.off and plain:
                    self._enable(needed, above)

    def _value(self, name: str) -> str:
        if name in self.off:
            return "n"
        if name in self.fixed:
            return self.fixed[name]
        symbol = self.kconfig.symbols.get(name)
        if symbol is not None and symbol.type in ("int", "hex", "string"):
            return self._literal(symbol)
        if symbol is not None and symbol.type == "choice":
            return self._chosen(symbol)
        if name in self.on or self._selected(name, symbol):
            return "y"
        if symbol is None:
            return "n"
        if symbol.choice:
            return "y" if self.values.get(symbol.choice) == name else "n"
        if name in self.wanted and self._possible(name):
            return "y"
        for value, conditions in symbol.defaults:
            if self._all(conditions):
                return "y" if self._truth(_parse(value)) else "n"
        return "n"

    def _literal(self, symbol: Symbol) -> str:
        for value, conditions in symbol.defaults:
            if self._all(conditions):
                text = self._text(_parse(value))
                return text if text else "n"
        return "n"

    def _chosen(self, symbol: Symbol) -> str:
        """The choice's member: forced on, else the default, else the first possible."""
        if not any(self._all(group) for group in symbol.depends):
            return "n"
        members = self.kconfig.members[symbol.name]
        possible = [name for name in members if name not in self.off and self._possible(name)]
        for forced in (self.on, self.wanted):
            for name in possible:
                if name in forced:
                    return name
        for value, conditions in symbol.defaults:
            if value in possible and self._all(conditions):
                return value
        return possible[0] if possible else "n"

    def _possible(self, name: str) -> bool:
        symbol = self.kconfig.symbols[name]
        return any(self._all(group) for group in symbol.depends)

    def _selected(self, name: str, symbol: Symbol | None) -> bool:
        for selector, depends, condition, implied in self._selectors.get(name, ()):
            if (
                self.values.get(selector, "n") == "y"
                and (selector in self.on or self._all(depends))
                and (not condition or self._truth(_parse(condition)))
                and (not implied or symbol is None or self._possible(name))
            ):
                return True
        return False

    def _all(self, conditions: list[str]) -> bool:
        return all(self._truth(_parse(text)) for text in conditions)

    def _truth(self, expr: Expr) -> bool:
        kind = expr[0]
        if kind == "sym":
            return self.values.get(expr[1], "n") == "y"  # type: ignore[arg-type]
        if kind == "const":
            return expr[1] == "y"
        if kind == "!":
            return not self._truth(expr[1])  # type: ignore[arg-type]
        if kind == "&&":
            return self._truth(expr[1]) and self._truth(expr[2])  # type: ignore[arg-type]
        if kind == "||":
            return self._truth(expr[1]) or self._truth(expr[2])  # type: ignore[arg-type]
        return self._compare(str(kind), self._text(expr[1]), self._text(expr[2]))  # type: ignore[arg-type]

    def _text(self, expr: Expr) -> str:
        """The value of a constant or a symbol as text; an unset number is empty."""
        if expr[0] == "const":
            return str(expr[1])
        if expr[0] == "sym":
            name = str(expr[1])
            value = self.values.get(name)
            if value is not None:
                return value
            symbol = self.kconfig.symbols.get(name)
            return "" if symbol and symbol.type in ("int", "hex", "string") else "n"
        return "y" if self._truth(expr) else "n"

    @staticmethod
    def _compare(operator: str, left: str, right: str) -> bool:
        if operator in ("=", "!="):
            return (left == right) is (operator == "=")
        try:
            a, b = int(left or "0", 0), int(right or "0", 0)
        except ValueError:
            return False
        return {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[operator]


def enablers(kconfig: Kconfig, names: frozenset[str]) -> frozenset[str]:
    """``names`` with what must be set for them: their plain dependencies, and selectors.

    A symbol that nobody can set, and that has no default, gets the first of those that
    select it.  Whether that is enough only the tree's own Kconfig can say.
    """
    found = Evaluator(kconfig, frozenset(), frozenset())
    for name in sorted(names):
        found._enable(name, set())
    for name in sorted(found.on):
        symbol = kconfig.symbols.get(name)
        if symbol is None or symbol.prompt or symbol.defaults:
            continue
        ways = [one[0] for one in found._selectors.get(name, ()) if not one[3]]
        settable = [way for way in sorted(ways) if kconfig.symbols[way].prompt]
        if settable and not found.on & set(ways):
            found._enable(settable[0], set())
    return frozenset(found.on)


@cache
def _names(text: str) -> frozenset[str]:
    """Every symbol that an expression mentions."""
    return frozenset(_walk(_parse(text)))


def _walk(expr: Expr) -> list[str]:
    if expr[0] == "sym":
        return [str(expr[1])]
    if expr[0] == "const":
        return []
    return [name for part in expr[1:] for name in _walk(part)]  # type: ignore[arg-type]


def _needs(expr: Expr) -> list[str]:
    """Symbols that must be y for the expression to hold, as far as plain AND shows."""
    if expr[0] == "sym":
        return [str(expr[1])]
    if expr[0] == "&&":
        return _needs(expr[1]) + _needs(expr[2])  # type: ignore[arg-type]
    return []
