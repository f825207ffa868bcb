# SPDX-License-Identifier: GPL-2.0-only
"""The rows that a fault sweep prints, one for each call in which an allocation was to fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from results.compare.measures.data_lines import DataError, DataLine, parse_data_lines
from results.model.run import Status, TestResult


@dataclass(frozen=True, slots=True)
class SweepRow:
    """One call of an operation in which the n-th allocation was to fail, or that and all after it."""

    n: int
    fired: bool
    """Whether an allocation really failed; the last row of an operation is the one without."""
    result: str
    """`ok`, the name of an error or a signal, `short` for less than was asked for, or `unending`."""
    effect: str
    """full, none, part, or unseen: the instrument that shows it did not prove itself."""
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
    unseen: str = ""
    """The instrument that did not prove itself, in the test's word: nothing is known of the effect."""

    @property
    def split_failure_handled(self) -> bool:
        """Whether the failed allocation made the split of a PMD fail, without harm."""
        return self.fired and not self.why and not self.unseen and (self.split_failed or 0) > 0


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

    @property
    def unseen(self) -> str:
        """The instrument that did not prove itself, in the test's word."""
        return next((row.unseen for row in self.rows if row.unseen), "")

    @property
    def last(self) -> int:
        """The last n that a table shows; a guest may claim any, so at most one more than there are rows."""
        return max(len(self.rows), min(self.trying or 0, len(self.rows) + 1))

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> SweepRun:
        """Take a run out of a results document."""
        rows = tuple(SweepRow(**row) for row in document["rows"])
        return cls(rows, document["finished"], document["trying"], tuple(document["left_out"]))


def read_sweep(operation: str, result: TestResult) -> SweepRun:
    """Read the rows that one run of a test printed; never raises."""
    return _read(operation, result.output, is_over=result.status is Status.SKIP)


def _read(operation: str, output: Iterable[str], *, is_over: bool) -> SweepRun:
    data = parse_data_lines(output)
    left_out = list(data.left_out)
    rows: dict[int, SweepRow] = {}
    trying, end = None, None
    for line in data.lines:
        try:
            match _kind(line, operation):
                case "sweep_try":
                    trying = line.number("n", 1)
                case "sweep":
                    _add(rows, _row(line))
                case _:
                    end = line
        except DataError as error:
            left_out.append(f"{line.kind}: {error}")
    if end:
        left_out += _unlike(end, rows)
    in_order = tuple(rows[n] for n in sorted(rows))
    cut = trying if end is None and not is_over and trying not in rows else None
    is_whole = end is not None and not left_out and sorted(rows) == list(range(1, len(rows) + 1))
    return SweepRun(in_order, is_whole, cut, tuple(left_out))


def _kind(line: DataLine, operation: str) -> str:
    if line.kind not in ("sweep", "sweep_try", "sweep_end"):
        raise DataError("not a line of a sweep")
    if line.name("op") != operation:
        raise DataError(f"of {line.name('op')}, not of {operation}")
    return line.kind


def _row(line: DataLine) -> SweepRow:
    verdict = line.name("verdict", "ok", "broken", "unseen")
    return SweepRow(
        n=line.number("n", 1),
        fired=line.flag("fired"),
        result=line.name("result"),
        effect=line.name("effect", "full", "none", "part", "unseen"),
        intact=line.flag("intact"),
        usable=line.flag("usable"),
        retry=line.name("retry"),
        split=line.number_or_absent("split"),
        split_failed=line.number_or_absent("split_failed"),
        why=line.name("why") if verdict == "broken" else "",
        unseen=line.name("why") if verdict == "unseen" else "",
    )


def _add(rows: dict[int, SweepRow], row: SweepRow) -> None:
    if row.n in rows:
        raise DataError(f"n={row.n} is there twice")
    rows[row.n] = row


def _unlike(end: DataLine, rows: Mapping[int, SweepRow]) -> list[str]:
    """Say where the closing line does not agree with the rows."""
    counted = {
        "rows": len(rows),
        "fired": sum(row.fired for row in rows.values()),
        "broken": sum(bool(row.why) for row in rows.values()),
    }
    return [
        f"sweep_end says {key}={end.values.get(key, 'nothing')[:20]}, {count} were read"
        for key, count in counted.items()
        if end.values.get(key) != str(count)
    ]
