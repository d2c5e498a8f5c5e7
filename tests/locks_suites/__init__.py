# SPDX-License-Identifier: GPL-2.0-only
"""Validation suites of other lock checkers, put behind a notifier callback.

None of their code is part of this project: the folders are given on the command line.
"""
