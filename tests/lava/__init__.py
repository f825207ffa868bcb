# SPDX-License-Identifier: GPL-2.0-only
"""A LAVA lab for the tests: its XML-RPC interface, and boards that are QEMU on this machine."""
