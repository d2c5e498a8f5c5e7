# SPDX-License-Identifier: GPL-2.0-only
"""What a tree is, in one line."""

from __future__ import annotations


def headline(version: str, idiom: str, generation: str) -> str:
    """``Linux 5.10.262 · KVM idiom: direct · API 5.10``."""
    return f"Linux {version} · KVM idiom: {idiom} · API {generation}"
