# SPDX-License-Identifier: GPL-2.0-only
"""Which machine runs which test, where an architecture has two kinds."""

from __future__ import annotations

from harness.config.arch import ArchRecord
from harness.config.catalogue import find
from harness.machines.kinds import MachineKind, hercules_kind, qemu_kind, share_out
from harness.machines.qemu.accel import Accelerator
from results.model.run import PlannedTest

S390 = find(ArchRecord, "s390")
X86_64 = find(ArchRecord, "x86_64")
TCG = Accelerator("tcg", "KVM does not work")
HUGE = PlannedTest("pmd_split.munmap", ("/bin/pmd_split",), 20.0, needs=("thp",))
SMALL = PlannedTest("small_pages.munmap", ("/bin/pmd_split",), 20.0)


def both() -> tuple[MachineKind, MachineKind]:
    hercules = hercules_kind(S390)
    assert hercules
    return qemu_kind(S390, TCG), hercules


def shares(*kinds: MachineKind) -> list[tuple[str, tuple[PlannedTest, ...]]]:
    return [(kind.name, tests) for kind, tests in share_out((HUGE, SMALL), kinds)]


def test_hercules_gets_what_emulation_lacks_and_qemu_the_rest() -> None:
    assert shares(*both()) == [("qemu", (SMALL,)), ("hercules", (HUGE,))]


def test_without_hercules_qemu_runs_everything_and_its_probe_says_what_is_missing() -> None:
    qemu, _ = both()
    assert shares(qemu) == [("qemu", (HUGE, SMALL))]


def test_on_the_real_thing_qemu_lacks_nothing() -> None:
    _, hercules = both()
    assert shares(qemu_kind(S390, Accelerator("kvm")), hercules) == [("qemu", (HUGE, SMALL))]


def test_most_architectures_have_one_kind() -> None:
    assert hercules_kind(X86_64) is None
    assert shares(qemu_kind(X86_64, TCG)) == [("qemu", (HUGE, SMALL))]


def test_every_machine_has_kernel_parameters_and_time_limits_of_its_own() -> None:
    qemu, hercules = both()
    assert "console=ttysclp0" in qemu.cmdline
    assert "console=ttysclp0" not in hercules.cmdline
    assert "conmode=3215" in hercules.cmdline
    assert (qemu.channel, hercules.channel) == ("", "/dev/dasda")
    assert qemu.time_scale > qemu_kind(S390, Accelerator("kvm")).time_scale == 1.0
    assert qemu.notes == ("KVM does not work",)
    assert any("TLB" in note for note in hercules.notes)
