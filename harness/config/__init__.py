# SPDX-License-Identifier: GPL-2.0-only
"""Records of configs/ and of the user: architectures, suites, trees, series, hosts and labs."""
