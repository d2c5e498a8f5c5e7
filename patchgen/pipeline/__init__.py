# SPDX-License-Identifier: GPL-2.0-only
"""The arrows between the layers, one function each; the one place that catches broadly."""
