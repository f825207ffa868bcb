# SPDX-License-Identifier: GPL-2.0-only
"""What guest tests measure, as plain values; `results.compare.measures` compares them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One call of an operation in which the n-th allocation was to fail."""

    n: int
    fired: bool
    """Whether an allocation really failed; the last row of an operation is the one without."""
    result: str
    """`ok`, the name of an error or a signal, or `short` for less than was asked for."""
    effect: str
    """full, none, or part."""
    intact: bool
    """Nothing outside of the range has changed, nor inside where the effect did not happen."""
    usable: bool
    """The process could still read, write and free the memory."""
    retry: str
    """Result of a second call without failures: `ok`, the name of an error, `none` if there was no need."""
    split: int | None
    """Change of thp_split_pmd over the call; None where the kernel has no such counter."""
    split_failed: int | None
    """Change of thp_split_pmd_failed over the call; None where the kernel has no such counter."""
    why: str = ""
    """Why the row is broken, in the test's word; empty where all is well."""

    @property
    def split_failure_handled(self) -> bool:
        """Whether the failed allocation made the split of a PMD fail, and nothing came of it."""
        return self.fired and not self.why and (self.split_failed or 0) > 0


@dataclass(frozen=True, slots=True)
class SweepRun:
    """All rows of one operation in one run."""

    rows: tuple[SweepRow, ...] = ()
    """By n, without gaps if `finished`."""
    finished: bool = False
    """The test said that these are all rows, and they are."""
    trying: int | None = None
    """The n that was being tried when the test was cut short."""
    left_out: tuple[str, ...] = ()
    """What could not be read, in words."""

    @property
    def fired(self) -> int:
        """How many allocations were made to fail."""
        return sum(row.fired for row in self.rows)

    @property
    def handled(self) -> int | None:
        """How many failed splits were handled; None where the kernel does not count them."""
        if all(row.split_failed is None for row in self.rows):
            return None
        return sum(row.split_failure_handled for row in self.rows)


@dataclass(frozen=True, slots=True)
class PageTables:
    """What some THPs took in page tables, of all levels and of the whole machine, in one run."""

    thps: int
    huge_bytes: int
    """Bytes of one THP."""
    page_bytes: int
    start_bytes: int
    """Before the THPs were there."""
    mapped_bytes: int
    half_split_bytes: int
    """With every second THP split."""
    unmapped_bytes: int
    """After the THPs were gone."""

    @property
    def per_mapped_thp(self) -> float:
        """Bytes that the average THP took."""
        return (self.mapped_bytes - self.start_bytes) / self.thps

    @property
    def per_half_split_thp(self) -> float:
        """Bytes that the average THP took when every second one was split."""
        return (self.half_split_bytes - self.start_bytes) / self.thps

    @property
    def left_bytes(self) -> int:
        """Bytes that were not given back."""
        return self.unmapped_bytes - self.start_bytes

    @property
    def table_bytes(self) -> int:
        """Bytes of the table that maps one THP by pages: eight for each, on every 64-bit architecture."""
        return self.huge_bytes // self.page_bytes * 8


@dataclass(frozen=True, slots=True)
class Samples:
    """Times of one operation on one kernel."""

    values: tuple[int, ...]
    """In nanoseconds, of all boots one after the other."""
    median: float
    low: float
    """A quarter of the samples is below."""
    high: float
    """A quarter of the samples is above."""
    boots: int
    machines: tuple[str, ...]
    """Machine and accelerator of the boots: `qemu, tcg`."""


@dataclass(frozen=True, slots=True)
class Storm:
    """THPs that forks share, swapped out because memory was short, once."""

    forks: int
    thps: int
    huge_bytes: int
    """Bytes of one THP."""
    page_bytes: int
    reserve_pages: int
    """Pages that only reclaim and the like may use (vm.min_free_kbytes)."""
    thp_pages: int
    """Pages of all THPs, each once, however many processes share it."""
    thp_pages_out: int
    """How many of them were in the swap area at the end."""
    free_pages_min: int
    """The fewest free pages that were seen."""
    ns: int
    """From the first page that was swapped out to the end."""
    reached: bool
    """Nearly all of the THPs were swapped out."""
    stuck: bool
    """Reclaim stood still although memory was wanted."""
    swapped_pages: int
    """Of whatever process."""
    thp_swpout: int | None
    """THPs that were swapped out as a whole; this and the next are None where the kernel does not count."""
    thp_swpout_fallback: int | None
    """THPs that had to be split first."""
    split: int
    """Change of thp_split_pmd: one for each THP and process."""
    split_failed: int | None
    """Change of thp_split_pmd_failed; None where the kernel has no such counter."""
    oom_kills: int
    new_table_pages: int
    """Pages of page tables that were allocated meanwhile."""

    @property
    def percent_out(self) -> float:
        """How much of the THPs was swapped out."""
        return 100 * self.thp_pages_out / self.thp_pages

    @property
    def size(self) -> tuple[int, int, int]:
        """What must be the same for two storms to be compared."""
        return self.forks, self.thps, self.huge_bytes


@dataclass(frozen=True, slots=True)
class Storms:
    """All storms of one test on one kernel."""

    storms: tuple[Storm, ...]
    """Of all boots one after the other."""
    boots: int
    machines: tuple[str, ...]
    """Machine and accelerator of the boots: `qemu, tcg`."""
