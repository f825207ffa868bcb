# SPDX-License-Identifier: GPL-2.0-only
"""Carries out builds and boots, and records them as facts."""
