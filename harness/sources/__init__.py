# SPDX-License-Identifier: GPL-2.0-only
"""Where kernel source comes from: trees, and series on top of them."""
