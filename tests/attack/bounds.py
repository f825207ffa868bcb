# SPDX-License-Identifier: GPL-2.0-only
"""Bounds of a mutated input, and how many of them a night has.

A seed is one input. The quick set takes the first of each kind, the nightly one `a_night` of them:
THP_HARNESS_ATTACKS=10 takes ten times as many, THP_HARNESS_ATTACKS_FROM=100000 begins at another seed.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from harness.core.errors import HarnessError
from results.journal.journal import JournalError
from results.model.document import ResultsError

QUICK = 10
FIRST = int(os.environ.get("THP_HARNESS_ATTACKS_FROM", "0"))
TIMES = float(os.environ.get("THP_HARNESS_ATTACKS", "1"))
SECONDS, MEBIBYTES = 20, 1500
"""Bounds of one input: CPU time, and the memory of the process that reads them all."""


def seeds(a_night: int, block: int = 500) -> list[Any]:
    """Ranges of seeds, each of which is a test."""
    last = FIRST + round(a_night * TIMES)
    nightly = (
        pytest.param(range(first, min(first + block, last)), marks=pytest.mark.nightly, id=f"from-{first}")
        for first in range(FIRST, last, block)
    )
    return [pytest.param(range(QUICK), id="first"), *nightly]


@contextmanager
def bounded(seed: int) -> Iterator[None]:
    """Let an input be read or refused, within the bounds."""

    def stop(*_: object) -> None:
        pytest.fail(f"seed {seed} takes more than {SECONDS} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        with suppress(HarnessError, JournalError, ResultsError):
            yield
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10 < MEBIBYTES, f"seed {seed}"
