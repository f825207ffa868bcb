# SPDX-License-Identifier: GPL-2.0-only
"""Claims in one line of text: `pswpout: series <= base + 5 %`, `thp_split_pmd_failed: base absent, series 0`.

QUANTITY: CONDITION[, CONDITION] [on ARCH …]

QUANTITY   COUNTER, vmstat.COUNTER     its change over all tests
           meminfo.FIELD               in kB
           /sys/FILE, /proc/FILE:NAME  a number in a file: alone in it, or behind NAME at the start of a line
           TEST[READING]               a number that a measuring test prints, as `pgtable_cost.cost[bytes]`
           build.FIELD                 image_bytes, text_bytes, data_bytes, bss_bytes, symbol_bytes, warnings
           COUNTER@TEST                over these tests only (a shell pattern)
           QUANTITY / QUANTITY         per unit
CONDITION  base WHAT, series WHAT      WHAT: absent, present, or a comparison with a number
           series COMPARISON base [+ N | - N | + N % | - N %]
COMPARISON < <= = != >= >              `=` may be left out before a number
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal

from results.compare.evidence import is_readable
from results.model.run import Claim
from results.text import TextError

ABSENT = "absent"
PRESENT = "present"
BUILD_FIELDS = ("image_bytes", "text_bytes", "data_bytes", "bss_bytes", "symbol_bytes", "warnings")
_BUILD, _VMSTAT = "build.", "vmstat."
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_NUMBER = r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,9})?"
_CONDITION = re.compile(
    rf"""(?P<side>base|series)\s*
    (?:(?P<word>absent|present)
      |(?P<comparison><=|>=|!=|==?|<|>)?\s*
       (?:(?P<number>{_NUMBER})
         |(?P<other>base)(?:\s*(?P<sign>[+-])\s*(?P<margin>[0-9]{{1,18}}(?:\.[0-9]{{1,9}})?)\s*(?P<percent>%)?)?))\s*""",
    re.VERBOSE,
)
_READING = re.compile(r"(?P<test>[^\s\[\]]+)\[(?P<reading>[^\[\]]+)\]")
_SHAPE = "`base absent`, `series present`, `series 0`, `series <= base`, `series <= base + 5 %` or the like"


class ClaimError(TextError):
    """A text is no claim; the message shows the place."""


@dataclass(frozen=True, slots=True)
class Term:
    """What is counted, or measured."""

    kind: Literal["counter", "reading", "build"]
    name: str
    tests: str = "*"
    """Shell pattern of the tests that count; the test of a reading."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is said of one kernel."""

    comparison: str
    """`absent`, `present`, or a comparison with `number`, or with base's value and a margin."""
    number: float = 0.0
    of_base: bool = False
    """Whether `number` is added to what base has; in percent of it with `percent`."""
    percent: bool = False

    def holds(self, seen: float | None, base: float | None) -> bool:
        """Whether a kernel that has `seen` is as claimed; None stands for absent."""
        if self.comparison in (ABSENT, PRESENT):
            return (seen is None) == (self.comparison == ABSENT)
        limit = self._limit(base)
        return seen is not None and limit is not None and _COMPARISONS[self.comparison](seen, limit)

    def _limit(self, base: float | None) -> float | None:
        if not self.of_base:
            return self.number
        if base is None:
            return None
        return base + (abs(base) * self.number / 100 if self.percent else self.number)

    @property
    def is_number(self) -> bool:
        """Whether more is said than that something is there."""
        return self.comparison not in (ABSENT, PRESENT)

    def __str__(self) -> str:
        if not self.is_number:
            return self.comparison
        number = f"{self.number:.15g}"
        if not self.of_base:
            return number if self.comparison == "=" else f"{self.comparison} {number}"
        sign = "-" if self.number < 0 else "+"
        margin = f" {sign} {abs(self.number):.15g}{' %' if self.percent else ''}" if self.number else ""
        return f"{self.comparison} base{margin}"


def parse_claim(text: str) -> Claim:
    """Read a claim.

    Raises:
        ClaimError: showing the place of the error.
    """
    quantity, colon, rest = text.partition(": ")
    if not colon:
        raise ClaimError(text, len(text.rstrip()), "expected `: ` and what is claimed, it ends here")
    quantity = quantity.strip()
    _check_quantity(text, quantity)
    said, on, arches = rest.partition(" on ")
    if on and not arches.split():
        raise ClaimError(text, len(text.rstrip()), "expected architectures behind `on`, it ends here")
    sides: dict[str, str] = {}
    column = len(text) - len(rest)
    for part in said.split(","):
        side, condition = _condition(text, column, part)
        if side in sides:
            raise ClaimError(text, column, f"{side} is claimed twice")
        sides[side] = str(condition)
        column += len(part) + 1
    name = " / ".join(_canonical(term) for term in quantity.split(" / "))
    return Claim(
        name,
        sides.get("base", ""),
        sides.get("series", ""),
        tuple(re.split(r"[\s,]+", arches.strip())) if on else (),
    )


def _canonical(term: str) -> str:
    return term.strip().removeprefix(_VMSTAT)


def conditions(claim: Claim) -> tuple[Condition | None, Condition | None]:
    """Return what is said of base and of the series; None where nothing is.

    Raises:
        ClaimError: if a record of another version says what this one can't read.
    """
    base, series = (
        _condition(said, 0, f"{side} {said}")[1] if said else None
        for side, said in (("base", claim.base), ("series", claim.series))
    )
    return base, series


def terms(claim: Claim) -> tuple[Term, ...]:
    """Return the quantity of a claim, or the two of a quotient."""
    return tuple(map(_term, claim.counter.split(" / ")))


def claimed_counters(claims: Iterable[Claim]) -> tuple[str, ...]:
    """Return the counters that claims are about, each once; what guests must read."""
    found = (term.name for claim in claims for term in terms(claim) if term.kind == "counter")
    return tuple(dict.fromkeys(found))


def unknown_test(claim: Claim, tests: Sequence[str]) -> str:
    """Say which test of a claim is none of these; empty if all are known."""
    for term in terms(claim):
        if term.kind != "build" and not any(fnmatchcase(test, term.tests) for test in tests):
            near = get_close_matches(term.tests, tests, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else ""
            return f"no planned test is called '{term.tests}'{guess}"
    return ""


def _term(text: str) -> Term:
    text = text.strip()
    if found := _READING.fullmatch(text):
        return Term("reading", found["reading"].strip(), found["test"])
    if text.startswith(_BUILD):
        return Term("build", text.removeprefix(_BUILD))
    name, _, tests = text.partition("@")
    return Term("counter", name.removeprefix(_VMSTAT), tests or "*")


def _check_quantity(text: str, quantity: str) -> None:
    parts = quantity.split(" / ")
    column = 0
    if len(parts) > 2:
        raise ClaimError(text, text.index(" / ", len(parts[0]) + 3) + 1, "a quotient has two terms")
    for part in parts:
        term = _term(part)
        at = text.index(part, column) if part else column
        if term.kind == "build" and term.name not in BUILD_FIELDS:
            near = get_close_matches(term.name, BUILD_FIELDS, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else f": expected {', '.join(BUILD_FIELDS)}"
            raise ClaimError(text, at + len(_BUILD), f"a build has no '{term.name}'{guess}")
        if term.kind == "counter" and not is_readable(term.name):
            raise ClaimError(text, at, f"'{term.name}' is no counter, file, reading or field of a build")
        column = at + len(part)


def _condition(text: str, column: int, part: str) -> tuple[str, Condition]:
    start = column + len(part) - len(part.lstrip())
    found = _CONDITION.fullmatch(part.strip())
    if not found:
        raise ClaimError(text, start, f"expected {_SHAPE}")
    side, comparison = found["side"], (found["comparison"] or "=").replace("==", "=")
    if found["word"]:
        return side, Condition(found["word"])
    if found["number"]:
        return side, Condition(comparison, float(found["number"]))
    if side == "base" or not found["comparison"]:
        raise ClaimError(text, start, f"expected {_SHAPE}")
    margin = float(found["margin"] or 0)
    return side, Condition(
        comparison, -margin if found["sign"] == "-" else margin, of_base=True, percent=bool(found["percent"])
    )
