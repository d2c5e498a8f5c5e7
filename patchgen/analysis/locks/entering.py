# SPDX-License-Identifier: GPL-2.0-only
"""What a caller knows when it enters a function: the meaning of its arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from patchgen.analysis.engine.pointers import leaves
from patchgen.analysis.engine.program import Program
from patchgen.analysis.engine.walk import Here
from patchgen.analysis.locks.allocating import Flags
from patchgen.analysis.values.naming import Naming, meaning
from patchgen.analysis.values.subjects import constant_of
from patchgen.analysis.values.value import truth
from patchgen.kernel.knowledge import names
from patchgen.model.code import Expr, Function
from patchgen.source.c.text import bare


class Arguments:
    """The arguments of one function's calls, as their callees see them."""

    def __init__(
        self, program: Program, function: Function, naming: Naming, roles: Mapping[str, str]
    ) -> None:
        self.program = program
        self.function = function
        self.naming = naming
        self.flags = Flags(naming, roles)
        self.roles = roles

    def of(self, call: Expr, callee: Function, here: Here) -> tuple[tuple[str, str], ...]:
        """The roles of ``callee``'s parameters, see :class:`Context`."""
        roles: list[tuple[str, str]] = []
        for param, argument in zip(callee.params, call.args[1:], strict=False):
            role = self._meaning(argument)
            if "gfp_t" in param.type.split():
                role = self.flags.of(argument, here.value, None) or role
            if "*" in param.type:
                roles += self._members(param.name, bare(argument))
            if not role and "*" not in param.type:
                known = truth(here.value(argument))
                role = "" if known is None else str(known).lower()
            if role:
                roles.append((param.name, role))
        return tuple(roles)

    def _meaning(self, argument: Expr) -> str:
        found = meaning(argument, self.roles) or meaning(self._plain(argument), self.roles)
        if found:
            return found
        functions = []
        for leaf in leaves(argument):
            if leaf.kind != "name" or not self.program.named(leaf.name, self.function.path):
                if leaf.name in names("kvm", "null", "functions"):
                    functions.append(leaf.name)
                    continue
                return ""
            functions.append(leaf.name)
        return "=" + "|".join(functions) if functions else ""

    def _plain(self, argument: Expr) -> Expr:
        """A local that is set once, or a member of a local structure: its value."""
        argument = bare(argument)
        if argument.kind == "member" and argument.args[0].kind == "name":
            members = self.naming.members(argument.args[0].name)
            argument = members.get(argument.name, argument)
        return self.naming.plain(argument)

    def _members(self, param: str, argument: Expr) -> Iterable[tuple[str, str]]:
        """What is known of the members of a structure that is passed by address."""
        if argument.kind == "name":
            prefix = f"{argument.name}->"
            return [
                (f"{param}->{key[len(prefix) :]}", role)
                for key, role in self.roles.items()
                if key.startswith(prefix)
            ]
        if argument.kind != "unary" or argument.name != "&" or argument.args[0].kind != "name":
            return []
        found: list[tuple[str, str]] = []
        for member, value in self.naming.members(argument.args[0].name).items():
            role = self._meaning(value)
            constant = constant_of(value)
            if not role and isinstance(constant, int):
                role = "true" if constant else "false"
            if role:
                found.append((f"{param}->{member}", role))
        return found
