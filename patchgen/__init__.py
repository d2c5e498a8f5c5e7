# SPDX-License-Identifier: GPL-2.0-only
"""patchgen: kernel patch generator and static checker for mmu notifier users."""

__version__ = "0.1.0"
