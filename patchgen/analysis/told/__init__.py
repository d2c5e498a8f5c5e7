# SPDX-License-Identifier: GPL-2.0-only
"""Who is told of what: the notification, its dispatch to subscribers, the flags of a range."""
