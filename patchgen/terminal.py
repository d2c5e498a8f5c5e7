# SPDX-License-Identifier: GPL-2.0-only
"""What the terminal can do that a program's output goes to."""

from __future__ import annotations

import os
from typing import IO, Any


def rewrites(stream: IO[Any]) -> bool:
    """Whether a line of ``stream`` can be written over: a terminal, and not a dumb one.

    $TERM is "dumb" where control sequences are shown as text, and unset or "unknown"
    where nobody has said what the terminal is (terminfo(5)).
    """
    return stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
