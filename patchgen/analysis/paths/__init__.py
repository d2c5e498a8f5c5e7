# SPDX-License-Identifier: GPL-2.0-only
"""Paths through small functions: every branch, every configuration, nothing passed over."""
