# SPDX-License-Identifier: GPL-2.0-only
"""What of a tree is searched, and for what (:mod:`patchgen.source.tree.search`)."""

from __future__ import annotations

#: Folders without kernel code that runs: user-space tools have their own headers.
NOT_SEARCHED = ("Documentation", "tools", "scripts", "samples", "LICENSES", ".git")
#: Fixed strings of which every API name contains one.
NEEDLES = (
    "mmu_notifier",
    "mmu_interval",
    "MMU_NOTIF",
    "set_pte_at_notify",
    "_flush_notify",
    "_flush_young_notify",
    "_clear_young_notify",
    "hmm_mirror",
    "drm_gpusvm_ops",
)
