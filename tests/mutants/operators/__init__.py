# SPDX-License-Identifier: GPL-2.0-only
"""Mutation operators, grouped by what they break; found by walking this package."""
