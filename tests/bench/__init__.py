# SPDX-License-Identifier: GPL-2.0-only
"""``make bench``: ratios measured side by side in one run; never a test."""
