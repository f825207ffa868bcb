"""What guest tests measure, as plain values; `results.sweep`, `cost` and `timing` read and compare them."""

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
