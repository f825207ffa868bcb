# SPDX-License-Identifier: GPL-2.0-only
"""The outcome of one look at a machine, a host or a lab."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    """None: it works without, or can't be known yet."""
    detail: str
    fix: str = ""

    def as_document(self) -> dict[str, Any]:
        """For JSON; see docs/doctor.schema.json."""
        return asdict(self)
