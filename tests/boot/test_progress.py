# SPDX-License-Identifier: GPL-2.0-only
"""Progress goes to stderr, and only as much of it as was asked for."""

from __future__ import annotations

import pytest

from patchgen.boot.progress import Progress

_SAID = ["base: 1 objects", "base: 2 objects", "base, 1 CPU: booting", "base, 1 CPU: round 1"]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, ["base", "base, 1 CPU"]),
        ({"verbose": True}, ["base: 1 objects", "base, 1 CPU: booting", "base, 1 CPU: round 1"]),
        ({"quiet": True}, []),
    ],
)
def test_without_a_terminal_a_line_for_each_step(capsys, options, lines) -> None:
    with Progress(**options) as progress:
        for text in _SAID:
            progress.say(text)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()) == ("", lines)


def test_a_terminal_has_one_line_that_is_cleared(capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as progress:
        for text in _SAID:
            progress.say(text)
    err = capsys.readouterr().err
    assert "\n" not in err
    assert err.endswith("\r\x1b[K")
    assert "round 1" in err


@pytest.mark.parametrize("kind", ["dumb", "unknown", ""])
def test_a_terminal_that_cannot_clear_gets_a_line_for_each_step(capsys, monkeypatch, kind) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", kind)
    with Progress() as progress:
        for text in _SAID:
            progress.say(text)
    assert capsys.readouterr().err.splitlines() == ["base", "base, 1 CPU"]
