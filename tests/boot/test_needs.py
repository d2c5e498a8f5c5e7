# SPDX-License-Identifier: GPL-2.0-only
"""Missing programs are named with their packages before any work begins."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from patchgen.boot import needs
from patchgen.model.outcome import UserError


def test_every_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = shutil.which("make")
    assert make is not None
    (tmp_path / "make").symlink_to(make)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(needs.platform, "machine", lambda: "x86_64")
    with pytest.raises(UserError) as error:
        needs.check()
    text = str(error.value)
    assert "make," not in text
    for word in ("gcc", "flex", "bison", "bc", "qemu-system-x86_64"):
        assert word in text
    assert "apt install gcc binutils flex bison bc" in text
    assert text.endswith("qemu-system-x86)")


def test_a_header_that_does_not_compile_is_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "gcc"
    fake.write_text('#!/bin/sh\ncase "$*" in *-lelf*) exit 1;; esac\nexit 0\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    packages = [need.package for need in needs.missing()]
    assert "libelf-dev" in packages
    assert "libc6-dev" not in packages


def test_another_architecture_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs.platform, "machine", lambda: "aarch64")
    with pytest.raises(UserError, match="it is aarch64"):
        needs.check()
