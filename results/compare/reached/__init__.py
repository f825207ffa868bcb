# SPDX-License-Identifier: GPL-2.0-only
"""Which of the changed lines of a series ran."""
