# SPDX-License-Identifier: GPL-2.0-only
"""All that is asked of KVM beside its callbacks, in one answer."""

from __future__ import annotations

from patchgen.analysis.guests.counters import counters
from patchgen.analysis.guests.deferred import deferred
from patchgen.analysis.guests.flush import flush
from patchgen.analysis.guests.registered import registered
from patchgen.analysis.paths.bodies import Read
from patchgen.analysis.told.dispatch import Reading


def guests(read: Read) -> Reading:
    """What of flushes, counters and the subscription is not as taken to be; what was read."""
    readings = (flush(read), deferred(read), counters(read), registered(read))
    return Reading(
        tuple(one for reading in readings for one in reading.faults),
        tuple(one for reading in readings for one in reading.rests_on),
    )
