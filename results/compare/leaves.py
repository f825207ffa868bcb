# SPDX-License-Identifier: GPL-2.0-only
"""The leaves of a test, base against series: by the path of their names, and by number where names repeat."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from results.compare.judge import judge_runs
from results.compare.known import EXCUSED
from results.compare.tally import OneRun, Runs, tally_of
from results.model.run import (
    LEAF_SEPARATOR,
    SEVERITY,
    Leaf,
    LeafComparison,
    Status,
    Tally,
    TestResult,
    Verdict,
)

Excuse = Callable[[str, Sequence[str]], str]
"""Says why a leaf may fail, by its name and the reasons of its failures; empty if it may not."""

GONE = "gone with the series"
NOT_REACHED = "not reached with the series"
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|[0-9]+")
_TIMED_OUT = "timed out after "


@dataclass(frozen=True, slots=True)
class _Key:
    """What makes a leaf the same leaf in another run."""

    path: tuple[str, ...]
    number: int = 0
    """0 where the path alone is unique."""
    occurrence: int = 0


Keyed = Mapping[_Key, Leaf]


def compare_leaves(base: Runs, series: Runs, excuse: Excuse) -> tuple[LeafComparison, ...]:
    """Compare the leaves of all runs of a test; returns those that fail or differ, the most serious first."""
    on_base = [(run, _with_own_end(run.result)) for run in base.judged]
    on_series = [(run, _with_own_end(run.result)) for run in series.judged]
    if not on_base or not on_series:
        return ()
    keys = _Keys([leaves for _, leaves in (*on_base, *on_series)])
    keyed_base = [(run, keys.of(leaves)) for run, leaves in on_base]
    keyed_series = _matched([(run, keys.of(leaves)) for run, leaves in on_series], keyed_base)
    names = dict.fromkeys(key for _, leaves in (*keyed_series, *keyed_base) for key in leaves)
    compared = (
        _compare(key, _runs_of(key, keyed_base), _runs_of(key, keyed_series), series, excuse) for key in names
    )
    found = [comparison for comparison in compared if comparison]
    return tuple(sorted(_with_excused_timeouts(found), key=lambda leaf: -SEVERITY[leaf.verdict]))


def _with_own_end(result: TestResult) -> tuple[Leaf, ...]:
    """The leaves of a run, and always one for the end of its process."""
    if any(not leaf.path for leaf in result.leaves):
        return result.leaves
    is_explained = result.status is Status.PASS or any(leaf.status is result.status for leaf in result.leaves)
    status, reason = (Status.PASS, "") if is_explained else (result.status, result.reason)
    return (*result.leaves, Leaf((), 0, status, reason, lines=result.lines))


class _Keys:
    """Finds the key of each leaf; what is unique in one run must be so in all of them."""

    def __init__(self, runs: Sequence[Sequence[Leaf]]) -> None:
        counts = (Counter(leaf.path for leaf in leaves) for leaves in runs)
        self._repeated = {path for count in counts for path, times in count.items() if times > 1}
        self._named: dict[tuple[tuple[str, ...], int], set[_Key]] = defaultdict(set)
        for leaves in runs:
            for leaf, key in self._plain_keys(leaves):
                if leaf.path and leaf.path[-1] and leaf.number:
                    self._named[leaf.path[:-1], leaf.number].add(key)

    def of(self, leaves: Sequence[Leaf]) -> Keyed:
        """The leaves of one run by key; one without a name has the key of its number in another run."""
        plain = list(self._plain_keys(leaves))
        taken = {key for _, key in plain}
        found: dict[_Key, Leaf] = {}
        for leaf, key in plain:
            named = self._named.get((leaf.path[:-1], leaf.number), set()) if _is_nameless(leaf) else set()
            found[next(iter(named)) if len(named) == 1 and not named & taken else key] = leaf
        return found

    def _plain_keys(self, leaves: Iterable[Leaf]) -> Iterable[tuple[Leaf, _Key]]:
        seen: Counter[tuple[tuple[str, ...], int]] = Counter()
        for leaf in leaves:
            number = leaf.number if leaf.path in self._repeated or _is_nameless(leaf) else 0
            yield leaf, _Key(leaf.path, number, seen[leaf.path, number])
            seen[leaf.path, number] += 1


def _is_nameless(leaf: Leaf) -> bool:
    return bool(leaf.path) and not leaf.path[-1]


def _matched(
    series: Sequence[tuple[OneRun, Keyed]], base: Sequence[tuple[OneRun, Keyed]]
) -> list[tuple[OneRun, Keyed]]:
    """Give a leaf that base has by another name the key that it has there.

    That is one whose name differs in numbers only (a time, an address); and one that does not pass
    on both and has the same number, for many programs print other words for a failure.
    """
    on_base, on_series = (
        {key: leaf for _, keyed in runs for key, leaf in keyed.items()} for runs in (base, series)
    )
    only_base = [(key, on_base[key]) for key in on_base if key not in on_series]
    only_series = [(key, on_series[key]) for key in on_series if key not in on_base]
    same: dict[_Key, _Key] = {}
    for alike in (_without_numbers, _by_number):
        left: dict[object, list[tuple[_Key, Leaf]]] = defaultdict(list)
        for key, leaf in only_base:
            if key not in same.values():
                left[alike(key, leaf)].append((key, leaf))
        for key, leaf in only_series:
            there = left.get(alike(key, leaf), []) if key not in same else []
            if len(there) == 1 and (alike is _without_numbers or _are_not_both_pass(leaf, there[0][1])):
                same[key] = there.pop()[0]
    return [(run, {same.get(key, key): leaf for key, leaf in keyed.items()}) for run, keyed in series]


def _without_numbers(key: _Key, leaf: Leaf) -> object:
    return tuple(_NUMBERS.sub("#", name) for name in key.path), leaf.number, key.occurrence


def _by_number(key: _Key, leaf: Leaf) -> object:
    return (key.path[:-1], leaf.number) if leaf.number else key


def _are_not_both_pass(leaf: Leaf, other: Leaf) -> bool:
    return not leaf.status is other.status is Status.PASS


def _runs_of(key: _Key, runs: Iterable[tuple[OneRun, Keyed]]) -> Runs:
    """The runs of a leaf, sorted as those of a test."""
    passing, failing, unexercised = [], [], []
    for run, leaves in runs:
        if (leaf := leaves.get(key)) is None:
            continue
        result = TestResult(run.result.name, leaf.status, leaf.reason, lines=leaf.lines or run.result.lines)
        if leaf.status is Status.FAIL or (leaf.status is Status.ERROR and not leaf.path):
            failing.append(OneRun(run.boot, result))
        elif leaf.status is Status.PASS and not (run.caveat and run.result.status is Status.PASS):
            passing.append(OneRun(run.boot, result))
        else:
            unexercised.append(OneRun(run.boot, result, _caveat(run, leaf)))
    return Runs(tuple(passing), tuple(failing), tuple(unexercised))


def _caveat(run: OneRun, leaf: Leaf) -> str:
    if leaf.status is Status.SKIP:
        return f"skipped: {leaf.reason or 'no reason given'}"
    return run.caveat if leaf.status is Status.PASS else leaf.reason or "no result"


def _compare(key: _Key, base: Runs, series: Runs, whole: Runs, excuse: Excuse) -> LeafComparison | None:
    """Compare one leaf; None if there is nothing to say of it."""
    name = _name(key)
    on_base = tally_of(base) or _absent("not there")
    on_series = tally_of(series) or _absent(GONE if _went_to_its_end(whole) else NOT_REACHED)
    verdict, reason = judge_runs(base, series, on_base, on_series)
    if not base.judged and not on_series.failures:
        verdict, reason = Verdict.UNCHANGED, f"new with the series: {_outcome(on_series)}"
    elif not series.judged:
        if on_base.status is Status.MISS:
            return None
        verdict, reason = Verdict.NOT_EXERCISED, f"{on_series.reason}; {_outcome(on_base)} on base"
    elif not on_base.exercised and not on_series.failures:
        if on_base.status is Status.PASS or not on_series.exercised:
            return None
        verdict, reason = Verdict.UNCHANGED, f"{on_base.reason} on base, passes with the series"
    elif verdict is Verdict.UNCHANGED or (
        verdict is Verdict.NOT_EXERCISED and on_series.status is Status.PASS
    ):
        return None
    reasons = [run.result.reason for run in (*base.failing, *series.failing)]
    known = excuse(name, reasons) if verdict in EXCUSED else ""
    return LeafComparison(name, on_base, on_series, verdict, reason, known)


def _name(key: _Key) -> str:
    name = LEAF_SEPARATOR.join(key.path)
    if not key.number:
        return name
    return f"{name} #{key.number}" if key.path[-1] else f"{name}#{key.number}"


def _absent(reason: str) -> Tally:
    return Tally(Status.MISS, False, reason, 0, 0, {}, None, None, None)


def _outcome(tally: Tally) -> str:
    return "failed" if tally.failures else "passes" if tally.exercised else tally.reason


def _went_to_its_end(runs: Runs) -> bool:
    """Tell whether the test's process came to a plain end in any of its runs."""
    ends = (next(leaf for leaf in _with_own_end(run.result) if not leaf.path) for run in runs.judged)
    return any(end.status is Status.PASS for end in ends)


def _with_excused_timeouts(leaves: Sequence[LeafComparison]) -> list[LeafComparison]:
    """Excuse what was not reached where both kernels are known to time out: how far they get is chance."""
    end = next((leaf for leaf in leaves if not leaf.name and leaf.known_failure), None)
    if end is None or not all(_TIMED_OUT in tally.reason for tally in (end.base, end.series)):
        return list(leaves)
    return [
        replace(leaf, known_failure=end.known_failure) if leaf.series.reason == NOT_REACHED else leaf
        for leaf in leaves
    ]
