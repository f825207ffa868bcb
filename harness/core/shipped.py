# SPDX-License-Identifier: GPL-2.0-only
"""Where the program's data files lie: `configs/` and `kselftest_wrappers/`, beside the package `harness`.

That holds in a checkout, for an editable install of it, and in a wheel, which brings both folders to
site-packages. The program only reads there: what it makes goes to the folders of `workspace`.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
WRAPPERS = ROOT / "kselftest_wrappers"
"""C sources of the programs that run in the guest."""
