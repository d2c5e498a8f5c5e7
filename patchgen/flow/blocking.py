# SPDX-License-Identifier: GPL-2.0-only
"""Whether a callback's test for "may block" stands the right way round."""

from __future__ import annotations

from patchgen.flow.effects import Exit, Sleep, Summary

#: -EAGAIN, include/uapi/asm-generic/errno-base.h.
EAGAIN = -11


def refuses(leaving: Exit, interval: bool) -> bool:
    """Whether this way out says "cannot without blocking"."""
    value = leaving.value
    if interval:
        return value.lo == value.hi == 0
    return value.lo == value.hi == EAGAIN


def inverted_exits(summary: Summary, interval: bool) -> tuple[Exit, ...]:
    """Ways out that refuse where blocking is allowed, if none refuses where not."""
    refusing = [one for one in summary.exits if refuses(one, interval)]
    if any(one.state.blockable is not True for one in refusing):
        return ()
    if interval and not any(one.state.blockable is False for one in summary.exits):
        return ()
    return tuple(refusing)


def inverted_sleeps(summary: Summary) -> tuple[Sleep, ...]:
    """Sleeps that are reached only where blocking is known to be forbidden."""
    return tuple(
        sleep
        for sleep in summary.sleeps
        if sleep.blockable is False
        and not any(
            other.event.place == sleep.event.place and other.blockable is not False
            for other in summary.sleeps
        )
    )
