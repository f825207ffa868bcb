# SPDX-License-Identifier: GPL-2.0-only
"""What Hercules boots from, the end of the channel, and guests of a few instructions on Hercules itself."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from harness.config.arch import HerculesFacts
from harness.core.errors import InfrastructureError, UsageError
from harness.core.process import Children
from harness.machines import emulator
from harness.machines.base import BootEnding, BootFiles
from harness.machines.hercules.files import CHANNEL, CHANNEL_BYTES, contents, lay_out
from harness.machines.hercules.log_disk import GAP, Channel
from harness.machines.hercules.machine import Hercules
from harness.machines.watch import Limits

pytestmark = pytest.mark.slow

FACTS = HerculesFacts(
    binary="hercules",
    package="hercules",
    minimum="3.13",
    cpu_model="2097",
    memory_mb=1024,
    cpus=2,
    channel="/dev/dasda",
)
needs_hercules = pytest.mark.skipif(not shutil.which("hercules"), reason="hercules is not installed")

# Files


def test_the_configuration_has_what_the_record_says() -> None:
    lines = contents(FACTS, (), 0)["herc.cnf"].decode().splitlines()
    assert {"CPUMODEL 2097", "MAINSIZE 1024", "NUMCPU 2", "MAXCPU 2", "0200 3370 res.fba"} <= set(lines)
    assert {"SHCMDOPT DISABLE", "DIAG8CMD DISABLE"} <= set(lines)


def test_the_kernel_finds_its_initramfs_and_its_parameters() -> None:
    files = contents(FACTS, ("dasd=0200", "--", "way"), 0x12345)
    assert files["initrd.addrsize"] == bytes.fromhex("0000000008000000 0000000000012345")
    assert files["parmfile"] == b"loglevel=0 dasd=0200 -- way "
    loaded = dict(line.split() for line in files["linux.ins"].decode().splitlines()[1:])
    assert loaded == {
        "image": "0x00000000",
        "initrd": "0x08000000",
        "parmfile": "0x00010480",
        "initrd.addrsize": "0x00010408",
    }


def test_parameters_that_the_machine_would_cut_off_are_refused() -> None:
    with pytest.raises(InfrastructureError, match="have 1011 bytes; this machine takes 895"):
        contents(FACTS, ("x" * 1000,), 0)


def test_a_folder_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "left").touch()
    lay_out(folder, FACTS, boot_files(tmp_path, b"kernel"))
    assert not (folder / "left").exists()
    assert (folder / "image").read_bytes() == b"kernel"
    assert Limits(total=1, boot_silence=1, test_silence=1).log_bytes < CHANNEL_BYTES
    assert (folder / CHANNEL).stat().st_size == CHANNEL_BYTES
    assert (folder / CHANNEL).stat().st_blocks == 0


def test_a_kernel_that_is_not_there_is_named(tmp_path: Path) -> None:
    files = BootFiles(tmp_path / "missing", tmp_path / "missing", ())
    with pytest.raises(InfrastructureError, match=r"missing: No such file"):
        lay_out(tmp_path / "machine", FACTS, files)


# The channel


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.truncate(1 << 16)
    return path


def put(image: Path, offset: int, text: bytes) -> None:
    with image.open("r+b") as file:
        file.seek(offset)
        file.write(text)


def test_a_line_counts_when_its_end_is_there(image: Path) -> None:
    channel = Channel(image)
    assert channel.read() == b""
    put(image, 0, b"one\ntwo\nthr")
    assert channel.read() == b"one\ntwo\n"
    assert channel.read() == b""
    put(image, 11, b"ee\n")
    assert channel.read() == b"three\n"


def test_a_block_that_comes_before_the_one_in_front_waits(image: Path) -> None:
    channel = Channel(image)
    put(image, 512, b"b" * 100 + b"\n")
    assert channel.read() == b""
    put(image, 0, b"a" * 512)
    assert channel.read() == b"a" * 512 + b"b" * 100 + b"\n"


def test_a_long_log_comes_in_pieces(tmp_path: Path) -> None:
    path, lines = tmp_path / "image", b"line\n" * 500_000
    path.write_bytes(lines + b"\0" * 4096)
    channel, pieces = Channel(path), []
    while piece := channel.read():
        assert piece.endswith(b"\n")
        pieces.append(piece)
    assert b"".join(pieces) == lines


def test_the_memory_goes_on_where_the_channel_ends(image: Path) -> None:
    log = [b"[    0.1][    T1] one", b"[    0.2][   T12] two", b"[    0.3][    C0] three"]
    assert Channel(image).continued_by(log) == b"".join(line + b"\n" for line in log)
    put(image, 0, b"[    0.1] one\nchannel: 3 records were overwritten\n[    0.2][   T12] two\n")
    channel = Channel(image)
    channel.read()
    assert channel.continued_by(log) == b"[    0.3][    C0] three\n"
    assert channel.continued_by(log[2:]) == GAP + b"\n[    0.3][    C0] three\n"


def test_a_mark_at_the_channels_end_does_not_hide_the_place(image: Path) -> None:
    put(image, 0, b"[    0.1] one\nchannel: 3 records were overwritten\n")
    channel = Channel(image)
    channel.read()
    assert channel.continued_by([b"[    0.1] one", b"[    0.2] two"]) == b"[    0.2] two\n"


# The program


def test_a_program_that_is_missing() -> None:
    missing = FACTS.model_copy(update={"binary": "no-such-hercules"})
    with pytest.raises(UsageError) as caught:
        emulator.require(missing)
    assert (str(caught.value), caught.value.hint) == (
        "no-such-hercules is not installed",
        "apt-get install hercules",
    )


@needs_hercules
def test_its_version() -> None:
    assert re.fullmatch(r"\d+\.\d+", emulator.require(FACTS))
    with pytest.raises(UsageError, match="99 or newer is needed"):
        emulator.require(FACTS.model_copy(update={"minimum": "99"}))


# Guests of a few instructions


def guest(*code: int) -> bytes:
    """An image: the PSW that starts code at 0x200, and a PSW at 0x210 that waits for nothing."""
    image = bytearray(0x218)
    image[0:8] = bytes.fromhex("0008000080000200")
    image[0x200 : 0x200 + len(code)] = bytes(code)
    image[0x210:0x218] = bytes.fromhex("000a000000000bad")
    return bytes(image)


PANIC = guest(0x82, 0x00, 0x02, 0x10)
"""LPSW 0x210"""
STOP = guest(0xAE, 0x02, 0x00, 0x05)
"""SIGP 0,2,5: the CPU stops itself, as in a power off"""
SPIN = guest(0xA7, 0xF4, 0x00, 0x00)
"""BRC 15,*"""
NOTHING = b"xxxxxxxx" * 100


def boot_files(folder: Path, kernel: bytes) -> BootFiles:
    for name, content in (("kernel", kernel), ("initramfs", b"initramfs")):
        (folder / name).write_bytes(content)
    return BootFiles(folder / "kernel", folder / "initramfs", ())


def run(
    folder: Path, kernel: bytes, story: Callable[[Hercules], Awaitable[None]], cpus: int = 1
) -> BootEnding:
    """Boot an image, do something with it, and stop."""
    facts = FACTS.model_copy(update={"cpus": cpus})
    machine = Hercules(facts, boot_files(folder, kernel), folder / "machine", Children())

    async def boot() -> BootEnding:
        try:
            async with asyncio.timeout(30):
                await machine.start()
                await story(machine)
        finally:
            ending = await machine.stop()
        return ending

    ending = asyncio.run(boot())
    assert not (folder / "machine").exists()
    return ending


async def read_all(machine: Hercules) -> bytes:
    text = b""
    while chunk := await machine.read():
        text += chunk
    return text


@needs_hercules
@pytest.mark.parametrize("cpus", [1, 2])
def test_a_disabled_wait_is_a_panic(tmp_path: Path, cpus: int) -> None:
    async def story(machine: Hercules) -> None:
        text = await read_all(machine)
        assert machine.panicked
        assert text == (
            b"hercules: the log can't be read from the guest's memory: %s: No such file or directory\n"
            % bytes(tmp_path / "System.map")
        )

    assert not run(tmp_path, PANIC, story, cpus).broken


@needs_hercules
def test_all_that_is_on_the_disk_is_handed_out_before_the_end(tmp_path: Path) -> None:
    async def story(machine: Hercules) -> None:
        put(tmp_path / "machine" / CHANNEL, 0, b"first\nlast\n")
        assert (await read_all(machine)).startswith(b"first\nlast\n")

    run(tmp_path, PANIC, story)


@needs_hercules
def test_after_the_end_mark_of_a_guest_that_ends_well_the_memory_is_not_searched(tmp_path: Path) -> None:
    done = b"[    1.5] THP:00112233445566ff:9:0badcafe done 3\n"

    async def story(machine: Hercules) -> None:
        put(tmp_path / "machine" / CHANNEL, 0, done)
        assert await read_all(machine) == done
        assert not machine.panicked

    assert not run(tmp_path, STOP, story).broken


@needs_hercules
def test_a_panic_after_the_end_mark_is_seen(tmp_path: Path) -> None:
    async def story(machine: Hercules) -> None:
        put(tmp_path / "machine" / CHANNEL, 0, b"THP:00112233445566ff:9:0badcafe done 3\n")
        assert b"the log can't be read" in await read_all(machine)
        assert machine.panicked

    run(tmp_path, PANIC, story)


@needs_hercules
def test_a_cpu_that_spins_is_found_by_an_interrupt(tmp_path: Path) -> None:
    async def story(machine: Hercules) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await machine.read()
        await machine.interrupt()
        assert (await read_all(machine)).splitlines()[-1] == (
            b"hercules: CPU 0: in an unknown place, PSW 00080000 80000200 0000000000000000"
        )
        assert not machine.panicked

    assert not run(tmp_path, SPIN, story).broken


@needs_hercules
def test_an_image_that_can_not_be_loaded(tmp_path: Path) -> None:
    async def story(machine: Hercules) -> None:
        assert await read_all(machine) == b""

    ending = run(tmp_path, NOTHING, story)
    assert ending.broken
    assert "HHCCP030E z/Arch mode IPL failed: Invalid IPL PSW" in ending.detail


@needs_hercules
def test_a_configuration_that_hercules_does_not_like(tmp_path: Path) -> None:
    machine = Hercules(
        FACTS.model_copy(update={"cpu_model": "none"}),
        boot_files(tmp_path, PANIC),
        tmp_path / "machine",
        Children(),
    )

    async def story() -> BootEnding:
        await machine.start()
        assert await read_all(machine) == b""
        return await machine.stop()

    ending = asyncio.run(story())
    assert ending.broken
    assert ending.detail.startswith("hercules exited with status 1: HHCCF")


def test_a_binary_that_is_not_there(tmp_path: Path) -> None:
    facts = FACTS.model_copy(update={"binary": "no-such-hercules"})
    machine = Hercules(facts, boot_files(tmp_path, PANIC), tmp_path / "machine", Children())

    async def story() -> BootEnding:
        await machine.start()
        assert await read_all(machine) == b""
        return await machine.stop()

    ending = asyncio.run(story())
    assert ending.broken and "no-such-hercules" in ending.detail


@needs_hercules
def test_when_the_harness_is_stopped_it_ends_too(tmp_path: Path) -> None:
    children = Children()
    machine = Hercules(FACTS, boot_files(tmp_path, SPIN), tmp_path / "machine", children)

    async def story() -> BootEnding:
        await machine.start()
        asyncio.get_running_loop().call_later(0.5, children.end_all)
        async with asyncio.timeout(20):
            assert await read_all(machine) == b""
        return await machine.stop()

    assert asyncio.run(story()).broken


def test_a_machine_that_was_never_started(tmp_path: Path) -> None:
    machine = Hercules(FACTS, boot_files(tmp_path, PANIC), tmp_path / "machine", Children())
    assert asyncio.run(machine.stop()) == BootEnding(broken=True, detail="never started")
    assert machine.command[:2] == ("env", "-C")
    assert machine.command[-5:] == ("hercules", "-d", "-f", "herc.cnf", "EXTERNALGUI")
