# SPDX-License-Identifier: GPL-2.0-only
"""What came out of booting the same kernels many times, as plain values; `rerun.json` is a `Rerun`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from results.model.run import Splat


@dataclass(frozen=True, slots=True)
class Spread:
    """How long a test took, in seconds of the guest's clock."""

    least: float
    median: float
    most: float


@dataclass(frozen=True, slots=True)
class RerunTest:
    """All runs of one test on one kernel."""

    __test__ = False

    name: str
    passed: int
    """With its evidence."""
    failed: int
    """By the kernel's fault: FAIL, or a guest that died in it."""
    other: int
    """Skipped, without a result, or passed without evidence."""
    left_out: int
    """Spoiled by the machine or on the way to us."""
    failing: Estimate | None
    """Of passes and failures; None without any."""
    reasons: Mapping[str, int]
    """Why it failed, or came to nothing, and how often."""
    boots: tuple[str, ...]
    """Those in which it failed."""
    seconds: Spread | None
    """None if it never ended."""


@dataclass(frozen=True, slots=True)
class RerunSplat:
    """One report of the kernel: in how many boots it came."""

    signature: str
    title: str
    boots: tuple[str, ...]
    coming: Estimate
    """Of all boots that count."""
    example: Splat


@dataclass(frozen=True, slots=True)
class RerunCell:
    """One kernel."""

    arch: str
    variant: str
    image_sha256: str
    rounds: int
    """Number of rounds, each with one run of every test."""
    boots: int
    """Those that count; a guest that dies is booted again for the tests that are left."""
    left_out: int
    """Boots that the machine or its slowness spoiled."""
    died: tuple[str, ...]
    """Boots that did not come to their end, by the kernel's fault."""
    dying: Estimate | None
    tests: tuple[RerunTest, ...]
    splats: tuple[RerunSplat, ...]

    @property
    def failed(self) -> bool:
        """Whether anything failed at least once."""
        return bool(self.died or self.splats) or any(test.failed for test in self.tests)

    @property
    def judged(self) -> bool:
        """Whether anything can be said at all."""
        return self.failed or any(test.passed for test in self.tests)


@dataclass(frozen=True, slots=True)
class Rerun:
    """Everything that `rerun.json` says."""

    id: str
    started: str
    """ISO 8601, UTC."""
    seconds: float
    harness: str
    run: str
    """The run whose kernels and tests these are."""
    times: int
    confidence: float
    """That the intervals have."""
    cells: tuple[RerunCell, ...]
    headline: str
    exit_code: int
    """0 nothing ever failed, 1 something did, 3 nothing could be said."""
    complete: bool
    """False while it still goes on, or was interrupted."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate between 0 and 1: as it was seen, and the interval that has the true one."""

    seen: float
    low: float
    high: float
