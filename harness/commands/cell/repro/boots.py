# SPDX-License-Identifier: GPL-2.0-only
"""The part of a script that boots the kernels, each as the run did first on each kind of machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from harness.build.guest.manifest import new_nonce, render
from harness.commands.cell.cell import RecordedCell
from harness.commands.cell.repro.kernel import folder, shell_name
from harness.commands.cell.repro.shell_text import Raw, command, command_lines, comment, function, here, join
from harness.config.arch import HerculesFacts
from harness.core.errors import UsageError
from harness.engine.boot import COMMON_CMDLINE, limits_for
from harness.machines.base import BootFiles
from harness.machines.hercules.files import CHANNEL, CHANNEL_BYTES, COMMANDS, INITRAMFS_ADDRESS, contents
from harness.machines.hercules.machine import Hercules
from harness.machines.host.boot import HOST
from harness.machines.kinds import MachineKind, hercules_kind, qemu_kind
from harness.machines.lava.machine import LavaBoard
from harness.machines.qemu.accel import Accelerator
from harness.machines.qemu.machine import Qemu, command_line
from results.journal.journal import BootFact
from results.model.run import Boot, PlannedTest
from results.text import printable

ADDRESSES = "initrd.addrsize"
_FREE = ("-kernel", "-initrd", "-append", "-smp", "-m", "-cpu")
"""Options of QEMU whose values name no other file, address or program of the machine than the script does."""

RESULTS = r"""
# What the tests of a log came to, a line each; kselftest's exit codes: 0 pass, 1 fail, 4 skip.
# show_results LOG NONCE
show_results() {
	tr -d '\r\000' <"$1" | sed -n "s/.*THP:$2:[0-9]*:[0-9a-f]* //p" | awk '
		$1 == "start" { name[$2] = $3 }
		$1 == "end" { print name[$2] ": " $3 " " $4; seen++ }
		$1 == "done" { all = 1 }
		END {
			print seen + 0 " tests ended" (all ? "" : ", and the guest stopped before the last one")
			exit !all
		}'
}

need() {
	[ -f "$1" ] || fail "$1 is missing; $2"
}
"""

ADD_MANIFEST = r"""
# A manifest says what the guest does (docs/guest-protocol.md of thp-harness). It is one more archive
# behind the initramfs: the kernel unpacks both, and the later file stays.
# add_manifest INITRAMFS NAME <MANIFEST; leaves NAME.cpio
add_manifest() {
	rm -rf "$2.overlay"
	mkdir -p "$2.overlay/thp"
	cat >"$2.overlay/thp/manifest"
	(cd "$2.overlay" && printf '%s\n' thp thp/manifest | cpio --quiet -o -H newc) >"$2.manifest.cpio"
	cat "$1" "$2.manifest.cpio" >"$2.cpio"
}
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A boot of the run to repeat; with `tests`, only these of its tests, if there are any."""

    past: RecordedCell
    boot: Boot
    nonce: str
    tests: tuple[PlannedTest, ...]

    @property
    def name(self) -> str:
        """Stem of the files that its repetition leaves."""
        return f"boot-{self.boot.id}"


def boots(
    cells: Sequence[RecordedCell],
    tests: Sequence[PlannedTest],
    nonces: Mapping[str, str],
    files: Mapping[str, str],
) -> bytes:
    """Functions: `boot_VARIANT` for each cell, and what they need.

    `tests` are the only ones to run; empty for those of the run's own boots. `nonces` are those of the
    run's boots by id, and `files` shell words that name their initramfs.
    """
    built = [past for past in cells if past.build.ok]
    if not built:
        return b""
    shared = RESULTS + (ADD_MANIFEST if tests else "")
    return shared.encode() + b"".join(_cell(past, tests, nonces, files) for past in built)


def boots_of(past: RecordedCell, tests: Sequence[PlannedTest]) -> list[Boot]:
    """The first boot on each kind of machine, as far as it has any of the tests."""
    names = {test.name for test in tests}
    first: dict[str, Boot] = {}
    for boot in past.cell.boots:
        if not names or names & {result.name for result in boot.tests}:
            first.setdefault(boot.machine, boot)
    return list(first.values())


def _cell(
    past: RecordedCell, tests: Sequence[PlannedTest], nonces: Mapping[str, str], files: Mapping[str, str]
) -> bytes:
    found = boots_of(past, tests)
    bodies = [_boot(_wanted(past, boot, tests, nonces), files[boot.id]) for boot in found]
    nothing = command("fail", f"the run did not boot {past.label} with these tests")
    body = b"\n".join(bodies) or nothing.encode()
    return b"\n" + function(f"boot_{shell_name(past)}", body, f"The boots of {past.label}.")


def _wanted(
    past: RecordedCell, boot: Boot, tests: Sequence[PlannedTest], nonces: Mapping[str, str]
) -> _Wanted:
    names = {result.name for result in boot.tests}
    chosen = tuple(test for test in tests if test.name in names)
    return _Wanted(past, boot, new_nonce() if chosen else nonces[boot.id], chosen)


def _boot(wanted: _Wanted, initramfs: str) -> bytes:
    past, boot = wanted.past, wanted.boot
    if there := _elsewhere(boot):
        return command("fail", f"the run booted this on the {boot.machine}. {there}").encode()
    if boot.machine != Qemu.name and not (past.arch.hercules and boot.machine == Hercules.name):
        raise UsageError(f"{past.label} was booted on a machine that {past.arch.name} does not have")
    count = len(wanted.tests or boot.tests)
    log = f"{wanted.name}.log"
    return (
        (
            command(
                "say", f"Boot of {past.label} on {boot.machine} ({boot.accelerator}): {count} tests, {log}"
            )
            + f"\tkernel=$top/{join([f'{folder(past)}/{past.arch.kernel.image}'])}\n"
            f"\tinitramfs={initramfs}\n"
            + command("need", Raw('"$kernel"'), "build it first")
            + command("need", Raw('"$initramfs"'), past.run_again)
        ).encode()
        + _manifest(wanted)
        + (_qemu(wanted) if boot.machine == Qemu.name else _hercules(wanted))
        + command("show_results", log, wanted.nonce).encode()
    )


def _elsewhere(boot: Boot) -> str:
    """The physical host or lab that booted the cell; empty for an emulator."""
    if boot.machine.startswith(HOST):
        then = "; then kexec -e" if boot.accelerator == "kexec" else f" ({boot.accelerator})"
        return f"There: {join(boot.command)}{then}"
    if boot.accelerator == LavaBoard.accelerator:
        return f"Put its files where the job looks for them, then: {join(boot.command)}"
    return ""


def _kind(wanted: _Wanted) -> MachineKind:
    arch = wanted.past.arch
    other = hercules_kind(arch) if wanted.boot.machine != Qemu.name else None
    return other or qemu_kind(arch, Accelerator(wanted.boot.accelerator))


def _manifest(wanted: _Wanted) -> bytes:
    if not wanted.tests:
        return b""
    kind = _kind(wanted)
    text = render(wanted.nonce, wanted.tests, kind.time_scale, wanted.past.arch.guest.finish, kind.channel)
    return (
        here(f'\tadd_manifest "$initramfs" {join([wanted.name])}', text.encode())
        + f"\tinitramfs=$top/{join([wanted.name])}.cpio\n".encode()
    )


def _qemu(wanted: _Wanted) -> bytes:
    said = ""
    if wanted.boot.accelerator == "kvm":
        said = comment(
            "Where there is no /dev/kvm: -accel tcg,thread=multi, and -cpu as the emulator has it."
        )
    _require_ours(wanted)
    words = command_lines(list(_with_variables(wanted.boot.command)))
    return f"{said}\t{words} \\\n\t\t</dev/null | tee {join([wanted.name])}.log\n".encode()


def _require_ours(wanted: _Wanted) -> None:
    """Refuse a command that this program gives no QEMU: some of its options run other commands.

    Raises:
        UsageError: naming the first word that differs.
    """
    boot = wanted.boot
    files = BootFiles(Path("kernel"), Path("initramfs"), ())
    ours = _fixed_words(command_line(wanted.past.arch.qemu, files, boot.accelerator))
    theirs = _fixed_words(boot.command)
    if theirs != ours:
        word = next((word for word, known in zip_longest(theirs, ours) if word != known), None)
        raise UsageError(
            f"the boot {boot.id} was made by another command than this version's"
            f"{f': {printable(word)}' if word else ''}",
            hint=wanted.past.run_again,
        )


def _fixed_words(command: Sequence[str]) -> list[str]:
    words = iter(command)
    return [word for word in words if word not in _FREE or next(words, None) is None]


def _with_variables(command: Sequence[str]) -> Iterator[str]:
    """The command of the run, with our files."""
    ours = {"-kernel": Raw('"$kernel"'), "-initrd": Raw('"$initramfs"')}
    before = ""
    for word in command:
        yield ours.get(before, word)
        before = word


def _hercules(wanted: _Wanted) -> bytes:
    """Lay out a folder as for a list-directed IPL, and take the log off the disk that the guest writes to."""
    facts = wanted.past.arch.hercules
    assert facts, "the run has booted on it"
    kind = _kind(wanted)
    machine = join([f"{wanted.name}.machine"])
    small = contents(facts, (*COMMON_CMDLINE, *kind.cmdline), 0)
    files = b"".join(
        here(f"\tcat >{machine}/{name}", content) for name, content in small.items() if name != ADDRESSES
    )
    return (
        (
            f"\trm -rf {machine}\n\tmkdir {machine}\n"
            f'\tcp "$kernel" {machine}/image\n\tcp "$initramfs" {machine}/initrd\n'
        ).encode()
        + files
        + _run_hercules(facts, machine, wanted).encode()
    )


def _run_hercules(facts: HerculesFacts, machine: str, wanted: _Wanted) -> str:
    address = INITRAMFS_ADDRESS
    tests = wanted.tests or tuple(
        test for test in wanted.past.plan.planned if test.name in {each.name for each in wanted.boot.tests}
    )
    limit = round(limits_for(tests, wanted.past.arch.guest.limits, _kind(wanted).time_scale).total)
    log = join([f"{wanted.name}.log"])
    binary = join([facts.binary])
    nonce = wanted.nonce
    return f"""\
	# Where the kernel finds its initramfs: address and length.
	perl -e 'print pack("Q>Q>", {address}, -s "{machine}/initrd")' >{machine}/{ADDRESSES}
	truncate -s {CHANNEL_BYTES} {machine}/{CHANNEL}
	# Its console loses text, so the guest writes the log to a disk.
	(
		waited=0
		until grep -aq 'THP:{nonce}:[0-9]*:[0-9a-f]* done ' {machine}/{CHANNEL}; do
			[ "$waited" -lt {limit} ] || break
			waited=$((waited + 1))
			sleep 1
		done
		echo quit
	) | env -C {machine} HERCULES_RC={COMMANDS} {binary} -d -f herc.cnf EXTERNALGUI \\
		>{machine}/hercules.log 2>&1
	tr -d '\\000' <{machine}/{CHANNEL} | tee {log}
"""


def nonces(facts: Sequence[BootFact]) -> dict[str, str]:
    """The nonce of each boot, by its id."""
    return {fact.id: fact.nonce for fact in facts}
