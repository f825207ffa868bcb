# SPDX-License-Identifier: GPL-2.0-only
"""What to do: turns a request and the records of `configs/` into a plan. Pure but for reading YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.build.guest.programs import guest_command
from harness.build.kernel.recipe import Recipe, make_recipes
from harness.config.arch import ArchRecord, ProfileRecord, find_modes
from harness.config.catalogue import Folders, find, record_folders
from harness.config.host import HostRecord, arch_of
from harness.config.known_failures import read_known_failures
from harness.config.lab import LabRecord, board_of
from harness.config.record import is_path
from harness.config.series import PlanRecord, SeriesRecord, TreeRecord
from harness.config.suite import CaseRecord, SuiteRecord
from harness.core.errors import UsageError
from harness.plan.shard import Shard
from harness.sources.series.find import RANGE, split_range
from harness.sources.series.mail.lore import message_id
from harness.sources.series.order import SeriesChoice
from harness.sources.trees.remote import is_url
from harness.sources.trees.tree import DebianSource, GitRemote, GitRevision, LocalTree, TreeSource
from results.compare.claims.text import ClaimError, claimed_counters, parse_claim, unknown_test
from results.compare.evidence import is_watched
from results.model.run import Claim, Evidence, KnownFailure, KnownGap, PlannedTest

DEFAULT_PLAN = "default"
NAMES_IN_LABEL = 3
DEFAULT_TESTS = ("thp_pmd_split", "pmd_split", "small_pages")
"""Of a record that names none. For a series without a record they hold until its diff is known."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What the user asked for; None and empty mean the plan's own choice."""

    arches: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    """Names of `configs/profiles/*.yaml`, in addition to the architectures as they are."""
    tree: str | None = None
    series: str | None = None
    plan: str = DEFAULT_PLAN
    allow_fuzz: bool = False
    allow_unexercised: tuple[str, ...] = ()
    always_boot: bool = False
    reached: bool | None = None
    """Tell which of the changed lines ran."""
    jobs: int = 1
    kconfig: tuple[str, ...] = ()
    """Further configuration fragments; see `make_recipes`."""
    defconfig: str | None = None
    """What to configure from instead of tinyconfig; see `make_recipes`."""
    tests: tuple[str, ...] = ()
    """Names of `configs/tests/*.yaml`, instead of those that the series' record names."""
    claims: tuple[str, ...] = ()
    """In addition to those of the series' record; see `results.compare.claims.text`."""
    shard: Shard | None = None
    """The part of the architectures that this machine takes; all without one."""
    host: str | None = None
    """The physical host that boots the kernels; it says the architecture."""
    lab: str | None = None
    """The LAVA lab whose boards boot the kernels; it says the architectures that there can be."""
    choice: SeriesChoice = field(default_factory=SeriesChoice)
    """Which patches of the series are taken."""
    three_way: bool = False
    """Merge what does not apply exactly, as `git am --3way` does."""
    reference: Path | None = None
    """A local repository whose commits need not be downloaded."""
    prerequisites: tuple[str, ...] = ()
    """Series that the tested one needs below it, in order; part of base."""


@dataclass(frozen=True, slots=True)
class NamedTree:
    """A tree and what to call it."""

    name: str
    source: TreeSource
    fixes: Path | None = None
    """Patches that go on top of the tree before anything else."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything is fetched or built."""

    arches: tuple[ArchRecord, ...]
    recipes: Mapping[str, Recipe]
    """How each architecture's kernels are configured."""
    tree: NamedTree
    series: SeriesRecord
    series_source: str
    """`series.source` with a path made absolute."""
    suites: tuple[SuiteRecord, ...]
    tests_asked_for_by: str
    """The option or record that names the suites, for messages; empty: those that exist are taken."""
    allow_fuzz: bool
    allow_unexercised: tuple[str, ...]
    always_boot: bool
    """Boot both kernels even if they are the same bytes."""
    jobs: int
    reached: bool = False
    """Build a third kernel with counters of executed lines, and tell which of the changed lines ran."""
    known_failures: tuple[KnownFailure, ...] = ()
    host: HostRecord | None = None
    """The physical host that boots the kernels; None for emulators and labs."""
    lab: LabRecord | None = None
    """The LAVA lab whose boards boot the kernels; None for what is here."""
    choice: SeriesChoice = field(default_factory=SeriesChoice)
    """Which patches of the series are taken."""
    three_way: bool = False
    """Merge what does not apply exactly, as `git am --3way` does."""
    reference: Path | None = None
    """A local repository whose commits need not be downloaded."""
    prerequisites: tuple[str, ...] = ()
    """Sources of the series that go onto the tree first; part of base."""
    shard: Shard | None = None
    """Which part of a whole plan this is; None for a whole one."""
    whole: Plan | None = None
    """The plan that this is a part of."""

    @property
    def emulated(self) -> bool:
        """Whether emulators on this machine boot the kernels."""
        return self.host is None and self.lab is None

    @property
    def label(self) -> str:
        """Short name for the run's folder."""
        names = [self.host.name] if self.host else [arch.name for arch in self.arches]
        arches = "+".join(names) if len(names) <= NAMES_IN_LABEL else f"{len(names)}-architectures"
        arches = f"{self.lab.name}-{arches}" if self.lab else arches
        return re.sub(r"[^A-Za-z0-9._+-]+", "-", f"{arches}-{self.tree.name}-{self.series.name}")[:80]


def make_plan(request: PlanRequest, folders: Folders = None) -> Plan:
    """Expand a request with the records of some folders.

    Raises:
        UsageError: for an unknown name, a wrong record, or an empty plan.
    """
    if request.allow_fuzz and request.three_way:
        raise UsageError("--allow-fuzz and --3way exclude each other", hint="Give one of them.")
    folders = folders or record_folders()
    defaults = find(PlanRecord, request.plan, folders)
    series, source = _choose_series(
        request.series or defaults.reference(defaults.series), request.tree, folders
    )
    suites = _choose_suites(request.tests or _named_tests(defaults, series), folders)
    series = _with_claims(series, request, suites)
    host, lab = _choose_place(request, folders)
    if host:
        chosen = _arch_of_host(host, request, folders)
    else:
        arches_there = tuple(lab.boards) if lab else map(defaults.reference, defaults.arches)
        chosen = _choose_arches(request.arches or arches_there, folders)
    chosen = (*chosen, *_in_profiles(chosen, request, defaults, folders))
    arches = tuple(with_memory(arch, suites) for arch in chosen)
    names = {arch.name for arch in arches}
    if stray := {name.partition(":")[0] for name in request.allow_unexercised} - names:
        raise UsageError(f"--allow-unexercised {', '.join(sorted(stray))}: not an architecture of this run")
    tree = request.tree or defaults.reference(defaults.tree) or series.reference(series.tree)
    chosen_tree = choose_tree(tree, folders)
    if not (request.tree or defaults.tree) and series.base_commit:
        chosen_tree = _at(chosen_tree, series.base_commit)
    plan = Plan(
        arches=arches,
        recipes=make_recipes(
            arches,
            (*_kconfig_there(host, lab, arches), *_kconfig_of_profiles(arches), *request.kconfig),
            _defconfig_there(host, lab) if request.defconfig is None else request.defconfig,
            folders,
        ),
        tree=chosen_tree,
        series=series,
        series_source=source,
        tests_asked_for_by=_who_asks(request, defaults, series),
        suites=suites,
        allow_fuzz=request.allow_fuzz,
        allow_unexercised=request.allow_unexercised,
        always_boot=request.always_boot,
        jobs=request.jobs,
        reached=defaults.reached if request.reached is None else request.reached,
        known_failures=read_known_failures(chosen_tree.name, arches, folders),
        host=host,
        lab=lab,
        choice=request.choice,
        three_way=request.three_way,
        reference=request.reference,
        prerequisites=tuple(_choose_series(name, None, folders)[1] for name in request.prerequisites),
    )
    return _part(plan, request.shard) if request.shard else plan


def _with_claims(series: SeriesRecord, request: PlanRequest, suites: Sequence[SuiteRecord]) -> SeriesRecord:
    """Add the claims of `--claim`; those of the record that `--tests` leaves no test for are left out."""
    try:
        for text in request.claims:
            parse_claim(text)
    except ClaimError as error:
        raise UsageError(f"--claim: {error}") from None
    names = [f"{suite.name}.{case}" for suite in suites for case in suite.cases]
    kept = [text for text in series.claims if not (request.tests and unknown_test(parse_claim(text), names))]
    return series.model_copy(update={"claims": (*kept, *request.claims)})


def _part(whole: Plan, shard: Shard) -> Plan:
    """What one of several machines does of a plan."""
    arches = shard.take(whole.arches)
    names = {arch.name for arch in arches}
    return replace(
        whole,
        arches=arches,
        recipes={name: recipe for name, recipe in whole.recipes.items() if name in names},
        allow_unexercised=tuple(gap for gap in whole.allow_unexercised if gap.partition(":")[0] in names),
        known_failures=tuple(entry for entry in whole.known_failures if entry.arch in names),
        shard=shard,
        whole=whole,
    )


def _choose_place(request: PlanRequest, folders: Folders) -> tuple[HostRecord | None, LabRecord | None]:
    """Who boots the kernels, if not emulators here."""
    if request.host and request.lab:
        raise UsageError("--host and --lab exclude each other", hint="Give one of them.")
    host = find(HostRecord, request.host, folders) if request.host else None
    return host, find(LabRecord, request.lab, folders) if request.lab else None


def _kconfig_there(
    host: HostRecord | None, lab: LabRecord | None, arches: Sequence[ArchRecord]
) -> tuple[str, ...]:
    """Fragments that the machines need, as for `--kconfig`."""
    if lab:
        return tuple(f"{arch.name}:{name}" for arch in arches for name in board_of(lab, arch).kconfig)
    return host.kconfig if host else ()


def _defconfig_there(host: HostRecord | None, lab: LabRecord | None) -> str | None:
    place = host or lab
    return place.defconfig if place else None


def _named_tests(plan: PlanRecord, series: SeriesRecord) -> Iterable[str]:
    """The suites that the records name, or those that any series is tried with."""
    record = plan if plan.tests else series
    return map(record.reference, record.tests or DEFAULT_TESTS)


def _who_asks(request: PlanRequest, defaults: PlanRecord, series: SeriesRecord) -> str:
    """Return the option or record that names the tests; empty for those that run with any series."""
    if request.tests:
        return "--tests"
    if defaults.tests:
        return f"plan '{defaults.name}'"
    return f"series '{series.name}'" if series.tests else ""


def _arch_of_host(host: HostRecord, request: PlanRequest, folders: Folders) -> tuple[ArchRecord, ...]:
    arch = arch_of(host, folders)
    if set(request.arches) - {arch.name}:
        raise UsageError(
            f"--arch {' '.join(request.arches)}: the host {host.name} is {arch.name}",
            hint="Leave --arch out: the host says it.",
        )
    return (arch,)


def _choose_suites(names: Iterable[str], folders: Folders) -> tuple[SuiteRecord, ...]:
    """The named suites, each once."""
    suites = (find(SuiteRecord, name, folders) for name in names)
    return tuple({suite.name: suite for suite in suites}.values())


def with_memory(arch: ArchRecord, suites: Iterable[SuiteRecord]) -> ArchRecord:
    """The architecture, with guests that have enough memory for all suites."""
    enough = max(arch.qemu.memory_mb, *(suite.memory_mb for suite in suites))
    return arch.model_copy(update={"qemu": arch.qemu.model_copy(update={"memory_mb": enough})})


def _choose_arches(names: Iterable[str], folders: Folders) -> tuple[ArchRecord, ...]:
    """The named architectures, each once; a record with modes stands for all of them."""
    return tuple({mode.name: mode for name in names for mode in find_modes(name, folders)}.values())


def _in_profiles(
    arches: Sequence[ArchRecord], request: PlanRequest, defaults: PlanRecord, folders: Folders
) -> Iterator[ArchRecord]:
    """The architectures once more, in each profile that they can be in."""
    names = request.profiles or tuple(map(defaults.reference, defaults.profiles))
    if names and (request.host or request.lab):
        raise UsageError("--profile: hosts and labs boot as their records say", hint="Leave --profile out.")
    for name in dict.fromkeys(names):
        profile = find(ProfileRecord, name, folders)
        fitting = [arch for arch in arches if profile.fits(arch)]
        if not fitting and request.profiles:
            raise UsageError(
                f"--profile {profile.name} is for {', '.join(profile.arches)}, and none is chosen"
            )
        yield from map(profile.of, fitting)


def _kconfig_of_profiles(arches: Iterable[ArchRecord]) -> Iterator[str]:
    for arch in arches:
        yield from (f"{arch.name}:{fragment}" for fragment in arch.kconfig)


def choose_tree(name: str, folders: Folders = None) -> NamedTree:
    """The tree that `--tree` names.

    Raises:
        UsageError: for an unknown name, or a wrong record.
    """
    if is_url(name):
        remote = GitRevision.from_text(name)
        return NamedTree(Path(remote.url).name.removesuffix(".git") or "linux", remote)
    local = LocalTree.from_text(name)
    if not is_path(name) and ("/" in name or local.path.is_dir()):
        return NamedTree(local.path.resolve().name, local)
    record = find(TreeRecord, name, folders)
    fixes = record.path(record.fixes) if record.fixes else None
    return NamedTree(record.name, _source_of(record), fixes)


def _at(tree: NamedTree, commit: str) -> NamedTree:
    """A commit of a tree that has more than one."""
    match tree.source:
        case GitRemote():
            return replace(tree, source=replace(tree.source, commit=commit))
        case GitRevision() | LocalTree():
            return replace(tree, source=replace(tree.source, revision=commit))
        case _:
            return tree


def _source_of(record: TreeRecord) -> TreeSource:
    if record.debian_package and not record.url:
        return DebianSource(record.debian_package, suite=record.debian_suite or "")
    if record.url and record.branch and not record.debian_package:
        return GitRemote(record.url, record.branch, record.commit)
    raise UsageError(f"{record.file}: give either debian_package, or url and branch")


def _choose_series(name: str, tree: str | None, folders: Folders) -> tuple[SeriesRecord, str]:
    """The series' record and where its patches are."""
    if is_path(name) or not _looks_like_patches(name):
        record = find(SeriesRecord, name, folders)
        return record, _source_of_series(record)
    return _without_record(name, tree or _tree_of_range(name) or _default_tree(folders))


def _tree_of_range(name: str) -> str | None:
    """The commit that a range begins at, in its own repository."""
    if not name.startswith(RANGE):
        return None
    path, base, tip = split_range(name)
    if path is None and not Path(".git").exists():
        return None  # a range of the mirror
    return f"{path or Path.cwd()}@{base}...{tip}"


def _default_tree(folders: Folders) -> str:
    plan = find(PlanRecord, DEFAULT_PLAN, folders)
    return find(SeriesRecord, plan.series, folders).tree


def _without_record(source: str, tree: str) -> tuple[SeriesRecord, str]:
    """A series that is given on the command line by its patches alone."""
    name = re.sub(r"[^A-Za-z0-9.+-]+", "-", Path(source).name).strip("-")
    record = SeriesRecord(name=name or "series", title="", source=source, tree=tree, tests=())
    return record, str(Path(source).resolve()) if Path(source).exists() else source


def _looks_like_patches(name: str) -> bool:
    return "/" in name or name.startswith(RANGE) or bool(message_id(name)) or Path(name).exists()


def _source_of_series(record: SeriesRecord) -> str:
    """The record's source; a path is relative to the record."""
    path = record.path(record.source).resolve()
    if not path.exists() and (record.source.startswith(RANGE) or message_id(record.source)):
        return record.source
    return str(path)


def planned_tests(suites: Sequence[SuiteRecord], claims: Sequence[Claim] = ()) -> tuple[PlannedTest, ...]:
    """Every case of the suites, one process each; the counters of claims are watched in all of them."""
    claimed = claimed_counters(claims)
    return tuple(
        _planned_test(suite, name, case, claimed) for suite in suites for name, case in suite.cases.items()
    )


def _planned_test(suite: SuiteRecord, name: str, case: CaseRecord, counters: Sequence[str]) -> PlannedTest:
    evidence = suite.evidence if case.evidence is None else case.evidence
    wanted = dict.fromkeys((*evidence, *counters))
    return PlannedTest(
        name=f"{suite.name}.{name}",
        argv=(*guest_command(suite, case), *case.args),
        timeout_seconds=case.timeout_seconds or suite.timeout_seconds,
        evidence=tuple(Evidence(counter, least) for counter, least in evidence.items()),
        needs=suite.needs if case.needs is None else case.needs,
        says=case.says,
        watch=tuple(counter for counter in wanted if not is_watched(counter)),
        of_tree=not suite.program.wrapper,
        boots=suite.boots,
        unharmed=(*guest_command(suite, case), *suite.unharmed, *case.args[-1:]) if suite.unharmed else (),
    )


def known_gaps(plan: Plan) -> tuple[KnownGap, ...]:
    """What need not be exercised: by the architectures' records, and by `--allow-unexercised ARCH:TEST`."""
    of_records = [
        KnownGap(arch.name, tests, reason)
        for arch in plan.arches
        for tests, reason in arch.known_gaps.items()
    ]
    split = [name.partition(":") for name in plan.allow_unexercised]
    return (
        *of_records,
        *(KnownGap(arch, tests, "--allow-unexercised") for arch, _, tests in split if tests),
    )


def wholly_allowed(plan: Plan) -> tuple[str, ...]:
    """Architectures on which nothing need be exercised."""
    return tuple(name for name in plan.allow_unexercised if ":" not in name)


def claims(series: SeriesRecord) -> tuple[Claim, ...]:
    """What the record of a series, or `--claim`, says of counters and other numbers."""
    return (
        *(Claim(counter, str(claim.base), str(claim.series)) for counter, claim in series.counters.items()),
        *map(parse_claim, series.claims),
    )
