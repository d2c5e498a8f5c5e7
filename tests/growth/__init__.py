# SPDX-License-Identifier: GPL-2.0-only
"""Whether the work grows with what is given, and no faster; ``make growth`` measures."""
