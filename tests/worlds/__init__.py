# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees with one edit each, and whether the series is still planned on them.

An edit that makes the series wrong must be refused, or cost the site its flag, with a line of
the file that it is in; one that keeps the meaning must not.  ``make tree-mutants`` tries all.
"""
