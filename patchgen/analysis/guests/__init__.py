# SPDX-License-Identifier: GPL-2.0-only
"""KVM beside its callbacks: flushes, counters, walks over memslots, who subscribes."""
