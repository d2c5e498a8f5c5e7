# SPDX-License-Identifier: GPL-2.0-only
"""Modules outside of a kernel tree: what they are built of, with what, against which kernel."""
