# SPDX-License-Identifier: GPL-2.0-only
"""The tree's own build system, run on a view of the tree in the cache."""
