# SPDX-License-Identifier: GPL-2.0-only
"""What became of the objects of one patch."""

from __future__ import annotations

from patchgen.model.base import Value


class Built(Value, frozen=True):
    """``built`` are the sources whose objects compiled, ``left_out`` says of others why not.

    ``failed`` maps the others to their first error; ``errors`` are these without
    repeats, after the errors of what all objects depend on.
    """

    built: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    failed: dict[str, str] = {}
    errors: tuple[str, ...] = ()

    def without(self, old: Built) -> Built:
        """This, with what does not compile in ``old`` either left out."""
        same = [path for path in self.failed if path in old.failed]
        failed = {path: error for path, error in self.failed.items() if path not in same}
        stray = [error for error in self.errors if error not in self.failed.values()]
        why = [f"{path}: fails without the series, too: {old.failed[path]}" for path in same]
        errors = tuple(dict.fromkeys([*stray, *failed.values()]))
        return Built(self.built, (*self.left_out, *why), failed, errors)
