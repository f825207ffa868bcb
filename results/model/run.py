# SPDX-License-Identifier: GPL-2.0-only
"""The words of the project as plain, immutable values.

Status names are KCIDB's (https://docs.kernelci.org/components/kcidb/). Every value here
survives a round trip through JSON; `results.json` is a `Run` written by `results.model.document`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from results.model.reached import ReachedRun

LEAF_SEPARATOR = "/"
"""Between the names of a leaf's path, where it is one text."""
ICOUNT = "icount"
"""Accelerator, and need of a test: emulation in which each instruction of the guest takes one nanosecond
of its clock (QEMU's `-icount shift=0`)."""
UFFD_FEATURE_WP_ASYNC = 1 << 15
"""include/uapi/linux/userfaultfd.h; only where the architecture can write-protect a userfaultfd range."""


class Status(StrEnum):
    """Outcome of one test, in KCIDB's vocabulary."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"
    ERROR = "ERROR"
    """The guest died under the test, or its result could not be read."""
    MISS = "MISS"
    """Planned, but no result was ever seen."""
    DONE = "DONE"


class BootEnd(StrEnum):
    """How a boot ended."""

    DONE = "done"
    """The guest program reported its end and the machine stopped."""
    PANIC = "panic"
    HANG = "hang"
    """Nothing on the console for longer than the silence limit."""
    TIMEOUT = "timeout"
    """The total time limit passed while the guest was still printing."""
    REBOOT = "reboot"
    """The guest reset or stopped itself before the end mark, without a panic."""
    FLOOD = "flood"
    """The console log reached its size cap."""
    MACHINE = "machine"
    """The machine itself failed: QEMU died or could not start, SSH was lost, the disk was full."""

    @property
    def is_kernels(self) -> bool:
        """Whether the kernel, and not the infrastructure, explains this end."""
        return self not in (BootEnd.DONE, BootEnd.MACHINE)


class Verdict(StrEnum):
    """What a comparison says; ordered from harmless to serious in `SEVERITY`."""

    UNCHANGED = "unchanged"
    """Exercised and passing on both kernels."""
    FIXED = "fixed"
    """Failing on base, exercised and passing on the series."""
    UNSUPPORTED = "unsupported"
    """The machine can't do what the test needs; probed, with a reason."""
    NOT_EXERCISED = "not exercised"
    """Skipped, missing, or passed without its evidence."""
    FAILS_ON_BOTH = "fails on both"
    FLAKY = "flaky"
    """Failed, and passed when run again."""
    INFRASTRUCTURE = "infrastructure"
    """No judgement: the machine or the harness failed."""
    REGRESSION = "regression"


SEVERITY: Mapping[Verdict, int] = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Evidence:
    """A counter that must rise by at least `at_least` while a test runs, or its PASS proves nothing."""

    counter: str
    at_least: int


@dataclass(frozen=True, slots=True)
class PlannedTest:
    """One test as the plan asks for it: one process in the guest."""

    name: str
    """`suite.case`, unique in a plan."""
    argv: tuple[str, ...]
    timeout_seconds: float
    evidence: tuple[Evidence, ...] = ()
    needs: tuple[str, ...] = ()
    """Capabilities (see `Capabilities.missing`) without which the test is unsupported."""
    says: str = ""
    """Of a program without KTAP: exit status 0 is a PASS if a line of its output has this pattern."""
    watch: tuple[str, ...] = ()
    """Counters that are read before and after it, beside those that are read for every test."""
    of_tree: bool = False
    """Whether its program is built from the kernel tree, so that the series decides on what it does."""
    boots: int = 1
    """Boots in which it runs, at least: two, where they have to agree."""
    unharmed: tuple[str, ...] = ()
    """Of a test that lets allocations fail: the command that does the same, and lets none fail."""


@dataclass(frozen=True, slots=True)
class KnownGap:
    """Tests that need not be exercised on an architecture, and why; said in every report."""

    arch: str
    tests: str
    """A name, or a shell pattern (`thp_pmd_split.*`)."""
    reason: str


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """Tests that fail on an architecture whatever the series, and why; said in every report."""

    arch: str
    tests: str
    """A name, or a shell pattern."""
    reason: str
    expires: str
    """The last day on which it counts, `2027-03-31`."""
    subtests: tuple[str, ...] = ()
    """Leaves that may fail: paths or shell patterns of them."""
    says: str = ""
    """A failure is covered if its reason has this pattern."""


@dataclass(frozen=True, slots=True)
class CounterChange:
    """A counter before and after a test; None means that the kernel has no such counter."""

    before: int | None
    after: int | None

    @property
    def delta(self) -> int | None:
        """The change; None where the counter is absent."""
        if self.before is None or self.after is None:
            return None
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines of a boot's console log, counted from 1, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """One result of a test's KTAP that has no subtests of its own: what is compared between kernels."""

    path: tuple[str, ...]
    """Names from the outermost test to this one; empty for the end of the test's own process."""
    number: int
    """Its KTAP number among its siblings; 0 where its line has none."""
    status: Status
    reason: str = ""
    """Why it is not simply PASS."""
    directive: str = ""
    """SKIP, TODO, XFAIL, XPASS, TIMEOUT, ERROR, or empty."""
    lines: LineRange | None = None
    """Its diagnostics and its result in the console log; None for one that was planned and never came."""

    @property
    def name(self) -> str:
        """The path as one text."""
        return LEAF_SEPARATOR.join(self.path)


@dataclass(frozen=True, slots=True)
class TestResult:
    """One run of one test in one boot."""

    __test__ = False  # not a class of tests, whatever pytest thinks of the name

    name: str
    status: Status
    reason: str = ""
    """Why it is not simply PASS: the SKIP reason, the failed assertion, the signal, the time-out."""
    seconds: float | None = None
    counters: Mapping[str, CounterChange] = field(default_factory=dict)
    output: tuple[str, ...] = ()
    """The test's own lines, unescaped by the guest protocol, still untrusted."""
    lines: LineRange | None = None
    """Lines of the test in the console log."""
    leaves: tuple[Leaf, ...] = ()
    """Its results one by one; one with an empty path is the end of its process, if that was no plain one."""
    taint: int | None = None
    """Flags of /proc/sys/kernel/tainted after the test; None where the guest program did not report them."""


@dataclass(frozen=True, slots=True)
class Splat:
    """An error report of the kernel."""

    kind: str
    """warning, bug, oops, panic, kasan, lockdep, atomic-sleep, hung-task, lockup, rcu-stall, …"""
    title: str
    """One line for people."""
    signature: str
    """Stable over boots: kind and top frames, without addresses, offsets, pids and cpus."""
    lines: LineRange
    excerpt: tuple[str, ...] = ()
    test: str | None = None
    """The test that was running, if one was."""


@dataclass(frozen=True, slots=True)
class CheckerOff:
    """A checker of the kernel that switched itself off in a boot; its silence after that proves nothing."""

    checker: str
    """`KASAN`, `lockdep`, …"""
    line: int
    """Line of the console log, from 1."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the guest's own probe found before the first test."""

    release: str = ""
    """`uname -r`."""
    machine: str = ""
    page_size: int | None = None
    """Bytes."""
    pmd_size: int | None = None
    """Bytes a PMD maps (hpage_pmd_size); None where there is no THP."""
    thp: bool = False
    """A huge page was really faulted in."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Every `probe` line as the guest printed it."""

    def missing(self, needs: tuple[str, ...]) -> str | None:
        """Say why a test with these needs can't run here, or None."""
        if "thp" in needs and not self.thp:
            return self.facts.get("thp_reason", "the guest could not fault in a huge page")
        if ICOUNT in needs and self.facts.get(ICOUNT) != "1":
            return "no machine here counts the instructions of this guest"
        if "uffd_wp_async" in needs and not self._userfaultfd_features & UFFD_FEATURE_WP_ASYNC:
            return "userfaultfd has no asynchronous write protection here"
        return None

    @property
    def _userfaultfd_features(self) -> int:
        try:
            return int(self.facts.get("uffd", ""), 16)
        except ValueError:
            return 0


@dataclass(frozen=True, slots=True)
class Boot:
    """One build on one machine, from power-on to the end of its tests."""

    id: str
    """`ARCH-VARIANT-N`, N counting from 1; also the stem of its log file."""
    purpose: str
    """first, remaining (after a guest died), again (re-run of a failure), retry (after infrastructure)."""
    machine: str
    """`qemu`, `hercules`, `host NAME` or `lab NAME`."""
    accelerator: str
    end: BootEnd
    detail: str
    """The end in words."""
    seconds: float
    log: str
    """Path of the console log, relative to the run folder."""
    command: tuple[str, ...] = ()
    """The command line that started the machine."""
    capabilities: Capabilities | None = None
    tests: tuple[TestResult, ...] = ()
    splats: tuple[Splat, ...] = ()
    notes: tuple[str, ...] = ()
    """What the reader must know: lost or forged protocol lines, KVM that did not work, …"""
    taint: int | None = None
    """Flags of /proc/sys/kernel/tainted before the first test."""
    checkers_off: tuple[CheckerOff, ...] = ()
    log_incomplete: str = ""
    """What the log lacks, in words: messages that the kernel dropped, lost lines of the guest program, …"""


@dataclass(frozen=True, slots=True)
class CompilerWarning:
    """One compiler warning; `file` is relative to the top of the kernel tree."""

    file: str
    line: int
    flag: str
    """`-Wunused-variable`, or empty where the compiler names none."""
    text: str


@dataclass(frozen=True, slots=True)
class Build:
    """One checkout × one architecture × one configuration."""

    arch: str
    variant: str
    """`base`, `series` or `patch/N`."""
    ok: bool
    key: str
    """The build's content address in the cache."""
    cached: bool
    seconds: float
    """Wall time when it was really built, also for a cached one."""
    commit: str
    compiler: str
    """First line of `CC --version`."""
    image_sha256: str = ""
    image_bytes: int = 0
    text_bytes: int = 0
    data_bytes: int = 0
    bss_bytes: int = 0
    symbols: int = 0
    """Symbols set to y in the final .config."""
    warnings: tuple[CompilerWarning, ...] = ()
    error: str = ""
    """What went wrong, with the first compiler error and its context; empty when ok."""
    error_is_infrastructure: bool = False
    """True for a full disk or a missing tool: not the kernel's fault."""
    log: str = ""
    """Path of the build log, relative to the run folder."""
    commands: tuple[str, ...] = ()
    """What a person would type to build the same kernel."""
    configuration: str = ""
    """The base of its .config and the fragments on top, in order: `tinyconfig + common + mm-debug`."""
    symbol_bytes: int = 0
    """What functions and variables take; sections are padded to pages, this is not. 0 if unknown."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One architecture × one variant: its build and all its boots, in order."""

    arch: str
    variant: str
    build: Build | None = None
    boots: tuple[Boot, ...] = ()
    boots_of: str = ""
    """The variant whose boots these are, where its image is the same bytes; empty where they are our own."""

    def on(self, machine: str, counts: bool | None = None) -> Cell:
        """The cell as far as one machine has seen it: while it counted instructions, or did not, or both."""
        boots = (boot for boot in self.boots if boot.machine == machine)
        return replace(
            self, boots=tuple(boot for boot in boots if counts in (None, boot.accelerator == ICOUNT))
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """All runs of one test on one kernel, taken together."""

    status: Status
    exercised: bool
    reason: str
    """Why it is not exercised, or why it failed; empty for a plain PASS."""
    runs: int
    failures: int
    counters: Mapping[str, CounterChange]
    """Of the run that decided the status."""
    seconds: float | None
    boot: str | None
    """Id of the boot of that run."""
    lines: LineRange | None


@dataclass(frozen=True, slots=True)
class LeafComparison:
    """A leaf that fails, or that is not the same on base and with the series."""

    name: str
    """Its path, with its number where the path is not unique; empty for the end of the test's own process."""
    base: Tally
    series: Tally
    verdict: Verdict
    reason: str
    known_failure: str = ""
    """Why it may fail here; it has no part in the test's verdict then."""


@dataclass(frozen=True, slots=True)
class TestComparison:
    """One test, base against series."""

    __test__ = False

    name: str
    base: Tally
    series: Tally
    verdict: Verdict
    reason: str
    known_gap: str = ""
    """Why it need not be exercised here, if base did not; it has no part in the architecture's verdict."""
    known_failure: str = ""
    """Why it may fail here, if it is not the series alone that fails; it has no part in it, either."""
    leaves: tuple[LeafComparison, ...] = ()
    """Leaves that fail or differ, the most serious first."""


@dataclass(frozen=True, slots=True)
class SplatComparison:
    """One splat signature, base against series."""

    signature: str
    title: str
    base_boots: tuple[str, ...]
    series_boots: tuple[str, ...]
    verdict: Verdict
    example: Splat
    reason: str = ""
    """`seen in 1 of 2 boots with the series, never on base`; empty if it is unchanged."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a series says of a counter or another number (`results.compare.claims.text`)."""

    counter: str
    """The quantity; a counter's number is its total change over all tests."""
    base: str
    """`absent`, `present`, a number, or a comparison like `> 0`; empty where nothing is said of a kernel."""
    series: str
    """As of base, or a comparison with it: `<= base + 5 %`."""
    arches: tuple[str, ...] = ()
    """Where it is claimed; empty stands for all architectures."""

    @property
    def said(self) -> str:
        """What is claimed, of each kernel: `base absent, series 0`."""
        sides = (("base", self.base), ("series", self.series))
        return ", ".join(f"{side} {text}" for side, text in sides if text)

    def __str__(self) -> str:
        place = f" on {' '.join(self.arches)}" if self.arches else ""
        return f"{self.counter}: {self.said}{place}"


@dataclass(frozen=True, slots=True)
class ClaimComparison:
    """A claim and what was measured."""

    claim: Claim
    base_seen: str
    series_seen: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that a test measures, on both kernels; None where a kernel has none."""

    name: str
    """`page tables per THP`, `median time`; two numbers of a test have two names."""
    unit: str
    """`B`, `ns`, `%`, or empty for a count."""
    base: float | None
    series: float | None
    tracked: bool = True
    """Whether the store and the exports to other programs take it; tables of reports show all."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one test measures, base against series (`results.compare.measures`)."""

    measure: str
    """Name of the measure: `fault_sweep`, `fork_storm`, `pgtable_cost`, `timing`."""
    test: str
    """Name of the test; its runs say where to read."""
    subject: str
    """Name in a table of the measure: the operation, the size of the storm."""
    verdict: Verdict
    """`unchanged` of a measure that never judges."""
    reason: str
    """Why the verdict is not `unchanged`."""
    conclusion: str = ""
    """The difference in words: `slower by 12 % (p = 0.002)`, `not compared: WHY`; or empty."""
    readings: tuple[Reading, ...] = ()
    change_percent: float | None = None
    """Of the number that is compared; positive is more. None where the two can't be compared."""
    p: float | None = None
    """Probability of such a difference between equal kernels."""
    note: str = ""
    """What limits the numbers: emulation, one boot each, lines that could not be read."""
    base_marks: str = ""
    """A letter for each call, of the measure's legend; empty where the measure has none."""
    series_marks: str = ""
    base: Mapping[str, Any] = field(default_factory=dict)
    """Everything that was read on base, as the measure has it; empty if nothing was."""
    series: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArchComparison:
    """Everything that is said of one architecture."""

    arch: str
    verdict: Verdict
    reasons: tuple[str, ...]
    """The verdict in words, most serious first."""
    tests: tuple[TestComparison, ...]
    splats: tuple[SplatComparison, ...]
    claims: tuple[ClaimComparison, ...]
    new_warnings: tuple[CompilerWarning, ...]
    allowed_unexercised: bool = False
    measurements: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()
    """Known failures that pass now, or whose entry has expired."""
    summary: str = ""
    """The most serious reason, short: `3 timing tests not exercised: the clock is too coarse`."""
    gone_tests: tuple[str, ...] = ()
    """Tests that base's tree has and the series' tree lacks, so that neither kernel ran them."""


@dataclass(frozen=True, slots=True)
class FuzzedHunk:
    """A hunk that `patch` placed with fuzz, after `git am` had refused it."""

    patch: str
    file: str
    hunk: int
    fuzz: int
    offset: int


@dataclass(frozen=True, slots=True)
class Patch:
    """One patch of a series as it was applied."""

    number: int
    subject: str
    commit: str
    patch_id: str
    """`git patch-id --stable`."""
    sha256: str = ""
    """Of the mail that `git am` got."""
    url: str = ""
    """Of that mail in an archive, if it was fetched from one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The mail that introduces a series: its cover letter, or else its first patch."""

    subject: str
    """With its [PATCH …] prefix."""
    author: str
    """`Name <address>`."""
    message_id: str = ""
    """Without its angle brackets; empty if the mail was never sent."""
    recipients: tuple[str, ...] = ()
    """To and Cc; none of a series that b4 fetched, which leaves them out."""
    url: str = ""
    """As that of a patch."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was tested: the tree, the series and their commits."""

    tree: str
    tree_version: str
    base_commit: str
    series: str
    series_title: str
    series_commit: str
    stand_in: bool
    """The series is a stand-in for the real one; each output marks it."""
    patches: tuple[Patch, ...] = ()
    fuzzed: tuple[FuzzedHunk, ...] = ()
    tree_fixes: tuple[Patch, ...] = ()
    """What was applied to the tree before anything else; part of base."""
    letter: Letter | None = None
    """None in runs of older versions of the program."""
    notes: tuple[str, ...] = ()
    """How tree and series were read: versions chosen, mails and changes left out, commits replayed."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first fields of each run, walk and bisection."""

    id: str
    started: str
    """ISO 8601, UTC."""
    seconds: float
    harness: str
    """Version of the program."""
    host: Mapping[str, str]
    """Facts of the machine it ran on: cpus, memory, kernel, distribution; no host name."""
    command: tuple[str, ...]
    subject: Subject
    planned: tuple[PlannedTest, ...]


@dataclass(frozen=True, slots=True)
class Run(Head):
    """One run of the program: everything that `results.json` says."""

    cells: tuple[Cell, ...]
    arches: tuple[ArchComparison, ...]
    verdict: Verdict
    headline: str
    """The answer in one sentence."""
    exit_code: int
    """0 nothing wrong and everything exercised, 1 regression, 3 infrastructure or not exercised."""
    complete: bool = True
    """False while the run still goes on, or was interrupted."""
    reached: ReachedRun | None = None
    """Which of the changed lines ran; None if the run was not asked to tell."""
    simulated: bool = False
    """Made up by `tests.samples.simulate`, to show and try the dashboard; never the outcome of any boot."""
    introduced: Mapping[str, str] = field(default_factory=dict)
    """First bad patch of a finding and its author, as walks and bisections of the series found them; by the
    finding's address (`results.reports.content.finding`)."""
