# SPDX-License-Identifier: GPL-2.0-only
"""Progress on stderr: one line that is rewritten on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

from patchgen.terminal import rewrites, say, show


class Progress:
    """Takes lines "step: detail"; ``quiet`` shows none of them, ``verbose`` all.

    Without a terminal that can write it over, a line is printed when the text before the
    first colon changes; with ``verbose``, for each different line.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._rewrite = not verbose and rewrites(sys.stderr)
        self._began = time.monotonic()
        self._last = self._step = ""
        self._drawn = False

    def say(self, text: str) -> None:
        """Show ``text``; cheap to call often."""
        if self._quiet or text == self._last:
            return
        self._last = text
        step = text.partition(":")[0]
        if self._rewrite:
            seconds = int(time.monotonic() - self._began)
            width = shutil.get_terminal_size().columns - 1
            line = f"{seconds // 60}:{seconds % 60:02} {text}"[:width]
            show(line)
            self._drawn = True
        elif step != self._step or (self._verbose and " objects" not in text):
            say(text if self._verbose else step, err=True)
        self._step = step

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._drawn:
            show("")
