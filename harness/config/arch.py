# SPDX-License-Identifier: GPL-2.0-only
"""Records of architectures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field, PrivateAttr

from harness.config.catalogue import Folders, find, load_all, pick
from harness.config.record import Items, NamedRecord, Record, Seconds, is_path


class KbuildFacts(Record):
    """How kbuild is asked for an architecture."""

    arch: str
    """`ARCH=`."""
    defconfig: str = "defconfig"
    """What `--defconfig` without a name means: a make target."""


class KernelFacts(KbuildFacts):
    """How kbuild makes this architecture's kernel."""

    target: str
    """The make target, such as `bzImage`."""
    image: str
    """Path of the image below O=."""
    fragments: Items[str]
    """Names of `configs/kconfig/*.config`, merged in this order on top of tinyconfig or a defconfig."""
    diet: Items[str] = ()
    """Further ones, on top of tinyconfig only: they leave out what costs build time."""


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


class BootLimits(Record):
    """Time-outs of a boot; the first three are multiplied by the machine's time scale."""

    silence_seconds: Seconds = 15
    """Without output on the console before the first test."""
    start_seconds: Seconds = 60
    """From power-on to the first test; the whole boot may take this and the time-outs of all its tests."""
    test_slack_seconds: Seconds = 10
    """Without output while tests run, on top of the longest time-out of a test."""
    power_off_seconds: Seconds = 10
    """From the end mark, or a panic, until the machine stops or restarts."""
    backtrace_seconds: Seconds = 6
    """For the backtraces of a hung guest, after an interrupt."""


class GuestFacts(Record):
    """Facts of the guest that hold on each of its machines, and the parameters that it gets."""

    cmdline: Items[str] = ()
    finish: Literal["poweroff", "restart"]
    """`restart` where the small kernel can't cut the power; QEMU's -no-reboot turns it into an exit."""
    time_scale: float = Field(default=1.0, gt=0)
    """Time-outs are multiplied by this under emulation."""
    limits: BootLimits = BootLimits()
    signals: Mapping[int, str] = Field(default_factory=dict)
    """Signals that differ from include/uapi/asm-generic/signal.h: number → name."""

    def with_parameters(self, more: Iterable[str]) -> GuestFacts:
        """Return the facts of guests that get further kernel parameters."""
        return self.model_copy(update={"cmdline": (*self.cmdline, *more)})


class TypicalTimes(Record):
    """Roughly how long it takes on two cores, under emulation: what no machine has yet learned by itself."""

    build_seconds: float = Field(default=300.0, gt=0)
    """One kernel from nothing."""
    boot_seconds: float = Field(default=30.0, gt=0)
    """All boots of one kernel with the tests of the default plan."""


class BuildRecord(NamedRecord):
    """An architecture to compile for; `configs/build-only/*.yaml` has those that nothing boots."""

    KIND = "build-only"
    NOUN = "architecture"

    about: str
    kernel: KbuildFacts
    compiler: CompilerFacts

    @property
    def kernel_name(self) -> str:
        """Whose objects these are."""
        return self.name


class ArchRecord(BuildRecord):
    """One architecture; `configs/arches/*.yaml`."""

    KIND = "arches"

    kernel: KernelFacts
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
    _profile: ProfileRecord | None = PrivateAttr(None)

    @property
    def kernel_name(self) -> str:
        """Whose kernel this is: the modes of a record share one."""
        return self._mode_of or self.name

    @property
    def plain_name(self) -> str:
        """The name without that of a profile."""
        return self.name.removesuffix(f"-{self._profile.name}") if self._profile else self.name

    @property
    def kconfig(self) -> tuple[str, ...]:
        """Fragments of the profile, to be merged last."""
        return self._profile.kconfig if self._profile else ()

    def in_modes(self) -> tuple[ArchRecord, ...]:
        """One record for each mode; the record itself if it has none."""
        return tuple(self._in_mode(name) for name in self.modes) or (self,)

    def _in_mode(self, name: str) -> ArchRecord:
        guest = self.guest.with_parameters(self.modes[name])
        mode = self.model_copy(update={"name": f"{self.name}-{name}", "modes": {}, "guest": guest})
        mode._mode_of = self.name
        return mode


class ProfileRecord(NamedRecord):
    """Another way to build and boot architectures; `configs/profiles/*.yaml`.

    Each architecture in a profile counts as one more, ARCH-PROFILE. If nothing but the boot differs, both
    boot the same kernel.
    """

    KIND = "profiles"
    NOUN = "profile"

    about: str
    arches: Items[str] = ()
    """Names of architectures that have it; empty stands for all."""
    kconfig: Items[str] = ()
    """Fragments that are merged last, as those of `--kconfig`."""
    cmdline: Items[str] = ()
    """Further kernel parameters."""
    memory_mb: int | None = Field(default=None, ge=512)
    cpus: int | None = Field(default=None, ge=1)
    closes: Items[str] = ()
    """Known gaps of the architectures (`ArchRecord.known_gaps`) that this profile does not have."""

    def fits(self, arch: ArchRecord) -> bool:
        """Tell whether an architecture can be in this profile, and is in none."""
        is_known = not self.arches or bool({arch.name, arch.kernel_name} & {*self.arches})
        return is_known and arch.plain_name == arch.name

    def of(self, arch: ArchRecord) -> ArchRecord:
        """Return the record of an architecture in this profile."""
        changed = {"memory_mb": self.memory_mb, "cpus": self.cpus}
        qemu = arch.qemu.model_copy(update={name: value for name, value in changed.items() if value})
        found = arch.model_copy(
            update={
                "name": f"{arch.name}-{self.name}",
                "guest": arch.guest.with_parameters(self.cmdline),
                "qemu": qemu,
                "hercules": arch.hercules and arch.hercules.model_copy(update=self._for_hercules(arch)),
                "known_gaps": {test: why for test, why in arch.known_gaps.items() if test not in self.closes},
            }
        )
        found._mode_of, found._profile = arch.kernel_name, self
        return found

    def _for_hercules(self, arch: ArchRecord) -> Mapping[str, int]:
        assert arch.hercules
        return {"memory_mb": max(arch.hercules.memory_mb, self.memory_mb or 0)}


def load_modes(folders: Folders = None) -> Mapping[str, ArchRecord]:
    """Read all architectures, by name, each mode of a record as one of its own.

    Raises:
        UsageError: if a record is wrong.
    """
    records = load_all(ArchRecord, folders).values()
    return {mode.name: mode for record in records for mode in record.in_modes()}


def find_modes(name: str, folders: Folders = None) -> tuple[ArchRecord, ...]:
    """Read what a name or the path of a record stands for: one mode, or all modes of a record.

    Raises:
        UsageError: if it is wrong; for an unknown name, with the known ones and the nearest.
    """
    if mode := None if is_path(name) else _find_mode(name, folders):
        return (mode,)
    return find(ArchRecord, name, folders).in_modes()


def find_mode(name: str, folders: Folders = None) -> ArchRecord:
    """Read one architecture in one mode, and in a profile if the name ends in one.

    Raises:
        UsageError: for an unknown name, with the known ones and the nearest.
    """
    return _find_mode(name, folders) or pick(ArchRecord, load_modes(folders), name)


def _find_mode(name: str, folders: Folders) -> ArchRecord | None:
    modes = load_modes(folders)
    if name in modes:
        return modes[name]
    for profile in load_all(ProfileRecord, folders).values():
        arch = modes.get(name.removesuffix(f"-{profile.name}"))
        if arch and profile.fits(arch):
            return profile.of(arch)
    return None


def load_builds(folders: Folders = None) -> Mapping[str, BuildRecord]:
    """Read all architectures that can be compiled for: those that boot, each once, then those that don't.

    Raises:
        UsageError: if a record is wrong.
    """
    return {**load_all(ArchRecord, folders), **load_all(BuildRecord, folders)}


def find_build(name: str, folders: Folders = None) -> BuildRecord:
    """Read one architecture to compile for, by its name or the path of its record.

    Raises:
        UsageError: if it is wrong; for an unknown name, with the known ones and the nearest.
    """
    if is_path(name):
        return find(BuildRecord, name)
    modes = load_modes(folders)
    return modes[name] if name in modes else pick(BuildRecord, load_builds(folders), name)
