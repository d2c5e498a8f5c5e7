# SPDX-License-Identifier: GPL-2.0-only
"""What a module outside of the kernel's tree is: values."""

from __future__ import annotations

from patchgen.model.base import Place, Value
from patchgen.source.module.kernel import KernelDir
from patchgen.source.module.values import Note


class Source(Value, frozen=True):
    """A source that a module is built of: ``path`` from the module's root.

    ``before`` and ``after`` are the arguments that the parse of it gets before and behind the
    kernel's include paths, absolute.  ``module`` is KBUILD_MODNAME.  ``place`` is the line that
    lists it.  ``lacks`` is what its command names and nobody has, in words; ``command`` the
    saved command that the arguments are from, "" for the Makefiles'.
    """

    path: str
    module: str
    place: Place
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    command: str = ""


class LeftOut(Value, frozen=True, order=True):
    """A file that is no part of what is built, why, and what would make it one."""

    path: str
    reason: str


class Module(Value, frozen=True):
    """The modules that are built below ``root`` (absolute), against ``kernel``.

    ``by`` says who named the kernel.  ``notes`` are what of the Makefiles is not known.
    ``settings`` are the user's variables, ``unread`` those that no Makefile asks for.
    """

    root: str
    kernel: KernelDir
    by: str
    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[Note, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
