# SPDX-License-Identifier: GPL-2.0-only
"""All that is asked of KVM beside its callbacks, in one answer."""

from __future__ import annotations

from collections.abc import Mapping

from patchgen.analysis.guests.counters import counters
from patchgen.analysis.guests.deferred import deferred
from patchgen.analysis.guests.flush import flush
from patchgen.analysis.guests.registered import registered
from patchgen.analysis.paths.bodies import Read
from patchgen.analysis.told.dispatch import Reading
from patchgen.model.base import Evidence


def guests(read: Read) -> Mapping[str, Reading]:
    """What is said of flushes, of those put off, of counters and of the subscription."""
    return {
        "flush": flush(read),
        "deferred flush": deferred(read),
        "counters": counters(read),
        "subscription": registered(read),
    }


def against(read: Read) -> tuple[Evidence, ...]:
    """What of it is not as everybody takes it to be; () for nothing."""
    return tuple(one for reading in guests(read).values() for one in reading.faults)
