# SPDX-License-Identifier: GPL-2.0-only
"""What KVM does in its callbacks, effect by effect, and in the setter of every architecture."""
