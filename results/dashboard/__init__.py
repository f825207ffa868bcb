# SPDX-License-Identifier: GPL-2.0-only
"""The store as a static site: what broke when, seen at a glance, and two clicks from the line of the log."""
