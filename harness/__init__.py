# SPDX-License-Identifier: GPL-2.0-only
"""The orchestrator: builds kernels with and without a series, boots them and runs the tests."""

__version__ = "0.2.0"
