# SPDX-License-Identifier: GPL-2.0-only
"""What bare roots take over from this machine, and how their logs are read."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from tests.bare import host
from tests.bare.__main__ import plain, skips


def test_transport_is_taken_over_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "NO_PROXY", "PIP_INDEX_URL", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "here")
    for name in ("PIP_TARGET", "PIP_CACHE_DIR", "PYTHONPATH", "PATCHGEN_TREES", "CI", "MAKEFLAGS"):
        monkeypatch.setenv(name, "not there")
    taken = host.environment()
    assert taken["PIP_INDEX_URL"] == taken["NO_PROXY"] == taken["https_proxy"] == "here"
    assert "not there" not in taken.values()


def test_pips_settings_and_what_they_name_are_seen_in_a_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels, index, pins = tmp_path / "wheels", tmp_path / "pypi/simple", tmp_path / "pins.txt"
    for place in (wheels, index):
        place.mkdir(parents=True)
    pins.touch()
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nfind-links = {wheels}\nextra-index-url =\n  file://{index}\n  file:/none\n"
        f"[install]\nconstraint = {pins}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    assert {wheels, index.parent, pins} <= set(host.shown())
    root = tmp_path / "root"
    (root / "etc/apt/apt.conf.d").mkdir(parents=True)
    host.take_over(root)
    written = configparser.RawConfigParser()
    written.read(root / "etc/pip.conf")
    assert written["global"]["find-links"] == str(wheels)
    assert written["global"]["extra-index-url"].split() == [f"file://{index}", "file:/none"]
    assert written["install"]["constraint"] == str(pins)


def test_a_log_is_read_without_what_moves_the_cursor(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"\r\x1b[Kplan\r\x1b[K\x1b[33m\x1b[1m9 passed\x1b[0m in 2 s\r\n\r\n")
    assert plain(log) == ["plan", "9 passed in 2 s"]
    log.write_bytes(b"")
    assert plain(log) == ["(it said nothing)"]


def test_skips_are_counted_by_their_reason() -> None:
    said = ["SKIPPED [2] tests/a.py:3: needs xz: apt install xz-utils", "SKIPPED [1] x: needs gcc",
            "SKIPPED [3] tests/b.py:9: needs xz: apt install xz-utils", "9 passed"]  # fmt: skip
    assert skips(said) == ["5 skipped: needs xz: apt install xz-utils", "1 skipped: needs gcc"]
