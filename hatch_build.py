# SPDX-License-Identifier: GPL-2.0-only
"""A build step of wheels and sdists: records the commit, which git can't be asked for after installation."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Puts the commit in place of the placeholder in `harness/core/commit.txt`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Have the file taken from a temporary folder; an editable install asks git instead."""
        sys.path.insert(0, self.root)
        from harness.core.version import COMMIT_FILE, commit

        name = commit(Path(self.root))
        if name and version != "editable":
            self._folder = tempfile.TemporaryDirectory()
            file = Path(self._folder.name) / "commit.txt"
            file.write_text(f"{name}\n", encoding="ascii")
            build_data["force_include"][str(file)] = COMMIT_FILE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()
