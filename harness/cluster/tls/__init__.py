# SPDX-License-Identifier: GPL-2.0-only
"""Certificates and connections of a cluster."""
