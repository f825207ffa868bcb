# SPDX-License-Identifier: GPL-2.0-only
"""The records of `configs/`: strict YAML in, pydantic values out.

PyYAML alone reads `6.10` as a number, `no` as false and keeps the last of two equal keys. Here a
record is refused with file and line unless every key is known, unique and of the right type.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from harness.core.errors import UsageError, did_you_mean
from harness.core.shipped import CONFIGS


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return text


T = TypeVar("T")
Items = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
"""A YAML list; kept as a tuple because records are immutable."""


class Record(BaseModel):
    """Base of all records: no unknown keys, no silent conversions, no changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class KernelFacts(Record):
    """How kbuild makes this architecture's kernel."""

    arch: str
    """`ARCH=`."""
    target: str
    """The make target, such as `bzImage`."""
    image: str
    """Path of the image below O=."""
    fragments: Items[str]
    """Names of `configs/kconfig/*.config`, merged in this order on top of tinyconfig or a defconfig."""
    diet: Items[str] = ()
    """Further ones, on top of tinyconfig only: they leave out what costs build time."""
    defconfig: str = "defconfig"
    """What `--defconfig` without a name means: a make target."""


class CompilerFacts(Record):
    """The cross compiler; Debian installs one under the same name on the architecture itself."""

    prefix: str
    """`CROSS_COMPILE=`, with the trailing dash."""
    packages: Items[str]
    """Debian packages that bring it, its binutils and a static libc."""


class QemuFacts(Record):
    """How QEMU boots this architecture."""

    binary: str
    package: str
    minimum: str
    """Oldest version that is known to work, `7.2`."""
    machine: str
    cpu: str = ""
    """Empty: the machine's only one."""
    kvm_cpu: str = "host"
    """`-cpu` under KVM."""
    kvm_host: str
    """`uname -m` of hosts whose KVM runs this architecture."""
    devices: Items[str] = ()
    """Further arguments, one word each."""
    memory_mb: int = Field(default=1024, ge=512)
    """Below 512 MB the kernel's hugepage_init() turns THP off."""
    cpus: int = Field(default=2, ge=1)
    interrupt: Literal["nmi", "break"]
    """How a hung guest is made to show its backtraces: QMP inject-nmi, or a serial break with SysRq keys."""
    cmdline: Items[str] = ()
    """Kernel parameters for this machine alone."""
    tcg_lacks: Items[str] = ()
    """Capabilities that the emulated CPU is known not to have; see `Capabilities.missing`."""


class HerculesFacts(Record):
    """How the Hercules emulator boots this architecture."""

    binary: str
    package: str
    minimum: str
    cpu_model: str
    """`CPUMODEL`, four digits."""
    memory_mb: int = Field(default=1024, ge=1024)
    """Below 512 MB, and with some sizes above it, hugepage_init() turns THP off."""
    cpus: int = Field(default=1, ge=1)
    cmdline: Items[str] = ()
    """Kernel parameters for this machine alone."""
    channel: str
    """The guest's block device that carries its log: the emulated consoles lose text."""
    limits: Items[str] = ()
    """What a boot on it can't show; said in every report."""


class GuestFacts(Record):
    """What the guest must be told, on whatever machine."""

    cmdline: Items[str] = ()
    finish: Literal["poweroff", "restart"]
    """`restart` where the small kernel can't cut the power; QEMU's -no-reboot turns it into an exit."""
    time_scale: float = Field(default=1.0, gt=0)
    """Time-outs are multiplied by this under emulation."""


class TypicalTimes(Record):
    """Roughly how long it takes on two cores, under emulation: what no machine has yet learned by itself."""

    build_seconds: float = Field(default=300.0, gt=0)
    """One kernel from nothing."""
    boot_seconds: float = Field(default=30.0, gt=0)
    """All boots of one kernel with the tests of the default plan."""


class ArchRecord(Record):
    """One architecture; `configs/arches/*.yaml`."""

    name: str
    about: str
    kernel: KernelFacts
    compiler: CompilerFacts
    qemu: QemuFacts
    hercules: HerculesFacts | None = None
    """A second machine for the tests that need what QEMU lacks."""
    guest: GuestFacts
    typical: TypicalTimes = TypicalTimes()
    """What shards are balanced by."""
    known_gaps: Mapping[str, str] = Field(default_factory=dict)
    """Test name or shell pattern → why this architecture can't exercise it, whatever the series."""
    modes: Mapping[str, Items[str]] = Field(default_factory=dict)
    """Ways to boot the one kernel: name → kernel parameters. Each counts as an architecture NAME-MODE."""
    _mode_of: str = PrivateAttr("")

    @property
    def kernel_name(self) -> str:
        """Whose kernel this is: the modes of a record share one."""
        return self._mode_of or self.name

    def in_modes(self) -> tuple[ArchRecord, ...]:
        """One record for each mode; the record itself if it has none."""
        return tuple(self._in_mode(name) for name in self.modes) or (self,)

    def _in_mode(self, name: str) -> ArchRecord:
        guest = self.guest.model_copy(update={"cmdline": (*self.guest.cmdline, *self.modes[name])})
        mode = self.model_copy(update={"name": f"{self.name}-{name}", "modes": {}, "guest": guest})
        mode._mode_of = self.name
        return mode


class TreeRecord(Record):
    """Where kernel source comes from; `configs/trees/*.yaml`. One of the two sources is given."""

    name: str
    about: str
    debian_package: str | None = None
    url: str | None = None
    branch: str | None = None
    commit: str | None = None
    fixes: str | None = None
    """A folder of patches, relative to the record, for what keeps this tree from being built or booted."""


class CaseRecord(Record):
    """One case of a suite: its arguments, and evidence of its own if it has any."""

    args: Items[str] = ()
    evidence: Mapping[str, int] | None = None
    """Counter name → least rise; the suite's evidence if not given."""
    needs: Items[str] | None = None
    """The suite's needs if not given."""
    timeout_seconds: float | None = None
    sources: Items[str] = ()
    """In the kernel tree: of a program of the case's own, named after the first of them."""
    flags: Items[str] = ()
    """What the compiler is told beyond that for it."""
    says: Annotated[str, AfterValidator(_pattern)] = ""
    """For a program without KTAP: exit status 0 is a PASS if a line of its output has this pattern."""


class ProgramRecord(Record):
    """How a suite's program is built: by our Makefile, or out of the kernel tree's own sources."""

    name: str
    wrapper: bool = False
    """Built from `kselftest_wrappers/`."""
    under: str = ""
    """A program of ours that starts it."""
    tree_sources: Items[str] = ()
    """Sources in the kernel tree; the first one must exist for the suite to be there."""
    tree_includes: Items[str] = ()
    """Folders for `-I`."""
    tree_also: Items[str] = ()
    """What else of the tree those refer to."""
    flags: Items[str] = ()
    """Further ones for the compiler."""


class SuiteRecord(Record):
    """A test program and its cases; `configs/tests/*.yaml`."""

    name: str
    about: str
    program: ProgramRecord
    needs: Items[str] = ()
    evidence: Mapping[str, int]
    timeout_seconds: float = Field(default=60.0, gt=0)
    memory_mb: int = 0
    """What QEMU's guests must have at least, if that is more than the architecture's record says."""
    cases: Mapping[str, CaseRecord]
    """Either none has sources, or all: then `program` says what their programs have in common."""

    @field_validator("cases")
    @classmethod
    def _all_or_none_has_sources(cls, cases: Mapping[str, CaseRecord]) -> Mapping[str, CaseRecord]:
        without = [name for name, case in cases.items() if not case.sources]
        if without and len(without) < len(cases):
            raise ValueError(f"{without[0]} has no sources, others have")
        return cases

    @model_validator(mode="after")
    def _one_way_to_compile_each(self) -> SuiteRecord:
        for name, case in self.cases.items():
            program = self.program_of(case)
            if program not in self.programs:
                raise ValueError(f"{name}: program {program.name} is compiled in two ways")
        return self

    def program_of(self, case: CaseRecord) -> ProgramRecord:
        """The program that a case runs; cases with the same first source share one."""
        if not case.sources:
            return self.program
        shared = self.program
        return shared.model_copy(
            update={
                "name": f"{self.name}/{Path(case.sources[0]).stem}",
                "tree_sources": (*case.sources, *shared.tree_sources),
                "flags": (*shared.flags, *case.flags),
            }
        )

    @property
    def programs(self) -> tuple[ProgramRecord, ...]:
        """Every program of the suite, once."""
        made = (self.program_of(case) for case in self.cases.values())
        return tuple({program.name: program for program in made}.values())

    @property
    def programs_of_tree(self) -> Mapping[str, ProgramRecord]:
        """Program of each case that is built from the kernel tree's sources."""
        programs = {name: self.program_of(case) for name, case in self.cases.items()}
        return {name: program for name, program in programs.items() if not program.wrapper}

    def without(self, names: Container[str]) -> SuiteRecord:
        """The same suite without some of its cases."""
        kept = {name: case for name, case in self.cases.items() if name not in names}
        return self.model_copy(update={"cases": kept})

    @property
    def is_collection(self) -> bool:
        """Whether each case has a program of its own."""
        return any(case.sources for case in self.cases.values())


class CounterClaim(Record):
    """What a series says of a counter: `absent`, `present`, or its total change as a number."""

    base: Literal["absent", "present"] | int
    series: Literal["absent", "present"] | int


class SeriesRecord(Record):
    """A patch series; `configs/series/*.yaml`."""

    name: str
    title: str
    source: str
    """An mbox or a directory (relative to the record), `git:BASE..TIP`, or a lore Message-ID."""
    tree: str
    """The tree it is written for."""
    stand_in: bool = False
    """It only stands in for the real series and is shown so everywhere."""
    tests: Items[str]
    """Names of `configs/tests/*.yaml`; empty means whichever of the usual ones the sources have."""
    counters: Mapping[str, CounterClaim] = Field(default_factory=dict)


class PlanRecord(Record):
    """What a bare `run` does; `configs/plans/*.yaml`."""

    name: str
    about: str
    series: str
    arches: Items[str]
    tree: str = ""
    """Instead of the one that the series' record names."""
    tests: Items[str] = ()
    """Instead of those that the series' record names."""


AnyRecord = TypeVar("AnyRecord", bound=Record)


# libyaml's parser reads all records in a fifth of the time; where PyYAML was built without it, its own does.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_SafeLoader):  # type: ignore[misc]
    """SafeLoader that knows only `true`/`false` as booleans and has no base-60 numbers."""


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[1] in {"null", "merge"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _add_core_schema() -> None:
    """Resolve scalars by YAML 1.2's core schema, https://yaml.org/spec/1.2.2/#103-core-schema."""
    for kind, pattern, first in (
        ("bool", r"^(?:true|false)$", "tf"),
        ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ):
        _StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), list(first))


_add_core_schema()


def load(path: Path, model: type[AnyRecord]) -> AnyRecord:
    """Read one record.

    Raises:
        UsageError: naming file, line and what is wrong.
    """
    node, data = _parse(path, _text(path))
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaints = [_complaint(path, node, details) for details in error.errors()]
        known = ", ".join(model.model_fields)
        raise UsageError("\n".join(complaints), hint=f"Known keys: {known}.") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start})") from None


@cache  # it takes long, and whoever looks for one record reads all of its kind
def _parse(path: Path, text: str) -> tuple[yaml.MappingNode, Any]:
    """A record's nodes, which know their lines, and its values."""
    node = _compose(path, text)
    try:
        return node, _StrictLoader("").construct_document(node)
    except yaml.constructor.ConstructorError as error:
        raise UsageError(f"{path}:{_line(error.problem_mark)}: {error.problem}") from None


def _compose(path: Path, text: str) -> yaml.MappingNode:
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        raise UsageError(f"{path}:{_line(error.problem_mark)}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{path}:1: a record must be a mapping of keys to values")
    _refuse_duplicates(path, node)
    return node


def _refuse_duplicates(path: Path, node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            where = f"{path}:{_line(key.start_mark)}"
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{where}: a key must be a word")
            if key.value in seen:
                raise UsageError(f"{where}: key '{key.value}' stands already in line {seen[key.value]}")
            seen[key.value] = _line(key.start_mark)
            _refuse_duplicates(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item)


def _complaint(path: Path, node: yaml.Node, details: Any) -> str:
    """One validation error as `file:line: key: what is wrong`."""
    location = [part for part in details["loc"] if not str(part).startswith(("function-", "literal["))]
    where = ".".join(str(part) for part in location)
    message = details["msg"][0].lower() + details["msg"][1:]
    if details["type"] == "extra_forbidden":
        message = "unknown key"
    elif details["type"] == "missing":
        message = "this key is missing"
    elif details["type"] == "string_type":
        message = f"must be text, not {details['input']!r}; write it in quotes"
    return f"{path}:{_find_line(node, location)}: {f'{where}: ' if where else ''}{message}"


def _find_line(node: yaml.Node, location: list[Any]) -> int:
    """Line of the deepest node on the way to `location`."""
    line = _line(node.start_mark)
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            line, node = _line(match[0][0].start_mark), match[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = _line(node.start_mark)
        else:
            break
    return line


def _line(mark: yaml.Mark | None) -> int:
    return mark.line + 1 if mark else 1


def load_all(kind: str, model: type[AnyRecord], configs: Path = CONFIGS) -> Mapping[str, AnyRecord]:
    """All records of one folder of `configs/`, by name.

    Raises:
        UsageError: if a record is wrong, or its name is not its file's.
    """
    records = {}
    for path in sorted((configs / kind).glob("*.yaml")):
        record = load(path, model)
        name = getattr(record, "name", path.stem)
        if name != path.stem:
            raise UsageError(f"{path}: name '{name}' must be the file's name, '{path.stem}'")
        records[path.stem] = record
    return records


def find(kind: str, model: type[AnyRecord], name: str, configs: Path = CONFIGS) -> AnyRecord:
    """One record by name.

    Raises:
        UsageError: naming the known ones, and the nearest.
    """
    return pick(kind, load_all(kind, model, configs), name)


def pick(kind: str, records: Mapping[str, AnyRecord], name: str) -> AnyRecord:
    """One of some records by name; raises as `find` does."""
    if name in records:
        return records[name]
    singular = {"arches": "architecture", "series": "series"}.get(kind, kind.removesuffix("s"))
    message = f"unknown {singular} '{name}'.{did_you_mean(name, records)}"
    raise UsageError(message, hint=f"Known: {', '.join(records) or 'none'}.")
