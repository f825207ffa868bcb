# SPDX-License-Identifier: GPL-2.0-only
"""Records of what is compared: trees, series, and plans, which put them together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from harness.config.record import Items, NamedRecord, Record
from results.compare.claims.text import parse_claim


class TreeRecord(NamedRecord):
    """Where kernel source comes from; `configs/trees/*.yaml`. One of the two sources is given."""

    KIND = "trees"
    NOUN = "tree"

    about: str
    debian_package: str | None = None
    """A name, or a shell pattern whose highest match is taken."""
    debian_suite: str | None = None
    """Of another Debian than the system's, as `unstable`."""
    url: str | None = None
    branch: str | None = None
    commit: str | None = None
    fixes: str | None = None
    """A folder of patches, relative to the record, for what keeps this tree from being built or booted."""


class CounterClaim(Record):
    """What a series says of a counter: `absent`, `present`, or its total change as a number."""

    base: Literal["absent", "present"] | int
    series: Literal["absent", "present"] | int


def _claim(text: str) -> str:
    parse_claim(text)
    return text


ClaimText = Annotated[str, AfterValidator(_claim)]
"""See `results.compare.claims.text`."""


class SeriesRecord(NamedRecord):
    """A patch series; `configs/series/*.yaml`."""

    KIND = "series"
    NOUN = "series"

    title: str
    source: str
    """An mbox or a directory (relative to the record), `git:BASE..TIP`, or a lore Message-ID."""
    tree: str
    """The tree it is written for."""
    base_commit: str | None = None
    """The commit of that tree, as `base-commit:` in a cover letter (git-format-patch(1)); else its tip."""
    stand_in: bool = False
    """A stand-in for the real series; every report says so."""
    tests: Items[str]
    """Names of `configs/tests/*.yaml`; empty means whichever of the usual ones the sources have."""
    counters: Mapping[str, CounterClaim] = Field(default_factory=dict)
    claims: Items[ClaimText] = ()
    """What else the series says of its numbers."""
    reached: str | None = Field(default=None, pattern=r"^(100|[1-9]?[0-9])(\.[0-9]+)? ?%$")
    """The share of changed lines that tests run, at least: `90 %`; judged in runs with --reached."""

    @property
    def reached_percent(self) -> float | None:
        """`reached` as a number."""
        return float(self.reached.rstrip(" %")) if self.reached else None


class PlanRecord(NamedRecord):
    """What a bare `run` does; `configs/plans/*.yaml`."""

    KIND = "plans"
    NOUN = "plan"

    about: str
    series: str
    arches: Items[str]
    profiles: Items[str] = ()
    """Names of `configs/profiles/*.yaml`, in which the architectures are built and booted as well."""
    tree: str = ""
    """Instead of the one that the series' record names."""
    tests: Items[str] = ()
    """Instead of those that the series' record names."""
    reached: bool = False
    """Tell which of the changed lines ran, as --reached."""
