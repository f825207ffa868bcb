# SPDX-License-Identifier: GPL-2.0-only
"""Scripts that build and boot a cell by hand: what is in them, and that a shell reads it as it was meant."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.commands.cell.repro.shell_text import command_lines, comment, here
from results.journal.journal import JOURNAL, Journal, PlanFact, decode, read_events
from results.model.bisect import BisectScope, CommitNote
from tests.program import Invoke, Program
from tests.samples.past_run import NAME, PastRun, make_past_run
from tests.samples.tiny_kernel import commit, git, make_kernel

EMPTY: Mapping[str, str] = {}
SHELLS = [shell for shell in ("dash", "bash", "busybox sh") if shutil.which(shell.split()[0])]
HOSTILE = b"""\
END
END_
`touch escaped` $(touch escaped) "$HOME" ' \\
\tEND
PATCH
#!/bin/sh
exit 1
--
-- \x20
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
diff --git a/Makefile b/Makefile
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> PastRun:
    """A run with both cells built and booted."""
    folder = tmp_path_factory.mktemp("past")
    run = make_past_run(Program(folder / "cache", folder / "state"), folder)
    for variant in ("base", "series"):
        run.build(variant)
        run.boot(variant)
    return run


@pytest.fixture
def past(original: PastRun, program: Program) -> PastRun:
    """The same, for one test alone."""
    shutil.copytree(original.cache, program.cache)
    run_dir = program.state / "runs" / original.run_dir.name
    shutil.copytree(original.run_dir, run_dir)
    return replace(original, run_dir=run_dir, cache=program.cache)


def check_syntax(script: Path) -> None:
    for shell in SHELLS:
        subprocess.run([*shell.split(), "-n", str(script)], check=True)
    if shellcheck := shutil.which("shellcheck"):
        found = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout


def run_script(
    script: Path, folder: Path, *arguments: str, stubs: Mapping[str, str] = EMPTY
) -> subprocess.CompletedProcess[str]:
    """Run a script in a folder; `stubs` are commands that only do this."""
    commands = folder.with_name(f"{folder.name}-bin")
    commands.mkdir()
    for name, text in stubs.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    folder.mkdir(exist_ok=True)
    environment = {"PATH": f"{commands}:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        ["sh", str(script), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip


def written(invoke: Invoke, path: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    answer = invoke("repro", *arguments, "-o", str(path), env=env)
    assert answer.code == 0, answer.stderr
    return path.read_text(errors="replace")


# Pieces of shell


@settings(max_examples=20)
@given(st.binary(max_size=300).map(lambda text: text.replace(b"\0", b"")))
@example("É".join("EFOXA").encode())
@example("\n".join(f"{letter}€" for letter in "EaA").encode())
@pytest.mark.parametrize("shell", SHELLS)
def test_a_here_document_is_what_went_in(shell: str, content: bytes) -> None:
    script = here("cat", content)
    printed = subprocess.run(shell.split(), input=script, capture_output=True, check=True).stdout
    assert printed == content + (b"" if content.endswith(b"\n") or not content else b"\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_no_line_of_a_here_document_can_end_it(shell: str) -> None:
    printed = subprocess.run(shell.split(), input=here("cat", HOSTILE), capture_output=True, check=True)
    assert printed.stdout == HOSTILE


@pytest.mark.parametrize("shell", SHELLS)
def test_all_bytes_come_through_a_here_document(shell: str) -> None:
    content = bytes(range(1, 256)) + b"\n"
    assert subprocess.run(shell.split(), input=here("cat", content), capture_output=True).stdout == content


def test_a_comment_stays_one() -> None:
    text = comment("title\nrm -rf /", "\x1b[31mred\r\nrm -rf /")
    assert [line[:1] for line in text.splitlines()] == ["#"] * 4
    assert "\x1b" not in text


def test_a_command_over_several_lines_is_the_same_command() -> None:
    words = ("printf", "%s|", "-append", "it's $HOME", "-x", "", "`id`", "-y")
    script = command_lines(words)
    printed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed == "".join(f"{word}|" for word in words[2:])


# Whole scripts


def test_the_script_says_where_everything_came_from(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    text = written(invoke, tmp_path / "repro.sh", "x86_64/series")
    build = past.build("series")
    facts = (NAME, build.key, build.image_sha256, build.compiler, build.commit, build.configuration)
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    assert all(fact in head for fact in facts)
    assert "apt-get install " in head
    check_syntax(tmp_path / "repro.sh")


def test_what_is_printed_is_what_is_written(past: PastRun, invoke: Invoke) -> None:
    answer = invoke("repro", "x86_64/base", "--run", NAME)
    assert answer.code == 0
    assert answer.stdout.startswith("#!/bin/sh\n")
    assert f"initramfs={past.run_dir}/boots/x86_64-base-1.cpio\n" in answer.stdout


def test_both_kernels_are_in_one_script(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    text = written(invoke, tmp_path / "both.sh", "x86_64")
    check_syntax(tmp_path / "both.sh")
    for variant in ("base", "series"):
        assert f"\tbuild_{variant}\n" in text
        assert f"\tboot_{variant}\n" in text
        assert (tmp_path / f"both-x86_64-{variant}-1.cpio").read_bytes() == b"cpio"


@pytest.mark.parametrize("arch", ["x86_64", "sparc"])
def test_the_command_of_the_boot_is_that_of_the_run(
    program: Program, invoke: Invoke, tmp_path: Path, arch: str
) -> None:
    run = make_past_run(program, tmp_path, arch)
    run.build("base")
    command = run.boot("base").command
    script = tmp_path / "repro.sh"
    text = written(invoke, script, f"{arch}/base")
    check_syntax(script)
    kernel = tmp_path / "here" / "build-base" / run.arch.kernel.image
    # The emulator only tells how it was called.
    loud = f'printf \'%s\\n\' "$0" "$@" >{tmp_path}/called'
    script.write_text(text.replace("\tneed \"$kernel\" 'build it first'\n", ""))
    run_script(script, tmp_path / "here", "boot", stubs={command[0]: loud})
    called = (tmp_path / "called").read_text().splitlines()
    expected = [*command[1:]]
    expected[expected.index("-kernel") + 1] = str(kernel)
    expected[expected.index("-initrd") + 1] = str(tmp_path / f"repro-{arch}-base-1.cpio")
    assert called[1:] == expected


def test_hercules_gets_its_files(program: Program, invoke: Invoke, tmp_path: Path) -> None:
    run = make_past_run(program, tmp_path, "s390")
    run.build("base")
    fact = run.boot("base", 2, machine="hercules", accelerator="interpreter")
    script = tmp_path / "repro.sh"
    written(invoke, script, "s390/base")
    check_syntax(script)
    folder = tmp_path / "here"
    (folder / "build-base/arch/s390/boot").mkdir(parents=True)
    (folder / "build-base/arch/s390/boot/bzImage").write_bytes(b"image")
    # It writes what a guest would, and waits for the word to end.
    says = f"printf '\\0THP:{fact.nonce}:9:01234567 done 2\\n\\0' >res.fba; read -r word; echo got $word"
    answer = run_script(script, folder, "boot", stubs={"hercules": says})
    machine = folder / "boot-s390-base-2.machine"
    assert (machine / "hercules.log").read_text() == "got quit\n", answer.stderr
    assert (machine / "image").read_bytes() == b"image"
    assert (machine / "initrd.addrsize").read_bytes() == (128 << 20).to_bytes(8) + (4).to_bytes(8)
    assert "ipl linux.ins" in (machine / "run.rc").read_text()
    assert " hercules " in script.read_text().partition("apt-get install")[2].partition("\n")[0]


def test_one_test_alone_gets_a_manifest_of_its_own(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    text = written(invoke, tmp_path / "repro.sh", "x86_64/base", "--test", "*.mremap")
    check_syntax(tmp_path / "repro.sh")
    assert "test pmd_split.mremap 120000 /bin/pmd_split.mremap\n" in text
    assert "pmd_split.munmap" not in text
    assert " cpio " in text


@pytest.mark.skipif(not shutil.which("cpio"), reason="needs cpio")
def test_the_manifest_is_appended_to_the_initramfs(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    text = written(invoke, script, "x86_64/base", "--test", "*.mremap")
    script.write_text(text.replace("\tneed \"$kernel\" 'build it first'\n", ""))
    run_script(script, tmp_path / "here", "boot", stubs={"qemu-system-x86_64": "exit 0"})
    made = (tmp_path / "here" / "boot-x86_64-base-1.cpio").read_bytes()
    assert made.startswith(b"cpio")
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["cpio", "--quiet", "-i", "-d"], input=made[4:], cwd=unpacked, check=True)
    assert "test pmd_split.mremap" in (unpacked / "thp" / "manifest").read_text()


def test_sources_with_hostile_patches_are_those_of_the_run(
    program: Program, invoke: Invoke, tmp_path: Path
) -> None:
    tree = make_kernel(tmp_path / "linux")
    git(tree, "branch", "base")
    (tree / "mm/hostile.c").write_bytes(HOSTILE)
    (tree / "mm/with blank 'quote'.c").write_bytes(b"a\r\nb\r\nno end of line \x80\x81\x88\xff")
    (tree / "mm/binary").write_bytes(bytes(range(256)))
    (tree / "script").write_text("#!/bin/sh\n")
    (tree / "script").chmod(0o755)
    (tree / "link").symlink_to("script")
    commit(tree, "mm: END\n\nEND\n$(touch escaped)\nünïcode", {})
    commit(tree, "mm: `touch escaped`'; touch escaped; '", {"mm/memory.c": "all new\n"})
    git(tree, "branch", "topic")
    run = make_past_run(program, tmp_path, tree=tree)
    run.build("series")
    script = tmp_path / "repro.sh"
    written(invoke, script, "x86_64/series")
    check_syntax(script)
    answer = run_script(script, tmp_path / "here", "build", stubs={"make": "echo no make >&2; exit 7"})
    assert "The sources of series are those of the run" in answer.stdout, answer.stderr
    assert "no make" in answer.stderr
    assert answer.returncode
    assert not list((tmp_path / "here").rglob("escaped"))
    linux = tmp_path / "here" / "linux"
    assert git(linux, "rev-parse", "series^{tree}") == run.checkouts.trees["series"]
    assert git(linux, "log", "--format=%an", "-1") == "Jörg Author"


def test_sources_that_are_others_now_are_refused(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    script = tmp_path / "repro.sh"
    text = written(invoke, script, "x86_64/base")
    script.write_text(text.replace(past.checkouts.trees["base"], "0" * 40))
    answer = run_script(script, tmp_path / "here", "build", stubs={"make": "exit 7"})
    assert answer.returncode == 1
    assert "the sources of base are not those of the run" in answer.stderr
    assert not (tmp_path / "here" / "linux").exists()


def test_a_missing_initramfs_is_named(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    (past.run_dir / "boots" / "x86_64-base-1.cpio").unlink()
    script = tmp_path / "repro.sh"
    text = written(invoke, script, "x86_64/base")
    assert "# MISSING: x86_64-base-1.cpio" in text
    script.write_text(text.replace("\tneed \"$kernel\" 'build it first'\n", ""))
    answer = run_script(script, tmp_path / "here", "boot")
    assert answer.returncode == 1
    assert "repro-x86_64-base-1.cpio is missing; Run it again: thp-harness run --arch x86_64" in answer.stderr


def test_a_kernel_that_does_not_build_is_shown_not_to(
    program: Program, invoke: Invoke, tmp_path: Path
) -> None:
    run = make_past_run(program, tmp_path)
    run.build("series", ok=False, error="mm/memory.c:3: error: expected ';'\nEND")
    script = tmp_path / "repro.sh"
    written(invoke, script, "x86_64/series")
    check_syntax(script)
    broken = 'case "$*" in *bzImage) exit 2 ;; esac'
    answer = run_script(script, tmp_path / "here", stubs={"make": broken})
    assert answer.returncode == 0, answer.stderr
    assert "mm/memory.c:3: error: expected ';'\nEND" in answer.stdout
    fixed = run_script(script, tmp_path / "again", stubs={"make": "exit 0"})
    assert fixed.returncode == 1
    assert "it builds here, and did not in the run" in fixed.stderr


def test_fragments_that_changed_are_not_passed_off_as_those_of_the_run(
    program: Program, invoke: Invoke, tmp_path: Path
) -> None:
    own = tmp_path / "my.config"
    own.write_text("# why\nCONFIG_MINE=y\n")
    run = make_past_run(program, tmp_path, kconfig=(str(own),))
    build = run.build("base")
    text = written(invoke, tmp_path / "then.sh", "x86_64/base")
    assert "# why\nCONFIG_MINE=y\n" in text
    own.write_text("CONFIG_OTHER=y\n")
    text = written(invoke, tmp_path / "now.sh", "x86_64/base")
    check_syntax(tmp_path / "now.sh")
    assert "CONFIG_OTHER" not in text
    assert "The whole .config" in text
    shutil.rmtree(program.cache / "builds" / "2" / build.key)
    answer = invoke("repro", "x86_64/base")
    assert answer.code == 3
    assert "the configuration of x86_64/base cannot be reconstructed" in answer.stderr


# Bad input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x86_46/base"], ["no architecture 'x86_46'. Did you mean 'x86_64'?", "It has: x86_64."]),
        (["x86_64/serise"], ["no variant 'serise'. Did you mean 'series'?", "It has: base, series."]),
        (["x86_64/base", "--test", "pmd_split.munmpa"], ["Did you mean 'pmd_split.munmap'?", "pmd_split.*"]),
        (["x86_64/base", "--run", "nosuch"], ["no run 'nosuch'"]),
        (["x86_64/base", "--shell"], ["--shell needs a terminal"]),
        (["x86_64", "--gdb"], ["x86_64 has 2 kernels", "Name one: x86_64/base or x86_64/series."]),
        (["x86_64/base", "--gdb", "-o", "file"], ["nothing for --output"]),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_told_in_words(
    past: PastRun, invoke: Invoke, arguments: list[str], said: list[str]
) -> None:
    answer = invoke("repro", *arguments)
    assert answer.code == 2
    assert answer.stdout == ""
    assert all(words in answer.stderr for words in said), answer.stderr


def test_a_run_that_did_not_come_to_the_cell(program: Program, invoke: Invoke, tmp_path: Path) -> None:
    run = make_past_run(program, tmp_path)
    run.build("base")
    answer = invoke("repro", "x86_64/series")
    assert answer.code == 2
    assert "x86_64/series has not been built in run" in answer.stderr
    assert "Resume it with: thp-harness run --arch x86_64" in answer.stderr


def test_a_bisection_has_no_cells(past: PastRun, invoke: Invoke) -> None:
    events = list(read_events(past.run_dir))
    ends = (CommitNote("a" * 40, "base", "", ""), CommitNote("b" * 40, "series", "", ""))
    scope = BisectScope("does not boot", 0.95, *ends, commits=1)
    (past.run_dir / JOURNAL).unlink()
    Journal(past.run_dir).append("plan", replace(decode(PlanFact, events[0]), bisect=scope))
    answer = invoke("repro", "x86_64")
    assert answer.code == 2
    assert "is a bisection" in answer.stderr


def test_a_folder_that_is_no_run(past: PastRun, invoke: Invoke) -> None:
    (past.run_dir / JOURNAL).write_text('{"time": "2026-01-01T00:00:00+00:00", "eve')
    answer = invoke("repro", "x86_64/base")
    assert answer.code == 2
    assert "the journal has no plan" in answer.stderr


def test_a_console_log_that_is_gone(past: PastRun, invoke: Invoke) -> None:
    (past.run_dir / "logs" / "x86_64-base-1.log").unlink()
    answer = invoke("repro", "x86_64/base")
    assert answer.code == 2
    assert "console log of boot x86_64-base-1" in answer.stderr


def test_a_folder_that_cannot_be_written(past: PastRun, invoke: Invoke, tmp_path: Path) -> None:
    answer = invoke("repro", "x86_64/base", "-o", str(tmp_path / "no" / "such" / "repro.sh"))
    assert answer.code == 3
    assert "No such file or directory" in answer.stderr


@pytest.mark.parametrize("option", ["--gdb", "rerun"])
def test_a_kernel_that_is_gone_or_damaged_is_not_booted(past: PastRun, invoke: Invoke, option: str) -> None:
    command = (
        ("rerun", "x86_64/base", "--times", "2") if option == "rerun" else ("repro", "x86_64/base", "--gdb")
    )
    (entry,) = (
        path for path in (past.cache / "builds" / "2").iterdir() if "base" in (path / "image").read_text()
    )
    (entry / "image").write_text("something else")
    answer = invoke(*command)
    assert answer.code == 3
    assert "the kernel of x86_64/base in the cache is damaged: image" in answer.stderr
    assert "Run it again: thp-harness run --arch x86_64" in answer.stderr
    shutil.rmtree(entry)
    assert "is no longer there" in invoke(*command).stderr


def test_a_kernel_that_did_not_build_is_not_booted(program: Program, invoke: Invoke, tmp_path: Path) -> None:
    run = make_past_run(program, tmp_path)
    run.build("base", ok=False, error="mm/memory.c:3: error: expected ';'")
    for command in (("rerun", "x86_64/base", "--times", "2"), ("repro", "x86_64/base", "--gdb")):
        answer = invoke(*command)
        assert answer.code == 2
        assert "x86_64/base did not build" in answer.stderr
        assert "mm/memory.c:3: error: expected ';'" in answer.stderr


@pytest.mark.parametrize("times", ["0", "-1", "many"])
def test_times_must_be_a_number_from_one_on(past: PastRun, invoke: Invoke, times: str) -> None:
    answer = invoke("rerun", "x86_64/base", "--times", times)
    assert answer.code == 2
    assert "--times" in answer.stderr


def test_a_run_without_tests_is_not_run_again(program: Program, invoke: Invoke, tmp_path: Path) -> None:
    run = make_past_run(program, tmp_path, tests=())
    run.build("base")
    answer = invoke("rerun", "x86_64/base", "--times", "2")
    assert answer.code == 2
    assert "has no tests" in answer.stderr
