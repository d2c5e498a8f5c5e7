# SPDX-License-Identifier: GPL-2.0-only
"""The same system as Promela, and Spin's answer to it: an independent check.

Spin explores the file on its own: nothing of the search here is shared, neither the
packing of states nor the symmetry of vCPUs.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from patchgen.model.base import Value
from patchgen.model.outcome import UserError
from patchgen.proof.system.properties import PROPERTIES
from patchgen.proof.system.system import Literal, System, Transition, Update
from patchgen.sandbox import child
from patchgen.sandbox.aside import Aside

TEMPLATE = "proof/protocol.pml.j2"

#: Megabytes and steps that Spin's search may take; a run that meets one is no answer.
MEMORY = 2000
DEPTH = 5_000_000
#: Seconds for each of Spin, the compiler and the search.
PATIENCE = 600

_STATES = re.compile(rb"^\s*(\S+) states, stored", re.M)


class SpinAnswer(Value, frozen=True):
    """Spin's verdicts: the properties that are violated, its states, its seconds."""

    violated: frozenset[str]
    states: int
    writing: float
    compiling: float
    running: float

    @property
    def seconds(self) -> float:
        """All of it: writing the verifier, compiling and running it."""
        return self.writing + self.compiling + self.running


def promela(system: System, title: str = "") -> str:
    """``system`` as a Promela model."""
    from patchgen.edits.render import render

    names = tuple(PROPERTIES)
    return render(
        TEMPLATE,
        {
            "title": title or system.name,
            "properties": names,
            "variables": [
                {"name": _name(v.name), "bits": v.bits, "initial": v.initial}
                for v in system.variables
            ],
            "processes": [
                {
                    "name": process.name.replace(" ", "_"),
                    "transitions": [
                        _option(t, process.pc) for t in system.transitions if t.process == number
                    ],
                }
                for number, process in enumerate(system.processes)
                if any(t.process == number for t in system.transitions)
            ],
            "bad": [
                {
                    "property": bad.property,
                    "index": names.index(bad.property),
                    "cause": bad.cause,
                    "guard": _guard(bad.literals),
                }
                for bad in system.bad
            ],
        },
    )


def _option(transition: Transition, pc: str) -> dict[str, str]:
    here = (Literal(pc, transition.source),) if pc else ()
    there = (Update(pc, "set", transition.target),) if pc else ()
    steps = [f"{node.place}: {node.text()}" for node in transition.steps if node.place.path]
    return {
        "comment": "; ".join(steps) or "(nothing that others see)",
        "guard": _guard((*here, *transition.guards)),
        "updates": "; ".join(_update(u) for u in (*transition.updates, *there)) or "skip",
    }


def _name(variable: str) -> str:
    """A name that is neither a keyword of Promela nor a process."""
    return f"v_{variable}"


def _guard(literals: Sequence[Literal]) -> str:
    parts = []
    for guard in literals:
        value = _name(guard.other) if guard.other else guard.value
        parts.append(f"{_name(guard.variable)} {'!=' if guard.negated else '=='} {value}")
    return " && ".join(parts) or "true"


def _update(update: Update) -> str:
    name = _name(update.variable)
    if update.how == "set":
        return f"{name} = {update.value}"
    if update.how == "add":
        sign = "+" if update.value >= 0 else "-"
        return f"{name} = {name} {sign} {abs(update.value)}"
    if update.how == "or":
        return f"{name} = {name} | {_name(update.other)}"
    return f"{name} = {_name(update.other)}"


def spin(system: System) -> SpinAnswer:
    """Spin's verdicts on ``system``.

    Raises UserError where spin or a compiler is not installed, or the search did not
    finish.  Works in a temporary folder.
    """
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            raise UserError(f"{tool} is not installed", hint="Debian has packages spin and gcc")
    with Aside() as folder:
        begun = time.monotonic()
        (folder / "model.pml").write_text(promela(system))
        _run(folder, "spin", "-a", "model.pml")
        written = time.monotonic()
        # Optimising the verifier takes longer than it saves within the default bounds.
        options = ("-O0", "-DSAFETY", "-DNOFAIR", f"-DMEMLIM={MEMORY}", "-w")
        _run(folder, "gcc", *options, "-o", "pan", "pan.c")
        compiled = time.monotonic()
        out = _run(folder, "./pan", "-E", f"-m{DEPTH}")
        done = time.monotonic()
    return SpinAnswer(
        _violated(out), _stored(out), written - begun, compiled - written, done - compiled
    )


def _run(folder: Path, *command: str) -> bytes:
    try:
        done = child.answer(command, cwd=folder, seconds=PATIENCE, env=dict(os.environ))
    except TimeoutError as error:
        raise UserError(f"{command[0]} took longer than {PATIENCE} s") from error
    if done.status:
        text = (done.err or done.out).decode(errors="replace").strip()
        raise UserError(f"{command[0]} failed: {text.splitlines()[-1] if text else 'no output'}")
    return done.out


def _violated(out: bytes) -> frozenset[str]:
    if (
        b"search depth too small" in out
        or b"out of memory" in out
        or b"Search not completed" in out
    ):
        raise UserError("Spin's search did not finish", hint="use smaller bounds")
    return frozenset(w.decode() for w in re.findall(rb"^VIOLATED (\w+)$", out, re.M))


def _stored(out: bytes) -> int:
    found = _STATES.search(out)
    if found is None:
        raise UserError("Spin's output is not understood")
    return int(float(found[1]))
